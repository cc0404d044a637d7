"""Simulated annotators: whoever asks the same of the same one gets the same answer, and each errs at a known rate.

    crowd = Crowd(seed=3)
    crowd.answer("ann", video, 0, "sound")                      # by a hash: the order of asking does not matter
    answer_batch(batch, results, crowd, videos, categories)     # a result CSV as Mechanical Turk exports it
    answer_page(project, crowd, videos)                         # the same people before the annotation page

The last two return the votes that count, as they were given: what a test may reckon with.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal, NamedTuple

from tests.engine.vegas.mini_audioset import MiniVideo
from v2s_engine.vegas.page.options import PageOptions
from v2s_engine.vegas.page.piece_queue import PieceQueue
from v2s_engine.vegas.store import Project

Modality = Literal["picture", "sound"]
MODALITIES: tuple[Modality, ...] = ("picture", "sound")

ERROR_RATES = {"ann": 0.01, "bob": 0.03, "cleo": 0.05, "dan": 0.08, "eve": 0.12, "finn": 0.02, "gina": 0.30}
"""How often each says the opposite of what is so; the last one hardly looks."""

_COLUMNS = ("HITId", "AssignmentId", "WorkerId", "AssignmentStatus", "AcceptTime", "SubmitTime")
_DATES = ("Mon Mar 02 10:05:00 PST 2026", "Mon Mar 02 10:06:00 PST 2026")


class Vote(NamedTuple):
    """One answer."""

    video_id: str
    ordinal: int
    modality: Modality
    annotator: str
    present: bool


@dataclass(frozen=True)
class Crowd:
    """Annotators by name, with their error rates."""

    seed: int = 0
    rates: Mapping[str, float] = field(default_factory=lambda: ERROR_RATES)
    one_errs: bool = False
    """Instead: of all of them one at most errs on a question, half the time. So most of any three are right."""

    def chosen(self, *what: object, count: int = 3) -> tuple[str, ...]:
        """Different annotators who are asked about something, drawn by seed."""
        return tuple(sorted(self.rates, key=lambda name: self._draw("who", name, *what))[:count])

    def answer(self, annotator: str, video: MiniVideo, ordinal: int, modality: Modality) -> bool:
        """What an annotator says of a piece."""
        truth: bool = getattr(video.pieces[ordinal], modality)
        question = (video.video_id, ordinal, modality)
        if self.one_errs:
            return truth != (self.chosen("errs", *question)[0] == annotator and self._draw("errs", *question) < 0.5)
        return truth != (self._draw("errs", annotator, *question) < self.rates[annotator])

    def _draw(self, *what: object) -> float:
        """An even number in [0, 1) that depends on the seed and `what` alone."""
        digest = hashlib.sha256("/".join(map(str, (self.seed, *what))).encode()).digest()
        return int.from_bytes(digest[:8], "big") / 2**64


def answer_batch(
    batch: Path, results: Path, crowd: Crowd, videos: Mapping[str, MiniVideo], categories: Collection[str]
) -> list[Vote]:
    """Three workers do each HIT of a batch CSV (of some categories); the results are written as real exports are.

    One assignment in ten is rejected, and a fourth worker does the HIT again. The votes of accepted ones are returned.
    """
    votes: list[Vote] = []
    with batch.open(encoding="utf-8", newline="") as lines:
        hits = [hit for hit in csv.DictReader(lines) if hit["category"].replace(" ", "_") in categories]
    places = [number for number in range(1, 51) if f"piece_{number}" in hits[0]]
    answered = [f"Answer.answer_{place}" for place in places]
    header = [*_COLUMNS, *(f"Input.{name}" for name in hits[0]), *answered, "Answer.comment", "Approve", "Reject"]
    rows: list[list[str]] = []
    for number, hit in enumerate(hits):
        workers = crowd.chosen(hit["hit"], count=4 if number % 10 == 0 else 3)
        for turn, worker in enumerate(workers):
            rejected = len(workers) == 4 and turn == 0
            given = [_hit_vote(hit, place, worker, crowd, videos) for place in places]
            name = f"{hit['hit']}X{turn}"
            told = [f"HIT{number}", name, f"W{worker.upper()}", "Rejected" if rejected else "Approved"]
            says = ["" if vote is None else "yes" if vote.present else "no" for vote in given]
            comment = 'They said "woof",\nthen nothing' if turn == 1 else ""
            rows.append([*told, *_DATES, *hit.values(), *says, comment])  # nothing under Approve and Reject
            if not rejected:
                votes += [vote for vote in given if vote is not None]
    spoiled = rows[0].copy()
    spoiled[_COLUMNS.index("AssignmentId")], spoiled[_COLUMNS.index("SubmitTime")] = "ABADDATE", "2026-13-45"
    with results.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([header, *rows, rows[1], spoiled])
    return votes


def answer_page(project: Project, crowd: Crowd, videos: Mapping[str, MiniVideo]) -> list[Vote]:
    """All annotators in turn answer one question each at the page's queue, until nothing is left for anybody."""
    votes: list[Vote] = []
    with project.connect() as connection:
        asked = {
            row["id"]: (videos[row["video_id"]], row["ordinal"])
            for row in connection.execute("SELECT id, video_id, ordinal FROM pieces")
        }
        queue = PieceQueue(connection, PageOptions())
        busy = True
        while busy:
            busy = False
            for name in crowd.rates:
                if not (work := queue.hand_out(f"page:{name}")):
                    continue
                busy = True
                video, ordinal = asked[work[0].piece_id]
                modality: Modality = "picture" if work[0].modality == "picture" else "sound"
                present = crowd.answer(name, video, ordinal, modality)
                task = (work[0].piece_id, work[0].modality)
                turn = queue.answer(f"page:{name}", task, "yes" if present else "no", f"request {len(votes)}")
                assert turn.outcome == "kept"
                votes.append(Vote(video.video_id, ordinal, modality, name, present))
    return votes


