"""Which videos are for testing."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2s_engine.errors import UsageError
from v2s_engine.vegas.splitting import SplitOptions, split_videos

VIDEOS = {f"{category}{number}": category for category in ("dog", "drum") for number in range(20)}


@given(st.integers(0, 10**6), st.integers(0, 9), st.integers(0, 9), st.randoms())
def test_each_category_gets_exactly_the_videos_asked_for_whatever_the_order(
    seed: int, test: int, validation: int, random: Random
) -> None:
    options = SplitOptions(seed, test, validation)
    shuffled = list(VIDEOS.items())
    random.shuffle(shuffled)

    splits = split_videos(VIDEOS, options)

    assert split_videos(dict(shuffled), options) == splits
    assert list(splits) == sorted(VIDEOS)  # each video has one split
    for category in ("dog", "drum"):
        counts = Counter(split for video_id, split in splits.items() if VIDEOS[video_id] == category)
        assert (counts["test"], counts["validation"]) == (test, validation)
        assert counts["train"] == 20 - test - validation


def test_the_seed_decides_and_the_draw_is_the_same_on_every_machine() -> None:
    drawn = {
        seed: sorted(each for each, split in split_videos(VIDEOS, SplitOptions(seed, 2)).items() if split == "test")
        for seed in (0, 1)
    }

    # printf 0/split/dog0 | sha256sum, and so on, sorted
    assert drawn == {0: ["dog0", "dog13", "drum13", "drum3"], 1: ["dog12", "dog9", "drum13", "drum2"]}


def test_other_categories_do_not_change_a_draw() -> None:
    dogs = {video_id: category for video_id, category in VIDEOS.items() if category == "dog"}
    options = SplitOptions(3, 4, 2)

    assert split_videos(dogs, options).items() <= split_videos(VIDEOS, options).items()


def test_too_few_videos_are_an_error_that_names_category_got_and_wanted() -> None:
    videos = {"a": "dog", "b": "dog", "c": "drum", "d": "drum", "e": "drum"}

    with pytest.raises(UsageError, match=r"dog has 2; wanted at least 3 in each category \(2 for testing"):
        split_videos(videos, SplitOptions(0, 2))
    with pytest.raises(UsageError, match="dog has 2, printer has 0; wanted at least 3"):
        split_videos(videos, SplitOptions(0, 1, 1), known=["dog", "drum", "printer"])


def test_without_test_videos_all_are_for_training_and_none_are_missed() -> None:
    assert set(split_videos(VIDEOS, SplitOptions(0, 0), known=["printer"]).values()) == {"train"}


def test_negative_numbers_are_refused() -> None:
    with pytest.raises(UsageError, match="got -1 and 0"):
        SplitOptions(0, -1)
