"""What the worker's tests share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.media import make_clip
from tests.plugin.cuts import ClickSource
from v2s_plugin import engine


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of pictures at 25 a second."""
    path = tmp_path_factory.mktemp("rushes") / "a.mp4"
    make_clip(path, frames=100, width=64, height=64)
    return path


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Callable[[ClickSource], ClickSource]:
    """Puts a stand-in in the place of the engine that makes sounds."""

    def put(stand_in: ClickSource) -> ClickSource:
        monkeypatch.setattr(engine, "open_pipeline", lambda bundle, device, *, sounds, earlier: stand_in)
        return stand_in

    return put
