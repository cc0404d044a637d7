"""The worker as a process of its own, reached by the client that panels use, by sockets and by WebSocket."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.plugin.processes import ROOT
from tests.worker.hosts import PATIENCE, Host, shot
from tests.worker.schema import check_worker_message, fits
from v2s_plugin.hosts import client as client_module
from v2s_plugin.hosts.client import WorkerClient, WorkerGoneError, clean_environment

PATHS = [str(ROOT), str(ROOT / "plugin"), str(ROOT / "export")]
RUN = f"import sys; sys.path[:0] = {PATHS!r}; from v2s_plugin.cli import main; sys.exit(main(sys.argv[1:]))"
WORKER = [sys.executable, "-P", "-c", RUN, "worker"]
"""Works from a checkout too; panels get `-m v2s_plugin.cli` (`tests/packaging`)."""


@pytest.fixture
def client() -> Iterator[WorkerClient]:
    made = WorkerClient(WORKER, host="test 1.0")
    yield made
    made.close(PATIENCE)


def heard(client: WorkerClient, *types: str) -> list[dict[str, Any]]:
    """What the worker says up to the first message of one of these types."""
    messages: list[dict[str, Any]] = []
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        for message in client.poll():
            messages.append(message)
            if message["type"] in types:
                return messages
        time.sleep(0.01)
    raise AssertionError(f"none of {types} came; heard {messages}, on stderr {client.last_words()}")


def test_a_panel_gets_sounds_from_a_process(client: WorkerClient, media: Path, tmp_path: Path) -> None:
    client.start()
    assert heard(client, "hello")[-1]["protocol"] == 1
    number = client.request("generate", shots=[shot(media, takes=2)], media_folder=str(tmp_path), options={"seed": 3})
    messages = heard(client, "done", "error")
    assert messages[-1]["type"] == "done"
    assert messages[-1]["device"] == "cpu" or messages[-1]["device"].startswith("cuda")
    for message in messages:
        check_worker_message(message)
        assert message["id"] == number
    assert {"encode", "sample", "write"} <= {each["stage"] for each in messages if each["type"] == "progress"}
    files = [each["path"] for each in messages if each["type"] == "clip"]
    assert len(files) == 2
    assert all(Path(file).is_file() for file in files)
    assert client.close(PATIENCE) == 0
    assert client.poll() == []


def test_real_work_is_cancelled(client: WorkerClient, media: Path, tmp_path: Path) -> None:
    client.start()
    shots = [shot(media, number, source_start=f"{number}/8") for number in range(20)]
    number = client.request("generate", shots=shots, media_folder=str(tmp_path), options={"takes": 20})
    heard(client, "progress")
    client.cancel(number)
    last = heard(client, "done", "error")[-1]
    assert (last["id"], last["code"]) == (number, "cancelled")
    assert not list(tmp_path.glob(".*"))
    client.request("plan", shots=shots[:1])
    assert heard(client, "planned", "error")[-1]["type"] == "planned"


def test_what_the_client_sends_fits_the_schema() -> None:
    sent: list[Any] = []
    client = WorkerClient(["nothing"])
    client.send = sent.append  # type: ignore[method-assign]
    client.request("generate", shots=[shot(Path("/a.mp4"))], media_folder="/m", options={"takes": 2})
    client.cancel(client.request("plan", timeline="/a.otio"))
    assert [message["type"] for message in sent] == ["generate", "plan", "cancel"]
    assert all(fits(message, "host_message") for message in sent)


def test_a_worker_that_dies_is_told_with_its_last_words() -> None:
    client = WorkerClient([sys.executable, "-c", "import sys; sys.exit('no such module')"])
    client.start()
    (error,) = heard(client, "error")
    assert (error["code"], error["id"]) == ("worker_gone", None)
    assert "no such module" in error["detail"]
    assert not client.running
    with pytest.raises(WorkerGoneError):
        client.request("plan", timeline="/a.otio")
    client.close()


def test_a_worker_that_is_started_again_says_nothing_of_the_one_that_died() -> None:
    client = WorkerClient([sys.executable, "-c", "import sys; sys.stdin.readline()"])
    for _ in range(2):
        client.start()
        assert client.process is not None
        client.process.wait()
        while not client._messages.qsize():
            time.sleep(0.01)
    assert [message["code"] for message in client.poll()] == ["worker_gone"]
    client.close()


def test_a_worker_that_cannot_be_started_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(WorkerGoneError, match="hosts install"):
        WorkerClient([str(tmp_path / "python")]).start()


def test_a_worker_that_does_not_end_is_ended() -> None:
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('{}', flush=True); time.sleep(600)"
    )
    client = WorkerClient([sys.executable, "-c", deaf])
    client.start()
    while not client.poll():
        time.sleep(0.01)
    client.close(grace=0.1)
    assert not client.running


def test_the_worker_does_not_see_the_python_of_its_host() -> None:
    given = {"PATH": "/bin", "PYTHONHOME": "/blender", "PythonPath": "x", "BLENDER_USER_SCRIPTS": "y", "HOME": "/h"}
    assert clean_environment(given) == {"PATH": "/bin", "HOME": "/h"}


def test_the_client_is_python_3_9_with_nothing_beyond_it() -> None:
    text = Path(client_module.__file__).read_text(encoding="utf-8")
    tree = ast.parse(text, feature_version=(3, 9))
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [each.name for each in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= set(sys.stdlib_module_names)


@pytest.mark.skipif(sys.platform == "win32", reason="signals as on Unix")
def test_nothing_but_messages_stands_on_stdout_and_the_end_of_input_is_the_end() -> None:
    code = RUN.replace("from v2s", "import v2s_plugin.worker.session as s; n = s.parse; "
                       "s.parse = lambda line: (print('stray'), n(line))[1]; from v2s")  # fmt: skip
    ask = b'noise\n{"type":"hello","protocol":1}\n{"type":"plan","id":1,"timeline":"/no/such.otio"}\n{"type":"pl'
    done = subprocess.run([sys.executable, "-P", "-c", code, "worker"], input=ask, capture_output=True, check=False)
    assert done.returncode == 0
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    assert [message["type"] for message in messages][:2] == ["error", "hello"]
    assert done.stderr.count(b"stray") == 3


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A worker that listens, as it tells where."""
    file = tmp_path / "state" / "worker.json"
    process = subprocess.Popen([*WORKER, "--socket", "--file", str(file)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout:
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
            process.wait(PATIENCE)
    assert sys.platform == "win32" or not file.exists()


@contextlib.contextmanager
def connected(listening: dict[str, Any]) -> Iterator[Host]:
    host = Host(socket.create_connection((listening["address"], listening["port"])))
    try:
        yield host
    finally:
        host.leave()


def test_several_hosts_share_a_listening_worker(listening: dict[str, Any], media: Path, tmp_path: Path) -> None:
    with connected(listening) as one, connected(listening) as other, connected(listening) as stranger:
        assert stranger.greet(token="guessed")["code"] == "bad_request"  # noqa: S106
        assert stranger.receive() is None
        for host, folder in ((one, "one"), (other, "other")):
            host.greet(token=listening["token"])
            ask = {"type": "generate", "id": 1, "shots": [shot(media)], "media_folder": str(tmp_path / folder)}
            host.send(ask)
        assert [host.until("done", "error")[-1]["type"] for host in (one, other)] == ["done", "done"]


def test_where_it_listens_stands_in_a_file_for_this_user_alone(listening: dict[str, Any]) -> None:
    file = Path(listening["file"])
    content = json.loads(file.read_text())
    assert {name: content[name] for name in ("port", "token", "protocol")} == {
        "port": listening["port"],
        "token": listening["token"],
        "protocol": 1,
    }
    assert listening["address"] == "127.0.0.1"
    if sys.platform != "win32":
        assert file.stat().st_mode & 0o777 == 0o600


def test_the_same_port_speaks_websocket(listening: dict[str, Any], media: Path, tmp_path: Path) -> None:
    websockets = pytest.importorskip("websockets", reason="the extra 'panels' is not installed")
    from websockets.sync.client import connect

    with connect(f"ws://127.0.0.1:{listening['port']}/") as host:

        def until(*types: str) -> list[dict[str, Any]]:
            messages: list[dict[str, Any]] = []
            while not messages or messages[-1]["type"] not in types:
                messages.append(json.loads(host.recv(PATIENCE)))
                check_worker_message(messages[-1])
            return messages

        hello = json.dumps({"type": "hello", "protocol": 1, "token": listening["token"]})
        host.send([hello[:10], hello[10:20], hello[20:]])  # fragments of one message
        assert until("hello", "error")[-1]["type"] == "hello"
        host.send(b"\x00\x01")
        assert until("error")[-1]["code"] == "bad_json"
        ask = {"type": "generate", "id": "é", "shots": [shot(media)], "media_folder": str(tmp_path / "sounds")}
        host.send(json.dumps(ask))
        last = until("done", "error")[-1]
        assert (last["type"], last["id"], last["scored"]) == ("done", "é", 1)
        host.send("x" * (1 << 20 | 1))
        with pytest.raises(websockets.ConnectionClosed):
            list(host)
    with connect(f"ws://127.0.0.1:{listening['port']}/") as host:
        host.send('{"type":"hello","protocol":1,"token":"guessed"}')
        assert json.loads(host.recv(PATIENCE))["code"] == "bad_request"
        with pytest.raises(websockets.ConnectionClosed):
            host.recv(PATIENCE)


def test_without_the_extra_a_websocket_is_refused_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from v2s_plugin.worker.servers import _talk

    monkeypatch.setitem(sys.modules, "v2s_plugin.worker.websocket_channel", None)
    here, there = socket.socketpair()
    with here:
        here.sendall(b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n")
        _talk(there, "token")
        answer = here.recv(4096)
    assert answer.startswith(b"HTTP/1.1 501 ")
    assert b"pip install 'v2s[panels]'" in answer


def test_the_first_bytes_may_come_one_by_one(listening: dict[str, Any]) -> None:
    for line in (f'{{"type":"hello","protocol":1,"token":"{listening["token"]}"}}\n', "GET / HTTP/1.1\r\n\r\n"):
        with connected(listening) as host:
            host.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for character in line[:5]:
                host.send_raw(character.encode())
                time.sleep(0.02)
            host.send_raw(line[5:].encode())
            answer = host.receive_raw()
        assert answer.startswith(b"HTTP/1.1 " if line.startswith("GET") else b'{"type": "hello"')


def test_a_second_worker_does_not_take_the_place_of_the_first(listening: dict[str, Any]) -> None:
    again = [*WORKER, "--socket", "--file", listening["file"]]
    done = subprocess.run(again, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "listens already" in done.stderr
    assert json.loads(Path(listening["file"]).read_text())["port"] == listening["port"]


@pytest.mark.skipif(sys.platform == "win32", reason="terminates as on Unix")
def test_a_file_that_a_killed_worker_left_is_replaced(tmp_path: Path) -> None:
    file = tmp_path / "worker.json"
    for end in (subprocess.Popen.kill, subprocess.Popen.terminate):
        with subprocess.Popen([*WORKER, "--socket", "--file", str(file)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())["type"] == "listening"
            end(process)
            process.wait(PATIENCE)
        assert file.exists() == (end is subprocess.Popen.kill)
    assert process.returncode == 0


def test_a_port_that_is_taken_is_an_error(listening: dict[str, Any], tmp_path: Path) -> None:
    arguments = ["--socket", "--port", str(listening["port"]), "--file", str(tmp_path / "b.json")]
    done = subprocess.run([*WORKER, *arguments], capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 1
    assert "choose another --port" in done.stderr
