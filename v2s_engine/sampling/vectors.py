"""Sixteen float32 or int32 numbers as one value in Numba code: what lets a kernel say in which order it computes.

    total = splat(0.0)
    for k in range(depth):
        total = fma(splat(row[k]), load(weights, k * 16), total)
    store(out, 0, total)

Numba's own vectoriser reorders sums only under `fastmath`, which gives other bits on every kind of processor. These are
LLVM's generic vectors: the processor's widest registers are used, and every lane goes through the same IEEE operations
in the same order on all of them. Of Numba this uses `numba.extending`, which is public, its jit option `_nrt`, and in
`tiles.py` what says for which processor code is made.

`load` and `store` do not check bounds. Numba's cache of compiled code notices changes in `cpu_kernels.py` only: after
one in another file that is compiled (this, `tiles.py`, `cpu_*.py`), delete `__pycache__` beside it.
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

Vector = Any
"""Sixteen float32 numbers; int32 where a name says so."""

# Numba's type hints, where it has any, do not cover what is used of it here.
intrinsic: Callable[[Function], Function] = _intrinsic
primitive_model: Function = models.PrimitiveModel
_njit: Function = njit
_overload: Function = overload

# Arrays come from the caller and outlive the call: counting references to them would cost as much as small products.
# Without a word on `forceinline`, a function would take it from the caller that it is first compiled for.
_OPTIONS: Final[dict[str, Any]] = {"nogil": True, "_nrt": False, "no_cfunc_wrapper": True, "forceinline": False}

compiled: Callable[[Function], Function] = _njit(**_OPTIONS, no_cpython_wrapper=True)
"""For functions that compiled ones call: they allocate nothing, cannot be called from Python, run without its lock."""

entry: Callable[[Function], Function] = _njit(**_OPTIONS, cache=True)
"""For the one that Python calls: compiled with all that it calls at the first call, and kept on disk."""


_INLINED: Final[dict[str, Any]] = {**_OPTIONS, "no_cpython_wrapper": True, "forceinline": True}

inlined: Callable[[Function], Function] = _njit(**_INLINED)
"""The same, pasted into its callers: passing tuples of arrays costs more than small functions do."""


def implements(function: Function) -> Callable[[Function], Function]:
    """Decorates what chooses, by the types of the arguments, the Python function that is inlined for `function`."""
    decorator: Callable[[Function], Function] = _overload(function, strict=False, jit_options=_INLINED)
    return decorator


FLOATS: Final = ir.VectorType(ir.FloatType(), LANES)
INTEGERS: Final = ir.VectorType(ir.IntType(32), LANES)


class _Float32x16(types.Type):
    def __init__(self) -> None:
        super().__init__(name="float32x16")


class _Int32x16(types.Type):
    def __init__(self) -> None:
        super().__init__(name="int32x16")


float32x16: Final = _Float32x16()
int32x16: Final = _Int32x16()

register_model(_Float32x16)(lambda manager, numba_type: primitive_model(manager, numba_type, FLOATS))
register_model(_Int32x16)(lambda manager, numba_type: primitive_model(manager, numba_type, INTEGERS))


def constant(kind: Any, number: float) -> Any:
    """One number in every lane."""
    return ir.Constant(kind, [number] * kind.count)


def broadcast(builder: Any, number: Any) -> Any:
    """LLVM's `splat`: one number in sixteen lanes."""
    kind = ir.VectorType(number.type, LANES)
    single = builder.insert_element(ir.Constant(kind, ir.Undefined), number, ir.IntType(32)(0))
    return builder.shuffle_vector(single, single, constant(INTEGERS, 0))


def place_of(context: Any, builder: Any, array_type: Any, array: Any, index: Any, kind: Any) -> Any:
    """Pointer to the `index`-th number of a C-contiguous array's flat memory, where a `kind` begins."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), kind.as_pointer())


def features(context: Any) -> str:
    """What the processor that code is made for can do, as LLVM says it: `+avx2,+fma,-avx512f,..`."""
    named: str = context.codegen().magic_tuple()[2]
    return named


def call_llvm(builder: Any, name: str, kind: Any, arguments: Any) -> Any:
    """Call one of LLVM's own functions, all of whose arguments are of one kind."""
    function_type = ir.FunctionType(kind, [kind] * len(arguments))
    function = builder.module.globals.get(name) or ir.Function(builder.module, function_type, name)
    return builder.call(function, arguments)


def call_for_floats(builder: Any, name: str, arguments: Any) -> Any:
    """`call_llvm` for vectors of float32."""
    return call_llvm(builder, f"llvm.{name}.v{LANES}f32", FLOATS, arguments)


