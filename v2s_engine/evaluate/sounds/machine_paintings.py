"""The judge's own sounds of machines and water, painted. Each function: (draw, length) -> samples `[length]`."""

from __future__ import annotations

import numpy as np

from v2s_engine.evaluate.sounds.painting import (
    PAINT_BANDS,
    SILENT_DB,
    STEP,
    Floats,
    bumps,
    columns,
    decay_db,
    paint_noise,
    paint_partials,
    ring,
    tilt,
    times,
    wander,
)
from v2s_engine.grid import SAMPLE_RATE


def helicopter(draw: np.random.Generator, length: int) -> Floats:
    """Low noise that throbs 9 to 25 times a second, above a few steady lines of rotor and engine."""
    time, rate = times(length), draw.uniform(9, 25)
    throb = (rate * time + draw.uniform()) % 1
    pulse = draw.uniform(8, 30) * (np.exp(-throb / draw.uniform(0.1, 0.4)) - 1)
    spectrum = tilt(draw.uniform(-8, -4), 150) + bumps([draw.uniform(80, 400)], 0.8, draw.uniform(0, 12))
    level = spectrum + pulse[:, None] * np.linspace(1, draw.uniform(0.2, 1), 24)
    level += wander(draw, len(time), 4, -6, 6)[:, None]
    sound = paint_noise(draw, level, length)
    lines = np.full(length, rate * draw.integers(2, 7))
    steady = np.tile(tilt(draw.uniform(-9, -4), 100) + draw.uniform(-20, 0), (len(time), 1))
    return sound + 0.3 * paint_partials(draw, lines, steady, int(draw.integers(3, 16)))


