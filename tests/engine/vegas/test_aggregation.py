"""Votes become verdicts: what is kept, whose votes count, what is to be looked at again."""

import csv
import json

import pytest

from tests.engine.vegas.voting import make_gold, make_project, vote
from v2s_engine.errors import CancelledError, OutputError, UsageError
from v2s_engine.progress import Progress
from v2s_engine.vegas.aggregate_figures import PAPER_COUNTS, AggregateFigures
from v2s_engine.vegas.aggregation import AggregateOptions, aggregate_votes
from v2s_engine.vegas.store import read_fact


def aggregate(project, **options):
    return aggregate_votes(project, AggregateOptions(**options), Progress())


def verdicts(project):
    with project.connect() as connection:
        return {row["piece_id"]: dict(row) for row in connection.execute("SELECT * FROM verdicts")}


def second_look(result):
    with result.conflicts.open(encoding="utf-8", newline="") as file:
        return {(row["video_id"], int(row["ordinal"])): row for row in csv.DictReader(file)}


@pytest.fixture
def project(tmp_path):
    """Five pieces of a dog, three of a drum."""
    return make_project(tmp_path / "project", {"dog_video": ("dog", 5), "-drum": ("drum", 3)})


def test_kept_is_what_most_say_is_seen_and_heard(project):
    for piece, (picture, sound) in enumerate([("111", "111"), ("110", "011"), ("111", "100"), ("000", "111")], 1):
        vote(project, piece, picture, sound)
    figures = aggregate(project).figures
    found = verdicts(project)
    assert {piece: row["kept"] for piece, row in found.items()} == {1: 1, 2: 1, 3: 0, 4: 0}
    assert (figures.counts.pieces, figures.counts.labelled) == (8, 4)
    assert (figures.counts.kept, figures.counts.removed, figures.counts.undecided) == (2, 2, 4)
    assert figures.counts.kept_hours == 2 * 2 / 3600
    assert found[2]["picture_for"] == 2
    assert found[2]["picture_votes"] == 3
    assert found[2]["picture_chance"] == pytest.approx(2 / 3)


def test_arithmetic_is_the_papers():
    assert PAPER_COUNTS.kept == 97_817
    assert round(PAPER_COUNTS.kept_hours, 1) == 54.3


def test_fewer_than_three_votes_decide_nothing(project):
    vote(project, 1, "111", "11.")
    vote(project, 2, "111", "111")
    result = aggregate(project)
    found = verdicts(project)
    assert found[1]["kept"] == 0
    assert found[2]["kept"] == 1
    assert (result.figures.counts.labelled, result.figures.begun) == (1, 1)
    listed = second_look(result)
    assert list(listed) == [("dog_video", 0)]
    assert listed["dog_video", 0]["reasons"] == "sound has 2 of 3 votes"
    assert listed["dog_video", 0]["decides"] == "1"


def test_more_than_three_votes_all_count_and_even_ones_say_no(project):
    five = ("page:a", "page:b", "page:c", "page:d", "page:e")
    vote(project, 1, "11100", "11111", five)
    vote(project, 2, "1100", "1111", five)
    vote(project, 3, "1110", "1111", five)
    result = aggregate(project)
    assert {piece: row["kept"] for piece, row in verdicts(project).items()} == {1: 1, 2: 0, 3: 1}
    assert result.figures.extra_votes == 4 + 2 + 2
    reasons = {ordinal: row["reasons"].split("; ") for (_, ordinal), row in second_look(result).items()}
    assert reasons == {0: ["picture 3:2"], 1: ["picture 2:2", "methods differ on picture"]}


def test_conflicts_say_whether_another_answer_would_change_anything(project):
    vote(project, 1, "110", "111")
    vote(project, 2, "110", "000")
    vote(project, 6, "001", "111")
    result = aggregate(project)
    rows = second_look(result)
    assert list(rows) == [("dog_video", 0), ("dog_video", 1), ("-drum", 0)]
    assert [row["decides"] for row in rows.values()] == ["1", "0", "1"]
    assert [row["kept"] for row in rows.values()] == ["1", "0", "0"]
    assert rows["-drum", 0]["category"] == "drum"
    assert result.figures.conflicts == 3
    assert {piece: row["conflict"] for piece, row in verdicts(project).items()} == {1: 1, 2: 1, 6: 1}


