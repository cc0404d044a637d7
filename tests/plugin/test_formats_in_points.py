"""Which pictures a clip shows in another format, and that V2S knows its sounds there again."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.media import make_clip
from tests.plugin.cuts import ClickSource, clip, options, save, score, span, timeline, track
from tests.plugin.scored_cuts import write
from v2s_plugin.planning.jobs import plan
from v2s_plugin.scoring import ScoreOptions, ScoreResult, score_file
from v2s_plugin.timeline import read_timeline

RATE = 24000 / 1001


@pytest.fixture
def cut(tmp_path: Path) -> Any:
    """Two stretches of a film, and one of a film that counts from an hour; none of the media say what they hold."""
    (tmp_path / "rushes").mkdir()
    make_clip(tmp_path / "rushes" / "a.mp4", rate=Fraction(24000, 1001), frames=100)
    make_clip(tmp_path / "rushes" / "b.mp4", rate=Fraction(24000, 1001), frames=100, timecode="01:00:00:00")
    made = timeline(
        track(
            clip("s1", "rushes/a.mp4", source=span(0, 20, RATE)),
            clip("s2", "rushes/a.mp4", source=span(40, 20, RATE)),
            clip("s3", "rushes/b.mp4", source=span(86_400 + 30, 20, RATE)),
        )
    )
    save(made, tmp_path / "cut.otio")
    return made


def again(source: Path, **given: Any) -> ScoreResult:
    wanted = ScoreOptions(plan=options(sound="dog"), **given)
    return score_file(source, wanted, lambda **_: ClickSource())


@pytest.mark.parametrize("kind", ["fcp_xml", "xges"])
def test_clips_show_the_same_pictures_where_media_did_not_say_what_they_hold(
    cut: Any, tmp_path: Path, kind: str
) -> None:
    path, _ = write(cut, tmp_path, kind)
    jobs = plan(read_timeline(path), tmp_path, options(sound="dog", existing="add")).jobs
    expected = plan(cut, tmp_path, options(sound="dog")).jobs
    assert [job.source_start for job in jobs] == [Fraction(frame * 1001, 24000) for frame in (0, 40, 30)]
    assert [job.picture_times for job in jobs] == [job.picture_times for job in expected]


def test_mlt_counts_from_the_first_picture_where_media_did_not_say_what_they_hold(cut: Any, tmp_path: Path) -> None:
    path, _ = write(cut, tmp_path, "mlt")
    text = path.read_text(encoding="utf-8")
    assert [f'in="{frame}"' in text for frame in (0, 40, 30)] == [True, True, True]


@pytest.mark.parametrize("kind", ["fcp_xml", "otioz", "otiod"])
def test_sounds_are_known_again_in_another_format(cut: Any, tmp_path: Path, kind: str) -> None:
    """Though there the media have other URLs, and in a zip their times are kept to two seconds."""
    first = score(cut, tmp_path, ClickSource(), probe=None, format=kind)
    assert first.output is not None
    in_place = again(first.output, in_place=True)
    assert (in_place.made, in_place.reused, in_place.dropped) == (0, 3, ())
