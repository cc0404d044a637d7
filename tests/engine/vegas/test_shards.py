"""Shards, as the `webdataset` library reads them."""

import io
import tarfile
from pathlib import Path

import pytest

from tests.engine.vegas.sections import Kept, judge, make_project
from v2s_engine.corpus.clips import Clip, read_clips
from v2s_engine.errors import UsageError
from v2s_engine.progress import Progress
from v2s_engine.vegas.building import BuildOptions, build_dataset
from v2s_engine.vegas.dataset_clips import DatasetClip
from v2s_engine.vegas.shards import Shard, ShardClip, ShardOptions, plan_shards


def clips(count: int, split: str = "train") -> list[ShardClip]:
    return [
        ShardClip(
            DatasetClip(f"{n:02}", "v", "dog", split, n, n, 32_000, 0, "", "none", "none"),  # type: ignore[arg-type]
            100,
            f"{n}",
        )
        for n in range(count)
    ]


def keys(shards: list[Shard]) -> list[list[str]]:
    return [[each.clip.key for each in shard.clips] for shard in shards]


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # webdataset leaves that to the collector
def test_webdataset_reads_every_clip_once_with_what_the_index_says(tmp_path: Path) -> None:
    import webdataset

    videos = {"-a": Kept("dog", range(5)), "b": Kept("dog", [0, 2, 4]), "c": Kept("dog", [1])}
    project = make_project(tmp_path / "project", videos)
    judge(project, videos)
    options = BuildOptions(tmp_path / "set", test_per_category=1, shards=ShardOptions(count=2))
    build_dataset(project, options, Progress())
    index: dict[str, Clip] = {clip.name: clip for clip in read_clips(tmp_path / "set" / "index.csv").clips}

    seen = {}
    for path in sorted((tmp_path / "set" / "shards").iterdir()):
        for sample in webdataset.WebDataset(str(path), shardshuffle=False).decode():
            told = sample["json"]
            clip = index[told["file"]]
            assert sample["__key__"] == Path(told["file"]).stem
            assert path.name.startswith(f"{told['split']}-")
            assert (told["category"], told["split"], told["licence"]) == (clip.category, clip.split, clip.licence)
            assert sample["mkv"] == clip.path.read_bytes()
            seen[told["file"]] = sample
    assert seen.keys() == index.keys()


def test_headers_say_nothing_of_when_and_by_whom(tmp_path: Path) -> None:
    videos = {"a": Kept("dog", [0])}
    project = make_project(tmp_path / "project", videos)
    judge(project, videos)
    build_dataset(
        project, BuildOptions(tmp_path / "set", test_per_category=0, shards=ShardOptions(count=1)), Progress()
    )

    content = (tmp_path / "set" / "shards" / "train-000000.tar").read_bytes()
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        members = archive.getmembers()
    assert [Path(member.name).suffix for member in members] == [".mkv", ".json"]
    assert {(each.mtime, each.uid, each.gid, each.uname, each.gname, each.mode) for each in members} == {
        (0, 0, 0, "", "", 0o644)
    }


def test_a_split_has_as_many_shards_as_asked_for_of_like_sizes() -> None:
    shards = plan_shards([*clips(10), *clips(2, "test")], ShardOptions(count=3), seed=0)

    assert [shard.file for shard in shards] == [
        *(f"shards/train-{n:06}.tar" for n in range(3)),
        *(f"shards/test-{n:06}.tar" for n in range(2)),
    ]
    assert sorted(len(each) for each in keys(shards)[:3]) == [3, 3, 4]
    assert sorted(key for each in keys(shards)[:3] for key in each) == [f"{n:02}" for n in range(10)]


def test_the_seed_shuffles_and_the_order_of_clips_does_not_matter() -> None:
    options = ShardOptions(count=1)

    assert keys(plan_shards(clips(9), options, 0)) == keys(plan_shards(clips(9)[::-1], options, 0))
    assert keys(plan_shards(clips(9), options, 0)) != keys(plan_shards(clips(9), options, 1))
    assert keys(plan_shards(clips(9), options, 0)) != [sorted(keys(plan_shards(clips(9), options, 0))[0])]


def test_shards_are_at_most_as_large_as_asked_for_but_for_single_clips() -> None:
    assert [len(each) for each in keys(plan_shards(clips(10), ShardOptions(size=350), 0))] == [3, 3, 3, 1]
    assert [len(each) for each in keys(plan_shards(clips(3), ShardOptions(size=50), 0))] == [1, 1, 1]


@pytest.mark.parametrize("given", [{}, {"count": 1, "size": 1}, {"count": 0}, {"size": -1}])
def test_shards_want_either_their_number_or_their_size(given: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="either how many there are or how large"):
        ShardOptions(**given)
