"""From files to figures, with an encoder that counts what it is asked."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.engine.evaluate.seeing import THINGS, config_of, shown_clip
from tests.engine.evaluate.test_methods import write_model
from tests.media import make_clip
from v2s_engine.errors import UsageError
from v2s_engine.evaluate.alignment import Movement
from v2s_engine.evaluate.measuring import LONGEST_SOUND, MeasureOptions
from v2s_engine.evaluate.session import EvaluationOptions, evaluate_methods, movements_of
from v2s_engine.options import VisualConfig
from v2s_engine.progress import Progress
from v2s_engine.vision.feature_cache import FeatureMaker


class Looker:
    """Features that are noise; says which files it was asked to look at."""

    def __init__(self, size: int) -> None:
        self.feature_size = size
        self.digest = f"noise {size}"
        self.seen: list[str] = []

    def features(self, path: Path, times: Sequence[Fraction], progress: Progress | None = None) -> NDArray[np.float32]:
        self.seen.append(path.name)
        return np.random.default_rng(len(path.name)).random((len(times), self.feature_size)).astype(np.float32)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("clips")
    rows = ["file,category,split"]
    for category in ("dog", "drum"):
        for split in ("train", "test"):
            for number in range(2):
                name = f"{category}_{split}_{number}.mp4"
                make_clip(folder / name, frames=12, flashes=(3,))
                rows.append(f"{name},{category},{split}")
    make_clip(folder / "mute.mp4", frames=12, sound=False)
    make_clip(folder / "silent.mp4", frames=12)
    (folder / "text.mp4").write_text("no video at all")
    rows += [f"{name}.mp4,dog,test" for name in ("mute", "silent", "text", "missing")]
    (folder / "clips.csv").write_text("\n".join(rows) + "\n")
    return folder / "clips.csv"


def options(data: Path, folder: Path, checkpoints: Sequence[Path]) -> EvaluationOptions:
    measures = MeasureOptions(retrieval_clips=3, retrieval_length=1_024, generate=2)
    return EvaluationOptions(tuple(checkpoints), data, folder / "cache", measures=measures)


def test_all_conditionings_on_one_index(data: Path, tmp_path: Path) -> None:
    paths = [
        write_model(tmp_path / f"{name}.ckpt", config_of(name)) for name in ("frame", "sequence", "flow", "envelope")
    ]
    opened: list[Looker] = []

    def open_encoder(visual: VisualConfig) -> FeatureMaker:
        opened.append(Looker(visual.feature_size))
        return opened[-1]

    given = options(data, tmp_path, paths)
    result = evaluate_methods(given, open_encoder=open_encoder)
    assert [method.name for method in result.methods] == ["frame", "sequence", "flow", "envelope"]
    assert result.clips == {"train": 4, "test": 4}
    assert {name: bool(reason) for name, reason in result.left_out} == dict.fromkeys(
        ("missing.mp4", "mute.mp4", "silent.mp4", "text.mp4"), True
    )
    assert len(opened) == 2  # frame and sequence see the same way
    assert sorted(opened[0].seen) == sorted(set(opened[0].seen))  # and look once
    for method in result.methods:
        assert [cell.nats.n for cell in method.cross_entropy] == [4, 4]
        assert method.retrieval is not None
        assert method.generated is not None
        assert (method.retrieval.n, method.generated.n) == (3, 2)
    assert any("told the loudness" in note for note in result.methods[3].notes)
    assert all("after " in method.notes[0] and method.notes[0].startswith(str(tmp_path)) for method in result.methods)
    assert (
        evaluate_methods(given, open_encoder=lambda visual: Looker(visual.feature_size)).to_json() == result.to_json()
    )


def test_fewer_clips_where_asked(data: Path, tmp_path: Path) -> None:
    given = options(data, tmp_path, [write_model(tmp_path / "a.ckpt", config_of("frame"))])
    few = replace(given, clips=2, measures=MeasureOptions(retrieval_clips=0, generate=0))
    result = evaluate_methods(few, open_encoder=lambda visual: Looker(THINGS))
    assert result.clips["train"] == 2
    with pytest.raises(UsageError, match="at least 1 clip"):
        evaluate_methods(replace(given, clips=0))


def test_other_weights_than_in_the_training_are_refused_before_clips_are_looked_at(data: Path, tmp_path: Path) -> None:
    trained = write_model(tmp_path / "a.ckpt", config_of("frame"), encoder_digest="noise 5")
    looker = Looker(THINGS)
    with pytest.raises(UsageError, match=r"noise 5.*noise 4"):
        evaluate_methods(options(data, tmp_path, [trained]), open_encoder=lambda visual: looker)
    assert looker.seen == []


def test_a_model_of_other_categories_is_refused(data: Path, tmp_path: Path) -> None:
    cat = write_model(tmp_path / "a.ckpt", config_of("frame", ("cat",)))
    with pytest.raises(UsageError, match="sounds cat; the clips are of: dog, drum"):
        evaluate_methods(options(data, tmp_path, [cat]), open_encoder=lambda visual: Looker(THINGS))


def test_a_model_of_one_of_the_categories_is_measured_on_that_one(data: Path, tmp_path: Path) -> None:
    dog = write_model(tmp_path / "a.ckpt", config_of("frame", ("dog",)))
    result = evaluate_methods(options(data, tmp_path, [dog]), open_encoder=lambda visual: Looker(THINGS))
    assert [cell.nats.n for cell in result.methods[0].cross_entropy] == [2, 2]
    assert all("its category 'drum'" in reason for _, reason in result.methods[0].left_out)


def test_movement_is_measured_while_a_sound_is_made_and_no_longer() -> None:
    """Of an hour of film the first 10 s are used."""
    long = replace(shown_clip([0], name="long"), length=3_600 * 16_000)
    asked: list[int] = []

    def measure(path: Path, length: int, begin: Fraction) -> Movement:
        asked.append(length)
        return Movement(np.zeros(1), 640)

    movements_of([long, shown_clip([0, 1], name="short")], measure)("long")
    movements_of([long, shown_clip([0, 1], name="short")], measure)("short")
    assert asked == [LONGEST_SOUND, 2_048]


def test_no_clip_for_testing_is_wrong_use(data: Path, tmp_path: Path) -> None:
    checkpoint = write_model(tmp_path / "a.ckpt", config_of("frame"))
    only_train = data.with_name("train.csv")
    only_train.write_text("file,category,split\ndog_train_0.mp4,dog,train\n")
    with pytest.raises(UsageError, match="no clips for testing"):
        evaluate_methods(options(only_train, tmp_path, [checkpoint]))
    unusable = data.with_name("unusable.csv")
    unusable.write_text("file,category,split\nmute.mp4,dog,test\n")
    with pytest.raises(UsageError, match=r"no clip for testing .* mute\.mp4"):
        evaluate_methods(options(unusable, tmp_path, [checkpoint]), open_encoder=lambda visual: Looker(THINGS))
