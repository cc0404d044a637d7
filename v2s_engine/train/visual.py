"""Trains the networks that look at clips, from scratch, to tell a clip's category: what `v2s train-visual` runs.

    train_visual(read_clips(index).clips, VisualTrainOptions(output, VisualConfig("small", 64, 128)))

As the two-stream networks were trained (Simonyan & Zisserman 2014): each stream by itself, by cross entropy on single
pictures or single stacks of flow from anywhere in a clip, mirrored half of the time. The softmax layer is thrown away;
the layer before it gives the features. Where VGG19's published weights can be had, they are the better start.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from v2s_engine.corpus.clips import Clip
from v2s_engine.errors import OutputError, UsageError
from v2s_engine.options import VisualConfig
from v2s_engine.progress import Progress
from v2s_engine.train.looks import FlowLooks, Looks, PictureLooks
from v2s_engine.train.visual_data import SeenClip, mirrored_picture, mirrored_stack, see_clips
from v2s_engine.vision.flow import one_thread, open_flow
from v2s_engine.vision.motion_network import MotionNetwork, open_motion_network
from v2s_engine.vision.network_weights import DEFAULT, write_weights
from v2s_engine.vision.picture_network import PictureNetwork, open_picture_network

Stream = Literal["picture", "motion"]
"""What looks: the network on single pictures, or the one on flow."""

VIEWS = 5
"""Evenly spread pictures of a held-out clip whose votes decide its category."""

LOG = "log.jsonl"


@dataclass(frozen=True)
class VisualTrainOptions:
    """What to train and how long. Raises `UsageError` for values that cannot work."""

    output: Path
    """Folder for `picture.safetensors`, `motion.safetensors` and the log."""
    visual: VisualConfig
    streams: tuple[Stream, ...] = ("picture",)
    passes: int = 20
    """How often each clip is seen `looks` times."""
    looks: int = 4
    """Pictures, or stacks, of each clip and pass."""
    batch: int = 16
    learning_rate: float = 1e-3
    """Adam's, at its highest."""
    seed: int = 0
    device: str = "cpu"
    """As PyTorch names it."""
    workers: int = 2
    """Threads that read clips."""
    memory: int = 2**30
    """Bytes that what is seen of the clips may take; where all of it does not fit, it is read at each look."""
    flow_weights: str = DEFAULT
    """Of RAFT: `default`, a file, or `random[:SEED]`; DIS has none."""

    def __post_init__(self) -> None:
        for name in ("passes", "looks", "batch", "workers"):
            if getattr(self, name) < 1:
                raise UsageError(f"VisualTrainOptions.{name} must be at least 1; got {getattr(self, name)}")
        if self.memory < 0:
            raise UsageError(f"VisualTrainOptions.memory must be at least 0 bytes; got {self.memory}")
        if not self.streams or set(self.streams) - set(get_args(Stream)):
            raise UsageError(f"VisualTrainOptions.streams wants some of {get_args(Stream)}; got {self.streams}")
        if ("motion" in self.streams) != (self.visual.motion_features > 0):
            raise UsageError(
                "VisualConfig.motion_features must be above 0 where the motion network is trained, and 0 where not; "
                f"got {self.visual.motion_features} for {self.streams}"
            )


@dataclass(frozen=True)
class StreamResult:
    """One trained network."""

    weights: Path
    """What `open_picture_network` or `open_motion_network` reads."""
    accuracy: float | None
    """Part of the held-out clips whose category it told; None where no clip is held out."""


@dataclass(frozen=True)
class VisualTrainResult:
    """What a training left behind."""

    streams: dict[Stream, StreamResult]
    categories: tuple[str, ...]
    held: int
    """Clips held out: those whose split is not `train`."""
    left_out: tuple[tuple[str, str], ...]
    """Clips that were not used, with the reason."""


def named_streams(word: str) -> tuple[Stream, ...]:
    """The streams that `picture`, `motion` or `both` means. Raises `UsageError` for another word."""
    known: tuple[Stream, ...] = get_args(Stream)
    if word == "both":
        return known
    for stream in known:
        if word == stream:
            return (stream,)
    raise UsageError(f"unknown stream {word!r}; known: {', '.join(known)}, both")


def visual_config(
    network: str, streams: Sequence[Stream], *, size: int | None, features: int | None, flow: str, flow_stack: int
) -> VisualConfig:
    """What the streams are trained for; the sizes of each network by default. Raises `UsageError`."""
    small = network == "small"
    features = features or (128 if small else 4096)
    return VisualConfig(
        picture_network=network,  # type: ignore[arg-type]  # checked there, as all words
        picture_size=size or (64 if small else 224),
        picture_features=features if small else 4096,
        motion_features=features if "motion" in streams else 0,
        flow_method=flow,  # type: ignore[arg-type]
        flow_stack=flow_stack,
    )


def train_visual(
    clips: Sequence[Clip], options: VisualTrainOptions, progress: Progress | None = None
) -> VisualTrainResult:
    """Train on the clips whose split is `train`; judge on the others, which take no part in any choice.

    Weights are written after every pass, so a stop (`CancelledError`) leaves those of the last whole one. Raises
    `UsageError` for fewer than two categories to learn and `OutputError` where the folder holds weights already.
    """
    progress = progress or Progress()
    categories = tuple(sorted({clip.category for clip in clips}))
    _claim(options)
    seen, left_out = see_clips(clips, categories, progress)
    learnt = [each for each in seen if each.clip.split == "train"]
    held = [each for each in seen if each.clip.split != "train"]
    if len({each.label for each in learnt}) < 2:
        raise UsageError(
            f"a classifier wants clips of at least 2 categories to learn from; got {len(learnt)} of "
            f"{sorted({each.clip.category for each in learnt})} ({len(left_out)} left out)"
        )
    results: dict[Stream, StreamResult] = {}
    with one_thread():
        for stream in options.streams:
            training = _StreamTraining(stream, options, len(categories), _looks(stream, options, seen))
            results[stream] = training.run(learnt, held, progress)
    return VisualTrainResult(results, categories, len(held), tuple(left_out))


