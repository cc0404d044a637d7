"""Everything that is measured of one method on clips at hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from v2s_engine.envelope import measure_envelope
from v2s_engine.errors import UsageError, V2SError
from v2s_engine.evaluate.alignment import Movement
from v2s_engine.evaluate.clips import HeardClip, excerpt
from v2s_engine.evaluate.generated import SoundedClip, exchanged_sounds, measure_sounds, sound_clips
from v2s_engine.evaluate.losses import clip_losses
from v2s_engine.evaluate.methods import Method
from v2s_engine.evaluate.results import ExampleCurves, MethodResult
from v2s_engine.evaluate.retrieval import RetrievalResult, retrieve
from v2s_engine.evaluate.shuffled import ShuffleResult, shuffle_pictures
from v2s_engine.evaluate.table import CrossEntropy, summarise_losses
from v2s_engine.grid import FRAME_LENGTH, SAMPLE_RATE, steps_covering
from v2s_engine.options import PAPER_WINDOW
from v2s_engine.progress import Progress
from v2s_engine.sampling.sampler import Row
from v2s_engine.train.parameters import parameter_count

MovementOf = Callable[[str], Movement | str]
"""A clip's movement by the clip's name, or why there is none."""


class Categorised(Protocol):
    """Anything with a category."""

    @property
    def category(self) -> str:
        """What it shows and sounds like."""


Each = TypeVar("Each", bound=Categorised)

LONGEST_SOUND = PAPER_WINDOW * FRAME_LENGTH
"""Samples of a clip that a sound is made for at most: the paper's 10 s."""

EXAMPLES = 4
"""Clips whose envelopes are plotted."""


@dataclass(frozen=True)
class MeasureOptions:
    """How much is measured. Raises `UsageError` for a value out of range."""

    retrieval_clips: int = 100
    """Test clips that are queries and sounds of the retrieval; n² scorings. 0: no retrieval."""
    retrieval_length: int = 2 * SAMPLE_RATE
    """Samples of each sound that are scored there."""
    generate: int = 8
    """Test clips that sounds are made for. 0: none."""
    takes: int = 2
    """Sounds made for each; one tells nothing of diversity."""
    temperature: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        amounts = (self.retrieval_clips, self.generate, self.takes, self.retrieval_length)
        # Compared one by one, so that NaN is refused.
        if not all(amount >= least for amount, least in zip(amounts, (0, 0, 1, 1), strict=True)):
            raise UsageError(
                "an evaluation wants retrieval clips and generated clips of at least 0, takes and retrieval length of "
                f"at least 1; got {', '.join(map(str, amounts))}"
            )
        Row(self.seed, self.takes, self.temperature)


def measure_method(
    method: Method,
    splits: Mapping[str, Sequence[HeardClip]],
    options: MeasureOptions,
    movement_of: MovementOf,
    progress: Progress | None = None,
) -> MethodResult:
    """All figures of a method on the clips of each split; `test` is what shuffles, retrieval and sounds use.

    Clips that it cannot be measured on (no sample or picture, values that are not finite, a category that it does not
    know) are left out and listed.
    """
    progress = progress or Progress()
    left_out: list[tuple[str, str]] = []
    usable = {split: _usable(method, clips, left_out) for split, clips in splits.items()}
    test = usable.get("test", [])
    notes = _notes(method)
    table: list[CrossEntropy] = []
    shuffles: list[ShuffleResult] = []
    for split, clips in usable.items():
        losses = clip_losses(method, clips, stage=f"{method.name}, loss on {split}", progress=progress)
        table.append(summarise_losses(split, clips, losses, seed=options.seed))
        if split == "test":
            shuffles = [
                shuffle_pictures(method, clips, losses, kind, seed=options.seed, progress=progress)
                for kind in ("across classes", "within a class")
            ]
    notes += [f"no usable clips in the split {cell.split}" for cell in table if not cell.nats.n]
    notes += [f"shuffle {shuffle.kind}: {shuffle.reason}" for shuffle in shuffles if shuffle.reason]
    sounded = _sounded(method, test, options, movement_of, progress=progress)
    still = [(clip.name, movement_of(clip.name)) for clip in sounded if clip.movement is None]
    notes += [f"no movement measured in {name}: {reason}" for name, reason in still]
    generated = measure_sounds(sounded, seed=options.seed) if options.generate else None
    notes += generated.gaps() if generated else []
    return MethodResult(
        name=method.name,
        conditioning=method.config.conditioning,
        parameters=sum(parameter_count(model) for model in method.models),
        models=len(method.models),
        class_told=method.tells_class,
        cross_entropy=tuple(table),
        shuffles=tuple(shuffles),
        retrieval=_retrieval(method, test, options, progress),
        generated=generated,
        notes=tuple(notes),
        left_out=tuple(left_out),
        examples=_examples(sounded, options.seed),
    )


