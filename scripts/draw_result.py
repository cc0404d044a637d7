"""Draw what a scored timeline holds: for each sounded clip its pictures, and the spectrogram of its sound.

python scripts/draw_result.py v2s-demo/demo_scored.otio docs/demo.png
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path

import numpy as np
import opentimelineio as otio
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from v2s_engine.audio import read_sound
from v2s_engine.train.preview import power_db
from v2s_engine.video import read_pictures
from v2s_plugin.media.footage import Footage, footage_of
from v2s_plugin.media.library import MediaLibrary
from v2s_plugin.media.urls import find_on_disk
from v2s_plugin.ours import is_ours
from v2s_plugin.timing.placement import PlacedClip, place_clips

PICTURES = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("timeline", type=Path)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    timeline = otio.adapters.read_from_file(str(arguments.timeline))
    folder = arguments.timeline.absolute().parent
    library = MediaLibrary(folder)
    placed = [clip for clip in place_clips(timeline, library.length) if clip.obstacle is None]
    sounds = [clip for clip in placed if is_ours(clip.clip)]
    pictures = [clip for clip in placed if clip.kind == otio.schema.TrackKind.Video]
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    widths = [float(clip.span.duration) for clip in sounds]
    axes = figure.subplots(2, len(sounds), squeeze=False, width_ratios=widths, height_ratios=[1, 2])
    for column, sound in enumerate(sounds):
        under = next(clip for clip in pictures if clip.span.overlap(sound.span))
        strip = picture_strip(under, sound, library)
        axes[0, column].imshow(strip, aspect="auto")
        axes[0, column].set_axis_off()
        axes[0, column].set_title(sound.clip.name, fontsize=9)
        samples = read_sound(find_on_disk(sound.clip.media_reference.target_url, folder))
        start, end = float(sound.span.start), float(sound.span.end)
        spectrum = power_db(samples).T
        axes[1, column].imshow(
            spectrum, origin="lower", aspect="auto", extent=(start, end, 0, 8), vmin=-90, vmax=-10, cmap="magma"
        )
        axes[1, column].set_xlabel("seconds on the timeline", fontsize=8)
    axes[1, 0].set_ylabel("kHz")
    figure.savefig(arguments.output, dpi=90)


def picture_strip(under: PlacedClip, sound: PlacedClip, library: MediaLibrary) -> np.ndarray:
    """Pictures from the sounded stretch, side by side."""
    footage = footage_of(under, library)
    assert isinstance(footage, Footage)
    begin = sound.span.start - under.span.start
    times = [
        footage.media_time(begin + sound.span.duration * Fraction(2 * i + 1, 2 * PICTURES)) for i in range(PICTURES)
    ]
    height = 120
    width = max(1, round(footage.info.width * height / footage.info.height))
    return np.concatenate(list(read_pictures(footage.media, times, width=width, height=height)), axis=1)


if __name__ == "__main__":
    main()
