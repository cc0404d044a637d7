"""Where clips stand: exact, whatever the rates, the nests and the clips without a length."""

import math
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import opentimelineio as otio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.plugin.cuts import clip, gap, info, span, time, timeline, track
from v2s_plugin.media.coverage import visible_parts
from v2s_plugin.media.footage import Footage, footage_of
from v2s_plugin.media.library import MediaLibrary
from v2s_plugin.timing.placement import PlacedClip, place_clips
from v2s_plugin.timing.rates import Span, exact_seconds

RATES = [23.976, 24.0, 25.0, 29.97, 30.0, 59.94, 60.0]


def placed(cut: object) -> dict[str, PlacedClip]:
    return {each.clip.name: each for each in place_clips(cut)}


def spans(cut: object) -> dict[str, tuple[Fraction, Fraction]]:
    return {name: (each.span.start, each.span.end) for name, each in placed(cut).items() if each.obstacle is None}


def stack(*items: object, source: object = None) -> object:
    made = otio.schema.Stack(source_range=source)
    for item in items:
        made.append(item)
    return made


def test_clips_follow_each_other_and_gaps_take_time() -> None:
    cut = timeline(track(clip("a", "a", source=span(100, 24, 24)), gap(12), clip("b", "b", source=span(0, 48, 24))))
    assert spans(cut) == {"a": (0, 1), "b": (Fraction(3, 2), Fraction(7, 2))}


def test_the_global_start_is_never_added() -> None:
    cut = timeline(track(clip("a", "a", source=span(0, 24, 24))), start=time(86400, 24))
    assert spans(cut) == {"a": (0, 1)}


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5000), st.sampled_from(RATES)), min_size=1, max_size=40))
def test_places_are_exact_sums_at_any_mix_of_rates(lengths: list[tuple[int, float]]) -> None:
    exact = {23.976: Fraction(24000, 1001), 29.97: Fraction(30000, 1001), 59.94: Fraction(60000, 1001)}
    cut = timeline(track(*[clip(str(i), "a", source=span(7, n, rate)) for i, (n, rate) in enumerate(lengths)]))
    end = Fraction(0)
    for i, (n, rate) in enumerate(lengths):
        start, end = end, end + n / exact.get(rate, Fraction(rate))
        assert spans(cut)[str(i)] == (start, end)


def test_an_hour_at_23_976_does_not_drift() -> None:
    cut = timeline(track(*[clip(str(i), "a", source=span(0, 24, 23.976)) for i in range(3600)]))
    assert spans(cut)["3599"] == (Fraction(3599 * 1001, 1000), Fraction(3600 * 1001, 1000))


def test_transitions_take_no_time() -> None:
    dissolve = otio.schema.Transition(in_offset=time(6, 24), out_offset=time(6, 24))
    cut = timeline(track(clip("a", "a", source=span(0, 24, 24)), dissolve, clip("b", "b", source=span(0, 24, 24))))
    assert spans(cut) == {"a": (0, 1), "b": (1, 2)}


def test_the_available_range_is_the_length_where_there_is_no_source_range() -> None:
    cut = timeline(track(clip("a", "a", available=span(86400, 48, 24)), clip("b", "b", source=span(0, 24, 24))))
    assert spans(cut) == {"a": (0, 2), "b": (2, 3)}


def test_a_clip_without_a_length_says_so_and_spoils_only_what_follows_on_its_track() -> None:
    cut = timeline(
        track(clip("a", "a", source=span(0, 24, 24)), clip("lost", "l"), clip("b", "b", source=span(0, 24, 24))),
        track(clip("c", "c", source=span(0, 24, 24)), name="V2"),
    )
    found = placed(cut)
    assert spans(cut) == {"a": (0, 1), "c": (0, 1)}
    assert found["lost"].obstacle is not None
    assert "length is not known" in found["lost"].obstacle.reason
    assert found["b"].obstacle is not None
    assert "its place is not known: lost before it" in found["b"].obstacle.reason
    assert found["b"].where == "V1"


def test_a_clip_without_a_length_is_as_long_as_its_media() -> None:
    cut = timeline(track(clip("a", "a"), clip("b", "b", source=span(0, 24, 24))))
    found = {each.clip.name: each.span for each in place_clips(cut, lambda clip: Fraction(5, 2))}
    assert found == {"a": Span(Fraction(0), Fraction(5, 2)), "b": Span(Fraction(5, 2), Fraction(7, 2))}


