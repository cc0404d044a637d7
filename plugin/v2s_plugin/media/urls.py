r"""Where media are: `target_url` to path and back, in one place.

OpenTimelineIO's own helpers break on `%`, `#`, `?`, `;`, on plain Windows paths and on an empty string, so they are not
used. What editing programs write, and what is understood here:

    /abs/a b#1.mov              plain path, taken as it stands (Resolve, Kdenlive)
    media/a.mov                 relative to the timeline's folder
    file:///abs/a%20b.mov       percent escapes decoded once (Hiero, Premiere)
    file:///abs/a b.mov         the same, never encoded (Avid)
    file://localhost/abs/a.mov  this machine
    C:\a.mov, \\server\a.mov, file:///C:/a.mov, file://server/a.mov    Windows drives and network shares
    https://..., s3://...       refused
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path, PureWindowsPath
from typing import Literal
from urllib.parse import quote, quote_from_bytes, unquote

from v2s_engine.errors import MediaError, MediaNotFoundError

UrlStyle = Literal["plain", "relative", "file"]
"""How a timeline writes its `target_url`s."""

_WINDOWS_PATH = re.compile(r"[A-Za-z]:[\\/]|\\\\|//[^/]")
_HOW_TO_FIND = "relink the clip, or name a folder that holds the file with --search"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")


def paths_of_url(url: str, folder: Path) -> tuple[Path, ...]:
    """The paths that a `target_url` may mean, the likeliest first; `folder` is the timeline's own.

    Only a `file:` URL can mean two: its escapes decoded once, and (some programs never encode) as it stands. A Windows
    path stays intact as text. Nothing is looked up on disk.

    Raises `MediaError` for an empty or a network URL.
    """
    if not url:
        raise MediaError("the media reference names no file (its target_url is empty); relink the clip")
    if _is_file(url):
        raw = _path_of_file_url(url[5:])
        decoded = _path_of_file_url(unquote(url[5:], errors="surrogateescape"))
        return tuple(dict.fromkeys(_joined(folder, text) for text in (decoded, raw)))
    if scheme := _SCHEME.match(url):
        raise MediaError(
            f"{url} lies on a network service ({scheme[1]}) and V2S reads files only; "
            "copy it to a disk and relink the clip"
        )
    return (_joined(folder, url),)


def find_on_disk(url: str, folder: Path) -> Path:
    """The file that a `target_url` means.

    Raises `MediaNotFoundError` (with the paths tried) where none of them is there, `MediaError` as `paths_of_url`.
    """
    paths = paths_of_url(url, folder)
    tried = []
    for path in paths:
        try:
            path.stat()
        except FileNotFoundError:
            tried.append(str(path))
        except (OSError, ValueError) as error:  # no permission, a name too long, a NUL in it
            tried.append(f"{path} ({getattr(error, 'strerror', None) or error})")
        else:
            return path
    names = " and ".join(tried)
    if os.name != "nt" and is_windows_path(str(paths[0])):
        raise MediaNotFoundError(f"{tried[0]} is a Windows path and this is not Windows; {_HOW_TO_FIND}")
    raise MediaNotFoundError(f"no such file: {names}; {_HOW_TO_FIND}")


def url_like(style: UrlStyle, path: Path, folder: Path) -> str:
    """A `target_url` for `path` (absolute) in the style of a timeline that will lie in `folder`.

    A path that is not even text (POSIX allows any bytes) becomes a `file:` URL in any style: timelines hold text.
    """
    if style == "file" or not _is_text(path):
        if is_windows_path(str(path)):
            start = "file:" if str(path).startswith(("\\\\", "//")) else "file:///"
            return start + quote(str(path).replace("\\", "/"), safe="/:")
        return "file://" + quote_from_bytes(os.fsencode(path))
    if style == "relative":
        try:
            relative = Path(os.path.relpath(path, folder)).as_posix()
        except ValueError:  # another drive on Windows
            return str(path)
        return f"./{relative}" if is_absolute_url(relative) else relative
    return str(path)


def style_of_urls(urls: Iterable[str]) -> UrlStyle:
    """The form that most of a timeline's `target_url`s have; plain where there are none."""
    counts = Counter(_style_of_url(url) for url in urls if url and (_is_file(url) or not _SCHEME.match(url)))
    styles: tuple[UrlStyle, ...] = ("plain", "relative", "file")  # the order decides a draw
    return max(styles, key=lambda style: counts[style])


def is_windows_path(text: str) -> bool:
    r"""Whether a plain path starts with a Windows drive or is a UNC path (`\\server\share`)."""
    return _WINDOWS_PATH.match(text) is not None


def base_name(path: Path) -> str:
    """The last part of a path, also of a Windows path met elsewhere."""
    text = str(path)
    return PureWindowsPath(text).name if is_windows_path(text) else path.name


def is_absolute_url(url: str) -> bool:
    """Whether a `target_url` means the same file wherever the timeline lies."""
    return _style_of_url(url) != "relative"


def _is_text(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_file(url: str) -> bool:
    return url[:5].lower() == "file:"


def _style_of_url(url: str) -> UrlStyle:
    if _is_file(url):
        return "file"
    if url.startswith("/") or is_windows_path(url) or _SCHEME.match(url):
        return "plain"
    return "relative"


def _joined(folder: Path, text: str) -> Path:
    return Path(text) if is_windows_path(text) else folder / text


def _path_of_file_url(rest: str) -> str:
    """What follows `file:` as a path: host and slashes sorted out, escapes left alone."""
    if not rest.startswith("//"):
        return rest
    host, slash, path = rest[2:].partition("/")
    if re.fullmatch(r"[A-Za-z]:", host):  # file://C:/a.mov
        return f"{host}{slash}{path}"
    if host.lower() not in ("", "localhost"):
        return f"//{host}{slash}{path}"
    if re.match(r"[A-Za-z]:[\\/]", path):  # file:///C:/a.mov
        return path
    return f"/{path}"
