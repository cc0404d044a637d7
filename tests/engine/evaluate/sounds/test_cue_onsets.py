import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2s_engine.envelope import Envelope
from v2s_engine.evaluate.follow import shaped_noise
from v2s_engine.evaluate.sounds.cue_onsets import find_start, silence_kept, start_errors
from v2s_engine.evaluate.sounds.takes import Samples

LENGTH = 32_000


def bang(*starts: int, floor: float = 1e-4) -> Samples:
    """Noise bursts that start at these samples and die away within 100 ms, over a faint background."""
    draw = np.random.default_rng(0)
    sound = floor * draw.standard_normal(LENGTH)
    for start in starts:
        rest = np.arange(LENGTH - start)
        sound[start:] += 0.3 * draw.standard_normal(len(rest)) * np.exp(-rest / 400)
    return sound.astype(np.float32)


@settings(deadline=None, max_examples=20)
@given(st.integers(2400, 28_000), st.integers(-1500, 2300))
def test_a_bang_is_found_within_five_milliseconds(cue: int, late: int) -> None:
    (error,) = start_errors(bang(cue + late), [cue])
    assert error is not None
    assert abs(error - late) <= 80


def test_each_cue_has_its_own_start() -> None:
    errors = start_errors(bang(4000, 12_000, 20_000), [4001, 12_001, 20_001])
    assert all(each is not None and abs(each) <= 80 for each in errors)


def test_a_cue_at_the_very_start_is_found() -> None:
    start = find_start(bang(0), 0)
    assert start is not None
    assert start <= 80


def test_no_start_where_nothing_starts() -> None:
    steady = 0.1 * np.random.default_rng(0).standard_normal(LENGTH).astype(np.float32)
    assert find_start(steady, 16_000) is None
    assert find_start(np.zeros(LENGTH, np.float32), 16_000) is None
    assert find_start(bang(4000), 20_000) is None
    assert find_start(bang(4000), LENGTH) is None


def test_silence_is_kept_where_it_was_asked_for() -> None:
    asked = Envelope.from_loudness(np.r_[np.full(20, -80), np.full(20, -20), np.full(60, -80)].astype(np.float32))
    quiet, wanted = silence_kept(shaped_noise(asked, 0), asked)
    assert quiet == wanted == 19 + 54  # not the step before the sound, nor 100 ms after it
    noisy = 0.01 * np.random.default_rng(0).standard_normal(100 * 256).astype(np.float32)
    assert silence_kept(noisy, asked) == (0, wanted)


def test_where_no_silence_is_asked_for_none_is_counted() -> None:
    loud = Envelope.from_loudness(np.full(50, -20, np.float32))
    assert silence_kept(np.zeros(50 * 256, np.float32), loud) == (0, 0)


@pytest.mark.parametrize("seed", [0, 1])
def test_shaped_noise_is_on_time(seed: int) -> None:
    cues = [8000, 20_000]
    envelope = Envelope.silence(125).with_cues(cues)
    assert all(error is not None and abs(error) <= 320 for error in start_errors(shaped_noise(envelope, seed), cues))
