"""The map from timeline to media: exact, and the same whichever way it is looked at."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2s_plugin.timing.rates import Span
from v2s_plugin.timing.warp import PLAIN, Warp

seconds = st.fractions(-20, 20, max_denominator=48)
speeds = st.fractions(-3, 3, max_denominator=8)
warps = st.builds(
    lambda times, media, speed: Warp(tuple(zip(sorted(times), media, strict=False)), speed),
    st.sets(seconds, min_size=1, max_size=5),
    st.lists(seconds, min_size=5, max_size=5),
    speeds,
)


def test_a_bent_warp_runs_straight_between_its_knots_and_on_at_its_speed() -> None:
    warp = Warp(((Fraction(1), Fraction(10)), (Fraction(3), Fraction(14))), Fraction(1))
    assert [warp.at(Fraction(time)) for time in (0, 1, 2, 3, 5)] == [9, 10, 12, 14, 16]
    assert [warp.speed_at(Fraction(time)) for time in (0, 1, 3)] == [1, 2, 1]


def test_at_a_jump_the_later_part_holds() -> None:
    one = Fraction(1)
    warp = Warp(((Fraction(0), Fraction(0)), (one, one), (one, 2 * one), (2 * one, one)), one)
    assert (warp.at(one), warp.speed_at(one), warp.at(Fraction(1, 2))) == (2, -1, Fraction(1, 2))
    backwards = warp.seen_from(Fraction(2), Fraction(-1))
    assert [backwards.at(Fraction(time, 2)) for time in (0, 1, 2, 3)] == [1, Fraction(3, 2), 1, Fraction(1, 2)]


def test_knots_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="in the order of timeline time"):
        Warp(((Fraction(1), Fraction(0)), (Fraction(0), Fraction(0))), Fraction(1))


@settings(deadline=None)
@given(warps, seconds, speeds.filter(bool), seconds)
def test_a_part_shows_what_the_whole_shows_there(warp: Warp, start: Fraction, speed: Fraction, time: Fraction) -> None:
    assert warp.seen_from(start, speed).at(time) == warp.at(start + speed * time)
    assert warp.faster(speed).later(start).at(time) == warp.at(time) * speed + start


@settings(deadline=None)
@given(warps, seconds, st.fractions(0, 5, max_denominator=48), st.lists(st.fractions(0, 1), min_size=1, max_size=5))
def test_what_is_shown_lies_in_the_media_span(
    warp: Warp, start: Fraction, length: Fraction, places: list[Fraction]
) -> None:
    part = Span(start, start + length)
    media = warp.media_span(part)
    assert all(media.start <= warp.at(start + place * length) <= media.end for place in places)


@settings(deadline=None)
@given(warps, seconds, st.fractions(-10, 10, max_denominator=48), st.fractions(0, 1))
def test_reach_stays_inside_the_media_and_goes_as_far_as_it_can(
    warp: Warp, start: Fraction, away: Fraction, place: Fraction
) -> None:
    media = Span(Fraction(-5), Fraction(5))
    end = start + away
    reached = warp.reach(start, end, media)
    assert min(start, end) <= reached <= max(start, end)
    if reached == start:
        return
    assert media.start <= warp.at(start + place * (reached - start)) <= media.end
    if reached != end:
        assert warp.at(reached) in (media.start, media.end)


@settings(deadline=None)
@given(warps, seconds, st.fractions(0, 5, max_denominator=48).filter(bool))
def test_parts_that_show_the_same_are_described_alike(warp: Warp, start: Fraction, length: Fraction) -> None:
    here, there = Span(start, start + length), Span(Fraction(0), length)
    assert warp.description(here) == warp.seen_from(start).description(there)
    assert warp.description(here) != warp.later(Fraction(1)).description(here)


def test_the_plain_warp_is_time_itself() -> None:
    assert PLAIN.at(Fraction(7, 3)) == Fraction(7, 3)
    assert PLAIN.is_even
