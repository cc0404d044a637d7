"""`--map`: classes by clip and file names, first row that fits, and errors with their lines."""

from pathlib import Path
from typing import Any

import pytest

from tests.plugin.cuts import clip, fake_probe, options, span, timeline, track
from v2s_engine.errors import UsageError
from v2s_plugin.planning.class_map import ClassMap, read_class_map
from v2s_plugin.planning.jobs import Plan, plan


def written(folder: Path, text: str, encoding: str = "utf-8") -> ClassMap:
    path = folder / "classes.csv"
    path.write_text(text, encoding=encoding)
    return read_class_map(path)


def planned(folder: Path, text: str, *names: str, **given: Any) -> Plan:
    """A plan of clips with these names; their files are `name.mp4`."""
    shots = []
    for name in names:
        (folder / f"{name}.mp4").touch()
        shots.append(clip(name, f"{name}.mp4", source=span(0, 24, 24), notes=given.pop("notes", ())))
    return plan(timeline(track(*shots)), folder, options(class_map=written(folder, text), **given), probe=fake_probe)


def test_the_first_row_that_fits_decides(tmp_path: Path) -> None:
    found = planned(tmp_path, "shot_1*,dog\nshot_*,drum\n", "shot_11", "shot_2")
    assert [(job.label, job.sound_class) for job in found.jobs] == [("shot_11", "dog"), ("shot_2", "drum")]
    assert found.warnings == ()


def test_a_row_fits_the_media_files_name_too_and_capitals_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "A001 Cam.MOV").touch()
    shot = clip("interview", "file://localhost/" + str(tmp_path / "A001%20Cam.MOV").lstrip("/"), source=span(0, 24, 24))
    found = plan(
        timeline(track(shot)), tmp_path, options(class_map=written(tmp_path, "a001 cam.*,dog\n")), probe=fake_probe
    )
    assert [job.sound_class for job in found.jobs] == ["dog"]


def test_several_classes_are_several_jobs(tmp_path: Path) -> None:
    assert [job.sound_class for job in planned(tmp_path, "a,dog | drum|dog\n", "a").jobs] == ["dog", "drum"]


@pytest.mark.parametrize("word", ["skip", "", "SKIP"])
def test_a_row_may_say_that_a_clip_is_not_to_sound_which_beats_the_default(tmp_path: Path, word: str) -> None:
    found = planned(tmp_path, f"# titles stay silent\npattern,sound\ntitle*,{word}\n", "title 1", "b", sound="dog")
    assert [job.label for job in found.jobs] == ["b"]
    assert [(skip.label, skip.reason) for skip in found.skips] == [
        ("title 1", "classes.csv line 3 says not to sound it")
    ]


def test_a_note_on_the_clip_comes_before_the_map_and_the_map_before_the_default(tmp_path: Path) -> None:
    found = planned(tmp_path, "*,drum\n", "a", "b", sound="dog", notes=["v2s:sound=dog"])
    assert [job.sound_class for job in found.jobs] == ["dog", "drum"]


def test_a_spreadsheets_file_is_read_with_mark_header_quotes_and_empty_lines(tmp_path: Path) -> None:
    rows = written(tmp_path, 'Pattern,Sound\r\n\r\n"a, b*",dog\r\nköter*,dog\r\n', "utf-8-sig").rows
    assert [(row.line, row.pattern, row.sound_classes) for row in rows] == [
        (3, "a, b*", ("dog",)),
        (4, "köter*", ("dog",)),
    ]


def test_semicolons_of_a_spreadsheet_that_writes_numbers_with_a_comma(tmp_path: Path) -> None:
    rows = written(tmp_path, "# Töne\nPattern;Sound\na, b*;dog|drum\nc;skip\n").rows
    assert [(row.pattern, row.sound_classes) for row in rows] == [("a, b*", ("dog", "drum")), ("c", ())]


def test_a_name_with_brackets_fits_itself(tmp_path: Path) -> None:
    assert written(tmp_path, "shot[1].mov,dog\n").row_for(["shot[1].mov"]) is not None


def test_rows_that_decide_nothing_are_told(tmp_path: Path) -> None:
    found = planned(tmp_path, "a*,dog\nab,drum\nzebra,dog\n", "ab")
    assert found.warnings == (
        "classes.csv line 2: 'ab' fits no clip that a row above it does not fit",
        "classes.csv line 3: 'zebra' fits no clip that a row above it does not fit",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,dog\nb\n", "classes.csv line 2: 1 cells .b.; wanted: pattern,sound"),
        ("a,dog,loud\n", "classes.csv line 1: 3 cells"),
        ("a,dog\n,dog\n", "line 2: the pattern is empty"),
        ("a,dog|\n", "line 1: 'dog|' names an empty class"),
        ('a,"dog\n', "classes.csv line 1: .*; wanted: pattern,sound"),
        ("pattern,sound\n# nothing\n", "holds no rows"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("|", r"\|")):
        written(tmp_path, text)


def test_a_class_that_the_bundle_lacks_is_told_before_anything_is_planned(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"classes\.csv line 2: the bundle has no sound class 'cat'; it has: dog, drum"
    ):
        options(class_map=written(tmp_path, "a,dog\nb,drum|cat\n"))


def test_a_file_that_is_not_there_or_no_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read the map .*gone\.csv: No such file"):
        read_class_map(tmp_path / "gone.csv")
    (tmp_path / "table.csv").write_bytes(b"a\xff\xfe,dog")
    with pytest.raises(UsageError, match="is not UTF-8 text; save the map as CSV UTF-8"):
        read_class_map(tmp_path / "table.csv")