def spread_clips(clips: Sequence[Each], count: int, seed: int = 0) -> list[Each]:
    """At most `count` clips, drawn by the seed and as evenly over the categories as can be, in their old order."""
    rng = np.random.default_rng(seed)
    shuffled = rng.permutation(len(clips)).tolist()
    taken: dict[str, int] = {}
    turns: list[tuple[int, int]] = []
    for order, index in enumerate(shuffled):
        turn = taken[clips[index].category] = taken.get(clips[index].category, 0) + 1
        turns.append((turn, order))
    chosen = [shuffled[order] for _, order in sorted(turns)[:count]]
    return [clips[index] for index in sorted(chosen)]


def _usable(method: Method, clips: Sequence[HeardClip], left_out: list[tuple[str, str]]) -> list[HeardClip]:
    usable = []
    for clip in clips:
        reason = _fault(method, clip)
        if reason is None:
            usable.append(clip)
        else:
            left_out.append((clip.name, reason))
    return usable


def _fault(method: Method, clip: HeardClip) -> str | None:
    """Why a method cannot be measured on a clip."""
    if not method.knows(clip.category):
        return f"its category {clip.category!r} is none of the method's: {', '.join(method.sound_classes)}"
    try:
        samples = clip.samples
        features = clip.features if method.config.visual else np.zeros((1, 0), np.float32)
    except (V2SError, OSError) as error:
        return str(error)
    if not len(samples) or not len(features):
        return "it has no sound" if not len(samples) else "it has no pictures"
    if features.shape[1] != method.config.feature_size:
        return f"its pictures have {features.shape[1]} features; the method wants {method.config.feature_size}"
    if not (np.isfinite(samples).all() and np.isfinite(features).all()):
        return "its sound or features hold NaN or infinity"
    return None


def _notes(method: Method) -> list[str]:
    notes = [f"{each.path}, after {each.checkpoint.step:,} steps" for each in method.origins]
    if method.config.conditioning == "envelope":
        notes.append(
            "it is told the loudness of the recording that it is to foresee or to make: its figures do not compare "
            "with those of methods that see pictures only"
        )
    if method.tells_class:
        notes.append("it knows the category beside the pictures: its category hits in the retrieval show only that")
    return notes


def _retrieval(
    method: Method, test: Sequence[HeardClip], options: MeasureOptions, progress: Progress
) -> RetrievalResult | None:
    if not options.retrieval_clips:
        return None
    chosen = spread_clips(test, options.retrieval_clips, options.seed)
    return retrieve(
        method,
        [excerpt(clip, options.retrieval_length, method.config) for clip in chosen],
        seed=options.seed,
        progress=progress,
    )


def _sounded(
    method: Method,
    test: Sequence[HeardClip],
    options: MeasureOptions,
    movement_of: MovementOf,
    *,
    progress: Progress,
) -> list[SoundedClip]:
    """Sounds for some clips of the test set, cut to the paper's 10 s."""
    clips = [excerpt(clip, LONGEST_SOUND, method.config) for clip in spread_clips(test, options.generate, options.seed)]
    movements: dict[str, Movement] = {}
    for clip in clips:
        progress.check()
        movement = movement_of(clip.name)
        if not isinstance(movement, str):
            pictures = steps_covering(clip.length, FRAME_LENGTH)
            movements[clip.name] = Movement(movement.curve[:pictures], movement.frame_length)
    return sound_clips(
        method,
        clips,
        movements,
        takes=options.takes,
        temperature=options.temperature,
        seed=options.seed,
        progress=progress,
    )


def _examples(sounded: Sequence[SoundedClip], seed: int) -> tuple[ExampleCurves, ...]:
    nulls = exchanged_sounds(sounded, ["all"] * len(sounded), seed)
    return tuple(
        ExampleCurves(
            name=clip.name,
            recorded=measure_envelope(clip.recorded).loudness,
            made=measure_envelope(clip.takes[0]).loudness,
            null=np.zeros(0, np.float32) if null is None else measure_envelope(null).loudness,
        )
        for clip, null in list(zip(sounded, nulls, strict=True))[:EXAMPLES]
    )
