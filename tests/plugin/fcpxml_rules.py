"""Final Cut Pro documents for tests, the rules they must keep, and a reader of places that shares no code with V2S.

The rules are those of Apple's FCPXML reference: the order of what stands in an element, ids, references, media in
`media-rep` since 1.9, times as fractions of seconds, and edits on frames of the sequence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

NOTE, TIMING = ["note"], ["conform-rate", "timeMap"]
VIDEO = [
    *("object-tracker", "adjust-crop", "adjust-corners", "adjust-conform", "adjust-transform", "adjust-blend"),
    *("adjust-stabilization", "adjust-rollingShutter", "adjust-360-transform", "adjust-reorient", "adjust-orientation"),
    "adjust-cinematic",
]
AUDIO = ["adjust-volume", "adjust-panner"]
ANCHORED = "audio video clip title caption mc-clip ref-clip sync-clip asset-clip audition spine"
CONTENT = f"{ANCHORED} gap"
MARKS = "marker chapter-marker rating keyword analysis-marker hidden-clip-marker"
FILTERS = ["filter-video filter-video-mask", "filter-audio"]
ORDER = {
    "asset-clip": [*NOTE, *TIMING, *VIDEO, *AUDIO, ANCHORED, MARKS, "audio-channel-source", *FILTERS, "metadata"],
    "ref-clip": [*NOTE, *TIMING, *VIDEO, *AUDIO, ANCHORED, MARKS, "audio-role-source", *FILTERS, "metadata"],
    "mc-clip": [*NOTE, *TIMING, *AUDIO, "mc-source", ANCHORED, MARKS, "filter-audio", "metadata"],
    "clip": [*NOTE, *TIMING, *VIDEO, *AUDIO, CONTENT, MARKS, "audio-channel-source", *FILTERS, "metadata"],
    "sync-clip": [*NOTE, *TIMING, *VIDEO, *AUDIO, CONTENT, MARKS, "sync-source", *FILTERS, "metadata"],
    "gap": [*NOTE, ANCHORED, MARKS, "metadata"],
    "title": ["param", "text", "text-style-def", *NOTE, *VIDEO, ANCHORED, MARKS, "filter-video", "metadata"],
    "video": ["param", *NOTE, *TIMING, *VIDEO, ANCHORED, MARKS, "filter-video filter-video-mask", "reserved"],
    "audition": ["audio video title ref-clip asset-clip clip sync-clip"],
    "spine": [f"{CONTENT} transition"],
    "sequence": [*NOTE, "spine", "metadata"],
    "asset": ["media-rep", "bookmark", "metadata"],
    "resources": ["asset effect format media locator object-tracker"],
    "fcpxml": ["import-options", "resources", "library event project asset-clip"],
}
"""What may stand in an element, in this order; names in one text stand in any order."""

HOLDERS = set(ORDER) - {"audition", "spine", "sequence", "asset", "resources", "fcpxml"}


def parse(path: Path) -> Element:
    file = path / "Info.fcpxml" if path.is_dir() else path
    return ElementTree.parse(file).getroot()  # noqa: S314


def plain(path: Path) -> bytes:
    """The file as an XML library writes it."""
    return ElementTree.tostring(parse(path))


def check_rules(path: Path) -> None:
    """Fail where a document breaks a rule."""
    file = path / "Info.fcpxml" if path.is_dir() else path
    assert file.read_text(encoding="utf-8").startswith('<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>')
    root = parse(path)
    ids = [each.get("id", "") for each in root.iterfind("resources/*")]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[A-Za-z_][\w.-]*", each) for each in ids)
    new = tuple(map(int, root.get("version", "").split("."))) >= (1, 9)
    for element in root.iter():
        check_order(element)
        for name in ("ref", "format") if element.tag != "text-style" else ():
            assert element.get(name) is None or element.get(name) in ids, (element.tag, element.attrib)
        for name in ("offset", "start", "duration", "tcStart"):
            check_time(element.get(name, "0s"))
        if element.tag == "asset":
            assert (element.get("src") is None) == new
            assert (element.find("media-rep") is not None) == new
        if element.tag == "audition":
            assert len(element) > 1
            assert all(each.get("lane") is None and each.get("offset") is None for each in element)
        if element.tag == "asset-clip":
            assert element.get("ref")
            assert element.get("enabled") in (None, "0", "1")


def check_order(element: Element) -> None:
    wanted = [set(each.split()) for each in ORDER.get(element.tag, ())]
    at = 0
    for child in element if wanted else ():
        while at < len(wanted) and child.tag not in wanted[at]:
            at += 1
        assert at < len(wanted), f"<{child.tag}> stands out of order in <{element.tag}>"


def check_time(text: str) -> None:
    found = re.fullmatch(r"(-?\d+)(?:/(\d+))?s", text)
    assert found, text
    assert abs(int(found[1])) < 2**63
    assert 0 < int(found[2] or 1) < 2**31


@dataclass(frozen=True)
class Placed:
    """Something in a sequence."""

    element: Element
    start: Fraction
    """Seconds since the sequence's first frame."""
    duration: Fraction
    lane: int
    source: str
    """Of an asset-clip: where its file lies."""
    on_frames: bool
    """Whether its cuts are frames of the sequence, counted from what it is connected to."""


