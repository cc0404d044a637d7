"""An envelope in place of the pictures: it alone is followed, in every way that sounds are made."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.media import make_clip
from tests.models import tiny_bundle
from v2s_engine.audio import write_wav
from v2s_engine.bundle import Bundle, load_bundle
from v2s_engine.envelope import Envelope
from v2s_engine.errors import UsageError
from v2s_engine.grid import FRAME_LENGTH, SAMPLE_RATE, steps_covering
from v2s_engine.guide import read_guide
from v2s_engine.options import ConditioningName
from v2s_engine.pipeline import SoundPipeline, SoundRequest, SoundTake

LENGTH = 40 * FRAME_LENGTH + 300
NOWHERE = Path("/no/such/clip.mp4")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


def request(media: Path, *, length: int = LENGTH, **changes: Any) -> SoundRequest:
    times = tuple(Fraction(8 * index, 125) for index in range(steps_covering(length, FRAME_LENGTH)))
    return SoundRequest(media, times, length, **{"sound_class": "drum", "seed": 7} | changes)


def drawn(length: int = LENGTH) -> Envelope:
    return Envelope.silence(steps_covering(length, 256)).with_cues([length // 3, length // 2])


def only_take(pipeline: SoundPipeline, asked: SoundRequest) -> SoundTake:
    (made,) = pipeline.generate([asked])
    assert isinstance(made, SoundTake)
    return made


def test_the_envelope_asked_for_is_the_one_given_and_no_media_are_needed(bundle: Bundle) -> None:
    envelope = drawn()
    made = only_take(SoundPipeline(bundle, "cpu"), request(NOWHERE, envelope=envelope))
    assert made.envelope is not None
    np.testing.assert_array_equal(made.envelope.loudness, envelope.loudness)
    np.testing.assert_array_equal(made.envelope.onset, envelope.onset)


def test_what_the_pictures_said_given_back_makes_the_same_sound(bundle: Bundle, tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", frames=70, flashes=(20,), width=64, height=64).path
    pipeline = SoundPipeline(bundle, "cpu")
    seen = only_take(pipeline, request(clip))
    given = only_take(pipeline, request(NOWHERE, envelope=seen.envelope))
    np.testing.assert_array_equal(given.samples, seen.samples)


def test_cues_are_obeyed_on_top_of_it(bundle: Bundle) -> None:
    made = only_take(SoundPipeline(bundle, "cpu"), request(NOWHERE, envelope=drawn(), cues=(30_000,)))
    assert made.envelope is not None
    np.testing.assert_array_equal(made.envelope.loudness, drawn().with_cues([30_000]).loudness)


def test_piece_by_piece_it_is_the_same_sound(bundle: Bundle) -> None:
    pipeline = SoundPipeline(bundle, "cpu")
    asked = request(NOWHERE, envelope=drawn())
    streamed = np.concatenate([piece.samples for piece in pipeline.stream(asked)])
    np.testing.assert_array_equal(streamed, only_take(pipeline, asked).samples)


def test_requests_that_differ_by_their_envelopes_alone_are_two(bundle: Bundle) -> None:
    quiet = Envelope.silence(len(drawn()))
    both = [request(NOWHERE, envelope=drawn()), request(NOWHERE, envelope=quiet)]
    assert len(set(both)) == 2
    made = list(SoundPipeline(bundle, "cpu").generate(both))
    assert {each.request for each in made} == set(both)


def test_an_envelope_of_another_length_is_refused() -> None:
    with pytest.raises(UsageError, match="wants an envelope of 162 steps; got 161"):
        request(NOWHERE, envelope=Envelope.silence(161))


@pytest.mark.parametrize("conditioning", ["frame", "sequence", "flow"])
def test_bundles_that_go_by_the_pictures_refuse_it(
    paper_bundle: Callable[[ConditioningName], Bundle], conditioning: ConditioningName
) -> None:
    with pytest.raises(UsageError, match="an envelope cannot be followed by the bundle"):
        next(SoundPipeline(paper_bundle(conditioning), "cpu").generate([request(NOWHERE, envelope=drawn())]))


def clicks(at: NDArray[np.float64], seconds: float) -> NDArray[np.float32]:
    """Clicks of 10 ms in a faint room, at 48 kHz."""
    draw = np.random.default_rng(1)
    sound = 0.0005 * draw.standard_normal(round(seconds * 48_000))
    for first in np.rint(at * 48_000).astype(int):
        sound[first : first + 480] += 0.3 * draw.standard_normal(480)
    return np.clip(sound, -1, 1).astype(np.float32)


def heard_at(samples: NDArray[np.float32], wanted: float) -> float:
    """Seconds from `wanted` to where the sound around it first has a tenth of its peak power, by windows of 2 ms."""
    power = np.convolve(samples.astype(np.float64) ** 2, np.ones(32) / 32, "same")
    first = max(0, round((wanted - 0.1) * SAMPLE_RATE))
    around = power[first : round((wanted + 0.1) * SAMPLE_RATE)]
    return float(first + np.argmax(around > 0.1 * around.max())) / SAMPLE_RATE - wanted


@pytest.mark.parametrize("sound_class", ["drum", "dog"])
def test_the_starter_sounds_where_the_editor_clicked(tmp_path: Path, sound_class: str) -> None:
    """On no grid of 16 ms; the clip starts anywhere on the timeline. Most within 25 ms, and none is missed by far."""
    at = np.array([0.8, 1.309, 1.9, 2.517, 3.05, 3.633, 4.2, 4.95])
    write_wav(tmp_path / "clicks.wav", clicks(at, 5.5), 48_000)
    start, length = Fraction(1, 3), 5 * SAMPLE_RATE
    guide = read_guide(tmp_path / "clicks.wav")
    asked = request(
        NOWHERE, length=length, sound_class=sound_class, takes=(1, 2, 3), envelope=guide.part(start, length)
    )
    off = []
    for made in SoundPipeline(load_bundle("starter"), "cpu").generate([asked]):
        assert isinstance(made, SoundTake)
        off += [abs(heard_at(made.samples, wanted - float(start))) for wanted in at]
    assert np.median(off) <= 0.01
    assert np.mean(np.array(off) <= 0.025) >= 0.9
    assert max(off) < 0.06
