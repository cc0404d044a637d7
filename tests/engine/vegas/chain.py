"""The way from AudioSet's lists to a built set, by the command line: each step as one call, in this order."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.engine.vegas.annotators import MODALITIES, Crowd, Vote, answer_batch, answer_page
from tests.engine.vegas.mini_audioset import CLASSES, MiniAudioSet
from v2s_engine.vegas.store import Project
from v2s_plugin.cli import main

EXIT_DONE, EXIT_SOME_SKIPPED = 0, 3


@dataclass
class Chain:
    """One project on its way, and what was said and answered."""

    mini: MiniAudioSet
    folder: Path
    crowd: Crowd
    test_videos: int
    """Per category."""
    votes: list[Vote] = field(default_factory=list)
    """All that count, as the simulated annotators gave them."""
    gold: set[tuple[str, int]] = field(default_factory=set)
    """Pieces whose answers are known in both modalities."""
    answers: dict[str, Any] = field(default_factory=dict)
    """What each command answered."""

    @property
    def project(self) -> Project:
        return Project(self.folder / "project")

    @property
    def built(self) -> Path:
        return self.folder / "set"

    def run(self, *arguments: str, code: int = EXIT_DONE) -> Any:
        """One command within this process; checks how it ends, and returns its JSON."""
        step, *rest = arguments
        with contextlib.redirect_stdout(io.StringIO()) as said:
            ended = main(["vegas", step, str(self.project.folder), *rest, "--json"])
        assert ended == code, f"{arguments}: {ended}\n{said.getvalue()}"
        self.answers[step] = json.loads(said.getvalue())
        return self.answers[step]

    def select(self) -> None:
        """The categories of the set by name, as many videos as there are, without Music."""
        self.run("select", *select_arguments(self.mini), code=EXIT_SOME_SKIPPED)

    def fetch(self) -> None:
        """From a web server, by `file:` URLs, and the rest from the folder, which also has what failed there."""
        first, second, *_ = self.mini.categories
        with serve(self.mini.media) as url:
            asked = ("--url", url + "/{id}_{start:06d}", "--rate", "1000", "--category", first)
            self.run("fetch", *asked, code=EXIT_SOME_SKIPPED)
        template = f"{self.mini.media.as_uri()}/{{id}}_{{start:06d}}.mkv"
        self.run("fetch", "--url", template, "--category", second, code=EXIT_SOME_SKIPPED)
        self.run("fetch", "--from", str(self.mini.media), "--retry-failed", code=EXIT_SOME_SKIPPED)

    def annotate(self) -> None:
        """Gold for a few pieces; the last category on the page, all others on Mechanical Turk."""
        self.run("annotate", "--gold", str(self._gold_file()), code=EXIT_SOME_SKIPPED)
        batches = self.folder / "batches"
        written = self.run("annotate", "--mturk-batches", str(batches), "--media-url", "https://media.example/vegas")
        results = []
        for batch in map(Path, written["batches"]):
            results.append(batch.with_name(f"{batch.stem}_results.csv"))
            workers_see = self.mini.categories[:-1]
            self.votes += answer_batch(batch, results[-1], self.crowd, self.mini.videos, workers_see)
        self.run("annotate", "--mturk-results", *map(str, results), code=EXIT_SOME_SKIPPED)
        self.votes += answer_page(self.project, self.crowd, self.mini.videos)

    def whole_way(self) -> Chain:
        """All steps; returns itself."""
        self.select()
        self.fetch()
        self.run("segment")
        self.annotate()
        self.finish()
        return self

    def finish(self) -> None:
        """Verdicts, the built set with shards, and the figures."""
        self.run("aggregate")
        self.run("build", *build_arguments(self.built, self.test_videos))
        self.run("stats", "-o", str(self.folder / "stats"))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the project's database answers."""
        with self.project.connect() as connection:
            return [tuple(row) for row in connection.execute(query)]

    def _gold_file(self) -> Path:
        """Two pieces of each category as an expert answers, and a row that names no piece."""
        path = self.folder / "gold.csv"
        rows: list[Sequence[object]] = [("video_id", "ordinal", "picture", "sound")]
        seen: dict[str, int] = {}
        for video_id, ordinal in self.rows("SELECT video_id, ordinal FROM pieces WHERE ordinal = 1 ORDER BY video_id"):
            video = self.mini.videos[video_id]
            seen[video.category] = seen.get(video.category, 0) + 1
            if seen[video.category] <= 2:
                truth = video.pieces[ordinal]
                rows.append((video_id, ordinal, *("yes" if getattr(truth, each) else "no" for each in MODALITIES)))
                self.gold.add((video_id, ordinal))
        rows.append(("nobody_knows", 0, "yes", "yes"))
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)
        return path


def select_arguments(mini: MiniAudioSet) -> list[str]:
    """What `select` is asked for: the set's own categories, no Music."""
    named = [f"{name}={';'.join(CLASSES[name])}" for name in mini.categories]
    return [
        *("--ontology", str(mini.ontology)),
        *(each for path in mini.segments for each in ("--segments", str(path))),
        *(each for name in named for each in ("--category", name)),
        *("--without", "Music", "--videos-per-category", "20"),
    ]


def build_arguments(output: Path, test_videos: int) -> list[str]:
    """What `build` is asked for."""
    return ["-o", str(output), "--test-per-category", str(test_videos), "--shards", "2"]


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[str]:
    """A web server on this machine that has a folder's files by their names without suffix; its URL."""
    files = {path.stem: path for path in folder.iterdir()}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = files.get(self.path.lstrip("/"))
            body = b"" if path is None else path.read_bytes()
            self.send_response(404 if path is None else 200)
            self.send_header("Content-Type", "video/mp4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
