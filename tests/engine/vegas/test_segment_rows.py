"""Segment CSVs: what is right is read, what is not becomes a note with its line, and the rest goes on."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2s_engine.errors import UsageError
from v2s_engine.vegas.segment_rows import LONGEST_LINE, RowError, SegmentRow, parse_row, read_rows
from v2s_engine.vegas.store import Note

KNOWN = {"/m/09x0r", "/t/dd00088"}
GOOD = b'--PJHxphWEs, 30.000, 40.000, "/m/09x0r,/t/dd00088"\n'
ROW = SegmentRow(1, "--PJHxphWEs", 30_000, 40_000, ("/m/09x0r", "/t/dd00088"))


def read(path: Path, data: bytes, seen: set[str] | None = None) -> list[SegmentRow | Note]:
    path.write_bytes(data)
    return list(read_rows(path, KNOWN, set() if seen is None else seen))


@pytest.mark.parametrize(
    "line",
    [
        GOOD,
        GOOD.rstrip(),
        GOOD.replace(b"\n", b"\r\n"),
        b'--PJHxphWEs,30,40,"/m/09x0r,/t/dd00088"',
        b'"--PJHxphWEs", 30.0 ,40.000,"/m/09x0r, /t/dd00088" \n',
    ],
)
def test_both_ways_of_writing_a_row_are_read(line: bytes) -> None:
    assert parse_row(1, line, KNOWN) == ROW


def test_a_single_label_needs_no_quotes() -> None:
    assert parse_row(7, b"--ZhevVpy1s,50,60,/m/09x0r", KNOWN) == SegmentRow(
        7, "--ZhevVpy1s", 50_000, 60_000, ("/m/09x0r",)
    )


@pytest.mark.parametrize(
    ("seconds", "milliseconds"), [("0", 0), ("0.0004", 0), ("0.0005", 1), ("12.3", 12_300), ("1.9999999", 2000)]
)
def test_times_are_exact(seconds: str, milliseconds: int) -> None:
    assert parse_row(1, f"a,{seconds},40,/m/09x0r".encode(), KNOWN).begin_ms == milliseconds


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"a,0,10", "3 fields; wanted 4"),
        (b"a,0,10,/m/09x0r,/t/dd00088", "5 fields; wanted 4"),
        (b'a,0,10,"/m/09x0r', "broken as CSV"),
        (b'a,0,10,"/m/09x0r"x', "broken as CSV"),
        (b"a,0\r,10,/m/09x0r", "broken as CSV"),
        (b"a,ten,20,/m/09x0r", "its start, 'ten', is no time"),
        (b"a,-1,20,/m/09x0r", "its start, '-1', is no time"),
        (b"a,0,nan,/m/09x0r", "its end, 'nan', is no time"),
        (b"a,0,inf,/m/09x0r", "its end, 'inf', is no time"),
        (b"a,0,1e1,/m/09x0r", "its end, '1e1', is no time"),
        (b"a,0,1_0,/m/09x0r", "its end, '1_0', is no time"),
        ("a,0,١٠,/m/09x0r".encode(), "is no time"),
        (b"a,,10,/m/09x0r", "its start, '', is no time"),
        (b"a,20,10,/m/09x0r", "ends at '10' s, not after it starts"),
        (b"a,10,10,/m/09x0r", "ends at '10' s, not after it starts"),
        (b"a,0,10,/m/unknown", "'/m/unknown' is no sound class"),
        (b"a,0,10,", "a label is empty"),
        (b'a,0,10,"/m/09x0r,"', "a label is empty"),
        (b",0,10,/m/09x0r", "'' is no video id"),
        (b"../../etc/passwd,0,10,/m/09x0r", "is no video id"),
        (b"..,0,10,/m/09x0r", "is no video id"),
        (b"a/b,0,10,/m/09x0r", "is no video id"),
        (b"a b,0,10,/m/09x0r", "is no video id"),
        ("vidéo,0,10,/m/09x0r".encode(), "is no video id"),
        (b"a" * 65 + b",0,10,/m/09x0r", "is no video id"),
        (b"caf\xe9,0,10,/m/09x0r", r"no UTF-8 text: b'\\xe9' at byte 3"),
        (b"a\0b,0,10,/m/09x0r", "holds a NUL byte"),
        (b"a" * LONGEST_LINE, "longer than 65,536 bytes"),
    ],
)
def test_a_bad_line_says_what_is_wrong(line: bytes, reason: str) -> None:
    with pytest.raises(RowError, match=reason) as caught:
        parse_row(1, line, KNOWN)
    assert len(str(caught.value)) < 200


def test_notes_have_the_line_and_the_rest_goes_on(tmp_path: Path) -> None:
    lines = b"# one\n# two\n# three\n" + GOOD + b'x,0,10,"/m/09x0r\n\n' + b"y,0,10,/m/09x0r\n" + b"z,10,0,/m/09x0r\n"
    rows = read(tmp_path / "some.csv", lines)
    assert [(type(each).__name__, each.line) for each in rows] == [
        ("SegmentRow", 4),
        ("Note", 5),
        ("SegmentRow", 7),
        ("Note", 8),
    ]
    assert isinstance(rows[3], Note)
    assert rows[3].source == "some.csv"
    assert rows[3].about == "z"


def test_of_two_rows_with_one_id_the_first_good_one_counts_over_files_too(tmp_path: Path) -> None:
    seen: set[str] = set()
    first = read(tmp_path / "1.csv", b"a,9,0,/m/09x0r\na,0,10,/m/09x0r\na,5,15,/m/09x0r\n", seen)
    second = read(tmp_path / "2.csv", b"b,0,10,/m/09x0r\na,0,10,/m/09x0r\n", seen)
    assert [isinstance(each, SegmentRow) for each in first + second] == [False, True, False, True, False]
    assert isinstance(second[1], Note)
    assert second[1] == Note("2.csv", 2, "a", "a row before has the same video id; only the first counts")


def test_a_byte_order_mark_and_windows_line_ends_are_no_fault(tmp_path: Path) -> None:
    data = b"\xef\xbb\xbf# Segments\r\n" + GOOD.replace(b"\n", b"\r\n")
    assert read(tmp_path / "a.csv", data) == [ROW._replace(line=2)]
    assert read(tmp_path / "b.csv", b"\xef\xbb\xbf" + GOOD) == [ROW]


def test_a_line_without_end_is_one_note(tmp_path: Path) -> None:
    endless = b"\xef\xbb\xbf" + b"a," * (2 * LONGEST_LINE) + b"\n"
    rows = read(tmp_path / "a.csv", endless + GOOD)
    assert [each.line for each in rows] == [1, 2]
    assert rows[1] == ROW._replace(line=2)


@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([GOOD, b"#", b'"', b"a,0,10,/m/09x0r"])), max_size=8))
def test_every_line_is_a_row_or_a_note_or_nothing(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]
) -> None:
    data = b"\n".join(pieces)
    found = read(tmp_path_factory.getbasetemp() / "any.csv", data)
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    expected = [number for number, line in enumerate(lines, 1) if line.strip() and not line.startswith(b"#")]
    assert [each.line for each in found] == expected


@given(st.text(alphabet=st.sampled_from("ab01-_/\\.,\"' \0é\r"), max_size=12))
def test_only_an_id_that_is_harmless_in_a_path_is_read(video_id: str) -> None:
    try:
        row = parse_row(1, f"{video_id},0,10,/m/09x0r".encode(), KNOWN)
    except RowError:
        return
    assert set(row.video_id) <= set("ab01-_")
    assert row.video_id


def test_progress_ends_at_the_file_s_size(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"#\n" * 25_000)
    positions: list[int] = []
    assert not list(read_rows(path, KNOWN, set(), positions.append))
    assert positions == [20_000, 40_000, 50_000]


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the segments in"):
        list(read_rows(tmp_path / "none.csv", KNOWN, set()))
