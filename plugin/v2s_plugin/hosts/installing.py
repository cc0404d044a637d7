"""What of V2S is installed in editing programs; put there and taken out again.

Nothing of anybody else's is changed: a folder or a file that V2S did not write is an error.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from v2s_engine.errors import OutputError, UsageError
from v2s_plugin.hosts.folders import Place
from v2s_plugin.hosts.programs import HOSTS, INSTALL_FACTS, Files, Home, HostProgram, install_facts
from v2s_plugin.outputs import whole_file, whole_folder

State = Literal["not installed", "installed", "outdated"]
"""`outdated`: by another version of V2S, or one that lies elsewhere."""

_OURS: Final = b"v2s hosts install"
"""Stands in every file that lies beside those of others."""


@dataclass(frozen=True)
class Installation:
    """One place of one program, and what of ours is there."""

    host: HostProgram
    home: Home
    state: State

    @property
    def target(self) -> Path:
        """Where ours goes."""
        return self.home.folder / self.host.below


def installations(place: Place) -> list[Installation]:
    """Every place of every program that is found, in the order of `HOSTS`."""
    return [
        Installation(host, home, _state(host, home, place)) for host in HOSTS.values() for home in host.homes(place)
    ]


def install(host: HostProgram, place: Place, *, folder: Path | None = None, package: Path | None = None) -> list[Path]:
    """Put V2S into a program, everywhere it is found or below `folder`; what an earlier version put there goes.

    `package` is the built extension, for Blender alone. Returns where it went. Raises `UsageError` where the program or
    the folder is not found, `OutputError` where something else stands there or cannot be written.
    """
    if package is not None and host.name != "blender":
        raise UsageError(f"--zip is for blender; {host.title} takes what came with V2S: leave it out")
    homes = _homes(host, place, folder)
    files = host.files(place, package)
    for home in homes:
        target = home.folder / host.below
        _check_ours(host, target, files)
        try:
            _write_folder(target, files) if host.own_folder else _write_files(target, files)
        except OutputError as error:
            if error.__cause__ is None:
                raise
            raise OutputError(
                f"cannot write {target}: {error.__cause__}; close {host.title}, allow writing there, or name another "
                "folder with --dir"
            ) from error
    return [home.folder / host.below for home in homes]


def uninstall(host: HostProgram, place: Place, *, folder: Path | None = None) -> list[Path]:
    """Take V2S out of a program again. Returns what was removed; nothing where nothing was installed.

    Raises `UsageError` where the program is not found, `OutputError` where something cannot be removed.
    """
    removed = []
    for home in _homes(host, place, folder):
        target = home.folder / host.below
        if host.own_folder:
            ours = [target] if (target / INSTALL_FACTS).is_file() else []
        else:
            ours = [path for path in _shared_files(host, target, place) if _is_ours(path)]
        for path in ours:
            try:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            except OSError as error:
                raise OutputError(
                    f"cannot remove {path}: {error.strerror or error}; close {host.title}, and run this again"
                ) from error
        removed += ours
    return removed


def _homes(host: HostProgram, place: Place, folder: Path | None) -> list[Home]:
    if folder is not None:
        if not folder.is_dir():
            raise UsageError(f"--dir must name a folder that is there; got {folder}: make it, or check the name")
        return [Home(folder.absolute())]
    # Several versions of a program may share one folder.
    homes = {home.folder: home for home in host.homes(place)}
    if not homes:
        raise UsageError(f"{host.absence(place)}; start it once where it runs, or name its folder with --dir")
    return list(homes.values())


def _state(host: HostProgram, home: Home, place: Place) -> State:
    target = home.folder / host.below
    if host.own_folder:
        facts = target / INSTALL_FACTS
        if not facts.is_file():
            return "not installed"
        return "installed" if facts.read_bytes() == install_facts() else "outdated"
    there = [path for path in _shared_files(host, target, place) if _is_ours(path)]
    if not there:
        return "not installed"
    wanted = host.files(place, None)
    same = all((target / name).is_file() and (target / name).read_bytes() == data for name, data in wanted.items())
    return "installed" if same else "outdated"


def _shared_files(host: HostProgram, target: Path, place: Place) -> list[Path]:
    return [target / name for name in host.files(place, None)]


def _is_ours(path: Path) -> bool:
    return path.is_file() and _OURS in path.read_bytes()


def _check_ours(host: HostProgram, target: Path, files: Files) -> None:
    if host.own_folder:
        foreign = [target] if target.exists() and not (target / INSTALL_FACTS).is_file() else []
    else:
        foreign = [path for name in files if (path := target / name).exists() and not _is_ours(path)]
    if foreign:
        raise OutputError(f"{foreign[0]} is there and V2S did not install it; move it away and run this again")


def _write_folder(target: Path, files: Files) -> None:
    _make(target.parent)
    with whole_folder(target) as draft:
        for name, content in files.items():
            path = draft / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def _write_files(target: Path, files: Files) -> None:
    _make(target)
    for name, content in files.items():
        with whole_file(target / name) as draft:
            draft.write_bytes(content)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot make {folder}: {error.strerror or error}; allow writing there, or name another folder with --dir"
        ) from error
