"""URLs with gaps: `https://media.example/{id}_{start_ms}.mp4`."""

from __future__ import annotations

import string
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import quote, urlsplit

from v2s_engine.errors import UsageError
from v2s_engine.vegas.sources.source import Section

GAPS = ("id", "start", "end", "start_ms", "end_ms")
"""What a template may ask for; `start` and `end` are seconds."""

_SCHEMES = ("http", "https", "file")


@dataclass(frozen=True)
class UrlTemplate:
    """A URL for each section. Raises `UsageError` for a template that gives none.

    Numbers may be given a width, as in `{start:06d}`.
    """

    text: str

    def __post_init__(self) -> None:
        wanted = f"wanted http, https or file, with {{id}} and, where needed, {_listed(GAPS[1:])}"
        try:
            names = {name for _, name, _, _ in string.Formatter().parse(self.text) if name is not None}
        except ValueError as error:
            raise UsageError(f"{self.text!r} is no URL template: {error}; {wanted}") from error
        if unknown := sorted(names - set(GAPS)):
            raise UsageError(f"{self.text!r} asks for {_listed(unknown)}; {wanted}")
        if "id" not in names:
            raise UsageError(f"{self.text!r} gives the same URL for all videos; {wanted}")
        parts = urlsplit(self.fill(Section("abcdefghijk", 30_000, 40_000)))
        if parts.scheme not in _SCHEMES or (parts.scheme != "file" and not parts.hostname):
            raise UsageError(f"{self.text!r} is no URL that can be fetched; {wanted}")

    @property
    def tells_beginning(self) -> bool:
        """Whether the URL says where the section begins."""
        names = {name for _, name, _, _ in string.Formatter().parse(self.text)}
        return bool(names & {"start", "start_ms"})

    def fill(self, section: Section) -> str:
        """The URL of a section. Raises `UsageError` for a width that does not fit, such as `06d` for 30.5 s."""
        values = {
            "id": quote(section.video_id, safe=""),
            "start": seconds(section.begin_ms),
            "end": seconds(section.end_ms),
            "start_ms": section.begin_ms,
            "end_ms": section.end_ms,
        }
        try:
            return self.text.format_map(values)
        except (ValueError, TypeError) as error:
            raise UsageError(f"{self.text!r} cannot be filled for {section.video_id}: {error}") from error


def seconds(milliseconds: int) -> int | Decimal:
    """Whole seconds as an integer, others with as many digits as they need: 30, 30.5."""
    whole, rest = divmod(milliseconds, 1000)
    return whole if not rest else (Decimal(milliseconds) / 1000).normalize()


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in names)
