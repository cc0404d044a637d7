"""Rendered scenes and slates are used as truth: what they say must be what is in their pictures and sound."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.media import make_clip, make_scene_clip
from v2s_engine.audio import read_sound
from v2s_engine.corpus.brush import Brush
from v2s_engine.corpus.foley import drone, impact, place
from v2s_engine.corpus.footage import read_manifest, read_sync_sound
from v2s_engine.corpus.movers import Burst, Engine
from v2s_engine.corpus.scenes import RATES, SceneOptions, make_scene
from v2s_engine.corpus.slate import click_track, is_flash, read_number, slate_picture
from v2s_engine.corpus.strikers import Ball, Clash, Stick
from v2s_engine.envelope import measure_envelope
from v2s_engine.errors import MediaNotFoundError, UsageError
from v2s_engine.grid import ENVELOPE_LENGTH, SAMPLE_RATE
from v2s_engine.video import read_pictures

SMALL = SceneOptions(length=2 * SAMPLE_RATE, width=48, height=48)


@settings(deadline=None, max_examples=60)
@given(
    number=st.integers(0, 65535),
    width=st.integers(48, 200),
    height=st.integers(32, 200),
    flash=st.booleans(),
)
def test_a_slate_reads_back(number: int, width: int, height: int, flash: bool) -> None:
    picture = slate_picture(number, width=width, height=height, flash=flash)

    assert picture.shape == (height, width, 3)
    assert read_number(picture) == number
    assert is_flash(picture) == flash


def test_a_slate_that_cannot_be_read_is_no_number() -> None:
    picture = slate_picture(1234, width=96, height=72)

    assert read_number(picture[::-1]) is None
    assert read_number(np.zeros_like(picture)) is None
    with pytest.raises(UsageError, match=r"0\.\.65535"):
        slate_picture(65536, width=96, height=72)
    with pytest.raises(UsageError, match="48 × 32"):
        slate_picture(1, width=20, height=20)


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
def test_clicks_start_at_their_samples(rate: int) -> None:
    times = [Fraction(0), Fraction(1001, 2997), Fraction(9, 10)]
    track = click_track(times, duration=Fraction(1), rate=rate)

    assert len(track) == rate
    for time in times:
        start = round(time * rate)
        assert not track[max(0, start - rate // 50) : start + 1].any()
        assert abs(track[start + 1]) > 0.05


def test_flash_and_click_of_a_written_clip_stand_together(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mov", rate=Fraction(24000, 1001), frames=60, flashes=(12, 40))
    pictures = read_pictures(clip.path, clip.times, width=96, height=72)
    flashing = [number for number, picture in enumerate(pictures) if is_flash(picture)]
    sound = read_sound(clip.path, 48_000)
    loud = np.flatnonzero(np.abs(sound) > 0.02)
    starts = loud[np.flatnonzero(np.diff(loud, prepend=-10_000) > 4_800)]

    assert flashing == [12, 40]
    assert np.abs(starts - [round(time * 48_000) for time in clip.flash_times]).max() <= 1


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_sound_is_read_from_the_first_picture_on(tmp_path: Path, suffix: str) -> None:
    clip = make_clip(tmp_path / f"a{suffix}", rate=25, frames=50, flashes=(10, 25))
    sound = read_sync_sound(clip.path, 3 * SAMPLE_RATE)
    onsets = np.flatnonzero(measure_envelope(sound).onset > 0.7)

    assert len(sound) == 3 * SAMPLE_RATE
    assert {int(onset) for onset in onsets} >= {25, 62}  # 0.4 s and 1 s in steps of 16 ms
    assert not sound[2 * SAMPLE_RATE + 2_000 :].any()


@pytest.mark.parametrize("seed", range(6))
def test_a_scene_is_the_same_every_time(seed: int) -> None:
    one, other = make_scene(seed, SMALL), make_scene(seed, SMALL)
    time = Fraction(7, 5)

    assert np.array_equal(one.sound, other.sound)
    assert one.events == other.events
    assert np.array_equal(one.picture_at(time), other.picture_at(time))


def test_scenes_of_other_seeds_are_other_scenes() -> None:
    scenes = [make_scene(seed, SMALL) for seed in range(8)]

    assert len({scene.sound.tobytes() for scene in scenes}) == 8
    assert len({scene.picture_at(Fraction(1)).tobytes() for scene in scenes}) == 8
    assert {scene.rate for scene in scenes} <= set(RATES)


def test_pictures_change_with_the_frame_and_not_between() -> None:
    scene = make_scene(3, SMALL)
    frame = 1 / scene.rate
    for number in (0, 5, 17):
        begin = scene.picture_at(number * frame)
        assert begin.shape == (48, 48, 3)
        assert np.array_equal(begin, scene.picture_at((number + Fraction(99, 100)) * frame))
    assert len(list(scene.frames())) == int(2 * scene.rate)


def test_events_are_where_the_sound_starts() -> None:
    found = total = 0
    for seed in range(80):
        scene = make_scene(seed, SMALL)
        onset = measure_envelope(scene.sound).onset
        assert scene.events == tuple(sorted(scene.events))
        assert all(0 <= event < SMALL.length for event in scene.events)
        assert np.abs(scene.sound).max() <= 1.0
        for event in scene.events:
            step = event // ENVELOPE_LENGTH
            total += 1
            found += onset[step : step + 3].max(initial=0.0) > 0.2
    assert total > 50
    assert found / total > 0.8  # the rest drown in the room or in the tail of the one before


def test_a_scene_can_be_written_as_a_clip(tmp_path: Path) -> None:
    scene = make_scene_clip(tmp_path / "scene.mov", seed=7)
    sound = read_sync_sound(tmp_path / "scene.mov", scene.options.length)
    time = Fraction(1, 2)
    picture = next(iter(read_pictures(tmp_path / "scene.mov", [time], width=128, height=128)))

    assert np.abs(sound - scene.sound).max() < 1e-3
    assert np.abs(picture.astype(float) - scene.picture_at(time)).mean() < 12  # compression


def test_a_silent_scene_holds_only_the_room() -> None:
    options = SceneOptions(length=SAMPLE_RATE, width=32, height=32, silent=1.0)
    for seed in range(10):
        scene = make_scene(seed, options)
        assert scene.events == ()
        assert measure_envelope(scene.sound).loudness.max() < -40


def test_a_scene_must_last() -> None:
    with pytest.raises(UsageError, match="at least 8000 samples"):
        SceneOptions(length=100)


@pytest.mark.parametrize("kind", [Ball, Stick, Clash, Burst])
def test_what_hits_moves_when_it_hits(kind: type[Ball | Stick | Clash | Burst]) -> None:
    """The picture changes more around an event than elsewhere: eyes can find it."""
    around, elsewhere = [], []
    for seed in range(12):
        actor = kind(np.random.default_rng(seed), 4 * SAMPLE_RATE, 4 / 3)
        events = np.array(actor.events) / SAMPLE_RATE
        frames = []
        for number in range(100):
            canvas = np.zeros((60, 80, 3), np.uint8)
            actor.draw(Brush(canvas, 80, 60), number / 25)
            frames.append(canvas.astype(np.int16))
        change = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3))
        clock = (np.arange(99) + 1) / 25
        near = np.array([len(events) > 0 and np.abs(events - at).min() < 0.1 for at in clock], bool)
        around += change[near].tolist()
        elsewhere += change[~near].tolist()
    assert len(around) > 50
    assert np.mean(around) > 1.3 * np.mean(elsewhere)


def test_an_engine_shakes_only_while_it_runs() -> None:
    engine = Engine(np.random.default_rng(4), 4 * SAMPLE_RATE, 4 / 3)
    loudness = measure_envelope(engine.sound(4 * SAMPLE_RATE)).loudness
    edges = np.interp(np.arange(251) * 0.016, engine.clock, engine.amount)

    assert loudness[np.minimum(edges[:-1], edges[1:]) > 0.99].min() > -60
    assert loudness[np.maximum(edges[:-1], edges[1:]) == 0].max() == -80
    frames = []
    for step in range(100):
        canvas = np.zeros((60, 80, 3), np.uint8)
        engine.draw(Brush(canvas, 80, 60), step * 0.04)
        frames.append(canvas.astype(np.int16))
    change = np.abs(np.diff(frames, axis=0)).sum(axis=(1, 2, 3))
    running = np.interp((np.arange(99) + 0.5) * 0.04, engine.clock, engine.amount)
    assert change[running > 0.99].mean() > 10 * change[running == 0].mean() + 1


@settings(deadline=None, max_examples=30)
@given(
    level=st.floats(-40, -6),
    decay=st.floats(0.012, 0.12),
    colour=st.sampled_from(["dark", "plain", "bright"]),
    seed=st.integers(0, 1000),
)
def test_levels_are_what_they_say(level: float, decay: float, colour: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    hit = impact(rng, level=level, decay=decay, colour=colour)  # type: ignore[arg-type]
    hum = drone(rng, 8_000, level=level, colour=colour)  # type: ignore[arg-type]

    assert 10 * np.log10(np.mean(hit[:ENVELOPE_LENGTH] ** 2)) == pytest.approx(level, abs=0.01)
    assert 10 * np.log10(np.mean(hum**2)) == pytest.approx(level, abs=0.01)
    assert hit[0] != 0


@given(start=st.integers(-30, 60), length=st.integers(0, 40))
def test_sounds_are_cut_at_the_edges_of_their_track(start: int, length: int) -> None:
    track = np.zeros(50, np.float32)
    place(track, np.ones(length, np.float32), start)

    wanted = [float(start <= sample < start + length) for sample in range(50)]
    assert track.tolist() == wanted


def test_a_manifest_says_what_may_be_trained_on(tmp_path: Path) -> None:
    path = tmp_path / "manifest.csv"
    header = "file,category,has_video,has_audio,may_ship_trained,split,onsets_s,licence,attribution"
    path.write_text(
        f"{header}\n"
        "a.mp4,x,1,1,1,train,0.5 1.25,CC0,\n"
        "b.mp4,x,1,1,1,test,,CC0,\n"
        "c.mp4,x,1,1,0,train,,unknown,\n"
        "d.wav,x,0,1,1,train,,CC BY 4.0,Jo\n"
    )
    clips = read_manifest(path)

    assert [clip.path for clip in clips] == [tmp_path / "a.mp4", tmp_path / "b.mp4", tmp_path / "c.mp4"]
    assert [clip.trainable for clip in clips] == [True, False, False]
    assert clips[0].onsets == (Fraction(1, 2), Fraction(5, 4))
    with pytest.raises(MediaNotFoundError, match="no manifest"):
        read_manifest(tmp_path / "gone.csv")
    path.write_text("file,licence\na.mp4,CC0\n")
    with pytest.raises(UsageError, match="lacks the column"):
        read_manifest(path)


def test_the_shared_manifest_holds_no_test_clip_back_from_testing(shared: Path) -> None:
    clips = read_manifest(shared / "media" / "manifest.csv")

    assert any(clip.trainable for clip in clips)
    held = [clip for clip in clips if clip.path.name.startswith("hit_")]
    assert held
    assert all(clip.held and not clip.trainable and clip.onsets for clip in held)
