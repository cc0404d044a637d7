"""What of each picture is seen, and that nothing else is sounded unless asked."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.plugin.cuts import clip, fake_probe, gap, marker, options, span, time, timeline, track
from v2s_engine.video import VideoInfo
from v2s_plugin.media.coverage import visible_parts
from v2s_plugin.planning.jobs import Plan, plan
from v2s_plugin.timing.placement import place_clips


def probe(path: Path) -> VideoInfo:
    """A medium whose name says `logo` has an alpha channel."""
    return replace(fake_probe(path), has_alpha=path.stem == "logo")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("cut")
    for name in ("a.mp4", "b.mp4", "logo.mov"):
        (made / name).touch()
    return made


def shot(name: str, frames: int, url: str = "a.mp4", **given: Any) -> Any:
    return clip(name, url, source=span(24, frames, 24), **given)


def planned(folder: Path, *tracks: Any, **given: Any) -> Plan:
    return plan(timeline(*tracks), folder, options(sound="dog", **given), probe=probe)


def sounded(found: Plan) -> list[tuple[str, float, float]]:
    return [(job.label, float(job.timeline_start), float(job.timeline_end)) for job in found.jobs]


def test_a_clip_under_another_is_not_sounded_and_says_so(folder: Path) -> None:
    tracks = [track(shot("a", 48)), track(shot("b", 48, "b.mp4"), name="V2")]
    found = planned(folder, *tracks)
    assert sounded(found) == [("b", 0, 2)]
    (skip,) = found.skips
    assert (skip.label, skip.reason) == ("a", "other clips cover it")
    assert "--covered add" in skip.advice
    assert sounded(planned(folder, *tracks, covered="add")) == [("a", 0, 2), ("b", 0, 2)]


def test_of_a_clip_partly_covered_each_stretch_that_is_seen_is_sounded(folder: Path) -> None:
    found = planned(folder, track(shot("a", 96)), track(gap(24), shot("b", 24, "b.mp4"), gap(12), shot("c", 12)))
    assert sounded(found) == [("a", 0, 1), ("a", 2, 2.5), ("a", 3, 4), ("b", 1, 2), ("c", 2.5, 3)]
    assert found.skips == ()
    assert [job.source_start for job in found.jobs[:3]] == [1, 3, 4]
    assert len({job.subject for job in found.jobs}) == 5


def test_stretches_shorter_than_a_frame_are_left_out(folder: Path) -> None:
    found = planned(folder, track(shot("a", 48)), track(clip("b", "b.mp4", source=span(0, 47.5, 24)), name="V2"))
    assert [job.label for job in found.jobs] == ["b"]
    assert [skip.reason for skip in found.skips] == ["other clips cover it"]


@pytest.mark.parametrize("how", ["marker", "metadata"])
def test_a_clip_that_asks_for_a_sound_is_sounded_whole(folder: Path, how: str) -> None:
    asks = shot("a", 48, notes=["v2s:sound=drum"])
    if how == "metadata":
        asks = shot("a", 48, metadata={"v2s": {"sound": "drum"}})
    assert sounded(planned(folder, track(asks), track(shot("b", 24)))) == [("a", 0, 2), ("b", 0, 1)]


def test_a_marked_stretch_of_a_covered_clip_is_sounded(folder: Path) -> None:
    asks = shot("a", 48, notes=[marker("v2s:sound=drum", 36, 12)])
    assert sounded(planned(folder, track(asks), track(shot("b", 48)))) == [("a", 0.5, 1), ("b", 0, 2)]


def resolve_effect(name: str, enabled: bool = True, **parameters: Any) -> Any:
    """An effect as Resolve writes it; a list of values are key frames."""
    written = [
        {"Parameter ID": key, "Parameter Value": 1.0, "Key Frames": {str(i): {"Value": v} for i, v in enumerate(value)}}
        if isinstance(value, list)
        else {"Parameter ID": key, "Parameter Value": value, "Key Frames": {}}
        for key, value in parameters.items()
    ]
    facts = {"Effect Name": name, "Enabled": enabled, "Parameters": written}
    return otio.schema.Effect(effect_name="Resolve Effect", metadata={"Resolve_OTIO": facts})


@pytest.mark.parametrize(
    "above",
    [
        shot("b", 48, "logo.mov"),
        shot("b", 48, "gone.mp4"),
        clip("b", reference=otio.schema.GeneratorReference("title"), source=span(0, 48, 24)),
        shot("b", 48, enabled=False),
        shot("b", 48, effects=[resolve_effect("Composite", opacity=40.0)]),
        shot("b", 48, effects=[resolve_effect("Composite", opacity=[0.0, 100.0])]),
        shot("b", 48, effects=[resolve_effect("Composite", mode=4)]),
        shot("b", 48, effects=[resolve_effect("Cropping", cropLeft=120.0)]),
        shot("b", 48, effects=[resolve_effect("Transform", transformationZoomX=0.5, transformationZoomY=0.5)]),
        shot("b", 48, effects=[resolve_effect("Transform", transformationPan=0.3)]),
    ],
)
def test_what_can_be_seen_through_covers_nothing(folder: Path, above: Any) -> None:
    assert ("a", 0, 2) in sounded(planned(folder, track(shot("a", 48)), track(above)))


@pytest.mark.parametrize(
    "effect",
    [
        resolve_effect("Composite"),
        resolve_effect("Composite", enabled=False, opacity=40.0),
        resolve_effect("Composite", opacity=100.0),
        resolve_effect("Transform", transformationZoomX=1.2, transformationZoomY=1.2, transformationTilt=0.1),
        resolve_effect("Transform", transformationZoomX=[2.0, 1.5], transformationZoomY=[2.0, 1.5]),
        resolve_effect("Cropping", cropLeft=0.0),
        resolve_effect("Some Filter", strength=0.5),
        otio.schema.Effect(effect_name="Blur", metadata={"Resolve_OTIO": "damaged"}),
    ],
)
def test_effects_that_leave_the_picture_whole_or_are_not_known_change_nothing(folder: Path, effect: Any) -> None:
    found = planned(folder, track(shot("a", 48)), track(shot("b", 48, effects=[effect])))
    assert sounded(found) == [("b", 0, 2)]


def test_a_nest_made_smaller_covers_nothing(folder: Path) -> None:
    nest = otio.schema.Stack(effects=[resolve_effect("Transform", transformationZoomX=0.5, transformationZoomY=0.5)])
    nest.append(track(shot("b", 48)))
    found = planned(folder, track(shot("a", 48)), track(nest))
    assert sounded(found) == [("a", 0, 2), ("b", 0, 2)]


def test_while_a_clip_fades_in_or_out_what_is_below_is_seen(folder: Path) -> None:
    """A dissolve between two clips leaves no hole."""

    def transition() -> Any:
        return otio.schema.Transition("", "SMPTE_Dissolve", time(6, 24), time(6, 24))

    above = track(gap(24), transition(), shot("b", 24), transition(), shot("c", 24), transition())
    found = planned(folder, track(shot("a", 96)), above)
    assert [each for each in sounded(found) if each[0] == "a"] == [("a", 0, 1.25), ("a", 2.75, 4)]


def test_a_track_that_is_disabled_or_of_sound_covers_nothing(folder: Path) -> None:
    off = track(shot("b", 48), enabled=False)
    sound = track(shot("c", 48, "b.mp4"), kind="Audio")
    assert sounded(planned(folder, track(shot("a", 48)), off, sound)) == [("a", 0, 2)]


def test_inside_a_nest_the_upper_track_covers_the_lower(folder: Path) -> None:
    nest = otio.schema.Stack(source_range=span(12, 24, 24))
    nest.append(track(shot("a", 48)))
    nest.append(track(gap(24), shot("b", 24)))
    assert sounded(planned(folder, track(gap(24), nest))) == [("a", 1, 1.5), ("b", 1.5, 2)]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 12), st.booleans()), max_size=8))
def test_each_frame_is_seen_of_the_highest_opaque_clip_and_of_all_above_it(layers: list[tuple[int, int, bool]]) -> None:
    tracks = [
        track(gap(start), shot(str(number), frames), name=f"V{number}")
        for number, (start, frames, _) in enumerate(layers)
    ]
    placed = list(place_clips(timeline(*tracks)))
    seen = visible_parts(placed, lambda each: layers[int(each.clip.name)][2])
    for frame in range(33):
        judged = []
        for number, (start, frames, opaque) in reversed(list(enumerate(layers))):
            if start <= frame < start + frames:
                judged.append(number)
                if opaque:
                    break
        middle = (frame + Fraction(1, 2)) / 24
        found = [
            int(each.clip.name)
            for each in placed
            if any(part.start <= middle - each.span.start < part.end for part in seen[each.index_path])
        ]
        assert found == sorted(judged)
