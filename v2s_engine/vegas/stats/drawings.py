"""Drawings of the statistics as PNG: how long clips are, and samples of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from v2s_engine.vegas.stats.figures import LengthRow
from v2s_engine.vegas.stats.samples import Sample

# From light to dark, so that it can be read without colours too; the marks are Okabe and Ito's orange.
_SHADES = ("#cfe3f3", "#9ecae1", "#5ba3cf", "#2171b5", "#08306b")
_WAVE, _MARK, _GREY = "#0072B2", "#D55E00", "#666666"
# Inches.
_WIDTH, _MARGIN, _TITLE, _WAVE_HEIGHT, _FOOT = 11.0, 0.25, 0.42, 0.9, 0.32
_TALLEST_STRIP = 2.2
_DPI = 130
_COLUMNS = 900  # of a waveform: more than there are pixels for


def draw_lengths(lengths: Sequence[LengthRow], path: Path) -> None:
    """A pie of how many clips last 2, 4, 6, 8 and 10 s, as the paper's."""
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.add_subplot()
    shown = [(row, shade) for row, shade in zip(lengths, _SHADES, strict=True) if row.clips]
    wedges, _ = axis.pie(
        [row.clips for row, _ in shown],
        colors=[shade for _, shade in shown],
        labels=[f"{100 * row.share:.0f} %" if row.share >= 0.03 else "" for row, _ in shown],
        labeldistance=1.08,
        startangle=90,
        counterclock=False,
        wedgeprops={"edgecolor": "white", "linewidth": 1.2},
        textprops={"fontsize": 10},
    )
    names = [f"{row.seconds} s: {row.clips:,} ({100 * row.share:.1f} %)" for row, _ in shown]
    axis.legend(wedges, names, loc="center left", bbox_to_anchor=(1.05, 0.5), frameon=False, fontsize=10)
    axis.set_title(f"Length of {sum(row.clips for row in lengths):,} clips", fontsize=12)
    figure.savefig(path, dpi=_DPI, format="png")


def draw_samples(samples: Sequence[Sample], path: Path) -> None:
    """For each clip a strip of pictures above its waveform, with a mark at the moment of each picture."""
    blocks = [_TITLE + _strip_height(sample) + _WAVE_HEIGHT + _FOOT for sample in samples]
    width, height = _WIDTH + 2 * _MARGIN, sum(blocks) + _MARGIN
    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)

    def axes(bottom: float, tall: float) -> Any:
        return figure.add_axes((_MARGIN / width, bottom / height, _WIDTH / width, tall / height))

    top = height
    for sample, block in zip(samples, blocks, strict=True):
        strip = _strip_height(sample)
        _draw_pictures(axes(top - _TITLE - strip, strip), sample)
        _draw_wave(axes(top - _TITLE - strip - _WAVE_HEIGHT, _WAVE_HEIGHT), sample)
        top -= block
    figure.savefig(path, dpi=_DPI, format="png")


def _strip_height(sample: Sample) -> float:
    height, width = sample.pictures[0].shape[:2]
    return min(_WIDTH / len(sample.pictures) * float(height / width), _TALLEST_STRIP)


def _draw_pictures(axis: Any, sample: Sample) -> None:
    """Each picture in the middle of its share of the time axis, as wide as its height allows."""
    row = sample.row
    share = row.duration_s / len(sample.pictures)
    height, width = sample.pictures[0].shape[:2]
    half = min(share / 2, _strip_height(sample) * width / height / _WIDTH * row.duration_s / 2) * 0.985
    for moment, picture in zip(row.moments_s, sample.pictures, strict=True):
        axis.imshow(picture, extent=(moment - half, moment + half, 0, 1), aspect="auto", interpolation="bilinear")
    axis.set_xlim(0, row.duration_s)
    axis.set_ylim(0, 1)
    axis.set_axis_off()
    name = row.category.replace("_", " ")
    axis.set_title(name, loc="left", fontsize=11, fontweight="bold", parse_math=False)
    origin = f"{row.video_id}, {row.begin_s:g} to {row.begin_s + row.duration_s:g} s of its section"
    axis.set_title(origin, loc="right", fontsize=8, color=_GREY, parse_math=False)


def _draw_wave(axis: Any, sample: Sample) -> None:
    """Lowest and highest sample of each column; a line and a tip at the moment of each picture."""
    low, high = _extremes(sample.sound)
    seconds = (np.arange(len(low)) + 0.5) * sample.row.duration_s / max(1, len(low))
    axis.fill_between(seconds, low, high, color=_WAVE, linewidth=0.4)
    peak = max(0.02, float(np.abs(sample.sound).max(initial=0.0)))
    axis.set_ylim(-1.05 * peak, 1.35 * peak)
    for moment in sample.row.moments_s:
        axis.axvline(moment, color=_MARK, linewidth=1.3)
    axis.plot(sample.row.moments_s, [1.22 * peak] * len(sample.row.moments_s), "^", color=_MARK, markersize=6)
    axis.set_xlim(0, sample.row.duration_s)
    axis.set_yticks([])
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.tick_params(labelsize=8, pad=2)
    ticks = range(0, int(sample.row.duration_s) + 1, 2)
    axis.set_xticks(ticks, [f"{at} s" for at in ticks])


def _extremes(sound: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Lowest and highest sample in each of up to 900 equal columns."""
    if not len(sound):
        return np.zeros(1, np.float32), np.zeros(1, np.float32)
    edges = np.linspace(0, len(sound), min(_COLUMNS, len(sound)), endpoint=False).astype(np.int64)
    return np.minimum.reduceat(sound, edges), np.maximum.reduceat(sound, edges)
