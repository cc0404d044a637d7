"""Trains the timing encoder: pictures and flow in, the envelope of the clip's own sound as the target.

    train_timing(TimingOptions(output=Path("runs/timing"), manifest=Path("media/manifest.csv")))

Two kinds of material: rendered scenes (`v2s_engine.corpus.scenes`) and recorded clips of a manifest that may be
trained on. A clip is thrown in whole or cut to a window, mirrored, recoloured, or stripped of its colours, so that
what counts is how things move. The best weights on held scenes are kept.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from v2s_engine.corpus.footage import RecordedClip, read_manifest
from v2s_engine.envelope import SILENCE_DBFS, Envelope
from v2s_engine.errors import OutputError, UsageError
from v2s_engine.grid import ENVELOPES_PER_FRAME
from v2s_engine.progress import Progress
from v2s_engine.train.timing_data import LookedAt, Scenes, recorded_clip
from v2s_engine.train.timing_scores import compare
from v2s_engine.vision.features import NETWORK_SIZE
from v2s_engine.vision.timing_network import TimingNetwork, write_network

WEIGHTS, CHECKPOINT, LOG, REPORT, CACHE = "encoder.safetensors", "checkpoint.pt", "log.jsonl", "report.json", "cache"
"""What stands in the output folder."""

HELD_SEED = 1_000_000
"""Seeds of held scenes start here; those of training scenes at 0."""

LOUDNESS_UNIT = 20.0
"""dB that count as an error of 1."""

ONSET_WEIGHT = 4.0
"""Onsets are rare: without this, never telling one would be nearly free."""


@dataclass(frozen=True)
class TimingOptions:
    """What to train on and how long. Raises `UsageError` for values that cannot work."""

    output: Path
    """Folder for weights, checkpoint, log, report and the cache of looks."""
    manifest: Path | None = None
    """CSV of recorded clips (`v2s_engine.corpus.footage`); None trains on rendered scenes alone."""
    scenes: int = 1500
    """Rendered scenes to train on, four seconds each."""
    held_scenes: int = 60
    """Rendered scenes that are only for judging."""
    passes: int = 12
    """How often each scene is seen."""
    batch: int = 4
    """Clips per step."""
    window: int = 48
    """Pictures per clip and step."""
    recorded_share: float = 0.1
    """How often a scene's place is taken by a recorded clip, if there are any."""
    learning_rate: float = 2e-3
    seed: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        for name in ("scenes", "held_scenes", "passes", "batch", "window", "threads"):
            if getattr(self, name) < 1:
                raise UsageError(f"TimingOptions.{name} must be at least 1; got {getattr(self, name)}")
        if self.scenes > HELD_SEED or not 0 <= self.recorded_share < 1:
            raise UsageError(
                f"TimingOptions wants at most {HELD_SEED} scenes and a recorded_share in [0, 1); "
                f"got {self.scenes} and {self.recorded_share}"
            )

    @property
    def steps_per_pass(self) -> int:
        """Optimiser steps in which every scene is seen about once."""
        return max(1, self.scenes // self.batch)

    def to_json(self) -> dict[str, Any]:
        """What decides the result, for checkpoints and reports."""
        kept = {name: value for name, value in asdict(self).items() if name not in ("output", "threads")}
        return kept | {"manifest": self.manifest.name if self.manifest else None}


class Batch(NamedTuple):
    """One step's material: B clips, T pictures."""

    features: Tensor
    """`[B, T, 8, 64, 64]`."""
    loudness: Tensor
    """`[B, T, 4]` dBFS."""
    onset: Tensor
    """`[B, T, 4]` in [0, 1]."""
    known: Tensor
    """`[B, T, 1]`: 1 where there is a clip, 0 where a short one was filled up."""


def train_timing(options: TimingOptions, progress: Progress | None = None) -> Path:
    """Train, or go on where a stopped training stands in the output folder; returns the weights' path.

    Writes one line per pass to `log.jsonl` and, at the end, `report.json`: onset F1 and loudness correlation on held
    scenes and on the manifest's test clips, each beside a shuffled control and plain motion energy. The test clips
    take no part in any choice. Raises `OutputError` where the folder holds a training with other options, and
    `CancelledError`; what was finished before is kept.
    """
    progress = progress or Progress()
    torch.set_num_threads(options.threads)
    cache = options.output / CACHE
    footage = read_manifest(options.manifest) if options.manifest else []
    scenes = Scenes(range(options.scenes), cache, progress, "training scenes")
    held = Scenes(range(HELD_SEED, HELD_SEED + options.held_scenes), cache, progress, "held scenes")
    recorded = [recorded_clip(clip, cache) for clip in footage if clip.trainable]
    training = _Training(options, scenes, recorded, held)
    for number in range(training.done, options.passes):
        training.run_pass(number, progress)
    network = training.best_network()
    tested = [recorded_clip(clip, cache) for clip in footage if clip.held]
    report = _report(options, network, held, tested, footage)
    (options.output / REPORT).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    _log(options.output, {"report": report})
    return options.output / WEIGHTS


def make_batch(clips: Sequence[LookedAt], rng: np.random.Generator, window: int, *, augment: bool = True) -> Batch:
    """A random window of each clip, changed so that colours and sides do not matter, if `augment`."""
    features: list[NDArray[np.float32]] = []
    loudness: list[NDArray[np.float32]] = []
    onset: list[NDArray[np.float32]] = []
    known: list[NDArray[np.float32]] = []
    for clip in clips:
        begin = int(rng.integers(0, max(1, len(clip.looks) - window + 1)))
        part = slice(begin, min(begin + window, len(clip.looks)))
        steps = slice(part.start * ENVELOPES_PER_FRAME, part.stop * ENVELOPES_PER_FRAME)
        missing = window - (part.stop - part.start)
        seen = clip.looks[part].network_input()
        if augment:
            seen = _augment(seen, rng)
        features.append(np.pad(seen, ((0, missing), (0, 0), (0, 0), (0, 0))))
        for target, curve in ((loudness, clip.envelope.loudness), (onset, clip.envelope.onset)):
            told = curve[steps].reshape(-1, ENVELOPES_PER_FRAME)
            target.append(np.pad(told, ((0, missing), (0, 0))))
        known.append(np.pad(np.ones((part.stop - part.start, 1), np.float32), ((0, missing), (0, 0))))
    return Batch(*(torch.from_numpy(np.stack(parts)) for parts in (features, loudness, onset, known)))


def timing_loss(network: TimingNetwork, batch: Batch) -> Tensor:
    """Huber loss on loudness (20 dB = 1) plus weighted cross entropy on onsets, mean over what is known."""
    raw_loudness, raw_onset = network.raw(batch.features)
    loudness = SILENCE_DBFS * (1 - torch.sigmoid(raw_loudness))
    apart = functional.smooth_l1_loss(
        loudness / LOUDNESS_UNIT, batch.loudness / LOUDNESS_UNIT, beta=0.25, reduction="none"
    )
    missed = functional.binary_cross_entropy_with_logits(raw_onset, batch.onset, reduction="none")
    weighed = (apart + ONSET_WEIGHT * missed) * batch.known
    return weighed.sum() / (batch.known.sum() * ENVELOPES_PER_FRAME)


@torch.no_grad()
def predict(network: TimingNetwork, clip: LookedAt) -> Envelope:
    """What the network tells of a whole clip."""
    network.eval()
    loudness, onset = network(torch.from_numpy(clip.looks.network_input())[None])
    return Envelope(loudness.reshape(-1).numpy(), onset.reshape(-1).numpy())


class _Training:
    """Weights, optimiser and how far they are."""

    def __init__(
        self,
        options: TimingOptions,
        scenes: Sequence[LookedAt],
        recorded: Sequence[LookedAt],
        held: Sequence[LookedAt],
    ) -> None:
        self._options, self._scenes, self._recorded, self._held = options, scenes, recorded, held
        torch.manual_seed(options.seed)
        self._network = TimingNetwork().to(memory_format=torch.channels_last)  # twice as fast on a CPU
        self._optimiser = torch.optim.AdamW(self._network.parameters(), options.learning_rate, weight_decay=1e-2)
        self._best: dict[str, Tensor] = {}
        self._best_loss = math.inf
        self.done = 0
        """Passes finished."""
        self._resume()

    def run_pass(self, number: int, progress: Progress) -> None:
        """One pass over the scenes, judged on held ones, logged and written down."""
        begun, losses = time.monotonic(), []
        steps = self._options.steps_per_pass
        for step, batch in enumerate(self._batches(number)):
            self._set_rate(number + (step + 1) / steps)
            self._network.train()
            loss = timing_loss(self._network, batch)
            self._optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(self._network.parameters(), 1.0)
            self._optimiser.step()
            losses.append(loss.item())
            progress.step("train", number * steps + step + 1, self._options.passes * steps)
        held_loss = self._held_loss()
        if held_loss < self._best_loss:
            self._best_loss = held_loss
            self._best = {name: value.clone() for name, value in self._network.state_dict().items()}
        self.done = number + 1
        self._write()
        entry = {"pass": self.done, "loss": float(np.mean(losses)), "held_loss": held_loss}
        _log(self._options.output, entry | {"seconds": round(time.monotonic() - begun, 1)})

    def best_network(self) -> TimingNetwork:
        """The network with the lowest loss on held scenes."""
        network = TimingNetwork()
        network.load_state_dict(self._best)
        return network.eval()

    def _batches(self, number: int) -> Iterator[Batch]:
        """The steps of one pass; what they hold follows from seed and pass alone."""
        options = self._options
        rng = np.random.default_rng((options.seed, number))
        order = rng.permutation(len(self._scenes)).tolist()
        for step in range(options.steps_per_pass):
            clips = [self._scenes[order[(step * options.batch + i) % len(order)]] for i in range(options.batch)]
            for i in range(options.batch):
                if self._recorded and rng.random() < options.recorded_share:
                    clips[i] = self._recorded[int(rng.integers(len(self._recorded)))]
            yield make_batch(clips, rng, options.window)

    def _set_rate(self, passes: float) -> None:
        """A short rise, then a cosine down to nearly nothing."""
        part = passes / self._options.passes
        factor = min(1.0, passes / 0.5) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * part)))
        for group in self._optimiser.param_groups:
            group["lr"] = self._options.learning_rate * factor

    @torch.no_grad()
    def _held_loss(self) -> float:
        self._network.eval()
        rng = np.random.default_rng(self._options.seed)
        length = max(len(clip.looks) for clip in self._held)
        losses = [
            timing_loss(self._network, make_batch([clip], rng, length, augment=False)).item() for clip in self._held
        ]
        return float(np.mean(losses))

    def _write(self) -> None:
        """Checkpoint and best weights, each under another name first: a kill leaves the last good ones."""
        output = self._options.output
        content = {
            "options": self._options.to_json(),
            "done": self.done,
            "network": self._network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "best": self._best,
            "best_loss": self._best_loss,
        }
        try:
            torch.save(content, output / f"{CHECKPOINT}.part")
            (output / f"{CHECKPOINT}.part").replace(output / CHECKPOINT)
            write_network(self._best, output / WEIGHTS)
        except (OSError, RuntimeError) as error:
            raise OutputError(f"cannot write to {output}: {error}; free some space and start again to go on") from error

    def _resume(self) -> None:
        path = self._options.output / CHECKPOINT
        if not path.is_file():
            return
        content = torch.load(path, weights_only=True)
        if content["options"] != self._options.to_json():
            changed = sorted(
                key for key, value in self._options.to_json().items() if content["options"].get(key) != value
            )
            raise OutputError(
                f"{path} is of a training with other options ({', '.join(changed)}); "
                "go on with the same ones, or choose another output folder"
            )
        self._network.load_state_dict(content["network"])
        self._optimiser.load_state_dict(content["optimiser"])
        self._best, self._best_loss, self.done = content["best"], content["best_loss"], content["done"]


