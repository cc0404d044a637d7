"""From checkpoints and an index of clips to all figures: what `v2s evaluate --data` runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache
from pathlib import Path

from v2s_engine.corpus.clip_material import PreparedClip, PreparedClips, prepare_clips
from v2s_engine.corpus.clips import Clip, ClipIndex, Split, read_clips
from v2s_engine.errors import MediaError, UsageError
from v2s_engine.evaluate.alignment import Movement, measure_movement
from v2s_engine.evaluate.measuring import LONGEST_SOUND, MeasureOptions, MovementOf, measure_method, spread_clips
from v2s_engine.evaluate.methods import Method, open_methods
from v2s_engine.evaluate.results import EvaluationResult, MethodResult
from v2s_engine.options import ModelConfig, VisualConfig
from v2s_engine.progress import Progress
from v2s_engine.vision.feature_cache import FeatureMaker

SPLITS: tuple[Split, ...] = ("train", "test")
"""What is measured; clips for validation decided when to stop and would flatter."""

OpenEncoder = Callable[[VisualConfig], FeatureMaker]
"""What looks at pictures for a `VisualConfig`."""


@dataclass(frozen=True)
class EvaluationOptions:
    """What to evaluate, and how much of it."""

    checkpoints: tuple[Path, ...]
    data: Path
    """Index of clips: a CSV or a folder `<category>/<clip>`."""
    cache: Path
    """Where decoded sounds and features are kept."""
    picture_weights: str = "default"
    motion_weights: str = ""
    flow_weights: str = "default"
    clips: int | None = None
    """Clips per split at most, evenly over the categories; None for all."""
    device: str = "cpu"
    workers: int = 1
    measures: MeasureOptions = field(default_factory=MeasureOptions)


def evaluate_methods(
    options: EvaluationOptions, progress: Progress | None = None, open_encoder: OpenEncoder | None = None
) -> EvaluationResult:
    """Evaluate checkpoints on an index of clips; the same options give the same figures.

    `open_encoder` replaces the visual encoder (for rendered material and tests). Raises the errors of
    `open_methods` and `read_clips`, of the visual encoder's weights, and `UsageError` where the weights are not those
    of a model's training, where a model sounds none of the index's categories, or no test clip can be used.
    """
    if options.clips is not None and options.clips < 1:
        raise UsageError(f"an evaluation wants at least 1 clip per split; got {options.clips}")
    progress = progress or Progress()
    methods = open_methods(options.checkpoints, options.device)
    index = read_clips(options.data)
    for method in methods:
        method.check_categories(index.categories)
    chosen = {split: _chosen(index, split, options) for split in SPLITS}
    if not chosen["test"]:
        raise UsageError(f"{options.data} has no clips for testing; mark some with split = test, or give more clips")
    preparation = _Preparation(options, index.categories, open_encoder or encoder_opener(options))
    measure = cache(measure_movement)  # several methods make sounds for the same clips
    left_out = dict(index.left_out)
    results = []
    for method in methods:
        splits: dict[str, Sequence[PreparedClip]] = {}
        for split, clips in chosen.items():
            prepared = preparation.prepare(method, clips, progress)
            splits[split] = prepared.clips
            left_out |= dict(prepared.left_out)
        if not splits["test"]:
            reasons = "; ".join(f"{name}: {why}" for name, why in list(left_out.items())[:5])
            raise UsageError(f"no clip for testing in {options.data} can be used ({reasons})")
        results.append(
            measure_method(method, splits, options.measures, movements_of(splits["test"], measure), progress)
        )
    return EvaluationResult(
        data=str(options.data),
        clips={split: max(_count(result, split) for result in results) for split in SPLITS},
        categories=index.categories,
        seed=options.measures.seed,
        methods=tuple(results),
        left_out=tuple(left_out.items()),
    )


def encoder_opener(options: EvaluationOptions) -> OpenEncoder:
    """The visual encoder of a checkpoint's own config, with the weights that the options name."""

    def open_encoder(visual: VisualConfig) -> FeatureMaker:
        # PLC0415: evaluations of envelope models and of rendered material look at no pictures.
        from v2s_engine.vision.visual_encoder import open_visual_encoder  # noqa: PLC0415

        motion = options.motion_weights if visual.motion_features else ""
        return open_visual_encoder(
            visual, options.picture_weights, motion, flow_weights=options.flow_weights, device=options.device
        )

    return open_encoder


class _Preparation:
    """Clips made ready for methods; those that look at pictures the same way share one visual encoder."""

    def __init__(self, options: EvaluationOptions, categories: tuple[str, ...], open_encoder: OpenEncoder) -> None:
        self._options = options
        self._categories = categories
        self._open_encoder = cache(open_encoder)

    def prepare(self, method: Method, clips: Sequence[Clip], progress: Progress) -> PreparedClips:
        """The clips as the method's conditioning wants them, whatever sound classes its models have."""
        config: ModelConfig = replace(method.config, sound_classes=self._categories)
        encoder = self._open_encoder(config.visual) if config.visual else None
        if encoder:
            method.check_encoder(encoder.digest)
        options = self._options
        return prepare_clips(clips, config, encoder, options.cache, workers=options.workers, progress=progress)


def _chosen(index: ClipIndex, split: Split, options: EvaluationOptions) -> Sequence[Clip]:
    clips = index.of_split(split)
    return clips if options.clips is None else spread_clips(clips, options.clips, options.measures.seed)


def movements_of(clips: Sequence[PreparedClip], measure: Callable[[Path, int, Fraction], Movement]) -> MovementOf:
    """How the pictures of prepared clips move while a sound is made for them, measured when asked for."""
    by_name = {clip.name: clip for clip in clips}

    def movement_of(name: str) -> Movement | str:
        clip = by_name[name]
        try:
            return measure(clip.clip.path, min(clip.length, LONGEST_SOUND), clip.clip.begin or Fraction(0))
        except MediaError as error:
            return str(error)

    return movement_of


def _count(result: MethodResult, split: str) -> int:
    return sum(cell.nats.n for cell in result.cross_entropy if cell.split == split)
