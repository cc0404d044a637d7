"""The staged set: what is seen and what is heard belong together, and the files hold just that."""

from __future__ import annotations

import csv
import itertools
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from v2s_engine.corpus.clip_writer import write_clip_file
from v2s_engine.corpus.clips import read_clips
from v2s_engine.corpus.footage import read_sync_sound
from v2s_engine.corpus.stage import CATEGORIES, PICTURE_SIZE, StagedClip, StageOptions, stage_clip, write_stage
from v2s_engine.errors import OutputError, UsageError
from v2s_engine.video import read_pictures

STATES = ("sounding", "silent")

every_category = pytest.mark.parametrize("category", CATEGORIES)


def level(sound: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(sound))))


@every_category
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_it_is_quiet_before_an_event_and_loud_from_it_on(category: str, seed: int) -> None:
    clip = stage_clip(category, seed)
    assert clip.events
    first = clip.events[0]
    if first > 300:
        assert level(clip.sound[:first]) < 0.006
    for event in clip.events:
        assert level(clip.sound[event + 80 : event + 1_500]) > 0.02
    assert np.abs(clip.sound).max() <= 1


@every_category
def test_the_picture_changes_when_the_sound_starts(category: str) -> None:
    at_events, elsewhere = [], []
    for seed in range(6):
        clip = stage_clip(category, seed)
        pictures = [picture.astype(int) for picture in clip.pictures()]
        starts = {-(-event * 25 // 16_000) for event in clip.events}  # the first picture that shows it
        for number, (before, after) in enumerate(itertools.pairwise(pictures), start=1):
            (at_events if number in starts else elsewhere).append(np.abs(after - before).mean())
    assert np.median(at_events) > 3 * np.median(elsewhere)


def test_one_seed_is_one_clip_and_another_is_another() -> None:
    one, same, other = stage_clip("bell", 1), stage_clip("bell", 1), stage_clip("bell", 2)
    np.testing.assert_array_equal(one.sound, same.sound)
    np.testing.assert_array_equal(one.draw(0.3), same.draw(0.3))
    assert one.events != other.events
    assert (one.draw(0.3) != other.draw(0.3)).any()


def test_strokes_of_one_clip_are_of_one_bell() -> None:
    clip = next(clip for clip in map(bell_clip, range(50)) if len(clip.events) > 2)
    peaks = [peak_pitch(clip.sound[event : event + 2_048]) for event in clip.events[:2]]
    assert peaks[0] == pytest.approx(peaks[1], abs=8)


def bell_clip(seed: int) -> StagedClip:
    return stage_clip("bell", seed)


def peak_pitch(sound: np.ndarray) -> float:
    return float(np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 16_384)).argmax() * 16_000 / 16_384)


def test_the_files_hold_what_was_made_and_the_index_lists_them(tmp_path: Path) -> None:
    options = StageOptions(train_clips=2, validation_clips=1, test_clips=1, length=16_000)
    index = write_stage(tmp_path, options)
    with index.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(CATEGORIES) * 4
    row = next(row for row in rows if row["file"] == "drum/train_0001.mkv")
    made = stage_clip("drum", 1, 16_000)
    np.testing.assert_allclose(read_sync_sound(tmp_path / row["file"], 16_000), made.sound, atol=1e-4)
    assert [round(float(onset) * 16_000) for onset in row["onsets_s"].split()] == pytest.approx(made.events, abs=1)
    (shown,) = read_pictures(tmp_path / row["file"], [Fraction(11, 25)], width=PICTURE_SIZE, height=PICTURE_SIZE)
    assert np.abs(shown.astype(int) - made.draw(11 / 25).astype(int)).mean() < 4  # H.264

    before = (tmp_path / row["file"]).stat().st_mtime_ns
    write_stage(tmp_path, options)
    assert (tmp_path / row["file"]).stat().st_mtime_ns == before


def test_the_states_are_what_is_to_be_seen(tmp_path: Path) -> None:
    write_stage(tmp_path, StageOptions(train_clips=1, validation_clips=0, test_clips=0))
    clips = read_clips(tmp_path / "states.csv").clips
    assert {clip.category for clip in clips} <= {f"{name} {state}" for name in CATEGORIES for state in STATES}
    for clip in clips:
        # The first picture shows it and the one before did not; so with the last.
        made = stage_clip(clip.category.split()[0], 0)
        begin, end = ((clip.begin or 0) * 25, ((clip.begin or 0) + (clip.duration or 0)) * 25)
        assert (begin.denominator, end.denominator) == (1, 1)
        seen = [any(a <= number * 640 < b for a, b in made.spans) for number in range(50)]
        sounding = clip.category.endswith("sounding")
        assert seen[int(begin) : int(end)] == [sounding] * int(end - begin)
        assert all(state != sounding for state in (*seen[: int(begin)][-1:], *seen[int(end) :][:1]))
    bell = [clip for clip in clips if clip.category == "bell sounding"]
    assert [math.ceil(event / 640) for event in stage_clip("bell", 0).events] == [
        (each.begin or 0) * 25 for each in bell
    ]
    for clip in clips:
        sound = read_sync_sound(clip.path, 32_000)[int((clip.begin or 0) * 16_000) :][:1_024]
        if clip.category.endswith("sounding"):
            assert level(sound) > 0.02
    quiet = [clip for clip in clips if clip.category == "water silent"]
    assert quiet
    for clip in quiet:
        begin = int((clip.begin or 0) * 16_000)
        assert level(read_sync_sound(clip.path, 32_000)[begin : begin + 1_000]) < 0.005


def test_splits_share_no_clip(tmp_path: Path) -> None:
    write_stage(tmp_path, StageOptions(train_clips=1, validation_clips=1, test_clips=1, length=16_000))
    sounds = [
        read_sync_sound(tmp_path / "bell" / f"{split}_0000.mkv", 16_000) for split in ("train", "validation", "test")
    ]
    assert (sounds[0] != sounds[1]).any()
    assert (sounds[1] != sounds[2]).any()


def test_what_cannot_be_made_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there are: bell, drum"):
        stage_clip("dog", 0)
    with pytest.raises(UsageError, match="at least 16000"):
        StageOptions(length=1)
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OutputError, match="cannot write the clip"):
        write_clip_file(tmp_path / "taken" / "a.mkv", [], Fraction(25), np.zeros(10, np.float32))