def test_a_rate_of_zero_counts_as_no_range() -> None:
    """Kdenlive 26.08 writes it for sound files."""
    cut = timeline(track(clip("a", "a", source=span(0, 24, 0), available=span(0, 48, 24)), clip("b", "b")))
    assert spans(cut) == {"a": (0, 2)}


def test_disabled_clips_and_tracks_take_time_and_are_told() -> None:
    off = clip("off", "a", source=span(0, 24, 24), enabled=False)
    cut = timeline(
        track(off, clip("on", "b", source=span(0, 24, 24))),
        track(clip("c", "c", source=span(0, 24, 24)), enabled=False),
    )
    found = placed(cut)
    assert spans(cut) == {"on": (1, 2)}
    assert found["off"].obstacle is not None
    assert found["off"].obstacle.reason == "it is disabled"
    assert found["c"].obstacle is not None
    assert found["c"].obstacle.reason == "its track is disabled"


def test_a_tracks_own_range_moves_and_cuts_its_clips() -> None:
    inner = [clip(name, name, source=span(0, 24, 24)) for name in "abc"]
    cut = timeline(track(*inner, source=span(36, 30, 24)))  # from 1.5 s to 2.75 s of the track
    found = placed(cut)
    assert spans(cut) == {"b": (0, Fraction(1, 2)), "c": (Fraction(1, 2), Fraction(5, 4))}
    assert (found["b"].head, found["c"].head) == (Fraction(1, 2), 0)
    assert found["a"].obstacle is not None
    assert "does not show it" in found["a"].obstacle.reason


def test_nested_sequences_are_opened_and_cut_to_what_they_show() -> None:
    nest = stack(
        track(clip("a", "a", source=span(0, 48, 24)), clip("b", "b", source=span(0, 48, 24)), name="inner"),
        track(clip("sound", "s", source=span(0, 48, 24)), kind="Audio"),
        source=span(24, 48, 24),
    )
    cut = timeline(track(gap(24), nest, clip("after", "c", source=span(0, 24, 24))))
    found = placed(cut)
    assert spans(cut) == {"a": (1, 2), "b": (2, 3), "sound": (1, 2), "after": (3, 4)}
    assert found["a"].head == 1
    assert found["a"].track_name == "V1"
    assert found["a"].index_path == (0, 1, 0, 0)
    assert {name: each.kind for name, each in found.items()} == {
        "a": "Video", "b": "Video", "sound": "Audio", "after": "Video",
    }  # fmt: skip


def test_nests_in_nests_without_ranges() -> None:
    nest = stack(track(stack(track(clip("a", "a", source=span(0, 24, 24)))), clip("b", "b", source=span(0, 24, 24))))
    assert spans(timeline(track(gap(12), nest))) == {
        "a": (Fraction(1, 2), Fraction(3, 2)),
        "b": (Fraction(3, 2), Fraction(5, 2)),
    }


def test_everything_on_an_audio_track_is_audio() -> None:
    cut = timeline(track(stack(track(clip("a", "a", source=span(0, 24, 24)))), kind="Audio"))
    assert placed(cut)["a"].kind == "Audio"


def retimed(nest: Any, *scalars: float) -> Any:
    nest.effects.extend(otio.schema.LinearTimeWarp(time_scalar=scalar) for scalar in scalars)
    return nest


def test_a_nest_runs_faster_with_everything_inside_and_keeps_its_place() -> None:
    """Its length on the track is its source range's, as OTIO's own lengths have it; 2 s of it run past in 1 s."""
    inner = [clip(name, name, source=span(0, 24, 24)) for name in "abc"]
    cut = timeline(track(gap(24), retimed(stack(track(*inner), source=span(12, 24, 24)), 2), clip("d", "d")))
    found = placed(cut)
    assert spans(cut) == {"a": (1, Fraction(5, 4)), "b": (Fraction(5, 4), Fraction(7, 4)), "c": (Fraction(7, 4), 2)}
    assert (found["a"].head, found["a"].speed) == (Fraction(1, 2), 2)
    assert (found["b"].head, found["b"].speed) == (0, 2)


