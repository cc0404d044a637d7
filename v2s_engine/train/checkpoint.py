"""Checkpoints: everything that training needs to go on as if it had never stopped, without pickled code."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from v2s_engine.errors import BundleDamagedError, OutputError, UsageError
from v2s_engine.options import ModelConfig
from v2s_engine.train.chunks import StreamPrint, StreamState

FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """One moment of a training."""

    config: ModelConfig
    step: int
    """Optimiser steps done."""
    samples: int
    """Audio samples seen."""
    model: dict[str, Tensor]
    averaged: dict[str, Tensor]
    """Exponential moving average of the weights, or the weights where none is taken: what is exported."""
    optimiser: dict[str, Any]
    state: tuple[Tensor, Tensor]
    """Carried hidden states of all rows, whichever process trains them."""
    stream: StreamState
    material: list[dict[str, Any]]
    """What it was trained on, for `bundle.json`."""
    chunk_length: int | None = None
    """Samples per chunk, which the stream's state counts in; None in checkpoints that do not say."""
    best: tuple[float | None, int, int] = (None, 0, 0)
    """How the held-out loss went: the lowest, its step, and checkpoints since."""
    started_from: str | None = None
    """Name of the model whose weights it began with; None for random ones."""
    encoder_digest: str | None = None
    """`VisualEncoder.digest` of the encoder whose features it learned from; None without one, or where not said."""
    stream_print: StreamPrint | None = None
    """What decided its batches: material, how it is played, truncation; None in checkpoints that do not say."""
    merged: bool = False
    """Whether the classes of the material were merged into one."""


def write_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write under a temporary name, then rename, so that a kill leaves the last good checkpoint.

    Raises `OutputError` where the disk cannot take it.
    """
    temporary = path.with_suffix(".partial")
    content = {
        "format": FORMAT,
        "config": checkpoint.config.to_json(),
        "step": checkpoint.step,
        "samples": checkpoint.samples,
        "model": checkpoint.model,
        "averaged": checkpoint.averaged,
        "optimiser": checkpoint.optimiser,
        "state": list(checkpoint.state),
        "stream": checkpoint.stream,
        "material": checkpoint.material,
        "chunk_length": checkpoint.chunk_length,
        "best": list(checkpoint.best),
        "started_from": checkpoint.started_from,
        "encoder_digest": checkpoint.encoder_digest,
        "stream_print": checkpoint.stream_print,
        "merged": checkpoint.merged,
    }
    try:
        with temporary.open("wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except (OSError, RuntimeError) as error:
        temporary.unlink(missing_ok=True)
        raise OutputError(
            f"cannot write the checkpoint {path}: {error}; the one before is untouched, free some space and resume"
        ) from error


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint. Files with pickled code, or with parts missing, are refused: `BundleDamagedError`."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise BundleDamagedError(f"no checkpoint at {path}") from error
    except Exception as error:
        raise BundleDamagedError(f"{path} is no checkpoint of plain tensors: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise BundleDamagedError(f"{path} is no checkpoint of format {FORMAT}")
    try:
        return _checkpoint_of(content)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise BundleDamagedError(
            f"{path} is no whole checkpoint of format {FORMAT}: {error!r}; take another checkpoint of that training"
        ) from error


def _checkpoint_of(content: dict[str, Any]) -> Checkpoint:
    loss, step, worse = content.get("best", (None, 0, 0))
    coarse, mid = content["state"]
    return Checkpoint(
        config=ModelConfig.from_json(content["config"]),
        step=content["step"],
        samples=content["samples"],
        model=content["model"],
        averaged=content["averaged"],
        optimiser=content["optimiser"],
        state=(coarse, mid),
        stream=content["stream"],
        material=content["material"],
        chunk_length=content.get("chunk_length"),
        best=(loss, step, worse),
        started_from=content.get("started_from"),
        encoder_digest=content.get("encoder_digest"),
        stream_print=content.get("stream_print"),
        merged=content.get("merged", False),
    )


def check_encoder(checkpoint: Checkpoint, digest: str, path: Path) -> None:
    """Refuse to go on from the checkpoint at `path` with another visual encoder than it was trained with.

    Raises `UsageError`. Checkpoints that do not say which encoder that was are not checked.
    """
    if checkpoint.encoder_digest not in (None, digest):
        raise UsageError(
            f"{path} was trained with the visual encoder {checkpoint.encoder_digest}, given is {digest}; "
            "give the weights (--weights, --motion-weights, --flow-weights) that it was trained with"
        )


def check_stream(checkpoint: Checkpoint, stream: StreamPrint, path: Path) -> None:
    """Refuse to go on from the checkpoint at `path` with batches of other material, or drawn or cut otherwise.

    Raises `UsageError` that names what differs. Checkpoints that do not say are not checked.
    """
    before = stream if checkpoint.stream_print is None else checkpoint.stream_print
    different = [name for name in sorted({*before, *stream}) if before.get(name) != stream.get(name)]
    if different:
        told = "; ".join(f"{name} was {before.get(name)}, asked for is {stream.get(name)}" for name in different)
        raise UsageError(
            f"{path} was trained on other batches: {told}; give the same clips or recordings and options, or start in "
            "another --output with --from"
        )
