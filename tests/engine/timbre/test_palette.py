"""Palettes in files: what is written is read, and what is damaged is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.models import tiny_palette
from v2s_engine.errors import BundleDamagedError, UsageError
from v2s_engine.timbre.palette import read_palette, write_palette


def test_what_is_written_is_read(tmp_path: Path) -> None:
    palette = tiny_palette()
    write_palette(tmp_path / "p", palette)
    for name, each in read_palette(tmp_path / "p", ["dog", "drum"]).classes.items():
        np.testing.assert_array_equal(each.timbre.levels, palette.of(name).timbre.levels)
        np.testing.assert_array_equal(each.timbre.lags, palette.of(name).timbre.lags)
        np.testing.assert_array_equal(each.loudness, palette.of(name).loudness)
        np.testing.assert_array_equal(each.lengths, palette.of(name).lengths)
    with pytest.raises(UsageError, match="no 'cat'; it has: dog, drum"):
        palette.of("cat")


def test_a_damaged_palette_is_said(tmp_path: Path) -> None:
    path = tmp_path / "p"
    write_palette(path, tiny_palette())
    with pytest.raises(BundleDamagedError, match="cat"):
        read_palette(path, ["cat"])
    tensors = load_file(path)
    for name, value in [
        ("dog/levels", tensors["dog/levels"][:-2]),
        ("dog/lags", tensors["dog/lags"].astype(np.int32)),
        ("dog/lags", tensors["dog/lags"][:, None]),
        ("dog/strengths", tensors["dog/strengths"][:, None]),
        ("dog/loudness", tensors["dog/loudness"][1:]),
        ("dog/lengths", tensors["dog/lengths"] + np.uint32(1)),
        ("dog/lengths", tensors["dog/lengths"][None]),
    ]:
        save_file(tensors | {name: np.ascontiguousarray(value)}, path)
        with pytest.raises(BundleDamagedError, match="not the palette of this bundle"):
            read_palette(path, ["dog"])
    path.write_bytes(b"nothing")
    with pytest.raises(BundleDamagedError, match="install it again"):
        read_palette(path, ["dog"])
