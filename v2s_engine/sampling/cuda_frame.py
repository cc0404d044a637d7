"""The launches that take a bucket of rows through a video frame, or a part of one, as a plain list.

The same list is launched one by one, captured into a CUDA graph, run by Triton's interpreter, and read by tests.

A part is a slice of a frame's 1,024 places. Which half of a buffer a step reads and writes follows from its place
alone, and a whole frame has an even number of all steps: every frame's list is the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from torch import Tensor

from v2s_engine.grid import FRAME_LENGTH, steps_covering
from v2s_engine.options import ModelConfig
from v2s_engine.sampling import cuda_draw, cuda_kernels, cuda_persistent
from v2s_engine.sampling.cuda_buffers import Buffers, CudaWeights
from v2s_engine.sampling.cuda_plan import GRAIN, SHALLOW, Cut, Plan, Widths, largest_depth

MOST_LANES = 16

MOST_COLUMNS = 256
"""Outputs that a program with rows of its own multiplies at once."""

_PERSISTENT_WEIGHTS = (
    *("coarse_samples", "coarse", "coarse_bias", "mid_samples", "mid", "mid_bias"),
    *("tables", "fine_hidden", "fine_hidden_bias", "fine_output", "fine_output_bias"),
)
_PERSISTENT_BUFFERS = (
    *("conditioned", "coarse_state", "coarse_out", "mid_state", "mid_out"),
    *("codes", "given", "origin", "seeds", "takes", "temperatures"),
)


@dataclass(frozen=True, eq=False)
class Launch:
    """One kernel launch."""

    kernel: Any
    grid: tuple[int, int]
    arguments: dict[str, Any]
    """Tensors, and numbers that differ from launch to launch."""
    constants: dict[str, int]
    """Numbers that are compiled into the kernel."""
    warps: int = 4

    def run(self) -> None:
        """Launch it on the current stream."""
        # No fused multiply-adds but those of tensor cores: sums then come out alike in every variant of a kernel.
        self.kernel[self.grid](**self.arguments, **self.constants, num_warps=self.warps, enable_fp_fusion=False)


class Part(NamedTuple):
    """Places `start` .. `stop - 1` of a frame."""

    start: int
    stop: int


def split_call(phase: int, length: int, conditioning_length: int) -> list[Part]:
    """Parts for `length` samples that begin `phase` samples into a conditioning vector.

    The rest of a vector begun before comes first, as the end of a frame; then whole frames; then the start of one.
    """
    parts = []
    if phase and length:
        start = FRAME_LENGTH - conditioning_length + phase
        parts.append(Part(start, min(start + length, FRAME_LENGTH)))
        length -= parts[0].stop - start
    parts += [Part(0, FRAME_LENGTH)] * (length // FRAME_LENGTH)
    if length % FRAME_LENGTH:
        parts.append(Part(0, length % FRAME_LENGTH))
    return parts


def half(place: int, unit: int) -> int:
    """Which half of a buffer holds what a tier knows before the step at `place`, or after the one before it."""
    return steps_covering(place, unit) % 2


@dataclass(frozen=True, eq=False)
class Frame:
    """Makes launches for one model, plan and set of buffers."""

    config: ModelConfig
    widths: Widths
    plan: Plan
    weights: CudaWeights
    buffers: Buffers

    def part(self, part: Part, logits: Tensor | None = None) -> Iterator[Launch]:
        """All launches of a part. With `logits` `[rows, 1024, 256]`, those of its samples are written there."""
        yield self._condition()
        if self.plan.persistent is None:
            yield from self._steps(part, logits)
        else:
            yield self._rows(part, self.plan.persistent, logits)
        if part.stop == FRAME_LENGTH:
            yield self._turn()

    def _steps(self, part: Part, logits: Tensor | None) -> Iterator[Launch]:
        """A launch or more for each step of each tier."""
        for place in range(*part):
            first = True
            if self.plan.draw_apart:
                yield self._draw(place)
                first = False
            if place % self.config.coarse_unit == 0:
                yield from self._coarse(place, draw=first)
                first = False
            if place % self.config.mid_unit == 0:
                yield from self._mid(place, draw=first)
                first = False
            yield self._fine(place, draw=first)
            if logits is not None:
                yield self._collect(place, logits)
        yield self._draw(part.stop)

    def prime(self, start: int) -> Iterator[Launch]:
        """Compute what the states loaded for `start` say; launched after `load_state`.

        By the kernels of the steps that made these states, so that it is the same to the bit.
        """
        coarse, mid = self.config.coarse_unit, self.config.mid_unit
        if self.plan.persistent is not None:
            yield from self._prime_rows(start, self.plan.persistent)
            return
        # Any place of a frame with the phase of the step before: nothing is read there that counts.
        before = (start - 1) // coarse * coarse % FRAME_LENGTH
        yield list(self._coarse(before, draw=not self.plan.draw_apart, target=half(start, coarse), advance=0))[-1]
        before = (start - 1) // mid * mid % FRAME_LENGTH
        draw = not self.plan.draw_apart and before % coarse != 0
        yield list(self._mid(before, draw=draw, target=half(start, mid), advance=0))[-1]

    def _rows(self, part: Part, cut: Cut, logits: Tensor | None) -> Launch:
        """All steps of a part, by programs that have some rows each."""
        buffers, weights, widths = self.buffers, self.weights, self.widths
        # Programs of steps hand each other their parts of the logits there; here, the layers of the MLP.
        hidden, second = buffers.partials
        return Launch(
            cuda_persistent.run_frame,
            (1, buffers.rows // cut.lanes),
            {
                "start": part.start,
                "stop": part.stop,
                **{name: getattr(weights, name) for name in _PERSISTENT_WEIGHTS},
                **{name: getattr(buffers, name) for name in _PERSISTENT_BUFFERS},
                "hidden": hidden,
                "second": second,
                "logits": hidden if logits is None else logits,
            },
            {
                "coarse_unit": self.config.coarse_unit,
                "mid_unit": self.config.mid_unit,
                "window": self.config.window,
                "conditioning_length": self.config.conditioning_length,
                "size": widths.hidden,
                "mlp": widths.mlp,
                "coarse_size": widths.coarse_out,
                "mid_size": widths.mid_out,
                "depth": largest_depth(widths.hidden, cut.depth),
                "fine_depth": largest_depth(widths.mlp, cut.depth),
                "width": largest_depth(widths.hidden, SHALLOW),
                "fine_width": largest_depth(widths.mlp, SHALLOW),
                "coarse_columns": largest_depth(widths.coarse_out, MOST_COLUMNS),
                "mid_columns": largest_depth(widths.mid_out, MOST_COLUMNS),
                "fine_columns": largest_depth(widths.mlp, MOST_COLUMNS),
                "lanes": cut.lanes,
                "bucket": buffers.rows,
                "history": self.config.history_length,
                "keep": logits is not None,
            },
            cut.warps,
        )

    def _prime_rows(self, start: int, cut: Cut) -> Iterator[Launch]:
        """What `prime` does for a plan whose programs have rows each."""
        buffers, weights, config = self.buffers, self.weights, self.config
        for unit, state, matrix, bias, out in (
            (config.coarse_unit, buffers.coarse_state, weights.coarse, weights.coarse_bias, buffers.coarse_out),
            (config.mid_unit, buffers.mid_state, weights.mid, weights.mid_bias, buffers.mid_out),
        ):
            target = half(start, unit)
            yield Launch(
                cuda_persistent.prime_rows,
                (1, buffers.rows // cut.lanes),
                {"state": state[target], "matrix": matrix, "bias": bias, "out": out[target]},
                {
                    "size": self.widths.hidden,
                    "out_size": out.shape[2],
                    "depth": largest_depth(self.widths.hidden, cut.depth),
                    "columns": largest_depth(out.shape[2], MOST_COLUMNS),
                    "lanes": cut.lanes,
                },
                cut.warps,
            )

    def _condition(self) -> Launch:
        """Conditioning vectors of the whole frame to the coarse GRU's input."""
        buffers, widths = self.buffers, self.widths
        rows = buffers.vectors.shape[0] * buffers.rows
        lanes = min(rows, MOST_LANES)
        return Launch(
            cuda_kernels.multiply,
            (3 * widths.hidden // GRAIN, rows // lanes),
            {
                "inputs": buffers.vectors,
                "matrix": self.weights.conditioning,
                "bias": self.weights.conditioning_bias,
                "out": buffers.conditioned,
            },
            {
                "size": widths.vector,
                "out_stride": 3 * widths.hidden,
                "depth": largest_depth(widths.vector, SHALLOW // 2),
                "columns": GRAIN,
                "lanes": lanes,
            },
        )

    def _coarse(self, place: int, *, draw: bool, target: int | None = None, advance: int = 1) -> Iterator[Launch]:
        unit, width = self.config.coarse_unit, 3 * self.widths.hidden
        tier = _Tier(
            cut=self.plan.coarse,
            unit=unit,
            inputs=self.buffers.conditioned[place // self.config.conditioning_length],
            inputs_stride=width,
            samples=self.weights.coarse_samples,
            matrix=self.weights.coarse,
            bias=self.weights.coarse_bias,
            state=self.buffers.coarse_state,
            out=self.buffers.coarse_out,
            own=self.widths.mid_steps * width,
        )
        return self._tier(tier, place, draw, half(place + 1, unit) if target is None else target, advance)

    def _mid(self, place: int, *, draw: bool, target: int | None = None, advance: int = 1) -> Iterator[Launch]:
        unit, width = self.config.mid_unit, 3 * self.widths.hidden
        step = place % self.config.coarse_unit // unit
        said = self.buffers.coarse_out[half(place + 1, self.config.coarse_unit)]
        tier = _Tier(
            cut=self.plan.mid,
            unit=unit,
            inputs=said[:, step * width :],
            inputs_stride=self.widths.coarse_out,
            samples=self.weights.mid_samples,
            matrix=self.weights.mid,
            bias=self.weights.mid_bias,
            state=self.buffers.mid_state,
            out=self.buffers.mid_out,
            own=unit * self.widths.mlp,
        )
        return self._tier(tier, place, draw, half(place + 1, unit) if target is None else target, advance)

    def _tier(self, tier: _Tier, place: int, draw: bool, target: int, advance: int) -> Iterator[Launch]:
        cut, hidden, out_width = tier.cut, self.widths.hidden, tier.out.shape[2]
        blocks = self.buffers.rows // cut.lanes
        product = {"matrix": tier.matrix, "bias": tier.bias, "out": tier.out[target]}
        gates = {
            "index": place,
            "inputs": tier.inputs,
            "recurrent": tier.out[1 - target][:, tier.own :],
            "samples": tier.samples,
            "state": tier.state[1 - target],
            "next_state": tier.state[target],
            **self._drawing(place),
        }
        constants = {
            "unit": tier.unit,
            "size": hidden,
            "inputs_stride": tier.inputs_stride,
            "out_stride": out_width,
            "columns": GRAIN,
            "draw": draw,
            **self._drawn(),
        }
        grid = (out_width // GRAIN, blocks)
        if self.plan.gates is None:
            arguments = {**gates, **product, "advance": advance}
            yield Launch(
                cuda_kernels.step_tier,
                grid,
                arguments,
                {**constants, "depth": cut.depth, "lanes": cut.lanes},
                cut.warps,
            )
            return
        lanes = self.plan.gates.lanes
        grid_of_gates = (hidden // GRAIN, self.buffers.rows // lanes)
        yield Launch(
            cuda_kernels.step_gates, grid_of_gates, gates, {**constants, "lanes": lanes}, self.plan.gates.warps
        )
        yield Launch(
            cuda_kernels.multiply,
            grid,
            {"inputs": tier.state[target], **product},
            {
                "size": hidden,
                "out_stride": out_width,
                "depth": largest_depth(hidden, SHALLOW),
                "columns": GRAIN,
                "lanes": cut.lanes,
            },
        )

    def _fine(self, place: int, *, draw: bool) -> Launch:
        cut, weights, widths = self.plan.fine, self.weights, self.widths
        said = self.buffers.mid_out[half(place + 1, self.config.mid_unit)]
        return Launch(
            cuda_kernels.step_sample,
            (widths.mlp // GRAIN, self.buffers.rows // cut.lanes),
            {
                "index": place,
                "inputs": said[:, place % self.config.mid_unit * widths.mlp :],
                "tables": weights.tables,
                "matrix": weights.fine_hidden,
                "bias": weights.fine_hidden_bias,
                "output_matrix": weights.fine_output,
                "next_partials": self.buffers.partials[place % 2],
                **self._drawing(place),
            },
            {
                "window": self.config.window,
                "size": widths.mlp,
                "inputs_stride": widths.mid_out,
                "depth": cut.depth,
                "columns": GRAIN,
                "lanes": cut.lanes,
                "draw": draw,
                **self._drawn(),
            },
            cut.warps,
        )

    def _draw(self, place: int) -> Launch:
        """Draw the sample before `place`, one row per program."""
        arguments = {"index": place, **self._drawing(place)}
        return Launch(cuda_draw.draw_sample, (1, self.buffers.rows), arguments, {"lanes": 1, **self._drawn()})

    def _collect(self, place: int, logits: Tensor) -> Launch:
        drawn = self._drawn()
        del drawn["history"]
        arguments = {
            "index": place,
            "partials": self.buffers.partials[place % 2],
            "output_bias": self.weights.fine_output_bias,
            "out": logits,
        }
        return Launch(cuda_draw.collect_logits, (1, self.buffers.rows), arguments, {"lanes": 1, **drawn})

    def _turn(self) -> Launch:
        history = self.config.history_length
        constants = {"history": history, "width": 1 << (history - 1).bit_length()}
        arguments = {"codes": self.buffers.codes, "origin": self.buffers.origin}
        return Launch(cuda_kernels.turn_frame, (1, self.buffers.rows), arguments, constants)

    def _drawing(self, place: int) -> dict[str, Tensor]:
        """What the sample before `place` is drawn from, and the codes that it joins."""
        buffers = self.buffers
        return {
            "codes": buffers.codes,
            "given": buffers.given,
            "partials": buffers.partials[(place - 1) % 2],
            "output_bias": self.weights.fine_output_bias,
            "origin": buffers.origin,
            "seeds": buffers.seeds,
            "takes": buffers.takes,
            "temperatures": buffers.temperatures,
        }

    def _drawn(self) -> dict[str, int]:
        tiles = self.widths.mlp // GRAIN
        return {"bucket": self.buffers.rows, "tiles": tiles, "history": self.config.history_length}


@dataclass(frozen=True, eq=False)
class _Tier:
    """What is different between the two GRUs."""

    cut: Cut
    unit: int
    inputs: Tensor
    inputs_stride: int
    samples: Tensor
    matrix: Tensor
    bias: Tensor
    state: Tensor
    out: Tensor
    own: int
    """Where in `out` the part for the tier's own next step begins."""
