"""Sounds onto the timeline: one audio track for each sound class, at the end of the stack; all else stays as it was.

    A: V2S dog      gap · clip · gap · clip      one clip per sound, its takes as media references `take 1`, `take 2`
    A: V2S dog 2          clip                   only where sounds of one class overlap in time
    A: V2S drum     clip

What V2S makes is known by `metadata["v2s"]["generated"]` alone, so tracks may be renamed and moved. A track holds gaps
and clips in the rate of the pictures: an editing program counts the same frames for both, and nothing drifts.

What an editor did to our clips and tracks stays. A clip of ours on a track of somebody else's is brought up to date
where it stands, unless its pictures have moved away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

import opentimelineio as otio

from v2s_plugin.ours import facts_of, is_ours, text_of
from v2s_plugin.planning.clip_job import ClipJob
from v2s_plugin.sounding.take_file import ScoredJob
from v2s_plugin.timing.rates import exact_rate
from v2s_plugin.timing.transitions import transitions_beside
from v2s_plugin.tracks.edits import (
    SoundPlace,
    StandingSound,
    is_whole,
    kept_place,
    match_sounds,
    place_facts,
    place_of,
    standing_sounds,
)
from v2s_plugin.tracks.fades import fades_of
from v2s_plugin.tracks.lanes import Lane, PlacedSound, gap_like, our_tracks, spread, standing_lanes
from v2s_plugin.tracks.sound_clips import ClipStyle, new_clip, set_place, stretch_of, updated_clip

Tracks = Literal["per-class", "single"]
"""Whether each sound class has tracks of its own, or all share theirs."""


@dataclass(frozen=True)
class WrittenBack:
    """A timeline with sounds on it."""

    timeline: Any
    dropped: tuple[StandingSound, ...] = ()
    """Sounds of an earlier run that are not on it any more: no clip shows their stretch of picture."""


@dataclass(frozen=True)
class _Stand:
    """A timeline on which sounds of an earlier run stand."""

    timeline: Any
    sounds: Sequence[StandingSound]
    same_cut: bool
    """Whether it is the very timeline that is scored."""
    our_tracks: frozenset[int]
    """Indices of the tracks of ours in its stack."""

    @classmethod
    def on(cls, timeline: Any, *, same_cut: bool) -> _Stand:
        """What stands on a timeline; None: there is none."""
        if timeline is None:
            return cls(None, (), same_cut, frozenset())
        return cls(timeline, standing_sounds(timeline), same_cut, our_tracks(timeline))

    def home_of(self, sound: StandingSound) -> int | None:
        """The track of ours on which a sound stands; None where that is somebody else's."""
        path = sound.index_path
        return path[0] if len(path) == 2 and path[0] in self.our_tracks else None


def with_sound_tracks(
    timeline: Any,
    scored: Sequence[ScoredJob],
    style: ClipStyle,
    *,
    tracks: Tracks = "per-class",
    earlier: Any = None,
    unselected: Sequence[ClipJob] | None = None,
) -> WrittenBack:
    """A copy of `timeline` with these sounds instead of those of an earlier run.

    Edits are looked for on `timeline`, then on `earlier` (the one that will be replaced). Where only some clips were
    to be sounded, `unselected` are the jobs of the others: what stands there already stays.
    """
    result = timeline.deepcopy()
    here, there = _Stand.on(result, same_cut=True), _Stand.on(earlier, same_cut=False)
    stand = here if here.sounds else there  # where an editor worked last
    writing = _Writing(timeline, stand, style, single=tracks == "single")
    used: set[int] = set()
    for sound, pieces, origin in _matched(scored, here, there):
        writing.add(sound, pieces, origin)
        used |= {id(piece) for piece in pieces}
    left = [sound for sound in stand.sounds if id(sound) not in used]
    if unselected is not None:
        kept = _kept(left, [sound.job for sound in scored], unselected, same_cut=stand.same_cut)
        writing.leave(kept)
        left = [sound for sound in left if all(sound is not piece for piece, _ in kept)]
    lanes = spread(writing.placed, standing_lanes(stand.timeline, single=writing.single) if stand.sounds else [])
    _take_out(result, here.sounds, writing.stays)
    _insert(result, lanes)
    return WrittenBack(result, tuple(left))


