"""A preset's model made smaller or larger, e.g. to fit a machine or an experiment."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from v2s_engine.errors import UsageError
from v2s_engine.options import FlowMethod, ModelConfig, PictureNetworkName


@dataclass(frozen=True)
class ModelChanges:
    """Fields of `ModelConfig` and `VisualConfig` that are to differ from the preset's; None leaves a field as it is."""

    hidden_size: int | None = None
    mlp_size: int | None = None
    embedding_size: int | None = None
    coarse_unit: int | None = None
    mid_unit: int | None = None
    window: int | None = None
    sample_expansion: int | None = None
    encoder_window: int | None = None
    picture_network: PictureNetworkName | None = None
    picture_size: int | None = None
    picture_features: int | None = None
    motion_features: int | None = None
    flow_method: FlowMethod | None = None
    flow_stack: int | None = None

    def applied(self, config: ModelConfig) -> ModelConfig:
        """The changed model. Raises `UsageError` where the changes contradict the rest of it."""
        given = {name: value for name, value in asdict(self).items() if value is not None}
        visual = {name: given.pop(name) for name in tuple(given) if name in _VISUAL}
        if visual and config.visual is None:
            raise UsageError(
                f"{', '.join(sorted(visual))} belong to models that look at pictures; this one follows envelopes"
            )
        looks = replace(config.visual, **visual) if config.visual else None
        return replace(config, visual=looks, **given)


_VISUAL = ("picture_network", "picture_size", "picture_features", "motion_features", "flow_method", "flow_stack")
