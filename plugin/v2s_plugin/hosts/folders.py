"""The folders of this user on this system that programs keep their scripts and their state in."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from v2s_engine.errors import UsageError

System = Literal["linux", "macos", "windows"]


@dataclass(frozen=True)
class Place:
    """A user on a system: all that per-user folders depend on."""

    system: System
    home: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    root: Path = Path("/")
    """Of the drive that programs are installed on."""

    @classmethod
    def here(cls) -> Place:
        """Who runs this, on the machine that runs it."""
        systems: dict[str, System] = {"darwin": "macos", "win32": "windows"}
        home = Path.home()
        return cls(systems.get(sys.platform, "linux"), home, dict(os.environ), Path(home.anchor))

    def folder(self, linux: str, macos: str, windows: str) -> Path:
        """The folder of these texts that is for this system.

        `~` is the home, `$NAME` a variable's folder, or where it is not set the usual one. Raises `UsageError` for a
        variable that has no usual folder.
        """
        text = {"linux": linux, "macos": macos, "windows": windows}[self.system]
        first, *rest = text.split("/")
        return self._root(first).joinpath(*rest)

    def _root(self, first: str) -> Path:
        if first == "~":
            return self.home
        name = first.removeprefix("$")
        if value := self.environment.get(name):
            return Path(value)
        if name not in _USUAL:
            raise UsageError(f"the folder {first} is not known; set {name}, or name a folder with --dir")
        return self.home.joinpath(*_USUAL[name].split("/"))


_USUAL = {
    "XDG_CONFIG_HOME": ".config",
    "XDG_DATA_HOME": ".local/share",
    "XDG_STATE_HOME": ".local/state",
    "APPDATA": "AppData/Roaming",
    "LOCALAPPDATA": "AppData/Local",
}


def connection_file(place: Place) -> Path:
    """Where `v2s worker --socket` tells its port and token."""
    folder = place.folder("$XDG_STATE_HOME/v2s", "~/Library/Application Support/V2S", "$LOCALAPPDATA/V2S")
    return folder / "worker.json"
