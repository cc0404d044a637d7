"""VGG19's fc6 is exported, and runs in ONNX Runtime, in less than 2 GiB: measured by the processes themselves."""

import subprocess
import sys
from pathlib import Path

import pytest

LIMIT = 2 * 1024**3

EXPORT = """
import sys
from pathlib import Path
from dataclasses import replace
from tests.memory import most_memory
from tests.models import tiny_sampler, TINY
from v2s_engine.options import VisualConfig
from v2s_export.exported_encoder import VisualWeights, export_visual

conditioning, precision, folder = sys.argv[1:]
motion = 4096 if conditioning == "flow" else 0
config = replace(TINY, conditioning=conditioning, visual=VisualConfig(motion_features=motion))
weights = VisualWeights("random", "random" if motion else None, precision)
made = export_visual(config, weights, tiny_sampler(config), Path(folder))
print(*made.parity.differences, sep="; ", file=sys.stderr)
print(most_memory())
"""

RUN = """
import sys
from pathlib import Path
from dataclasses import replace
from tests.memory import most_memory
from v2s_engine.options import ModelConfig, VisualConfig
from v2s_engine.vision.picture_encoder import PictureEncoder
import numpy as np

conditioning, precision, folder = sys.argv[1:]
motion = 4096 if conditioning == "flow" else 0
config = ModelConfig(
    ("dog", "drum"), hidden_size=16, conditioning=conditioning, visual=VisualConfig(motion_features=motion)
)
folder = Path(folder)
state = folder / "conditioning.onnx" if config.starts_from_pictures else None
encoder = PictureEncoder(folder / "encoder.onnx", state, config)
rng = np.random.default_rng(0)
pictures = (rng.integers(0, 256, (224, 224, 3), dtype=np.uint8) for _ in range(9))
features = encoder.features_of(pictures)
assert features.shape == (9, 4096 + motion) and np.isfinite(features).all() and features.std() > 0
assert "torch" not in sys.modules
print(most_memory())
"""


def peak(script: str, *arguments: str) -> int:
    """Bytes of resident memory that a script needed at most, libraries included."""
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    print(done.stderr)
    return int(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("conditioning", ["frame", "flow"])
def test_vgg19_stays_below_two_gibibytes(tmp_path: Path, conditioning: str, precision: str) -> None:
    """The export with both its checks on the way: PyTorch's features before it, ONNX Runtime's after."""
    exported = peak(EXPORT, conditioning, precision, str(tmp_path))
    run = peak(RUN, conditioning, precision, str(tmp_path))
    print(f"{conditioning} {precision}: export {exported / 2**20:.0f} MiB, run {run / 2**20:.0f} MiB")
    assert run < LIMIT
    # Of the two streams of `flow`, each has an fc6 of its own, and ONNX Runtime reads both at once, beside PyTorch.
    assert exported < (LIMIT if conditioning == "frame" else 1.25 * LIMIT)