def test_gold_is_as_it_is_known_and_no_part_of_agreement(project):
    make_gold(project, 1, picture=1, sound=1)
    make_gold(project, 2, picture=0)
    make_gold(project, 3, picture=1, sound=1)
    vote(project, 1, "000", "000")
    vote(project, 2, "111", "111")
    vote(project, 4, "111", "110")
    result = aggregate(project)
    found = verdicts(project)
    assert {piece: row["kept"] for piece, row in found.items()} == {1: 1, 2: 0, 3: 1, 4: 1}
    assert (found[1]["picture_for"], found[1]["picture_votes"], found[1]["picture_chance"]) == (0, 3, 1.0)
    assert list(second_look(result)) == [("dog_video", 3)]
    overall = result.figures.agreement[0]
    assert (overall.category, overall.modality, overall.questions, overall.answers) == (None, None, 2, 6)


def test_gold_alone_is_enough(project):
    make_gold(project, 1, picture=1, sound=1)
    make_gold(project, 2, picture=1)
    figures = aggregate(project).figures
    assert (figures.counts.labelled, figures.counts.kept, figures.begun) == (1, 1, 0)
    assert {piece: row["kept"] for piece, row in verdicts(project).items()} == {1: 1, 2: 0}
    assert (figures.annotators, figures.agreement[0].kappa) == ((), None)


def test_agreement_is_told_overall_by_category_and_by_modality(project):
    vote(project, 1, "111", "110")
    vote(project, 2, "000", "100")
    vote(project, 6, "111", "111")
    rows = {(row.category, row.modality): row for row in aggregate(project).figures.agreement}
    assert len(rows) == 9
    assert rows["dog", "picture"].kappa == pytest.approx(1.0)
    # Sound: two of three alike in both; shares are 1/2 each, so chance gives 1/2.
    assert rows["dog", "sound"].agreement == pytest.approx(1 / 3)
    assert rows["dog", "sound"].kappa == pytest.approx((1 / 3 - 1 / 2) / (1 - 1 / 2))
    assert (rows["drum", "sound"].agreement, rows["drum", "sound"].kappa) == (1.0, None)
    assert rows[None, None].questions == 6


def test_annotators_who_fail_gold_questions_are_left_out_and_listed(project):
    four = ("page:good", "page:fair", "page:also", "mturk:BAD")
    for piece in (1, 2, 3):
        make_gold(project, piece, picture=1, sound=1)
        vote(project, piece, "1110", "1110", four)
    vote(project, 4, "1110", "1110", four)
    vote(project, 5, "11.0", "11.0", four)
    result = aggregate(project, min_gold_accuracy=0.7, min_gold_answers=6)
    rows = {row.name: row for row in result.figures.annotators}
    assert [name for name, row in rows.items() if row.left_out] == ["mturk:BAD"]
    assert (rows["mturk:BAD"].gold_right, rows["mturk:BAD"].gold_answers) == (0, 6)
    assert rows["mturk:BAD"].sensitivity is None
    assert rows["page:good"].accuracy == 1.0
    assert rows["page:good"].low == pytest.approx(0.6097, abs=1e-4)
    assert (result.figures.votes, result.figures.votes_counted) == (24 + 8 + 6, 18 + 6 + 4)
    found = verdicts(project)
    assert found[4]["picture_votes"] == 3
    assert found[5]["kept"] == 0
    assert result.figures.begun == 1
    with project.connect() as connection:
        ((about, reason),) = connection.execute("SELECT about, reason FROM notes WHERE step = 'aggregate'").fetchall()
    assert about == "mturk:BAD"
    assert "0 of 6 gold answers" in reason


def test_annotators_with_few_gold_answers_stay(project):
    make_gold(project, 1, picture=1)
    vote(project, 1, "000", "111")
    result = aggregate(project, min_gold_accuracy=1.0)
    assert not any(row.left_out for row in result.figures.annotators)
    assert all(row.accuracy == 0.0 for row in result.figures.annotators)


