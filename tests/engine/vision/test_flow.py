"""Both ways to measure flow keep the same promises."""

import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torchvision.models.optical_flow import raft_small

from v2s_engine.errors import BundleNotFoundError, UsageError
from v2s_engine.options import FlowMethod
from v2s_engine.vision.flow import Flow, open_flow
from v2s_engine.vision.network_weights import random_weights
from v2s_engine.vision.raft import RaftMeter


def panned(shift: tuple[int, int], count: int = 3, width: int = 128, height: int = 128) -> Iterator[NDArray[np.uint8]]:
    """A camera that looks at a texture and moves by `shift` pixels (right, down) per picture."""
    rough = np.random.default_rng(1).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    wall = np.asarray(cv2.resize(rough, (320, 320), interpolation=cv2.INTER_CUBIC), np.uint8)
    for number in range(count):
        left, top = 60 + number * shift[0], 60 + number * shift[1]
        yield np.ascontiguousarray(wall[top : top + height, left : left + width])


@pytest.fixture(scope="module", params=get_args(FlowMethod))
def method(request: pytest.FixtureRequest) -> Flow:
    """What each test takes a fresh start of."""
    return open_flow(request.param, "random:3")


@pytest.mark.parametrize(("width", "height"), [(128, 128), (64, 64), (224, 136), (100, 90)])
def test_flow_is_finite_and_as_large_as_the_picture(method: Flow, width: int, height: int) -> None:
    meter = method.restarted()
    first, second = (meter.step(picture) for picture in panned((3, 1), 2, width, height))

    assert first.shape == second.shape == (height, width, 2)
    assert first.dtype == second.dtype == np.float32
    assert not first.any()
    assert second.any()
    assert np.isfinite(second).all()


def test_the_same_pictures_give_the_same_flow_and_clips_do_not_touch(method: Flow) -> None:
    one, other = method.restarted(), method.restarted()
    pictures, elsewhere = list(panned((3, -2))), list(panned((-4, 1)))
    first = [one.step(picture) for picture in pictures]
    again = []
    mixed = method.restarted()
    for mine, foreign in zip(pictures, elsewhere, strict=True):
        again.append(mixed.step(mine))
        other.step(foreign)

    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not mixed.restarted().step(pictures[0]).any()


def test_flow_wants_one_size(method: Flow) -> None:
    meter = method.restarted()
    meter.step(np.zeros((128, 128, 3), np.uint8))
    with pytest.raises(UsageError, match="keep their size"):
        meter.step(np.zeros((128, 136, 3), np.uint8))


def test_a_picture_may_be_changed_by_others_afterwards(method: Flow) -> None:
    pictures = list(panned((3, 1), 2))
    untouched, meter = method.restarted(), method.restarted()
    expected = [untouched.step(picture) for picture in pictures][1]
    lent = pictures[0].copy()
    meter.step(lent)
    lent[:] = 0
    assert np.array_equal(meter.step(pictures[1]), expected)


def test_the_digest_says_what_decides_the_result(method: Flow) -> None:
    assert method.restarted().digest == method.digest
    digests = {open_flow("dis").digest, open_flow("raft", "random:1").digest, open_flow("raft", "random:2").digest}
    assert len(digests) == 3


def test_dis_says_where_things_go_in_parts_of_the_picture() -> None:
    meter = open_flow("dis")
    flows = [meter.step(picture) for picture in panned((4, -2), 3, 224, 160)]
    for flow in flows[1:]:
        middle = flow[30:-30, 30:-30].reshape(-1, 2).mean(axis=0)  # what the camera passes goes the other way
        assert middle == pytest.approx([-4 / 224, 2 / 160], abs=0.3 / 160)


@pytest.mark.parametrize(("width", "height"), [(128, 128), (64, 96)])
def test_raft_is_asked_in_its_own_way_and_answers_in_parts(width: int, height: int) -> None:
    """A stand-in that finds everything moved by 16 pixels to the right and 4 up of what it is shown."""
    shown: list[torch.Tensor] = []

    class Sixteen(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))

        def forward(self, before: torch.Tensor, after: torch.Tensor) -> list[torch.Tensor]:
            shown.extend([before, after])
            answer = torch.tensor([16.0, -4.0]).reshape(1, 2, 1, 1).expand(1, 2, *after.shape[2:])
            return [torch.zeros_like(answer), answer]

    meter = RaftMeter(Sixteen(), "sixteen")
    meter.step(np.zeros((height, width, 3), np.uint8))
    flow = meter.step(np.full((height, width, 3), 255, np.uint8))

    assert [tuple(each.shape) for each in shown] == [(1, 3, 128, 128)] * 2
    assert (float(shown[0].max()), float(shown[1].min())) == (-1, 1)
    assert flow.shape == (height, width, 2)
    np.testing.assert_allclose(flow, np.broadcast_to([16 / 128, -4 / 128], flow.shape), atol=1e-6)


def test_raft_without_a_connection_says_how_to_bring_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    with pytest.raises(
        BundleNotFoundError, match=r"https://.*raft_small_C_T_V2.*\.pth.*put it at .*checkpoints.*--flow-weights FILE"
    ):
        open_flow("raft")


def test_rafts_weights_may_come_from_a_file(tmp_path: Path) -> None:
    with torch.device("meta"):
        network = raft_small(weights=None)
    torch.save(random_weights(network, 3), tmp_path / "raft.pth")
    assert open_flow("raft", str(tmp_path / "raft.pth")).digest == open_flow("raft", "random:3").digest
    with pytest.raises(BundleNotFoundError, match="no weights at nothing"):
        open_flow("raft", "nothing.pth")
