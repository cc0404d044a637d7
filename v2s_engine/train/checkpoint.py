"""Checkpoints: everything that training needs to go on as if it had never stopped, without pickled code."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from v2s_engine.errors import BundleDamagedError, OutputError
from v2s_engine.options import ModelConfig

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
    stream: dict[str, list[int]]
    material: list[dict[str, Any]]
    """What it was trained on, for `bundle.json`."""
    chunk_length: int | None = None
    """Samples per chunk, which the stream's state counts in; None in checkpoints that do not say."""
    best: tuple[float | None, int, int] = (None, 0, 0)
    """How the held-out loss went: the lowest, its step, and checkpoints since."""
    started_from: str | None = None
    """Name of the model whose weights it began with; None for random ones."""


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
    """Read a checkpoint. Files with pickled code are refused: `BundleDamagedError`."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise BundleDamagedError(f"no checkpoint at {path}") from error
    except Exception as error:
        raise BundleDamagedError(f"{path} is no checkpoint of plain tensors: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise BundleDamagedError(f"{path} is no checkpoint of format {FORMAT}")
    loss, step, worse = content.get("best", (None, 0, 0))
    return Checkpoint(
        config=ModelConfig.from_json(content["config"]),
        step=content["step"],
        samples=content["samples"],
        model=content["model"],
        averaged=content["averaged"],
        optimiser=content["optimiser"],
        state=(content["state"][0], content["state"][1]),
        stream=content["stream"],
        material=content["material"],
        chunk_length=content.get("chunk_length"),
        best=(loss, step, worse),
        started_from=content.get("started_from"),
    )
