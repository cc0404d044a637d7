"""Pieces of fetched videos and what annotators see of them."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.engine.vegas.sections import Kept, judge, make_project, read_samples, write_section
from v2s_engine.corpus.slate import read_number
from v2s_engine.digest import file_digest
from v2s_engine.errors import CancelledError, UsageError
from v2s_engine.progress import Progress, ProgressEvent
from v2s_engine.vegas.previews import SUFFIXES
from v2s_engine.vegas.segmenting import SegmentOptions, piece_lengths, segment_videos
from v2s_engine.vegas.store import Project

THREE = {"-a": Kept("dog"), "b_b": Kept("dog", length=128_000), "c": Kept("drum", length=94_400)}


def rows(project: Project) -> list[tuple[int, str, int, int]]:
    with project.connect() as connection:
        return [tuple(row) for row in connection.execute("SELECT * FROM pieces ORDER BY id")]


def notes(project: Project) -> list[tuple[str, str]]:
    with project.connect() as connection:
        return [tuple(row) for row in connection.execute("SELECT about, reason FROM notes WHERE step = 'segment'")]


def files(project: Project) -> dict[str, bytes]:
    found = sorted((project.folder / "pieces").rglob("*"))
    return {str(path.relative_to(project.folder)): path.read_bytes() for path in found if path.is_file()}


@pytest.mark.parametrize(
    ("length", "pieces"),
    [
        (160_000, [32_000] * 5),
        (159_999, [*[32_000] * 4, 31_999]),
        (158_400, [*[32_000] * 4, 30_400]),
        (158_399, [32_000] * 4),
        (30_400, [30_400]),
        (30_399, []),
    ],
)
def test_a_last_piece_may_lack_a_tenth_of_a_second(length: int, pieces: list[int]) -> None:
    assert piece_lengths(length) == pieces


def test_every_fetched_video_has_its_pieces_and_every_piece_its_previews(tmp_path: Path) -> None:
    project = make_project(tmp_path, THREE)
    with project.connect() as connection, connection:
        connection.execute("UPDATE fetches SET state = 'duplicate', reason = '-a' WHERE video_id = 'b_b'")

    result = segment_videos(project, SegmentOptions(jobs=2), Progress())

    expected = [("-a", n, 32_000) for n in range(5)] + [("c", 0, 32_000), ("c", 1, 32_000), ("c", 2, 30_400)]
    assert rows(project) == [(number, *each) for number, each in enumerate(expected, start=1)]
    assert (result.videos, result.pieces, result.made, result.left_out) == (2, 8, 2, ())
    assert set(files(project)) == {
        str(project.piece_path(video_id, ordinal, suffix).relative_to(tmp_path))
        for video_id, ordinal, _ in expected
        for suffix in SUFFIXES
    }


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30_000, 1001)])
def test_previews_show_and_sound_the_piece_and_nothing_else(tmp_path: Path, rate: Fraction) -> None:
    project = make_project(tmp_path, {"a": Kept("dog", length=96_000)})
    samples = write_section(project.media_path("a"), length=96_000, rate=rate)
    with project.connect() as connection, connection:
        connection.execute("UPDATE fetches SET sha256 = ?", (file_digest(project.media_path("a")),))

    segment_videos(project, SegmentOptions(), Progress())

    assert np.array_equal(read_samples(project.piece_path("a", 1, ".flac")), samples[32_000:64_000])
    thumbnail = cv2.imread(str(project.piece_path("a", 1, ".jpg")))
    assert read_number(thumbnail) == int(3 * rate)  # what is on screen after 3 s
    film = project.piece_path("a", 1, ".mp4")
    assert film.read_bytes().index(b"moov") < film.read_bytes().index(b"mdat")  # plays while it loads
    with av.open(str(film)) as container:
        (stream,) = container.streams  # no sound
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.duration * stream.time_base == 2
        frames = list(container.decode(video=0))
    assert frames[0].pts == 0
    assert frames[0].key_frame
    numbers = [read_number(frame.to_ndarray(format="rgb24")) for frame in frames]
    assert numbers == [n for n in range(200) if int(2 * rate) <= n < 4 * rate]


def test_stopped_anywhere_it_goes_on_to_the_same_rows_and_files(tmp_path: Path) -> None:
    whole = make_project(tmp_path / "whole", THREE)
    segment_videos(whole, SegmentOptions(), Progress())

    def stop(event: ProgressEvent) -> None:
        raise CancelledError("stopped")

    stopped = make_project(tmp_path / "stopped", THREE)
    for _ in range(2):
        with pytest.raises(CancelledError):
            segment_videos(stopped, SegmentOptions(jobs=2), Progress(stop))
    draft = stopped.piece_path("c", 0, ".mp4")
    draft.with_name(f".{draft.name}.part").write_bytes(b"half")  # what a kill leaves
    result = segment_videos(stopped, SegmentOptions(), Progress())

    assert result.made == 1
    assert rows(stopped) == rows(whole)
    assert files(stopped) == files(whole)


def test_previews_that_are_gone_are_made_again_and_rows_stay(tmp_path: Path) -> None:
    project = make_project(tmp_path, THREE)
    segment_videos(project, SegmentOptions(), Progress())
    before, pieces = files(project), rows(project)
    project.piece_path("c", 1, ".flac").unlink()

    assert segment_videos(project, SegmentOptions(), Progress()).made == 1
    assert files(project) == before
    assert rows(project) == pieces


def test_missing_damaged_and_changed_sections_are_noted_and_the_rest_goes_on(tmp_path: Path) -> None:
    videos = {"a": Kept("dog"), "b": Kept("dog"), "c": Kept("dog"), "d": Kept("dog")}
    project = make_project(tmp_path, videos)
    whole = project.media_path("c").read_bytes()
    project.media_path("a").unlink()
    project.media_path("c").write_bytes(whole[: len(whole) // 2])
    with project.connect() as connection, connection:
        connection.execute("UPDATE fetches SET length = 128000 WHERE video_id = 'd'")

    result = segment_videos(project, SegmentOptions(jobs=2), Progress())

    assert {video_id for _, video_id, _, _ in rows(project)} == {"b"}
    assert [each.video_id for each in result.left_out] == ["a", "c", "d"]
    reasons = dict(notes(project))
    assert "no fetched section" in reasons["a"]
    assert "has changed since it was fetched" in reasons["c"]
    assert "holds 160000 samples; wanted the 128000" in reasons["d"]

    project.media_path("c").write_bytes(whole)
    segment_videos(project, SegmentOptions(), Progress())
    assert {video_id for _, video_id, _, _ in rows(project)} == {"b", "c"}
    assert sorted(dict(notes(project))) == ["a", "d"]

    with project.connect() as connection, connection:
        connection.execute("UPDATE fetches SET state = 'failed', reason = 'private' WHERE video_id = 'a'")
    segment_videos(project, SegmentOptions(), Progress())
    assert sorted(dict(notes(project))) == ["d"]


def fetch_again(project: Project, video_id: str, *, length: int = 160_000, flash: int = 9, b_frames: int = 2) -> None:
    """Another file in a section's place, as `fetch` puts it there."""
    path = project.media_path(video_id)
    write_section(path, length=length, flashes=(flash,), b_frames=b_frames)
    with project.connect() as connection, connection:
        connection.execute(
            "UPDATE fetches SET sha256 = ?, length = ? WHERE video_id = ?", (file_digest(path), length, video_id)
        )


