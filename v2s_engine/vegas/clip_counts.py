"""How many clips a data set has, of what, and how long they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from v2s_engine.corpus.clips import Split
from v2s_engine.grid import SAMPLE_RATE
from v2s_engine.vegas.dataset_clips import DatasetClip


@dataclass(frozen=True)
class ClipCount:
    """The clips of one category in one split."""

    category: str
    split: Split
    videos: int
    """Source videos."""
    clips: int
    length: int
    """Samples of all of them together."""

    @property
    def mean_duration(self) -> float:
        """Seconds of a clip on average."""
        return self.length / self.clips / SAMPLE_RATE

    @property
    def hours(self) -> float:
        """Hours of all of them together."""
        return self.length / SAMPLE_RATE / 3600


def count_clips(clips: Iterable[DatasetClip]) -> list[ClipCount]:
    """Counts by category and split, sorted; what has no clips is not listed."""
    groups: dict[tuple[str, Split], list[DatasetClip]] = {}
    for clip in clips:
        groups.setdefault((clip.category, clip.split), []).append(clip)
    return [
        ClipCount(
            category,
            split,
            videos=len({clip.video_id for clip in group}),
            clips=len(group),
            length=sum(clip.length for clip in group),
        )
        for (category, split), group in sorted(groups.items())
    ]
