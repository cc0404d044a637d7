import math
from typing import Any

import pytest
import torch

from tests.engine.train.made_clips import WINDOW, made_clip, made_clips, tiny
from v2s_engine.grid import FRAME_LENGTH
from v2s_engine.model.samplernn import SampleRNN, TierState
from v2s_engine.options import ConditioningName
from v2s_engine.train.clip_stream import ClipStream, ClipStreamOptions
from v2s_engine.train.steps import Batch, begin, chunk_gradients, coarse_tier_gradients, sums_of

CPU = torch.device("cpu")
CONDITIONINGS = ["envelope", "frame", "sequence", "flow"]


def model_and_stream(
    conditioning: ConditioningName, chunk_length: int, fill: str = "loop", **changes: Any
) -> tuple[SampleRNN, ClipStream, TierState]:
    torch.manual_seed(0)
    model = SampleRNN(tiny(conditioning, **changes))
    with torch.no_grad():
        model.mid_start.normal_()
    options = ClipStreamOptions(rows=3, chunk_length=chunk_length, fill=fill)  # type: ignore[arg-type]
    return model, ClipStream(made_clips(), model.config, options), TierState(torch.zeros(3, 8), torch.zeros(3, 8))


def gradients(model: SampleRNN) -> dict[str, torch.Tensor]:
    return {name: each.grad.clone() for name, each in model.named_parameters() if each.grad is not None}


@pytest.mark.parametrize("conditioning", CONDITIONINGS)
@pytest.mark.parametrize("fill", ["loop", "mask"])
def test_coarse_tier_truncation_is_one_graph_with_a_cut_middle_tier(conditioning: ConditioningName, fill: str) -> None:
    length, cut = WINDOW * FRAME_LENGTH, 512
    model, stream, state = model_and_stream(conditioning, length, fill, weight_norm=True)
    for _ in range(2):  # the second window of long clips carries states
        batch = Batch.of(stream.next_chunk(), CPU)
        count = float((batch.targets >= 0).sum())
        model.zero_grad()
        sums, after = coarse_tier_gradients(model, batch, state, count, length=cut, mixed_precision=False)
        found = gradients(model)

        model.zero_grad()
        start = begin(model, batch, state)
        coarse_out, coarse = model.coarse_tier(batch.codes, batch.conditioning, start.coarse)
        mid, loss = start.mid, torch.zeros(())
        history, unit = model.config.history_length, model.config.coarse_unit
        for first in range(0, length, cut):
            part = coarse_out[:, first // unit : (first + cut) // unit]  # attached: one graph over the window
            logits, mid = model.lower_tiers(batch.codes[:, first : first + cut + history], part, mid)
            loss = loss + sums_of(logits, batch.targets[:, first : first + cut]).loss
            mid = mid.detach()
        (loss / count).backward()
        wanted = gradients(model)

        assert set(found) == set(wanted)
        assert ("pictures.gru.parametrizations.weight_ih_l0.original1" in found) == model.config.starts_from_pictures
        for name, gradient in wanted.items():
            torch.testing.assert_close(found[name], gradient, atol=1e-6, rtol=1e-4)
        assert sums.loss.item() == pytest.approx(loss.item(), rel=1e-5)
        torch.testing.assert_close(after.coarse, coarse.detach())
        torch.testing.assert_close(after.mid, mid)
        state = after


@pytest.mark.parametrize("conditioning", ["sequence", "flow"])
def test_in_chunks_the_encoder_learns_at_window_starts_only(conditioning: ConditioningName) -> None:
    model, stream, state = model_and_stream(conditioning, 512)
    told = 0
    for _ in range(3 * WINDOW * 2):
        chunk = stream.next_chunk()
        model.zero_grad()
        _, state = chunk_gradients(model, Batch.of(chunk, CPU), state, 1.0, mixed_precision=False)
        assert model.pictures is not None
        norm = sum(float(each.grad.norm()) for each in model.pictures.parameters() if each.grad is not None)
        assert (norm > 0) == (chunk.windows is not None)
        told += chunk.windows is not None
    assert 8 <= told <= 10  # of 24 chunks: each of the three rows starts a window every 8, out of step with the others


def test_a_window_starts_from_its_pictures_and_carries_the_rest() -> None:
    clip = made_clip("long", 9.4)
    torch.manual_seed(0)
    model = SampleRNN(tiny("sequence"))
    stream = ClipStream([clip], model.config, ClipStreamOptions(rows=1))
    carried = TierState(torch.randn(1, 8), torch.randn(1, 8))
    for number in range(9):
        chunk = stream.next_chunk()
        state = begin(model, Batch.of(chunk, CPU), carried)
        if chunk.windows is None:
            assert state is carried
        else:
            torch.testing.assert_close(state.coarse, model.picture_start(torch.from_numpy(chunk.windows.features)))
            torch.testing.assert_close(state.mid, model.mid_start[None] if number == 0 else carried.mid)


def test_padding_does_not_count() -> None:
    model, stream, state = model_and_stream("frame", WINDOW * FRAME_LENGTH, "mask")
    chunk = stream.next_chunk()
    while chunk.mask.all():
        chunk = stream.next_chunk()
    count = float(chunk.mask.sum())
    sums, _ = chunk_gradients(model, Batch.of(chunk, CPU), state, count, mixed_precision=False)
    before = gradients(model)
    changed = chunk.targets.copy()
    changed[~chunk.mask] = 3
    model.zero_grad()
    other, _ = chunk_gradients(
        model, Batch.of(chunk._replace(targets=changed), CPU), state, count, mixed_precision=False
    )
    assert other.loss.item() == sums.loss.item()
    assert 0.5 * math.log(256) < sums.loss.item() / count < 3 * math.log(256)
    for name, gradient in gradients(model).items():
        assert torch.equal(gradient, before[name])


def test_a_wholly_masked_chunk_gives_no_gradient_and_no_nan() -> None:
    model, stream, state = model_and_stream("frame", 512)
    chunk = stream.next_chunk()
    chunk.mask[:] = False
    sums, _ = chunk_gradients(model, Batch.of(chunk, CPU), state, 1.0, mixed_precision=True)
    assert sums.loss.item() == 0.0
    assert all(torch.isfinite(each).all() and (each == 0).all() for each in gradients(model).values())
