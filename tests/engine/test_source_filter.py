"""Source-filter models on the whole way: each take has a timbre of its own, and pieces are the whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.media import make_clip
from tests.models import TINY_SOURCE_FILTER, tiny_bundle, tiny_palette
from v2s_engine.audio import encode_codes
from v2s_engine.bundle import PALETTE, Bundle, load_bundle
from v2s_engine.envelope import Envelope, measure_envelope
from v2s_engine.errors import BundleDamagedError, CancelledError, UsageError
from v2s_engine.grid import FRAME_LENGTH, SAMPLE_RATE
from v2s_engine.model.conditioning import Conditioning, envelope_conditioning
from v2s_engine.model.hearing import EXCITATION_SCALE, decode_sound, hear, playable
from v2s_engine.options import SILENCE_CODE, ModelConfig
from v2s_engine.pipeline import SoundPipeline, SoundRequest, SoundTake
from v2s_engine.progress import Progress
from v2s_engine.sampling.timbred import Asked, TimbredStream, timbred
from v2s_engine.timbre.choosing import TimbreChooser, choose_timbre
from v2s_engine.timbre.filters import whiten
from v2s_engine.timbre.measure import measure_timbre
from v2s_engine.timbre.palette import Exemplars
from v2s_engine.timbre.timbre import Timbre

torch.set_num_threads(1)

LENGTH = 60 * FRAME_LENGTH + 333


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny", source_filter=True)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "a.mp4", frames=100, flashes=(20, 60), sound=False).path


def request(media: Path, length: int, takes: tuple[int, ...], cues: tuple[int, ...] = ()) -> SoundRequest:
    times = tuple(Fraction(index * FRAME_LENGTH, SAMPLE_RATE) for index in range(-(-length // FRAME_LENGTH)))
    return SoundRequest(media, times, length, "dog", 7, takes=takes, cues=cues)


@pytest.mark.parametrize("length", [1, FRAME_LENGTH, 5_000, LENGTH])
@pytest.mark.parametrize("cues", [(), (0,)])
def test_pieces_are_the_take_of_generate(bundle: Bundle, clip: Path, length: int, cues: tuple[int, ...]) -> None:
    pipeline = SoundPipeline(bundle, "cpu")
    asked = request(clip, length, (3,), cues)
    (whole,) = pipeline.generate([asked])
    pieces = list(pipeline.stream(asked, 3))
    assert isinstance(whole, SoundTake)
    assert [piece.start for piece in pieces] == list(range(0, length, FRAME_LENGTH))
    np.testing.assert_array_equal(np.concatenate([piece.samples for piece in pieces]), whole.samples)


def test_a_stream_does_not_wait_for_the_timbre_of_all_that_is_asked_for(
    bundle: Bundle, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An envelope that is given is known at once; the first frame wants 29 steps of it."""
    chosen = []
    real = TimbreChooser.add

    def add(self: TimbreChooser, envelope: Envelope) -> Timbre | None:
        chosen.append(len(envelope))
        return real(self, envelope)

    monkeypatch.setattr(TimbreChooser, "add", add)
    steps = 2_000
    given = Envelope.from_loudness((-35 + 25 * np.sin(np.arange(steps) / 9)).astype(np.float32))
    asked = replace(request(clip, steps * 256, (1,)), envelope=given)
    stream = SoundPipeline(bundle, "cpu").stream(asked)
    assert len(next(iter(stream)).samples) == FRAME_LENGTH
    assert sum(chosen) < 64


