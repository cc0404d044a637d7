"""What a model sounds like so far: WAVs and a picture of spectrograms per class at each checkpoint."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from v2s_engine.audio import write_wav
from v2s_engine.corpus.clip_material import PreparedClip
from v2s_engine.corpus.recordings import Recording
from v2s_engine.errors import UsageError
from v2s_engine.grid import FRAME_LENGTH, SAMPLE_RATE, steps_covering
from v2s_engine.model.conditioning import Conditioning, picture_conditioning
from v2s_engine.model.hearing import playable
from v2s_engine.model.samplernn import SampleRNN
from v2s_engine.options import ModelConfig
from v2s_engine.progress import Progress
from v2s_engine.sampling.choose import open_sampler
from v2s_engine.sampling.fold import fold_weights
from v2s_engine.sampling.lockstep import RowJob
from v2s_engine.sampling.sampler import Row, Sampler
from v2s_engine.sampling.sound_jobs import sampled_sounds
from v2s_engine.timbre.timbre import Timbre
from v2s_engine.train.parameters import numpy_parameters

PREVIEW_LENGTH = 4 * SAMPLE_RATE
_FLOOR_DB = -90.0

_LARGE = 512
"""Hidden size above which a second of sound takes minutes on a CPU."""

_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')
"""What some system does not take in the name of a file."""


@dataclass(frozen=True)
class PreviewOptions:
    """What is made at each checkpoint. Raises `UsageError` for values out of range."""

    temperatures: tuple[float, ...] = (1.0,)
    """One sound for each; below 1 the likelier codes win more often."""
    length: int = PREVIEW_LENGTH
    """Samples at most; 0 for no previews."""

    def __post_init__(self) -> None:
        for temperature in self.temperatures:
            Row(0, 1, temperature)
        if self.length < 0:
            raise UsageError(f"a preview's length must be at least 0; got {self.length}")


@dataclass(frozen=True, eq=False)
class Preview:
    """What one class sounds like."""

    sound_class: str
    recorded: NDArray[np.float32]
    """`[L]` at 16 kHz: the recording whose envelope or pictures were followed."""
    generated: dict[float, NDArray[np.float32]]
    """`[L]` by temperature; turned down where they pass full scale, and only then."""

    def figure(self) -> Figure:
        """Spectrograms of all its sounds, one below the other on the same scales."""
        return spectrogram_figure(
            {"recorded": self.recorded, **{f"T = {each:g}": sound for each, sound in self.generated.items()}}
        )


def preview_defaults(config: ModelConfig, temperatures: tuple[float, ...]) -> PreviewOptions:
    """4 s at each of these temperatures; of models with more than 512 hidden units 1 s at 1.0, since they are slow."""
    return PreviewOptions((1.0,), SAMPLE_RATE) if config.hidden_size > _LARGE else PreviewOptions(temperatures)


def recording_previews(
    model: SampleRNN, recordings: Sequence[Recording], options: PreviewOptions, progress: Progress
) -> list[Preview]:
    """A preview per class that follows the envelope of the longest recording of its class among those given.

    Raises `CancelledError` where `progress` is stopped, within half a second of sound.
    """
    chosen = []
    for name in model.config.sound_classes:
        of_class = [each for each in recordings if each.material.sound_class == name]
        if of_class:
            chosen.append((name, max(of_class, key=lambda each: len(each.samples)).samples[: options.length]))
    told = [_heard(samples, model.config.class_index(name), model.config) for name, samples in chosen]
    return _previews(model, chosen, told, options, progress)


def clip_previews(
    model: SampleRNN, clips: Sequence[PreparedClip], options: PreviewOptions, progress: Progress
) -> list[Preview]:
    """A preview per class that follows the pictures (for `envelope`: the sound) of the first of its clips.

    Raises as `recording_previews`.
    """
    chosen = [
        next(each for each in clips if each.category == name)
        for name in model.config.sound_classes
        if any(each.category == name for each in clips)
    ]
    told = [_told(model, clip, options.length) for clip in chosen]
    heard = [(each.category, each.samples[: options.length]) for each in chosen]
    return _previews(model, heard, told, options, progress)


def write_previews(previews: Sequence[Preview], folder: Path, stem: str) -> list[Path]:
    """`<stem>_<class>.wav`, for temperatures other than 1 `<stem>_<class>_t0.90.wav`, and one `.png` per class."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for preview in previews:
        name = _UNSAFE.sub("_", preview.sound_class)
        for temperature, sound in preview.generated.items():
            suffix = "" if temperature == 1.0 else f"_t{temperature:.2f}"
            path = folder / f"{stem}_{name}{suffix}.wav"
            write_wav(path, sound, SAMPLE_RATE)
            written.append(path)
        preview.figure().savefig(folder / f"{stem}_{name}.png", dpi=80)
    return written


