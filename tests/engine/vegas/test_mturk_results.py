import string
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engine.vegas.turk import (
    assignment,
    batches_in,
    change,
    export_text,
    make_project,
    query,
    write_export,
)
from v2s_engine.errors import UsageError, V2SError
from v2s_engine.progress import Progress, ProgressEvent
from v2s_engine.vegas.mturk.dates import utc_time
from v2s_engine.vegas.mturk.result_file import read_result_file
from v2s_engine.vegas.mturk.results import ResultOptions, ResultsImported, annotator_name, import_results
from v2s_engine.vegas.store import Project

YES = ("yes", "yes", "no", "no", "yes")
VOTES = "SELECT piece_id, modality, annotator, present FROM votes ORDER BY 1, 2, 3"
ALL_VOTES = "SELECT * FROM votes ORDER BY 1, 2, 3"
VOTES_IN_HITS = (
    "SELECT q.token, v.annotator, v.present FROM votes v JOIN mturk_questions q USING (piece_id) "
    "JOIN mturk_hits h ON h.hit = q.hit AND h.modality = v.modality"
)

Row = dict[str, str]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "project", {"dog": 2})


@pytest.fixture
def batch(project: Project, tmp_path: Path) -> list[Row]:
    """Two HITs of five about the pictures, then two about the sounds."""
    return batches_in(project, tmp_path / "out")


@pytest.fixture
def take(project: Project, tmp_path: Path) -> Callable[..., ResultsImported]:
    def taken(*rows: Row, name: str = "results.csv", **how: Any) -> ResultsImported:
        return import_results(project, ResultOptions((write_export(tmp_path / name, rows, **how),)), Progress())

    return taken


def name_of(project: Project, worker: str) -> str:
    with project.connect() as connection:
        return annotator_name(connection, worker)


def reasons(result: ResultsImported) -> list[tuple[int | None, str]]:
    return [(note.line, note.reason) for note in result.notes]


def test_three_workers_give_three_votes_each_with_its_source(
    project: Project, batch: list[Row], take: Callable[..., ResultsImported]
) -> None:
    result = take(*(assignment(batch[0], f"W{n}", YES) for n in range(3)))
    assert (result.votes, result.assignments, result.changed, result.open_hits) == (15, 3, 3, 3)
    assert result.notes == ()
    tokens = dict(query(project, "SELECT token, piece_id FROM mturk_questions"))
    piece = tokens[batch[0]["piece_3"]]
    assert query(project, "SELECT * FROM votes WHERE piece_id = ? ORDER BY line", piece) == [
        (piece, "picture", name_of(project, f"W{n}"), 0, "results.csv", line, "2026-03-02T18:06:00+00:00")
        for n, line in enumerate((2, 4, 6))  # each row has a line break in its comment
    ]


def test_no_worker_id_is_kept_and_names_differ_between_projects(
    project: Project, batch: list[Row], take: Callable[..., ResultsImported], tmp_path: Path
) -> None:
    take(assignment(batch[0], "A1B2C3D4E5", YES), assignment(batch[1], "A1B2C3D4E5", ("sometimes",)))
    assert b"A1B2C3D4E5" not in project.database.read_bytes().replace(b"3ASGA1B2C3D4E5", b"")
    ((name, count),) = query(project, "SELECT annotator, count(*) FROM votes GROUP BY 1")
    assert (name, count) == (name_of(project, "A1B2C3D4E5"), 5)
    assert name.startswith("mturk:")
    assert name_of(make_project(tmp_path / "other", {"dog": 1}), "A1B2C3D4E5") != name


def test_the_same_results_again_change_nothing(
    project: Project, batch: list[Row], take: Callable[..., ResultsImported]
) -> None:
    rows = [assignment(batch[0], "W1", YES), assignment(batch[0], "W2", YES, AssignmentStatus="Rejected")]
    take(*rows)
    tables = ("SELECT * FROM votes", "SELECT * FROM mturk_assignments", "SELECT * FROM notes")
    before = [query(project, table) for table in tables]
    again = take(*rows)
    assert (again.votes, again.changed, again.assignments) == (0, 0, 2)
    assert [query(project, table) for table in tables] == before
    take(*rows, name="copy.csv")
    assert query(project, "SELECT DISTINCT source FROM votes") == [("results.csv",)]
    assert [query(project, table) for table in tables[:2]] == before[:2]


def test_a_later_export_adds_what_is_new(
    project: Project, batch: list[Row], take: Callable[..., ResultsImported]
) -> None:
    rows = [assignment(batch[0], f"W{n}", YES) for n in range(4)]
    take(*rows[:1])
    later = take(*rows, name="later.csv")
    assert (later.votes, later.changed, later.assignments) == (15, 3, 4)
    assert len(query(project, VOTES)) == 20  # four assignments of one HIT: all count


