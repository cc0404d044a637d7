"""Kept pieces as clips."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from v2s_engine.vegas.merging import MOST_PIECES, KeptPiece, MergedClip, merge_pieces

places = st.sets(st.tuples(st.sampled_from(["a", "b", "-c"]), st.integers(0, 14)), max_size=30)


def covered(clip: MergedClip) -> list[tuple[str, int]]:
    return [(clip.video_id, ordinal) for ordinal in range(clip.first, clip.last + 1)]


@given(places)
def test_every_kept_piece_is_in_exactly_one_clip_and_no_other_piece_is(kept: set[tuple[str, int]]) -> None:
    clips = merge_pieces(KeptPiece(video_id, ordinal, 32_000) for video_id, ordinal in kept)

    assert sorted(place for clip in clips for place in covered(clip)) == sorted(kept)
    assert all(clip.length == 32_000 * (clip.last - clip.first + 1) for clip in clips)


@given(places)
def test_clips_are_as_long_as_they_can_be_and_not_longer_than_10_s(kept: set[tuple[str, int]]) -> None:
    clips = merge_pieces(KeptPiece(video_id, ordinal, 32_000) for video_id, ordinal in kept)

    assert all(clip.last - clip.first < MOST_PIECES for clip in clips)
    for clip, after in pairwise(clips):
        if clip.video_id == after.video_id and clip.last + 1 == after.first:
            assert clip.last - clip.first + 1 == MOST_PIECES  # only a full clip has a neighbour


@given(st.permutations([KeptPiece("a", 0, 32_000), KeptPiece("a", 1, 32_000), KeptPiece("b", 2, 32_000)]))
def test_the_order_of_pieces_does_not_matter(pieces: list[KeptPiece]) -> None:
    assert merge_pieces(pieces) == [MergedClip("a", 0, 1, 64_000), MergedClip("b", 2, 2, 32_000)]


def test_a_short_last_piece_counts_with_its_own_length() -> None:
    pieces = [KeptPiece("a", 3, 32_000), KeptPiece("a", 4, 30_400), KeptPiece("a", 1, 32_000)]

    assert merge_pieces(pieces) == [MergedClip("a", 1, 1, 32_000), MergedClip("a", 3, 4, 62_400)]


def test_a_run_of_more_than_five_pieces_is_cut_from_its_beginning_on() -> None:
    clips = merge_pieces(KeptPiece("a", ordinal, 32_000) for ordinal in range(12))

    assert [(clip.first, clip.last) for clip in clips] == [(0, 4), (5, 9), (10, 11)]
