"""Training the networks that look at clips."""

import json
import threading
from collections.abc import Iterator
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.media import make_sound, write_clip
from v2s_engine.corpus.clips import Clip
from v2s_engine.errors import BundleDamagedError, CancelledError, OutputError, UsageError
from v2s_engine.options import VisualConfig
from v2s_engine.progress import Progress, ProgressEvent
from v2s_engine.train import visual_data
from v2s_engine.train.looks import FlowLooks, PictureLooks
from v2s_engine.train.model_changes import ModelChanges
from v2s_engine.train.presets import preset_config
from v2s_engine.train.visual import VisualTrainOptions, named_streams, train_visual, visual_config
from v2s_engine.train.visual_data import mirrored_picture, mirrored_stack, see_clips
from v2s_engine.video import read_pictures
from v2s_engine.vision.flow import open_flow
from v2s_engine.vision.flow_stack import FlowStacks
from v2s_engine.vision.framing import read_framed
from v2s_engine.vision.motion_network import open_motion_network
from v2s_engine.vision.network_weights import write_weights
from v2s_engine.vision.visual_encoder import open_visual_encoder
from v2s_plugin.cli import main, training

VISUAL = VisualConfig("small", picture_size=32, picture_features=16, motion_features=16, flow_stack=4)
GRID = Fraction(64, 1000)