def test_rejected_work_does_not_count_and_counts_again_when_approved(
    project: Project, batch: list[Row], take: Callable[..., ResultsImported]
) -> None:
    take(assignment(batch[0], "W1", YES))
    assert len(query(project, VOTES)) == 5
    rejected = take(assignment(batch[0], "W1", YES, AssignmentStatus="Rejected"))
    assert (rejected.rejected, rejected.votes) == (1, 5)
    assert reasons(rejected) == [(2, "the assignment was rejected; its answers do not count")]
    assert query(project, VOTES) == []
    take(assignment(batch[0], "W1", YES, AssignmentStatus="Rejected", Approve="x"))
    assert len(query(project, VOTES)) == 5
    take(assignment(batch[0], "W1", YES, Reject="Answers at random, sorry"))
    assert query(project, VOTES) == []
    both = take(assignment(batch[0], "W1", YES, Approve="x", Reject="x"))
    assert "both Approve and Reject" in both.notes[0].reason


def test_a_worker_has_one_vote_on_a_piece_the_first_submitted(
    project: Project, batch: list[Row], take: Callable[..., ResultsImported], tmp_path: Path
) -> None:
    again = batches_in(project, tmp_path / "out", again=True)[0]
    assert again["url_1"] == batch[0]["url_1"]
    late = {"SubmitTime": "Tue Mar 03 10:06:00 PST 2026"}
    no = ("no",) * 5
    result = take(
        assignment(again, "W1", no, **late),
        assignment(batch[0], "W1", YES),
        assignment(batch[0], "W1", no, AssignmentId="3OTHER", **late),
    )
    assert len(query(project, VOTES)) == 5
    assert sum(row[3] for row in query(project, VOTES)) == 3
    assert sorted(line or 0 for line, _ in reasons(result)) == [2] * 5 + [6] * 5
    assert {reason.split("piece before ")[1] for _, reason in reasons(result)} == {
        "in another HIT (results.csv, line 4); the first answer holds",
        "in the same HIT (results.csv, line 4); the first answer holds",
    }


def test_a_gold_piece_met_again_is_nothing_odd_and_its_first_answer_holds(
    project: Project, take: Callable[..., ResultsImported], tmp_path: Path
) -> None:
    change(project, "INSERT INTO gold SELECT min(id), 'picture', 1 FROM pieces")
    first, second = batches_in(project, tmp_path / "out", pieces=6)[:2]
    (gold,) = {first[f"url_{n}"] for n in range(1, 7)} & {second[f"url_{n}"] for n in range(1, 7)} - {"none"}
    late = {"SubmitTime": "Tue Mar 03 10:06:00 PST 2026"}
    result = take(assignment(first, "W1", ["yes"] * 6), assignment(second, "W1", ["no"] * 6, **late))
    assert result.notes == ()
    token = next(first[f"piece_{n}"] for n in range(1, 7) if first[f"url_{n}"] == gold)
    votes = "SELECT v.present FROM votes v JOIN mturk_questions q USING (piece_id) WHERE q.token = ?"
    assert query(project, votes, token) == [(1,)]


def test_the_order_of_files_does_not_matter(project: Project, batch: list[Row], tmp_path: Path) -> None:
    late = {"SubmitTime": "Tue Mar 03 10:06:00 PST 2026", "AssignmentId": "3LATE"}
    first = write_export(tmp_path / "first.csv", [assignment(batch[0], "W1", YES)])
    second = write_export(tmp_path / "second.csv", [assignment(batch[0], "W1", ("no",) * 5, **late)])
    import_results(project, ResultOptions((first, second)), Progress())
    votes = query(project, ALL_VOTES)
    change(project, "DELETE FROM votes")
    change(project, "DELETE FROM mturk_answers")
    change(project, "DELETE FROM mturk_assignments")
    import_results(project, ResultOptions((second, first)), Progress())
    assert query(project, ALL_VOTES) == votes


