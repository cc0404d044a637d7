"""Things that hit: each knows how it looks at every moment and which sound it makes, from one random generator.

A moment is seconds from the scene's start, for drawing only; the truth is `events`, in samples at 16 kHz.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from v2s_engine.corpus.brush import Brush, random_paint
from v2s_engine.corpus.foley import COLOURS, Samples, impact, place
from v2s_engine.grid import SAMPLE_RATE


class Actor(Protocol):
    """Something that is seen and perhaps heard."""

    events: tuple[int, ...]
    """Samples at which a sound starts, rising."""

    def draw(self, brush: Brush, moment: float) -> None:
        """Draw it as it is `moment` seconds after the scene's start."""

    def sound(self, length: int) -> Samples:
        """Its sound over the whole scene, `[length]` at 16 kHz; all 0 for the silent."""


def event_samples(times: list[float], length: int) -> tuple[int, ...]:
    """Moments as samples, those inside the scene only."""
    samples = sorted({round(time * SAMPLE_RATE) for time in times})
    return tuple(sample for sample in samples if 0 <= sample < length)


class Hits:
    """The sound of several impacts of one material; stronger hits are louder."""

    def __init__(self, rng: np.random.Generator, events: tuple[int, ...], strengths: list[float]) -> None:
        self._level = rng.uniform(-24, -8)
        self._decay = float(np.exp(rng.uniform(np.log(0.012), np.log(0.12))))
        self._colour = COLOURS[rng.integers(3)]
        self._seeds = rng.integers(2**31, size=len(events))
        self._hits = list(zip(events, strengths, strict=True))

    def sound(self, length: int) -> Samples:
        """See `Actor`."""
        track = np.zeros(length, np.float32)
        for (start, strength), seed in zip(self._hits, self._seeds, strict=True):
            level = self._level + 20 * np.log10(max(strength, 0.05))
            hit = impact(np.random.default_rng(seed), level=level, decay=self._decay, colour=self._colour)
            place(track, hit, start)
        return track


class Ball:
    """Falls, bounces lower and lower, lies still; then the next one falls. Weak bounces are weak sounds."""

    def __init__(self, rng: np.random.Generator, length: int, aspect: float) -> None:
        self._radius = rng.uniform(0.03, 0.12)
        self._floor = rng.uniform(0.6, 0.97)
        self._paint = random_paint(rng)
        self._ground = random_paint(rng) if rng.random() < 0.5 else None
        self._legs: list[tuple[float, float, float, float, float, float]] = []
        gravity = rng.uniform(1.5, 5.0)  # heights per s²
        times, strengths = [], []
        start = rng.uniform(-0.3, 0.6)
        while start < length / SAMPLE_RATE:
            height = rng.uniform(0.3, 1.1)
            bounce = rng.choice([0.0, rng.uniform(0.4, 0.85)])
            speed, x, drift = 0.0, rng.uniform(0.1, 0.9) * aspect, rng.normal(0, 0.15)
            while True:  # one leg: from (start, height above the floor) with upward speed, to the next contact
                fall = (speed + np.sqrt(speed**2 + 2 * gravity * height)) / gravity
                self._legs.append((start, fall, height, speed, x, drift))
                start, x = start + fall, x + drift * fall
                landing = gravity * fall - speed
                times.append(start)
                strengths.append(min(1.0, landing / np.sqrt(2 * gravity * 0.7)))
                speed, height = landing * bounce, 0.0
                if speed < 0.25 * np.sqrt(gravity):
                    break
            rest = rng.uniform(0.2, 1.2)
            self._legs.append((start, rest, 0.0, 0.0, x, 0.0))
            start += rest
        self._gravity = gravity
        kept = [
            (time, strength)
            for time, strength in zip(times, strengths, strict=True)
            if 0 <= round(time * SAMPLE_RATE) < length
        ]
        self.events = tuple(round(time * SAMPLE_RATE) for time, _ in kept)
        self._hits = Hits(rng, self.events, [strength for _, strength in kept])

    def draw(self, brush: Brush, moment: float) -> None:
        """See `Actor`."""
        if self._ground is not None:
            brush.box(brush.aspect / 2, self._floor + 0.5, 2 * brush.aspect, 1.0, self._ground)
        for start, lasts, height, speed, x, drift in self._legs:
            passed = moment - start
            if 0 <= passed < lasts:
                falling = self._gravity if (height or speed) else 0.0
                above = height + speed * passed - 0.5 * falling * passed**2
                centre = self._floor - self._radius - max(0.0, above)
                brush.disc(x + drift * passed, centre, self._radius, self._paint)

    def sound(self, length: int) -> Samples:
        """See `Actor`."""
        return self._hits.sound(length)


