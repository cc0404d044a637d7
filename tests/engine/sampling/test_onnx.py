"""The sampler without Numba: the same sounds by ONNX Runtime. The suite for all samplers is test_samplers.py."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from tests.engine.sampling.networks import ROWS, SIZES, assert_same_state, model, sampler
from tests.plugin.processes import run_python
from v2s_engine.errors import DeviceError
from v2s_engine.sampling.choose import open_sampler
from v2s_engine.sampling.onnx_sampler import OnnxSampler
from v2s_engine.sampling.sampler import Row, SamplerState

every_size = pytest.mark.parametrize("size", SIZES)


@every_size
def test_codes_and_states_are_those_of_the_reference(size: str) -> None:
    case, reference = model(size), sampler("reference", size)
    conditioning = case.vectors(4, 2)
    wanted, then = reference.generate(reference.start(ROWS), conditioning, 300)
    run = OnnxSampler(case.weights)
    got, after = run.generate(run.start(ROWS), conditioning, 300)
    np.testing.assert_array_equal(got, wanted)
    assert len(np.unique(got)) > 100
    assert (run.config, after.rows, after.position.tolist()) == (case.config, ROWS, [300] * 4)
    np.testing.assert_array_equal(after.history, then.history)
    np.testing.assert_allclose(after.coarse, then.coarse, rtol=0, atol=1e-4)
    np.testing.assert_allclose(after.mid, then.mid, rtol=0, atol=1e-4)


@every_size
def test_logits_are_those_of_the_reference(size: str) -> None:
    case, reference, run = model(size), sampler("reference", size), OnnxSampler(model(size).weights)
    codes, conditioning = case.codes(2, 300), case.vectors(2, 2)
    wanted, _ = reference.logits(reference.start(ROWS[:2]), codes, conditioning)
    got, _ = run.logits(run.start(ROWS[:2]), codes, conditioning)
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", ["wide-mlp", "odd", "frame"])
@pytest.mark.parametrize("lengths", [[1] * 20, [7, 0, 14], [100, 1, 199], [255, 1, 44]])
def test_pieces_are_the_whole(size: str, lengths: list[int]) -> None:
    case, run = model(size), OnnxSampler(model(size).weights)
    conditioning = case.vectors(2, 2)
    whole, wanted = run.generate(run.start(ROWS[:2]), conditioning, sum(lengths))
    state, made, done = run.start(ROWS[:2]), [], 0
    for length in lengths:
        codes, state = run.generate(state, case.piece(conditioning, done, length), length)
        made.append(codes)
        done += length
    np.testing.assert_array_equal(np.concatenate(made, axis=1), whole)
    assert_same_state(state, wanted)


@pytest.mark.parametrize("size", ["plain", "odd"])
def test_a_row_does_not_depend_on_the_batch_or_its_order(size: str) -> None:
    """To the bit, states included: each row is multiplied by itself."""
    case, run = model(size), OnnxSampler(model(size).weights)
    rows = [Row(seed, 1, 0.5 + seed / 10) for seed in range(13)]
    conditioning = case.vectors(13, 1)
    together, after = run.generate(run.start(rows), conditioning, 120)
    for order in ([0], [12], [2, 1], [3, 1, 0, 2, 9]):
        codes, state = run.generate(run.start([rows[row] for row in order]), conditioning[order], 120)
        np.testing.assert_array_equal(codes, together[order])
        assert_same_state(state, after.select(order))


def test_rows_at_different_positions_share_a_batch() -> None:
    case, run = model("plain"), OnnxSampler(model("plain").weights)
    conditioning = case.vectors(2, 3)
    alone = [run.generate(run.start([row]), conditioning[[index]], 400) for index, row in enumerate(ROWS[:2])]
    _, ahead = run.generate(run.start(ROWS[:1]), conditioning[:1], 270)
    joined = SamplerState.join([ahead, run.start(ROWS[1:2])])
    codes, after = run.generate(joined, np.stack([conditioning[0, 1:], conditioning[1, :2]]), 130)
    np.testing.assert_array_equal(codes[0], alone[0][0][0, 270:])
    np.testing.assert_array_equal(codes[1], alone[1][0][0, :130])
    assert_same_state(after.select([0]), alone[0][1])


def test_a_sound_begun_on_the_cpu_is_continued() -> None:
    case, conditioning = model("plain"), model("plain").vectors(2, 1)
    cpu, run = sampler("cpu", "plain"), OnnxSampler(case.weights)
    whole, _ = cpu.generate(cpu.start(ROWS[:2]), conditioning, 200)
    first, state = cpu.generate(cpu.start(ROWS[:2]), conditioning, 99)
    rest, _ = run.generate(state, conditioning, 101)
    np.testing.assert_array_equal(np.concatenate([first, rest], axis=1), whole)


def test_a_window_may_start_from_a_state_that_pictures_gave() -> None:
    case, run, reference = model("odd"), OnnxSampler(model("odd").weights), sampler("reference", "odd")
    coarse = np.random.default_rng(1).uniform(-1, 1, (2, case.config.hidden_size)).astype(np.float32)
    state, conditioning = run.start(ROWS[:2]).with_coarse(coarse), case.vectors(2, 1)
    got, _ = run.generate(state, conditioning, 100)
    wanted, _ = reference.generate(state, conditioning, 100)
    np.testing.assert_array_equal(got, wanted)


def test_no_rows_and_no_samples_are_nothing() -> None:
    case, run = model("plain"), OnnxSampler(model("plain").weights)
    codes, state = run.generate(run.start([]), case.vectors(0, 1), 10)
    assert (codes.shape, len(state)) == ((0, 10), 0)
    codes, state = run.generate(run.start(ROWS), case.vectors(4, 0), 0)
    assert codes.shape == (4, 0)
    assert_same_state(state, run.start(ROWS))
    logits, _ = run.logits(run.start(ROWS), np.zeros((4, 0), np.uint8), case.vectors(4, 0))
    assert logits.shape == (4, 0, 256)


def test_weights_rounded_for_a_bundle_sound_as_rounded() -> None:
    case = model("plain")
    rounded = case.weights.rounded("fp16")
    run, plain = OnnxSampler(rounded), OnnxSampler(case.weights)
    codes, conditioning = case.codes(1, 50), case.vectors(1, 1)
    got, _ = run.logits(run.start(ROWS[:1]), codes, conditioning)
    other, _ = plain.logits(plain.start(ROWS[:1]), codes, conditioning)
    wanted, _ = OnnxSampler(replace(rounded)).logits(run.start(ROWS[:1]), codes, conditioning)
    np.testing.assert_array_equal(got, wanted)
    assert (got != other).any()


def test_it_needs_neither_numba_nor_pytorch() -> None:
    code = """
import sys
sys.modules["numba"] = sys.modules["torch"] = None
import numpy as np
from v2s_engine.options import ModelConfig
from v2s_engine.sampling.choose import open_sampler
from v2s_engine.sampling.sampler import Row
from v2s_engine.sampling.weights import FoldedWeights, tensor_shapes
config = ModelConfig(("dog",), hidden_size=16, mlp_size=16)
arrays = {name: np.zeros(shape, np.float32) for name, shape in tensor_shapes(config).items()}
run = open_sampler(FoldedWeights(config, **arrays), "onnx")
codes, _ = run.generate(run.start([Row(1, 1)]), np.zeros((1, 1, config.conditioning_size), np.float32), 100)
print(codes.shape)
"""
    assert run_python(code).stdout == "(1, 100)\n"


def test_without_the_package_that_builds_the_model_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(DeviceError, match=r"onnx cannot be had: the package onnx .*pip install 'v2s\[onnx\]'"):
        open_sampler(model("plain").weights, "onnx")
