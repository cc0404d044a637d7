"""The grid on which pictures and sound meet, as exact numbers.

    1 video frame step = 1,024 samples = 64 ms;  1 envelope step = 256 samples = 16 ms;  16,000 samples = 1 s

The paper's 156 frames × 1,024 samples for 10 s give 15,974.4 Hz; we keep its 1,024 samples a frame and generate at
16,000 Hz exactly, so pictures are taken at 15.625 frames/s (design, "Grid").
"""

from fractions import Fraction

SAMPLE_RATE = 16_000
"""Samples per second of generated audio."""

FRAME_LENGTH = 1_024
"""Samples of audio per video frame step."""

ENVELOPE_LENGTH = 256
"""Samples of audio per envelope step."""

ENVELOPES_PER_FRAME = FRAME_LENGTH // ENVELOPE_LENGTH  # 4

FRAME_RATE = Fraction(SAMPLE_RATE, FRAME_LENGTH)  # 15.625 frames/s
ENVELOPE_RATE = Fraction(SAMPLE_RATE, ENVELOPE_LENGTH)  # 62.5 values/s

DELIVERY_RATE = 48_000
"""Samples per second of the WAV files that go to the editor, unless another rate is asked for."""


def round_half_up(value: Fraction) -> int:
    """Nearest integer, halves upward: the one rounding of times to samples (Python's `round` goes to even)."""
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def steps_covering(length: int, step: int) -> int:
    """How many steps of `step` samples cover `length` samples (the last may be partly used)."""
    return -(-length // step)