def test_a_nest_runs_backwards_from_the_end_of_what_it_shows() -> None:
    inner = [clip(name, name, source=span(0, 24, 24)) for name in "abc"]
    found = placed(timeline(retimed(track(*inner, source=span(0, 48, 24)), -1)))
    assert {name: each.span for name, each in found.items() if each.obstacle is None} == {
        "b": Span(Fraction(0), Fraction(1)),
        "a": Span(Fraction(1), Fraction(2)),
    }
    assert (found["b"].head, found["b"].speed) == (1, -1)  # its own end first


def test_a_nest_backwards_in_a_nest_backwards_runs_forwards() -> None:
    once = retimed(stack(track(clip("a", "a", source=span(0, 24, 24)), gap(24))), -2)
    twice = retimed(stack(track(once)), -1)
    found = placed(timeline(track(twice)))["a"]
    # In 2 s the inner nest runs from second 4 of its content (which has 2) down to 0; the outer plays that backwards.
    assert (found.span, found.head, found.speed) == (Span(Fraction(0), Fraction(1, 2)), 0, 2)


@pytest.mark.parametrize(
    ("effect", "reason"),
    [
        (otio.schema.FreezeFrame(), "the nested sequence it stands in is frozen"),
        (otio.schema.LinearTimeWarp(time_scalar=0), "is frozen"),
        (otio.schema.LinearTimeWarp(time_scalar=math.nan), "its speed is no number"),
        (otio.schema.TimeEffect(effect_name="Ramp"), r"speed changes within the clip \(Ramp\)"),
        (otio.schema.TimeEffect(metadata={"lookup": [0.0, 1.0]}), "in a way that cannot be followed"),
    ],
)
def test_a_nest_whose_speed_says_nothing_about_the_clips_in_it_is_told(effect: Any, reason: str) -> None:
    nest = stack(track(clip("a", "a", source=span(0, 24, 24))), source=span(0, 2, 24))
    nest.effects.append(effect)
    found = placed(timeline(track(nest, clip("b", "b", source=span(0, 24, 24)))))
    assert found["a"].obstacle is not None
    assert re.search(reason, found["a"].obstacle.reason)
    assert found["a"].obstacle.advice
    assert found["b"].span == Span(Fraction(1, 12), Fraction(13, 12))


def test_a_disabled_time_effect_does_nothing() -> None:
    nest = retimed(stack(track(clip("a", "a", source=span(0, 24, 24)))), 2)
    nest.effects[0].enabled = False
    assert spans(timeline(track(nest))) == {"a": (0, 1)}


def test_a_timeline_that_is_disabled_or_retimed_as_a_whole_is_told() -> None:
    cut = timeline(track(clip("a", "a", source=span(0, 24, 24))))
    cut.tracks.effects.append(otio.schema.LinearTimeWarp(time_scalar=2))
    obstacle = placed(cut)["a"].obstacle
    assert obstacle is not None
    assert obstacle.reason == "the timeline is retimed as a whole"
    cut.tracks.effects.clear()
    cut.tracks.enabled = False
    obstacle = placed(cut)["a"].obstacle
    assert obstacle is not None
    assert obstacle.reason == "its timeline is disabled"


def test_the_stacks_own_range_cuts_and_moves_nothing() -> None:
    """Our tracks will stand in the same stack, so times count from its own start."""
    cut = timeline(track(clip("a", "a", source=span(0, 48, 24))))
    cut.tracks.source_range = span(12, 24, 24)
    assert spans(cut) == {"a": (Fraction(1, 2), Fraction(3, 2))}
    assert placed(cut)["a"].head == Fraction(1, 2)


def test_a_mark_on_a_clip_is_seen_where_its_nest_shows_it() -> None:
    cut = timeline(retimed(track(clip("a", "a", source=span(0, 48, 24)), source=span(24, 12, 24)), -2))
    found = placed(cut)["a"]  # 1 s to 2 s of the clip, backwards in half a second
    assert found.seen(Span(Fraction(5, 4), Fraction(3, 2))) == Span(Fraction(1, 4), Fraction(3, 8))


# ---- transitions


def handles(cut: Any) -> dict[str, tuple[Fraction, Fraction]]:
    return {name: (each.handles.before, each.handles.after) for name, each in placed(cut).items()}


def dissolve(before: float, after: float) -> Any:
    return otio.schema.Transition("", "SMPTE_Dissolve", time(before, 24), time(after, 24))


