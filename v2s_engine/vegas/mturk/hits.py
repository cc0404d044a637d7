"""Which pieces are asked about together in one HIT: new ones, and gold ones that look no different."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from v2s_engine.errors import UsageError
from v2s_engine.vegas.questions import Modality

ASSIGNMENTS = 3
"""Workers per HIT, and votes per piece and modality (the paper's three)."""


class Piece(NamedTuple):
    """A piece to ask about."""

    id: int
    video_id: str
    ordinal: int
    category: str


@dataclass(frozen=True)
class Hit:
    """What one worker is asked at a time: pieces of one category, in one modality, in the order in which they stand."""

    category: str
    pieces: tuple[Piece, ...]
    gold: int
    """How many of them are gold."""


@dataclass(frozen=True)
class HitOptions:
    """How HITs are put together."""

    pieces: int = 5
    """Pieces in a HIT, gold ones among them; the last HIT of a category may have fewer."""
    gold: int | None = None
    """Gold pieces in a HIT; None: one where the category has any in this modality."""
    seed: int = 0
    again: bool = False
    """Also ask again about pieces that are out in an earlier batch, e.g. one that has expired."""

    def __post_init__(self) -> None:
        """Raises `UsageError` for numbers that leave no room for new pieces."""
        if not 1 <= self.pieces <= 50:
            raise UsageError(f"{self.pieces} pieces per HIT; wanted 1 to 50")
        if self.gold is not None and not 0 <= self.gold < self.pieces:
            raise UsageError(f"{self.gold} gold pieces per HIT of {self.pieces}; wanted 0 to {self.pieces - 1}")


def waiting_hits(connection: sqlite3.Connection, modality: Modality, options: HitOptions) -> Iterator[Hit]:
    """HITs over all pieces that need votes in a modality, by category.

    Pieces with three votes are not among them, nor gold ones, nor (without `again`) those that are out: in a HIT with
    fewer than three accepted assignments. The order follows from the seed and the pieces alone, and pieces that went
    out from its front leave the rest as it was: what a killed call did not write, the next one writes alike.
    Raises `UsageError` where a category has fewer gold pieces than were asked for.
    """
    waiting = _by_category(connection, _WAITING, modality, again=options.again)
    known = _by_category(connection, _GOLD, modality)
    for category, pieces in waiting.items():
        gold = known.get(category, [])
        per_hit = min(1, len(gold), options.pieces - 1) if options.gold is None else options.gold
        if per_hit > len(gold):
            raise UsageError(
                f"{per_hit} gold pieces per HIT, but {category} has {len(gold)} in modality {modality}; "
                "import more with --gold, or ask for fewer"
            )
        pieces.sort(key=lambda piece: _drawing(options, modality, piece))
        step = options.pieces - per_hit
        for first in range(0, len(pieces), step):
            yield _make_hit(category, pieces[first : first + step], gold, per_hit, f"{options.seed}/{modality}")


def _make_hit(category: str, new: Sequence[Piece], gold: Sequence[Piece], per_hit: int, seed: str) -> Hit:
    """Gold pieces and all places are drawn by the HIT's own first piece."""
    key = f"{seed}/{new[0].video_id}/{new[0].ordinal}"
    drawn = sorted(gold, key=lambda piece: _digest(f"{key}/gold/{piece.video_id}/{piece.ordinal}"))[:per_hit]
    placed = sorted([*new, *drawn], key=lambda piece: _digest(f"{key}/place/{piece.video_id}/{piece.ordinal}"))
    return Hit(category, tuple(placed), len(drawn))


def _drawing(options: HitOptions, modality: Modality, piece: Piece) -> str:
    return _digest(f"{options.seed}/{modality}/{piece.video_id}/{piece.ordinal}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _by_category(
    connection: sqlite3.Connection, query: str, modality: Modality, *, again: bool = False
) -> dict[str, list[Piece]]:
    """Pieces by category, categories in their own order."""
    found: dict[str, list[Piece]] = {}
    for row in connection.execute(query, {"modality": modality, "wanted": ASSIGNMENTS, "again": again}):
        found.setdefault(row["name"], []).append(Piece(*row))
    return found


_PIECES = """
SELECT p.id, p.video_id, p.ordinal, c.name FROM pieces p
JOIN videos v ON v.video_id = p.video_id JOIN categories c ON c.name = v.category
"""

_ORDER = "ORDER BY c.position, p.id"

_GOLD = f"{_PIECES} JOIN gold g ON g.piece_id = p.id AND g.modality = :modality {_ORDER}"

_WAITING = f"""{_PIECES}
WHERE p.id NOT IN (SELECT piece_id FROM gold WHERE modality = :modality)
AND p.id NOT IN (SELECT piece_id FROM votes WHERE modality = :modality GROUP BY piece_id HAVING count(*) >= :wanted)
AND (:again OR p.id NOT IN (
    SELECT q.piece_id FROM mturk_questions q JOIN mturk_hits h ON h.hit = q.hit
    WHERE h.modality = :modality AND h.hit NOT IN
        (SELECT hit FROM mturk_assignments WHERE accepted GROUP BY hit HAVING count(*) >= :wanted)
))
{_ORDER}"""  # noqa: S608 - constants alone
