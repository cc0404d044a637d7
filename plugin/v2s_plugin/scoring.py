"""The main job: a timeline's pictures sounded, and the sounds written back.

score_file(Path("cut.otio"), options, make_pipeline)        cut_scored.otio and cut_scored.media/ beside it

timeline ── plan ──> clip jobs ──┬─ takes of an earlier run that still fit ──┬──> WAVs ── write back ──> timeline
                                 └─ the pipeline, for the others ────────────┘

A WAV is finished and written while the next sounds are sampled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from v2s_engine.errors import MediaError, TimelineError, UsageError, V2SError
from v2s_engine.grid import DELIVERY_RATE
from v2s_engine.progress import Progress
from v2s_plugin.clip_job import ClipJob
from v2s_plugin.deliveries import Deliveries
from v2s_plugin.jobs import Plan, PlanOptions, Skip, plan
from v2s_plugin.media import find_on_disk, is_absolute_url, style_of_urls
from v2s_plugin.media_library import Probe
from v2s_plugin.ours import devices_of, is_ours, our_clips
from v2s_plugin.outputs import clear_drafts, only_run
from v2s_plugin.placement import Obstacle
from v2s_plugin.sound_files import SoundFolder
from v2s_plugin.timeline import destination, read_timeline
from v2s_plugin.writeback import BundleFacts, ScoredJob, TakeFile, with_sound_tracks

if TYPE_CHECKING:
    from v2s_engine.pipeline import SoundFailure, SoundRequest, SoundTake
    from v2s_engine.sampling.choose import Choice

RATES = (44_100, 48_000, 96_000)


class SoundSource(Protocol):
    """What makes sounds: the engine's `SoundPipeline`, or a stand-in."""

    @property
    def choice(self) -> Choice:
        """What the sounds are made on, and why."""

    def generate(
        self, requests: Sequence[SoundRequest], progress: Progress | None = None
    ) -> Iterator[SoundTake | SoundFailure]:
        """Every take of every request, each as soon as it is finished."""


class MakeSource(Protocol):
    """Opens the sound source; called only where there is something to make."""

    def __call__(self, *, sounds: int, earlier: str | None) -> SoundSource:
        """A source for so many takes, beside others that were made on the device `earlier` (None: there are none)."""


@dataclass(frozen=True)
class ScoreOptions:
    """What the call says. Raises `UsageError` for values that cannot be."""

    plan: PlanOptions
    bundle: BundleFacts
    output: Path | None = None
    """Where the scored timeline goes; None: `cut_scored.otio` beside `cut.otio`."""
    rate: int = DELIVERY_RATE
    """Samples per second of the WAV files."""
    in_place: bool = False
    """Replace the input, and keep what it was as `cut.otio.bak`."""
    force: bool = False
    """Replace an output that exists."""

    def __post_init__(self) -> None:
        if self.rate not in RATES:
            raise UsageError(f"a sample rate must be one of {', '.join(map(str, RATES))}; got {self.rate}")


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
                f"none of the clips can be sounded ({len(skips)} skipped); nothing was written. "
                f"The first: {skips[0].label} ({skips[0].where}): {skips[0].reason}; {skips[0].advice}"
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
    timeline = read_timeline(source)
    target = destination(source, options.output, ending="_scored", in_place=options.in_place, force=options.force)
    output = target.path
    sounds = SoundFolder(output.with_suffix(".media"), options.rate)
    with only_run(output):
        clear_drafts(sounds.path)
        result = score_timeline(
            timeline,
            options,
            make_source,
            folder=source.absolute().parent,
            sounds=sounds,
            progress=progress,
            timeline_folder=output.parent,
            earlier=_read_earlier(output),
            probe=probe,
        )
        progress.check()
        target.write(result.timeline)
    warnings = (*result.warnings, *_relative_media_warnings(timeline, source, output))
    return replace(result, output=output, warnings=warnings)


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
    probe: Probe | None = None,
) -> ScoreResult:
    """Score a timeline in memory; the WAVs go to `sounds`.

    `folder` is where the timeline lies, `timeline_folder` where the result will lie (by default the same): relative
    media count from there. Takes that stand on the timeline, or on `earlier` (one that lies there), are used again.
    Raises as `score_file`.
    """
    target = timeline_folder or folder
    todo = plan(timeline, folder, options.plan, probe=probe)
    if not todo.jobs:
        raise NothingToScoreError(todo.skips)
    sounds.prepare()
    known = _known_takes(timeline, folder)
    if earlier is not None:
        known |= _known_takes(earlier, target)
    takes = [_takes_still_good(job, sounds, known) for job in todo.jobs]
    device = _usual_device([timeline, earlier], options.bundle.digest)
    choice, failed = _make_missing(todo, takes, sounds, make_source, earlier=device, progress=progress)
    skips = (*todo.skips, *failed.values())
    scored = tuple(
        ScoredJob(job, tuple(takes[index][number] for number in sorted(takes[index])))
        for index, job in enumerate(todo.jobs)
        if index not in failed
    )
    if not scored:
        raise NothingToScoreError(skips)
    style = style_of_urls(_foreign_urls(timeline))
    result = with_sound_tracks(timeline, scored, options.bundle, style=style, folder=target, earlier=earlier)
    warnings = choice.warnings if choice else ()
    return ScoreResult(result, scored, skips, sounds.path, options.bundle.name, choice, warnings=warnings)


@dataclass(frozen=True)
class _Making:
    """What one request is made for."""

    jobs: tuple[int, ...]
    """Indices of the plan's jobs that sound the same: one and the same stretch of one file, used several times."""
    request: SoundRequest


