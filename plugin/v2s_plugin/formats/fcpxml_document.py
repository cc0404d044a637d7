"""The document that Final Cut Pro exports: its times, its resources, and where on the timeline each item stands.

    <resources>                                        formats, assets, compound clips, effects, each with an `id`
    <sequence format="r1" tcStart="3600s"> <spine>     the primary storyline, item after item
      <asset-clip offset="3600s" start="20s" ...>      `start`: the second at which the item's own local time begins
        <asset-clip lane="-1" offset="21s" .../>       connected: its offset counts in the local time of what holds it

Element order, attributes and times are as Apple's FCPXML reference says them ("Timing Attributes", "conform-rate").
Every position here is in exact seconds since the sequence's first frame.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, fromstring

from v2s_engine.errors import TimelineUnreadableError

FOLDER_SUFFIX = ".fcpxmld"
"""Of a folder that holds the document and what belongs to it."""

INFO = "Info.fcpxml"
"""The document in such a folder."""

CLIPS = frozenset(("audio", "video", "clip", "title", "mc-clip", "ref-clip", "sync-clip", "asset-clip"))
"""Elements that show or sound something."""

_MOST_ITEMS = 1_000_000  # compound clips in compound clips multiply
_TIME = re.compile(r"(-?\d{1,20}(?:\.\d{1,12})?)(?:/(\d{1,12}))?s?")
_CONFORMED = {
    **dict.fromkeys([("23.98", 24), ("25", 24)], 24),
    **dict.fromkeys([("23.98", 25), ("24", 25), ("23.98", 50), ("24", 50)], 25),
    ("50", 24): 48,
    **dict.fromkeys([("29.97", 30), ("29.97", 60)], 30),
    **dict.fromkeys([("59.94", 30), ("59.94", 60)], 60),
}
"""At which rate media of a rate play in a sequence of another, by Apple's chart of rate conforming."""
_CONFORMED_NTSC = {
    **dict.fromkeys([("24", 24), ("25", 24)], 24),
    ("50", 24): 48,
    **dict.fromkeys([("30", 30), ("30", 60)], 30),
    **dict.fromkeys([("60", 30), ("60", 60)], 60),
}
"""The same for sequences at 1000/1001 of a whole rate, and so are the rates that it holds."""


@dataclass(frozen=True)
class StoryItem:
    """One item of a storyline, or connected to one; a gap too."""

    element: Element
    """What is seen or heard; of an audition its active clip."""
    outer: Element
    """What lies in the storyline: the element itself, or the audition around it."""
    parent: Element
    start: Fraction
    """Where it stands, in seconds since the sequence's first frame."""
    duration: Fraction
    """Seconds on the timeline."""
    local: Fraction
    """The second of its own local time at its start."""
    pace: Fraction
    """Seconds of the timeline that one second of its local time takes: not 1 only where rate conforming changes it."""
    lanes: tuple[int, ...]
    """Its lane, after those of what it is connected to; `(0,)` in the primary storyline."""
    is_certain: bool
    """Whether its place is known: not on an item whose rate is conformed in a way that Apple does not document."""

    @property
    def end(self) -> Fraction:
        """Where it ends."""
        return self.start + self.duration

    def local_at(self, second: Fraction) -> Fraction:
        """Its local time at a second of the timeline."""
        return self.local + (second - self.start) / self.pace


