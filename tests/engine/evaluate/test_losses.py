import math

import numpy as np
import pytest
import torch

from tests.engine.evaluate.seeing import (
    THINGS,
    WINDOW,
    blind_model,
    code_of,
    config_of,
    seeing,
    seeing_model,
    shown_clip,
    sounding_clip,
)
from v2s_engine.audio import encode_codes
from v2s_engine.errors import CancelledError, UsageError
from v2s_engine.evaluate.clips import clip_conditioning, excerpt
from v2s_engine.evaluate.losses import ForcedRow, clip_losses, cross_entropies
from v2s_engine.evaluate.methods import Method
from v2s_engine.evaluate.table import summarise_losses
from v2s_engine.grid import FRAME_LENGTH
from v2s_engine.model.conditioning import Conditioning
from v2s_engine.model.samplernn import SampleRNN
from v2s_engine.options import ConditioningName
from v2s_engine.progress import Progress

CONDITIONINGS: tuple[ConditioningName, ...] = ("envelope", "frame", "sequence", "flow")


def random_model(conditioning: ConditioningName, seed: int = 0) -> SampleRNN:
    torch.manual_seed(seed)
    return SampleRNN(config_of(conditioning)).eval()


def slow_loss(model: SampleRNN, row: ForcedRow) -> float:
    """One sound alone, a whole window in one call: slow and obvious."""
    config = model.config
    history = np.concatenate([np.full(config.history_length, 128, np.uint8), row.codes])
    window = config.encoder_window_length if config.starts_from_pictures else 10**9
    step = config.conditioning_length
    mid, coarse, nats = None, None, []
    for number, first in enumerate(range(0, len(row.codes), window)):
        length = min(window, len(row.codes) - first)
        padded = -(-length // config.coarse_unit) * config.coarse_unit
        codes = np.full(config.history_length + padded, 128, np.int64)
        seen = history[first : first + config.history_length + length]
        codes[: len(seen)] = seen
        start = torch.from_numpy(row.conditioning.starts[number][None]) if row.conditioning.starts is not None else None
        state = model.initial_state(1, start)
        if mid is not None:
            state = state._replace(mid=mid)
        vectors = row.conditioning.vectors[first // step : -(-(first + length) // step)]
        with torch.no_grad():
            logits, after = model(torch.from_numpy(codes)[None], torch.from_numpy(vectors)[None], state)
        mid, coarse = after.mid, after.coarse
        told = torch.log_softmax(logits[0, :length], dim=1)
        nats += (
            -told[torch.arange(length), torch.from_numpy(row.codes[first : first + length].astype(np.int64))]
        ).tolist()
    assert coarse is not None
    return float(np.mean(nats))


@pytest.mark.parametrize("conditioning", CONDITIONINGS)
def test_a_batch_of_any_lengths_is_each_sound_alone(conditioning: ConditioningName) -> None:
    """Padding counts for nothing, states are carried over pieces, and each window starts from its own pictures."""
    model = random_model(conditioning)
    rng = np.random.default_rng(0)
    rows = []
    for length in (1, 700, 3 * FRAME_LENGTH, (2 * WINDOW + 1) * FRAME_LENGTH - 5):
        things = rng.integers(0, THINGS, -(-length // FRAME_LENGTH)).tolist()
        clip = shown_clip(things, length=length)
        noisy = (clip.samples + 0.2 * rng.standard_normal(length)).astype(np.float32)
        rows.append(ForcedRow(encode_codes(noisy, model.config), clip_conditioning(model, clip, length, 0)))
    together = cross_entropies(model, rows)
    np.testing.assert_allclose(together, [slow_loss(model, row) for row in rows], rtol=1e-5)


def test_a_model_that_sees_foresees_and_a_blind_one_guesses() -> None:
    clip = shown_clip([0, 1, 2, 3])
    seen, guessed = clip_losses(seeing(), [clip]), clip_losses(Method("frame", (blind_model(),)), [clip])
    assert seen[0] < 0.5
    assert guessed[0] == pytest.approx(math.log(256))


@pytest.mark.parametrize("conditioning", ["sequence", "flow"])
def test_each_window_is_foreseen_from_its_own_pictures(conditioning: ConditioningName) -> None:
    clip = shown_clip([1] * WINDOW + [3] * WINDOW + [0] * 2)
    assert clip_losses(seeing(conditioning), [clip])[0] < 0.5
    first_only = shown_clip([1] * (2 * WINDOW + 2))
    assert clip_losses(seeing(conditioning), [clip], [first_only])[0] > 3


def test_pictures_that_are_too_few_are_looped_and_those_too_many_cut() -> None:
    sound = shown_clip([0, 1, 0, 1, 0])
    method = seeing()
    assert clip_losses(method, [sound], [shown_clip([0, 1])])[0] == clip_losses(method, [sound])[0]
    assert clip_losses(method, [sound], [shown_clip([0, 1, 0, 1, 0, 3, 3])])[0] == clip_losses(method, [sound])[0]


def test_an_excerpt_is_the_beginning_with_its_pictures() -> None:
    cut = excerpt(shown_clip([0, 1, 2]), FRAME_LENGTH + 1, config_of())
    assert (cut.length, len(cut.features)) == (FRAME_LENGTH + 1, 2)
    assert clip_losses(seeing(), [cut])[0] < 0.5
    assert excerpt(shown_clip([0]), 10**6, config_of()).length == FRAME_LENGTH


def test_an_envelope_model_is_told_the_loudness_of_the_clip_shown() -> None:
    model = random_model("envelope")
    rng = np.random.default_rng(0)
    loud, quiet = (
        sounding_clip((level * rng.standard_normal(4_000)).astype(np.float32), name=str(level)) for level in (0.3, 0.01)
    )
    told = [clip_conditioning(model, clip, 6_000, 0).vectors for clip in (loud, quiet)]
    assert told[0].shape == (24, model.config.conditioning_size)
    assert (told[0][:, 1] > told[1][:, 1] + 0.2).all()


def test_a_long_sound_can_be_stopped_within_its_batch() -> None:
    progress, seen = Progress(), []

    def check() -> None:
        seen.append(1)
        if len(seen) == 3:
            progress.cancel.set()
        progress.check()

    model = random_model("frame")
    clip = shown_clip([0] * 20)
    row = ForcedRow(encode_codes(clip.samples, model.config), clip_conditioning(model, clip, clip.length, 0))
    with pytest.raises(CancelledError):
        cross_entropies(model, [row], check)
    assert len(seen) == 3


def test_models_per_category_each_foresee_their_own() -> None:
    dog, drum = seeing_model(classes=("dog",)), blind_model(("drum",))
    method = Method("frame", (dog, drum))
    losses = clip_losses(method, [shown_clip([0]), shown_clip([1], category="drum"), shown_clip([2])])
    assert losses[1] == pytest.approx(math.log(256))
    assert max(losses[0], losses[2]) < 0.5


def test_the_table_counts_samples_in_nats_and_bits() -> None:
    clips = [shown_clip([0, 1, 2]), shown_clip([0])]
    cell = summarise_losses("test", clips, np.array([1.0, 2.0]), seed=0)
    assert cell.nats.mean == pytest.approx(1.25)
    assert cell.bits == pytest.approx(1.25 / math.log(2))
    assert (cell.nats.n, cell.samples) == (2, 4 * FRAME_LENGTH)
    empty = summarise_losses("train", [], np.zeros(0), seed=0)
    assert (empty.nats.n, empty.nats.mean, empty.bits) == (0, None, None)


def test_no_sound_and_too_few_vectors_are_refused() -> None:
    model = seeing_model()
    vectors = np.zeros((1, model.config.conditioning_size), np.float32)
    for length in (0, FRAME_LENGTH + 1):
        with pytest.raises(UsageError, match="vectors"):
            cross_entropies(model, [ForcedRow(np.full(length, code_of(0), np.uint8), Conditioning(vectors))])
