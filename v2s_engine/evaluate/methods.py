"""What is compared: trained networks, named by how they are told of the pictures."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from v2s_engine.errors import UsageError
from v2s_engine.model.samplernn import SampleRNN
from v2s_engine.options import ModelConfig
from v2s_engine.train.checkpoint import read_checkpoint


@dataclass(frozen=True, eq=False)
class Method:
    """One row of the tables: one model for all categories, or one per category as in the paper.

    A model with a single sound class that is no category of the clips was trained on all of them as one class: it is
    told nothing but the pictures, and sounds every clip.
    """

    name: str
    models: tuple[SampleRNN, ...]

    @property
    def config(self) -> ModelConfig:
        """Options of the first model; all see pictures the same way."""
        return self.models[0].config

    @property
    def sound_classes(self) -> tuple[str, ...]:
        """All that its models can sound like."""
        return tuple(name for model in self.models for name in model.config.sound_classes)

    def merges(self, categories: Collection[str]) -> bool:
        """Whether clips of these categories are all one class to it."""
        return len(self.sound_classes) == 1 and self.sound_classes[0] not in categories

    def tells_class(self, categories: Collection[str]) -> bool:
        """Whether it knows a clip's category beside the pictures, as an input or by there being a model for each."""
        return len(self.sound_classes) > 1 and not self.merges(categories)

    def knows(self, category: str, categories: Collection[str]) -> bool:
        """Whether it can sound a clip of this category, one of `categories`."""
        return category in self.sound_classes or self.merges(categories)

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
        model = _open_model(path, device)
        place = next((index for index, method in enumerate(methods) if _belongs(model, method)), None)
        if place is None:
            same = sum(method.config.conditioning == model.config.conditioning for method in methods)
            name = model.config.conditioning + (f" {same + 1}" if same else "")
            methods.append(Method(name, (model,)))
        else:
            methods[place] = Method(methods[place].name, (*methods[place].models, model))
    return methods


def _belongs(model: SampleRNN, method: Method) -> bool:
    """Whether it is one more model per category: the same network with one other sound class."""
    config = model.config
    shapes = [ModelConfig.from_json({**each.to_json(), "sound_classes": ["any"]}) for each in (config, method.config)]
    single = all(len(each.config.sound_classes) == 1 for each in (model, *method.models))
    return single and shapes[0] == shapes[1] and config.sound_classes[0] not in method.sound_classes


def _open_model(path: Path, device: str) -> SampleRNN:
    checkpoint = read_checkpoint(path)
    model = SampleRNN(checkpoint.config)
    model.load_state_dict(checkpoint.averaged)
    return model.to(device).eval()
