"""A small AudioSet whose truth is known: the real ontology, the real CSV format, rendered videos, and traps.

Every picture is a slate that carries its own number; where a category's object is "in the picture" its ground is
white, where it is "in the sound" a tone is heard. So a clip that was cut from a video says by itself which video,
which piece and which truth it shows:

    mini = make_mini_audioset(tmp_path / "mini", shared / "audioset")
    mini.videos["-aa…"].pieces[2]           # PieceTruth(picture=True, sound=False)
    picture_truth(read_number(picture), mini)
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tests.media import cut_file, write_clip
from v2s_engine.corpus.slate import slate_picture
from v2s_engine.grid import SAMPLE_RATE

PIECE_LENGTH = 32_000
SHORT_PIECE = 30_400
"""Samples of a last piece that just counts: 0.1 s short of 2 s."""

FRAMES_PER_PIECE = 10
PICTURE_RATE = Fraction(5)
WIDTH, HEIGHT = 64, 48
MUSIC = "/m/04rlf"
UNRELATED = "/m/07yv9"
"""Vehicle: no category asks for it alone, though some rows of categories have it too."""

CLASSES = {
    "baby_crying": ["Baby cry, infant cry"],
    "chainsaw": ["Chainsaw"],
    "dog": ["Dog"],
    "drum": ["Drum"],
    "fireworks": ["Fireworks"],
    "helicopter": ["Helicopter"],
    "printer": ["Printer"],
    "rail_transport": ["Rail transport"],
    "snoring": ["Snoring"],
    "water_flowing": ["Stream", "Waterfall", "Water", "Gurgling"],
}
"""The paper's ten categories, and the AudioSet classes that rows of them have."""

Media = Literal["whole", "missing", "empty", "text", "cut", "silent", "copy"]

_FAULTS: tuple[Media, ...] = ("missing", "empty", "text", "cut", "silent")


@dataclass(frozen=True)
class PieceTruth:
    """What a piece of 2 s really holds."""

    picture: bool
    sound: bool

    @property
    def kept(self) -> bool:
        return self.picture and self.sound


@dataclass(frozen=True)
class MiniVideo:
    """One video of the set, and what must become of it."""

    video_id: str
    category: str
    number: int
    """Its slates carry `number * 50` and up."""
    begin: int
    """Seconds into the source video, as the CSV says."""
    labels: tuple[str, ...]
    length: int
    """Samples of sound at 16 kHz."""
    pieces: tuple[PieceTruth, ...]
    media: Media
    suffix: str
    copy_of: str = ""
    """The video whose file this one's is."""

    @property
    def file(self) -> str:
        """The name of its file."""
        return f"{self.video_id}_{self.begin:06d}{self.suffix}"

    @property
    def fetched(self) -> bool:
        """Whether it can be fetched, copies included."""
        return self.media in {"whole", "copy"}


@dataclass(frozen=True)
class BadRow:
    """A row that must be noted and left out."""

    file: str
    line: int
    """1 is the file's first line."""
    what: str


@dataclass(frozen=True)
class MiniAudioSet:
    """The files, and their truth."""

    ontology: Path
    segments: tuple[Path, ...]
    media: Path
    """Folder with the sections, named as VGGSound names them: `<video id>_<begin, six digits>.<suffix>`."""
    videos: dict[str, MiniVideo]
    bad_rows: tuple[BadRow, ...]
    left_out: tuple[str, ...]
    """Ids of good rows that no category may draw: excluded by label, or of other classes."""

    @property
    def categories(self) -> tuple[str, ...]:
        return tuple(sorted({video.category for video in self.videos.values()}))


def make_mini_audioset(
    folder: Path,
    audioset: Path,
    *,
    videos: int = 20,
    categories: Sequence[str] | None = None,
    seed: int = 0,
) -> MiniAudioSet:
    """Write a set with `videos` videos for each category (the paper's ten, or some of them, at least two).

    `audioset` is the folder with the real `ontology.json`. In each category but the last one video has a file that
    cannot be used, and each third category has a copy under another id.
    """
    folder.mkdir(parents=True)
    draw = random.Random(seed)
    ontology = audioset / "ontology.json"
    names = list(categories or CLASSES)
    labels = _labels(ontology, names, draw)
    made: list[MiniVideo] = []
    for place, category in enumerate(names):
        count = videos - (place == 0)  # the first gets the video that two share
        planned = _plan_category(category, labels[category], count, len(made), draw)
        made += planned if place == len(names) - 1 else _spoiled(planned, _FAULTS[place % len(_FAULTS)])
        if place % 3 == 0:
            made[-count + 2] = _copy(made[-count + 2], made[-count])
    shared = _shared_by_two(names, labels, made)
    by_id = {video.video_id: video for video in made} | {shared.video_id: shared}
    media = folder / "media"
    media.mkdir()
    for video in by_id.values():
        _write_media(media, video, by_id)
    left_out, rows = _other_rows(labels, names, draw)
    rows += [_row(video.video_id, video.begin, video.labels) for video in by_id.values()]
    draw.shuffle(rows)
    segments, bad = _write_segments(folder, rows, made)
    return MiniAudioSet(ontology, segments, media, by_id, bad, left_out)


