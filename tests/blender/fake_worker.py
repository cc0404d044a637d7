"""A stand-in for `v2s worker`: speaks its protocol, and writes sounds whose truth is known. Standard library only.

    python fake_worker.py LOG [--mode plain|slow|fail|die|warn]

Every sound is a quiet tone (440 Hz times the number of the take) with a click 0.1 s after its start. Requests are
appended to LOG. `slow` waits for a cancel after the first sound, `fail` answers with an error, `die` ends without one,
`warn` warns at the end.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import struct
import sys
import wave
from fractions import Fraction
from pathlib import Path
from typing import Any

RATE = 48_000
CLICK_AT = Fraction(1, 10)


def say(**message: Any) -> None:
    print(json.dumps(message), flush=True)


def write_sound(folder: Path, length: int, take: int, seed: int) -> Path:
    """A mono WAV of `length` samples, named after what is in it."""
    digest = hashlib.sha256(f"{length} {take} {seed}".encode()).hexdigest()[:8]
    path = folder / f"sound_{digest}.wav"
    click = round(CLICK_AT * RATE)
    values = [round(1500 * math.sin(2 * math.pi * 440 * take * n / RATE)) for n in range(length)]
    for n in range(click, min(length, click + 48)):
        values[n] = 30_000 if n % 2 else -30_000
    folder.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, RATE, 0, "NONE", ""))
        sound.writeframes(struct.pack(f"<{length}h", *values))
    return path


def hear(log: Path) -> dict[str, Any] | None:
    """The next message, None at the end."""
    line = sys.stdin.readline()
    with log.open("a", encoding="utf-8") as kept:
        kept.write(line)
    return dict(json.loads(line)) if line else None


def generate(request: dict[str, Any], mode: str, log: Path) -> None:
    options, shots = request["options"], request["shots"]
    takes = options.get("takes", 1)
    for number, shot in enumerate(shots):
        say(type="progress", id=request["id"], stage="sample", done=number, total=len(shots), item=shot["name"])
        start, duration = Fraction(shot["timeline_start"]), Fraction(shot["duration"])
        length = round((start + duration) * RATE) - round(start * RATE)
        for take in range(1, takes + 1):
            path = write_sound(Path(request["media_folder"]), length, take, options.get("seed", 0))
            say(
                type="clip",
                id=request["id"],
                shot=shot["id"],
                label=shot["name"],
                sound=options.get("sound", "dog"),
                take=take,
                path=str(path),
                timeline_start=shot["timeline_start"],
                duration=shot["duration"],
                length=length,
                rate=RATE,
                reused=False,
            )
        if mode == "slow":
            hear(log)
            say(type="error", id=request["id"], code="cancelled", message="stopped", detail="", action="")
            return
    warnings = ["mind this"] if mode == "warn" else []
    say(type="done", id=request["id"], output=None, scored=len(shots), skips=[], warnings=warnings, device="cpu")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("log", type=Path)
    parser.add_argument("--mode", default="plain")
    options = parser.parse_args()
    while message := hear(options.log):
        kind = message["type"]
        if kind == "hello":
            bundles = {"sound_classes": ["dog", "drum"], "bundles": ["starter"], "devices": ["cpu"]}
            say(type="hello", protocol=1, version="0.0", **bundles)
        elif kind == "generate" and options.mode == "fail":
            say(
                type="error",
                id=message["id"],
                code="bundle",
                message="no such bundle",
                detail="",
                action="name another",
            )
        elif kind == "generate" and options.mode == "die":
            sys.exit("killed by a test")
        elif kind == "generate":
            generate(message, options.mode, options.log)
        elif kind == "bye":
            return


if __name__ == "__main__":
    main()
