"""The step as a whole: what is fetched, what is the same, what is tried again, and runs that end before their end."""

import hashlib
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.engine.vegas.fetch_cases import (
    Answer,
    TroubledServer,
    fetch_states,
    make_film,
    make_project,
    troubled_server,
)
from v2s_engine.errors import CancelledError, OutputError, UsageError
from v2s_engine.progress import Progress, ProgressEvent
from v2s_engine.vegas import fetching
from v2s_engine.vegas.fetching import FetchOptions, FetchResult, fetch_videos
from v2s_engine.vegas.one_run import one_run
from v2s_engine.vegas.sources import BroughtFile, Section
from v2s_engine.vegas.sources.choice import SourceOptions
from v2s_engine.vegas.sources.folder import FolderSource
from v2s_engine.vegas.store import Project

IDS = {"dog": ("-a", "B_", "c"), "rain": ("d", "e", "F-")}


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three films with other contents: 1.mp4, 2.mp4, 3.mp4; and one without sound."""
    folder: Path = tmp_path_factory.mktemp("films")
    for number in (1, 2, 3):
        make_film(folder / f"{number}.mp4", flash=5 * number)
    make_film(folder / "silent.mp4", flash=3, sound=False)
    return folder


@pytest.fixture
def lay(films: Path, tmp_path: Path) -> Callable[..., FetchOptions]:
    """Puts films under ids into a folder, and gives the options by which they are fetched."""

    def put(**contents: int | str) -> FetchOptions:
        folder = tmp_path / "lying"
        folder.mkdir(exist_ok=True)
        for name, content in contents.items():
            shutil.copy(films / f"{content}.mp4", folder / f"{NAMES.get(name, name)}.mp4")
        return FetchOptions(SourceOptions(folders=(folder,)), jobs=2)

    return put


NAMES = {"a": "-a", "B": "B_", "F": "F-"}
"""Ids that cannot be names of arguments."""


def counts(result: FetchResult) -> list[tuple[int, ...]]:
    return [(each.fetched, each.duplicate, each.failed, each.later, each.waiting) for each in result.categories]


def kept(project: Project) -> dict[str, str]:
    """Files in the project's media by name, as digests."""
    files = [path for path in (project.folder / "media").rglob("*") if path.is_file()]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rows(project: Project) -> list[tuple[object, ...]]:
    """All that is known of the fetched, but for how often it was tried."""
    with project.connect() as connection:
        query = "SELECT video_id, state, reason, retry, origin, content, length, width, height FROM fetches ORDER BY 1"
        return [tuple(row) for row in connection.execute(query)]


def test_what_is_there_is_fetched_and_the_rest_waits_for_another_run(
    tmp_path: Path, lay: Callable[..., FetchOptions]
) -> None:
    project = make_project(tmp_path / "p", IDS)
    result = fetch_videos(project, lay(a=1, d=2))
    assert counts(result) == [(1, 0, 0, 2, 0), (1, 0, 0, 2, 0)]
    assert result.reasons == (("not in the folder", 4),)
    assert set(kept(project)) == {project.media_path(each).name for each in ("-a", "d")}
    again = fetch_videos(project, lay(B=3))
    assert (again.tried, counts(again)) == (4, [(2, 0, 0, 1, 0), (1, 0, 0, 2, 0)])


def test_rows_say_what_the_files_are(tmp_path: Path, lay: Callable[..., FetchOptions]) -> None:
    project = make_project(tmp_path / "p", {"dog": ["-a"]})
    options = lay(a=1)
    fetch_videos(project, options)
    digest = kept(project)[project.media_path("-a").name]
    origin = str(options.sources.folders[0] / "-a.mp4")
    with project.connect() as connection:
        (row,) = connection.execute("SELECT state, origin, sha256, length, width, height FROM fetches")
    assert tuple(row) == ("fetched", origin, digest, 36_000, 96, 64)


