"""Videos by yt-dlp: of each, its section alone is asked for.

Whether a site allows that, and what of it may be used, is the user's to know: licence and attribution are kept as the
site states them. By default one video at a time, one in five seconds, with pauses between requests. Cookies are read
from a browser where that is asked for, and never written anywhere; nothing else is kept of a session either.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from yt_dlp import YoutubeDL
from yt_dlp.utils import download_range_func

from v2s_engine.errors import DeviceError
from v2s_engine.vegas.sources.folder import stated_rights
from v2s_engine.vegas.sources.pace import Clock, Pace, SystemClock
from v2s_engine.vegas.sources.source import BroughtFile, FetchFailure, Section
from v2s_engine.vegas.sources.template import UrlTemplate
from v2s_engine.vegas.sources.ytdlp_failures import close_answers, failure_of

PAGE = "https://www.youtube.com/watch?v={id}"
"""Where AudioSet's videos are shown."""


@dataclass(frozen=True)
class YtDlpOptions:
    """How yt-dlp is used."""

    page: str = PAGE
    """URL of a video's page; `{id}` is its id."""
    rate: float = 0.2
    """Videos a second at most, of all threads together."""
    retries: int = 3
    """Tries beyond the first, of each request."""
    pauses: tuple[float, float, float] = (0.75, 1.0, 3.0)
    """Seconds: between requests; before a transfer, at least and at most."""
    timeout: float = 30.0
    """Seconds without a byte."""
    tallest: int = 480
    """Rows of pixels: no larger pictures are asked for, where there are smaller ones."""
    cookies_from_browser: str | None = None
    """Browser whose cookies are read; None for none."""
    clock: Clock = field(default_factory=SystemClock)


class YtDlpSource:
    """See `Source`.

    Raises `UsageError` for a page that is no URL template, `DeviceError` without the program ffmpeg, by which yt-dlp
    cuts sections.
    """

    def __init__(self, options: YtDlpOptions) -> None:
        self._options = options
        self._page = UrlTemplate(options.page)
        self._pace = Pace(options.rate, options.clock)
        if shutil.which("ffmpeg") is None:
            raise DeviceError(
                "yt-dlp cuts sections with the program ffmpeg, which is not on the PATH; install it (apt install "
                "ffmpeg, brew install ffmpeg), or fetch with --from or --url"
            )

    def bring(self, section: Section, folder: Path, check: Callable[[], None]) -> BroughtFile:
        """See `Source`. The file holds the section alone."""
        url = self._page.fill(section)
        self._pace.wait(check)
        try:
            with YoutubeDL(download_options(self._options, section, folder, check)) as downloader:
                info = downloader.extract_info(url, download=True)
        except Exception as error:  # its extractors raise whatever a site's page makes of them
            close_answers(error)
            check()  # that it was stopped counts, not what yt-dlp made of that
            raise failure_of(error) from error
        check()
        described: dict[str, Any] = next(iter((info or {}).get("entries") or [info or {}]))
        files = [Path(each["filepath"]) for each in described.get("requested_downloads") or ()]
        if not files or not files[0].is_file():
            raise FetchFailure("yt-dlp failed", f"it gave no file for {url}", lasting=False)
        licence, attribution = stated_rights(described)
        return BroughtFile(files[0], Fraction(0), url, licence, attribution)


def download_options(
    options: YtDlpOptions, section: Section, folder: Path, check: Callable[[], None]
) -> dict[str, Any]:
    """What yt-dlp is told for one section: nothing is kept but the file in `folder`."""
    between, least, most = options.pauses
    browser = options.cookies_from_browser
    tall = options.tallest
    return {
        "format": f"bv*[height<={tall}]+ba/b[height<={tall}]/wv*+ba/b",
        "merge_output_format": "mp4",
        "download_ranges": download_range_func(None, [(section.begin_ms / 1000, section.end_ms / 1000)]),
        "force_keyframes_at_cuts": True,  # cut where asked, not at the key frame before
        "external_downloader_args": {"ffmpeg_o": ["-crf", "18", "-b:a", "192k"]},  # it is encoded once more later
        "outtmpl": {"default": str(folder).replace("%", "%%") + "/section.%(ext)s"},
        "noplaylist": True,
        "playlist_items": "1",
        "overwrites": True,
        "continuedl": False,
        "updatetime": False,
        "cachedir": False,
        "cookiefile": None,  # also where they would be written to
        "cookiesfrombrowser": (browser, None, None, None) if browser else None,
        "usenetrc": False,
        "retries": options.retries,
        "fragment_retries": options.retries,
        "extractor_retries": options.retries,
        "socket_timeout": options.timeout,
        "concurrent_fragment_downloads": 1,
        "sleep_interval_requests": between,
        "sleep_interval": least,
        "max_sleep_interval": most,
        "quiet": True,
        "noprogress": True,
        "no_warnings": True,
        "logger": _Silent(check),
        "progress_hooks": [lambda _: check()],
    }


class _Silent:
    """Where yt-dlp's talk goes: what matters of it comes as an exception. It talks often: it is stopped from here."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check

    def debug(self, message: str) -> None:
        self._check()

    def info(self, message: str) -> None:
        self._check()

    def warning(self, message: str) -> None:
        self._check()

    def error(self, message: str) -> None:
        pass
