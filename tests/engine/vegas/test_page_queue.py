"""Who gets which piece: three different people a question, whatever happens in between."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.engine.vegas.page_projects import fill
from v2s_engine.errors import UsageError
from v2s_engine.vegas.page.annotators import annotator_id, checked_name, known_names
from v2s_engine.vegas.page.options import PageOptions
from v2s_engine.vegas.page.piece_queue import AHEAD, PieceQueue, Task
from v2s_engine.vegas.page.standing import everybodys_standing, own_count, own_votes
from v2s_engine.vegas.page.tasks import RUN_LENGTH
from v2s_engine.vegas.store import Project

PEOPLE = ("page:ann", "page:bob", "page:cy", "page:dee")


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def votes_by_question(connection: sqlite3.Connection) -> dict[tuple[int, str], list[str]]:
    votes: dict[tuple[int, str], list[str]] = {}
    for row in connection.execute("SELECT * FROM votes"):
        votes.setdefault((row["piece_id"], row["modality"]), []).append(row["annotator"])
    return votes


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with Project(tmp_path).connect(create=True) as connection:
        connection.execute("PRAGMA synchronous = OFF")  # a test's database need not outlive a power cut
        yield connection


def key(task: Task) -> tuple[int, str]:
    return task.piece_id, task.modality


def answer_all(queue: PieceQueue, person: str, limit: int = 10_000) -> list[Task]:
    """Everything that somebody is asked, answered by yes."""
    asked: list[Task] = []
    while work := queue.hand_out(person):
        assert queue.answer(person, key(work[0]), "yes", f"{person}/{len(asked)}").outcome == "kept"
        asked.append(work[0])
        assert len(asked) <= limit
    return asked


def test_each_question_goes_to_three_people_and_a_fourth_is_asked_nothing(connection: sqlite3.Connection) -> None:
    fill(connection, {"dog": 20, "drum": 20})
    queue = PieceQueue(connection, PageOptions())
    for person in PEOPLE[:3]:
        asked = answer_all(queue, person)
        assert len({key(task) for task in asked}) == len(asked) == 160
    assert queue.hand_out(PEOPLE[3]) == ()
    assert {len(set(people)) for people in votes_by_question(connection).values()} == {3}
    assert all(group.done == group.questions == 40 for group in everybodys_standing(connection, 3))
    assert own_votes(connection, PEOPLE[0]) == {(c, m): 40 for c in ("dog", "drum") for m in ("picture", "sound")}


def test_people_stay_with_a_category_for_a_run_and_the_order_is_the_seeds(connection: sqlite3.Connection) -> None:
    fill(connection, {"dog": 50, "drum": 50})
    asked = answer_all(PieceQueue(connection, PageOptions(seed=1)), PEOPLE[0])
    runs = [len(list(run)) for _, run in groupby(asked, key=lambda task: (task.category, task.modality))]
    assert set(runs) <= {RUN_LENGTH, 2 * RUN_LENGTH}
    assert len({(task.category, task.modality) for task in asked[: 4 * RUN_LENGTH]}) == 4
    assert answer_all(PieceQueue(connection, PageOptions(seed=1)), PEOPLE[1]) == asked
    assert answer_all(PieceQueue(connection, PageOptions(seed=2)), PEOPLE[2]) != asked


def test_two_at_once_never_give_a_fourth_vote(connection: sqlite3.Connection) -> None:
    fill(connection, {"dog": 1}, pieces=1)
    queue = PieceQueue(connection, PageOptions())
    for person in PEOPLE[:2]:
        answer_all(queue, person)
    (picture, sound) = queue.hand_out(PEOPLE[2])
    assert queue.hand_out(PEOPLE[3]) == ()
    assert queue.answer(PEOPLE[3], key(picture), "yes", "late").outcome == "full"
    assert queue.answer(PEOPLE[2], key(picture), "no", "a").outcome == "kept"
    assert queue.answer(PEOPLE[2], key(sound), "no", "b").outcome == "kept"


def test_what_somebody_leaves_lying_goes_to_others_after_a_while(connection: sqlite3.Connection) -> None:
    fill(connection, {"dog": 1}, pieces=1)
    clock = Clock()
    queue = PieceQueue(connection, PageOptions(votes=1, claim_s=300), clock)
    (picture, _sound) = queue.hand_out("page:ann")
    assert queue.hand_out("page:bob") == ()
    clock.now += timedelta(seconds=301)
    assert len(queue.hand_out("page:bob")) == 2
    assert queue.answer("page:ann", key(picture), "yes", "late").outcome == "full"
    clock.now += timedelta(seconds=301)
    assert queue.answer("page:ann", key(picture), "yes", "later").outcome == "kept", "nobody holds it any more"


def test_a_request_sent_twice_counts_once_even_after_an_undo(connection: sqlite3.Connection) -> None:
    fill(connection, {"dog": 2})
    queue = PieceQueue(connection, PageOptions())
    first = queue.hand_out("page:ann")[0]
    assert queue.answer("page:ann", key(first), "yes", "r1").outcome == "kept"
    assert queue.answer("page:ann", key(first), "yes", "r1").outcome == "kept"
    assert queue.answer("page:ann", key(first), "no", "r2").outcome == "already"
    assert own_count(connection, "page:ann") == 1
    assert queue.undo("page:ann", "u1").outcome == "undone"
    assert queue.undo("page:ann", "u1").outcome == "undone"
    queue.answer("page:ann", key(first), "yes", "r1")
    assert own_count(connection, "page:ann") == 0, "a copy that was under way for long does not vote again"
    assert queue.hand_out("page:ann")[0] == first
    assert queue.answer("page:ann", key(first), "no", "r3").outcome == "kept"
    (present,) = connection.execute("SELECT present FROM votes").fetchone()
    assert present == 0


def test_undo_goes_back_several_steps_and_then_forward_again_in_order(connection: sqlite3.Connection) -> None:
    fill(connection, {"dog": 4, "drum": 4})
    queue = PieceQueue(connection, PageOptions())
    asked = []
    for number in range(6):
        asked.append(queue.hand_out("page:ann")[0])
        queue.answer("page:ann", key(asked[-1]), "skip" if number == 4 else "yes", f"r{number}")
    queue = PieceQueue(connection, PageOptions())  # as after a restart
    for number in range(6):
        assert queue.undo("page:ann", f"u{number}").work[0] == asked[5 - number]
    assert queue.undo("page:ann", "u6").outcome == "nothing"
    for number, task in enumerate(asked):
        assert queue.hand_out("page:ann")[0] == task
        queue.answer("page:ann", key(task), "no", f"again{number}")


def test_undo_takes_back_ones_own_and_leaves_others(connection: sqlite3.Connection) -> None:
    fill(connection, {"dog": 2})
    queue = PieceQueue(connection, PageOptions())
    queue.answer("page:ann", key(queue.hand_out("page:ann")[0]), "yes", "a")
    queue.answer("page:bob", key(queue.hand_out("page:bob")[0]), "yes", "b")
    queue.undo("page:ann", "u")
    assert (own_count(connection, "page:ann"), own_count(connection, "page:bob")) == (0, 1)


def test_what_is_skipped_comes_back_when_nothing_else_is_left(connection: sqlite3.Connection) -> None:
    fill(connection, {"dog": 4})
    queue = PieceQueue(connection, PageOptions())
    skipped = []
    for number in range(2):
        skipped.append(queue.hand_out("page:ann")[0])
        queue.answer("page:ann", key(skipped[-1]), "skip", f"s{number}")
    assert answer_all(queue, "page:ann")[-2:] == skipped


def test_what_cannot_be_played_is_noted_and_not_asked_again_until_a_restart(connection: sqlite3.Connection) -> None:
    fill(connection, {"dog": 2})
    queue = PieceQueue(connection, PageOptions())
    broken = queue.hand_out("page:ann")[0]
    queue.answer("page:ann", key(broken), "broken", "x")
    assert broken not in answer_all(queue, "page:ann")
    (reason,) = connection.execute("SELECT reason FROM notes WHERE step = 'annotate'").fetchone()
    assert "could not play" in reason
    assert PieceQueue(connection, PageOptions()).hand_out("page:ann") == (broken,)


def test_gold_goes_to_everybody_among_its_own_category(connection: sqlite3.Connection) -> None:
    fill(connection, {"dog": 60, "drum": 60}, gold=15)
    queue = PieceQueue(connection, PageOptions())
    gold = {(row["piece_id"], row["modality"]) for row in connection.execute("SELECT * FROM gold")}
    for person in PEOPLE[:3]:
        asked = [key(task) for task in answer_all(queue, person)]
        assert len(set(asked)) == len(asked)
        places = [place for place, question in enumerate(asked) if question in gold]
        assert len(places) > 60, "of 120 gold questions most come up"
        assert max(b - a for a, b in pairwise(places)) < 60
    counts = {question: len(people) for question, people in votes_by_question(connection).items()}
    assert max(counts.values()) == 3
    assert queue.hand_out(PEOPLE[3]) == (), "gold alone is no reason to ask"


def test_a_fourth_person_is_asked_gold_although_three_have_answered_it(connection: sqlite3.Connection) -> None:
    fill(connection, {"dog": 12}, gold=6)
    queue = PieceQueue(connection, PageOptions(votes=4))
    gold = {(row["piece_id"], row["modality"]) for row in connection.execute("SELECT * FROM gold")}
    for person in (*PEOPLE, "page:eve"):
        answer_all(queue, person)
    votes = votes_by_question(connection)
    assert {len(people) for question, people in votes.items() if question not in gold} == {4}
    assert max(len(people) for question, people in votes.items() if question in gold) == 4


def test_pieces_and_votes_that_come_meanwhile_are_taken_in(connection: sqlite3.Connection) -> None:
    fill(connection, {"dog": 1}, pieces=1)
    queue = PieceQueue(connection, PageOptions())
    assert len(answer_all(queue, "page:ann")) == 2
    with connection:
        connection.execute("INSERT INTO pieces (video_id, ordinal, length) VALUES ('dog-0', 1, 32000)")
        for worker in ("mturk:A", "mturk:B", "mturk:C"):
            connection.execute("INSERT INTO votes VALUES (2, 'sound', ?, 1, 'batch.csv', 2, '2026')", (worker,))
    assert [key(task) for task in queue.hand_out("page:ann")] == [(2, "picture")]


def test_a_second_look_asks_what_the_votes_disagree_about(connection: sqlite3.Connection) -> None:
    fill(connection, {"dog": 2})
    queue = PieceQueue(connection, PageOptions())
    for person in PEOPLE[:3]:
        answer_all(queue, person)
    with connection:
        connection.execute("INSERT INTO verdicts VALUES (1, 2, 3, 0.6, 3, 3, 1.0, 1, 1)")
        connection.execute("INSERT INTO verdicts VALUES (2, 3, 3, 1.0, 3, 3, 1.0, 1, 0)")
    second = PieceQueue(connection, PageOptions(conflicts=5))
    assert second.hand_out(PEOPLE[0]) == (), "those who answered before are not asked again"
    assert [key(task) for task in second.hand_out("page:eve")] == [(1, "picture")]
    for person in ("page:eve", "page:fay", "page:gus"):
        answer_all(second, person)
    assert len(votes_by_question(connection)[1, "picture"]) == 5


def test_names_are_tidied_found_again_and_checked(connection: sqlite3.Connection) -> None:
    fill(connection, {"dog": 1})
    assert checked_name("  Jörg   Müller ") == "Jörg Müller"
    queue = PieceQueue(connection, PageOptions())
    ann = annotator_id(connection, "Ann")
    queue.answer(ann, key(queue.hand_out(ann)[0]), "yes", "r")
    assert annotator_id(connection, "aNN") == "page:Ann"
    assert known_names(connection) == ["Ann"]
    for wrong in ("", "  ", "a" * 41, "../x", "<b>", "a\x00b", "-x"):
        with pytest.raises(UsageError, match="no name"):
            checked_name(wrong)


@pytest.mark.parametrize(
    "wrong", [{"port": 70_000}, {"votes": 0}, {"conflicts": 3}, {"claim_s": 0}, {"annotator": "/"}]
)
def test_options_that_cannot_be_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        PageOptions(**wrong)  # type: ignore[arg-type]


class Annotation(RuleBasedStateMachine):
    """Four people at two servers; answers, skips, undos, waits, restarts, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        project = Project(Path(self.stack.enter_context(tempfile.TemporaryDirectory())))
        self.connections = [self.stack.enter_context(project.connect(create=True)) for _ in range(2)]
        for connection in self.connections:
            connection.execute("PRAGMA synchronous = OFF")
        self.clock = Clock()
        fill(self.connections[0], {"dog": 2, "drum": 1}, gold=0, pieces=2)
        with self.connections[0] as connection:
            connection.execute("INSERT INTO gold VALUES (1, 'picture', 1)")
        self.queues = [PieceQueue(connection, PageOptions(), self.clock) for connection in self.connections]
        self.seen: dict[str, tuple[Task, ...]] = {}
        self.requests = 0

    def teardown(self) -> None:
        for _ in range(2):
            for person in PEOPLE:
                queue = self.queues[0]
                while work := queue.hand_out(person):
                    assert queue.answer(person, key(work[0]), "yes", self.request()).outcome == "kept"
        votes = votes_by_question(self.connections[0])
        assert {len(people) for question, people in votes.items() if question != (1, "picture")} == {3}
        assert len(votes) >= 11
        self.stack.close()

    def request(self) -> str:
        self.requests += 1
        return str(self.requests)

    @rule(server=st.integers(0, 1), person=st.sampled_from(PEOPLE))
    def look(self, server: int, person: str) -> None:
        self.seen[person] = self.queues[server].hand_out(person)
        assert len(self.seen[person]) <= AHEAD

    @precondition(lambda self: any(self.seen.values()))
    @rule(
        server=st.integers(0, 1),
        person=st.sampled_from(PEOPLE),
        given=st.sampled_from(["yes", "no", "yes", "no", "skip"]),
        twice=st.booleans(),
    )
    def answer(self, server: int, person: str, given: str, twice: bool) -> None:
        """Perhaps long after it was looked at, and sent twice."""
        if not self.seen.get(person):
            return
        task, request = self.seen[person][0], self.request()
        for _ in range(1 + twice):
            turn = self.queues[server].answer(person, key(task), given, request)  # type: ignore[arg-type]
            self.seen[person] = turn.work

    @rule(server=st.integers(0, 1), person=st.sampled_from(PEOPLE))
    def undo(self, server: int, person: str) -> None:
        before = own_count(self.connections[0], person)
        turn = self.queues[server].undo(person, self.request())
        assert before - own_count(self.connections[0], person) in {0, 1}
        self.seen[person] = turn.work

    @rule(seconds=st.sampled_from([1, 200, 301]))
    def wait(self, seconds: int) -> None:
        self.clock.now += timedelta(seconds=seconds)

    @rule(server=st.integers(0, 1))
    def restart(self, server: int) -> None:
        self.queues[server] = PieceQueue(self.connections[server], PageOptions(), self.clock)

    @invariant()
    def at_most_three_votes_and_holders(self) -> None:
        holders = self.connections[0].execute(
            "SELECT piece_id, modality, annotator FROM votes UNION ALL SELECT piece_id, modality, annotator FROM claims"
        )
        people: dict[tuple[int, str], list[str]] = {}
        for row in holders:
            people.setdefault((row["piece_id"], row["modality"]), []).append(row["annotator"])
        for question, names in people.items():
            assert len(set(names)) == len(names)
            assert len(names) <= 3 or question == (1, "picture")


TestAnnotation = Annotation.TestCase
TestAnnotation.settings = settings(
    max_examples=25, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
