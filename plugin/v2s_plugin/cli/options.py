"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

TimelineArgument = Annotated[
    Path,
    typer.Argument(
        metavar="TIMELINE",
        help="A timeline: .otio, .otioz, .otiod, .xml, .fcpxml(d), .aaf, .edl, .kdenlive, .mlt, .xges.",
    ),
]
OutputOption = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="OUT", help="Where the new timeline goes.", show_default=False)
]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="otio|otioz|otiod|fcp_xml|fcpxml|aaf|mlt|xges|kdenlive",
        help="Type of the new timeline; by default that of the old one, else otio.",
        show_default=False,
    ),
]
EdlRateOption = Annotated[
    str | None,
    typer.Option(
        "--edl-rate", metavar="RATE", help="Frames per second of an edit decision list (.edl).", show_default=False
    ),
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
CoveredOption = Annotated[
    str,
    typer.Option("--covered", metavar="skip|add", help="What to do with pictures that clips above them cover."),
]
CarryOption = Annotated[
    bool, typer.Option("--carry", help="One sound for clips of one class that touch at a cut: it goes on over the cut.")
]
OnlyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="KEY=VALUE",
        help="Only these clips: track, clip, marker, color, range=IN-OUT or sound; may be given several times.",
        show_default=False,
    ),
]
MapOption = Annotated[
    Path | None,
    typer.Option("--map", metavar="CSV", help="Rows pattern,sound: classes by clip or file name.", show_default=False),
]
SearchOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--search",
        metavar="DIR",
        help="A folder in which to look for media that are not where the timeline says; may be given several times.",
        show_default=False,
    ),
]
TracksOption = Annotated[
    str,
    typer.Option("--tracks", metavar="per-class|single", help="Tracks for each sound class, or the same for all."),
]
EnvelopeFromOption = Annotated[
    Path | None,
    typer.Option(
        "--envelope-from",
        metavar="FILE",
        help="Follow this instead of the pictures: a recording of claps or hums over the timeline, or a .json or .csv.",
        show_default=False,
    ),
]
PruneOption = Annotated[bool, typer.Option("--prune", help="Delete WAVs of ours that nothing uses any more.")]
LufsOption = Annotated[
    float | None,
    typer.Option(
        "--lufs",
        metavar="TARGET",
        help="Loudness of each V2S track, such as -30; quiet sounds on it stay quieter than loud ones.",
        show_default=False,
    ),
]
DuckOption = Annotated[
    list[str] | None,
    typer.Option(
        "--duck",
        metavar="TRACK",
        help="Turn our sounds down while this audio track (its name or number) sounds; may be given several times.",
        show_default=False,
    ),
]
DuckByOption = Annotated[
    float | None,
    typer.Option("--duck-by", metavar="DB", help="How far to turn them down; 9 dB unless given.", show_default=False),
]
PanOption = Annotated[
    str,
    typer.Option("--pan", metavar="mono|motion", help="Mono WAVs, or stereo ones that follow what moves."),
]
FadeOption = Annotated[
    float | None,
    typer.Option(
        "--fade",
        metavar="MS",
        help="Length of the fades at cuts without a transition; 3 ms unless given.",
        show_default=False,
    ),
]
DeviceOption = Annotated[
    str,
    typer.Option(
        "--device", metavar="auto|cpu|cuda|onnx", help="Where to make the sounds; auto: where it goes fastest."
    ),
]
