"""What a host sends, strictly read.

parse(b'{"type":"cancel","id":3,"cancels":2}')        Cancel(id=3, cancels=2)
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, Final

from v2s_plugin.protocol import (
    Bye,
    Cancel,
    GenerateRequest,
    Hello,
    HostMessage,
    Id,
    PlanRequest,
    ProtocolError,
    ShotAsked,
)

LONGEST_TEXT: Final = 32_768
"""Characters of the longest text in a message: no path is longer."""

_TIME = re.compile(r"-?[0-9]{1,15}(/[1-9][0-9]{0,11})?", re.ASCII)

OPTIONS: Final[Mapping[str, str]] = {
    "sound": "text",
    "sound_force": "text",
    "bundle": "text",
    "takes": "integer",
    "seed": "integer",
    "device": "text",
    "rate": "integer",
    "existing": "text",
    "covered": "text",
    "carry": "flag",
    "only": "texts",
    "map": "text",
    "search": "texts",
    "envelope_from": "text",
    "lufs": "number",
    "duck": "texts",
    "duck_by": "number",
    "pan": "text",
    "fade": "number",
    "in_place": "flag",
    "force": "flag",
    "tracks": "text",
    "prune": "flag",
    "format": "text",
    "edl_rate": "text",
}
"""Name and kind of every option: those of `v2s generate`."""


def parse(line: bytes) -> HostMessage:
    """A line from a host as a message. Raises `ProtocolError`; keys that are not known do not matter."""
    try:
        found = json.loads(line.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("bad_json", f"this line is no JSON: {error}", "send one JSON object a line") from None
    if not isinstance(found, dict):
        raise ProtocolError(
            "bad_json", f"a message is a JSON object; got {_kind(found)}", "send one JSON object a line"
        )
    given = found.get("id")
    id = _id(given) if given is not None and _is_id(given) else None
    kind = found.get("type")
    reader = _READERS.get(kind) if isinstance(kind, str) else None
    if reader is None:
        known = ", ".join(_READERS)
        raise ProtocolError("unknown_type", f"the type {_shown(kind)} is not known", f"send one of {known}", id)
    try:
        return reader(_Fields(found, "the message"))
    except _FieldError as error:
        raise ProtocolError("bad_request", str(error), "see docs/protocol.md", id) from None


class _FieldError(ValueError):
    """A field that is missing or of the wrong kind."""


class _Fields:
    """The fields of one JSON object, taken by kind; null is the same as nothing."""

    def __init__(self, values: Mapping[str, Any], what: str) -> None:
        self._values = values
        self._what = what

    def has(self, name: str) -> bool:
        return self._values.get(name) is not None

    def take(self, name: str, kind: str) -> Any:
        """A value that must be there."""
        if not self.has(name):
            raise _FieldError(f"{self._what} lacks {name!r}")
        value = self._values[name]
        fits, convert, wanted = _KINDS[kind]
        if not fits(value):
            raise _FieldError(f"{name!r} of {self._what} must be {wanted}; got {_shown(value)}")
        return convert(value)

    def get(self, name: str, kind: str, default: Any = None) -> Any:
        """A value that may be there."""
        return self.take(name, kind) if self.has(name) else default


def _read_hello(fields: _Fields) -> Hello:
    return Hello(
        protocol=fields.take("protocol", "integer"),
        host=fields.get("host", "text", "unnamed host"),
        token=fields.get("token", "text"),
        bundle=fields.get("bundle", "text"),
    )


def _read_plan(fields: _Fields) -> PlanRequest:
    _exactly_one(fields, "timeline", "shots")
    return PlanRequest(
        id=fields.take("id", "id"),
        timeline=fields.get("timeline", "text"),
        shots=_read_shots(fields),
        options=_read_options(fields),
    )


def _read_generate(fields: _Fields) -> GenerateRequest:
    _exactly_one(fields, "timeline", "shots")
    if fields.has("shots") != fields.has("media_folder"):
        raise _FieldError("'shots' and 'media_folder' belong together, and 'timeline' knows its own folder")
    if fields.has("shots") and fields.has("output"):
        raise _FieldError("'output' is for a 'timeline'; the sounds of 'shots' go to 'media_folder'")
    return GenerateRequest(
        id=fields.take("id", "id"),
        timeline=fields.get("timeline", "text"),
        output=fields.get("output", "text"),
        shots=_read_shots(fields),
        media_folder=fields.get("media_folder", "text"),
        options=_read_options(fields),
    )


def _read_cancel(fields: _Fields) -> Cancel:
    return Cancel(id=fields.take("id", "id"), cancels=fields.take("cancels", "id"))


def _read_bye(fields: _Fields) -> Bye:
    return Bye()


_READERS: Final[Mapping[str, Callable[[_Fields], HostMessage]]] = {
    "hello": _read_hello,
    "plan": _read_plan,
    "generate": _read_generate,
    "cancel": _read_cancel,
    "bye": _read_bye,
}


def _exactly_one(fields: _Fields, *names: str) -> None:
    if sum(fields.has(name) for name in names) != 1:
        raise _FieldError(f"the message must have exactly one of {' and '.join(map(repr, names))}")


def _read_shots(fields: _Fields) -> tuple[ShotAsked, ...]:
    shots = tuple(
        _read_shot(_Fields(each, f"shot {n}")) for n, each in enumerate(fields.get("shots", "objects", ()), 1)
    )
    if fields.has("shots") and not shots:
        raise _FieldError("'shots' is empty")
    if len({shot.id for shot in shots}) != len(shots):
        raise _FieldError("two shots have the same 'id'")
    return shots


def _read_shot(fields: _Fields) -> ShotAsked:
    return ShotAsked(
        id=fields.take("id", "id"),
        media=fields.take("media", "text"),
        source_start=fields.take("source_start", "time"),
        duration=fields.take("duration", "positive time"),
        timeline_start=fields.take("timeline_start", "place"),
        name=fields.get("name", "text", ""),
        speed=fields.get("speed", "time", Fraction(1)),
        frame_rate=fields.get("frame_rate", "positive time"),
        track=fields.get("track", "text", ""),
        sound=fields.get("sound", "text"),
        cues=fields.get("cues", "places", ()),
        takes=fields.get("takes", "integer"),
    )


def _read_options(fields: _Fields) -> dict[str, Any]:
    given = fields.get("options", "object", {})
    if unknown := sorted(set(given) - set(OPTIONS)):
        raise _FieldError(f"the options have no {_shown(unknown[0])}; known: {', '.join(OPTIONS)}")
    options = _Fields(given, "the options")
    return {name: options.take(name, kind) for name, kind in OPTIONS.items() if options.has(name)}


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST_TEXT and "\0" not in value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_integer(value: object) -> bool:
    """Also 2.0: some languages write every number so."""
    return _is_number(value) and (isinstance(value, int) or float(value).is_integer())  # type: ignore[arg-type]


def _is_id(value: object) -> bool:
    return _is_integer(value) or _is_text(value)


def _id(value: int | float | str) -> Id:
    return value if isinstance(value, str) else int(value)


def _is_time(value: object) -> bool:
    return isinstance(value, str) and _TIME.fullmatch(value) is not None


def _is_list_of(value: object, fits: Callable[[Any], bool]) -> bool:
    return isinstance(value, list) and all(fits(each) for each in value)


def _as_it_is(value: Any) -> Any:
    return value


_KINDS: Final[Mapping[str, tuple[Callable[[Any], bool], Callable[[Any], Any], str]]] = {
    "text": (_is_text, _as_it_is, f"a text of at most {LONGEST_TEXT} characters without NUL"),
    "texts": (
        lambda value: _is_text(value) or _is_list_of(value, _is_text),
        lambda value: (value,) if isinstance(value, str) else tuple(value),
        "a text or a list of them",
    ),
    "integer": (_is_integer, int, "a whole number"),
    "number": (_is_number, float, "a number"),
    "flag": (lambda value: isinstance(value, bool), _as_it_is, "true or false"),
    "id": (_is_id, _id, "a text or a whole number"),
    "time": (_is_time, Fraction, 'exact seconds such as "3003/1000"'),
    "positive time": (lambda value: _is_time(value) and Fraction(value) > 0, Fraction, 'above 0, such as "24000/1001"'),
    "place": (
        lambda value: _is_time(value) and Fraction(value) >= 0,
        Fraction,
        'exact seconds from 0 on, such as "5/2"',
    ),
    "places": (
        lambda value: _is_list_of(value, lambda each: _is_time(each) and Fraction(each) >= 0),
        lambda value: tuple(map(Fraction, value)),
        "a list of exact seconds from 0 on",
    ),
    "object": (lambda value: isinstance(value, dict), _as_it_is, "an object"),
    "objects": (lambda value: _is_list_of(value, lambda each: isinstance(each, dict)), _as_it_is, "a list of objects"),
}
"""Whether a value is of a kind, what is made of it, and what the kind is in words."""


def _kind(value: object) -> str:
    return {list: "a list", str: "a text", bool: "true or false", type(None): "null"}.get(type(value), "a number")


def _shown(value: object) -> str:
    """A value in a message, short."""
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 80 else f"{text[:77]}..."
