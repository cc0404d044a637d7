"""Importing the plug-in or asking for help loads nothing heavy: hosts import it just to list plug-ins."""

import pytest

from tests.plugin.processes import run_python

HEAVY = ("torch", "onnxruntime", "numba", "numpy", "cv2", "av", "safetensors")

REPORT = f"\nimport sys; print('loaded:', [name for name in {HEAVY!r} if name in sys.modules])"
QUIET = "\nimport contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()): "


@pytest.mark.parametrize(
    "code",
    [
        "import v2s_plugin",
        "import v2s_plugin.cli",
        "import v2s_plugin.otio_adapter",
        "import v2s_plugin.planning.jobs, v2s_plugin.scoring, v2s_plugin.preview, v2s_plugin.options",
        "import v2s_plugin.tracks.writeback, v2s_plugin.sounding.sound_files, v2s_plugin.takes.in_file",
        "import v2s_plugin.api, v2s_plugin.clip_timing",
        "from v2s_plugin.cli import main" + QUIET + "assert main(['--help']) == 0",
        "from v2s_plugin.cli import main" + QUIET + "assert main(['generate', '--help']) == 0",
    ],
)
def test_nothing_heavy_is_loaded(code: str) -> None:
    done = run_python(code + REPORT)
    assert (done.stdout, done.stderr) == ("loaded: []\n", "")


def test_help_loads_neither_opentimelineio_nor_rich() -> None:
    """Each alone takes as long as all the rest; together they would pass the 0.3 s that help may take."""
    code = "from v2s_plugin.cli import main" + QUIET + "main(['--help'])"
    code += "\nimport sys; print([name for name in ('opentimelineio', 'rich') if name in sys.modules])"
    assert run_python(code).stdout == "[]\n"


def test_the_package_loads_nothing_but_itself() -> None:
    """OpenTimelineIO imports it in every program that lists plug-ins."""
    code = "import sys; before = set(sys.modules); import v2s_plugin; print(sorted(set(sys.modules) - before))"
    assert run_python(code).stdout == "['v2s_plugin']\n"
