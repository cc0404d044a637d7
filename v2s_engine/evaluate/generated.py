"""Sounds made from clips' pictures, held against the sounds recorded with them and against two shuffled nulls.

The nulls hold each recording against the sound made for another clip, looped or cut to its length. Any other clip: what
a method gets whose sounds have nothing to do with these pictures. Another clip of the same category: what it gets that
knows what is seen, and not when it happens. A figure means something only where it is apart from its null, and shows
timing only where it is apart from the second one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from v2s_engine.evaluate.alignment import CurveMatch, Movement, av_align, compare_sounds
from v2s_engine.evaluate.clips import HeardClip, clip_conditioning
from v2s_engine.evaluate.methods import Method
from v2s_engine.evaluate.onset_scores import EVENT_STRENGTH, Onsets, OnsetScores, onset_f1, score_onsets, sound_onsets
from v2s_engine.evaluate.sound_quality import SoundQuality, measure_quality, take_diversity
from v2s_engine.evaluate.statistics import Mean, PairedDifference, bootstrap_mean, derangement, paired_difference
from v2s_engine.model.conditioning import looped
from v2s_engine.progress import Progress
from v2s_engine.sampling.choose import open_sampler
from v2s_engine.sampling.fold import fold_weights
from v2s_engine.sampling.lockstep import RowJob
from v2s_engine.sampling.sampler import Row
from v2s_engine.sampling.sound_jobs import sampled_sounds
from v2s_engine.train.parameters import numpy_parameters

Samples = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class SoundedClip:
    """One clip and what a method made from its pictures."""

    name: str
    category: str
    recorded: Samples
    takes: tuple[Samples, ...]
    """Each as long as the recording; the first one is measured, the others only for how they differ."""
    movement: Movement | None
    """None where the pictures could not be measured."""


@dataclass(frozen=True)
class Compared:
    """One figure for a method, its nulls, and the paired differences over the clips that have both."""

    value: Mean
    null: Mean
    """With the sound made for any other clip."""
    difference: PairedDifference
    null_within: Mean
    """With the sound made for another clip of the same category."""
    difference_within: PairedDifference


@dataclass(frozen=True)
class QualityMeans:
    """Means of `SoundQuality` over clips; n says how many have each figure."""

    loudness_lufs: Mean
    loudness_spread: float | None
    """Standard deviation of the loudness between clips in dB; None below two."""
    true_peak_dbtp: Mean
    silence: Mean
    lead_ms: Mean
    tail_ms: Mean
    dc_offset: Mean
    clipped_samples: int
    clipped_clips: int


@dataclass(frozen=True)
class GeneratedResult:
    """What a method's sounds are like."""

    n: int
    takes: int
    onsets: OnsetScores
    onsets_null: OnsetScores
    onsets_null_within: OnsetScores
    onset_f1: Compared
    """The mean of the clips' own F1; `onsets` counts all clips' events together."""
    correlation: Compared
    """Of the loudness curves, made and recorded."""
    best_correlation: Compared
    """The same at the lag that suits it best."""
    lag_ms: Compared
    """That lag's size, whichever way."""
    align: Compared
    """AV-Align of the pictures' movement with the made sound, window 64 ms."""
    align_recorded: Mean
    """The same with the recorded sound: what can be reached."""
    align_frame: Compared
    """AV-Align with the original's window, one frame of the file."""
    quality: QualityMeans
    quality_recorded: QualityMeans
    diversity: Mean
    """Log-spectral distance between takes, dB; 0 where seeds are ignored."""

    def gaps(self) -> list[str]:
        """Why figures are missing, or rest on fewer clips than the others."""
        quality, n = self.quality, self.n
        causes = {
            "envelope correlation: the loudness of the recorded or the made sound is flat, or lasts under 128 ms": (
                n - self.correlation.value.n
            ),
            "AV-Align: nothing moves and nothing starts, or the pictures could not be measured": n - self.align.value.n,
            "loudness: the made sound is below -70 LUFS or shorter than 400 ms": n - quality.loudness_lufs.n,
            "true peak: the made sound is silent": n - quality.true_peak_dbtp.n,
            "diversity: it wants two takes": n - self.diversity.n,
            "nulls: they want two clips": n if n < 2 else 0,
            "nulls within a class: no sound was made for another clip of the class": n - self.onsets_null_within.clips,
            "recall and average precision: the recorded sounds have no events": 0 if self.onsets.true else n,
            "precision: the made sounds have no events": 0 if self.onsets.predicted else n,
        }
        return [f"{cause} ({count} of {n} clips)" for cause, count in causes.items() if count]