def _make_missing(
    todo: Plan,
    takes: Sequence[dict[int, TakeFile]],
    sounds: SoundFolder,
    make_source: MakeSource,
    *,
    earlier: str | None,
    progress: Progress,
) -> tuple[Choice | None, dict[int, Skip]]:
    """Have every take made that is not in `takes` (one dictionary a job), and put it there.

    `earlier` is the device that made those. Returns the choice of a device (None where nothing was missing) and what
    failed, by job.
    """
    from v2s_engine.pipeline import SoundFailure  # noqa: PLC0415  (the whole engine: only where sound is made)

    making = {each.request: each.jobs for each in _find_missing(todo, takes)}
    failed: dict[int, Skip] = {}
    if not making:
        return None, failed
    total = sum(len(request.takes) for request in making)
    source = make_source(sounds=total, earlier=earlier)
    done = 0

    def count(outcomes: int, label: str) -> None:
        nonlocal done
        done += outcomes
        progress.step("write", done, total, label)

    def deliver(made: SoundTake) -> None:
        for index in making[made.request]:
            if made.take not in takes[index]:
                job, device = todo.jobs[index], source.choice.device
                takes[index][made.take] = sounds.deliver(job, made.take, made.samples, device)
        count(1, made.request.label)

    with Deliveries() as deliveries:
        for outcome in source.generate(tuple(making), progress):
            if isinstance(outcome, SoundFailure):
                why = Obstacle.of_error(outcome.error)
                for index in making[outcome.request]:
                    job = todo.jobs[index]
                    failed[index] = Skip(job.label, job.where, why.reason, why.advice)
                deliveries.submit(partial(count, len(outcome.request.takes), outcome.request.label))
            else:
                deliveries.submit(partial(deliver, outcome))
            progress.check()
    return source.choice, failed


def _usual_device(timelines: Sequence[Any], bundle_digest: str) -> str | None:
    """The device on which most takes that stand on some timelines were made with this bundle; None where none says."""
    devices = Counter(
        device
        for timeline in timelines
        if timeline is not None
        for clip in our_clips(timeline)
        if clip.metadata["v2s"].get("bundle_digest") == bundle_digest
        for device in devices_of(clip)
    )
    return max(sorted(devices), key=lambda device: devices[device], default=None)


def _find_missing(todo: Plan, takes: Sequence[dict[int, TakeFile]]) -> Iterator[_Making]:
    from v2s_engine.pipeline import SoundRequest  # noqa: PLC0415  (as above)

    same: dict[str, list[int]] = {}
    for index, job in enumerate(todo.jobs):
        same.setdefault(job.key, []).append(index)
    for indices in same.values():
        job = todo.jobs[indices[0]]
        wanted = range(1, job.takes + 1)
        missing = tuple(take for take in wanted if any(take not in takes[index] for index in indices))
        if missing:
            request = SoundRequest(
                media=job.media,
                picture_times=job.picture_times,
                length=job.length,
                sound_class=job.sound_class,
                seed=job.seed,
                takes=missing,
                cues=job.cues,
                label=job.label,
            )
            yield _Making(tuple(indices), request)


def _takes_still_good(job: ClipJob, sounds: SoundFolder, known: dict[str, dict[int, TakeFile]]) -> dict[int, TakeFile]:
    """The takes of earlier runs that serve this job, by number; also beyond those asked for now: none is lost."""
    reused = (sounds.reuse(job, take) for take in known.get(job.key, {}).values())
    return {take.take: take for take in reused if take is not None}


def _known_takes(timeline: Any, folder: Path) -> dict[str, dict[int, TakeFile]]:
    """The takes that stand on a timeline in `folder`, by job key and number. What was tampered with is left out."""
    known: dict[str, dict[int, TakeFile]] = {}
    for clip in our_clips(timeline):
        facts = clip.metadata["v2s"]
        for name, reference in clip.media_references().items():
            try:
                fact = facts["takes"][name]
                take = TakeFile(
                    take=int(fact["take"]),
                    path=find_on_disk(reference.target_url, folder),
                    sha256=str(fact["sha256"]),
                    length=int(fact["length"]),
                    rate=int(fact["rate"]),
                    gain_db=float(fact["gain_db"]),
                    device=str(fact.get("device", "")),
                )
            except (MediaError, KeyError, TypeError, ValueError, AttributeError):
                continue
            known.setdefault(str(facts["key"]), {})[take.take] = take
    return known


def _read_earlier(output: Path) -> Any:
    """The timeline that stands where the result will go; None where there is none that can be read."""
    try:
        return read_timeline(output)
    except TimelineError:
        return None


def _foreign_urls(timeline: Any) -> list[str]:
    """Every `target_url` that is not ours."""
    return [
        url
        for clip in timeline.find_clips()
        if not is_ours(clip)
        for reference in clip.media_references().values()
        if (url := getattr(reference, "target_url", None))
    ]


def _relative_media_warnings(timeline: Any, source: Path, output: Path) -> tuple[str, ...]:
    """Existing `target_url`s are never changed, so relative ones only hold beside the input."""
    if output.parent.resolve() == source.resolve().parent:
        return ()
    count = sum(not is_absolute_url(url) for url in _foreign_urls(timeline))
    if not count:
        return ()
    return (
        f"{count} media paths on the timeline are relative and {output.name} lies in another folder, "
        "where they lead nowhere; write it beside the input",
    )
