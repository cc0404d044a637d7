"""Fixtures that every part of the suite uses."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from v2s_engine.bundle import Bundle
    from v2s_engine.options import ConditioningName

settings.register_profile("thorough", max_examples=int(os.environ.get("V2S_EXAMPLES", "10000")), deadline=None)
"""For `benchmarks/properties.py`: only tests that do not say how many examples they want."""

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real inputs beside the project (recordings, clips, timelines); its README files hold licences."""
    if not SHARED.is_dir():
        pytest.skip(f"real inputs are not at {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def paper_bundle(tmp_path_factory: pytest.TempPathFactory) -> Callable[[ConditioningName], Bundle]:
    """A tiny bundle with the conditioning asked for (`frame`, `sequence`, `flow`); each is made once."""

    @cache
    def make(conditioning: ConditioningName) -> Bundle:
        from tests.models import tiny_paper_bundle  # PyTorch

        return tiny_paper_bundle(tmp_path_factory.mktemp("paper") / conditioning, conditioning)

    return make
