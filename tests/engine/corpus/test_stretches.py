"""Long recordings are cut where nothing sounds."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from v2s_engine.audio import write_wav
from v2s_engine.corpus.stretches import MOST_LENGTH, cut_at_silences, sound_blocks

SECOND = 16_000


def noise(seconds: float, level: float = 0.1) -> NDArray[np.float32]:
    length = round(seconds * SECOND)
    return np.random.default_rng(0).uniform(-level, level, length).astype(np.float32)


def silence(seconds: float) -> NDArray[np.float32]:
    return np.zeros(round(seconds * SECOND), np.float32)


def test_long_silences_are_left_out_and_short_ones_belong_to_the_sound() -> None:
    sound = np.concatenate([silence(3), noise(1), silence(0.5), noise(1), silence(20), noise(2)])
    first, second = cut_at_silences(sound)
    assert first.start <= 3 * SECOND
    assert first.stop >= round(5.5 * SECOND)
    assert first.stop - first.start < 3.1 * SECOND
    assert second.start <= round(25.5 * SECOND)
    assert second.stop == len(sound)


def test_silence_has_no_stretches() -> None:
    assert cut_at_silences(silence(5)) == []
    assert cut_at_silences(silence(0)) == []


def test_what_never_stops_is_cut_into_stretches_that_follow_each_other() -> None:
    sound = noise(70)
    quiet = round(27 * SECOND)
    sound[quiet : quiet + 512] *= 0.1
    stretches = cut_at_silences(sound)
    assert all(each.stop - each.start <= MOST_LENGTH for each in stretches)
    assert [each.start for each in stretches[1:]] == [each.stop for each in stretches[:-1]]
    assert (stretches[0].start, stretches[-1].stop) == (0, len(sound))
    assert abs(stretches[0].stop - quiet) <= 512  # where it is quietest


def test_blocks_are_the_whole_file(tmp_path: Path) -> None:
    sound = np.stack([noise(2), 0.5 * noise(2)])
    write_wav(tmp_path / "a.wav", sound, SECOND)
    (block,) = sound_blocks(tmp_path / "a.wav")
    np.testing.assert_allclose(block, sound.mean(axis=0), atol=1e-6)