class Document:
    """A parsed file."""

    def __init__(self, root: Element, folder: Path) -> None:
        """`folder` is where relative media count from."""
        self.root = root
        self.folder = folder
        self._resources = {each.get("id", ""): each for each in root.iterfind("resources/*")}

    @classmethod
    def read(cls, path: Path) -> Document:
        """The document of a `.fcpxml` file or a `.fcpxmld` folder. Raises `OSError`, `ParseError`."""
        file = path / INFO if path.is_dir() else path
        root = fromstring(file.read_bytes())  # noqa: S314  (expat stops entities that grow)
        if root.tag != "fcpxml":
            raise ParseError(f"its first element is <{root.tag}>, not <fcpxml>")
        return cls(root, file.absolute().parent)

    @cached_property
    def project(self) -> Element:
        """The one project. Raises `ParseError` without one, `TimelineUnreadableError` for several."""
        found = [each for each in self.root.iter("project") if each.find("sequence") is not None]
        if not found:
            raise ParseError("it holds no project: select the project, not its event, in Final Cut Pro")
        if len(found) > 1:
            names = ", ".join(repr(each.get("name", "")) for each in found)
            raise TimelineUnreadableError(
                f"the file holds {len(found)} projects ({names}) and V2S scores one; select one of them in "
                "Final Cut Pro and export that alone"
            )
        return found[0]

    @property
    def sequence(self) -> Element:
        """The project's sequence. Raises as `project`."""
        return next(self.project.iterfind("sequence"))

    def check_nests(self) -> None:
        """Raise `ParseError` where a compound clip holds itself, or all of them together more than any film does."""
        known: dict[str, int] = {}

        def items_in(holder: Element, around: tuple[str, ...]) -> int:
            total = 0
            for each in holder.iter():
                media = self.resource(each) if each.tag in ("ref-clip", "mc-clip") else None
                name = "" if media is None else media.get("id", "")
                if name in around:
                    raise ParseError(f"the compound clip {name!r} holds itself")
                if media is not None and name not in known:
                    known[name] = items_in(media, (*around, name))
                total += 1 + known.get(name, 0)
            return total

        if items_in(self.sequence, ()) > _MOST_ITEMS:
            raise ParseError(f"its compound clips hold more than {_MOST_ITEMS} items")

    @property
    def version(self) -> tuple[int, ...]:
        """Of the format, as numbers: `(1, 10)`."""
        return tuple(int(each) for each in re.findall(r"\d+", self.root.get("version", "")))

    def resource(self, element: Element, attribute: str = "ref") -> Element | None:
        """What an element names by the id in an attribute."""
        return self._resources.get(element.get(attribute, ""))

    def rate_of(self, element: Element) -> Fraction | None:
        """Frames per second of an element's `format`; None where it says none."""
        made = self.resource(element, "format")
        frame = None if made is None else time_of(made, "frameDuration")
        return 1 / frame if frame else None

    def sequence_rate(self, sequence: Element) -> Fraction:
        """Frames per second of a sequence. Raises `ParseError` where it does not say it."""
        rate = self.rate_of(sequence)
        if rate is None or rate <= 0:
            raise ParseError("a sequence's format says no frame rate")
        return rate

    def origin_of(self, spine: Element, holder: Element) -> Fraction:
        """What a sequence's own time says at its first frame: its `tcStart`, unless its storyline counts from less."""
        first = next((time_of(each, "offset") for each in spine if each.get("offset")), None)
        begin = time_of(holder, "tcStart") or Fraction(0)
        return begin if first is None else min(begin, first)

    def storyline(self) -> tuple[StoryItem, ...]:
        """The items of the primary storyline in their order, gaps too."""
        spine = self.sequence.find("spine")
        if spine is None:
            raise ParseError("its sequence holds no storyline")
        rate = self.sequence_rate(self.sequence)
        return tuple(self.items_of(spine, -self.origin_of(spine, self.sequence), (0,), rate))

    def items_of(
        self, spine: Element, at: Fraction, lanes: tuple[int, ...], rate: Fraction, *, is_certain: bool = True
    ) -> Iterator[StoryItem]:
        """The items of a storyline whose time 0 stands at a second of the timeline; transitions are none."""
        end: Fraction | None = None
        for child in spine:
            if child.tag in CLIPS or child.tag in ("audition", "gap"):
                offset = time_of(child, "offset")
                begin = at + offset if offset is not None else at if end is None else end
                item = self._item(child, spine, begin, lanes=lanes, rate=rate, is_certain=is_certain)
                yield item
                end = item.end

    def connected_to(self, item: StoryItem, rate: Fraction) -> Iterator[StoryItem]:
        """What is connected to an item, and to that; the storylines among it item by item."""
        certain = item.is_certain and conform_pace(item.element, rate) is not None
        for child in item.element:
            lane = child.get("lane")
            if not lane or not (child.tag in CLIPS or child.tag in ("audition", "spine")):
                continue
            offset = time_of(child, "offset")
            at = item.start if offset is None else item.start + (offset - item.local) * item.pace
            lanes = (*(item.lanes if item.lanes != (0,) else ()), int(lane))
            if child.tag == "spine":
                found = tuple(self.items_of(child, at, lanes, rate, is_certain=certain))
            else:
                found = (self._item(child, item.element, at, lanes=lanes, rate=rate, is_certain=certain),)
            for each in found:
                yield each
                yield from self.connected_to(each, rate)

    def local_start(self, element: Element) -> Fraction:
        """The second at which an element's local time begins: what it says, else where its media begin."""
        said = time_of(element, "start")
        if said is not None:
            return said
        media = self.resource(element)
        if media is None:
            return Fraction(0)
        if media.tag == "asset":
            return time_of(media, "start") or Fraction(0)
        inner = media.find("sequence")
        holder = media.find("multicam") if inner is None else inner
        return Fraction(0) if holder is None else time_of(holder, "tcStart") or Fraction(0)

    def _item(
        self,
        outer: Element,
        parent: Element,
        start: Fraction,
        *,
        lanes: tuple[int, ...],
        rate: Fraction,
        is_certain: bool,
    ) -> StoryItem:
        element = outer
        if outer.tag == "audition":
            active = next((each for each in outer if each.tag in CLIPS), None)
            if active is None:
                raise ParseError("an audition holds no clip")
            element = active
        duration = time_of(element, "duration")
        media = self.resource(element)
        if duration is None and media is not None:
            inner = media.find("sequence")
            duration = time_of(media if inner is None else inner, "duration")
        if duration is None or duration < 0:
            raise ParseError(f"<{element.tag} name={element.get('name', '')!r}> has no duration")
        pace = conform_pace(element, rate) or Fraction(1)
        return StoryItem(element, outer, parent, start, duration, self.local_start(element), pace, lanes, is_certain)


