"""The page's server: who may ask, what it gives out, and that an answer counts once."""

import json
import shutil
import socket
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.engine.vegas.page_projects import make_page_project
from v2s_engine.errors import UsageError
from v2s_engine.vegas.page.address import ADDRESS_FILE
from v2s_engine.vegas.page.options import PageOptions
from v2s_engine.vegas.page.server import PageServer
from v2s_engine.vegas.store import Project


@contextmanager
def served(project: Project, options: PageOptions | None = None) -> Iterator[str]:
    """A real server on a real port; gives its address."""
    server = PageServer(project, options or PageOptions())
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield server.url
    finally:
        server.stop()
        thread.join()


@contextmanager
def asking(url: str) -> Iterator[httpx.Client]:
    """Asks as the page does."""
    base, _, token = url.partition("/#")
    with httpx.Client(base_url=base, headers={"X-V2S-Token": token, "Origin": base}, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return make_page_project(tmp_path_factory.mktemp("template") / "project", {"dog": 3})


@pytest.fixture(scope="module")
def untouched(template: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """For those who are refused: one for all."""
    return Project(shutil.copytree(template.folder, tmp_path_factory.mktemp("untouched") / "project"))


@pytest.fixture(scope="module")
def stranger(untouched: Project) -> Iterator[httpx.Client]:
    """Asks the server of `untouched`."""
    with served(untouched) as url, asking(url) as client:
        yield client


@pytest.fixture
def project(template: Project, tmp_path: Path) -> Project:
    return Project(shutil.copytree(template.folder, tmp_path / "project"))


@pytest.fixture
def client(project: Project) -> Iterator[httpx.Client]:
    with served(project) as url, asking(url) as client:
        yield client


def post(client: httpx.Client, path: str, **body: Any) -> dict[str, Any]:
    answer = client.post(f"/api/{path}", json=body)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def vote(client: httpx.Client, name: str, task: dict[str, Any], answer: str, request: str) -> dict[str, Any]:
    task = {key: task[key] for key in ("piece", "modality")}
    return post(client, "answer", annotator=name, request=f"request-{request}", answer=answer, **task)


def votes(project: Project) -> list[tuple[Any, ...]]:
    with project.connect() as connection:
        rows = connection.execute("SELECT piece_id, modality, annotator, present, source FROM votes")
        return [tuple(row) for row in rows]


def test_somebody_enters_answers_and_undoes(client: httpx.Client, project: Project) -> None:
    told = post(client, "enter", name="  Ann ")
    assert (told["annotator"], told["own"], len(told["work"])) == ("Ann", 0, 3)
    first, second = told["work"][:2]
    assert "dog" in first["question"]
    told = vote(client, "Ann", first, "no", "1")
    assert (told["outcome"], told["own"], told["work"][0]) == ("kept", 1, second)
    assert votes(project) == [(first["piece"], first["modality"], "page:Ann", 0, "page")]
    told = post(client, "undo", annotator="Ann", request="undo-0001")
    assert (told["outcome"], told["own"], told["work"][0]) == ("undone", 0, first)
    assert votes(project) == []
    assert post(client, "undo", annotator="Ann", request="undo-0002")["outcome"] == "nothing"


def test_an_answer_that_is_sent_twice_counts_once(client: httpx.Client, project: Project) -> None:
    first = post(client, "enter", name="Ann")["work"][0]
    assert vote(client, "Ann", first, "yes", "1") == vote(client, "Ann", first, "yes", "1")
    assert vote(client, "Ann", first, "no", "2")["outcome"] == "already"
    assert [row[3] for row in votes(project)] == [1]


def test_who_came_before_is_listed_and_progress_is_told(client: httpx.Client) -> None:
    first = post(client, "enter", name="Ann")["work"][0]
    vote(client, "Ann", first, "yes", "1")
    about = client.get("/api/start").json()
    assert (about["names"], about["project"], about["wanted"]) == (["Ann"], "project", 3)
    groups = post(client, "standing", annotator="Ann")["groups"]
    assert [(group["title"], group["questions"]) for group in groups] == [("dog", 3), ("dog", 3)]
    assert sum(group["own"] for group in groups) == 1


def test_without_the_token_nothing_is_told_or_kept(client: httpx.Client, project: Project) -> None:
    first = post(client, "enter", name="Ann")["work"][0]
    for token in ("", "x" * 32, "é"):
        headers = {"X-V2S-Token": token.encode("latin-1")}
        assert client.get("/api/start", headers=headers).status_code == 403
        body = {"annotator": "Eve", "request": "request-eve", "answer": "yes", "piece": 1, "modality": "sound"}
        assert client.post("/api/answer", json=body, headers=headers).status_code == 403
    assert votes(project) == []
    assert client.get("/", headers={"X-V2S-Token": ""}).status_code == 200, "the page itself holds no secret"
    assert client.get(first["media"], headers={"X-V2S-Token": ""}).status_code == 200
    wrong = first["media"].replace(first["media"].split("/")[2], "0" * 32)
    assert client.get(wrong).status_code == 404


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "", "localhost.", "127.0.0.1:80@evil"])
def test_a_foreign_name_that_points_here_is_refused(stranger: httpx.Client, host: str) -> None:
    for path in ("/", "/api/start", "/static/page.js"):
        assert stranger.get(path, headers={"Host": host}).status_code in {400, 421}


