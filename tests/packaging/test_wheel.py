"""The wheel: what is in it, and that it works where nothing of the checkout is."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.media import make_clip
from tests.plugin.cuts import clip, save, span, timeline, track
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
        "found = otio.plugins.ActiveManifest()\n"
        "print(next(s.module().__file__ for s in found.hook_scripts if s.name == 'v2s_generate'))\n"
        "print(next(s.module().__file__ for s in found.media_linkers if s.name == 'v2s_relink'))"
    )
    done = run_installed(site, code)
    assert done.returncode == 0, done.stderr
    package, version, hook, linker = done.stdout.splitlines()
    assert Path(package) == site / "v2s_plugin" / "__init__.py"
    assert version.startswith("v2s ")
    assert Path(hook) == site / "v2s_plugin" / "otio_adapter.py"
    assert Path(linker) == site / "v2s_plugin" / "otio_linker.py"


def test_unpacked_it_relinks_for_otioconvert(site: Path, tmp_path: Path) -> None:
    (tmp_path / "rushes").mkdir()
    make_clip(tmp_path / "rushes" / "a.mp4", frames=24, width=64, height=64)
    cut = save(timeline(track(clip("a", "/gone/a.mp4", source=span(0, 24, 24)))), tmp_path / "cut.otio")
    out = tmp_path / "out.otio"
    arguments = ["-i", str(cut), "-o", str(out), "-m", "v2s_relink", "-M", f"search={tmp_path / 'rushes'}"]
    code = f"import sys; sys.argv[1:] = {arguments!r}; from opentimelineio.console.otioconvert import main; main()"
    done = run_installed(site, code)
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "rushes" / "a.mp4") in out.read_text()
