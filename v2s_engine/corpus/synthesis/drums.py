"""Drumming: single blows, rolls and patterns on the instruments of `drum_kit`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from v2s_engine.corpus.synthesis.drum_kit import Strike, cymbal, hand_drum, kick, percussion, snare, tom
from v2s_engine.corpus.synthesis.recipe import Samples, Signal
from v2s_engine.corpus.synthesis.recording import Recording
from v2s_engine.corpus.synthesis.shapes import add_at, decibels, lengths, log_uniform

_RECORDED = Recording(room=0.55, floor=0.4, clipped=0.1)

_BEATS: tuple[Mapping[str, str], ...] = (
    {"kick": "x.......x.x.....", "snare": "....x.......x...", "hat": "x.x.x.x.x.x.x.x."},
    {"kick": "x..x..x...x.....", "snare": "....x..x.x..x..x", "hat": "xxxxxxxxxxxxxxxx"},
    {"kick": "x...x...x...x...", "snare": "....x.......x...", "open hat": "..x...x...x...x."},
    {"kick": "x.........x.....", "snare": "........x.......", "ride": "x...x.x.x...x.x."},
    {"kick": "x.....x.........", "tom": "..x..x..x.x.x.xx", "snare": "....x.......x..."},
    {"hand": "x..xx.x.x..xx.x.", "second hand": "..x....x..x....x"},
    {"hand": "x.xxx.xxx.xxx.xx"},
    {"hand": "x...x.x...x.x...", "percussion": "x..x..x...x.x..."},
)
"""Sixteen steps of a bar: x is a blow."""


def drum(draw: np.random.Generator, length: int) -> Samples:
    """Someone drums: blows with pauses, a roll, a pattern or a free solo; a recipe."""
    ways = (_blows, _roll, _pattern, _solo)
    way = ways[int(draw.choice(len(ways), p=[0.36, 0.14, 0.32, 0.18]))]
    return _RECORDED.take(draw, way(draw, length))


def _any_instrument(draw: np.random.Generator) -> Strike:
    skins, metal = (
        ["kick", "tom", "snare", "hand", "percussion"],
        ["crash", "ride", "splash", "hat", "open hat", "pedal"],
    )
    kind = draw.choice(skins if draw.random() < 0.7 else metal)
    return _instrument(draw, str(kind))


def _instrument(draw: np.random.Generator, kind: str) -> Strike:
    makers = {"kick": kick, "tom": tom, "snare": snare, "percussion": percussion}
    if kind in makers:
        return makers[kind](draw)
    return hand_drum(draw) if "hand" in kind else cymbal(draw, kind)


def _blows(draw: np.random.Generator, length: int) -> Signal:
    """One or a few instruments, each blow by itself."""
    instruments = [_any_instrument(draw) for _ in range(int(draw.choice([1, 1, 2, 3])))]
    pause = log_uniform(draw, 0.25, 1.8)
    track = np.zeros(length)
    at = lengths(draw.uniform(0, 0.5))
    while at < length:
        strike = instruments[int(draw.integers(len(instruments)))]
        add_at(track, strike(draw, _force(draw)), at)
        at += lengths(pause * log_uniform(draw, 0.4, 2))
    return track


def _roll(draw: np.random.Generator, length: int) -> Signal:
    """One drum rolled: many blows a second, coming and going, at times ended by a hard one."""
    kinds = ["snare", "snare", "tom", "hand", "ride", "percussion"]
    strike = _instrument(draw, str(draw.choice(kinds)))
    track = np.zeros(length)
    at = 0
    while at < length:
        end = at + lengths(draw.uniform(0.8, 5))
        rate = log_uniform(draw, 8, 26)
        low, high = draw.uniform(0.15, 0.6), draw.uniform(0.4, 1)
        if draw.random() < 0.3:
            low, high = high, low
        begin = at
        while at < min(end, length):
            share = (at - begin) / (end - begin)
            force = (low + (high - low) * share) * draw.uniform(0.8, 1.1)
            add_at(track, strike(draw, min(force, 1.0)), at)
            at += lengths(log_uniform(draw, 0.85, 1.17) / rate)
        if draw.random() < 0.5:
            add_at(track, strike(draw, 1.0), at)
        at += lengths(log_uniform(draw, 0.3, 2))
    return track


def _pattern(draw: np.random.Generator, length: int) -> Signal:
    """Bars of one beat, with small deviations in time and force, missing and added blows."""
    beat = _BEATS[int(draw.integers(len(_BEATS)))]
    step = 60 / draw.uniform(62, 170) / 4
    swing, loose = draw.uniform(0, 0.35) * step * (draw.random() < 0.3), draw.uniform(0.001, 0.012)
    begin = lengths(draw.uniform(0, 0.5)) - lengths(draw.integers(0, 16) * step)
    track = np.zeros(length)
    for kind, line in beat.items():
        strike, level = (
            _instrument(draw, kind),
            decibels(draw.uniform(-14, 0) if "hat" in kind else draw.uniform(-6, 0)),
        )
        for number in range(int((length - begin) / lengths(step)) + 1):
            written = line[number % 16] == "x"
            if draw.random() < (0.94 if written else 0.02):
                late = number * step + (swing if number % 2 else 0) + abs(draw.normal(0, loose))
                accent = 0.9 if number % 4 == 0 else 0.65
                force = float(np.clip(accent * draw.normal(1, 0.12), 0.15, 1))
                add_at(track, level * strike(draw, force), begin + lengths(late))
    return track


def _solo(draw: np.random.Generator, length: int) -> Signal:
    """A few instruments by turns, in short groups of even blows."""
    low = log_uniform(draw, 70, 140)
    instruments = [tom(draw, low * ratio) for ratio in (1, 1.35, 1.8)] + [
        snare(draw),
        kick(draw),
        cymbal(draw, "crash"),
    ]
    if draw.random() < 0.4:
        instruments = [hand_drum(draw), hand_drum(draw), percussion(draw)]
    track = np.zeros(length)
    at = lengths(draw.uniform(0, 0.4))
    step = log_uniform(draw, 0.1, 0.3)
    while at < length:
        strike = instruments[int(draw.integers(len(instruments)))]
        for _ in range(int(draw.integers(1, 6))):
            add_at(track, strike(draw, _force(draw)), at)
            at += lengths(step * float(draw.choice([0.5, 1, 1, 2])) * draw.uniform(0.96, 1.04))
    return track


def _force(draw: np.random.Generator) -> float:
    return float(draw.uniform(0.15, 1) ** 0.7)
