"""What a clip should sound like: the editor's notes on it, and the rules of the call."""

from fractions import Fraction

import pytest

from tests.plugin.cuts import clip, marker, span, timeline, track
from v2s_plugin.planning.sounds import ClipNotes, SoundChoice, SoundWish, read_notes
from v2s_plugin.timing.placement import Obstacle, place_clips
from v2s_plugin.timing.rates import Span


def notes(*markers: object, source: object = None, metadata: dict[str, object] | None = None) -> ClipNotes:
    """Notes of a clip that shows 4 s of its media from timecode 1:00:00:00 at 24."""
    made = clip("a", "a.mp4", source=source or span(86400, 96, 24), notes=markers, metadata=metadata)
    return read_notes(next(iter(place_clips(timeline(track(made))))))


@pytest.mark.parametrize("text", ["v2s:sound=dog", "V2S:Sound = dog ", "v2s: sound=dog"])
def test_a_marker_names_the_sound(text: str) -> None:
    assert notes(text) == ClipNotes(wishes=(SoundWish("dog"),))


def test_a_line_of_a_comment_does_too() -> None:
    found = notes(marker("Marker 1", comment="first take it\nv2s:sound=old dog\nthen leave it"))
    assert found.wishes == (SoundWish("old dog"),)


def test_several_markers_are_several_sounds_and_the_same_one_twice_is_one() -> None:
    assert notes("v2s:sound=dog", "v2s:sound=drum", "v2s:sound=dog").wishes == (SoundWish("dog"), SoundWish("drum"))


def test_a_marker_with_a_length_limits_the_sound_in_source_time() -> None:
    found = notes(marker("v2s:sound=dog", 86424, 36))
    assert found.wishes == (SoundWish("dog", Span(Fraction(1), Fraction(5, 2))),)


def test_a_marker_of_one_frame_does_not_limit_it() -> None:
    """Resolve gives every marker one frame."""
    assert notes(marker("v2s:sound=dog", 86424, 1)).wishes == (SoundWish("dog"),)


def test_a_stretch_is_cut_to_the_clip_and_one_beside_it_does_not_count() -> None:
    assert notes(marker("v2s:sound=dog", 86376, 48)).wishes == (SoundWish("dog", Span(Fraction(0), Fraction(1))),)
    assert notes(marker("v2s:sound=dog", 86200, 48)).wishes == ()


def test_a_cue_counts_from_the_clips_start_in_exact_seconds() -> None:
    assert notes(marker("v2s:cue", 86424)).cues == (1,)
    ntsc = notes(marker("v2s:cue", 30, rate=29.97), source=span(0, 300, 29.97))
    assert ntsc.cues == (Fraction(1001, 1000),)


def test_cues_outside_the_clip_do_not_count() -> None:
    """Both halves of a split clip keep all markers."""
    outside = [marker("v2s:cue", at) for at in (86399, 86496, 0)]
    assert notes(*outside) == ClipNotes()


def test_cues_rise_and_are_counted_once() -> None:
    assert notes(*[marker("v2s:cue", at) for at in (86448, 86424, 86448)]).cues == (1, 2)


@pytest.mark.parametrize("text", ["v2s:sound", "v2s:sound=", "v2s:sond=dog", "v2s:cue=1", "v2s:", "v2s: dog"])
def test_a_note_that_is_not_understood_is_told(text: str) -> None:
    found = notes(text)
    assert found.wishes == found.cues == ()
    assert [each.advice for each in found.obstacles] == ["write v2s:sound=CLASS or v2s:cue"]
    assert repr(text) in found.obstacles[0].reason


def test_other_peoples_markers_are_left_alone() -> None:
    assert notes("fix the colour", "sound=dog", "see v2s:sound=dog") == ClipNotes()


@pytest.mark.parametrize(("sound", "classes"), [("dog", ["dog"]), (["dog", "drum"], ["dog", "drum"])])
def test_metadata_names_sounds(sound: object, classes: list[str]) -> None:
    assert notes(metadata={"v2s": {"sound": sound}}).wishes == tuple(SoundWish(name) for name in classes)


@pytest.mark.parametrize("sound", [3, "", [], ["dog", 3], {"name": "dog"}])
def test_metadata_that_is_not_understood_is_told(sound: object) -> None:
    found = notes(metadata={"v2s": {"sound": sound}})
    assert found.wishes == ()
    assert "v2s.sound is not understood" in found.obstacles[0].reason


@pytest.mark.parametrize("metadata", [{"v2s": "dog"}, {"v2s": {"other": 1}}, {"sound": "dog"}])
def test_other_metadata_is_left_alone(metadata: dict[str, object]) -> None:
    assert notes(metadata=metadata) == ClipNotes()


NOTED = ClipNotes(wishes=(SoundWish("drum"),))


def test_the_first_rule_that_applies_decides() -> None:
    both = ("dog", "drum")
    assert SoundChoice(both, default="dog").wishes(NOTED) == (SoundWish("drum"),)
    assert SoundChoice(both, forced="dog").wishes(NOTED) == (SoundWish("dog"),)
    assert SoundChoice(both, default="dog").wishes(ClipNotes()) == (SoundWish("dog"),)
    assert SoundChoice(("dog",)).wishes(ClipNotes()) == (SoundWish("dog"),)


def test_where_no_rule_applies_the_exact_option_is_told() -> None:
    found = SoundChoice(("dog", "drum")).wishes(ClipNotes())
    assert isinstance(found, Obstacle)
    assert "--sound CLASS" in found.advice
    assert "v2s:sound=CLASS" in found.advice
    assert "dog, drum" in found.advice