def sound_clips(
    method: Method,
    clips: Sequence[HeardClip],
    movements: Mapping[str, Movement],
    *,
    takes: int = 2,
    temperature: float = 1.0,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[SoundedClip]:
    """Make sounds for clips from their pictures (and categories, where the method is told them), on the CPU."""
    progress = progress or Progress()
    made: dict[tuple[int, int], Samples] = {}
    for model in method.models:
        jobs: list[tuple[tuple[int, int], RowJob]] = []
        for index, clip in enumerate(clips):
            scorer, class_index = method.model_of(clip.category)
            if scorer is model:
                told = clip_conditioning(model, clip, clip.length, class_index)
                for take in range(1, takes + 1):
                    # Keyed by the clip as well: no two clips share their chance.
                    row = Row(seed, index * takes + take, temperature)
                    jobs.append(((index, take), RowJob(row, told.vectors, clip.length, told.starts)))
        if not jobs:
            continue
        sampler = open_sampler(fold_weights(numpy_parameters(model), model.config), "cpu")
        for tag, sound in sampled_sounds(sampler, jobs, lambda tag, done: progress.check()):
            made[tag] = sound
            progress.step(f"{method.name}, sounds", len(made), len(clips) * takes)
    return [
        SoundedClip(
            name=clip.name,
            category=clip.category,
            recorded=clip.samples,
            takes=tuple(made[index, take] for take in range(1, takes + 1)),
            movement=movements.get(clip.name),
        )
        for index, clip in enumerate(clips)
    ]


def measure_sounds(clips: Sequence[SoundedClip], *, seed: int = 0) -> GeneratedResult:
    """All figures of some clips that were sounded, each beside its nulls where it has them."""
    made = [_figures(clip, clip.takes[0]) for clip in clips]
    null = _null_figures(clips, ["all"] * len(clips), seed)
    within = _null_figures(clips, [clip.category for clip in clips], seed)
    events = [_events(clip.recorded) for clip in clips]

    def compared(figure: Callable[[_Figures], float | None]) -> Compared:
        value, *nulls = ([figure(each) if each else None for each in group] for group in (made, null, within))
        return _compared(value, nulls[0], nulls[1], seed)

    def scored(figures: Sequence[_Figures | None]) -> OnsetScores:
        chosen = [(each.onsets, true) for each, true in zip(figures, events, strict=True) if each]
        return score_onsets([onsets for onsets, _ in chosen], [true for _, true in chosen], seed=seed)

    return GeneratedResult(
        n=len(clips),
        takes=min((len(clip.takes) for clip in clips), default=0),
        onsets=scored(made),
        onsets_null=scored(null),
        onsets_null_within=scored(within),
        onset_f1=compared(lambda each: each.f1),
        correlation=compared(lambda each: each.match.correlation),
        best_correlation=compared(lambda each: each.match.best),
        lag_ms=compared(lambda each: None if each.match.lag_ms is None else abs(each.match.lag_ms)),
        align=compared(lambda each: each.align),
        align_recorded=_mean([_figures(clip, clip.recorded).align for clip in clips], seed),
        align_frame=compared(lambda each: each.align_frame),
        quality=_quality_means([clip.takes[0] for clip in clips], seed),
        quality_recorded=_quality_means([clip.recorded for clip in clips], seed),
        diversity=_mean([take_diversity(clip.takes) for clip in clips], seed),
    )


def exchanged_sounds(clips: Sequence[SoundedClip], groups: Sequence[str], seed: int) -> list[Samples | None]:
    """For each clip the sound made for another one of its group, each used once; None where there is no other.

    It is looped or cut to the clip's length, as pictures are: a short sound would have too few onsets by its length
    alone, and any method would stand out from that.
    """
    partner = derangement(groups, within=True, seed=seed).tolist()
    return [
        looped(clips[other].takes[0], len(clip.recorded)) if other >= 0 else None
        for clip, other in zip(clips, partner, strict=True)
    ]


@dataclass(frozen=True, eq=False)
class _Figures:
    """One sound held against one clip's recording and pictures."""

    onsets: Onsets
    f1: float | None
    match: CurveMatch
    align: float | None
    align_frame: float | None


def _figures(clip: SoundedClip, sound: Samples) -> _Figures:
    onsets = sound_onsets(sound)
    events = onsets.surer_than(EVENT_STRENGTH)
    align = align_frame = None
    if clip.movement is not None:
        peaks = clip.movement.peaks()
        align, align_frame = av_align(peaks, events), av_align(peaks, events, clip.movement.frame_length)
    return _Figures(
        onsets, onset_f1(onsets, _events(clip.recorded)), compare_sounds(clip.recorded, sound), align, align_frame
    )


def _null_figures(clips: Sequence[SoundedClip], groups: Sequence[str], seed: int) -> list[_Figures | None]:
    sounds = exchanged_sounds(clips, groups, seed)
    return [None if sound is None else _figures(clip, sound) for clip, sound in zip(clips, sounds, strict=True)]


def _events(recorded: Samples) -> NDArray[np.int64]:
    """Where the events of a recording start, in samples."""
    return sound_onsets(recorded).surer_than(EVENT_STRENGTH)


def _mean(values: Sequence[float | None], seed: int) -> Mean:
    return bootstrap_mean([value for value in values if value is not None], seed=seed)


def _compared(
    values: Sequence[float | None], null: Sequence[float | None], within: Sequence[float | None], seed: int
) -> Compared:
    return Compared(
        value=_mean(values, seed),
        null=_mean(null, seed),
        difference=_difference(values, null, seed),
        null_within=_mean(within, seed),
        difference_within=_difference(values, within, seed),
    )


def _difference(values: Sequence[float | None], nulls: Sequence[float | None], seed: int) -> PairedDifference:
    both = [(value, null) for value, null in zip(values, nulls, strict=True) if value is not None and null is not None]
    return paired_difference([value for value, _ in both], [null for _, null in both], seed=seed)


def _quality_means(sounds: Sequence[Samples], seed: int) -> QualityMeans:
    measured: list[SoundQuality] = [measure_quality(samples) for samples in sounds]
    loudness = [each.loudness_lufs for each in measured if each.loudness_lufs is not None]
    return QualityMeans(
        loudness_lufs=_mean(loudness, seed),
        loudness_spread=float(np.std(loudness, ddof=1)) if len(loudness) > 1 else None,
        true_peak_dbtp=_mean([each.true_peak_dbtp for each in measured], seed),
        silence=_mean([each.silence for each in measured], seed),
        lead_ms=_mean([each.lead_ms for each in measured], seed),
        tail_ms=_mean([each.tail_ms for each in measured], seed),
        dc_offset=_mean([each.dc_offset for each in measured], seed),
        clipped_samples=sum(each.clipped for each in measured),
        clipped_clips=sum(each.clipped > 0 for each in measured),
    )
