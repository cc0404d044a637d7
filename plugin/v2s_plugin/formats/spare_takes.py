"""Takes for formats in which a clip holds one file: the chosen one in the clip, the others on spare tracks.

A: V2S dog            clip (take 2, chosen)
A: V2S dog take 1     clip, switched off
A: V2S dog take 3     clip, switched off
"""

from __future__ import annotations

from typing import Any

import opentimelineio as otio

from v2s_plugin.formats.sound_tracks import is_our_clip, sound_tracks_of
from v2s_plugin.ours import is_ours

ACTIVE = "active"
"""Key of a clip's facts: which of the takes the clip's one file is."""

SPARE = "spare"
"""Key of a track's facts: which take lies on it."""


def with_spare_takes(timeline: Any) -> Any:
    """A copy of a scored timeline in which every clip of ours holds one media reference.

    Takes that were not chosen lie in clips that are switched off, on a track for each number of a take, at the same
    places. `folded_takes` brings them back together.
    """
    result = timeline.deepcopy()
    for track in sound_tracks_of(result):
        keys = sorted({key for clip in _clips(track) for key in clip.media_references() if key != _chosen(clip)})
        spares = [_spare_track(track, key) for key in keys]
        for clip in _clips(track):
            _hold_only(clip, _chosen(clip))
        at = result.tracks.index(track) + 1
        for offset, spare in enumerate(spare for spare in spares if any(True for _ in _clips(spare))):
            result.tracks.insert(at + offset, spare)
    return result


def folded_takes(timeline: Any) -> Any:
    """A copy in which clips of ours hold all their takes again, and spare tracks are gone; undoes `with_spare_takes`.

    Where the editor switched a spare clip on instead of the chosen one, its take is the chosen one now.
    """
    result = timeline.deepcopy()
    tracks = sound_tracks_of(result)
    spares = [track for track in tracks if is_ours(track) and SPARE in track.metadata["v2s"]]
    others: dict[str, list[Any]] = {}
    for clip in (clip for track in spares for clip in _clips(track)):
        others.setdefault(str(clip.metadata["v2s"].get("key")), []).append(clip)
    for clip in (clip for track in tracks if track not in spares for clip in _clips(track)):
        facts = clip.metadata["v2s"]
        if ACTIVE not in facts:
            continue
        chosen = str(facts.pop(ACTIVE))
        references = {chosen: clip.media_reference.deepcopy()}
        for spare in others.get(str(facts.get("key")), ()):
            key = str(spare.metadata["v2s"].get(ACTIVE, chosen))
            references.setdefault(key, spare.media_reference.deepcopy())
            if spare.enabled and not clip.enabled:
                chosen, clip.enabled = key, True
        clip.set_media_references(references, chosen)
    for index in reversed([index for index, track in enumerate(result.tracks) if track in spares]):
        del result.tracks[index]
    return result


def _spare_track(track: Any, key: str) -> Any:
    """The takes of one number that were not chosen, at their places; gaps everywhere else."""
    spare = otio.schema.Track(f"{track.name} {key}", kind=otio.schema.TrackKind.Audio)
    spare.metadata["v2s"] = {"generated": True, SPARE: key}
    for item in track:
        if isinstance(item, otio.schema.Transition):
            continue
        if is_our_clip(item) and key in item.media_references() and key != _chosen(item):
            clip = item.deepcopy()
            _hold_only(clip, key)
            clip.name = f"{clip.name} {key}"
            clip.enabled = False
            spare.append(clip)
        else:
            duration = item.duration()
            start = otio.opentime.RationalTime(0, duration.rate)
            spare.append(otio.schema.Gap(source_range=otio.opentime.TimeRange(start, duration)))
    return spare


def _hold_only(clip: Any, key: str) -> None:
    reference = clip.media_references()[key].deepcopy()
    default = otio.schema.Clip.DEFAULT_MEDIA_KEY
    clip.set_media_references({default: reference}, default)
    clip.metadata["v2s"][ACTIVE] = key


def _chosen(clip: Any) -> str:
    return str(clip.active_media_reference_key)


def _clips(track: Any) -> list[Any]:
    return [item for item in track if is_our_clip(item)]
