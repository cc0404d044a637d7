"""PyTorch modules as ONNX files: one file each, written without ever holding the weights a second time."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from v2s_engine.errors import MissingExtraError

if TYPE_CHECKING:
    import torch

OnnxPrecision = Literal["fp32", "fp16"]
"""What a network computes in; its inputs and outputs are float32 in both."""

OPSET = 18
"""Version of ONNX's operators: old enough for any ONNX Runtime that V2S takes."""

DYNAMIC = "pictures"
"""Name that a file gives to the length of axis 0."""

# Field numbers of ONNX's protobuf messages (onnx.proto), each with wire type 2: a length and so many bytes.
_MODEL_GRAPH, _GRAPH_INITIALIZER, _TENSOR_RAW_DATA = (number << 3 | 2 for number in (7, 5, 9))

_COPIED_AT_ONCE = 1 << 20  # bytes


def write_onnx(
    module: torch.nn.Module,
    example: Mapping[str, torch.Tensor],
    outputs: Sequence[str],
    path: Path,
    *,
    metadata: Mapping[str, str] | None = None,
    half: bool = False,
) -> Path:
    """Write `module` as it computes in evaluation; returns the path. The module is left as it was.

    `example` names the inputs of `forward` in their order; axis 0 of each has any length in the file, the same for all.
    `half`: weights and everything from the first convolution or matrix product on in fp16; inputs and outputs stay as
    they are, and so does what is done to pictures before. Raises `MissingExtraError` without the packages of `train`.
    """
    try:
        import onnx  # noqa: PLC0415 - extra `train`
        import torch  # noqa: PLC0415
        from onnxscript import ir  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError("exporting an encoder", "train") from error

    modes = {part: part.training for part in module.modules()}
    length = torch.export.Dim(DYNAMIC, min=1)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            # PyTorch's exporter uses parts of PyTorch and of the standard library that are on their way out; nothing
            # that we call, and nothing that the written model depends on.
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            warnings.filterwarnings("ignore", category=FutureWarning)
            warnings.filterwarnings("ignore", message="# The axis name")  # two inputs of one length share its name
            program = torch.onnx.export(
                module.eval(),
                tuple(example.values()),
                input_names=list(example),
                output_names=list(outputs),
                dynamic_shapes=tuple({0: length} for _ in example),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
    finally:
        for part, training in modes.items():
            part.training = training
    assert program is not None  # noqa: S101 - only None for the exporter that was not asked for
    model = program.model
    if half:
        from v2s_export.half_precision import halve  # noqa: PLC0415 - extra `train`

        halve(model)
    model.metadata_props.update(metadata or {})
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".onnx-") as folder:
        parts = Path(folder) / "model.onnx"
        ir.save(model, parts, external_data="weights")
        onnx.checker.check_model(str(parts), full_check=True)  # here, where it need not read the weights
        _join(parts, path)
    for value in model.graph.initializers.values():
        value.const_value = None  # PyTorch's exporter keeps its last model alive; the weights need not be
    return path


def forget_origins(model: Any) -> None:
    """Strike from an `onnx.ModelProto` what PyTorch's exporter notes of each node: stack traces, with its own paths."""
    for node in [*model.graph.node, *(node for function in model.functions for node in function.node)]:
        del node.metadata_props[:]
        node.doc_string = ""


def _join(parts: Path, path: Path) -> None:
    """One file from a model whose large tensors lie beside it.

    Protobuf joins messages that follow each other, so the tensors are appended one by one, as models that hold nothing
    else, and their bytes are copied from file to file. `onnx.save` would hold all weights three times.
    """
    import onnx  # noqa: PLC0415

    model = onnx.load(str(parts), load_external_data=False)
    forget_origins(model)
    outside = [tensor for tensor in model.graph.initializer if tensor.data_location == onnx.TensorProto.EXTERNAL]
    inside = [tensor for tensor in model.graph.initializer if tensor.data_location != onnx.TensorProto.EXTERNAL]
    del model.graph.initializer[:]
    model.graph.initializer.extend(inside)
    with path.open("wb") as file:
        file.write(model.SerializeToString(deterministic=True))
        for tensor in outside:
            place = {entry.key: entry.value for entry in tensor.external_data}
            head = onnx.TensorProto(dims=tensor.dims, data_type=tensor.data_type, name=tensor.name)
            with (parts.parent / place["location"]).open("rb") as weights:
                weights.seek(int(place["offset"]))
                _append_tensor(file, head.SerializeToString(deterministic=True), weights, int(place["length"]))


def _append_tensor(file: BinaryIO, head: bytes, weights: BinaryIO, size: int) -> None:
    tensor = head + _tag(_TENSOR_RAW_DATA, size)
    initializer = _tag(_GRAPH_INITIALIZER, len(tensor) + size) + tensor
    file.write(_tag(_MODEL_GRAPH, len(initializer) + size) + initializer)
    end = file.tell() + size
    while (left := end - file.tell()) > 0:
        file.write(weights.read(min(left, _COPIED_AT_ONCE)))


def _tag(field: int, size: int) -> bytes:
    """A field's number and the size of what follows, as protobuf writes them (base 128, lowest first)."""
    digits = bytearray([field])
    while size > 127:
        digits.append(size & 127 | 128)
        size >>= 7
    digits.append(size)
    return bytes(digits)
