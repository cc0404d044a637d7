"""A project with pieces and votes of simulated annotators, and nothing else: no media. For speed and for tests."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from v2s_engine.vegas.categories import VEGAS_CATEGORIES
from v2s_engine.vegas.store import PIECE_LENGTH, Project

PIECES_PER_VIDEO = 5
ANNOTATORS = 400


def fill_voted_project(
    folder: Path, pieces: int, *, votes: int = 3, annotators: int = ANNOTATORS, seed: int = 0, gold: int = 0
) -> Project:
    """A new project of `pieces` pieces in the paper's ten categories, each with `votes` votes in both modalities.

    What is asked for is there in 85 of 100 pieces in each modality; annotators are right in 75 to 99 of 100 answers.
    The first `gold` pieces are gold. 132,209 pieces take about ten seconds.
    """
    rng = np.random.default_rng(seed)
    project = Project(folder)
    videos = -(-pieces // PIECES_PER_VIDEO)
    skill = rng.uniform(0.75, 0.99, annotators)
    with project.connect(create=True) as connection, connection:
        connection.executemany(
            "INSERT INTO categories VALUES (?, ?, ?, '[]', 0)",
            ((each.name, position, json.dumps(each.audioset)) for position, each in enumerate(VEGAS_CATEGORIES)),
        )
        count = len(VEGAS_CATEGORIES)
        connection.executemany(
            "INSERT INTO videos VALUES (?, ?, 0, 10000, '[]', 'made.csv', ?, ?)",
            ((f"{n:011d}", VEGAS_CATEGORIES[n % count].name, n + 4, n // count) for n in range(videos)),
        )
        connection.executemany(
            "INSERT INTO fetches (video_id, state, attempts, length) VALUES (?, 'fetched', 1, 160000)",
            ((f"{n:011d}",) for n in range(videos)),
        )
        connection.executemany(
            "INSERT INTO pieces VALUES (?, ?, ?, ?)",
            ((n + 1, f"{n // PIECES_PER_VIDEO:011d}", n % PIECES_PER_VIDEO, PIECE_LENGTH) for n in range(pieces)),
        )
        for modality in ("picture", "sound"):
            truth = rng.random(pieces) < 0.85
            # Each piece to `votes` different annotators: one drawn, and those that stand a stride further on.
            who = (rng.integers(annotators, size=(pieces, 1)) + np.arange(votes) * 7) % annotators
            said = truth[:, None] ^ (rng.random((pieces, votes)) > skill[who])
            connection.executemany(
                f"INSERT INTO votes VALUES (?, '{modality}', ?, ?, 'page', NULL, '2026-01-01T00:00:00Z')",  # noqa: S608
                (
                    (piece + 1, f"page:{annotator:04d}", present)
                    for piece, (people, words) in enumerate(zip(who.tolist(), said.astype(int).tolist(), strict=True))
                    for annotator, present in zip(people, words, strict=True)
                ),
            )
            connection.executemany(
                f"INSERT INTO gold VALUES (?, '{modality}', ?)",  # noqa: S608
                ((piece + 1, int(truth[piece])) for piece in range(gold)),
            )
    return project
