"""All figures of a bundle's sounds as one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from v2s_engine.evaluate.sounds.confusion import Confusion
from v2s_engine.evaluate.sounds.takes import EnvelopeSource


@dataclass(frozen=True)
class Judged:
    """Is it that class? Shares of sounds that the judge takes for it, 0..1; None where there is nothing to judge."""

    really: bool
    """Whether the judge learned the class from recordings; where not, the figures prove little."""
    share: float
    """Of the takes."""
    verdicts: Mapping[str, int]
    """What the takes were taken for."""
    probability: float
    """Mean probability of the class."""
    held: float | None
    """Ceiling: of held recordings, by judges that did not hear their source."""
    unheard: float | None
    """Ceiling: of the recordings for training, which the judge never heard."""
    noise: float
    """Floor: of noise shaped by the same envelopes."""
    others: float | None
    """Floor: of the takes of all other classes."""


@dataclass(frozen=True)
class Followed:
    """Does it follow? Noise shaped by the envelope stands beside it: it follows as well as can be measured."""

    envelopes: EnvelopeSource
    correlation: float | None
    """Mean rank correlation of loudness over takes whose envelope varies by 10 dB; None where none does."""
    noise_correlation: float | None
    cues: int
    """Cues set; 0 for classes without a clear start."""
    on_time: float | None
    """Share of cues whose sound starts within 20 ms of them."""
    noise_on_time: float | None
    missed: float | None
    """Share of cues at which no sound starts."""
    lag_ms: float | None
    """Median of how late sounds start."""
    silent: float | None
    """Share of steps at most -55 dBFS of those in which silence is asked for; None where it never is."""


@dataclass(frozen=True)
class Range:
    """Of one measure over some sounds: median, and the 5th and 95th percentile."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Apart:
    """A distance of generated sounds from real ones, beside that of two halves of the real ones."""

    generated: float
    """Mean over both halves."""
    halves: float | None
    """None where there is one real recording."""
    others: float | None
    """The same as `generated` for the recordings for training, from other sources than those held for testing: what a
    generator can reach that learned from them; None where takes are held against recordings for training too."""

    @property
    def ratio(self) -> float | None:
        """1 where generated sounds are no further away than real ones."""
        return self.generated / self.halves if self.halves else None


@dataclass(frozen=True)
class Natural:
    """Is it natural? Beside real recordings of the class."""

    reference: EnvelopeSource
    """Which recordings: those held for testing where there are 3 or more, else those for training too."""
    recordings: int
    mel: Apart
    """dB, see `mel_distance`."""
    frechet: Apart | None
    """See `frechet_distance`, between sets of one size; None where there are too few windows."""
    generated: Mapping[str, Range]
    """By field of `SoundTraits`."""
    real: Mapping[str, Range]
    difference: float | None
    """Mean difference in dB between takes of one request."""
    real_difference: float | None
    """Mean difference in dB between real recordings."""


@dataclass(frozen=True)
class ClassResult:
    """One class."""

    sound_class: str
    takes: int
    judged: Judged
    followed: Followed
    natural: Natural | None
    """None where there is no real recording at all."""


LEAST_KNOWN = 0.5
"""Share of a class's real recordings that a judge must recognise for its verdicts on that class to say something."""


@dataclass(frozen=True)
class SoundsResult:
    """One bundle, measured."""

    bundle: str
    digest: str
    temperature: float
    seed: int
    judge_held: Confusion
    judge_unheard: Confusion
    judge_recordings: Mapping[str, int]
    classes: tuple[ClassResult, ...]

    @property
    def really_judged(self) -> tuple[ClassResult, ...]:
        """The classes that the judge learned from recordings; only these enter a mean."""
        return tuple(each for each in self.classes if each.judged.really)

    @property
    def mean_share(self) -> float | None:
        """Mean share of takes judged right over the really judged classes; None without any."""
        shares = [each.judged.share for each in self.really_judged]
        return fmean(shares) if shares else None

    @property
    def known(self) -> tuple[ClassResult, ...]:
        """Those of the really judged classes that the judge knows when it hears them: at least half of the real
        recordings that it never heard. What it says of any other class tells nothing of the takes.
        """
        return tuple(each for each in self.really_judged if (each.judged.unheard or 0.0) >= LEAST_KNOWN)

    @property
    def known_share(self) -> float | None:
        """As `mean_share`, over the known classes."""
        shares = [each.judged.share for each in self.known]
        return fmean(shares) if shares else None

    @property
    def real_accuracy(self) -> Confusion:
        """The judge's verdicts on recordings that it never heard, of the classes that it learned from recordings."""
        return self.judge_unheard.only(self.judge_recordings)

    def to_json(self) -> dict[str, Any]:
        """Plain dictionaries, with the means."""
        return {
            **asdict(self),
            "mean_share": self.mean_share,
            "known_classes": [each.sound_class for each in self.known],
            "known_share": self.known_share,
            "judge_overall": self.real_accuracy.overall,
            "judge_balanced": self.real_accuracy.balanced,
        }
