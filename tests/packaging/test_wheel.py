"""The wheel: what is in it, and that it works where nothing of the checkout is."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.plugin.processes import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the project, built here and now."""
    builders = pytest.importorskip("hatchling.builders.wheel", reason="building needs hatchling")
    folder = tmp_path_factory.mktemp("dist")
    (built,) = builders.WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    return Path(built)


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel unpacked as an installer would."""
    folder: Path = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder)
    return folder


def run_installed(site: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run Python that sees the unpacked wheel before (or instead of) the checkout."""
    environment = os.environ | {"PYTHONPATH": str(site), "OTIO_PLUGIN_MANIFEST_PATH": ""}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment, cwd=site
    )


def test_the_wheel_holds_the_three_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
    tops = {name.split("/")[0] for name in names if not name.split("/")[0].endswith(".dist-info")}
    assert tops == {"v2s_engine", "v2s_plugin", "v2s_export"}
    assert not [name for name in names if "__pycache__" in name or "/test" in name]


@pytest.mark.parametrize("package", ["v2s_engine", "plugin/v2s_plugin", "export/v2s_export"])
def test_no_file_that_is_tracked_or_about_to_be_is_left_out(wheel: Path, package: str) -> None:
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    folder = ROOT / package
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith("."):
            assert f"{folder.name}/{path.relative_to(folder).as_posix()}" in names


def test_the_demo_and_its_credits_are_in_the_wheel(site: Path) -> None:
    demo = site / "v2s_plugin" / "demo"
    assert (demo / "demo.otio").is_file()
    assert (demo / "CREDITS.md").is_file()
    assert len(list((demo / "media").iterdir())) == 4


def test_unpacked_it_runs_from_there_and_otio_finds_it(site: Path) -> None:
    code = (
        "import sys, v2s_plugin, v2s_engine; print(v2s_plugin.__file__)\n"
        "from v2s_plugin.cli import main; assert main(['--version']) == 0\n"
        "import opentimelineio as otio\n"
        "scripts = otio.plugins.ActiveManifest().hook_scripts\n"
        "print(sorted({s.module().__file__ for s in scripts if s.name == 'v2s_generate'})[0])"
    )
    done = run_installed(site, code)
    assert done.returncode == 0, done.stderr
    package, version, hook = done.stdout.splitlines()
    assert Path(package) == site / "v2s_plugin" / "__init__.py"
    assert version.startswith("v2s ")
    assert Path(hook).name == "otio_adapter.py"
