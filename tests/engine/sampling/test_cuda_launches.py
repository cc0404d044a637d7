"""The launch list of a frame: as many launches as designed, the same for every frame, on static memory only."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
import torch

from tests.engine.sampling.cuda_launches import SHAPES, frame, variant
from v2s_engine.grid import FRAME_LENGTH
from v2s_engine.sampling.cuda_frame import Part, half, split_call
from v2s_engine.sampling.cuda_plan import BUCKETS, choose_plan, model_widths

WHOLE = Part(0, FRAME_LENGTH)

every_shape = pytest.mark.parametrize("shape", SHAPES)


@every_shape
def test_one_launch_per_sample_and_one_per_mid_and_coarse_unit(shape: str) -> None:
    config, made = SHAPES[shape], frame(shape, 1)
    assert not made.plan.draw_apart
    launches = list(made.part(WHOLE))
    steps = FRAME_LENGTH + FRAME_LENGTH // config.mid_unit + FRAME_LENGTH // config.coarse_unit
    # Besides the steps: conditioning first; then the last draw, and the move to the next frame.
    assert len(launches) == steps + 3
    names = Counter(launch.kernel.__name__ for launch in launches)
    assert names == {
        "step_sample": FRAME_LENGTH,
        "step_tier": steps - FRAME_LENGTH,
        "multiply": 1,
        "draw_sample": 1,
        "turn_frame": 1,
    }


def test_one_row_has_nothing_apart_at_any_size() -> None:
    for config in SHAPES.values():
        plan = choose_plan(config, 1)
        assert plan.gates is None
        assert not plan.draw_apart
        assert plan.fine.lanes == plan.mid.lanes == plan.coarse.lanes == 1


@every_shape
def test_what_is_apart_costs_one_launch_each(shape: str) -> None:
    config = SHAPES[shape]
    made = frame(shape, 256, plan=replace(choose_plan(config, 256), persistent=None))
    units = FRAME_LENGTH // config.mid_unit + FRAME_LENGTH // config.coarse_unit
    assert made.plan.gates
    assert made.plan.draw_apart
    assert len(list(made.part(WHOLE))) == 2 * FRAME_LENGTH + 2 * units + 3


def test_hundreds_of_rows_of_a_narrow_model_take_one_launch_for_all_steps_of_a_frame() -> None:
    made = frame("d256 (2,8)", 256)
    launches = list(made.part(WHOLE))
    assert [launch.kernel.__name__ for launch in launches] == ["multiply", "run_frame", "turn_frame"]
    run = launches[1]
    assert run.grid == (1, 16)
    assert (run.arguments["start"], run.arguments["stop"]) == WHOLE
    kept = [run.arguments[name] for name in ("hidden", "second")]
    assert not _overlap(*kept)
    assert all(tensor.numel() >= 256 * made.widths.mlp for tensor in kept)


def test_wide_models_few_rows_and_fp32_have_no_programs_for_whole_frames() -> None:
    for shape, config in SHAPES.items():
        for bucket in BUCKETS:
            assert choose_plan(config, bucket, "fp32").persistent is None
            assert (choose_plan(config, bucket).persistent is not None) == (shape == "d256 (2,8)" and bucket == 256)


@every_shape
@pytest.mark.parametrize("bucket", BUCKETS)
def test_plans_divide_what_they_cut(shape: str, bucket: int) -> None:
    widths, plan = model_widths(SHAPES[shape]), choose_plan(SHAPES[shape], bucket)
    for cut, inputs in ((plan.coarse, widths.hidden), (plan.mid, widths.hidden), (plan.fine, widths.mlp)):
        assert inputs % cut.depth == 0
        assert bucket % cut.lanes == 0
    for launch in frame(shape, bucket).part(Part(0, 16)):
        assert min(launch.grid) > 0
        assert all(isinstance(number, int) for number in launch.constants.values())


@pytest.mark.parametrize("bucket", [1, 64, 256])
def test_only_static_memory_is_used_and_every_frame_is_the_same(bucket: int) -> None:
    made = frame("d256 (2,8)", bucket, torch.device("cpu"))
    tensors = (*vars(made.buffers).values(), *vars(made.weights).values())
    static = {tensor.untyped_storage()._cdata for tensor in tensors}
    lists = []
    for _ in range(2):
        launches = list(made.part(WHOLE))
        for launch in launches:
            for argument in launch.arguments.values():
                if isinstance(argument, torch.Tensor):
                    assert argument.untyped_storage()._cdata in static
        lists.append([(variant(launch), launch.grid, _pointers(launch.arguments)) for launch in launches])
    assert lists[0] == lists[1]


def _pointers(arguments: dict[str, object]) -> list[object]:
    return [each.data_ptr() if isinstance(each, torch.Tensor) else each for each in arguments.values()]


@every_shape
def test_a_frame_leaves_its_state_where_the_next_one_looks_for_it(shape: str) -> None:
    config = SHAPES[shape]
    for unit in (1, config.mid_unit, config.coarse_unit):
        assert half(FRAME_LENGTH, unit) == half(0, unit) == 0


@every_shape
@pytest.mark.parametrize("bucket", BUCKETS)
def test_a_step_writes_no_memory_that_another_program_of_its_launch_reads(shape: str, bucket: int) -> None:
    """But for codes: there, what is read while it is written is not used."""
    read = ("inputs", "recurrent", "state", "partials", "given", "origin", "seeds", "takes", "temperatures")
    made = frame(shape, bucket, torch.device("cpu"))
    for launch in made.part(Part(0, 2 * made.config.coarse_unit)):
        targets = [name for name in ("out", "next_state", "next_partials") if name in launch.arguments]
        for name in read:
            if name in launch.arguments:
                for target in targets:
                    assert not _overlap(launch.arguments[name], launch.arguments[target]), (launch.kernel, name)


def _overlap(left: torch.Tensor, right: torch.Tensor) -> bool:
    def span(tensor: torch.Tensor) -> tuple[int, int]:
        last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
        return tensor.data_ptr(), tensor.data_ptr() + (last + 1) * tensor.element_size()

    (start, stop), (begin, end) = span(left), span(right)
    return start < end and begin < stop


@pytest.mark.parametrize("bucket", [1, 16, 256])
def test_kernels_are_compiled_once_for_all_places_of_a_frame(bucket: int) -> None:
    made = frame("d256 (2,8)", bucket)
    assert {variant(launch) for launch in made.part(WHOLE)} == {
        variant(launch) for part in (Part(0, 8), Part(1016, 1024)) for launch in made.part(part)
    }


def test_every_sample_is_drawn_once_by_every_program_that_needs_it() -> None:
    made = frame("d256 (2,8)", 1)
    for place in range(FRAME_LENGTH):
        of_place = [launch for launch in made.part(Part(place, place + 1)) if "draw" in launch.constants]
        drawing = [launch.constants["draw"] for launch in of_place]
        assert drawing == [True] + [False] * (len(drawing) - 1)


@pytest.mark.parametrize(
    ("phase", "length", "each", "wanted"),
    [
        (0, 0, 256, []),
        (0, 1024, 256, [(0, 1024)]),
        (0, 2048, 1024, [(0, 1024), (0, 1024)]),
        (0, 2500, 256, [(0, 1024), (0, 1024), (0, 452)]),
        (5, 3, 256, [(773, 776)]),
        (5, 251, 256, [(773, 1024)]),
        (5, 252, 256, [(773, 1024), (0, 1)]),
        (1000, 24 + 1024, 1024, [(1000, 1024), (0, 1024)]),
    ],
)
def test_a_call_is_cut_into_the_end_of_a_frame_frames_and_the_start_of_one(
    phase: int, length: int, each: int, wanted: list[tuple[int, int]]
) -> None:
    parts = split_call(phase, length, each)
    assert parts == wanted
    assert sum(part.stop - part.start for part in parts) == length
    assert not parts or parts[0].start % each == phase
