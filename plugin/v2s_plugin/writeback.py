"""Sounds onto the timeline: one audio track for each sound class, at the end of the stack; all else stays as it was.

    A: V2S dog      gap · clip · gap · clip      one clip per sound, its takes as media references `take 1`, `take 2`
    A: V2S dog 2          clip                   only where sounds of one class overlap in time
    A: V2S drum     clip

What V2S makes is known by `metadata["v2s"]["generated"]` alone, so tracks may be renamed and moved. A track holds gaps
and clips in the rate of the pictures: an editing program counts the same frames for both, and nothing drifts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio

from v2s_engine import __version__
from v2s_engine.grid import DELIVERY_RATE
from v2s_plugin.clip_job import ClipJob
from v2s_plugin.media import UrlStyle, url_like
from v2s_plugin.ours import is_ours, our_clips
from v2s_plugin.rates import exact_rate, exact_seconds, rational_time


@dataclass(frozen=True)
class BundleFacts:
    """What a timeline remembers of the bundle that made its sounds."""

    name: str
    digest: str
    sound_classes: tuple[str, ...]
    obeys_cues: bool = True
    """Whether markers `v2s:cue` can be obeyed; not written to the timeline."""


@dataclass(frozen=True)
class TakeFile:
    """One take as it lies on the disk."""

    take: int
    """Number of the take, from 1."""
    path: Path
    sha256: str
    """Of the whole file, in hex."""
    length: int
    """Samples at `rate`."""
    rate: int
    """Samples per second."""
    gain_db: float = 0.0
    """What the take was turned by so that it does not clip; 0 or negative."""
    reused: bool = False
    """Whether it was there already."""
    device: str = ""
    """What it was made on: `cpu`, `cuda/16`, ...; empty where an earlier version did not say."""


@dataclass(frozen=True)
class ScoredJob:
    """A clip job and its takes, rising by number."""

    job: ClipJob
    takes: tuple[TakeFile, ...]


def with_sound_tracks(
    timeline: Any,
    scored: Sequence[ScoredJob],
    bundle: BundleFacts,
    *,
    style: UrlStyle,
    folder: Path,
    earlier: Any = None,
) -> Any:
    """A copy of `timeline` whose earlier tracks of ours are replaced by tracks with these sounds.

    `folder` is where the timeline will lie, for relative `target_url`s; `style` is their form. Of a clip with the same
    job key on `timeline`, or on `earlier` (the timeline that will be replaced), stay the chosen take and what the
    editor put on it (effects, markers, disabled, colour).
    """
    sources = [each for each in (earlier, timeline) if each is not None]
    before = {str(clip.metadata["v2s"]["key"]): clip for each in sources for clip in our_clips(each)}
    result = without_sound_tracks(timeline)
    by_class: dict[str, list[ScoredJob]] = {}
    for sound in sorted(scored, key=lambda sound: (sound.job.timeline_start, sound.job.index_path)):
        by_class.setdefault(sound.job.sound_class, []).append(sound)
    for sound_class in sorted(by_class):
        for number, lane in enumerate(_lanes(by_class[sound_class]), start=1):
            track = otio.schema.Track(
                name=f"V2S {sound_class}" + (f" {number}" if number > 1 else ""),
                kind=otio.schema.TrackKind.Audio,
                metadata={"v2s": {"generated": True, "sound": sound_class, "version": __version__}},
            )
            for item in _items(lane, bundle, before, style, folder):
                track.append(item)
            result.tracks.append(track)
    return result


def without_sound_tracks(timeline: Any) -> Any:
    """A copy of `timeline` without what V2S made; everything else as it was.

    A track of ours on which somebody put clips of their own stays with those: it is no longer ours, and gaps stand
    where our clips stood.
    """
    result = timeline.deepcopy()
    for index in reversed(range(len(result.tracks))):
        track = result.tracks[index]
        if not (isinstance(track, otio.schema.Track) and is_ours(track)):
            continue
        if all(is_ours(item) or isinstance(item, otio.schema.Gap) for item in track):
            del result.tracks[index]
        else:
            _leave_to_editor(track)
    return result


def reference_key(take: int) -> str:
    """Key of a take among its clip's media references."""
    return f"take {take}"