def sounding(samples: NDArray[np.float32]) -> bool:
    """Whether the tone is heard in the middle of a piece `[samples]` (16 kHz)."""
    quarter = len(samples) // 4
    return bool(np.sqrt(np.mean(np.square(samples[quarter : 3 * quarter]))) > 0.02)


def first_number(video: MiniVideo, ordinal: int = 0) -> int:
    """What the slate of a piece's first picture says."""
    return video.number * 50 + ordinal * FRAMES_PER_PIECE


def pieces_of(length: int) -> int:
    """Pieces that a section of `length` samples has."""
    return length // PIECE_LENGTH + (length % PIECE_LENGTH >= SHORT_PIECE)


def kept_runs(kept: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """First and last of each run of kept pieces: what becomes one clip."""
    first = None
    for ordinal, each in enumerate([*kept, False]):
        if each and first is None:
            first = ordinal
        if not each and first is not None:
            yield first, ordinal - 1
            first = None


def _labels(ontology: Path, names: Sequence[str], draw: random.Random) -> dict[str, list[str]]:
    """For each category the AudioSet ids that its rows take turns with: its own, and those below them."""
    classes = {each["name"]: each for each in json.loads(ontology.read_text("utf-8"))}
    found: dict[str, list[str]] = {}
    for name in names:
        ids = {mid for each in CLASSES[name] for mid in (classes[each]["id"], *classes[each]["child_ids"])}
        found[name] = sorted(ids)
        draw.shuffle(found[name])
    return found


def _plan_category(category: str, labels: list[str], count: int, made: int, draw: random.Random) -> list[MiniVideo]:
    planned: list[MiniVideo] = []
    for index in range(count):
        pieces = tuple(PieceTruth(draw.random() < 0.8, draw.random() < 0.8) for _ in range(5))
        length = {3: 159_520, 4: 152_000, 5: 56_000}.get(index, 160_000)
        video = MiniVideo(
            video_id=_made_id(category, index, draw),
            category=category,
            number=made + index,
            begin=10 * draw.randrange(30),
            labels=(labels[index % len(labels)], *((UNRELATED,) if index % 4 == 1 else ())),
            length=length,
            pieces=pieces[: pieces_of(length)],
            media="whole",
            suffix=".mkv" if index in {3, 4, 5} or index % 2 else ".mp4",  # these have exact lengths
        )
        planned.append(video)
    return planned


def _spoiled(planned: list[MiniVideo], fault: Media) -> list[MiniVideo]:
    """The same, the second of them with a file that cannot be used."""
    return [planned[0], replace(planned[1], media=fault, suffix=".mp4"), *planned[2:]]


def _copy(video: MiniVideo, of: MiniVideo) -> MiniVideo:
    """A video that has another's file under its own id."""
    same = replace(of, video_id=video.video_id, begin=video.begin, labels=video.labels)
    return replace(same, media="copy", copy_of=of.video_id)


def _made_id(category: str, index: int, draw: random.Random) -> str:
    """Eleven letters as YouTube's; one of each category begins with `-`, two differ in case alone."""
    if index in {6, 7}:
        text = hashlib.sha256(category.encode()).hexdigest()[:9] + "aB"
        return text if index == 6 else text.swapcase()
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    drawn = "".join(draw.choice(letters) for _ in range(11))
    return f"-{drawn[1:]}" if index == 0 else f"_{drawn[1:]}" if index == 8 else drawn


def _shared_by_two(names: list[str], labels: dict[str, list[str]], made: list[MiniVideo]) -> MiniVideo:
    """A video with labels of the first and the second category; the first has fewer of its own."""
    model = next(video for video in made if video.category == names[0] and video.length == 160_000)
    everything = tuple(PieceTruth(picture=True, sound=True) for _ in range(5))
    return replace(
        model,
        video_id="Two-at_once",
        number=len(made) + 1,
        labels=(labels[names[1]][0], labels[names[0]][0]),
        pieces=everything,
        media="whole",
        suffix=".mp4",
        copy_of="",
    )


def _write_media(folder: Path, video: MiniVideo, by_id: dict[str, MiniVideo]) -> None:
    path = folder / video.file
    if video.media == "missing":
        return
    if video.media == "empty":
        path.write_bytes(b"")
    elif video.media == "text":
        path.write_text("<html><body>This video is not available any more.</body></html>")
    elif video.media == "copy":
        original = by_id[video.copy_of]
        shutil.copyfile(folder / original.file, path)
    else:
        _render(path, video)
        if video.media == "cut":
            cut_file(path, path, Fraction(1, 2))


def _render(path: Path, video: MiniVideo) -> None:
    """Slates on white where the object is seen, else on dark; a tone where it is heard, else a faint noise."""
    frames = -(-video.length * PICTURE_RATE.numerator // SAMPLE_RATE)
    shown = [piece.picture for piece in video.pieces] + [False] * 5
    heard = np.repeat([piece.sound for piece in video.pieces] + [False] * 5, PIECE_LENGTH)[: video.length]
    pictures = (
        slate_picture(first_number(video) + n, width=WIDTH, height=HEIGHT, flash=shown[n // FRAMES_PER_PIECE])
        for n in range(frames)
    )
    steps = np.arange(video.length)
    tone = 0.25 * np.sin(2 * np.pi * (200 + 7 * (video.number % 100)) / SAMPLE_RATE * steps)
    noise = np.random.default_rng(video.number).normal(0, 0.001, video.length)
    write_clip(
        path,
        pictures,
        [n / PICTURE_RATE for n in range(frames)],
        sound=None if video.media == "silent" else (np.where(heard, tone, 0) + noise).astype(np.float32),
        sound_rate=SAMPLE_RATE,
        rate=PICTURE_RATE,
        options={"preset": "ultrafast", "g": "25", "x264-params": "threads=1:scenecut=0"},
    )


def _row(video_id: str, begin: int, labels: Sequence[str]) -> list[str]:
    return [video_id, f"{begin}.000", f"{begin + 10}.000", ",".join(labels)]


def _other_rows(
    labels: dict[str, list[str]], names: list[str], draw: random.Random
) -> tuple[tuple[str, ...], list[list[str]]]:
    """Good rows that must not be drawn: with Music, or of no category."""
    music = [f"music{index:06}" for index in range(3)]
    others = [f"other{index:06}" for index in range(30)]
    rows = [_row(each, 30, [labels[draw.choice(names)][0], MUSIC]) for each in music]
    rows += [_row(each, 0, [UNRELATED]) for each in others]
    return (*music, *others), rows


def _write_segments(
    folder: Path, rows: list[list[str]], made: list[MiniVideo]
) -> tuple[tuple[Path, ...], tuple[BadRow, ...]]:
    """Two files, one with Google's `, ` and one with `,`; rows that repeat an id stand at the second's end."""
    known, label = made[0], made[0].labels[0]
    bad_ids = ["../../../etc/passwd", "..", "/etc/passwd", "a/b", "C:\\temp", "with space", "ümlaut_ids", "$(touch x)"]
    traps = {
        "too few fields": "abcdefghijk, 30.000",
        "begin is no number": f'bad_begin_1, half past, 40.000, "{label}"',
        "begin is a date": f'bad_begin_2, 2017-03-02, 40.000, "{label}"',
        "ends before it begins": f'bad_ends__1, 40.000, 30.000, "{label}"',
        "not a time": f'bad_ends__2, 0.000, nan, "{label}"',
        "begins before the video": f'bad_begin_3, -5.000, 5.000, "{label}"',
        "no labels": 'bad_label_1, 0.000, 10.000, ""',
        "empty id": f', 0.000, 10.000, "{label}"',
        **{f"id {each}": f'{each}, 30.000, 40.000, "{label}"' for each in bad_ids},
    }
    half = len(rows) // 2
    first, second = folder / "balanced_train_segments.csv", folder / "eval_segments.csv"
    google = [", ".join([*row[:3], f'"{row[3]}"']) for row in rows[:half]]
    bad = [*_insert(google, traps, first.name)]
    plain = [",".join([*row[:3], f'"{row[3]}"' if "," in row[3] else row[3]]) for row in rows[half:]]
    again = {
        "an id again": ",".join([*_row(known.video_id, known.begin, [])[:3], label]),
        "an id again, another section": ",".join([*_row(known.video_id, known.begin + 60, [])[:3], label]),
    }
    end = len(plain)
    plain += again.values()
    bad += [BadRow(second.name, 4 + end + index, what) for index, what in enumerate(again)]
    for path, lines in ((first, google), (second, plain)):
        path.write_text("\n".join([*_comments(len(lines)), *lines]) + "\n", encoding="utf-8")
    return (first, second), tuple(bad)


def _insert(lines: list[str], traps: dict[str, str], file: str) -> Iterator[BadRow]:
    """Puts the traps between the lines, at every fifth; says where they stand."""
    for number, (what, text) in enumerate(traps.items()):
        place = min(len(lines), 5 * number)
        lines.insert(place, text)
        yield BadRow(file, place + 4, what)  # after three lines of comments


def _comments(count: int) -> list[str]:
    """The three lines that Google's files begin with."""
    return [
        "# Segments csv created Sun Mar  5 10:54:31 2017",
        f"# num_ytids={count}, num_segs={count}, num_unique_labels=10, num_positive_labels={count}",
        "# YTID, start_seconds, end_seconds, positive_labels",
    ]
