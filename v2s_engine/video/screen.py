"""A decoded frame as an ordinary screen shows it: upright, over black, in BT.709's brightness, scaled to RGB.

PQ and HLG (BT.2100) are brought to light, BT.2020's primaries to BT.709's, and white is put at 203 cd/m², where BT.2408
puts an ordinary picture's in a brighter one; what is above is cut off. A picture of ordinary brightness that was put
into PQ or HLG so comes back as it was.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from v2s_engine.video.orientation import turn_of

SCALING = int(Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.BITEXACT)
"""Each pixel is the mean of what it covers, rounded the same way on every machine."""

WHITE = 203.0
"""Brightness in cd/m² of an ordinary picture's white (BT.2408)."""

HLG_PEAK = 1000.0
"""Brightness in cd/m² of HLG's brightest, on the screen it is mastered for."""

_SCREEN_GAMMA = 2.4  # BT.1886
_PQ, _HLG = 16, 18  # transfer characteristics and, below, primaries as ISO/IEC 23091-2 (and FFmpeg) number them
_BT2020_PRIMARIES = 9

_BT2020_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)  # BT.2407
_BT2020_LUMINANCE = np.array([0.2627, 0.6780, 0.0593], np.float32)

_FORMATS = {(False, False): "rgb24", (True, False): "rgba", (False, True): "rgb48le", (True, True): "rgba64le"}
"""By whether there is transparency and whether brightness must be converted (in 16 bits, or the dark ones band)."""


class Screen:
    """Shows the frames of one file; made from one of them and what decoded it."""

    def __init__(self, frame: VideoFrame, codec: VideoCodecContext) -> None:
        self._scaler = VideoReformatter()
        self._turn = turn_of(frame)
        # In EXR, colours are stored as they look over black.
        self._see_through = has_alpha(frame) and codec.name != "exr"
        self._light = _Light.of(codec)
        self._format = _FORMATS[self._see_through, self._light is not None]

    @property
    def transposed(self) -> bool:
        """Whether width and height change places when frames are shown upright."""
        return self._turn.transposed

    def show(self, frame: VideoFrame, width: int, height: int) -> NDArray[np.uint8]:
        """`[height, width, 3]` RGB."""
        transposed = self._turn.transposed
        scaled = self._scaler.reformat(
            frame,
            height if transposed else width,
            width if transposed else height,
            format=self._format,
            interpolation=SCALING,
            src_color_range=frame.color_range,
        ).to_ndarray()
        colours = scaled[..., :3] if self._light is None else self._light.ordinary(scaled[..., :3])
        if self._see_through:
            opacity = scaled[..., 3:] / np.float32(255 if self._light is None else 65535)
            colours = (colours * opacity + 0.5).astype(np.uint8)
        return self._turn.apply(np.asarray(colours, dtype=np.uint8))


def has_alpha(frame: VideoFrame) -> bool:
    """Whether pictures of this format say how opaque they are."""
    return any(component.is_alpha for component in frame.format.components)


@dataclass(frozen=True)
class _Light:
    """How the values of a high dynamic range file become those of an ordinary one."""

    table: NDArray[np.float32]
    """`[65536]`: light for each value, with PQ 1 at white, with HLG 1 at the scene's brightest."""
    of_scene: bool
    """Whether the light is the scene's (HLG) and not the screen's (PQ)."""
    wide: bool
    """Whether the primaries are BT.2020's."""

    @classmethod
    def of(cls, codec: VideoCodecContext) -> _Light | None:
        """None where values are ordinary."""
        values = np.linspace(0, 1, 65536)
        # Where nothing is said, BT.2020's primaries are meant: BT.2100 knows no others.
        wide = codec.color_primaries in (_BT2020_PRIMARIES, 2)
        if codec.color_trc == _PQ:
            return cls((_pq_light(values) / WHITE).astype(np.float32), False, wide)
        if codec.color_trc == _HLG:
            return cls(_hlg_light(values).astype(np.float32), True, wide)
        return None

    def ordinary(self, colours: NDArray[np.generic]) -> NDArray[np.uint8]:
        """`[..., 3]` values of 16 bits to ordinary ones of 8."""
        light = self.table[np.asarray(colours, np.uint16)]
        if self.of_scene:
            luminance = np.maximum(light @ _BT2020_LUMINANCE, 1e-6)
            light = light * (HLG_PEAK / WHITE * luminance**0.2)[..., None]
        if self.wide:
            light = light @ _BT2020_TO_BT709.T
        ordinary = np.clip(light, 0, 1) ** (1 / _SCREEN_GAMMA)
        return np.asarray(ordinary * 255 + 0.5).astype(np.uint8)


def _pq_light(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """PQ's values, 0 to 1, in cd/m² (BT.2100, table 4)."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = values ** (1 / m2)
    return np.asarray(10_000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1))


def _hlg_light(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """HLG's values, 0 to 1, as the scene's light, 0 to 1 (BT.2100, table 5)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(values <= 0.5, values**2 / 3, (np.exp((values - c) / a) + b) / 12)