def _lanes(sounds: Sequence[ScoredJob]) -> list[list[ScoredJob]]:
    """Sounds, rising by start, spread over as few tracks as keep them from overlapping."""
    lanes: list[list[ScoredJob]] = []
    for sound in sounds:
        for lane in lanes:
            if lane[-1].job.timeline_end <= sound.job.timeline_start:
                lane.append(sound)
                break
        else:
            lanes.append([sound])
    return lanes


def _items(
    lane: Sequence[ScoredJob],
    bundle: BundleFacts,
    before: Mapping[str, Any],
    style: UrlStyle,
    folder: Path,
) -> Iterator[Any]:
    end = Fraction(0)
    rates = [sound.job.frame_rate for sound in lane]
    for sound in lane:
        job = sound.job
        if job.timeline_start > end:
            yield _gap(job.timeline_start - end, [job.frame_rate, *rates, float(DELIVERY_RATE)])
        clip = _clip(sound, bundle, style, folder)
        if (old := before.get(job.key)) is not None:
            _keep_edits(clip, old)
        yield clip
        end = job.timeline_end


def _gap(seconds: Fraction, rates: Sequence[float]) -> Any:
    """A gap in the first of the rates in which it is a whole number of frames, else in the first of them."""
    exact = {rate: found for rate in rates if (found := exact_rate(rate)) is not None}
    rate = next((rate for rate in exact if (seconds * exact[rate]).denominator == 1), next(iter(exact)))
    start, duration = rational_time(Fraction(0), rate), rational_time(seconds, rate)
    return otio.schema.Gap(source_range=otio.opentime.TimeRange(start, duration))


def _clip(sound: ScoredJob, bundle: BundleFacts, style: UrlStyle, folder: Path) -> Any:
    job = sound.job
    references = {
        reference_key(take.take): otio.schema.ExternalReference(
            target_url=url_like(style, take.path, folder),
            available_range=otio.opentime.TimeRange(
                otio.opentime.RationalTime(0, take.rate), otio.opentime.RationalTime(take.length, take.rate)
            ),
        )
        for take in sound.takes
    }
    clip = otio.schema.Clip(
        name=f"{job.label} ({job.sound_class})",
        source_range=otio.opentime.TimeRange(
            rational_time(Fraction(0), job.frame_rate), rational_time(job.duration, job.frame_rate)
        ),
        metadata={"v2s": _facts(sound, bundle)},
    )
    clip.set_media_references(references, reference_key(sound.takes[0].take))
    return clip


def _facts(sound: ScoredJob, bundle: BundleFacts) -> dict[str, Any]:
    """What a later run needs to know: whether the sound still fits, and which files hold it."""
    job = sound.job
    return {
        "generated": True,
        "version": __version__,
        "key": job.key,
        "bundle": bundle.name,
        "bundle_digest": bundle.digest,
        "sound": job.sound_class,
        "seed": str(job.seed),  # OpenTimelineIO's integers are signed, seeds are not
        "takes": {
            reference_key(take.take): {
                "take": take.take,
                "sha256": take.sha256,
                "length": take.length,
                "rate": take.rate,
                "gain_db": take.gain_db,
                "device": take.device,
            }
            for take in sound.takes
        },
    }


def _keep_edits(clip: Any, before: Any) -> None:
    """Carry over what the editor did to the clip that stood here before."""
    if before.active_media_reference_key in clip.media_references():
        clip.active_media_reference_key = before.active_media_reference_key
    clip.enabled = before.enabled
    clip.effects.extend(effect.deepcopy() for effect in before.effects)
    clip.markers.extend(marker.deepcopy() for marker in before.markers)
    if before.color is not None:
        clip.color = before.color


def _leave_to_editor(track: Any) -> None:
    del track.metadata["v2s"]
    for index, item in enumerate(track):
        if is_ours(item):
            duration = item.duration()
            track[index] = _gap(exact_seconds(duration) or Fraction(0), [duration.rate, float(DELIVERY_RATE)])
