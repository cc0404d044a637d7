"""The kernels compile for GPUs that are not here, and fit: nothing spills, shared memory suffices everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.engine.sampling.cuda_launches import NOWHERE, SHAPES, compile_launch, frame, variant
from v2s_engine.grid import FRAME_LENGTH
from v2s_engine.options import LEVELS
from v2s_engine.sampling.cuda_frame import Launch, Part

MOST_STACK = 128
MOST_SHARED = 99 * 1024
"""Bytes of shared memory that one program may have on the smallest of these GPUs (8.9 and 12.0)."""
REGISTERS = 64 * 1024
"""Of a multiprocessor."""

slow = pytest.mark.slow


def variants(shape: str, bucket: int) -> list[Launch]:
    """One launch for each machine code that a plan needs."""
    made = frame(shape, bucket)
    logits = torch.empty((bucket, FRAME_LENGTH, LEVELS), device=NOWHERE)
    launches = [
        *made.prime(3),
        *made.part(Part(0, made.config.coarse_unit)),
        *made.part(Part(FRAME_LENGTH - 1, FRAME_LENGTH), logits),
    ]
    return list({variant(launch): launch for launch in launches}.values())


@pytest.mark.parametrize(
    ("capability", "shape", "bucket"),
    [
        (80, "d256 (2,8)", 16),
        (89, "d512/H256 (4,16)", 64),
        (90, "d1024 (2,8)", 1),
        (120, "d512 (2,8)", 4),
        (89, "d256 (2,8)", 256),
        *(
            pytest.param(capability, shape, bucket, marks=slow)
            for capability in (80, 89, 90, 120)
            for shape in SHAPES
            for bucket in (1, 4, 16, 64, 256)
        ),
    ],
)
def test_kernels_compile_and_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capability: int, shape: str, bucket: int
) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    for launch in variants(shape, bucket):
        taken = compile_launch(launch, capability)
        assert taken.stack <= MOST_STACK, (variant(launch), taken)
        assert taken.shared <= MOST_SHARED, (variant(launch), taken)
        assert taken.registers * launch.warps * 32 <= REGISTERS, (variant(launch), taken)
