"""Sound files such as an editor may have: any format, any rate, one channel or two."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

CODECS = {".wav": "pcm_s16le", ".flac": "flac", ".ogg": "libopus"}


def steps(seconds: float, rate: int, seed: int, every: float = 0.55) -> NDArray[np.float32]:
    """Short strokes of noise over a quiet floor, `[L]` at `rate`; each seed has other ones."""
    draw = np.random.default_rng(seed)
    length = round(seconds * rate)
    sound = 1e-4 * draw.uniform(-1, 1, length)
    for start in np.arange(0.2, seconds - 0.3, every):
        begin = round(start * rate)
        lasting = min(length - begin, rate // 4)
        fall = np.exp(-np.arange(lasting) / (0.04 * rate)) * draw.uniform(0.1, 0.5)
        sound[begin : begin + lasting] += fall * draw.uniform(-1, 1, lasting)
    return sound.astype(np.float32)


def record(path: Path, sound: NDArray[np.float32], rate: int, channels: int = 1) -> None:
    """Write a sound as the file's name says, the same in every channel; Ogg (Opus) wants 24,000 or 48,000 Hz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    layout = "mono" if channels == 1 else "stereo"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(CODECS[path.suffix], rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(np.stack([sound] * channels), format="fltp", layout=layout)
        frame.sample_rate = rate
        for part in (frame, None):
            container.mux(stream.encode(part))
