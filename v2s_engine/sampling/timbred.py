"""A take's timbre, put into what the sampler is told: for source-filter models, and nothing for all others."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from v2s_engine.arrays import on_host
from v2s_engine.bundle import Bundle
from v2s_engine.envelope import Envelope
from v2s_engine.grid import steps_covering
from v2s_engine.model.conditioning import Conditioning, with_timbre
from v2s_engine.model.hearing import SoundDecoder
from v2s_engine.options import ModelConfig
from v2s_engine.timbre.choosing import TimbreChooser, choose_timbre
from v2s_engine.timbre.palette import Exemplars, Palette, read_palette
from v2s_engine.timbre.timbre import Timbre


class Asked(NamedTuple):
    """What is known of a sound, or of its next steps, before it has a timbre."""

    conditioning: Conditioning
    envelope: Envelope | None
    """None where the conditioning knows none; such models have no timbre either."""


def open_palette(bundle: Bundle) -> Palette | None:
    """The palette of a source-filter model's bundle; None for any other. Raises `BundleDamagedError`."""
    return read_palette(bundle.palette_path, bundle.sound_classes) if bundle.palette_path else None


def timbred(
    asked: Asked, exemplars: Exemplars | None, config: ModelConfig, seed: int, take: int
) -> tuple[Conditioning, Timbre | None]:
    """What the sampler is told of one take of a whole sound, and its timbre; without exemplars nothing is added."""
    if exemplars is None or asked.envelope is None:
        return asked.conditioning, None
    timbre = choose_timbre(exemplars, asked.envelope, seed, take)
    return Conditioning(with_timbre(on_host(asked.conditioning.vectors), timbre, config)), timbre


class TimbredStream:
    """One take part by part: `told` is for the sampler, `decode` turns its codes into samples.

    The sampler must have been told of a step before its codes come, and a sound's codes come in whole steps but at its
    end. The timbre of a step is known when the next 25 are asked for.
    """

    def __init__(
        self, parts: Iterable[Asked], exemplars: Exemplars | None, config: ModelConfig, seed: int, take: int
    ) -> None:
        self._parts, self._config = parts, config
        self._chooser = TimbreChooser(exemplars, seed, take) if exemplars is not None else None
        self._decoder = SoundDecoder(config)
        self._known: deque[Timbre] = deque()

    def told(self) -> Iterator[Conditioning]:
        """Part after part, as soon as each can be known."""
        if self._chooser is None:
            for part in self._parts:
                yield part.conditioning
            return
        held = np.empty((0, self._config.conditioning_size), np.float32)
        for part in self._parts:
            if part.envelope is not None:
                held = np.concatenate([held, on_host(part.conditioning.vectors)])
                held = yield from self._told(held, self._chooser.add(part.envelope))
        yield from self._told(held, self._chooser.finish())

    def decode(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The samples `[L]` of the next codes `[L]`."""
        if self._chooser is None:
            return self._decoder.decode(codes)
        steps = steps_covering(len(codes), self._config.conditioning_length)
        known = Timbre.join(list(self._known))
        self._known.clear()
        self._known.append(known[steps:])
        return self._decoder.decode(codes, known[:steps])

    def _told(
        self, held: NDArray[np.float32], timbre: Timbre | None
    ) -> Generator[Conditioning, None, NDArray[np.float32]]:
        """Gives the vectors whose timbre is known now; its value is those that are left."""
        if timbre is None:
            return held
        self._known.append(timbre)
        yield Conditioning(with_timbre(held[: len(timbre)], timbre, self._config))
        return held[len(timbre) :]
