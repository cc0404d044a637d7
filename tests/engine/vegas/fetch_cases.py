"""Projects, films and servers for the tests of `fetch`."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.media import Clip, make_clip
from v2s_engine.vegas.sources import Section
from v2s_engine.vegas.store import Project

FILM_FRAMES = 27
FILM_RATE = 12


def make_film(path: Path, flash: int, *, sound: bool = True, frames: int = FILM_FRAMES) -> Clip:
    """A small film of a little more than 2 s; another `flash`, another content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return make_clip(path, rate=Fraction(FILM_RATE), frames=frames, flashes=(flash,), width=96, height=64, sound=sound)


def make_project(folder: Path, categories: Mapping[str, Sequence[str]], *, begin_ms: int = 0) -> Project:
    """A project whose videos are drawn: 10 s sections, all from the same moment."""
    project = Project(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with project.connect(create=True) as connection, connection:
        for number, (category, ids) in enumerate(categories.items()):
            connection.execute("INSERT INTO categories VALUES (?, ?, '[]', '[]', ?)", (category, number, len(ids)))
            connection.executemany(
                "INSERT INTO videos VALUES (?, ?, ?, ?, '[]', 'list.csv', ?, ?)",
                [(each, category, begin_ms, begin_ms + 10_000, i + 1, i) for i, each in enumerate(ids)],
            )
    return project


def fetch_states(project: Project) -> dict[str, tuple[str, str | None]]:
    """Of each video that was tried, its state and reason."""
    with project.connect() as connection:
        return {row[0]: (row[1], row[2]) for row in connection.execute("SELECT video_id, state, reason FROM fetches")}


def section(video_id: str = "-aB_3", begin_ms: int = 30_000) -> Section:
    return Section(video_id, begin_ms, begin_ms + 10_000)


def go_on() -> None:
    """The `check` of a run that nobody stops."""


@dataclass
class ToldClock:
    """A clock that is told how long somebody waits, and does not wait."""

    time: float = 0.0
    waits: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.time += seconds


@dataclass(frozen=True)
class Answer:
    """What the server does to one request."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    announced: int | None = None
    """Content-Length, where it is another than the body's; -1 for none."""
    stalls: bool = False
    """Whether it sends half of the body, and then nothing."""


class TroubledServer:
    """A web server on loopback that gives each path its answers one by one, the last again and again."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.ended = threading.Event()

    def gives(self, path: str, *answers: Answer) -> None:
        self.answers[path] = list(answers)

    def next_answer(self, path: str) -> Answer:
        known = self.answers.get(path)
        if not known:
            return Answer(status=404)
        return known.pop(0) if len(known) > 1 else known[0]


@contextlib.contextmanager
def troubled_server() -> Iterator[tuple[TroubledServer, str]]:
    """The server while it runs, and its URL."""
    server = TroubledServer()
    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, server))
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server, f"http://127.0.0.1:{http.server_port}"
    finally:
        server.ended.set()
        http.shutdown()
        http.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, server: TroubledServer, *args: object) -> None:
        self.troubled = server
        super().__init__(*args)  # type: ignore[arg-type]

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, *, with_body: bool) -> None:
        self.troubled.asked.append(self.path)
        self.troubled.headers.append(dict(self.headers))
        answer = self.troubled.next_answer(self.path)
        body, status = answer.body, answer.status
        headers = dict(answer.headers)
        if status == 200 and (wanted := self.headers.get("Range")):
            first = int(wanted.removeprefix("bytes=").split("-")[0])
            headers["Content-Range"] = f"bytes {first}-{len(body) - 1}/{len(body)}"
            body, status = body[first:], 206
        with contextlib.suppress(ConnectionError):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if answer.announced != -1:
                self.send_header("Content-Length", str(len(body) if answer.announced is None else answer.announced))
            self.end_headers()
            if with_body:
                self.wfile.write(body[: len(body) // 2] if answer.stalls else body)
                self.wfile.flush()
            while answer.stalls and not self.troubled.ended.is_set():
                time.sleep(0.02)
