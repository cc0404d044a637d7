"""What was made, noted beside the WAVs: so a run that was stopped, or one with an earlier seed, finds it again.

A timeline remembers the takes that stand on it; this file those that do not, or not yet. One JSON object a line, added
when a WAV has its name: a line cut short by a kill counts as none. Nothing is believed: a WAV is used again only where
it holds what its line says (`SoundFolder.reuse`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from v2s_engine.errors import OutputError
from v2s_plugin.outputs import whole_file
from v2s_plugin.sounding.take_file import TakeFile, take_facts

NAME = ".v2s_takes.jsonl"
"""Of the file in a media folder."""


def note(folder: Path, takes: Iterable[tuple[str, TakeFile]]) -> None:
    """Note takes in their media folder, each with its job key. Raises `OutputError` where the disk does not take it."""
    lines = [json.dumps({"key": key, **take_facts(take)}) for key, take in takes]
    try:
        with (folder / NAME).open("a", encoding="utf-8") as file:
            file.write("".join(f"\n{line}" for line in lines))  # a line cut short does not spoil the next one
    except OSError as error:
        raise OutputError(
            f"cannot write {folder / NAME}: {error.strerror or error}; free some space, or allow writing there"
        ) from error


def noted_takes(folder: Path, rate: int) -> dict[str, dict[int, TakeFile]]:
    """The takes noted in a media folder at `rate`, by job key and number; what was made last counts."""
    known: dict[str, dict[int, TakeFile]] = {}
    for _, facts in _lines(folder):
        try:
            take = TakeFile(
                take=int(facts["take"]),
                path=folder / Path(str(facts["file"])).name,
                sha256=str(facts["sha256"]),
                length=int(facts["length"]),
                rate=int(facts["rate"]),
                gain_db=float(facts["gain_db"]),
                device=str(facts["device"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
        if take.rate == rate:
            known.setdefault(str(facts["key"]), {})[take.take] = take
    return known


def forget_deleted(folder: Path) -> None:
    """Strike what is noted of files that are gone; the whole ledger where nothing is left."""
    path = folder / NAME
    if not path.is_file():
        return
    kept = [line for line, facts in _lines(folder) if (folder / Path(str(facts.get("file"))).name).is_file()]
    if kept:
        with whole_file(path) as draft:
            draft.write_text("".join(f"\n{line}" for line in kept), encoding="utf-8")
    else:
        path.unlink(missing_ok=True)


def _lines(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every whole line and what it says."""
    try:
        text = (folder / NAME).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in text.splitlines():
        try:
            facts = json.loads(line)
        except ValueError:
            continue
        if isinstance(facts, dict):
            yield line, facts
