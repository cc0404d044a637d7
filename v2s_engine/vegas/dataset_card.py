"""The data card of a built set, its README.md: what is in it, how it was made, what may be done with it."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from v2s_engine.grid import SAMPLE_RATE
from v2s_engine.vegas.clip_counts import count_clips
from v2s_engine.vegas.dataset_clips import DatasetClip

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~-])")

_CREDITS = """\
The labels by which videos were chosen are those of AudioSet (Gemmeke et al., "Audio Set: An ontology and
human-labeled dataset for audio events", ICASSP 2017, https://research.google.com/audioset/), made available by Google
under [CC BY 4.0](https://creativecommons.org/licenses/by/4.0/). The AudioSet ontology
(https://github.com/audioset/ontology) is under [CC BY-SA 4.0](https://creativecommons.org/licenses/by-sa/4.0/). How
pieces were chosen, joined and split follows Zhou et al., "Visual to Sound: Generating Natural Sound for Videos in the
Wild" (CVPR 2018), which calls its set VEGAS; this is not that set.

Neither licence covers the clips: those belong to whoever made the videos."""


@dataclass(frozen=True)
class CardFacts:
    """What the card says beside what the clips themselves say."""

    clips: Sequence[DatasetClip]
    options: Mapping[str, Any]
    """What `build` was asked for, by name."""
    judged_pieces: int
    kept_pieces: int
    method: str | None
    """What made verdicts of votes; None where that is not known."""
    left_out: int
    """Clips that could not be cut."""
    versions: Mapping[str, str]
    """Programs that made the set."""


def dataset_card(facts: CardFacts) -> str:
    """The card as Markdown. What strangers wrote (licences) is escaped: it cannot become links, tables or HTML."""
    length = sum(clip.length for clip in facts.clips)
    videos = len({clip.video_id for clip in facts.clips})
    parts = [
        "# Clips with sound",
        f"{len(facts.clips):,} clips of {videos:,} source videos, {_hours(length)} hours in all, "
        f"{length / SAMPLE_RATE / max(1, len(facts.clips)):.2f} s on average. People found the source both seen and "
        "heard in every 2 s of every clip.",
        "## What is in it",
        _count_table(facts.clips),
        "No source video has clips in two splits.",
        "## Licences",
        _licence_table(facts.clips),
        "Whom to credit for each clip stands in `index.csv`, column `attribution`.",
        "## Files",
        _bullets(_files(facts)),
        "## How it was made",
        _bullets(_making(facts)),
        "## Credits",
        _CREDITS,
    ]
    return "\n\n".join(parts) + "\n"


def _count_table(clips: Sequence[DatasetClip]) -> str:
    rows = [
        [
            each.category,
            each.split,
            f"{each.videos:,}",
            f"{each.clips:,}",
            f"{each.mean_duration:.2f}",
            _hours(each.length),
        ]
        for each in count_clips(clips)
    ]
    for category in sorted({clip.category for clip in clips}):
        group = [clip for clip in clips if clip.category == category]
        length, videos = sum(clip.length for clip in group), len({clip.video_id for clip in group})
        mean = length / len(group) / SAMPLE_RATE
        rows.append([category, "all", f"{videos:,}", f"{len(group):,}", f"{mean:.2f}", _hours(length)])
    rows.sort(key=lambda row: row[0])
    return _table(["category", "split", "videos", "clips", "mean length (s)", "hours"], rows)


def _licence_table(clips: Sequence[DatasetClip]) -> str:
    counts = Counter(clip.licence for clip in clips)
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    return _table(
        ["licence, as the source states it", "clips"], [[escaped(name), f"{count:,}"] for name, count in ordered]
    )


def _files(facts: CardFacts) -> Iterator[str]:
    yield "`clips/<category>/<name>.mkv`: H.264 and 16 kHz mono FLAC, both from time 0 on"
    yield (
        "`index.csv`: one row per clip; `begin_s` is where it begins in the source video, `length` its samples. "
        "`v2s train --data index.csv` reads it"
    )
    if facts.options.get("shards"):
        yield "`shards/<split>-<number>.tar`: the same clips as WebDataset shards, shuffled"
    yield "`checksums.txt`: SHA-256 of every file; `sha256sum --check checksums.txt`"


def _making(facts: CardFacts) -> Iterator[str]:
    yield (
        f"{facts.judged_pieces:,} pieces of 2 s were judged, {facts.kept_pieces:,} kept; those that follow each other "
        "became one clip of at most 10 s"
    )
    if facts.method:
        yield f"verdicts by: {facts.method}"
    if facts.left_out:
        yield f"{facts.left_out:,} clips are missing, since their videos could not be read any more"
    for name, value in facts.options.items():
        yield f"{name.replace('_', ' ')}: {'none' if value is None else value}"
    yield f"made by {', '.join(f'{name} {version}' for name, version in facts.versions.items())}"


def escaped(text: str) -> str:
    """What a stranger wrote as plain text in Markdown, on one line."""
    return _MARKDOWN.sub(r"\\\1", html.escape(" ".join(text.split()), quote=False)).replace("://", ":&#47;/")


def _hours(length: int) -> str:
    return f"{length / SAMPLE_RATE / 3600:.2f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _bullets(lines: Iterator[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
