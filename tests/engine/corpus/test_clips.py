from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest

from v2s_engine.corpus.clips import hashed_split, read_clips
from v2s_engine.errors import MediaNotFoundError, UsageError


def put(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_a_folder_of_categories(tmp_path: Path) -> None:
    put(tmp_path, "dog/a.mp4", "dog/b.mov", "drum/x/c.mp4", "drum/.DS_Store", ".git/HEAD", "notes.txt")
    index = read_clips(tmp_path)
    assert [(clip.name, clip.category) for clip in index.clips] == [
        ("dog/a.mp4", "dog"),
        ("dog/b.mov", "dog"),
        ("drum/x/c.mp4", "drum"),
    ]
    assert index.categories == ("dog", "drum")
    assert not index.left_out


def test_a_csv_says_splits_and_stretches_exactly(tmp_path: Path) -> None:
    put(tmp_path, "m/a.mp4", "m/b.mp4")
    (tmp_path / "index.csv").write_text(
        "file,category,split,start_s,duration_s,licence,attribution\n"
        "m/a.mp4,dog,train,0.1,2.5,CC0,Ann\n"
        "m/a.mp4,dog,test,7/3,,,\n"
        "m/b.mp4,drum,validation,,,,\n"
    )
    first, second, third = read_clips(tmp_path / "index.csv").clips
    assert (first.begin, first.duration, first.split) == (Fraction(1, 10), Fraction(5, 2), "train")
    assert (first.licence, first.attribution, first.path) == ("CC0", "Ann", tmp_path / "m/a.mp4")
    assert (second.begin, second.duration, second.split, second.licence) == (Fraction(7, 3), None, "test", "not stated")
    assert (third.begin, third.split, third.name) == (None, "validation", "m/b.mp4")
    assert first.name != second.name


def test_bad_rows_are_left_out_with_the_reason(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4")
    (tmp_path / "index.csv").write_text(
        "file,category,split,start_s,duration_s\n"
        "a.mp4,dog,train,,\n"
        "gone.mp4,dog,train,,\n"
        "a.mp4,,train,,\n"
        "a.mp4,dog,exam,,\n"
        "a.mp4,dog,train,soon,\n"
        "a.mp4,dog,train,1/0,\n"
        "a.mp4,dog,train,-1,\n"
        "a.mp4,dog,train,1,0\n"
        ",dog,train,,\n"
        "a.mp4\n"
    )
    index = read_clips(tmp_path / "index.csv")
    assert len(index.clips) == 1
    reasons = [reason for _, reason in index.left_out]
    for reason, wanted in zip(
        reasons,
        ["there is no file", "no category", "unknown split", "wanted seconds", "wanted seconds"]
        + ["do not say a stretch"] * 2
        + ["there is no file", "no category"],
        strict=True,
    ):
        assert wanted in reason


def test_categories_that_cannot_name_a_folder_are_left_out(tmp_path: Path) -> None:
    put(tmp_path, "a.mp4", "folder/dog\\cat/b.mp4", "folder/drum/c.mp4")
    bad = ["../dog", "..", ".dog", "dog/cat", "dog\\cat", "dog\tcat", "  "]
    rows = [f'a.mp4,"{category}"' for category in [*bad, "wind, rain: été"]]
    (tmp_path / "index.csv").write_text("\n".join(["file,category", *rows]) + "\n", encoding="utf-8")
    index = read_clips(tmp_path / "index.csv")
    assert index.categories == ("wind, rain: été",)
    assert [file for file, _ in index.left_out] == ["a.mp4"] * len(bad)
    assert all("cannot name a folder" in reason or "no category" in reason for _, reason in index.left_out)
    found = read_clips(tmp_path / "folder")
    assert found.categories == ("drum",)
    assert [file for file, _ in found.left_out] == ["dog\\cat/b.mp4"]
    with pytest.raises(UsageError, match=r"cannot be merged as '\.\./x'"):
        found.merged("../x")


def test_a_stretch_that_is_listed_again_is_left_out(tmp_path: Path) -> None:
    put(tmp_path, "m/a.mp4")
    (tmp_path / "index.csv").write_text(
        "file,category,split,start_s,duration_s\n"
        "m/a.mp4,dog,train,,2\n"
        "m/../m/a.mp4,dog,train,0,2.0\n"
        "m/a.mp4,dog,test,0.0,2\n"
        "m/a.mp4,dog,train,2,2\n"
        "m/a.mp4,dog,train,,\n"
    )
    index = read_clips(tmp_path / "index.csv")
    assert [(clip.begin, clip.duration) for clip in index.clips] == [(None, 2), (2, 2), (None, None)]
    assert [reason for _, reason in index.left_out] == ["the same stretch is listed before, as dog for train"] * 2


def test_a_split_by_hash_never_changes_and_has_the_shares_it_says() -> None:
    assert [hashed_split("dog", f"{n}.mp4") for n in range(8)] == [hashed_split("dog", f"{n}.mp4") for n in range(8)]
    shares = Counter(hashed_split("dog", f"{number}.mp4") for number in range(4000))
    assert shares["test"] / 4000 == pytest.approx(0.10, abs=0.02)
    assert shares["validation"] / 4000 == pytest.approx(0.05, abs=0.015)


def test_categories_are_chosen_and_merged(tmp_path: Path) -> None:
    put(tmp_path, "dog/a.mp4", "drum/b.mp4", "rail/c.mp4")
    index = read_clips(tmp_path)
    assert index.of_categories(["dog", "rail"]).categories == ("dog", "rail")
    assert index.merged("any").categories == ("any",)
    assert index.merged("any").clips[0].split == index.clips[0].split
    with pytest.raises(UsageError, match="no clips of cat; there are clips of: dog, drum, rail"):
        index.of_categories(["cat"])


def test_an_index_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(MediaNotFoundError, match="no index of clips"):
        read_clips(tmp_path / "none.csv")
    with pytest.raises(UsageError, match="holds no clips"):
        read_clips(tmp_path)
    (tmp_path / "index.csv").write_text("file,kind\n")
    with pytest.raises(UsageError, match="category"):
        read_clips(tmp_path / "index.csv")


def test_the_index_of_real_clips(shared: Path) -> None:
    index = read_clips(shared / "media" / "manifest.csv")
    assert len(index.clips) > 20
    assert {"train", "test"} <= {clip.split for clip in index.clips}
