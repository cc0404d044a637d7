"""Timelines whose sounds are given levels: tones for sounds, noise for speech, and what is heard."""

from pathlib import Path
from typing import Any

import numpy as np
import opentimelineio as otio
from numpy.typing import NDArray

from tests.plugin.cuts import ClickSource, clip, score, span, track
from v2s_engine.audio import read_sound, write_wav
from v2s_engine.pipeline import SoundRequest, SoundTake
from v2s_plugin.levels.options import LevelOptions
from v2s_plugin.scoring import ScoreResult

RATE = 48_000


class ToneSource(ClickSource):
    """Makes steady tones whose level follows the sound class and the take."""

    def __init__(self, *, drum_db: float = 0.0, peak: float = 0.1) -> None:
        super().__init__()
        self.drum, self.peak = 10 ** (drum_db / 20), peak

    def tone(self, request: SoundRequest, take: int) -> NDArray[np.float32]:
        level = self.peak * (self.drum if request.sound_class == "drum" else 1) / take
        hertz = 500 + 100 * int(float(request.picture_times[0]))
        moments = np.arange(request.length) / 16_000
        return np.asarray(level * np.sin(2 * np.pi * hertz * moments), np.float32)

    def generate(self, requests: Any, progress: Any = None) -> Any:
        for made in super().generate(requests, progress):
            assert isinstance(made, SoundTake)
            yield SoundTake(made.request, made.take, self.tone(made.request, made.take), made.envelope)


def shot(name: str = "a", start: float = 0, frames: float = 96, **given: Any) -> Any:
    return clip(name, f"{name}.mp4", source=span(start, frames, 24), **given)


def levelled(cut: Any, folder: Path, source: Any = None, **given: Any) -> ScoreResult:
    """Score with options about levels; `plan` and `rate` go to the call."""
    more = {name: given.pop(name) for name in ("plan", "rate", "in_place", "tracks", "output") if name in given}
    levels = LevelOptions(**given)
    return score(cut, folder, source or ToneSource(), force="in_place" not in more, levels=levels, **more)


def speech(path: Path, bursts: list[tuple[float, float]], seconds: float = 10, rate: int = 48_000) -> Path:
    """Noise at -23 dBFS RMS in bursts (start, end in seconds), over a room at -65 dBFS."""
    rng = np.random.default_rng(0)
    sound = rng.normal(0, 10 ** (-65 / 20), round(seconds * rate))
    for start, end in bursts:
        piece = slice(round(start * rate), round(end * rate))
        sound[piece] = np.clip(rng.normal(0, 0.07, piece.stop - piece.start), -0.9, 0.9)
    write_wav(path, sound.astype(np.float32), rate)
    return path


def voice(path: Path, *items: Any, name: str = "VO") -> Any:
    """A track with speech; of no items, the whole file from 0 s."""
    whole = clip(path.stem, path.name, source=span(0, 480, 48), available=span(0, 480, 48))
    return track(*(items or (whole,)), name=name, kind="Audio")


def track_sound(result: ScoreResult, name: str, rate: int = RATE) -> NDArray[np.float32]:
    """What is heard of one of our tracks, by its clips' own references and ranges."""
    ours = next(each for each in result.timeline.tracks if each.name == name)
    heard = np.zeros(round(float(ours.duration().to_seconds()) * rate) + 1, np.float32)
    at = 0.0
    for item in ours:
        if isinstance(item, otio.schema.Clip) and item.enabled:
            samples = read_sound(result.media_folder.parent / item.media_reference.target_url, rate)
            first = round(item.source_range.start_time.to_seconds() * rate)
            length = round(item.source_range.duration.to_seconds() * rate)
            heard[round(at * rate) : round(at * rate) + length] += samples[first : first + length]
        if not isinstance(item, otio.schema.Transition):
            at += item.duration().to_seconds()
    return heard


def gain_between(result: ScoreResult, plain: ScoreResult, seconds: float) -> float:
    """The gain in dB at a moment of the first track, over the 20 ms around it."""
    window = slice(round((seconds - 0.01) * RATE), round((seconds + 0.01) * RATE))
    mixed, before = (track_sound(each, "V2S dog")[window] for each in (result, plain))
    return float(20 * np.log10(np.std(mixed) / np.std(before)))
