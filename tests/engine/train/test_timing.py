"""Training the timing encoder, and the figures by which it is judged."""

import json
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.media import make_clip
from v2s_engine.corpus.footage import RecordedClip
from v2s_engine.envelope import Envelope
from v2s_engine.errors import CancelledError, OutputError, UsageError
from v2s_engine.onsets import find_onsets
from v2s_engine.progress import Progress
from v2s_engine.train.timing import (
    Batch,
    TimingOptions,
    make_batch,
    predict,
    timing_loss,
    train_timing,
)
from v2s_engine.train.timing_data import LookedAt, recorded_clip, scene_clip
from v2s_engine.train.timing_scores import (
    compare,
    count_matches,
    motion_energy,
    score,
)
from v2s_engine.vision.features import Looks
from v2s_engine.vision.timing_network import TimingNetwork, read_network


def steps(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def bare_clip(loudness: NDArray[np.float32], events: NDArray[np.int64]) -> LookedAt:
    """A clip of which only the sound matters."""
    pictures = len(loudness) // 4
    looks = Looks(
        np.zeros((pictures, 64, 64, 3), np.uint8),
        np.zeros((pictures, 64, 64), np.int16),
        np.zeros((pictures, 64, 64, 2), np.float16),
    )
    return LookedAt("bare", looks, Envelope.from_loudness(loudness), events)


def curve_with(peaks: list[int], length: int = 100) -> NDArray[np.float32]:
    curve = np.full(length, 0.01, np.float32)
    curve[peaks] = 0.9
    return curve


def test_onsets_are_peaks_and_near_ones_are_one() -> None:
    curve = curve_with([10, 13, 40, 41, 99])
    curve[40] = 0.8

    assert find_onsets(curve, 0.5).tolist() == [10, 41, 99]
    assert find_onsets(curve, 0.95).tolist() == []
    assert find_onsets(np.zeros(0, np.float32), 0.5).tolist() == []


def test_matches_use_every_onset_once() -> None:
    assert count_matches(steps(10, 12), steps(11)) == 1
    assert count_matches(steps(11), steps(9, 13)) == 1
    assert count_matches(steps(5, 50, 94), steps(0, 56, 101)) == 2
    assert count_matches(steps(), steps(1)) == 0


@given(st.lists(st.integers(0, 400), unique=True), st.lists(st.integers(0, 400), unique=True))
def test_matching_is_symmetric_and_bounded(one: list[int], other: list[int]) -> None:
    a, b = steps(*sorted(one)), steps(*sorted(other))

    assert count_matches(a, b) == count_matches(b, a) <= min(len(a), len(b))
    assert count_matches(a, a) == len(a)


def test_scores_of_right_late_and_missing_predictions() -> None:
    rng = np.random.default_rng(0)
    loudness = rng.uniform(-60, -10, 200).astype(np.float32)
    clip = bare_clip(loudness, steps(20, 80, 150))
    right = Envelope(loudness, curve_with([21, 78, 150], 200))
    late = Envelope(-80 - loudness, curve_with([40, 100, 170], 200))

    good, bad = score([right], [clip], 0.5), score([late], [clip], 0.5)
    assert good.onset_f1 == good.precision == good.recall == 1.0
    assert good.rank_correlation == pytest.approx(1.0)
    assert bad.onset_f1 == bad.precision == bad.recall == 0.0
    assert bad.rank_correlation == pytest.approx(-1.0)
    assert score([right], [clip], 2.0).recall == 0.0
    assert score([right], [clip], 2.0).best_onset_f1 == 1.0


def test_the_controls_cannot_know() -> None:
    rng = np.random.default_rng(1)
    clips = []
    for _ in range(12):
        events = np.sort(rng.choice(np.arange(0, 400, 25), 4, replace=False))
        clips.append(bare_clip(rng.uniform(-60, -10, 400).astype(np.float32), events))
    scores = compare(lambda clip: Envelope(clip.envelope.loudness, curve_with(clip.events.tolist(), 400)), clips)

    assert scores["network"].onset_f1 == 1.0
    assert scores["shuffled"].onset_f1 < 0.6
    assert abs(scores["shuffled"].rank_correlation) < 0.2
    assert scores["motion"].rank_correlation == 0.0


def test_a_scene_is_looked_at_once(tmp_path: Path) -> None:
    first = scene_clip(5, tmp_path)
    files = list(tmp_path.iterdir())
    again = scene_clip(5, tmp_path)

    assert len(files) == 1
    assert len(first.looks) * 4 == len(first.envelope) == 248
    assert np.array_equal(first.looks.network_input(), again.looks.network_input())
    assert np.array_equal(first.envelope.loudness, again.envelope.loudness)
    assert np.array_equal(first.events, again.events)
    assert (motion_energy(first).onset > 0).any()


def test_a_recorded_clip_keeps_picture_and_sound_together(tmp_path: Path) -> None:
    made = make_clip(tmp_path / "a.mov", rate=25, frames=100, flashes=(25, 70))
    listed = RecordedClip(made.path, True, False, made.flash_times, "CC0", "")
    clip = recorded_clip(listed, tmp_path / "cache")
    brighter = np.flatnonzero(clip.looks.changes.mean(axis=(1, 2)) > 20)

    assert len(clip.looks) == 62
    assert clip.events.tolist() == [62, 175]
    assert brighter.tolist() == [16, 44]  # the pictures from 1.024 s and 2.816 s on: the first after each flash
    assert set(np.flatnonzero(clip.envelope.onset > 0.9).tolist()) >= {62, 175}


def small_clips(count: int) -> list[LookedAt]:
    """Clips in which brightness alone tells when it is loud."""
    clips = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        loud = np.repeat(rng.random(6) < 0.5, 4)
        pictures = np.broadcast_to(np.where(loud, 220, 30)[:, None, None, None], (24, 64, 64, 3)).astype(np.uint8)
        looks = Looks(pictures, np.zeros((24, 64, 64), np.int16), np.zeros((24, 64, 64, 2), np.float16))
        loudness = np.repeat(np.where(loud, -15.0, -70.0), 4).astype(np.float32)
        clips.append(LookedAt(str(seed), looks, Envelope.from_loudness(loudness), steps()))
    return clips


def test_batches_are_windows_of_the_clips(tmp_path: Path) -> None:
    clips = small_clips(2)
    batch = make_batch(clips, np.random.default_rng(0), 10, augment=False)

    assert batch.features.shape == (2, 10, 8, 64, 64)
    assert batch.loudness.shape == batch.onset.shape == (2, 10, 4)
    assert batch.known.min() == 1
    assert torch.equal(batch.features[:, :, 0, 0, 0] > 0, batch.loudness[:, :, 0] > -40)


def test_short_clips_are_filled_up_and_do_not_count() -> None:
    clips = small_clips(1)
    batch = make_batch(clips, np.random.default_rng(0), 40, augment=False)
    assert batch.known[0, :, 0].tolist() == [1.0] * 24 + [0.0] * 16

    network = TimingNetwork().eval()
    spoiled = Batch(batch.features, batch.loudness.clone(), batch.onset.clone(), batch.known)
    spoiled.loudness[0, 24:] = -5.0
    spoiled.onset[0, 24:] = 1.0
    with torch.no_grad():
        assert torch.equal(timing_loss(network, batch), timing_loss(network, spoiled))


def test_a_mirrored_picture_moves_the_other_way() -> None:
    looks = Looks(
        np.zeros((30, 64, 64, 3), np.uint8),
        np.zeros((30, 64, 64), np.int16),
        np.full((30, 64, 64, 2), 0.02, np.float16),
    )
    clip = LookedAt("", looks, Envelope.silence(120), steps())
    rng = np.random.default_rng(0)
    flows = [make_batch([clip], rng, 30).features[0, 0, 4:6].mean(dim=(1, 2)).tolist() for _ in range(20)]

    assert {across > 0 for across, _ in flows} == {True, False}
    assert {down > 0 for _, down in flows} == {True}


def test_it_learns_what_the_pictures_tell() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network, clips, rng = TimingNetwork(), small_clips(4), np.random.default_rng(0)
    optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
    for _ in range(15):
        network.train()
        loss = timing_loss(network, make_batch(clips, rng, 24, augment=False))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    told = [predict(network, clip) for clip in small_clips(8)[4:]]

    for envelope, clip in zip(told, small_clips(8)[4:], strict=True):
        loud = clip.envelope.loudness > -40
        if loud.any() and not loud.all():
            assert envelope.loudness[loud].mean() > envelope.loudness[~loud].mean() + 15


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of the scenes that the runs below use."""
    cache = tmp_path_factory.mktemp("cache")
    for seed in [0, 1, 2, 3, 1_000_000, 1_000_001]:
        scene_clip(seed, cache)
    return cache


def options_for(output: Path, looked_at: Path, **changes: object) -> TimingOptions:
    output.mkdir(exist_ok=True)
    if not (output / "cache").exists():
        (output / "cache").symlink_to(looked_at, target_is_directory=True)
    plain: dict[str, object] = {"scenes": 4, "held_scenes": 2, "passes": 2, "batch": 2, "window": 16}
    return TimingOptions(output=output, **(plain | changes))  # type: ignore[arg-type]


def test_a_training_leaves_weights_log_and_report(tmp_path: Path, looked_at: Path) -> None:
    clip = make_clip(tmp_path / "held.mov", frames=60, flashes=(20, 40))
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(
        "file,category,has_video,has_audio,may_ship_trained,split,onsets_s,licence,attribution\n"
        f"held.mov,x,1,1,0,test,{float(clip.flash_times[0])} {float(clip.flash_times[1])},unknown,\n"
        "train.mov,x,1,1,1,train,,CC0,Jo\n"
    )
    make_clip(tmp_path / "train.mov", frames=60, flashes=(10,))
    weights = train_timing(options_for(tmp_path / "run", looked_at, manifest=manifest))
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    report = json.loads((tmp_path / "run" / "report.json").read_text())

    assert weights == tmp_path / "run" / "encoder.safetensors"
    read_network(weights)
    assert [entry["pass"] for entry in log[:-1]] == [1, 2]
    assert all(np.isfinite([entry["loss"], entry["held_loss"]]).all() for entry in log[:-1])
    assert report["material"] == [{"file": "train.mov", "licence": "CC0", "attribution": "Jo"}]
    for part in ("held_scenes", "test_clips"):
        assert set(report[part]) == {"network", "shuffled", "motion"}
    assert report["test_clips"]["motion"]["threshold"] == report["held_scenes"]["motion"]["threshold"]


def test_a_stopped_training_goes_on_as_if_it_had_not_stopped(tmp_path: Path, looked_at: Path) -> None:
    whole = train_timing(options_for(tmp_path / "whole", looked_at))
    stop = threading.Event()
    options = options_for(tmp_path / "stopped", looked_at)

    def stop_in_second_pass(event: object) -> None:
        if getattr(event, "stage", "") == "train" and getattr(event, "done", 0) == 3:
            stop.set()

    with pytest.raises(CancelledError):
        train_timing(options, Progress(stop_in_second_pass, stop))
    assert len((options.output / "log.jsonl").read_text().splitlines()) == 1
    resumed = train_timing(options)

    assert resumed.read_bytes() == whole.read_bytes()


def test_a_finished_training_with_other_options_is_not_overwritten(tmp_path: Path, looked_at: Path) -> None:
    weights = train_timing(options_for(tmp_path / "run", looked_at, passes=1))
    before = weights.read_bytes()
    with pytest.raises(OutputError, match="other options \\(passes, seed\\)"):
        train_timing(options_for(tmp_path / "run", looked_at, seed=9))

    assert weights.read_bytes() == before


def test_every_option_counts(tmp_path: Path, looked_at: Path) -> None:
    short = {"passes": 1, "held_scenes": 1, "scenes": 2, "window": 8}
    plain = train_timing(options_for(tmp_path / "plain", looked_at, **short)).read_bytes()
    changes = [{"seed": 1}, {"batch": 1}, {"window": 6}, {"learning_rate": 1e-3}, {"scenes": 4}, {"passes": 2}]
    for number, change in enumerate(changes):
        other = train_timing(options_for(tmp_path / str(number), looked_at, **(short | change)))
        assert other.read_bytes() != plain, change


def test_options_that_cannot_work(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="batch must be at least 1; got 0"):
        TimingOptions(output=tmp_path, batch=0)
    with pytest.raises(UsageError, match="recorded_share"):
        TimingOptions(output=tmp_path, recorded_share=1.0)
