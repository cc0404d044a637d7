"""What an editor does to a scored cut in a real Blender, and what making sounds again leaves of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.blender.conftest import FAKE, Blender

pytestmark = pytest.mark.programs


def places(told: dict[str, Any]) -> list[tuple[int, int]]:
    """First frame and the one after the last of each of our sounds."""
    return [(strip["start"], strip["end"]) for strip in told["strips"] if strip["record"]]


def sounds(told: dict[str, Any]) -> list[dict[str, Any]]:
    return [strip for strip in told["strips"] if strip["record"]]


@pytest.fixture
def recut(blender: Blender, media: dict[str, str], folder: str) -> Any:
    def run(edit: str, **settings: Any) -> dict[str, Any]:
        told = blender.run(
            "recut", script="recuts.py", media=media, folder=folder, edit=edit, settings={"scope": "ALL", **settings}
        )
        assert places(told["before"]) == [(101, 221)]
        return dict(told)

    return run


@pytest.mark.parametrize(
    ("edit", "wanted"),
    [
        ("trim_both", [(111, 201)]),
        ("trim_and_move_both", [(141, 231)]),
        ("cut_both_and_move_the_second_half", [(101, 190), (220, 251)]),
        ("move_both", [(131, 251)]),
    ],
)
def test_what_is_done_to_picture_and_sound_alike_is_done_once(recut: Any, edit: str, wanted: Any) -> None:
    told = recut(edit)
    assert places(told["edited"]) == wanted
    assert places(told["after"]) == wanted


def test_a_sound_that_was_set_off_keeps_its_distance_through_later_moves(recut: Any) -> None:
    assert places(recut("offset_and_ripple")["after"]) == [(145, 265)]


def test_a_trimmed_sound_stays_trimmed_by_as_much_when_the_picture_is_slipped(recut: Any) -> None:
    told = recut("trim_the_sound_and_slip")
    assert places(told["after"]) == places(told["edited"]) == [(126, 201)]


def test_a_copy_keeps_its_own_sound_when_only_its_origin_is_sounded(recut: Any) -> None:
    told = recut("duplicate_and_select_the_first")
    assert places(told["after"]) == [(101, 221), (301, 421)]
    assert [each["volume"] for each in sounds(told["after"])] == [0.25, 0.25]
    assert len({each["record"]["shot"] for each in sounds(told["after"])}) == 2


def test_takes_and_removal_are_for_the_copy_that_is_meant(blender: Blender, media: dict[str, str], folder: str) -> None:
    told = blender.run("copies", script="recuts.py", media=media, folder=folder)
    assert [each["record"]["take"] for each in sounds(told["chosen"])] == [1, 2]
    assert places(told["removed"]) == [(101, 221)]


def test_a_sound_grouped_with_its_picture_stays_in_the_group(recut: Any) -> None:
    told = recut("group_and_move")
    assert told["said"] == "{'FINISHED'}"
    assert [(strip["type"], strip["start"], strip["end"]) for strip in told["after"]["strips"]] == [("META", 151, 271)]


def test_a_speed_control_added_later_does_not_double_the_sound(recut: Any) -> None:
    assert places(recut("slow_down")["after"]) == [(101, 221)]


def test_the_chosen_take_stays_where_fewer_are_asked_for(recut: Any) -> None:
    (sound,) = sounds(recut("choose_the_second_and_ask_for_one", takes=3)["after"])
    assert (sound["record"]["take"], sorted(sound["record"]["takes"])) == (2, ["1", "2", "3"])


def test_a_sound_whose_movie_was_deleted_is_named_where_another_is_made_over_it(recut: Any) -> None:
    told = recut("delete_the_movie")
    assert places(told["after"]) == [(101, 221), (101, 221)]
    (remark,) = told["after"]["remarks"]
    assert remark.startswith("V2S dog: movie: ")
    assert "its movie strip is gone; delete or mute it" in remark


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ("mute_the_channel", "movie: it is muted, or its channel"),
        ("nothing_selected", "no movie strip is selected; select some"),
    ],
)
def test_where_nothing_can_be_sounded_the_reason_is_said(recut: Any, edit: str, said: str) -> None:
    told = recut(edit)
    assert said in told["said"]
    assert told["after"]["strips"] == told["before"]["strips"]


def test_a_movies_own_sound_on_a_muted_channel_is_not_in_the_way(
    blender: Blender, media: dict[str, str], folder: str
) -> None:
    told = blender.run("own_sound_on_a_muted_channel", script="recuts.py", media=media, folder=folder)
    assert told["said"] == "{'FINISHED'}"


def test_takes_are_found_after_the_file_was_saved_elsewhere_and_missing_ones_are_errors(
    blender: Blender, media: dict[str, str], folder: str
) -> None:
    told = blender.run("saved_elsewhere", script="recuts.py", media=media, folder=folder)
    (chosen,), (kept,) = sounds(told["chosen"]), sounds(told["kept"])
    assert chosen["record"]["take"] == 2
    assert chosen["path"].startswith(f"{folder}/v2s/") or "/../" in chosen["path"]
    gone, unknown = told["said"]
    assert "take 1 cannot be read" in gone
    assert "there is no take 4; choose one of 1, 2, 3" in unknown
    assert kept == chosen


@pytest.mark.parametrize(
    ("change", "wanted"),
    [("rename", ("FINISHED", "sound for 1 strip")), ("delete", ("CANCELLED", "the scene has been deleted"))],
)
def test_a_scene_that_changes_during_a_run(
    blender: Blender, media: dict[str, str], folder: str, change: str, wanted: tuple[str, str]
) -> None:
    told = blender.run("during_a_run", script="recuts.py", media=media, folder=folder, change=change)
    result, said = wanted
    assert told["result"] == [result]
    assert said in told["reports"][0]
    assert not told["running"]


def test_a_run_that_is_stopped_before_the_worker_answers_is_no_error(blender: Blender) -> None:
    told = blender.run("stopped_at_once", script="recuts.py", command=[*FAKE, str(blender.log)])
    assert told == {"heard": [], "ended": True, "cancelled": True}


def test_what_the_worker_warns_of_reaches_the_editor(blender: Blender, recut: Any) -> None:
    blender.bake([*FAKE, str(blender.log), "--mode", "warn"])
    assert recut("move_both")["after"]["remarks"] == ["mind this"]


def test_strips_that_are_skipped_alike_are_one_remark(blender: Blender, media: dict[str, str], folder: str) -> None:
    told = blender.run("alike", script="recuts.py", media=media, folder=folder)
    muted, gone = sorted(told["remarks"], reverse=True)
    assert muted.startswith("m0, m1, m2 and 2 more: it is muted")
    assert gone.startswith("gone: Blender cannot read")


def test_a_file_that_was_saved_during_a_run_can_be_sounded_again(blender: Blender, folder: str) -> None:
    assert blender.run("opened_in_the_middle", script="recuts.py", folder=folder) == {"running": False, "stop": False}
