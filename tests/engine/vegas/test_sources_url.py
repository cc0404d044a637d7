"""Fetching from a real server on loopback that fails in all the ways that servers do, and from file URLs."""

import datetime
import resource
from collections.abc import Iterator
from dataclasses import replace
from email.utils import format_datetime
from fractions import Fraction
from pathlib import Path

import pytest

from tests.engine.vegas.fetch_cases import Answer, ToldClock, TroubledServer, go_on, section, troubled_server
from v2s_engine.errors import CancelledError, OutputError, UsageError
from v2s_engine.vegas.sources import BroughtFile, FetchFailure, Section
from v2s_engine.vegas.sources.url import UrlOptions, UrlSource

BODY = bytes(range(256)) * 400
WHOLE = Answer(BODY, headers={"Content-Type": "video/mp4"})
BUSY = Answer(status=500)


class Site:
    """A server, and what comes of fetching from it."""

    def __init__(self, server: TroubledServer, url: str, folder: Path) -> None:
        self.server, self.url, self.folder, self.clock = server, url, folder, ToldClock()
        self.options = UrlOptions(f"{url}/{{id}}.mp4", rate=1000, clock=self.clock)

    def fetch(self, *answers: Answer, which: Section | None = None) -> BroughtFile:
        which = which or section()
        if answers:
            self.server.gives(f"/{which.video_id}.mp4", *answers)
        source = UrlSource(self.options)
        try:
            return source.bring(which, self.folder, go_on)
        finally:
            source.close()

    def fails(self, *answers: Answer) -> FetchFailure:
        with pytest.raises(FetchFailure) as caught:
            self.fetch(*answers)
        assert list(self.folder.iterdir()) == []  # nothing half is left
        return caught.value


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    folder = tmp_path / "incoming"
    folder.mkdir()
    with troubled_server() as (server, url):
        yield Site(server, url, folder)


def test_a_file_comes_whole_and_says_where_from(site: Site) -> None:
    brought = site.fetch(WHOLE)
    assert brought.path.read_bytes() == BODY
    assert brought.origin == f"{site.url}/-aB_3.mp4"
    assert brought.licence is None
    assert site.server.headers[0]["User-Agent"].startswith("v2s/")


def test_a_busy_server_is_asked_again_ever_later(site: Site) -> None:
    assert site.fetch(BUSY, BUSY, WHOLE).path.read_bytes() == BODY
    assert len(site.server.asked) == 3
    assert 0.5 + 1.0 <= sum(site.clock.waits) <= 1.5 + 3.0 + 0.01  # 1 s and 2 s, each by half more or less


def test_waiting_times_are_the_same_by_seed_and_differ_between_videos(site: Site) -> None:
    def waited(video_id: str, seed: int) -> float:
        site.clock = ToldClock()
        site.options = replace(site.options, clock=site.clock, seed=seed)
        site.fetch(BUSY, WHOLE, which=section(video_id))
        return sum(site.clock.waits)

    assert waited("a", 0) == waited("a", 0)
    assert len({waited("a", 0), waited("b", 0), waited("a", 1)}) == 3


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_server_that_says_how_long_to_wait_is_obeyed(site: Site, form: str) -> None:
    later = format_datetime(datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=100), usegmt=True)
    asked = Answer(status=429, headers={"Retry-After": "100" if form == "seconds" else later})
    assert site.fetch(asked, WHOLE).path.read_bytes() == BODY
    assert (100 if form == "seconds" else 40) <= site.clock.time < 102


def test_one_who_is_asked_to_wait_holds_all_back(site: Site) -> None:
    site.server.gives("/a.mp4", Answer(status=503, headers={"Retry-After": "50"}), WHOLE)
    site.server.gives("/b.mp4", WHOLE)
    source = UrlSource(replace(site.options, retries=0))
    with pytest.raises(FetchFailure):
        source.bring(section("a"), site.folder, go_on)
    source.bring(section("b"), site.folder, go_on)
    source.close()
    assert site.clock.time >= 50


def test_a_server_that_wants_hours_is_left_for_another_run(site: Site) -> None:
    failure = site.fails(Answer(status=429, headers={"Retry-After": "7200"}))
    assert (failure.kind, failure.lasting, len(site.server.asked)) == ("HTTP 429", False, 1)


def test_a_server_that_stays_busy_is_given_up_for_now(site: Site) -> None:
    site.options = replace(site.options, retries=2)
    failure = site.fails(Answer(status=503))
    assert (failure.kind, failure.lasting, len(site.server.asked)) == ("HTTP 503", False, 3)


@pytest.mark.parametrize("status", [401, 403, 404, 410, 451])
def test_what_is_gone_is_gone(site: Site, status: int) -> None:
    failure = site.fails(Answer(status=status))
    assert (failure.kind, failure.lasting, len(site.server.asked)) == (f"HTTP {status}", True, 1)


def test_a_body_that_breaks_off_is_fetched_anew(site: Site) -> None:
    broken = replace(WHOLE, announced=len(BODY) + 500)
    assert site.fetch(broken, WHOLE).path.read_bytes() == BODY
    assert len(site.server.asked) == 2


def test_a_body_that_always_breaks_off_leaves_nothing(site: Site) -> None:
    site.options = replace(site.options, retries=1)
    failure = site.fails(replace(WHOLE, announced=len(BODY) + 500))
    assert (failure.kind, failure.lasting, len(site.server.asked)) == ("broken off", False, 2)


