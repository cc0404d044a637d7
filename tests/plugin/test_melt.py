"""A real renderer, MLT's `melt`, plays what V2S wrote: the sounds stand where the pictures ask for them."""

import contextlib
import shutil
import subprocess
import zipfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ElementTree, SubElement

import numpy as np
import opentimelineio as otio
import pytest

from tests.media import make_clip
from tests.plugin.cuts import CLICK_AT, ClickSource, clip, gap, load, options, score, span, timeline, track
from v2s_engine.audio import read_sound, write_wav
from v2s_engine.grid import SAMPLE_RATE
from v2s_plugin.levels.options import DUCK_BY_DB, LevelOptions
from v2s_plugin.preview import render_preview
from v2s_plugin.scoring import ScoreOptions, score_file
from v2s_plugin.timing.rates import exact_seconds

pytestmark = [
    pytest.mark.programs,
    pytest.mark.skipif(shutil.which("melt") is None, reason="melt is not installed: make test-programs"),
]


_BARE = {"PATH": "/usr/bin:/bin", "HOME": "/tmp"}  # noqa: S108  (its libraries, not those that Python found)


def clicks(sound: Path) -> list[float]:
    """Seconds at which a sound jumps up from silence."""
    loud = np.abs(read_sound(sound)) > 0.1
    starts = np.flatnonzero(loud & ~np.concatenate([np.zeros(800, bool), loud])[: len(loud)])
    found: list[float] = []
    for start in starts:
        if not found or start / SAMPLE_RATE - found[-1] > 0.1:
            found.append(start / SAMPLE_RATE)
    return found


def melt(project: Path, output: Path, *given: str, wants: Sequence[str] = ("vn=1", "acodec=pcm_s16le")) -> Path:
    """Render a project; `given` comes before it, `wants` after it."""
    command = ["melt", *given, str(project), "-consumer", f"avformat:{output}", *wants, "real_time=0"]
    for _ in range(5):
        with contextlib.suppress(subprocess.TimeoutExpired):  # melt 7.12 now and then never ends on a busy machine
            subprocess.run(command, check=True, capture_output=True, timeout=30, env=_BARE)
            return output
    raise AssertionError(f"melt did not end five times: {command}")


def mlt_project(scored: Any, rate: Fraction) -> ElementTree:
    """The sound tracks of a scored timeline as an MLT project, frame by frame as the timeline says."""
    root = Element("mlt")
    SubElement(
        root,
        "profile",
        frame_rate_num=str(rate.numerator),
        frame_rate_den=str(rate.denominator),
        width="160",
        height="120",
    )
    ids = []
    for index, each in enumerate(t for t in scored.tracks if "v2s" in t.metadata):
        playlist = Element("playlist", id=f"track{index}")
        for number, item in enumerate(each):
            frames = (exact_seconds(item.source_range.duration) or Fraction(0)) * rate
            assert frames.denominator == 1
            if isinstance(item, otio.schema.Gap):
                SubElement(playlist, "blank", length=str(frames))
                continue
            producer = SubElement(root, "producer", id=f"sound{index}_{number}")
            SubElement(producer, "property", name="resource").text = item.media_reference.target_url
            SubElement(playlist, "entry", {"producer": producer.get("id", ""), "in": "0", "out": str(frames - 1)})
        root.append(playlist)
        ids.append(playlist.get("id", ""))
    tractor = SubElement(root, "tractor")
    multitrack = SubElement(tractor, "multitrack")
    for name in ids:
        SubElement(multitrack, "track", producer=name)
    for index in range(1, len(ids)):
        mix = SubElement(tractor, "transition")
        for key, value in {"mlt_service": "mix", "a_track": "0", "b_track": str(index), "sum": "1"}.items():
            SubElement(mix, "property", name=key).text = value
    return ElementTree(root)


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(24_000, 1001), Fraction(30_000, 1001)])
def test_sounds_stand_within_a_frame_of_where_they_should(tmp_path: Path, rate: Fraction) -> None:
    make_clip(tmp_path / "a.mp4", rate=rate, frames=60)
    make_clip(tmp_path / "b.mp4", rate=rate, frames=60)
    fps = float(rate)
    cut = timeline(
        track(clip("a", "a.mp4", source=span(3, 20, fps)), gap(12, fps), clip("b", "b.mp4", source=span(0, 25, fps))),
        track(gap(50, fps), clip("a", "a.mp4", source=span(30, 22, fps)), name="V2"),
    )
    result = score(cut, tmp_path, ClickSource(), probe=None)
    assert result.output is not None
    project = tmp_path / "cut.mlt"
    mlt_project(load(result.output), rate).write(project)
    heard = clicks(melt(project, tmp_path / "heard.wav"))
    wanted = sorted(float(frame / rate) + CLICK_AT / SAMPLE_RATE for frame in (0, 32, 50))
    assert len(heard) == len(wanted)
    np.testing.assert_allclose(heard, wanted, atol=float(1 / rate))


