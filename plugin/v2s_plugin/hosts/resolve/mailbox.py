"""The free version of Resolve, worked with through a folder: since 21.1 its scripts may only read files and export.

`v2s hosts resolve` runs here, in a terminal; sandboxed.lua runs in Resolve when the editor picks it in the menu.
Letters to Resolve are Lua tables: `request.lua` (id, scope, valid_until), written anew while somebody waits, and
`place.lua` (what to put where). Letters from Resolve are the names of timelines that it exports:

    ID.cut.rate_23p976.range_48_119.otio                    the editor's timeline
    ID.answer.timeline.placed_3.kept_0.removed_1.off_0.unswitched_0.lost_0.changed_0.otio
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .desk import CHANGED, DeskError, Exported, file_stem, summary
from .places import Place, frame_rate, range_selector

VALID_FOR = 10
"""Seconds after which Resolve's side takes us for gone, unless the request is written anew."""

PATIENCE = 120.0
"""Seconds that Resolve gets to put the sounds on the timeline, unless said otherwise."""


class MailboxDesk:
    """A timeline in the free version of Resolve. `wait(seconds)` passes time; what it raises ends the run.

    `folder`: where timelines and sounds go, one folder a timeline. `tell`: takes lines for the editor.
    """

    def __init__(
        self,
        mailbox: Path,
        folder: Path,
        tell: Callable[[str], None],
        *,
        wait: Callable[[float], None] = time.sleep,
        patience: float = PATIENCE,
    ) -> None:
        self.mailbox = mailbox
        self.folder = folder
        self.tell = tell
        self.wait = wait
        self.patience = patience
        self.id = f"{int(time.time()):x}-{os.getpid():x}"
        self._scope = "timeline"
        self._renewed = 0.0

    def export(self, scope: str) -> Exported:
        """Wait until the editor runs V2S from Resolve's menu, and take the timeline that it exports.

        Raises `DeskError` where in and out, or the clip, are missing, or the folder takes no file.
        """
        self._scope = scope
        self.mailbox.mkdir(parents=True, exist_ok=True)
        self.clear()
        self.keep_waiting()
        self.tell("In DaVinci Resolve, open the timeline and choose Workspace > Scripts > V2S.")
        letter = self._await("cut", None)
        words = dict(word.split("_", 1) for word in letter.name.split(".")[2:-1])
        rate = _rate(words["rate"])
        if words["range"] == "none":
            what = "in and out are not both set" if scope == "marks" else "no clip stands under the playhead"
            raise DeskError(f"{what}; set that in Resolve, then run this again")
        found = re.fullmatch(r"(\d+)_(\d+)", words["range"])
        only = (range_selector(int(found[1]), int(found[2]), rate),) if found else ()
        stem = file_stem(str(_timeline(letter).get("name") or "timeline"))
        path = self.folder / stem / f"{stem}.otio"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(letter, path)  # it may be another drive
        except OSError as error:
            raise DeskError(f"cannot write in {path.parent}: {error.strerror}; choose another --folder") from error
        return Exported(path, rate, only)

    def place(self, wanted: Sequence[Place], exported: Exported) -> list[str]:
        """Have Resolve's side put the sounds on the timeline; returns what it did. Raises `DeskError` for no answer."""
        orders = {
            "id": self.id,
            "everything": not exported.only,
            "media_folder": str(exported.media_folder),
            "output": str(exported.output),
            "places": [
                {"path": p.path, "start": p.start, "length": p.length, "family": p.family, "heard": p.heard}
                for p in wanted
            ],
        }
        self._write("place.lua", orders)
        letter = self._await("answer", self.patience)
        if letter is None:
            raise DeskError(
                f"Resolve did not answer within {self.patience:.0f} s; import {exported.output} there by hand"
            )
        return _texts(letter.name, exported)

    def keep_waiting(self) -> None:
        """Tell Resolve's side that somebody is still here; call it at least every few seconds."""
        if time.monotonic() - self._renewed > VALID_FOR / 4:
            self._write(
                "request.lua", {"id": self.id, "scope": self._scope, "valid_until": int(time.time()) + VALID_FOR}
            )
            self._renewed = time.monotonic()

    def clear(self) -> None:
        """Take all letters out; Resolve's side then stops waiting."""
        for letter in self.mailbox.glob("*"):
            if letter.suffix in {".otio", ".lua", ".part"}:
                with contextlib.suppress(OSError):
                    letter.unlink()
        self._renewed = 0.0

    def _await(self, kind: str, patience: float | None) -> Any:
        started = time.monotonic()
        while patience is None or time.monotonic() - started < patience:
            self.keep_waiting()
            for letter in sorted(self.mailbox.glob(f"{self.id}.{kind}.*.otio")):
                if _timeline(letter):  # else Resolve is still writing it
                    return letter
            self.wait(0.2)
        return None

    def _write(self, name: str, content: dict[str, Any]) -> None:
        part = self.mailbox / f"{name}.part"
        part.write_text(f"return {lua(content)}\n", encoding="ascii")
        for _ in range(10):  # Windows: Resolve may have it open for a moment
            with contextlib.suppress(PermissionError):
                part.replace(self.mailbox / name)
                return
            self.wait(0.1)
        raise DeskError(f"cannot write {self.mailbox / name}; close what holds it open")


def mailbox_beside(connection_file: Path) -> Path:
    """The folder of letters, beside the file that tells a worker's port; installed scripts have it written in."""
    return connection_file.parent / "resolve"


def lua(value: Any) -> str:
    """A value as a Lua expression in ASCII; text as the bytes of its UTF-8."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        kept = "".join(
            chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:03d}" for byte in value.encode("utf-8")
        )
        return f'"{kept}"'
    if isinstance(value, dict):
        return "{ " + ", ".join(f"[{lua(key)}] = {lua(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "{ " + ", ".join(lua(item) for item in value) + " }"
    raise TypeError(f"{type(value).__name__} is not written as Lua")


def _timeline(path: Path) -> dict[str, Any]:
    """The file's content; empty while it is being written."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _rate(word: str) -> Any:
    try:
        return frame_rate(word.replace("p", ".").replace("-", " "))
    except ValueError as error:
        raise DeskError(str(error)) from error


def _texts(name: str, exported: Exported) -> list[str]:
    """The answer in a file's name, as sentences."""
    words = name.split(".")[2:-1]
    counts = {key: int(number) for key, number in (word.split("_", 1) for word in words[1:])}
    texts = [summary(counts["placed"], counts["kept"], counts["removed"])]
    if words[0] == "beside":
        texts.append(f"Resolve did not take all sounds; the new timeline {exported.path.stem!r} V2S has them.")
    if words[0] == "nowhere":
        texts.append(f"Resolve did not take all sounds; import {exported.output} by File > Import > Timeline.")
    if counts["off"]:
        texts.append(f"{counts['off']} do not stand exactly where they should; check them by ear")
    if counts["unswitched"]:
        texts.append(f"{counts['unswitched']} tracks with spare takes are still switched on; switch them off")
    if counts["changed"]:
        texts.append(CHANGED)
    if counts["lost"]:
        texts.append("Resolve did not put back all of in, out, playhead and track switches; check them")
    return texts