def test_a_body_that_stalls_times_out(site: Site) -> None:
    site.options = replace(site.options, retries=0, timeout=0.4)
    failure = site.fails(replace(WHOLE, stalls=True))
    assert (failure.kind, failure.lasting) == ("timed out", False)


def test_a_body_that_drips_is_not_waited_for_for_ever(site: Site) -> None:
    site.options = replace(site.options, retries=0, longest=1.5)
    site.server.gives("/a.mp4", Answer(bytes(2**22)))
    source = UrlSource(site.options)
    with pytest.raises(FetchFailure, match=r"not whole after 1\.5 s"):
        source.bring(section("a"), site.folder, lambda: site.clock.sleep(1))  # each block takes a second
    source.close()


def test_redirects_are_followed_but_not_in_circles(site: Site) -> None:
    site.server.gives("/store/1", WHOLE)
    assert site.fetch(Answer(status=302, headers={"Location": "/store/1"})).path.read_bytes() == BODY
    (site.folder / "download").unlink()
    failure = site.fails(Answer(status=302, headers={"Location": "/-aB_3.mp4"}))
    assert (failure.kind, failure.lasting) == ("too many redirects", True)
    assert site.fails(Answer(status=302, headers={"Location": "file:///etc/passwd"})).kind == "no URL"


def test_a_web_page_is_no_video(site: Site) -> None:
    failure = site.fails(Answer(b"<html>sign in", headers={"Content-Type": "text/html; charset=utf-8"}))
    assert (failure.kind, failure.lasting) == ("a web page", True)


@pytest.mark.parametrize("announced", [None, -1])
def test_files_that_are_too_large_are_left(site: Site, announced: int | None) -> None:
    site.options = replace(site.options, largest=1000)
    failure = site.fails(replace(WHOLE, announced=announced))
    assert (failure.kind, failure.lasting, len(site.server.asked)) == ("too large", True, 1)


def test_a_server_that_is_not_there_is_tried_again_later(site: Site) -> None:
    site.options = replace(site.options, template="http://127.0.0.1:9/{id}", retries=1)
    failure = site.fails()
    assert (failure.kind, failure.lasting) == ("broken off", False)


def test_a_run_that_is_stopped_does_not_wait_to_the_end(site: Site) -> None:
    site.server.gives("/a.mp4", Answer(status=429, headers={"Retry-After": "200"}))

    def check() -> None:
        if site.clock.time > 10:
            raise CancelledError("stopped")

    source = UrlSource(site.options)
    with pytest.raises(CancelledError):
        source.bring(section("a"), site.folder, check)
    source.close()
    assert site.clock.time < 11


def test_all_threads_together_keep_to_the_rate(site: Site) -> None:
    site.server.gives("/a.mp4", WHOLE)
    source = UrlSource(replace(site.options, rate=2))
    for _ in range(4):
        source.bring(section("a"), site.folder, go_on)
    source.close()
    assert site.clock.time == pytest.approx(1.5)


def test_a_full_disk_is_said_and_leaves_nothing(site: Site) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))
    try:
        with pytest.raises(OutputError, match="free some space"):
            site.fetch(WHOLE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(site.folder.iterdir()) == []


def test_a_url_with_the_beginning_holds_the_section_alone(site: Site) -> None:
    site.server.gives("/-aB_3_000030.mp4", WHOLE)
    site.options = replace(site.options, template=f"{site.url}/{{id}}_{{start:06d}}.mp4")
    assert site.fetch().begin == 0
    site.options = replace(site.options, holding="video")
    assert site.fetch().begin == 30


def test_a_url_with_the_id_alone_holds_the_whole_video(site: Site) -> None:
    assert site.fetch(WHOLE).begin == 30
    site.options = replace(site.options, holding="section")
    assert site.fetch().begin == 0


def test_a_width_that_does_not_fit_fails_that_video_alone(site: Site) -> None:
    site.options = replace(site.options, template=f"{site.url}/{{id}}_{{start:06d}}.mp4")
    with pytest.raises(FetchFailure) as caught:
        site.fetch(which=section(begin_ms=30_500))
    assert (caught.value.kind, caught.value.lasting) == ("no URL", True)


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("http://x/all.mp4", "same URL for all"),
        ("http://x/{id}/{title}", "{title}"),
        ("http://x/{id", "no URL template"),
        ("ftp://x/{id}", "wanted http, https or file"),
        ("/videos/{id}.mp4", "wanted http, https or file"),
        ("http://x/{id.__class__}", "{id.__class__}"),
    ],
)
def test_templates_that_give_no_urls_are_refused(template: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        UrlSource(UrlOptions(template))
    assert words in str(caught.value)


def test_file_urls_give_the_files_themselves(tmp_path: Path) -> None:
    file = tmp_path / "a folder" / "-aB_3_30.5.mp4"
    file.parent.mkdir()
    file.write_bytes(BODY)
    source = UrlSource(UrlOptions(f"{file.parent.as_uri()}/{{id}}_{{start}}.mp4"))
    brought = source.bring(section(begin_ms=30_500), tmp_path, go_on)
    assert (brought.path, brought.begin) == (file, Fraction(0))
    with pytest.raises(FetchFailure, match="no file") as caught:
        source.bring(section("other"), tmp_path, go_on)
    assert not caught.value.lasting  # the disk may not be there today


def test_file_urls_of_other_machines_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FetchFailure, match="names the machine"):
        UrlSource(UrlOptions("file://host/{id}")).bring(section(), tmp_path, go_on)
