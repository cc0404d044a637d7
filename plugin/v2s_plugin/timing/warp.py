"""Which second of its media a clip shows when: a map made of straight lines, in exact fractions.

    media        ╱──          knots   where the line bends, (timeline second, media second)
       │    ╱───╱             speed   media seconds per timeline second before the first knot and after the last
       │ ──╱
       └────────── timeline

A clip that runs evenly has one knot. Speed 2 is twice as fast, -1 backwards, 0 a freeze frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from v2s_plugin.timing.rates import Span

_MOMENT = Fraction(1, 10**6)  # shorter than any picture stands

Knot = tuple[Fraction, Fraction]
"""A timeline second, counted from some start, and the media second shown then."""


@dataclass(frozen=True)
class Warp:
    """A map from timeline seconds to media seconds. Raises `ValueError` for knots that fall back in timeline time.

    Where it falls, media run backwards, and a picture is on screen until the map reaches its start: the picture that is
    seen is the last one that begins *before* the media second (`picture_at`).
    """

    knots: tuple[Knot, ...]
    """At least one; two at one time are a jump."""
    speed: Fraction
    """Media seconds per timeline second outside the knots."""

    def __post_init__(self) -> None:
        if not self.knots or any(left[0] > right[0] for left, right in pairwise(self.knots)):
            raise ValueError(f"a warp needs knots in the order of timeline time; got {self.knots}")

    @classmethod
    def even(cls, start: Fraction, speed: Fraction) -> Warp:
        """Media second `start` at timeline second 0, and the same speed throughout."""
        return cls(((Fraction(0), start),), speed)

    @property
    def is_even(self) -> bool:
        """Whether the speed is the same throughout."""
        return len(self.knots) == 1

    def at(self, time: Fraction) -> Fraction:
        """The media second shown at a timeline second."""
        knot = next((knot for knot in reversed(self.knots) if knot[0] <= time), self.knots[0])
        return knot[1] + (time - knot[0]) * self.speed_at(time)

    def picture_at(self, time: Fraction) -> Fraction:
        """The media second whose picture is on screen at a timeline second.

        Backwards it is taken just before: the picture that begins there has gone already.
        """
        return self.at(time) - (_MOMENT if self.speed_at(time) < 0 else 0)

    def speed_at(self, time: Fraction) -> Fraction:
        """Media seconds per timeline second from a timeline second on, up to the next knot."""
        for left, right in pairwise(self.knots):
            if left[0] <= time < right[0]:
                return (right[1] - left[1]) / (right[0] - left[0])
        return self.speed

    def faster(self, factor: Fraction) -> Warp:
        """The same warp of media that runs `factor` times as fast (backwards where it is negative)."""
        return Warp(tuple((time, media * factor) for time, media in self.knots), self.speed * factor)

    def later(self, seconds: Fraction) -> Warp:
        """The same warp, of media seconds so much later."""
        return Warp(tuple((time, media + seconds) for time, media in self.knots), self.speed)

    def seen_from(self, start: Fraction, speed: Fraction = Fraction(1)) -> Warp:
        """The warp of a part: its second 0 is this one's second `start`, and it runs through it at `speed` (not 0)."""
        if self.is_even:
            return Warp.even(self.at(start), self.speed * speed)
        knots = tuple(((time - start) / speed, media) for time, media in self.knots)
        return Warp(knots if speed > 0 else knots[::-1], self.speed * speed)

    def media_span(self, part: Span) -> Span:
        """The lowest and the highest media second shown in a stretch of the timeline."""
        shown = [self.at(time) for time in self._bends(part)]
        return Span(min(shown), max(shown))

    def description(self, part: Span) -> str:
        """The map within a stretch of the timeline as text; equal for equal knots, whatever lies outside."""
        return " ".join(f"{time - part.start}:{self.at(time)}" for time in self._bends(part))

    def reach(self, start: Fraction, end: Fraction, media: Span) -> Fraction:
        """How far one gets from timeline second `start` towards `end` (which may lie before it) inside `media`.

        Its two ends belong to it.
        """
        bends = self._bends(Span(min(start, end), max(start, end)))
        here = start
        for there in bends[1:] if end >= start else bends[-2::-1]:
            left, entered = self.at(here), self.at(there)
            if not media.start <= left <= media.end:
                return here
            if not media.start <= entered <= media.end:
                edge = media.start if entered < media.start else media.end
                return here + (there - here) * (edge - left) / (entered - left)
            here = there
        return here

    def _bends(self, part: Span) -> list[Fraction]:
        """Both ends of a stretch and the knots between them at which the line may bend: an even one does nowhere."""
        inside = () if self.is_even else (time for time, _ in self.knots if part.start < time < part.end)
        return [part.start, *inside, part.end]


PLAIN = Warp.even(Fraction(0), Fraction(1))
"""Second after second as it stands."""
