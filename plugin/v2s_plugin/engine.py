"""The engine, as the plug-in opens it. Nothing of it is loaded before it is asked for."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast, get_args

from v2s_engine.errors import UsageError
from v2s_plugin.planning.bundle_facts import BundleFacts

if TYPE_CHECKING:
    from v2s_engine.bundle import Bundle
    from v2s_engine.pipeline import SoundPipeline
    from v2s_engine.sampling.choose import Device
    from v2s_plugin.sounding.making import MakeSource


def ready_bundle(name_or_path: str, device: str) -> tuple[BundleFacts, MakeSource]:
    """A bundle by name or path: what a timeline remembers of it, and what makes sounds with it on a device.

    Raises `UsageError` for a device that is not known, and as `load_bundle`. Nothing is sampled, nor any device opened,
    before a sound is to be made.
    """
    check_device(device)
    bundle, facts = open_bundle(name_or_path)
    return facts, partial(open_pipeline, bundle, device)


def open_bundle(name_or_path: str) -> tuple[Bundle, BundleFacts]:
    """A bundle by name or path, and what a timeline remembers of it. Raises as `load_bundle`."""
    from v2s_engine.bundle import load_bundle  # noqa: PLC0415

    bundle = load_bundle(name_or_path)
    return bundle, BundleFacts(bundle.name, bundle.digest, bundle.sound_classes, bundle.obeys_cues, bundle.crosses_cuts)


def open_pipeline(bundle: Bundle, device: str, *, sounds: int, earlier: str | None) -> SoundPipeline:
    """A bundle ready to make so many sounds, beside others made on the device `earlier`. Raises as `SoundPipeline`."""
    from v2s_engine.pipeline import SoundPipeline  # noqa: PLC0415

    return SoundPipeline(bundle, check_device(device), sounds=sounds, earlier=earlier)


def check_device(device: str) -> Device:
    """The device as the engine knows it; raises `UsageError` that lists the known ones, before any work is done."""
    from v2s_engine.sampling.choose import Device  # noqa: PLC0415

    for known in get_args(Device):
        if known == device:
            return cast("Device", known)
    raise UsageError(f"unknown device {device!r}; known: {', '.join(get_args(Device))}")
