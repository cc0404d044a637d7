"""One row made by two threads of the CPU sampler: the same bits as by one, whatever becomes of the other thread."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import numpy as np
import pytest
from numba import types

from tests.engine.sampling.networks import ROWS, SIZES, Model, assert_same_state, model
from v2s_engine.sampling import cpu
from v2s_engine.sampling.cpu import CpuSampler, usable_cores
from v2s_engine.sampling.cpu_kernels import run_group
from v2s_engine.sampling.cpu_packing import widest_product
from v2s_engine.sampling.cpu_pair import PATIENCE, Pair, have_parted, make_pair, part
from v2s_engine.sampling.cpu_pairing import LONGEST_ALONE, SHORTEST_ALONE, Pairing
from v2s_engine.sampling.sampler import Codes, SamplerState
from v2s_engine.sampling.weights import FoldedWeights, Precision

T = TypeVar("T")

COMPUTED: tuple[Precision, ...] = ("fp32", "bf16", "int8", "int4")
ENDLESS = 2**60
"""Patience that no other program uses up."""

every_precision = pytest.mark.parametrize("precision", COMPUTED)


class WatchedPairing(Pairing):
    """Notes of each leader whether it was alone at its end."""

    def __init__(self, width: int, patience: int) -> None:
        super().__init__(width, patience)
        self.parted: list[bool] = []

    def run(self, work: Callable[[Pair], T]) -> T:
        def watched(pair: Pair) -> T:
            made = work(pair)
            if pair.member == 0:
                self.parted.append(have_parted(pair))
            return made

        return super().run(watched)


def open_paired(weights: FoldedWeights, patience: int = ENDLESS) -> tuple[CpuSampler, WatchedPairing]:
    """A sampler that makes every single row by two threads, however small the model."""
    run = CpuSampler(weights, threads=2)
    pairing = WatchedPairing(widest_product(weights.config), patience)
    run._pairing = pairing
    return run, pairing


def make_alone(case: Model, precision: Precision, length: int) -> tuple[Codes, SamplerState]:
    run = CpuSampler(case.weights.rounded(precision), threads=1)
    return run.generate(case.start(run, ROWS[:1]), case.vectors(1, 20), length)


@every_precision
@pytest.mark.parametrize("size", SIZES)
def test_two_threads_make_the_bits_of_one(size: str, precision: Precision) -> None:
    case = model(size)
    weights, conditioning = case.weights.rounded(precision), case.vectors(1, 20)
    one, (two, pairing) = CpuSampler(weights, threads=1), open_paired(weights)
    start = case.start(one, ROWS[1:2])
    wanted, after = one.generate(start, conditioning, 150)
    first, between = two.generate(start, conditioning, 67)  # not a whole unit of any size
    rest, then = two.generate(between, case.piece(conditioning, 67, 83), 83)
    np.testing.assert_array_equal(np.concatenate([first, rest], axis=1), wanted)
    assert_same_state(then, after)
    logits, _ = two.logits(start, wanted, conditioning)
    np.testing.assert_array_equal(logits, one.logits(start, wanted, conditioning)[0])
    assert pairing.parted == [False] * 3


def test_pairs_at_all_sizes_share_one_compilation_for_each_precision() -> None:
    for precision in COMPUTED:
        for size in SIZES:
            case = model(size)
            run, _ = open_paired(case.weights.rounded(precision))
            run.generate(case.start(run, ROWS[:1]), case.vectors(1, 20), 3)
    assert len([each for each in run_group.signatures if each[-1] != types.none]) == len(COMPUTED)


def test_a_pair_is_for_single_rows_of_large_models_and_several_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = model("plain").weights
    assert CpuSampler(weights, threads=2)._pairing is None
    monkeypatch.setattr(cpu, "PAIR_SIZE", 0)
    assert CpuSampler(weights, threads=1)._pairing is None
    assert (CpuSampler(weights)._pairing is None) == (usable_cores() == 1)
    run, pairing = open_paired(weights)
    run.generate(run.start(ROWS[:2]), model("plain").vectors(2, 1), 10)
    assert pairing.parted == []


@every_precision
def test_a_leader_whose_partner_never_comes_goes_on_alone(precision: Precision) -> None:
    case = model("wide-mlp")
    run, pairing = open_paired(case.weights.rounded(precision), PATIENCE)
    monopoly = threading.Event()
    run._pairing._partners.submit(monopoly.wait)  # type: ignore[union-attr]
    codes, after = run.generate(case.start(run, ROWS[:1]), case.vectors(1, 20), 300)
    monopoly.set()
    wanted, then = make_alone(case, precision, 300)
    np.testing.assert_array_equal(codes, wanted)
    assert_same_state(after, then)
    assert pairing.parted == [True]


@every_precision
@pytest.mark.parametrize("wait", [0.0, 0.0003, 0.001, 0.003])
def test_threads_that_part_on_the_way_change_nothing(wait: float, precision: Precision) -> None:
    case = model("long-units")
    wanted, then = make_alone(case, precision, 2000)
    run, pairing = open_paired(case.weights.rounded(precision))
    begun, pairs = threading.Event(), []
    made = pairing.run

    def noting(work: Callable[[Pair], T]) -> T:
        def noted(pair: Pair) -> T:
            pairs.append(pair)
            begun.set()
            return work(pair)

        return made(noted)

    pairing.run = noting  # type: ignore[method-assign]
    with ThreadPoolExecutor(1) as caller:
        call = caller.submit(run.generate, case.start(run, ROWS[:1]), case.vectors(1, 20), 2000)
        begun.wait()
        time.sleep(wait)
        part(pairs[0])
        codes, after = call.result()
    np.testing.assert_array_equal(codes, wanted)
    assert_same_state(after, then)


def test_a_partner_whose_leader_never_comes_ends() -> None:
    case = model("wide-mlp")
    run, _ = open_paired(case.weights)
    batch = run._make_batch(run.start(ROWS[:1]), case.vectors(1, 20), np.zeros((1, 500), np.uint8), logits=False)
    _, partner = make_pair(widest_product(case.config), patience=1000)
    with run._scratch_of(1) as scratch:
        group = cpu.take_rows(batch, np.arange(1), 0)
        run_group(run._packed, group, scratch, case.config.conditioning_length, partner)
    assert have_parted(partner)
    assert not group.codes[0, case.config.history_length + 1 :].any()  # it made at most a first one, of no worth


def test_sounds_made_at_once_by_several_threads_are_those_made_one_by_one() -> None:
    case = model("wide-mlp")
    run, _ = open_paired(case.weights.rounded("int8"), PATIENCE)
    conditioning = case.vectors(1, 20)

    def make(row: int) -> list[Codes]:
        state, pieces = run.start(ROWS[row : row + 1]), []
        for start in range(0, 1200, 60):
            codes, state = run.generate(state, case.piece(conditioning, start, 60), 60)
            pieces.append(codes)
        return pieces

    with ThreadPoolExecutor(4) as callers:
        together = list(callers.map(make, range(4)))
    one = CpuSampler(case.weights.rounded("int8"), threads=1)
    for row, pieces in enumerate(together):
        wanted, _ = one.generate(one.start(ROWS[row : row + 1]), conditioning, 1200)
        np.testing.assert_array_equal(np.concatenate(pieces, axis=1), wanted)


@pytest.fixture
def busy_cores() -> Iterator[None]:
    """Every core has something else to do."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(usable_cores())]
    yield
    for loop in loops:
        loop.kill()
        loop.wait()


