from pathlib import Path

import numpy as np
import pytest

from tests.engine.train.made_clips import made_clip, tiny
from v2s_engine.errors import CancelledError
from v2s_engine.model.samplernn import SampleRNN
from v2s_engine.progress import Progress, ProgressEvent
from v2s_engine.train.preview import Preview, PreviewOptions, clip_previews, preview_defaults, write_previews


def test_previews_of_large_models_are_short() -> None:
    assert preview_defaults(tiny("frame"), (0.9, 1.0)) == PreviewOptions((0.9, 1.0), 4 * 16_000)
    assert preview_defaults(tiny("frame", hidden_size=512), (0.9, 1.0)).length == 4 * 16_000
    assert preview_defaults(tiny("frame", hidden_size=1024), (0.9, 1.0)) == PreviewOptions((1.0,), 16_000)


def test_previews_can_be_stopped_between_pieces() -> None:
    progress = Progress(lambda event: seen.append(event) or progress.cancel.set())  # type: ignore[func-returns-value]
    seen: list[ProgressEvent] = []
    with pytest.raises(CancelledError):
        clip_previews(SampleRNN(tiny("sequence")), [made_clip("long", 30)], PreviewOptions(length=30 * 1_024), progress)
    assert len(seen) == 1
    assert 0 < seen[0].done < seen[0].total == 30 * 1_024


def test_files_are_named_so_that_every_system_takes_them(tmp_path: Path) -> None:
    sound = np.zeros(2_000, np.float32)
    written = write_previews([Preview("../a:b", sound, {1.0: sound})], tmp_path / "previews", "000001")
    assert [path.name for path in written] == ["000001_.._a_b.wav"]
    assert sorted(path.name for path in (tmp_path / "previews").iterdir()) == ["000001_.._a_b.png", "000001_.._a_b.wav"]
