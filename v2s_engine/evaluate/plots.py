"""The plot page of an evaluation: one PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from v2s_engine.evaluate.results import EvaluationResult, ExampleCurves, MethodResult
from v2s_engine.evaluate.retrieval import HitShare
from v2s_engine.evaluate.shuffled import ShuffleKind
from v2s_engine.evaluate.statistics import Mean
from v2s_engine.grid import ENVELOPE_RATE

# Colours that those who see red and green alike can tell apart (Okabe and Ito).
_BLUE, _ORANGE, _GREEN, _PINK, _GREY = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#666666"
_SPLITS = {"train": _GREY, "test": _BLUE}
_SHUFFLES: dict[ShuffleKind, str] = {"across classes": _BLUE, "within a class": _ORANGE}
_EXAMPLES = 4
_DPI = 120


def draw_page(result: EvaluationResult, path: Path) -> None:
    """Cross entropies, shuffles, retrieval against chance, and example envelopes, as a PNG at `path`."""
    examples = _chosen(result.methods)
    rows = 2 + (len(examples) + 1) // 2
    figure = Figure(figsize=(13, 3.9 * 2 + 2.5 * (rows - 2)), layout=ConstrainedLayoutEngine(h_pad=0.1, w_pad=0.1))
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(rows, 2, height_ratios=[1.5, 1.5] + [1.0] * (rows - 2))
    _draw_losses(figure.add_subplot(grid[0, 0]), result.methods)
    _draw_shuffles(figure.add_subplot(grid[0, 1]), result.methods)
    _draw_retrieval(figure.add_subplot(grid[1, 0]), result.methods, "category")
    _draw_retrieval(figure.add_subplot(grid[1, 1]), result.methods, "instance")
    for index, (name, example) in enumerate(examples):
        axis = figure.add_subplot(grid[2 + index // 2, index % 2])
        _draw_example(axis, name, example, legend=index == 0)
    counts = ", ".join(f"{count} {split}" for split, count in result.clips.items())
    figure.suptitle(
        f"{len(result.categories)} categories; clips: {counts}; whiskers: 95 % intervals over clips or queries"
    )
    for axis in figure.axes:
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=_DPI, format="png")


def _draw_losses(axis: Any, methods: Sequence[MethodResult]) -> None:
    splits = [split for split in _SPLITS if any(cell.split == split for m in methods for cell in m.cross_entropy)]
    width, highest, lowest = 0.8 / max(1, len(splits)), 0.0, np.inf
    for number, split in enumerate(splits):
        for place, method in enumerate(methods):
            cell = next((each for each in method.cross_entropy if each.split == split), None)
            if cell is None or cell.nats.mean is None:
                continue
            at, mean = place + (number - (len(splits) - 1) / 2) * width, cell.nats.mean
            low, high = cell.nats.low or mean, cell.nats.high or mean
            label = f"{split}" if place == 0 else None
            axis.bar(at, mean, 0.92 * width, color=_SPLITS[split], alpha=0.85, label=label)
            axis.errorbar(at, mean, [[mean - low], [high - mean]], color="black", capsize=3, linewidth=1)
            axis.text(at, high, f"{mean:.3f}\nn={cell.nats.n}", ha="center", va="bottom", fontsize=8)
            highest, lowest = max(highest, high), min(lowest, low)
    _name_methods(axis, methods)
    axis.set_title("Cross entropy (lower is better)")
    axis.set_ylabel("nats per sample")
    if highest:
        axis.set_ylim(0, 1.3 * highest)
        axis.legend(loc="upper right", ncols=2, frameon=False, fontsize=8)


def _draw_shuffles(axis: Any, methods: Sequence[MethodResult]) -> None:
    drawn = False
    for number, (kind, colour) in enumerate(_SHUFFLES.items()):
        for place, method in enumerate(methods):
            found = next((each.difference for each in method.shuffles if each.kind == kind), None)
            if found is None or found.mean is None:
                continue
            at = place + (number - 0.5) * 0.3
            low, high = (found.mean if end is None else end for end in (found.low, found.high))
            error = [[found.mean - low], [high - found.mean]]
            label = None if any(kind == line.get_label() for line in axis.containers) else kind
            axis.errorbar(at, found.mean, error, fmt="o", color=colour, capsize=5, linewidth=2, label=label)
            axis.annotate(
                f"n={found.n}\n{_p_text(found.p_value)}", (at, high), (0, 4), textcoords="offset points",
                ha="center", fontsize=8,
            )  # fmt: skip
            drawn = True
    axis.axhline(0, color="black", linewidth=0.8)
    axis.margins(y=0.28)
    _name_methods(axis, methods)
    axis.set_title("Wrong pictures minus right ones (above 0: pictures help)")
    axis.set_ylabel("nats per sample")
    if drawn:
        axis.legend(loc="best", frameon=False, fontsize=8)


def _draw_retrieval(axis: Any, methods: Sequence[MethodResult], what: str) -> None:
    results = [(method, method.retrieval) for method in methods if method.retrieval and method.retrieval.n]
    axis.set_title(f"Retrieval: {what} (bars: hits; lines: chance; *: p < 0.05)")
    if not results:
        axis.text(0.5, 0.5, "not asked for", ha="center", va="center", transform=axis.transAxes, color=_GREY)
        axis.set_axis_off()
        return
    kinds = [(rank, top) for top in ("top1", "top5") for rank in ("by_loss", "by_gain")]
    colours, width, highest = (_BLUE, _GREEN, _ORANGE, _PINK), 0.2, 0.0
    for number, (rank, top) in enumerate(kinds):
        label = f"{top.replace('top', 'top-')} {rank.replace('_', ' ')}"
        for place, (_, result) in enumerate(results):
            at = place + (number - 1.5) * width
            hit: HitShare = getattr(getattr(result, rank), f"{what}_{top}")
            share, low, high = _interval(hit.share)
            axis.bar(at, share, 0.9 * width, color=colours[number], label=label if place == 0 else None)
            axis.errorbar(at, share, [[share - low], [high - share]], color=_GREY, capsize=3, linewidth=1)
            beats = "*" if hit.p_value is not None and hit.p_value < 0.05 else ""
            axis.text(at, high, f"{share:.3g}{beats}", ha="center", va="bottom", fontsize=8)
            chance = 100 * float(getattr(result.chance, f"{what}_{top}") or 0.0)
            axis.plot([at - width / 2, at + width / 2], [chance, chance], color="black", linewidth=2)
            highest = max(highest, high, chance)
    names = [f"{method.name}\nn={result.n}{', class told' * result.class_told}" for method, result in results]
    axis.set_xticks(range(len(names)), names)
    axis.set_ylim(0, 1.28 * highest)
    axis.set_ylabel("% of queries")
    axis.legend(loc="upper center", ncols=4, frameon=False, fontsize=8)


def _draw_example(axis: Any, method: str, example: ExampleCurves, *, legend: bool) -> None:
    lines: list[tuple[str, NDArray[np.float32], str, float, str]] = [
        ("made for another clip (null)", example.null, _ORANGE, 1.0, "--"),
        ("recorded", example.recorded, "black", 1.6, "-"),
        ("made from the pictures", example.made, _BLUE, 1.6, "-"),
    ]
    for label, curve, colour, width, style in lines:
        shown = curve[: len(example.recorded)]
        axis.plot(np.arange(len(shown)) / float(ENVELOPE_RATE), shown, style, color=colour, lw=width, label=label)
    axis.set_title(f"{method}: {_shortened(example.name)}", fontsize=9)
    axis.set_ylim(-82, 5 if not legend else 25)
    axis.set_yticks(range(-80, 1, 20))
    axis.set_ylabel("dBFS")
    axis.set_xlabel("seconds")
    if legend:
        axis.legend(loc="upper center", ncols=3, frameon=False, fontsize=8)


def _chosen(methods: Sequence[MethodResult]) -> list[tuple[str, ExampleCurves]]:
    """A few examples, the methods taking turns; the same clips for all of them."""
    most = max((len(method.examples) for method in methods), default=0)
    turns = [(m.name, m.examples[turn]) for turn in range(most) for m in methods if turn < len(m.examples)]
    return turns[: max(_EXAMPLES, len(methods))]


def _interval(share: Mean) -> tuple[float, float, float]:
    """Mean, low and high in percent; no width where there is no interval."""
    mean = share.mean or 0.0
    low, high = (mean if end is None else end for end in (share.low, share.high))
    return 100 * mean, 100 * low, 100 * high


def _name_methods(axis: Any, methods: Sequence[MethodResult]) -> None:
    axis.set_xticks(range(len(methods)), [method.name for method in methods])
    axis.set_xlim(-0.6, max(len(methods), 1) - 0.4)


def _p_text(p_value: float | None) -> str:
    if p_value is None:
        return ""
    return f"p={p_value:.3f}" if p_value >= 1e-3 else "p<0.001"


def _shortened(name: str) -> str:
    return name if len(name) <= 48 else f"…{name[-47:]}"