def source_of(asset: Element) -> str:
    """Where an asset's file lies, as the document says it: the original rather than its proxy."""
    found = [each for each in asset.findall("media-rep") if each.get("src")]
    found.sort(key=lambda each: each.get("kind", "original-media") != "original-media")
    return found[0].get("src", "") if found else asset.get("src", "")


def time_of(element: Element, attribute: str) -> Fraction | None:
    """A time in seconds; None where the attribute is missing. Raises `ParseError` for what is no time."""
    text = element.get(attribute)
    if text is None:
        return None
    found = _TIME.fullmatch(text.strip())
    if found is None or (found[2] is not None and not int(found[2])):
        raise ParseError(f"{attribute}={text!r} of <{element.tag}> is no time")
    return Fraction(found[1]) / int(found[2] or 1)


def time_text(seconds: Fraction) -> str:
    """Seconds as the document writes them: `1001/30000s`, `5s`."""
    whole = seconds.denominator == 1
    return f"{seconds.numerator}s" if whole else f"{seconds.numerator}/{seconds.denominator}s"


def conform_pace(element: Element, rate: Fraction) -> Fraction | None:
    """Seconds of a timeline at `rate` that a second of a clip takes for its `conform-rate`; 1 without one.

    None where the clip is scaled and Apple's chart does not say how.
    """
    conform = element.find("conform-rate")
    source = None if conform is None else conform.get("srcFrameRate")
    if conform is None or source is None or conform.get("scaleEnabled") == "0":
        return Fraction(1)
    nominal = round(rate)
    is_ntsc = rate != nominal
    ntsc = Fraction(1000, 1001)
    media = Fraction(round(float(source))) * (ntsc if "." in source else 1)
    conformed = (_CONFORMED_NTSC if is_ntsc else _CONFORMED).get((source, nominal))
    if conformed is not None:
        return media / (conformed * (ntsc if is_ntsc else Fraction(1)))
    ratio = media / rate
    return Fraction(1) if 1 in (ratio.numerator, ratio.denominator) else None