def _augment(features: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """`[T, 8, 64, 64]` changed: part of the picture; mirrored; faster; brighter; colours swapped or taken away."""
    if rng.random() < 0.5:
        features = _part_of(features, rng)
    if rng.random() < 0.5:
        features = features[..., ::-1].copy()
        features[:, (4, 6)] *= -1  # what went right goes left
    features[:, 4:] *= rng.uniform(0.7, 1.4)
    contrast = rng.uniform(0.7, 1.3)
    features[:, :4] *= contrast
    features[:, :3] += rng.uniform(-0.2, 0.2)
    if rng.random() < 0.3:
        features[:, :3] = features[:, rng.permutation(3)]
    if rng.random() < 0.4:
        features[:, :3] = 0.0  # scenes are drawn, life is not: motion must do without looks
    return features


def _part_of(features: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """A window of at least seven tenths each way, enlarged to the whole picture."""
    height, width = (int(size) for size in rng.integers(NETWORK_SIZE * 7 // 10, NETWORK_SIZE, 2))
    top, left = int(rng.integers(NETWORK_SIZE - height)), int(rng.integers(NETWORK_SIZE - width))
    window = torch.from_numpy(features)[:, :, top : top + height, left : left + width]
    enlarged = functional.interpolate(window, (NETWORK_SIZE, NETWORK_SIZE), mode="bilinear").numpy()
    enlarged[:, (4, 6)] *= NETWORK_SIZE / width
    enlarged[:, (5, 7)] *= NETWORK_SIZE / height
    return np.asarray(enlarged, np.float32)


def _report(
    options: TimingOptions,
    network: TimingNetwork,
    held: Sequence[LookedAt],
    tested: Sequence[LookedAt],
    footage: Sequence[RecordedClip],
) -> dict[str, Any]:
    """Scores on held scenes and, with the thresholds found there, on test clips; and what it was trained on."""
    scenes = compare(lambda clip: predict(network, clip), held)
    report: dict[str, Any] = {
        "options": options.to_json(),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "held_scenes": {name: scores.to_json() for name, scores in scenes.items()},
        "material": [
            {"file": clip.path.name, "licence": clip.licence, "attribution": clip.attribution}
            for clip in footage
            if clip.trainable
        ],
    }
    if tested:
        thresholds = {name: scores.threshold for name, scores in scenes.items()}
        test_scores = compare(lambda clip: predict(network, clip), tested, thresholds)
        report["test_clips"] = {name: scores.to_json() for name, scores in test_scores.items()}
    return report


def _log(output: Path, entry: dict[str, Any]) -> None:
    with (output / LOG).open("a", encoding="utf-8") as log:
        log.write(json.dumps(entry) + "\n")
        log.flush()
        os.fsync(log.fileno())
