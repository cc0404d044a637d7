"""Mixed takes: what stands on our tracks as files with levels, each beside its plain take.

Mixed where the sounds stand on the scored timeline, an editor's own moves and trims included. The same plain take is
another mixed one at another place, and the same mix is the same file: nothing is written twice.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from v2s_engine.audio import read_sound
from v2s_engine.grid import round_half_up
from v2s_engine.loudness import LOUDNESS_FLOOR, integrated_loudness, true_peak
from v2s_engine.progress import Progress
from v2s_plugin.levels.ducking import NO_DUCKING, Ducking, find_ducking
from v2s_plugin.levels.options import LevelOptions
from v2s_plugin.levels.panning import panned
from v2s_plugin.media.urls import UrlStyle
from v2s_plugin.ours import facts_of
from v2s_plugin.sounding.sound_files import SoundFolder
from v2s_plugin.sounding.take_file import ScoredJob, TakeFile, chosen_key, hang_takes, reference_key
from v2s_plugin.timing.rates import Span
from v2s_plugin.timing.transitions import transitions_beside
from v2s_plugin.tracks.edits import SoundPlace, StandingSound, match_sounds, place_of, standing_sounds

if TYPE_CHECKING:
    from v2s_plugin.planning.clip_job import ClipJob

CEILING_DBTP = -1.0
"""True peak that no mixed take passes."""

_REACHED_LU = 0.05  # closer than this to the target is reached
_MOST_PASSES = 5
_SAME_PLACE = Fraction(1, 1000)  # seconds that a timeline's own rounding may move an end
_LONGEST_SILENCE = 2  # seconds measured of a gap: all that is longer is gated out anyway


@dataclass(frozen=True)
class Mixed:
    """What came of it."""

    scored: tuple[ScoredJob, ...]
    """With the mixed takes."""
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Standing:
    """A sound on the timeline to be mixed."""

    clip: Any
    index: int
    """Of its job among the scored ones."""
    place: SoundPlace
    track: tuple[int, ...]
    """Where its track is in the timeline."""
    track_name: str
    cuts: tuple[bool, bool]
    """Whether it begins, and ends, with a cut of the sound: without a transition, and not within a scene."""

    def origin(self, rate: int) -> int:
        """The timeline's sample at which its file begins."""
        return round_half_up((self.place.start - self.place.source_start) * rate)

    def heard(self, rate: int) -> slice:
        """Which samples of its file are heard."""
        first = round_half_up(self.place.source_start * rate)
        length = round_half_up(self.place.end * rate) - round_half_up(self.place.start * rate)
        return slice(max(0, first), max(0, first + length))


def mix(
    timeline: Any,
    scored: Sequence[ScoredJob],
    options: LevelOptions,
    sounds: SoundFolder,
    *,
    folder: Path,
    timeline_folder: Path,
    style: UrlStyle,
    progress: Progress,
) -> Mixed:
    """Give every sound of these jobs on a scored timeline its levels: the timeline's clips then name mixed takes.

    Changes `timeline`. Media of other clips count from `folder`; ours will lie beside `timeline_folder`, in the form
    `style`. Raises `UsageError` for a track to duck under that is not there, `OutputError`, `MediaError` where pictures
    cannot be read, `CancelledError`.
    """
    standing = _all_standing(timeline, [sound.job for sound in scored])
    ducking = _ducking(timeline, options, standing, folder)
    desk = _Desk(options, sounds, ducking)
    results = list(scored)
    warnings = list(ducking.warnings)
    done = 0
    for track in sorted({each.track for each in standing}):
        on_track = sorted((each for each in standing if each.track == track), key=lambda each: each.place.start)
        gain_db, warning = _track_gain(on_track, scored, options, sounds.rate)
        warnings += [warning] if warning else []
        for each in on_track:
            job = scored[each.index].job
            progress.step("mix", done, len(standing), job.label)
            done += 1
            told = {take.take: desk.mixed(each, job, take, gain_db) for take in _takes(each, scored)}
            _put_on(each.clip, told.values(), style, timeline_folder, options.facts | {"gain_db": gain_db})
            takes = tuple(told.get(take.take, take) for take in results[each.index].takes)
            results[each.index] = replace(results[each.index], takes=takes)
    return Mixed(tuple(results), tuple(warnings))


