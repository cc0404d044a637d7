"""The palette of a training: timbres of what a source-filter model is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from v2s_engine.bundle import PALETTE
from v2s_engine.corpus.recordings import Recording
from v2s_engine.grid import SAMPLE_RATE
from v2s_engine.options import ModelConfig
from v2s_engine.timbre.palette import Exemplars, Palette, write_palette

Samples = NDArray[np.float32]

ENOUGH_LENGTH = 25 * SAMPLE_RATE
"""Samples of recordings from which on a class needs no synthetic sounds in its palette."""

MOST_LENGTH = 180 * SAMPLE_RATE
"""Samples of a class at most: 0.5 MB."""


def save_palette(recordings: Sequence[Recording], config: ModelConfig, folder: Path) -> Path | None:
    """Write the palette of a source-filter model beside its checkpoints; None for models that have none.

    One that stands there already is left: it belongs to the training that is resumed.
    """
    if not config.source_filter:
        return None
    path = folder / PALETTE
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.part")
        write_palette(draft, training_palette(recordings, config.sound_classes))
        draft.replace(path)
    return path


def training_palette(recordings: Sequence[Recording], sound_classes: Sequence[str]) -> Palette:
    """Of every class the longest sounds that fit: recorded ones, and synthetic ones where there is little recorded."""
    return Palette({name: Exemplars.measure(_chosen(recordings, name)) for name in sound_classes})


def _chosen(recordings: Sequence[Recording], sound_class: str) -> list[Samples]:
    chosen: list[Samples] = []
    length = 0
    for synthetic in (False, True):
        most = ENOUGH_LENGTH if synthetic else MOST_LENGTH
        of_kind = [
            each
            for each in recordings
            if each.material.sound_class == sound_class and each.material.synthetic == synthetic
        ]
        for each in sorted(of_kind, key=lambda one: (-len(one.samples), one.material.file)):
            if length >= most:
                break
            chosen.append(each.samples[: MOST_LENGTH - length])
            length += len(chosen[-1])
    return chosen
