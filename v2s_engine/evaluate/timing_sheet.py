"""The timing of a clip on one sheet, to be seen: pictures, motion, loudness and onsets on one time axis."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from v2s_engine.envelope import SILENCE_DBFS, Envelope
from v2s_engine.evaluate.clip_timing import ClipTiming
from v2s_engine.grid import ENVELOPE_RATE, FRAME_RATE, SAMPLE_RATE

SheetKind = Literal["png", "svg"]

# Colours that those who see red and green alike can tell apart (Okabe and Ito).
_BLUE, _ORANGE, _GREEN, _GREY = "#0072B2", "#E69F00", "#009E73", "#999999"
_WIDTH = 10.0  # inches
_STRIP_HEIGHTS = (0.35, 1.4)  # inches, of the pictures at least and at most
_DPI = 110


def draw_sheet(timing: ClipTiming, path: Path, kind: SheetKind) -> None:
    """Draw the sheet to `path`; onsets are lines through loudness and pictures, the clip's own sound is grey."""
    start, end = float(timing.start), float(timing.start) + timing.length / SAMPLE_RATE
    thumbnail = timing.thumbnails[0]
    strip = _WIDTH / len(timing.thumbnails) * thumbnail.shape[0] / thumbnail.shape[1]
    heights = [min(max(strip, _STRIP_HEIGHTS[0]), _STRIP_HEIGHTS[1]), 0.8, 2.0, 0.8]
    figure = Figure(figsize=(_WIDTH, sum(heights) + 1.1), layout=ConstrainedLayoutEngine(h_pad=0.03, w_pad=0.05))
    FigureCanvasAgg(figure)
    pictures, motion, loudness, onset = figure.subplots(4, 1, sharex=True, height_ratios=heights)
    _draw_pictures(pictures, timing, start, end)
    _draw_motion(motion, timing.motion, start)
    _draw_loudness(loudness, timing, start)
    _draw_onset(onset, timing, start)
    for second in start + timing.onsets / float(ENVELOPE_RATE):
        for axis in (pictures, loudness):
            axis.axvline(second, color=_ORANGE, linewidth=1.2)
    for axis in (motion, loudness, onset):
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
    onset.set_xlim(start, end)
    onset.set_xlabel("seconds from the clip's first picture", fontsize=9)
    figure.suptitle(f"{timing.clip.name}: what the pictures say (bundle {timing.bundle_name})", fontsize=10)
    # Text stays text; without a date and with this salt, the same clip gives the same file.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "v2s"}):
        figure.savefig(path, dpi=_DPI, format=kind, metadata={"Date": None} if kind == "svg" else None)


def _draw_pictures(axis: Any, timing: ClipTiming, start: float, end: float) -> None:
    """Each thumbnail over the part of the time axis from whose middle it is."""
    share = (end - start) / len(timing.thumbnails)
    for number, picture in enumerate(timing.thumbnails):
        extent = (start + number * share, start + (number + 1) * share, 0, 1)
        axis.imshow(picture, aspect="auto", extent=extent, interpolation="bilinear")
    axis.set_ylim(0, 1)
    axis.set_yticks([])
    axis.tick_params(axis="x", length=0)
    for side in axis.spines.values():
        side.set_visible(False)


def _draw_motion(axis: Any, motion: NDArray[np.float64], start: float) -> None:
    seconds = start + np.arange(len(motion)) / float(FRAME_RATE)
    axis.fill_between(seconds, 100 * motion, step="post", color=_GREEN, alpha=0.6, linewidth=0)
    axis.set_ylim(bottom=0)
    axis.set_ylabel("motion, %\nof picture", fontsize=8)


def _draw_loudness(axis: Any, timing: ClipTiming, start: float) -> None:
    if timing.own is not None:
        axis.plot(*_curve(timing.own, start), color=_GREY, alpha=0.8, linewidth=0.8, label="the clip's own sound")
    axis.plot(*_curve(timing.envelope, start), color=_BLUE, linewidth=1.6, label="from the pictures")
    if len(timing.onsets):
        axis.plot([], [], color=_ORANGE, linewidth=1.2, label="a sound starts")
    axis.set_ylim(SILENCE_DBFS, 0)
    axis.set_yticks(range(-80, 1, 20))
    axis.grid(axis="y", color="#dddddd", linewidth=0.6)
    axis.set_ylabel("loudness, dBFS", fontsize=8)
    axis.legend(loc="upper right", ncols=3, frameon=False, fontsize=8, bbox_to_anchor=(1, 1.16), borderaxespad=0)


def _draw_onset(axis: Any, timing: ClipTiming, start: float) -> None:
    seconds, _ = _curve(timing.envelope, start)
    axis.fill_between(seconds, timing.envelope.onset, step="post", color=_BLUE, alpha=0.35, linewidth=0)
    steps = timing.onsets
    axis.plot(seconds[steps], timing.envelope.onset[steps], "v", color=_ORANGE, markersize=5)
    axis.set_ylim(0, 1.05)
    axis.set_yticks([0, 0.5, 1])
    axis.set_ylabel("onset", fontsize=8)


def _curve(envelope: Envelope, start: float) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    return start + np.arange(len(envelope)) / float(ENVELOPE_RATE), envelope.loudness
