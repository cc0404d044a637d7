"""`v2s generate` with bundles whose conditioning is one of the paper's."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.media import make_clip
from tests.plugin.cuts import clip, marker, save, span, timeline, track
from v2s_engine.audio import read_sound
from v2s_engine.bundle import Bundle
from v2s_engine.options import ConditioningName
from v2s_plugin.cli import main

Bundles = Callable[[ConditioningName], Bundle]


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("media") / "a.mp4", frames=50, flashes=(20,), sound=False).path


def generated(cut: Path, bundle: Bundle, *more: str) -> list[bytes]:
    """The takes' files, in the order of their numbers."""
    assert main(["generate", str(cut), "--bundle", str(bundle.path), "--sound", "dog", "--takes", "2", *more]) == 0
    files = sorted(cut.with_name("cut_scored.media").glob("*.wav"), key=lambda path: path.name)
    return [path.read_bytes() for path in files]


@pytest.mark.parametrize("conditioning", ["frame", "sequence", "flow"])
def test_a_timeline_is_sounded(
    paper_bundle: Bundles, media: Path, tmp_path: Path, conditioning: ConditioningName
) -> None:
    """Longer than a window of these bundles: right length, takes differ, the same seed gives the same sound."""
    contents = []
    for place in ("one", "two"):
        folder = tmp_path / place
        folder.mkdir()
        cut = save(timeline(track(clip("a", media, source=span(5, 18, 25)))), folder / "cut.otio")
        contents.append(generated(cut, paper_bundle(conditioning)))
        for path in (folder / "cut_scored.media").glob("*.wav"):
            assert len(read_sound(path, 48_000)) == 18 * 48_000 // 25
    first, again = contents
    assert len(first) == 2
    assert first[0] != first[1]
    assert first == again


def test_a_clip_with_a_cue_is_skipped_and_says_what_to_do(
    paper_bundle: Bundles, media: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cued = clip("cued", media, source=span(0, 10, 25), notes=[marker("v2s:cue", 4, rate=25)])
    plain = clip("plain", media, source=span(0, 10, 25))
    cut = save(timeline(track(cued, plain)), tmp_path / "cut.otio")
    arguments = ["generate", str(cut), "--bundle", str(paper_bundle("frame").path), "--sound", "dog", "--json"]
    assert main(arguments) == 3
    answer = json.loads(capsys.readouterr().out)
    (skip,) = answer["skips"]
    assert skip["label"] == "cued"
    assert "cannot start a sound where a marker says" in skip["reason"]
    assert "--bundle starter" in skip["advice"]
    assert main(["plan", *arguments[1:]]) == 3
    assert json.loads(capsys.readouterr().out)["skips"] == answer["skips"]
