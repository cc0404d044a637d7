"""Features of clips."""

import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.media import make_clip, make_sound, make_still
from v2s_engine.errors import CancelledError, DeviceError, MediaNotFoundError, NoVideoStreamError, UsageError
from v2s_engine.options import VisualConfig
from v2s_engine.progress import Progress, ProgressEvent
from v2s_engine.vision.flow import open_flow
from v2s_engine.vision.motion_network import open_motion_network
from v2s_engine.vision.picture_network import open_picture_network
from v2s_engine.vision.visual_encoder import VisualEncoder, open_visual_encoder

STILL = VisualConfig("small", picture_size=32, picture_features=20)
MOVING = replace(STILL, motion_features=12, flow_stack=4)
RAFT = replace(MOVING, flow_method="raft")


def opened(config: VisualConfig, chunk: int = 8, seed: int = 1) -> VisualEncoder:
    pictures = open_picture_network(config, f"random:{seed}")
    if not config.motion_features:
        return VisualEncoder(config, pictures, chunk=chunk)
    motion = open_motion_network(config, "random:2")
    return VisualEncoder(config, pictures, motion, open_flow(config.flow_method, "random:3"), chunk=chunk)


def grid(count: int) -> list[Fraction]:
    return [Fraction(64 * i, 1000) for i in range(count)]


def noise(count: int, size: int = 32) -> Iterator[NDArray[np.uint8]]:
    """A patch that wanders over noise."""
    rng = np.random.default_rng(4)
    ground, patch = rng.integers(0, 256, (2, size, size, 3), dtype=np.uint8)
    for i in range(count):
        picture = ground.copy()
        left = int((size - 12) * (0.5 + 0.5 * np.sin(i / 3)))
        picture[8:20, left : left + 12] = patch[:12, :12]
        yield picture


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "a.mp4", frames=40, flashes=(5, 21)).path


@pytest.mark.parametrize("config", [STILL, MOVING, RAFT], ids=["still", "moving", "raft"])
def test_one_vector_per_picture_the_same_whatever_the_chunks(clip: Path, config: VisualConfig) -> None:
    count = 14 if config is not RAFT else 5  # RAFT takes its time on a CPU
    whole = opened(config, chunk=64).features(clip, grid(count))

    assert whole.shape == (count, config.feature_size)
    assert whole.dtype == np.float32
    assert np.isfinite(whole).all()
    assert whole.min() == 0
    for chunk in (1, 3):
        parts = opened(config, chunk=chunk).features(clip, grid(count))
        np.testing.assert_allclose(parts, whole, atol=1e-5 * whole.max(), rtol=1e-5)


def test_the_two_networks_stand_side_by_side() -> None:
    both, alone = opened(MOVING), opened(STILL)
    features = both.features_of(noise(9), 9)
    np.testing.assert_allclose(features[:, :20], alone.features_of(noise(9), 9), atol=1e-5)
    standing = both.features_of([next(noise(1))] * 9, 9)[:, 20:]
    np.testing.assert_allclose(standing, np.broadcast_to(standing[0], standing.shape), atol=1e-5)
    assert np.abs(features[:, 20:] - standing).max(axis=1).min() > 1e-4  # everything moves in every stack


def test_a_motion_is_told_at_its_picture() -> None:
    """One jump: the pictures whose stack of four fields holds it differ from rest, and no others."""
    before, after = list(noise(8))[::7]
    features = opened(MOVING).features_of([before] * 10 + [after] * 10, 20)[:, 20:]
    moved = np.abs(features - features[0]).max(axis=1) > 1e-4
    assert np.flatnonzero(moved).tolist() == [8, 9, 10, 11]  # field 10; stacks hold i - 1 to i + 2


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("config", [STILL, MOVING], ids=["still", "moving"])
def test_hardly_any_pictures(config: VisualConfig, count: int, tmp_path: Path) -> None:
    still = make_still(tmp_path / "a.png")
    features = opened(config).features(still, grid(count))
    assert features.shape == (count, config.feature_size)
    assert np.isfinite(features).all()


