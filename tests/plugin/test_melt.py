"""A real renderer, MLT's `melt`, plays what V2S wrote: the sounds stand where the pictures ask for them."""

import shutil
import subprocess
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ElementTree, SubElement

import numpy as np
import opentimelineio as otio
import pytest

from tests.media import make_clip
from tests.plugin.cuts import CLICK_AT, ClickSource, clip, gap, load, score, span, timeline, track
from v2s_engine.audio import read_sound
from v2s_engine.grid import SAMPLE_RATE
from v2s_plugin.preview import render_preview
from v2s_plugin.rates import exact_seconds

pytestmark = [
    pytest.mark.programs,
    pytest.mark.skipif(shutil.which("melt") is None, reason="melt is not installed: make test-programs"),
]


def clicks(sound: Path) -> list[float]:
    """Seconds at which a sound jumps up from silence."""
    loud = np.abs(read_sound(sound)) > 0.1
    starts = np.flatnonzero(loud & ~np.concatenate([np.zeros(800, bool), loud])[: len(loud)])
    found: list[float] = []
    for start in starts:
        if not found or start / SAMPLE_RATE - found[-1] > 0.1:
            found.append(start / SAMPLE_RATE)
    return found


def melt(project: Path, sound: Path, *profile: str) -> Path:
    command = [
        "melt",
        *profile,
        str(project),
        "-consumer",
        f"avformat:{sound}",
        "vn=1",
        "acodec=pcm_s16le",
        "real_time=-1",
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=120, env={"PATH": "/usr/bin:/bin", "HOME": "/tmp"})  # noqa: S108
    return sound


def mlt_project(scored: Any, rate: Fraction) -> ElementTree:
    """The sound tracks of a scored timeline as an MLT project, frame by frame as the timeline says."""
    root = Element("mlt")
    SubElement(
        root,
        "profile",
        frame_rate_num=str(rate.numerator),
        frame_rate_den=str(rate.denominator),
        width="160",
        height="120",
    )
    ids = []
    for index, each in enumerate(t for t in scored.tracks if "v2s" in t.metadata):
        playlist = Element("playlist", id=f"track{index}")
        for number, item in enumerate(each):
            frames = (exact_seconds(item.source_range.duration) or Fraction(0)) * rate
            assert frames.denominator == 1
            if isinstance(item, otio.schema.Gap):
                SubElement(playlist, "blank", length=str(frames))
                continue
            producer = SubElement(root, "producer", id=f"sound{index}_{number}")
            SubElement(producer, "property", name="resource").text = item.media_reference.target_url
            SubElement(playlist, "entry", {"producer": producer.get("id", ""), "in": "0", "out": str(frames - 1)})
        root.append(playlist)
        ids.append(playlist.get("id", ""))
    tractor = SubElement(root, "tractor")
    multitrack = SubElement(tractor, "multitrack")
    for name in ids:
        SubElement(multitrack, "track", producer=name)
    for index in range(1, len(ids)):
        mix = SubElement(tractor, "transition")
        for key, value in {"mlt_service": "mix", "a_track": "0", "b_track": str(index), "sum": "1"}.items():
            SubElement(mix, "property", name=key).text = value
    return ElementTree(root)


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(24_000, 1001), Fraction(30_000, 1001)])
def test_sounds_stand_within_a_frame_of_where_they_should(tmp_path: Path, rate: Fraction) -> None:
    make_clip(tmp_path / "a.mp4", rate=rate, frames=60)
    make_clip(tmp_path / "b.mp4", rate=rate, frames=60)
    fps = float(rate)
    cut = timeline(
        track(clip("a", "a.mp4", source=span(3, 20, fps)), gap(12, fps), clip("b", "b.mp4", source=span(0, 25, fps))),
        track(gap(50, fps), clip("a", "a.mp4", source=span(30, 22, fps)), name="V2"),
    )
    result = score(cut, tmp_path, ClickSource(), probe=None)
    assert result.output is not None
    project = tmp_path / "cut.mlt"
    mlt_project(load(result.output), rate).write(project)
    heard = clicks(melt(project, tmp_path / "heard.wav"))
    wanted = sorted(float(frame / rate) + CLICK_AT / SAMPLE_RATE for frame in (0, 32, 50))
    assert len(heard) == len(wanted)
    np.testing.assert_allclose(heard, wanted, atol=float(1 / rate))


def test_the_preview_sounds_the_same_in_another_player(tmp_path: Path) -> None:
    make_clip(tmp_path / "a.mp4", frames=60)
    cut = timeline(track(gap(10, 25), clip("a", "a.mp4", source=span(3, 40, 25))))
    result = score(cut, tmp_path, ClickSource(), probe=None)
    render_preview(result.timeline, tmp_path, tmp_path / "film.mp4")
    heard = clicks(melt(tmp_path / "film.mp4", tmp_path / "heard.wav"))
    assert len(heard) == 1
    assert heard[0] == pytest.approx(0.4 + CLICK_AT / SAMPLE_RATE, abs=0.04)
