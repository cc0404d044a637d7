"""What an editor does to our clips and tracks by hand is still there after the next run."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.plugin.cuts import BUNDLE, clip, fake_probe, gap, options, span, timeline, track
from v2s_plugin.ours import is_ours, our_clips
from v2s_plugin.planning.jobs import plan
from v2s_plugin.planning.selection import Selection
from v2s_plugin.prune import find_orphans
from v2s_plugin.sounding.take_file import ScoredJob, TakeFile, known_takes, usual_device
from v2s_plugin.takes.listing import list_sounds
from v2s_plugin.timing.placement import place_clips
from v2s_plugin.tracks.sound_clips import ClipStyle
from v2s_plugin.tracks.writeback import WrittenBack, with_sound_tracks, without_sound_tracks

Run = Callable[..., WrittenBack]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        (tmp_path / name).touch()
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Run:
    """Score a timeline with takes that are said to exist; `earlier` is what an earlier run left beside it."""

    def score(cut: Any, *, earlier: Any = None, takes: int = 2, tracks: Any = "per-class", **given: Any) -> WrittenBack:
        todo = plan(cut, folder, options(**({"sound": "dog"} | given)), probe=fake_probe)
        sounds = []
        for job in todo.jobs:
            name, length = f"{job.label}_{job.key[:10]}", job.delivered_length(48_000)
            files = [folder / "cut.media" / f"{name}_take{n}.wav" for n in range(1, takes + 1)]
            made = [TakeFile(n, file, f"{n}", length, 48_000) for n, file in enumerate(files, start=1)]
            sounds.append(ScoredJob(job, tuple(made)))
        style = ClipStyle(BUNDLE, "plain", folder, given.get("seed", 0))
        unselected = todo.unselected_jobs if "selection" in given else None
        return with_sound_tracks(cut, sounds, style, tracks=tracks, earlier=earlier, unselected=unselected)

    return score


@pytest.fixture(params=["the scored timeline is scored again", "the cut is scored again beside it"])
def again(request: pytest.FixtureRequest, run: Run) -> Run:
    """A second run, after `edited` came of the first: in place, or from the cut as it was into the same output."""

    def score(edited: Any, **given: Any) -> WrittenBack:
        if "beside" in request.param:
            return run(without_sound_tracks(edited), earlier=edited, **given)
        return run(edited, **given)

    return score


def shot(name: str = "a", frames: float = 24, start: float = 0, **given: Any) -> Any:
    return clip(name, f"{name}.mp4", source=span(start, frames, 24), **given)


def two_shots(run: Run, before: int = 24) -> Any:
    """`gap a gap b`, a second each, scored."""
    return run(timeline(track(gap(before), shot("a"), gap(24), shot("b")))).timeline


def frames_of(cut: Any, name: str = "V2S dog") -> list[tuple[Fraction, Fraction, float]]:
    """Start, end (frames at 24) and source start of what stands on a track."""
    return [
        (each.span.start * 24, each.span.end * 24, each.clip.source_range.start_time.value)
        for each in place_clips(cut)
        if each.track_name == name
    ]


def resize(item: Any, start: float, duration: float) -> None:
    item.source_range = span(start, duration, 24)


def test_a_second_run_changes_nothing(again: Run, run: Run) -> None:
    once = two_shots(run)
    assert again(once).timeline.to_json_string() == once.to_json_string()


# ---- place


def test_a_sound_that_was_moved_stays_moved(again: Run, run: Run) -> None:
    edited = two_shots(run)
    resize(edited.tracks[1][0], 0, 29)
    resize(edited.tracks[1][2], 0, 19)
    twice = again(edited).timeline
    assert frames_of(twice) == [(29, 53, 0), (72, 96, 0)]
    assert again(twice).timeline.to_json_string() == twice.to_json_string()


def test_a_moved_sound_keeps_its_offset_from_pictures_that_move(run: Run) -> None:
    edited = two_shots(run)
    resize(edited.tracks[1][0], 0, 29)
    resize(edited.tracks[1][2], 0, 19)
    recut = timeline(track(gap(100), shot("a"), gap(24), shot("b")))
    assert frames_of(run(recut, earlier=edited).timeline) == [(105, 129, 0), (148, 172, 0)]


def test_sounds_that_were_moved_with_their_pictures_stay_with_them(run: Run) -> None:
    edited = two_shots(run)
    for each in edited.tracks:
        each.insert(0, gap(10))
    resize(edited.tracks[1][1], 0, 26)  # and a nudge of two frames
    resize(edited.tracks[1][3], 0, 22)
    assert frames_of(run(edited).timeline) == [(36, 60, 0), (82, 106, 0)]


def test_sounds_follow_pictures_that_were_moved_without_them(run: Run) -> None:
    edited = two_shots(run)
    edited.tracks[0].insert(0, gap(10))
    assert frames_of(run(edited).timeline) == [(34, 58, 0), (82, 106, 0)]


def test_a_program_that_rounds_places_to_its_frames_has_moved_nothing(run: Run) -> None:
    cut = timeline(track(gap(31, 29.97), shot("a")))
    edited = run(cut).timeline
    whole = round(31 * 24 / 29.97 * 1.0)
    resize(edited.tracks[1][0], 0, whole)
    assert frames_of(run(cut, earlier=edited).timeline)[0][0] == pytest.approx(31 * 24 * 1.001 / 30)


@pytest.mark.parametrize(
    ("head", "length", "wanted"),
    [(6, 18, (30, 48, 6)), (0, 10, (24, 34, 0)), (4, 15, (28, 43, 4))],
    ids=["at its start", "at its end", "at both"],
)
def test_a_sound_that_was_trimmed_stays_trimmed(
    again: Run, run: Run, head: int, length: int, wanted: tuple[int, int, int]
) -> None:
    edited = two_shots(run)
    resize(edited.tracks[1][0], 0, 24 + head)
    resize(edited.tracks[1][1], head, length)
    resize(edited.tracks[1][2], 0, 24 + 24 - head - length)
    assert frames_of(again(edited).timeline) == [wanted, (72, 96, 0)]


def test_a_trim_that_the_file_does_not_hold_is_cut_to_it(run: Run) -> None:
    edited = two_shots(run)
    resize(edited.tracks[1][1], 0, 40)
    resize(edited.tracks[1][2], 0, 8)
    assert frames_of(run(edited).timeline) == [(24, 48, 0), (72, 96, 0)]


def test_a_sound_that_was_cut_in_two_stays_in_two(again: Run, run: Run) -> None:
    edited = two_shots(run)
    second = edited.tracks[1][1].deepcopy()
    resize(edited.tracks[1][1], 0, 10)
    resize(second, 10, 14)
    second.effects.append(otio.schema.Effect(effect_name="Quiet"))
    edited.tracks[1].insert(2, second)
    twice = again(edited).timeline
    assert frames_of(twice) == [(24, 34, 0), (34, 48, 10), (72, 96, 0)]
    assert [len(each.effects) for each in our_clips(twice)] == [0, 1, 0]


def test_a_moved_sound_gives_way_to_its_neighbour(run: Run) -> None:
    edited = two_shots(run)
    resize(edited.tracks[1][0], 0, 34)
    resize(edited.tracks[1][2], 0, 14)
    recut = timeline(track(gap(24), shot("a"), shot("c"), shot("b")))
    twice = run(recut, earlier=edited).timeline
    assert frames_of(twice) == [(34, 58, 0), (72, 96, 0)] or frames_of(twice) == [(48, 72, 0), (72, 96, 0)]
    everything = sorted(frames_of(twice) + frames_of(twice, "V2S dog 2"))
    assert everything == [(34, 58, 0), (48, 72, 0), (72, 96, 0)]


def test_a_deleted_sound_comes_back(again: Run, run: Run) -> None:
    edited = two_shots(run)
    edited.tracks[1][1] = gap(24)
    assert frames_of(again(edited).timeline) == [(24, 48, 0), (72, 96, 0)]


# ---- everything else about a clip


def test_what_an_editor_put_on_a_sound_stays(again: Run, run: Run) -> None:
    edited = two_shots(run)
    ours = edited.tracks[1][1]
    ours.name = "bark, louder"
    ours.active_media_reference_key = "take 2"
    ours.enabled = False
    ours.effects.append(otio.schema.Effect(effect_name="Volume", metadata={"db": -6}))
    ours.metadata["Resolve_OTIO"] = {"Link Group ID": 7}
    edited.tracks[1].insert(1, otio.schema.Transition("fade", "Custom_Transition", span(0, 4, 24).duration))
    twice = again(edited, seed=5).timeline
    item = twice.tracks[1][2]
    assert (item.name, item.enabled, item.active_media_reference_key) == ("bark, louder", False, "take 2")
    assert (item.effects[0].metadata["db"], item.metadata["Resolve_OTIO"]["Link Group ID"]) == (-6, 7)
    assert twice.tracks[1][1].name == "fade"
    assert twice.tracks[1][4].name == "b (dog)"


def test_the_choice_survives_a_program_that_keeps_but_the_chosen_take(again: Run, run: Run) -> None:
    edited = two_shots(run)
    ours = edited.tracks[1][1]
    chosen = ours.media_references()["take 2"].deepcopy()
    ours.set_media_references({"DEFAULT_MEDIA": chosen}, "DEFAULT_MEDIA")
    item = next(our_clips(again(edited).timeline))
    assert (set(item.media_references()), item.active_media_reference_key) == ({"take 1", "take 2"}, "take 2")


def test_a_foreign_file_that_an_editor_chose_for_a_sound_stays_chosen(again: Run, run: Run) -> None:
    edited = two_shots(run)
    ours = edited.tracks[1][1]
    references = ours.media_references() | {"foley": otio.schema.ExternalReference("/foley/dog.wav")}
    ours.set_media_references(references, "foley")
    item = next(our_clips(again(edited).timeline))
    assert item.media_reference.target_url == "/foley/dog.wav"
    assert set(item.media_references()) == {"take 1", "take 2", "foley"}


def test_a_take_that_is_gone_gives_way_to_the_first(again: Run, run: Run) -> None:
    edited = two_shots(run)
    edited.tracks[1][1].active_media_reference_key = "take 2"
    assert next(our_clips(again(edited, seed=5, takes=1).timeline)).active_media_reference_key == "take 1"


def test_of_sounds_that_are_the_same_each_keeps_its_own_edits(run: Run) -> None:
    cut = timeline(track(shot("a"), gap(24), shot("a"), gap(24), shot("a")))
    edited = run(cut).timeline
    for index, each in enumerate(our_clips(edited)):
        each.name = f"bark {index}"
    moved = timeline(track(gap(5), shot("a"), gap(24), shot("a"), gap(24), shot("a")))
    assert [each.name for each in our_clips(run(moved, earlier=edited).timeline)] == ["bark 0", "bark 1", "bark 2"]
    fewer = timeline(track(gap(48), shot("a"), gap(24), shot("a")))
    assert [each.name for each in our_clips(run(fewer, earlier=edited).timeline)] == ["bark 1", "bark 2"]


# ---- tracks


def test_what_an_editor_did_to_our_track_stays(again: Run, run: Run) -> None:
    edited = two_shots(run)
    edited.tracks.append(track(clip("music", "m.wav", source=span(0, 24, 24)), name="A1", kind="Audio"))
    ours = edited.tracks[1]
    ours.name, ours.enabled = "Barking, final", False
    ours.effects.append(otio.schema.Effect(effect_name="Reverb"))
    twice = again(edited).timeline
    assert [each.name for each in twice.tracks] == ["V1", "Barking, final", "A1"]
    assert (twice.tracks[1].enabled, twice.tracks[1].effects[0].effect_name) == (False, "Reverb")


def test_a_sound_goes_back_to_the_track_of_ours_where_it_was_put(again: Run, run: Run) -> None:
    edited = two_shots(run)
    spare = edited.tracks[1].deepcopy()
    spare.name = "spare"
    spare[1] = gap(24)
    edited.tracks[1][3] = gap(24)
    edited.tracks.append(spare)
    twice = again(edited).timeline
    assert (frames_of(twice), frames_of(twice, "spare")) == ([(24, 48, 0)], [(72, 96, 0)])


def test_a_sound_on_somebody_elses_track_stays_there(run: Run) -> None:
    edited = two_shots(run)
    music = clip("music", "m.wav", source=span(0, 12, 24))
    edited.tracks.insert(1, track(gap(24), edited.tracks[1][1].deepcopy(), music, name="A1", kind="Audio"))
    edited.tracks[2][1] = gap(24)
    edited.tracks[1][1].enabled = False
    twice = run(edited, takes=3).timeline
    assert frames_of(twice, "A1") == [(24, 48, 0), (48, 60, 0)]
    assert frames_of(twice) == [(72, 96, 0)]
    assert (twice.tracks[1][1].enabled, len(twice.tracks[1][1].media_references())) == (False, 3)
    cleaned = without_sound_tracks(twice)
    assert [each.name for each in cleaned.tracks] == ["V1", "A1"]
    assert frames_of(cleaned, "A1") == [(48, 60, 0)]


def test_a_sound_leaves_somebody_elses_track_where_its_pictures_have_moved_away(run: Run) -> None:
    edited = two_shots(run)
    edited.tracks.insert(1, track(gap(24), edited.tracks[1][1].deepcopy(), name="A1", kind="Audio"))
    edited.tracks[2][1] = gap(24)
    edited.tracks[0].insert(0, gap(12))
    twice = run(edited).timeline
    assert frames_of(twice, "A1") == []
    assert frames_of(twice) == [(36, 60, 0), (84, 108, 0)]


def test_a_sound_in_a_nest_stays_there(run: Run) -> None:
    edited = two_shots(run)
    nest = otio.schema.Stack("nest", children=[track(edited.tracks[1][1].deepcopy(), name="in", kind="Audio")])
    edited.tracks.append(track(gap(24), nest, name="A1", kind="Audio"))
    edited.tracks[1][1] = gap(24)
    twice = run(edited).timeline
    assert frames_of(twice, "A1") == [(24, 48, 0)]
    assert frames_of(twice) == [(72, 96, 0)]
    assert not any(is_ours(each) for each in without_sound_tracks(twice).find_clips())


def test_all_sounds_on_one_set_of_tracks(run: Run) -> None:
    cut = timeline(track(shot("a", notes=["v2s:sound=drum"]), shot("b")))
    single = run(cut, tracks="single").timeline
    assert [each.name for each in single.tracks] == ["V1", "V2S"]
    assert frames_of(single, "V2S") == [(0, 24, 0), (24, 48, 0)]
    single.tracks[1].name = "Foley"
    again = run(single, tracks="single").timeline
    assert [each.name for each in again.tracks] == ["V1", "Foley"]
    apart = run(single).timeline
    assert [each.name for each in apart.tracks] == ["V1", "V2S dog", "V2S drum"]


# ---- a run on a part of the clips


def test_sounds_of_clips_that_are_left_out_stay_as_they_are(again: Run, run: Run) -> None:
    edited = two_shots(run)
    edited.tracks[1][1].enabled = False
    before = edited.tracks[1][1].to_json_string()
    result = again(edited, selection=Selection.parse(["clip=b"]), sound="drum", seed=9, takes=1)
    twice = result.timeline
    assert [each.name for each in twice.tracks] == ["V1", "V2S dog", "V2S drum"]
    assert (frames_of(twice), frames_of(twice, "V2S drum")) == ([(24, 48, 0)], [(72, 96, 0)])
    assert twice.tracks[1][1].to_json_string() == before


def test_one_of_two_uses_of_a_shot_is_left_out(again: Run, run: Run) -> None:
    edited = run(timeline(track(shot("a"), gap(24), shot("a")))).timeline
    twice = again(edited, selection=Selection.parse(["range=0s-1s"]), sound="drum").timeline
    assert (frames_of(twice), frames_of(twice, "V2S drum")) == ([(48, 72, 0)], [(0, 24, 0)])


def test_sounds_that_are_left_out_follow_their_pictures_in_a_new_cut(run: Run) -> None:
    edited = two_shots(run)
    recut = timeline(track(gap(36), shot("a"), gap(24), shot("b")))
    twice = run(recut, earlier=edited, selection=Selection.parse(["clip=b"])).timeline
    assert frames_of(twice) == [(36, 60, 0), (84, 108, 0)]
    assert frames_of(run(recut, earlier=twice).timeline) == [(36, 60, 0), (84, 108, 0)]


# ---- what no run may lose or trip over


def test_sounds_whose_pictures_are_gone_are_named(again: Run, run: Run) -> None:
    edited = two_shots(run)
    edited.tracks[0][1] = gap(24)
    result = again(edited)
    assert frames_of(result.timeline) == [(72, 96, 0)]
    assert [(each.clip.name, each.where) for each in result.dropped] == [("a (dog)", "V2S dog at 1.000 s")]


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats() | st.text(max_size=8)
    | st.sampled_from(["1/0", "9" * 40, "-1", "1/3", "1e999999999", "take 1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
# No file holds a plain dictionary with this key: OpenTimelineIO takes it for an object, and cannot copy one without.
NAMES = st.text(max_size=12).filter(lambda name: name != "OTIO_SCHEMA")
FACTS = ["key", "subject", "stretch", "takes", "placed", "name", "sound", "bundle_digest", "call_seed"]


@settings(deadline=None)
@given(damage=st.dictionaries(st.sampled_from(FACTS), JUNK), inner=st.dictionaries(NAMES, JUNK))
def test_damaged_metadata_of_ours_break_nothing(damage: dict[str, Any], inner: dict[str, Any]) -> None:
    cut = timeline(track(shot("a"), shot("b")))
    edited = with_sound_tracks(cut, _sounds(cut), ClipStyle(BUNDLE, "plain", Path("/nowhere"))).timeline
    for ours in our_clips(edited):
        ours.metadata["v2s"].update(damage)
        for name in ("placed", "takes"):
            if hasattr(ours.metadata["v2s"].get(name), "update"):
                ours.metadata["v2s"][name].update(inner)
    assert usual_device([edited], BUNDLE.digest) in (None, "cpu")
    assert set(known_takes(edited, Path("/nowhere"))) == set()
    assert len(list_sounds(edited)) == len(list(our_clips(edited)))
    assert find_orphans(Path("/nowhere"), [edited]) == ()
    style = ClipStyle(BUNDLE, "plain", Path("/nowhere"))
    twice = with_sound_tracks(edited, _sounds(cut), style).timeline
    assert len(list(our_clips(twice))) == 2
    assert without_sound_tracks(twice).to_json_string() == cut.to_json_string()


def _sounds(cut: Any) -> list[ScoredJob]:
    """The sounds of a timeline whose media nobody looks at."""
    here = Path(__file__)
    for each in cut.find_clips():
        each.media_reference.target_url = str(here)
    jobs = plan(cut, here.parent, options(sound="dog"), probe=fake_probe).jobs
    return [ScoredJob(job, (TakeFile(1, Path("/nowhere/x.wav"), "1", 48_000, 48_000),)) for job in jobs]
