"""A plain folder of recordings of one sound."""

from pathlib import Path

import numpy as np
import pytest

from tests.recorded import record, steps
from v2s_engine.corpus.own_recordings import QUIET_DBFS, RAISED_DBFS, read_own_recordings
from v2s_engine.envelope import measure_envelope
from v2s_engine.errors import UsageError

SECOND = 16_000


def own(folder: Path, files: int = 6, seconds: float = 4.0) -> Path:
    for seed in range(files):
        record(folder / f"{seed}.wav", steps(seconds, 16_000, seed), 16_000)
    return folder


def test_any_format_rate_and_depth_of_folders(tmp_path: Path) -> None:
    record(tmp_path / "a.wav", steps(5, 44_100, 1), 44_100, channels=2)
    record(tmp_path / "b.flac", steps(5, 22_050, 2), 22_050)
    record(tmp_path / "deep" / "er" / "c.ogg", steps(5, 24_000, 3), 24_000, channels=2)
    found = read_own_recordings(tmp_path, "footsteps")
    assert {each.file for each in found.material} == {"a.wav", "b.flac", "deep/er/c.ogg"}
    assert {each.material.sound_class for each in (*found.training, *found.held)} == {"footsteps"}
    assert found.recorded_length == pytest.approx(15 * SECOND, abs=SECOND // 10)
    assert found.training_length + found.held_length == found.sounding_length
    assert found.gain_db == 0


def test_unusable_files_are_left_out_with_the_reason(tmp_path: Path) -> None:
    own(tmp_path)
    record(tmp_path / "silent.wav", np.zeros(SECOND, np.float32), SECOND)
    record(tmp_path / "short.wav", steps(0.05, SECOND, 9), SECOND)
    (tmp_path / "copy.wav").write_bytes((tmp_path / "0.wav").read_bytes())
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    (tmp_path / "notes.txt").write_text("recorded in the hall\n" * 20)
    (tmp_path / ".hidden").write_bytes(b"no sound")
    reasons = dict(read_own_recordings(tmp_path, "footsteps").left_out)
    assert set(reasons) == {"silent.wav", "short.wav", "copy.wav", "broken.wav", "notes.txt"}
    assert "silent throughout" in reasons["silent.wav"]
    assert "0.050 s long" in reasons["short.wav"]
    assert "cannot be decoded" in reasons["broken.wav"]
    assert reasons["copy.wav"] == "the same as 0.wav"


@pytest.mark.parametrize("seconds", [0, 2])
def test_too_little_sound_is_refused(tmp_path: Path, seconds: int) -> None:
    if seconds:
        record(tmp_path / "a.wav", steps(seconds, SECOND, 0), SECOND)
        (tmp_path / "broken.wav").write_bytes(b"RIFF")
    with pytest.raises(UsageError, match=r"at least 10 s are wanted.*record more") as refused:
        read_own_recordings(tmp_path, "footsteps")
    assert ("broken.wav" in str(refused.value)) == bool(seconds)


def test_no_folder_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no folder"):
        read_own_recordings(tmp_path / "none", "footsteps")


def test_whole_files_are_held_back_where_there_are_enough(tmp_path: Path) -> None:
    found = read_own_recordings(own(tmp_path, files=8), "footsteps")
    trained, held = ({each.material.sha256 for each in part} for part in (found.training, found.held))
    assert held
    assert not trained & held
    assert 0.1 <= found.held_length / found.sounding_length <= 0.2
    assert found.held_from == f"{len(held)} of 8 files"
    assert {each.sha256 for each in found.material} == trained


def test_of_one_file_the_end_is_held_back(tmp_path: Path) -> None:
    record(tmp_path / "walk.flac", steps(40, SECOND, 0), SECOND)
    found = read_own_recordings(tmp_path, "footsteps")
    assert found.held_from == "the end of walk.flac"
    assert found.held_length == found.sounding_length // 10
    whole = read_own_recordings(tmp_path, "footsteps").training
    assert all(np.array_equal(one.samples, other.samples) for one, other in zip(found.training, whole, strict=True))
    assert found.held[-1].material.file.startswith("walk.flac from 3")


def test_hours_are_thinned_out_evenly(tmp_path: Path) -> None:
    own(tmp_path, files=12)
    most = 20 * SECOND
    found = read_own_recordings(tmp_path, "footsteps", most=most)
    assert most // 2 - 4 * SECOND <= found.training_length + found.held_length <= most
    assert found.sounding_length > 40 * SECOND
    files = {each.material.file.split(" ")[0] for each in (*found.training, *found.held)}
    assert any(name > "6" for name in files)
    assert any(name < "2" for name in files)


def test_quiet_recordings_are_raised_together(tmp_path: Path) -> None:
    for seed, level in enumerate((0.01, 0.005, 0.01)):
        record(tmp_path / f"{seed}.flac", level * steps(5, SECOND, seed), SECOND)
    with pytest.raises(UsageError, match="at least 10 s are wanted"):
        read_own_recordings(tmp_path, "footsteps")
    for seed, level in enumerate((0.1, 0.05, 0.1)):
        record(tmp_path / f"{seed}.flac", level * steps(5, SECOND, seed), SECOND)
    found = read_own_recordings(tmp_path, "footsteps")
    loudest = max(measure_envelope(each.samples).loudness.max() for each in (*found.training, *found.held))
    assert found.gain_db > RAISED_DBFS - QUIET_DBFS
    assert loudest == pytest.approx(RAISED_DBFS, abs=0.1)


def test_what_the_training_left_is_no_recording(tmp_path: Path) -> None:
    own(tmp_path)
    record(tmp_path / "out" / "previews" / "000010_footsteps.wav", steps(4, SECOND, 50), SECOND)
    found = read_own_recordings(tmp_path, "footsteps", besides=tmp_path / "out")
    assert not any("previews" in each.file for each in found.material)
    assert found.recorded_length == 6 * 4 * SECOND
