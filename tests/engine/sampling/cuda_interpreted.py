"""The CUDA sampler's real kernels in Triton's interpreter, against the reference.

Triton decides at its import whether kernels are interpreted, and other tests of the same process compile them: so this
file is run by `test_cuda_interpreter.py` in a process of its own, with TRITON_INTERPRET=1. The interpreter takes 20 to
200 ms a sample, hence so few. It multiplies bfloat16 wrongly, which the kernels do not use.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial

import numpy as np
import pytest
import torch
import triton
import triton.language as tl

from tests.engine.sampling.networks import ROWS, Model, assert_same_state, model
from v2s_engine.options import ModelConfig
from v2s_engine.sampling.cuda import CudaSampler
from v2s_engine.sampling.cuda_device import Interpreter
from v2s_engine.sampling.cuda_draw import uniform_words
from v2s_engine.sampling.cuda_plan import Arithmetic, Cut, Plan, choose_plan, model_widths, persistent_cut
from v2s_engine.sampling.philox import uniform_rows
from v2s_engine.sampling.reference import ReferenceSampler
from v2s_engine.sampling.sampler import Row, SamplerState

slow = partial(pytest.param, marks=pytest.mark.slow)


def all_apart(config: ModelConfig, bucket: int) -> Plan:
    """Gates and draws in launches of their own, all rows in one program: the fewest programs, and so the fastest here.

    Products go in the shallowest blocks.
    """
    cut = Cut(min(bucket, 16), depth=32)
    return Plan(cut, cut, cut, gates=cut, draw_apart=True)


def gates_apart(config: ModelConfig, bucket: int) -> Plan:
    """Two rows per program, drawn again by each."""
    cut = Cut(min(bucket, 2), depth=32)
    return Plan(cut, cut, cut, gates=cut, draw_apart=False)


def nothing_apart(config: ModelConfig, bucket: int) -> Plan:
    """Everything in one kernel per step, all rows in one program."""
    plan = choose_plan(config, bucket)
    coarse, mid, fine = (replace(cut, lanes=min(bucket, 16)) for cut in (plan.coarse, plan.mid, plan.fine))
    return Plan(coarse, mid, fine, gates=None, draw_apart=False)


def persistent(config: ModelConfig, bucket: int) -> Plan:
    """A whole frame in one launch, 16 rows per program."""
    return replace(choose_plan(config, bucket), persistent=persistent_cut(model_widths(config)))


PLANS = {
    "apart": all_apart,
    "gates apart": gates_apart,
    "nothing apart": nothing_apart,
    "chosen": choose_plan,
    "persistent": persistent,
}


@cache
def cuda(size: str, plan: str = "apart", arithmetic: Arithmetic = "fp32", bucket: int = 0) -> CudaSampler:
    return CudaSampler(
        model(size).weights,
        bucket or (16 if plan == "persistent" else 4),
        arithmetic=arithmetic,
        plan=PLANS[plan],
        machine=Interpreter(),
    )


@cache
def reference(size: str) -> ReferenceSampler:
    return ReferenceSampler(model(size).weights)


def begun(case: Model, size: str, rows: tuple[Row, ...], position: int) -> tuple[SamplerState, np.ndarray]:
    """Rows that the reference has taken to a position, and the conditioning from there on."""
    conditioning = case.vectors(len(rows), 3)
    _, state = reference(size).generate(reference(size).start(rows), conditioning, position)
    return state, case.piece(conditioning, position, 300)


@pytest.mark.parametrize("size", ["plain", "wide-mlp", "odd", slow("frame")])
def test_codes_and_state_are_the_references(size: str) -> None:
    case, run, rows, length = model(size), cuda(size), ROWS[:3], 19
    conditioning = case.vectors(3, 1)
    wanted, after = reference(size).generate(reference(size).start(rows), conditioning, length)
    codes, state = run.generate(run.start(rows), conditioning, length)
    np.testing.assert_array_equal(codes, wanted)
    np.testing.assert_allclose(state.coarse, after.coarse, rtol=0, atol=1e-5)
    np.testing.assert_allclose(state.mid, after.mid, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(state.history, after.history)
    assert len(np.unique(codes)) > 30


@pytest.mark.parametrize(
    ("size", "arithmetic", "tolerance"),
    [
        ("wide-mlp", "fp16", 0.05),
        ("plain", "fp32", 1e-4),
        *(slow(size, "fp16", 0.05) for size in ("plain", "odd", "frame")),
        *(slow(size, "fp32", 1e-4) for size in ("wide-mlp", "odd", "frame")),
    ],
)
def test_logits_are_the_references(size: str, arithmetic: Arithmetic, tolerance: float) -> None:
    case, run = model(size), cuda(size, arithmetic=arithmetic)
    codes, conditioning = case.codes(2, 9), case.vectors(2, 1)
    wanted, _ = reference(size).logits(reference(size).start(ROWS[:2]), codes, conditioning)
    logits, _ = run.logits(run.start(ROWS[:2]), codes, conditioning)
    np.testing.assert_allclose(logits, wanted, rtol=0, atol=tolerance)
    if arithmetic == "fp16":
        assert np.abs(logits - wanted).max() > 1e-5  # it was asked for and used


@pytest.mark.parametrize("plan", ["gates apart", "nothing apart", "chosen"])
def test_every_plan_makes_the_same_sound(plan: str) -> None:
    case, run = model("plain"), cuda("plain", plan)
    conditioning = case.vectors(2, 1)
    wanted, _ = reference("plain").generate(reference("plain").start(ROWS[:2]), conditioning, 9)
    codes, _ = run.generate(run.start(ROWS[:2]), conditioning, 9)
    np.testing.assert_array_equal(codes, wanted)


@pytest.mark.parametrize(
    ("size", "count"), [("plain", 17), *(slow(size, 3) for size in ("wide-mlp", "odd", "frame", "long-units"))]
)
def test_programs_for_whole_frames_make_the_references_sound(size: str, count: int) -> None:
    rows = tuple(Row(seed, 3, 1 - seed / 50) for seed in range(count))  # 17: one more than a program has
    case, run = model(size), cuda(size, "persistent", bucket=32 if count > 16 else 16)
    conditioning = case.vectors(count, 1)
    wanted, after = reference(size).generate(reference(size).start(rows), conditioning, 17)
    codes, state = run.generate(run.start(rows), conditioning, 17)
    np.testing.assert_array_equal(codes, wanted)
    np.testing.assert_allclose(state.coarse, after.coarse, rtol=0, atol=1e-5)
    np.testing.assert_allclose(state.mid, after.mid, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("size", "arithmetic", "tolerance"), [("wide-mlp", "fp16", 0.05), slow("odd", "fp32", 1e-4)])
def test_logits_of_programs_for_whole_frames_are_the_references(
    size: str, arithmetic: Arithmetic, tolerance: float
) -> None:
    case, run = model(size), cuda(size, "persistent", arithmetic)
    codes, conditioning = case.codes(2, 9), case.vectors(2, 1)
    wanted, _ = reference(size).logits(reference(size).start(ROWS[:2]), codes, conditioning)
    logits, _ = run.logits(run.start(ROWS[:2]), codes, conditioning)
    np.testing.assert_allclose(logits, wanted, rtol=0, atol=tolerance)


@pytest.mark.parametrize("plan", ["apart", "persistent"])
def test_what_goes_beyond_fp16_stays_finite(plan: str) -> None:
    weights = model("plain").weights
    large = type(weights)(weights.config, **{**weights.tensors(), "mid_up_bias": weights.mid_up_bias + 1e5})
    run = CudaSampler(large, 16, plan=PLANS[plan], machine=Interpreter())
    logits, _ = run.logits(run.start(ROWS[:1]), model("plain").codes(1, 2), model("plain").vectors(1, 1))
    assert np.isfinite(logits).all()
    assert np.abs(logits).max() > 1e3


@pytest.mark.parametrize(
    ("plan", "position"),
    [
        ("apart", 247),
        ("nothing apart", 251),
        ("persistent", 251),
        *(
            slow(plan, position)
            for plan, position in (("gates apart", 243), ("nothing apart", 248), ("persistent", 248))
        ),
    ],
)
def test_pieces_over_a_new_conditioning_vector_are_the_whole_to_the_bit(plan: str, position: int) -> None:
    case, run = model("plain"), cuda("plain", plan)
    state, conditioning = begun(case, "plain", ROWS[:2], position)
    whole, wanted = run.generate(state, conditioning, 12)
    judged, _ = reference("plain").generate(state, conditioning, 12)
    np.testing.assert_array_equal(whole, judged)
    made, at = [], position
    for length in (1, 3, 6, 2):
        vectors = conditioning[:, at // 256 - position // 256 :]
        codes, state = run.generate(state, vectors, length)
        made.append(codes)
        at += length
    np.testing.assert_array_equal(np.concatenate(made, axis=1), whole)
    assert_same_state(state, wanted)


@pytest.mark.parametrize("plan", ["apart", "persistent"])
def test_logits_in_pieces_are_the_whole_to_the_bit(plan: str) -> None:
    case, run = model("plain"), cuda("plain", plan)
    state, conditioning = begun(case, "plain", ROWS[:2], 251)
    codes = case.codes(2, 10)
    whole, wanted = run.logits(state, codes, conditioning)
    first, between = run.logits(state, codes[:, :6], conditioning)
    rest, after = run.logits(between, codes[:, 6:], conditioning[:, 1:])
    np.testing.assert_array_equal(np.concatenate([first, rest], axis=1), whole)
    assert_same_state(after, wanted)


@pytest.mark.parametrize("order", [[2], [3, 1, 4, 0, 2]])
def test_rows_do_not_depend_on_their_batch_within_a_bucket(order: list[int]) -> None:
    rows = (*ROWS, Row(5, 5))
    case, run = model("plain"), cuda("plain", bucket=16)
    conditioning = case.vectors(5, 1)
    together, after = run.generate(run.start(rows), conditioning, 10)
    codes, state = run.generate(run.start([rows[row] for row in order]), conditioning[order], 10)
    np.testing.assert_array_equal(codes, together[order])
    assert_same_state(state, after.select(order))


def test_rows_at_different_phases_and_more_than_a_bucket_share_a_call() -> None:
    case, run = model("plain"), cuda("plain", bucket=1)
    ahead, vectors = begun(case, "plain", ROWS[:1], 13)
    joined = SamplerState.join([run.start(ROWS[1:2]), ahead, run.start(ROWS[2:3])])
    conditioning = np.concatenate([vectors[:, :1]] * 3)
    wanted, _ = reference("plain").generate(joined, conditioning, 9)
    codes, after = run.generate(joined, conditioning, 9)
    np.testing.assert_array_equal(codes, wanted)
    assert after.position.tolist() == [9, 22, 9]
    assert after.rows == joined.rows


def test_coarse_states_given_by_pictures_are_gone_on_from() -> None:
    case, run = model("frame"), cuda("frame")
    coarse = case.codes(2, 32).astype(np.float32) / 256
    state, conditioning = run.start(ROWS[:2]).with_coarse(coarse), case.vectors(2, 1)
    wanted, _ = reference("frame").generate(state, conditioning, 11)
    codes, _ = run.generate(state, conditioning, 11)
    np.testing.assert_array_equal(codes, wanted)
    plain, _ = run.generate(run.start(ROWS[:2]), conditioning, 11)
    assert (plain != codes).any()


def test_vectors_that_lie_on_the_device_make_the_same_sound_to_the_bit() -> None:
    case, run = model("plain"), cuda("plain")
    state, conditioning = begun(case, "plain", ROWS[:3], 251)
    wanted, after = run.generate(state, conditioning, 12)
    codes, then = run.generate(state, torch.from_numpy(conditioning), 12)
    np.testing.assert_array_equal(codes, wanted)
    assert_same_state(then, after)


@triton.jit
def _write_words(seeds: tl.tensor, takes: tl.tensor, positions: tl.tensor, out: tl.tensor, count: tl.constexpr) -> None:
    place = tl.arange(0, count)
    words = uniform_words(tl.load(seeds + place), tl.load(takes + place), tl.load(positions + place))
    tl.store(out + place, words)


def test_random_numbers_are_those_of_the_cpu_to_the_bit() -> None:
    numbers, count = np.random.default_rng(3), 4096
    seeds = numbers.integers(0, 2**64, count, dtype=np.uint64)
    takes = numbers.integers(0, 2**32, count, dtype=np.int64)
    positions = numbers.integers(0, 2**62, count, dtype=np.int64)
    seeds[:4], takes[:4] = [0, 1, 2**63, 2**64 - 1], [0, 2**31, 2**32 - 1, 2**31 - 1]
    positions[:4] = [0, 2**32 - 1, 2**32, 1023]
    out = torch.zeros(count, dtype=torch.int64)
    _write_words[(1,)](*map(torch.from_numpy, (seeds.view(np.int64), takes, positions)), out, count)
    wanted = uniform_rows(seeds.tolist(), takes.tolist(), positions.tolist(), 1)[:, 0]
    np.testing.assert_array_equal(out.numpy() * np.float32(2.0**-24), wanted)


@pytest.mark.slow
@pytest.mark.parametrize("size", ["plain", "long-units"])
def test_whole_frames_are_the_references(size: str) -> None:
    case, run, length = model(size), cuda(size, bucket=1), 5 + 1024 + 256 + 3
    state, conditioning = begun(case, size, ROWS[:1], 251)
    conditioning = case.piece(case.vectors(1, 7), 251, length)
    wanted, _ = reference(size).generate(state, conditioning, length)
    codes, after = run.generate(state, conditioning, length)
    np.testing.assert_array_equal(codes[:, :512], wanted[:, :512])
    logits, _ = run.logits(state, wanted, conditioning)
    judged, end = reference(size).logits(state, wanted, conditioning)
    np.testing.assert_allclose(logits, judged, rtol=0, atol=1e-4)
    assert after.position == end.position


@pytest.mark.slow
@pytest.mark.parametrize("bucket", [1, 16])
@pytest.mark.parametrize("size", ["plain", "odd", "wide-mlp"])
def test_chosen_plans_make_the_same_sound(size: str, bucket: int) -> None:
    case, run, rows = model(size), cuda(size, "chosen", bucket=bucket), ROWS[: min(bucket, 3)]
    conditioning = case.vectors(len(rows), 1)
    wanted, _ = reference(size).generate(reference(size).start(rows), conditioning, 17)
    codes, _ = run.generate(run.start(rows), conditioning, 17)
    np.testing.assert_array_equal(codes, wanted)
