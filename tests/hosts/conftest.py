"""What tests of the editing programs' scripts share."""

from pathlib import Path

import opentimelineio as otio
import pytest

from v2s_plugin.demo_timeline import copy_demo


@pytest.fixture
def demo_timeline(tmp_path: Path) -> Path:
    """The demo's timeline with absolute paths, as editing programs write them."""
    path = copy_demo(tmp_path / "demo")
    timeline = otio.adapters.read_from_file(str(path))
    for clip in timeline.find_clips():
        if hasattr(clip.media_reference, "target_url"):
            clip.media_reference.target_url = str(path.parent / clip.media_reference.target_url)
    otio.adapters.write_to_file(timeline, str(path))
    return path