def test_clips_do_not_touch_each_other_even_in_threads(clip: Path) -> None:
    encoder = opened(RAFT)
    alone = [encoder.features(clip, grid(5)[begin:]) for begin in (0, 1, 2)]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda begin: encoder.features(clip, grid(5)[begin:]), (0, 1, 2)))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5 * one.max())


def test_memory_does_not_grow_with_the_clip() -> None:
    def peak(count: int) -> int:
        encoder = opened(MOVING)
        tracemalloc.start()
        encoder.features_of(noise(count), count)
        peaked = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peaked - count * MOVING.feature_size * 4 * 3

    peak(20)
    assert peak(400) < peak(40) + 100_000  # a picture and its fields alone are 11 kB


def test_the_digest_is_of_all_that_decides() -> None:
    assert opened(STILL).digest == opened(STILL, chunk=3).digest
    others = [
        opened(STILL),
        opened(STILL, seed=9),
        opened(MOVING),
        opened(RAFT),
        VisualEncoder(
            MOVING, open_picture_network(MOVING, "random:1"), open_motion_network(MOVING, "random:8"), open_flow("dis")
        ),
    ]
    assert len({encoder.digest for encoder in others}) == len(others)


def test_progress_is_told_and_a_stop_is_obeyed(clip: Path) -> None:
    events: list[ProgressEvent] = []
    opened(MOVING, chunk=4).features(clip, grid(10), Progress(events.append))
    assert [(event.stage, event.done, event.total, event.item) for event in events] == [
        ("encode", done, 10, "a.mp4") for done in (4, 8, 10)
    ]
    stop = threading.Event()
    with pytest.raises(CancelledError):
        opened(MOVING, chunk=1).features(clip, grid(10), Progress(lambda _: stop.set(), stop))


def test_bad_clips_are_the_readers_errors(tmp_path: Path) -> None:
    with pytest.raises(MediaNotFoundError):
        opened(STILL).features(tmp_path / "nothing.mp4", grid(2))
    with pytest.raises(NoVideoStreamError):
        opened(STILL).features(make_sound(tmp_path / "a.wav"), grid(2))


def test_pictures_of_another_size_are_refused() -> None:
    with pytest.raises(UsageError, match=r"\(32, 32, 3\); got \(48, 48, 3\)"):
        opened(STILL).features_of(noise(2, 48), 2)


def test_contradictions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="weights of a motion network"):
        open_visual_encoder(MOVING, "random")
    with pytest.raises(UsageError, match="weights of a motion network"):
        open_visual_encoder(STILL, "random", "random")
    with pytest.raises(UsageError, match="takes a motion network and a flow"):
        VisualEncoder(MOVING, open_picture_network(MOVING, "random"))
    with pytest.raises(UsageError, match="at least 1"):
        opened(STILL, chunk=0)


def test_a_gpu_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(DeviceError, match="cuda:0 was asked for"):
        open_visual_encoder(STILL, "random", device="cuda:0")


def test_opening_by_words(clip: Path) -> None:
    encoder = open_visual_encoder(RAFT, "random:1", "random:2", flow_weights="random:3")
    assert encoder.digest == opened(RAFT).digest
    assert encoder.feature_size == 32


@pytest.mark.slow
def test_the_papers_sizes_run_on_real_clips(shared: Path) -> None:
    encoder = open_visual_encoder(VisualConfig(motion_features=4096), "random:1", "random:2")
    clip = shared / "media" / "video" / "hit_bag.mp4"
    whole = encoder.features(clip, grid(9))
    assert whole.shape == (9, 8192)
    assert np.isfinite(whole).all()
    assert 0.1 < (whole[:, :4096] > 0).mean() < 0.9
    assert whole[:, 4096:].any(axis=1).all()
    network, motion = open_picture_network(encoder.config, "random:1"), open_motion_network(encoder.config, "random:2")
    one_by_one = VisualEncoder(encoder.config, network, motion, open_flow("dis"), chunk=2).features(clip, grid(9))
    np.testing.assert_allclose(one_by_one, whole, atol=1e-5 * whole.max())
