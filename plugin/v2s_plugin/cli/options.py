"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
    str,
    typer.Option(
        "--device", metavar="auto|cpu|cuda|onnx", help="Where to make the sounds; auto: where it goes fastest."
    ),
]
