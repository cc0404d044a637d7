"""One sound over several clips: it goes on over their cuts, while each clip's pictures are looked at by themselves."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.media import make_clip
from tests.models import tiny_bundle
from v2s_engine.audio import decode_codes
from v2s_engine.bundle import Bundle
from v2s_engine.conditioner import PictureRun
from v2s_engine.envelope import Envelope
from v2s_engine.errors import UsageError
from v2s_engine.grid import ENVELOPES_PER_FRAME, FRAME_LENGTH, SAMPLE_RATE
from v2s_engine.model.conditioning import Conditioning, envelope_conditioning, frame_conditioning
from v2s_engine.options import ConditioningName
from v2s_engine.pipeline import SoundPipeline, SoundRequest, SoundTake
from v2s_engine.progress import Progress, ProgressEvent
from v2s_engine.sampling.sampler import Row
from v2s_engine.sampling.streaming import stream_codes
from v2s_engine.vision.encoder import Encoder
from v2s_engine.vision.picture_encoder import PictureEncoder

torch.set_num_threads(1)

Bundles = Callable[[ConditioningName], Bundle]
BOTH: list[ConditioningName] = ["envelope", "frame"]
FIRST, SECOND = 21, 30  # pictures of the two runs
LENGTH = (FIRST + SECOND) * FRAME_LENGTH - 300
CUT = FIRST * FRAME_LENGTH


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("clips")
    flashes = {"a": (10, 30), "b": (5, 40), "c": (2, 3, 20)}
    return [make_clip(folder / f"{name}.mp4", frames=60, flashes=at, sound=False).path for name, at in flashes.items()]


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory, paper_bundle: Bundles) -> Bundles:
    envelope = tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny")
    return lambda conditioning: envelope if conditioning == "envelope" else paper_bundle(conditioning)


def times(count: int, start: Fraction = Fraction(0)) -> tuple[Fraction, ...]:
    return tuple(start + Fraction(index * FRAME_LENGTH, SAMPLE_RATE) for index in range(count))


def over_a_cut(first: Path, second: Path, **changes: Any) -> SoundRequest:
    after = (PictureRun(second, times(SECOND, Fraction(1, 2))),)
    given: dict[str, Any] = {"picture_times": times(FIRST), "after_cuts": after, "takes": (2,)}
    return SoundRequest(media=first, length=LENGTH, sound_class="dog", seed=7, **given | changes)


def made(bundle: Bundle, *requests: SoundRequest) -> list[SoundTake]:
    """A take of each request, in the order of the requests."""
    takes = [each for each in SoundPipeline(bundle, "cpu").generate(requests) if isinstance(each, SoundTake)]
    return sorted(takes, key=lambda each: requests.index(each.request))


def conditioning_by_hand(bundle: Bundle, request: SoundRequest) -> Conditioning:
    """Each run looked at with the encoder alone, and what is seen put in a row."""
    index = bundle.config.class_index(request.sound_class)
    if bundle.config.visual is None:
        encoder = Encoder(bundle.encoder_path)
        seen = Envelope.join([encoder.envelope(run.media, run.times) for run in request.runs])
        steps = -(-request.length // 256)
        asked = Envelope(seen.loudness[:steps], seen.onset[:steps])
        asked = asked.with_cues(request.cues) if request.cues else asked
        return Conditioning(envelope_conditioning(asked, index, bundle.config))
    eyes = PictureEncoder(bundle.encoder_path, bundle.state_path, bundle.config)
    features = np.concatenate([eyes.features(run.media, run.times) for run in request.runs])
    return Conditioning(frame_conditioning(features, index, bundle.config))


@pytest.mark.parametrize("conditioning", BOTH)
def test_the_sound_is_that_of_both_conditionings_in_a_row(
    bundles: Bundles, clips: list[Path], conditioning: ConditioningName
) -> None:
    bundle = bundles(conditioning)
    cues = (4000, CUT + 5000) if conditioning == "envelope" else ()
    asked = over_a_cut(clips[0], clips[1], cues=cues)
    (take,) = made(bundle, asked)
    told = conditioning_by_hand(bundle, asked)
    row = Row(asked.seed, 2, bundle.temperature)
    codes = np.concatenate(
        list(stream_codes(SoundPipeline(bundle, "cpu")._sampler, row, [told], LENGTH, Progress().check))
    )
    np.testing.assert_array_equal(take.samples, decode_codes(codes, bundle.config))
    assert len(take.samples) == LENGTH


@pytest.mark.parametrize("conditioning", BOTH)
def test_streamed_it_is_the_same(bundles: Bundles, clips: list[Path], conditioning: ConditioningName) -> None:
    asked = over_a_cut(clips[0], clips[1])
    (take,) = made(bundles(conditioning), asked)
    pieces = SoundPipeline(bundles(conditioning), "cpu").stream(asked, 2)
    np.testing.assert_array_equal(np.concatenate([piece.samples for piece in pieces]), take.samples)


def test_what_is_seen_after_a_cut_does_not_depend_on_what_was_before(bundles: Bundles, clips: list[Path]) -> None:
    """The pictures change all at once, which would be an onset if they were looked at in a row."""
    a, b, c = clips
    here, there = made(bundles("envelope"), over_a_cut(a, b), over_a_cut(c, b))
    assert here.envelope is not None
    assert there.envelope is not None
    cut = FIRST * ENVELOPES_PER_FRAME
    np.testing.assert_array_equal(here.envelope.loudness[cut:], there.envelope.loudness[cut:])
    np.testing.assert_array_equal(here.envelope.onset[cut:], there.envelope.onset[cut:])
    assert (here.envelope.loudness[:cut] != there.envelope.loudness[:cut]).any()


@pytest.mark.parametrize("conditioning", BOTH)
def test_before_the_cut_it_is_the_sound_without_one_and_after_it_no_new_one(
    bundles: Bundles, clips: list[Path], conditioning: ConditioningName
) -> None:
    a, b, _ = clips
    alone = SoundRequest(b, times(SECOND, Fraction(1, 2)), LENGTH - CUT, "dog", 7, takes=(2,))
    whole, other, fresh = made(bundles(conditioning), over_a_cut(a, b), over_a_cut(a, a), alone)
    seen = CUT - 2 * 256  # two steps of the envelope are seen ahead
    np.testing.assert_array_equal(whole.samples[:seen], other.samples[:seen])
    assert (whole.samples[CUT:] != fresh.samples).mean() > 0.3


@pytest.mark.parametrize("conditioning", ["sequence", "flow"])
def test_a_sound_that_starts_from_a_clips_pictures_does_not_go_on(
    bundles: Bundles, clips: list[Path], conditioning: ConditioningName
) -> None:
    with pytest.raises(UsageError, match=f"one sound over several clips .* is '{conditioning}'"):
        made(bundles(conditioning), over_a_cut(clips[0], clips[1]))


@pytest.mark.parametrize("conditioning", BOTH)
def test_progress_counts_the_pictures_of_all_runs(
    bundles: Bundles, clips: list[Path], conditioning: ConditioningName
) -> None:
    events: list[ProgressEvent] = []
    list(SoundPipeline(bundles(conditioning), "cpu").generate([over_a_cut(*clips[:2])], Progress(events.append)))
    looked = [event.done for event in events if event.stage == "encode"]
    assert looked == sorted(looked)
    assert {event.total for event in events if event.stage == "encode"} == {FIRST + SECOND}
    assert looked[-1] == FIRST + SECOND


def test_pictures_and_samples_must_be_as_many(clips: list[Path]) -> None:
    with pytest.raises(UsageError, match=r"wants 51 picture times .* got 21 \+ 2"):
        over_a_cut(*clips[:2], after_cuts=(PictureRun(clips[1], times(2)),))
    with pytest.raises(UsageError, match=r"one picture in each run\); got 51 \+ 0"):
        over_a_cut(*clips[:2], picture_times=times(51), after_cuts=(PictureRun(clips[1], ()),))
