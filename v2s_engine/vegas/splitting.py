"""Which videos are for testing, which for validation and which for training, drawn by seed."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from v2s_engine.corpus.clips import Split
from v2s_engine.errors import UsageError


@dataclass(frozen=True)
class SplitOptions:
    """How videos are split. Raises `UsageError`."""

    seed: int = 0
    test_per_category: int = 128
    """Source videos of each category for testing; all clips of such a video are (paper: 128)."""
    validation_per_category: int = 0
    """Source videos of each category for deciding when to stop; the paper names none."""

    def __post_init__(self) -> None:
        if self.test_per_category < 0 or self.validation_per_category < 0:
            raise UsageError(
                "a split wants at least 0 videos per category for testing and for validation; "
                f"got {self.test_per_category} and {self.validation_per_category}"
            )

    @property
    def least(self) -> int:
        """Videos with clips that a category must have: one is left for training. 0 where nothing is drawn."""
        drawn = self.test_per_category + self.validation_per_category
        return drawn + 1 if drawn else 0


def split_videos(categories: Mapping[str, str], options: SplitOptions, known: Collection[str] = ()) -> dict[str, Split]:
    """The split of every video of `categories` (video id: category), sorted by id.

    Each category gets exactly the videos for testing and for validation that were asked for, the rest are for
    training. The order in which videos are drawn follows from the seed and their ids alone: it does not depend on the
    machine, or on the order of `categories`. `known` are categories that must have videos as well.

    Raises `UsageError` that lists the categories with too few videos.
    """
    videos: dict[str, list[str]] = {category: [] for category in known}
    for video_id, category in categories.items():
        videos.setdefault(category, []).append(video_id)
    _check_enough({category: len(ids) for category, ids in videos.items()}, options)
    splits: dict[str, Split] = {}
    validation_end = options.test_per_category + options.validation_per_category
    for ids in videos.values():
        for place, video_id in enumerate(sorted(ids, key=lambda each: _lot(options.seed, each))):
            if place < options.test_per_category:
                splits[video_id] = "test"
            else:
                splits[video_id] = "validation" if place < validation_end else "train"
    return dict(sorted(splits.items()))


def _check_enough(counts: Mapping[str, int], options: SplitOptions) -> None:
    if short := sorted(category for category, count in counts.items() if count < options.least):
        listed = ", ".join(f"{category} has {counts[category]}" for category in short)
        raise UsageError(
            f"too few source videos with clips: {listed}; wanted at least {options.least} in each category "
            f"({options.test_per_category} for testing, {options.validation_per_category} for validation and one to "
            "train on); fetch and annotate more, ask for fewer by --test-per-category, or build other categories by "
            "--category"
        )


def _lot(seed: int, video_id: str) -> str:
    return hashlib.sha256(f"{seed}/split/{video_id}".encode()).hexdigest()