def film(path: Path, seed: int, category: str, count: int = 16) -> Path:
    """Textured ground with a patch: it jumps up and down in `hop`, stands in `sit`, whose ground is redder."""
    rng = np.random.default_rng(seed)
    ground = np.kron(rng.integers(60, 160, (8, 10, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    patch = np.kron(rng.integers(0, 256, (6, 6, 3)), np.ones((4, 4, 1))).astype(np.uint8)
    if category == "sit":
        ground[..., 0] += 80
    left, pictures = int(rng.integers(8, 40)), []
    for number in range(count):
        picture = ground.copy()
        top = 20 + (round(14 * np.sin(number * 1.3)) if category == "hop" else 0)
        picture[top : top + 24, left : left + 24] = patch
        pictures.append(picture)
    path.parent.mkdir(parents=True, exist_ok=True)
    rate = 1 / GRID
    write_clip(path, pictures, [i * GRID for i in range(count)], rate=rate, options={"qp": "12", "preset": "ultrafast"})
    return path


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    folder = tmp_path_factory.mktemp("films")
    return [
        Clip(
            film(folder / category / f"{i}.mp4", i, category), category, "train" if i < 6 else "test", f"{category}{i}"
        )
        for category in ("hop", "sit")
        for i in range(9)
    ]


def options(output: Path) -> VisualTrainOptions:
    return VisualTrainOptions(output, VISUAL, ("picture", "motion"), passes=8, batch=8)


def test_both_networks_learn_and_their_weights_open(clips: list[Clip], tmp_path: Path) -> None:
    events: list[ProgressEvent] = []
    result = train_visual(clips, options(tmp_path), Progress(events.append))

    steps = [(event.done, event.total) for event in events if event.stage == "train"]
    assert steps == [(done, 96) for done in range(1, 97)]
    assert result.categories == ("hop", "sit")
    assert result.held == 6
    accuracies = {stream: each.accuracy for stream, each in result.streams.items()}
    assert min(value or 0 for value in accuracies.values()) >= 5 / 6, accuracies
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(entry["stream"], entry["pass"]) for entry in log] == [
        (stream, number) for stream in ("picture", "motion") for number in range(1, 9)
    ]
    assert log[7]["loss_nats"] < log[0]["loss_nats"]

    paths = [str(result.streams[stream].weights) for stream in ("picture", "motion")]
    features = open_visual_encoder(VISUAL, *paths).features(clips[0].path, [GRID * i for i in range(4)])
    assert features.shape == (4, 32)
    assert features.any(axis=1).all()


def test_the_same_seed_gives_the_same_training(clips: list[Clip], tmp_path: Path) -> None:
    short = replace(options(tmp_path / "a"), passes=1, looks=1)
    for workers, name in ((1, "a"), (3, "b")):
        train_visual(clips, replace(short, output=tmp_path / name, workers=workers))
    assert (tmp_path / "a" / "log.jsonl").read_text() == (tmp_path / "b" / "log.jsonl").read_text()
    train_visual(clips, replace(short, output=tmp_path / "c", seed=1))
    assert (tmp_path / "a" / "log.jsonl").read_text() != (tmp_path / "c" / "log.jsonl").read_text()


@pytest.mark.parametrize("kept", ["fields", "pictures", "nothing"])
@pytest.mark.parametrize("begin", [None, 2 * GRID])
def test_a_single_look_sees_what_the_whole_clip_shows(clips: list[Clip], begin: Fraction | None, kept: str) -> None:
    clip = replace(clips[0], begin=begin, duration=10 * GRID)
    (seen,), _ = see_clips([clip], ["hop", "sit"], Progress())
    assert (seen.count, seen.label, seen.width, seen.height) == (10, 0, 80, 64)
    times = [(begin or 0) + i * GRID for i in range(10)]
    pictures = list(read_framed(clip.path, times, 32))
    flow, stacks = open_flow("dis"), FlowStacks(4)
    whole = [stack for picture in pictures if (stack := stacks.add(flow.step(picture))) is not None]
    whole += list(stacks.rest())
    memory = {"fields": 10 * 32 * 32 * 8, "pictures": 10 * 32 * 32 * 8 - 1, "nothing": 10 * 32 * 32 * 3 - 1}[kept]
    of_pictures = PictureLooks([seen], 32, memory)
    of_flow = FlowLooks([seen], VISUAL, open_flow("dis"), memory)
    for number in (3, *range(10)):
        assert np.array_equal(of_pictures.look(seen, number), pictures[number])
        assert np.array_equal(of_flow.look(seen, number), whole[number])


def test_what_fits_into_memory_is_read_once(clips: list[Clip], monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Path] = []

    def counted(path: Path, *arguments: Any, **more: Any) -> Iterator[Any]:
        opened.append(path)
        return read_pictures(path, *arguments, **more)

    monkeypatch.setattr(visual_data, "read_pictures", counted)
    seen, _ = see_clips([replace(clips[0], begin=i * GRID, duration=5 * GRID) for i in range(2)], ["hop"], Progress())
    needed = 2 * 5 * 32 * 32
    for memory, wanted in ((needed * 8, 2 + 2), (needed * 3, 2 + 2), (needed * 3 - 1, 10 + 10)):
        opened.clear()
        looks = PictureLooks(seen, 32, memory), FlowLooks(seen, VISUAL, open_flow("dis"), memory)
        for clip in seen:
            for number in range(5):
                for each in looks:
                    each.look(clip, number)
        assert len(opened) == wanted


def test_memory_does_not_show_in_the_training(clips: list[Clip], tmp_path: Path) -> None:
    short = replace(options(tmp_path / "a"), passes=1, looks=2)
    for memory, name in ((2**30, "a"), (6 * 16 * 32 * 32 * 3, "b"), (0, "c")):
        train_visual(clips[::3], replace(short, output=tmp_path / name, memory=memory))
    logs = {(tmp_path / name / "log.jsonl").read_text() for name in "abc"}
    assert len(logs) == 1


def test_models_can_be_told_how_many_fields_the_weights_were_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    visual = visual_config("small", ("motion",), size=32, features=16, flow="dis", flow_stack=4)
    write_weights(open_motion_network(visual, "random"), tmp_path / "motion.safetensors")
    asked: list[Any] = []
    monkeypatch.setattr(training, "run_training", lambda given: asked.append(given) or 0)
    sizes = "--picture-network small --picture-size 32 --picture-features 16 --motion-features 16 --flow-stack 4"
    assert main(["train", "-o", str(tmp_path), "--data", "clips.csv", *sizes.split()]) == 0
    given = {field.name: getattr(asked[0], field.name) for field in fields(ModelChanges)}
    config = ModelChanges(**given).applied(preset_config("paper-flow", ("dog",)))
    assert config.visual is not None
    open_motion_network(config.visual, str(tmp_path / "motion.safetensors"))
    other = replace(config.visual, flow_stack=10)
    with pytest.raises(BundleDamagedError, match=r"features\.0\.weight .* is wanted"):
        open_motion_network(other, str(tmp_path / "motion.safetensors"))


def test_the_mirrored_stack_is_that_of_the_mirrored_clip(clips: list[Clip]) -> None:
    (seen,), _ = see_clips(clips[:1], ["hop"], Progress())
    pictures = list(seen.pictures(range(3, 5), 32))
    meters = open_flow("dis"), open_flow("dis")
    for meter, shown in zip(meters, (pictures, [mirrored_picture(each) for each in pictures]), strict=True):
        meter.step(shown[0])
    field, mirrored = meters[0].step(pictures[1]), meters[1].step(mirrored_picture(pictures[1]))
    expected = mirrored_stack(np.ascontiguousarray(field.transpose(2, 0, 1)))
    assert np.abs(expected).max() > 0.01
    assert np.corrcoef(expected.ravel(), mirrored.transpose(2, 0, 1).ravel())[0, 1] > 0.8


def test_bad_clips_are_left_out_and_listed(clips: list[Clip], tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"nothing")
    bad = [
        Clip(tmp_path / "none.mp4", "hop", "train", "none"),
        Clip(tmp_path / "broken.mp4", "hop", "train", "broken"),
        Clip(make_sound(tmp_path / "sound.wav"), "sit", "train", "sound"),
        replace(clips[0], name="late", begin=Fraction(100)),
    ]
    seen, left_out = see_clips([*bad, clips[0]], ["hop", "sit"], Progress())
    assert [each.clip for each in seen] == [clips[0]]
    assert [name for name, _ in left_out] == ["none", "broken", "sound", "late"]
    assert all(reason for _, reason in left_out)


def test_one_picture_is_enough_to_learn_from(clips: list[Clip], tmp_path: Path) -> None:
    single = [replace(clip, duration=GRID / 2) for clip in clips]
    result = train_visual(single, replace(options(tmp_path), passes=1, looks=1, batch=11))  # 12 views: a batch of one
    assert set(result.streams) == {"picture", "motion"}


def test_what_cannot_be_learnt_is_refused(clips: list[Clip], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least 2 categories"):
        train_visual([clip for clip in clips if clip.category == "hop"], options(tmp_path / "one"))
    with pytest.raises(UsageError, match="motion_features must be above 0"):
        VisualTrainOptions(tmp_path, VisualConfig("small", 32, 16), ("motion",))
    with pytest.raises(UsageError, match="memory must be at least 0"):
        VisualTrainOptions(tmp_path, VisualConfig("small", 32, 16), memory=-1)
    with pytest.raises(UsageError, match="passes must be at least 1"):
        VisualTrainOptions(tmp_path, VisualConfig("small", 32, 16), passes=0)
    (tmp_path / "motion.safetensors").write_bytes(b"another training")
    with pytest.raises(OutputError, match=r"motion\.safetensors exists already"):
        train_visual(clips, options(tmp_path))


def test_a_stop_is_obeyed(clips: list[Clip], tmp_path: Path) -> None:
    stop = threading.Event()
    progress = Progress(lambda event: stop.set() if event.stage == "train" else None, stop)
    with pytest.raises(CancelledError):
        train_visual(clips, options(tmp_path), progress)


def test_sizes_follow_from_the_network() -> None:
    assert named_streams("both") == ("picture", "motion")
    sizes = {"size": None, "features": None, "flow": "dis", "flow_stack": 10}
    assert visual_config("vgg19", ("picture", "motion"), **sizes) == VisualConfig(motion_features=4096)  # type: ignore[arg-type]
    assert visual_config("small", ("picture",), **sizes) == VisualConfig("small", 64, 128)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="picture, motion, both"):
        named_streams("sound")


def test_the_command(clips: list[Clip], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"{clip.path},{clip.category},{clip.split}" for clip in clips] + [f"{tmp_path / 'no.mp4'},hop,train"]
    (tmp_path / "index.csv").write_text("\n".join(["file,category,split", *rows]) + "\n")
    command = ["train-visual", "--data", str(tmp_path / "index.csv"), "-o", str(tmp_path / "out"), "--json"]
    sizes = ["--size", "32", "--features", "8", "--flow-stack", "2", "--passes", "1"]
    assert main([*command, *sizes, "--stream", "both"]) == 0
    answer = capsys.readouterr()
    told = json.loads(answer.out)
    assert set(told["streams"]) == {"picture", "motion"}
    assert told["held"] == 6
    assert "no.mp4" in answer.err
    assert "guessing among 2 categories: 50%" in answer.err
    assert Path(told["streams"]["motion"]["weights"]).is_file()
    assert main([*command, *sizes]) == 1  # there is a training already
    assert main([*command, "--network", "huge"]) == 2
    raft = ["-o", str(tmp_path / "raft"), *sizes, "--stream", "motion", "--flow", "raft", "--memory", "1"]
    assert main([*command, *raft, "--flow-weights", str(tmp_path / "raft.pth")]) == 1
    assert f"no weights at {tmp_path / 'raft.pth'}" in capsys.readouterr().out