@intrinsic
def load(typing: Any, array: Any, index: Any) -> Any:
    """Sixteen numbers of a C-contiguous float32 array, from this place of its flat memory on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = place_of(context, builder, signature.args[0], arguments[0], arguments[1], FLOATS)
        return builder.load(pointer, align=4)

    return float32x16(array, types.intp), generate


@intrinsic
def store(typing: Any, array: Any, index: Any, vector: Any) -> Any:
    """Inverse of `load`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = place_of(context, builder, signature.args[0], arguments[0], arguments[1], FLOATS)
        builder.store(arguments[2], pointer, align=4)
        return context.get_dummy_value()

    return types.none(array, types.intp, float32x16), generate


@intrinsic
def store_bytes(typing: Any, array: Any, index: Any, vector: Any) -> Any:
    """Write the whole parts of sixteen numbers in 0 .. 255 to a C-contiguous uint8 array."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        narrow = ir.VectorType(ir.IntType(8), LANES)
        pointer = place_of(context, builder, signature.args[0], arguments[0], arguments[1], narrow)
        builder.store(builder.trunc(builder.fptosi(arguments[2], INTEGERS), narrow), pointer, align=1)
        return context.get_dummy_value()

    return types.none(array, types.intp, float32x16), generate


@intrinsic
def splat(typing: Any, number: Any) -> Any:
    """One float32 number, sixteen times."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return broadcast(builder, arguments[0])

    return float32x16(types.float32), generate


@intrinsic
def fma(typing: Any, left: Any, right: Any, added: Any) -> Any:
    """`left * right + added`, rounded once; the same bits in software where a processor has no such instruction."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return call_for_floats(builder, "fma", arguments)

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
def highest(typing: Any, vector: Any) -> Any:
    """The largest of sixteen numbers, as a float32."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (vector,) = arguments
        lanes = LANES
        while lanes > 1:  # halves against each other
            lanes //= 2
            order = [lane + lanes for lane in range(lanes)] + list(range(lanes)) + list(range(2 * lanes, LANES))
            other = builder.shuffle_vector(vector, vector, ir.Constant(INTEGERS, order))
            vector = builder.select(builder.fcmp_ordered(">", vector, other), vector, other)
        return builder.extract_element(vector, ir.IntType(32)(0))

    return types.float32(float32x16), generate


@intrinsic
def count_not_above(typing: Any, vector: Any, bound: Any) -> Any:
    """How many of sixteen numbers are at most those of `bound`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        ones = builder.bitcast(builder.fcmp_ordered("<=", *arguments), ir.IntType(LANES))
        return builder.zext(builder.ctpop(ones), context.get_value_type(types.intp))

    return types.intp(float32x16, float32x16), generate


@intrinsic
def keep_where_not_below(typing: Any, vector: Any, tested: Any, bound: Any) -> Any:
    """`vector` where `tested >= bound`, else 0."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector, tested, bound = arguments
        return builder.select(builder.fcmp_ordered(">=", tested, bound), vector, ir.Constant(FLOATS, None))

    return float32x16(float32x16, float32x16, float32x16), generate


@intrinsic
def whole_part(typing: Any, vector: Any) -> Any:
    """The largest whole numbers that are not above."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return call_for_floats(builder, "floor", arguments)

    return float32x16(float32x16), generate


@intrinsic
def power_of_two(typing: Any, exponent: Any) -> Any:
    """2 to the power of whole numbers in -126 .. 127: their bits are those of a float32's exponent."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole = builder.fptosi(arguments[0], INTEGERS)
        biased = builder.add(whole, constant(INTEGERS, 127))
        return builder.bitcast(builder.shl(biased, constant(INTEGERS, 23)), FLOATS)

    return float32x16(float32x16), generate


@intrinsic
def read_shared(typing: Any, array: Any, index: Any) -> Any:
    """A number of an int64 array that another thread writes with `write_shared`: all that it wrote before is there."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = place_of(context, builder, signature.args[0], arguments[0], arguments[1], ir.IntType(64))
        return builder.load_atomic(pointer, "acquire", 8)

    return types.int64(array, types.intp), generate


@intrinsic
def write_shared(typing: Any, array: Any, index: Any, number: Any) -> Any:
    """See `read_shared`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = place_of(context, builder, signature.args[0], arguments[0], arguments[1], ir.IntType(64))
        builder.store_atomic(arguments[2], pointer, "release", 8)
        return context.get_dummy_value()

    return types.none(array, types.intp, types.int64), generate


@intrinsic
def rest(typing: Any) -> Any:
    """In a loop that waits for another thread: some 25 ns that leave the core to a neighbour on it; on x86 only."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if "+sse2" in features(context):
            name, kind = "llvm.x86.sse2.pause", ir.FunctionType(ir.VoidType(), [])
            builder.call(builder.module.globals.get(name) or ir.Function(builder.module, kind, name), [])
        return context.get_dummy_value()

    return types.none(), generate


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
