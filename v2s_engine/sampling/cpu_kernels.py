"""The CPU sampler's way through the samples, compiled by Numba.

The rows of a group go in lockstep: they stand at the same place of a conditioning vector. Every number comes from the
same operations in the same order whatever the group, so a row's result does not depend on its neighbours.

Widths are padded with zeros to whole multiples of `tiles.BLOCK`; what is computed there stays zero or is never read.
P and Q are hidden_size and mlp_size with padding; the three gates of a GRU are 3P outputs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from v2s_engine.options import LEVELS, SILENCE_CODE
from v2s_engine.sampling.cpu_draw import draw_codes, uniform_number
from v2s_engine.sampling.cpu_gates import update_gru
from v2s_engine.sampling.cpu_pair import Pair, is_over
from v2s_engine.sampling.cpu_products import Levels, as_rectified, as_state, multiply
from v2s_engine.sampling.sampler import Codes, Floats
from v2s_engine.sampling.tiles import BLOCK, FOUR_STRIPS, add_tiles, load_tile, store_tile
from v2s_engine.sampling.vectors import LANES, compiled, entry, inlined, load, store

FIRST = np.intp  # of the outputs; a bare 0 would be a type of its own to Numba, and compiled once more
_SILENCE, _SCALE = np.float32(SILENCE_CODE), np.float32(2 / SILENCE_CODE)


class GruWeights(NamedTuple):
    """Weights of a recurrent tier's GRU. Matrices are packed as in `cpu_products`, biases are `[1, outputs]`."""

    samples: Floats
    """Past amplitudes to the GRU's input."""
    recurrent: Any
    """This and a tier's `up` are float32, bfloat16, int8 or 4 bits."""
    recurrent_bias: Floats


class TierWeights(NamedTuple):
    """Weights of a recurrent tier."""

    gru: GruWeights
    """Of one type in both tiers, so that one step is compiled for both."""
    up: Any
    """The state to the tier below: to each of its S steps in this one's unit."""
    up_bias: Floats
    """`[S, 1, outputs of a step]`."""


class MlpWeights(NamedTuple):
    """Weights of the finest tier."""

    tables: Floats
    """`[window * 256, Q]`."""
    hidden: Any
    hidden_bias: Floats
    output: Any
    output_bias: Floats


class PackedWeights(NamedTuple):
    """`FoldedWeights` as the kernels read them."""

    conditioning: Floats
    conditioning_bias: Floats
    coarse: TierWeights
    mid: TierWeights
    fine: MlpWeights


class Keys(NamedTuple):
    """What the random numbers of R rows are keyed by, each `[R]`, and how they are used."""

    seeds: NDArray[np.uint64]
    takes: NDArray[np.uint64]
    positions: NDArray[np.uint64]
    """Of the first sample asked for."""
    temperatures: Floats


class Group(NamedTuple):
    """R rows on their way through L samples; `coarse`, `mid` and either `codes` or `logits` are written to."""

    phase: int
    """Samples from the start of the first conditioning vector to the first sample asked for, the same for all rows."""
    length: int
    """L."""
    conditioning: Floats
    """`[R, n, C]`."""
    coarse: Floats
    """`[R, P]`."""
    mid: Floats
    """`[R, P]`."""
    codes: Codes
    """`[R, history_length + L]`: the history, then the codes: drawn here, or given where `logits` are asked for."""
    logits: Floats
    """`[R, L, 256]` where the codes are given, else `[R, 0, 256]`."""
    keys: Keys


class GruScratch(NamedTuple):
    """What a recurrent tier computes in."""

    amplitudes: Floats
    """`[R, coarse_unit]`."""
    gates: Floats
    """`[2, R, 3P]`: from the inputs and from the state."""
    levels: Levels


class MlpScratch(NamedTuple):
    """What the finest tier computes in."""

    hidden: Floats
    """`[2, R, Q]`."""
    levels: Levels


class Scratch(NamedTuple):
    """What R rows compute in."""

    vectors: Floats
    """`[R, C]`."""
    coarse_inputs: Floats
    """`[R, 3P]`: what the conditioning vector says to the coarse GRU."""
    mid_inputs: Floats
    """`[mid steps per unit, R, 3P]`: what the coarse state says to each mid step of its unit."""
    fine_inputs: Floats
    """`[mid_unit, R, Q]`: what the mid state says to each sample of its unit."""
    gru: GruScratch
    mlp: MlpScratch
    logits: Floats
    """`[R, 256]`."""
    running: Floats
    """`[R, 256]`: running sums of the softmax."""
    uniforms: Floats
    """`[R]`."""