@pytest.fixture
def divided(tmp_path):
    """Two careless people who always say yes, one who is right; 20 of 30 pieces say who is who."""
    project = make_project(tmp_path / "divided", {f"video{n}": ("dog", 5) for n in range(6)})
    for piece in range(1, 31):
        there = piece % 2
        if piece <= 20:
            make_gold(project, piece, picture=there, sound=there)
        vote(project, piece, f"{there}11", f"{there}11")
    return project


def test_dawid_skene_believes_those_who_are_right(divided):
    plain = aggregate(divided)
    assert plain.figures.counts.kept == 10 + 10
    assert plain.figures.kept_by == {"majority": 20, "dawid-skene": 15}
    assert plain.figures.differing == 5
    differing = [row for row in second_look(plain).values() if "methods differ on picture" in row["reasons"]]
    assert [row["picture_for"] for row in differing] == ["2"] * 5
    weighed = aggregate(divided, method="dawid-skene")
    assert weighed.figures.counts.kept == 15
    found = verdicts(divided)
    assert [found[piece]["kept"] for piece in range(21, 31)] == [1, 0] * 5
    assert found[22]["picture_chance"] < 0.5 < found[21]["picture_chance"]
    careful = next(row for row in weighed.figures.annotators if row.name == "page:a")
    assert careful.specificity > 0.9


def test_running_again_replaces_what_was_decided(divided):
    first = aggregate(divided)
    before = verdicts(divided)
    aggregate(divided, method="dawid-skene", min_gold_accuracy=0.6)
    assert verdicts(divided) != before
    again = aggregate(divided)
    assert verdicts(divided) == before
    assert again == first
    with divided.connect() as connection:
        assert connection.execute("SELECT count(*) FROM notes").fetchone()[0] == 0
        assert AggregateFigures.from_json(read_fact(connection, "aggregate")) == first.figures


def test_the_order_of_voting_does_not_matter(divided, tmp_path):
    first = aggregate(divided, method="dawid-skene")
    with divided.connect() as connection, connection:
        rows = [tuple(row) for row in connection.execute("SELECT * FROM votes ORDER BY present, annotator DESC")]
        connection.execute("DELETE FROM votes")
        connection.executemany("INSERT INTO votes VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    before, text = verdicts(divided), first.conflicts.read_text()
    again = aggregate(divided, method="dawid-skene")
    assert json.dumps(again.figures.to_json()) == json.dumps(first.figures.to_json())
    assert (verdicts(divided), again.conflicts.read_text()) == (before, text)


@pytest.mark.parametrize("stage", ["reading the votes", "weighing the votes", "writing the verdicts"])
def test_stopped_anywhere_it_leaves_the_old_verdicts_or_the_new(divided, stage):
    aggregate(divided)
    before = verdicts(divided)
    stopper = Progress(lambda event: stopper.cancel.set() if event.stage == stage else None)
    options = AggregateOptions("dawid-skene")
    with pytest.raises(CancelledError):
        aggregate_votes(divided, options, stopper)
    stopped = verdicts(divided)
    aggregate(divided, method="dawid-skene")
    assert stopped in (before, verdicts(divided))
    assert verdicts(divided) != before


def test_what_cannot_be_done_is_said(project, tmp_path):
    with pytest.raises(UsageError, match="no votes yet; collect them with: v2s vegas annotate"):
        aggregate(project)
    empty = make_project(tmp_path / "empty", {"video": ("dog", 0)})
    with pytest.raises(UsageError, match="no pieces to decide on"):
        aggregate(empty)
    vote(project, 1, "111", "111")
    with pytest.raises(UsageError, match="no piece is gold"):
        aggregate(project, min_gold_accuracy=0.5)
    with pytest.raises(OutputError, match="cannot write"):
        aggregate(project, conflicts=project.database / "conflicts.csv")
    assert verdicts(project) == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "best"}, "unknown method 'best'; known: majority, dawid-skene"),
        ({"min_gold_accuracy": 80}, "a share from 0 to 1; got 80"),
        ({"min_gold_answers": 0}, "at least 1; got 0"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(UsageError, match=message):
        AggregateOptions(**options)
