# SPDX-License-Identifier: GPL-3.0-or-later
"""Frame rates and seconds as exact fractions; knows nothing of Blender."""

from __future__ import annotations

from fractions import Fraction

_NTSC = Fraction(1000, 1001)
_TOLERANCE = 1e-5


def exact_rate(rate: float) -> Fraction:
    """Frames per second as they are meant: 24, 24000/1001 (Blender keeps 1.001 as a short float), or as given.

    Raises `ValueError` for a rate that is not above 0.
    """
    if not rate > 0:
        raise ValueError(f"the frame rate is {rate}; set one above 0")
    whole = Fraction(round(rate))
    ntsc = Fraction(round(rate / float(_NTSC))) * _NTSC
    for candidate in (whole, ntsc):
        if abs(float(candidate) / rate - 1) < _TOLERANCE:
            return candidate
    return Fraction(rate).limit_denominator(10**6)


def as_text(number: Fraction) -> str:
    """`num/den`, as the worker's protocol wants it."""
    return f"{number.numerator}/{number.denominator}"
