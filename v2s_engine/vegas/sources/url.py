"""Videos from a web server, or from `file:` URLs, by a template."""

from __future__ import annotations

import contextlib
import datetime
import email.utils
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import httpx

from v2s_engine import __version__
from v2s_engine.errors import OutputError, UsageError
from v2s_engine.vegas.sources.pace import LONGEST_WAIT, BackOff, Clock, Pace, SystemClock, wait
from v2s_engine.vegas.sources.source import BroughtFile, FetchFailure, Holding, Section, holds_section
from v2s_engine.vegas.sources.template import UrlTemplate

_REDIRECTS = 5
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers that may be others in a moment."""


@dataclass(frozen=True)
class UrlOptions:
    """How a server is asked."""

    template: str
    holding: Holding = "auto"
    rate: float = 5.0
    """Requests a second at most, of all threads together."""
    retries: int = 4
    """Tries beyond the first, where the server is busy or a transfer breaks off."""
    seed: int = 0
    """Of the waiting times' scatter."""
    timeout: float = 30.0
    """Seconds without a byte before a transfer counts as broken off."""
    longest: float = 600.0
    """Seconds that one transfer may take."""
    largest: int = 2**30
    """Bytes of a file at most."""
    clock: Clock = field(default_factory=SystemClock)


class _BrokenOff(Exception):  # noqa: N818
    """Something that may go well in a moment."""

    def __init__(self, kind: str, detail: str, after: float | None = None) -> None:
        super().__init__(detail)
        self.kind, self.detail, self.after = kind, detail, after


class UrlSource:
    """See `Source`. What broke off is fetched again from its beginning; nothing half is kept.

    Raises `UsageError` for a template that cannot be filled.
    """

    def __init__(self, options: UrlOptions) -> None:
        self._options = options
        self._template = UrlTemplate(options.template)
        self._pace = Pace(options.rate, options.clock)
        self._lock = threading.Lock()
        self._client: httpx.Client | None = None
        if not options.template.startswith("file:"):
            self._client = _open_client(options.timeout)

    def close(self) -> None:
        """Close what connections are open."""
        if self._client is not None:
            self._client.close()

    def bring(self, section: Section, folder: Path, check: Callable[[], None]) -> BroughtFile:
        """See `Source`. A `file:` URL is not copied."""
        try:
            url = self._template.fill(section)
        except UsageError as error:
            raise FetchFailure("no URL", str(error), lasting=True) from error
        path = _local_file(url) if self._client is None else self._download(url, section, folder, check)
        alone = holds_section(self._options.holding, named_by_beginning=self._template.tells_beginning)
        return BroughtFile(path, Fraction(0) if alone else section.begin, url)

    def _download(self, url: str, section: Section, folder: Path, check: Callable[[], None]) -> Path:
        back_off = BackOff(f"{self._options.seed}/back-off/{section.video_id}")
        failures = 0
        target = folder / "download"
        while True:
            self._pace.wait(check)
            try:
                self._transfer(url, target, check)
                return target
            except _BrokenOff as broken:
                failures += 1
                if broken.after is not None:
                    self._pace.hold(min(broken.after, LONGEST_WAIT))
                if failures > self._options.retries or (broken.after or 0) > LONGEST_WAIT:
                    tries = "1 try" if failures == 1 else f"{failures} tries"
                    raise FetchFailure(broken.kind, f"{broken.detail}, after {tries}: {url}", lasting=False) from broken
                pause = back_off.seconds(failures) if broken.after is None else broken.after
                wait(pause, self._options.clock, check)

    def _transfer(self, url: str, target: Path, check: Callable[[], None]) -> None:
        """One try. Raises `_BrokenOff`, `FetchFailure`, `OutputError`."""
        assert self._client is not None  # noqa: S101 - of file URLs nothing is transferred
        try:
            with self._client.stream("GET", url) as response:
                self._check_answer(response, url)
                self._save(response, target, url, check)
        except httpx.TooManyRedirects as error:
            raise FetchFailure("too many redirects", f"more than {_REDIRECTS}: {url}", lasting=True) from error
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise FetchFailure("no URL", f"{error}: {url}", lasting=True) from error
        except httpx.TimeoutException as error:
            raise _BrokenOff("timed out", f"nothing came for {self._options.timeout:g} s") from error
        except httpx.HTTPError as error:
            raise _BrokenOff("broken off", str(error) or type(error).__name__) from error

    def _check_answer(self, response: httpx.Response, url: str) -> None:
        status = response.status_code
        words = f"HTTP {status}"
        if status in _BUSY or status >= 500:
            raise _BrokenOff(words, response.reason_phrase or "the server is busy", _retry_after(response))
        if status != 200:
            raise FetchFailure(words, f"{response.reason_phrase}: {url}", lasting=True)
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind in ("text/html", "application/xhtml+xml"):
            raise FetchFailure("a web page", f"the server sent a page, not a video: {url}", lasting=True)
        told = response.headers.get("Content-Length", "")
        if told.isascii() and told.isdigit():
            self._check_size(int(told), url)

    def _check_size(self, size: int, url: str) -> None:
        if size > self._options.largest:
            limit = self._options.largest
            raise FetchFailure("too large", f"{size} bytes or more, at most {limit} are taken: {url}", lasting=True)

    def _save(self, response: httpx.Response, target: Path, url: str, check: Callable[[], None]) -> None:
        """Under a `.part` name until all is there."""
        draft = target.with_name(f"{target.name}.part")
        end = self._options.clock.now() + self._options.longest
        size = 0
        try:
            with draft.open("wb") as file:
                for block in response.iter_raw():
                    check()
                    if self._options.clock.now() > end:
                        raise _BrokenOff("timed out", f"not whole after {self._options.longest:g} s")
                    size += len(block)
                    self._check_size(size, url)
                    file.write(block)
            draft.replace(target)
        except OSError as error:
            raise OutputError(
                f"cannot write {draft}: {error}; free some space and start again: what is fetched is kept"
            ) from error
        finally:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)


def _open_client(timeout: float) -> httpx.Client:
    return httpx.Client(
        follow_redirects=True,
        max_redirects=_REDIRECTS,
        timeout=timeout,
        # A body that is packed on the way cannot be held against its announced size.
        headers={"User-Agent": f"v2s/{__version__}", "Accept-Encoding": "identity"},
    )


def _local_file(url: str) -> Path:
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise FetchFailure("no URL", f"{url} names the machine {parts.netloc}; wanted file:///PATH", lasting=True)
    path = Path(url2pathname(parts.path))
    if not path.is_file():
        raise FetchFailure("not there", f"no file {path}", lasting=False)
    return path


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds that the server asks to wait; None where it does not, or says it so that nobody understands."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return max(0.0, (moment - datetime.datetime.now(datetime.UTC)).total_seconds())