class Stick:
    """A hand with a stick at the picture's edge: swings down fast, stops on something, lifts.

    Some lift slowly, some spring back, some leave the picture. Some swings are slow and turn in the air: seen, not
    heard.
    """

    def __init__(self, rng: np.random.Generator, length: int, aspect: float) -> None:
        side = rng.choice([-1.0, 1.0])  # the hand comes from the left or the right
        self._hand = (aspect * (0.5 - side * rng.uniform(0.15, 0.6)), rng.uniform(0.1, 1.0))
        self._reach = rng.uniform(0.3, 0.9)
        self._side = side
        self._down, self._up = rng.uniform(-0.6, 0.7), rng.uniform(0.2, 1.5)  # radians: contact, and lift from it
        self._thickness, self._fist = rng.uniform(0.008, 0.05), rng.uniform(0.03, 0.12)
        self._paint, self._skin, self._struck = random_paint(rng), random_paint(rng), random_paint(rng)
        self._arm = rng.uniform(0.05, 0.25) if rng.random() < 0.6 else 0.0
        travel = rng.uniform(0, 0.25) if rng.random() < 0.5 else rng.uniform(0.25, 1.0)  # the hand goes with the swing
        aside = rng.normal(0, 0.3)
        self._travel = travel * np.sin(aside), travel * np.cos(aside)
        self._give = rng.choice([0.0, rng.uniform(0.004, 0.02)])  # how far the struck thing shakes
        self._size = rng.uniform(0.1, 0.4) if rng.random() < 0.8 else 0.0
        self._shape = bool(rng.random() < 0.5)
        self._keys: list[tuple[float, float]] = [(-1.0, rng.uniform(0.0, 1.0))]  # (moment, lift 0..1), eased between
        kept = [hit for hit in self._play(rng, length / SAMPLE_RATE) if 0 <= round(hit[0] * SAMPLE_RATE) < length]
        self.events = tuple(round(time * SAMPLE_RATE) for time, _ in kept)
        self._hits = Hits(rng, self.events, [strength for _, strength in kept])

    def draw(self, brush: Brush, moment: float) -> None:
        """See `Actor`."""
        lift = self._lift(moment)
        angle = self._down - self._up * lift
        hand = self._hand[0] + self._travel[0] * lift, self._hand[1] - self._travel[1] * lift
        tip = self._tip(hand, angle)
        rest = self._tip(self._hand, self._down)
        shake = self._shake(moment)
        if self._shape:
            brush.disc(rest[0], rest[1] + self._size / 2 + shake, self._size / 2, self._struck)
        elif self._size:
            brush.box(rest[0], rest[1] + self._size / 2 + shake, 1.6 * self._size, self._size, self._struck)
        brush.rod(hand, tip, self._thickness, self._paint)
        if self._arm:
            edge = (hand[0] - self._side * 1.0, hand[1] + 0.3)
            brush.rod(edge, hand, self._arm, self._skin)
        brush.disc(hand[0], hand[1], self._fist, self._skin)

    def _play(self, rng: np.random.Generator, seconds: float) -> list[tuple[float, float]]:
        """Make up the swings (`_keys`); moment and strength of those that are heard."""
        heard: list[tuple[float, float]] = []
        springs = rng.random() < 0.5
        moment = rng.uniform(-0.2, 0.7)
        while moment < seconds + 1:
            strength, loud = rng.uniform(0.3, 1.0), rng.random() < 0.85
            swing = rng.uniform(0.05, 0.2) if loud else rng.uniform(0.3, 0.7)
            low = 0.0 if loud else rng.uniform(0.2, 0.5)
            lift = low + strength * (1 - low)
            self._keys += [(moment, lift), (moment + swing, low)]
            if loud:
                heard.append((moment + swing, strength))
            moment += swing
            if not springs and rng.random() < 0.6:
                moment += rng.uniform(0.02, 0.5)
                self._keys.append((moment, low))
            moment += rng.uniform(0.08, 0.3) if springs else rng.uniform(0.1, 0.5)
            if rng.random() < 0.6:  # waits in the air, or there is no hurry to get up
                self._keys.append((moment, rng.uniform(0.6, 1.0)))
            moment += rng.choice([0.02, rng.uniform(0.02, 0.6)])
        return heard

    def sound(self, length: int) -> Samples:
        """See `Actor`."""
        return self._hits.sound(length)

    def _tip(self, hand: tuple[float, float], angle: float) -> tuple[float, float]:
        return hand[0] + self._side * self._reach * np.cos(angle), hand[1] + self._reach * np.sin(angle)

    def _lift(self, moment: float) -> float:
        """0 on the surface, 1 all the way up; downward swings speed up until they stop."""
        for (begin, before), (end, after) in zip(self._keys, self._keys[1:], strict=False):
            if begin <= moment < end:
                part = (moment - begin) / (end - begin)
                eased = part**2 if after < before else part * part * (3 - 2 * part)
                return before + (after - before) * eased
        return self._keys[-1][1]

    def _shake(self, moment: float) -> float:
        passed = [moment - event / SAMPLE_RATE for event in self.events if event / SAMPLE_RATE <= moment]
        if not passed or not self._give:
            return 0.0
        return float(self._give * np.exp(-passed[-1] / 0.08) * np.cos(40 * passed[-1]))


