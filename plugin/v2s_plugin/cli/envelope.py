"""`v2s envelope`: when and how loud the pictures of a clip say it should sound."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from v2s_engine.bundle import DEFAULT_BUNDLE
from v2s_engine.errors import UsageError
from v2s_plugin.cli.options import BundleOption, JsonOption

if TYPE_CHECKING:
    from v2s_engine.evaluate.clip_timing import ClipTiming

_LISTED = 12
"""Onsets that are listed by line: all fits one screen."""
_LOUDEST = 5

ClipArgument = Annotated[Path, typer.Argument(metavar="CLIP", help="A film.")]
StartOption = Annotated[str, typer.Option("--start", metavar="S", help="Where to begin, in seconds of the film.")]
DurationOption = Annotated[
    str | None, typer.Option("--duration", metavar="S", help="How many seconds; by default all.", show_default=False)
]
SheetOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE.png|.svg|.json|.csv",
        help="A drawing, or the envelope itself, to be changed and given back; may be given several times.",
        show_default=False,
    ),
]
ReplaceOption = Annotated[bool, typer.Option("--force", help="Replace files that exist.")]


def envelope_command(
    clip: ClipArgument,
    *,
    start: StartOption = "0",
    duration: DurationOption = None,
    bundle: BundleOption = DEFAULT_BUNDLE,
    output: SheetOption = None,
    force: ReplaceOption = False,
    as_json: JsonOption = False,
) -> int:
    """Show when and how loud a clip would sound.

    Looks at the pictures as v2s generate does and lists where sounds start and where it is loudest. -o draws it, beside
    the motion and the clip's own sound, or writes the envelope: change it and give it to v2s generate --envelope-from.
    """
    from v2s_plugin.cli.answers import EXIT_DONE, answer_json
    from v2s_plugin.cli.talk import say, watched_progress
    from v2s_plugin.clip_timing import check_outputs, read_timing, write_timing

    outputs = tuple(output or ())
    check_outputs(outputs, force=force)
    begin = _seconds("--start", start)
    lasting = None if duration is None else _seconds("--duration", duration)
    with watched_progress() as progress:
        timing = read_timing(clip, start=begin, duration=lasting, bundle=bundle, progress=progress)
    write_timing(timing, outputs, force=force)
    if as_json:
        answer_json(_answer(timing, outputs))
        return EXIT_DONE
    print("\n".join(_lines(timing)))
    for path in outputs:
        say(f"written: {path}")
    return EXIT_DONE


def _seconds(option: str, text: str) -> Fraction:
    try:
        return Fraction(text.strip().removesuffix("s"))
    except (ValueError, ZeroDivisionError):
        raise UsageError(f"{option} wants seconds such as 12.5 or 1001/24; got {text!r}") from None


def _lines(timing: ClipTiming) -> list[str]:
    """What is found, on one screen."""
    from v2s_engine.grid import SAMPLE_RATE

    onsets = [_moment(timing, step) for step in timing.onsets.tolist()]
    loudest = [_moment(timing, step) for step in timing.loudest(_LOUDEST).tolist()]
    start, lasting = float(timing.start), timing.length / SAMPLE_RATE
    sound = "has a sound of its own" if timing.own is not None else "has no sound"
    lines = [f"{timing.clip.name}: {lasting:.3f} s from {start:.3f} s on, bundle {timing.bundle_name}; {sound}"]
    lines.append(f"a sound starts at {len(onsets)} places" + (":" if onsets else " (nothing rises clearly)"))
    by_strength = sorted(onsets, key=lambda moment: moment["onset"], reverse=True)[:_LISTED]
    lines += [_line(each, f"onset {each['onset']:.2f}") for each in onsets if each in by_strength]
    if len(onsets) > _LISTED:
        lines.append(f"  and {len(onsets) - _LISTED} weaker ones; -o FILE.csv has all")
    lines.append("loudest at:" if loudest else "the loudness has no peaks")
    lines += [_line(each, f"{each['loudness_dbfs']:.1f} dBFS") for each in loudest]
    return lines


def _line(moment: dict[str, Any], what: str) -> str:
    return f"  {moment['timecode']}  {moment['seconds']:9.3f} s  {what}"


def _moment(timing: ClipTiming, step: int) -> dict[str, Any]:
    """A step as timecode and seconds of the film, and what the envelope has there."""
    from v2s_engine.grid import ENVELOPE_RATE
    from v2s_plugin.timing.timecodes import timecode_at

    second = timing.start + step / ENVELOPE_RATE
    return {
        "timecode": timecode_at(second, timing.info.rate, timing.info.start_timecode),
        "seconds": float(second),
        "onset": round(float(timing.envelope.onset[step]), 4),
        "loudness_dbfs": round(float(timing.envelope.loudness[step]), 2),
    }


def _answer(timing: ClipTiming, outputs: Sequence[Path]) -> dict[str, Any]:
    from v2s_engine.grid import SAMPLE_RATE

    return {
        "clip": str(timing.clip),
        "bundle": timing.bundle_name,
        "start": float(timing.start),
        "duration": timing.length / SAMPLE_RATE,
        "own_sound": timing.own is not None,
        "onsets": [_moment(timing, step) for step in timing.onsets.tolist()],
        "loudest": [_moment(timing, step) for step in timing.loudest(_LOUDEST).tolist()],
        "outputs": [str(path) for path in outputs],
    }
