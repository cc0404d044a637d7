"""Conversations with the worker, over stand-ins for what makes sounds."""

import contextlib
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import pytest

from tests.plugin.cuts import ClickSource, clip, gap, names_in, save, span, timeline, track
from tests.worker.fuzzing import random_lines
from tests.worker.hosts import PATIENCE, Conversation, GatedSource, shot
from v2s_engine import __version__
from v2s_plugin import engine
from v2s_plugin.sounding import ledger

TOKEN = "right"  # noqa: S105
PutSource = Callable[[ClickSource], ClickSource]


def clips(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [message for message in messages if message["type"] == "clip"]


def test_hello_tells_what_can_be_had() -> None:
    with Conversation() as host:
        hello = host.greet()
        assert (hello["protocol"], hello["version"]) == (1, __version__)
        assert {"dog", "drum"} <= set(hello["sound_classes"])
        assert "starter" in hello["bundles"]
        assert {"auto", "cpu"} <= set(hello["devices"])


def test_nothing_is_done_before_hello() -> None:
    with Conversation() as host:
        (error,) = host.ask(type="plan", id=1, timeline="/a.otio")
        assert (error["code"], error["id"]) == ("bad_request", 1)
        assert host.greet()["type"] == "hello"


def test_another_protocol_and_an_unknown_bundle_are_errors_and_the_host_may_try_again() -> None:
    with Conversation() as host:
        assert "protocol 2" in host.greet(protocol=2)["message"]
        assert host.greet(bundle="nowhere")["code"] == "bundle"
        assert host.greet(bundle="starter")["type"] == "hello"


def test_with_a_token_nobody_else_is_heard() -> None:
    for first in ({"token": "wrong"}, {}, {"token": "né"}):
        conversation = Conversation(TOKEN)
        with conversation as host:
            assert host.greet(**first)["code"] == "bad_request"
            assert host.receive() is None
    with Conversation(TOKEN) as host:
        host.send_raw(b"noise\n")
        assert host.until("error")[-1]["code"] == "bad_json"
        assert host.receive() is None
    with Conversation(TOKEN) as host:
        assert host.greet(token=TOKEN)["type"] == "hello"


def test_shots_are_planned_with_their_skips(media: Path) -> None:
    with Conversation() as host:
        host.greet()
        shots = [
            shot(media, "a", takes=2, track="Channel 3"),
            shot(media, "b", track="Channel 3", sound="cat"),
            shot(media.with_name("gone.mp4"), 3),
        ]
        (planned,) = host.ask(type="plan", id=1, shots=shots, options={"takes": 4})
        (job,) = planned["jobs"]
        assert (job["shot"], job["sound"], job["duration"], job["takes"]) == ("a", "dog", "1/1", 2)
        assert job["where"] == "Channel 3 at 10.000 s"
        assert [skip["shot"] for skip in planned["skips"]] == ["b", 3]
        assert "cat" in planned["skips"][0]["reason"]


def test_the_sounds_of_shots_come_one_by_one_with_their_places(source: PutSource, media: Path, tmp_path: Path) -> None:
    source(ClickSource())
    with Conversation() as host:
        host.greet()
        shots = [
            shot(media, "a", takes=2, duration="1001/1000", timeline_start="1001/30000"),
            shot(media, "b", speed="-2", source_start="1/2"),
        ]
        messages = host.ask(type="generate", id=7, shots=shots, media_folder=str(tmp_path / "new" / "sounds"))
        done = messages[-1]
        assert (done["type"], done["scored"], done["output"], done["device"]) == ("done", 2, None, "fake")
        assert {message["id"] for message in messages} == {7}
        first, second, other = clips(messages)
        assert [(each["shot"], each["take"]) for each in (first, second, other)] == [("a", 1), ("a", 2), ("b", 1)]
        assert (first["timeline_start"], first["duration"], first["reused"]) == ("1001/30000", "1001/1000", False)
        assert first["length"] == round((1001 / 30000 + 1.001) * 48000) - round(1001 / 30000 * 48000)
        for each in (first, second, other):
            with av.open(each["path"]) as file:
                assert file.streams.audio[0].duration == each["length"]


def test_backwards_and_fast_shots_are_looked_at_as_they_are_shown(
    source: PutSource, media: Path, tmp_path: Path
) -> None:
    made = source(ClickSource())
    with Conversation() as host:
        host.greet()
        shots = [shot(media, "a", speed="-2", source_start="1/2"), shot(media, "b", speed="3/2", source_start="1/3")]
        assert host.ask(type="generate", id=1, shots=shots, media_folder=str(tmp_path))[-1]["type"] == "done"
    backwards, faster = (request.picture_times for request in made.requests)
    assert 2.4 < backwards[0] <= 2.5
    assert 0.5 <= backwards[-1] < 0.7
    assert list(backwards) == sorted(backwards, reverse=True)
    assert faster[0] == pytest.approx(1 / 3)
    assert faster[10] - faster[0] == pytest.approx(10 * 0.064 * 1.5)


def test_cues_count_on_the_timeline(source: PutSource, media: Path, tmp_path: Path) -> None:
    made = source(ClickSource())
    with Conversation() as host:
        host.greet()
        shots = [shot(media, speed="1/2", cues=["1/4", "5"])]
        assert host.ask(type="generate", id=1, shots=shots, media_folder=str(tmp_path))[-1]["type"] == "done"
    assert made.requests[0].cues == (4000,)


def test_a_second_run_makes_only_what_changed(source: PutSource, media: Path, tmp_path: Path) -> None:
    made = source(ClickSource())
    with Conversation() as host:
        host.greet()
        ask = {"type": "generate", "id": 1, "media_folder": str(tmp_path)}
        host.ask(**ask, shots=[shot(media, "a")])
        host.ask(**ask, shots=[shot(media, "b", source_start="1")])
        again = host.ask(**ask, shots=[shot(media, 1, timeline_start="20"), shot(media, 2, source_start="2")])
    assert [(each["shot"], each["reused"]) for each in clips(again)] == [(1, True), (2, False)]
    assert [float(request.picture_times[0]) for request in made.requests] == [0, 1, 2]


def test_a_damaged_record_or_file_is_made_again(source: PutSource, media: Path, tmp_path: Path) -> None:
    source(ClickSource())
    ask = {"type": "generate", "id": 1, "media_folder": str(tmp_path), "shots": [shot(media)]}
    with Conversation() as host:
        host.greet()
        (first,) = clips(host.ask(**ask))
        Path(first["path"]).write_bytes(b"RIFF")
        (second,) = clips(host.ask(**ask))
        assert second["path"] != first["path"]  # a name stands for its content
        for content in ("{", "[]", '{"key":"x"}', '{"key":"x","take":"one"}', "\0"):
            (tmp_path / ledger.NAME).write_text(content)
            (again,) = clips(host.ask(**ask))
            assert not again["reused"]


def test_with_levels_the_files_with_levels_are_told_and_no_others(
    source: PutSource, media: Path, tmp_path: Path
) -> None:
    source(ClickSource(level=0.2))
    with Conversation() as host:
        host.greet()
        options = {"lufs": -40, "takes": 2}
        messages = host.ask(type="generate", id=1, shots=[shot(media)], media_folder=str(tmp_path), options=options)
        told = clips(messages)
        assert len(told) == 2
        assert all("_mix_" in Path(each["path"]).name for each in told)


def test_a_timeline_is_scored_as_by_the_command(source: PutSource, media: Path, tmp_path: Path) -> None:
    source(ClickSource())
    cut = save(timeline(track(gap(12, 24), clip("a", media, source=span(0, 24, 24)))), tmp_path / "cut.otio")
    with Conversation() as host:
        host.greet()
        (planned,) = host.ask(type="plan", id=1, timeline=str(cut), options={"sound": "dog"})
        assert [(job["shot"], job["label"], job["duration"]) for job in planned["jobs"]] == [(None, "a", "1/1")]
        ask = {"type": "generate", "id": 2, "timeline": str(cut)}
        messages = host.ask(**ask, output=str(tmp_path / "out.otio"), options={"sound": "dog", "takes": 2})
        assert messages[-1]["output"] == str(tmp_path / "out.otio")
        assert [(each["timeline_start"], each["take"]) for each in clips(messages)] == [("1/2", 1), ("1/2", 2)]
        assert {Path(each["path"]).name for each in clips(messages)} == set(names_in(tmp_path / "out.media"))
        (error,) = host.ask(**ask, output=str(tmp_path / "out.otio"), options={"sound": "dog"})[-1:]
        assert error["code"] == "output"


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"timeline": "/no/such/cut.otio"}, "timeline"),
        ({"timeline": "cut.otio"}, "usage"),
        ({"timeline": "/a.otio", "options": {"device": "abacus"}}, "usage"),
        ({"timeline": "/a.otio", "options": {"bundle": "nowhere"}}, "bundle"),
        ({"timeline": "/a.otio", "options": {"takes": 0}}, "usage"),
        ({"shots": [shot(Path("/gone.mp4"))], "media_folder": "/no/such/folder"}, "nothing_to_score"),
        ({"shots": [shot(Path("gone.mp4"))], "media_folder": "/no/such/folder"}, "usage"),
        ({"shots": [shot(Path("/gone.mp4"), takes=0)], "media_folder": "/no/such/folder"}, "usage"),
        ({"shots": [shot(Path("/gone.mp4"))], "media_folder": "sounds"}, "nothing_to_score"),
        (
            {"shots": [shot(Path("/gone.mp4"))], "media_folder": "/no/such/folder", "options": {"tracks": "single"}},
            "usage",
        ),
    ],
)
def test_what_cannot_be_done_is_an_error_of_its_kind(request_: dict[str, Any], code: str) -> None:
    with Conversation() as host:
        host.greet()
        (error,) = host.ask(type="generate", id=1, **request_)
        assert (error["type"], error["id"], error["code"]) == ("error", 1, code)
        if code == "nothing_to_score":
            (skip,) = error["skips"]
            assert (skip["shot"], skip["reason"]) == ("s1", "no such file: /gone.mp4")
            assert skip["reason"] not in error["message"]  # said once