def placed(path: Path) -> list[Placed]:
    """Everything in a document's sequence; clips inside other clips too, compound clips unopened."""
    root = parse(path)
    sequence = next(root.iter("sequence")) if root.find(".//project") is None else root.find(".//project/sequence")
    assert sequence is not None
    formats = {each.get("id"): each for each in root.iterfind("resources/format")}
    frame = seconds(formats[sequence.get("format")].get("frameDuration"))
    sources = {
        each.get("id", ""): each.get("src") or each.findall("media-rep")[0].get("src", "")
        for each in root.iterfind("resources/asset")
    }
    starts = {each.get("id", ""): seconds(each.get("start")) for each in root.iterfind("resources/asset")}

    def below(holder: Element, origin: Fraction, lane: int, frames: bool) -> Iterator[Placed]:
        """`origin` is where second 0 of what the holder's offsets count in stands."""
        for child in holder:
            if child.tag not in HOLDERS | {"spine", "audition"}:
                continue
            at = origin + seconds(child.get("offset"))
            number = lane + int(child.get("lane", 0))
            inner = child[0] if child.tag == "audition" else child
            duration = seconds(inner.get("duration"))
            fits = frames and not (seconds(child.get("offset")) - local_of(holder)) % frame and not duration % frame
            if child.tag != "spine":
                yield Placed(child, at, duration, number, sources.get(inner.get("ref", ""), ""), fits)
            yield from below(inner, at - local_of(inner), number, fits)

    def local_of(element: Element) -> Fraction:
        if element.tag == "spine" and element.get("offset") is None:
            return seconds(element[0].get("offset")) if len(element) else Fraction(0)
        return (
            seconds(element.get("start")) if element.get("start") else starts.get(element.get("ref", ""), Fraction(0))
        )

    (spine,) = sequence.findall("spine")
    return list(below(spine, -local_of(spine), 0, True))


def seconds(text: str | None) -> Fraction:
    return Fraction((text or "0s").removesuffix("s"))


def document(
    story: str,
    *,
    version: str = "1.10",
    frame: str = "1001/24000s",
    start: str = "18018/5s",
    resources: str = "",
    wrapped: bool = True,
) -> str:
    """A document as Final Cut Pro exports it, with this in its storyline.

    The assets are `r2`, a.mov from 01:00:00:00 on with sound, and `r3`, b.mov; all files lie in the folder `MEDIA`.
    """
    new = tuple(map(int, version.split("."))) >= (1, 9)

    def asset(number: int, name: str, begin: str, more: str) -> str:
        head = f'<asset id="r{number}" name="{name}" uid="{number:032X}" start="{begin}" duration="100s" hasVideo="1" '
        where = f'src="file://MEDIA/{name}.mov"'
        if new:
            return f'{head}format="r1" {more}><media-rep kind="original-media" sig="A" {where}/></asset>'
        return f'{head}{where} format="r1" {more}/>'

    project = (
        f'<project name="cut" uid="P"><sequence format="r1" duration="100s" tcStart="{start}" tcFormat="NDF" '
        f'audioLayout="stereo" audioRate="48k"><spine>{story}</spine></sequence></project>'
    )
    event = (
        f'<library location="file:///L/"><event name="E" uid="E">{project}</event></library>' if wrapped else project
    )
    root = ElementTree.fromstring(  # noqa: S314
        f'<fcpxml version="{version}"><resources>'
        f'<format id="r1" name="F" frameDuration="{frame}" width="64" height="48"/>'
        + asset(2, "a", "3600s", 'hasAudio="1" audioSources="1" audioChannels="2" audioRate="48000"')
        + asset(3, "b", "0s", "")
        + f'<effect id="e1" name="Blur" uid="x"/>{resources}</resources>{event}</fcpxml>'
    )
    ElementTree.indent(root, "    ")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE fcpxml>\n\n{ElementTree.tostring(root, "unicode")}\n'


def save_document(folder: Path, text: str, name: str = "cut.fcpxml") -> Path:
    """The document as a file in `folder`, with empty files for its media."""
    (folder / "a.mov").touch()
    (folder / "b.mov").touch()
    path = folder / name
    path.write_text(text.replace("MEDIA", str(folder)), encoding="utf-8")
    return path
