"""More takes of sounds that stand on a timeline, made as their first ones were; nothing else is touched.

A take added differs from those that are there by its number alone: bundle, seed and pictures must be those recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

from v2s_engine.errors import BundleError, TimelineError, UsageError
from v2s_engine.progress import Progress
from v2s_plugin.clip_job import ClipJob
from v2s_plugin.jobs import MAX_TAKES, PlanOptions, plan
from v2s_plugin.making import MakeSource, make_missing
from v2s_plugin.media import style_of_urls
from v2s_plugin.media_library import Probe
from v2s_plugin.ours import facts_of, foreign_urls, take_facts_of, text_of
from v2s_plugin.sound_clips import BundleFacts
from v2s_plugin.sound_files import RATES, SoundFolder
from v2s_plugin.take_list import ListedSound
from v2s_plugin.takes import TakeFile, reference_key, take_facts, take_reference, takes_of, usual_device


@dataclass(frozen=True)
class _More:
    """What is added to one clip."""

    sound: ListedSound
    job: ClipJob
    """Asks for all takes up to the last that is added."""
    first: int
    """Number of the first take that is added."""


def recorded_bundle(sounds: Sequence[ListedSound]) -> tuple[str, str]:
    """Name and digest of the bundle that made these sounds. Raises `UsageError` where it was more than one."""
    facts = [facts_of(sound.standing.clip) for sound in sounds]
    bundles = {(text_of(fact, "bundle"), text_of(fact, "bundle_digest")) for fact in facts}
    if len(bundles) != 1:
        names = ", ".join(sorted(name for name, _ in bundles)) or "none"
        raise UsageError(f"these sounds were made with several bundles ({names}); name those of one with --clip")
    return next(iter(bundles))


def check_bundle(bundle: BundleFacts, sounds: Sequence[ListedSound]) -> None:
    """Raise `BundleError` where a bundle is not the one that made these sounds."""
    name, digest = recorded_bundle(sounds)
    if bundle.digest != digest:
        raise BundleError(
            f"these sounds were made with the bundle {name} ({digest[:12]}), and {bundle.name} is another "
            f"({bundle.digest[:12]}); give that one with --bundle, or make all anew with v2s generate"
        )


def add_takes(
    timeline: Any,
    sounds: Sequence[ListedSound],
    count: int,
    bundle: BundleFacts,
    make_source: MakeSource,
    *,
    folder: Path,
    media: Path,
    progress: Progress,
    search: tuple[Path, ...] = (),
    probe: Probe | None = None,
) -> int:
    """Make `count` more takes of each of these sounds and hang them on their clips; the choice stays.

    `folder` is where the timeline lies, `media` where new WAVs go. Returns how many takes were made.

    Raises `UsageError`, `BundleError` (another bundle), `TimelineError` (the pictures of a sound have changed, or one
    cannot be made), and what `make_source` raises.
    """
    check_bundle(bundle, sounds)
    if count < 1:
        raise UsageError(f"--add wants a number of takes from 1; got {count}")
    planned = _jobs_of(
        sounds, bundle, lambda ways: plan(timeline, folder, replace(ways, search=search), probe=probe).jobs
    )
    more = [_more(sound, count, job) for sound, job in zip(sounds, planned, strict=True)]
    device = usual_device([timeline], bundle.digest)
    style = style_of_urls(foreign_urls(timeline))
    made = 0
    for rate in sorted({_rate_of(each.sound) for each in more}):
        same_rate = [each for each in more if _rate_of(each.sound) == rate]
        takes = [{take.take: take for take in takes_of(each.sound.standing.clip, folder)} for each in same_rate]
        jobs = [each.job for each in same_rate]
        _, failed = make_missing(jobs, takes, SoundFolder(media, rate), make_source, earlier=device, progress=progress)
        for skip in failed.values():
            raise TimelineError(f"{skip.label} ({skip.where}): {skip.reason}; {skip.advice}")
        for each, files in zip(same_rate, takes, strict=True):
            new: Sequence[TakeFile] = [take for number, take in sorted(files.items()) if number >= each.first]
            made += len(new)
            new = _levelled(timeline, each, new, SoundFolder(media, rate), folder)
            _hang(each.sound.standing.clip, new, style, media.parent)
    return made


def _more(sound: ListedSound, count: int, job: ClipJob) -> _More:
    last = max(sound.takes, default=0)
    if last + count > MAX_TAKES:
        raise UsageError(f"{sound.name} ({sound.where}) would have {last + count} takes; the most is {MAX_TAKES}")
    return _More(sound, replace(job, takes=last + count), last + 1)


def _jobs_of(
    sounds: Sequence[ListedSound], bundle: BundleFacts, planned: Callable[[PlanOptions], Sequence[ClipJob]]
) -> list[ClipJob]:
    """The job of each sound: the one whose key it bears, and of several that sound the same the nearest."""
    found: dict[str, list[ClipJob]] = {}
    for options in _ways(sounds, bundle):
        if all(sound.standing.key in found for sound in sounds):
            break
        for job in planned(options):
            found.setdefault(job.key, []).append(job)
    for sound in sounds:
        if sound.standing.key not in found:
            raise TimelineError(
                f"no clip on the timeline shows what {sound.name} ({sound.where}) was made for: it was cut, marked or "
                "relinked since; run v2s generate again"
            )
    return [min(found[sound.standing.key], key=lambda job: _distance(job, sound)) for sound in sounds]


def _distance(job: ClipJob, sound: ListedSound) -> Fraction:
    """Seconds between a job and the place where V2S put a sound."""
    recorded = sound.standing.recorded
    return abs(job.timeline_start - recorded.start) if recorded else Fraction(0)


def _ways(sounds: Sequence[ListedSound], bundle: BundleFacts) -> Iterator[PlanOptions]:
    """How the timeline may have been planned so that these sounds came of it: each way gives other keys."""
    facts = [(sound.sound_class, text_of(facts_of(sound.standing.clip), "call_seed")) for sound in sounds]
    for sound_class, seed in dict.fromkeys(facts):
        if not seed.isdecimal() or int(seed) >= 2**64 or sound_class not in bundle.sound_classes:
            continue
        for covered, forced in product(("skip", "add"), (False, True)):
            yield PlanOptions(
                bundle_digest=bundle.digest,
                sound_classes=bundle.sound_classes,
                obeys_cues=bundle.obeys_cues,
                sound=None if forced else sound_class,
                sound_force=sound_class if forced else None,
                seed=int(seed),
                existing="add",
                covered=covered,
            )


def _rate_of(sound: ListedSound) -> int:
    rates = [fact.get("rate") for fact in take_facts_of(sound.standing.clip).values()]
    known = [rate for rate in rates if rate in RATES]
    if not known:
        raise TimelineError(f"{sound.name} ({sound.where}) has no take that can be read; run v2s generate again")
    return int(known[0])


def _levelled(
    timeline: Any, more: _More, takes: Sequence[TakeFile], sounds: SoundFolder, folder: Path
) -> Sequence[TakeFile]:
    """New takes with the levels that the others of their sound have."""
    if "mix" not in facts_of(more.sound.standing.clip):
        return takes
    from v2s_plugin.levels.mixing import mix_added  # noqa: PLC0415  (NumPy and FFmpeg: only where levels were set)

    return mix_added(timeline, more.sound.standing, more.job, takes, sounds, folder=folder)


def _hang(clip: Any, takes: Sequence[TakeFile], style: Any, folder: Path) -> None:
    references = clip.media_references() | {
        reference_key(take.take): take_reference(take, style, folder) for take in takes
    }
    clip.set_media_references(references, clip.active_media_reference_key)
    for take in takes:
        clip.metadata["v2s"]["takes"][reference_key(take.take)] = take_facts(take)
