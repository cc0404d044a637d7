"""MLT documents for tests, written as Shotcut, Kdenlive and melt write them.

document(producer("a", "a.mov", length=100), playlist("v1", entry("a", 10, 59), blank(5)), tracks("v1"))
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from tests.plugin.cuts import info
from v2s_plugin.media.footage import Footage, footage_of
from v2s_plugin.media.library import MediaLibrary
from v2s_plugin.timeline import read_timeline
from v2s_plugin.timing.placement import place_clips


def properties(**given: object) -> str:
    """Properties; `__` in a name stands for a colon, `_DOT_` for a dot."""
    names = {name.replace("__", ":").replace("_DOT_", "."): value for name, value in given.items() if value is not None}
    return "".join(f"<property name={quoteattr(name)}>{escape(str(value))}</property>" for name, value in names.items())


def attributes(**given: object) -> str:
    return "".join(f" {name}={quoteattr(str(value))}" for name, value in given.items() if value is not None)


def producer(name: str, resource: object, *inside: str, tag: str = "producer", **given: object) -> str:
    """A producer; `first` and `last` are its own ends, all else are properties."""
    ends = attributes(**{"in": given.pop("first", None), "out": given.pop("last", None)})
    body = properties(resource=resource, **given)
    return f'<{tag} id="{name}"{ends}>{body}{"".join(inside)}</{tag}>'


def entry(name: str, first: object = None, last: object = None, *inside: str) -> str:
    return f"<entry{attributes(producer=name, **{'in': first, 'out': last})}>{''.join(inside)}</entry>"


def blank(length: object) -> str:
    return f'<blank length="{length}"/>'


def playlist(name: str, *inside: str, **given: object) -> str:
    return f'<playlist id="{name}">{properties(**given)}{"".join(inside)}</playlist>'


def track(name: str, hide: str | None = None, first: object = None, last: object = None) -> str:
    return f"<track{attributes(producer=name, hide=hide, **{'in': first, 'out': last})}/>"


def tractor(name: str, *inside: str, first: object = None, last: object = None, **given: object) -> str:
    ends = attributes(**{"in": first, "out": last})
    return f'<tractor id="{name}"{ends}>{properties(**given)}{"".join(inside)}</tractor>'


def transition(service: str, **given: object) -> str:
    ends = attributes(**{"in": given.pop("first", None), "out": given.pop("last", None)})
    return f"<transition{ends}>{properties(mlt_service=service, **given)}</transition>"


def document(*inside: str, rate: Fraction | int = 25, root: str | None = None, main: str | None = None) -> str:
    rate = Fraction(rate)
    rates = attributes(frame_rate_num=rate.numerator, frame_rate_den=rate.denominator)
    size = attributes(width=160, height=120, progressive=1, sample_aspect_num=1, sample_aspect_den=1)
    aspect = attributes(display_aspect_num=4, display_aspect_den=3)
    body = "\n ".join([f"<profile{rates}{size}{aspect}/>", *inside])
    return f"<?xml version='1.0' encoding='utf-8'?>\n<mlt{attributes(root=root, producer=main)}>\n {body}\n</mlt>\n"


def save_document(path: Path, *inside: str, **given: object) -> Path:
    path.write_text(document(*inside, **given), encoding="utf-8")  # type: ignore[arg-type]
    return path


def shotcut(*inside: str, tracks: tuple[str, ...], last: int = 200) -> tuple[str, ...]:
    """What Shotcut saves: a bin, black below all, and a tractor that says that it is Shotcut's."""
    black = producer("black", 0, length=last + 1, mlt_service="color", last=last, set_DOT_test_audio=0)
    return (
        playlist("main_bin", xml_retain=1),
        black,
        playlist("background", entry("black", 0, last)),
        *inside,
        tractor("tractor0", track("background"), *tracks, shotcut=1, last=last),
    )


FILM = producer("a", "a.mov", length=100)


def read(folder: Path, *inside: str, **given: Any) -> Any:
    for name in ("a.mov", "b.mov"):
        (folder / name).touch()
    return read_timeline(save_document(folder / "cut.mlt", *inside, **given))


def one_track(folder: Path, *items: str, before: tuple[str, ...] = (FILM,), **given: Any) -> Any:
    """The only track of a document with these things on one playlist."""
    cut = read(folder, *before, playlist("v1", *items), tractor("main", track("v1")), **given)
    (found,) = cut.tracks
    return found


def frames(item: Any) -> tuple[float, float]:
    shown = item.source_range
    return shown.start_time.value, shown.duration.value


def shown_frames(folder: Path, cut: Any, rate: Fraction = Fraction(25)) -> list[list[int]]:
    """The frames of its file that each picture clip shows at each of its frames."""
    library = MediaLibrary(folder, lambda path: info(path, Fraction(100) / rate, rate=int(rate)))
    found = []
    for placed in place_clips(cut):
        footage = footage_of(placed, library)
        assert isinstance(footage, Footage), footage
        count = int(placed.span.duration * rate)
        found.append([int(footage.media_time(number / rate) * rate) for number in range(count)])
    return found


def remapped(**keys: str) -> str:
    link = f'<link id="l"><property name="mlt_service">timeremap</property>{"".join(_named(keys))}</link>'
    return producer("w", "a.mov", link, tag="chain", length=100, mlt_service="avformat")


def _named(keys: dict[str, str]) -> list[str]:
    return [f'<property name="{name}">{value}</property>' for name, value in keys.items()]