def second(name: str) -> Any:
    return clip(name, name, source=span(240, 24, 24))


def test_clips_beside_a_transition_are_seen_beyond_their_cuts() -> None:
    cut = timeline(track(second("a"), dissolve(6, 12), second("b")))
    assert handles(cut) == {"a": (0, Fraction(1, 2)), "b": (Fraction(1, 4), 0)}
    assert spans(cut) == {"a": (0, 1), "b": (1, 2)}


def test_two_transitions_on_one_clip_and_fades_at_the_ends() -> None:
    cut = timeline(
        track(dissolve(6, 6), gap(12), dissolve(6, 6), second("a"), dissolve(6, 6), second("b"), dissolve(6, 6))
    )
    quarter = Fraction(1, 4)
    assert handles(cut) == {"a": (quarter, quarter), "b": (quarter, quarter)}


def test_nothing_is_seen_before_the_timeline_or_beyond_the_clip_on_the_other_side() -> None:
    assert handles(timeline(track(dissolve(6, 6), second("a")))) == {"a": (0, 0)}
    assert handles(timeline(track(second("a"), dissolve(240, 240), second("b")))) == {"a": (0, 1), "b": (1, 0)}
    assert handles(timeline(track(gap(3), dissolve(6, 6), second("a")))) == {"a": (Fraction(1, 8), 0)}


def test_a_nest_cuts_handles_off_and_runs_them_at_its_speed() -> None:
    inner = track(second("a"), dissolve(12, 6), second("b"), dissolve(6, 6), second("c"), source=span(0, 48, 24))
    assert handles(timeline(track(stack(inner)))) == {
        "a": (0, Fraction(1, 4)),
        "b": (Fraction(1, 2), 0),  # the track ends at its cut
        "c": (0, 0),
    }
    backwards = retimed(track(second("a"), dissolve(12, 6), second("b"), source=span(0, 24, 24)), -2)
    assert handles(timeline(backwards)) == {"a": (Fraction(1, 8), 0), "b": (0, Fraction(1, 4))}


@pytest.mark.parametrize("bad", [time(math.nan, 24), time(6, 0), time(-6, 24)])
def test_a_transition_without_a_length_is_a_hard_cut(bad: Any) -> None:
    cut = timeline(track(second("a"), otio.schema.Transition("", "SMPTE_Dissolve", bad, time(6, 24)), second("b")))
    assert handles(cut) == {"a": (0, 0), "b": (0, 0)}


# ---- against a judge that is slow and obvious

SCALARS = st.sampled_from([1, 1, 2, 0.5, 1.5, -1, -2, -0.5])
RATES_OF_ITEMS = st.sampled_from([24.0, 24.0, 48.0, 29.97])


def _range(draw: st.DrawFn, longest: int, first: int = 0) -> Any:
    return span(first + draw(st.integers(0, 3)), draw(st.integers(1, longest)), draw(RATES_OF_ITEMS))


@st.composite
def shots(draw: st.DrawFn) -> Any:
    source = _range(draw, 9, first=240)  # far enough in for any table to stay inside the media
    made = clip("", "a.mp4", source=source)
    if draw(st.integers(0, 3)) == 0:
        lookup = draw(st.lists(st.integers(-20, 20), min_size=int(source.duration.value), max_size=9))
        if len(lookup) == source.duration.value > 1:
            made.effects.append(otio.schema.TimeEffect(metadata={"lookup": [each / 8 for each in lookup]}))
    return retimed(made, *draw(st.lists(SCALARS, max_size=2)))


@st.composite
def nests(draw: st.DrawFn, children: st.SearchStrategy[Any]) -> Any:
    items = [item.deepcopy() for item in draw(st.lists(children, min_size=1, max_size=3))]
    source = _range(draw, 30) if draw(st.booleans()) else None
    made = track(*items, source=source) if draw(st.booleans()) else stack(*items, source=source)
    return retimed(made, draw(SCALARS))


gaps = st.builds(gap, st.integers(1, 9), RATES_OF_ITEMS)
timelines = st.lists(
    nests(st.recursive(shots() | gaps, nests, max_leaves=8)).map(lambda nest: nest.deepcopy()), min_size=1, max_size=3
).map(lambda nests: named(timeline(*nests)))


def named(cut: Any) -> Any:
    for number, each in enumerate(cut.tracks.find_children(otio.schema.Clip)):
        each.name = str(number)
    return cut


