"""Speed changes: what the time effects of a clip, track or nested sequence do to it.

    LinearTimeWarp   evenly faster, slower or backwards; several multiply
    FreezeFrame      the picture at the start of the source range, throughout
    TimeEffect       with Hiero's table `lookup`: one offset a frame (below); any other says nothing that can be read

**The source range's duration is the length on the timeline**; times the scalar, it is what runs through in that time:
171 frames of Resolve's clip at 2.5 show 427.5 frames of its media.

**Backwards, the source range starts at the lowest media frame**, and the pictures run down to it. Flame's export at
-0.7 says so itself: it starts at 1040 for 41 frames, and notes beside it that the first picture is 1068 and the last
1040; 1040 + 0.7 · 41 = 1068.7. AYON reads the clips of Resolve, Hiero and Flame so (`get_media_range_with_retimes`).

**Hiero's table holds, for each frame of the clip, the frame shown less the frame itself**: frame k shows the source's
frame k + lookup[k], and other warps then run on that. It has one entry for each frame of the source range.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

import opentimelineio as otio

from v2s_engine.errors import TimelineError
from v2s_plugin.timing.rates import exact_rate
from v2s_plugin.timing.warp import PLAIN, Knot, Warp

_MAX_DENOMINATOR = 10**6
_RENDER = "render the clip to a video file and put that in its place"


class RetimeError(TimelineError):
    """A speed change that cannot be read."""


def own_warp(item: Any, length: Fraction) -> Warp:
    """What an item shows in each second since its start, in seconds of its content from its source range's start.

    `length` is the item's on its track in seconds. Raises `RetimeError`.
    """
    scalar = Fraction(1)
    table: Warp | None = None
    for effect in item.effects:
        if not isinstance(effect, otio.schema.TimeEffect) or not effect.enabled:
            continue
        if isinstance(effect, otio.schema.FreezeFrame):
            scalar = Fraction(0)
        elif isinstance(effect, otio.schema.LinearTimeWarp):
            scalar *= _scalar(effect)
        elif table is None:
            table = _table(effect, item)
        else:
            raise RetimeError(f"two tables change its speed ({_name(effect)} is the second); {_RENDER}")
    warp = (table or PLAIN).faster(scalar)
    return warp.later(-scalar * length) if scalar < 0 else warp


def _scalar(effect: Any) -> Fraction:
    if not math.isfinite(effect.time_scalar):
        raise RetimeError(f"its speed is no number ({effect.time_scalar}); set the clip's speed again and export again")
    return Fraction(effect.time_scalar).limit_denominator(_MAX_DENOMINATOR)


def _table(effect: Any, item: Any) -> Warp:
    """The warp of Hiero's table, in frames of the source range; it goes on evenly before the first and after the last.

    The last frame is shown as long as all others, so its own speed is that of the one before.
    """
    name = _name(effect)
    lookup = effect.metadata.get("lookup") if isinstance(effect.metadata, Mapping) else None
    source = item.source_range
    rate = exact_rate(source.duration.rate) if source is not None else None
    if not isinstance(lookup, Sequence) or isinstance(lookup, str) or rate is None:
        raise RetimeError(f"its speed changes within the clip ({name}) in a way the timeline does not tell; {_RENDER}")
    if len(lookup) < 2 or not all(isinstance(each, int | float) and math.isfinite(each) for each in lookup):
        raise RetimeError(f"the table of its speed change ({name}) does not hold two numbers or more; {_RENDER}")
    frames = source.duration.value
    if len(lookup) != round(frames):
        raise RetimeError(
            f"the table of its speed change ({name}) has {len(lookup)} entries for {frames:g} frames; "
            f"export the timeline again, or {_RENDER}"
        )
    shown = [number + Fraction(each).limit_denominator(_MAX_DENOMINATOR) for number, each in enumerate(lookup)]
    shown.append(2 * shown[-1] - shown[-2])
    knots: dict[Knot, None] = {}
    for number, (this, following) in enumerate(pairwise(shown)):
        ahead = 1 if following < this else 0  # backwards, a frame is run through from its end
        knots |= {(number / rate, (this + ahead) / rate): None, ((number + 1) / rate, (following + ahead) / rate): None}
    return Warp(tuple(knots), Fraction(1))


def _name(effect: Any) -> str:
    return str(effect.effect_name or effect.name or effect.schema_name())
