"""Which sources a run asks, one after the other."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from v2s_engine.errors import MissingExtraError, UsageError
from v2s_engine.vegas.sources.folder import FolderSource
from v2s_engine.vegas.sources.source import Holding, Source

if TYPE_CHECKING:
    from v2s_engine.vegas.sources.url import UrlSource
    from v2s_engine.vegas.sources.ytdlp import YtDlpSource


@dataclass(frozen=True)
class SourceOptions:
    """Where videos come from: folders first, then what is not there from a server or by yt-dlp."""

    folders: tuple[Path, ...] = ()
    url: str | None = None
    """A template, see `v2s_engine.vegas.sources.template`."""
    yt_dlp: bool = False
    page: str | None = None
    """Template of the pages that yt-dlp is given; None for YouTube's."""
    cookies_from_browser: str | None = None
    """For yt-dlp."""
    holding: Holding = "auto"
    """What files from folders and servers hold."""
    rate: float | None = None
    """Requests a second at most; None for the source's own."""
    retries: int | None = None
    """Tries beyond the first, where a server is busy; None for the source's own."""
    seed: int = 0
    """Of the waiting times between tries."""

    def __post_init__(self) -> None:
        if not (self.folders or self.url or self.yt_dlp):
            raise UsageError("where from? give --from DIR, --url TEMPLATE or --yt-dlp")
        if self.url and self.yt_dlp:
            raise UsageError(
                "--url and --yt-dlp both say where from; give one of them, with --from before it or without"
            )
        if self.rate is not None and not 0 < self.rate <= 1000:
            raise UsageError(f"--rate is {self.rate:g}; wanted above 0, at most 1000 requests a second")
        if self.retries is not None and self.retries < 0:
            raise UsageError(f"--retries is {self.retries}; wanted 0 or more")


@contextlib.contextmanager
def open_sources(options: SourceOptions) -> Iterator[tuple[Source, ...]]:
    """The sources in the order in which they are asked.

    Raises what each raises for what cannot be, and `MissingExtraError` where its packages are not installed.
    """
    sources: list[Source] = []
    with contextlib.ExitStack() as stack:
        if options.folders:
            sources.append(FolderSource(options.folders, options.holding))
        if options.url:
            sources.append(stack.enter_context(contextlib.closing(_server(options.url, options))))
        if options.yt_dlp:
            sources.append(_yt_dlp(options))
        yield tuple(sources)


def _server(template: str, options: SourceOptions) -> UrlSource:
    try:
        from v2s_engine.vegas.sources.url import UrlOptions, UrlSource  # noqa: PLC0415 - HTTPX is of an extra
    except ModuleNotFoundError as error:
        raise MissingExtraError("fetching from URLs", "vegas") from error
    asked = UrlOptions(template, options.holding, seed=options.seed)
    return UrlSource(replace(asked, **_given(options)))


def _yt_dlp(options: SourceOptions) -> YtDlpSource:
    try:
        from v2s_engine.vegas.sources.ytdlp import YtDlpOptions, YtDlpSource  # noqa: PLC0415 - of an extra, and slow
    except ModuleNotFoundError as error:
        raise MissingExtraError("fetching by yt-dlp", "vegas") from error
    asked = YtDlpOptions(cookies_from_browser=options.cookies_from_browser)
    if options.page is not None:
        asked = replace(asked, page=options.page)
    return YtDlpSource(replace(asked, **_given(options)))


def _given(options: SourceOptions) -> dict[str, Any]:
    """What is given of that which every source has a value of its own for."""
    given = {"rate": options.rate, "retries": options.retries}
    return {name: value for name, value in given.items() if value is not None}
