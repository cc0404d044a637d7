"""A folded SampleRNN as an ONNX model: a Loop over samples, and the tiers' steps in branches of it.

It is built from the weights when it is wanted, so nothing more ships in a bundle, and every bundle can be run. It takes
one row: in a batch, ONNX Runtime adds up in an order that depends on how many there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from v2s_engine.options import LEVELS, SILENCE_CODE, ModelConfig
from v2s_engine.sampling.draw import EXPONENT_FLOOR
from v2s_engine.sampling.weights import FoldedWeights

Task = Literal["codes", "logits"]
"""What the model gives: codes that it draws, or the logits of codes given."""

_OPSET: Final = 18
_IR_VERSION: Final = 9
_LAST: Final = 2**31  # end of a slice that goes to the end

_TIERS: Final = ("told_now", "coarse", "from_coarse", "mid", "from_mid")
"""What goes from sample to sample: the inputs that the vector at hand gives the coarse tier, the tiers' states `[1, d]`
and what these give the tier below for the rest of their unit."""

_NUMBERS: Final = ("phase", "length", "index", "running", "still_running")
_TYPES: Final = {
    "phase": TensorProto.INT64,
    "length": TensorProto.INT64,
    "index": TensorProto.INT64,
    "history": TensorProto.INT64,
    "history_now": TensorProto.INT64,
    "history_after": TensorProto.INT64,
    "given": TensorProto.INT64,
    "codes": TensorProto.INT64,
    "running": TensorProto.BOOL,
    "still_running": TensorProto.BOOL,
}


def sampler_model(weights: FoldedWeights, task: Task) -> bytes:
    """The model, serialised: for one row and L samples.

    Inputs: `phase` int64 `[]`, the position within a conditioning vector; `length` int64 `[]`, L; `told` float32
    `[n, C]`; `coarse` and `mid` float32 `[1, d]`; `history` int64 `[K]`. For `codes` also `uniforms` float32 `[L, 1]`
    and `temperature` float32 `[1]`; for `logits` also `given` int64 `[L, 1]`, the codes.

    Outputs: `coarse_after`, `mid_after`, `history_after`, and `codes` int64 `[L, 1]` or `logits` float32 `[L, 256]`.
    """
    config, graph = weights.config, _Graph("before")
    widths = (
        3 * config.hidden_size,
        3 * config.hidden_size * (config.coarse_unit // config.mid_unit),
        config.mid_unit * config.mlp_size,
    )
    nothing = [graph.constant(np.zeros((1, width)), np.float32) for width in widths]
    carried = [nothing[0], "coarse", nothing[1], "mid", nothing[2], "history"]
    after = [f"{name}_after" for name in (*_TIERS, "history")]
    inputs = ["length", graph.constant(True, np.bool_), *carried]
    graph.nodes.append(helper.make_node("Loop", inputs, [*after, task], body=_sample_step(config, task)))
    given = ["uniforms", "temperature"] if task == "codes" else ["given"]
    made = helper.make_graph(
        graph.nodes,
        "sampler",
        _values(["phase", "length", "told", "coarse", "mid", "history", *given]),
        _values(["coarse_after", "mid_after", "history_after", task]),
        [numpy_helper.from_array(array, name) for name, array in _constants(weights).items()],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
    serialised: bytes = model.SerializeToString()
    return serialised


class _Graph:
    """The nodes of a graph as they are added. `name` begins their names: no branch may use those of another."""

    def __init__(self, name: str) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self._name = name

    def add(self, kind: str, *inputs: str, out: str = "", **attributes: Any) -> str:
        """A node with one output, whose name it returns."""
        out = out or f"{self._name}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [out], **attributes))
        return out

    def constant(self, value: object, kind: type[np.generic] = np.int64) -> str:
        # np.array, not ascontiguousarray: a single number must stay without dimensions.
        return self.add("Constant", value=numpy_helper.from_array(np.array(value, dtype=kind)))

    def linear(self, row: str, matrix: str) -> str:
        """A row `[1, n]` times a matrix, and the bias that belongs to it."""
        return self.add("Add", self.add("MatMul", row, matrix), f"{matrix}_bias")

    def tail(self, count: int) -> str:
        """The last `count` codes `[count]`."""
        return self.add("Slice", "history", self.constant([-count]), self.constant([_LAST]))

    def starts(self, unit: int) -> str:
        """Whether a unit of so many samples starts at this one."""
        return self.add("Equal", self.add("Mod", "position", self.constant(unit)), self.constant(0))

    def starts_or_first(self, unit: int) -> str:
        """The same, or whether this is the first sample of the call: then what is known for the unit is not at hand."""
        return self.add("Or", self.starts(unit), self.add("Equal", "index", self.constant(0)))

    def part(self, row: str, index: str, size: int) -> str:
        """Stretch number `index` (int64 `[1]`) of stretches of `size` in a row."""
        start = self.add("Mul", index, self.constant([size]))
        return self.add("Slice", row, start, self.add("Add", start, self.constant([size])), self.constant([1]))

    def past(self, count: int, tier: str) -> str:
        """What the last `count` codes, as real numbers in [-2, 2), add to a tier's inputs."""
        centred = self.add("Sub", self.tail(count), self.constant(SILENCE_CODE))
        scale = self.constant(2.0 / SILENCE_CODE, np.float32)
        amplitudes = self.add("Mul", self.add("Cast", centred, to=TensorProto.FLOAT), scale)
        return self.add("MatMul", self.add("Unsqueeze", amplitudes, self.constant([0])), f"{tier}_samples")

    def gru(self, inputs: str, tier: str) -> str:
        """The tier's next state, see `reference.gru_step`."""
        reset_in, update_in, candidate_in = self._thirds(inputs)
        reset_from, update_from, candidate_from = self._thirds(self.add("MatMul", tier, f"{tier}_recurrent"))
        reset = self.add("Sigmoid", self.add("Add", reset_in, reset_from))
        update = self.add("Sigmoid", self.add("Add", update_in, update_from))
        recurrent = self.add("Mul", reset, self.add("Add", candidate_from, f"{tier}_candidate_bias"))
        candidate = self.add("Tanh", self.add("Add", candidate_in, recurrent))
        return self.add("Add", candidate, self.add("Mul", update, self.add("Sub", tier, candidate)))

    def _thirds(self, row: str) -> tuple[str, str, str]:
        names = (f"{row}_reset", f"{row}_update", f"{row}_candidate")
        self.nodes.append(helper.make_node("Split", [row], names, axis=-1, num_outputs=3))
        return names

    def where(self, condition: str, then: onnx.GraphProto, unchanged: Sequence[str]) -> list[str]:
        """Do `then` on a condition; its outputs, or `unchanged`."""
        still = _Graph(f"{then.name}_not")
        otherwise = still.branch([still.add("Identity", name) for name in unchanged])
        names = [f"{name}_after_{then.name}" for name in unchanged]
        self.nodes.append(helper.make_node("If", [condition], names, then_branch=then, else_branch=otherwise))
        return names

    def branch(self, outputs: Sequence[str]) -> onnx.GraphProto:
        """These nodes as the branch of an If."""
        return helper.make_graph(self.nodes, self._name, [], _values(outputs))


