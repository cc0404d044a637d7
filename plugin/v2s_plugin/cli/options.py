"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast, get_args

import typer

from v2s_engine import bundle as engine_bundle
from v2s_engine.errors import UsageError

if TYPE_CHECKING:
    from v2s_engine.bundle import Bundle
    from v2s_engine.pipeline import SoundPipeline
    from v2s_engine.sampling.choose import Device
    from v2s_plugin.writeback import BundleFacts

DEFAULT_BUNDLE = engine_bundle.DEFAULT_BUNDLE

TimelineArgument = Annotated[Path, typer.Argument(metavar="TIMELINE", help="An OpenTimelineIO timeline (.otio).")]
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="OUT", help="Where the new timeline goes.", show_default=False)
]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace an output that exists.")]
InPlaceOption = Annotated[bool, typer.Option("--in-place", help="Replace the timeline itself; keeps it as .bak.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer with one JSON object on stdout.")]
SoundOption = Annotated[
    str | None,
    typer.Option("--sound", metavar="CLASS", help="What clips sound like that carry no v2s:sound=CLASS marker."),
]
SoundForceOption = Annotated[
    str | None, typer.Option("--sound-force", metavar="CLASS", help="What all clips sound like, whatever they carry.")
]
BundleOption = Annotated[
    str, typer.Option("--bundle", metavar="NAME|PATH", help="The trained model to use; see `v2s bundles`.")
]
SeedOption = Annotated[int, typer.Option("--seed", metavar="N", help="The same seed gives the same sounds.")]
TakesOption = Annotated[int, typer.Option("--takes", metavar="N", help="Versions of each sound.")]
ExistingOption = Annotated[
    str,
    typer.Option(
        "--existing", metavar="skip|add", help="What to do with clips whose own sound stands on the timeline."
    ),
]
DeviceOption = Annotated[
    str, typer.Option("--device", metavar="auto|cpu|cuda", help="Where to make the sounds; never another one instead.")
]


def open_bundle(name_or_path: str) -> tuple[Bundle, BundleFacts]:
    """A bundle by name or path, and what a timeline remembers of it. Raises as `load_bundle`."""
    from v2s_engine.bundle import load_bundle
    from v2s_plugin.writeback import BundleFacts

    bundle = load_bundle(name_or_path)
    return bundle, BundleFacts(bundle.name, bundle.digest, bundle.sound_classes)


def open_pipeline(bundle: Bundle, device: str) -> SoundPipeline:
    """A bundle ready to make sounds. Raises as `SoundPipeline`."""
    from v2s_engine.pipeline import SoundPipeline

    return SoundPipeline(bundle, check_device(device))


def check_device(device: str) -> Device:
    """The device as the engine knows it; raises `UsageError` that lists the known ones, before any work is done."""
    from v2s_engine.sampling.choose import Device

    for known in get_args(Device):
        if known == device:
            return cast("Device", known)
    raise UsageError(f"unknown device {device!r}; known: {', '.join(get_args(Device))}")