class _Told(NamedTuple):
    """What a preview is made from."""

    conditioning: Conditioning
    timbre: Timbre | None = None
    """For a source-filter model: the recording's own."""


def _heard(samples: NDArray[np.float32], class_index: int, config: ModelConfig) -> _Told:
    """What the coarsest tier is told of a recording."""
    ready = playable(samples, config)
    return _Told(Conditioning(ready.heard(class_index, config).conditioning), ready.timbre)


def _told(model: SampleRNN, clip: PreparedClip, length: int) -> _Told:
    """What the coarsest tier is told during the first `length` samples of a clip."""
    config = model.config
    if config.conditioning == "envelope":
        return _heard(clip.samples[:length], clip.class_index, config)
    steps = steps_covering(min(clip.length, length), FRAME_LENGTH)
    start_of = model.picture_starts if config.starts_from_pictures else None
    features = clip.features.astype(np.float32, copy=False)
    return _Told(picture_conditioning(features, steps, clip.class_index, config, start_of))


def _previews(
    model: SampleRNN,
    chosen: Sequence[tuple[str, NDArray[np.float32]]],
    told: Sequence[_Told],
    options: PreviewOptions,
    progress: Progress,
) -> list[Preview]:
    sampler = open_sampler(fold_weights(numpy_parameters(model), model.config), "cpu")
    jobs = [
        RowJob(Row(0, 1, temperature), each.conditioning.vectors, len(recorded), each.conditioning.starts, each.timbre)
        for (_, recorded), each in zip(chosen, told, strict=True)
        for temperature in options.temperatures
    ]
    sounds = iter(_sounds(sampler, jobs, progress))
    return [
        Preview(name, recorded, {temperature: next(sounds) for temperature in options.temperatures})
        for name, recorded in chosen
    ]


def _sounds(sampler: Sampler, jobs: Sequence[RowJob], progress: Progress) -> list[NDArray[np.float32]]:
    made = [0] * len(jobs)

    def on_piece(number: int, done: int) -> None:
        made[number] = done
        progress.step("preview", sum(made), sum(job.length for job in jobs))

    sounds = dict(sampled_sounds(sampler, enumerate(jobs), on_piece))
    return [sounds[index] / max(1.0, float(np.max(np.abs(sounds[index])))) for index in range(len(jobs))]


def spectrogram_figure(sounds: dict[str, NDArray[np.float32]]) -> Figure:
    """Spectrograms of sounds at 16 kHz, one below the other on the same scales."""
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
    return figure


def power_db(samples: NDArray[np.float32], window: int = 512, hop: int = 128) -> NDArray[np.float64]:
    """Power `[frames, 257]` in dB, a full-scale sine being about -6."""
    padded = np.pad(samples.astype(np.float64), (window // 2, window))
    frames = np.lib.stride_tricks.sliding_window_view(padded, window)[: len(samples) : hop]
    spectrum = np.fft.rfft(frames * np.hanning(window), axis=1) / (window / 2)
    return np.asarray(20 * np.log10(np.maximum(np.abs(spectrum), 10 ** (_FLOOR_DB / 20))))