def _sample_step(config: ModelConfig, task: Task) -> onnx.GraphProto:
    """The Loop's body: one sample."""
    graph = _Graph("sample")
    graph.add("Add", "phase", "index", out="position")
    now = graph.where(graph.starts_or_first(config.mid_unit), _mid_unit(config), _TIERS)
    inside = graph.add("Mod", "position", graph.constant([config.mid_unit]))
    hidden = graph.part(now[-1], inside, config.mlp_size)
    places = graph.add("Add", graph.tail(config.window), graph.constant(np.arange(config.window) * LEVELS))
    from_codes = graph.add("ReduceSum", graph.add("Gather", "tables", places), graph.constant([0]), keepdims=1)
    hidden = graph.add("Relu", graph.add("Add", hidden, from_codes))
    logits = graph.linear(graph.add("Relu", graph.linear(hidden, "fine_hidden")), "fine_output")
    code = _drawn(graph, logits) if task == "codes" else graph.add("Gather", "given", "index")
    rest = graph.add("Slice", "history", graph.constant([1]), graph.constant([_LAST]))
    graph.add("Concat", rest, code, axis=0, out="history_now")
    graph.add("Identity", "running", out="still_running")
    if task == "codes":
        graph.add("Identity", code, out="codes_now")
    else:
        graph.add("Squeeze", logits, graph.constant([0]), out="logits_now")
    return helper.make_graph(
        graph.nodes,
        "sample",
        _values(["index", "running", *_TIERS, "history"]),
        _values(["still_running", *now, "history_now", f"{task}_now"]),
    )


