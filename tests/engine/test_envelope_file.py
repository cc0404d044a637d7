"""Envelopes as files: what is written is what is read, and what is no envelope is told with its place."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from v2s_engine.envelope import Envelope
from v2s_engine.envelope_file import LONGEST_STEPS, EnvelopeKind, envelope_text, read_envelope
from v2s_engine.errors import MediaNotFoundError, UsageError

values = st.tuples(st.floats(-80, 0, width=32), st.floats(0, 1, width=32))


@pytest.mark.parametrize("kind", ["json", "csv"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(values, min_size=1, max_size=200), source=st.text(max_size=20))
def test_what_is_written_is_read_to_the_bit(
    tmp_path: Path, kind: EnvelopeKind, steps: list[tuple[float, float]], source: str
) -> None:
    loudness, onset = (np.array(curve, np.float32) for curve in zip(*steps, strict=True))
    path = tmp_path / f"envelope.{kind}"
    path.write_text(envelope_text(Envelope(loudness, onset), kind, source), encoding="utf-8", newline="")
    read = read_envelope(path)
    np.testing.assert_array_equal(read.loudness, loudness)
    np.testing.assert_array_equal(read.onset, onset)


def test_the_json_says_what_it_is() -> None:
    written = json.loads(envelope_text(Envelope.silence(2), "json", "dog.mp4"))
    assert written == {
        "format": "v2s envelope",
        "version": 1,
        "rate": 62.5,
        "source": "dog.mp4",
        "loudness_dbfs": [-80.0, -80.0],
        "onset": [0.0, 0.0],
    }


def test_the_csv_has_a_row_every_16_ms() -> None:
    envelope = Envelope.from_loudness(np.array([-80, -14], np.float32))
    assert envelope_text(envelope, "csv") == "time_s,loudness_dbfs,onset\n0.000,-80.0,0.0\n0.016,-14.0,1.0\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "loudness_dbfs,time_s\n-80,0\n-14,0.016\n"),
        ("a.csv", "\ufefftime_s;loudness_dbfs\r\n0;-80,0\r\n0,016;-14,0\r\n\r\n"),  # a spreadsheet that writes 0,016
        ("A.JSON", '{"format": "v2s envelope", "version": 1, "rate": 62.5, "loudness_dbfs": [-80, -14]}'),
    ],
)
def test_onsets_follow_from_the_loudness_where_they_are_left_out(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    read = read_envelope(path)
    assert (read.loudness.tolist(), read.onset.tolist()) == ([-80, -14], [0, 1])


HEAD = "time_s,loudness_dbfs,onset\n"
JSON = {"format": "v2s envelope", "version": 1, "rate": 62.5, "loudness_dbfs": [-80.0], "onset": [0.0]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has the columns nothing; wanted time_s,loudness_dbfs"),
        (HEAD, "holds no steps"),
        ("time,loudness\n0,-80\n", "has the columns time, loudness; wanted time_s"),
        (HEAD + "0,nan,0\n", "loudness_dbfs at 0.000 s is nan; wanted a number between -80 and 0"),
        (HEAD + "0,-80,0\n0.016,-80,inf\n", "onset at 0.016 s is inf; wanted a number between 0 and 1"),
        (HEAD + "0,-80,0\n0.016,3,0\n", "loudness_dbfs at 0.016 s is 3.0"),
        (HEAD + "0,-81,0\n", "between -80 and 0"),
        (HEAD + "0,loud,0\n", "line 2: loudness_dbfs is 'loud'; wanted a number"),
        (HEAD + "0,-80\n", "line 2: 2 cells; wanted 3"),
        (HEAD + "0,-80,0\n0.04,-80,0\n", "line 3: time_s is 0.04 where 0.016 is wanted"),
        (HEAD + "1,-80,0\n", "time_s is 1 where 0.000 is wanted"),
        (HEAD + "nan,-80,0\n", "time_s is nan"),
        (HEAD + '"0,-80,0\n', "line 2"),
    ],
)
def test_a_table_that_is_no_envelope_is_told(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        read_envelope(path)
    assert said in str(caught.value)
    assert "bad.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": "else"}, "is not an envelope of V2S"),
        ({"version": 2}, "version 2; this V2S reads version 1"),
        ({"rate": 50}, "50 steps a second; wanted 62.5"),
        ({"rate": None}, "None steps a second"),
        ({"loudness_dbfs": None}, "lacks a list 'loudness_dbfs'"),
        ({"loudness_dbfs": "-80"}, "lacks a list"),
        ({"loudness_dbfs": []}, "holds no steps"),
        ({"loudness_dbfs": [True]}, "is True; wanted a number"),
        ({"loudness_dbfs": ["-80"]}, "(value 1) is '-80'"),
        ({"loudness_dbfs": [float("nan")]}, "is nan"),
        ({"loudness_dbfs": [10**400]}, "wanted a number between -80 and 0"),
        ({"onset": [0.0, 0.5]}, "loudness_dbfs has 1 steps and onset 2"),
        ({"onset": [1.5]}, "between 0 and 1"),
        ({"loudness_dbfs": [-80] * (LONGEST_STEPS + 1)}, "at most 2250000 (10 hours)"),
    ],
)
def test_json_that_is_no_envelope_is_told(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(JSON | changes), encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        read_envelope(path)
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "[]", "3", "\udc80"])
def test_what_is_no_json_object_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(UsageError, match=r"bad\.json"):
        read_envelope(path)


def test_a_file_too_large_for_any_envelope_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.truncate(300 * 2**20)
    with pytest.raises(UsageError, match="larger than 256 MiB"):
        read_envelope(path)


def test_a_file_that_is_not_there_or_of_another_kind_is_told(tmp_path: Path) -> None:
    with pytest.raises(MediaNotFoundError, match=r"no envelope file at .*none\.csv"):
        read_envelope(tmp_path / "none.csv")
    with pytest.raises(UsageError, match=r"must end in \.json or \.csv"):
        read_envelope(tmp_path / "a.txt")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UsageError, match="cannot read"):
        read_envelope(tmp_path / "folder.csv")
