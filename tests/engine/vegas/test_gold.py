from pathlib import Path

import pytest

from tests.engine.vegas.turk import change, make_project, query, read_rows
from v2s_engine.errors import OutputError, UsageError
from v2s_engine.progress import Progress
from v2s_engine.vegas.gold import GoldOptions, GoldRead, GoldSampleOptions, read_gold, sample_gold
from v2s_engine.vegas.store import Project

GOLD = "SELECT p.video_id, p.ordinal, g.modality, g.present FROM gold g JOIN pieces p ON p.id = g.piece_id"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "project", {"dog": 6, "drum": 2})


def read(project: Project, text: str) -> GoldRead:
    file = project.folder / "gold.csv"
    file.write_text(text, encoding="utf-8", newline="")
    return read_gold(project, GoldOptions(file), Progress())


def test_answers_are_taken_over_and_blanks_are_none(project: Project) -> None:
    result = read(project, "video_id,ordinal,picture,sound\n-dog_00,0,yes,NO\n-dog_01,4, ,yes\n-dog_02,1,,\n")
    assert sorted(query(project, GOLD)) == [
        ("-dog_00", 0, "picture", 1),
        ("-dog_00", 0, "sound", 0),
        ("-dog_01", 4, "sound", 1),
    ]
    assert result == GoldRead(added=3, changed=0, known=0, blank=1, notes=())


def test_a_second_call_changes_nothing_and_a_corrected_answer_replaces(project: Project) -> None:
    text = "sound,picture,ordinal,video_id,why\nyes,no,0,-dog_00,\n"
    read(project, text)
    again = read(project, text)
    assert (again.added, again.changed, again.known) == (0, 0, 2)
    corrected = read(project, text.replace("yes,no", "no,no"))
    assert (corrected.added, corrected.changed, corrected.known) == (0, 1, 1)
    assert ("-dog_00", 0, "sound", 0) in query(project, GOLD)


def test_bad_rows_are_noted_with_their_line_and_the_rest_goes_on(project: Project) -> None:
    result = read(
        project,
        "\ufeffvideo_id,ordinal,picture,sound,remark\r\n"
        '-dog_00,0,yes,yes,"two\r\nlines"\r\n'
        "../../etc,0,yes,yes,\r\n"
        "-dog_00,1,maybe,yes,\r\n"
        "\r\n"
        "-dog_00,99,yes,yes,\r\n"
        "-dog_00,-1,yes,yes,\r\n"
        "-dog_00,²,yes,yes,\r\n"
        "-dog_00,0,no,no,\r\n"
        "-dog_01,0,no,\r\n",
    )
    assert {note.line: note.about for note in result.notes} == {
        4: "../../etc", 5: "-dog_00", 7: "-dog_00", 8: "-dog_00", 9: "-dog_00", 10: "-dog_00",
    }  # fmt: skip
    assert "'maybe'; write yes, no or nothing" in result.notes[1].reason
    assert len(query(project, GOLD)) == 3
    assert query(project, "SELECT count(*) FROM notes WHERE step = 'annotate' AND source = 'gold.csv'") == [(6,)]


def test_missing_columns_are_named(project: Project) -> None:
    with pytest.raises(UsageError, match=r"gold\.csv lacks the columns ordinal, sound; it has: video_id, picture"):
        read(project, "video_id,picture\na,yes\n")
    with pytest.raises(UsageError, match="cannot read"):
        read_gold(project, GoldOptions(project.folder), Progress())


def test_a_sample_has_so_many_pieces_of_each_category_by_seed(project: Project, tmp_path: Path) -> None:
    def drawn(name: str, count: int, seed: int) -> list[tuple[str, str]]:
        sample = sample_gold(project, GoldSampleOptions(tmp_path / name, count, seed), Progress())
        rows = read_rows(sample.output)
        assert {row["picture"] + row["sound"] for row in rows} == {""}
        assert sample.counts == {"dog": min(count, 30), "drum": min(count, 10)}
        return [(row["video_id"], row["ordinal"]) for row in rows]

    twelve = drawn("a.csv", 12, 0)
    assert len(twelve) == 22
    assert drawn("b.csv", 12, 0) == twelve
    assert drawn("c.csv", 12, 1) != twelve
    assert set(drawn("d.csv", 8, 0)) < set(twelve)


def test_a_filled_sample_comes_back_as_gold_and_known_answers_stand_in_the_next(
    project: Project, tmp_path: Path
) -> None:
    sample = sample_gold(project, GoldSampleOptions(tmp_path / "a.csv", 3), Progress())
    text = sample.output.read_text()
    read(project, text.replace(",,,", ",yes,no,"))
    assert query(project, "SELECT modality, present, count(*) FROM gold GROUP BY 1, 2") == [
        ("picture", 1, 6), ("sound", 0, 6),
    ]  # fmt: skip
    again = sample_gold(project, GoldSampleOptions(tmp_path / "b.csv", 3), Progress())
    assert {(row["picture"], row["sound"]) for row in read_rows(again.output)} == {("yes", "no")}


def test_an_experts_file_is_never_overwritten(project: Project, tmp_path: Path) -> None:
    options = GoldSampleOptions(tmp_path / "a.csv", 3)
    sample_gold(project, options, Progress())
    with pytest.raises(OutputError, match="perhaps with answers"):
        sample_gold(project, options, Progress())
    with pytest.raises(UsageError, match="wanted 1 or more"):
        sample_gold(project, GoldSampleOptions(tmp_path / "b.csv", 0), Progress())
    change(project, "DELETE FROM pieces")
    with pytest.raises(UsageError, match="v2s vegas segment first"):
        sample_gold(project, GoldSampleOptions(tmp_path / "b.csv", 3), Progress())
