"""Real timelines from real editing programs, with their media made: the right pictures are looked at, to the frame.

For each medium that a timeline names, a film (or sequence, or still) of that name is made, as long, at the rate and
from the timecode that the timeline says, every picture with its number. Films hold only the stretches that clips use,
their first picture and their last: the pictures between are not there. V2S finds them by `--search`, as an editor would
who got the timeline from somebody else, and what its jobs look at is held against `picture_judge`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import opentimelineio as otio
import pytest

from tests.media import make_still, read_number, write_clip
from tests.plugin.cuts import options, timeline, track
from tests.plugin.picture_judge import Media, media_stretch, picture_at, seconds, true_rate
from v2s_engine.corpus.slate import slate_picture
from v2s_engine.video import read_pictures
from v2s_plugin.formats.reading import ReadOptions
from v2s_plugin.planning.clip_job import ClipJob
from v2s_plugin.planning.jobs import Plan, plan
from v2s_plugin.timeline import read_timeline

UNREADABLE = "otio_head_marker3_unreadable_by_0181.otio"

STEP = Fraction(64, 1000)
MARGIN = 48
"""Pictures that a film holds before and after what a clip uses: as far as transitions reach, and mistakes show."""
LONG = 600
"""Seconds: what starts later than that counts from a timecode."""
STILL = 7
"""The number on every still."""
SLATES = 2**16
"""Numbers that slates can show; they start again after that."""


@dataclass(frozen=True)
class Expected:
    """What becomes of a real timeline."""

    name: str
    clips: int
    """Video clips, nested ones too."""
    jobs: int
    """Of `plan` with the media there; a clip of which two parts are seen has two."""
    asked: int
    """Of `plan` where every clip asks for a sound itself, and so those of stills, too, and of what is covered."""


TIMELINES = [
    Expected("aaf_2997_dropframe_1v6a.aaf", 1, 1, 1),
    Expected("avid_2997_1v2a.aaf", 2, 2, 2),
    Expected("avid_multitrack_missing_media.otio", 5, 5, 5),
    Expected("avid_muted_clip.aaf", 1, 0, 0),
    Expected("edl_25fps.edl", 4, 4, 4),
    Expected("edl_avid_example.edl", 2, 0, 2),
    Expected("edl_dissolve_test_2.edl", 3, 3, 3),
    Expected("edl_dissolve_test_4.edl", 6, 6, 6),
    Expected("edl_gap_test.edl", 3, 3, 3),
    Expected("edl_multi_audio.edl", 0, 0, 0),
    Expected("edl_nucoda_example.edl", 2, 0, 2),
    Expected("edl_premiere_example.edl", 2, 0, 2),
    Expected("edl_speed_effects_small.edl", 5, 4, 5),
    Expected("fcpx_project.fcpxml", 16, 11, 11),
    Expected("flame_clip_reverse_70.json", 1, 1, 1),
    Expected("hiero_clip_freeze_frame.json", 1, 0, 1),
    Expected("hiero_clip_reverse_200.json", 1, 1, 1),
    Expected("hiero_clip_timewarp_lookup.json", 1, 1, 1),
    Expected("hiero_export.xml", 2, 1, 1),
    Expected("hiero_track_clips_gap.json", 2, 2, 2),
    Expected("kdenlive_2407_example.kdenlive", 6, 7, 6),
    Expected("kdenlive_2608_export.otio", 3, 3, 3),
    Expected("kdenlive_2608_project.kdenlive", 3, 3, 3),
    Expected("otio_doc_multiple_track.otio", 5, 4, 5),
    Expected("otio_generator_reference.otio", 1, 1, 1),
    Expected("otio_nested_retimes.otio", 7, 6, 6),
    Expected("otio_transitions.otio", 3, 3, 3),
    Expected("pitivi_ges_example.xges", 5, 6, 5),
    Expected("premiere_disabled_clips.xml", 6, 3, 3),
    Expected("premiere_example.xml", 9, 4, 9),
    Expected("premiere_generators.xml", 6, 6, 6),
    Expected("raven_timecode_rates.otio", 6, 1, 6),
    Expected("resolve_clip_24fps_tc_media_in_25fps_timeline.json", 1, 1, 1),
    Expected("resolve_clip_image_sequence.json", 1, 1, 1),
    Expected("resolve_clip_image_sequence_speed_200.json", 1, 1, 1),
    Expected("resolve_clip_speed_250.json", 1, 1, 1),
    Expected("resolve_clip_windows_path.json", 1, 1, 1),
    Expected("resolve_picchu_8v11a.otio", 20, 4, 18),
]


@pytest.mark.parametrize("wanted", TIMELINES, ids=lambda wanted: wanted.name)
def test_without_its_media_every_clip_has_its_reason(shared: Path, wanted: Expected) -> None:
    cut = read(shared / "timelines" / wanted.name)
    assert len(list(video_clips(cut))) == wanted.clips
    check_skips(plan(cut, shared / "timelines", options(sound="dog", existing="add")), wanted.clips)


@pytest.mark.parametrize("wanted", TIMELINES, ids=lambda wanted: wanted.name)
def test_with_its_media_every_job_shows_the_right_pictures(shared: Path, tmp_path: Path, wanted: Expected) -> None:
    cut = read(shared / "timelines" / wanted.name)
    known = make_media(cut, tmp_path)
    found = plan(cut, shared / "timelines", options(sound="dog", existing="add", search=(tmp_path,)))
    check_pictures(cut, found, known)
    assert len(found.jobs) == wanted.jobs
    assert len({job.index_path for job in found.jobs}) + len(found.skips) == wanted.clips
    for _, clip in video_clips(cut):
        clip.metadata["v2s"] = {"sound": "dog"}
    asked = plan(cut, shared / "timelines", options(existing="add", search=(tmp_path,)))
    check_pictures(cut, asked, known)
    assert len(asked.jobs) == wanted.asked
    assert len(asked.jobs) + len(asked.skips) == wanted.clips


def test_the_table_is_complete(shared: Path) -> None:
    files = {path.name for path in (shared / "timelines").iterdir() if path.suffix != ".md"}
    assert files == {each.name for each in TIMELINES} | {UNREADABLE}


def read(path: Path) -> Any:
    if path.suffix == ".json":  # one clip or one track
        found = otio.core.deserialize_json_from_file(str(path))
        return timeline(found if isinstance(found, otio.schema.Track) else track(found))
    rate = "25" if "25fps" in path.name else "24"
    return read_timeline(path, ReadOptions(edl_rate=rate) if path.suffix == ".edl" else ReadOptions())


def video_clips(cut: Any) -> Iterator[tuple[tuple[int, ...], Any]]:
    """The picture clips of a timeline, each with its index path."""

    def below(item: Any, path: tuple[int, ...], sound: bool) -> Iterator[tuple[tuple[int, ...], Any]]:
        sound = sound or getattr(item, "kind", None) == "Audio"
        if isinstance(item, otio.schema.Clip):
            if not sound:
                yield path, item
        elif isinstance(item, otio.core.Composition):
            for index, child in enumerate(item):
                yield from below(child, (*path, index), sound)

    yield from below(cut.tracks, (), False)


def check_skips(found: Plan, count: int) -> None:
    assert found.jobs == ()
    assert len(found.skips) == count
    for skip in found.skips:
        assert skip.label
        assert skip.where
        assert skip.reason
        assert skip.advice


def check_pictures(cut: Any, found: Plan, known: dict[tuple[int, ...], Media]) -> None:
    """Every picture of every job is the one that the judge names."""
    for skip in found.skips:
        assert skip.reason
        assert skip.advice
    for job in found.jobs:
        shown = list(numbers_seen(job))
        media = known[job.index_path]
        judged = [
            picture_at(cut, job.index_path, job.sound_start + number * STEP, media) % SLATES
            for number in range(len(shown))
        ]
        assert shown == ([STILL] * len(shown) if media.frames == 1 else judged), job.label


def numbers_seen(job: ClipJob) -> Iterator[int | None]:
    inside = math.ceil((job.sound_end - job.sound_start) / STEP)
    assert len(job.picture_times) >= inside
    for picture in read_pictures(job.media, job.picture_times[:inside], width=80, height=60):
        yield read_number(picture)


# ---- the media


@dataclass(frozen=True)
class Wanted:
    """A medium that a timeline names, with what the timeline says of it."""

    name: str
    url: str
    available: tuple[Fraction, Fraction, Fraction] | None
    """Start and length in seconds, and rate."""
    sequence: tuple[int, int, int] | None
    """Of an image sequence: first number, step and digits."""


def make_media(cut: Any, folder: Path) -> dict[tuple[int, ...], Media]:
    """Make all media that a timeline names, each in a folder of its own; what was made, by the clips' index paths.

    A clip whose media have no name (or are generated) is relinked to a film of its own.
    """
    users: dict[Wanted, list[tuple[tuple[int, ...], Any]]] = {}
    for number, (path, clip) in enumerate(video_clips(cut)):
        if wanted_by(clip) is None:
            available = clip.media_reference.available_range
            clip.media_reference = otio.schema.ExternalReference(f"relinked{number}.mov", available)
        medium = wanted_by(clip)
        assert medium is not None
        users.setdefault(medium, []).append((path, clip))
    known = {}
    for number, (medium, uses) in enumerate(users.items()):
        (folder / str(number)).mkdir()
        made = make_medium(medium, [clip for _, clip in uses], folder / str(number))
        known |= {path: made for path, _ in uses}
    return known


def wanted_by(clip: Any) -> Wanted | None:
    reference = clip.media_reference
    available = None
    if reference.available_range is not None:
        rate = true_rate(reference.available_range.duration.rate)
        available = seconds(reference.available_range.start_time), seconds(reference.available_range.duration), rate
    if isinstance(reference, otio.schema.ImageSequenceReference):
        name = f"{reference.name_prefix}#{reference.name_suffix}"
        numbering = reference.start_frame, reference.frame_step, reference.frame_zero_padding
        return Wanted(name, reference.target_url_base, available, numbering)
    url = getattr(reference, "target_url", "")
    if isinstance(reference, otio.schema.MissingReference):
        url = next((name for name in (reference.name, clip.name) if Path(name).suffix), "")
    name = re.split(r"[/\\]", unquote(url) if url.startswith("file:") else url)[-1]
    return Wanted(name, url, available, None) if name else None


def make_medium(medium: Wanted, clips: list[Any], folder: Path) -> Media:
    if Path(medium.name).suffix in {".png", ".exr"} and medium.sequence is None:
        make_still(folder / medium.name, STILL)
        return Media(Fraction(25), 1)
    media = media_for(medium, clips)
    # A film with holes has no even rate, and without one its timecode says nothing.
    needed = {0, media.frames - 1} if medium.available else set(range(media.frames))
    for clip in clips:
        ends = [second * media.rate for second in media_stretch(clip, media)]
        needed |= set(range(math.floor(ends[0]) - MARGIN, math.ceil(ends[1]) + MARGIN))
    numbers = sorted(number for number in needed if 0 <= number < media.frames)
    if medium.sequence is None:
        write_film(folder / medium.name, numbers, media)
        return media
    first, step, digits = medium.sequence
    assert step == 1
    for number in numbers:
        make_still(folder / medium.name.replace("#", f"{first + number:0{digits}d}"), number % SLATES)
    return media


def media_for(medium: Wanted, clips: list[Any]) -> Media:
    """As the timeline says; where it says nothing, a film that starts shortly before what the clips use of it."""
    if medium.available is not None and medium.available[1] > 0:
        start, duration, rate = medium.available
        return Media(rate, math.ceil(duration * rate), timecode=start)
    rate = true_rate(clips[0].source_range.duration.rate)
    ranges = [clip.source_range for clip in clips]
    start = math.floor(min(seconds(each.start_time) for each in ranges)) - 2
    timecode = math.floor(start * rate) / rate if start > LONG else Fraction(0)
    stretch = [media_stretch(clip, Media(rate, 1, timecode=timecode)) for clip in clips]
    return Media(rate, math.ceil((max(end for _, end in stretch) + 4) * rate), timecode=timecode)


def write_film(path: Path, numbers: list[int], media: Media) -> None:
    """A film of the pictures of these numbers, each from its own time to the next one's."""
    count = media.timecode * media.rate
    nominal = round(media.rate)
    text = None
    if count and count.denominator == 1:
        seconds_, frame = divmod(int(count), nominal)
        text = f"{seconds_ // 3600:02d}:{seconds_ // 60 % 60:02d}:{seconds_ % 60:02d}:{frame:02d}"
    write_clip(
        path.with_name("film.mov"),
        (slate_picture(number % SLATES, width=64, height=48) for number in numbers),
        [number / media.rate for number in numbers],
        rate=media.rate,
        options={"preset": "ultrafast", "g": "24", "bf": "0", "x264-params": "threads=1:scenecut=0"},
        timecode=text,
    )
    path.with_name("film.mov").rename(path)
