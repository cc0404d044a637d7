"""Networks run by I/O binding give what they give when run plainly."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnxruntime
import pytest
import torch

from v2s_engine.bundle import Bundle
from v2s_engine.options import ConditioningName
from v2s_engine.vision.session import CUDA, open_session, run_bound

Bundles = Callable[[ConditioningName], Bundle]


@pytest.mark.parametrize("count", [1, 5])
def test_what_is_left_on_the_device_is_what_a_plain_run_gives(paper_bundle: Bundles, count: int) -> None:
    session = open_session(paper_bundle("flow").encoder_path)
    draw = np.random.default_rng(count)
    shapes = {end.name: (count, *end.shape[1:]) for end in session.get_inputs()}
    inputs = {
        "pictures": draw.integers(0, 256, shapes["pictures"], dtype=np.uint8),
        "flow": draw.normal(0, 0.1, shapes["flow"]).astype(np.float32),
    }
    (wanted,) = session.run(["features"], inputs)
    np.testing.assert_array_equal(run_bound(session, inputs, "features").numpy(), wanted)
    left = torch.zeros(wanted.shape)
    run_bound(session, inputs, "features", left)
    np.testing.assert_array_equal(left.numpy(), wanted)


def test_what_was_left_on_the_device_goes_into_the_next_network(paper_bundle: Bundles) -> None:
    path = paper_bundle("sequence").state_path
    assert path is not None
    session = open_session(path)
    features = np.random.default_rng(1).normal(size=(8, 12)).astype(np.float32)
    (wanted,) = session.run(["state"], {"features": features})
    odd = torch.from_numpy(np.asfortranarray(features))  # its rows do not lie behind each other
    for tensor in (torch.from_numpy(features), odd, torch.from_numpy(np.repeat(features, 2, axis=0))[::2]):
        np.testing.assert_array_equal(run_bound(session, {"features": tensor}, "state").numpy(), wanted)


def test_an_input_may_lie_in_memory_in_any_order_and_change_afterwards(paper_bundle: Bundles) -> None:
    session = open_session(paper_bundle("frame").encoder_path)
    size = session.get_inputs()[0].shape[1]
    pictures = np.random.default_rng(0).integers(0, 256, (6, size, size, 3), dtype=np.uint8)
    (wanted,) = session.run(["features"], {"pictures": np.ascontiguousarray(pictures[::-2])})
    left = run_bound(session, {"pictures": pictures[::-2]}, "features")
    pictures[:] = 0
    np.testing.assert_array_equal(left.numpy(), wanted)


def test_a_gpu_is_not_left_to_take_other_algorithms_each_time(
    paper_bundle: Bundles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sounds that are made again must be the same, and they follow the features."""
    asked = []

    class Session:
        def __init__(
            self, model: str, options: onnxruntime.SessionOptions, providers: list[tuple[str, object]]
        ) -> None:
            asked.append((options.use_deterministic_compute, providers))

        def get_providers(self) -> list[str]:
            return list(CUDA)

    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    monkeypatch.setattr("v2s_engine.vision.session.available_providers", lambda: CUDA)
    open_session(paper_bundle("frame").encoder_path, CUDA)
    assert asked == [(True, [("CUDAExecutionProvider", {"cudnn_conv_algo_search": "HEURISTIC"})])]
