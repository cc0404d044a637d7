"""A sound frame by frame: the samples of the whole, before all of its pictures have been seen, and stopped in time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.media import make_clip
from tests.models import tiny_bundle
from v2s_engine import conditioner
from v2s_engine.bundle import Bundle
from v2s_engine.errors import CancelledError, MediaNotFoundError, UsageError
from v2s_engine.grid import FRAME_LENGTH, SAMPLE_RATE
from v2s_engine.options import ConditioningName
from v2s_engine.pipeline import SoundPiece, SoundPipeline, SoundRequest, SoundTake
from v2s_engine.progress import Progress, ProgressEvent
from v2s_engine.sampling.sampler import Codes, Floats, SamplerState
from v2s_engine.vision import encoder, picture_encoder

torch.set_num_threads(1)

ALL: list[ConditioningName] = ["envelope", "frame", "sequence", "flow"]
Bundles = Callable[[ConditioningName], Bundle]
LENGTH = 90 * FRAME_LENGTH + 333


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "a.mp4", frames=150, flashes=(20, 90), sound=False).path


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory, paper_bundle: Bundles) -> Bundles:
    envelope = tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny")
    return lambda conditioning: envelope if conditioning == "envelope" else paper_bundle(conditioning)


def request(media: Path, *, length: int = LENGTH, **changes: Any) -> SoundRequest:
    count = -(-length // FRAME_LENGTH)
    times = tuple(Fraction(index * FRAME_LENGTH, SAMPLE_RATE) for index in range(count))
    return SoundRequest(media, times, length, **{"sound_class": "dog", "seed": 7, "label": media.stem} | changes)


class Eyes:
    """Counts the pictures that an encoder has taken, and shows none beyond the first `shown` until told to."""

    def __init__(self) -> None:
        self.taken = 0
        self.shown = 0
        self.go_on = threading.Event()

    def __call__(self, pictures: Iterator[Any], progress: Progress) -> Iterator[Any]:
        for picture in pictures:
            if self.taken >= self.shown:
                self.go_on.wait(20)
            progress.check()
            self.taken += 1
            yield picture


@pytest.fixture
def eyes(monkeypatch: pytest.MonkeyPatch) -> Eyes:
    made = Eyes()
    monkeypatch.setattr(encoder, "checked", made)
    monkeypatch.setattr(picture_encoder, "checked", made)
    return made


@pytest.mark.parametrize("conditioning", ALL)
@pytest.mark.parametrize("length", [1, FRAME_LENGTH, 5000, LENGTH])
def test_pieces_are_the_take_of_generate(
    bundles: Bundles, clip: Path, conditioning: ConditioningName, length: int
) -> None:
    pipeline = SoundPipeline(bundles(conditioning), "cpu")
    asked = request(clip, length=length, takes=(3,))
    (whole,) = pipeline.generate([asked])
    pieces = list(pipeline.stream(asked, 3))
    assert isinstance(whole, SoundTake)
    assert [piece.start for piece in pieces] == list(range(0, length, FRAME_LENGTH))
    assert {len(piece.samples) for piece in pieces[:-1]} <= {FRAME_LENGTH}
    np.testing.assert_array_equal(np.concatenate([piece.samples for piece in pieces]), whole.samples)


def test_cues_beyond_what_is_seen_are_obeyed_in_time(bundles: Bundles, clip: Path) -> None:
    """They quiet what comes before them, which is made long before their pictures are seen."""
    pipeline = SoundPipeline(bundles("envelope"), "cpu")
    asked = request(clip, cues=(900, 17 * 1024 + 5, 60 * 1024, LENGTH - 5000))
    (whole,) = pipeline.generate([asked])
    assert isinstance(whole, SoundTake)
    streamed = np.concatenate([piece.samples for piece in pipeline.stream(asked)])
    np.testing.assert_array_equal(streamed, whole.samples)
    (plain,) = pipeline.generate([request(clip)])
    assert isinstance(plain, SoundTake)
    assert (plain.samples != whole.samples).any()


@pytest.mark.parametrize(("conditioning", "wanted"), [("frame", 1), ("envelope", 17), ("sequence", 9)])
def test_the_first_frame_comes_before_any_other_picture_is_seen(
    bundles: Bundles, clip: Path, eyes: Eyes, conditioning: ConditioningName, wanted: int
) -> None:
    """The windows of these bundles are 8 pictures; networks take them as one and then four by four."""
    eyes.shown = wanted
    stream = SoundPipeline(bundles(conditioning), "cpu").stream(request(clip))
    first = next(stream)
    assert (first.start, len(first.samples)) == (0, FRAME_LENGTH)
    assert (eyes.taken, eyes.go_on.is_set()) == (wanted, False)
    eyes.go_on.set()
    assert sum(len(piece.samples) for piece in stream) == LENGTH - FRAME_LENGTH
    assert eyes.taken == 91


def test_pictures_are_not_looked_at_far_ahead_of_the_sound(bundles: Bundles, clip: Path, eyes: Eyes) -> None:
    """Memory does not grow with the clip: a reader that waits makes the work wait."""
    eyes.go_on.set()
    stream = SoundPipeline(bundles("frame"), "cpu").stream(request(clip))
    next(stream)
    time.sleep(0.2)
    assert eyes.taken < 85
    stream.close()


@pytest.mark.parametrize("conditioning", ["envelope", "frame"])
def test_progress_tells_of_both_stages(bundles: Bundles, clip: Path, conditioning: ConditioningName) -> None:
    events: list[ProgressEvent] = []
    list(SoundPipeline(bundles(conditioning), "cpu").stream(request(clip), 1, Progress(events.append)))
    for stage, total in (("encode", 91), ("sample", LENGTH)):
        of_stage = [event for event in events if event.stage == stage]
        assert [event.done for event in of_stage] == sorted(event.done for event in of_stage)
        assert (of_stage[-1].done, of_stage[-1].total) == (total, total)


def test_what_cannot_be_asked_or_read_is_told(bundles: Bundles, clip: Path, tmp_path: Path) -> None:
    pipeline = SoundPipeline(bundles("frame"), "cpu")
    with pytest.raises(UsageError, match="no sound class 'cat'"):
        next(pipeline.stream(request(clip, sound_class="cat")))
    with pytest.raises(MediaNotFoundError):
        next(pipeline.stream(request(tmp_path / "none.mp4")))


# ---- stopping


def stopped_after(work: Iterator[Any], cancel: threading.Event, running: threading.Event) -> float:
    """Seconds from the request to stop, made once `running` is set, to the end of the work."""
    asked: list[float] = []

    def ask() -> None:
        running.wait(20)
        time.sleep(0.05)
        asked.append(time.perf_counter())
        cancel.set()

    thread = threading.Thread(target=ask)
    thread.start()
    with pytest.raises(CancelledError):
        for _ in work:
            pass
    ended = time.perf_counter()
    thread.join()
    return ended - asked[0]


@pytest.mark.parametrize("way", ["generate", "stream"])
def test_a_slow_model_can_be_stopped_between_its_frames(
    bundles: Bundles, clip: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """A frame takes this one a second, and no call of it takes long: stopping is seen to within a call."""
    pipeline, running, slept = SoundPipeline(bundles("frame"), "cpu"), threading.Event(), []
    real = pipeline._sampler

    class Slow:
        name, config, start, logits = real.name, real.config, real.start, real.logits
        most_rows = real.most_rows

        def generate(self, state: SamplerState, conditioning: Floats, length: int) -> tuple[Codes, SamplerState]:
            running.set()
            slept.append(length / 1000)
            time.sleep(length / 1000)
            return real.generate(state, conditioning, length)

    monkeypatch.setattr(pipeline, "_sampler", Slow())
    progress = Progress()
    work = (
        pipeline.stream(request(clip), 1, progress) if way == "stream" else pipeline.generate([request(clip)], progress)
    )
    stopped_after(work, progress.cancel, running)
    assert max(slept) <= 0.1
    assert sum(slept) < 0.5


@pytest.mark.parametrize("way", ["generate", "stream"])
def test_a_hanging_look_at_pictures_does_not_hold_up_who_stops(
    bundles: Bundles, clip: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    looking, gate = threading.Event(), threading.Event()

    def hangs(*_: object) -> Iterator[Any]:
        looking.set()
        gate.wait(20)
        yield from ()

    monkeypatch.setattr(conditioner.PictureConditioner, "parts", hangs)
    pipeline, progress = SoundPipeline(bundles("frame"), "cpu"), Progress()
    work: Iterator[SoundPiece | Any] = (
        pipeline.stream(request(clip), 1, progress) if way == "stream" else pipeline.generate([request(clip)], progress)
    )
    stopped_after(work, progress.cancel, looking)
    assert not gate.is_set()
    gate.set()