def test_the_preview_sounds_the_same_in_another_player(tmp_path: Path) -> None:
    make_clip(tmp_path / "a.mp4", frames=60)
    cut = timeline(track(gap(10, 25), clip("a", "a.mp4", source=span(3, 40, 25))))
    result = score(cut, tmp_path, ClickSource(), probe=None)
    render_preview(result.timeline, tmp_path, tmp_path / "film.mp4")
    heard = clicks(melt(tmp_path / "film.mp4", tmp_path / "heard.wav"))
    assert len(heard) == 1
    assert heard[0] == pytest.approx(0.4 + CLICK_AT / SAMPLE_RATE, abs=0.04)


def onsets(*frames: int, rate: Fraction) -> list[float]:
    """Seconds at which the sounds click that start at these frames."""
    return [float(frame / rate) + CLICK_AT / SAMPLE_RATE for frame in frames]


def check_onsets(project: Path, wanted: list[float], rate: Fraction) -> None:
    heard = clicks(melt(project, project.with_name("heard.wav")))
    assert len(heard) == len(wanted)
    np.testing.assert_allclose(heard, wanted, atol=float(1 / rate))


@pytest.mark.parametrize(
    ("rate", "timecode", "hour", "start"),
    [
        (Fraction(25), None, 0, 0),
        (Fraction(25), "01:00:00:00", 90_000, 17),
        (Fraction(24_000, 1001), "01:00:00:00", 86_400, 17),
        (Fraction(30_000, 1001), "01:00:00;00", 107_892, 17),
    ],
    ids=["plain", "timecode, trimmed", "23.976", "29.97 drop frame"],
)
def test_a_scored_mlt_project_plays_its_sounds_where_they_should(
    tmp_path: Path, rate: Fraction, timecode: str | None, hour: int, start: int
) -> None:
    make_clip(tmp_path / "a.mov", rate=rate, frames=75, timecode=timecode)
    fps = float(rate)
    shot = {"source": span(hour + start, 30, fps), "available": span(hour, 75, fps)}
    cut = timeline(
        track(gap(7, fps), clip("a", "a.mov", **shot), gap(11, fps), clip("b", "a.mov", **shot)),
        start=otio.opentime.RationalTime(hour, fps),
    )
    result = score(cut, tmp_path, ClickSource(), probe=None, format="mlt")
    assert result.output is not None
    check_onsets(result.output, onsets(7, 48, rate=rate), rate)


def test_a_scored_kdenlive_project_plays_its_sounds_where_they_should(shared: Path, tmp_path: Path) -> None:
    """As Kdenlive 26.08 saved it, at 23.976, with two sounds of its own, which are silent here."""
    rate = Fraction(24_000, 1001)
    source = tmp_path / "cut.kdenlive"
    text = (shared / "timelines" / "kdenlive_2608_project.kdenlive").read_text(encoding="utf-8")
    source.write_text(text.replace("/media/project/media", str(tmp_path)), encoding="utf-8")
    for name in ("A shot 01.mov", "B_shot.mov"):
        make_clip(tmp_path / name, rate=rate, frames=480, timecode="01:00:00:00")
    wanted = ScoreOptions(plan=options(sound="dog", existing="add"), format="mlt")
    result = score_file(source, wanted, lambda **_: ClickSource())
    assert result.output is not None
    check_onsets(result.output, onsets(0, 48, 96, rate=rate), rate)


