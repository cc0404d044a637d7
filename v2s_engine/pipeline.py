"""The engine's way of the data: requests in, takes out.

    request ──conditioner──> conditioning ──sample──> codes ──> samples at 16 kHz

Pictures of the next request are looked at in one thread while sounds are sampled in another.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from v2s_engine.audio import decode_codes
from v2s_engine.bundle import Bundle
from v2s_engine.conditioner import Conditioner, Prepared, open_conditioner
from v2s_engine.envelope import Envelope
from v2s_engine.errors import CancelledError, MediaError, UsageError
from v2s_engine.grid import FRAME_LENGTH, steps_covering
from v2s_engine.progress import Progress, ProgressEvent
from v2s_engine.sampling.choose import Device, open_sampler
from v2s_engine.sampling.lockstep import RowJob, sample_lockstep
from v2s_engine.sampling.sampler import Row
from v2s_engine.sampling.sound_jobs import ROWS
from v2s_engine.sampling.weights import load_folded

_PREPARED_AHEAD = 4  # requests whose conditioning waits for a free row


@dataclass(frozen=True)
class SoundRequest:
    """One stretch of picture to be sounded: the engine's whole view of a clip job.

    Raises `UsageError` where its fields do not belong together.
    """

    media: Path
    picture_times: tuple[Fraction, ...]
    """Time in the media, in seconds from its first picture, for every 64 ms of the sound."""
    length: int
    """Samples at 16 kHz."""
    sound_class: str
    seed: int
    """0 .. 2^64 - 1."""
    takes: tuple[int, ...] = (1,)
    """Which takes to make, by number."""
    cues: tuple[int, ...] = ()
    """Samples at 16 kHz from the start at which a sound event must start."""
    label: str = ""
    """What messages call it."""

    def __post_init__(self) -> None:
        wanted = steps_covering(self.length, FRAME_LENGTH)
        if self.length < 1 or len(self.picture_times) != wanted:
            raise UsageError(
                f"{self.label or self.media.name}: a sound of {self.length} samples wants {wanted} picture times "
                f"(at least one sample and one picture); got {len(self.picture_times)}"
            )
        if not self.takes or len(set(self.takes)) != len(self.takes):
            raise UsageError(f"{self.label or self.media.name}: takes must be given, each once; got {self.takes}")


@dataclass(frozen=True, eq=False)
class SoundTake:
    """One take of one request."""

    request: SoundRequest
    take: int
    samples: NDArray[np.float32]
    """`[length]` at 16 kHz, as the model made them: no gain, may pass full scale."""
    envelope: Envelope | None
    """What was asked for, cues included; None where the bundle's conditioning knows no envelope (the paper's three)."""


@dataclass(frozen=True)
class SoundFailure:
    """A request that could not be sounded because of its media; the others go on."""

    request: SoundRequest
    error: MediaError


class _Looked(NamedTuple):
    number: int
    """Of the request among all."""
    request: SoundRequest
    prepared: Prepared


class SoundPipeline:
    """A bundle opened on a device. Raises `DeviceError` where the device cannot be had, `BundleDamagedError` where the
    bundle's tensors are not what its description says.
    """

    def __init__(self, bundle: Bundle, device: Device = "auto") -> None:
        self.bundle = bundle
        self._sampler = open_sampler(load_folded(bundle.sampler_path, bundle.config), device)
        self._conditioner = open_conditioner(bundle)

    @property
    def device_name(self) -> str:
        """What samples: `cpu`, `cuda` or `reference`."""
        return self._sampler.name

    def generate(
        self, requests: Sequence[SoundRequest], progress: Progress | None = None
    ) -> Iterator[SoundTake | SoundFailure]:
        """Every take of every request, each yielded as soon as it is finished.

        A take depends on its request and the bundle only, not on what else is asked for or in which order. Progress
        tells of `encode` in pictures and `sample` in samples over all requests. Raises `CancelledError` on request.
        """
        progress = progress or Progress()
        for request in requests:
            self._conditioner.check(request)  # wrong use fails before any work
        counter = _SampleCounter(progress, sum(len(each.takes) * each.length for each in requests))
        with _LookingThread(self._conditioner, requests, progress) as looked:
            source = _RowSource(looked, self.bundle, counter)
            for (made, take), codes in sample_lockstep(self._sampler, source.draw, ROWS, counter):
                yield from source.failed()
                samples = decode_codes(codes, self.bundle.config)
                yield SoundTake(made.request, take, samples, made.prepared.envelope)
            yield from source.failed()


class _RowSource:
    """One row per take, as the conditioning of each request comes."""

    def __init__(self, looked: _LookingThread, bundle: Bundle, counter: _SampleCounter) -> None:
        self._looked = looked
        self._bundle = bundle
        self._counter = counter
        self._ready: deque[tuple[tuple[_Looked, int], RowJob]] = deque()
        self._failures: deque[SoundFailure] = deque()

    def draw(self, wait: bool) -> tuple[tuple[_Looked, int], RowJob] | None:
        """The next row; None where none is ready (`wait` false) or none will come (`wait` true)."""
        while not self._ready:
            result = self._looked.next(wait)
            if result is None:
                return None
            if isinstance(result, SoundFailure):
                self._failures.append(result)
                self._counter.leave_out(len(result.request.takes) * result.request.length)
            else:
                self._ready.extend(self._rows(result))
        return self._ready.popleft()

    def failed(self) -> Iterator[SoundFailure]:
        """The requests that have failed since the last call."""
        while self._failures:
            yield self._failures.popleft()

    def _rows(self, looked: _Looked) -> Iterator[tuple[tuple[_Looked, int], RowJob]]:
        request, told = looked.request, looked.prepared.conditioning
        for take in request.takes:
            row = Row(request.seed, take, self._bundle.temperature)
            yield (looked, take), RowJob(row, told.vectors, request.length, told.starts)


class _SampleCounter:
    """Adds up the samples of all rows for the progress report."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done: dict[tuple[int, int], int] = {}

    def __call__(self, tag: tuple[_Looked, int], done: int) -> None:
        source, take = tag
        self._done[source.number, take] = done
        self._progress.step("sample", sum(self._done.values()), self._total, source.request.label)

    def leave_out(self, samples: int) -> None:
        """These samples will not come."""
        self._total -= samples


