"""Launch lists of the CUDA sampler at real sizes, and their kernels compiled for GPUs that are not here."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from v2s_engine.options import ModelConfig
from v2s_engine.sampling.cuda_buffers import CudaWeights, make_buffers, pack_weights
from v2s_engine.sampling.cuda_frame import Frame, Launch
from v2s_engine.sampling.cuda_plan import Plan, choose_plan, model_widths
from v2s_engine.sampling.weights import FoldedWeights, tensor_shapes

SHAPES = {
    "d256 (2,8)": ModelConfig(("dog",)),
    "d512/H256 (4,16)": ModelConfig(("dog",), hidden_size=512, coarse_unit=16, mid_unit=4),
    "d512 (2,8)": ModelConfig(("dog",), hidden_size=512, mlp_size=512),
    "d1024 (2,8)": ModelConfig(("dog",), hidden_size=1024, mlp_size=1024),
}
"""The sizes that the speed is measured at."""

NOWHERE = torch.device("meta")
"""Tensors without memory: shapes, strides and kinds are all that a launch list needs."""

_KINDS = {
    torch.float32: "*fp32",
    torch.float16: "*fp16",
    torch.uint8: "*u8",
    torch.int32: "*i32",
    torch.int64: "*i64",
}


@cache
def packed(shape: str) -> CudaWeights:
    config = SHAPES[shape]
    empty = {name: np.zeros(size, dtype=np.float32) for name, size in tensor_shapes(config).items()}
    return pack_weights(FoldedWeights(config, **empty), model_widths(config), "fp16", NOWHERE)


def frame(shape: str, bucket: int, device: torch.device = NOWHERE, plan: Plan | None = None) -> Frame:
    config = SHAPES[shape]
    widths = model_widths(config)
    buffers = make_buffers(config, widths, bucket, device)
    return Frame(config, widths, plan or choose_plan(config, bucket), packed(shape), buffers)


def variant(launch: Launch) -> tuple[object, ...]:
    """What decides which machine code a launch runs."""
    return (launch.kernel.__name__, launch.warps, *sorted(launch.constants.items()))


@dataclass(frozen=True)
class Resources:
    """What one program takes of a GPU."""

    registers: int
    """Per thread."""
    stack: int
    """Bytes per thread: what did not fit into registers."""
    shared: int
    """Bytes."""


def compile_launch(launch: Launch, capability: int) -> Resources:
    """Compile a launch's kernel as it would be on a GPU of this compute capability (80 for 8.0)."""
    names, signature, attributes = launch.kernel.arg_names, {}, {}
    for index, name in enumerate(names):
        if name in launch.constants:
            signature[name] = "constexpr"
        elif isinstance(tensor := launch.arguments[name], torch.Tensor):
            signature[name] = _KINDS[tensor.dtype]
            if tensor.storage_offset() * tensor.element_size() % 16 == 0:
                attributes[(index,)] = [["tt.divisibility", 16]]
        else:
            signature[name] = "i32"
    compiled = triton.compile(
        ASTSource(launch.kernel, signature, launch.constants, attributes),
        target=GPUTarget("cuda", capability, 32),
        options={"num_warps": launch.warps, "enable_fp_fusion": False},
    )
    reader = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    file = Path(compiled.metadata_group[f"{compiled.name}.cubin"])
    said = subprocess.run([reader, "--dump-resource-usage", file], capture_output=True, text=True, check=True).stdout
    found = re.search(r"REG:(\d+) STACK:(\d+)", said)
    assert found, said
    return Resources(int(found[1]), int(found[2]), compiled.metadata.shared)
