"""What a model sounds like so far: a WAV and a spectrogram per class at each checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from v2s_engine.audio import write_wav
from v2s_engine.corpus.recordings import Recording
from v2s_engine.envelope import measure_envelope
from v2s_engine.grid import SAMPLE_RATE
from v2s_engine.model.samplernn import SampleRNN
from v2s_engine.sampling.choose import open_sampler
from v2s_engine.sampling.envelope_sound import EnvelopeRequest, sound_envelopes
from v2s_engine.sampling.fold import fold_weights
from v2s_engine.sampling.sampler import Row
from v2s_engine.train.parameters import numpy_parameters

PREVIEW_LENGTH = 4 * SAMPLE_RATE
_FLOOR_DB = -90.0


def write_previews(model: SampleRNN, recordings: Sequence[Recording], folder: Path, stem: str) -> list[Path]:
    """One sound per class, following a recording's envelope: `<stem>_<class>.wav` and `.png` with both spectrograms.

    The recording is the longest of its class among those given. Sounds that pass full scale are turned down, and only
    then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sampler = open_sampler(fold_weights(numpy_parameters(model), model.config), "cpu")
    chosen = []
    for name in model.config.sound_classes:
        of_class = [each for each in recordings if each.material.sound_class == name]
        if of_class:
            chosen.append(max(of_class, key=lambda each: len(each.samples)))
    real = [each.samples[:PREVIEW_LENGTH] for each in chosen]
    requests = [
        EnvelopeRequest(measure_envelope(samples), each.material.sound_class, Row(0, 1))
        for each, samples in zip(chosen, real, strict=True)
    ]
    written = []
    for each, samples, sound in zip(chosen, real, sound_envelopes(sampler, requests), strict=True):
        path = folder / f"{stem}_{each.material.sound_class}.wav"
        write_wav(path, sound / max(1.0, float(np.max(np.abs(sound)))), SAMPLE_RATE)
        draw_spectrograms({"recorded": samples, "generated": sound}, path.with_suffix(".png"))
        written.append(path)
    return written


def draw_spectrograms(sounds: dict[str, NDArray[np.float32]], path: Path) -> None:
    """Spectrograms of sounds at 16 kHz, one below the other on the same scales, as a PNG."""
    figure = Figure(figsize=(10, 2.2 * len(sounds)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(sounds), 1, squeeze=False, sharex=True)[:, 0]
    for axis, (title, samples) in zip(axes, sounds.items(), strict=True):
        power = power_db(samples)
        duration = len(samples) / SAMPLE_RATE
        axis.imshow(
            power.T, origin="lower", aspect="auto", extent=(0, duration, 0, 8), vmin=_FLOOR_DB, vmax=-10, cmap="magma"
        )
        axis.set_ylabel(f"{title}\nkHz")
    axes[-1].set_xlabel("seconds")
    figure.savefig(path, dpi=80)


def power_db(samples: NDArray[np.float32], window: int = 512, hop: int = 128) -> NDArray[np.float64]:
    """Power `[frames, 257]` in dB, a full-scale sine being about -6."""
    padded = np.pad(samples.astype(np.float64), (window // 2, window))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[: len(samples) : hop]
    spectrum = np.fft.rfft(frames * np.hanning(window), axis=1) / (window / 2)
    return np.asarray(20 * np.log10(np.maximum(np.abs(spectrum), 10 ** (_FLOOR_DB / 20))))
