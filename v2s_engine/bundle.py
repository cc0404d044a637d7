"""Bundles: a trained model as shipped, a folder without pickled code.

starter/
  bundle.json           what it is: config, classes, hashes, training material with credits, measured quality
  encoder.onnx          pictures -> envelope
  sampler.safetensors   folded weights, what is sampled from
  train.safetensors     unfolded weights of both networks, what is fine-tuned from
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from v2s_engine.errors import BundleDamagedError, BundleNotFoundError
from v2s_engine.options import ModelConfig

FORMAT = 1
DESCRIPTION = "bundle.json"
ENCODER = "encoder.onnx"
SAMPLER = "sampler.safetensors"
TRAINABLE = "train.safetensors"
FILES = (ENCODER, SAMPLER, TRAINABLE)

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
        """The pictures-to-envelope network."""
        return self.path / ENCODER

    @property
    def sampler_path(self) -> Path:
        """The folded weights."""
        return self.path / SAMPLER


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
            f"nor a folder with a {DESCRIPTION}"
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
    _verify(path, description)
    try:
        config = ModelConfig.from_json(description["config"])
        return Bundle(
            path=path,
            name=description["name"],
            digest=hashlib.sha256(content).hexdigest(),
            config=config,
            temperature=float(description["temperature"]),
            description=description,
        )
    except (KeyError, TypeError, ValueError) as error:  # UsageError is a ValueError
        raise BundleDamagedError(f"{path / DESCRIPTION} is not complete: {error}") from error


def file_digest(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal text."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _verify(path: Path, description: dict[str, Any]) -> None:
    hashes = description.get("files")
    if not isinstance(hashes, dict) or set(hashes) != set(FILES):
        raise BundleDamagedError(f"{path / DESCRIPTION} must give the hashes of {', '.join(FILES)}; got {hashes!r}")
    for name, wanted in hashes.items():
        if not (path / name).is_file():
            raise BundleDamagedError(f"the bundle {path} lacks {name}: copy or install it again")
        if (got := file_digest(path / name)) != wanted:
            raise BundleDamagedError(
                f"{path / name} was changed: its SHA-256 is {got[:12]}…, bundle.json says {wanted[:12]}…; "
                "copy or install the bundle again"
            )
