"""From a bundle to all figures of its sounds: what `v2s evaluate --judge` runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from v2s_engine.bundle import Bundle
from v2s_engine.corpus.recordings import Recording, read_library
from v2s_engine.envelope import Envelope
from v2s_engine.errors import UsageError
from v2s_engine.evaluate.sounds.judge_file import open_judge
from v2s_engine.evaluate.sounds.judge_training import JudgeTraining, Recordings
from v2s_engine.evaluate.sounds.measuring import ClassTakes, RealSounds, measure_class
from v2s_engine.evaluate.sounds.paintings import PAINTINGS
from v2s_engine.evaluate.sounds.results import SoundsResult
from v2s_engine.evaluate.sounds.takes import (
    LEAST_HELD,
    EnvelopeSource,
    MakeSounds,
    TakeOptions,
    made_envelopes,
    make_takes,
    recorded_envelopes,
)
from v2s_engine.progress import Progress


@dataclass(frozen=True)
class SoundsOptions:
    """What to measure a bundle's sounds with."""

    sounds: Path
    """Recordings, `<folder>/<class>/<file>`."""
    manifest: Path
    """Says which of them are held for testing."""
    judge: Path
    """File of the judge; trained and written where it is not there."""
    takes: TakeOptions = field(default_factory=TakeOptions)
    training: JudgeTraining = field(default_factory=JudgeTraining)


@dataclass(frozen=True, eq=False)
class Sheet:
    """What one class's sheet shows."""

    sound_class: str
    real: tuple[Recording, ...]
    takes: ClassTakes


@dataclass(frozen=True, eq=False)
class MeasuredSounds:
    """All figures, and the sounds behind them."""

    result: SoundsResult
    sheets: tuple[Sheet, ...]


def measure_sounds(
    bundle: Bundle, make: MakeSounds, options: SoundsOptions, progress: Progress | None = None
) -> MeasuredSounds:
    """Make takes of every class of a bundle and measure them; the same options give the same figures.

    `make` makes sounds of envelopes with the bundle. Raises `UsageError` for a bundle that takes no envelopes or has
    none of the ten classes, as `read_library` and `open_judge`, and `CancelledError` where `progress` is stopped.
    """
    progress = progress or Progress()
    if bundle.config.conditioning != "envelope":
        raise UsageError(
            f"--judge asks for sounds by envelopes, and the bundle {bundle.name!r} is told of "
            f"{bundle.config.conditioning!r}; give one that is told of envelopes"
        )
    known = [name for name in bundle.sound_classes if name in PAINTINGS]
    if not known:
        raise UsageError(
            f"the judge knows {', '.join(PAINTINGS)}; the bundle {bundle.name!r} has {', '.join(bundle.sound_classes)}"
        )
    held, trained = (read_recordings(options.sounds, options.manifest, split) for split in ("test", "train"))
    measured = open_judge(options.judge, held, trained, options.training, progress)
    made = []
    for number, name in enumerate(known):
        progress.step("making sounds", number, len(known), name)
        source, envelopes = chosen_envelopes(held.get(name, ()), trained.get(name, ()), options.takes)
        made.append(ClassTakes(name, source, *make_takes(make, name, envelopes, options.takes)))
    results, sheets = [], []
    for number, each in enumerate(made):
        name = each.sound_class
        progress.step("measuring", number, len(made), name)
        others = [other for other in made if other is not each]
        real = real_sounds(held.get(name, ()), trained.get(name, ()))
        results.append(measure_class(each, others, real, measured, seed=options.takes.seed))
        sheets.append(Sheet(name, real.recordings, each))
    result = SoundsResult(
        bundle=bundle.name,
        digest=bundle.digest,
        temperature=options.takes.temperature,
        seed=options.takes.seed,
        judge_held=measured.held,
        judge_unheard=measured.unheard,
        judge_recordings=measured.trained_on,
        classes=tuple(results),
    )
    return MeasuredSounds(result, tuple(sheets))


def read_recordings(folder: Path, manifest: Path, split: str) -> Recordings:
    """Recordings of one split by class, of those of the ten classes that have some."""
    found: dict[str, Sequence[Recording]] = {}
    for name in PAINTINGS:
        try:
            found[name] = read_library(folder, classes=(name,), manifest=manifest, split=split).recordings
        except UsageError:  # no folder, or nothing of this split: judged by other means, and said so
            if not folder.is_dir():
                raise
    if not found:
        raise UsageError(f"{manifest} lists no recording below {folder} with split = {split} of any of the ten classes")
    return found


def chosen_envelopes(
    held: Sequence[Recording], trained: Sequence[Recording], options: TakeOptions
) -> tuple[EnvelopeSource, list[Envelope]]:
    """Envelopes of 4 s: of held recordings where there are three or more, else of those for training, else made."""
    recordings = held if len(held) >= LEAST_HELD else trained
    if not recordings:
        return "made", made_envelopes(options.takes, options.seed)
    source: EnvelopeSource = "held" if recordings is held else "trained on"
    return source, recorded_envelopes([each.samples for each in recordings], options.takes, options.seed)


def real_sounds(held: Sequence[Recording], trained: Sequence[Recording]) -> RealSounds:
    """What takes are held against: held recordings where there are three or more, else all there are."""
    if len(held) >= LEAST_HELD:
        return RealSounds("held", tuple(held), tuple(trained))
    return RealSounds("trained on", (*held, *trained))
