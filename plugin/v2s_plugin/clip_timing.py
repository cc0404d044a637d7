"""The timing of one clip as `v2s envelope` tells it: measured, and written as pictures, tables or JSON.

clip = read_timing(Path("dog.mp4"), bundle="starter")
write_timing(clip, [Path("dog.png"), Path("dog.csv")])
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from v2s_engine.bundle import DEFAULT_BUNDLE
from v2s_engine.errors import MissingExtraError, OutputError, UsageError
from v2s_engine.progress import Progress
from v2s_plugin.engine import open_bundle
from v2s_plugin.outputs import whole_file
from v2s_plugin.planning.clip_job import picture_seconds, whole_samples

if TYPE_CHECKING:
    from v2s_engine.envelope_file import EnvelopeKind
    from v2s_engine.evaluate.clip_timing import ClipTiming

TABLES, SHEETS = (".json", ".csv"), (".png", ".svg")


def read_timing(
    clip: Path,
    *,
    start: Fraction = Fraction(0),
    duration: Fraction | None = None,
    bundle: str = DEFAULT_BUNDLE,
    progress: Progress | None = None,
) -> ClipTiming:
    """What the pictures of a media file say from `start` seconds on, for `duration` seconds or to its end.

    The envelope is the very one that `v2s generate` follows for a clip that shows this stretch. Raises `UsageError` for
    a stretch that the file does not have, a still, or a bundle that predicts no envelope; as `load_bundle`, `probe` and
    `read_pictures`; `CancelledError`.
    """
    from v2s_engine.evaluate.clip_timing import measure_timing  # noqa: PLC0415  (the engine: only where it is used)
    from v2s_engine.video import probe  # noqa: PLC0415

    model, _ = open_bundle(bundle)
    info = probe(clip)
    if info.still:
        raise UsageError(f"{clip} is a still image, in which nothing moves; give a clip")
    if start >= info.duration:
        raise UsageError(
            f"{clip.name} lasts {float(info.duration):.3f} s, and {float(start):.3f} s is beyond it; "
            "choose --start and --duration inside it"
        )
    wanted = info.duration - start if duration is None else duration
    if start < 0 or wanted <= 0 or start + wanted > info.duration:
        raise UsageError(
            f"{clip.name} lasts {float(info.duration):.3f} s, and {float(wanted):.3f} s from {float(start):.3f} s on "
            "were asked for; choose --start and --duration inside it"
        )
    times = [start + second for second in picture_seconds(wanted)]
    return measure_timing(clip, info, start, times, whole_samples(wanted) + 1, bundle=model, progress=progress)


def check_outputs(paths: Sequence[Path], *, force: bool) -> None:
    """Raise before any work what `write_timing` would raise after it.

    `UsageError` for a suffix that is not known, `OutputError` for a file that exists (unless `force`) or a folder that
    does not, `MissingExtraError` where a sheet is wanted and Matplotlib is not installed.
    """
    for path in paths:
        if path.suffix.lower() not in (*TABLES, *SHEETS):
            raise UsageError(f"{path} is of no type that is written; end it in {', '.join((*SHEETS, *TABLES))}")
        if not path.parent.is_dir():
            raise OutputError(f"there is no folder {path.parent}; make it, or choose another place with -o")
        if path.exists() and not force:
            raise OutputError(f"{path} exists already; --force replaces it, or choose another name with -o")
    if len({path.absolute() for path in paths}) != len(paths):
        raise UsageError("the same output is named twice; give each -o a name of its own")
    if any(path.suffix.lower() in SHEETS for path in paths):
        _import_sheets()


def write_timing(timing: ClipTiming, paths: Sequence[Path], *, force: bool = False) -> None:
    """Write a clip's timing: a sheet where a name ends in .png or .svg, its envelope where it ends in .json or .csv.

    Each file is written whole or not at all. Raises as `check_outputs`.
    """
    check_outputs(paths, force=force)
    for path in paths:
        write = _writer(path.suffix.lower())
        with whole_file(path) as draft:
            write(timing, draft)


def _writer(suffix: str) -> Callable[[ClipTiming, Path], None]:
    if suffix in SHEETS:
        from v2s_engine.evaluate.timing_sheet import SheetKind, draw_sheet  # noqa: PLC0415  (Matplotlib)

        return partial(draw_sheet, kind=cast("SheetKind", suffix[1:]))
    return partial(_write_table, kind=cast("EnvelopeKind", suffix[1:]))


def _write_table(timing: ClipTiming, path: Path, kind: EnvelopeKind) -> None:
    from v2s_engine.envelope_file import envelope_text  # noqa: PLC0415  (NumPy)

    seconds = f"{float(timing.start):g} s" if timing.start else "its start"
    source = f"pictures of {timing.clip.name} from {seconds} on, bundle {timing.bundle_name}"
    path.write_text(envelope_text(timing.envelope, kind, source), encoding="utf-8")


def _import_sheets() -> None:
    try:
        import v2s_engine.evaluate.timing_sheet  # noqa: F401, PLC0415  (Matplotlib: only where it is drawn)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("v2s"):
            raise
        raise MissingExtraError("drawing an envelope as .png or .svg", "train") from error