@pytest.mark.usefixtures("busy_cores")
def test_other_programs_on_the_cores_change_nothing() -> None:
    case = model("wide-mlp")
    run, pairing = open_paired(case.weights.rounded("int8"), PATIENCE)
    state, pieces = case.start(run, ROWS[:1]), []
    for start in range(0, 2000, 200):
        codes, state = run.generate(state, case.piece(case.vectors(1, 20), start, 200), 200)
        pieces.append(codes)
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), make_alone(case, "int8", 2000)[0])
    assert len(pairing.parted) == 10


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_a_leaders_error_ends_its_partner(error: type[BaseException]) -> None:
    begun, ended = threading.Event(), threading.Event()

    def work(pair: Pair) -> None:
        if pair.member == 0:
            begun.wait()
            raise error
        begun.set()
        while not have_parted(pair):
            pass
        ended.set()

    pairing = Pairing(64)
    with pytest.raises(error):
        pairing.run(work)
    assert ended.is_set()
    assert pairing.run(lambda pair: pair.member) == 0


def test_a_partners_error_is_raised() -> None:
    def work(pair: Pair) -> None:
        if pair.member == 1:
            part(pair)
            raise RuntimeError("of the partner")
        while not have_parted(pair):
            pass

    with pytest.raises(RuntimeError, match="of the partner"):
        Pairing(64).run(work)


def test_after_a_parting_no_partner_is_called_for_a_while_and_longer_each_time() -> None:
    now = 0.0
    pairing = Pairing(64, clock=lambda: now)
    tried = []

    def work(pair: Pair, parting: bool) -> bool:
        if pair.member == 1:
            return False
        alone = have_parted(pair)
        if parting:
            part(pair)
        return not alone

    def try_at(moment: float, parting: bool) -> None:
        nonlocal now
        now = moment
        tried.append(pairing.run(partial(work, parting=parting)))

    try_at(0, True)
    try_at(0.9 * SHORTEST_ALONE, True)
    try_at(1.1 * SHORTEST_ALONE, True)
    try_at(2.9 * SHORTEST_ALONE, True)
    try_at(3.2 * SHORTEST_ALONE, True)
    assert tried == [True, False, True, False, True]
    for number in range(8):
        try_at(100 + number * 10, True)
    try_at(170 + 0.9 * LONGEST_ALONE, False)
    try_at(170 + 1.1 * LONGEST_ALONE, False)
    assert tried[5:] == [True] * 8 + [False, True]
