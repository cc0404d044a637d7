"""Bundles: a trained model as shipped, a folder without pickled code.

starter/
  bundle.json           what it is: config, classes, hashes, training material with credits, measured quality
  encoder.onnx          pictures -> envelope, or pictures (and flow) -> features
  conditioning.onnx     features of a window -> state of the coarsest tier; only where the conditioning has one
  palette.safetensors   timbres of recordings; only for source-filter models (see `v2s_engine.timbre`)
  sampler.safetensors   folded weights, what is sampled from
  train.safetensors     unfolded weights, what is fine-tuned from
  MODEL_CARD.md         bundle.json, to be read; carries no hash, so that it may be edited

`train.safetensors` holds the SampleRNN and the encoder's networks, all but VGG19: that one is never trained here, and
half a gigabyte would stand in the bundle twice. bundle.json says where its weights came from, and their digest.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from v2s_engine.digest import file_digest
from v2s_engine.errors import BundleDamagedError, BundleNotFoundError
from v2s_engine.options import ModelConfig

FORMAT = 1
DESCRIPTION = "bundle.json"
ENCODER = "encoder.onnx"
STATE = "conditioning.onnx"
PALETTE = "palette.safetensors"
SAMPLER = "sampler.safetensors"
TRAINABLE = "train.safetensors"
CARD = "MODEL_CARD.md"

DEFAULT_BUNDLE = "starter"


@dataclass(frozen=True)
class Bundle:
    """A bundle whose files have been found and whose hashes have been verified."""

    path: Path
    """Its folder."""
    name: str
    digest: str
    """SHA-256 of bundle.json, which holds the hashes of all other files: the identity of the whole."""
    config: ModelConfig
    temperature: float
    """What the logits are divided by when sampling."""
    description: dict[str, Any]
    """bundle.json as it stands: material, credits, training, quality."""

    @property
    def sound_classes(self) -> tuple[str, ...]:
        """What this bundle can sound like."""
        return self.config.sound_classes

    @property
    def encoder_path(self) -> Path:
        """The network that looks at pictures."""
        return self.path / ENCODER

    @property
    def state_path(self) -> Path | None:
        """The network from a window's features to the state that the coarsest tier starts from; None without one."""
        return self.path / STATE if self.config.starts_from_pictures else None

    @property
    def palette_path(self) -> Path | None:
        """The timbres that those of sounds are put together from; None without a source-filter model."""
        return self.path / PALETTE if self.config.source_filter else None

    @property
    def obeys_cues(self) -> bool:
        """Whether an editor can say when a sound is to start: only an envelope has a place for that."""
        return self.config.conditioning == "envelope"

    @property
    def crosses_cuts(self) -> bool:
        """Whether one sound can go on over the cuts between clips; not where it starts from a clip's pictures."""
        return not self.config.starts_from_pictures

    @property
    def sampler_path(self) -> Path:
        """The folded weights."""
        return self.path / SAMPLER


def bundle_files(config: ModelConfig) -> tuple[str, ...]:
    """Names of the files whose hashes stand in a bundle's description, for this kind of model."""
    state = (STATE,) if config.starts_from_pictures else ()
    palette = (PALETTE,) if config.source_filter else ()
    return (ENCODER, *state, *palette, SAMPLER, TRAINABLE)


def known_bundles() -> dict[str, Path]:
    """Name and folder of the bundles that came with the package, sorted by name."""
    root = Path(__file__).parent / "bundles"
    return {path.parent.name: path.parent for path in sorted(root.glob(f"*/{DESCRIPTION}"))}


def load_bundle(name_or_path: str = DEFAULT_BUNDLE) -> Bundle:
    """Find a bundle by name, or by the path of its folder, and verify every file's hash.

    Raises `BundleNotFoundError` that lists the known names, and `BundleDamagedError` where a file is missing, was
    changed, or is of a format this version does not know.
    """
    path = known_bundles().get(name_or_path, Path(name_or_path))
    if not (path / DESCRIPTION).is_file():
        raise BundleNotFoundError(
            f"no bundle {name_or_path!r}: neither a known name ({', '.join(known_bundles()) or 'none'}) "
            f"nor a folder with a {DESCRIPTION}; name one of these, or give the folder of one"
        )
    content = (path / DESCRIPTION).read_bytes()
    try:
        description = json.loads(content)
        found = description["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise BundleDamagedError(f"{path / DESCRIPTION} is no bundle description: {error!r}") from error
    if found != FORMAT:
        raise BundleDamagedError(
            f"{path} is a bundle of format {found}; this version reads format {FORMAT}: update V2S or export it again"
        )
    try:
        bundle = Bundle(
            path=path,
            name=description["name"],
            digest=hashlib.sha256(content).hexdigest(),
            config=ModelConfig.from_json(description["config"]),
            temperature=float(description["temperature"]),
            description=description,
        )
    except (KeyError, TypeError, ValueError) as error:  # UsageError is a ValueError
        raise BundleDamagedError(f"{path / DESCRIPTION} is not complete: {error}") from error
    _verify(bundle)
    return bundle


def _verify(bundle: Bundle) -> None:
    path, hashes, files = bundle.path, bundle.description.get("files"), bundle_files(bundle.config)
    if not isinstance(hashes, dict) or set(hashes) != set(files):
        raise BundleDamagedError(f"{path / DESCRIPTION} must give the hashes of {', '.join(files)}; got {hashes!r}")
    for name, wanted in hashes.items():
        if not (path / name).is_file():
            raise BundleDamagedError(f"the bundle {path} lacks {name}: copy or install it again")
        if (got := file_digest(path / name)) != wanted:
            raise BundleDamagedError(
                f"{path / name} was changed: its SHA-256 is {got[:12]}…, bundle.json says {wanted[:12]}…; "
                "copy or install the bundle again"
            )
