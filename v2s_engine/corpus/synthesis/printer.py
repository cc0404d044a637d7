"""Printers: ink, laser, dots, copiers that scan, and three dimensions.

A stepper's tone is its step rate; it slides as the motor speeds up and slows down, and so tells what goes on: strokes
there and back, a line feed after each, sheets drawn in, arcs and zigzags. `housing.py` has the sounds; here is what
moves.
"""

from __future__ import annotations

import numpy as np

from v2s_engine.corpus.synthesis.housing import Housing
from v2s_engine.corpus.synthesis.machines import (
    around,
    bursts,
    impulses,
    normalised,
    phase_of,
    shaped,
    shaped_noise,
    tone,
    turn_positions,
)
from v2s_engine.corpus.synthesis.noise import wander
from v2s_engine.corpus.synthesis.recipe import Samples, Signal
from v2s_engine.corpus.synthesis.recording import Recording
from v2s_engine.corpus.synthesis.shapes import clock, lengths, log_uniform, smoothed
from v2s_engine.grid import SAMPLE_RATE


def printer(draw: np.random.Generator, length: int) -> Samples:
    """An excerpt `[length]` of one printer at work."""
    makers = (_ink, _ink, _ink, _laser, _laser, _dots, _dots, _copier, _filament)
    make = makers[draw.integers(len(makers))]
    return Recording(room=0.75, floor=0.85, peak=(-34.0, -6.0)).take(draw, make(draw, length))


def _ink(draw: np.random.Generator, length: int) -> Signal:
    """The carriage back and forth, a turn of the paper's roller after each stroke, at times a new sheet."""
    housing = Housing.drawn(draw)
    stroke, pause, ramp = log_uniform(draw, 0.25, 1.3), log_uniform(draw, 0.03, 0.3), draw.uniform(0.03, 0.12)
    speed, turns = _strokes(draw, length, stroke, pause, ramp)
    fed = _runs(length, turns, pause * draw.uniform(0.6, 1.0), ramp / 3)
    sound = np.zeros(length)
    if draw.random() < 0.4:
        begin = draw.uniform(-0.2, 0.8) * length / SAMPLE_RATE
        end = begin + draw.uniform(1.0, 3.0)
        printing = (clock(length) < begin) | (clock(length) > end)
        speed, fed = speed * printing, fed * printing
        turns = turns[(turns < begin * SAMPLE_RATE) | (turns > end * SAMPLE_RATE)]
        sound += draw.uniform(0.5, 1.5) * _sheet(draw, length, housing, begin, end)
    sound += normalised(housing.motor(draw, speed, log_uniform(draw, 250, 1600), rub=log_uniform(draw, 0.3, 3)))
    sound += draw.uniform(0.1, 0.7) * normalised(housing.motor(draw, fed, log_uniform(draw, 150, 900), rub=0.3))
    knocks = housing.clunks(draw, length, turns + draw.normal(0, 40, len(turns)), draw.uniform(0.3, 1, len(turns)))
    return sound + log_uniform(draw, 0.3, 5.0) * knocks + log_uniform(draw, 0.01, 0.3) * housing.fan(draw, length)


def _laser(draw: np.random.Generator, length: int) -> Signal:
    """Fan, mirror motor and gears throughout; page by page a clutch, paper that rustles, rollers."""
    housing, duration = Housing.drawn(draw), length / SAMPLE_RATE
    started = smoothed(np.clip((clock(length) - draw.uniform(-3, 0.4) * duration) / 0.8, 0, 1), lengths(0.3))
    mirror = tone(log_uniform(draw, 600, 5000) * (0.05 + 0.95 * started), [1.0, 0.3, 0.1], draw.random())
    turning = started * (1 + log_uniform(draw, 0.002, 0.06) * np.cos(2 * np.pi * draw.uniform(0.8, 4) * clock(length)))
    gears = housing.motor(draw, turning * draw.uniform(0.9, 1.0), log_uniform(draw, 150, 900), rub=draw.uniform(0.5, 3))
    pages = np.arange(draw.uniform(-2, 1), duration, log_uniform(draw, 1.5, 6.0))
    moves = np.concatenate([pages, pages + 0.25, pages + draw.uniform(0.5, 1.3)]) * SAMPLE_RATE
    clunks = housing.clunks(draw, length, moves, draw.uniform(0.2, 1.0, len(moves)))
    starts, ends = pages + 0.1, pages + draw.uniform(0.5, 1.2)
    fed = sum((_ramped(length, a, b, 0.05) for a, b in zip(starts, ends, strict=True)), np.zeros(length))
    paper = fed * (1 + 0.7 * wander(draw, length, 30)) * shaped_noise(draw, length, around(3000, 2.5, slope=6))
    roller = housing.motor(draw, fed, log_uniform(draw, 200, 1200), rub=0.8)
    sound = normalised(gears) + log_uniform(draw, 0.02, 0.5) * mirror * started + draw.uniform(0.2, 1.0) * paper
    sound += draw.uniform(0.2, 1.0) * normalised(roller) + log_uniform(draw, 1.0, 6.0) * clunks
    return sound + draw.uniform(0.1, 0.8) * housing.fan(draw, length)


