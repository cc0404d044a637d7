"""The engine's way of the data: requests in, takes out.

    request ──conditioner──> conditioning ──timbre of the take──> ──sample──> codes ──filter──> samples at 16 kHz

Timbre and filter belong to source-filter models; with all others, codes are samples.

`generate` makes many sounds side by side, `stream` one, frame by frame; both give the same samples. Pictures are looked
at in one thread while sounds are sampled in another.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from v2s_engine.background import Background
from v2s_engine.bundle import Bundle
from v2s_engine.conditioner import Conditioner, PictureRun, Prepared, open_conditioner
from v2s_engine.envelope import Envelope
from v2s_engine.errors import DeviceError, MediaError, UsageError
from v2s_engine.grid import ENVELOPE_LENGTH, FRAME_LENGTH, steps_covering
from v2s_engine.model.hearing import decode_sound
from v2s_engine.progress import Progress, ProgressEvent
from v2s_engine.sampling.choose import Choice, Device, choose_sampler
from v2s_engine.sampling.lockstep import RowJob, sample_lockstep
from v2s_engine.sampling.sampler import Row
from v2s_engine.sampling.streaming import stream_codes
from v2s_engine.sampling.timbred import Asked, TimbredStream, open_palette, timbred
from v2s_engine.sampling.weights import load_folded
from v2s_engine.timbre.palette import Exemplars, Palette
from v2s_engine.timbre.timbre import Timbre
from v2s_engine.video import Pictures
from v2s_engine.vision.session import CUDA

_PREPARED_AHEAD = 4  # requests whose conditioning waits for a free row
_PARTS_AHEAD = 16  # parts of a streamed sound's conditioning that wait to be sampled


@dataclass(frozen=True)
class SoundRequest:
    """One stretch of picture to be sounded: the engine's whole view of a clip job, or of several in a row whose sound
    goes on over their cuts (`PictureRun` for each after the first).

    Raises `UsageError` where its fields do not belong together.
    """

    media: Pictures
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
    after_cuts: tuple[PictureRun, ...] = ()
    """What is seen after `picture_times`, from cut to cut, on the same grid of 64 ms; the sound goes on."""
    envelope: Envelope | None = None
    """What the sound follows instead of the pictures, one step for every 16 ms; only for bundles whose conditioning is
    `envelope`. The media need not be there then."""

    def __post_init__(self) -> None:
        wanted = steps_covering(self.length, FRAME_LENGTH)
        if self.length < 1 or self.picture_count != wanted or not all(run.times for run in self.runs):
            raise UsageError(
                f"{self.label or self.media.name}: a sound of {self.length} samples wants {wanted} picture times "
                f"(at least one sample, and one picture in each run); got "
                f"{' + '.join(str(len(run.times)) for run in self.runs)}"
            )
        if not self.takes or len(set(self.takes)) != len(self.takes):
            raise UsageError(f"{self.label or self.media.name}: takes must be given, each once; got {self.takes}")
        steps = steps_covering(self.length, ENVELOPE_LENGTH)
        if self.envelope is not None and len(self.envelope) != steps:
            raise UsageError(
                f"{self.label or self.media.name}: a sound of {self.length} samples wants an envelope of {steps} "
                f"steps; got {len(self.envelope)}"
            )

    @property
    def runs(self) -> tuple[PictureRun, ...]:
        """All that is seen, in order of time."""
        return PictureRun(self.media, self.picture_times), *self.after_cuts

    @property
    def picture_count(self) -> int:
        """Pictures that are looked at."""
        return sum(len(run.times) for run in self.runs)


@dataclass(frozen=True, eq=False)
class SoundTake:
    """One take of one request."""

    request: SoundRequest
    take: int
    samples: NDArray[np.float32]
    """`[length]` at 16 kHz, as the model made them: no gain, may pass full scale."""
    envelope: Envelope | None
    """What was asked for, cues included; None where the bundle's conditioning knows no envelope (the paper's three)."""


@dataclass(frozen=True, eq=False)
class SoundPiece:
    """A stretch of a take, one frame long (1,024 samples; the last one as long as what is left)."""

    start: int
    """Samples of the take before it."""
    samples: NDArray[np.float32]
    """At 16 kHz, as in `SoundTake`."""


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


class _Making(NamedTuple):
    """One take that is being made."""

    looked: _Looked
    take: int
    timbre: Timbre | None


class SoundPipeline:
    """A bundle opened on a device. Raises `DeviceError` where the device cannot be had, `BundleDamagedError` where the
    bundle's tensors are not what its description says.

    `sounds` is how many takes the job has, and `earlier` what made those that stand beside them (their
    `choice.device`): `auto` and `cuda` go by both (see `choose_sampler`). On `cuda` the visual encoder of `frame`,
    `sequence` and `flow` runs on the GPU as well.
    """

    def __init__(self, bundle: Bundle, device: Device = "auto", *, sounds: int = 1, earlier: str | None = None) -> None:
        self.bundle = bundle
        weights = load_folded(bundle.sampler_path, bundle.config)
        self._sampler, choice = choose_sampler(weights, device, sounds=sounds, earlier=earlier)
        self._palette = open_palette(bundle)
        self._conditioner, warnings = _open_eyes(bundle, self._sampler.name, may_differ=device == "auto")
        self.choice: Choice = replace(choice, warnings=(*choice.warnings, *warnings))
        """The device that samples, and why it is this one."""

    def generate(
        self, requests: Sequence[SoundRequest], progress: Progress | None = None
    ) -> Iterator[SoundTake | SoundFailure]:
        """Every take of every request, each yielded as soon as it is finished.

        A take depends on its request, the bundle and `choice.device`, which is to be kept with it, and not on what else
        is asked for or in which order. Progress tells of `encode` in pictures and `sample` in samples over all
        requests. Raises `CancelledError` on request, within 0.2 s.
        """
        progress = progress or Progress()
        for request in requests:
            self._conditioner.check(request)  # wrong use fails before any work
        counter = _SampleCounter(progress, sum(len(each.takes) * each.length for each in requests))
        left = threading.Event()
        looking = _look(self._conditioner, requests, progress, left)
        with Background(looking, ahead=_PREPARED_AHEAD, left=left, check=progress.check) as looked:
            source = _RowSource(looked, self.bundle, self._palette, counter, progress.check)
            for made, codes in sample_lockstep(self._sampler, source.draw, self._sampler.most_rows, counter):
                yield from source.failed()
                samples = decode_sound(codes, self.bundle.config, made.timbre, progress.check)
                yield SoundTake(made.looked.request, made.take, samples, made.looked.prepared.envelope)
            yield from source.failed()

    def stream(self, request: SoundRequest, take: int = 1, progress: Progress | None = None) -> Iterator[SoundPiece]:
        """One take of one request frame by frame, each as soon as it is made: the samples of `generate`, bit for bit.

        Pictures are looked at while sound is made. The first frame comes after one picture for `frame`, after 17 (a
        second) for `envelope`, whose encoder looks ahead (after 24 with a source-filter model, whose timbre fits what
        is to come), and after a whole window (10 s, or all of a shorter clip) for `sequence` and `flow`, which begin
        with the last state of it. Memory does not grow with the clip's length.

        Raises the errors of `read_pictures` where the media fail, and `CancelledError` within 0.2 s of the request.
        """
        progress = progress or Progress()
        self._conditioner.check(request)
        left, pictures = threading.Event(), request.picture_count
        looking = self._conditioner.parts(request, _telling(progress, left, 0, pictures, request.label))
        row, exemplars = Row(request.seed, take, self.bundle.temperature), _exemplars(self._palette, request)
        done = 0
        with Background(looking, ahead=_PARTS_AHEAD, left=left, check=progress.check) as parts:
            asked = (Asked(part.conditioning, part.envelope) for part in parts)
            sound = TimbredStream(asked, exemplars, self.bundle.config, request.seed, take)
            for codes in stream_codes(self._sampler, row, sound.told(), request.length, progress.check):
                yield SoundPiece(done, sound.decode(codes))
                done += len(codes)
                progress.step("sample", done, request.length, request.label)


def _open_eyes(bundle: Bundle, device: str, *, may_differ: bool) -> tuple[Conditioner, tuple[str, ...]]:
    """What looks at pictures, on the GPU where sounds are made there, and what to warn of. Not yet run on a GPU.

    There, what is seen of pictures stays on the GPU on its way to the sampler, and until its sound is done: 16 kB for
    each 64 ms at the paper's size. Both threads queue what they do with it on PyTorch's default stream, and the
    sampler's own stream waits for that (`Machine.running`).

    Raises `DeviceError` where that cannot be, unless `may_differ`: then it is the CPU, and said.
    """
    if device != "cuda" or bundle.config.visual is None:  # the timing network is too small to gain by a GPU
        return open_conditioner(bundle), ()
    try:
        return open_conditioner(bundle, CUDA, on_device=True), ()
    except DeviceError as error:
        if not may_differ:
            raise
        return open_conditioner(bundle), (f"pictures are looked at on the CPU: {error}",)


class _RowSource:
    """One row per take, made when it is drawn, as the conditioning of each request comes."""

    def __init__(
        self,
        looked: Background[_Looked | SoundFailure],
        bundle: Bundle,
        palette: Palette | None,
        counter: _SampleCounter,
        check: Callable[[], None],
    ) -> None:
        self._looked = looked
        self._bundle = bundle
        self._palette = palette
        self._counter = counter
        self._check = check
        self._rows: Iterator[tuple[_Making, RowJob]] = iter(())
        self._failures: deque[SoundFailure] = deque()

    def draw(self, wait: bool) -> tuple[_Making, RowJob] | None:
        """The next row; None where none is ready (`wait` false) or none will come (`wait` true)."""
        while (row := next(self._rows, None)) is None:
            results = self._looked.next(wait=wait)
            if not results:
                return None
            for result in results:
                if isinstance(result, SoundFailure):
                    self._failures.append(result)
                    self._counter.leave_out(len(result.request.takes) * result.request.length)
                else:
                    self._rows = chain(self._rows, self._rows_of(result))
        return row

    def failed(self) -> Iterator[SoundFailure]:
        """The requests that have failed since the last call."""
        while self._failures:
            yield self._failures.popleft()

    def _rows_of(self, looked: _Looked) -> Iterator[tuple[_Making, RowJob]]:
        request, exemplars = looked.request, _exemplars(self._palette, looked.request)
        asked = Asked(looked.prepared.conditioning, looked.prepared.envelope)
        for take in request.takes:
            row = Row(request.seed, take, self._bundle.temperature)
            told, timbre = timbred(asked, exemplars, self._bundle.config, request.seed, take, check=self._check)
            yield _Making(looked, take, timbre), RowJob(row, told.vectors, request.length, told.starts, timbre)


def _exemplars(palette: Palette | None, request: SoundRequest) -> Exemplars | None:
    return palette.of(request.sound_class) if palette else None


class _SampleCounter:
    """Adds up the samples of all rows for the progress report."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done: dict[tuple[int, int], int] = {}

    def __call__(self, making: _Making, done: int) -> None:
        source = making.looked
        self._done[source.number, making.take] = done
        self._progress.step("sample", sum(self._done.values()), self._total, source.request.label)

    def leave_out(self, samples: int) -> None:
        """These samples will not come."""
        self._total -= samples


def _look(
    conditioner: Conditioner, requests: Sequence[SoundRequest], progress: Progress, left: threading.Event
) -> Iterator[_Looked | SoundFailure]:
    """Look at the pictures of requests, in their order, until `left` is set."""
    total = sum(request.picture_count for request in requests)
    done = 0
    for number, request in enumerate(requests):
        try:
            telling = _telling(progress, left, done, total, request.label)
            yield _Looked(number, request, Prepared.join(conditioner.parts(request, telling)))
        except MediaError as error:
            yield SoundFailure(request, error)
        done += request.picture_count


def _telling(progress: Progress, left: threading.Event, before: int, total: int, label: str) -> Progress:
    """Progress of one request as part of all; looking also stops when the reader has left."""

    def report(event: ProgressEvent) -> None:
        progress.step("encode", before + event.done, total, label)

    return Progress(report, left)
