"""Messages as they should be, and what can be made of them by chance."""

import json
import random
from collections.abc import Iterator
from typing import Any

SHOT: dict[str, Any] = {
    "id": "s1",
    "name": "a",
    "media": "/no/such/file.mp4",
    "source_start": "1/2",
    "duration": "3003/1000",
    "speed": "-1/2",
    "timeline_start": "10/1",
    "frame_rate": "24000/1001",
    "sound": "dog",
    "cues": ["1/4", "0"],
    "takes": 2,
}
GOOD: tuple[dict[str, Any], ...] = (
    {"type": "hello", "protocol": 1, "host": "test", "token": None},
    {"type": "plan", "id": 1, "timeline": "/no/such/cut.otio", "options": {"sound": "dog", "only": ["track=V1"]}},
    {"type": "plan", "id": "b", "shots": [SHOT], "options": {"takes": 3, "lufs": -30, "carry": False}},
    {"type": "plan", "id": "c", "shots": [SHOT], "options": {"envelope_from": "/no/such/guide.wav"}},
    {"type": "generate", "id": 2, "timeline": "/no/such/cut.otio", "output": "/no/such/out.otio"},
    {"type": "generate", "id": 3, "shots": [SHOT, {**SHOT, "id": 2}], "media_folder": "/no/such/folder"},
    {"type": "cancel", "id": 4, "cancels": 2},
    {"type": "bye"},
)
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2.5, 1e300, 10**40, "", "dog", "1/0", "1/2", "-1/2", "0", "0/5", "-0", "3/x", "\0",
    "x" * 40_000, "\ud800", "é", [], [[]], {}, {"type": "bye"}, [1], ["1/2"], [SHOT], "/no/such/thing", "٣",
)  # fmt: skip


def changed(message: Any, chance: random.Random) -> Any:
    """A message with one thing at some depth of it replaced, left out or added."""
    if isinstance(message, dict) and message and chance.random() < 0.9:
        key = chance.choice(sorted(message))
        what = chance.randrange(5)
        if what == 0:
            return {name: value for name, value in message.items() if name != key}
        if what == 1:
            return {**message, chance.choice(("x", "shots", "timeline", "options", "id")): chance.choice(_VALUES)}
        if what == 2:
            return {**message, key: chance.choice(_VALUES)}
        return {**message, key: changed(message[key], chance)}
    if isinstance(message, list) and message and chance.random() < 0.8:
        index = chance.randrange(len(message))
        return [*message[:index], changed(message[index], chance), *message[index + 1 :]]
    return chance.choice(_VALUES)


def random_messages(seed: int, count: int) -> Iterator[Any]:
    """Good messages and ones with up to three things wrong."""
    chance = random.Random(seed)
    for _ in range(count):
        message: Any = chance.choice(GOOD)
        for _ in range(chance.randrange(4)):
            message = changed(message, chance)
        yield message


def random_lines(seed: int, count: int) -> Iterator[bytes]:
    """Lines with and without sense: messages, cut and damaged ones, noise, and some that are too long or too deep."""
    chance = random.Random(seed)
    for message in random_messages(seed, count):
        line = json.dumps(message).encode()
        what = chance.randrange(100)
        if what < 10:
            line = line[: chance.randrange(len(line) + 1)]
        elif what < 20:
            place = chance.randrange(len(line))
            line = line[:place] + chance.randbytes(3) + line[place + 1 :]
        elif what < 25:
            line = chance.randbytes(chance.randrange(200))
        elif what == 25:
            line = b"[" * 60_000
        elif what == 26:
            line = b'{"type":"' + b"x" * (1 << 20) + b'"}'
        yield line.replace(b"\n", b" ")
