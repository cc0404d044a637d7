"""One clip of ours: its takes as media references, and what a later run must know of it under `metadata["v2s"]`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import opentimelineio as otio

from v2s_engine import __version__
from v2s_plugin.media.urls import UrlStyle, url_like
from v2s_plugin.ours import facts_of, take_facts_of, text_of
from v2s_plugin.planning.bundle_facts import BundleFacts
from v2s_plugin.planning.clip_job import ClipJob, digest_of
from v2s_plugin.sounding.take_file import (
    ScoredJob,
    chosen_key,
    file_name,
    is_reference_key,
    reference_key,
    take_facts,
    take_reference,
)
from v2s_plugin.timing.rates import rational_time
from v2s_plugin.tracks.edits import SoundPlace, place_facts, place_of

if TYPE_CHECKING:
    from v2s_engine.guide import Guide


@dataclass(frozen=True)
class ClipStyle:
    """How clips of ours are written."""

    bundle: BundleFacts
    urls: UrlStyle
    """Form of new `target_url`s."""
    folder: Path
    """Where the timeline will lie, for relative `target_url`s."""
    seed: int = 0
    """The call's; a job's own depends on it."""


def new_clip(sound: ScoredJob, style: ClipStyle, twin: int = 0) -> Any:
    """The clip of a sound, under all of its pictures, with the first take chosen.

    `twin` tells it from others that sound the same at the same place.
    """
    job = sound.job
    clip = otio.schema.Clip(name=_name_of(job), metadata={"v2s": _facts(sound, style, twin)})
    clip.set_media_references(_references(sound, style), reference_key(sound.takes[0].take))
    set_place(clip, place_of(job), job.frame_rate)
    return clip


def updated_clip(before: Any, sound: ScoredJob, style: ClipStyle, twin: int = 0) -> Any:
    """A clip of ours as an editor left it, with the takes that its sound has now.

    Its range, effects, markers, colour, name if changed, and what other programs wrote on it stay; so do the chosen
    take, if there still is one of that number, and references that are none of ours.
    """
    clip = before.deepcopy()
    named = text_of(facts_of(before), "name")
    if not named or clip.name == named:
        clip.name = _name_of(sound.job)
    files = {text_of(fact, "file") for fact in take_facts_of(before).values()}
    references = _references(sound, style)
    for key, reference in before.media_references().items():
        name = file_name(getattr(reference, "target_url", None))
        if name and name not in files and not is_reference_key(key):
            references[key] = reference.deepcopy()
    active, chosen = str(before.active_media_reference_key), chosen_key(before)
    wanted = (key for key in (active, chosen, *references) if key in references)
    clip.set_media_references(references, next(wanted))
    clip.metadata["v2s"] = _facts(sound, style, twin)
    return clip


def set_place(clip: Any, place: SoundPlace, rate: float) -> None:
    """Have a clip use its file from `place.source_start`, for `place.duration`, in the pictures' rate."""
    start, duration = rational_time(place.source_start, rate), rational_time(place.duration, rate)
    clip.source_range = otio.opentime.TimeRange(start, duration)


def stretch_of(job: ClipJob) -> str:
    """SHA-256 in hex over a job's stretch of picture, whatever it is to sound like."""
    return digest_of([job.media.name, str(job.source_start), str(job.source_duration)])


def _references(sound: ScoredJob, style: ClipStyle) -> dict[str, Any]:
    return {reference_key(take.take): take_reference(take, style.urls, style.folder) for take in sound.takes}


def _name_of(job: ClipJob) -> str:
    return f"{job.label} ({job.sound_class})"


def _facts(sound: ScoredJob, style: ClipStyle, twin: int) -> dict[str, Any]:
    """What a later run needs to know: whether the sound still fits, which files hold it, where it was put."""
    job = sound.job
    return {
        "generated": True,
        "version": __version__,
        "key": job.key,
        "subject": job.subject,
        "stretch": stretch_of(job),
        "bundle": style.bundle.name,
        "bundle_digest": style.bundle.digest,
        "sound": job.sound_class,
        "seed": str(job.seed),  # OpenTimelineIO's integers are signed, seeds are not
        "call_seed": str(style.seed),
        "name": _name_of(job),
        "placed": place_facts(place_of(job)),
        "twin": twin,
        **({"scene": {"name": job.part.scene, "count": job.part.count, "alone": job.part.alone}} if job.part else {}),
        **({"guide": _guide_facts(job.guide, style)} if job.guide else {}),
        "takes": {reference_key(take.take): take_facts(take) for take in sound.takes},
    }


def _guide_facts(guide: Guide, style: ClipStyle) -> dict[str, str]:
    """Where a guide lies and what is in it, so that more takes can follow it.

    Relative where it lies below the timeline, so that a project may move as a whole.
    """
    folder = style.folder.absolute()
    inside = guide.path.is_relative_to(folder)
    return {"url": url_like("relative" if inside else "plain", guide.path, folder), "sha256": guide.sha256}