def _mid_unit(config: ModelConfig) -> onnx.GraphProto:
    """What holds for a mid unit: its tier's state, after a step if the unit starts here, and what it gives the MLP."""
    graph, step = _Graph("mid_unit"), _Graph("mid_step")
    begins = graph.starts_or_first(config.coarse_unit)
    told, coarse, from_coarse = graph.where(begins, _coarse_unit(config), _TIERS[:3])
    in_unit = step.add("Mod", "position", step.constant([config.coarse_unit]))
    here = step.add("Div", in_unit, step.constant([config.mid_unit]))
    inputs = step.add("Add", step.part(from_coarse, here, 3 * config.hidden_size), step.past(config.mid_unit, "mid"))
    (mid,) = graph.where(graph.starts(config.mid_unit), step.branch([step.gru(inputs, "mid")]), ["mid"])
    return graph.branch([told, coarse, from_coarse, mid, graph.linear(mid, "mid_up")])


def _coarse_unit(config: ModelConfig) -> onnx.GraphProto:
    """The same for a coarse unit."""
    graph, step, vector = _Graph("coarse_unit"), _Graph("coarse_step"), _Graph("vector")
    # Once a vector, not once a unit: with thousands of features it costs more than all the rest.
    number = vector.add("Div", "position", vector.constant([config.conditioning_length]))
    new = vector.linear(vector.add("Gather", "told", number), "conditioning")
    begins = graph.starts_or_first(config.conditioning_length)
    (told,) = graph.where(begins, vector.branch([new]), ["told_now"])
    inputs = step.add("Add", told, step.past(config.coarse_unit, "coarse"))
    (coarse,) = graph.where(graph.starts(config.coarse_unit), step.branch([step.gru(inputs, "coarse")]), ["coarse"])
    return graph.branch([told, coarse, graph.linear(coarse, "coarse_up")])


def _drawn(graph: _Graph, logits: str) -> str:
    """The code `[1]`, see `draw.draw_code`."""
    highest = graph.add("ReduceMax", logits, graph.constant([1]), keepdims=1)
    exponents = graph.add("Div", graph.add("Sub", logits, highest), "temperature")
    small = graph.add("Less", exponents, graph.constant(EXPONENT_FLOOR, np.float32))
    terms = graph.add("Where", small, graph.constant(0, np.float32), graph.add("Exp", exponents))
    running = graph.add("CumSum", terms, graph.constant(1))
    total = graph.part(running, graph.constant([LEVELS - 1]), 1)
    limit = graph.add("Mul", graph.add("Gather", "uniforms", "index"), total)
    below = graph.add("Cast", graph.add("LessOrEqual", running, limit), to=TensorProto.INT64)
    count = graph.add("ReduceSum", below, graph.constant([1]), keepdims=0)
    return graph.add("Min", count, graph.constant(LEVELS - 1))


def _values(names: Sequence[str]) -> list[onnx.ValueInfoProto]:
    """Inputs or outputs. ONNX Runtime finds out the shapes of all that have dimensions."""
    kinds = {name: _TYPES.get(name.removesuffix("_now"), _TYPES.get(name, TensorProto.FLOAT)) for name in names}
    return [helper.make_tensor_value_info(name, kinds[name], [] if name in _NUMBERS else None) for name in names]


def _constants(weights: FoldedWeights) -> dict[str, NDArray[np.float32]]:
    """The weights by name, as matrices `[inputs, outputs]` and vectors."""
    flat = {"tables": weights.tables.reshape(-1, weights.config.mlp_size)}
    for name in ("coarse_up", "mid_up"):
        matrix, bias = getattr(weights, name), getattr(weights, f"{name}_bias")
        flat |= {name: matrix.reshape(len(matrix), -1), f"{name}_bias": bias.reshape(-1)}
    return {name: np.ascontiguousarray(flat.get(name, array)) for name, array in weights.tensors().items()}
