"""Tiles: the sums of some rows by some strips of a product, held in registers, as one value in Numba code.

A tile of R rows by S strips of 16 outputs is a tuple of R * S vectors, row by row. Two tuples say where in an array
`[rows, columns]` it lies, and their lengths how large it is: `rows`, and `strips`, counted from a column on. Here one
row by two strips:

    sums = load_tile(start, (row,), column, (0, 1))
    for index in range(0, depth, inputs_per_step(matrix)):
        sums = add_products(sums, matrix, place, (0, 1), inputs, (row,), index)
    store_tile(out, (row,), column, (0, 1), sums)

`add_products` is where the precisions part: float32 and bfloat16 weights (16-bit patterns) are multiplied and added in
float32, fused, in rising order of the inputs; int8 weights times uint8 inputs are added up in int32, exactly. Weights
of 4 bits are too, by `add_group`.
"""

from __future__ import annotations

from typing import Any, Final

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core.registry import cpu_target

from v2s_engine.sampling.quantised import GROUP
from v2s_engine.sampling.vectors import (
    FLOATS,
    INTEGERS,
    LANES,
    broadcast,
    call_for_floats,
    call_llvm,
    constant,
    features,
    float32x16,
    int32x16,
    intrinsic,
    place_of,
)

BLOCK: Final = 4 * LANES
"""Outputs that lie together in a packed matrix `[outputs / 64, steps, 64, inputs per step]`."""

ONE_STRIP: Final = (0,)
TWO_STRIPS: Final = (0, 1)
FOUR_STRIPS: Final = (0, 1, 2, 3)

STEPS: Final = {types.float32: 1, types.uint16: 2, types.int8: 4}
"""Inputs that one step of a product takes: their weights for one output fill 32 bits (float32, bfloat16, int8)."""

NIBBLES_PER_STEP: Final = 8
"""The same for weights of 4 bits. Byte i of a step's four holds input i in its lower half, input 4 + i in the upper."""

