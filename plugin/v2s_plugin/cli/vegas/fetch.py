"""`v2s vegas fetch`: brings the drawn videos' sections."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from v2s_plugin.cli.options import JsonOption
from v2s_plugin.cli.vegas.options import ProjectArgument

if TYPE_CHECKING:
    from v2s_engine.vegas.fetching import FetchResult
    from v2s_engine.vegas.sources.source import Holding

FromOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--from",
        metavar="DIR",
        help="A folder of files named ID.mp4, ID_30.mp4, ID_30000_40000.mp4; again for more.",
        show_default=False,
    ),
]
UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="TEMPLATE",
        help="http, https or file, with {id}, {start}, {end}, {start_ms}, {end_ms}; widths as in {start:06d}.",
        show_default=False,
    ),
]
YtDlpOption = Annotated[
    bool, typer.Option("--yt-dlp", help="By yt-dlp, the section alone; mind the site's terms. Needs ffmpeg.")
]
PageOption = Annotated[
    str | None,
    typer.Option(
        "--page", metavar="TEMPLATE", help="Pages for yt-dlp, with {id}; by default YouTube's.", show_default=False
    ),
]
CookiesOption = Annotated[
    str | None,
    typer.Option(
        "--cookies-from-browser",
        metavar="BROWSER",
        help="Cookies for yt-dlp, e.g. from firefox; never stored.",
        show_default=False,
    ),
]
HoldOption = Annotated[
    str,
    typer.Option(
        "--files-hold",
        metavar="auto|section|video",
        help="auto: a name (or URL) with the beginning holds the section alone, one with the id alone the whole video.",
    ),
]
JobsOption = Annotated[
    int | None,
    typer.Option("--jobs", metavar="N", help="Videos at a time; by default 4, with --yt-dlp 1.", show_default=False),
]
RateOption = Annotated[
    float | None,
    typer.Option(
        "--rate",
        metavar="N",
        help="Requests a second at most; by default 5, with --yt-dlp a video each 5 s.",
        show_default=False,
    ),
]
RetriesOption = Annotated[
    int | None,
    typer.Option(
        "--retries", metavar="N", help="Further tries where a server is busy; by default 4 (3).", show_default=False
    ),
]
LimitOption = Annotated[
    int | None,
    typer.Option(
        "--limit", metavar="N", help="Only the first N videos of each category, to try it out.", show_default=False
    ),
]
CategoryOption = Annotated[
    list[str] | None,
    typer.Option("--category", metavar="NAME", help="Only this category; again for more.", show_default=False),
]
RetryFailedOption = Annotated[
    bool, typer.Option("--retry-failed", help="Try again also what failed for good, e.g. with another source.")
]


def fetch_command(
    project: ProjectArgument,
    *,
    folders: FromOption = None,
    url: UrlOption = None,
    yt_dlp: YtDlpOption = False,
    page: PageOption = None,
    cookies_from_browser: CookiesOption = None,
    files_hold: HoldOption = "auto",
    jobs: JobsOption = None,
    rate: RateOption = None,
    retries: RetriesOption = None,
    limit: LimitOption = None,
    category: CategoryOption = None,
    retry_failed: RetryFailedOption = False,
    as_json: JsonOption = False,
) -> int:
    """Bring the drawn videos' sections, in one form.

    From folders, a server or by yt-dlp; with --from and another, from the folders first. Goes on where a stopped run
    stands. What failed for now is tried again by the next call. The same content under two ids is kept once.
    """
    from v2s_engine.vegas.fetching import FetchOptions, fetch_videos
    from v2s_engine.vegas.sources.choice import SourceOptions
    from v2s_engine.vegas.store import Project
    from v2s_plugin.cli.answers import EXIT_DONE, EXIT_SOME_SKIPPED, answer_json, counted
    from v2s_plugin.cli.talk import say, watched_progress

    sources = SourceOptions(
        folders=tuple(folders or ()),
        url=url,
        yt_dlp=yt_dlp,
        page=page,
        cookies_from_browser=cookies_from_browser,
        holding=_holding(files_hold),
        rate=rate,
        retries=retries,
    )
    options = FetchOptions(sources, jobs, limit, tuple(category or ()), retry_failed)
    with watched_progress() as progress:
        result = fetch_videos(Project(project), options, progress)
    code = EXIT_SOME_SKIPPED if result.missing else EXIT_DONE
    if as_json:
        answer_json(_answer(result))
        return code
    say(f"{counted(result.tried, 'video')} tried")
    if result.stopped:
        say(f"stopped early: {result.stopped}; wait some hours, then run it again, with a lower --rate")
    print(_tables(result))
    return code


def _holding(text: str) -> Holding:
    from v2s_engine.errors import UsageError
    from v2s_engine.vegas.sources.source import Holding

    known: tuple[Holding, ...] = get_args(Holding)
    found = next((each for each in known if each == text), None)
    if found is None:
        raise UsageError(f"--files-hold is {text!r}; wanted {', '.join(known)}")
    return found


def _tables(result: FetchResult) -> str:
    from v2s_plugin.cli.vegas.tables import text_table

    head = ("category", "selected", "fetched", "duplicate", "failed", "later", "waiting")
    rows = [
        (each.name, each.selected, each.fetched, each.duplicate, each.failed, each.later, each.waiting)
        for each in result.categories
    ]
    lines = [text_table(head, rows), "failed: for good; later: the next run tries again; waiting: not tried yet"]
    if result.reasons:
        lines += ["", text_table(("why not", "videos"), result.reasons)]
    return "\n".join(lines)


def _answer(result: FetchResult) -> dict[str, Any]:
    return {
        "tried": result.tried,
        "categories": [
            {
                "name": each.name,
                "selected": each.selected,
                "fetched": each.fetched,
                "duplicate": each.duplicate,
                "failed": each.failed,
                "later": each.later,
                "waiting": each.waiting,
            }
            for each in result.categories
        ],
        "reasons": dict(result.reasons),
        "stopped": result.stopped,
    }
