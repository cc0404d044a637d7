"""yt-dlp: what it is told, what its errors mean, and the real one against a server on loopback."""

import errno
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from yt_dlp import YoutubeDL
from yt_dlp.utils import DownloadError, ExtractorError, GeoRestrictedError, UnsupportedError

from tests.engine.vegas.fetch_cases import Answer, ToldClock, go_on, section, troubled_server
from tests.media import make_clip
from v2s_engine.audio import read_sound
from v2s_engine.errors import CancelledError, DeviceError, OutputError, UsageError
from v2s_engine.vegas.normal_form import write_normal_form
from v2s_engine.vegas.sources import FetchFailure
from v2s_engine.vegas.sources import ytdlp as module
from v2s_engine.vegas.sources.folder import stated_rights
from v2s_engine.vegas.sources.ytdlp import YtDlpOptions, YtDlpSource, download_options
from v2s_engine.vegas.sources.ytdlp_failures import failure_of

HASTY = YtDlpOptions(rate=1000, retries=0, pauses=(0, 0, 0), timeout=20)
"""For a server of our own."""


def error(words: str, cause: BaseException | None = None) -> DownloadError:
    """As yt-dlp raises it."""
    cause = cause or ExtractorError(words, expected=True)
    return DownloadError(f"\x1b[0;31mERROR:\x1b[0m {words}", (type(cause), cause, None))


@pytest.mark.parametrize(
    ("words", "kind", "lasting", "stops"),
    [
        ("[youtube] x: Private video. Sign in if you've been granted access to this video", "private", True, False),
        ("[youtube] x: Video unavailable. This video is private", "private", True, False),
        ("[youtube] x: Video unavailable. This video has been removed by the uploader", "removed", True, False),
        (
            "[youtube] x: Video unavailable. This video is no longer available because the YouTube account associated "
            "with this video has been terminated.",
            "removed",
            True,
            False,
        ),
        ("[youtube] x: Video unavailable", "unavailable", True, False),
        (
            "[youtube] x: Video unavailable. This video contains content from UMG, who has blocked it in your country "
            "on copyright grounds",
            "blocked here",
            True,
            False,
        ),
        (
            "[youtube] x: Sign in to confirm your age. This video may be inappropriate for some users.",
            "limited by age",
            True,
            False,
        ),
        (
            "[youtube] x: Sign in to confirm you’re not a bot. Use --cookies-from-browser or --cookies for the "
            "authentication.",
            "asked whether it is a bot",
            False,
            True,
        ),
        (
            "[youtube] x: Video unavailable. This content isn't available, try again later. The current session has "
            "been rate-limited by YouTube for up to an hour.",
            "asked too often",
            False,
            True,
        ),
        ("unable to download video data: HTTP Error 429: Too Many Requests", "asked too often", False, True),
        ("[youtube] x: Join this channel to get access to members-only content", "to be paid for", True, False),
        ("[youtube] x: Premieres in 2 hours", "not shown yet", False, False),
        ("[generic] Unable to download webpage: HTTP Error 404: Not Found", "removed", True, False),
        ("unable to download video data: HTTP Error 403: Forbidden", "refused for now", False, False),
        ("[generic] Unable to download webpage: HTTP Error 503: Service Unavailable", "refused for now", False, False),
        ("Unable to download webpage: The read operation timed out", "timed out", False, False),
        ("[youtube] x: Requested format is not available", "yt-dlp failed", False, False),
    ],
)
def test_what_yt_dlp_says_is_understood(words: str, kind: str, lasting: bool, stops: bool) -> None:
    failure = failure_of(error(words))
    assert (failure.kind, failure.lasting, failure.stops) == (kind, lasting, stops)
    assert "ERROR" not in str(failure)
    assert "--cookies" not in str(failure)


def test_its_own_kinds_of_errors_are_understood() -> None:
    here = GeoRestrictedError("This video is for viewers elsewhere", countries=["FR"])
    assert failure_of(error("This video is for viewers elsewhere", here)).kind == "blocked here"
    assert failure_of(error("Unsupported URL: x", UnsupportedError("x"))).kind == "no URL"
    assert not failure_of(ValueError("an extractor stumbled")).lasting


def test_a_full_disk_is_no_fault_of_the_video() -> None:
    with pytest.raises(OutputError, match="free some space"):
        failure_of(error("unable to write data", OSError(errno.ENOSPC, "No space left on device")))


