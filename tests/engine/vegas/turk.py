"""Projects with pieces but no media, and result files as Mechanical Turk exports them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from v2s_engine.progress import Progress
from v2s_engine.vegas.mturk.batches import BatchOptions, write_batches
from v2s_engine.vegas.mturk.hits import HitOptions
from v2s_engine.vegas.store import PIECE_LENGTH, Project

URL = "https://pieces.example/vegas"

HEADER = """
HITId,HITTypeId,Title,Description,Keywords,Reward,CreationTime,MaxAssignments,RequesterAnnotation,
AssignmentDurationInSeconds,AutoApprovalDelayInSeconds,Expiration,NumberOfSimilarHITs,LifetimeInSeconds,
AssignmentId,WorkerId,AssignmentStatus,AcceptTime,SubmitTime,AutoApprovalTime,ApprovalTime,RejectionTime,
RequesterFeedback,WorkTimeInSeconds,LifetimeApprovalRate,Last30DaysApprovalRate,Last7DaysApprovalRate
""".replace("\n", "").split(",")
"""What every export begins with."""

TIMES = {
    "CreationTime": "Mon Mar 02 10:00:00 PST 2026",
    "AcceptTime": "Mon Mar 02 10:05:00 PST 2026",
    "SubmitTime": "Mon Mar 02 10:06:00 PST 2026",
}


def make_project(folder: Path, videos: Mapping[str, int], pieces: int = 5) -> Project:
    """A project with so many videos per category, each of so many pieces."""
    project = Project(folder)
    with project.connect(create=True) as connection, connection:
        for position, (category, count) in enumerate(videos.items()):
            connection.execute("INSERT INTO categories VALUES (?, ?, '[]', '[]', ?)", (category, position, count))
            for number in range(count):
                video = f"-{re.sub('[^a-z_]', '', category)[:8]}_{number:02d}"
                connection.execute(
                    "INSERT INTO videos VALUES (?, ?, 0, 10000, '[]', 'segments.csv', ?, ?)",
                    (video, category, number + 1, number),
                )
                connection.executemany(
                    "INSERT INTO pieces (video_id, ordinal, length) VALUES (?, ?, ?)",
                    [(video, ordinal, PIECE_LENGTH) for ordinal in range(pieces)],
                )
    return project


def query(project: Project, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with project.connect() as connection:
        return [tuple(row) for row in connection.execute(sql, values)]


def change(project: Project, sql: str, rows: Iterable[Sequence[Any]] = ((),)) -> None:
    with project.connect() as connection, connection:
        connection.executemany(sql, rows)


def batches_in(project: Project, folder: Path, **hits: Any) -> list[dict[str, str]]:
    """All rows of the batches that a call writes."""
    written = write_batches(project, BatchOptions(folder, URL, HitOptions(**hits)), Progress())
    return [row for path in written.batches for row in read_rows(path)]


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def assignment(row: Mapping[str, str], worker: str, answers: Sequence[str], **values: str) -> dict[str, str]:
    """One worker's work on a batch's row, as a row of the export; `values` are other columns."""
    filled = {
        **TIMES,
        "HITId": f"3HIT{row['hit']}",
        "AssignmentId": f"3ASG{worker}{row['hit']}",
        "WorkerId": worker,
        "AssignmentStatus": "Submitted",
    }
    filled |= {f"Input.{name}": value for name, value in row.items()}
    filled |= {f"Answer.answer_{place}": answer for place, answer in enumerate(answers, 1)}
    return filled | {"Answer.comment": 'music, "loud"\nin background'} | values


def export_text(rows: Sequence[Mapping[str, str]], *, short: bool = True, header: Sequence[str] | None = None) -> str:
    """Rows as the export's text: everything quoted, `Approve` and `Reject` left off the rows that are not marked."""
    if header is None:
        rest = dict.fromkeys(name for row in rows for name in row if name not in (*HEADER, "Approve", "Reject"))
        header = [*HEADER, *rest, "Approve", "Reject"]
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(header)
    for row in rows:
        values = [row.get(name, "") for name in header]
        marked = "Approve" in row or "Reject" in row
        writer.writerow(values[:-2] if short and not marked else values)
    return stream.getvalue()


def write_export(path: Path, rows: Sequence[Mapping[str, str]], **how: Any) -> Path:
    path.write_text(export_text(rows, **how), encoding="utf-8", newline="")
    return path
