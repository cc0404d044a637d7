"""Stereo: a sound stands where something moves, at the loudness that it has as mono."""

import wave
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.media import write_clip
from tests.plugin.cuts import save, score, timeline, track
from tests.plugin.levelling import RATE, ToneSource, shot
from v2s_engine.loudness import integrated_loudness
from v2s_engine.video import probe
from v2s_plugin.levels.options import LevelOptions
from v2s_plugin.ours import our_clips


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        (tmp_path / name).touch()
    return tmp_path


def write_ball(path: Path, *, left_to_right: bool = True) -> None:
    places = np.linspace(0.05, 0.95, 96)
    ground = np.random.default_rng(0).integers(60, 120, (90, 160, 3), dtype=np.uint8)
    pictures = []
    for place in places if left_to_right else places[::-1]:
        picture = ground.copy()
        cv2.circle(picture, (round(place * 160), 45), 9, (240, 220, 60), -1)
        pictures.append(picture)
    write_clip(path, pictures, [Fraction(number, 24) for number in range(96)], rate=Fraction(24))


def channels(path: Path) -> NDArray[np.float64]:
    """`[C, L]` of a 24-bit WAV, full scale 1."""
    with wave.open(str(path)) as file:
        data = np.frombuffer(file.readframes(file.getnframes()), np.uint8).reshape(-1, file.getnchannels(), 3)
    values = data[..., 0].astype(np.int64) | data[..., 1].astype(np.int64) << 8 | data[..., 2].astype(np.int64) << 16
    return np.asarray((values - (values >= 2**23) * 2**24).T / (2**23 - 1))


@pytest.mark.parametrize("left_to_right", [True, False])
def test_the_sound_follows_what_moves_between_the_loudspeakers(folder: Path, left_to_right: bool) -> None:
    write_ball(folder / "a.mp4", left_to_right=left_to_right)
    save(timeline(track(shot())), folder / "cut.otio")
    plain = score(None, folder, ToneSource(), probe=probe)
    mixed = score(None, folder, ToneSource(), probe=probe, force=True, levels=LevelOptions(pan="motion"))
    stereo, mono = channels(mixed.scored[0].takes[0].path), channels(plain.scored[0].takes[0].path)
    assert (len(stereo), len(mono)) == (2, 1)
    np.testing.assert_allclose((stereo**2).sum(axis=0), mono[0] ** 2, atol=1e-5)  # constant power
    differences = []
    for seconds in (0.5, 1.0, 2.0, 3.0, 3.5):
        window = slice(round((seconds - 0.05) * RATE), round((seconds + 0.05) * RATE))
        left, right = stereo[:, window].std(axis=1)
        place = 2 * (0.05 + 0.9 * seconds / 4) - 1
        angle = (1 + 0.7 * (place if left_to_right else -place)) * np.pi / 4
        assert 20 * np.log10(right / left) == pytest.approx(20 * np.log10(np.tan(angle)), abs=1)
        differences.append(right / left)
    assert sorted(differences, reverse=not left_to_right) == differences


def test_panning_leaves_the_loudness(folder: Path) -> None:
    write_ball(folder / "a.mp4")
    save(timeline(track(shot())), folder / "cut.otio")
    mixed = score(None, folder, ToneSource(), probe=probe, levels=LevelOptions(pan="motion", lufs=-30.0))
    stereo = channels(mixed.scored[0].takes[0].path).astype(np.float32)
    powers = [10 ** (loudness / 10) for each in stereo if (loudness := integrated_loudness([each], RATE)) is not None]
    assert 10 * np.log10(sum(powers)) == pytest.approx(-30, abs=0.3)  # BS.1770 adds the channels' powers
    (ours,) = our_clips(mixed.timeline)
    assert ours.metadata["v2s"]["mix"]["pan"] == "motion"
