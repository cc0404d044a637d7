"""Trains: heard from inside, going past, starting, braking, and their horns and whistles.

Wheels clatter at every joint, axle after axle: the two of a bogie, then those of the next: da-dum, da-dum. A steam
engine puffs four times a turn (Farnell, "Designing Sound", 2010, builds engines from such parts). The parts are in
`railway.py` and `horns.py`; here is what one hears of them.
"""

from __future__ import annotations

import numpy as np

from v2s_engine.corpus.synthesis.horns import Horn
from v2s_engine.corpus.synthesis.machines import (
    around,
    bursts,
    normalised,
    phase_of,
    shaped_noise,
    through,
    turn_positions,
)
from v2s_engine.corpus.synthesis.noise import wander
from v2s_engine.corpus.synthesis.passage import Passage
from v2s_engine.corpus.synthesis.railway import Line, diesel, squeal, traction
from v2s_engine.corpus.synthesis.recipe import Samples, Signal
from v2s_engine.corpus.synthesis.recording import Recording
from v2s_engine.corpus.synthesis.shapes import clock, lengths, log_uniform, smoothed
from v2s_engine.grid import SAMPLE_RATE


def rail_transport(draw: np.random.Generator, length: int) -> Samples:
    """An excerpt `[length]` of one train."""
    makers = (_inside, _inside, _past, _past, _past, _signalling, _signalling, _steam, _starting, _braking)
    make = makers[draw.integers(len(makers))]
    return Recording(room=0.1, outside=0.5, floor=0.8, peak=(-32.0, -6.0)).take(draw, make(draw, length))


def _inside(draw: np.random.Generator, length: int) -> Signal:
    """Sitting in it: rumble, joints, ventilation."""
    line = Line.drawn(draw, inside=True)
    speed = draw.uniform(9, 40) * np.exp(0.05 * wander(draw, length, 0.15))
    sound = line.rolling(draw, speed) + line.clattering(draw, speed, beside=False)
    sound += draw.uniform(0.02, 0.2) * shaped_noise(draw, length, [(80, 0), (400, -6), (4000, -22)])
    return sound + (0.15 * traction(draw, speed) if draw.random() < 0.3 else 0.0)


def _past(draw: np.random.Generator, length: int) -> Signal:
    """Standing beside the line: it comes, clatters past car after car, at times with its horn, and goes."""
    pace, nearest, train = draw.uniform(8, 45), log_uniform(draw, 4, 60), draw.uniform(30, 500)
    middle = draw.uniform(-0.2, 0.9)  # when the front passes; what is nearest of the train is heard most
    after = (clock(length) - middle * length / SAMPLE_RATE) * pace
    passage = Passage(np.hypot(nearest, np.maximum(0, -after) + np.maximum(0, after - train)))
    line = Line.drawn(draw, inside=False)
    speed = np.full(passage.source_length, pace)
    sound = passage.heard(line.rolling(draw, speed) + line.clattering(draw, speed, beside=True))
    front = Passage.straight(length, speed=pace, nearest=nearest, middle=middle)
    if draw.random() < 0.5:
        motor = diesel if draw.random() < 0.5 else traction
        sound += draw.uniform(0.2, 0.9) * front.heard(motor(draw, np.full(front.source_length, pace)))
    if draw.random() < 0.4:
        horn = Horn.drawn(draw).calls(draw, front.source_length)
        sound += draw.uniform(0.5, 3.0) * front.heard(horn)
    if draw.random() < 0.2:
        sound += draw.uniform(0.05, 0.4) * squeal(draw, length)
    return sound


def _signalling(draw: np.random.Generator, length: int) -> Signal:
    """A horn or a whistle close by, with at most a little of the train."""
    horn = Horn.drawn(draw) if draw.random() < 0.5 else Horn.steam(draw)
    sound = horn.calls(draw, length)
    if draw.random() < 0.6:
        speed = np.full(length, draw.uniform(10, 25))
        sound += draw.uniform(0.03, 0.4) * Line.drawn(draw, inside=False).rolling(draw, speed)
    return sound


def _steam(draw: np.random.Generator, length: int) -> Signal:
    """A steam engine at work, puffing faster and faster or steadily, at times with its whistle."""
    start, end = log_uniform(draw, 1.0, 8.0), log_uniform(draw, 1.0, 8.0)
    pace = through(length, [(0, start), (length / SAMPLE_RATE, end if draw.random() < 0.6 else start)])
    puffs = turn_positions(phase_of(pace, draw.random()))
    strokes = np.resize(draw.uniform(0.5, 1.0, 4), len(puffs)) * draw.uniform(0.8, 1.1, len(puffs))
    spectrum = around(log_uniform(draw, 200, 900), 2, slope=5)
    fall, rise = draw.uniform(0.03, 0.1), draw.uniform(0.01, 0.05)
    steam = bursts(draw, length, puffs, strokes, fall=fall, rise=rise, points=spectrum)
    sound = normalised(steam) + draw.uniform(0.02, 0.2) * shaped_noise(draw, length, around(3000, 2, slope=6))
    sound += draw.uniform(0.1, 0.5) * normalised(Line.drawn(draw, inside=False).rolling(draw, pace + 1))
    if draw.random() < 0.45:
        sound += draw.uniform(0.5, 2.0) * Horn.steam(draw).calls(draw, length)
    return sound


def _starting(draw: np.random.Generator, length: int) -> Signal:
    """From a standstill, or into one: motors rise in pitch, joints follow faster and faster."""
    done = np.clip((clock(length) / (length / SAMPLE_RATE) - draw.uniform(-0.2, 0.3)) / 1.1, 0, 1)
    speed = 0.5 + draw.uniform(6, 22) * done
    if draw.random() < 0.3:
        speed = speed[::-1].copy()
    line = Line.drawn(draw, inside=draw.random() < 0.5)
    motor = diesel if draw.random() < 0.4 else traction
    sound = line.rolling(draw, speed) + line.clattering(draw, speed, beside=False)
    return sound + draw.uniform(0.1, 0.6) * motor(draw, speed)


def _braking(draw: np.random.Generator, length: int) -> Signal:
    """Coming to a halt: brakes squeal, and then air hisses out."""
    start, halt = draw.uniform(4, 14), length / SAMPLE_RATE * draw.uniform(0.6, 1.3)
    speed = start * np.clip(1 - clock(length) / halt, 0, 1)
    line = Line.drawn(draw, inside=draw.random() < 0.3)
    sound = line.rolling(draw, speed) + line.clattering(draw, speed, beside=False)
    grip = smoothed(np.clip(speed / start * 6, 0, 1) * np.clip(1.3 - speed / start, 0, 1), lengths(0.1))
    sound += draw.uniform(0.1, 0.7) * squeal(draw, length) * grip
    since = clock(length) - halt - draw.uniform(-0.5, 0.3)
    hiss = np.where(since > 0, np.exp(-np.maximum(since, 0) / draw.uniform(0.2, 1.0)), 0.0)
    sound += draw.uniform(0.1, 0.4) * hiss * shaped_noise(draw, length, around(4500, 2.5, slope=5))
    return sound + 0.02 * shaped_noise(draw, length, [(50, 0), (1000, -12)])