def test_a_killed_import_goes_on_to_the_same_votes(tmp_path: Path) -> None:
    def prepared(name: str) -> tuple[Project, ResultOptions]:
        made = make_project(tmp_path / name, {"dog": 2})
        rows = batches_in(made, tmp_path / f"out_{name}")
        change(made, "INSERT INTO facts VALUES ('mturk_worker_key', ?)", [('"00"',)])
        files = [
            write_export(
                tmp_path / f"{number}.csv", [assignment(row, "W1", YES), assignment(row, "W1", YES, Reject="x")]
            )
            for number, row in enumerate(rows)
        ]
        return made, ResultOptions(tuple(files))

    def kill(event: ProgressEvent) -> None:
        if event.done == 2:
            raise KeyboardInterrupt

    whole, options = prepared("whole")
    import_results(whole, options, Progress())
    killed, options = prepared("killed")
    with pytest.raises(KeyboardInterrupt):
        import_results(killed, options, Progress(kill))
    assert len(query(killed, VOTES)) == 10
    import_results(killed, options, Progress())
    for rows in (
        ALL_VOTES,
        "SELECT * FROM notes ORDER BY source, line, about",
        "SELECT * FROM mturk_answers ORDER BY 1, 2",
    ):
        assert query(killed, rows) == query(whole, rows)


def test_odd_rows_are_noted_with_the_line_on_which_they_begin(
    project: Project, batch: list[Row], take: Callable[..., ResultsImported]
) -> None:
    row = batch[0]
    result = take(
        assignment(row, "W1", YES),  # lines 2 and 3
        assignment(row, "W1", YES),
        assignment(row, "W2", YES, SubmitTime="Mon Mar 02 10:06:00 CET 2026"),
        assignment(row, "W3", YES, SubmitTime="Mon Feb 30 10:06:00 PST 2026"),
        assignment(row, "W4", YES, WorkerId=""),
        assignment(row, "W5", YES, AssignmentStatus="Lost"),
        assignment(row, "W6", YES, **{"Input.piece_1": "abc"}),
        assignment(row, "W7", YES, **{"Input.piece_1": batch[1]["piece_1"]}),
        assignment(row, "W8", ("Yes ", "maybe", "", "unplayable", "yes|no")),
        assignment(row, "W9", YES, **{f"Input.piece_{n}": "none" for n in range(1, 6)}),
    )
    said = {line: reason for line, reason in reasons(result) if line != 18}
    assert "stands on line 2 already" in said[4]
    assert "time zone CET; wanted one of PST, PDT, UTC, GMT" in said[6]
    assert "day is out of range" in said[8]
    assert "WorkerId ''" in said[10]
    assert "AssignmentStatus 'Lost'; wanted Submitted, Approved or Rejected" in said[12]
    assert "unknown piece" in said[14]
    assert "different HITs" in said[16]
    assert "wanted each piece once" in said[20]
    assert [reason.split(" (assignment")[0] for line, reason in reasons(result) if line == 18] == [
        "the answer is 'maybe'", "the answer is ''", "could not be played", "the answer is 'yes|no'",
    ]  # fmt: skip
    by_worker = dict(query(project, "SELECT annotator, count(*) FROM votes GROUP BY 1"))
    assert by_worker == {name_of(project, "W1"): 5, name_of(project, "W6"): 4, name_of(project, "W8"): 1}
    assert query(project, "SELECT count(*) FROM notes WHERE source = 'results.csv'") == [(len(result.notes),)]


def test_rows_that_do_not_fit_their_headings_are_left_out(project: Project, batch: list[Row], tmp_path: Path) -> None:
    good = [assignment(batch[0], f"W{n}", YES) for n in range(3)]
    lines = export_text(good).replace("\nin back", " in back").splitlines()
    lines[1] += ',"","","surplus"'
    lines[2] = lines[2].rsplit(",", 3)[0]
    file = tmp_path / "results.csv"
    file.write_text("\n".join(lines))
    result = import_results(project, ResultOptions((file,)), Progress())
    assert [(line, reason.split(";")[1]) for line, reason in reasons(result)] == [
        (2, " mend its commas and quotes"), (3, " mend its commas and quotes"),
    ]  # fmt: skip
    assert query(project, "SELECT DISTINCT annotator FROM votes") == [(name_of(project, "W2"),)]


def test_a_quote_that_is_never_closed_costs_only_what_it_swallows(
    project: Project, batch: list[Row], tmp_path: Path
) -> None:
    text = export_text([assignment(batch[0], "W1", YES), assignment(batch[1], "W2", YES)])
    file = tmp_path / "results.csv"
    file.write_text(text + '"3HIT,' + "x" * 200_000 + "\r\n", newline="")
    result = import_results(project, ResultOptions((file,)), Progress())
    assert [line for line, _ in reasons(result)] == [6]
    assert "field larger than field limit" in result.notes[0].reason
    assert len(query(project, VOTES)) == 10


