"""The demo that ships with V2S: a small timeline with its media, in the folder `demo` beside this file."""

from __future__ import annotations

import shutil
from pathlib import Path

from v2s_engine.errors import OutputError

DEMO = Path(__file__).parent / "demo"
TIMELINE = "demo.otio"


def copy_demo(folder: Path, *, force: bool = False) -> Path:
    """Copy the demo into `folder` and return the path of its timeline.

    Raises `OutputError` where the folder exists (with `force`, files of the same names in it are replaced) or cannot be
    written.
    """
    if folder.exists() and not force:
        raise OutputError(f"{folder} exists already; --force uses it all the same, or name another folder")
    try:
        shutil.copytree(DEMO, folder, dirs_exist_ok=True)
    except (OSError, shutil.Error) as error:
        raise OutputError(f"cannot write the demo to {folder}: {error}; choose another folder") from error
    return folder / TIMELINE
