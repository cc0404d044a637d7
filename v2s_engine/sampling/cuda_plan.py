"""How the CUDA sampler cuts a model and a batch into programs: which kernels, and how much each program does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from v2s_engine.errors import UsageError
from v2s_engine.options import ModelConfig

Arithmetic = Literal["fp16", "fp32"]
"""What matrices are stored and multiplied in on the GPU; sums are float32 in both.

fp16 ends at 65,504. A larger weight is refused; a unit of the MLP's hidden layers that goes beyond stays there.
"""

BUCKETS: Final = (1, 4, 16, 64, 256)
"""Numbers of rows that plans are made for; fewer rows are filled up with blank ones."""

GRAIN: Final = 32
"""Widths are padded to whole multiples of this; outputs in a strip of a matrix."""

SHALLOW: Final = 128
"""Most inputs of a product that a program multiplies at once where the compiler reads ahead."""

PROGRAMS: Final = 128
"""About as many as a large GPU has multiprocessors: a launch should have so many and not many more."""

MANY_ROWS: Final = 256
"""Rows from which on a narrow model's programs run whole frames: fewer would leave too much of a GPU idle."""

NARROW: Final = 256
"""Widest GRU or MLP for that: one multiprocessor reads all weights of wider ones too slowly."""


@dataclass(frozen=True)
class Cut:
    """How one kernel's work is cut."""

    lanes: int
    """Rows per program, a power of two."""
    depth: int
    """Inputs that a program multiplies at once, a power of two that divides the padded width."""
    warps: int = 4


@dataclass(frozen=True)
class Plan:
    """Kernels for one model and one bucket of rows. Bits are the same within a plan, not between plans."""

    coarse: Cut
    mid: Cut
    fine: Cut
    gates: Cut | None
    """Where a GRU's gates have a launch of their own: its cut. None: done again for each tile of the product."""
    draw_apart: bool
    """Whether a code is drawn by a launch of its own, not again by each program that needs it."""
    persistent: Cut | None = None
    """Where a program takes its rows through a whole frame in one launch: its cut. The others are not used then."""


@dataclass(frozen=True)
class Widths:
    """A model's widths with padding, and how its matrices lie in strips: the same for all buckets."""

    hidden: int
    mlp: int
    vector: int
    """Numbers of one conditioning vector."""
    mid_steps: int
    """Mid steps in a coarse unit."""
    coarse_out: int
    """What a coarse state says: `[mid_steps, 3 hidden]` to the mid tier, `[3 hidden]` to its own next step."""
    mid_out: int
    """What a mid state says: `[mid_unit, mlp]` to the MLP, `[3 hidden]` to its own next step."""


def model_widths(config: ModelConfig) -> Widths:
    """Widths for a model. Raises `UsageError` where a frame is shorter than the window that its MLP sees."""
    if config.window > 1024:
        raise UsageError(f"the CUDA sampler wants a window of at most 1024 samples; got {config.window}: use the CPU")
    hidden, mlp = _padded(config.hidden_size), _padded(config.mlp_size)
    mid_steps = config.coarse_unit // config.mid_unit
    return Widths(
        hidden=hidden,
        mlp=mlp,
        vector=_padded(config.conditioning_size),
        mid_steps=mid_steps,
        coarse_out=(mid_steps + 1) * 3 * hidden,
        mid_out=config.mid_unit * mlp + 3 * hidden,
    )


def choose_plan(config: ModelConfig, bucket: int, arithmetic: Arithmetic = "fp16") -> Plan:
    """The plan for so many rows.

    Rules of thumb from the sizes of caches and launches, not yet measured on a GPU. With few rows a launch has one row
    per program, and nothing is done apart: a launch costs more than doing small things again. With many rows
    programs share weights between rows, and what each would read again for all of them gets a launch of its own. With
    hundreds of rows and a narrow model, launches cost more than they gain: each program runs its rows on its own.
    """
    widths = model_widths(config)
    coarse = _cut(widths.coarse_out, widths.hidden, bucket, arithmetic)
    mid = _cut(widths.mid_out, widths.hidden, bucket, arithmetic)
    fine = _cut(widths.mlp, widths.mlp, bucket, arithmetic)
    gates = Cut(_lanes(widths.hidden // GRAIN, bucket), GRAIN)
    whole = bucket >= MANY_ROWS and max(widths.hidden, widths.mlp) <= NARROW and arithmetic == "fp16"
    return Plan(
        coarse=coarse,
        mid=mid,
        fine=fine,
        gates=gates if mid.lanes * widths.hidden > 2048 else None,
        draw_apart=fine.lanes * widths.mlp // GRAIN > 64,
        persistent=persistent_cut(widths) if whole else None,
    )


def persistent_cut(widths: Widths) -> Cut:
    """For programs that take 16 rows each through a whole frame."""
    return Cut(lanes=16, depth=largest_depth(widths.hidden, 32), warps=8)


def _cut(outputs: int, inputs: int, bucket: int, arithmetic: Arithmetic) -> Cut:
    """For a product. The deepest that no kernel spills registers with (seen by compiling)."""
    lanes = _lanes(outputs // GRAIN, bucket)
    few, many = (512, 256) if arithmetic == "fp16" else (64, 32)
    depth = largest_depth(inputs, few if lanes <= 4 else many)
    return Cut(lanes, depth, warps=8 if depth > 128 or arithmetic == "fp32" else 4)


def largest_depth(inputs: int, most: int) -> int:
    """The largest power of two up to `most` that divides a padded width."""
    return min(inputs & -inputs, most)


def _lanes(tiles: int, bucket: int) -> int:
    """As few rows per program as give no more than `PROGRAMS` programs; 16 at most, which tensor cores want."""
    lanes = 1
    while lanes < min(bucket, 16) and tiles * bucket > lanes * PROGRAMS:
        lanes *= 2
    return lanes


def _padded(width: int) -> int:
    return -(-width // GRAIN) * GRAIN
