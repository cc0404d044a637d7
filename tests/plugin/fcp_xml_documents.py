"""Small documents of Final Cut Pro 7 XML, as editing programs write them.

path = write_document(tmp_path, clipitem(0, 40, 10, remap(200)))
"""

from __future__ import annotations

from pathlib import Path


def rate_tag(timebase: int, ntsc: bool = False) -> str:
    return f"<rate><timebase>{timebase}</timebase><ntsc>{'TRUE' if ntsc else 'FALSE'}</ntsc></rate>"


PAL = rate_tag(25)
SAME_FILE = '<file id="file-1"/>'
"""The file of the first clip, once more."""


def parameter(name: str, value: object, inside: str = "", *, app: str = "") -> str:
    given = f' authoringApp="{app}"' if app else ""
    names = f"<parameterid>{name}</parameterid><name>{name}</name>"
    return f"<parameter{given}>{names}{inside}<value>{value}</value></parameter>"


def graph(*keys: tuple[float, float] | tuple[float, float, str], last: int = 59, app: str = "PremierePro") -> str:
    """A speed graph: frame of the retimed clip, frame of the file, and marks of the key."""
    frames = "".join(
        f"<keyframe><when>{when:g}</when><value>{value:g}</value>{''.join(marks)}</keyframe>"
        for when, value, *marks in keys
    )
    curve = "<interpolation><name>FCPCurve</name></interpolation>"
    return parameter("graphdict", 0, f"<valuemin>0</valuemin><valuemax>{last}</valuemax>{frames}{curve}", app=app)


VIRTUAL_IN = "<speedvirtualkf>TRUE</speedvirtualkf><speedkfin>TRUE</speedkfin>"
VIRTUAL_OUT = "<speedvirtualkf>TRUE</speedvirtualkf><speedkfout>TRUE</speedkfout>"


def effect(name: str, parameters: str, *, on: bool = True) -> str:
    return (
        f"<filter><enabled>{'TRUE' if on else 'FALSE'}</enabled><effect><name>{name}</name><effectid>{name}</effectid>"
        f"<effectcategory>motion</effectcategory><effecttype>motion</effecttype><mediatype>video</mediatype>"
        f"{parameters}</effect></filter>"
    )


def remap(speed: object, more: str = "", *, reverse: bool = False, varies: bool = False, on: bool = True) -> str:
    """A time remap at a speed in percent."""
    said = parameter("variablespeed", int(varies)) + parameter("speed", speed)
    return effect("timeremap", said + parameter("reverse", "TRUE" if reverse else "FALSE") + more, on=on)


def file_tag(url: str, frames: int | None, rate: str = PAL, timecode: int | None = None) -> str:
    counts = "" if timecode is None else f"<timecode>{rate}<frame>{timecode}</frame></timecode>"
    length = "" if frames is None else f"<duration>{frames}</duration>"
    return (
        f'<file id="file-1"><name>{url}</name><pathurl>{url}</pathurl>{rate}{length}{counts}'
        "<media><video><samplecharacteristics><width>64</width></samplecharacteristics></video></media></file>"
    )


def clipitem(
    start: int, end: int, first: int, content: str, inside: str = "", *, rate: str = PAL, name: str = "a"
) -> str:
    """A clip on a track: where it stands, its in-point, what it shows (a file, a sequence), what else is said of it."""
    last = first + max(end - start, 0)
    return (
        f'<clipitem id="clipitem-{name}"><name>{name}</name><enabled>TRUE</enabled><duration>1000</duration>{rate}'
        f"<start>{start}</start><end>{end}</end><in>{first}</in><out>{last}</out>{content}{inside}</clipitem>"
    )


def sequence(items: str, rate: str = PAL, length: int = 100, *, number: int = 1, more_tracks: str = "") -> str:
    return (
        f'<sequence id="sequence-{number}"><name>cut</name><duration>{length}</duration>{rate}'
        f"<media><video><track>{items}</track>{more_tracks}</video></media></sequence>"
    )


def write_document(folder: Path, inside: str) -> Path:
    path = folder / "cut.xml"
    path.write_text(
        f'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE xmeml>\n<xmeml version="4">{inside}</xmeml>\n',
        encoding="utf-8",
    )
    return path
