"""What is compared: trained networks, named by how they are told of the pictures."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from v2s_engine.errors import UsageError
from v2s_engine.model.samplernn import SampleRNN
from v2s_engine.options import ModelConfig
from v2s_engine.train.checkpoint import Checkpoint, check_encoder, read_checkpoint


@dataclass(frozen=True, eq=False)
class Origin:
    """Where a model comes from."""

    path: Path
    checkpoint: Checkpoint
    """Without tensors of weights."""


@dataclass(frozen=True, eq=False)
class Method:
    """One row of the tables: one model for all categories, or one per category as in the paper."""

    name: str
    models: tuple[SampleRNN, ...]
    merged: bool = False
    """Whether its only model learned all categories as one class: it is told nothing but the pictures, and sounds every
    clip."""
    origins: tuple[Origin, ...] = ()
    """Of its models."""

    @property
    def config(self) -> ModelConfig:
        """Options of the first model; all see pictures the same way."""
        return self.models[0].config

    @property
    def sound_classes(self) -> tuple[str, ...]:
        """All that its models can sound like."""
        return tuple(name for model in self.models for name in model.config.sound_classes)

    @property
    def tells_class(self) -> bool:
        """Whether it knows a clip's category beside the pictures, as an input or by there being a model for each."""
        return len(self.sound_classes) > 1

    def knows(self, category: str) -> bool:
        """Whether it can sound a clip of this category."""
        return self.merged or category in self.sound_classes

    def check_categories(self, categories: Collection[str]) -> None:
        """Raise `UsageError` where it can sound none of these categories."""
        if not any(self.knows(category) for category in categories):
            raise UsageError(
                f"the model of {self.name} sounds {', '.join(self.sound_classes)}; the clips are of: "
                f"{', '.join(categories)}; give clips of its classes, or a checkpoint of `v2s train --merge`"
            )

    def check_encoder(self, digest: str) -> None:
        """Raise `UsageError` where a model was trained with another visual encoder than the one with this digest."""
        for origin in self.origins:
            check_encoder(origin.checkpoint, digest, origin.path)

    def model_of(self, category: str) -> tuple[SampleRNN, int]:
        """The model for a category and the class index it is told; the first class where it merges them."""
        for model in self.models:
            if category in model.config.sound_classes:
                return model, model.config.class_index(category)
        return self.models[0], 0


def open_methods(checkpoints: Sequence[Path], device: str = "cpu") -> list[Method]:
    """The methods that some checkpoints of `v2s train` make, with their averaged weights.

    Checkpoints of one conditioning whose sound classes differ are the models per category of one method; those that
    share a class are methods of their own, `frame`, `frame 2`, ... Raises `UsageError` for none, `BundleDamagedError`
    for a file that is no checkpoint.
    """
    if not checkpoints:
        raise UsageError("nothing to evaluate; give at least one checkpoint of `v2s train`")
    methods: list[Method] = []
    for path in checkpoints:
        opened = _open_model(path, device)
        place = next((index for index, method in enumerate(methods) if _belongs(opened, method)), None)
        if place is None:
            conditioning = opened.config.conditioning
            same = sum(method.config.conditioning == conditioning for method in methods)
            methods.append(replace(opened, name=conditioning + (f" {same + 1}" if same else "")))
        else:
            known = methods[place]
            methods[place] = replace(known, models=known.models + opened.models, origins=known.origins + opened.origins)
    return methods


def _belongs(opened: Method, method: Method) -> bool:
    """Whether it is one more model per category: the same network with one other sound class."""
    config = opened.config
    shapes = [replace(each, sound_classes=("any",)) for each in (config, method.config)]
    single = all(len(model.config.sound_classes) == 1 for model in opened.models + method.models)
    merged = opened.merged or method.merged
    return single and not merged and shapes[0] == shapes[1] and config.sound_classes[0] not in method.sound_classes


def _open_model(path: Path, device: str) -> Method:
    """A method of the one model at `path`."""
    checkpoint = read_checkpoint(path)
    model = SampleRNN(checkpoint.config)
    model.load_state_dict(checkpoint.averaged)
    # What it was trained with is asked for later; its weights and the optimiser's would fill the memory.
    about = replace(checkpoint, model={}, averaged={}, optimiser={})
    return Method(str(path), (model.to(device).eval(),), checkpoint.merged, (Origin(path, about),))