def mix_added(
    timeline: Any, sound: StandingSound, job: ClipJob, takes: Sequence[TakeFile], sounds: SoundFolder, *, folder: Path
) -> list[TakeFile]:
    """Plain takes that are added to a sound, with the levels that its clip remembers; plain where it remembers none.

    They get the gain of the track, or less where a peak would pass the limit. `folder` is the timeline's. Raises as
    `mix`.
    """
    options = LevelOptions.recorded(facts_of(sound.clip).get("mix"))
    standing = _standing(sound, 0, job)
    if options is None or standing is None:
        return list(takes)
    desk = _Desk(options, sounds, _ducking(timeline, options, [standing], folder))
    gain_db = facts_of(sound.clip)["mix"].get("gain_db", 0.0)
    mixed = []
    for take in takes:
        peak = -math.inf if options.lufs is None else true_peak(read_sound(take.path, take.rate), take.rate)
        mixed.append(desk.mixed(standing, job, take, min(gain_db, CEILING_DBTP - peak)))
    return mixed


def _ducking(timeline: Any, options: LevelOptions, standing: Sequence[_Standing], folder: Path) -> Ducking:
    spans = [Span(each.place.start, each.place.end) for each in standing]
    if not options.duck:
        return NO_DUCKING
    return find_ducking(timeline, options.duck, options.duck_by_db, folder=folder, spans=spans)


class _Desk:
    """Makes mixed takes; looks at each stretch of picture once."""

    def __init__(self, options: LevelOptions, sounds: SoundFolder, ducking: Ducking) -> None:
        self._options = options
        self._sounds = sounds
        self._ducking = ducking
        self._places: dict[str, NDArray[np.float32]] = {}

    def mixed(self, standing: _Standing, job: ClipJob, take: TakeFile, gain_db: float) -> TakeFile:
        """One plain take as it sounds where it stands."""
        samples = _faded(read_sound(take.path, take.rate), standing, self._options, take.rate)
        samples *= 10 ** (gain_db / 20)
        samples *= self._ducking.gain(standing.origin(take.rate), len(samples), take.rate)
        if self._options.pan == "motion":
            samples = panned(samples, self._motion(job), take.rate)
        return self._sounds.deliver_mix(take, samples)

    def _motion(self, job: ClipJob) -> NDArray[np.float32]:
        from v2s_engine.vision.motion_place import read_motion_places  # noqa: PLC0415  (OpenCV)

        if job.key not in self._places:
            self._places[job.key] = read_motion_places(job.media, job.picture_times)
        return self._places[job.key]


def _all_standing(timeline: Any, jobs: Sequence[ClipJob]) -> list[_Standing]:
    """The sounds of some jobs where they stand; one that an editor has cut in two stands twice."""
    matched = match_sounds(jobs, standing_sounds(timeline))
    found = (
        _standing(sound, index, jobs[index])
        for index, sounds in matched.items()
        for sound in sounds
        if sound.key == jobs[index].key
    )
    return [each for each in found if each is not None]


def _standing(sound: StandingSound, index: int, job: ClipJob) -> _Standing | None:
    """A sound of ours to be mixed; None where its place is not known."""
    if sound.place is None:
        return None
    transitions = transitions_beside(sound.clip.parent(), sound.index_path[-1])
    goes_on = _goes_on(sound.place, job)
    cuts = (not (transitions[0] or goes_on[0]), not (transitions[1] or goes_on[1]))
    return _Standing(sound.clip, index, sound.place, sound.index_path[:-1], sound.track_name, cuts)


def _goes_on(place: SoundPlace, job: ClipJob) -> tuple[bool, bool]:
    """Whether a sound goes on from the clip before it, and into the one after it; not where an editor moved its end."""
    own, joins = place_of(job), job.joins
    return joins[0] and abs(place.start - own.start) < _SAME_PLACE, joins[1] and abs(place.end - own.end) < _SAME_PLACE


def _takes(standing: _Standing, scored: Sequence[ScoredJob]) -> list[TakeFile]:
    """The takes of a sound that its clip still has."""
    references = standing.clip.media_references()
    return [take for take in scored[standing.index].takes if reference_key(take.take) in references]


