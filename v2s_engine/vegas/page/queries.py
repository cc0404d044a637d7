"""The queue's questions to the database, put together from parts.

In each, `t` is a row of `tasks`, `:me` an annotator, `:wanted` the votes of a question, `:start` the last answer on the
page before this server.
"""

# ruff: noqa: S608
# All parts are constants of this module: what people type comes in as values alone.

ROOM = """
    (SELECT count(*) FROM votes AS v WHERE v.piece_id = t.piece_id AND v.modality = t.modality)
    + (SELECT count(*) FROM claims AS c
       WHERE c.piece_id = t.piece_id AND c.modality = t.modality AND c.annotator <> :me) < :wanted
"""
"""Fewer people than wanted have answered it, or hold it while others could."""
_UNSEEN = """
    NOT EXISTS (SELECT 1 FROM votes AS v
                WHERE v.piece_id = t.piece_id AND v.modality = t.modality AND v.annotator = :me)
    AND NOT EXISTS (SELECT 1 FROM claims AS c
                    WHERE c.piece_id = t.piece_id AND c.modality = t.modality AND c.annotator = :me)
    AND NOT EXISTS (SELECT 1 FROM page_answers AS a
                    WHERE a.annotator = :me AND a.piece_id = t.piece_id AND a.modality = t.modality
                    AND a.answer = 'broken' AND a.id > :start)
"""
_UNSKIPPED = """
    NOT EXISTS (SELECT 1 FROM page_answers AS a
                WHERE a.annotator = :me AND a.piece_id = t.piece_id AND a.modality = t.modality
                AND a.answer = 'skip' AND a.outcome = 'kept' AND NOT a.undone)
"""
FIRST_OPEN = f"""
    SELECT t.* FROM tasks AS t WHERE t.rank > :floor AND NOT t.gold AND {ROOM} AND {_UNSEEN} AND {_UNSKIPPED}
    ORDER BY t.rank LIMIT 1
"""
FIRST_GOLD = f"""
    SELECT t.* FROM tasks AS t WHERE t.gold AND t.category = :category AND t.modality = :modality
    AND {_UNSEEN} AND {_UNSKIPPED} ORDER BY t.rank LIMIT 1
"""
FIRST_SKIPPED = f"""
    SELECT t.*, max(s.id) FROM page_answers AS s JOIN tasks AS t USING (piece_id, modality)
    WHERE s.annotator = :me AND s.answer = 'skip' AND s.outcome = 'kept' AND NOT s.undone
    AND (t.gold OR {ROOM}) AND {_UNSEEN}
    GROUP BY t.piece_id, t.modality ORDER BY max(s.id) LIMIT 1
"""

HAS_ROOM = f"SELECT 1 FROM tasks AS t WHERE t.piece_id = :piece AND t.modality = :modality AND {ROOM}"
DROP_FILLED_CLAIMS = f"""
    DELETE FROM claims WHERE rowid IN (
        SELECT mine.rowid FROM claims AS mine JOIN tasks AS t USING (piece_id, modality)
        WHERE mine.annotator = :me AND NOT t.gold AND NOT ({ROOM}))
"""