def _dots(draw: np.random.Generator, length: int) -> Signal:
    """Needles that strike in columns, words and lines; a zip of the paper after each line."""
    housing = Housing.drawn(draw)
    stroke, pause, ramp = log_uniform(draw, 0.4, 2.0), draw.uniform(0.08, 0.3), draw.uniform(0.02, 0.06)
    speed, turns = _strokes(draw, length, stroke, pause, ramp)
    columns = turn_positions(phase_of(log_uniform(draw, 250, 1300) * (1 + 0.003 * wander(draw, length, 20))))
    letters = draw.random(len(columns) // 8 + 2) ** 0.5 * (draw.random(len(columns) // 8 + 2) < 0.85)
    needles = np.repeat(letters, 8)[: len(columns)] * draw.uniform(0.4, 1.0, len(columns))
    needles *= np.interp(columns, np.arange(length), speed > 0.9)
    spectrum = around(log_uniform(draw, 1500, 4500), 2.5, slope=7)
    buzz = bursts(draw, length, columns, needles, fall=draw.uniform(0.0004, 0.002), points=spectrum)
    case = shaped(impulses(length, columns, needles), housing.colour)
    sound = normalised(buzz) + draw.uniform(0.5, 1.5) * normalised(case)
    fed = _runs(length, turns, pause * 0.7, 0.01)
    sound += draw.uniform(0.3, 1.2) * normalised(housing.motor(draw, fed, log_uniform(draw, 120, 500), rub=0.4))
    sound += draw.uniform(0.05, 0.4) * normalised(housing.motor(draw, speed, log_uniform(draw, 200, 900), rub=1.0))
    knocks = housing.clunks(draw, length, turns, draw.uniform(0.3, 1.0, len(turns)))
    return sound + log_uniform(draw, 0.3, 3) * knocks + log_uniform(draw, 0.01, 0.2) * housing.fan(draw, length)


def _copier(draw: np.random.Generator, length: int) -> Signal:
    """A lamp drawn slowly along the glass, and quickly back."""
    housing, duration = Housing.drawn(draw), length / SAMPLE_RATE
    begin, slow, quick = draw.uniform(-2, 0.3 * duration), draw.uniform(1.5, 6.0), draw.uniform(0.4, 1.5)
    there = _ramped(length, begin, begin + slow, 0.1)
    back = _ramped(length, begin + slow + 0.15, begin + slow + 0.15 + quick, 0.15)
    again = begin + slow + quick + draw.uniform(0.3, 2.0)
    there = np.maximum(there, _ramped(length, again, again + slow, 0.1))
    share, steps = draw.uniform(0.15, 0.6), log_uniform(draw, 600, 2500)
    drive = housing.motor(draw, share * there + back, steps, rub=draw.uniform(0.2, 1.5))
    moves = np.array([begin, begin + slow, begin + slow + quick + 0.15, again]) * SAMPLE_RATE
    clunks = housing.clunks(draw, length, moves, draw.uniform(0.2, 1.0, 4))
    sound = normalised(drive) + log_uniform(draw, 0.5, 4.0) * clunks
    return sound + log_uniform(draw, 0.02, 0.4) * housing.fan(draw, length)


def _filament(draw: np.random.Generator, length: int) -> Signal:
    """A 3D printer: two axes that draw lines, arcs and zigzags, under loud fans."""
    housing = Housing.drawn(draw)
    across, along = np.zeros(length), np.zeros(length)
    at = 0
    while at < length:
        part = lengths(log_uniform(draw, 0.08, 1.5))
        stop = min(at + part, length)
        now, pace = clock(stop - at), draw.choice([0.3, 0.5, 0.8, 1.0])
        kind = draw.random()
        if kind < 0.4:  # a line at some angle
            angle = draw.uniform(0, np.pi / 2) + 0 * now
        elif kind < 0.75:  # an arc
            angle = draw.uniform(0, 6) + draw.uniform(2, 12) * now
        else:  # zigzag: both axes turn round at every end
            angle = np.pi / 4 + 0 * now
            pace = pace * np.minimum(1, 6 * np.abs(((now * draw.uniform(3, 14)) % 1) - 0.5))
        across[at:stop], along[at:stop] = pace * np.abs(np.cos(angle)), pace * np.abs(np.sin(angle))
        at = stop
    steps = log_uniform(draw, 600, 3000)
    easing = lengths(0.015)
    sound = normalised(housing.motor(draw, smoothed(across, easing), steps, rub=0.1))
    sound += normalised(housing.motor(draw, smoothed(along, easing), steps * draw.uniform(0.8, 1.25), rub=0.1))
    return draw.uniform(0.3, 1.0) * sound + draw.uniform(0.3, 1.5) * housing.fan(draw, length)


def _sheet(draw: np.random.Generator, length: int, housing: Housing, begin: float, end: float) -> Signal:
    """A sheet drawn in between `begin` and `end` (seconds): clunk, rollers at two or three speeds, paper, clunk."""
    stops = np.sort(draw.uniform(begin, end, 3))
    speed = sum(
        (draw.uniform(0.3, 1.0) * _ramped(length, a, b, 0.04) for a, b in zip(stops, [*stops[1:], end], strict=True)),
        np.zeros(length),
    )
    rollers = housing.motor(draw, speed, log_uniform(draw, 200, 1200), rub=draw.uniform(0.3, 1.5))
    moves = np.array([begin, *stops, end]) * SAMPLE_RATE
    clunks = housing.clunks(draw, length, moves, draw.uniform(0.2, 1.0, len(moves)))
    paper = speed * (1 + 0.7 * wander(draw, length, 30)) * shaped_noise(draw, length, around(3000, 2.5, slope=6))
    return normalised(rollers) + draw.uniform(1.0, 4.0) * clunks + draw.uniform(0.1, 0.8) * paper


def _strokes(draw: np.random.Generator, length: int, stroke: float, pause: float, ramp: float) -> tuple[Signal, Signal]:
    """Speed (0..1, `[length]`) of a carriage that goes there and back, and the samples at which it comes to an end.

    `stroke`, the `pause` between strokes and the `ramp` (speeding up, slowing down) are seconds. Some strokes are
    short; now and then the carriage waits.
    """
    speed, ends = np.zeros(length), []
    at = -draw.uniform(0, stroke)
    while at < length / SAMPLE_RATE:
        end = at + max(3 * ramp, stroke * (draw.uniform(0.35, 1.0) if draw.random() < 0.3 else 1.0))
        speed = np.maximum(speed, _ramped(length, at, end, ramp))
        ends.append(end * SAMPLE_RATE)
        at = end + pause * draw.uniform(0.9, 1.1) + (draw.uniform(0.3, 1.5) if draw.random() < 0.06 else 0.0)
    return speed, np.array(ends)


def _ramped(length: int, begin: float, end: float, ramp: float) -> Signal:
    """1 between `begin` and `end`, with straight edges of `ramp` inside of them (seconds), 0 elsewhere: `[length]`."""
    return np.interp(clock(length), [begin, begin + ramp, max(end - ramp, begin + ramp), end], [0.0, 1.0, 1.0, 0.0])


def _runs(length: int, positions: Signal, duration: float, ramp: float) -> Signal:
    """1 for `duration` seconds from each of `positions` (samples) on, with edges of `ramp` seconds: `[length]`."""
    each = (_ramped(length, at / SAMPLE_RATE, at / SAMPLE_RATE + duration, ramp) for at in positions)
    return np.asarray(np.max([np.zeros(length), *each], axis=0))
