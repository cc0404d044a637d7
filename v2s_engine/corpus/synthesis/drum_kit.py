"""Drums, cymbals and small percussion: each function makes one instrument and returns what strikes it.

Cook, "Real Sound Synthesis for Interactive Applications", chapters 4 and 12; Fletcher and Rossing, "The Physics of
Musical Instruments", chapters 18 (drums: a loaded membrane whose pitch drops while its tension relaxes) and 20
(cymbals: hundreds of inharmonic modes, the high ones fed by the low ones shortly after the blow).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from v2s_engine.corpus.synthesis.filters import bandpass, highpass, lowpass
from v2s_engine.corpus.synthesis.modes import CIRCULAR_MEMBRANE, Modes
from v2s_engine.corpus.synthesis.noise import white
from v2s_engine.corpus.synthesis.recipe import Signal
from v2s_engine.corpus.synthesis.shapes import at_peak, clock, decay, lengths, log_uniform

Strike = Callable[[np.random.Generator, float], Signal]
"""`(draw, force)` -> the sound of one blow, loudest near `force` (0..1); harder blows are brighter."""


def _haze(draw: np.random.Generator, length: int, time: float) -> Signal:
    """The hundreds of modes too close to hear singly: noise that dies the sooner the higher, gone after `time` s."""
    noise = white(draw, length)
    dark = 1.5 * lowpass(noise, 2500) * decay(length, 0.6 * time) + 3 * lowpass(noise, 700) * decay(length, time)
    return at_peak(noise * decay(length, 0.3 * time) + dark)


def kick(draw: np.random.Generator) -> Strike:
    """A bass drum: a tone that falls from the beater's blow to the depth of the head, and the beater's click."""
    depth, sweep, fall = draw.uniform(42, 85), draw.uniform(0.6, 3.5), draw.uniform(0.01, 0.05)
    time, click, edge = log_uniform(draw, 0.15, 0.9), draw.uniform(0.05, 0.5), draw.uniform(1500, 5000)
    haze = log_uniform(draw, 0.01, 0.15)
    modes = Modes(
        depth * np.array([1, 1.6, 2.2, 3.1]), time * np.array([1, 0.5, 0.35, 0.25]), np.array([1, 0.25, 0.15, 0.1])
    )

    def strike(hit: np.random.Generator, force: float) -> Signal:
        length = lengths(time * 1.1)
        bend = 1 + sweep * (0.5 + 0.5 * force) * np.exp(-clock(length) / fall)
        body = modes.struck(hit, length, bend)
        beater = lowpass(white(hit, length), edge * (0.4 + 0.6 * force)) * decay(length, hit.uniform(0.015, 0.03))
        around = haze * _haze(hit, length, 0.8 * time)
        return at_peak(at_peak(body) + click * (0.3 + force) * at_peak(beater) + around, force)

    return strike


def tom(draw: np.random.Generator, pitch: float | None = None) -> Strike:
    """A drum without wires, struck with a stick; `pitch` in Hz."""
    lowest = pitch or log_uniform(draw, 70, 260)
    time, drop, click = log_uniform(draw, 0.35, 1.2), draw.uniform(0.03, 0.3), draw.uniform(0.05, 0.35)
    haze = log_uniform(draw, 0.02, 0.3)
    partials = lowest * np.array(CIRCULAR_MEMBRANE) * draw.normal(1, 0.02, 12)
    order = np.arange(12)
    decays = time * draw.uniform(0.3, 1, 12) / (1 + 0.35 * order)
    decays[0] = time

    def strike(hit: np.random.Generator, force: float) -> Signal:
        length = lengths(time * 1.1)
        gains = hit.uniform(0.3, 1, 12) * np.exp(-order * (0.55 - 0.35 * force))
        gains[0] = 1.0
        bend = 1 + drop * force * np.exp(-clock(length) / (0.15 * time))
        body = at_peak(Modes(partials, decays, gains).struck(hit, length, bend))
        stick = at_peak(white(hit, length) * decay(length, 0.04))
        around = haze * (0.5 + force) * _haze(hit, length, 0.7 * time)
        return at_peak(body + click * (0.3 + force) * stick + around, force)

    return strike


def snare(draw: np.random.Generator) -> Strike:
    """A drum whose lower head sets wires rattling."""
    lowest, wires, time = draw.uniform(150, 290), draw.uniform(0.3, 1.2), log_uniform(draw, 0.12, 0.5)
    centre, ring = log_uniform(draw, 1500, 5500), log_uniform(draw, 0.08, 0.5)
    partials = lowest * np.array(CIRCULAR_MEMBRANE) * draw.normal(1, 0.02, 12)
    order = np.arange(12)
    decays = np.full(12, ring) / (1 + 0.4 * order)

    def strike(hit: np.random.Generator, force: float) -> Signal:
        length = lengths(max(time, ring) * 1.1)
        gains = hit.uniform(0.3, 1, 12) * np.exp(-order * (0.5 - 0.3 * force))
        bend = 1 + 0.06 * force * np.exp(-clock(length) / 0.02)
        body = at_peak(Modes(partials, decays, gains).struck(hit, length, bend))
        noise = white(hit, length)
        rattle = highpass(noise, 700) + 1.5 * bandpass(noise, centre, 0.9) + 0.6 * lowpass(noise, 700)
        rattle *= decay(length, time * (0.7 + 0.5 * force)) * np.minimum(1, clock(length) / 0.002 + 0.5)
        return at_peak(body + wires * (0.6 + 0.8 * force) * at_peak(rattle), force)

    return strike


def cymbal(draw: np.random.Generator, kind: str) -> Strike:
    """Bronze: `crash`, `ride`, `splash`, `hat` (closed), `open hat` or `pedal` (the hat shut by the foot)."""
    seconds = {"crash": (1.0, 3.5), "ride": (0.8, 3), "splash": (0.4, 1), "hat": (0.04, 0.16), "open hat": (0.3, 1.3)}
    shortest, longest = seconds.get(kind, (0.05, 0.15))
    time = log_uniform(draw, shortest, longest)
    count = 60 if "hat" in kind or kind == "pedal" else 110
    low = draw.uniform(250, 700) if count == 110 else draw.uniform(500, 2500)
    frequencies = low * (7800 / low) ** np.sort(draw.uniform(0, 1, count) ** 0.6)
    # Low modes ring longer; each its own time.
    decays = time * np.clip((frequencies / 1500) ** -draw.uniform(0, 0.5), 0.3, 1.6) * draw.uniform(0.5, 1.2, count)
    loud = draw.lognormal(0, 0.8, count) * (frequencies / 3000) ** draw.uniform(-0.2, 0.9)
    hiss, stick = draw.uniform(0.3, 2.0), draw.uniform(0.02, 0.5) * (3.0 if kind == "ride" else 1.0)

    def strike(hit: np.random.Generator, force: float) -> Signal:
        length = lengths(min(time * 1.1, 3.5))
        tilt = (frequencies / 3000) ** (0.8 * force - 0.6)
        metal = Modes(frequencies, decays, loud * tilt * hit.uniform(0.6, 1.4, count)).struck(hit, length)
        spray = highpass(white(hit, length), max(2500.0, low)) * decay(length, 0.8 * time)
        spray *= np.minimum(1, 0.3 + clock(length) / (0.02 if count == 110 else 0.001))
        touch = white(hit, length) * decay(length, 0.012)
        level = float(np.sqrt(np.mean(metal**2)))
        spray *= hiss * (0.5 + force) * level / max(float(np.sqrt(np.mean(spray**2))), 1e-12)
        return at_peak(at_peak(metal + spray) + stick * force * at_peak(touch), force)

    return strike


def hand_drum(draw: np.random.Generator) -> Strike:
    """Conga, djembe, bongo or tabla: each blow is an open tone, a bass, a slap or a muted tap."""
    tabla = draw.random() < 0.35
    pitch = log_uniform(draw, 150, 420)
    # The tabla's loaded head is tuned to a harmonic series (Raman, Proc. Indian Acad. Sci. 1934).
    partials = np.array([1, 2.0, 3.0, 4.0, 5.0, 6.0]) if tabla else np.array(CIRCULAR_MEMBRANE[:6])
    time, bass, bright = log_uniform(draw, 0.15, 0.8), pitch * draw.uniform(0.3, 0.6), draw.uniform(1800, 5000)
    haze = log_uniform(draw, 0.01, 0.2)

    def strike(hit: np.random.Generator, force: float) -> Signal:
        length = lengths(time * 1.3)
        way = hit.choice(["open", "bass", "slap", "tap"], p=[0.4, 0.22, 0.23, 0.15])
        slope = {"open": 0.6, "bass": 1.6, "slap": 0.15, "tap": 0.5}[way]
        seconds = time * {"open": 1.0, "bass": 1.2, "slap": 0.35, "tap": 0.15}[way]
        lowest = bass if way == "bass" else pitch
        gains = hit.uniform(0.5, 1, 6) * np.exp(-slope * np.arange(6))
        decays = seconds / (1 + 0.3 * np.arange(6)) * hit.uniform(0.7, 1.2, 6)
        # Pressing the heel of the hand into a bass bends it upwards; others relax downwards.
        drift = hit.uniform(0.0, 0.5) if tabla and way == "bass" else -0.04 * force
        bend = 1 + drift * np.minimum(1, clock(length) / (0.6 * seconds))
        body = at_peak(Modes(lowest * partials, decays, gains).struck(hit, length, bend))
        skin = bandpass(white(hit, length), bright, 0.8) * decay(length, 0.03 if way == "slap" else 0.015)
        share = {"open": 0.2, "bass": 0.08, "slap": 1.0, "tap": 0.5}[way]
        around = haze * _haze(hit, length, 0.5 * seconds)
        return at_peak(body + share * (0.4 + force) * at_peak(skin) + around, force)

    return strike


def percussion(draw: np.random.Generator) -> Strike:
    """Something small and hard: cowbell, wood block, rim or a snap of sticks."""
    count = int(draw.integers(2, 7))
    lowest, time = log_uniform(draw, 500, 1800), log_uniform(draw, 0.03, 0.5)
    frequencies = lowest * np.cumprod(np.concatenate([[1.0], draw.uniform(1.2, 1.9, count - 1)]))
    decays = time * draw.uniform(0.5, 1, count)
    click, haze = draw.uniform(0.05, 0.6), log_uniform(draw, 0.005, 0.15)

    def strike(hit: np.random.Generator, force: float) -> Signal:
        length = lengths(time * 1.1)
        gains = hit.uniform(0.4, 1, count) / np.arange(1, count + 1) ** (1.2 - force)
        body = at_peak(Modes(frequencies, decays, gains).struck(hit, length))
        tap = at_peak(white(hit, length) * decay(length, 0.01))
        return at_peak(body + click * tap + haze * _haze(hit, length, time), force)

    return strike
