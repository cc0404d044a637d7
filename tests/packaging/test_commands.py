"""The commands as a user runs them: the script where the package is installed, else the same entry point."""

import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from tests.plugin.processes import ROOT, run_python
from v2s_engine import __version__
from v2s_plugin import cli

COMMANDS = sorted(typer.main.get_command(cli.app).commands)


@pytest.fixture(scope="module")
def script() -> Path:
    found = Path(sys.executable).parent / ("v2s.exe" if sys.platform == "win32" else "v2s")
    if not found.exists():
        pytest.skip(f"the package is not installed: no {found}")
    return found


def test_the_commands_of_the_main_job_are_there() -> None:
    assert {"generate", "plan", "remove", "bundles", "demo"} <= set(COMMANDS)


@pytest.mark.parametrize("command", [[], *[[name] for name in COMMANDS]])
def test_the_installed_script_explains_every_command(script: Path, command: list[str]) -> None:
    done = subprocess.run([script, *command, "--help"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: {' '.join(['v2s', *command])} ")


def test_the_installed_script_passes_exit_codes_on(script: Path, tmp_path: Path) -> None:
    done = subprocess.run([script, "plan", tmp_path / "no.otio"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("v2s: ")


def test_the_entry_point_returns_the_exit_code() -> None:
    done = run_python("import sys; from v2s_plugin.cli import main; sys.exit(main())", "plan", "no.txt")
    assert (done.returncode, done.stdout) == (2, "")
    done = run_python("import sys; from v2s_plugin.cli import main; sys.exit(main())", "--version")
    assert (done.returncode, done.stdout) == (0, f"v2s {__version__}\n")


def test_the_entry_points_of_the_project_lead_somewhere() -> None:
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["scripts"]["v2s"] == "v2s_plugin.cli:main"
    assert callable(cli.main)
    assert project["entry-points"]["opentimelineio.plugins"]["v2s"] == "v2s_plugin"
    assert (ROOT / "plugin" / "v2s_plugin" / "plugin_manifest.json").is_file()
