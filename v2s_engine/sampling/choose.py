"""Which sampler runs where: the one asked for, or with `auto` the fastest that can be had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from v2s_engine.errors import DeviceError, MissingExtraError, UsageError
from v2s_engine.sampling.cuda_plan import BUCKETS
from v2s_engine.sampling.devices import device_status
from v2s_engine.sampling.probe import measured_speed
from v2s_engine.sampling.sampler import Sampler
from v2s_engine.sampling.weights import FoldedWeights

Device = Literal["auto", "cpu", "onnx", "cuda", "reference"]

AUTOMATIC: Final = ("cuda", "cpu")
"""What `auto` chooses among: `onnx` and `reference` are never faster than `cpu`, and are had by name only."""

CUDA_ROWS: Final = 64
"""Most sounds that a job has side by side on `cuda`."""


@dataclass(frozen=True)
class Choice:
    """Which device makes the sounds, and why."""

    device: str
    """All that a sound depends on besides its model and its job, to be kept with it: `cpu`, `onnx`, `reference`, or
    `cuda/16`, which names the bucket of rows as well (see `CudaSampler`)."""
    reason: str
    """To be read after "made on DEVICE: "."""
    speeds: tuple[tuple[str, float], ...] = ()
    """Device and samples per second of all rows, fastest first; empty where there was nothing to measure."""
    warnings: tuple[str, ...] = ()
    """What is not as one might expect, each a sentence."""


def open_sampler(weights: FoldedWeights, device: Device = "auto", *, sounds: int = 1) -> Sampler:
    """A sampler for these weights; see `choose_sampler`."""
    return choose_sampler(weights, device, sounds=sounds)[0]


def choose_sampler(
    weights: FoldedWeights, device: Device = "auto", *, sounds: int = 1, earlier: str | None = None
) -> tuple[Sampler, Choice]:
    """A sampler for these weights, and why it is this one.

    `auto` keeps to `earlier`, the device (`Choice.device`) that made the sounds which stand beside those to be made;
    without one, or where it cannot be had any more (which is warned of), it takes the fastest at as many sounds side by
    side as the job has. Each is measured for 0.2 s, and only where there are two to choose from. `reference` is slow
    and there to judge the others by.

    On `cuda` the whole job goes through the bucket that holds its `sounds`, 64 rows at most, or through that of
    `earlier`: a sound is the same again however many are made with it then. That is paid for with blank rows: 17 sounds
    go through 64, and so does the last one that is left of them, or one that is made again beside 64.

    Raises
    ------
    DeviceError
        The device asked for cannot be had, or none can; never another one instead.
    MissingExtraError
        It lacks packages of an extra.
    UsageError
        A device that is not known.
    """
    if device == "auto":
        return _automatic(weights, sounds, earlier)
    opened = _open(weights, device, _bucket_of(earlier) or _bucket_for(sounds))
    return opened, Choice(_recorded(opened), "it was asked for")


def _automatic(weights: FoldedWeights, sounds: int, earlier: str | None) -> tuple[Sampler, Choice]:
    if earlier is None:
        return _fastest(weights, sounds, ())
    try:
        if earlier in {"auto", "cuda"}:
            raise UsageError(f"{earlier!r} does not say what a sound was made on")
        bucket = _bucket_of(earlier)
        opened = _open(weights, "cuda" if bucket else earlier, bucket or _bucket_for(sounds))
        return opened, Choice(_recorded(opened), "it made the sounds that stand beside them")
    except (DeviceError, MissingExtraError, UsageError) as error:
        warning = (
            f"sounds that stand beside the new ones were made on {earlier!r}, which cannot be had here ({error}); the "
            "new ones are made on another device and may differ from what it would have made"
        )
        return _fastest(weights, sounds, (warning,))


def _fastest(weights: FoldedWeights, sounds: int, warnings: tuple[str, ...]) -> tuple[Sampler, Choice]:
    opened: list[Sampler] = []
    refused: list[str] = []
    for name in AUTOMATIC:
        try:
            opened.append(_open(weights, name, _bucket_for(sounds)))
        except (DeviceError, MissingExtraError) as error:
            refused.append(str(error))
    # Who did not ask for it wants to know why not, in a clause; who asks for it is told all that is missing.
    shortly = "; ".join(each.split("; ")[0] for each in refused)
    if not opened:
        raise DeviceError(f"no device can be had: {'; '.join(refused)}")
    if len(opened) == 1:
        (only,) = opened
        reason = f"it is the only one that can be had here; {shortly}"
        return only, Choice(_recorded(only), reason, (), warnings)
    speeds = {each.name: measured_speed(each, min(sounds, each.most_rows)) for each in opened}
    ranked = sorted(opened, key=lambda each: -speeds[each.name])
    told = tuple((each.name, speeds[each.name]) for each in ranked)
    return ranked[0], Choice(_recorded(ranked[0]), f"it is the fastest here: {_compared(told)}", told, warnings)


def _compared(speeds: Sequence[tuple[str, float]]) -> str:
    return ", ".join(f"{name} {speed:,.0f} samples/s" for name, speed in speeds)


def _bucket_for(sounds: int) -> int:
    """The bucket of `cuda` for a job of so many sounds."""
    return next(bucket for bucket in BUCKETS if bucket >= min(sounds, CUDA_ROWS))


def _recorded(sampler: Sampler) -> str:
    """See `Choice.device`."""
    return f"cuda/{sampler.most_rows}" if sampler.name == "cuda" else sampler.name


def _bucket_of(recorded: str | None) -> int | None:
    """The bucket that a `Choice.device` names; None where that is no bucket of `cuda`."""
    return next((bucket for bucket in BUCKETS if recorded == f"cuda/{bucket}"), None)


def _open(weights: FoldedWeights, device: str, bucket: int) -> Sampler:
    """Exactly this one, `cuda` with this bucket.

    What a device needs (PyTorch, Numba, ONNX) is loaded here, by whoever runs a sampler.
    """
    if device not in get_args(Device):
        raise UsageError(f"unknown device {device!r}; known: {', '.join(get_args(Device))}")
    status = device_status(device)
    if not status.usable:
        if device == "reference":
            raise MissingExtraError("the reference sampler", "train")
        raise DeviceError(f"{device} cannot be had: {'; '.join(status.missing)}")
    if device == "cpu":
        return _open_cpu(weights)
    if device == "onnx":
        from v2s_engine.sampling.onnx_sampler import OnnxSampler  # noqa: PLC0415

        return OnnxSampler(weights)
    if device == "cuda":
        from v2s_engine.sampling.cuda import CudaSampler  # noqa: PLC0415

        return CudaSampler(weights, bucket)
    from v2s_engine.sampling.reference import ReferenceSampler  # noqa: PLC0415

    return ReferenceSampler(weights)


def _open_cpu(weights: FoldedWeights) -> Sampler:
    try:
        from v2s_engine.sampling.cpu import CpuSampler  # noqa: PLC0415
    except RuntimeError as error:  # Numba found no folder for the code that it compiles
        raise DeviceError(
            f"the CPU sampler cannot keep its compiled code ({error}); "
            "set NUMBA_CACHE_DIR to a folder that can be written"
        ) from error
    except ImportError as error:  # there, but broken: with another NumPy than it knows, say
        if (error.name or "").startswith("v2s"):
            raise  # a fault of ours
        raise DeviceError(
            f"cpu cannot be had: Numba does not load ({error}): install another version of it, or use --device onnx, "
            "which is slower and does without it"
        ) from error
    return CpuSampler(weights)
