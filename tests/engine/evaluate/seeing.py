"""Models whose weights are set by hand so that they see, and clips made for them: what they are measured as is known.

Clips show one of K things in each picture (features are one-hot) and sound one code per thing: code 40 + 20 k while
thing k is shown. A `frame` model set here expects exactly that code wherever thing k is shown; a `sequence` model
expects the code of the last thing shown in the window, all through the window.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from v2s_engine.audio import decode_codes
from v2s_engine.corpus.clip_material import PreparedClip
from v2s_engine.corpus.clips import Clip
from v2s_engine.evaluate.methods import Method
from v2s_engine.grid import FRAME_LENGTH
from v2s_engine.model.samplernn import SampleRNN
from v2s_engine.options import ConditioningName, ModelConfig, VisualConfig

THINGS = 4
WINDOW = 6


def code_of(thing: int) -> int:
    return 40 + 20 * thing


def config_of(conditioning: ConditioningName = "frame", classes: Sequence[str] = ("any",)) -> ModelConfig:
    features = THINGS - 1 if conditioning == "flow" else THINGS
    return ModelConfig(
        tuple(classes),
        hidden_size=8,
        mlp_size=8,
        embedding_size=4,
        quantisation="linear",
        conditioning=conditioning,
        visual=None
        if conditioning == "envelope"
        else VisualConfig(
            "small", picture_size=32, picture_features=features, motion_features=int(conditioning == "flow")
        ),
        encoder_window=WINDOW,
    )


@torch.no_grad()
def seeing_model(conditioning: ConditioningName = "frame", classes: Sequence[str] = ("any",)) -> SampleRNN:
    """One that expects the code of what is shown."""
    model = SampleRNN(config_of(conditioning, classes)).eval()
    config = model.config
    size, mids = config.hidden_size, config.coarse_unit // config.mid_unit
    for parameter in model.parameters():
        parameter.zero_()
    identity = torch.eye(size)
    if model.pictures is not None:  # the state is the last thing shown; the coarsest tier keeps it
        model.pictures.gru.weight_ih_l0[2 * size : 2 * size + THINGS] = 5 * torch.eye(THINGS)
        model.pictures.gru.bias_ih_l0[size : 2 * size] = -20.0
        model.coarse_gru.bias_ih_l0[size : 2 * size] = 20.0
    else:
        first = config.coarse_unit
        model.coarse_gru.weight_ih_l0[2 * size : 2 * size + THINGS, first : first + THINGS] = 5 * torch.eye(THINGS)
        model.coarse_gru.bias_ih_l0[size : 2 * size] = -20.0
    model.coarse_up.weight.copy_(identity.repeat(mids, 1))
    model.mid_gru.weight_ih_l0[2 * size :] = 5 * identity
    model.mid_gru.bias_ih_l0[size : 2 * size] = -20.0
    model.mid_up.weight.copy_(identity.repeat(config.mid_unit, 1))
    model.fine_hidden1.weight.copy_(identity)
    model.fine_hidden2.weight.copy_(identity)
    for thing in range(THINGS):
        model.fine_output.weight[code_of(thing), thing] = 8.0
    return model


@torch.no_grad()
def blind_model(classes: Sequence[str] = ("any",)) -> SampleRNN:
    """One whose logits are all 0 whatever it is shown."""
    model = SampleRNN(config_of("frame", classes)).eval()
    for parameter in model.parameters():
        parameter.zero_()
    return model


def seeing(conditioning: ConditioningName = "frame") -> Method:
    return Method(conditioning, (seeing_model(conditioning),), merged=True)


def shown_clip(
    things: Sequence[int], *, category: str = "dog", name: str = "", length: int | None = None
) -> PreparedClip:
    """A clip with a picture of each thing, and its sound."""
    features = np.eye(THINGS, dtype=np.float32)[list(things)]
    codes = np.repeat([code_of(thing) for thing in things], FRAME_LENGTH).astype(np.uint8)[:length]
    called = name or f"{category}/{'-'.join(map(str, things))}"
    return PreparedClip.held(
        Clip(Path(called), category, "test", called), 0, decode_codes(codes, config_of()), features
    )


def sounding_clip(samples: NDArray[np.float32], *, category: str = "dog", name: str = "made") -> PreparedClip:
    pictures = -(-len(samples) // FRAME_LENGTH)
    return PreparedClip.held(
        Clip(Path(name), category, "test", name), 0, samples, np.zeros((pictures, THINGS), np.float32)
    )
