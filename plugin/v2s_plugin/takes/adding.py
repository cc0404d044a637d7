"""More takes of sounds that stand on a timeline, made as their first ones were; nothing else is touched.

A take added differs from those that are there by its number alone: bundle, seed and pictures must be those recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from v2s_engine.errors import BundleError, TimelineError, UsageError
from v2s_engine.progress import Progress
from v2s_plugin.media.library import Probe
from v2s_plugin.media.urls import style_of_urls
from v2s_plugin.ours import facts_of, foreign_urls, take_facts_of, text_of
from v2s_plugin.planning.bundle_facts import BundleFacts
from v2s_plugin.planning.clip_job import ClipJob
from v2s_plugin.planning.jobs import MAX_TAKES, plan
from v2s_plugin.sounding.making import MakeSource, make_missing
from v2s_plugin.sounding.sound_files import RATES, SoundFolder
from v2s_plugin.sounding.take_file import TakeFile, hang_takes, takes_of, usual_device
from v2s_plugin.takes.listing import ListedSound, list_sounds
from v2s_plugin.takes.recorded_guides import read_guides
from v2s_plugin.takes.recorded_jobs import RecordedScene, recorded_scenes


@dataclass(frozen=True)
class _More:
    """What is added to sounds that are one: those of a scene, or a single one."""

    scene: RecordedScene
    last: int
    """Number of the last take that is added."""
    rate: int
    """Samples per second of their files."""

    @property
    def jobs(self) -> list[ClipJob]:
        """The jobs, which ask for all takes up to the last."""
        return [replace(job, takes=self.last) for job in self.scene.jobs]


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
    envelope_from: Path | None = None,
    probe: Probe | None = None,
) -> int:
    """Make `count` more takes of each of these sounds and hang them on their clips; the choice stays.

    Sounds that are one with these over cuts get them too: alone, a take of one would not join the others'.

    `folder` is where the timeline lies, `media` where new WAVs go, `envelope_from` where the guide that
    timed the sounds lies now, if not in its place. Returns how many takes were made.

    Raises `UsageError`, `BundleError` (another bundle), `TimelineError` (the pictures or the guide of a sound have
    changed, or one cannot be made), and what `make_source` raises.
    """
    check_bundle(bundle, sounds)
    if count < 1:
        raise UsageError(f"--add wants a number of takes from 1; got {count}")
    scenes = recorded_scenes(
        sounds,
        list_sounds(timeline),
        bundle,
        read_guides(sounds, folder, envelope_from),
        lambda ways: plan(timeline, folder, replace(ways, search=search), probe=probe).jobs,
    )
    more = [_more(scene, count) for scene in scenes]
    device = usual_device([timeline], bundle.digest)
    style = style_of_urls(foreign_urls(timeline))
    made = 0
    for rate in sorted({each.rate for each in more}):
        same_rate = [each for each in more if each.rate == rate]
        files = SoundFolder(media, rate)
        jobs = [job for each in same_rate for job in each.jobs]
        standing = [sounds for each in same_rate for sounds in each.scene.sounds]
        takes = [
            {take.take: take for sound in sounds for take in takes_of(sound.standing.clip, folder)}
            for sounds in standing
        ]
        _, failed = make_missing(jobs, takes, files, make_source, earlier=device, progress=progress)
        for skip in failed.values():
            raise TimelineError(str(skip))
        for job, of_job, known in zip(jobs, standing, takes, strict=True):
            for sound in of_job:
                had = max(sound.takes, default=0)
                new: Sequence[TakeFile] = [take for number, take in sorted(known.items()) if number > had]
                made += len(new)
                new = _levelled(timeline, sound, job, new, files, folder=folder)
                hang_takes(sound.standing.clip, new, style, media.parent)
    return made


def _more(scene: RecordedScene, count: int) -> _More:
    sounds = [sound for each in scene.sounds for sound in each]
    last = max((take for sound in sounds for take in sound.takes), default=0)
    if last + count > MAX_TAKES:
        first = sounds[0]
        raise UsageError(f"{first.name} ({first.where}) would have {last + count} takes; the most is {MAX_TAKES}")
    return _More(scene, last + count, _rate_of(sounds[0]))


def _rate_of(sound: ListedSound) -> int:
    rates = [fact.get("rate") for fact in take_facts_of(sound.standing.clip).values()]
    known = [rate for rate in rates if rate in RATES]
    if not known:
        raise TimelineError(f"{sound.name} ({sound.where}) has no take that can be read; run v2s generate again")
    return int(known[0])


def _levelled(
    timeline: Any, sound: ListedSound, job: ClipJob, takes: Sequence[TakeFile], sounds: SoundFolder, *, folder: Path
) -> Sequence[TakeFile]:
    """New takes with the levels that the others of their sound have."""
    if "mix" not in facts_of(sound.standing.clip):
        return takes
    from v2s_plugin.levels.mixing import mix_added  # noqa: PLC0415  (NumPy and FFmpeg: only where levels were set)

    return mix_added(timeline, sound.standing, job, takes, sounds, folder=folder)
