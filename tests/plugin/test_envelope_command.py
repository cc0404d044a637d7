"""`v2s envelope`: a clip's timing listed, drawn and written, and given back to `v2s generate`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.media import Clip, make_clip, make_still
from tests.models import tiny_bundle
from tests.plugin.cuts import clip, save, span, timeline, track
from v2s_engine.bundle import Bundle
from v2s_engine.envelope_file import read_envelope
from v2s_engine.errors import MediaNotFoundError, MissingExtraError, OutputError, UsageError
from v2s_engine.evaluate.alignment import measure_movement
from v2s_engine.evaluate.clip_timing import ClipTiming
from v2s_engine.options import ConditioningName
from v2s_plugin.api import clip_timing
from v2s_plugin.cli import main


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """3 s at 25 pictures a second that flash and click at 1 and 2.2 s; it starts at an hour."""
    folder = tmp_path_factory.mktemp("film")
    return make_clip(folder / "film.mov", frames=75, flashes=(25, 55), timecode="01:00:00:00")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


def pixels(path: Path) -> NDArray[np.uint8]:
    with av.open(str(path)) as container:
        return np.asarray(next(container.decode(video=0)).to_ndarray(format="rgb24"), np.uint8)


def share_like(picture: NDArray[np.uint8], colour: tuple[int, int, int]) -> float:
    """Part of a picture that has nearly this colour."""
    return float((np.abs(picture.astype(int) - colour).max(axis=2) < 24).mean())


def test_what_is_found_is_on_one_screen(film: Clip, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["envelope", str(film.path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "film.mov: 3.000 s from 0.000 s on, bundle starter; has a sound of its own"
    assert len(lines) < 24
    assert all(len(line) < 100 for line in lines)
    assert any(line.startswith("  01:00:0") for line in lines)


def test_json_has_onsets_and_the_loudest_places_in_timecode_and_seconds(
    film: Clip, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["envelope", str(film.path), "--start", "0.5", "--duration", "2", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["start"], answer["own_sound"]) == (0.5, True)
    moments = [*answer["onsets"], *answer["loudest"]]
    assert moments
    for moment in moments:
        assert 0.5 <= moment["seconds"] <= 2.5
        frame = int(moment["seconds"] * 25 + 1e-6)
        assert moment["timecode"] == f"01:00:{frame // 25:02}:{frame % 25:02}"
    levels = [moment["loudness_dbfs"] for moment in answer["loudest"]]
    assert levels == sorted(levels, reverse=True)


def test_motion_and_the_own_sound_are_those_of_this_stretch(film: Clip, bundle: Bundle) -> None:
    whole = clip_timing(film.path, bundle=str(bundle.path))
    np.testing.assert_array_equal(whole.motion, measure_movement(film.path, 48_001).curve[: len(whole.motion)])
    for timing, start in ((whole, 0), (clip_timing(film.path, start=1, bundle=str(bundle.path)), 1)):
        assert timing.own is not None
        heard = (start + np.flatnonzero(timing.own.onset > 0.9) * 0.016).tolist()
        for flash in (second for second in film.flash_times if second > start):
            assert min(abs(second - float(flash)) for second in heard) < 0.03


def test_every_kind_of_file_is_written_and_says_the_same(film: Clip, bundle: Bundle, tmp_path: Path) -> None:
    outputs = [tmp_path / f"out.{kind}" for kind in ("png", "svg", "json", "csv")]
    timing = clip_timing(film.path, outputs, bundle=str(bundle.path))
    for path in outputs[2:]:
        read = read_envelope(path)
        np.testing.assert_array_equal(read.loudness, timing.envelope.loudness)
        np.testing.assert_array_equal(read.onset, timing.envelope.onset)
    assert json.loads(outputs[2].read_text())["source"] == "pictures of film.mov from its start on, bundle tiny"
    assert ElementTree.parse(outputs[1]).getroot().tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314  (our own file)
    again = tmp_path / "again.svg"
    clip_timing(film.path, [again], bundle=str(bundle.path))
    assert again.read_bytes() == outputs[1].read_bytes()


def test_the_drawing_shows_pictures_motion_and_both_curves(film: Clip, bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "out.png"
    clip_timing(film.path, [path], bundle=str(bundle.path))
    drawn = pixels(path)
    height, width, _ = drawn.shape
    assert (width, height > 400) == (1100, True)
    strip = drawn[height // 12 : height // 6]
    assert strip.std() > 20  # pictures, not paper
    below = drawn[height // 4 :]
    blue, grey, green = (0, 114, 178), (173, 173, 173), (102, 197, 171)
    assert share_like(below, blue) > 0.002
    assert share_like(below, grey) > 0.001
    assert share_like(drawn[height // 5 : height // 2], green) > 0.001


def test_a_clip_without_sound_is_drawn_without_one(film: Clip, bundle: Bundle, tmp_path: Path) -> None:
    mute = make_clip(tmp_path / "mute.mp4", frames=30, sound=False, width=64, height=112)
    timing = clip_timing(mute.path, [tmp_path / "mute.svg"], bundle=str(bundle.path))
    clip_timing(film.path, [tmp_path / "film.svg"], bundle=str(bundle.path))
    assert timing.own is None
    assert "own sound" in (tmp_path / "film.svg").read_text()
    assert "own sound" not in (tmp_path / "mute.svg").read_text()


def test_given_back_it_makes_the_sounds_that_the_pictures_make(film: Clip, bundle: Bundle, tmp_path: Path) -> None:
    guide = tmp_path / "film.csv"
    clip_timing(film.path, [guide], start=1, duration=Fraction(3, 2), bundle=str(bundle.path))
    # Media with a timecode count from it.
    cut = save(timeline(track(clip("a", film.path, source=span(90_025, 37.5, 25)))), tmp_path / "cut.otio")
    made = []
    for number, more in enumerate(([], ["--envelope-from", str(guide)])):
        out = tmp_path / f"{number}.otio"
        arguments = ["generate", str(cut), "-o", str(out), "--sound", "dog", "--existing", "add"]
        assert main([*arguments, "--bundle", str(bundle.path), *more]) == 0
        (wav,) = out.with_suffix(".media").glob("*.wav")
        made.append(wav.read_bytes())
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--start", "soon"], "--start wants seconds such as 12.5"),
        (["--duration", "1/0"], "--duration wants seconds"),
        (["--start", "3"], "film.mov lasts 3.000 s, and 3.000 s is beyond it"),
        (["--start", "-1"], "choose --start and --duration inside it"),
        (["--duration", "0"], "choose --start and --duration inside it"),
        (["--duration", "3.5"], "3.500 s from 0.000 s on were asked for"),
        (["-o", "out.pdf"], "out.pdf is of no type that is written; end it in .png, .svg, .json, .csv"),
        (["-o", "a.csv", "-o", "a.csv"], "the same output is named twice"),
    ],
)
def test_what_cannot_be_is_wrong_use(
    film: Clip, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["envelope", str(film.path), *arguments]) == 2
    assert said in capsys.readouterr().err


def test_files_that_exist_are_kept_unless_forced(film: Clip, bundle: Bundle, tmp_path: Path) -> None:
    edited = tmp_path / "a.csv"
    edited.write_text("by hand")
    with pytest.raises(OutputError, match="exists already; --force replaces it"):
        clip_timing(film.path, [edited], bundle=str(bundle.path))
    assert edited.read_text() == "by hand"
    clip_timing(film.path, [edited], bundle=str(bundle.path), force=True)
    assert edited.read_text().startswith("time_s,")
    with pytest.raises(OutputError, match="there is no folder"):
        clip_timing(film.path, [tmp_path / "none" / "a.csv"], bundle=str(bundle.path))
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_without_matplotlib_tables_are_written_and_drawings_name_the_extra(
    film: Clip, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith(("matplotlib", "v2s_engine.evaluate.timing_sheet"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    timing = clip_timing(film.path, [tmp_path / "a.csv", tmp_path / "a.json"], bundle=str(bundle.path))
    assert isinstance(timing, ClipTiming)
    with pytest.raises(MissingExtraError, match=r"pip install 'v2s\[train\]'"):
        clip_timing(film.path, [tmp_path / "a.png"], bundle=str(bundle.path))


def test_what_has_no_timing_is_told(
    film: Clip, tmp_path: Path, paper_bundle: Callable[[ConditioningName], Bundle]
) -> None:
    with pytest.raises(MediaNotFoundError):
        clip_timing(tmp_path / "none.mp4")
    with pytest.raises(UsageError, match="is a still image, in which nothing moves"):
        clip_timing(make_still(tmp_path / "still.png"))
    with pytest.raises(UsageError, match="predicts no envelope: its conditioning is 'frame'"):
        clip_timing(film.path, bundle=str(paper_bundle("frame").path))
