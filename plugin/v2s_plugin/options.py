"""The options of V2S by the names that they have everywhere: command line, Python, OpenTimelineIO hook, worker."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from v2s_engine.grid import DELIVERY_RATE
from v2s_plugin.formats.reading import ReadOptions
from v2s_plugin.levels.options import LevelOptions
from v2s_plugin.planning.bundle_facts import BundleFacts
from v2s_plugin.planning.class_map import NO_MAP, read_class_map
from v2s_plugin.planning.jobs import PlanOptions
from v2s_plugin.planning.selection import Selection
from v2s_plugin.scoring import ScoreOptions

if TYPE_CHECKING:
    from v2s_engine.guide import Guide


def score_options(
    bundle: BundleFacts,
    *,
    output: str | Path | None = None,
    sound: str | None = None,
    sound_force: str | None = None,
    takes: int = 1,
    seed: int = 0,
    rate: int = DELIVERY_RATE,
    existing: str = "skip",
    covered: str = "skip",
    carry: bool = False,
    only: str | Iterable[str] = (),
    map: str | Path | None = None,
    search: str | Path | Iterable[str | Path] = (),
    envelope_from: str | Path | None = None,
    lufs: float | None = None,
    duck: str | Iterable[str] = (),
    duck_by: float | None = None,
    pan: str = "mono",
    fade: float | None = None,
    in_place: bool = False,
    force: bool = False,
    tracks: str = "per-class",
    prune: bool = False,
    format: str | None = None,
    edl_rate: str | None = None,
) -> ScoreOptions:
    """What a call says, as the main job takes it; the names are those of `v2s generate`.

    Where several values may be given, one alone may stand for a list of one. Raises `UsageError` for values that cannot
    be, and for a map or a guide that cannot be read; `MediaError` for a guide that is not there or holds no sound.
    """
    return ScoreOptions(
        plan=PlanOptions(
            bundle,
            sound=sound,
            sound_force=sound_force,
            seed=seed,
            takes=takes,
            existing=existing,
            covered=covered,
            carry=carry,
            selection=Selection.parse([only] if isinstance(only, str) else only),
            class_map=NO_MAP if map is None else read_class_map(Path(map)),
            search=tuple(Path(folder) for folder in ([search] if isinstance(search, str | Path) else search)),
            guide=None if envelope_from is None else _read_guide(Path(envelope_from)),
        ),
        output=None if output is None else Path(output),
        rate=int(rate),
        levels=LevelOptions(
            lufs=_number(lufs),
            duck=(duck,) if isinstance(duck, str) else tuple(duck),
            duck_by=_number(duck_by),
            pan=pan,
            fade=_number(fade),
        ),
        in_place=in_place,
        force=force,
        tracks=tracks,
        prune=prune,
        format=format,
        read=ReadOptions(edl_rate),
    )


def _read_guide(path: Path) -> Guide:
    from v2s_engine.guide import read_guide  # noqa: PLC0415  (NumPy and FFmpeg: only where there is a guide)

    return read_guide(path)


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)  # a whole number in JSON is an int
