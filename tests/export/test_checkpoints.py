"""`v2s export`: from a checkpoint of any conditioning to a bundle, or a clear word about what does not fit."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.numpy import load_file

from tests.media import make_clip
from tests.models import TINY, tiny_config, tiny_sampler
from v2s_engine.bundle import load_bundle
from v2s_engine.errors import BundleNotFoundError, MediaNotFoundError, UsageError
from v2s_engine.options import ConditioningName, ModelConfig
from v2s_engine.train.checkpoint import Checkpoint, write_checkpoint
from v2s_engine.vision.visual_encoder import open_visual_encoder
from v2s_export.checkpoints import ExportOptions, export_checkpoints
from v2s_export.precision import PrecisionOptions
from v2s_plugin.cli import main

torch.set_num_threads(1)


def checkpoint(folder: Path, config: ModelConfig, encoder_digest: str | None = None) -> Path:
    network = tiny_sampler(config)
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    state = (torch.zeros(1, config.hidden_size), torch.zeros(1, config.hidden_size))
    path = folder / "last.ckpt"
    material = [{"file": "dog/a.mp4", "sound_class": "dog", "duration": 4.0, "licence": "CC0", "attribution": "Ann"}]
    made = Checkpoint(config, 5, 16_000, weights, weights, {}, state, {}, material, started_from="starter")
    write_checkpoint(replace(made, encoder_digest=encoder_digest), path)
    return path


def options(ckpt: Path, **given: Any) -> ExportOptions:
    common = {"summary": "", "licence": "CC0-1.0", "temperature": 0.9, "precision": PrecisionOptions("fp16")}
    return ExportOptions(name="new", sampler=ckpt, output=ckpt.parent / "new", **(common | given))


def test_a_checkpoint_of_flow_becomes_a_bundle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ckpt = checkpoint(tmp_path, replace(tiny_config("flow"), weight_norm=True))
    clip = make_clip(tmp_path / "real.mp4", frames=40, sound=False).path
    arguments = ["--checkpoint", str(ckpt), "--name", "new", "-o", str(tmp_path / "new"), "--json"]
    looks = ["--weights", "random:1", "--motion-weights", "random:2", "--encoder-precision", "fp16"]
    assert main(["export", *arguments, *looks, "--parity-clip", str(clip)]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["sound_classes"] == ["dog", "drum"]
    assert "on 16 pictures of real.mp4" in said.err
    assert "features within" in said.err
    assert "state within" in said.err
    assert "by CPUExecutionProvider; ONNX Runtime has" in said.err
    assert "the sampler's weights are stored in int8" in said.err
    assert "8 sounds of 0.5 s that the model made itself" in said.err
    bundle = load_bundle(str(tmp_path / "new"))
    visual = bundle.description["visual"]
    assert (visual["picture_weights"], visual["encoder_precision"]) == ("random:1, not trained", "fp16")
    assert len(visual["picture_weights_sha256"]) == len(visual["motion_weights_sha256"]) == 64
    assert bundle.description["material"][0]["attribution"] == "Ann"
    assert bundle.description["training"] == {"steps": 5, "samples": 16_000, "started_from": "starter"}
    card = (bundle.path / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "Ann" in card
    assert "from the weights of starter" in card
    stored = load_file(bundle.path / "train.safetensors")
    assert {"sampler.pictures.gru.weight_ih_l0", "encoder.pictures.classifier.0.weight"} <= set(stored)


@pytest.mark.parametrize(
    ("conditioning", "given", "words"),
    [
        ("frame", {}, "'frame', which takes --weights; got none of them"),
        ("frame", {"timing": Path("encoder.safetensors")}, "takes --weights; got --timing"),
        ("sequence", {"weights": "random", "motion_weights": "random"}, "got --weights and --motion-weights"),
        ("flow", {"weights": "random"}, "takes --weights and --motion-weights; got --weights"),
        ("envelope", {"weights": "random"}, "'envelope', which takes --timing; got --weights"),
        ("envelope", {"timing": Path("e"), "encoder_precision": "fp16"}, "always fp32"),
        (
            "frame",
            {"weights": "random", "encoder_precision": "fp8"},
            "--encoder-precision must be one of fp32, fp16; got 'fp8'",
        ),
        ("frame", {"weights": "default"}, "nobody publishes weights for a PictureNetwork of this size"),
    ],
)
def test_weights_that_do_not_fit(
    tmp_path: Path, conditioning: ConditioningName, given: dict[str, Any], words: str
) -> None:
    config = TINY if conditioning == "envelope" else tiny_config(conditioning)
    with pytest.raises(UsageError, match=words):
        export_checkpoints(options(checkpoint(tmp_path, config), **given))
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("pictures", "motion", "fits"), [("random:1", "random:2", True), ("random:1", "random:3", False)]
)
def test_a_model_keeps_the_encoder_that_it_learned_from(tmp_path: Path, pictures: str, motion: str, fits: bool) -> None:
    config = tiny_config("flow")
    assert config.visual is not None
    learned_from = open_visual_encoder(config.visual, "random:1", "random:2").digest
    given = options(checkpoint(tmp_path, config, learned_from), weights=pictures, motion_weights=motion)
    if fits:
        bundle, _ = export_checkpoints(given)
        assert bundle.description["visual"]["encoder_digest"] == learned_from
        return
    with pytest.raises(UsageError, match=f"was trained with the visual encoder {learned_from}"):
        export_checkpoints(given)
    assert not (tmp_path / "new").exists()


def test_files_that_are_not_there(tmp_path: Path) -> None:
    ckpt = checkpoint(tmp_path, tiny_config("frame"))
    with pytest.raises(BundleNotFoundError, match="no weights at"):
        export_checkpoints(options(ckpt, weights=str(tmp_path / "none.safetensors")))
    with pytest.raises(MediaNotFoundError, match=r"none\.mp4"):
        export_checkpoints(options(ckpt, weights="random", parity_clip=tmp_path / "none.mp4"))
