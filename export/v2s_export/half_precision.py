"""fp16 inside an ONNX model that keeps the types of its inputs and outputs."""

from __future__ import annotations

import numpy as np
from onnxscript import ir

_HEAVY = ("Conv", "Gemm", "MatMul")
_LARGEST = np.finfo(np.float16).max


def halve(model: ir.Model) -> None:
    """Have everything from the first convolution or matrix product on compute in fp16, its weights included.

    What comes before (pictures scaled and normalised, the camera taken out of flow) stays in float32, as do the
    outputs: the caller does not care which it is. Weights beyond fp16's range become its largest number; the parity
    check would tell.
    """
    graph = model.graph
    halved: set[ir.Value] = set()
    narrow: dict[ir.Value, ir.Value] = {}  # values that stay float32, and their fp16 twin
    for node in list(graph):
        if node.op_type not in _HEAVY and not any(value in halved for value in node.inputs if value is not None):
            continue
        for index, value in enumerate(node.inputs):
            if value is None or value in halved or value.dtype != ir.DataType.FLOAT:
                continue
            if value not in narrow:
                narrow[value] = _twin(model, node, value)
            node.replace_input_with(index, narrow[value])
        for value in node.outputs:
            if value.dtype == ir.DataType.FLOAT:
                value.dtype = ir.DataType.FLOAT16
                halved.add(value)
    for name, value in list(graph.initializers.items()):
        if value in narrow and not value.uses():
            del graph.initializers[name]
            value.const_value = None  # its twin holds it until it is written
    for index, value in enumerate(graph.outputs):
        if value in halved:
            graph.outputs[index] = _widened(graph, value)


def _twin(model: ir.Model, node: ir.Node, value: ir.Value) -> ir.Value:
    """The same in fp16: a weight is rounded as it is written, anything else gets a cast before `node`."""
    if value.is_initializer():
        return _rounded(model, value)
    cast = ir.node("Cast", [value], attributes={"to": ir.DataType.FLOAT16})
    half = cast.outputs[0]
    half.name, half.shape, half.dtype = f"{value.name}_half", value.shape, ir.DataType.FLOAT16
    model.graph.insert_before(node, cast)
    return half


def _rounded(model: ir.Model, value: ir.Value) -> ir.Value:
    wide, name = value.const_value, f"{value.name}_half"
    assert wide is not None  # noqa: S101 - what an initializer is
    shape = ir.Shape(wide.shape.numpy())

    def narrow() -> ir.TensorProtocol:
        with np.errstate(over="ignore"):  # brought back below
            rounded = wide.numpy().astype(np.float16)
        return ir.Tensor(np.clip(rounded, -_LARGEST, _LARGEST, out=rounded), name=name)

    # Lazy: one weight at a time is rounded, when the file is written.
    tensor = ir.LazyTensor(narrow, ir.DataType.FLOAT16, shape, name=name)
    half = ir.Value(name=name, type=ir.TensorType(ir.DataType.FLOAT16), shape=shape, const_value=tensor)
    model.graph.register_initializer(half)
    return half


def _widened(graph: ir.Graph, value: ir.Value) -> ir.Value:
    """A float32 output under the name that `value` had."""
    cast = ir.node("Cast", [value], attributes={"to": ir.DataType.FLOAT})
    wide = cast.outputs[0]
    wide.name, wide.shape, wide.dtype = value.name, value.shape, ir.DataType.FLOAT
    value.name = f"{value.name}_half"
    graph.append(cast)
    return wide
