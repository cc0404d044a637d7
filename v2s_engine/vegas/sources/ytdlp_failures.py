"""Why yt-dlp could not fetch a video: from its words to a kind, and whether that lasts."""

from __future__ import annotations

import errno
import re
from typing import NamedTuple

from yt_dlp.networking.exceptions import HTTPError

from v2s_engine.errors import OutputError
from v2s_engine.vegas.sources.source import FetchFailure


class _Words(NamedTuple):
    pattern: str
    kind: str
    lasting: bool
    stops: bool = False


_KNOWN = (
    # What meets every video. First, because the words of the others stand in the same sentences.
    _Words(r"not a bot|captcha", "asked whether it is a bot", lasting=False, stops=True),
    _Words(r"rate.limited|HTTP Error 429|Too Many Requests", "asked too often", lasting=False, stops=True),
    # What is so for good.
    _Words(r"private video|video is private", "private", lasting=True),
    _Words(r"in your country|from your location|geo.?restrict|blocked it.* on copyright", "blocked here", lasting=True),
    _Words(r"confirm your age|age.restricted|inappropriate for some users", "limited by age", lasting=True),
    _Words(r"members.only|join this channel|requires payment|rent(al)? ", "to be paid for", lasting=True),
    _Words(
        r"removed|terminated|no longer available|copyright|been deleted|does not exist|HTTP Error 4(04|10)",
        "removed",
        lasting=True,
    ),
    _Words(r"DRM protected", "locked (DRM)", lasting=True),
    _Words(r"premieres? in|live event will begin|is upcoming", "not shown yet", lasting=False),
    _Words(r"try again later|content isn.t available", "not available now", lasting=False),
    _Words(r"video (is )?(unavailable|not available)|this video is not available", "unavailable", lasting=True),
    _Words(r"login required|only available for registered|sign in", "for those signed in", lasting=True),
    _Words(r"unsupported url|no suitable extractor|is not a valid url", "no URL", lasting=True),
    # What may be otherwise in a moment.
    _Words(r"timed? ?out|timeout", "timed out", lasting=False),
    _Words(r"HTTP Error (403|408|425|5\d\d)", "refused for now", lasting=False),
)


def failure_of(error: BaseException) -> FetchFailure:
    """The failure that an error of yt-dlp means. Raises `OutputError` where the disk is what failed.

    What is not known counts as passing: the next run tries it again, and its reason says yt-dlp's words.
    """
    chain = _causes(error)
    for cause in chain:
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS):
            raise OutputError(f"{cause}; free some space and start again: what is fetched is kept") from error
    text = _plain(str(error))
    words = " ".join([text, *(type(cause).__name__ for cause in chain)])
    if any(type(cause).__name__ == "GeoRestrictedError" for cause in chain):
        return FetchFailure("blocked here", text, lasting=True)
    for known in _KNOWN:
        if re.search(known.pattern, words, re.IGNORECASE):
            return FetchFailure(known.kind, text, lasting=known.lasting, stops=known.stops)
    return FetchFailure("yt-dlp failed", text, lasting=False)


def close_answers(error: BaseException) -> None:
    """Close the connections that an error of yt-dlp still holds."""
    for cause in _causes(error):
        if isinstance(cause, HTTPError):
            cause.close()


def _causes(error: BaseException) -> list[BaseException]:
    """An error and what it came from: by Python's chain, by yt-dlp's `exc_info` and its `cause`."""
    found: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        each = waiting.pop(0)
        if not isinstance(each, BaseException) or each in found:
            continue
        found.append(each)
        told = getattr(each, "exc_info", None) or ()
        waiting += [each.__cause__, each.__context__, getattr(each, "cause", None), *told]
    return found


def _plain(text: str) -> str:
    """One line without colours, without yt-dlp's advice on reporting and its own options."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    text = re.sub(r"^ERROR:\s*", "", text)
    text = re.split(r"; please report this issue|\s*Use --cookies|\s*See\s+https://", text)[0]
    return " ".join(text.split())[:300]
