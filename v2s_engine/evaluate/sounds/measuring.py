"""All figures of one class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence, Sized
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from v2s_engine.corpus.recordings import Recording
from v2s_engine.envelope import measure_envelope, rank_correlation
from v2s_engine.evaluate.follow import AUDIBLE_DBFS, shaped_noise, tells_following
from v2s_engine.evaluate.sounds.cue_onsets import TOLERANCE, silence_kept, start_errors
from v2s_engine.evaluate.sounds.distance import frechet_distance, mel_distance
from v2s_engine.evaluate.sounds.judge import Judge, likeliest
from v2s_engine.evaluate.sounds.judge_file import MeasuredJudge
from v2s_engine.evaluate.sounds.naturalness import mean_difference, measure_traits
from v2s_engine.evaluate.sounds.results import Apart, ClassResult, Followed, Judged, Natural, Range
from v2s_engine.evaluate.sounds.takes import TAKE_LENGTH, EnvelopeSource, Take
from v2s_engine.grid import SAMPLE_RATE

Samples = NDArray[np.float32]
Floats = NDArray[np.float64]
T = TypeVar("T", bound=Sized)

LEAST_WINDOWS = 16
"""Of each half of the real recordings, for a Fréchet distance."""


@dataclass(frozen=True, eq=False)
class ClassTakes:
    """All sounds made of one class."""

    sound_class: str
    envelopes: EnvelopeSource
    followed: Sequence[Take]
    repeated: Sequence[Take]
    cued: Sequence[Take]


@dataclass(frozen=True, eq=False)
class RealSounds:
    """Real recordings of a class, which its takes are held against."""

    source: EnvelopeSource
    recordings: tuple[Recording, ...]
    others: tuple[Recording, ...] = ()
    """Recordings of the class that are not among them, of other sources."""

    @property
    def halves(self) -> list[list[Samples]]:
        """Pieces of every other recording, twice."""
        return [real_pieces([each.samples for each in self.recordings[part::2]]) for part in (0, 1)]


def measure_class(
    made: ClassTakes, others: Sequence[ClassTakes], real: RealSounds, measured: MeasuredJudge, *, seed: int
) -> ClassResult:
    """Judge, following and naturalness of one class's takes, beside real recordings of it and other classes' takes."""
    return ClassResult(
        sound_class=made.sound_class,
        takes=len(made.followed),
        judged=_judged(made, others, measured, seed),
        followed=_followed(made, seed),
        natural=_natural(made, real, measured.judge) if real.recordings else None,
    )


def real_pieces(recordings: Sequence[Samples]) -> list[Samples]:
    """Recordings cut into pieces of 4 s at most, none shorter than a quarter of that unless the recording is."""
    pieces = []
    for each in recordings:
        cuts = [each[begin : begin + TAKE_LENGTH] for begin in range(0, len(each), TAKE_LENGTH)]
        pieces += [cut for number, cut in enumerate(cuts) if number == 0 or len(cut) >= TAKE_LENGTH // 4]
    return [piece for piece in pieces if (measure_envelope(piece).loudness > AUDIBLE_DBFS).any()]


def _judged(made: ClassTakes, others: Sequence[ClassTakes], measured: MeasuredJudge, seed: int) -> Judged:
    name, judge = made.sound_class, measured.judge
    votes = [judge.classify(take.samples) for take in made.followed]
    verdicts = Counter(likeliest(vote) for vote in votes)
    noise = [judge.verdict(shaped_noise(take.request.envelope, seed)) for take in made.followed]
    foreign = [judge.verdict(take.samples) for other in others for take in other.followed]
    return Judged(
        really=measured.really_judges(name),
        share=verdicts[name] / len(votes),
        verdicts=dict(verdicts.most_common()),
        probability=fmean(vote.get(name, 0.0) for vote in votes),
        held=measured.held.share(name),
        unheard=measured.unheard.share(name),
        noise=noise.count(name) / len(noise),
        others=foreign.count(name) / len(foreign) if foreign else None,
    )


def _followed(made: ClassTakes, seed: int) -> Followed:
    model, noise = [], []
    for take in made.followed:
        if tells_following(take.request.envelope):
            model.append(_correlation(take, take.samples))
            noise.append(_correlation(take, shaped_noise(take.request.envelope, seed)))
    errors = [error for take in made.cued for error in start_errors(take.samples, take.cues)]
    by_noise = [
        error for take in made.cued for error in start_errors(shaped_noise(take.request.envelope, seed), take.cues)
    ]
    kept = [silence_kept(take.samples, take.request.envelope) for take in (*made.followed, *made.cued)]
    asked = sum(total for _, total in kept)
    found = [error for error in errors if error is not None]
    return Followed(
        envelopes=made.envelopes,
        correlation=fmean(model) if model else None,
        noise_correlation=fmean(noise) if noise else None,
        cues=len(errors),
        on_time=_on_time(errors),
        noise_on_time=_on_time(by_noise),
        missed=1 - len(found) / len(errors) if errors else None,
        lag_ms=float(np.median(found)) * 1000 / SAMPLE_RATE if found else None,
        silent=sum(quiet for quiet, _ in kept) / asked if asked else None,
    )


def _natural(made: ClassTakes, real: RealSounds, judge: Judge) -> Natural:
    sounds = [take.samples for take in made.followed]
    others = real_pieces([each.samples for each in real.others])
    halves = [half for half in real.halves if half]
    pieces = [piece for half in halves for piece in half]
    return Natural(
        reference=real.source,
        recordings=len(real.recordings),
        mel=_apart(mel_distance, sounds, halves, others),
        frechet=_frechet(sounds, halves, others, judge),
        generated=_ranges(sounds),
        real=_ranges(pieces),
        difference=mean_difference([take.samples for take in made.repeated]),
        real_difference=mean_difference(pieces),
    )


def _apart(distance: Callable[[T, T], float], made: T, halves: Sequence[T], others: T) -> Apart:
    """A distance over each half in turn, so that sets of one size are compared throughout."""
    return Apart(
        generated=fmean(distance(made, half) for half in halves),
        halves=distance(halves[0], halves[1]) if len(halves) == 2 else None,
        others=fmean(distance(others, half) for half in halves) if len(others) else None,
    )


def _frechet(
    sounds: Sequence[Samples], halves: Sequence[Sequence[Samples]], others: Sequence[Samples], judge: Judge
) -> Apart | None:
    """Of sets with as many windows each, spread evenly, since the distance grows where windows are few."""
    windows = [np.concatenate([judge.features(each) for each in group]) for group in (sounds, *halves)]
    count = min(map(len, windows))
    if len(halves) < 2 or count < LEAST_WINDOWS:
        return None
    made, *real = [_spread(each, count) for each in windows]
    found = [judge.features(each) for each in others]
    foreign = np.concatenate(found) if found else made[:0]
    # Fewer windows would be further away for that alone.
    return _apart(frechet_distance, made, real, _spread(foreign, count) if len(foreign) >= count else foreign[:0])


def _spread(windows: Floats, count: int) -> Floats:
    return np.asarray(windows[np.linspace(0, len(windows) - 1, count).astype(int)])


def _ranges(sounds: Sequence[Samples]) -> dict[str, Range]:
    traits = [asdict(measure_traits(each)) for each in sounds]
    ranges = {}
    for name in traits[0]:
        low, median, high = np.percentile([each[name] for each in traits], (5, 50, 95)).tolist()
        ranges[name] = Range(median, low, high)
    return ranges


def _correlation(take: Take, samples: Samples) -> float:
    wanted = take.request.envelope.loudness
    audible = wanted > AUDIBLE_DBFS
    return rank_correlation(wanted[audible], measure_envelope(samples).loudness[: len(wanted)][audible])


def _on_time(errors: Sequence[int | None]) -> float | None:
    return sum(error is not None and abs(error) <= TOLERANCE for error in errors) / len(errors) if errors else None