def test_a_scored_bundle_plays_its_sounds_where_they_should(tmp_path: Path) -> None:
    rate = Fraction(24_000, 1001)
    make_clip(tmp_path / "a.mov", rate=rate, frames=75)
    shot = {"source": span(20, 30, float(rate)), "available": span(0, 75, float(rate))}
    cut = timeline(track(clip("a", "media/a.mov", **shot), gap(11, float(rate)), clip("b", "media/a.mov", **shot)))
    with zipfile.ZipFile(tmp_path / "cut.otioz", "w") as bundle:
        bundle.writestr("content.otio", otio.core.serialize_json_to_string(cut))
        bundle.write(tmp_path / "a.mov", "media/a.mov")
    wanted = ScoreOptions(plan=options(sound="dog"))
    result = score_file(tmp_path / "cut.otioz", wanted, lambda **_: ClickSource())
    assert result.output == tmp_path / "cut_scored.otioz"
    inside = tmp_path / "inside"
    with zipfile.ZipFile(result.output) as bundle:
        bundle.extractall(inside)
    scored = load(inside / "content.otio")
    for sound in scored.find_clips():
        sound.media_reference.target_url = str(inside / sound.media_reference.target_url)
    mlt_project(scored, rate).write(tmp_path / "bundle.mlt")
    check_onsets(tmp_path / "bundle.mlt", onsets(0, 41, rate=rate), rate)


@pytest.mark.parametrize(
    "levels",
    [
        LevelOptions(fade=60.0),
        LevelOptions(pan="motion"),
        LevelOptions(duck=("Dialogue",)),
        LevelOptions(lufs=-20.0, duck=("Dialogue",), pan="motion", fade=60.0),
    ],
    ids=["fade", "pan", "duck", "all"],
)
def test_levels_move_no_sound(tmp_path: Path, levels: LevelOptions) -> None:
    rate = Fraction(25)
    make_clip(tmp_path / "a.mov", frames=75)
    result = score(spoken_cut(tmp_path), tmp_path, ClickSource(), probe=None, format="mlt", levels=levels)
    assert result.output is not None
    check_onsets(result.output, onsets(0, 55, rate=rate), rate)


def test_a_sound_under_speech_is_heard_turned_down(tmp_path: Path) -> None:
    make_clip(tmp_path / "a.mov", frames=75)
    peaks = []
    for levels in (LevelOptions(), LevelOptions(duck=("Dialogue",))):
        cut = spoken_cut(tmp_path)
        result = score(cut, tmp_path, ClickSource(), probe=None, format="mlt", levels=levels, force=True)
        assert result.output is not None
        heard = np.abs(read_sound(melt(result.output, tmp_path / "heard.wav")))
        peaks.append((heard[:SAMPLE_RATE].max(), heard[int(2.25 * SAMPLE_RATE) : int(2.4 * SAMPLE_RATE)].max()))
    (free, under), (ducked_free, ducked_under) = peaks
    assert ducked_free == pytest.approx(free, rel=0.01)
    assert 20 * np.log10(ducked_under / under) == pytest.approx(-DUCK_BY_DB, abs=0.5)


def spoken_cut(folder: Path) -> Any:
    """Two shots, and somebody who speaks softly from 1.9 s to 2.2 s, just before the second one's sound clicks."""
    moments = np.arange(3 * 48_000) / 48_000
    speaks = (moments >= 1.9) & (moments < 2.2)
    write_wav(folder / "voice.wav", (0.05 * speaks * np.sin(2 * np.pi * 220 * moments)).astype(np.float32), 48_000)
    spoken = clip("voice", "voice.wav", source=span(0, 75, 25), available=span(0, 75, 25))
    return timeline(
        track(clip("a", "a.mov", source=span(20, 30, 25)), gap(25, 25), clip("b", "a.mov", source=span(9, 30, 25))),
        track(spoken, name="Dialogue", kind="Audio"),
    )
