"""V2S from Python: the whole job as one function, over the same objects that the command line uses.

from v2s_plugin.api import score

result = score("cut.otio", sound="dog", takes=3)
print(result.output, [take.path for sound in result.scored for take in sound.takes])
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from v2s_engine.bundle import DEFAULT_BUNDLE
from v2s_engine.grid import DELIVERY_RATE
from v2s_engine.progress import Progress
from v2s_plugin import engine
from v2s_plugin.jobs import PlanOptions
from v2s_plugin.scoring import ScoreOptions, ScoreResult, score_file


def score(
    timeline: str | Path,
    output: str | Path | None = None,
    *,
    sound: str | None = None,
    sound_force: str | None = None,
    bundle: str = DEFAULT_BUNDLE,
    takes: int = 1,
    seed: int = 0,
    device: str = "auto",
    rate: int = DELIVERY_RATE,
    existing: str = "skip",
    in_place: bool = False,
    force: bool = False,
    progress: Progress | None = None,
) -> ScoreResult:
    """Put sound under the pictures of a timeline file; the options are those of `v2s generate`.

    Writes `cut_scored.otio` and the folder `cut_scored.media` beside `cut.otio`, or where `output` says. The result
    lists every sound with its files, and every clip that was skipped with the reason. Raises as `score_file`.
    """
    engine.check_device(device)
    model, facts = engine.open_bundle(bundle)
    options = ScoreOptions(
        plan=PlanOptions(
            bundle_digest=facts.digest,
            sound_classes=facts.sound_classes,
            obeys_cues=facts.obeys_cues,
            sound=sound,
            sound_force=sound_force,
            seed=seed,
            takes=takes,
            existing=existing,
        ),
        bundle=facts,
        output=Path(output) if output is not None else None,
        rate=rate,
        in_place=in_place,
        force=force,
    )
    return score_file(Path(timeline), options, partial(engine.open_pipeline, model, device), progress)