@entry
def run_group(
    weights: PackedWeights, group: Group, scratch: Scratch, conditioning_length: int, pair: Pair | None
) -> None:
    """Take all rows of a group through L samples: draw codes, or write the `logits` of given ones.

    One row may be made by a `pair` of threads: each calls this with a group and scratch memory of its own. What the
    leader has then is complete, what its partner has may not be.
    """
    coarse_unit, mid_unit = scratch.gru.amplitudes.shape[1], scratch.fine_inputs.shape[0]
    for sample in range(group.length):
        place = group.codes.shape[1] - group.length + sample
        at = group.phase + sample
        # What a unit's later samples need is not part of the state: the first sample of a call computes it again.
        first = sample == 0
        if first or at % conditioning_length == 0:
            copy_vectors(group.conditioning, at // conditioning_length, scratch.vectors)
            multiply(
                weights.conditioning, FIRST(0), scratch.vectors, weights.conditioning_bias, scratch.coarse_inputs, pair
            )
        if at % coarse_unit == 0:
            step_gru(weights.coarse.gru, scratch.coarse_inputs, group.codes, place, group.coarse, scratch.gru, pair)
        if first or at % coarse_unit == 0:
            tell_below(weights.coarse, group.coarse, scratch.gru.levels, scratch.mid_inputs, pair)
        if at % mid_unit == 0:
            step = at % coarse_unit // mid_unit
            step_gru(weights.mid.gru, scratch.mid_inputs[step], group.codes, place, group.mid, scratch.gru, pair)
        if first or at % mid_unit == 0:
            tell_below(weights.mid, group.mid, scratch.gru.levels, scratch.fine_inputs, pair)
        make_logits(
            weights.fine, scratch.fine_inputs[at % mid_unit], group.codes, place, scratch.mlp, scratch.logits, pair
        )
        if pair is not None and is_over(pair):
            return
        if group.logits.shape[1]:
            copy_logits(scratch.logits, group.logits, sample)
        else:
            draw_uniforms(group.keys, sample, scratch.uniforms)
            temperatures = group.keys.temperatures
            draw_codes(scratch.logits, scratch.uniforms, temperatures, scratch.running, group.codes, place)


@inlined
def step_gru(
    weights: GruWeights,
    from_above: Floats,
    codes: Codes,
    place: int,
    state: Floats,
    scratch: GruScratch,
    pair: Pair | None,
) -> None:
    """One step of a recurrent tier, for the unit that begins at `place`."""
    scale_codes(codes, place, weights.samples.shape[1], scratch.amplitudes)
    multiply(weights.samples, FIRST(0), scratch.amplitudes, from_above, scratch.gates[0], pair)
    inputs = as_state(weights.recurrent, state, scratch.levels)
    multiply(weights.recurrent, FIRST(0), inputs, weights.recurrent_bias, scratch.gates[1], pair)
    update_gru(scratch.gates[0], scratch.gates[1], state)


@compiled
def tell_below(weights: TierWeights, state: Floats, levels: Levels, outs: Floats, pair: Pair | None) -> None:
    """What a state says to each step of the tier below, `outs [S, R, outputs]`: a part of the matrix for each."""
    inputs = as_state(weights.up, state, levels)
    for step in range(outs.shape[0]):
        multiply(weights.up, step * outs.shape[2], inputs, weights.up_bias[step], outs[step], pair)


@inlined
def make_logits(
    weights: MlpWeights,
    from_above: Floats,
    codes: Codes,
    place: int,
    scratch: MlpScratch,
    logits: Floats,
    pair: Pair | None,
) -> None:
    """The finest tier, for the sample at `place`."""
    add_tables(weights.tables, codes, place, from_above, scratch.hidden[0])
    first = as_rectified(weights.hidden, scratch.hidden[0], scratch.levels)
    multiply(weights.hidden, FIRST(0), first, weights.hidden_bias, scratch.hidden[1], pair)
    second = as_rectified(weights.output, scratch.hidden[1], scratch.levels)
    multiply(weights.output, FIRST(0), second, weights.output_bias, logits, pair)


@compiled
def copy_vectors(conditioning: Floats, index: int, out: Floats) -> None:
    """One conditioning vector of every row."""
    for row in range(out.shape[0]):
        for number in range(out.shape[1]):
            out[row, number] = conditioning[row, index, number]


@compiled
def copy_logits(logits: Floats, out: Floats, sample: int) -> None:
    """Logits of one sample of every row."""
    for row in range(logits.shape[0]):
        for at in range(0, LEVELS, LANES):
            store(out, (row * out.shape[1] + sample) * LEVELS + at, load(logits, row * LEVELS + at))


@compiled
def draw_uniforms(keys: Keys, sample: int, out: Floats) -> None:
    """The random number of every row for a sample, counted from the first one asked for."""
    for row in range(out.shape[0]):
        out[row] = uniform_number(keys.seeds[row], keys.takes[row], keys.positions[row] + np.uint64(sample))


@compiled
def scale_codes(codes: Codes, place: int, count: int, out: Floats) -> None:
    """The `count` codes before a place as real numbers in [-2, 2), the scale that the recurrent tiers see."""
    for row in range(codes.shape[0]):
        for index in range(count):
            out[row, index] = (np.float32(codes[row, place - count + index]) - _SILENCE) * _SCALE


@compiled
def add_tables(tables: Floats, codes: Codes, place: int, start: Floats, out: Floats) -> None:
    """`out[r] = start[r]` and one table row for each of the row's last codes, oldest first."""
    window = tables.shape[0] // LEVELS
    for row in range(codes.shape[0]):
        for column in range(0, out.shape[1], BLOCK):
            sums = load_tile(start, (row,), column, FOUR_STRIPS)
            for index in range(window):
                table_row = index * LEVELS + np.intp(codes[row, place - window + index])
                sums = add_tiles(sums, load_tile(tables, (table_row,), column, FOUR_STRIPS))
            store_tile(out, (row,), column, FOUR_STRIPS, sums)