def length_by_hand(item: Any) -> Fraction:
    if item.source_range is not None:
        duration = exact_seconds(item.source_range.duration)
        assert duration is not None
        return duration
    lengths = [length_by_hand(child) for child in item]
    return sum(lengths, Fraction(0)) if isinstance(item, otio.schema.Track) else max(lengths)


def own_second(item: Any, second: Fraction) -> Fraction:
    """The second of its own content that an item shows `second` seconds after its start."""
    scalar = Fraction(1)
    for effect in item.effects:
        if isinstance(effect, otio.schema.LinearTimeWarp):
            scalar *= Fraction(effect.time_scalar)
    start = exact_seconds(item.source_range.start_time) if item.source_range is not None else Fraction(0)
    assert start is not None
    lowest = start if scalar > 0 else start + -scalar * length_by_hand(item)
    for effect in item.effects:
        if "lookup" in effect.metadata:
            second = looked_up([Fraction(each) for each in effect.metadata["lookup"]], second, item)
    return lowest + scalar * second


def looked_up(lookup: list[Fraction], second: Fraction, item: Any) -> Fraction:
    frame = exact_seconds(time(1, item.source_range.duration.rate))
    assert frame is not None
    shown = [number + offset for number, offset in enumerate(lookup)]
    number = int(second // frame)
    this = min(number, len(shown) - 2)
    slope = shown[this + 1] - shown[this]
    return frame * (shown[this] + slope * (second / frame - this) + (slope < 0))


def shown_by_hand(item: Any, second: Fraction) -> Iterator[tuple[str, Fraction]]:
    """Name and media second of every clip that an item shows `second` seconds after its start, bottom first."""
    if isinstance(item, otio.schema.Gap) or not 0 <= second < length_by_hand(item):
        return
    inside = own_second(item, second)
    if isinstance(item, otio.schema.Clip):
        yield item.name, inside
    elif isinstance(item, otio.schema.Stack):
        for child in item:
            yield from shown_by_hand(child, inside)
    else:
        for child in item:
            yield from shown_by_hand(child, inside)
            inside -= length_by_hand(child)


@settings(deadline=None)
@given(timelines)
def test_every_moment_shows_what_a_slow_judge_says(cut: Any) -> None:
    """From the top down, moment by moment; 113/355 of a frame lies on no cut, whichever way anything runs."""
    with TemporaryDirectory() as name:
        (Path(name) / "a.mp4").touch()
        library = MediaLibrary(Path(name), lambda path: info(path, 10**6))
        clips = list(place_clips(cut, library.length))
        shown = [(each, footage_of(each, library)) for each in clips if each.obstacle is None]
    for each in clips:
        assert each.obstacle is None or "does not show it" in each.obstacle.reason
    seen = visible_parts(clips, lambda clip: True)
    for frame in range(48):
        moment = (frame + Fraction(113, 355)) / 24
        judged = list(shown_by_hand(cut.tracks, moment))
        found = [(each, footage) for each, footage in shown if each.span.start <= moment < each.span.end]
        assert [
            (each.clip.name, footage.warp.at(moment - each.span.start))
            for each, footage in found
            if isinstance(footage, Footage)
        ] == judged
        on_top = [
            each.clip.name
            for each in clips
            for part in seen.get(each.index_path, ())
            if part.start <= moment - each.span.start < part.end
        ]
        assert on_top == [name for name, _ in judged[-1:]]


def test_places_agree_with_otio_where_otio_can_tell(shared_timeline: object) -> None:
    placed = [each for each in place_clips(shared_timeline) if each.obstacle is None and len(each.index_path) == 2]
    assert placed
    for each in placed:
        theirs = each.clip.trimmed_range_in_parent()
        assert float(each.span.start) == pytest.approx(theirs.start_time.to_seconds(), abs=1e-2)
        assert float(each.span.duration) == pytest.approx(theirs.duration.to_seconds(), abs=1e-2)


@pytest.fixture(params=["resolve_picchu_8v11a", "kdenlive_2608_export", "avid_multitrack_missing_media"])
def shared_timeline(request: pytest.FixtureRequest) -> object:
    shared = request.getfixturevalue("shared")
    return otio.core.deserialize_json_from_file(str(shared / "timelines" / f"{request.param}.otio"))
