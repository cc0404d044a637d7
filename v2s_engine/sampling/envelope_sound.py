"""From an envelope to a sound, with nothing of pictures: what the pipeline, previews and measurements share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from v2s_engine.envelope import Envelope
from v2s_engine.grid import ENVELOPE_LENGTH
from v2s_engine.model.conditioning import envelope_conditioning
from v2s_engine.options import ModelConfig
from v2s_engine.sampling.lockstep import RowJob
from v2s_engine.sampling.sampler import Row, Sampler
from v2s_engine.sampling.sound_jobs import sampled_sounds


@dataclass(frozen=True, eq=False)
class EnvelopeRequest:
    """One sound asked for by its envelope."""

    envelope: Envelope
    sound_class: str
    row: Row


def row_job(request: EnvelopeRequest, length: int, config: ModelConfig) -> RowJob:
    """What the sampler is given for a sound of `length` samples; raises `UsageError` for an unknown sound class."""
    class_index = config.class_index(request.sound_class)
    return RowJob(request.row, envelope_conditioning(request.envelope, class_index, config), length)


def sound_envelopes(sampler: Sampler, requests: Sequence[EnvelopeRequest]) -> list[NDArray[np.float32]]:
    """The sounds of some envelopes, in their order: samples `[N · 256]` at 16 kHz, before any gain."""
    config = sampler.config

    def jobs() -> Iterator[tuple[int, RowJob]]:
        for index, request in enumerate(requests):
            yield index, row_job(request, len(request.envelope) * ENVELOPE_LENGTH, config)

    sounds = dict(sampled_sounds(sampler, jobs()))
    return [sounds[index] for index in range(len(requests))]
