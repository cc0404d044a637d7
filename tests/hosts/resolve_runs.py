"""What tests of the Resolve scripts share: sounds on disk, a worker that says what it is told, a timeline file."""

from __future__ import annotations

import wave
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

RATE = 48000


def sound(path: Path, seconds: Fraction, channels: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(bytes(2 * channels * round(seconds * RATE)))
    return path


def clip(
    folder: Path, name: str, start: Fraction, seconds: Fraction, take: int = 1, *, kind: str = "dog"
) -> dict[str, Any]:
    """A `clip` message, and its WAV."""
    path = sound(folder / f"{name}.wav", seconds)
    return {
        "type": "clip",
        "id": 1,
        "shot": None,
        "label": name,
        "sound": kind,
        "take": take,
        "path": str(path),
        "timeline_start": str(start),
        "duration": str(seconds),
        "length": round(seconds * RATE),
        "rate": RATE,
        "reused": False,
    }


def done(skips: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"type": "done", "id": 1, "output": "", "scored": 1, "skips": skips or [], "warnings": [], "device": "cpu"}


class SaidClient:
    """A worker that answers a request with what it was told to."""

    def __init__(self, *messages: dict[str, Any], meanwhile: Callable[[], None] = lambda: None) -> None:
        self.messages = list(messages)
        self.meanwhile = meanwhile
        """What the editor does while the worker works."""
        self.requests: list[dict[str, Any]] = []
        self.cancelled: list[int] = []

    def start(self) -> None:
        pass

    def close(self, grace: float = 3.0) -> None:
        pass

    def request(self, kind: str, **content: Any) -> int:
        self.requests.append({"type": kind, **content})
        self.meanwhile()
        output = content.get("output")
        if output:
            Path(output).write_text("{}", encoding="utf-8")
        return 1

    def cancel(self, request: int) -> int:
        self.cancelled.append(request)
        self.messages = [{"type": "error", "id": request, "code": "cancelled", "message": "stopped"}]
        return 2

    def poll(self) -> list[dict[str, Any]]:
        if not self.requests:
            return []
        said, self.messages = self.messages, []
        return said
