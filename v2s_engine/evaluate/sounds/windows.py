"""Windows of one second for training the judge: cut, bent and dirtied so that only the class stays the same.

Recordings held for testing are few, so every window is another pitch, filter, room, level and noise, at times two
sounds of the class at once, or the sound as an 8-bit codec leaves it. What remains is what the judge may learn from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from v2s_engine.audio import decode_codes, encode_codes
from v2s_engine.envelope import Envelope, measure_envelope
from v2s_engine.evaluate.follow import shaped_noise
from v2s_engine.grid import SAMPLE_RATE
from v2s_engine.options import ModelConfig

Samples = NDArray[np.float32]

WINDOW_LENGTH = SAMPLE_RATE
"""Samples that the judge hears at once."""

NONE = "none"
"""What the judge says of sounds of no class: it is trained on noise that only has a recording's envelope."""

_FFT_LENGTH = 2 * WINDOW_LENGTH
_CODEC = ModelConfig(("any",), pre_emphasis=0.85)


@dataclass(frozen=True, eq=False)
class WindowSource:
    """Sounds by class that windows are cut from."""

    recorded: Mapping[str, Sequence[Samples]]
    painted: Mapping[str, Sequence[Samples]]
    recorded_share: float = 0.5
    """Of the windows of a class that has recordings; the others are painted."""

    @property
    def classes(self) -> tuple[str, ...]:
        """What a judge trained on these can say: the classes, sorted, and `NONE`."""
        return (*sorted({*self.recorded, *self.painted}), NONE)

    def window(self, sound_class: str, draw: np.random.Generator) -> Samples:
        """One augmented window `[16000]` of a class."""
        if sound_class == NONE:
            other = self.classes[draw.integers(len(self.classes) - 1)]
            envelope = measure_envelope(self._cut(other, draw))
            return _disturb(_noise_like(envelope, draw), draw)
        window = self._cut(sound_class, draw)
        if draw.random() < 0.25:
            window = window + np.float32(draw.uniform(0.2, 1)) * self._cut(sound_class, draw)
        return _disturb(window, draw)

    def _cut(self, sound_class: str, draw: np.random.Generator) -> Samples:
        """A second of one of the class's sounds at a random place, at another pitch; never only its quiet parts."""
        recorded, painted = self.recorded.get(sound_class, ()), self.painted.get(sound_class, ())
        sounds = recorded if recorded and (not painted or draw.random() < self.recorded_share) else painted
        # Long sounds hold more, but no recording is to drown the others.
        weights = np.sqrt(np.array([len(each) for each in sounds], np.float64))
        sound = sounds[draw.choice(len(sounds), p=weights / weights.sum())]
        speed = 2 ** (draw.normal(0, 1.5) / 12)
        wanted = int(WINDOW_LENGTH * speed) + 1
        cut, loud = np.zeros(wanted, np.float32), 0.04 * float(np.mean(sound**2)) * min(len(sound), wanted)
        for _ in range(16):
            begin = int(draw.integers(-wanted // 2, max(1, len(sound) - wanted // 2)))
            part = sound[max(0, begin) : begin + wanted]
            tried = np.pad(part, (max(0, -begin), wanted))[:wanted]
            if (tried**2).sum() > (cut**2).sum():
                cut = tried
            if (cut**2).sum() > loud:
                break
        bent = np.interp(np.arange(WINDOW_LENGTH) * speed, np.arange(wanted), cut)
        return np.asarray(bent / max(float(np.abs(bent).max()), 1e-6), np.float32)


def _noise_like(envelope: Envelope, draw: np.random.Generator) -> Samples:
    noise = shaped_noise(envelope, int(draw.integers(2**31)))[:WINDOW_LENGTH]
    return np.pad(noise, (0, WINDOW_LENGTH - len(noise)))


def _disturb(window: Samples, draw: np.random.Generator) -> Samples:
    """Filter, room, background noise, level, codec."""
    spectrum = np.fft.rfft(window, _FFT_LENGTH) * _filter(draw, 8.0)
    if draw.random() < 0.35:
        lasting = draw.uniform(0.05, 0.6)
        tail = draw.standard_normal(WINDOW_LENGTH) * np.exp(-6.9 * np.arange(WINDOW_LENGTH) / SAMPLE_RATE / lasting)
        tail *= draw.uniform(0.1, 0.7) / max(float(np.sqrt((tail**2).sum())), 1e-9)
        spectrum *= 1 + np.fft.rfft(tail, _FFT_LENGTH)
    heard = np.fft.irfft(spectrum, _FFT_LENGTH)[:WINDOW_LENGTH]
    heard /= max(float(np.abs(heard).max()), 1e-9)
    noise = np.fft.irfft(np.fft.rfft(draw.standard_normal(WINDOW_LENGTH), _FFT_LENGTH) * _filter(draw, 12.0, -4.0))
    noise = noise[:WINDOW_LENGTH] / float(np.sqrt(np.mean(noise**2)))
    loudness = float(np.sqrt(np.mean(heard**2)))
    heard += noise * loudness * 10 ** (-draw.uniform(10, 60) / 20)
    heard *= draw.uniform(0.1, 0.9) / float(np.abs(heard).max())
    played = heard.astype(np.float32)
    return decode_codes(encode_codes(played, _CODEC), _CODEC) if draw.random() < 0.5 else played


def _filter(draw: np.random.Generator, spread_db: float, tilt_db: float = 0.0) -> NDArray[np.float64]:
    """A smooth random response over the bins, a few octaves wide in its ups and downs."""
    octave = np.log2(np.maximum(np.arange(_FFT_LENGTH // 2 + 1), 1) * SAMPLE_RATE / _FFT_LENGTH / 62.5)
    knots = draw.uniform(-spread_db, spread_db, 8) + tilt_db * np.arange(8)
    return np.asarray(10 ** (np.interp(octave, np.arange(8), knots) / 20))