def test_the_first_in_order_keeps_a_content_whichever_comes_first(
    tmp_path: Path, lay: Callable[..., FetchOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(tmp_path / "p", IDS)
    options = lay(a=1, B=2, c=1, d=2, e=1)
    order = ["e", "c", "-a", "d", "B_"]
    turns = {video_id: threading.Event() for video_id in order}
    turns["e"].set()
    bring = FolderSource.bring

    def in_turn(self: FolderSource, wanted: Section, folder: Path, check: Callable[[], None]) -> BroughtFile:
        if wanted.video_id in turns:
            while not turns[wanted.video_id].wait(0.02):
                check()
        return bring(self, wanted, folder, check)

    def report(event: ProgressEvent) -> None:
        if event.item in order[:-1]:
            turns[order[order.index(event.item) + 1]].set()

    monkeypatch.setattr(FolderSource, "bring", in_turn)
    fetch_videos(project, replace(options, jobs=6), Progress(report))
    states = fetch_states(project)
    del states["F-"]
    assert states == {
        "-a": ("fetched", None),
        "B_": ("fetched", None),
        "c": ("duplicate", "-a"),
        "d": ("duplicate", "B_"),
        "e": ("duplicate", "-a"),
    }
    assert set(kept(project)) == {project.media_path(each).name for each in ("-a", "B_")}
    assert fetch_videos(project, options).tried == 1  # what repeats another is not tried again


def test_a_video_that_is_cut_into_pieces_keeps_its_content(tmp_path: Path, lay: Callable[..., FetchOptions]) -> None:
    project = make_project(tmp_path / "p", IDS)
    fetch_videos(project, lay(e=1))
    with project.connect() as connection, connection:
        connection.execute("INSERT INTO pieces (video_id, ordinal, length) VALUES ('e', 0, 32000)")
    fetch_videos(project, lay(a=1))
    states = fetch_states(project)
    assert (states["-a"], states["e"]) == (("duplicate", "e"), ("fetched", None))


def test_what_failed_for_good_is_tried_again_only_where_asked(tmp_path: Path, lay: Callable[..., FetchOptions]) -> None:
    project = make_project(tmp_path / "p", {"dog": ["-a", "c"]})
    options = lay(a="silent", c=1)
    assert fetch_videos(project, options).reasons == (("no sound", 1),)
    lay(a=2)
    assert fetch_videos(project, options).tried == 0
    result = fetch_videos(project, replace(options, retry_failed=True))
    assert (result.tried, counts(result), result.missing) == (1, [(2, 0, 0, 0, 0)], 0)


def test_a_file_that_somebody_deleted_is_fetched_again(tmp_path: Path, lay: Callable[..., FetchOptions]) -> None:
    project = make_project(tmp_path / "p", {"dog": ["-a"]})
    fetch_videos(project, lay(a=1))
    before = rows(project)
    project.media_path("-a").unlink()
    assert fetch_videos(project, lay()).tried == 1
    assert rows(project) == before
    assert project.media_path("-a").is_file()


def test_a_few_can_be_tried_first(tmp_path: Path, lay: Callable[..., FetchOptions]) -> None:
    project = make_project(tmp_path / "p", IDS)
    options = lay(a=1, B=2, d=3)
    assert counts(fetch_videos(project, replace(options, limit=1))) == [(1, 0, 0, 0, 2), (1, 0, 0, 0, 2)]
    assert counts(fetch_videos(project, replace(options, limit=1))) == [(1, 0, 0, 0, 2), (1, 0, 0, 0, 2)]
    only_dogs = replace(options, categories=("dog",))
    assert counts(fetch_videos(project, only_dogs)) == [(2, 0, 0, 1, 0), (1, 0, 0, 0, 2)]


@pytest.fixture
def server() -> Iterator[tuple[TroubledServer, str]]:
    with troubled_server() as running:
        yield running


def test_what_is_not_in_the_folder_comes_from_the_server(
    tmp_path: Path, films: Path, lay: Callable[..., FetchOptions], server: tuple[TroubledServer, str]
) -> None:
    project = make_project(tmp_path / "p", IDS)
    troubled, url = server
    troubled.gives("/B_.mp4", Answer((films / "2.mp4").read_bytes()))
    troubled.gives("/c.mp4", Answer((films / "3.mp4").read_bytes()))
    troubled.gives("/e.mp4", Answer(status=503))
    options = lay(a=1, c="silent")  # a file that is of no use is as good as none
    sources = replace(options.sources, url=f"{url}/{{id}}.mp4", retries=0, rate=1000)
    result = fetch_videos(project, replace(options, sources=sources))
    assert counts(result) == [(3, 0, 0, 0, 0), (0, 0, 2, 1, 0)]
    assert result.reasons == (("HTTP 404", 2), ("HTTP 503", 1))
    assert "/-a.mp4" not in troubled.asked
    assert "not in the folder" in str(fetch_states(project)["d"][1])


def test_one_video_that_is_broken_does_not_stop_the_others(
    tmp_path: Path, films: Path, server: tuple[TroubledServer, str]
) -> None:
    project = make_project(tmp_path / "p", {"dog": ["-a", "B_", "c"]})
    troubled, url = server
    troubled.gives("/-a", Answer(b"#EXTM3U\n"))
    troubled.gives("/B_", Answer(b"\0" * 5000))
    troubled.gives("/c", Answer((films / "1.mp4").read_bytes()))
    result = fetch_videos(project, FetchOptions(SourceOptions(url=f"{url}/{{id}}", rate=1000)))
    assert (counts(result), result.reasons) == ([(1, 0, 2, 0, 0)], (("broken", 2),))


def test_being_asked_to_stay_away_ends_the_run(
    tmp_path: Path, lay: Callable[..., FetchOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked_out(*_: object) -> BroughtFile:
        raise fetching.FetchFailure("asked too often", "come back tomorrow", lasting=False, stops=True)

    project = make_project(tmp_path / "p", IDS)
    monkeypatch.setattr(FolderSource, "bring", locked_out)
    result = fetch_videos(project, replace(lay(), jobs=1))
    assert (result.tried, result.stopped) == (1, "asked too often: come back tomorrow")
    assert counts(result) == [(0, 0, 0, 1, 2), (0, 0, 0, 0, 3)]


def test_leftovers_of_killed_runs_are_swept(tmp_path: Path, lay: Callable[..., FetchOptions]) -> None:
    project = make_project(tmp_path / "p", IDS)
    options = lay(a=1)
    fetch_videos(project, options)
    orphan, place = project.media_path("d"), project.media_path("-a")
    orphan.parent.mkdir(parents=True, exist_ok=True)
    orphan.write_bytes(b"put in place, and killed before its row was written")
    (place.parent / f".{place.name}.part").write_bytes(b"half")
    (project.folder / "incoming" / "x").mkdir(parents=True)
    fetch_videos(project, options)
    assert set(kept(project)) == {place.name}
    assert not (project.folder / "incoming").exists()


def test_a_stopped_run_keeps_what_it_has_and_the_next_goes_on(tmp_path: Path, lay: Callable[..., FetchOptions]) -> None:
    options = lay(a=1, B=2, c=1, d=3, e=2, F="silent")
    whole = make_project(tmp_path / "whole", IDS)
    fetch_videos(whole, options)
    project = make_project(tmp_path / "p", IDS)
    for last in (1, 2, 1):
        progress = Progress()

        def stop(event: ProgressEvent, progress: Progress = progress, last: int = last) -> None:
            if event.done == last:
                progress.cancel.set()

        with pytest.raises(CancelledError):
            fetch_videos(project, options, replace(progress, report=stop))
        assert not [name for name in kept(project) if name.endswith(".part")]
    assert len(fetch_states(project)) == 4
    fetch_videos(project, options)
    assert (rows(project), set(kept(project))) == (rows(whole), set(kept(whole)))


RUN = """
import random, signal, sys
from pathlib import Path
from v2s_engine.vegas.fetching import FetchOptions, fetch_videos
from v2s_engine.vegas.sources.choice import SourceOptions
from v2s_engine.vegas.store import Project
project, films, delay = sys.argv[1:]
if float(delay):
    signal.setitimer(signal.ITIMER_REAL, float(delay))  # SIGALRM ends the process at once, as a kill does
fetch_videos(Project(Path(project)), FetchOptions(SourceOptions(folders=(Path(films),)), jobs=2))
"""


def test_a_run_that_is_killed_at_any_moment_goes_on(tmp_path: Path, lay: Callable[..., FetchOptions]) -> None:
    options = lay(a=1, B=2, c=1, d=3, e=2, F="silent")
    whole = make_project(tmp_path / "whole", IDS)
    began = time.monotonic()
    fetch_videos(whole, options)
    duration = time.monotonic() - began
    project = make_project(tmp_path / "p", IDS)

    def run(delay: float) -> int:
        arguments = [str(project.folder), str(options.sources.folders[0]), str(delay)]
        return subprocess.run([sys.executable, "-c", RUN, *arguments], check=False).returncode

    drawn = random.Random(0)
    codes = [run(drawn.uniform(0.05, 0.6) * duration) for _ in range(4)]
    assert -signal.SIGALRM in codes
    assert run(0) == 0
    assert (rows(project), set(kept(project))) == (rows(whole), set(kept(whole)))


def test_a_full_disk_is_said_and_all_before_is_kept(tmp_path: Path, lay: Callable[..., FetchOptions]) -> None:
    project = make_project(tmp_path / "p", IDS)
    fetch_videos(project, replace(lay(a=1), limit=1))
    before, options = kept(project), lay(B=2)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, limits[1]))
    try:
        with pytest.raises(OutputError, match="free some space"):
            fetch_videos(project, options)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert kept(project) == before
    assert counts(fetch_videos(project, options))[0] == (2, 0, 0, 1, 0)


def test_two_runs_do_not_meet(tmp_path: Path, lay: Callable[..., FetchOptions]) -> None:
    project = make_project(tmp_path / "p", IDS)
    with one_run(project, "fetch"), pytest.raises(OutputError, match="in use by another"):
        fetch_videos(project, lay(a=1))
    assert fetch_videos(project, lay(a=1)).tried == 6


def test_what_cannot_be_is_refused_before_anything_is_fetched(tmp_path: Path, lay: Callable[..., FetchOptions]) -> None:
    with pytest.raises(UsageError, match="no VEGAS project"):
        fetch_videos(Project(tmp_path / "none"), lay())
    with pytest.raises(UsageError, match="v2s vegas select"):
        fetch_videos(make_project(tmp_path / "empty", {}), lay())
    with pytest.raises(UsageError, match="there are: dog, rain"):
        fetch_videos(make_project(tmp_path / "p", IDS), replace(lay(), categories=("cat",)))
    with pytest.raises(UsageError, match="--from DIR, --url TEMPLATE or --yt-dlp"):
        SourceOptions()
    with pytest.raises(UsageError, match="give one of them"):
        SourceOptions(url="http://x/{id}", yt_dlp=True)
    with pytest.raises(UsageError, match="jobs is 0"):
        replace(lay(), jobs=0)


def test_a_database_that_cannot_be_written_is_said(
    tmp_path: Path, lay: Callable[..., FetchOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    project = make_project(tmp_path / "p", IDS)
    monkeypatch.setattr(fetching, "record_fetched", full)
    with pytest.raises(OutputError, match="disk is full"):
        fetch_videos(project, replace(lay(a=1), limit=1))
