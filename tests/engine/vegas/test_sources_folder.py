"""Videos that lie in folders, by the names that people give them."""

import json
from fractions import Fraction
from pathlib import Path

import pytest

from tests.engine.vegas.fetch_cases import go_on, section
from v2s_engine.errors import UsageError
from v2s_engine.vegas.sources import BroughtFile, FetchFailure
from v2s_engine.vegas.sources.folder import FolderSource


def put(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return folder


def bring(folder: Path, *, begin_ms: int = 30_000, **options: object) -> BroughtFile:
    return FolderSource([folder], **options).bring(section(begin_ms=begin_ms), folder, go_on)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "begin"),
    [
        ("-aB_3.mp4", 30),
        ("-aB_3.WEBM", 30),
        ("deep/er/-aB_3.mkv", 30),
        ("-aB_3_30.mp4", 0),
        ("-aB_3_000030.mp4", 0),
        ("-aB_3_30.000.mp4", 0),
        ("-aB_3_30_40.mp4", 0),
        ("-aB_3_000030_000040.mp4", 0),
        ("-aB_3_30.000_40.000.mp4", 0),
        ("-aB_3_30000_40000.mp4", 0),
    ],
)
def test_the_name_says_what_a_file_holds(tmp_path: Path, name: str, begin: int) -> None:
    found = bring(put(tmp_path, name))
    assert (found.path, found.begin, found.origin) == (tmp_path / name, Fraction(begin), str(tmp_path / name))


def test_beginnings_may_be_parts_of_seconds(tmp_path: Path) -> None:
    assert bring(put(tmp_path, "-aB_3_30.5.mp4"), begin_ms=30_500).begin == 0
    assert bring(put(tmp_path, "-aB_3_30500_40500.mp4"), begin_ms=30_500).path.stem == "-aB_3_30500_40500"


@pytest.mark.parametrize(
    "name", ["-aB_3_60.mp4", "-aB_3.txt", ".-aB_3.mp4", "-AB_3.mp4", "x-aB_3.mp4", "-aB_3_30.mp4.part"]
)
def test_other_files_are_others(tmp_path: Path, name: str) -> None:
    with pytest.raises(FetchFailure, match="not in the folder") as caught:
        bring(put(tmp_path, name))
    assert not caught.value.lasting  # somebody may put it there


def test_a_section_of_its_own_goes_before_the_whole_video(tmp_path: Path) -> None:
    assert bring(put(tmp_path, "-aB_3.mkv", "-aB_3_30.mp4")).path.stem == "-aB_3_30"


def test_the_first_folder_goes_before_the_second(tmp_path: Path) -> None:
    first, second = put(tmp_path / "z", "-aB_3.mp4"), put(tmp_path / "a", "-aB_3.mkv")
    assert FolderSource([first, second]).bring(section(), tmp_path, go_on).path.parent == first


@pytest.mark.parametrize(("holding", "begin"), [("section", 0), ("video", 30)])
def test_names_can_be_overruled(tmp_path: Path, holding: str, begin: int) -> None:
    assert bring(put(tmp_path / "a", "-aB_3.mp4"), holding=holding).begin == begin
    assert bring(put(tmp_path / "b", "-aB_3_30.mp4"), holding=holding).begin == begin


def test_rights_come_from_what_yt_dlp_wrote_beside(tmp_path: Path) -> None:
    put(tmp_path, "-aB_3_30.000.mp4")
    assert (bring(tmp_path).licence, bring(tmp_path).attribution) == (None, None)
    info = {"license": "CC BY", "uploader": "Ann", "title": "Dog", "webpage_url": "https://x.example/1"}
    (tmp_path / "-aB_3_30.000.info.json").write_text(json.dumps(info))
    assert (bring(tmp_path).licence, bring(tmp_path).attribution) == ("CC BY", "Dog, Ann, https://x.example/1")
    (tmp_path / "-aB_3_30.000.info.json").write_text("{")
    assert bring(tmp_path).licence is None


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no folder"):
        FolderSource([tmp_path / "none"])
