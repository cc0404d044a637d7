"""From an envelope to a sound, with nothing of pictures: what the pipeline, previews and measurements share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from v2s_engine.envelope import Envelope
from v2s_engine.grid import ENVELOPE_LENGTH
from v2s_engine.model.conditioning import Conditioning, envelope_conditioning
from v2s_engine.options import ModelConfig
from v2s_engine.sampling.lockstep import RowJob
from v2s_engine.sampling.sampler import Row, Sampler
from v2s_engine.sampling.sound_jobs import sampled_sounds
from v2s_engine.sampling.timbred import Asked, timbred
from v2s_engine.timbre.palette import Palette


@dataclass(frozen=True, eq=False)
class EnvelopeRequest:
    """One sound asked for by its envelope."""

    envelope: Envelope
    sound_class: str
    row: Row


def row_job(request: EnvelopeRequest, length: int, config: ModelConfig, palette: Palette | None = None) -> RowJob:
    """What the sampler is given for a sound of `length` samples; raises `UsageError` for an unknown sound class.

    A source-filter model wants its `palette`, from which it gets the timbre of the row's seed and take.
    """
    class_index, row = config.class_index(request.sound_class), request.row
    asked = Asked(Conditioning(envelope_conditioning(request.envelope, class_index, config)), request.envelope)
    exemplars = palette.of(request.sound_class) if palette else None
    told, timbre = timbred(asked, exemplars, config, row.seed, row.take)
    return RowJob(row, told.vectors, length, timbre=timbre)


def sound_envelopes(
    sampler: Sampler, requests: Sequence[EnvelopeRequest], palette: Palette | None = None
) -> list[NDArray[np.float32]]:
    """The sounds of some envelopes, in their order: samples `[N · 256]` at 16 kHz, before any gain.

    Raises `UsageError` as `row_job`.
    """
    config = sampler.config

    def jobs() -> Iterator[tuple[int, RowJob]]:
        for index, request in enumerate(requests):
            yield index, row_job(request, len(request.envelope) * ENVELOPE_LENGTH, config, palette)

    sounds = dict(sampled_sounds(sampler, jobs()))
    return [sounds[index] for index in range(len(requests))]
