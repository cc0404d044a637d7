"""The Blender extension's zip, as far as it can be judged without Blender (tests/blender runs it there)."""

from __future__ import annotations

import ast
import importlib.util
import sys
import tomllib
import zipfile
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from scripts.build_blender import SOURCE, build
from v2s_engine import __version__


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("dist"))


def read(packed: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(packed) as held:
        return {name: held.read(name) for name in held.namelist()}


def test_two_builds_are_the_same_file(packed: Path, tmp_path: Path) -> None:
    assert build(tmp_path).read_bytes() == packed.read_bytes()


def test_its_manifest_has_the_projects_version_and_names_both_licences(packed: Path) -> None:
    manifest = tomllib.loads(read(packed)["blender_manifest.toml"].decode())
    assert packed.name == f"v2s_blender-{__version__}.zip"
    assert (manifest["id"], manifest["version"]) == ("v2s_blender", __version__)
    assert manifest["blender_version_min"] == "4.5.0"
    assert manifest["license"] == ["SPDX:GPL-3.0-or-later", "SPDX:Apache-2.0"]


def test_it_holds_every_module_and_the_text_of_both_licences(packed: Path) -> None:
    files = read(packed)
    assert {path.name for path in SOURCE.glob("*.py")} | {"client.py"} == {n for n in files if n.endswith(".py")}
    assert b"GNU GENERAL PUBLIC LICENSE" in files["LICENSE"]
    assert b"Apache License" in files["LICENSE-APACHE"]
    for name, text in files.items():
        if name.endswith(".py") and name != "client.py":
            assert text.startswith(b"# SPDX-License-Identifier: GPL-3.0-or-later\n"), name


def test_it_needs_nothing_but_blender_and_the_standard_library(packed: Path) -> None:
    needed = set()
    for name, text in read(packed).items():
        if not name.endswith(".py"):
            continue
        for node in ast.walk(ast.parse(text, name, feature_version=(3, 11))):
            if isinstance(node, ast.Import):
                needed |= {each.name.split(".")[0] for each in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                needed.add(str(node.module).split(".")[0])
    assert needed - sys.stdlib_module_names == {"bpy"}


@pytest.mark.parametrize(
    ("fps", "base", "exact"),
    [
        (24, 1.0, Fraction(24)),
        (24, 1.001, Fraction(24_000, 1001)),
        (30, 1.001, Fraction(30_000, 1001)),
        (60, 1.001, Fraction(60_000, 1001)),
        (120, 1.001, Fraction(120_000, 1001)),
        (25, 1.0, Fraction(25)),
        (25, 2.0, Fraction(25, 2)),
    ],
)
def test_blenders_rates_become_exact(fps: int, base: float, exact: Fraction) -> None:
    """Blender keeps the base as a 32 bit number: 1.001 comes back as 1.0010000467…"""
    place = importlib.util.spec_from_file_location("rates", SOURCE / "rates.py")
    assert place is not None
    assert place.loader is not None
    rates = importlib.util.module_from_spec(place)
    place.loader.exec_module(rates)
    assert rates.exact_rate(fps / float(np.float32(base))) == exact
    assert rates.as_text(exact) == f"{exact.numerator}/{exact.denominator}"
    with pytest.raises(ValueError, match="above 0"):
        rates.exact_rate(0.0)
