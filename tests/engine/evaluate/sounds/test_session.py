"""A bundle's sounds from envelopes to tables, with a maker that needs no network."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from tests.models import TINY, tiny_config
from v2s_engine.audio import write_wav
from v2s_engine.bundle import Bundle
from v2s_engine.errors import OutputError, UsageError
from v2s_engine.evaluate.follow import shaped_noise
from v2s_engine.evaluate.sounds.judge_training import JudgeTraining
from v2s_engine.evaluate.sounds.session import MeasuredSounds, SoundsOptions, measure_sounds
from v2s_engine.evaluate.sounds.sounds_report import write_sounds_report
from v2s_engine.evaluate.sounds.takes import (
    TAKE_LENGTH,
    TAKE_STEPS,
    Samples,
    TakeOptions,
    cued_envelope,
    made_envelopes,
    recorded_envelopes,
)
from v2s_engine.options import ModelConfig
from v2s_engine.sampling.envelope_sound import EnvelopeRequest

QUICK = JudgeTraining(networks=1, windows=4, passes=1, batch=8, paintings=1, folds=2)


def bundle_of(config: ModelConfig) -> Bundle:
    return cast(Bundle, SimpleNamespace(config=config, sound_classes=config.sound_classes, name="made", digest="0"))


def make(requests: Sequence[EnvelopeRequest]) -> list[Samples]:
    """Noise that follows as well as can be."""
    return [shaped_noise(each.envelope, each.row.take) for each in requests]


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> SoundsOptions:
    folder: Path = tmp_path_factory.mktemp("recordings")
    rows = ["file,licence,attribution,may_ship_trained,split"]
    for name, held in (("dog", 4), ("drum", 1)):
        (folder / name).mkdir()
        for number in range(held + 2):
            samples = np.random.default_rng(number).standard_normal(24_000) * np.exp(-np.arange(24_000) / 3000)
            write_wav(folder / name / f"{name}{number}.wav", (0.2 * samples).astype(np.float32), 16_000)
            rows.append(f"{name}/{name}{number}.wav,CC0,,1,{'test' if number < held else 'train'}")
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")
    takes = TakeOptions(takes=3, cued=1, repeats=2)
    return SoundsOptions(folder, folder / "manifest.csv", folder / "judge.pt", takes, QUICK)


@pytest.fixture(scope="module")
def measured(options: SoundsOptions) -> MeasuredSounds:
    return measure_sounds(bundle_of(TINY), make, options)


def test_every_class_is_measured_beside_what_can_be_reached(measured: MeasuredSounds) -> None:
    dog, drum = measured.result.classes
    assert (dog.sound_class, drum.sound_class) == ("dog", "drum")
    assert dog.takes == 3
    assert sum(dog.judged.verdicts.values()) == 3
    assert dog.judged.really
    assert dog.followed.envelopes == "held"
    assert drum.followed.envelopes == "trained on"  # one held recording is too few
    assert dog.followed.correlation is not None
    assert dog.followed.correlation > 0.95
    assert (dog.followed.cues, dog.followed.on_time, dog.followed.silent) == (4, 1, 1)
    assert dog.natural is not None
    assert dog.natural.recordings == 4
    assert dog.natural.mel.halves is not None
    assert dog.natural.mel.others is not None
    assert dog.natural.generated["dc"].median < 0.01


def test_classes_judged_on_painted_sounds_enter_no_mean(options: SoundsOptions, tmp_path: Path) -> None:
    config = replace(TINY, sound_classes=("dog", "printer"))
    result = measure_sounds(bundle_of(config), make, options).result
    assert [each.judged.really for each in result.classes] == [True, False]
    assert result.mean_share == result.classes[0].judged.share
    assert result.classes[1].natural is None
    assert result.classes[1].followed.envelopes == "made"
    page = write_sounds_report(MeasuredSounds(result, ()), tmp_path).tables.read_text()
    assert page.index("proves little") < page.index("| printer |")


def test_what_the_judge_does_not_know_enters_only_the_mean_over_all(measured: MeasuredSounds, tmp_path: Path) -> None:
    dog, drum = measured.result.classes
    knows_dogs = replace(
        measured.result,
        classes=(
            replace(dog, judged=replace(dog.judged, share=0.75, unheard=0.5)),
            replace(drum, judged=replace(drum.judged, share=0.25, unheard=0.4)),
        ),
    )
    assert [each.sound_class for each in knows_dogs.known] == ["dog"]
    assert (knows_dogs.known_share, knows_dogs.mean_share) == (0.75, 0.5)
    page = write_sounds_report(MeasuredSounds(knows_dogs, ()), tmp_path).tables.read_text()
    assert "mean **75 %** over those of which the judge recognises at least 50 %" in page
    assert "(dog); 50 % over all" in page
    nothing = replace(dog, judged=replace(dog.judged, unheard=None))
    assert replace(measured.result, classes=(nothing,)).known_share is None


def test_the_same_seed_gives_the_same_figures(options: SoundsOptions, measured: MeasuredSounds) -> None:
    again = measure_sounds(bundle_of(TINY), make, options).result
    assert again.to_json() == measured.result.to_json()


def test_tables_figures_and_sheets_are_written(measured: MeasuredSounds, tmp_path: Path) -> None:
    report = write_sounds_report(measured, tmp_path / "out")
    figures = json.loads(report.figures.read_text())
    assert figures["mean_share"] == measured.result.mean_share
    assert [each["sound_class"] for each in figures["classes"]] == ["dog", "drum"]
    page = report.tables.read_text()
    rows = [line for line in page.splitlines() if line.startswith("| dog |")]
    assert len(rows) == 5
    assert [path.name for path in report.sheets] == ["sheet_dog.png", "sheet_drum.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in report.sheets)
    for header, row in zip(page.splitlines(), page.splitlines()[1:], strict=False):
        if header.startswith("|") and row.startswith("|---"):
            assert header.count("|") == row.count("|")


def test_a_place_that_cannot_be_written_is_said(measured: MeasuredSounds, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        write_sounds_report(measured, tmp_path / "file")


def test_bundles_that_cannot_be_asked_are_refused(options: SoundsOptions, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="told of 'frame'"):
        measure_sounds(bundle_of(tiny_config("frame")), make, options)
    with pytest.raises(UsageError, match=r"has piano"):
        measure_sounds(bundle_of(replace(TINY, sound_classes=("piano",))), make, options)
    with pytest.raises(UsageError, match="is no folder"):
        measure_sounds(bundle_of(TINY), make, replace(options, sounds=tmp_path / "gone"))


def test_envelopes_of_recordings_fill_four_seconds_and_use_all() -> None:
    short = [np.full(8000, level, np.float32) for level in (0.1, 0.2, 0.4)]
    envelopes = recorded_envelopes(short, 3, seed=1)
    assert [len(each) for each in envelopes] == [TAKE_STEPS] * 3
    assert {float(each.loudness[0].round(1)) for each in envelopes} == {-20.0, -14.0, -8.0}
    again = recorded_envelopes(short, 3, seed=1)
    np.testing.assert_array_equal(envelopes[2].loudness, again[2].loudness)


def test_an_excerpt_of_a_long_recording_holds_sound() -> None:
    late = np.concatenate([np.zeros(160_000), 0.1 * np.ones(8000), np.zeros(80_000)]).astype(np.float32)
    for seed in range(5):
        (envelope,) = recorded_envelopes([late], 1, seed)
        assert len(envelope) == TAKE_STEPS
        assert envelope.loudness.max() == pytest.approx(-20, abs=0.1)


def test_made_envelopes_and_cues_stay_in_range() -> None:
    assert all(each.loudness.min() > -45 and each.loudness.max() <= -12 for each in made_envelopes(6, 0))
    envelope, cues = cued_envelope(np.random.default_rng(0))
    assert len(envelope) == TAKE_STEPS
    assert (np.diff(cues) >= 8000).all()
    assert cues[0] >= 0
    assert cues[-1] < TAKE_LENGTH
    assert all(envelope.onset[cue // 256] == 1 for cue in cues)
