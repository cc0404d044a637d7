"""The data set: its clips, its index, and that a kill or a second build changes nothing that it should not."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.engine.vegas.sections import Kept, judge, make_project, read_samples, write_section
from tests.plugin.processes import run_python
from v2s_engine.corpus.clip_material import prepare_clips
from v2s_engine.corpus.clips import read_clips
from v2s_engine.corpus.manifest import manifest_rows
from v2s_engine.digest import file_digest
from v2s_engine.errors import CancelledError, MediaError, OutputError, UsageError
from v2s_engine.options import ModelConfig
from v2s_engine.progress import Progress, ProgressEvent
from v2s_engine.vegas import cutting
from v2s_engine.vegas.aggregate_figures import AGGREGATE_FACT
from v2s_engine.vegas.building import BuildOptions, BuildResult, build_dataset
from v2s_engine.vegas.segmenting import SegmentOptions, segment_videos
from v2s_engine.vegas.shards import ShardOptions
from v2s_engine.vegas.store import Project, read_fact, write_fact

VIDEOS = {
    "-a": Kept("dog", range(5)),
    "b_b": Kept("dog", [0, 1, 3], licence="CC BY | <b>4.0</b>\n[x](http://y)"),
    "c": Kept("dog", [4], length=158_400, licence=None, attribution=None),
    "d": Kept("drum", [1, 2]),
    "e": Kept("drum", [0, 2, 4]),
    "f": Kept("drum", []),
}
CLIPS = {("-a", 0, 4), ("b_b", 0, 1), ("b_b", 3, 3), ("c", 4, 4), ("d", 1, 2), ("e", 0, 0), ("e", 2, 2), ("e", 4, 4)}


def project_of(folder: Path, videos: Mapping[str, Kept] = VIDEOS, *, media: bool = True) -> Project:
    project = make_project(folder, videos, media=media)
    judge(project, videos)
    return project


def build(project: Project, folder: Path, progress: Progress | None = None, **changes: object) -> BuildResult:
    options = replace(BuildOptions(folder, test_per_category=1, shards=ShardOptions(count=2)), **changes)  # type: ignore[arg-type]
    return build_dataset(project, options, progress or Progress())


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def clip_rows(project: Project) -> list[tuple[str, int, int]]:
    with project.connect() as connection:
        return [tuple(row) for row in connection.execute("SELECT video_id, first, last FROM clips ORDER BY id")]


def test_the_index_has_every_clip_with_its_split_and_category(tmp_path: Path) -> None:
    project = project_of(tmp_path / "project")

    result = build(project, tmp_path / "set")

    index = read_clips(tmp_path / "set" / "index.csv")
    rows = [row for _, row in manifest_rows(tmp_path / "set" / "index.csv", ("video_id", "length", "begin_s"))]
    assert not index.left_out
    assert set(clip_rows(project)) == CLIPS
    assert len(index.clips) == len(rows) == len(CLIPS)
    splits: dict[str, set[str]] = {}
    for clip, row in zip(index.clips, rows, strict=True):
        assert clip.category == VIDEOS[row["video_id"]].category
        splits.setdefault(row["video_id"], set()).add(clip.split)
        samples = read_samples(project.media_path(row["video_id"]))
        begin = int((Fraction(row["begin_s"]) - 30) * 16_000)  # the sections begin at 30 s
        assert np.array_equal(read_samples(clip.path), samples[begin : begin + int(row["length"])])
    assert all(len(each) == 1 for each in splits.values())
    for category in ("dog", "drum"):
        tested = [each for each in splits if splits[each] == {"test"} and VIDEOS[each].category == category]
        assert len(tested) == 1
    assert (result.kept_pieces, result.judged_pieces, result.cut, result.left_out) == (14, 30, 8, ())
    assert sum(each.length for each in result.counts) == 13 * 32_000 + 30_400


def test_trainings_read_the_index_and_hear_whole_clips(tmp_path: Path) -> None:
    build(project_of(tmp_path / "project"), tmp_path / "set")
    index = read_clips(tmp_path / "set" / "index.csv")
    lengths = {row["file"]: int(row["length"]) for _, row in manifest_rows(tmp_path / "set" / "index.csv", ("length",))}

    two = [index.clips[0], index.clips[-1]]
    prepared = prepare_clips(two, ModelConfig(sound_classes=index.categories), None, tmp_path / "cache")

    assert not prepared.left_out
    assert [clip.length for clip in prepared.clips] == [lengths[clip.name] for clip in two]


def test_stopped_at_any_moment_and_resumed_it_is_the_same_set_byte_for_byte(tmp_path: Path) -> None:
    build(project_of(tmp_path / "whole"), tmp_path / "whole-set")
    project, folder = project_of(tmp_path / "stopped"), tmp_path / "stopped-set"
    events = 0
    left = [1, 3, 2, 1, 1]

    def stop(event: ProgressEvent) -> None:
        nonlocal events
        events += 1
        if events == left[0]:
            raise CancelledError("stopped")

    while left:
        events = 0
        with pytest.raises(CancelledError):
            build(project, folder, Progress(stop), jobs=2)
        assert not (folder / "index.csv").exists()  # half a set is not taken for a whole one
        assert not (folder / "checksums.txt").exists()
        left.pop(0)
    (folder / "clips" / "dog" / ".half.mkv.part").write_bytes(b"what a kill leaves")
    result = build(project, folder)

    assert (result.cut, result.standing) == (0, 8)
    assert files(folder) == files(tmp_path / "whole-set")
    assert clip_rows(project) == sorted(CLIPS)


_DIES = """
import os, sys
from pathlib import Path
from v2s_engine.progress import Progress
from v2s_engine.vegas.building import BuildOptions, build_dataset
from v2s_engine.vegas.shards import ShardOptions
from v2s_engine.vegas.store import Project
left = int(sys.argv[3])
def report(event):
    global left
    left -= 1
    if not left:
        os._exit(9)  # other threads are in the middle of a file