def chainsaw(draw: np.random.Generator, length: int) -> Floats:
    """A dense comb of harmonics on a restless pitch of 60 to 220 Hz that falls to idling, with rattling noise."""
    count = columns(length)
    load = wander(draw, length, int(draw.integers(2, 8)), draw.uniform(0, 0.6), 1)
    pitch = draw.uniform(25, 60) + load * draw.uniform(60, 170)
    pitch *= 1 + 0.01 * wander(draw, length, length // 400, -1, 1)
    spectrum = tilt(draw.uniform(-4, 0), 800) + bumps(draw.uniform(200, 4000, 3), 0.5, draw.uniform(3, 15))
    loudness = np.interp(np.linspace(0, length, count), np.arange(length), 12 * load)[:, None]
    tone = paint_partials(draw, pitch, np.tile(spectrum, (count, 1)) + loudness, 90)
    rattle = bumps(draw.uniform(1500, 6000, 2), 0.9, 20) - 20 + tilt(-2)
    noise = paint_noise(draw, rattle + loudness + wander(draw, count, count // 4, -4, 4)[:, None], length)
    return tone / 4 + draw.uniform(0.2, 2) * noise


def printer(draw: np.random.Generator, length: int) -> Floats:
    """Motor tones in steps, a carriage that swishes to and fro in regular time, clicks where it turns, a fan."""
    time, sound = times(length), np.zeros(length)
    stroke = draw.uniform(0.15, 1.2)
    place = (time / stroke + draw.uniform()) % 1
    fan = np.tile(tilt(draw.uniform(-6, -2)) - draw.uniform(15, 35), (len(time), 1))
    swish = bumps(draw.uniform(800, 5000, 2), 0.6, 30) - 30 + tilt(0)
    moving = np.where(place < draw.uniform(0.5, 0.95), 0, -draw.uniform(10, 40)) + 6 * np.sin(np.pi * place)
    sound += paint_noise(draw, 10 * np.log10(10 ** (fan / 10) + 10 ** ((swish + moving[:, None]) / 10)), length)
    turns = np.floor(np.arange(length) / SAMPLE_RATE / stroke).astype(int)
    steps = draw.uniform(150, 900) * 2 ** (draw.integers(-5, 8, int(turns[-1]) + 1) / 12)
    tone = np.tile(bumps(draw.uniform(300, 4000, 3), 0.5, 20) - 25, (len(time), 1)) + moving[:, None]
    sound += draw.uniform(0, 0.6) * paint_partials(draw, steps[turns], tone, 20)
    for start in (np.flatnonzero(np.diff(place) < 0) * STEP).tolist():
        click = ring(draw.uniform(600, 6000, 6), draw.uniform(0.001, 0.02, 6), draw.uniform(0.2, 1, 6), 1600)
        end = min(length, start + 1600)
        sound[start:end] += draw.uniform(0, 0.8) * click[: end - start]
    return sound


def rail_transport(draw: np.random.Generator, length: int) -> Floats:
    """Rolling rumble with pairs of beats at the joints; at times a horn or whistle chord, or squealing wheels."""
    time = times(length)
    rumble = tilt(draw.uniform(-9, -4), 200) + wander(draw, len(time), 5, -4, 4)[:, None]
    period, gap = draw.uniform(0.35, 1.4), draw.uniform(0.08, 0.2)
    beats = np.full(len(time), SILENT_DB)
    for start in np.arange(draw.uniform(-0.5, 0.3), time[-1], period):
        for late in (0.0, gap):
            beats = np.maximum(beats, decay_db(time, start + late, 0.01, draw.uniform(0.2, 0.6)))
    joint = bumps([draw.uniform(80, 300), draw.uniform(500, 2000)], 1.0, 20) - 20 + draw.uniform(0, 16)
    level = 10 * np.log10(10 ** (rumble / 10) + 10 ** ((joint + beats[:, None]) / 10))
    sound = paint_noise(draw, level + tilt(-1), length)
    kind = draw.integers(5)
    if kind <= 1:  # horn or steam whistle: long steady voices a third to a sixth apart, breathy
        voices = draw.uniform(250, 900) * np.array([1, *draw.choice([1.19, 1.26, 1.33, 1.5, 1.68], 2, replace=False)])
        begin, lasting = draw.uniform(-1, 0.5), draw.uniform(0.8, 4)
        blown = np.clip(np.minimum(time - begin, begin + lasting - time) / 0.15, 0, 1)
        loud = tilt(draw.uniform(-8, -1), 800) + 20 * np.log10(np.maximum(blown, 1e-4))[:, None] + draw.uniform(0, 12)
        bend = wander(draw, length, 4, 0.99, 1.01)
        for voice in voices:
            sound += paint_partials(draw, voice * bend, loud, 12)
        sound += paint_noise(draw, loud + bumps(voices * 2, 1.0, 12) - draw.uniform(12, 35), length)
    elif kind == 2:
        squeal = np.tile(tilt(-3, 2000), (len(time), 1)) + wander(draw, len(time), 8, -40, 6)[:, None]
        sound += paint_partials(draw, wander(draw, length, 5, 1500, 3500), squeal, 2)
    return sound


def water_flowing(draw: np.random.Generator, length: int) -> Floats:
    """Noise without any beat, slowly swelling as surf or steady as a fall, with a shower of short rising blips."""
    time = times(length)
    spectrum = tilt(draw.uniform(-7, 1), 700) + bumps(draw.uniform(200, 4000, 2), 0.9, draw.uniform(0, 10))
    swell = wander(draw, len(time), int(draw.integers(2, 5)), -draw.uniform(1, 12), 0)
    grain = draw.normal(0, draw.uniform(0.5, 4), (len(time), 24))
    smooth = int(draw.integers(1, 12))
    grain = np.apply_along_axis(lambda row: np.convolve(row, np.ones(smooth) / smooth**0.5, "same"), 0, grain)
    brightness = np.linspace(0.4, 1.6, 24)
    sound = paint_noise(draw, spectrum + swell[:, None] * brightness + grain, length)
    scale = float(np.sqrt(np.mean(sound**2)))
    for _ in range(int(draw.choice([0, 20, 80, 250]) * length / SAMPLE_RATE)):
        start, lasting = int(draw.integers(length)), int(draw.uniform(0.005, 0.05) * SAMPLE_RATE)
        tick = np.arange(min(lasting, length - start)) / SAMPLE_RATE
        frequency = np.exp(draw.uniform(np.log(400), np.log(4000)))
        rise = 1 + draw.uniform(0, 8) * tick
        blip = np.sin(2 * np.pi * frequency * tick * rise) * np.exp(-tick * SAMPLE_RATE * 5 / lasting)
        sound[start : start + len(tick)] += scale * draw.uniform(0.2, 4) * blip
    return sound


def fireworks(draw: np.random.Generator, length: int) -> Floats:
    """Dark blasts with long tails, clusters of crackles, thumps and rising whistles."""
    time = times(length)
    level = np.tile(tilt(-4) - draw.uniform(50, 70), (len(time), 1))
    for _ in range(int(draw.integers(1, 5))):
        start, tail = draw.uniform(-0.2, time[-1]), draw.uniform(0.5, 4)
        falls = np.array([decay_db(time, start, draw.uniform(0.002, 0.02), tail * each) for each in (1, 0.4)])
        dark = np.clip(np.log2(PAINT_BANDS / 100) / 6, 0, 1)
        blast = falls[0][:, None] * (1 - dark) + falls[1][:, None] * dark
        level = np.maximum(level, blast + tilt(draw.uniform(-7, -2), 300) - draw.uniform(0, 20))
    sound = paint_noise(draw, level, length)
    if draw.random() < 0.6:  # crackles: short bright clicks, dense at first
        loud = draw.uniform(0.05, 1) * float(np.abs(sound).max())
        begin, spread = draw.uniform(0, time[-1]), draw.uniform(0.2, 1.5)
        for start in begin + draw.exponential(spread, int(draw.integers(10, 120))):
            at = int(start * SAMPLE_RATE)
            lasting = int(draw.uniform(30, 400))
            click = np.convolve(draw.standard_normal(lasting), np.ones(3) / 3)[:lasting]
            click *= np.exp(-5 * np.arange(lasting) / lasting)
            if at < length:
                sound[at : at + lasting] += loud * draw.uniform(0.2, 1) * click[: length - at]
    if draw.random() < 0.3:
        curve = np.interp(time, [0, time[-1]], [0, 6]) - 60 * (time > draw.uniform(0.5, time[-1]))
        pitch = np.linspace(draw.uniform(800, 2000), draw.uniform(1500, 4000), length)
        sound += draw.uniform(0.05, 1) * paint_partials(draw, pitch, np.tile(curve[:, None], (1, 24)) - 6, 2)
    return sound