def _track_gain(
    standing: Sequence[_Standing], scored: Sequence[ScoredJob], options: LevelOptions, rate: int
) -> tuple[float, str | None]:
    """The dB that bring the sounds of one track to the loudness asked for, and a warning where they do not.

    Measured before ducking, which is there to be heard: a track that is ducked is quieter than the target. Measured
    again with the gain, because what the standard counts as silence does not move with it.
    """
    target = options.lufs
    if target is None:
        return 0.0, None
    name = standing[0].track_name
    loudness = _loudness(standing, scored, options, rate, 0.0)
    if loudness is None:
        return 0.0, f"{name} is silent, so --lufs {target:g} leaves it as it is; choose another take or sound"
    files = {take.path for each in standing for take in _takes(each, scored)}
    room_db = CEILING_DBTP - max(true_peak(read_sound(path, rate), rate) for path in files)
    gain_db = 0.0
    for _ in range(_MOST_PASSES):
        wanted_db = gain_db + target - loudness
        gain_db = math.floor(min(wanted_db, room_db) * 100) / 100
        loudness = _loudness(standing, scored, options, rate, gain_db) or LOUDNESS_FLOOR
        if wanted_db > room_db or abs(target - loudness) <= _REACHED_LU:
            break
    if abs(target - loudness) <= _REACHED_LU:
        return gain_db, None
    reached = f"{name} reaches {loudness:.1f} LUFS instead of {target:g}"
    if wanted_db <= room_db:
        return gain_db, f"{reached}: too much of it is near silence; ask for a louder --lufs, or set the track by ear"
    return gain_db, (
        f"{reached}: louder, a peak would pass {CEILING_DBTP:g} dBTP; "
        f"ask for --lufs {math.floor(loudness):d} or less, or choose less peaky takes"
    )


def _loudness(
    standing: Sequence[_Standing], scored: Sequence[ScoredJob], options: LevelOptions, rate: int, gain_db: float
) -> float | None:
    """LUFS of what is heard of one track, turned by a gain; None where it is silent."""
    factor = np.float32(10 ** (gain_db / 20))
    return integrated_loudness((piece * factor for piece in _programme(standing, scored, options, rate)), rate)


def _programme(
    standing: Sequence[_Standing], scored: Sequence[ScoredJob], options: LevelOptions, rate: int
) -> Iterator[NDArray[np.float32]]:
    """What is heard of one track: its chosen takes and the silence between them, from the timeline's start."""
    position = 0
    for each in standing:
        key = chosen_key(each.clip)
        take = next((take for take in _takes(each, scored) if reference_key(take.take) == key), None)
        if take is None or not each.clip.enabled:
            continue
        silence = round_half_up(each.place.start * rate) - position
        longest = _LONGEST_SILENCE * rate
        if silence > longest:  # shortened by whole steps of the standard's gate
            silence = longest + (silence - longest) % (rate // 10)
        yield np.zeros(max(0, silence), np.float32)
        samples = _faded(read_sound(take.path, rate), each, options, rate)[each.heard(rate)]
        yield samples
        position = round_half_up(each.place.start * rate) + len(samples)


def _faded(samples: NDArray[np.float32], standing: _Standing, options: LevelOptions, rate: int) -> NDArray[np.float32]:
    """The samples of a file with the fades asked for where its clip is cut."""
    if options.fade is None:
        return samples
    heard = samples[standing.heard(rate)]
    length = min(round_half_up(Fraction(options.fade) * rate / 1000), len(heard) // 2)
    if length:
        curve = (0.5 - 0.5 * np.cos(np.pi * (np.arange(length) + 0.5) / length)).astype(np.float32)
        if standing.cuts[0]:
            heard[:length] *= curve
        if standing.cuts[1]:
            heard[len(heard) - length :] *= curve[::-1]
    return samples


def _put_on(clip: Any, takes: Iterable[TakeFile], style: UrlStyle, folder: Path, facts: dict[str, Any]) -> None:
    """Have a clip name mixed takes and remember what was asked for; its choice stays."""
    hang_takes(clip, takes, style, folder)
    clip.metadata["v2s"]["mix"] = facts