def test_other_names_of_this_machine_and_tunnels_are_fine(client: httpx.Client) -> None:
    for host in ("localhost:9999", "127.0.0.1", "[::1]:80"):
        assert client.get("/api/start", headers={"Host": host}).status_code == 200
        headers = {"Host": host, "Origin": f"http://{host}"}
        assert client.post("/api/enter", json={"name": "Ann"}, headers=headers).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", None])
def test_other_web_pages_cannot_answer(stranger: httpx.Client, untouched: Project, origin: str | None) -> None:
    request = stranger.build_request("POST", "/api/enter", json={"name": "Ann"})
    if origin is None:
        del request.headers["Origin"]
    else:
        request.headers["Origin"] = origin
    assert stranger.send(request).status_code == 403


def test_a_form_cannot_answer_and_bodies_are_short(client: httpx.Client) -> None:
    assert client.post("/api/enter", data={"name": "Ann"}).status_code == 415
    assert client.post("/api/enter", json={"name": "a" * 5000}).status_code == 413
    json_type = {"Content-Type": "application/json"}
    assert client.post("/api/enter", content=iter([b"{}"]), headers=json_type).status_code == 413, "no length given"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"piece": "1"},
        {"piece": True},
        {"piece": -1},
        {"piece": 2**63},
        {"piece": 1.5},
        {"modality": "smell"},
        {"answer": "maybe"},
        {"request": "x"},
        {"request": "../../../etc"},
        {"annotator": "../x"},
        {"annotator": 7},
    ],
)
def test_answers_that_cannot_be_are_refused(stranger: httpx.Client, untouched: Project, body: dict[str, Any]) -> None:
    good = {"annotator": "Ann", "request": "request-1", "piece": 1, "modality": "sound", "answer": "yes"}
    answer = stranger.post("/api/answer", json=good | body if body else {})
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert votes(untouched) == []


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b"\xff\xfe", b"null"])
def test_what_is_no_object_is_refused(stranger: httpx.Client, content: bytes) -> None:
    answer = stranger.post("/api/undo", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400


def test_a_piece_that_nobody_is_asked_about_is_told(client: httpx.Client, project: Project) -> None:
    assert vote(client, "Ann", {"piece": 999, "modality": "sound"}, "yes", "1")["outcome"] == "gone"
    assert votes(project) == []


def test_media_come_in_parts(client: httpx.Client, project: Project) -> None:
    for task in post(client, "enter", name="Ann")["work"]:
        with project.connect() as connection:
            row = connection.execute("SELECT * FROM pieces WHERE id = ?", (task["piece"],)).fetchone()
        suffix, kind = {"picture": (".mp4", "video/mp4"), "sound": (".flac", "audio/flac")}[task["modality"]]
        content = project.piece_path(row["video_id"], row["ordinal"], suffix).read_bytes()
        whole = client.get(task["media"])
        assert (whole.status_code, whole.content, whole.headers["Content-Type"]) == (200, content, kind)
        part = client.get(task["media"], headers={"Range": "bytes=100-199"})
        assert (part.status_code, part.content) == (206, content[100:200])
        assert part.headers["Content-Range"] == f"bytes 100-199/{len(content)}"
        assert client.get(task["media"], headers={"Range": "bytes=99999999-"}).status_code == 416
        assert client.head(task["media"]).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/static/../server.py",
        "/static/%2e%2e/server.py",
        "/static/..%2f..%2fstore.py",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/media/KEY/../../../vegas.db",
        "/media/KEY/1/..%2f..%2fvegas.db",
        "/media/KEY/%2e%2e/picture",
        "/media/KEY/-1/picture",
        "/media/KEY/1/thumbnail",
        "/media/KEY/99999999999999999999999/picture",
        "/media/KEY/999/picture",
        "/vegas.db",
        "/annotation_page.json",
    ],
)
def test_no_path_leads_anywhere_else(stranger: httpx.Client, path: str) -> None:
    key = post(stranger, "enter", name="Ann")["work"][0]["media"].split("/")[2]
    target = path.replace("KEY", key)
    with socket.create_connection((stranger.base_url.host, stranger.base_url.port or 80)) as raw:  # httpx would tidy it
        raw.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: raw.recv(65_536), b""))
    assert answer.split(b" ", 2)[1] == b"404"


