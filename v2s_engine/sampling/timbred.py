"""A take's timbre, put into what the sampler is told: for source-filter models, and nothing for all others."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from v2s_engine.arrays import on_host
from v2s_engine.bundle import Bundle
from v2s_engine.envelope import Envelope
from v2s_engine.errors import UsageError
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
    asked: Asked,
    exemplars: Exemplars | None,
    config: ModelConfig,
    seed: int,
    take: int,
    *,
    check: Callable[[], None] = lambda: None,
) -> tuple[Conditioning, Timbre | None]:
    """What the sampler is told of one take of a whole sound, and its timbre, which only a source-filter model has.

    `check` is called again and again meanwhile; what it raises ends the work. Raises `UsageError` for exemplars with
    any other model, and for none with a source-filter model.
    """
    _check_exemplars(exemplars, config)
    if exemplars is None:
        return asked.conditioning, None
    timbre = choose_timbre(exemplars, _envelope(asked), seed, take, check)
    return Conditioning(with_timbre(on_host(asked.conditioning.vectors), timbre, config)), timbre


class TimbredStream:
    """One take part by part: `told` is for the sampler, `decode` turns its codes into samples. Raises as `timbred`.

    The sampler must have been told of a step before its codes come, and a sound's codes come in whole steps but at its
    end. The timbre of a step is known when the next 25 are asked for.
    """

    def __init__(
        self, parts: Iterable[Asked], exemplars: Exemplars | None, config: ModelConfig, seed: int, take: int
    ) -> None:
        _check_exemplars(exemplars, config)
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
            held = np.concatenate([held, on_host(part.conditioning.vectors)])
            for timbre in self._chooser.parts(_envelope(part)):
                held = yield from self._told(held, timbre)
        last = self._chooser.finish()
        if last is not None:
            yield from self._told(held, last)

    def decode(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The samples `[L]` of the next codes `[L]`."""
        if self._chooser is None:
            return self._decoder.decode(codes)
        steps = steps_covering(len(codes), self._config.conditioning_length)
        known = Timbre.join(list(self._known))
        self._known.clear()
        self._known.append(known[steps:])
        return self._decoder.decode(codes, known[:steps])

    def _told(self, held: NDArray[np.float32], timbre: Timbre) -> Generator[Conditioning, None, NDArray[np.float32]]:
        """Gives the vectors whose timbre is known now; its value is those that are left."""
        self._known.append(timbre)
        yield Conditioning(with_timbre(held[: len(timbre)], timbre, self._config))
        return held[len(timbre) :]


def _check_exemplars(exemplars: Exemplars | None, config: ModelConfig) -> None:
    if config.source_filter and exemplars is None:
        raise UsageError(
            "a source-filter model wants a palette, from which its sounds get their timbre, and got none; give the one "
            "of its bundle or training (palette.safetensors)"
        )
    if exemplars is not None and not config.source_filter:
        raise UsageError("a palette came with a model that is no source-filter model and has no timbre; leave it away")


def _envelope(asked: Asked) -> Envelope:
    if asked.envelope is None:
        raise UsageError("a timbre is chosen by an envelope, and what is asked for has none; give it one")
    return asked.envelope
