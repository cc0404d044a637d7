"""Answers in a result row. One question's answer stands in different columns, by how the requester's form was made:

Answer.answer_1                         yes             our template in Mechanical Turk's own form
Answer.answer_1.yes, Answer.answer_1.no true, false     the same within <crowd-form>, flattened
Answer.answer_1.label                   yes             a crowd classifier
Answer.taskAnswers                      [{"answer_1": {"yes": true, "no": false}}]      <crowd-form>, as JSON
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

TASK_ANSWERS = "Answer.taskAnswers"
CHOICES = ("yes", "no", "unplayable")


def answer_column(place: int) -> str:
    """The plainest column for the answer about the piece in a place, 1 first."""
    return f"Answer.answer_{place}"


def has_answer(header: Collection[str], place: int) -> bool:
    """Whether any column may hold the answer about the piece in a place."""
    column = answer_column(place)
    names = (TASK_ANSWERS, column, f"{column}.label", *(f"{column}.{choice}" for choice in CHOICES))
    return any(name in header for name in names)


def read_answer(row: Mapping[str, str], place: int) -> str:
    """What a worker answered, in lower case: yes, no, unplayable, nothing, or whatever else stands there."""
    column = answer_column(place)
    for name in (column, f"{column}.label"):
        if text := row.get(name, "").strip():
            return text.lower()
    chosen = [choice for choice in CHOICES if row.get(f"{column}.{choice}", "").strip().lower() == "true"]
    if chosen:
        return "|".join(chosen)
    return _task_answer(row.get(TASK_ANSWERS, ""), f"answer_{place}")


def _task_answer(text: str, name: str) -> str:
    """An answer within a crowd form's JSON; nothing where it is not there."""
    try:
        given: Any = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError):
        return "no JSON"
    if isinstance(given, list) and len(given) == 1:
        given = given[0]
    answer = given.get(name) if isinstance(given, dict) else None
    if isinstance(answer, dict):
        return "|".join(str(choice) for choice, chosen in answer.items() if chosen is True).lower()
    return answer.strip().lower() if isinstance(answer, str) else ""
