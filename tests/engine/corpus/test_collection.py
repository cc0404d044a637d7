"""Made excerpts as files: what `v2s corpus sounds` leaves in a folder."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from v2s_engine.audio import read_sound
from v2s_engine.corpus.recordings import read_held, read_library
from v2s_engine.corpus.synthesis.collection import CollectionOptions, make_collection
from v2s_engine.corpus.synthesis.recipes import RECIPES
from v2s_engine.errors import CancelledError, OutputError, UsageError
from v2s_engine.progress import Progress, ProgressEvent
from v2s_plugin import cli


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def options(folder: Path, duration: int = 20, seed: int = 0, *classes: str) -> CollectionOptions:
    return CollectionOptions(folder, classes or ("dog", "drum"), duration, seed)


def test_a_training_reads_what_was_made(tmp_path: Path) -> None:
    made = make_collection(options(tmp_path, 200, 0, "dog"))
    library = read_library(tmp_path, manifest=made.manifest)
    held = read_held(tmp_path, ["dog"], made.manifest)
    assert library.left_out == ()
    assert len(held) == made.made // 20 > 0
    assert len(library.recordings) + len(held) == made.made
    durations = [each.material.duration for each in (*library.recordings, *held)]
    assert all(4 <= duration <= 12 for duration in durations)
    assert sum(durations) >= 200 > sum(durations) - 12
    assert made.durations["dog"] == pytest.approx(sum(durations), abs=0.1)
    assert library.credits()[0]["licence"] == "none needed (synthetic)"


def test_the_seed_decides_everything(tmp_path: Path) -> None:
    for folder, seed in (("a", 1), ("b", 1), ("c", 2)):
        make_collection(options(tmp_path / folder, seed=seed))
    first, again, other = (contents(tmp_path / folder) for folder in "abc")
    assert first == again
    assert not set(first.values()) & set(other.values())


def test_a_stopped_run_goes_on_where_it_stood(tmp_path: Path) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    make_collection(options(whole, 40))
    cancel = threading.Event()

    def stop(event: ProgressEvent) -> None:
        if event.done == 2:
            cancel.set()

    with pytest.raises(CancelledError):
        make_collection(options(stopped, 40), Progress(stop, cancel))
    begun = set(contents(stopped))
    assert begun
    assert all(name.endswith(".wav") for name in begun)
    ended = make_collection(options(stopped, 40))
    assert ended.kept == len(begun)
    assert ended.made > 0
    assert contents(stopped) == contents(whole)


def test_more_is_added_to_what_is_there(tmp_path: Path) -> None:
    short = make_collection(options(tmp_path, 15, 0, "dog"))
    before = contents(tmp_path)
    longer = make_collection(options(tmp_path, 40, 0, "dog"))
    assert longer.kept == short.made
    other = make_collection(options(tmp_path, 15, 0, "drum"))
    after = contents(tmp_path)
    assert all(after[name] == content for name, content in before.items() if name.endswith(".wav"))
    library = read_library(tmp_path, manifest=other.manifest)
    assert len(library.recordings) == longer.kept + longer.made + other.made


def test_sounds_of_another_version_are_not_mixed_with_new_ones(tmp_path: Path) -> None:
    manifest = make_collection(options(tmp_path, 4, 0, "dog")).manifest
    manifest.write_text(manifest.read_text().replace("v2s ", "v2s 0.0.0-"))
    with pytest.raises(UsageError, match=r"made by v2s 0\.0\.0-.*delete that folder or choose another"):
        make_collection(options(tmp_path, 20, 0, "dog"))


def test_wrong_use_says_what_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no recipe for cat; there are baby_crying, "):
        options(tmp_path, 20, 0, "cat")
    with pytest.raises(UsageError, match="at least 1 second"):
        options(tmp_path, 0)
    with pytest.raises(UsageError, match="--seed wants 0 or more"):
        options(tmp_path, 20, -1)


def test_a_folder_that_cannot_be_written_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "dog").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write"):
        make_collection(options(tmp_path, 5, 0, "dog"))
    assert list(contents(tmp_path)) == ["dog"]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["corpus", "sounds", "-o", str(tmp_path), "--class", "drum", "--duration", "9", "--seed", "3", "--json"]
    assert cli.main(arguments) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["manifest"] == str(tmp_path / "manifest.csv")
    assert answer["kept"] == 0
    sounds = sorted(tmp_path.glob("drum/*.wav"))
    assert len(sounds) == answer["made"]
    assert sum(len(read_sound(path)) for path in sounds) >= 9 * 16_000
    assert cli.main(["corpus", "sounds", "-o", str(tmp_path), "--class", "cat"]) == 2
    assert ", ".join(RECIPES) in capsys.readouterr().err
