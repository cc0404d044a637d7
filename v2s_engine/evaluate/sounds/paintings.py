"""One painted sound per class, by name: what the judge learns from beside the recordings held for testing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from v2s_engine.errors import UsageError
from v2s_engine.evaluate.sounds import machine_paintings as machines
from v2s_engine.evaluate.sounds import voice_paintings as voices
from v2s_engine.evaluate.sounds.painting import Floats

PAINTINGS: Mapping[str, Callable[[np.random.Generator, int], Floats]] = MappingProxyType(
    {
        "baby_crying": voices.baby_crying,
        "chainsaw": machines.chainsaw,
        "dog": voices.dog,
        "drum": voices.drum,
        "fireworks": machines.fireworks,
        "helicopter": machines.helicopter,
        "printer": machines.printer,
        "rail_transport": machines.rail_transport,
        "snoring": voices.snoring,
        "water_flowing": machines.water_flowing,
    }
)
"""The ten classes of VEGAS."""


def paint_sound(sound_class: str, draw: np.random.Generator, length: int) -> NDArray[np.float32]:
    """A painted sound `[length]` at 16 kHz with a peak of 0.5. Raises `UsageError` for a class that has no painting."""
    if sound_class not in PAINTINGS:
        raise UsageError(f"no painted sound of class {sound_class!r}; there are {', '.join(PAINTINGS)}")
    while True:  # a short excerpt may fall between two events
        sound = PAINTINGS[sound_class](draw, length)
        peak = float(np.abs(sound).max())
        if peak > 1e-3:
            return np.asarray(0.5 * sound / peak, np.float32)
