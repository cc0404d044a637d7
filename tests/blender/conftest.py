"""A real Blender without a window: the `bpy` wheel in an environment of its own (`make test-blender`)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from scripts.build_blender import build
from tests.media import make_clip

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
VERSIONS = ("5.0.1", "4.5.15", "5.2.3")

FAKE = [sys.executable, str(HERE / "fake_worker.py")]
REAL = [sys.executable, "-P", "-m", "v2s_plugin.cli", "worker"]

RunInBlender = Callable[..., Any]


class Blender:
    """One Blender with the built extension installed in a folder of its own."""

    def __init__(self, version: str, folder: Path) -> None:
        self.version = version
        self.folder = folder
        self.python = ROOT / "build" / f"blender-{version}" / "bin" / "python"
        self.log = folder / "log.jsonl"
        self.installed: dict[str, Any] = {}

    def install(self, zip: Path) -> None:
        self.installed = self.run("install", zip=str(zip), command=[*FAKE, str(self.log)])

    def bake(self, command: list[str]) -> None:
        """Set the worker's command, as `v2s hosts install blender` does."""
        (found,) = self.folder.rglob("v2s_install.json")
        found.write_text(json.dumps({"command": command, "version": "0"}))

    def run(self, scenario: str, *, script: str = "in_blender.py", **arguments: Any) -> Any:
        """Run a scenario of a script here in a new process; its result."""
        given, result = self.folder / "arguments.json", self.folder / "result.json"
        given.write_text(json.dumps(arguments), encoding="utf-8")
        result.unlink(missing_ok=True)
        done = subprocess.run(
            [str(self.python), str(HERE / script), scenario, str(given), str(result)],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"BLENDER_USER_RESOURCES": str(self.folder / "resources"), "OMP_NUM_THREADS": "1"},
        )
        assert result.exists(), done.stdout[-3000:] + done.stderr[-3000:]
        return json.loads(result.read_text(encoding="utf-8"))

    def requests(self) -> list[dict[str, Any]]:
        """What the stand-in for the worker was asked, since the log was last emptied."""
        return [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="session")
def blender_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="session", params=VERSIONS)
def installed_blender(
    request: pytest.FixtureRequest, blender_zip: Path, tmp_path_factory: pytest.TempPathFactory
) -> Blender:
    made = Blender(request.param, tmp_path_factory.mktemp(f"blender-{request.param}"))
    if not made.python.exists():
        pytest.skip(f"Blender {request.param} is not at {made.python.parents[1]}: make test-blender")
    made.install(blender_zip)
    return made


@pytest.fixture
def blender(installed_blender: Blender) -> Blender:
    """Blender with the stand-in for the worker."""
    installed_blender.log.unlink(missing_ok=True)
    installed_blender.bake([*FAKE, str(installed_blender.log)])
    return installed_blender


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Numbered pictures at 23.976, 25 and 59.94 frames a second; a flash on frame 30 of each."""
    folder = tmp_path_factory.mktemp("media").resolve()
    rates = {"ntsc": Fraction(24_000, 1001), "pal": Fraction(25), "high": Fraction(60_000, 1001)}
    frames = {"ntsc": 120, "pal": 100, "high": 200}
    for name, rate in rates.items():
        make_clip(folder / f"{name}.mp4", rate=rate, frames=frames[name], flashes=(30,))
    return {name: str(folder / f"{name}.mp4") for name in rates}


@pytest.fixture
def folder(tmp_path: Path) -> str:
    shutil.rmtree(tmp_path / "cut", ignore_errors=True)
    return str(tmp_path / "cut")
