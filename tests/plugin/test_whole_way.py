"""The whole way with a real (tiny, untrained) bundle: command line, pictures, model, WAVs, timeline."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.media import make_clip
from tests.models import tiny_bundle
from tests.plugin.cuts import clip, gap, load, marker, names_in, save, span, timeline, track
from v2s_engine.audio import read_sound
from v2s_plugin import cli
from v2s_plugin.ours import our_clips


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny").path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_clip(tmp_path / "a.mp4", frames=60, flashes=(30,))
    return tmp_path


def first() -> object:
    return clip("first", "a.mp4", source=span(3, 17, 23.976), notes=["v2s:sound=dog"])


def second() -> object:
    notes = ["v2s:sound=drum", marker("v2s:cue", 20, rate=25)]
    return clip("second", "a.mp4", source=span(5, 40, 25), notes=notes)


def generate(path: Path, bundle: Path, capsys: pytest.CaptureFixture[str], *more: str) -> dict[str, object]:
    code = cli.main(["generate", str(path), "--bundle", str(bundle), "--json", *more])
    out, err = capsys.readouterr()
    assert code == 0, err
    return dict(json.loads(out))


def test_a_timeline_is_scored_and_the_same_seed_gives_the_same_files(
    folder: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = save(timeline(track(first(), gap(5, 23.976), second())), folder / "cut.otio")
    answer = generate(cut, bundle, capsys)
    assert answer["device"] == "cpu"
    written = load(folder / "cut_scored.otio")
    assert [each.name for each in written.tracks] == ["V1", "V2S dog", "V2S drum"]
    lengths = []
    for ours in our_clips(written):
        sound = read_sound(folder / ours.media_reference.target_url, 48_000)
        assert len(sound) == ours.media_reference.available_range.duration.value
        assert np.abs(sound).max() > 0.001
        assert abs(sound[0]) < 0.01
        assert abs(sound[-1]) < 0.01
        lengths.append(len(sound))
    assert lengths == [17 * 2002, 40 * 1920]

    other = folder / "other"
    other.mkdir()
    (other / "a.mp4").symlink_to(folder / "a.mp4")
    save(timeline(track(gap(11), second()), track(second(), first(), name="V2")), other / "cut.otio")
    generate(other / "cut.otio", bundle, capsys)
    assert set(names_in(folder / "cut_scored.media")) <= set(names_in(other / "cut_scored.media"))

    reseeded = generate(cut, bundle, capsys, "--seed", "1", "-o", str(folder / "reseeded.otio"))
    assert reseeded["made"] == 2
    assert not set(names_in(folder / "cut_scored.media")) & set(names_in(folder / "reseeded.media"))
