"""All recipes by the name of their sound class."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from v2s_engine.corpus.synthesis.baby import baby_crying
from v2s_engine.corpus.synthesis.chainsaw import chainsaw
from v2s_engine.corpus.synthesis.dogs import dog
from v2s_engine.corpus.synthesis.drums import drum
from v2s_engine.corpus.synthesis.helicopter import helicopter
from v2s_engine.corpus.synthesis.printer import printer
from v2s_engine.corpus.synthesis.pyrotechnics import fireworks
from v2s_engine.corpus.synthesis.rail import rail_transport
from v2s_engine.corpus.synthesis.recipe import Recipe
from v2s_engine.corpus.synthesis.snores import snoring
from v2s_engine.corpus.synthesis.water import water_flowing

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "baby_crying": baby_crying,
        "chainsaw": chainsaw,
        "dog": dog,
        "drum": drum,
        "fireworks": fireworks,
        "helicopter": helicopter,
        "printer": printer,
        "rail_transport": rail_transport,
        "snoring": snoring,
        "water_flowing": water_flowing,
    }
)
"""Sound class -> its recipe."""
