"""Where clips stand: exact, whatever the rates, the nests and the clips without a length."""

from fractions import Fraction

import opentimelineio as otio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.plugin.cuts import clip, gap, span, time, timeline, track
from v2s_plugin.placement import PlacedClip, place_clips
from v2s_plugin.rates import Span

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


def test_a_nest_retimed_as_a_whole_is_told() -> None:
    nest = stack(track(clip("a", "a", source=span(0, 24, 24))))
    nest.effects.append(otio.schema.LinearTimeWarp(time_scalar=2))
    found = placed(timeline(track(nest)))["a"].obstacle
    assert found is not None
    assert "retimed as a whole" in found.reason


def test_places_agree_with_otio_where_otio_can_tell(shared_timeline: object) -> None:
    for each in place_clips(shared_timeline):
        if each.obstacle is None and len(each.index_path) == 2:
            theirs = each.clip.trimmed_range_in_parent()
            assert float(each.span.start) == pytest.approx(theirs.start_time.to_seconds(), abs=1e-2)
            assert float(each.span.duration) == pytest.approx(theirs.duration.to_seconds(), abs=1e-2)


@pytest.fixture(params=["resolve_picchu_8v11a", "kdenlive_2608_export", "avid_multitrack_missing_media"])
def shared_timeline(request: pytest.FixtureRequest) -> object:
    shared = request.getfixturevalue("shared")
    return otio.core.deserialize_json_from_file(str(shared / "timelines" / f"{request.param}.otio"))