def test_it_is_told_to_be_polite_and_to_keep_nothing(tmp_path: Path) -> None:
    told = download_options(YtDlpOptions(), section(), tmp_path, go_on)
    assert told["sleep_interval"] >= 1
    assert told["max_sleep_interval"] > told["sleep_interval"]
    assert told["sleep_interval_requests"] > 0
    assert told["concurrent_fragment_downloads"] == 1
    assert told["cookiefile"] is None
    assert told["cookiesfrombrowser"] is None
    assert told["cachedir"] is False
    assert YtDlpOptions().rate <= 0.2
    with YoutubeDL(told) as downloader:
        ranges = list(told["download_ranges"]({}, downloader))
    assert [(each["start_time"], each["end_time"]) for each in ranges] == [(30, 40)]


def test_a_folder_with_a_percent_sign_is_a_folder(tmp_path: Path) -> None:
    told = download_options(YtDlpOptions(), section(), tmp_path / "100 %(id)s", go_on)
    with YoutubeDL(told) as downloader:
        name = downloader.prepare_filename({"id": "x", "ext": "mp4"})
    assert name == str(tmp_path / "100 %(id)s" / "section.mp4")


def test_without_ffmpeg_it_says_so_before_anything_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(DeviceError, match="ffmpeg, which is not on the PATH; install it"):
        YtDlpSource(HASTY)


def test_a_page_must_name_the_video() -> None:
    with pytest.raises(UsageError, match="same URL for all"):
        YtDlpSource(YtDlpOptions(page="https://videos.example/"))


def test_videos_follow_each_other_slowly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(module, "YoutubeDL", _Gone)
    clock = ToldClock()
    source = YtDlpSource(YtDlpOptions(clock=clock))
    for _ in range(3):
        with pytest.raises(FetchFailure, match="removed"):
            source.bring(section(), tmp_path, go_on)
    assert clock.time == pytest.approx(10)


class _Gone(YoutubeDL):  # type: ignore[misc]
    """yt-dlp for a video that is gone; it contacts nobody."""

    def extract_info(self, *_: object, **__: object) -> None:
        raise error("Video unavailable. This video has been removed by the uploader")


def test_it_is_stopped_while_it_is_at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    with troubled_server() as (server, url):
        server.gives("/-aB_3", Answer(status=503))

        def stopped() -> None:
            if server.asked:
                raise CancelledError("stopped")

        source = YtDlpSource(replace(HASTY, page=f"{url}/{{id}}", retries=1000))
        with pytest.raises(CancelledError):
            source.bring(section(), tmp_path, stopped)
    assert len(server.asked) == 1


def test_rights_are_what_the_page_states() -> None:
    info = {"license": "Creative Commons Attribution license (reuse allowed)", "uploader": "Ann", "title": "Dog"}
    assert stated_rights(info | {"webpage_url": "https://x/1"}) == (info["license"], "Dog, Ann, https://x/1")
    assert stated_rights({"title": "Dog"}) == (None, None)


needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="the program ffmpeg is not on the PATH")


@pytest.mark.programs
@needs_ffmpeg
def test_the_real_one_brings_the_section_alone(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "film.mp4", rate=Fraction(10), frames=80, flashes=(20, 46), width=96, height=64)
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    with troubled_server() as (server, url):
        server.gives(
            "/-aB_3.mp4", Answer(clip.path.read_bytes(), headers={"Content-Type": "video/mp4", "Set-Cookie": "a=b"})
        )
        source = YtDlpSource(replace(HASTY, page=f"{url}/{{id}}.mp4"))
        wanted = replace(section(begin_ms=3_000), end_ms=6_000)
        brought = source.bring(wanted, incoming, go_on)
    assert (brought.begin, brought.origin) == (0, f"{url}/-aB_3.mp4")
    assert [path.name for path in incoming.iterdir()] == ["section.mp4"]
    form = write_normal_form(brought.path, brought.begin, wanted.duration, tmp_path / "normal.mkv")
    assert form.length == pytest.approx(48_000, abs=1_000)
    loud = abs(read_sound(tmp_path / "normal.mkv"))
    assert (loud > loud.max() / 2).argmax() == pytest.approx(1.6 * 16_000, abs=400)


@pytest.mark.programs
@needs_ffmpeg
@pytest.mark.parametrize(("status", "lasting"), [(404, True), (503, False)])
def test_the_real_one_says_why_not(tmp_path: Path, status: int, lasting: bool) -> None:
    with troubled_server() as (server, url):
        server.gives("/-aB_3.mp4", Answer(status=status))
        with pytest.raises(FetchFailure) as caught:
            YtDlpSource(replace(HASTY, page=f"{url}/{{id}}.mp4")).bring(section(), tmp_path, go_on)
    assert caught.value.lasting is lasting
    assert list(tmp_path.iterdir()) == []
