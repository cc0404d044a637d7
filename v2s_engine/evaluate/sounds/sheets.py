"""Sheets of spectrograms: real recordings beside generated takes of one class, all on the same scales."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from v2s_engine.evaluate.sounds.log_mel import BANDS, HOP_LENGTH, band_middles, log_mel
from v2s_engine.grid import SAMPLE_RATE

RANGE_DB = 70.0
"""From black to the brightest place of each sound: loudness differs between recordings, and is not what is compared."""

_ROWS = 6
_DURATION = 4.0
_TICKS_HZ = (100, 300, 1000, 3000, 7000)


def draw_sheet(
    sound_class: str,
    real: Sequence[tuple[str, NDArray[np.float32]]],
    generated: Sequence[tuple[str, NDArray[np.float32]]],
    path: Path,
) -> None:
    """A PNG at `path`: up to six real sounds on the left, up to six generated ones on the right, each with its title.

    Log-mel spectra from 40 Hz to 8 kHz, 4 s, 70 dB below the loudest place of each sound.
    """
    rows = max(1, min(_ROWS, max(len(real), len(generated))))
    figure = Figure(figsize=(13, 1.0 + 1.75 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, 2, squeeze=False, sharex=True, sharey=True)
    for column, sounds in enumerate((real, generated)):
        for row in range(rows):
            axis = axes[row, column]
            if row < len(sounds):
                _draw(axis, *sounds[row])
            else:
                axis.set_axis_off()
    for axis in axes[-1]:
        axis.set_xlabel("seconds")
    figure.suptitle(f"{sound_class}: real recordings (left), generated (right); {RANGE_DB:.0f} dB, 16 kHz")
    figure.savefig(path, dpi=80, format="png")


def _draw(axis: Any, title: str, samples: NDArray[np.float32]) -> None:
    mel = log_mel(samples[: int(_DURATION * SAMPLE_RATE)])
    top = float(mel.max())
    duration = len(mel) * HOP_LENGTH / SAMPLE_RATE
    extent = (0, duration, -0.5, BANDS - 0.5)
    axis.imshow(mel.T, origin="lower", aspect="auto", extent=extent, vmin=top - RANGE_DB, vmax=top, cmap="magma")
    axis.set_xlim(0, _DURATION)
    axis.set_facecolor("0.85")  # where a short recording has ended
    places = np.interp(_TICKS_HZ, band_middles(), np.arange(BANDS))
    axis.set_yticks(places, [f"{hertz:g}" for hertz in _TICKS_HZ])
    axis.set_ylabel("Hz")
    axis.set_title(title if len(title) <= 72 else f"…{title[-71:]}", fontsize=8)
