"""The editing programs that V2S can be called from: where each keeps its scripts, and what goes there.

| host | for each user, below |
|---|---|
| blender | `extensions/user_default/v2s_blender` of every version's own folder |
| resolve | two launchers in `Utility` of Fusion's script folder; the rest stays where V2S is |
| premiere | `v2s_premiere` in a folder of ours, which Adobe's UXP Developer Tool loads |
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from v2s_engine import __version__
from v2s_engine.errors import UsageError
from v2s_plugin.hosts.folders import Place, connection_file
from v2s_plugin.hosts.resolve.mailbox import mailbox_beside

HERE: Final = Path(__file__).parent
INSTALL_FACTS: Final = "v2s_install.json"
"""What an installed folder remembers: how to start the worker, and the version that installed it."""

_OLDEST_BLENDER: Final = (4, 5)
_CHECKOUT: Final = HERE.parents[2]

Files = Mapping[str, bytes]
"""What is installed: content by path below the target, with `/`."""


@dataclass(frozen=True)
class Home:
    """A place on this machine where a program keeps things of its own."""

    folder: Path
    version: str | None = None
    """Of the program, where its folder tells."""


@dataclass(frozen=True)
class HostProgram:
    """One editing program."""

    name: str
    title: str
    below: str
    """Where ours goes, below a home of the program."""
    homes: Callable[[Place], Iterator[Home]]
    """The homes that are there."""
    root: Callable[[Place], Path | None]
    """The folder in which they would be; None on a system that it is not made for."""
    files: Callable[[Place, Path | None], Files]
    """What is installed; the path is a built package, where one was given."""
    next_step: str
    """What the editor does after installing."""
    since: str = ""
    """The versions that it can be installed in, where older ones are passed over."""
    own_folder: bool = True
    """Whether all of the target is ours; else only the files are, beside those of others."""

    def absence(self, place: Place) -> str:
        """What to say where no home is there."""
        root = self.root(place)
        if root is None:
            return f"{self.title} is not made for {place.system.capitalize()}"
        return f"{self.title}{self.since and ' '}{self.since} was not found in {root}"


def worker_command() -> list[str]:
    """How a panel starts the worker: by the Python that installed it, wherever the host runs."""
    return [sys.executable, "-P", "-m", "v2s_plugin.cli", "worker"]


def install_facts() -> bytes:
    """The content of `v2s_install.json`."""
    return json.dumps({"command": worker_command(), "version": __version__}, indent=2).encode()


# ---- Blender


def _blender_root(place: Place) -> Path:
    return place.folder(
        "$XDG_CONFIG_HOME/blender", "~/Library/Application Support/Blender", "$APPDATA/Blender Foundation/Blender"
    )


def _blender_homes(place: Place) -> Iterator[Home]:
    root = _blender_root(place)
    if not root.is_dir():
        return
    found = [(match, path) for path in root.iterdir() if (match := re.fullmatch(r"(\d+)\.(\d+)", path.name))]
    for version, path in sorted(((int(match[1]), int(match[2])), path) for match, path in found):
        if version >= _OLDEST_BLENDER:
            yield Home(path, path.name)


def _blender_files(place: Place, package: Path | None) -> Files:
    with tempfile.TemporaryDirectory() as folder:
        path = package or _built_blender(Path(folder))
        try:
            with zipfile.ZipFile(path) as packed:
                files = {name: packed.read(name) for name in packed.namelist() if not name.endswith("/")}
        except (OSError, zipfile.BadZipFile) as error:
            raise UsageError(f"{path} is no zip that can be read ({error}); download it again") from error
    if "blender_manifest.toml" not in files or any(_leads_out(name) for name in files):
        raise UsageError(f"{path} is no Blender extension; give the v2s_blender zip of this version")
    return {**files, INSTALL_FACTS: install_facts()}


def _built_blender(folder: Path) -> Path:
    """The extension, built where V2S runs from a checkout; a wheel does not hold it (it is GPL)."""
    script = _CHECKOUT / "scripts" / "build_blender.py"
    if not script.is_file():
        raise UsageError(
            "the Blender extension is no part of this installation; download v2s_blender-"
            f"{__version__}.zip from the project's releases and give it with --zip"
        )
    done = subprocess.run([sys.executable, script, "--folder", folder], capture_output=True, text=True, check=False)
    if done.returncode:
        raise UsageError(f"the Blender extension cannot be built: {done.stderr.strip()}; check {script}")
    return next(folder.glob("*.zip"))


def _leads_out(name: str) -> bool:
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name


# ---- DaVinci Resolve


def _resolve_root(place: Place) -> Path:
    return place.folder(
        "$XDG_DATA_HOME/DaVinciResolve",
        "~/Library/Application Support/Blackmagic Design/DaVinci Resolve",
        "$APPDATA/Blackmagic Design/DaVinci Resolve",
    )


def _resolve_homes(place: Place) -> Iterator[Home]:
    root = _resolve_root(place)
    if root.is_dir():
        yield Home(root / ("Support/Fusion/Scripts" if place.system == "windows" else "Fusion/Scripts"))


def _resolve_files(place: Place, package: Path | None) -> Files:
    return {name: _baked(HERE / "resolve" / name, place) for name in ("V2S.py", "V2S.lua")}


# ---- Premiere


def _premiere_root(place: Place) -> Path | None:
    """The folder of the programs; None where there is no Premiere for the system."""
    return {"macos": place.root / "Applications", "windows": place.root / "Program Files" / "Adobe"}.get(place.system)


def _premiere_homes(place: Place) -> Iterator[Home]:
    apps = _premiere_root(place)
    for path in sorted(apps.glob("Adobe Premiere Pro*")) if apps else ():
        yield Home(connection_file(place).parent, path.name.removeprefix("Adobe Premiere Pro").strip() or None)


def _premiere_files(place: Place, package: Path | None) -> Files:
    panel = HERE / "premiere" / "panel"
    files = {path.relative_to(panel).as_posix(): path.read_bytes() for path in panel.rglob("*") if path.is_file()}
    return {**files, "settings.js": _baked(panel / "settings.js", place), INSTALL_FACTS: install_facts()}


def _baked(template: Path, place: Place) -> bytes:
    """A script with the paths of this installation in it; with `/` also on Windows, where all hosts take that."""
    connection = connection_file(place)
    paths = {
        "@HOSTS@": HERE,
        "@PYTHON@": Path(sys.executable),
        "@CONNECTION@": connection,
        "@MAILBOX@": mailbox_beside(connection),
    }
    text = template.read_text(encoding="utf-8")
    for name, path in paths.items():
        text = text.replace(name, path.as_posix())
    return text.encode()


HOSTS: Final[Mapping[str, HostProgram]] = {
    "blender": HostProgram(
        "blender",
        "Blender",
        "extensions/user_default/v2s_blender",
        _blender_homes,
        _blender_root,
        _blender_files,
        "start Blender again and switch V2S on in Preferences > Add-ons; it is in the Video Sequencer's sidebar",
        since=f"{'.'.join(map(str, _OLDEST_BLENDER))} or newer",
    ),
    "resolve": HostProgram(
        "resolve",
        "DaVinci Resolve",
        "Utility",
        _resolve_homes,
        _resolve_root,
        _resolve_files,
        "choose V2S in Resolve's menu Workspace > Scripts; for the free version run `v2s hosts resolve` before",
        own_folder=False,
    ),
    "premiere": HostProgram(
        "premiere",
        "Adobe Premiere",
        "v2s_premiere",
        _premiere_homes,
        _premiere_root,
        _premiere_files,
        "add the folder in Adobe's UXP Developer Tool and load it; `v2s worker --socket` must run beside it",
    ),
}
"""All of them, by name."""


def host_named(name: str) -> HostProgram:
    """A host by its name, however it is spelt. Raises `UsageError` that lists the known ones."""
    if name.lower() not in HOSTS:
        raise UsageError(
            f"there is no panel for {name!r}; known: {', '.join(HOSTS)}. Other programs go by files: v2s generate"
        )
    return HOSTS[name.lower()]
