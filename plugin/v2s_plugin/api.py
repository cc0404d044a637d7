"""V2S from Python: the whole job as one function, over the same objects that the command line uses.

from v2s_plugin.api import score

result = score("cut.otio", sound="dog", takes=3)
print(result.output, [take.path for sound in result.scored for take in sound.takes])
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from v2s_engine.bundle import DEFAULT_BUNDLE
from v2s_engine.grid import DELIVERY_RATE
from v2s_engine.progress import Progress
from v2s_plugin import engine
from v2s_plugin.clip_timing import check_outputs, read_timing, write_timing
from v2s_plugin.options import score_options
from v2s_plugin.scoring import ScoreResult, score_file
from v2s_plugin.takes.in_file import TakesAnswer, add_in_file, choose_in_file, takes_of_file

if TYPE_CHECKING:
    from v2s_engine.evaluate.clip_timing import ClipTiming


def score(
    timeline: str | Path,
    output: str | Path | None = None,
    *,
    sound: str | None = None,
    sound_force: str | None = None,
    bundle: str = DEFAULT_BUNDLE,
    takes: int = 1,
    seed: int = 0,
    device: str = "auto",
    rate: int = DELIVERY_RATE,
    existing: str = "skip",
    covered: str = "skip",
    carry: bool = False,
    only: Sequence[str] = (),
    class_map: str | Path | None = None,
    search: Sequence[str | Path] = (),
    envelope_from: str | Path | None = None,
    lufs: float | None = None,
    duck: Sequence[str] = (),
    duck_by: float | None = None,
    pan: str = "mono",
    fade: float | None = None,
    in_place: bool = False,
    force: bool = False,
    tracks: str = "per-class",
    prune: bool = False,
    format: str | None = None,
    edl_rate: str | None = None,
    progress: Progress | None = None,
) -> ScoreResult:
    """Put sound under the pictures of a timeline file; the options are those of `v2s generate`.

    Writes `cut_scored.otio` and the folder `cut_scored.media` beside `cut.otio`, or where `output` says. The result
    lists every sound with its files, and every clip that was skipped with the reason. Raises as `score_file`.
    """
    facts, make_source = engine.ready_bundle(bundle, device)
    options = score_options(
        facts,
        output=output,
        sound=sound,
        sound_force=sound_force,
        takes=takes,
        seed=seed,
        rate=rate,
        existing=existing,
        covered=covered,
        carry=carry,
        only=only,
        map=class_map,
        search=search,
        envelope_from=envelope_from,
        lufs=lufs,
        duck=duck,
        duck_by=duck_by,
        pan=pan,
        fade=fade,
        in_place=in_place,
        force=force,
        tracks=tracks,
        prune=prune,
        format=format,
        edl_rate=edl_rate,
    )
    return score_file(Path(timeline), options, make_source, progress)


def list_takes(timeline: str | Path, clips: Sequence[str] = ()) -> TakesAnswer:
    """The sounds on a scored timeline and their takes, as `v2s takes` lists them.

    `clips` are names, numbers of the list or globs; without any, all. Raises `UsageError` for one that means no sound,
    `TimelineError` for a timeline without sounds.
    """
    return takes_of_file(Path(timeline), clips)


def choose_take(timeline: str | Path, take: int, clips: Sequence[str] = ()) -> TakesAnswer:
    """Have another take heard, as `v2s takes --choose`; the file is changed in place, with a `.bak` beside it."""
    return choose_in_file(Path(timeline), take, clips)


def add_takes(
    timeline: str | Path,
    count: int,
    clips: Sequence[str] = (),
    *,
    bundle: str | None = None,
    device: str = "auto",
    search: Sequence[str | Path] = (),
    envelope_from: str | Path | None = None,
    progress: Progress | None = None,
) -> TakesAnswer:
    """Make more takes, as `v2s takes --add`; the file is changed in place, with a `.bak` beside it.

    Raises `BundleError` where the bundle is not the one that made the others, and `TimelineError` where the guide that
    timed them is gone or changed.
    """
    return add_in_file(
        Path(timeline),
        count,
        clips,
        bundle=bundle,
        device=device,
        search=tuple(Path(folder) for folder in search),
        envelope_from=None if envelope_from is None else Path(envelope_from),
        progress=progress,
    )


def clip_timing(
    clip: str | Path,
    outputs: Sequence[str | Path] = (),
    *,
    start: Fraction | int = 0,
    duration: Fraction | int | None = None,
    bundle: str = DEFAULT_BUNDLE,
    force: bool = False,
    progress: Progress | None = None,
) -> ClipTiming:
    """When and how loud the pictures of a clip say it should sound, as `v2s envelope`; times are in seconds.

    `outputs` are drawings (.png, .svg) and envelopes (.json, .csv). What `score(envelope_from=...)` takes is read by
    `v2s_engine.envelope_file.read_envelope`. Raises as `read_timing` and `write_timing`.
    """
    paths = [Path(path) for path in outputs]
    check_outputs(paths, force=force)
    timing = read_timing(
        Path(clip),
        start=Fraction(start),
        duration=None if duration is None else Fraction(duration),
        bundle=bundle,
        progress=progress,
    )
    write_timing(timing, paths, force=force)
    return timing