def test_an_unforeseen_error_ends_the_request_and_not_the_worker(
    monkeypatch: pytest.MonkeyPatch, media: Path, tmp_path: Path
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(engine, "open_pipeline", broken)
    with Conversation() as host:
        host.greet()
        ask = {"type": "generate", "shots": [shot(media)], "media_folder": str(tmp_path)}
        for number in (1, 2):
            error = host.ask(**ask, id=number)[-1]
            assert (error["id"], error["code"]) == (number, "internal")


def test_an_unforeseen_error_in_the_greeting_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise PermissionError("the bundle's folder is closed")

    with Conversation() as host, monkeypatch.context() as patch:
        patch.setattr("v2s_plugin.worker.greeting.open_bundle", broken)
        error = host.greet()
        assert (error["code"], "is closed" in error["message"]) == ("internal", True)
        patch.undo()
        assert host.greet()["type"] == "hello"


def test_one_request_at_a_time_and_it_can_be_cancelled(source: PutSource, media: Path, tmp_path: Path) -> None:
    gate = GatedSource()
    source(gate)
    with Conversation() as host:
        host.greet()
        ask = {"type": "generate", "shots": [shot(media, takes=3)], "media_folder": str(tmp_path)}
        host.send({**ask, "id": 1})
        host.until("clip")
        busy = host.ask(**ask, id=2)[-1]
        assert (busy["id"], busy["code"]) == (2, "bad_request")
        wrong = host.ask(type="cancel", id=3, cancels=9)[-1]
        assert (wrong["id"], wrong["code"]) == (3, "bad_request")
        cancelled = host.ask(type="cancel", id=4, cancels=1)[-1]
        assert (cancelled["id"], cancelled["code"], cancelled["detail"]) == (1, "cancelled", "")
        gate.go_on.set()
        again = host.ask(**ask, id=5)
        assert [each["reused"] for each in clips(again)] == [True, False, False]


def test_work_that_does_not_obey_is_told_as_cancelled_all_the_same(
    source: PutSource, media: Path, tmp_path: Path
) -> None:
    gate = GatedSource(stubborn=True)
    source(gate)
    with Conversation() as host:
        host.greet()
        ask = {"type": "generate", "shots": [shot(media, takes=2)], "media_folder": str(tmp_path)}
        host.send({**ask, "id": 1})
        host.until("clip")
        cancelled = host.ask(type="cancel", id=2, cancels=1)[-1]
        assert (cancelled["id"], cancelled["code"]) == (1, "cancelled")
        assert "still being finished" in cancelled["detail"]
        gate.go_on.set()
        after = host.ask(**ask, id=3)
        assert {message["id"] for message in after} == {3}  # nothing more is said of the first


def test_a_request_waits_for_a_step_of_the_one_before_it_that_could_not_be_broken_off(
    source: PutSource, media: Path, tmp_path: Path
) -> None:
    gate = GatedSource(stubborn=True)
    source(gate)
    cut = save(timeline(track(clip("a", media, source=span(0, 25, 25)))), tmp_path / "cut.otio")
    with Conversation() as host:
        host.greet()
        ask = {"type": "generate", "timeline": str(cut), "options": {"sound": "dog", "takes": 2, "force": True}}
        host.send({**ask, "id": 1})
        assert gate.waiting.wait(PATIENCE)
        assert host.ask(type="cancel", id=2, cancels=1)[-1]["code"] == "cancelled"
        host.send({**ask, "id": 3})  # the file that it writes is still held by the first
        assert host.ask(**ask, id=4)[-1]["message"] == "the request 3 is being done"
        gate.go_on.set()
        last = host.until("done", "error")[-1]
        assert (last["id"], last["type"]) == (3, "done")


@pytest.mark.parametrize("parting", [b'{"type":"bye"}\n', b'{"type":"canc', b""])
def test_a_host_that_leaves_stops_the_work_and_keeps_what_is_finished(
    source: PutSource, media: Path, tmp_path: Path, parting: bytes
) -> None:
    source(GatedSource())
    conversation = Conversation()
    with conversation as host:
        host.greet()
        ask = {"type": "generate", "id": 1, "shots": [shot(media, takes=3)], "media_folder": str(tmp_path)}
        host.send(ask)
        finished = Path(host.until("clip")[-1]["path"])
        host.send_raw(parting)
    assert conversation.stopped is True
    assert names_in(tmp_path) == [finished.name]
    (noted,) = ledger.noted_takes(tmp_path, 48_000).values()
    assert noted[1].path == finished


def test_two_hosts_work_side_by_side(source: PutSource, media: Path, tmp_path: Path) -> None:
    gate = GatedSource()
    source(gate)
    with Conversation() as one, Conversation() as other:
        one.greet()
        other.greet()
        ask = {"type": "generate", "id": 1, "shots": [shot(media, takes=2)]}
        one.send({**ask, "media_folder": str(tmp_path / "one")})
        one.until("clip")
        other.send({**ask, "media_folder": str(tmp_path / "other")})
        other.until("clip")
        assert one.ask(type="cancel", id=2, cancels=1)[-1]["code"] == "cancelled"
        gate.go_on.set()
        assert other.until("done", "error")[-1]["type"] == "done"


def test_a_host_that_does_not_read_holds_up_nobody_else(source: PutSource, media: Path, tmp_path: Path) -> None:
    source(ClickSource())
    with Conversation() as deaf, Conversation() as other:
        deaf.greet()

        def flood() -> None:
            with contextlib.suppress(OSError):  # until it leaves
                deaf.send_raw(b"noise\n" * 100_000)

        threading.Thread(target=flood, daemon=True).start()
        other.greet()
        ask = {"type": "generate", "id": 1, "shots": [shot(media)], "media_folder": str(tmp_path)}
        assert other.ask(**ask)[-1]["type"] == "done"


def fuzz(seed: int, count: int) -> None:
    """Whatever a host sends (but a bye), the conversation goes on, and the worker does its work after all of it."""
    lines = [line for line in random_lines(seed, count) if b'"bye"' not in line]
    with Conversation() as host:
        host.greet()
        heard: list[dict[str, Any]] = []

        def read() -> None:
            while (message := host.receive()) is not None:
                heard.append(message)
                if message.get("id") == "the last" and message["code"] != "bad_request":
                    return

        reader = threading.Thread(target=read)
        reader.start()
        for line in lines:
            host.send_raw(line + b"\n")
        while reader.is_alive():  # an earlier request may keep it busy: asked until it is done
            host.send({"type": "plan", "id": "the last", "timeline": "/no/such/cut.otio"})
            reader.join(0.2)
        assert heard[-1]["code"] == "timeline"
        codes = {message["code"] for message in heard if message["type"] == "error"}
        assert [message for message in heard if message.get("code") == "internal"] == []
        assert {"bad_json", "bad_request"} <= codes


def test_random_messages_do_no_harm() -> None:
    fuzz(seed=5, count=400)


@pytest.mark.slow
def test_ten_thousand_random_messages_do_no_harm() -> None:
    fuzz(seed=6, count=10_000)


def test_messages_are_ascii_lines(media: Path) -> None:
    with Conversation() as host:
        host.greet()
        host.send({"type": "plan", "id": "é\n", "shots": [shot(media, "é", name="Hündin")]})
        line = host.receive_raw()
        assert line.isascii()
        assert json.loads(line)["jobs"][0]["label"] == "Hündin"