def test_columns_may_stand_in_any_order_and_unknown_ones_too(
    project: Project, batch: list[Row], tmp_path: Path
) -> None:
    row = assignment(batch[0], "W1", YES, **{"Input.extra": "é", "Answer.mood": "fine"})
    header = ["Reject", "Approve", *sorted(row, reverse=True)]
    file = write_export(tmp_path / "results.csv", [row], header=header, short=False)
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert import_results(project, ResultOptions((file,)), Progress()).notes == ()
    assert len(query(project, VOTES)) == 5


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("AssignmentId", "lacks the columns AssignmentId;"),
        ("WorkerId", "lacks the columns WorkerId;"),
        ("SubmitTime", "lacks the columns SubmitTime;"),
        ("Answer.answer_2", "lacks the columns Answer.answer_2;"),
    ],
)
def test_missing_columns_are_named(batch: list[Row], tmp_path: Path, name: str, says: str) -> None:
    row = assignment(batch[0], "W1", YES)
    header = [each for each in (*row, "Approve", "Reject") if each != name]
    file = write_export(tmp_path / "results.csv", [row], header=header)
    with pytest.raises(UsageError, match=says):
        read_result_file(file)


def test_results_of_other_questions_are_refused_by_what_they_lack(project: Project, shared: Path) -> None:
    example = shared / "audioset" / "mturk_synthetic_example.csv"
    if not example.exists():
        pytest.skip(f"no example of an export at {example}")
    with pytest.raises(UsageError, match=r"lacks the columns Input\.piece_1, Answer\.answer_1; it has: HITId"):
        import_results(project, ResultOptions((example,)), Progress())


def test_the_layout_of_a_real_export_is_read(project: Project, batch: list[Row], shared: Path, tmp_path: Path) -> None:
    """The example's file with our columns for its own: its line ends, quotes, missing values and marks stay."""
    example = shared / "audioset" / "mturk_synthetic_example.csv"
    if not example.exists():
        pytest.skip(f"no example of an export at {example}")
    text = example.read_bytes().decode()
    text = text.replace("Input.video_url", "Input.piece_1").replace(
        "Answer.audio_matches.label", "Answer.answer_1.label"
    )
    tokens = query(project, "SELECT token, piece_id FROM mturk_questions WHERE hit IN (SELECT hit FROM mturk_hits)")
    for number in range(8):
        text = text.replace(f"https://example.invalid/clip_{number:02d}.mp4", tokens[number][0])
    file = tmp_path / "results.csv"
    file.write_bytes(text.encode())
    result = import_results(project, ResultOptions((file,)), Progress())
    lines = text.split("\n")
    rejected = [n for n, line in enumerate(lines, 1) if '"Rejected"' in line]
    unsure = [n for n, line in enumerate(lines, 1) if '"Unsure"' in line and n not in rejected]
    assert [line for line, reason in reasons(result) if "was rejected" in reason] == rejected
    assert [line for line, reason in reasons(result) if "'unsure'" in reason] == unsure
    assert len(reasons(result)) == len(rejected) + len(unsure)
    assert result.assignments == text.count("3SYNTHTYPE") == 24
    assert len(query(project, VOTES)) == 24 - len(rejected) - len(unsure)


@pytest.mark.parametrize(
    "answers",
    [
        lambda place, answer: {f"Answer.answer_{place}": answer.upper()},
        lambda place, answer: {f"Answer.answer_{place}.label": answer},
        lambda place, answer: {f"Answer.answer_{place}.{each}": str(each == answer).lower() for each in ("yes", "no")},
        lambda place, answer: {
            "Answer.taskAnswers": "[{"
            + ",".join(f'"answer_{n}": {{"no": {str(a == "no").lower()}, "yes": {str(a == "yes").lower()}}}'
                       for n, a in enumerate(YES, 1))
            + "}]"
        },
    ],
    ids=["plain", "label", "flattened", "json"],
)  # fmt: skip
def test_answers_of_every_kind_of_form(
    project: Project, batch: list[Row], take: Callable[..., ResultsImported], answers: Callable[[int, str], Row]
) -> None:
    row = assignment(batch[0], "W1", ())
    for place, answer in enumerate(YES, 1):
        row |= answers(place, answer)
    assert take(row).notes == ()
    assert sorted(query(project, VOTES_IN_HITS)) == sorted(
        (batch[0][f"piece_{n}"], name_of(project, "W1"), int(answer == "yes")) for n, answer in enumerate(YES, 1)
    )