def without_sound_tracks(timeline: Any) -> Any:
    """A copy of `timeline` without what V2S made; everything else as it was.

    A track of ours on which somebody put clips of their own stays with those: it is no longer ours. There, and where
    somebody put a clip of ours on another track, gaps stand where our clips stood.
    """
    result = timeline.deepcopy()
    _take_out(result, standing_sounds(result), {})
    return result


def _matched(
    scored: Sequence[ScoredJob], here: _Stand, there: _Stand
) -> Iterator[tuple[ScoredJob, list[StandingSound], _Stand]]:
    """Every sound with the clips that stand for it: on the timeline itself, else on the one that will be replaced."""
    jobs = [sound.job for sound in scored]
    found = match_sounds(jobs, here.sounds)
    others = [index for index in range(len(jobs)) if index not in found]
    elsewhere = match_sounds([jobs[index] for index in others], there.sounds)
    replaced = {others[index]: pieces for index, pieces in elsewhere.items()}
    for index, sound in enumerate(scored):
        if index in found:
            yield sound, found[index], here
        else:
            yield sound, replaced.get(index, []), there


@dataclass
class _Writing:
    """The sounds of a run, one after the other, and where each belongs."""

    timeline: Any
    """As it was planned."""
    stand: _Stand
    """The timeline whose tracks of ours are used again."""
    style: ClipStyle
    single: bool
    """Whether all sounds share their tracks."""
    placed: list[PlacedSound] = field(default_factory=list)
    """What goes to tracks of ours."""
    stays: dict[tuple[int, ...], Any] = field(default_factory=dict)
    """What stays on tracks of somebody else's, by index path."""
    _twins: Counter[tuple[str, Fraction]] = field(default_factory=Counter)

    def add(self, sound: ScoredJob, pieces: Sequence[StandingSound], origin: _Stand) -> None:
        """A sound of this run; `pieces` are what stands for it on `origin`."""
        job = sound.job
        twin = self._twins[job.key, job.timeline_start]
        self._twins[job.key, job.timeline_start] += 1
        if not pieces:
            self._place(job, new_clip(sound, self.style, twin), place_of(job))
        for piece in pieces:
            clip = updated_clip(piece.clip, sound, self.style, twin)
            place = kept_place(piece, job, same_cut=origin.same_cut)
            if origin.same_cut and origin.home_of(piece) is None and _stands_at(piece, place):
                self.stays[piece.index_path] = clip
                continue
            if place != piece.place:
                set_place(clip, place, job.frame_rate)
            self._place(job, clip, place, piece, home=origin.home_of(piece) if origin is self.stand else None)

    def leave(self, pieces: Iterable[tuple[StandingSound, SoundPlace | None]]) -> None:
        """Sounds of an earlier run that this one leaves alone, and where they belong."""
        for piece, place in pieces:
            clip, home = piece.clip.deepcopy(), self.stand.home_of(piece)
            if self.stand.same_cut and home is None:
                self.stays[piece.index_path] = clip
            elif place is not None:
                rate = clip.source_range.duration.rate
                if place != piece.place:
                    set_place(clip, place, rate)
                    clip.metadata["v2s"]["placed"] = place_facts(place)
                group = "" if self.single else text_of(facts_of(clip), "sound")
                beside = _copied_transitions(piece, ours=True)
                self.placed.append(PlacedSound(clip, place, group, rate, home, kept=beside))

    def _place(
        self,
        job: ClipJob,
        clip: Any,
        place: SoundPlace,
        piece: StandingSound | None = None,
        *,
        home: int | None = None,
    ) -> None:
        begins, ends = is_whole(place, job)
        fade_in, fade_out = fades_of(job, self.timeline)
        own = place_of(job)
        self.placed.append(
            PlacedSound(
                clip,
                place,
                "" if self.single else job.sound_class,
                job.frame_rate,
                home,
                moved=place.start - place.source_start != own.start - own.source_start,
                fade_in=fade_in if begins else None,
                fade_out=fade_out if ends else None,
                kept=_copied_transitions(piece, ours=False) if piece else (None, None),
            )
        )


