"""Where the weights of a network that looks at pictures come from: published ones, a file, or random ones for tests.

Published weights are torchvision's, from its cache or its server. Files are safetensors or PyTorch state dicts without
pickled code. Random weights follow from a seed alone.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torchvision.models import WeightsEnum

from v2s_engine.errors import BundleDamagedError, BundleNotFoundError, OutputError, UsageError

DEFAULT, RANDOM = "default", "random"
"""Words for published weights and for random ones (`random` or `random:SEED`); anything else is a path."""

COUNTER = "num_batches_tracked"
"""Of batch norms: counts training steps, decides nothing."""


def load_weights(
    network: nn.Module,
    weights: str,
    published: WeightsEnum | None = None,
    unused: tuple[str, ...] = (),
    *,
    option: str = "--weights",
) -> None:
    """Give `network` (which may be on the meta device) its weights, in float32 on the CPU, and ready it for use.

    `weights` is `default`, `random`, `random:SEED` or a path. Names that begin with one of `unused` may stand in a file
    and are left out. `option` is what a command line names the file with. Raises `UsageError` where `default` is asked
    for and nothing is `published`, `BundleNotFoundError` where there is no such file and none can be downloaded, and
    `BundleDamagedError` where a file holds something else.
    """
    word, _, seed = weights.partition(":")
    if word == RANDOM:
        found = random_weights(network, _seed(weights, seed))
    elif weights == DEFAULT:
        found = _published_weights(network, published, option)
    else:
        found = read_weights(Path(weights))
    kept = {name: value for name, value in found.items() if not name.startswith(unused)}
    _fill(network, kept, weights)
    network.requires_grad_(requires_grad=False).eval()


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, or of a PyTorch file that holds nothing but tensors by name.

    Pickled code is refused. Raises `BundleNotFoundError` and `BundleDamagedError`.
    """
    if not path.is_file():
        raise BundleNotFoundError(
            f"no weights at {path}; wanted a .safetensors or .pth file, `{DEFAULT}`, or `{RANDOM}[:SEED]`"
        )
    try:
        if path.suffix == ".safetensors":
            found = load_file(path)
        else:
            found = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError) as error:
        raise BundleDamagedError(f"cannot read the weights {path}: {error}; copy the file again") from error
    except Exception as error:  # whatever pickle makes of bytes that are no state dict
        raise BundleDamagedError(
            f"{path} is no file of plain tensors: {_first_line(error)}; files with pickled code are not opened, "
            "wanted a state dict or a .safetensors file"
        ) from error
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise BundleDamagedError(f"{path} holds no tensors by name; wanted a network's state dict")
    return dict(found)


def write_weights(network: nn.Module, path: Path) -> None:
    """Write a network's weights as float32 safetensors, under another name first. Raises `OutputError`."""
    kept = {
        name: value.detach().float().cpu().contiguous()
        for name, value in network.state_dict().items()
        if not name.endswith(COUNTER)
    }
    draft = path.with_name(f"{path.name}.part")
    try:
        save_file(kept, draft)
        draft.chmod(0o644)
        draft.replace(path)
    except (OSError, SafetensorError) as error:
        draft.unlink(missing_ok=True)
        raise OutputError(f"cannot write the weights {path}: {error}; free some space and start again") from error


def random_weights(network: nn.Module, seed: int) -> dict[str, Tensor]:
    """He-uniform weights, no biases, norms that change nothing: the same bits from the same seed on every machine.

    Drawn by NumPy, whose generator promises that; PyTorch's does not.
    """
    rng = np.random.default_rng(seed)
    drawn: dict[str, Tensor] = {}
    for name, value in network.state_dict().items():
        if value.ndim > 1:
            bound = np.float32(math.sqrt(6 / math.prod(value.shape[1:])))
            numbers = rng.random(tuple(value.shape), dtype=np.float32)
            numbers *= 2 * bound
            numbers -= bound
            drawn[name] = torch.from_numpy(numbers)
        else:
            one = name.endswith(("weight", "running_var"))
            drawn[name] = torch.full(tuple(value.shape), int(one), dtype=value.dtype, device="cpu")
    return drawn


def weights_digest(network: nn.Module) -> str:
    """SHA-256 over names, shapes and values of a network's weights, as hexadecimal text."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        if not name.endswith(COUNTER):
            digest.update(f"{name} {tuple(value.shape)} ".encode())
            digest.update(memoryview(value.detach().float().cpu().contiguous().numpy().reshape(-1)).cast("B"))
    return digest.hexdigest()


def _published_weights(network: nn.Module, published: WeightsEnum | None, option: str) -> dict[str, Tensor]:
    if published is None:
        raise UsageError(
            f"nobody publishes weights for a {type(network).__name__} of this size; train them with `v2s train-visual` "
            f"and give the file, or say `{RANDOM}` for a test"
        )
    name = str(published.url).rpartition("/")[2]
    cached = Path(torch.hub.get_dir()) / "checkpoints" / name
    try:
        found = published.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except OSError as error:  # no network, no such host, refused, disk full
        raise BundleNotFoundError(
            f"cannot download {published.url}: {error}; get that file on a machine with a connection and put it at "
            f"{cached}, or anywhere and give {option} FILE"
        ) from error
    except Exception as error:  # a wrong hash, or whatever pickle makes of a damaged file
        raise BundleDamagedError(
            f"{cached} is not what {published.url} should be: {_first_line(error)}; delete it and try again, or "
            f"get the file by hand and give {option} FILE"
        ) from error
    return dict(found)


def _fill(network: nn.Module, found: Mapping[str, Tensor], source: str) -> None:
    """Put tensors into the network, checked by name, shape and value."""
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items() if not name.endswith(COUNTER)}
    given = {name: tuple(value.shape) for name, value in found.items() if not name.endswith(COUNTER)}
    faults = [f"lacks {name} {shape}" for name, shape in wanted.items() if name not in given]
    faults += [f"holds {name}, which is not wanted" for name in given if name not in wanted]
    faults += [
        f"holds {name} {given[name]} where {shape} is wanted"
        for name, shape in wanted.items()
        if given.get(name, shape) != shape
    ]
    if not faults:
        faults = [f"holds numbers in {name} that are not finite" for name in wanted if not _is_finite(found[name])]
    if faults:
        more = f" (and {len(faults) - 3} more)" if len(faults) > 3 else ""
        raise BundleDamagedError(
            f"{source} does not fit a {type(network).__name__}: it {', '.join(faults[:3])}{more}; give weights of the "
            "same network and the same sizes"
        )
    plain = {name: found[name].float().contiguous() for name in wanted}
    counters = {
        name: torch.zeros((), dtype=torch.long, device="cpu") for name in network.state_dict() if name.endswith(COUNTER)
    }
    network.load_state_dict(plain | counters, assign=True)


def _is_finite(values: Tensor) -> bool:
    """By the extremes, which a NaN takes over: `isfinite` alone would take more memory than the weights."""
    return all(bool(extreme.isfinite()) for extreme in torch.aminmax(values))


def _seed(weights: str, seed: str) -> int:
    if seed and not seed.isdigit():
        raise UsageError(f"random weights take a whole number, as in `random:7`; got {weights!r}")
    return int(seed or 0)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
