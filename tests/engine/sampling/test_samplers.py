"""What every sampler promises: one suite for all of them."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.engine.sampling.networks import KINDS, ROWS, SAMPLERS, SIZES, Model, assert_same_state, model, sampler
from v2s_engine.errors import UsageError
from v2s_engine.sampling.draw import draw_code
from v2s_engine.sampling.philox import uniforms
from v2s_engine.sampling.sampler import Row, Sampler, SamplerState
from v2s_engine.sampling.weights import Precision

every_size = pytest.mark.parametrize("size", SIZES)
every_sampler = pytest.mark.parametrize("name", SAMPLERS)
every_other_sampler = pytest.mark.parametrize("name", [name for name in SAMPLERS if name != "reference"])
every_kind = pytest.mark.parametrize(("name", "precision"), KINDS)


def in_pieces(
    run: Sampler, case: Model, state: SamplerState, lengths: list[int]
) -> tuple[list[np.ndarray], SamplerState]:
    """Free-running codes in pieces of these lengths; all rows stand at sample 0."""
    conditioning = case.vectors(len(state), 8)
    made, start = [], 0
    for length in lengths:
        codes, state = run.generate(state, case.piece(conditioning, start, length), length)
        made.append(codes)
        start += length
    return made, state


@every_sampler
@every_size
def test_logits_are_those_of_the_unfolded_network(name: str, size: str) -> None:
    case, run, length = model(size), sampler(name, size), 768
    codes, conditioning = case.codes(2, length), case.vectors(2, 3)
    state = case.start(run, ROWS[:2])
    got, after = run.logits(state, codes, conditioning)
    history = torch.from_numpy(np.concatenate([state.history, codes], axis=1)).long()
    given = torch.from_numpy(state.coarse) if case.config.starts_from_pictures else None
    vectors = case.piece(conditioning, 0, length)
    wanted, tiers = case.network(history, torch.from_numpy(vectors), case.network.initial_state(2, given))
    np.testing.assert_allclose(got, wanted.numpy(), rtol=0, atol=1e-4)
    np.testing.assert_allclose(after.coarse, tiers.coarse.numpy(), rtol=0, atol=1e-4)
    np.testing.assert_allclose(after.mid, tiers.mid.numpy(), rtol=0, atol=1e-4)
    np.testing.assert_array_equal(after.history, history[:, length:].numpy())


@every_other_sampler
@every_size
@pytest.mark.parametrize("precision", get_args(Precision))
def test_logits_are_those_of_the_reference(name: str, size: str, precision: Precision) -> None:
    case, length = model(size), min(2000 if precision == "fp32" else 300, SAMPLERS[name].most)
    codes, conditioning = case.codes(1, length, seed=5), case.vectors(1, 8, seed=5)
    reference, run = sampler("reference", size, precision), sampler(name, size, precision)
    start = case.start(reference, ROWS[:1])
    wanted, _ = reference.logits(start, codes, conditioning)
    got, _ = run.logits(start, codes, conditioning)
    np.testing.assert_allclose(got, wanted, rtol=0, atol=SAMPLERS[name].tolerances[precision])
    assert np.abs(wanted).max() < 20


@every_size
@pytest.mark.parametrize("precision", ["fp16", "bf16", "int8", "int4"])
def test_a_precision_is_computed_as_such(size: str, precision: Precision) -> None:
    """Rounded weights make another network: the reference at one precision is not that of the others."""
    case = model(size)
    codes, conditioning = case.codes(1, 50), case.vectors(1, 1)
    rounded, plain = sampler("reference", size, precision), sampler("reference", size)
    got, _ = rounded.logits(case.start(rounded, ROWS[:1]), codes, conditioning)
    wanted, _ = plain.logits(case.start(plain, ROWS[:1]), codes, conditioning)
    furthest = {"fp16": (1e-4, 0.02), "bf16": (1e-3, 0.1), "int8": (1e-2, 0.4), "int4": (0.1, 1)}[precision]
    assert furthest[0] < np.abs(got - wanted).max() < furthest[1]


@pytest.mark.parametrize("precision", ["int8", "int4"])
def test_levels_on_the_cpu_are_the_references_sound(precision: Precision) -> None:
    """Stricter than the tolerance, which allows for a level: nearly all logits are equal to rounding."""
    far = []
    for size in SIZES:
        case = model(size)
        codes, conditioning = case.codes(2, 200, seed=9), case.vectors(2, 1, seed=9)
        logits = []
        for name in ("reference", "cpu"):
            run = sampler(name, size, precision)
            logits.append(run.logits(case.start(run, ROWS[:2]), codes, conditioning)[0])
        far.append(np.abs(logits[0] - logits[1]).max(axis=2) > 1e-4)
    assert np.mean(far) < 0.01


@every_other_sampler
@every_size
def test_free_running_codes_are_those_of_the_reference(name: str, size: str) -> None:
    case, conditioning = model(size), model(size).vectors(4, 2)
    reference, run = sampler("reference", size), sampler(name, size)
    start, length = case.start(reference, ROWS), min(512, SAMPLERS[name].most)
    wanted, _ = reference.generate(start, conditioning, length)
    got, _ = run.generate(start, conditioning, length)
    np.testing.assert_array_equal(got, wanted)
    assert len(np.unique(got)) > 100  # not one code over and over, which would agree too
    assert got.dtype == np.uint8
    assert case.config == reference.config == run.config


@every_kind
@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 8, 9, 17, 64])
def test_a_batch_of_any_size_gives_each_row_its_own_sound(name: str, precision: Precision, rows: int) -> None:
    """Rows leave one after the other, as clips of different lengths do."""
    case, run = model("plain"), sampler(name, "plain", precision)
    keys = [Row(seed, 1, 0.5 + seed % 7 / 4) for seed in range(rows)]
    conditioning, step = case.vectors(rows, 1), 24
    alone, _ = run.generate(run.start(keys[-1:]), conditioning[-1:], 4 * step)
    state, here, made = run.start(keys), np.arange(rows), []
    for _ in range(4):
        codes, state = run.generate(state, conditioning[here], step)
        made.append(codes[-1])
        stays = range(len(here) // 2, len(here))
        state, here = state.select(stays), here[stays]
    np.testing.assert_array_equal(np.concatenate(made), alone[0])


@every_kind
@pytest.mark.parametrize("lengths", [[1] * 20, [7] * 3, [100, 1, 199], [255, 1, 44], [256, 44], [0, 300, 0]])
def test_pieces_are_the_whole(name: str, precision: Precision, lengths: list[int]) -> None:
    case, run = model("wide-mlp"), sampler(name, "wide-mlp", precision)
    (whole,), wanted = in_pieces(run, case, run.start(ROWS[:2]), [sum(lengths)])
    made, state = in_pieces(run, case, run.start(ROWS[:2]), lengths)
    np.testing.assert_array_equal(np.concatenate(made, axis=1), whole)
    assert_same_state(state, wanted)


@settings(deadline=None, max_examples=50)
@given(
    size=st.sampled_from(sorted(SIZES)),
    precision=st.sampled_from(["fp32", "bf16", "int8", "int4"]),
    cuts=st.sets(st.integers(1, 1999), max_size=12),
)
def test_any_pieces_are_the_whole_on_the_cpu(size: str, precision: Precision, cuts: set[int]) -> None:
    case, run = model(size), sampler("cpu", size, precision)
    edges = [0, *sorted(cuts), 2000]
    lengths = [end - start for start, end in pairwise(edges)]
    (whole,), wanted = in_pieces(run, case, run.start(ROWS), [2000])
    made, state = in_pieces(run, case, run.start(ROWS), lengths)
    np.testing.assert_array_equal(np.concatenate(made, axis=1), whole)
    assert_same_state(state, wanted)


@every_kind
@every_size
def test_logits_in_pieces_are_the_whole(name: str, precision: Precision, size: str) -> None:
    case, run = model(size), sampler(name, size, precision)
    codes, conditioning = case.codes(2, 300), case.vectors(2, 2)
    whole, wanted = run.logits(run.start(ROWS[:2]), codes, conditioning)
    state, start, made = run.start(ROWS[:2]), 0, []
    for length in (1, 1, 3, 70, 181, 5, 39):
        piece = codes[:, start : start + length]
        logits, state = run.logits(state, piece, case.piece(conditioning, start, length))
        made.append(logits)
        start += length
    np.testing.assert_array_equal(np.concatenate(made, axis=1), whole)
    assert_same_state(state, wanted)


@every_kind
def test_a_row_does_not_depend_on_the_batch_or_its_order(name: str, precision: Precision) -> None:
    case, run = model("plain"), sampler(name, "plain", precision)
    conditioning = case.vectors(4, 1)
    together, after = run.generate(run.start(ROWS), conditioning, 200)
    for order in ([0], [3], [2, 1], [3, 1, 0, 2]):
        codes, state = run.generate(run.start([ROWS[row] for row in order]), conditioning[order], 200)
        np.testing.assert_array_equal(codes, together[order])
        assert_same_state(state, after.select(order))


@settings(deadline=None, max_examples=30)
@given(order=st.lists(st.integers(0, 19), max_size=20), precision=st.sampled_from(["fp32", "bf16", "int8", "int4"]))
def test_any_batch_gives_the_same_rows_on_the_cpu(order: list[int], precision: Precision) -> None:
    case, run = model("odd"), sampler("cpu", "odd", precision)
    rows = [Row(seed, 1) for seed in range(20)]
    conditioning = case.vectors(20, 1)
    together, _ = run.generate(run.start(rows), conditioning, 100)
    codes, _ = run.generate(run.start([rows[row] for row in order]), conditioning[order], 100)
    np.testing.assert_array_equal(codes, together[order])


@every_kind
def test_rows_at_different_positions_share_a_batch(name: str, precision: Precision) -> None:
    case, run = model("plain"), sampler(name, "plain", precision)
    conditioning = case.vectors(2, 3)
    alone = [run.generate(run.start([row]), conditioning[[index]], 400) for index, row in enumerate(ROWS[:2])]
    _, ahead = run.generate(run.start(ROWS[:1]), case.piece(conditioning[:1], 0, 270), 270)
    joined = SamplerState.join([ahead, run.start(ROWS[1:2])])
    codes, after = run.generate(joined, np.stack([conditioning[0, 1:], conditioning[1, :2]]), 130)
    np.testing.assert_array_equal(codes[0], alone[0][0][0, 270:])
    np.testing.assert_array_equal(codes[1], alone[1][0][0, :130])
    assert_same_state(after.select([0]), alone[0][1])
    assert after.position.tolist() == [400, 130]


@every_kind
def test_a_saved_state_goes_on_as_if_nothing_had_been(name: str, precision: Precision) -> None:
    case, run = model("plain"), sampler(name, "plain", precision)
    conditioning = case.vectors(2, 1)
    whole, _ = run.generate(run.start(ROWS[:2]), conditioning, 150)
    _, state = run.generate(run.start(ROWS[:2]), conditioning, 53)
    file = io.BytesIO()
    np.savez(file, **state.to_arrays())
    file.seek(0)
    with np.load(file) as arrays:
        restored = SamplerState.from_arrays(arrays)
    assert_same_state(restored, state)
    rest, _ = run.generate(restored, conditioning, 97)
    np.testing.assert_array_equal(rest, whole[:, 53:])


@every_other_sampler
def test_a_sound_begun_by_one_sampler_is_continued_by_another(name: str) -> None:
    case, conditioning = model("plain"), model("plain").vectors(2, 1)
    run, reference = sampler(name, "plain"), sampler("reference", "plain")
    whole, _ = run.generate(run.start(ROWS[:2]), conditioning, 200)
    first, state = run.generate(run.start(ROWS[:2]), conditioning, 99)
    rest, _ = reference.generate(state, conditioning, 101)
    np.testing.assert_array_equal(np.concatenate([first, rest], axis=1), whole)
    assert case.config.conditioning_length > 200


@every_sampler
def test_a_state_given_is_left_as_it_was(name: str) -> None:
    case, run = model("plain"), sampler(name, "plain")
    _, state = run.generate(run.start(ROWS[:2]), case.vectors(2, 1), 11)
    kept = SamplerState.from_arrays({key: array.copy() for key, array in state.to_arrays().items()})
    codes, given_codes = case.vectors(2, 1), case.codes(2, 50)
    before = given_codes.copy()
    run.generate(state, codes, 50)
    run.logits(state, given_codes, codes)
    assert_same_state(state, kept)
    np.testing.assert_array_equal(given_codes, before)


@every_kind
def test_codes_are_drawn_from_the_logits_with_the_rows_own_numbers(name: str, precision: Precision) -> None:
    case, run = model("plain"), sampler(name, "plain", precision)
    conditioning = case.vectors(4, 1)
    _, state = run.generate(run.start(ROWS), conditioning, 37)
    codes, _ = run.generate(state, conditioning, 100)
    logits, _ = run.logits(state, codes, conditioning)
    for index, row in enumerate(ROWS):
        drawn = uniforms(row.seed, row.take, 37, 100)
        wanted = [draw_code(*pair, row.temperature) for pair in zip(logits[index], drawn, strict=True)]
        assert codes[index].tolist() == wanted


@every_sampler
def test_seed_take_and_temperature_make_another_sound(name: str) -> None:
    case, run = model("plain"), sampler(name, "plain")
    rows = [Row(1, 1), Row(1, 1), Row(1, 2), Row(2, 1), Row(1, 1, 0.5)]
    same_vectors = np.repeat(case.vectors(1, 1), len(rows), axis=0)
    codes, _ = run.generate(run.start(rows), same_vectors, 100)
    np.testing.assert_array_equal(codes[0], codes[1])
    assert len(np.unique(codes[1:], axis=0)) == 4


@every_sampler
def test_near_zero_temperature_takes_the_likeliest_code(name: str) -> None:
    case, run = model("plain"), sampler(name, "plain")
    state = run.start([Row(3, 1, 0.01)])
    codes, _ = run.generate(state, case.vectors(1, 1), 100)
    logits, _ = run.logits(state, codes, case.vectors(1, 1))
    chosen = np.take_along_axis(logits, codes[..., None].astype(int), axis=2)[..., 0]
    assert (chosen > logits.max(axis=2) - 0.2).all()


@every_sampler
def test_conditioning_matters_from_its_own_sample_on(name: str) -> None:
    case, run = model("plain"), sampler(name, "plain")
    codes, conditioning = case.codes(1, 300), case.vectors(1, 2)
    changed = conditioning.copy()
    changed[:, 1] += 1
    before, _ = run.logits(run.start(ROWS[:1]), codes, conditioning)
    after, _ = run.logits(run.start(ROWS[:1]), codes, changed)
    np.testing.assert_array_equal(after[:, :256], before[:, :256])
    assert (after[:, 256] != before[:, 256]).any()


@every_sampler
def test_conditioning_may_lie_anyhow_in_memory_and_hold_more_than_needed(name: str) -> None:
    case, run = model("plain"), sampler(name, "plain")
    conditioning = case.vectors(2, 1)
    wanted, _ = run.generate(run.start(ROWS[:2]), conditioning, 20)
    odd = np.asfortranarray(case.vectors(2, 5))
    odd[:, 1:] = 99
    odd[:, :1] = conditioning
    odd.setflags(write=False)
    got, _ = run.generate(run.start(ROWS[:2]), odd, 20)
    np.testing.assert_array_equal(got, wanted)


@every_sampler
def test_no_rows_and_no_samples_are_nothing(name: str) -> None:
    case, run = model("plain"), sampler(name, "plain")
    codes, state = run.generate(run.start([]), case.vectors(0, 1), 10)
    assert codes.shape == (0, 10)
    assert len(state) == 0
    codes, state = run.generate(run.start(ROWS), case.vectors(4, 0), 0)
    assert codes.shape == (4, 0)
    assert_same_state(state, run.start(ROWS))


@every_sampler
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_does_not_fit_is_refused_with_what_was_wanted(name: str, data: st.DataObject) -> None:
    case, run = model("plain"), sampler(name, "plain")
    state, good = run.start(ROWS[:2]), case.vectors(2, 2)
    not_finite = good.copy()
    not_finite[1, 1, 0] = data.draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    conditioning, length, message = data.draw(
        st.sampled_from(
            [
                (good[:1], 300, r"shape \[1, 2, 9\]; wanted \[2, 2, 9\]"),
                (good[:, :1], 300, r"shape \[2, 1, 9\]; wanted \[2, 2, 9\]"),
                (good[..., 1:], 300, r"shape \[2, 2, 8\]; wanted \[2, 2, 9\]"),
                (good[0], 300, r"shape \[2, 9\]; wanted \[2, 2, 9\]"),
                (good.astype(np.float64), 300, "must be finite float32; got float64"),
                (not_finite, 300, "must be finite float32"),
                (good, -1, "length must be 0 or more"),
            ]
        )
    )
    with pytest.raises(UsageError, match=message):
        run.generate(state, conditioning, length)


@every_sampler
def test_codes_and_states_of_another_kind_are_refused(name: str) -> None:
    case, run = model("plain"), sampler(name, "plain")
    state, conditioning = run.start(ROWS[:2]), case.vectors(2, 1)
    for codes in (case.codes(1, 10), case.codes(2, 10).astype(np.int64), case.codes(2, 10)[0]):
        with pytest.raises(UsageError, match=r"wanted uint8 \[2, length\]"):
            run.logits(state, codes, conditioning)
    other = sampler(name, "wide-mlp")
    with pytest.raises(UsageError, match="state is of another model"):
        run.generate(other.start(ROWS[:2]), conditioning, 10)


@pytest.mark.parametrize(
    ("seed", "take", "temperature"),
    [(-1, 0, 1.0), (2**64, 0, 1.0), (0, -1, 1.0), (0, 2**32, 1.0), (0, 0, 0.0), (0, 0, float("nan")), (0, 0, 1e9)],
)
def test_rows_out_of_range_are_refused(seed: int, take: int, temperature: float) -> None:
    with pytest.raises(UsageError, match="Row"):
        Row(seed, take, temperature)