def test_a_section_that_was_fetched_again_and_sounds_otherwise_has_new_pieces_where_nobody_was_asked(
    tmp_path: Path,
) -> None:
    project = make_project(tmp_path, {"a": Kept("dog"), "b": Kept("dog")})
    segment_videos(project, SegmentOptions(), Progress())
    judge(project, {"a": Kept("dog")})
    fetch_again(project, "a", length=94_400)

    result = segment_videos(project, SegmentOptions(), Progress())

    assert (result.made, result.pieces, result.left_out) == (1, 8, ())
    assert [row[1:] for row in rows(project) if row[1] == "a"] == [("a", 0, 32_000), ("a", 1, 32_000), ("a", 2, 30_400)]
    samples = read_samples(project.media_path("a"))
    assert np.array_equal(read_samples(project.piece_path("a", 0, ".flac")), samples[:32_000])
    assert not project.piece_path("a", 3, ".mp4").exists()
    with project.connect() as connection:  # verdicts on what was there before
        assert connection.execute("SELECT count(*) FROM verdicts").fetchone()[0] == 0
    assert segment_videos(project, SegmentOptions(), Progress()).made == 0


def test_what_people_voted_on_stays_when_the_section_sounds_otherwise(tmp_path: Path) -> None:
    project = make_project(tmp_path, {"a": Kept("dog")})
    segment_videos(project, SegmentOptions(), Progress())
    with project.connect() as connection, connection:
        connection.execute("INSERT INTO votes VALUES (1, 'sound', 'page:ann', 1, 'page', NULL, '2026-01-01T00:00:00Z')")
    first = project.media_path("a").read_bytes()
    before, pieces = files(project), rows(project)
    fetch_again(project, "a")

    for _ in range(2):  # it stays so
        result = segment_videos(project, SegmentOptions(), Progress())
        assert [each.video_id for each in result.left_out] == ["a"]
        assert "sounds otherwise" in dict(notes(project))["a"]
        assert files(project) == before
        assert rows(project) == pieces
        with project.connect() as connection:
            assert connection.execute("SELECT count(*) FROM votes").fetchone()[0] == 1

    project.media_path("a").write_bytes(first)
    with project.connect() as connection, connection:
        connection.execute("UPDATE fetches SET sha256 = ?", (file_digest(project.media_path("a")),))
    assert segment_videos(project, SegmentOptions(), Progress()).left_out == ()
    assert notes(project) == []


