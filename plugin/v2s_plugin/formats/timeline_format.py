"""What is known of every timeline format: its name, its suffixes, and what it can hold.

format_of(Path("cut.xml")).loses        ('takes', 'retimes', ...)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from v2s_engine.errors import UsageError


@dataclass(frozen=True)
class TimelineFormat:
    """One file type of timelines."""

    name: str
    """What `--format` calls it."""
    title: str
    """What messages call it."""
    suffixes: tuple[str, ...]
    """Lower case, with the dot; new files get the first."""
    writes: bool = False
    """Whether V2S can write it; all are read."""
    several_references: bool = False
    """Whether one clip can hold several media references, so that all takes stand in one clip."""
    says_disabled: bool = True
    """Whether a clip can be switched off, so that the takes that were not chosen can stand beside the chosen one."""
    holds_facts: bool = False
    """Whether what V2S notes on its clips comes back on reading: a later run finds its takes there."""
    is_bundle: bool = False
    """Whether it holds its media."""
    loses: tuple[str, ...] = ()
    """Names of what it cannot hold, as `losses` counts them."""

    @property
    def is_native(self) -> bool:
        """Whether it is OpenTimelineIO's own, which loses nothing."""
        return self.several_references


FORMATS = (
    TimelineFormat("otio", "OpenTimelineIO", (".otio",), writes=True, several_references=True, holds_facts=True),
    TimelineFormat(
        "otioz",
        "OpenTimelineIO bundle in one file",
        (".otioz",),
        writes=True,
        several_references=True,
        holds_facts=True,
        is_bundle=True,
    ),
    TimelineFormat(
        "otiod",
        "OpenTimelineIO bundle in a folder",
        (".otiod",),
        writes=True,
        several_references=True,
        holds_facts=True,
        is_bundle=True,
    ),
    TimelineFormat(
        "fcp_xml",
        "Final Cut Pro 7 XML",
        (".xml",),
        writes=True,
        holds_facts=True,
        loses=("takes", "retimes", "image sequences", "generators", "effects", "fades", "levels"),
    ),
    TimelineFormat(
        "fcpxml",
        "Final Cut Pro XML",
        (".fcpxml", ".fcpxmld"),
        writes=True,
        holds_facts=True,
        loses=("fades", "levels"),
    ),
    TimelineFormat(
        "aaf",
        "AAF",
        (".aaf",),
        writes=True,
        says_disabled=False,
        loses=("pictures", "other sounds", "takes", "fades", "disabled sounds", "levels"),
    ),
    TimelineFormat("edl", "CMX 3600 edit decision list", (".edl",)),
    TimelineFormat(
        "kdenlive", "Kdenlive project", (".kdenlive",), writes=True, holds_facts=True, loses=("fades", "levels")
    ),
    TimelineFormat(
        "mlt",
        "MLT XML",
        (".mlt",),
        writes=True,
        holds_facts=True,
        loses=(
            "fades",
            "levels",
            "retimes",
            "transitions",
            "markers",
            "effects",
            "generators",
            "image sequences",
            "nested sequences",
            "disabled clips",
            "start timecode",
        ),
    ),
    TimelineFormat(
        "xges",
        "GStreamer Editing Services",
        (".xges",),
        writes=True,
        says_disabled=False,
        loses=("takes", "retimes", "image sequences", "effects", "disabled clips", "start timecode"),
    ),
)
"""Every known format, the usual ones first."""


def format_of(path: Path, *, to: str = "read") -> TimelineFormat:
    """The format that a file's suffix says; `to` is `read` or `write`.

    Raises `UsageError` for a suffix that is not known, or of a format that cannot be written.
    """
    suffix = path.suffix.lower()
    for each in FORMATS:
        if suffix in each.suffixes:
            if to == "write" and not each.writes:
                raise UsageError(
                    f"{path.name}: V2S does not write {each.title} ({suffix}), only {_suffixes(to)}; "
                    "choose one of those with -o"
                )
            return each
    got = f"a {path.suffix} file" if path.suffix else "a folder" if path.is_dir() else "a file without a suffix"
    way_out = "choose one of those with -o" if to == "write" else "export the timeline as OpenTimelineIO (.otio)"
    raise UsageError(f"{path.name or path} is {got}; V2S {to}s {_suffixes(to)}: {way_out}")


def format_named(name: str) -> TimelineFormat:
    """The format of that name, to write. Raises `UsageError` for one that is not known or cannot be written."""
    names = [each.name for each in FORMATS if each.writes]
    for each in FORMATS:
        if each.name == name and each.writes:
            return each
    raise UsageError(f"--format must be one of {', '.join(names)}; got {name!r}")


def _suffixes(to: str) -> str:
    return ", ".join(each.suffixes[0] for each in FORMATS if to == "read" or each.writes)
