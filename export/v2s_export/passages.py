"""Sounds on which rounded weights are held against full ones: made by the model itself, or recorded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from v2s_engine.audio import encode_codes
from v2s_engine.corpus.recordings import Recording, read_held, read_library
from v2s_engine.envelope import Envelope
from v2s_engine.errors import UsageError
from v2s_engine.grid import ENVELOPE_LENGTH, FRAME_LENGTH, SAMPLE_RATE, steps_covering
from v2s_engine.model.conditioning import Conditioning, envelope_conditioning, picture_conditioning
from v2s_engine.model.hearing import hear
from v2s_engine.options import SILENCE_CODE, ModelConfig, VisualConfig
from v2s_engine.sampling.sampler import Codes, Floats, Row, Sampler, SamplerState
from v2s_engine.timbre.timbre import Timbre
from v2s_engine.vision.picture_encoder import PictureEncoder
from v2s_export.parity_pictures import scene_pictures

FRAMES = 16
"""Picture steps of 64 ms that a passage lasts at most: one second."""

MADE, HEARD = 8, 16
"""How many sounds are made, at least (one of every class); how many recordings are listened to, at most."""

_PIECE_LENGTH = 2 * FRAME_LENGTH  # samples at a time: logits of 16 rows are 34 MB
_STEPS = FRAMES * FRAME_LENGTH // ENVELOPE_LENGTH
_LOUDEST_DBFS = -10.0


@dataclass(frozen=True)
class EncoderFiles:
    """An encoder as shipped."""

    onnx: Path
    state_onnx: Path | None = None
    """Where the model starts from pictures."""


@dataclass(frozen=True, eq=False)
class Passages:
    """B sounds from their beginning, and what the model is told meanwhile."""

    codes: Codes
    """`[B, L]`; whole conditioning vectors, behind a sound's end silence."""
    lengths: NDArray[np.int64]
    """`[B]`: samples that the sound lasts."""
    conditioning: Floats
    """`[B, n, C]`."""
    starts: Floats | None
    """`[B, d]`: what the coarsest tier starts from, where pictures say so."""
    source: str
    """What sounds they are, in words."""


@dataclass(frozen=True, eq=False)
class Forced:
    """What a model makes of a piece of passages."""

    logits: Floats
    """`[B, length, 256]`."""
    counted: NDArray[np.bool_]
    """`[B, length]`: what is sound, and not silence behind it."""
    after: SamplerState
    """Where the model stands after it."""