def test_what_is_missing_is_told(client: httpx.Client, project: Project) -> None:
    task = post(client, "enter", name="Ann")["work"][0]
    for path in (project.folder / "pieces").rglob("*.*"):
        path.unlink()
    answer = client.get(task["media"])
    assert answer.status_code == 404
    assert "v2s vegas segment" in answer.json()["error"]


def test_the_page_may_load_nothing_from_elsewhere_nor_be_framed(client: httpx.Client) -> None:
    for path in ("/", "/static/page.js", "/static/page.css", "/api/start", "/nowhere"):
        policy = client.get(path).headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
    page = client.get("/").text
    assert "//" not in page.replace("<!doctype", ""), "no address of elsewhere"


def test_address_and_token_outlive_a_restart_and_are_the_owners_alone(project: Project) -> None:
    with served(project) as first:
        pass
    with served(project) as second, asking(second) as client:
        assert second == first
        assert client.get("/api/start").status_code == 200
    kept = project.folder / ADDRESS_FILE
    if sys.platform != "win32":
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    kept.write_text(json.dumps({"port": 0, "token": "short"}))
    with served(project) as third:
        assert third.partition("#")[2] not in {"short", first.partition("#")[2]}


def test_a_port_that_is_taken_is_told_and_without_one_another_is_found(project: Project) -> None:
    with served(project) as first:
        port = int(first.split(":")[2].partition("/")[0])
        with pytest.raises(UsageError, match=f"port {port} of 127.0.0.1 cannot be used"):
            PageServer(project, PageOptions(port=port))
        with served(project) as second:
            assert second.partition("#")[2] == first.partition("#")[2]
            assert second != first


def test_without_anything_to_ask_there_is_no_page(tmp_path: Path, project: Project) -> None:
    with pytest.raises(UsageError, match="v2s vegas select"):
        PageServer(Project(tmp_path / "none"), PageOptions())
    with Project(tmp_path / "empty").connect(create=True):
        pass
    with pytest.raises(UsageError, match="v2s vegas segment"):
        PageServer(Project(tmp_path / "empty"), PageOptions())
    with pytest.raises(UsageError, match="v2s vegas aggregate"):
        PageServer(project, PageOptions(conflicts=5))


def test_while_another_program_writes_for_long_the_page_is_told_to_try_again(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("v2s_engine.vegas.store._BUSY_S", 0.1)
    with served(project) as url, asking(url) as client, project.connect() as other:
        first = post(client, "enter", name="Ann")["work"][0]
        other.execute("BEGIN IMMEDIATE")
        body = {"annotator": "Ann", "request": "request-1", "answer": "yes"} | {
            key: first[key] for key in ("piece", "modality")
        }
        assert client.post("/api/answer", json=body).status_code == 503
        other.rollback()
        assert client.post("/api/answer", json=body).json()["outcome"] == "kept"
    assert len(votes(project)) == 1
