"""Is a model of an editor's own recordings good enough? Figures on held recordings, and a verdict by thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from v2s_engine.corpus.own_recordings import OwnRecordings, length_text
from v2s_engine.corpus.recordings import Recording
from v2s_engine.envelope import measure_envelope
from v2s_engine.errors import UsageError
from v2s_engine.evaluate.follow import measure_following
from v2s_engine.evaluate.sounds.distance import mel_distance
from v2s_engine.evaluate.sounds.measuring import real_pieces
from v2s_engine.evaluate.sounds.naturalness import measure_traits
from v2s_engine.sampling.envelope_sound import EnvelopeRequest, sound_envelopes
from v2s_engine.sampling.sampler import Row, Sampler
from v2s_engine.timbre.palette import Palette

Samples = NDArray[np.float32]
T = TypeVar("T")

MOST_PIECES = 16
"""Pieces of 4 s that are measured on."""

FOLLOWS = 0.7
"""Rank correlation of loudness asked for and produced from which on a sound follows."""

SOUNDS_LIKE = 1.5
"""How many times as far from the held recordings as half of the recordings is from the other half a sound may be."""

MORE_NOISE_DB = 10.0
"""How much closer to the sound the noise floor may lie than in the recordings."""


@dataclass(frozen=True)
class OwnFigures:
    """What was measured of a model on held recordings; None where these are too few or too even to tell."""

    pieces: int
    """Pieces of held recordings, 4 s each at most, whose envelopes were asked for."""
    following: float | None
    """Mean rank correlation of loudness asked for and produced; 1: the same order throughout."""
    following_noise: float | None
    """The same for noise shaped by the envelope: as well as it can be followed."""
    following_pieces: int
    """Pieces whose loudness varies enough to tell."""
    distance_db: float
    """Log-mel distance of made sounds from held recordings."""
    halves_db: float | None
    """The same between two halves of all recordings, as many pieces each."""
    floor_db: float
    """Quietest moments below the loudest ones, made sounds."""
    floor_recorded_db: float
    """The same in held recordings."""

    @property
    def distance_ratio(self) -> float | None:
        """How many times as far as two halves of the recordings are from each other."""
        return self.distance_db / self.halves_db if self.halves_db else None

    @property
    def verdict(self) -> str:
        """One line in plain words, by `FOLLOWS`, `SOUNDS_LIKE` and `MORE_NOISE_DB`."""
        noise = "; there is more noise behind it than in them" if self._is_noisy else ""
        return f"{_VERDICTS[self._follows, self._sounds_like]}{noise}"

    @property
    def _follows(self) -> bool | None:
        return None if self.following is None else self.following >= FOLLOWS

    @property
    def _sounds_like(self) -> bool | None:
        return None if self.distance_ratio is None else self.distance_ratio <= SOUNDS_LIKE

    @property
    def _is_noisy(self) -> bool:
        return self.floor_db > self.floor_recorded_db + MORE_NOISE_DB

    def to_json(self) -> dict[str, Any]:
        """Plain dictionary, rounded, verdict included."""
        figures = asdict(self) | {"distance_ratio": self.distance_ratio}
        rounded = {name: round(value, 3) if isinstance(value, float) else value for name, value in figures.items()}
        return {"verdict": self.verdict, **rounded}


_LONGER = "more recordings or longer training"
_VERDICTS: dict[tuple[bool | None, bool | None], str] = {
    (True, True): "good enough to try: it follows the timing and sounds like the recordings",
    (True, False): f"follows the timing but sounds unlike the recordings: {_LONGER}",
    (False, True): f"sounds like the recordings but does not follow the timing: {_LONGER}",
    (False, False): f"not good enough: it neither follows the timing nor sounds like the recordings: {_LONGER}",
    (True, None): "follows the timing; too little was held back to tell whether it sounds like the recordings: listen",
    (False, None): f"does not follow the timing: {_LONGER}",
    (
        None,
        True,
    ): "sounds like the recordings, whose loudness is too even to tell whether it follows the timing: listen",
    (None, False): f"sounds unlike the recordings: {_LONGER}",
    (None, None): "too little was held back to tell anything: listen, and record more",
}
"""By whether it follows, and whether it sounds like the recordings; None where that cannot be told."""


def measure_own_sounds(
    sampler: Sampler, palette: Palette | None, found: OwnRecordings, *, temperature: float = 1.0, seed: int = 0
) -> OwnFigures:
    """Ask a model for the envelopes of held recordings, and hold what it makes against them.

    Raises `UsageError` where nothing of what is held back can be heard.
    """
    held = _held_pieces(found)
    if not held:
        raise UsageError(f"nothing is to be heard in what is held back ({found.held_from}); record more")
    requests = [
        EnvelopeRequest(measure_envelope(each.samples), each.material.sound_class, Row(seed, take, temperature))
        for take, each in enumerate(held, start=1)
    ]
    made = sound_envelopes(sampler, requests, palette)
    real = [each.samples for each in held]
    try:
        followed = measure_following(sampler, held, palette=palette, temperature=temperature, seed=seed)
    except UsageError:  # too even to tell, which the figures say
        followed = []
    return OwnFigures(
        pieces=len(held),
        following=fmean(each.model for each in followed) if followed else None,
        following_noise=fmean(each.noise for each in followed) if followed else None,
        following_pieces=len(followed),
        distance_db=mel_distance(made, real),
        halves_db=_halves_distance(found, len(held)),
        floor_db=fmean(measure_traits(each).floor_db for each in made),
        floor_recorded_db=fmean(measure_traits(each).floor_db for each in real),
    )


def _held_pieces(found: OwnRecordings) -> list[Recording]:
    pieces = [replace(each, samples=piece) for each in found.held for piece in real_pieces([each.samples])]
    return _evenly(pieces, MOST_PIECES)


def _halves_distance(found: OwnRecordings, count: int) -> float | None:
    """How far every other recording is from the rest, over `count` pieces of each half or as many as there are.

    Of a single stretch its first half is held against its second.
    """
    stretches = [each.samples for each in (*found.training, *found.held)]
    halves = [real_pieces(stretches[part::2]) for part in (0, 1)]
    if len(stretches) < 4:
        pieces = real_pieces(stretches)
        halves = [pieces[: len(pieces) // 2], pieces[len(pieces) // 2 :]]
    count = min(count, *(len(half) for half in halves))
    if not count:
        return None
    return mel_distance(*(_evenly(half, count) for half in halves))


def _evenly(items: Sequence[T], most: int) -> list[T]:
    """At most so many, spread over all of them."""
    places = np.linspace(0, len(items) - 1, min(most, len(items))).round().astype(int)
    return [items[place] for place in places]


def own_report(name: str, figures: OwnFigures, found: OwnRecordings, training: dict[str, Any]) -> str:
    """The report as Markdown; `training` holds steps, planned_steps, kept_step, samples, held_out_start, held_out."""
    used = found.training_length + found.held_length
    whole = training["steps"] >= training["planned_steps"]
    rows = [
        ("follows the loudness of held recordings (1: exactly)", _number(figures.following, 2), f"at least {FOLLOWS}"),
        ("noise that is shaped by it, beside", _number(figures.following_noise, 2), ""),
        ("distance from held recordings, dB", _number(figures.distance_db, 1), ""),
        ("distance of two halves of the recordings, dB", _number(figures.halves_db, 1), ""),
        ("the first in terms of the second", _number(figures.distance_ratio, 2), f"at most {SOUNDS_LIKE}"),
        ("noise floor below the loudest, dB", _number(figures.floor_db, 1), ""),
        (
            "the same in held recordings, dB",
            _number(figures.floor_recorded_db, 1),
            f"at most {MORE_NOISE_DB:.0f} below the line above",
        ),
        ("held-out loss before training, nats per sample", _number(training["held_out_start"], 3), ""),
        ("held-out loss of what was kept", _number(training["held_out"], 3), "lower"),
    ]
    lines = [
        f"# {name}",
        "",
        f"**{figures.verdict}**",
        "",
        "| | measured | wanted |",
        "|---|---|---|",
        *(f"| {what} | {value} | {wanted} |" for what, value, wanted in rows),
        "",
        f"Measured on {figures.pieces} x 4 s at most, from {found.held_from}; nothing of it was trained on. Loudness "
        f"is compared where it varies by 10 dB or more: in {figures.following_pieces} of them.",
        "",
        f"Recorded: {length_text(found.recorded_length)}, of which {length_text(found.sounding_length)} are sound and "
        f"not silence. Used: {length_text(used)} ({used / found.sounding_length:.0%} of the sound), "
        f"{length_text(found.training_length)} to learn from and {length_text(found.held_length)} to measure with.",
        "",
        f"Trained for {training['steps']:,} steps, {training['samples']:,} samples."
        + f" What was kept stood at step {training['kept_step']:,}, where the held-out loss was lowest."
        + (
            ""
            if whole
            else f" It was stopped before the {training['planned_steps']:,} steps that were planned: --resume goes on."
        ),
    ]
    return "\n".join(lines) + "\n"


def _number(value: float | None, digits: int) -> str:
    return "cannot be told" if value is None else f"{value:.{digits}f}"
