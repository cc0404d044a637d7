"""Chainsaws: a two-stroke engine that fires once a turn, its muffler, the chain, and what it cuts.

Idle is at about 2,000 to 3,000 turns a minute (33 to 50 Hz), full speed at 8,000 to 12,500, less in the wood. At idle
firings fail; without load at full speed they alternate between strong and weak, which saws call four-stroking. The
exhaust is a pulse through a short pipe, a comb, and the muffler's modes (Farnell, "Designing Sound", 2010, on
two-stroke engines). A centrifugal clutch moves the chain above idle only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from v2s_engine.corpus.synthesis.machines import (
    Points,
    around,
    bursts,
    drawn_modes,
    normalised,
    phase_of,
    pulse_train,
    rings,
    shaped,
    shaped_noise,
    struck,
    through,
    tone,
    turn_positions,
)
from v2s_engine.corpus.synthesis.noise import wander
from v2s_engine.corpus.synthesis.recipe import Samples, Signal
from v2s_engine.corpus.synthesis.recording import Recording
from v2s_engine.corpus.synthesis.room import far_away
from v2s_engine.corpus.synthesis.shapes import clock, lengths, log_uniform, smoothed
from v2s_engine.grid import SAMPLE_RATE


def chainsaw(draw: np.random.Generator, length: int) -> Samples:
    """An excerpt `[length]` of one saw at work, near or far; one in ten is electric."""
    makers = (_sawing, _sawing, _sawing, _sawing, _revving, _revving, _idling, _pulled, _pulled, _electric)
    make = makers[draw.integers(len(makers))]
    distance = log_uniform(draw, 1, 250)
    return Recording(room=0.1, outside=0.55, floor=0.85, peak=(-32.0, -6.0)).take(
        draw, far_away(make(draw, length), distance)
    )


@dataclass(frozen=True)
class Work:
    """What a saw does at each sample of an excerpt, all `[L]`."""

    rate: Signal
    """Turns of the engine a second; 0 where it stands."""
    throttle: Signal
    """0..1."""
    load: Signal
    """0..1: how much wood the chain is in."""


@dataclass(frozen=True)
class Saw:
    """One saw."""

    idle: float
    """Turns a second."""
    full: float
    """Turns a second without load."""
    pulse: Signal
    """Pressure of one firing at the end of the pipe."""
    colour: Points
    """Muffler and body."""
    rattle: float
    """How loud the chain is; the engine at full throttle has an RMS of 1."""
    bite: float
    """How loud wood being cut is."""
    teeth: int
    """Links of the chain that the sprocket moves in one turn."""

    @classmethod
    def drawn(cls, draw: np.random.Generator) -> Saw:
        """A random one, from a light saw for branches to one for felling."""
        length = lengths(0.03)
        count = int(draw.integers(3, 6))
        pitches = np.sort([log_uniform(draw, 180, 2500) for _ in range(count)])
        damping = pitches * draw.uniform(1.2, 4.0, count)
        blow = rings(length, np.zeros(count), pitches, damping, draw.uniform(0.4, 1.0, count))
        pipe, echo = lengths(draw.uniform(0.0015, 0.005)), draw.uniform(0.2, 0.6)
        delayed = np.concatenate([np.zeros(pipe), blow[:-pipe]])
        bumps = sorted(log_uniform(draw, 120, 6000) for _ in range(7))
        return cls(
            idle=draw.uniform(33, 52),
            full=draw.uniform(130, 205),
            pulse=blow - echo * delayed,
            colour=[(60, -12), *((at, draw.normal(0, 4)) for at in bumps), (7900, -6)],
            rattle=log_uniform(draw, 0.05, 0.5),
            bite=log_uniform(draw, 0.08, 0.6),
            teeth=int(draw.integers(6, 9)),
        )

    def sound(self, draw: np.random.Generator, work: Work) -> Signal:
        """Its sound close by, `[L]`."""
        length = len(work.rate)
        running = smoothed((work.rate > 5).astype(np.float64), lengths(0.02))
        # How close to idle: there, turns are uneven.
        slow = np.clip(1.6 - work.rate / self.idle, 0, 1)
        rate = work.rate * (1 + (0.004 + 0.03 * slow) * wander(draw, length, 25.0))
        phase = phase_of(rate, draw.random())
        firings = turn_positions(phase)
        engine = self._exhaust(draw, work, firings) + self._intake(draw, work, phase)
        chain = self.chain(draw, work, phase)
        return running * (shaped(engine, self.colour) + chain)

    def _exhaust(self, draw: np.random.Generator, work: Work, firings: Signal) -> Signal:
        length, count = len(work.rate), len(firings)
        at = firings.astype(np.int64)
        rate, throttle, load = work.rate[at], work.throttle[at], work.load[at]
        force = (0.3 + 0.7 * throttle) * draw.normal(1, 0.06, count)
        failed = (draw.random(count) < 0.25) & (rate < 1.5 * self.idle)
        racing = throttle * (1 - load)
        weak = (np.arange(count) % 2 == 0) & (draw.random(count) < 0.85)
        force *= np.where(failed, draw.uniform(0.1, 0.6, count), 1.0) * np.where(weak, 1 - 0.6 * racing, 1.0)
        late = firings + draw.normal(0, 0.003, count) * SAMPLE_RATE / np.maximum(rate, self.idle)
        blows = pulse_train(length, late, force, self.pulse)
        fall = draw.uniform(0.0008, 0.003)
        spray = bursts(draw, length, late, force, fall=fall, points=around(log_uniform(draw, 800, 3500), 3, slope=5))
        loudness = float(np.mean(force)) if count else 0.0
        return loudness * (normalised(blows) + draw.uniform(0.1, 0.45) * normalised(spray))

    def _intake(self, draw: np.random.Generator, work: Work, phase: Signal) -> Signal:
        """Air drawn in once a turn."""
        breath = np.clip(np.sin(2 * np.pi * phase), 0, None) * work.throttle
        noise = shaped_noise(draw, len(phase), around(log_uniform(draw, 400, 1200), 2, slope=6))
        return draw.uniform(0.1, 0.5) * breath * noise

    def chain(self, draw: np.random.Generator, work: Work, phase: Signal) -> Signal:
        """Links that rattle over the bar once the clutch has closed, and teeth that cut."""
        length = len(phase)
        moving = np.clip((work.rate - 1.5 * self.idle) / (self.full - 1.5 * self.idle), 0, 1.2)
        links = 1 + 0.6 * np.cos(2 * np.pi * self.teeth * phase)
        rattle = shaped_noise(draw, length, around(log_uniform(draw, 2500, 5500), 1.5, slope=7)) * links
        tearing = np.clip(1 + 0.35 * wander(draw, length, 22.0) + 0.3 * wander(draw, length, 5.0), 0, None)
        wood = shaped_noise(draw, length, around(log_uniform(draw, 900, 3500), 2.5, slope=5)) * tearing
        return moving * (self.rattle * rattle + self.bite * work.load * wood)


def _worked(draw: np.random.Generator, saw: Saw, length: int, throttle: Signal, load: Signal) -> Work:
    """Engine speed that follows `throttle` and gives way to `load` (0..1, `[length]` each), both with some delay."""
    throttle = smoothed(throttle, lengths(draw.uniform(0.12, 0.35)))
    load = smoothed(load, lengths(0.15))
    hunting = 1 + load * (0.05 * wander(draw, length, 1.5) + 0.015 * wander(draw, length, 8.0))
    drop = draw.uniform(0.15, 0.4)
    rate = saw.idle + (saw.full - saw.idle) * throttle**0.8
    return Work(np.maximum(rate * (1 - drop * load * throttle) * hunting, saw.idle * 0.9), throttle, load)


def _steps(draw: np.random.Generator, length: int, shortest: float, longest: float) -> Signal:
    """Switched on and off in turn, for `shortest` to `longest` seconds each: 0 or 1, `[length]`."""
    edges = np.cumsum([log_uniform(draw, shortest, longest) for _ in range(2 + int(length / SAMPLE_RATE / shortest))])
    return (np.searchsorted(edges, clock(length)) % 2).astype(np.float64)


def _sawing(draw: np.random.Generator, length: int) -> Signal:
    """Full throttle, cut after cut."""
    saw = Saw.drawn(draw)
    load = _steps(draw, length, 0.8, 6.0) if draw.random() < 0.7 else np.ones(length)
    if draw.random() < 0.5:
        load = 1 - load if load.min() < 1 else load
    kept = _steps(draw, length, 1.5, 9.0)
    throttle = np.maximum(np.maximum(load, kept), draw.uniform(0.0, 0.3))
    return saw.sound(draw, _worked(draw, saw, length, throttle, load * draw.uniform(0.5, 1.0)))


def _revving(draw: np.random.Generator, length: int) -> Signal:
    """Blips of the throttle, from idle."""
    saw = Saw.drawn(draw)
    throttle = _steps(draw, length, 0.25, 1.5) * np.clip(draw.uniform(0.5, 1) + 0.3 * wander(draw, length, 0.7), 0.2, 1)
    return saw.sound(draw, _worked(draw, saw, length, throttle, np.zeros(length)))


def _idling(draw: np.random.Generator, length: int) -> Signal:
    """Idle, at most a short blip."""
    saw = Saw.drawn(draw)
    throttle = np.zeros(length)
    if draw.random() < 0.5:
        begin = int(draw.uniform(0, 0.9) * length)
        throttle[begin : begin + lengths(draw.uniform(0.2, 0.8))] = draw.uniform(0.4, 1.0)
    return saw.sound(draw, _worked(draw, saw, length, throttle, np.zeros(length)))


def _pulled(draw: np.random.Generator, length: int) -> Signal:
    """The cord is pulled, once or several times; then it fires, races and settles."""
    saw, duration = Saw.drawn(draw), length / SAMPLE_RATE
    count = int(draw.integers(1, 5))
    fired = draw.uniform(0.15, 0.7) * duration
    pulls = fired - 0.35 - np.arange(count) * draw.uniform(0.9, 1.6)
    cord = sum((np.clip(1 - np.abs(clock(length) - at - 0.18) / 0.18, 0, 1) for at in pulls), np.zeros(length))
    strokes = turn_positions(phase_of(cord * draw.uniform(18, 30)))
    case = drawn_modes(draw, 6, 150, 3500, sharpness=2.0)
    whirr = normalised(struck(draw, length, strokes, 1.0, case)) + 0.4 * cord * shaped_noise(
        draw, length, around(1500, 3)
    )
    since = np.maximum(clock(length) - fired, 0)
    throttle = through(
        length, [(fired, 0.0), (fired + 0.15, draw.uniform(0.4, 1)), (fired + draw.uniform(0.8, 3), 0.0)]
    )
    blips = _steps(draw, length, 0.4, 2.0) * (since > draw.uniform(1.0, 3.0))
    work = _worked(draw, saw, length, np.maximum(throttle, 0.8 * blips), np.zeros(length))
    work = Work(np.where(since > 0, work.rate, 0.0), work.throttle, work.load)
    return saw.sound(draw, work) + draw.uniform(0.1, 0.4) * whirr


def _electric(draw: np.random.Generator, length: int) -> Signal:
    """A motor and its gears, the same chain."""
    saw = Saw.drawn(draw)
    pressed = smoothed(_steps(draw, length, 0.8, 6.0), lengths(draw.uniform(0.2, 0.6)))
    pressed = np.maximum(pressed, 1e-3)
    load = pressed * smoothed(_steps(draw, length, 0.5, 4.0), lengths(0.2))
    rate = saw.full * pressed * (1 - draw.uniform(0.05, 0.25) * load)
    whine = [draw.uniform(0.2, 1.0) / number**1.1 for number in range(1, 14)]
    uneven = 1 + 0.004 * wander(draw, length, 30.0)
    motor = tone(rate * draw.uniform(2, 5) * uneven, whine, draw.random()) * pressed
    brushes = pressed * shaped_noise(draw, length, around(3000, 3, slope=6))
    work = Work(rate, pressed, load)
    return normalised(motor) + draw.uniform(0.2, 1.0) * brushes + 1.5 * saw.chain(draw, work, phase_of(rate))
