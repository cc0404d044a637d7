"""`v2s vegas annotate --serve` as a process: says where it is, and ends well by Ctrl-C."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.engine.vegas.page_projects import fill
from tests.plugin.processes import ROOT
from v2s_engine.vegas.store import Project


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_the_page_is_announced_serves_and_ends_by_ctrl_c(tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    with project.connect(create=True) as connection:
        fill(connection, {"dog": 1})
    paths = [str(ROOT), str(ROOT / "plugin"), str(ROOT / "export"), os.environ.get("PYTHONPATH", "")]
    command = [sys.executable, "-m", "v2s_plugin.cli", "vegas", "annotate", str(project.folder), "--serve"]
    with subprocess.Popen(
        [*command, "--annotator", "Ann"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
    ) as process:
        assert process.stdout is not None
        base, _, token = process.stdout.readline().strip().partition("/#")
        try:
            told = httpx.get(f"{base}/api/start", headers={"X-V2S-Token": token}, timeout=60).json()
            assert (told["project"], told["proposed"]) == ("project", "Ann")
        finally:
            process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=120)
        assert (process.returncode, rest) == (0, "")
        assert "all answers are kept" in errors
        assert "Traceback" not in errors
