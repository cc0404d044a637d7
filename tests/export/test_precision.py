"""The precision that is shipped is the fastest one that keeps what is drawn, and what it costs is written down."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.models import TINY, tiny_config, tiny_sampler
from v2s_engine.audio import write_wav
from v2s_engine.bundle import Bundle
from v2s_engine.errors import UsageError
from v2s_engine.options import ConditioningName, ModelConfig
from v2s_engine.sampling.choose import open_sampler
from v2s_engine.sampling.fold import fold_weights
from v2s_engine.sampling.weights import FoldedWeights, Precision
from v2s_engine.train.parameters import numpy_parameters
from v2s_export.divergence import Divergence, measure_divergences
from v2s_export.passages import EncoderFiles, Passages, heard_passages, made_passages
from v2s_export.precision import PrecisionChoice, PrecisionOptions, choose_precision

NO_ENCODER = EncoderFiles(Path("none.onnx"))


def folded(config: ModelConfig = TINY) -> FoldedWeights:
    return fold_weights(numpy_parameters(tiny_sampler(config)), config)


def harmed_by_int8() -> FoldedWeights:
    """A hidden unit that never fires holds weights so large that int8 has no levels left for the others."""
    weights = folded()
    output, bias = weights.fine_output.copy(), weights.fine_hidden_bias.copy()
    output[3] = 1_000 * np.where(np.arange(256) % 2, 1, -1)
    bias[3] = -1_000
    return replace(weights, fine_output=output, fine_hidden_bias=bias)


def choose(weights: FoldedWeights, precision: str = "auto", limit: float = 1e-3) -> PrecisionChoice:
    return choose_precision(weights, PrecisionOptions(precision, limit), NO_ENCODER, 1.0)


@pytest.fixture(scope="module")
def harmed() -> FoldedWeights:
    return harmed_by_int8()


def test_a_model_that_bears_it_gets_int8_and_the_record_says_what_it_costs() -> None:
    choice = choose(folded())
    told = choice.to_json()
    assert choice.weights.precision == "int8"
    assert set(choice.weights.quantised)
    assert list(told["nats_per_sample"]) == ["int8"]
    assert 0 < told["nats_per_sample"]["int8"]["mean"] <= told["nats_per_sample"]["int8"]["worst"]
    assert told["nats_per_sample"]["int8"]["mean"] <= told["max_nats_per_sample"] == 1e-3
    assert (told["samples"], told["temperature"]) == (8 * 16_384, 1.0)
    assert told["measured_on"] == "8 sounds of 1.0 s that the model made itself"


def test_a_model_that_int8_harms_gets_the_next_and_the_record_says_why(harmed: FoldedWeights) -> None:
    choice = choose(harmed)
    told = choice.to_json()["nats_per_sample"]
    assert choice.weights.precision == "bf16"
    assert list(told) == ["int8", "bf16"]
    assert told["int8"]["mean"] > 1e-2
    assert told["bf16"]["mean"] < 1e-3


def test_a_precision_that_was_asked_for_and_harms_is_refused_with_figures(harmed: FoldedWeights) -> None:
    words = r"weights in int8 move .* by \d\.\d+ nats .* 131,072 samples.*; at most 0\.001 is allowed.*--max-kl"
    with pytest.raises(UsageError, match=words):
        choose(harmed, "int8")
    assert choose(harmed, "int8", limit=10.0).weights.precision == "int8"
    assert list(choose(harmed, "fp16").measured) == ["fp16"]


def test_where_nothing_is_good_enough_nothing_is_rounded() -> None:
    weights = folded()
    choice = choose(weights, limit=1e-30)
    assert choice.weights is weights
    assert list(choice.measured) == ["int8", "bf16", "fp16"]
    nothing = choose(weights, "fp32")
    assert (nothing.weights, nothing.to_json()) == (weights, {})


def test_weights_that_are_no_numbers_do_not_pass_for_good() -> None:
    weights = folded()
    broken = replace(weights, fine_output_bias=np.full(256, np.nan, np.float32))
    passages = made_passages(open_sampler(weights, "cpu"), NO_ENCODER, 1.0)
    ((_, found),) = measure_divergences(weights, [broken], passages, 1.0)
    assert np.isnan(found.mean)
    assert not found.mean <= 1e-3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"precision": "fp8"}, "must be one of auto, fp32, fp16, bf16, int8, int4.*got 'fp8'"),
        ({"max_divergence": 0.0}, "--max-kl wants nats per sample above 0; got 0"),
        ({"max_divergence": float("nan")}, "--max-kl wants"),
        ({"manifest": Path("a.csv")}, "give both"),
    ],
)
def test_options_that_mean_nothing(options: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        PrecisionOptions(**options)  # type: ignore[arg-type]


def test_every_precision_is_tried_the_last_resort_or_to_be_asked_for() -> None:
    from v2s_export.precision import FASTEST_FIRST

    assert {*FASTEST_FIRST, "fp32", "int4"} == set(get_args(Precision))


def test_int4_is_measured_where_it_is_asked_for() -> None:
    choice = choose(folded(), "int4", limit=1.0)
    assert choice.weights.precision == "int4"
    assert list(choice.measured) == ["int4"]
    with pytest.raises(UsageError, match="weights in int4 move"):
        choose(folded(), "int4", limit=1e-9)


# Divergence


def constant_model(logits: NDArray[np.float32]) -> FoldedWeights:
    """Draws every sample from the same distribution, whatever it hears."""
    weights = folded()
    return replace(weights, fine_output=np.zeros_like(weights.fine_output), fine_output_bias=logits)


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_divergence_is_kullback_and_leiblers(temperature: float) -> None:
    rng = np.random.default_rng(0)
    ours, theirs = (rng.normal(size=256).astype(np.float32) for _ in range(2))
    p, q = (np.exp(each.astype(np.float64) / temperature) for each in (ours, theirs))
    p, q = p / p.sum(), q / q.sum()
    weights = constant_model(ours)
    passages = made_passages(open_sampler(weights, "cpu"), NO_ENCODER, temperature)
    pair = [weights, constant_model(theirs)]
    (_, same), (_, other) = measure_divergences(weights, pair, passages, temperature)
    assert same == Divergence(0.0, 0.0)
    assert other.mean == pytest.approx((p * np.log(p / q)).sum(), rel=1e-4)
    assert other.max == pytest.approx(other.mean, rel=1e-4)


def test_silence_behind_a_sound_does_not_count() -> None:
    """Two models that part where the past is silent: sound that is filled up with silence must not show it."""
    weights = folded()
    tables = weights.tables.copy()
    tables[:, 128] += 100.0
    other = replace(weights, tables=tables)
    codes = np.full((1, 8_192), 128, np.uint8)
    codes[0, :4_096] = np.random.default_rng(0).integers(0, 100, 4_096)
    conditioning = np.zeros((1, 32, TINY.conditioning_size), np.float32)
    means = []
    for length in (4_096, 8_192):
        passages = Passages(codes, np.array([length]), conditioning, None, "half of it silence")
        ((_, found),) = measure_divergences(weights, [other], passages, 1.0)
        means.append(found.mean)
    assert means[1] > 10 * means[0]


# Passages


@pytest.mark.parametrize("conditioning", get_args(ConditioningName))
def test_a_model_of_any_conditioning_makes_its_own_sounds(
    conditioning: ConditioningName, request: pytest.FixtureRequest
) -> None:
    files, config = NO_ENCODER, TINY
    if conditioning != "envelope":
        bundle: Bundle = request.getfixturevalue("paper_bundle")(conditioning)
        files, config = EncoderFiles(bundle.encoder_path, bundle.state_path), tiny_config(conditioning)
    sampler = open_sampler(folded(config), "cpu")
    made, again, other = (made_passages(sampler, files, 0.9, seed=seed) for seed in (0, 0, 1))
    length = (8 if config.starts_from_pictures else 16) * 1_024
    assert made.codes.shape == (8, length)
    assert (made.lengths == length).all()
    assert made.conditioning.shape == (8, length // config.conditioning_length, config.conditioning_size)
    assert (made.starts is not None) == config.starts_from_pictures
    one_hots = made.conditioning[:, 0, -2:]
    assert one_hots.sum(axis=0).tolist() == [4, 4]
    np.testing.assert_array_equal(made.codes, again.codes)
    assert (made.codes != other.codes).any(axis=1).all()
    assert len({row.tobytes() for row in made.conditioning}) == (2 if config.starts_from_pictures else 8)


def recordings(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    for name, duration in (("dog/a", 12_000), ("dog/b", 40_000), ("drum/a", 5_000)):
        path = folder / "sounds" / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_wav(path, rng.uniform(-0.3, 0.3, duration).astype(np.float32), 16_000)
    rows = [
        f"sounds/{name}.wav,CC0,Ann,1,{split}"
        for name, split in (("dog/a", "test"), ("dog/b", "train"), ("drum/a", "test"))
    ]
    (folder / "manifest.csv").write_text("\n".join(["file,licence,attribution,may_ship_trained,split", *rows]))
    return folder / "sounds"


def test_recordings_are_heard_from_their_beginning_each_in_its_class(tmp_path: Path) -> None:
    sounds = recordings(tmp_path)
    heard = heard_passages(TINY, sounds)
    assert heard.lengths.tolist() == [12_000, 16_384, 5_000]
    assert heard.conditioning[:, 0, -2:].tolist() == [[1, 0], [1, 0], [0, 1]]
    assert (heard.codes[2, 5_000:] == 128).all()
    assert (heard.codes[1, :100] != 128).any()
    assert heard.source == "the first second of 3 recordings"
    held = heard_passages(TINY, sounds, tmp_path / "manifest.csv")
    assert (held.lengths.tolist(), held.source) == ([12_000, 5_000], "the first second of 2 held recordings")
    options = PrecisionOptions("bf16", sounds=sounds, manifest=tmp_path / "manifest.csv")
    told = choose_precision(folded(), options, NO_ENCODER, 0.9).to_json()
    assert (told["samples"], told["measured_on"]) == (17_000, held.source)


def test_recordings_that_say_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'frame' is told of; leave --check-sounds away"):
        heard_passages(tiny_config("frame"), tmp_path)
    with pytest.raises(UsageError, match="no recording of dog, drum in"):
        heard_passages(TINY, tmp_path)
