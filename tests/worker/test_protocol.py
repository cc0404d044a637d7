"""The messages and docs/protocol.md say the same, in both directions."""

import json
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, get_args

import pytest

from tests.worker.fuzzing import GOOD, SHOT, random_messages
from tests.worker.schema import PAGE, check_worker_message, fits, schema
from v2s_engine.errors import (
    BundleNotFoundError,
    CancelledError,
    MissingExtraError,
    OutputError,
    TimelineNotFoundError,
    UsageError,
)
from v2s_plugin.protocol import (
    ClipDone,
    Done,
    Failed,
    GenerateRequest,
    JobTold,
    Planned,
    Progressed,
    ProtocolError,
    SkipTold,
    Warned,
    WorkerHello,
    WorkerMessage,
    to_text,
)
from v2s_plugin.worker.failures import failure
from v2s_plugin.worker.reading import OPTIONS, parse

SKIP = SkipTold("s1", "a", "V1 at 0.000 s", "it is a still image", "put a marker on it")
SAID: tuple[WorkerMessage, ...] = (
    WorkerHello("0.1.0", ("dog",), ("starter",), ("auto", "cpu")),
    Planned(1, (JobTold(None, "a", "V1 at 0.000 s", "dog", Fraction(2), 1),), (SKIP,)),
    Progressed("x", "sample", 10, 20.0, "a", None),
    ClipDone(1, "s1", "a", "dog", 1, "/a.wav", Fraction(-1, 3), Fraction(1001, 1000), 48048, 48000, True),
    Warned(1, "hm"),
    Failed(None, "bad_json", "no"),
    Failed(1, "nothing_to_score", "no", skips=(SKIP,)),
    Done(1, None, "/m", 1, (SKIP,), ("hm",), None),
)


def parsed(message: Any) -> object:
    return parse(json.dumps(message).encode())


def accepted(message: Any) -> bool:
    try:
        parsed(message)
    except ProtocolError:
        return False
    return True


@pytest.mark.parametrize("message", GOOD, ids=lambda message: message["type"])
def test_what_hosts_send_fits_the_schema_and_is_understood(message: dict[str, Any]) -> None:
    assert fits(message, "host_message")
    assert accepted(message)


def test_the_schema_and_the_worker_agree_about_what_is_a_message() -> None:
    told = [(message, fits(message, "host_message"), accepted(message)) for message in random_messages(1, 3000)]
    assert [message for message, fitting, taken in told if fitting != taken] == []
    assert min(sum(fitting for _, fitting, _ in told), sum(not fitting for _, fitting, _ in told)) > 500


@pytest.mark.parametrize("message", SAID, ids=lambda message: message.type)
def test_what_the_worker_says_fits_the_schema(message: WorkerMessage) -> None:
    text = to_text(message)
    assert "\n" not in text
    check_worker_message(json.loads(text))


def test_every_kind_of_message_is_tested() -> None:
    assert {type(message) for message in SAID} == set(get_args(WorkerMessage))
    assert {message["type"] for message in GOOD} == {"hello", "plan", "generate", "cancel", "bye"}


def test_the_schema_knows_the_options() -> None:
    assert set(schema()["$defs"]["options"]["properties"]) == set(OPTIONS)


def test_the_page_explains_every_error_code() -> None:
    codes = set(schema()["$defs"]["error"]["properties"]["code"]["enum"])
    rows = [line.split("|")[1] for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert codes <= {code for row in rows for code in re.findall(r"`(\w+)`", row)}


def test_the_examples_of_the_page_are_messages() -> None:
    def examples(arrow: str) -> Iterator[dict[str, Any]]:
        for line in PAGE.read_text(encoding="utf-8").splitlines():
            if line.startswith(f"{arrow} "):
                yield json.loads(line[2:])

    sent, said = list(examples("→")), list(examples("←"))
    assert len(sent) >= 3 <= len(said)
    assert all(fits(message, "host_message") and accepted(message) for message in sent)
    for message in said:
        check_worker_message(message)


def test_times_are_read_exactly() -> None:
    request = parsed({"type": "generate", "id": 1, "shots": [SHOT], "media_folder": "/m"})
    assert isinstance(request, GenerateRequest)
    (shot,) = request.shots
    assert (shot.duration, shot.speed, shot.frame_rate) == (
        Fraction(3003, 1000),
        Fraction(-1, 2),
        Fraction(24000, 1001),
    )


@pytest.mark.parametrize(
    ("message", "code", "said"),
    [
        ([1], "bad_json", "a JSON object"),
        ({"type": "launch", "id": 5}, "unknown_type", '"launch"'),
        ({"id": 5}, "unknown_type", "null"),
        ({"type": "plan", "id": 5}, "bad_request", "'timeline' and 'shots'"),
        ({"type": "plan", "id": 5, "shots": [{**SHOT, "duration": 3.003}]}, "bad_request", "'duration' of shot 1"),
        ({"type": "plan", "id": 5, "shots": [SHOT, SHOT]}, "bad_request", "same 'id'"),
        ({"type": "plan", "id": 5, "timeline": "/a", "options": {"sond": "dog"}}, "bad_request", '"sond"'),
        ({"type": "generate", "id": 5, "shots": [SHOT]}, "bad_request", "media_folder"),
    ],
)
def test_what_is_wrong_is_said(message: Any, code: str, said: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        parsed(message)
    assert caught.value.code == code
    assert said in str(caught.value)
    assert caught.value.action
    assert caught.value.id == (5 if isinstance(message, dict) else None)


@pytest.mark.parametrize(
    ("error", "code", "message", "action"),
    [
        (UsageError("got 0; give 1"), "usage", "got 0", "give 1"),
        (UsageError("got 0"), "usage", "got 0", ""),
        (TimelineNotFoundError("no file; look"), "timeline", "no file", "look"),
        (BundleNotFoundError("no bundle"), "bundle", "no bundle", ""),
        (OutputError("a; b; do c"), "output", "a; b", "do c"),
        (CancelledError("stopped; kept"), "cancelled", "stopped; kept", ""),
        (MissingExtraError("x", "a"), "missing_extra", "x needs packages that are not installed: pip install 'v2s[a]'", ""),  # noqa: E501
    ],
)  # fmt: skip
def test_errors_become_codes_with_what_to_do(error: Exception, code: str, message: str, action: str) -> None:
    told = failure(error, 7)
    assert (told.id, told.code, told.message, told.action) == (7, code, message, action)


def test_an_unforeseen_error_comes_with_its_traceback() -> None:
    try:
        raise ZeroDivisionError("oh")
    except ZeroDivisionError as error:
        told = failure(error, 7)
    assert told.code == "internal"
    assert "ZeroDivisionError: oh" in told.message
    assert "test_protocol.py" in told.detail
