"""A small project with votes, row by row: what tests of `aggregate` and `stats` start from."""

from pathlib import Path

from v2s_engine.vegas.store import PIECE_LENGTH, Project

ABC = ("page:a", "page:b", "page:c")


def make_project(folder: Path, videos: dict[str, tuple[str, int]]) -> Project:
    """A project of fetched videos: id to category and number of pieces. Pieces have ids 1, 2, ... in that order."""
    project = Project(folder)
    categories = list(dict.fromkeys(category for category, _ in videos.values()))
    with project.connect(create=True) as connection, connection:
        connection.executemany(
            "INSERT INTO categories VALUES (?, ?, ?, '[]', 10)",
            ((name, position, f'["{name.capitalize()}"]') for position, name in enumerate(categories)),
        )
        for line, (video_id, (category, pieces)) in enumerate(videos.items()):
            connection.execute(
                "INSERT INTO videos VALUES (?, ?, 0, 10000, '[]', 'made.csv', ?, ?)", (video_id, category, line, line)
            )
            connection.execute(
                "INSERT INTO fetches (video_id, state, attempts, length) VALUES (?, 'fetched', 1, ?)",
                (video_id, pieces * PIECE_LENGTH),
            )
            connection.executemany(
                "INSERT INTO pieces (video_id, ordinal, length) VALUES (?, ?, ?)",
                ((video_id, ordinal, PIECE_LENGTH) for ordinal in range(pieces)),
            )
    return project


def vote(project: Project, piece: int, picture: str, sound: str, annotators: tuple[str, ...] = ABC) -> None:
    """Votes on a piece: `110` is yes, yes, no by the first, second and third annotator; a dot is no vote."""
    rows = [
        (piece, modality, annotator, int(word))
        for modality, words in (("picture", picture), ("sound", sound))
        for annotator, word in zip(annotators, words, strict=False)
        if word != "."
    ]
    with project.connect() as connection, connection:
        connection.executemany("INSERT INTO votes VALUES (?, ?, ?, ?, 'page', NULL, '2026-01-01T00:00:00Z')", rows)


def make_gold(project: Project, piece: int, **present: int) -> None:
    """Known answers of a piece: `picture=1`, `sound=0`."""
    with project.connect() as connection, connection:
        connection.executemany("INSERT INTO gold VALUES (?, ?, ?)", ((piece, *answer) for answer in present.items()))
