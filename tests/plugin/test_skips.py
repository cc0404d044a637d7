"""What is not sounded: every such clip is told, with the reason and what to do about it."""

import math
import re
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest

from tests.media import make_cover_art
from tests.plugin.cuts import clip, fake_probe, options, span, time, timeline, track
from v2s_engine.video import probe
from v2s_plugin.planning.jobs import Plan, plan


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Empty files with names of media; `fake_probe` says what is in them."""
    made: Path = tmp_path_factory.mktemp("cut")
    for name in ("a.mp4", "b.mp4", "sound_only.wav", "broken.mp4"):
        (made / name).touch()
    return made


def planned(folder: Path, *tracks: Any, **given: Any) -> Plan:
    given = given or {"sound": "dog"}
    return plan(timeline(*tracks), folder, options(**given), probe=fake_probe)


def only_skip(folder: Path, made: Any, **given: Any) -> str:
    found = planned(folder, track(made), **given)
    assert found.jobs == ()
    (skip,) = found.skips
    assert skip.advice
    assert skip.where.startswith("V1")
    return skip.reason


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (clip("x", "gone.mp4", source=span(0, 24, 24)), "no such file: .*gone.mp4"),
        (clip("x", "https://a/b.mp4", source=span(0, 24, 24)), "network service"),
        (clip("x", "", source=span(0, 24, 24)), "target_url is empty"),
        (clip("x", "C:\\a.mp4", source=span(0, 24, 24)), "is a Windows path"),
        (clip("x", "sound_only.wav", source=span(0, 24, 24)), "holds no pictures"),
        (clip("x", "broken.mp4", source=span(0, 24, 24)), "cannot read .*broken.mp4: Invalid data"),
        (clip("x", source=span(0, 24, 24)), "its media is missing"),
        (clip("x", "title.png", source=span(0, 24, 24)), "no such file: .*title.png"),
        (clip("x", "frame.%04d.exr", source=span(0, 24, 24)), r"no such file: .*frame\.####\.exr"),
        (clip("x", reference=otio.schema.GeneratorReference("bars"), source=span(0, 24, 24)), "are generated"),
        (
            clip(
                "x",
                reference=otio.schema.ImageSequenceReference("file:///a/", "s.", ".exr", 7),
                source=span(0, 24, 24),
            ),
            r"no such file: /a/s\.7\.exr",
        ),
        (clip("x", "a.mp4", source=span(0, 0, 24)), "it has no length"),
        (clip("x", "a.mp4", source=span(0, 0.4, 24)), "shorter than one frame"),
        (clip("x", "a.mp4", source=span(0, 24, 24), enabled=False), "it is disabled"),
        (clip("x", "a.mp4", source=span(2400, 24, 24)), r"uses 100\.000 s to 101\.000 s of a\.mp4, which lasts 100"),
        (clip("x", "a.mp4", source=span(0, 24, 24), available=span(24, 240, 24)), r"uses -1\.000 s to 0\.000 s"),
        (clip("x", "a.mp4", source=span(0, 24, 24), effects=[otio.schema.FreezeFrame()]), "freeze frame"),
        (clip("x", "a.mp4", source=span(0, math.inf, 24), available=span(0, 0, 24)), "it has no length"),
        (clip("x", "a.mp4", source=span(0, 1e15, 24)), "more than a day"),
        (
            clip("x", "a.mp4", source=span(2400, 24, 24), effects=[otio.schema.FreezeFrame()]),
            r"uses 100\.000 s to 100\.000 s of a\.mp4",
        ),
        (
            clip("x", "a.mp4", source=span(0, 24, 24), effects=[otio.schema.LinearTimeWarp(time_scalar=0)]),
            "freeze frame",
        ),
        (
            clip("x", "a.mp4", source=span(0, 24, 24), effects=[otio.schema.TimeEffect(effect_name="Ramp")]),
            r"speed changes within the clip \(Ramp\) in a way",
        ),
    ],
)
def test_a_clip_that_cannot_be_sounded_says_why_and_what_to_do(folder: Path, made: Any, reason: str) -> None:
    assert re.search(reason, only_skip(folder, made))


def test_real_files_that_are_no_video_say_so(tmp_path: Path) -> None:
    cover = make_cover_art(tmp_path / "song.mp3")
    (tmp_path / "text.mp4").write_text("no video")
    cut = timeline(track(*[clip(p.name, p, source=span(0, 24, 24)) for p in (cover, tmp_path / "text.mp4", tmp_path)]))
    found = plan(cut, tmp_path, options(sound="dog"), probe=probe)
    assert [skip.label for skip in found.skips] == ["song.mp3", "text.mp4", tmp_path.name]
    assert found.jobs == ()


def test_clips_of_a_disabled_track_are_told_one_by_one(folder: Path) -> None:
    shots = [clip(name, "a.mp4", source=span(0, 24, 24)) for name in "ab"]
    found = planned(folder, track(*shots, enabled=False))
    assert [(skip.label, skip.reason) for skip in found.skips] == [
        ("a", "its track is disabled"),
        ("b", "its track is disabled"),
    ]


def test_a_mistyped_note_is_told_beside_the_job(folder: Path) -> None:
    found = planned(folder, track(clip("a", "a.mp4", source=span(0, 24, 24), notes=["v2s:sond=drum"])))
    assert [job.sound_class for job in found.jobs] == ["dog"]
    assert "'v2s:sond=drum' on it is not understood" in found.skips[0].reason


def test_a_transition_without_a_length_is_told_and_the_clips_beside_it_are_sounded(folder: Path) -> None:
    bad = otio.schema.Transition("fade", "SMPTE_Dissolve", time(math.nan, 24), time(6, 24))
    shots = [clip(name, "a.mp4", source=span(48, 24, 24)) for name in "ab"]
    found = planned(folder, track(shots[0], bad, shots[1]), track(bad.deepcopy(), name="A1", kind="Audio"))
    assert [job.label for job in found.jobs] == ["a", "b"]
    assert [(skip.label, skip.where) for skip in found.skips] == [("fade", "a transition on V1")]
