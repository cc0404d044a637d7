"""Sounds made from clips' pictures, held against the sounds recorded with them and against a shuffled null.

The null holds each recording against the sound made for another clip: what a method gets that makes fitting sounds at
times that have nothing to do with the pictures. A figure means something only where it is apart from its null.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from v2s_engine.audio import decode_codes
from v2s_engine.evaluate.alignment import WINDOW_LENGTH, Movement, av_align, compare_sounds
from v2s_engine.evaluate.clips import HeardClip, clip_conditioning
from v2s_engine.evaluate.methods import Method
from v2s_engine.evaluate.onset_scores import EVENT_STRENGTH, Onsets, OnsetScores, score_onsets, sound_onsets
from v2s_engine.evaluate.sound_quality import SoundQuality, measure_quality, take_diversity
from v2s_engine.evaluate.statistics import Mean, PairedDifference, bootstrap_mean, derangement, paired_difference
from v2s_engine.model.samplernn import SampleRNN
from v2s_engine.progress import Progress
from v2s_engine.sampling.choose import open_sampler
from v2s_engine.sampling.fold import fold_weights
from v2s_engine.sampling.lockstep import RowJob, sample_lockstep
from v2s_engine.sampling.sampler import Row
from v2s_engine.train.parameters import numpy_parameters

Samples = NDArray[np.float32]

ROWS = 8
"""Sounds made side by side."""


@dataclass(frozen=True, eq=False)
class SoundedClip:
    """One clip and what a method made from its pictures."""

    name: str
    recorded: Samples
    takes: tuple[Samples, ...]
    """Each as long as the recording; the first one is measured, the others only for how they differ."""
    movement: Movement | None
    """None where the pictures could not be measured."""


@dataclass(frozen=True)
class Compared:
    """One figure for a method, its null, and their paired difference."""

    value: Mean
    null: Mean
    difference: PairedDifference
    """Over the clips that have both."""


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
        for tag, sound in _sampled(model, jobs, progress):
            made[tag] = sound
            progress.step(f"{method.name}, sounds", len(made), len(clips) * takes)
    return [
        SoundedClip(
            name=clip.name,
            recorded=clip.samples,
            takes=tuple(made[index, take] for take in range(1, takes + 1)),
            movement=movements.get(clip.name),
        )
        for index, clip in enumerate(clips)
    ]


def measure_sounds(clips: Sequence[SoundedClip], *, seed: int = 0) -> GeneratedResult:
    """All figures of some clips that were sounded, each beside its null where it has one."""
    partner = derangement(["all"] * len(clips), within=True, seed=seed).tolist()
    recorded = [sound_onsets(clip.recorded) for clip in clips]
    made = [sound_onsets(clip.takes[0]) for clip in clips]
    exchanged = [index for index, other in enumerate(partner) if other >= 0]
    events = [onsets.surer_than(EVENT_STRENGTH) for onsets in recorded]
    foreign = [_within(made[partner[index]], len(clips[index].recorded)) for index in exchanged]
    matches = [compare_sounds(clip.recorded, clip.takes[0]) for clip in clips]
    nulls = {index: compare_sounds(clips[index].recorded, clips[partner[index]].takes[0]) for index in exchanged}

    def compared(values: Sequence[float | None], of_null: Mapping[int, float | None]) -> Compared:
        return _compared(values, [of_null.get(index) for index in range(len(clips))], seed)

    def aligned(onsets: Sequence[Onsets], chosen: Sequence[int], *, frame: bool = False) -> dict[int, float | None]:
        return {index: _aligned(clips[index], each, frame) for index, each in zip(chosen, onsets, strict=True)}

    everyone = range(len(clips))
    return GeneratedResult(
        n=len(clips),
        takes=min((len(clip.takes) for clip in clips), default=0),
        onsets=score_onsets(made, events),
        onsets_null=score_onsets(foreign, [events[index] for index in exchanged]),
        correlation=compared([m.correlation for m in matches], {i: m.correlation for i, m in nulls.items()}),
        best_correlation=compared([m.best for m in matches], {i: m.best for i, m in nulls.items()}),
        lag_ms=compared([_size(m.lag_ms) for m in matches], {i: _size(m.lag_ms) for i, m in nulls.items()}),
        align=compared(list(aligned(made, everyone).values()), aligned(foreign, exchanged)),
        align_recorded=_mean(list(aligned(recorded, everyone).values()), seed),
        align_frame=compared(
            list(aligned(made, everyone, frame=True).values()), aligned(foreign, exchanged, frame=True)
        ),
        quality=_quality_means([clip.takes[0] for clip in clips], seed),
        quality_recorded=_quality_means([clip.recorded for clip in clips], seed),
        diversity=_mean([take_diversity(clip.takes) for clip in clips], seed),
    )


def _sampled(
    model: SampleRNN, jobs: Sequence[tuple[tuple[int, int], RowJob]], progress: Progress
) -> Iterator[tuple[tuple[int, int], Samples]]:
    """Each job's tag with its sound, as they are finished."""
    if not jobs:
        return
    sampler = open_sampler(fold_weights(numpy_parameters(model), model.config), "cpu")
    waiting = iter(jobs)
    finished = sample_lockstep(sampler, lambda wait: next(waiting, None), ROWS, lambda tag, done: progress.check())
    for tag, codes in finished:
        yield tag, decode_codes(codes, model.config)


def _within(onsets: Onsets, length: int) -> Onsets:
    """Those of another clip's onsets that lie inside this clip."""
    inside = onsets.positions < length
    return Onsets(onsets.positions[inside], onsets.confidence[inside])


def _aligned(clip: SoundedClip, onsets: Onsets, frame: bool) -> float | None:
    if clip.movement is None:
        return None
    window = clip.movement.frame_length if frame else WINDOW_LENGTH
    return av_align(clip.movement.peaks(), onsets.surer_than(EVENT_STRENGTH), window)


def _size(value: float | None) -> float | None:
    return None if value is None else abs(value)


def _mean(values: Sequence[float | None], seed: int) -> Mean:
    return bootstrap_mean([value for value in values if value is not None], seed=seed)


def _compared(values: Sequence[float | None], nulls: Sequence[float | None], seed: int) -> Compared:
    both = [(value, null) for value, null in zip(values, nulls, strict=True) if value is not None and null is not None]
    return Compared(
        value=_mean(values, seed),
        null=_mean(nulls, seed),
        difference=paired_difference([value for value, _ in both], [null for _, null in both], seed=seed),
    )


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
