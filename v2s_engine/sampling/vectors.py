"""Sixteen float32 numbers as one value in Numba code: what lets a kernel say in which order it computes.

    total = splat(0.0)
    for k in range(depth):
        total = fma(splat(row[k]), load(weights, k * 16), total)
    store(out, 0, total)

Numba's own vectoriser reorders sums only under `fastmath`, which gives other bits on every kind of processor. These are
LLVM's generic vectors: the processor's widest registers are used, and every lane goes through the same IEEE operations
in the same order on all of them. Uses only `numba.extending` and `llvmlite.ir`, which are public.

`load` and `store` do not check bounds. Numba's cache of compiled code does not notice a change in this file:
after one, delete `__pycache__` beside it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final

from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.extending import intrinsic as _intrinsic
from numba.extending import models, overload, register_model

LANES: Final = 16

Function = Callable[..., Any]

# Numba has no type hints; these names give some to what is used of it.
intrinsic: Callable[[Function], Function] = _intrinsic
primitive_model: Function = models.PrimitiveModel
compiled: Callable[[Function], Function] = njit(cache=True, nogil=True)
"""Compile at the first call and keep the machine code on disk; runs without Python's lock."""


class _Float32x16(types.Type):
    def __init__(self) -> None:
        super().__init__(name="float32x16")


float32x16: Final = _Float32x16()

_VECTOR: Final = ir.VectorType(ir.FloatType(), LANES)
_INTEGERS: Final = ir.VectorType(ir.IntType(32), LANES)


register_model(_Float32x16)(lambda manager, numba_type: primitive_model(manager, numba_type, _VECTOR))


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _VECTOR.as_pointer())


def _call_llvm(builder: Any, name: str, arguments: Any) -> Any:
    name = f"llvm.{name}.v{LANES}f32"
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * len(arguments))
    function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
    return builder.call(function, arguments)


@intrinsic
def load(typing: Any, array: Any, index: Any) -> Any:
    """Sixteen numbers of a C-contiguous float32 array, from this place of its flat memory on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], *arguments)
        return builder.load(pointer, align=4)

    return float32x16(array, types.intp), generate


@intrinsic
def store(typing: Any, array: Any, index: Any, vector: Any) -> Any:
    """Inverse of `load`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], *arguments[:2])
        builder.store(arguments[2], pointer, align=4)
        return context.get_dummy_value()

    return types.none(array, types.intp, float32x16), generate


@intrinsic
def splat(typing: Any, number: Any) -> Any:
    """One float32 number, sixteen times."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        single = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), arguments[0], ir.IntType(32)(0))
        return builder.shuffle_vector(single, single, ir.Constant(_INTEGERS, [0] * LANES))

    return float32x16(types.float32), generate


@intrinsic
def fma(typing: Any, left: Any, right: Any, added: Any) -> Any:
    """`left * right + added`, rounded once; the same bits in software where a processor has no such instruction."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _call_llvm(builder, "fma", arguments)

    return float32x16(float32x16, float32x16, float32x16), generate


@intrinsic
def maximum(typing: Any, left: Any, right: Any) -> Any:
    """The larger one of each pair."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", *arguments), *arguments)

    return float32x16(float32x16, float32x16), generate


@intrinsic
def minimum(typing: Any, left: Any, right: Any) -> Any:
    """The smaller one of each pair."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", *arguments), *arguments)

    return float32x16(float32x16, float32x16), generate


@intrinsic
def keep_where_not_below(typing: Any, vector: Any, tested: Any, bound: Any) -> Any:
    """`vector` where `tested >= bound`, else 0."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector, tested, bound = arguments
        return builder.select(builder.fcmp_ordered(">=", tested, bound), vector, ir.Constant(_VECTOR, None))

    return float32x16(float32x16, float32x16, float32x16), generate


@intrinsic
def whole_part(typing: Any, vector: Any) -> Any:
    """The largest whole numbers that are not above."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _call_llvm(builder, "floor", arguments)

    return float32x16(float32x16), generate


@intrinsic
def power_of_two(typing: Any, exponent: Any) -> Any:
    """2 to the power of whole numbers in -126 .. 127: their bits are those of a float32's exponent."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole = builder.fptosi(arguments[0], _INTEGERS)
        biased = builder.add(whole, ir.Constant(_INTEGERS, [127] * LANES))
        return builder.bitcast(builder.shl(biased, ir.Constant(_INTEGERS, [23] * LANES)), _VECTOR)

    return float32x16(float32x16), generate


def _define_operator(symbol: Function, instruction: str) -> None:
    @intrinsic
    def apply(typing: Any, left: Any, right: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return getattr(builder, instruction)(*arguments)

        return float32x16(float32x16, float32x16), generate

    def choose(left: Any, right: Any) -> Function | None:
        def apply_to_both(left: Any, right: Any) -> Any:
            return apply(left, right)

        return apply_to_both if left == right == float32x16 else None

    overload(symbol)(choose)


_define_operator(operator.add, "fadd")
_define_operator(operator.sub, "fsub")
_define_operator(operator.mul, "fmul")
_define_operator(operator.truediv, "fdiv")