_WORD: Final = ir.IntType(32)
_BYTES: Final = ir.VectorType(ir.IntType(8), LANES)
_HALVES: Final = [
    ir.Constant(ir.VectorType(_WORD, LANES // 2), list(range(first, first + LANES // 2))) for first in (0, LANES // 2)
]


@intrinsic
def inputs_per_step(typing: Any, matrix: Any) -> Any:
    """Of a packed matrix, by its type: 1 for float32, 2 for bfloat16, 4 for int8."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.get_constant(types.intp, STEPS[matrix.dtype])

    return types.intp(matrix), generate


def has_many_registers() -> bool:
    """Whether the processor that code is made for has registers for a tile of 16 vectors: AVX-512."""
    return "+avx512f" in features(cpu_target.target_context)


@intrinsic
def load_tile(typing: Any, array: Any, rows: Any, column: Any, strips: Any) -> Any:
    """Numbers of a C-contiguous float32 or int32 array `[rows, columns]`; an array of one row serves all rows."""
    vector, kind = (float32x16, FLOATS) if array.dtype == types.float32 else (int32x16, INTEGERS)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        tile = ir.Constant(ir.ArrayType(kind, rows.count * strips.count), ir.Undefined)
        for number, place in enumerate(_places(context, builder, signature, arguments, kind)):
            tile = builder.insert_value(tile, builder.load(place, align=4), number)
        return tile

    tile: Any = types.UniTuple(vector, rows.count * strips.count)  # type: ignore[no-untyped-call]
    return tile(array, rows, types.intp, strips), generate


@intrinsic
def store_tile(typing: Any, array: Any, rows: Any, column: Any, strips: Any, tile: Any) -> Any:
    """Inverse of `load_tile`, for float32."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        for number, place in enumerate(_places(context, builder, signature, arguments, FLOATS)):
            builder.store(builder.extract_value(arguments[4], number), place, align=4)
        return context.get_dummy_value()

    return types.none(array, rows, types.intp, strips, tile), generate


@intrinsic
def add_tiles(typing: Any, left: Any, right: Any) -> Any:
    """The sum of two tiles of float32."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        tile, other = arguments
        for number in range(left.count):
            pair = [builder.extract_value(each, number) for each in (tile, other)]
            tile = builder.insert_value(tile, builder.fadd(*pair), number)
        return tile

    return left(left, right), generate


@intrinsic
def add_products(
    typing: Any, sums: Any, matrix: Any, place: Any, strips: Any, inputs: Any, rows: Any, index: Any
) -> Any:
    """Add the products of the next inputs, from `index` on, to a tile of sums.

    `place` is where in the flat memory of a packed matrix the first strip begins; `inputs` is a C-contiguous array
    `[rows, inputs]`, of uint8 where the matrix is int8, else of float32. Sums are int32 or float32 alike.
    """
    each = STEPS[matrix.dtype]
    weight_kind = FLOATS if matrix.dtype == types.float32 else INTEGERS

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        tile, packed, start, strip_numbers, vectors, row_numbers, at = arguments
        start = builder.add(start, builder.mul(at, at.type(BLOCK)))
        weights = []
        for strip in range(strips.count):
            beyond = builder.mul(builder.extract_value(strip_numbers, strip), at.type(LANES * each))
            pointer = place_of(context, builder, matrix, packed, builder.add(start, beyond), weight_kind)
            weights.append(builder.load(pointer, align=4))
        if matrix.dtype == types.uint16:
            halves = [_widened(builder, words) for words in weights]
            weights_by_input = [[half[number] for half in halves] for number in range(each)]
        else:
            weights_by_input = [weights]
        for number, row_weights in enumerate(weights_by_input):
            for row in range(rows.count):
                row_number = builder.extract_value(row_numbers, row)
                input_place = _place_in_row(context, builder, inputs, vectors, row_number, at)
                input_place = builder.add(input_place, at.type(number))
                value = _broadcast_input(context, builder, inputs, vectors, input_place)
                for strip, weight in enumerate(row_weights):
                    which = row * strips.count + strip
                    before = builder.extract_value(tile, which)
                    after = _multiply_add(context, builder, value, weight, before)
                    tile = builder.insert_value(tile, after, which)
        return tile

    return sums(sums, matrix, types.intp, strips, inputs, rows, types.intp), generate


@intrinsic
def add_group(
    typing: Any, sums: Any, nibbles: Any, places: Any, multipliers: Any, strips: Any, inputs: Any, rows: Any, group: Any
) -> Any:
    """Add to a tile of int32 the products of the `group`-th `GROUP` inputs with weights of 4 bits, times multipliers.

    `nibbles` and `multipliers` are packed matrices of uint8, `places` where in their flat memory the first strip
    begins; `inputs` is a C-contiguous uint8 array `[rows, inputs]`.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        tile, packed, both, factors, strip_numbers, vectors, row_numbers, number = arguments
        first, first_factor = builder.extract_value(both, 0), builder.extract_value(both, 1)

        def load_strips(array_type: Any, array: Any, start: Any, each: int, kind: Any) -> list[Any]:
            loaded = []
            for strip in range(strips.count):
                beyond = builder.mul(builder.extract_value(strip_numbers, strip), start.type(LANES * each))
                place = builder.add(start, beyond)
                loaded.append(builder.load(place_of(context, builder, array_type, array, place, kind), align=1))
            return loaded

        def load_inputs(row: int, at: Any) -> Any:
            row_number = builder.extract_value(row_numbers, row)
            place = _place_in_row(context, builder, inputs, vectors, row_number, at)
            return _broadcast_input(context, builder, inputs, vectors, place)

        products = [constant(INTEGERS, 0)] * sums.count
        for step in range(GROUP // NIBBLES_PER_STEP):
            done = builder.add(builder.mul(number, number.type(GROUP // NIBBLES_PER_STEP)), number.type(step))
            start = builder.add(first, builder.mul(done, number.type(BLOCK * 4)))
            weights = [_halves(builder, words) for words in load_strips(nibbles, packed, start, 4, INTEGERS)]
            for half in (0, 1):
                at = builder.add(builder.mul(done, number.type(NIBBLES_PER_STEP)), number.type(4 * half))
                values = [load_inputs(row, at) for row in range(rows.count)]
                for which, product in enumerate(products):
                    row, strip = divmod(which, strips.count)
                    products[which] = _multiply_add(context, builder, values[row], weights[strip][half], product)
        start = builder.add(first_factor, builder.mul(number, number.type(BLOCK)))
        group_factors = load_strips(multipliers, factors, start, 1, _BYTES)
        for which, product in enumerate(products):
            # `_halves` are levels times 16.
            whole = builder.ashr(product, constant(INTEGERS, 4))
            scaled = builder.mul(whole, builder.zext(group_factors[which % strips.count], INTEGERS))
            tile = builder.insert_value(tile, builder.add(builder.extract_value(tile, which), scaled), which)
        return tile

    return sums(sums, nibbles, places, multipliers, strips, inputs, rows, types.intp), generate


@intrinsic
def rescale(typing: Any, sums: Any, scales: Any, steps: Any, rows: Any, starts: Any) -> Any:
    """Tiles of int32 sums to float32: `sum * (scale * steps[row]) + start`, the last two fused."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        totals, factors, steps_array, row_numbers, tile = arguments
        for row in range(rows.count):
            number = builder.extract_value(row_numbers, row)
            pointer = place_of(context, builder, steps, steps_array, number, ir.FloatType())
            step = broadcast(builder, builder.load(pointer, align=4))
            for which in range(row * sums.count // rows.count, (row + 1) * sums.count // rows.count):
                scale = builder.fmul(builder.extract_value(factors, which), step)
                total = builder.sitofp(builder.extract_value(totals, which), FLOATS)
                fused = call_for_floats(builder, "fma", [total, scale, builder.extract_value(tile, which)])
                tile = builder.insert_value(tile, fused, which)
        return tile

    return starts(sums, scales, steps, rows, starts), generate


def _places(context: Any, builder: Any, signature: Any, arguments: Any, kind: Any) -> list[Any]:
    """Pointers to the vectors of a tile in an array `[rows, columns]`."""
    array_type, rows, _, strips = signature.args[:4]
    array, row_numbers, column, strip_numbers = arguments[:4]
    places = []
    for row in range(rows.count):
        start = _place_in_row(context, builder, array_type, array, builder.extract_value(row_numbers, row), column)
        for strip in range(strips.count):
            beyond = builder.mul(builder.extract_value(strip_numbers, strip), column.type(LANES))
            places.append(place_of(context, builder, array_type, array, builder.add(start, beyond), kind))
    return places


def _place_in_row(context: Any, builder: Any, array_type: Any, array: Any, row: Any, column: Any) -> Any:
    """Place in flat memory; in an array of one row, that row's."""
    shape = context.make_array(array_type)(context, builder, array).shape
    one_row = builder.icmp_signed("==", builder.extract_value(shape, 0), row.type(1))
    start = builder.select(one_row, row.type(0), builder.mul(row, builder.extract_value(shape, 1)))
    return builder.add(start, column)


def _broadcast_input(context: Any, builder: Any, inputs: Any, array: Any, place: Any) -> Any:
    """One float32 in every lane, or four uint8 as one int32 in every lane."""
    kind = _WORD if inputs.dtype == types.uint8 else ir.FloatType()
    pointer = place_of(context, builder, inputs, array, place, kind)
    return broadcast(builder, builder.load(pointer, align=1 if inputs.dtype == types.uint8 else 4))


def _widened(builder: Any, words: Any) -> list[Any]:
    """The float32 numbers of pairs of bfloat16: low halves, high halves."""
    low = builder.shl(words, constant(INTEGERS, 16))
    high = builder.and_(words, constant(INTEGERS, 0xFFFF0000))
    return [builder.bitcast(half, FLOATS) for half in (low, high)]


def _halves(builder: Any, words: Any) -> list[Any]:
    """Lower and upper halves of bytes as int8, times 16: a half byte's sign is then a byte's."""
    upper = constant(INTEGERS, 0xF0F0F0F0)
    return [builder.and_(builder.shl(words, constant(INTEGERS, 4)), upper), builder.and_(words, upper)]


def _multiply_add(context: Any, builder: Any, value: Any, weight: Any, before: Any) -> Any:
    if value.type == FLOATS:
        return call_for_floats(builder, "fma", [value, weight, before])
    # LLVM 22 declares `vpdpbusd` on bytes; it takes this older form as well and rewrites it.
    if "+avx512vnni" in features(context):
        return call_llvm(builder, "llvm.x86.avx512.vpdpbusd.512", INTEGERS, [before, value, weight])
    if "+avxvnni" in features(context):  # the same for half the width
        halves = [
            [builder.shuffle_vector(vector, vector, half) for vector in (before, value, weight)] for half in _HALVES
        ]
        low, high = (call_llvm(builder, "llvm.x86.avx512.vpdpbusd.256", vectors[0].type, vectors) for vectors in halves)
        return builder.shuffle_vector(low, high, ir.Constant(INTEGERS, list(range(LANES))))
    return _add_products_of_bytes(builder, value, weight, before)


def _add_products_of_bytes(builder: Any, value: Any, weight: Any, before: Any) -> Any:
    """What `vpdpbusd` computes, in generic vectors: x86 has `vpmaddwd` for it, and LLVM finds it.

    uint8 and int8 in the even and in the odd bytes become int16; their products are added in pairs, in int32.
    """
    halves = ir.VectorType(ir.IntType(16), 2 * LANES)
    wide = ir.VectorType(ir.IntType(32), 2 * LANES)
    eight = constant(halves, 8)
    value, weight = builder.bitcast(value, halves), builder.bitcast(weight, halves)
    even = (builder.and_(value, constant(halves, 255)), builder.ashr(builder.shl(weight, eight), eight))
    odd = (builder.lshr(value, eight), builder.ashr(weight, eight))
    total = None
    for left, right in (even, odd):
        products = builder.mul(builder.sext(left, wide), builder.sext(right, wide))
        first, second = (
            builder.shuffle_vector(products, products, ir.Constant(INTEGERS, list(range(start, 2 * LANES, 2))))
            for start in (0, 1)
        )
        pairs = builder.add(first, second)
        total = pairs if total is None else builder.add(total, pairs)
    return builder.add(before, total)