class _View(NamedTuple):
    """One picture of a clip."""

    clip: SeenClip
    number: int
    mirrored: bool


class _StreamTraining:
    """One network, a softmax layer on top, and their optimiser."""

    def __init__(self, stream: Stream, options: VisualTrainOptions, classes: int, looks: Looks) -> None:
        self._stream, self._options, self._looks = stream, options, looks
        opened = open_picture_network if stream == "picture" else open_motion_network
        network: PictureNetwork | MotionNetwork = opened(options.visual, f"random:{options.seed}")
        torch.manual_seed(options.seed)
        self._network = network.requires_grad_().to(options.device)
        self._head = nn.Sequential(nn.Dropout(0.5), nn.Linear(network.feature_size, classes)).to(options.device)
        self._parameters = [*self._network.parameters(), *self._head.parameters()]
        self._optimiser = torch.optim.AdamW(self._parameters, options.learning_rate, weight_decay=1e-3)

    def run(self, learnt: Sequence[SeenClip], held: Sequence[SeenClip], progress: Progress) -> StreamResult:
        """All passes; writes weights and a line of the log after each."""
        options = self._options
        weights = _weights_path(options, self._stream)
        steps = -(-len(learnt) * options.looks // options.batch)
        of_stream = options.passes * steps
        before = options.streams.index(self._stream) * of_stream  # steps of the streams trained already
        accuracy: float | None = None
        with ThreadPoolExecutor(options.workers) as pool:
            for number in range(options.passes):
                losses = []
                for step, views in enumerate(self._batches(learnt, number)):
                    done = number * steps + step
                    self._set_rate(done / of_stream)
                    losses.append(self._learn(views, pool))
                    progress.step("train", before + done + 1, len(options.streams) * of_stream, self._stream)
                accuracy = self._accuracy(held, pool)
                write_weights(self._network, weights)
                entry = {"stream": self._stream, "pass": number + 1, "loss_nats": float(np.mean(losses))}
                self._log(entry | {"held_accuracy": accuracy})
        return StreamResult(weights, accuracy)

    def _learn(self, views: Sequence[_View], pool: ThreadPoolExecutor) -> float:
        self._network.train()
        self._head.train()
        labels = torch.tensor([view.clip.label for view in views], device=self._options.device)
        loss = functional.cross_entropy(self._head(self._network(self._given(views, pool))), labels)
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._parameters, 1.0)
        self._optimiser.step()
        return loss.item()

    @torch.inference_mode()
    def _accuracy(self, held: Sequence[SeenClip], pool: ThreadPoolExecutor) -> float | None:
        self._network.eval()
        self._head.eval()
        right = 0
        for clip in held:
            numbers = sorted({(2 * view + 1) * clip.count // (2 * VIEWS) for view in range(VIEWS)})
            given = self._given([_View(clip, number, mirrored=False) for number in numbers], pool)
            votes = self._head(self._network(given)).softmax(dim=1).mean(dim=0)
            right += int(votes.argmax()) == clip.label
        return right / len(held) if held else None

    def _given(self, views: Sequence[_View], pool: ThreadPoolExecutor) -> Tensor:
        """What the network is shown, read by several threads and in the order of the views."""
        return torch.from_numpy(np.stack(list(pool.map(self._shown, views)))).to(self._options.device)

    def _shown(self, view: _View) -> NDArray[Any]:
        shown = self._looks.look(view.clip, view.number)
        if not view.mirrored:
            return shown
        return mirrored_picture(shown) if self._stream == "picture" else mirrored_stack(shown)

    def _batches(self, clips: Sequence[SeenClip], number: int) -> Iterator[list[_View]]:
        """One pass; what it holds follows from the seed and its number alone. No batch of one: batch norms want two."""
        rng = np.random.default_rng((self._options.seed, number))
        views = [
            _View(clips[i], int(rng.integers(clips[i].count)), bool(rng.random() < 0.5))
            for i in rng.permutation(np.repeat(np.arange(len(clips)), self._options.looks)).tolist()
        ]
        for begin in range(0, len(views), self._options.batch):
            batch = views[begin : begin + self._options.batch]
            yield batch if len(batch) > 1 else batch * 2

    def _set_rate(self, part: float) -> None:
        """A cosine down to nearly nothing."""
        for group in self._optimiser.param_groups:
            group["lr"] = self._options.learning_rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * part)))

    def _log(self, entry: dict[str, Any]) -> None:
        with (self._options.output / LOG).open("a", encoding="utf-8") as log:
            log.write(json.dumps(entry) + "\n")


def _looks(stream: Stream, options: VisualTrainOptions, clips: Sequence[SeenClip]) -> Looks:
    """What a stream's network is shown. Raises the errors of `open_flow`."""
    visual = options.visual
    if stream == "picture":
        return PictureLooks(clips, visual.picture_size, options.memory)
    flow = open_flow(visual.flow_method, options.flow_weights, options.device)
    return FlowLooks(clips, visual, flow, options.memory)


def _weights_path(options: VisualTrainOptions, stream: Stream) -> Path:
    return options.output / f"{stream}.safetensors"


def _claim(options: VisualTrainOptions) -> None:
    """Make the output folder; what another training left there is not overwritten."""
    try:
        options.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write to {options.output}: {error}; choose another output folder") from error
    for stream in options.streams:
        if (path := _weights_path(options, stream)).exists():
            raise OutputError(f"{path} exists already; delete it, or choose another output folder")
