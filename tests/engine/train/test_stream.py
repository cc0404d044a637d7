import numpy as np
import pytest

from v2s_engine.audio import decode_codes
from v2s_engine.corpus.recordings import Material, Recording
from v2s_engine.envelope import measure_envelope
from v2s_engine.options import SILENCE_CODE, ModelConfig
from v2s_engine.train.stream import ExcerptStream, StreamOptions

CONFIG = ModelConfig(("dog", "drum"), coarse_unit=16, mid_unit=4, window=8, pre_emphasis=0.85)
OPTIONS = StreamOptions(rows=4, excerpt_length=8_192, seed=3)


def recording(sound_class: str, length: int, seed: int) -> Recording:
    samples = 0.1 * np.random.default_rng(seed).standard_normal(length).astype(np.float32)
    return Recording(Material(f"{sound_class}{seed}.wav", sound_class, length / 16_000, "", "", ""), samples)


RECORDINGS = [recording("dog", 20_000, 1), recording("dog", 3_000, 2), recording("drum", 2_000, 3)]


def test_chunks_have_the_shapes_that_the_network_wants() -> None:
    chunk = ExcerptStream(RECORDINGS, CONFIG, OPTIONS).next_chunk()
    assert chunk.codes.shape == (4, 16 + 512)
    assert chunk.targets.shape == (4, 512)
    assert chunk.conditioning.shape == (4, 2, 10)
    assert chunk.reset.tolist() == [True] * 4


def test_an_excerpt_starts_in_silence_and_its_chunks_join() -> None:
    stream = ExcerptStream(RECORDINGS, CONFIG, OPTIONS)
    before = stream.next_chunk()
    assert (before.codes[:, :16] == SILENCE_CODE).all()
    joined = 0
    for _ in range(20):
        chunk = stream.next_chunk()
        for row in range(4):
            if chunk.reset[row]:
                assert (chunk.codes[row, :16] == SILENCE_CODE).all()
            else:
                np.testing.assert_array_equal(chunk.codes[row, :16], before.codes[row, -16:])
                joined += 1
        before = chunk
    assert joined > 10


def test_the_conditioning_is_the_envelope_of_the_targets() -> None:
    stream = ExcerptStream(RECORDINGS, CONFIG, StreamOptions(rows=1, excerpt_length=4_096, seed=5))
    codes, loudness = [], []
    chunk = stream.next_chunk()
    while True:
        codes.append(chunk.targets[0])
        loudness.append(chunk.conditioning[0, :, 1])
        chunk = stream.next_chunk()
        if chunk.reset[0]:
            break
    heard = measure_envelope(decode_codes(np.concatenate(codes), CONFIG)).loudness
    wanted = (np.concatenate(loudness) - 1) * 80
    loud = wanted > -50
    assert loud.any()
    np.testing.assert_allclose(heard[loud], wanted[loud], atol=0.6)


def test_both_classes_come_about_equally_often() -> None:
    stream = ExcerptStream(RECORDINGS, CONFIG, StreamOptions(rows=16, excerpt_length=2_048, seed=0))
    drum = np.mean([stream.next_chunk().conditioning[:, 0, 9].mean() for _ in range(60)])
    assert drum == pytest.approx(0.5, abs=0.12)


def test_a_stream_goes_on_from_its_state() -> None:
    first = ExcerptStream(RECORDINGS, CONFIG, OPTIONS)
    for _ in range(13):
        first.next_chunk()
    second = ExcerptStream(RECORDINGS, CONFIG, OPTIONS)
    second.restore(first.state())
    for _ in range(10):
        for one, other in zip(first.next_chunk(), second.next_chunk(), strict=True):
            np.testing.assert_array_equal(one, other)


def test_another_seed_gives_other_excerpts() -> None:
    one = ExcerptStream(RECORDINGS, CONFIG, OPTIONS).next_chunk()
    other = ExcerptStream(RECORDINGS, CONFIG, StreamOptions(rows=4, excerpt_length=8_192, seed=4)).next_chunk()
    assert (one.codes != other.codes).any()


def test_level_jitter_changes_what_is_seen_and_not_what_is_predicted() -> None:
    plain, jittered = (
        ExcerptStream(RECORDINGS, CONFIG, StreamOptions(rows=8, seed=3, level_jitter=spread, noise_share=0.0))
        for spread in (0.0, 6.0)
    )
    for _ in range(5):
        one, other = plain.next_chunk(), jittered.next_chunk()
        np.testing.assert_array_equal(one.codes[:, 16:], one.targets)
        assert (other.codes[:, 16:] != other.targets).mean() > 0.2
        assert (other.codes[:, 16:] == SILENCE_CODE)[other.targets == SILENCE_CODE].mean() > 0.99


def test_random_gain_never_clips() -> None:
    loud = Recording(RECORDINGS[0].material, np.clip(RECORDINGS[0].samples * 9, -1, 1))
    options = StreamOptions(rows=8, excerpt_length=4_096, gain_range=(20.0, 30.0), level_jitter=0.0, noise_share=0.0)
    flat = ModelConfig(("dog",), quantisation="linear")
    stream = ExcerptStream([loud], flat, options)
    for _ in range(10):
        codes = stream.next_chunk().codes
        assert codes.max() <= 255
        assert np.abs(decode_codes(codes.reshape(-1), flat)).max() <= 0.99


def test_what_is_kept_ready_is_bounded_and_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("v2s_engine.train.stream.MOST_READY", 1)
        forgetful = ExcerptStream(RECORDINGS, CONFIG, OPTIONS)
        few = [forgetful.next_chunk() for _ in range(20)]
        assert len(forgetful._ready) == 1
    keeping = ExcerptStream(RECORDINGS, CONFIG, OPTIONS)
    for one in few:
        other = keeping.next_chunk()
        np.testing.assert_array_equal(one.codes, other.codes)
        np.testing.assert_array_equal(one.conditioning, other.conditioning)
    assert len(keeping._ready) > 1
