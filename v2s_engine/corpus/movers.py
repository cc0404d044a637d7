"""Things that flash, run, flow, scrape, and things that only move: see `strikers` for what every actor offers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from v2s_engine.corpus.brush import Brush, random_paint
from v2s_engine.corpus.foley import COLOURS, Samples, drone, gate, place, rush
from v2s_engine.corpus.strikers import Hits, event_samples
from v2s_engine.grid import SAMPLE_RATE


class Burst:
    """Explosions, sparks, lamps that pop: a flash, rays that fly apart, and a bang at once."""

    def __init__(self, rng: np.random.Generator, length: int, aspect: float) -> None:
        self._paint = random_paint(rng)
        self._fade = rng.uniform(0.04, 0.25)
        self._whole = rng.choice([0.0, rng.uniform(0.2, 0.9)])  # how much of the picture lights up
        self._radius = rng.uniform(0.03, 0.3)
        times = []
        moment = rng.uniform(0.1, 1.2)
        while moment < length / SAMPLE_RATE:
            times.append(moment)
            moment += rng.uniform(0.2, 1.6)
        self.events = event_samples(times, length)
        count = len(self.events)
        self._places = [(rng.uniform(0.1, 0.9) * aspect, rng.uniform(0.1, 0.9)) for _ in range(count)]
        self._rays = [rng.normal(0, 0.4, (rng.integers(0, 30), 2)) for _ in range(count)]
        self._hits = Hits(rng, self.events, rng.uniform(0.4, 1.0, count).tolist())

    def draw(self, brush: Brush, moment: float) -> None:
        """See `Actor`."""
        for event, (x, y), rays in zip(self.events, self._places, self._rays, strict=True):
            passed = moment - event / SAMPLE_RATE
            if not 0 <= passed < 1.0:
                continue
            light = float(np.exp(-passed / self._fade))
            if self._whole * light > 0.02:
                brush.glow(self._whole * light, self._paint)
            if light > 0.1:
                brush.disc(x, y, self._radius * light, self._paint)
            reach = self._fade * (1 - np.exp(-passed / self._fade))
            for across, down in rays * reach * 3:
                brush.disc(x + across, y + down + 0.3 * passed**2, 0.008 * (1 - passed), self._paint)

    def sound(self, length: int) -> Samples:
        """See `Actor`."""
        return self._hits.sound(length)


class Engine:
    """A machine that is off, starts, shakes as long as it runs, and stops."""

    def __init__(self, rng: np.random.Generator, length: int, aspect: float) -> None:
        self._place = aspect * rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.8)
        self._size = rng.uniform(0.1, 0.4), rng.uniform(0.1, 0.4)
        self._paints = random_paint(rng), random_paint(rng)
        self._shake = rng.uniform(0.006, 0.03)
        self._pitches = rng.uniform(5, 30, 2)
        self._smoke = bool(rng.random() < 0.4)
        self.clock, self.amount, self.events = on_and_off(rng, length)
        self._level, self._seed = rng.uniform(-34, -12), int(rng.integers(2**31))
        self._colour = COLOURS[rng.integers(3)]

    def draw(self, brush: Brush, moment: float) -> None:
        """See `Actor`."""
        running = float(np.interp(moment, self.clock, self.amount))
        across, down = self._shake * running * np.sin(2 * np.pi * self._pitches * moment)
        x, y = self._place[0] + across, self._place[1] + down
        brush.box(x, y, *self._size, self._paints[0])
        brush.box(x, y - self._size[1] / 4, self._size[0] / 2, self._size[1] / 4, self._paints[1])
        if self._smoke and running > 0.3:
            for puff in range(6):
                age = (moment * 1.5 + puff / 6) % 1.0
                brush.disc(x + 0.05 * np.sin(7 * age + puff), y - self._size[1] / 2 - 0.4 * age, 0.03, self._paints[1])

    def sound(self, length: int) -> Samples:
        """See `Actor`."""
        running = drone(np.random.default_rng(self._seed), length, level=self._level, colour=self._colour)
        return running * gate(length, self.clock, self.amount)


class Wheel:
    """A rotor, drill or saw that spins up and down; the faster the louder."""

    def __init__(self, rng: np.random.Generator, length: int, aspect: float) -> None:
        self._place = aspect * rng.uniform(0.25, 0.75), rng.uniform(0.25, 0.75)
        self._radius, self._spokes = rng.uniform(0.12, 0.45), int(rng.integers(1, 6))
        self._paints = random_paint(rng), random_paint(rng)
        self.clock, self.amount, self.events = on_and_off(rng, length, ramp=(0.1, 0.8))
        steps = np.arange(0, length / SAMPLE_RATE + 1, 1 / 250)
        speed = np.interp(steps, self.clock, self.amount) * rng.uniform(0.7, 4.0)  # turns per second
        self._steps, self._turns = steps, np.cumsum(speed) / 250
        self._level, self._seed = rng.uniform(-34, -12), int(rng.integers(2**31))
        self._colour = COLOURS[rng.integers(3)]

    def draw(self, brush: Brush, moment: float) -> None:
        """See `Actor`."""
        x, y = self._place
        brush.disc(x, y, 0.15 * self._radius, self._paints[0])
        turned = 2 * np.pi * float(np.interp(moment, self._steps, self._turns))
        for spoke in range(self._spokes):
            angle = turned + 2 * np.pi * spoke / self._spokes
            end = x + self._radius * np.cos(angle), y + self._radius * np.sin(angle)
            brush.rod((x, y), end, 0.15 * self._radius, self._paints[1])

    def sound(self, length: int) -> Samples:
        """See `Actor`."""
        running = drone(np.random.default_rng(self._seed), length, level=self._level, colour=self._colour)
        return running * gate(length, self.clock, self.amount)


class Stream:
    """Water, sand or sparks that fall while a tap is open, and hiss."""

    def __init__(self, rng: np.random.Generator, length: int, aspect: float) -> None:
        self._place = aspect * rng.uniform(0.2, 0.8), rng.uniform(0.0, 0.4)
        self._spread, self._fall = rng.uniform(0.01, 0.15), rng.uniform(0.3, 0.7)
        self._paint = random_paint(rng)
        self._drops = rng.uniform(0, 1, (int(rng.integers(15, 60)), 2))
        self._speed = rng.uniform(1.0, 3.0)
        self._size = rng.uniform(0.005, 0.02)
        self.clock, self.amount, self.events = on_and_off(rng, length)
        self._level, self._seed = rng.uniform(-38, -16), int(rng.integers(2**31))
        self._colour = COLOURS[rng.integers(3)]

    def draw(self, brush: Brush, moment: float) -> None:
        """See `Actor`."""
        running = float(np.interp(moment, self.clock, self.amount))
        for phase, across in self._drops[: int(running * len(self._drops))]:
            turns = moment * self._speed + phase
            fallen = turns % 1.0
            side = (across * 7919 + int(turns) * 0.618) % 1.0 - 0.5  # each round falls elsewhere
            x = self._place[0] + self._spread * 2 * side * (0.4 + fallen)
            brush.disc(x, self._place[1] + self._fall * fallen**2, self._size, self._paint)

    def sound(self, length: int) -> Samples:
        """See `Actor`."""
        flowing = rush(np.random.default_rng(self._seed), length, level=self._level, colour=self._colour)
        return flowing * gate(length, self.clock, self.amount)


class Scraper:
    """Something dragged to and fro over a surface: as loud as it is fast, silent where it turns."""

    def __init__(self, rng: np.random.Generator, length: int, aspect: float) -> None:
        self._centre = aspect * rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.9)
        self._reach = rng.uniform(0.1, 0.35), rng.uniform(-0.1, 0.1)
        self._pace = rng.uniform(0.4, 2.0)  # strokes per second
        self._phase = rng.uniform(0, 2 * np.pi)
        self._size, self._paint = (rng.uniform(0.08, 0.25), rng.uniform(0.05, 0.15)), random_paint(rng)
        self._clock, self._amount, _ = on_and_off(rng, length)
        self._level, self._seed = rng.uniform(-30, -14), int(rng.integers(2**31))
        self._colour = COLOURS[rng.integers(3)]
        steps = np.arange(0, length / SAMPLE_RATE + 1, 1 / 250)
        pace = np.interp(steps, self._clock, self._amount) * self._pace
        self._steps, self._turns = steps, self._phase + 2 * np.pi * np.cumsum(pace) / 250
        self.events: tuple[int, ...] = ()  # it swells, it does not start

    def draw(self, brush: Brush, moment: float) -> None:
        """See `Actor`."""
        swing = np.sin(np.interp(moment, self._steps, self._turns))
        x, y = (self._centre[i] + self._reach[i] * swing for i in range(2))
        brush.box(float(x), float(y), *self._size, self._paint)

    def sound(self, length: int) -> Samples:
        """See `Actor`."""
        hiss = rush(np.random.default_rng(self._seed), length, level=self._level, colour=self._colour)
        running = np.interp(self._steps, self._clock, self._amount)
        return hiss * gate(length, self._steps, np.abs(np.cos(self._turns)) * running)


class Drifter:
    """Moves softly and makes no sound: a waving branch, a passing cloud."""

    events: tuple[int, ...] = ()

    def __init__(self, rng: np.random.Generator, length: int, aspect: float) -> None:
        self._start = aspect * rng.uniform(0, 1), rng.uniform(0, 1)
        self._drift = rng.normal(0, 0.15, 2)
        self._reach, self._pace = rng.uniform(0, 0.2, 2), rng.uniform(0.1, 0.9)
        self._size, self._paint = rng.uniform(0.05, 0.3), random_paint(rng)
        self._round = bool(rng.random() < 0.5)
        self._phase = rng.uniform(0, 2 * np.pi, 2)

    def draw(self, brush: Brush, moment: float) -> None:
        """See `Actor`."""
        swing = self._reach * np.sin(2 * np.pi * self._pace * moment + self._phase)
        x, y = (float(self._start[i] + self._drift[i] * moment + swing[i]) for i in range(2))
        if self._round:
            brush.disc(x, y, self._size / 2, self._paint)
        else:
            brush.rod((x, y), (x + float(swing[1]), y + self._size), 0.3 * self._size, self._paint)

    def sound(self, length: int) -> Samples:
        """See `Actor`."""
        return np.zeros(length, np.float32)


def on_and_off(
    rng: np.random.Generator, length: int, ramp: tuple[float, float] = (0.005, 0.15)
) -> tuple[NDArray[np.float64], NDArray[np.float64], tuple[int, ...]]:
    """A random switch: moments, amounts 0..1 between which it ramps, and the samples at which it starts."""
    clock, amount = [0.0], [float(rng.random() < 0.35)]
    starts = []
    moment = rng.uniform(0.2, 1.5)
    while moment < length / SAMPLE_RATE:
        turn = rng.uniform(*ramp)
        clock += [moment, moment + turn]
        amount += [amount[-1], 1.0 - amount[-1] if amount[-1] in (0.0, 1.0) else 0.0]
        if amount[-1] > amount[-2]:
            starts.append(moment)
        moment += turn + rng.uniform(0.4, 2.0)
    return np.array(clock), np.array(amount), event_samples(starts, length)


def mix(tracks: list[Samples], length: int) -> Samples:
    """The sum of several sounds, not limited."""
    total = np.zeros(length, np.float32)
    for track in tracks:
        place(total, track, 0)
    return total
