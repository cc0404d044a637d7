import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from v2s_engine.corpus.recordings import Material, Recording
from v2s_engine.envelope import measure_envelope
from v2s_engine.errors import CancelledError, OutputError, UsageError
from v2s_engine.evaluate.follow import shaped_noise
from v2s_engine.evaluate.sounds.confusion import Confusion
from v2s_engine.evaluate.sounds.judge import FEATURES, Judge
from v2s_engine.evaluate.sounds.judge_file import open_judge
from v2s_engine.evaluate.sounds.judge_training import JudgeTraining, source_name, train_judge
from v2s_engine.evaluate.sounds.windows import NONE, Samples, WindowSource
from v2s_engine.progress import Progress

SMALL = JudgeTraining(networks=1, windows=3, passes=1, batch=8, paintings=1, folds=2)
TIME = np.arange(24_000) / 16_000


def tone(number: int) -> Samples:
    """A steady chord with a little vibrato; not noise, not a click."""
    pitch = 300 + 20 * number
    return (0.1 * sum(np.sin(2 * np.pi * pitch * k * TIME + np.sin(5 * TIME)) for k in (1, 2, 3))).astype(np.float32)


def click(number: int) -> Samples:
    """Short bursts, four a second."""
    noise = np.random.default_rng(number).standard_normal(24_000)
    return (0.3 * noise * np.exp(-200 * (TIME % 0.25))).astype(np.float32)


def recordings(count: int, begin: int = 0) -> Mapping[str, list[Recording]]:
    def recording(name: str, number: int, samples: Samples) -> Recording:
        file = f"{name}/{chr(97 + number)}{name}.wav"
        return Recording(Material(file, name, 1.5, "CC0", "", f"{name}{number}"), samples)

    numbers = range(begin, begin + count)
    return {
        "dog": [recording("dog", number, tone(number)) for number in numbers],
        "drum": [recording("drum", number, click(number)) for number in numbers],
    }


@pytest.fixture(scope="module")
def judge() -> Judge:
    source = WindowSource({}, {"dog": [tone(n) for n in range(4)], "drum": [click(n) for n in range(4)]})
    return train_judge(source, JudgeTraining(networks=2, windows=40, passes=8, batch=20, seed=3))


def test_it_knows_sounds_that_it_never_heard(judge: Judge) -> None:
    assert [judge.verdict(tone(number)) for number in (5, 6)] == ["dog", "dog"]
    assert [judge.verdict(click(number)) for number in (5, 6)] == ["drum", "drum"]


def test_noise_with_the_right_envelope_is_none(judge: Judge) -> None:
    assert judge.verdict(shaped_noise(measure_envelope(tone(7)), 1)) == NONE


def test_level_does_not_matter(judge: Judge) -> None:
    loud, quiet = judge.classify(tone(8)), judge.classify(tone(8) / 16)
    assert loud == pytest.approx(quiet, abs=1e-4)
    assert sum(loud.values()) == pytest.approx(1)


def test_silence_is_none_and_has_no_features(judge: Judge) -> None:
    silence = np.zeros(64_000, np.float32)
    assert judge.classify(silence) == {"dog": 0, "drum": 0, NONE: 1}
    assert judge.features(silence).shape == (0, FEATURES)


def test_a_short_sound_is_judged_in_one_window(judge: Judge) -> None:
    assert judge.features(tone(0)[:3000]).shape == (1, FEATURES)
    with pytest.raises(UsageError, match="one sound"):
        judge.classify(np.zeros((2, 16_000), np.float32))


def test_the_same_seed_trains_the_same_judge() -> None:
    source = WindowSource({}, {"dog": [tone(0)], "drum": [click(0)]})
    options = replace(SMALL, windows=8)
    first, again, other = (train_judge(source, each) for each in (options, options, replace(options, seed=1)))
    assert first.classify(tone(1)) == again.classify(tone(1))
    assert first.classify(tone(1)) != other.classify(tone(1))


def test_a_judge_is_kept_and_told_apart_from_one_of_other_recordings(tmp_path: Path) -> None:
    path = tmp_path / "kept" / "judge.pt"
    held, unheard = recordings(3), recordings(2, begin=10)
    first = open_judge(path, held, unheard, SMALL)
    again = open_judge(path, held, unheard, SMALL)
    assert again.judge.classify(tone(1)) == first.judge.classify(tone(1))
    assert again.held == first.held
    assert again.held.number("dog") == 3
    assert again.unheard.number("drum") == 2
    assert again.really_judges("dog")
    assert not again.really_judges("printer")
    assert len(again.judge.classes) == 11
    with pytest.raises(UsageError, match="other recordings or with other options; remove it"):
        open_judge(path, recordings(2), unheard, SMALL)
    with pytest.raises(UsageError, match="other recordings or with other options"):
        open_judge(path, held, unheard, replace(SMALL, seed=1))


def test_a_file_that_is_no_judge_is_said(tmp_path: Path) -> None:
    path = tmp_path / "judge.pt"
    path.write_bytes(b"RIFF")
    with pytest.raises(UsageError, match="is no judge"):
        open_judge(path, recordings(2), recordings(2), SMALL)
    torch.save({"weights": []}, path)
    with pytest.raises(UsageError, match="is no judge"):
        open_judge(path, recordings(2), recordings(2), SMALL)


def test_a_judge_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write the judge"):
        open_judge(tmp_path / "file" / "judge.pt", recordings(2), recordings(2), SMALL)


def test_training_stops_when_asked(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(CancelledError):
        open_judge(tmp_path / "judge.pt", recordings(2), recordings(2), SMALL, Progress(cancel=stop))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("dog/dogblocks_ft_12.ogg", "dog/dogblocks_ft"),
        ("baby/esc10_1-211527-b.ogg", "baby/esc10_1-211527"),
        ("snoring/snoring.flac", "snoring/snoring"),
        ("rail/train.v2.ogg", "rail/train.v"),
    ],
)
def test_files_of_one_recording_share_a_source(file: str, source: str) -> None:
    assert source_name(file) == source


def test_a_class_with_many_recordings_counts_no_more_than_one_with_few() -> None:
    found = Confusion.of([("dog", "dog")] * 8 + [("rail", "dog"), ("rail", "rail")])
    assert found.overall == pytest.approx(0.9)
    assert found.balanced == pytest.approx(0.75)
    assert found.share("rail") == 0.5
    assert found.share("cat") is None
    assert found.only(["rail"]).overall == 0.5
    assert Confusion({}).overall is None
