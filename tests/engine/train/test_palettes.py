"""The palette of a training: recorded sounds first, written whole, and left where it stands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.models import TINY_SOURCE_FILTER
from v2s_engine.bundle import PALETTE
from v2s_engine.corpus.recordings import Material, Recording
from v2s_engine.grid import SAMPLE_RATE
from v2s_engine.timbre.palette import read_palette
from v2s_engine.train import palettes
from v2s_engine.train.palettes import save_palette, training_palette


def recording(name: str, duration: float, *, synthetic: bool = False) -> Recording:
    samples = np.random.default_rng(len(name)).uniform(-0.5, 0.5, round(duration * SAMPLE_RATE)).astype(np.float32)
    return Recording(Material(f"dog/{name}", "dog", duration, "CC0", "Ann", "00", synthetic), samples)


def test_synthetic_sounds_fill_up_what_is_not_recorded() -> None:
    seconds = palettes.ENOUGH_LENGTH // SAMPLE_RATE
    made = [recording(f"made{number}", 6.0, synthetic=True) for number in range(9)]
    enough = training_palette([recording("long", seconds + 1.0), *made], ("dog",)).of("dog")
    assert list(enough.lengths) == [round((seconds + 1.0) * 62.5 + 0.49)]
    little = training_palette([recording("short", 2.0), *made], ("dog",)).of("dog")
    assert len(little.timbre) >= seconds * 62
    assert little.lengths[0] == 125


def test_a_palette_is_written_once(tmp_path: Path) -> None:
    one, other = [recording("a", 1.0)], [recording("b", 2.0)]
    config = replace(TINY_SOURCE_FILTER, sound_classes=("dog",))
    assert save_palette(one, config, tmp_path) == tmp_path / PALETTE
    save_palette(other, config, tmp_path)  # as a resumed training does
    assert len(read_palette(tmp_path / PALETTE, ("dog",)).of("dog").timbre) == 63
    assert [path.name for path in tmp_path.iterdir()] == [PALETTE]
    assert save_palette(one, replace(config, source_filter=False), tmp_path / "none") is None
    assert not (tmp_path / "none").exists()