def _kept(
    sounds: Sequence[StandingSound], jobs: Iterable[ClipJob], unselected: Sequence[ClipJob], *, same_cut: bool
) -> list[tuple[StandingSound, SoundPlace | None]]:
    """Sounds that a run on some clips, `jobs`, leaves alone, and where they belong.

    Those of the other clips: where they stand, or under their pictures where those were cut anew. On the same cut also
    those that are nobody's any more: only a run on all clips drops them.
    """
    kept = []
    for index, pieces in match_sounds(unselected, sounds).items():
        for piece in pieces:
            kept.append((piece, piece.place if same_cut else kept_place(piece, unselected[index], same_cut=False)))
    if same_cut:
        found = {id(piece) for piece, _ in kept}
        claimed = {stretch_of(job) for job in jobs}
        others = (piece for piece in sounds if id(piece) not in found)
        kept += [(piece, piece.place) for piece in others if text_of(facts_of(piece.clip), "stretch") not in claimed]
    return kept


def _stands_at(piece: StandingSound, place: SoundPlace) -> bool:
    """Whether a clip that stands among somebody else's need not be taken away from there."""
    if piece.place is None:
        return True
    rate = exact_rate(piece.clip.source_range.duration.rate) or Fraction(1)
    return abs(piece.place.start - place.start) * rate <= Fraction(1, 2)


def _copied_transitions(piece: StandingSound, *, ours: bool) -> tuple[Any, Any]:
    """Copies of the transitions before and after a clip: those of ours too, or an editor's only."""
    before, after = (
        each.deepcopy() if each is not None and (ours or not is_ours(each)) else None
        for each in transitions_beside(piece.clip.parent(), piece.index_path[-1])
    )
    return before, after


def _take_out(timeline: Any, sounds: Iterable[StandingSound], stays: Mapping[tuple[int, ...], Any]) -> None:
    """Take what is ours out of a timeline; clips among somebody else's become what `stays` says, else gaps."""
    tracks = timeline.tracks
    pure = our_tracks(timeline)
    for sound in sorted(sounds, key=lambda sound: sound.index_path, reverse=True):
        parent, at = sound.clip.parent(), sound.index_path[-1]
        if sound.index_path[0] in pure:
            continue
        if (clip := stays.get(sound.index_path)) is not None:
            parent[at] = clip
        elif isinstance(parent, otio.schema.Track) and at == len(parent) - 1:
            del parent[at]
        else:
            parent[at] = gap_like(parent[at])
    for index in sorted(pure, reverse=True):
        del tracks[index]
    for track in tracks.find_children(otio.schema.Track):
        if is_ours(track):
            del track.metadata["v2s"]
        _drop_loose_transitions(track)


def _drop_loose_transitions(track: Any) -> None:
    """Take transitions of ours away that no clip of ours stands beside any more."""
    for at in reversed(range(len(track))):
        item = track[at]
        if isinstance(item, otio.schema.Transition) and is_ours(item):
            beside = [track[index] for index in (at - 1, at + 1) if 0 <= index < len(track)]
            if not any(isinstance(other, otio.schema.Clip) and is_ours(other) for other in beside):
                del track[at]


def _insert(timeline: Any, lanes: Sequence[Lane]) -> None:
    """Put tracks into the stack: at its end, or where an editor moved them."""
    total = len(timeline.tracks)
    for lane in reversed([lane for lane in lanes if lane.below is not None]):
        timeline.tracks.insert(min(lane.below or 0, total), lane.fill())
    for lane in lanes:
        if lane.below is None:
            timeline.tracks.append(lane.fill())
