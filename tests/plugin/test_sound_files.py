"""WAV files: exactly as long as the clip, never clipped, and never another content under a name."""

import hashlib
import wave
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.plugin.cuts import clip, fake_probe, names_in, options, span, timeline, track
from v2s_engine.audio import read_sound
from v2s_plugin.planning.clip_job import ClipJob
from v2s_plugin.planning.jobs import plan
from v2s_plugin.sounding.sound_files import SoundFolder


@pytest.fixture
def job(tmp_path: Path) -> ClipJob:
    (tmp_path / "a.mp4").touch()
    cut = timeline(track(clip("Shot #1 – Größe.mov", "a.mp4", source=span(0, 30, 29.97))))
    return plan(cut, tmp_path, options(sound="dog"), probe=fake_probe).jobs[0]


def sound(job: ClipJob, level: float, at: int = 8_000) -> NDArray[np.float32]:
    samples = np.zeros(job.length, np.float32)
    samples[at : at + 400] = level * np.hanning(400) * np.cos(np.arange(-200, 200) / 9)
    return samples


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_a_file_is_mono_24_bit_and_exactly_as_long_as_its_clip(tmp_path: Path, job: ClipJob, rate: int) -> None:
    take = SoundFolder(tmp_path / "m", rate).deliver([job], 1, sound(job, 0.5))[0]
    with wave.open(str(take.path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 3, rate)
        assert file.getnframes() == take.length == job.delivered_length(rate)
    assert abs(take.length - rate * Fraction(1001, 1000)) < 1


def test_lengths_follow_the_place_and_the_sound_does_not(tmp_path: Path, job: ClipJob) -> None:
    folder = SoundFolder(tmp_path / "m", 48_000)
    one_frame = Fraction(1001, 30000)
    takes = []
    for i in range(5):
        moved = replace(job, timeline_start=i * one_frame, timeline_end=i * one_frame + 7 * one_frame)
        takes.append(folder.deliver([moved], 1, sound(job, 0.5, at=1_000))[0])
    assert {take.length for take in takes} == {11_211, 11_212}
    read = [read_sound(take.path, 48_000)[:11_000] for take in takes]
    for other in read[1:]:
        np.testing.assert_allclose(other, read[0], atol=1e-6)


def test_names_are_plain_and_say_what_is_in_the_file(tmp_path: Path, job: ClipJob) -> None:
    take = SoundFolder(tmp_path / "m", 48_000).deliver([job], 2, sound(job, 0.5))[0]
    digest = hashlib.sha256(take.path.read_bytes()).hexdigest()
    assert take.sha256 == digest
    assert take.path.name == f"Shot_1_Gr_e_dog_take2_{digest[:10]}.wav"
    long = replace(job, label="x" * 300 + ".mov")
    assert len(SoundFolder(tmp_path / "m", 48_000).deliver([long], 1, sound(job, 0.5))[0].path.name) < 100
    nameless = replace(job, label="雪")
    assert (
        SoundFolder(tmp_path / "m", 48_000).deliver([nameless], 1, sound(job, 0.5))[0].path.name.startswith("clip_dog_")
    )


def test_the_same_sound_is_one_file_and_another_sound_another(tmp_path: Path, job: ClipJob) -> None:
    folder = SoundFolder(tmp_path / "m", 48_000)
    first = folder.deliver([job], 1, sound(job, 0.5))[0]
    written = first.path.stat().st_mtime_ns
    assert folder.deliver([job], 1, sound(job, 0.5))[0].path == first.path
    assert first.path.stat().st_mtime_ns == written
    assert folder.deliver([job], 1, sound(job, 0.4))[0].path != first.path
    assert len(names_in(folder.path)) == 2


def test_a_file_that_somebody_changed_is_not_overwritten(tmp_path: Path, job: ClipJob) -> None:
    folder = SoundFolder(tmp_path / "m", 48_000)
    first = folder.deliver([job], 1, sound(job, 0.5))[0]
    first.path.write_bytes(b"edited elsewhere")
    again = folder.deliver([job], 1, sound(job, 0.5))[0]
    assert first.path.read_bytes() == b"edited elsewhere"
    assert again.path != first.path
    assert again.sha256 == first.sha256


@pytest.mark.parametrize("level", [0.0, 0.01, 0.5, 0.88])
def test_levels_are_never_touched_below_the_limit(tmp_path: Path, job: ClipJob, level: float) -> None:
    take = SoundFolder(tmp_path / "m", 48_000).deliver([job], 1, sound(job, level))[0]
    assert take.gain_db == 0
    assert abs(read_sound(take.path, 48_000)).max() == pytest.approx(level, rel=0.02, abs=1e-6)


@pytest.mark.parametrize("level", [0.95, 1.0, 1.7, 4.0])
def test_a_take_that_would_clip_is_turned_down_as_a_whole(tmp_path: Path, job: ClipJob, level: float) -> None:
    samples = sound(job, level) + sound(job, 0.1, at=2_000)
    take = SoundFolder(tmp_path / "m", 48_000).deliver([job], 1, samples)[0]
    read = read_sound(take.path, 48_000)
    gain = 10 ** (take.gain_db / 20)
    assert take.gain_db < 0
    assert 10 ** (-1.02 / 20) < abs(read).max() <= 10 ** (-1 / 20)
    quiet = read[5_900:7_300]
    assert abs(quiet).max() == pytest.approx(0.1 * gain, rel=0.02)


def test_a_take_is_used_again_only_where_it_serves(tmp_path: Path, job: ClipJob) -> None:
    folder = SoundFolder(tmp_path / "m", 48_000)
    take = folder.deliver([job], 1, sound(job, 0.5))[0]
    assert folder.reuse(job, take) == replace(take, reused=True)
    half = Fraction(1, 2) * Fraction(1001, 30000)
    longer = replace(job, timeline_end=job.timeline_end + half)
    assert folder.reuse(longer, take) is None
    assert SoundFolder(tmp_path / "m", 96_000).reuse(job, take) is None
    assert folder.reuse(job, replace(take, path=tmp_path / "gone.wav")) is None
    take.path.write_bytes(take.path.read_bytes()[:-1] + b"\x01")
    assert folder.reuse(job, take) is None


def test_a_take_from_another_folder_is_copied(tmp_path: Path, job: ClipJob) -> None:
    take = SoundFolder(tmp_path / "old", 48_000).deliver([job], 1, sound(job, 0.5))[0]
    copied = SoundFolder(tmp_path / "new", 48_000).reuse(job, take)
    assert copied is not None
    assert copied.path == tmp_path / "new" / take.path.name
    assert copied.path.read_bytes() == take.path.read_bytes()