class Clash:
    """Two things slide towards each other, meet with a clap, and part; over and over."""

    def __init__(self, rng: np.random.Generator, length: int, aspect: float) -> None:
        self._middle = (aspect * rng.uniform(0.35, 0.65), rng.uniform(0.25, 0.8))
        self._width, self._height = rng.uniform(0.06, 0.2), rng.uniform(0.1, 0.4)
        self._paints = random_paint(rng), random_paint(rng)
        self._turn = rng.uniform(0, np.pi)
        self._gap = rng.uniform(0.15, 0.5) * aspect
        self._one_moves = bool(rng.random() < 0.5)
        times, strengths = [], []
        self._meetings: list[tuple[float, float, float, float]] = []  # moment, approach s, retreat s, how far
        moment = rng.uniform(0.1, 0.8)
        while moment < length / SAMPLE_RATE + 1:
            approach, retreat = rng.uniform(0.1, 0.5), rng.uniform(0.15, 0.7)
            far = rng.uniform(0.4, 1.0)
            self._meetings.append((moment, approach, retreat, far))
            times.append(moment)
            strengths.append(min(1.0, 0.25 * far / approach))
            moment += approach + retreat + rng.choice([0.0, rng.uniform(0.0, 0.6)])
        self.events = event_samples(times, length)
        self._hits = Hits(rng, self.events, strengths[: len(self.events)])

    def draw(self, brush: Brush, moment: float) -> None:
        """See `Actor`."""
        apart = self._gap * self._opening(moment)
        direction = np.cos(self._turn), np.sin(self._turn)
        for sign, paint in zip((-1.0, 1.0), self._paints, strict=True):
            offset = self._width / 2 + (apart if not (self._one_moves and sign > 0) else 0.0)
            x, y = (self._middle[i] + sign * offset * direction[i] for i in range(2))
            along = sign * self._width / 2 * direction[0], sign * self._width / 2 * direction[1]
            brush.rod((x - along[0], y - along[1]), (x + along[0], y + along[1]), self._height, paint)

    def sound(self, length: int) -> Samples:
        """See `Actor`."""
        return self._hits.sound(length)

    def _opening(self, moment: float) -> float:
        """0 when they touch, up to 1 apart."""
        opening = self._meetings[0][3]
        for meeting, approach, retreat, far in self._meetings:
            if moment < meeting - approach:
                return opening
            if moment < meeting:
                return max(far, opening) * (meeting - moment) / approach
            opening = far * min(1.0, (moment - meeting) / retreat)
        return opening