def teacher_forced(sampler: Sampler, passages: Passages, *, length: int = _PIECE_LENGTH) -> Iterator[Forced]:
    """The logits of passages, in pieces of so many samples."""
    step = sampler.config.conditioning_length
    state = sampler.start([Row(0, take) for take in range(len(passages.codes))])
    if passages.starts is not None:
        state = state.with_coarse(passages.starts)
    for first in range(0, passages.codes.shape[1], length):
        codes = passages.codes[:, first : first + length]
        places = np.arange(first, first + codes.shape[1])
        vectors = passages.conditioning[:, first // step : steps_covering(int(places[-1]) + 1, step)]
        logits, state = sampler.logits(state, codes, vectors)
        yield Forced(logits, places < passages.lengths[:, None], state)


def made_passages(sampler: Sampler, encoder: EncoderFiles, temperature: float, *, seed: int = 0) -> Passages:
    """What the model makes by itself, for all its classes in turn; needs no material. Another seed, other sounds.

    It is told of sounds that are struck and of sounds that swell (`envelope`), or of a rendered scene's pictures, which
    `encoder` looks at (`frame`, `sequence`, `flow`).
    """
    config = sampler.config
    count = max(MADE, len(config.sound_classes))
    if config.visual:
        told = _told_of_pictures(config, config.visual, encoder, count)
    else:
        told = _told_of_envelopes(config, count)
    vectors = np.stack([each.vectors for each in told])
    starts = (
        np.stack([each.starts[0] for each in told if each.starts is not None]) if config.starts_from_pictures else None
    )
    length = vectors.shape[1] * config.conditioning_length
    state = sampler.start([Row(seed, take, temperature) for take in range(count)])
    codes, _ = sampler.generate(state if starts is None else state.with_coarse(starts), vectors, length)
    source = f"{len(told)} sounds of {length / SAMPLE_RATE:.1f} s that the model made itself"
    return Passages(codes, np.full(len(told), length), vectors, starts, source)


def heard_passages(config: ModelConfig, folder: Path, manifest: Path | None = None) -> Passages:
    """The beginnings of recordings in `<folder>/<class>/`, at most a second each; with a manifest of those held back.

    Raises `UsageError` where the model is told of pictures, which recordings do not have, and where there are none.
    """
    if config.conditioning != "envelope":
        raise UsageError(
            f"recordings say nothing of pictures, which the conditioning {config.conditioning!r} is told of; leave "
            "--check-sounds away, and the model's own sounds are taken"
        )
    recordings = _spread(_recordings(config, folder, manifest))
    length = FRAMES * FRAME_LENGTH
    sounds = [each.samples[:length] for each in recordings]
    codes = np.full((len(sounds), length), SILENCE_CODE, np.uint8)
    vectors = np.zeros((len(sounds), length // ENVELOPE_LENGTH, config.conditioning_size), np.float32)
    for row, (recording, sound) in enumerate(zip(recordings, sounds, strict=True)):
        target, told = hear(sound, config.class_index(recording.material.sound_class), config)
        codes[row, : len(sound)] = encode_codes(target, config)
        vectors[row, : len(told)] = told
    lengths = np.array([len(sound) for sound in sounds])
    which = "held recordings" if manifest else "recordings"
    return Passages(codes, lengths, vectors, None, f"the first second of {len(sounds)} {which}")


def _told_of_envelopes(config: ModelConfig, count: int) -> list[Conditioning]:
    classes = len(config.sound_classes)
    envelopes = [_swelling(row) if (row + row // classes) % 2 else _struck(row) for row in range(count)]
    timbres = [Timbre.neutral(len(each)) if config.source_filter else None for each in envelopes]
    return [
        Conditioning(envelope_conditioning(each, row % classes, config, timbre))
        for row, (each, timbre) in enumerate(zip(envelopes, timbres, strict=True))
    ]


def _told_of_pictures(config: ModelConfig, visual: VisualConfig, files: EncoderFiles, count: int) -> list[Conditioning]:
    """Each sound begins at another picture of the scene; none is longer than the model's window."""
    encoder = PictureEncoder(files.onnx, files.state_onnx, config)
    starts, classes = config.starts_from_pictures, len(config.sound_classes)
    features = encoder.features_of(scene_pictures(visual.picture_size, FRAMES))
    frames = min(FRAMES, config.encoder_window) if starts else FRAMES

    def start_of(windows: Floats) -> Floats:
        return np.stack([encoder.state(window) for window in windows])

    return [
        picture_conditioning(
            np.roll(features, -row, axis=0), frames, row % classes, config, start_of if starts else None
        )
        for row in range(count)
    ]


def _struck(row: int) -> Envelope:
    """A second of silence with two events, the first one at another time in each row."""
    return Envelope.silence(_STEPS).with_cues([(2 + row % 24) * ENVELOPE_LENGTH, _STEPS // 2 * ENVELOPE_LENGTH])


def _swelling(row: int) -> Envelope:
    """A second that grows louder by 30 dB, to another loudness in each row."""
    loudest = _LOUDEST_DBFS - 3 * (row % 8)
    return Envelope.from_loudness(np.linspace(loudest - 30, loudest, _STEPS, dtype=np.float32))


def _recordings(config: ModelConfig, folder: Path, manifest: Path | None) -> list[list[Recording]]:
    """Recordings by class, for those classes that have some."""
    if manifest:
        found = list(read_held(folder, config.sound_classes, manifest))
    else:
        present = tuple(name for name in config.sound_classes if (folder / name).is_dir())
        found = list(read_library(folder, classes=present).recordings) if present else []
    by_class = [[each for each in found if each.material.sound_class == name] for name in config.sound_classes]
    if not found:
        raise UsageError(
            f"no recording of {', '.join(config.sound_classes)} in {folder}; --check-sounds wants a folder with a "
            "sub-folder for each class (with --check-manifest: and rows with split = test)"
        )
    return [recordings for recordings in by_class if recordings]


def _spread(by_class: list[list[Recording]]) -> list[Recording]:
    """At most `HEARD`, as many of each class as there are, evenly over its list."""
    each = max(1, HEARD // len(by_class))
    chosen = []
    for recordings in by_class:
        places = np.linspace(0, len(recordings) - 1, min(each, len(recordings))).round().astype(int)
        chosen += [recordings[place] for place in places]
    return chosen