class _LookingThread:
    """Looks at the pictures of requests, in their order and a few ahead of the reader."""

    def __init__(self, conditioner: Conditioner, requests: Sequence[SoundRequest], progress: Progress) -> None:
        self._conditioner = conditioner
        self._requests = requests
        self._progress = progress
        self._results: queue.Queue[_Looked | SoundFailure | BaseException | None] = queue.Queue(_PREPARED_AHEAD)
        self._left = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="v2s-conditioner", daemon=True)

    def __enter__(self) -> _LookingThread:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        while self._thread.is_alive():  # it may wait for room in the queue
            while not self._results.empty():
                self._results.get_nowait()
            self._thread.join(0.02)

    def next(self, wait: bool) -> _Looked | SoundFailure | None:
        """The next result; None where none is ready (`wait` false) or none will come; raises what the thread raised."""
        if self._ended:
            return None
        try:
            result = self._results.get(block=wait)
        except queue.Empty:
            return None
        self._ended = result is None or isinstance(result, BaseException)
        if isinstance(result, BaseException):
            raise result
        return result

    def _run(self) -> None:
        total = sum(len(request.picture_times) for request in self._requests)
        done = 0
        try:
            for number, request in enumerate(self._requests):
                if self._left.is_set():
                    return
                self._results.put(self._look(number, request, done, total))
                done += len(request.picture_times)
            self._results.put(None)
        except BaseException as error:  # raised again in the reader's thread
            self._results.put(error)

    def _look(self, number: int, request: SoundRequest, before: int, total: int) -> _Looked | SoundFailure:
        def report(event: ProgressEvent) -> None:
            if self._left.is_set():
                raise CancelledError("the reader has left")
            self._progress.step("encode", before + event.done, total, request.label)

        try:
            prepared = self._conditioner.prepare(request, Progress(report, self._progress.cancel))
        except MediaError as error:
            return SoundFailure(request, error)
        return _Looked(number, request, prepared)
