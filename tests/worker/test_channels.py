"""Lines come out whole, whatever pieces they come in, and a huge one costs no memory."""

from collections.abc import Iterator

import pytest

from v2s_plugin.protocol import MAX_LINE
from v2s_plugin.worker.channels import ChannelClosedError, LineChannel, TooLong


def read(*pieces: bytes) -> list[bytes | None]:
    """The messages in some pieces of input; None for one that is too long."""
    rest = iter(pieces)
    channel = LineChannel(lambda size: next(rest, b""), lambda data: None)
    return [None if isinstance(message, TooLong) else message for message in channel.messages()]


def test_lines_may_come_in_any_pieces() -> None:
    text = b'{"a":1}\n{"b":"\xc3\xa9"}\n'
    for size in range(1, len(text) + 1):
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        assert read(*pieces) == [b'{"a":1}', b'{"b":"\xc3\xa9"}']


def test_empty_lines_do_not_count_and_windows_line_ends_do_no_harm() -> None:
    assert [line and line.strip() for line in read(b"\n\r\n  \na\r\nb\n")] == [b"a", b"b"]


def test_a_line_that_was_cut_off_is_not_read() -> None:
    assert read(b'{"a":1}\n{"type":"bye"}') == [b'{"a":1}']


@pytest.mark.parametrize("piece", [1 << 12, 1 << 16, 1 << 22])
def test_a_line_that_is_too_long_is_told_once_and_the_next_is_read(piece: int) -> None:
    text = b"a\n" + b"x" * (3 * MAX_LINE) + b"\nb\n"
    assert read(*(text[at : at + piece] for at in range(0, len(text), piece))) == [b"a", None, b"b"]


def test_the_longest_line_is_a_mebibyte_with_its_end() -> None:
    assert read(b"x" * (MAX_LINE - 1) + b"\n") == [b"x" * (MAX_LINE - 1)]
    assert read(b"x" * MAX_LINE + b"\n") == [None]


def test_a_line_without_end_is_not_kept_in_memory() -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(40):
            yield b"x" * (1 << 16)

    stream = endless()
    channel = LineChannel(lambda size: next(stream, b""), lambda data: None)
    messages = channel.messages()
    assert isinstance(next(messages), TooLong)
    assert len(list(stream)) >= 23  # told once a mebibyte had come, not at the end
    assert list(messages) == []


def test_a_host_that_is_gone_is_an_error_to_send_to_and_the_end_of_reading() -> None:
    def gone(*_: object) -> bytes:
        raise ConnectionResetError("gone")

    channel = LineChannel(gone, gone)
    assert list(channel.messages()) == []
    with pytest.raises(ChannelClosedError):
        channel.send("{}")
