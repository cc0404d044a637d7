"""The CUDA sampler on a machine with a GPU: is it right, and how fast is it? One call, less than 9 minutes.

    python scripts/gpu/sampler.py --out "$OUT" [--minutes 8]
    python scripts/gpu/sampler.py --out FOLDER --dry-run      tiny sizes in Triton's interpreter, no GPU

Run from the repository's root. Writes `sampler.md` and `sampler.json` after each line, so that a timeout loses nothing.
Networks have random weights. Not yet run on a GPU.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

if "--dry-run" in sys.argv:
    os.environ["TRITON_INTERPRET"] = "1"  # before Triton is imported
ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "export")]

import numpy as np
import torch
import triton

from benchmarks.hardware import describe_hardware
from scripts.gpu.encoder_checks import EncoderChecks
from v2s_engine.errors import V2SError
from v2s_engine.grid import FRAME_LENGTH, SAMPLE_RATE
from v2s_engine.model.samplernn import SampleRNN
from v2s_engine.options import LEVELS, ModelConfig
from v2s_engine.sampling.cuda import CudaSampler
from v2s_engine.sampling.cuda_baseline import TorchFrame
from v2s_engine.sampling.cuda_device import Gpu, Interpreter, Machine, check_cuda
from v2s_engine.sampling.cuda_plan import BUCKETS, Arithmetic, Plan, choose_plan, model_widths, persistent_cut
from v2s_engine.sampling.fold import fold_weights
from v2s_engine.sampling.reference import ReferenceSampler
from v2s_engine.sampling.sampler import Row
from v2s_engine.sampling.weights import FoldedWeights

SHAPES = {
    "d256 (2,8)": ModelConfig(("dog",)),
    "d512/H256 (4,16)": ModelConfig(("dog",), hidden_size=512, coarse_unit=16, mid_unit=4),
    "d512 (2,8)": ModelConfig(("dog",), hidden_size=512, mlp_size=512),
    "d1024 (2,8)": ModelConfig(("dog",), hidden_size=1024, mlp_size=1024),
}
TINY = {"d32 (2,8)": ModelConfig(("dog",), hidden_size=32, mlp_size=32, embedding_size=8)}

TARGETS = {1: 130e3, 16: 2e6, 64: 5e6}
"""Samples per second in all that d256 and d512 are to reach on an H200, by rows."""


LOGIT_TOLERANCES: dict[Arithmetic, float] = {"fp32": 1e-3, "fp16": 0.1}


class LaunchedOneByOne(Gpu):
    """The GPU without graphs."""

    def capture(self, run: Callable[[], None]) -> Callable[[], None]:
        """Capture nothing."""
        return run


@dataclass
class Results:
    """Lines of both files, written after each."""

    out: Path
    deadline: float
    about: dict[str, str]
    checks: list[dict[str, Any]] = field(default_factory=list)
    speeds: list[dict[str, Any]] = field(default_factory=list)

    def check(self, what: str, run: Callable[[], tuple[bool, str]]) -> None:
        """Run one check unless time is up; what it raises is its result."""
        if time.monotonic() > self.deadline:
            passed, said = None, "not run: time was up"
        else:
            try:
                passed, said = run()
            except (V2SError, RuntimeError, AssertionError) as error:
                passed, said = False, f"{type(error).__name__}: {error}"
        self.checks.append({"check": what, "passed": passed, "result": said})
        self.write(f"{what}: {passed} {said}")

    def speed(self, line: dict[str, Any]) -> None:
        """Add one measurement."""
        self.speeds.append(line)
        self.write(str(line))

    def write(self, said: str) -> None:
        """Write both files, and say what is new."""
        print(f"[{self.deadline - time.monotonic():4.0f} s left] {said}", flush=True)
        everything = {"about": self.about, "checks": self.checks, "speeds": self.speeds}
        (self.out / "sampler.json").write_text(json.dumps(everything, indent=1))
        (self.out / "sampler.md").write_text("\n".join(self._markdown()) + "\n")

    def _markdown(self) -> Iterator[str]:
        yield from (f"{name}: {value}  " for name, value in self.about.items())
        yield from ("", "| check | | |", "|---|---|---|")
        for line in self.checks:
            verdict = {True: "passed", False: "FAILED", None: "not run"}[line["passed"]]
            yield f"| {line['check']} | {verdict} | {line['result']} |"
        names = list(dict.fromkeys(name for line in self.speeds for name in line))
        yield from ("", f"| {' | '.join(names)} |", "|" + "---|" * len(names))
        for line in self.speeds:
            yield f"| {' | '.join(_cell(line.get(name, '')) for name in names)} |"


def _cell(value: object) -> str:
    return (
        f"{value:,.3g}"
        if isinstance(value, float) and value < 1000
        else f"{value:,.0f}"
        if isinstance(value, float)
        else str(value)
    )


def main() -> None:
    arguments = _parser().parse_args()
    if not arguments.dry_run:
        try:
            check_cuda()
        except V2SError as error:
            sys.exit(str(error))
    arguments.out.mkdir(parents=True, exist_ok=True)
    results = Results(arguments.out, time.monotonic() + 60 * arguments.minutes, _about(arguments.dry_run))
    results.write("begun")
    torch.set_num_threads(4)
    with TemporaryDirectory() as folder:
        check_encoder(results, Path(folder), arguments.dry_run)
    for shape, config in (TINY if arguments.dry_run else SHAPES).items():
        check_shape(results, shape, config, arguments.dry_run)
        measure_shape(results, shape, config, arguments.dry_run)
    sys.exit(any(line["passed"] is False for line in results.checks))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=8.0, help="nothing new is begun after so many")
    parser.add_argument("--dry-run", action="store_true", help="tiny sizes in Triton's interpreter")
    return parser


def _about(dry: bool) -> dict[str, str]:
    about = {"date": date.today().isoformat(), "host": describe_hardware("torch", "triton", "numpy")}
    if dry:
        return {**about, "device": "none: Triton's interpreter, figures mean nothing"}
    properties = torch.cuda.get_device_properties(0)
    return {
        **about,
        "device": f"{properties.name}, {properties.total_memory >> 30} GiB, {properties.multi_processor_count} SMs",
        "driver": _driver(),
        "cuda": f"{torch.version.cuda}, triton {triton.__version__}",
    }


def _driver() -> str:
    file = Path("/proc/driver/nvidia/version")
    return file.read_text().splitlines()[0] if file.exists() else "unknown"


def random_weights(config: ModelConfig) -> FoldedWeights:
    torch.manual_seed(7)
    network = SampleRNN(config).eval().requires_grad_(False)
    for name, parameter in network.named_parameters():
        if "bias" in name or name.endswith("_start"):
            parameter.uniform_(-0.3, 0.3)
    return fold_weights({name: tensor.numpy() for name, tensor in network.state_dict().items()}, config)


def rows_of(count: int) -> list[Row]:
    return [Row(seed=17 + index, take=index % 3, temperature=1.0 - 0.1 * (index % 2)) for index in range(count)]


def vectors(config: ModelConfig, rows: int, count: int) -> np.ndarray:
    shape = (rows, count, config.conditioning_size)
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def programs_for_steps(config: ModelConfig, bucket: int) -> Plan:
    return replace(choose_plan(config, bucket), persistent=None)


def programs_for_frames(config: ModelConfig, bucket: int) -> Plan:
    cut = persistent_cut(model_widths(config))
    return replace(choose_plan(config, bucket), persistent=cut if bucket >= cut.lanes else None)


PLANS = {"a step": programs_for_steps, "a frame": programs_for_frames}
"""By what a launch does."""


def check_encoder(results: Results, folder: Path, dry: bool) -> None:
    def sampler(config: ModelConfig) -> CudaSampler:
        return CudaSampler(random_weights(config), 4, machine=Interpreter() if dry else Gpu())

    checks = EncoderChecks(folder, dry, sampler)
    results.check("an execution provider that is not here is an error", checks.missing_provider)
    results.check("the encoder's features are the CPU's, left on the device or fetched", checks.same_features)
    results.check("frame: sounds are the same, features left on the device or fetched", checks.same_sounds)
    results.check("sequence: states are the same, features left on the device or fetched", checks.same_states)


def check_shape(results: Results, shape: str, config: ModelConfig, dry: bool) -> None:
    length, frames = (12, 0) if dry else (512, 2)
    machine: Callable[[], Machine] = Interpreter if dry else Gpu
    weights = random_weights(config)

    def sampler(arithmetic: Arithmetic = "fp16", bucket: int = 4, plan: str = "a step") -> CudaSampler:
        return CudaSampler(weights, bucket, arithmetic=arithmetic, plan=PLANS[plan], machine=machine())

    results.check(
        f"{shape}: fp32 codes of 3 rows are the reference's", lambda: same_codes(sampler("fp32"), weights, length)
    )
    for arithmetic, tolerance in LOGIT_TOLERANCES.items():
        results.check(
            f"{shape}: {arithmetic} logits are the reference's within {tolerance}",
            partial(same_logits, sampler(arithmetic), weights, tolerance, min(length, 64)),
        )
    results.check(
        f"{shape}: fp16 logits of programs for whole frames are the reference's",
        lambda: same_logits(sampler("fp16", 16, "a frame"), weights, LOGIT_TOLERANCES["fp16"], min(length, 64)),
    )
    if not dry:
        for launch, plan in PLANS.items():
            results.check(
                f"{shape}: a replayed graph is its launches, {launch} each", partial(same_replayed, weights, plan)
            )
    results.check(
        f"{shape}: rows of a bucket do not matter to each other", lambda: same_padded(sampler(bucket=16), length)
    )
    whole = length + frames * FRAME_LENGTH
    results.check(f"{shape}: pieces are the whole", lambda: same_in_pieces(sampler(), whole))
    frames_apart = sampler("fp16", 16, "a frame")
    results.check(
        f"{shape}: pieces by programs for whole frames are the whole", lambda: same_in_pieces(frames_apart, whole)
    )


def same_codes(run: CudaSampler, weights: FoldedWeights, length: int) -> tuple[bool, str]:
    judge, rows, told = ReferenceSampler(weights), rows_of(3), vectors(weights.config, 3, 2)
    wanted, _ = judge.generate(judge.start(rows), told, length)
    codes, _ = run.generate(run.start(rows), told, length)
    differ = np.flatnonzero((codes != wanted).any(axis=0))
    return not differ.size, f"{length} samples" if not differ.size else f"differ from sample {differ[0]} on"


def same_logits(run: CudaSampler, weights: FoldedWeights, tolerance: float, length: int) -> tuple[bool, str]:
    judge = ReferenceSampler(weights)
    codes = np.random.default_rng(2).integers(0, LEVELS, (2, length), dtype=np.uint8)
    told = vectors(weights.config, 2, 1)
    wanted, _ = judge.logits(judge.start(rows_of(2)), codes, told)
    logits, _ = run.logits(run.start(rows_of(2)), codes, told)
    largest = float(np.abs(logits - wanted).max())
    divergence = float(np.mean(_divergence(wanted, logits)))
    return largest <= tolerance, f"largest difference {largest:.2g}, KL {divergence:.2g} nats per sample"


def _divergence(wanted: np.ndarray, got: np.ndarray) -> np.ndarray:
    first, second = (torch.log_softmax(torch.from_numpy(logits).double(), dim=2) for logits in (wanted, got))
    divergence: np.ndarray = (first.exp() * (first - second)).sum(dim=2).numpy()
    return divergence


def same_replayed(weights: FoldedWeights, plan: Callable[[ModelConfig, int], Plan]) -> tuple[bool, str]:
    for bucket, count in ((1, 1), (16, 5), (64, 33)):
        replayed = CudaSampler(weights, bucket, plan=plan, machine=Gpu())
        launched = CudaSampler(weights, bucket, plan=plan, machine=LaunchedOneByOne())
        told, rows, length = vectors(weights.config, count, 9), rows_of(count), 2 * FRAME_LENGTH
        wanted, after = launched.generate(launched.start(rows), told, length)
        codes, state = replayed.generate(replayed.start(rows), told, length)
        if (codes != wanted).any() or (state.coarse != after.coarse).any() or (state.mid != after.mid).any():
            return False, f"{count} rows differ"
    return True, "2 frames of 1, 5 and 33 rows"


def same_padded(run: CudaSampler, length: int) -> tuple[bool, str]:
    rows, told = rows_of(16), vectors(run.config, 16, 2)
    together, _ = run.generate(run.start(rows), told, length)
    some = [11, 3, 0, 15, 7]
    codes, _ = run.generate(run.start([rows[row] for row in some]), told[some], length)
    return bool((codes == together[some]).all()), "5 of 16 rows, in another order"


def same_in_pieces(run: CudaSampler, length: int) -> tuple[bool, str]:
    rows, told, each = rows_of(3), vectors(run.config, 3, 12), run.config.conditioning_length
    whole, _ = run.generate(run.start(rows), told, length)
    state, made = run.start(rows), 0
    for piece in (1, 3, 5, length - 9):
        codes, state = run.generate(state, told[:, made // each :], piece)
        if (codes != whole[:, made : made + piece]).any():
            return False, f"the piece of {piece} samples from {made} on differs"
        made += piece
    return True, f"{length} samples in 4 pieces"


def measure_shape(results: Results, shape: str, config: ModelConfig, dry: bool) -> None:
    """All buckets by launches for steps; those of many rows also by programs for whole frames."""
    weights = random_weights(config)
    wanted = [(rows, "a step") for rows in BUCKETS] + [(rows, "a frame") for rows in BUCKETS if rows >= 64]
    for rows, launch in [(1, "a step")] if dry else sorted(wanted):
        line = {"model": shape, "rows": rows, "a launch is": launch}
        if time.monotonic() > results.deadline:
            results.speed({**line, "note": "not run: time was up"})
            continue
        try:
            results.speed({**line, **measure(weights, rows, launch, dry)})
        except (V2SError, RuntimeError) as error:
            results.speed({**line, "note": f"{type(error).__name__}: {error}"})


def measure(weights: FoldedWeights, rows: int, launch: str, dry: bool) -> dict[str, Any]:
    run = CudaSampler(weights, rows, plan=PLANS[launch], machine=Interpreter() if dry else Gpu())
    length = 8 if dry else 4 * FRAME_LENGTH
    told = vectors(run.config, rows, 17)
    if not dry:
        torch.cuda.reset_peak_memory_stats()
    state = run.start(rows_of(rows))
    begun = time.perf_counter()
    _, state = run.generate(state, told, length)
    first = time.perf_counter() - begun
    ours = median(_timed(lambda: run.generate(state, told, length)) for _ in range(1 if dry else 5)) / length
    line: dict[str, Any] = {
        "samples/s": rows / ours,
        "x real time": rows / ours / SAMPLE_RATE,
        "us per step": 1e6 * ours,
        "first call s": first,
    }
    if dry:
        return line
    again = CudaSampler(weights, rows, plan=PLANS[launch], machine=Gpu())  # its kernels are compiled by now
    captured = _timed(lambda: again.generate(again.start(rows_of(rows)), told, FRAME_LENGTH)) - FRAME_LENGTH * ours
    plain = _plain_graph(weights, rows, told)
    target = TARGETS.get(rows) if run.config.hidden_size < 1024 else None
    return {
        **line,
        "capture s": captured,
        "plain graph samples/s": rows * FRAME_LENGTH / plain,
        "times the plain graph": plain / (ours * FRAME_LENGTH),
        "target": target or "",
        "of target": rows / ours / target if target else "",
        "GPU memory MiB": torch.cuda.max_memory_allocated() / 2**20,
    }


def _plain_graph(weights: FoldedWeights, rows: int, told: np.ndarray) -> float:
    """Seconds for one frame by the graph of PyTorch's own operations, fp16."""
    frame = TorchFrame(weights, rows, torch.device("cuda"), torch.float16)
    judge = ReferenceSampler(weights)
    frame.load(judge.start(rows_of(rows)), told)
    replay = frame.capture(torch.cuda.Stream())

    def once() -> None:
        replay()
        torch.cuda.synchronize()

    once()
    return median(_timed(once) for _ in range(5))


def _timed(run: Callable[[], object]) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
