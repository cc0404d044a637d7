"""Running Python in a process of its own, with the project's packages and nothing that this process has loaded."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run_python(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python -c code arguments` and return what it wrote; works from a checkout that is not installed too."""
    paths = [str(ROOT), str(ROOT / "plugin"), str(ROOT / "export"), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)} | environment
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
