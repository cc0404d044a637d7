"""Training the judge, and how good it is: on recordings of sources that it was not trained on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from v2s_engine.corpus.recordings import Recording
from v2s_engine.evaluate.sounds.confusion import Confusion
from v2s_engine.evaluate.sounds.judge import Judge, JudgeNetwork, judge_input
from v2s_engine.evaluate.sounds.log_mel import BANDS
from v2s_engine.evaluate.sounds.paintings import PAINTINGS, paint_sound
from v2s_engine.evaluate.sounds.windows import Samples, WindowSource
from v2s_engine.grid import SAMPLE_RATE
from v2s_engine.progress import Progress


@dataclass(frozen=True)
class JudgeTraining:
    """How a judge is trained."""

    networks: int = 4
    windows: int = 500
    """Per class and network."""
    passes: int = 10
    batch: int = 64
    learning_rate: float = 3e-3
    paintings: int = 150
    """Painted sounds of 2 s per class; windows are cut from them over and over, each another way."""
    folds: int = 3
    """For the accuracy on the recordings that it is trained on: parts of their sources, each left out once."""
    seed: int = 0


Recordings = Mapping[str, Sequence[Recording]]
"""Recordings by class."""


def window_source(recordings: Recordings, options: JudgeTraining) -> WindowSource:
    """The recordings, and painted sounds of all ten classes."""
    painted = {
        name: [
            paint_sound(name, np.random.default_rng([options.seed, 1, index, number]), 2 * SAMPLE_RATE)
            for number in range(options.paintings)
        ]
        for index, name in enumerate(PAINTINGS)
    }
    return WindowSource({name: [each.samples for each in group] for name, group in recordings.items()}, painted)


def train_judge(source: WindowSource, options: JudgeTraining, progress: Progress | None = None) -> Judge:
    """Train a judge; the same source and options give the same judge on the same machine.

    Raises `CancelledError` where `progress` is stopped.
    """
    progress = progress or Progress()
    networks = []
    for number in range(options.networks):
        draw = np.random.default_rng([options.seed, 2, number])
        networks.append(_train_network(source, options, draw, progress))
    return Judge(source.classes, tuple(networks))


def judge_recordings(judge: Judge, recordings: Recordings) -> Confusion:
    """What a judge says of recordings that it was not trained on, one verdict each."""
    return Confusion.of((name, judge.verdict(each.samples)) for name, group in recordings.items() for each in group)


def cross_validate(
    recordings: Recordings, source: WindowSource, options: JudgeTraining, progress: Progress | None = None
) -> Confusion:
    """Accuracy on the recordings that the judge is trained on, each judged by a judge that heard none of its source.

    Sources are shared out over the folds class by class. Judges of one network: the whole ensemble is not worse. A
    class with one source has paintings alone where it is left out.
    """
    folds: dict[str, int] = {}
    for group in recordings.values():
        for number, name in enumerate(dict.fromkeys(source_name(each.material.file) for each in group)):
            folds[name] = number % options.folds
    found: list[tuple[str, str]] = []
    for fold in range(options.folds):
        left = {
            name: [each for each in group if folds[source_name(each.material.file)] != fold]
            for name, group in recordings.items()
        }
        kept = {name: [each.samples for each in group] for name, group in left.items() if group}
        judge = train_judge(replace(source, recorded=kept), replace(options, networks=1), progress)
        found += [
            (name, judge.verdict(each.samples))
            for name, group in recordings.items()
            for each in group
            if folds[source_name(each.material.file)] == fold
        ]
    return Confusion.of(found)


def source_name(file: str) -> str:
    """What files cut from one recording share: the name without a last letter or number, `dogs_2.ogg` -> `dogs`."""
    stem = file.rsplit(".", 1)[0]
    return re.sub(r"([-_][a-z]|[-_]?\d+)$", "", stem)


def _train_network(
    source: WindowSource, options: JudgeTraining, draw: np.random.Generator, progress: Progress
) -> JudgeNetwork:
    classes = source.classes
    inputs = torch.cat([_inputs(source, name, options.windows, draw, progress) for name in classes])
    targets = torch.arange(len(classes)).repeat_interleave(options.windows)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(draw.integers(2**31)))
        network = JudgeNetwork(len(classes))
        steps = options.passes * (len(inputs) // options.batch)
        optimiser = torch.optim.AdamW(network.parameters(), lr=options.learning_rate, weight_decay=0.02)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, options.learning_rate, total_steps=steps)
        loss_of = nn.CrossEntropyLoss(label_smoothing=0.1)
        for number in range(options.passes):
            progress.step("training the judge", number, options.passes)
            order = torch.randperm(len(inputs))
            for batch in order[: len(order) // options.batch * options.batch].view(-1, options.batch):
                masked = _masked(inputs[batch].float(), draw)
                optimiser.zero_grad()
                loss_of(network(masked), targets[batch]).backward()
                optimiser.step()
                schedule.step()
    return network.eval()


def _inputs(source: WindowSource, name: str, count: int, draw: np.random.Generator, progress: Progress) -> Tensor:
    """What the network is shown of one class, `[count, 100, 64]` in half precision."""
    parts = []
    for begin in range(0, count, 100):
        progress.step(f"the judge hears {name}", begin, count)
        windows: list[Samples] = [source.window(name, draw) for _ in range(min(100, count - begin))]
        parts.append(judge_input(np.stack(windows)).half())
    return torch.cat(parts)


def _masked(windows: Tensor, draw: np.random.Generator) -> Tensor:
    """SpecAugment (Park and others, 2019): a band of frequencies and a stretch of time of each window go missing."""
    for window in windows:
        low, wide = int(draw.integers(BANDS)), int(draw.integers(14))
        window[:, low : low + wide] = -1
        begin, lasting = int(draw.integers(window.shape[0])), int(draw.integers(25))
        window[begin : begin + lasting] = -1
    return windows