def test_dates_of_exports_are_told_in_utc() -> None:
    assert utc_time("Mon Mar 02 10:06:00 PST 2026") == "2026-03-02T18:06:00+00:00"
    assert utc_time("Wed Jul 01 23:30:05 PDT 2026") == "2026-07-02T06:30:05+00:00"
    assert utc_time(" Sun Nov 1 01:30:00 UTC 2026 ") == "2026-11-01T01:30:00+00:00"
    for wrong, says in {
        "": "is no date",
        "2026-03-02": "is no date; wanted one such as",
        "Tue Mar 02 10:06:00 PST 2026": "that day is a Mon",
        "Mon Mär 02 10:06:00 PST 2026": "is no date",
        "Mon Mar 02 25:06:00 PST 2026": "hour must be in",
        "Mon Mar 02 10:06:00 AEST 2026": "in time zone AEST",
        "Fri Dec 31 23:00:00 PST 9999": "is no date",
        "Mon Jan 01 00:00:00 UTC 0000": "is no date",
    }.items():
        with pytest.raises(ValueError, match=says):
            utc_time(wrong)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_read_or_refused(data: bytes, headed: bool) -> None:
    header = b"AssignmentId,WorkerId,AssignmentStatus,SubmitTime,Input.piece_1,Answer.answer_1,Answer.taskAnswers\n"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "results.csv"
        file.write_bytes(header + data if headed else data)
        try:
            read = read_result_file(file)
        except V2SError:
            assert not headed
        else:
            assert all(note.line and note.line > 1 for note in read.notes)


WORKERS = [f"W{letter}" for letter in string.ascii_uppercase[:6]]
COMMENTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@st.composite
def work(draw: st.DrawFn) -> list[tuple[int, str, list[str], str, bool, str]]:
    """HIT, worker, answers, decision, whether the row is short, comment; each worker once per HIT."""
    pairs = draw(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(WORKERS)), min_size=1, max_size=10, unique=True))
    answers = st.lists(st.sampled_from(["yes", "no", "No", "maybe", "", "unplayable"]), min_size=5, max_size=5)
    decision = st.sampled_from(["Submitted", "Approved", "Rejected", "x", "rejected with x"])
    return [(hit, worker, draw(answers), draw(decision), draw(st.booleans()), draw(COMMENTS)) for hit, worker in pairs]


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[Row]]:
    """The database of a project whose secret is known, and its batches."""
    folder = tmp_path_factory.mktemp("sent")
    project = make_project(folder / "project", {"dog": 2})
    rows = batches_in(project, folder / "out")
    change(project, "INSERT INTO facts VALUES ('mturk_worker_key', ?)", [('"00"',)])
    return project.database.read_bytes(), rows


@settings(max_examples=40, deadline=None)
@given(work(), st.randoms(use_true_random=False), st.sampled_from(["\r\n", "\n"]), st.integers(1, 3))
def test_votes_come_back_exactly_whatever_the_export_looks_like(
    sent: tuple[bytes, list[Row]],
    done: list[tuple[int, str, list[str], str, bool, str]],
    random: Any,
    newline: str,
    times: int,
) -> None:
    database, batch = sent
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = Project(folder)
        project.database.write_bytes(database)
        rows: list[Row] = []
        wanted: set[tuple[str, str, int]] = set()
        for hit, worker, answers, decision, short, comment in done:
            marks = {"x": {"Approve": "x", "Reject": ""}, "rejected with x": {"Approve": "", "Reject": "too fast"}}
            status = decision if decision in ("Submitted", "Approved", "Rejected") else "Submitted"
            row = assignment(batch[hit], worker, answers, AssignmentStatus=status, **{"Answer.comment": comment})
            rows.append(row | marks.get(decision, {} if short else {"Approve": "", "Reject": ""}))
            if decision not in ("Rejected", "rejected with x"):
                wanted |= {
                    (batch[hit][f"piece_{place}"], name_of_key(worker), int(answer == "yes"))
                    for place, answer in enumerate(answers, 1)
                    if answer.lower() in ("yes", "no")
                }
        columns = list(dict.fromkeys(name for row in rows for name in row if name not in ("Approve", "Reject")))
        random.shuffle(columns)
        text = export_text(rows, header=[*columns, "Approve", "Reject"])
        file = folder / "results.csv"
        file.write_bytes(random.choice([b"", b"\xef\xbb\xbf"]) + text.replace("\r\n", newline).encode())
        for _ in range(times):
            import_results(project, ResultOptions((file,)), Progress())
        assert sorted(query(project, VOTES_IN_HITS)) == sorted(wanted)


def name_of_key(worker: str) -> str:
    """What a worker is called in a project whose secret is the one byte 0."""
    import hashlib
    import hmac

    return f"mturk:{hmac.new(bytes(1), worker.encode(), hashlib.sha256).hexdigest()[:16]}"