def majority(votes: Sequence[Vote]) -> dict[tuple[str, int, Modality], bool]:
    """What more than half of the votes say of each piece (video, ordinal) in each modality."""
    answers: dict[tuple[str, int, Modality], list[bool]] = {}
    for vote in votes:
        answers.setdefault((vote.video_id, vote.ordinal, vote.modality), []).append(vote.present)
    return {key: 2 * sum(given) > len(given) for key, given in answers.items()}


def pair_agreement_kappa(votes: Sequence[Vote]) -> float:
    """Fleiss' kappa by counting pairs of annotators, one by one: no formula of the product's is used.

    Observed: of all pairs of answers to the same question, the share that agrees. By chance: of all pairs of answers
    to anything, an answer paired with itself too, the share that agrees. (Fleiss 1971, where every question has as many
    answers as every other.)
    """
    answers: dict[tuple[str, int, Modality], list[bool]] = {}
    for vote in votes:
        answers.setdefault((vote.video_id, vote.ordinal, vote.modality), []).append(vote.present)
    assert {len(given) for given in answers.values()} == {3}
    agreeing = pairs = 0
    for given in answers.values():
        for index, one in enumerate(given):
            for other in given[index + 1 :]:
                agreeing += one == other
                pairs += 1
    everything = [each for given in answers.values() for each in given]
    yes, no = everything.count(True), everything.count(False)
    by_chance = (yes * yes + no * no) / len(everything) ** 2
    return (agreeing / pairs - by_chance) / (1 - by_chance)


def _hit_vote(
    hit: Mapping[str, str], place: int, worker: str, crowd: Crowd, videos: Mapping[str, MiniVideo]
) -> Vote | None:
    """What a worker answers in a place of a HIT: the URL says which piece is seen there. None: there is none."""
    if hit[f"url_{place}"] == "none":
        return None
    stem = PurePosixPath(hit[f"url_{place}"]).stem
    video_id, _, ordinal = stem[9:].rpartition("_")  # after eight digits of a digest and a `_`
    modality: Modality = "picture" if hit["modality"] == "picture" else "sound"
    present = crowd.answer(worker, videos[video_id], int(ordinal), modality)
    return Vote(video_id, int(ordinal), modality, worker, present)
