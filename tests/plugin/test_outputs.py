"""Files appear whole or not at all, and one run at a time writes them."""

import errno
import os
import threading
from pathlib import Path

import pytest

from tests.plugin.cuts import names_in
from tests.plugin.processes import run_python
from v2s_engine.errors import MediaNotFoundError, OutputError
from v2s_plugin.outputs import only_run, whole_file


def test_a_file_is_written_whole_and_nothing_else_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with whole_file(path) as draft:
        draft.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert names_in(tmp_path) == ["a.txt"]


def test_the_mode_of_a_new_file_is_what_the_user_asked_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("x")
    with whole_file(tmp_path / "a") as draft:
        draft.write_text("x")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("error", [RuntimeError("bug"), KeyboardInterrupt(), MediaNotFoundError("ours; relink")])
def test_an_error_inside_leaves_the_old_file_and_comes_through(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail() -> None:
        with whole_file(path) as draft:
            draft.write_text("half")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_is_an_output_error_and_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*{"fsync": (os, "fsync", full), "replace": (Path, "replace", full)}[step])
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(OutputError, match=r"a\.txt: No space left on device; free some space"), whole_file(path) as d:
        d.write_text("new")
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["a.txt"]


def test_a_folder_that_is_not_there_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No such file or directory"), whole_file(tmp_path / "no" / "a") as draft:
        draft.write_text("x")
    with pytest.raises(OutputError, match="cannot write beside"), only_run(tmp_path / "no" / "a"):
        pass


def test_a_second_run_on_the_same_output_is_refused_and_another_output_is_not(tmp_path: Path) -> None:
    with only_run(tmp_path / "a.otio"):
        with pytest.raises(OutputError, match=r"another run is writing .*a\.otio"), only_run(tmp_path / "a.otio"):
            pass
        with only_run(tmp_path / "b.otio"):
            pass
    with only_run(tmp_path / "a.otio"):
        pass
    assert names_in(tmp_path) == []


def test_only_one_of_many_threads_holds_the_output(tmp_path: Path) -> None:
    inside: list[int] = []
    most: list[int] = []
    start = threading.Barrier(8)

    def run() -> None:
        start.wait()
        for _ in range(50):
            try:
                with only_run(tmp_path / "a.otio"):
                    inside.append(1)
                    most.append(len(inside))
                    inside.pop()
            except OutputError:
                pass

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(most) == {1}


def test_a_killed_run_does_not_block_the_next_and_its_drafts_are_cleared(tmp_path: Path) -> None:
    code = """
import os, pathlib, sys
from v2s_plugin.outputs import only_run, whole_file
path = pathlib.Path(sys.argv[1])
with only_run(path), whole_file(path) as draft:
    draft.write_text("half")
    os._exit(9)
"""
    path = tmp_path / "a[1].otio"
    assert run_python(code, str(path)).returncode == 9
    (tmp_path / ".other.otio.1234.part").touch()
    assert len(names_in(tmp_path)) == 3
    with only_run(path):
        pass
    assert names_in(tmp_path) == [".other.otio.1234.part"]
