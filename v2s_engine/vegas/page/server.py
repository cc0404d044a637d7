"""The annotation page's server: on this machine alone, for people who sit at it.

serve_page(Project(folder), PageOptions(), announce=print)

It ends with Ctrl-C; all that was answered is in the project by then.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from v2s_engine.errors import MissingExtraError, UsageError
from v2s_engine.vegas.page.address import take_address
from v2s_engine.vegas.page.annotators import checked_name
from v2s_engine.vegas.page.desk import Counter, Desk, check_work
from v2s_engine.vegas.page.options import PageOptions
from v2s_engine.vegas.page.piece_queue import Answer, Task
from v2s_engine.vegas.questions import MODALITIES, Modality, question_for, words
from v2s_engine.vegas.store import Project

try:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.exceptions import HTTPException
    from starlette.middleware import Middleware
    from starlette.requests import Request
    from starlette.responses import FileResponse, JSONResponse, Response
    from starlette.routing import Mount, Route
    from starlette.staticfiles import StaticFiles

    from v2s_engine.vegas.page.guard import Guard
except ModuleNotFoundError as error:
    raise MissingExtraError("the annotation page", "vegas") from error

_STATIC = Path(__file__).parent / "static"
_ANSWERS: tuple[Answer, ...] = ("yes", "no", "skip", "broken")
_REQUEST = re.compile(r"[A-Za-z0-9-]{8,64}")
_TYPES = {"picture": "video/mp4", "sound": "audio/flac"}


def serve_page(project: Project, options: PageOptions, announce: Callable[[str], None]) -> None:
    """Serve until Ctrl-C; `announce` is told the address once it is listened to.

    Raises `UsageError` where there is no project, nothing to ask, or the port is taken; `OutputError`.
    """
    server = PageServer(project, options)
    announce(server.url)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()


class PageServer:
    """A server that listens already; `run` answers, `stop`, from another thread, ends that. Raises as `serve_page`."""

    def __init__(self, project: Project, options: PageOptions) -> None:
        options = check_work(project, options)
        address, self._socket = take_address(project, options.port)
        self.url = address.url
        self._server = uvicorn.Server(
            uvicorn.Config(
                create_app(project, options, address.token),
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                lifespan="on",
                loop="asyncio",
                http="h11",
                ws="none",
                timeout_graceful_shutdown=3,
            )
        )

    def run(self) -> None:
        """Answer until `stop`, or a signal where this is the main thread; SIGINT comes out as `KeyboardInterrupt`."""
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()

    def stop(self) -> None:
        """Finish what is under way and end `run`."""
        self._server.should_exit = True


def create_app(project: Project, options: PageOptions, token: str) -> Starlette:
    """The page as an ASGI application; it opens the project when it is started."""
    desk = Desk(project, options)
    pages = _Pages(project, options, desk, media_key=hashlib.sha256(f"media/{token}".encode()).hexdigest()[:32])

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await desk.open()
        yield
        await desk.close()

    return Starlette(
        routes=[
            Route("/", pages.index),
            Mount("/static", StaticFiles(directory=_STATIC)),
            Route("/api/start", pages.start),
            Route("/api/enter", pages.enter, methods=["POST"]),
            Route("/api/work", pages.work, methods=["POST"]),
            Route("/api/answer", pages.answer, methods=["POST"]),
            Route("/api/undo", pages.undo, methods=["POST"]),
            Route("/api/standing", pages.standing, methods=["POST"]),
            Route("/media/{key}/{piece:int}/{modality}", pages.media),
        ],
        middleware=[Middleware(Guard, token=token)],
        exception_handlers={
            UsageError: _told(400),
            HTTPException: _told_http,
            sqlite3.OperationalError: _told(503),
        },
        lifespan=lifespan,
    )


class _Pages:
    """The requests. All but media and the page itself are JSON in, JSON out."""

    def __init__(self, project: Project, options: PageOptions, desk: Desk, media_key: str) -> None:
        self._project = project
        self._options = options
        self._desk = desk
        self._media_key = media_key

    async def index(self, request: Request) -> Response:
        """The page itself, which holds nothing of the project."""
        return FileResponse(_STATIC / "index.html")

    async def start(self, request: Request) -> Response:
        """Who has answered before, and what this is about."""
        names = await self._desk.ask(Counter.names)
        folder = self._project.folder.resolve()
        return JSONResponse(
            {
                "project": folder.name,
                "key": hashlib.sha256(str(folder).encode()).hexdigest()[:16],
                "names": names,
                "proposed": self._options.annotator,
                "wanted": self._options.wanted,
                "conflicts": self._options.conflicts is not None,
            }
        )

    async def enter(self, request: Request) -> Response:
        """`{name}`: how that person is called in all other requests, and what to do first."""
        name = _text(await _body(request), "name")

        def enter(counter: Counter) -> dict[str, Any]:
            annotator = counter.enter(name)
            return {"annotator": annotator.partition(":")[2]} | self._next(
                counter, annotator, counter.queue.hand_out(annotator)
            )

        return JSONResponse(await self._desk.ask(enter))

    async def work(self, request: Request) -> Response:
        """`{annotator}`: what to do now and next."""
        annotator = _annotator(await _body(request))
        return JSONResponse(
            await self._desk.ask(lambda counter: self._next(counter, annotator, counter.queue.hand_out(annotator)))
        )

    async def answer(self, request: Request) -> Response:
        """`{annotator, request, piece, modality, answer}`: what it came to, and what to do next."""
        body = await _body(request)
        annotator, name = _annotator(body), _request(body)
        task, given = (_piece(body), _modality(body)), _answer(body)

        def answer(counter: Counter) -> dict[str, Any]:
            turn = counter.queue.answer(annotator, task, given, name)
            return {"outcome": turn.outcome} | self._next(counter, annotator, turn.work)

        return JSONResponse(await self._desk.ask(answer))

    async def undo(self, request: Request) -> Response:
        """`{annotator, request}`: take the last answer back; its piece is the next to do."""
        body = await _body(request)
        annotator, name = _annotator(body), _request(body)

        def undo(counter: Counter) -> dict[str, Any]:
            turn = counter.queue.undo(annotator, name)
            return {"outcome": turn.outcome} | self._next(counter, annotator, turn.work)

        return JSONResponse(await self._desk.ask(undo))

    async def standing(self, request: Request) -> Response:
        """`{annotator}`: how far everything is, by category and modality."""
        annotator = _annotator(await _body(request))

        def standing(counter: Counter) -> list[dict[str, Any]]:
            own = counter.own_groups(annotator)
            return [
                {
                    "title": words(group.category),
                    "modality": group.modality,
                    "questions": group.questions,
                    "done": group.done,
                    "own": own.get((group.category, group.modality), 0),
                }
                for group in sorted(counter.everybody(), key=lambda group: (group.category, group.modality))
            ]

        return JSONResponse({"groups": await self._desk.ask(standing)})

    async def media(self, request: Request) -> Response:
        """The picture alone or the sound alone of a piece; in parts, as browsers ask when they seek."""
        modality = request.path_params["modality"]
        if request.path_params["key"] != self._media_key or modality not in MODALITIES:
            raise HTTPException(404, "nothing here")
        piece = request.path_params["piece"]
        path = await self._desk.media_path(piece, modality) if piece < 2**63 else None
        if path is None or not path.is_file():
            raise HTTPException(404, f"the {modality} of this piece is missing; run `v2s vegas segment` again")
        return FileResponse(path, media_type=_TYPES[modality], headers={"Cache-Control": "private, max-age=600"})

    def _next(self, counter: Counter, annotator: str, work: tuple[Task, ...]) -> dict[str, Any]:
        everybody = counter.everybody()
        wanted = sum(group.questions for group in everybody) * self._options.wanted
        return {
            "work": [self._task(task) for task in work],
            "own": counter.own(annotator),
            "share": sum(group.votes for group in everybody) / wanted if wanted else 1.0,
        }

    def _task(self, task: Task) -> dict[str, Any]:
        modality: Modality = "picture" if task.modality == "picture" else "sound"
        question = question_for(task.category, modality)
        return {
            "piece": task.piece_id,
            "modality": modality,
            "title": words(task.category),
            "question": question.text,
            "present": question.present,
            "absent": question.absent,
            "media": f"/media/{self._media_key}/{task.piece_id}/{modality}",
        }


async def _body(request: Request) -> Any:
    try:
        return await request.json()
    except ValueError:
        raise HTTPException(400, "wanted a JSON object") from None


def _annotator(body: Any) -> str:
    return f"page:{checked_name(_text(body, 'annotator'))}"


def _request(body: Any) -> str:
    request = _text(body, "request")
    if not _REQUEST.fullmatch(request):
        raise HTTPException(400, "request has 8 to 64 letters, digits and -")
    return request


def _piece(body: Any) -> int:
    piece = body.get("piece")  # a text of the same body was read before: it is an object
    if type(piece) is not int or not 0 <= piece < 2**63:
        raise HTTPException(400, "piece is a piece's number")
    return piece


def _modality(body: Any) -> Modality:
    modality = _text(body, "modality")
    for known in MODALITIES:
        if modality == known:
            return known
    raise HTTPException(400, f"modality is one of {', '.join(MODALITIES)}")


def _answer(body: Any) -> Answer:
    answer = _text(body, "answer")
    for known in _ANSWERS:
        if answer == known:
            return known
    raise HTTPException(400, f"answer is one of {', '.join(_ANSWERS)}")


def _text(body: Any, name: str) -> str:
    if not isinstance(body, dict) or not isinstance(body.get(name), str):
        raise HTTPException(400, f"wanted a JSON object with the text {name}")
    return str(body[name])


def _told(status: int) -> Callable[[Request, Exception], Response]:
    def told(request: Request, error: Exception) -> Response:
        return JSONResponse({"error": str(error)}, status)

    return told


def _told_http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return JSONResponse({"error": error.detail}, error.status_code)