def test_a_section_that_is_only_coded_anew_goes_on_with_its_pieces_and_votes(tmp_path: Path) -> None:
    project = make_project(tmp_path, {"a": Kept("dog")})
    fetch_again(project, "a", b_frames=2)
    segment_videos(project, SegmentOptions(), Progress())
    with project.connect() as connection, connection:
        connection.execute("INSERT INTO votes VALUES (1, 'sound', 'page:ann', 1, 'page', NULL, '2026-01-01T00:00:00Z')")
    before, old = files(project), file_digest(project.media_path("a"))
    fetch_again(project, "a", b_frames=0)
    assert file_digest(project.media_path("a")) != old

    result = segment_videos(project, SegmentOptions(), Progress())

    assert (result.pieces, result.left_out) == (5, ())
    assert files(project) == before


def test_a_video_that_turns_out_to_repeat_another_while_it_is_cut_has_no_pieces(tmp_path: Path) -> None:
    project = make_project(tmp_path, {"a": Kept("dog"), "b": Kept("dog"), "c": Kept("dog")})

    def fetch_meanwhile(event: ProgressEvent) -> None:
        if event.done == 1:
            with project.connect() as connection, connection:
                connection.execute("UPDATE fetches SET state = 'duplicate', reason = 'a' WHERE video_id = 'b'")
                connection.execute("UPDATE fetches SET sha256 = 'another' WHERE video_id = 'c'")

    result = segment_videos(project, SegmentOptions(), Progress(fetch_meanwhile))

    assert {video_id for _, video_id, _, _ in rows(project)} == {"a"}
    assert [each.video_id for each in result.left_out] == ["b", "c"]
    assert "duplicate" in result.left_out[0].reason
    assert not any("_b_" in name for name in files(project))


def test_without_fetched_videos_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="run v2s vegas fetch first"):
        segment_videos(make_project(tmp_path, {}), SegmentOptions(), Progress())
    with pytest.raises(UsageError, match="at least 1 job; got 0"):
        SegmentOptions(jobs=0)