options = BuildOptions(Path(sys.argv[2]), test_per_category=1, shards=ShardOptions(count=2), jobs=3)
build_dataset(Project(Path(sys.argv[1])), options, Progress(report))
"""


def test_a_process_that_dies_leaves_what_the_next_one_goes_on_from(tmp_path: Path) -> None:
    build(project_of(tmp_path / "whole"), tmp_path / "whole-set")
    project, folder = project_of(tmp_path / "killed"), tmp_path / "killed-set"

    for events in (2, 4):
        died = run_python(_DIES, str(project.folder), str(folder), str(events))
        assert died.returncode == 9, died.stderr
        assert not (folder / "index.csv").exists()
    result = build(project, folder)

    assert result.cut + result.standing == 8
    assert result.standing >= 4  # what the two had finished and noted
    assert files(folder) == files(tmp_path / "whole-set")


def test_a_second_build_cuts_nothing_again_but_what_was_changed(tmp_path: Path) -> None:
    project, folder = project_of(tmp_path / "project"), tmp_path / "set"
    build(project, folder)
    before = files(folder)

    again = build(project, folder)
    assert (again.cut, again.standing, again.removed) == (0, 8, 0)
    assert files(folder) == before

    clips = sorted(folder.glob("clips/*/*.mkv"))
    clips[0].write_bytes(b"changed")
    clips[1].unlink()
    mended = build(project, folder)
    assert (mended.cut, mended.standing) == (2, 6)
    assert files(folder) == before


def test_with_other_verdicts_nothing_old_stays(tmp_path: Path) -> None:
    project, folder = project_of(tmp_path / "project"), tmp_path / "set"
    build(project, folder)
    others = VIDEOS | {"-a": Kept("dog", [0, 1]), "e": Kept("drum", [1]), "f": Kept("drum", range(5))}
    judge(project, others)

    result = build(project, folder, shards=None, seed=1)
    fresh = build(project_of(tmp_path / "other", others), tmp_path / "fresh", shards=None, seed=1)

    # -a from 0 is shorter now, e has other pieces, f is new; b_b, c and d stand
    assert (result.cut, result.standing) == (3, 4)
    assert result.removed == 3 + 4  # e from 0, 2 and 4; two shards of each split
    assert result.counts == fresh.counts
    assert files(folder) == files(tmp_path / "fresh")


def test_checksums_are_those_of_all_files(tmp_path: Path) -> None:
    result = build(project_of(tmp_path / "project"), tmp_path / "set")

    there = files(tmp_path / "set")
    assert result.digest == hashlib.sha256(there["checksums.txt"]).hexdigest()
    lines = there.pop("checksums.txt").decode().splitlines()
    assert lines == [f"{hashlib.sha256(there[file]).hexdigest()}  {file}" for file in sorted(there)]


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    project = project_of(tmp_path / "project")
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "index.csv").write_text("mine")

    with pytest.raises(OutputError, match=r"holds index\.csv and is no built set"):
        build(project, folder)
    with pytest.raises(OutputError, match="is no built set"):
        build(project, project.folder)
    assert files(folder) == {"index.csv": b"mine"}
    assert clip_rows(project) == []


def test_the_set_of_another_project_is_left_alone(tmp_path: Path) -> None:
    first, second = (
        project_of(tmp_path / "first"),
        project_of(tmp_path / "second", {"x": Kept("dog"), "y": Kept("dog")}),
    )
    folder = tmp_path / "set"
    build(first, folder)
    before = files(folder)

    for options in ({}, {"dry_run": True}):
        with pytest.raises(OutputError, match="holds a set that this project did not build"):
            build(second, folder, **options)
    assert files(folder) == before
    assert clip_rows(second) == []

    shutil.rmtree(folder)
    build(second, folder)
    theirs = files(folder)
    with pytest.raises(OutputError, match="holds a set that this project did not build"):
        build(first, folder)  # it was there once
    assert files(folder) == theirs


@pytest.mark.parametrize("written", ["before", "after"])
def test_a_set_is_known_again_wherever_a_build_of_it_died(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    project, folder = project_of(tmp_path / "project"), tmp_path / "set"
    real = Path.replace

    def die(path: Path, target: Path) -> Path:
        if target.name != "build.json":
            return real(path, target)
        if written == "after":
            real(path, target)
        raise CancelledError("killed")

    for seed in (0, 1):  # a new folder, and one that is built already
        with monkeypatch.context() as patched:
            patched.setattr(Path, "replace", die)
            with pytest.raises(CancelledError):
                build(project, folder, seed=seed)
        build(project, folder, seed=seed)
    moved = folder.rename(tmp_path / "moved")
    assert build(project, moved).digest


def test_a_category_with_too_few_videos_can_be_left_for_later(tmp_path: Path) -> None:
    videos = VIDEOS | {"g": Kept("cat", [0])}
    project, folder = project_of(tmp_path / "project", videos), tmp_path / "set"
    with pytest.raises(UsageError, match=r"cat has 1; wanted at least 2 .* --category"):
        build(project, folder)

    result = build(project, folder, categories=("drum", "dog"))

    assert set(read_clips(folder / "index.csv").categories) == {"dog", "drum"}
    assert (result.judged_pieces, result.kept_pieces) == (30, 14)
    assert "- categories: dog, drum\n" in (folder / "README.md").read_text("utf-8")
    assert json.loads((folder / "build.json").read_text("utf-8"))["categories"] == "dog, drum"
    with project.connect() as connection:
        assert read_fact(connection, "build")["categories"] == "dog, drum"
    with pytest.raises(UsageError, match="no category bird; there are: dog, drum, cat"):
        build(project, folder, categories=("dog", "bird"))


def test_a_section_that_was_fetched_again_is_not_cut_by_verdicts_on_the_old_one(tmp_path: Path) -> None:
    project, folder = project_of(tmp_path / "project"), tmp_path / "set"
    segment_videos(project, SegmentOptions(), Progress())
    write_section(project.media_path("e"), flashes=(11,))
    with project.connect() as connection, connection:
        digest = file_digest(project.media_path("e"))
        connection.execute("UPDATE fetches SET sha256 = ? WHERE video_id = 'e'", (digest,))
        connection.execute("INSERT INTO votes SELECT id, 'sound', 'page:a', 1, 'page', NULL, '' FROM pieces")

    for _ in range(2):  # before `segment` has seen it, and after
        result = build(project, folder, test_per_category=0)
        assert [each.file for each in result.left_out] == ["e"]
        assert {video_id for video_id, _, _ in clip_rows(project)} == {"-a", "b_b", "c", "d"}
        assert build(project, folder, test_per_category=0, dry_run=True).left_out == result.left_out
        with project.connect() as connection:
            noted = connection.execute("SELECT about FROM notes WHERE step = 'build'").fetchall()
        assert [about for (about,) in noted] == ["e"]
        segment_videos(project, SegmentOptions(), Progress())


def test_a_clip_that_cannot_be_written_as_it_should_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = project_of(tmp_path / "project")
    check = cutting._check_pictures

    def find_fault(draft: Path, film: cutting._Film, stretch: cutting.Stretch) -> None:
        film = film._replace(pictures=film.pictures[1:]) if "_e_2" in draft.name else film
        check(draft, film, stretch)

    monkeypatch.setattr(cutting, "_check_pictures", find_fault)
    result = build(project, tmp_path / "set")

    assert [Path(each.file).stem[-4:] for each in result.left_out] == ["_e_2"]
    assert set(clip_rows(project)) == CLIPS - {("e", 2, 2)}
    assert len(read_clips(tmp_path / "set" / "index.csv").clips) == 7


def test_a_folder_with_nothing_but_what_a_file_manager_left_is_empty(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / ".DS_Store").write_bytes(b"icons")

    build(project_of(tmp_path / "project"), folder, shards=None)

    assert len(read_clips(folder / "index.csv").clips) == len(CLIPS)
    assert (folder / ".DS_Store").read_bytes() == b"icons"


def test_what_cannot_be_cut_is_noted_and_left_out_until_it_is_mended(tmp_path: Path) -> None:
    project, folder = project_of(tmp_path / "project"), tmp_path / "set"
    whole = project.media_path("e").read_bytes()
    project.media_path("e").write_bytes(whole[:-100])

    result = build(project, folder)

    assert [Path(each.file).parent.name for each in result.left_out] == ["drum"] * 3
    assert all("has changed since it was fetched" in each.reason for each in result.left_out)
    listed = {row["video_id"] for _, row in manifest_rows(folder / "index.csv", ())}
    assert listed == {video_id for video_id, _, _ in clip_rows(project)} == {"-a", "b_b", "c", "d"}
    with project.connect() as connection:
        assert connection.execute("SELECT count(*) FROM notes WHERE step = 'build'").fetchone()[0] == 3

    project.media_path("e").write_bytes(whole)
    assert build(project, folder).cut == 3
    assert set(clip_rows(project)) == CLIPS
    with project.connect() as connection:
        assert connection.execute("SELECT count(*) FROM notes").fetchone()[0] == 0


def test_two_builds_of_a_project_do_not_run_at_once(tmp_path: Path) -> None:
    project = project_of(tmp_path / "project")

    def second(event: ProgressEvent) -> None:
        build(project, tmp_path / "other")

    with pytest.raises(OutputError, match="in use by another v2s vegas build"):
        build(project, tmp_path / "set", Progress(second))


def test_without_any_media_it_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="not one clip could be cut"):
        build(project_of(tmp_path / "project", media=False), tmp_path / "set")


def test_a_dry_run_decides_and_writes_no_file(tmp_path: Path) -> None:
    project = project_of(tmp_path / "project", media=False)

    result = build(project, tmp_path / "set", dry_run=True)

    assert not (tmp_path / "set").exists()
    assert set(clip_rows(project)) == CLIPS
    assert {(each.category, each.split): each.videos for each in result.counts} == {
        ("dog", "test"): 1,
        ("dog", "train"): 2,
        ("drum", "test"): 1,
        ("drum", "train"): 1,
    }


def test_too_few_videos_are_an_error_before_anything_is_written(tmp_path: Path) -> None:
    project = project_of(tmp_path / "project")

    with pytest.raises(UsageError, match="drum has 2; wanted at least 3"):
        build(project, tmp_path / "set", test_per_category=2)
    assert not (tmp_path / "set").exists()


def test_without_verdicts_or_kept_pieces_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="run v2s vegas aggregate first"):
        build(make_project(tmp_path / "fresh", VIDEOS, media=False), tmp_path / "set")
    with pytest.raises(UsageError, match="none of 5 pieces is kept"):
        build(project_of(tmp_path / "none", {"a": Kept("dog", [])}, media=False), tmp_path / "set")
    with pytest.raises(UsageError, match="no folder is given"):
        BuildOptions()


def test_the_card_counts_licences_and_what_strangers_wrote_stays_text(tmp_path: Path) -> None:
    project = project_of(tmp_path / "project")
    with project.connect() as connection, connection:
        write_fact(connection, AGGREGATE_FACT, {"method": "dawid-skene"})
    build(project, tmp_path / "set")

    card = (tmp_path / "set" / "README.md").read_text("utf-8")
    assert "| CC BY 4.0 | 5 |" in card.replace("\\", "")
    assert "| not stated | 1 |" in card
    (hostile,) = [line for line in card.splitlines() if "&lt;b&gt;" in line]
    assert "<b>" not in card
    assert r"\|" in hostile
    assert r"\[x\]\(" in hostile
    assert "http://y" not in hostile
    assert "8 clips of 5 source videos" in card
    assert "30 pieces of 2 s were judged, 14 kept" in card
    assert "| dog | all | 3 | 4 |" in card
    assert "CC BY-SA 4.0" in card
    assert "seed: 0" in card
    assert "verdicts by: dawid-skene" in card
