"""The main job: a timeline's pictures sounded, and the sounds written back.

score_file(Path("cut.otio"), options, make_pipeline)        cut_scored.otio and cut_scored.media/ beside it

timeline ── plan ──> clip jobs ──┬─ takes of an earlier run that still fit ──┬──> WAVs ── write back ──> timeline
                                 └─ the pipeline, for the others ────────────┘
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from v2s_engine.errors import UsageError, V2SError
from v2s_engine.grid import DELIVERY_RATE
from v2s_engine.progress import Progress
from v2s_plugin.formats.reading import NOTHING_MORE, ReadOptions
from v2s_plugin.levels.options import AS_THEY_ARE, LevelOptions
from v2s_plugin.media.library import Probe
from v2s_plugin.media.relink import Relinked
from v2s_plugin.media.urls import is_absolute_url, style_of_urls
from v2s_plugin.ours import foreign_urls
from v2s_plugin.outputs import clear_drafts, only_run
from v2s_plugin.planning.jobs import PlanOptions, Skip, plan
from v2s_plugin.planning.selection import EVERYTHING
from v2s_plugin.prune import delete, find_orphans
from v2s_plugin.sounding.ledger import forget_deleted
from v2s_plugin.sounding.making import MakeSource, make_missing, takes_still_good
from v2s_plugin.sounding.sound_files import RATES, SoundFolder
from v2s_plugin.sounding.take_file import ScoredJob, device_of, known_takes, usual_device
from v2s_plugin.timeline import Destination, destination, open_timeline
from v2s_plugin.tracks.edits import StandingSound
from v2s_plugin.tracks.sound_clips import ClipStyle
from v2s_plugin.tracks.writeback import Tracks, with_sound_tracks

if TYPE_CHECKING:
    from v2s_engine.sampling.choose import Choice


@dataclass(frozen=True)
class ScoreOptions:
    """What the call says. Raises `UsageError` for values that cannot be."""

    plan: PlanOptions
    output: Path | None = None
    """Where the scored timeline goes; None: `cut_scored.otio` beside `cut.otio`."""
    rate: int = DELIVERY_RATE
    """Samples per second of the WAV files."""
    in_place: bool = False
    """Replace the input, and keep what it was as `cut.otio.bak`."""
    force: bool = False
    """Replace an output that exists."""
    format: str | None = None
    """Name of the output's format; None: as the suffix of `output` says, else the input's own if it can be written."""
    read: ReadOptions = NOTHING_MORE
    """What the input does not say itself."""
    levels: LevelOptions = AS_THEY_ARE
    """How loud the sounds are and where they stand; by default as they are, in mono."""
    tracks: str = "per-class"
    """Whether each sound class has tracks of its own: one of `Tracks`."""
    prune: bool = False
    """Delete the WAVs in the media folder that nothing uses any more."""

    def __post_init__(self) -> None:
        if self.rate not in RATES:
            raise UsageError(f"a sample rate must be one of {', '.join(map(str, RATES))}; got {self.rate}")
        if self.tracks not in get_args(Tracks):
            raise UsageError(f"tracks must be one of {', '.join(get_args(Tracks))}; got {self.tracks!r}")


@dataclass(frozen=True)
class ScoreResult:
    """What came of it."""

    timeline: Any
    """The scored `otio.schema.Timeline`; the input is as it was."""
    scored: tuple[ScoredJob, ...]
    skips: tuple[Skip, ...]
    media_folder: Path
    bundle_name: str
    choice: Choice | None = None
    """What the sounds were made on, and why; None where nothing had to be made."""
    output: Path | None = None
    """The file written; None for a timeline scored in memory."""
    warnings: tuple[str, ...] = ()
    relinked: tuple[Relinked, ...] = ()
    """Media that were found in the folders to search."""
    unselected: tuple[str, ...] = ()
    """Name and place of each clip that `--only` left out."""
    dropped: tuple[StandingSound, ...] = ()
    """Sounds of an earlier run that are not on the timeline any more: no clip shows their stretch of picture."""
    orphans: tuple[Path, ...] = ()
    """WAVs in the media folder that nothing uses any more."""
    pruned: bool = False
    """Whether the orphans were deleted."""

    @property
    def device_name(self) -> str | None:
        """What the sounds were made on; None where nothing had to be made."""
        return self.choice.device if self.choice else None

    @property
    def made(self) -> int:
        """Takes that were generated."""
        return sum(not take.reused for sound in self.scored for take in sound.takes)

    @property
    def reused(self) -> int:
        """Takes that an earlier run had left."""
        return sum(take.reused for sound in self.scored for take in sound.takes)


class NothingToScoreError(V2SError):
    """No clip of the timeline could be sounded; `skips` say why."""

    def __init__(self, skips: tuple[Skip, ...]) -> None:
        self.skips = skips
        if skips:
            super().__init__(
                f"none of the clips can be sounded ({len(skips)} skipped); nothing was written. The first: {skips[0]}"
            )
        else:
            super().__init__(
                "the timeline holds no video clips, so nothing was written; check that it is the right one"
            )


def score_file(
    source: Path,
    options: ScoreOptions,
    make_source: MakeSource,
    progress: Progress | None = None,
    *,
    probe: Probe | None = None,
) -> ScoreResult:
    """Score a timeline file into another one (or in place), with its WAVs in a folder beside it.

    Where `output` exists and `force` is set, takes that still fit are used again, and the choice among them is kept. On
    an error or a cancel the finished WAVs stay, and no timeline file is touched.

    Raises `UsageError`, `TimelineError`, `OutputError`, `NothingToScoreError`, `CancelledError`, and what `make_source`
    raises (`BundleError`, `DeviceError`).
    """
    progress = progress or Progress()
    with open_timeline(source, options.read) as cut:
        target = destination(
            source,
            options.output,
            ending="_scored",
            in_place=options.in_place,
            force=options.force,
            format_name=options.format,
        )
        target.rehearse(cut.timeline, cut.folder)
        with only_run(target.path), target.earlier() as earlier, target.sound_folder() as media:
            clear_drafts(media)
            result = score_timeline(
                cut.timeline,
                options,
                make_source,
                folder=cut.folder,
                sounds=SoundFolder(media, options.rate),
                progress=progress,
                timeline_folder=media.parent,
                earlier=earlier.timeline if earlier else None,
                earlier_folder=earlier.folder if earlier else None,
                probe=probe,
            )
            progress.check()
            lost = target.write(result.timeline, sounds=media, cut=cut, earlier=earlier)
            # A bundle takes in what it needs; nothing stays beside it.
            timelines = (cut.timeline, result.timeline)
            orphans = () if target.format.is_bundle else find_orphans(media, timelines, written=target.path)
            if options.prune:
                delete(orphans)
                forget_deleted(media)
        misled = () if target.format.name != "otio" else _relative_media_warnings(cut.timeline, source, target.path)
    return replace(
        _as_written(result, target),
        output=target.path,
        warnings=(*result.warnings, *lost, *misled),
        orphans=orphans,
        pruned=options.prune,
    )


def score_timeline(
    timeline: Any,
    options: ScoreOptions,
    make_source: MakeSource,
    *,
    folder: Path,
    sounds: SoundFolder,
    progress: Progress,
    timeline_folder: Path | None = None,
    earlier: Any = None,
    earlier_folder: Path | None = None,
    probe: Probe | None = None,
) -> ScoreResult:
    """Score a timeline in memory; the WAVs go to `sounds`.

    `folder` is where the timeline lies, `timeline_folder` where the result will lie (by default the same): relative
    media count from there. Takes that stand on the timeline, or on `earlier` (one that lies there, or in
    `earlier_folder`), are used again.
    Raises as `score_file`.
    """
    target = timeline_folder or folder
    _check_ducking(timeline, options.levels)
    todo = plan(timeline, folder, options.plan, probe=probe)
    if not todo.jobs:
        raise NothingToScoreError(todo.skips)
    sounds.prepare()
    known = known_takes(timeline, folder)
    if earlier is not None:
        known |= known_takes(earlier, earlier_folder or target)
    noted = sounds.noted()
    takes = [takes_still_good(job, sounds, known, noted) for job in todo.jobs]
    device = usual_device([timeline, earlier], options.plan.bundle.digest) or device_of(takes)
    choice, failed = make_missing(todo.jobs, takes, sounds, make_source, earlier=device, progress=progress)
    skips = (*todo.skips, *failed.values())
    scored = [ScoredJob.of(job, takes[index]) for index, job in enumerate(todo.jobs) if index not in failed]
    if not scored:
        raise NothingToScoreError(skips)
    style = ClipStyle(options.plan.bundle, style_of_urls(foreign_urls(timeline)), target, options.plan.seed)
    written = with_sound_tracks(
        timeline,
        scored,
        style,
        tracks=cast("Tracks", options.tracks),
        earlier=earlier,
        unselected=None if options.plan.selection == EVERYTHING else todo.unselected_jobs,
    )
    mixed, unreached = _levelled(
        written.timeline, scored, options.levels, sounds=sounds, style=style, folder=folder, progress=progress
    )
    return ScoreResult(
        written.timeline,
        mixed,
        skips,
        sounds.path,
        options.plan.bundle.name,
        choice,
        warnings=(*todo.warnings, *(choice.warnings if choice else ()), *unreached),
        relinked=todo.relinked,
        unselected=todo.unselected,
        dropped=written.dropped,
    )


def _check_ducking(timeline: Any, levels: LevelOptions) -> None:
    """Raise `UsageError` for a track to duck under that is not there: it is told before anything is made."""
    if levels.duck:
        from v2s_plugin.levels.ducking import duck_tracks  # noqa: PLC0415  (as below)

        duck_tracks(timeline, levels.duck)


def _levelled(
    timeline: Any,
    scored: Sequence[ScoredJob],
    levels: LevelOptions,
    *,
    sounds: SoundFolder,
    style: ClipStyle,
    folder: Path,
    progress: Progress,
) -> tuple[tuple[ScoredJob, ...], tuple[str, ...]]:
    """The sounds on a scored timeline, which is changed, with the levels asked for; and warnings."""
    if not levels.asked:
        return tuple(scored), ()
    from v2s_plugin.levels.mixing import mix  # noqa: PLC0415  (NumPy and FFmpeg: only where levels are asked for)

    mixed = mix(
        timeline,
        scored,
        levels,
        sounds,
        folder=folder,
        timeline_folder=style.folder,
        style=style.urls,
        progress=progress,
    )
    return mixed.scored, mixed.warnings


def _as_written(result: ScoreResult, target: Destination) -> ScoreResult:
    """The result with the places at which its sounds lie now: those of a bundle are inside it."""
    scored = tuple(
        replace(sound, takes=tuple(replace(take, path=target.place_of(take.path)) for take in sound.takes))
        for sound in result.scored
    )
    return replace(result, scored=scored, media_folder=target.place_of(result.media_folder / "x").parent)


def _relative_media_warnings(timeline: Any, source: Path, output: Path) -> tuple[str, ...]:
    """Existing `target_url`s are never changed, so relative ones only hold beside the input."""
    if output.parent.resolve() == source.resolve().parent:
        return ()
    count = sum(not is_absolute_url(url) for url in foreign_urls(timeline))
    if not count:
        return ()
    return (
        f"{count} media paths on the timeline are relative and {output.name} lies in another folder, "
        "where they lead nowhere; write it beside the input",
    )