def test_generate_is_stopped_while_a_timbre_is_chosen(
    bundle: Bundle, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress, chosen = Progress(), []

    def choose(
        exemplars: Exemplars, envelope: Envelope, seed: int, take: int, check: Callable[[], None] = lambda: None
    ) -> Timbre:
        progress.cancel.set()
        chosen.append(choose_timbre(exemplars, envelope, seed, take, check))
        return chosen[-1]

    monkeypatch.setattr("v2s_engine.sampling.timbred.choose_timbre", choose)
    with pytest.raises(CancelledError):
        list(SoundPipeline(bundle, "cpu").generate([request(clip, LENGTH, (1,))], progress))
    assert not chosen


def test_decoding_can_be_stopped() -> None:
    def check() -> None:
        raise CancelledError("stopped")

    with pytest.raises(CancelledError):
        decode_sound(np.full(512, SILENCE_CODE, np.uint8), TINY_SOURCE_FILTER, Timbre.neutral(2), check)


def test_silence_is_exactly_silent() -> None:
    codes = np.full(100 * 256, SILENCE_CODE, np.uint8)
    assert not decode_sound(codes, TINY_SOURCE_FILTER, measure_timbre(np.ones(100 * 256, np.float32))).any()


def test_a_palette_belongs_to_source_filter_models() -> None:
    plain, exemplars = replace(TINY_SOURCE_FILTER, source_filter=False), tiny_palette().of("dog")
    envelope = Envelope.silence(30)
    for config, given, message in ((TINY_SOURCE_FILTER, None, "wants a palette"), (plain, exemplars, "leave it away")):
        asked = Asked(Conditioning(envelope_conditioning(envelope, 0, config)), envelope)
        with pytest.raises(UsageError, match=message):
            timbred(asked, given, config, 1, 1)
        with pytest.raises(UsageError, match=message):
            TimbredStream([asked], given, config, 1, 1)


def test_a_recording_comes_back_from_its_codes() -> None:
    """What is learned and what is made belong together: 8 bits of excitation are nearly the sound's course."""
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    sound = (0.3 * np.sin(2 * np.pi * 300 * time) * (1 + np.sin(2 * np.pi * 3 * time))).astype(np.float32)
    sound += 0.01 * np.random.default_rng(0).standard_normal(len(sound)).astype(np.float32)
    heard = hear(sound, 0, TINY_SOURCE_FILTER)
    back = decode_sound(encode_codes(heard.target, TINY_SOURCE_FILTER), TINY_SOURCE_FILTER, measure_timbre(sound))
    assert np.corrcoef(back, sound)[0, 1] > 0.95


def test_an_excitation_is_as_loud_as_its_sound() -> None:
    """A tone that rings on wants hardly any excitation in its own phase; a network's, in the phase of noise, wants all
    of the loudness that it is told."""
    times = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    ringing = np.exp(-3 * (times % 0.5)) * np.sin(2 * np.pi * 220 * times)
    noise = 0.01 * np.random.default_rng(0).standard_normal(len(times))
    sound = (0.3 * ringing + noise * (times > 1)).astype(np.float32)
    made = playable(sound, TINY_SOURCE_FILTER)
    wanted = measure_envelope(sound).loudness
    told = measure_envelope(made.target / EXCITATION_SCALE).loudness
    assert np.abs(told - wanted).mean() < 1
    assert made.timbre is not None
    untouched = measure_envelope(whiten(sound, made.timbre)).loudness
    assert (wanted - untouched).max() > 10


def test_a_timbre_stands_where_it_belongs_and_nowhere_else() -> None:
    sound = np.random.default_rng(0).uniform(-0.1, 0.1, 2_560).astype(np.float32)
    told = hear(sound, 1, TINY_SOURCE_FILTER).conditioning
    plain = hear(sound, 1, replace(TINY_SOURCE_FILTER, source_filter=False)).conditioning
    np.testing.assert_array_equal(np.delete(told, np.s_[8:-2], axis=1), plain)
    with pytest.raises(UsageError, match="a timbre of 3 steps came with 10 vectors"):
        envelope_conditioning(Envelope.silence(10), 0, TINY_SOURCE_FILTER, Timbre.neutral(3))
    with pytest.raises(UsageError, match="want a timbre"):
        decode_sound(np.full(256, 128, np.uint8), TINY_SOURCE_FILTER)
    with pytest.raises(UsageError, match="belongs to the conditioning envelope"):
        ModelConfig(("dog",), source_filter=True, pre_emphasis=0.85)


def test_a_bundle_without_its_palette_is_damaged(tmp_path: Path) -> None:
    made = tiny_bundle(tmp_path / "tiny", source_filter=True)
    (made.path / PALETTE).write_bytes(b"other")
    with pytest.raises(BundleDamagedError, match="was changed"):
        load_bundle(str(made.path))
    (made.path / PALETTE).unlink()
    with pytest.raises(BundleDamagedError, match=r"lacks palette\.safetensors"):
        load_bundle(str(made.path))
