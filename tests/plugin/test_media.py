"""`target_url`s as editing programs write them, to files and back."""

import os
import re
from pathlib import Path, PureWindowsPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2s_engine.errors import MediaError, MediaNotFoundError
from v2s_plugin.media.urls import UrlStyle, find_on_disk, paths_of_url, style_of_urls, url_like

FOLDER = Path("/edit/cut")

SPECIAL = st.sampled_from(
    ["%", "%20", "%2520", "#", "?", ";", " ", "%00", "C:", "file:", "http://", "\\\\", "~", "&", "="]
)
"""What has broken other parsers."""


@st.composite
def posix_names(draw: st.DrawFn) -> str:
    """A name of any bytes that a POSIX file may have."""
    parts = st.binary(min_size=1, max_size=6).map(os.fsdecode) | st.text(max_size=6) | SPECIAL
    name = "".join(draw(st.lists(parts, min_size=1, max_size=5)))
    name = os.fsdecode(os.fsencode(name).replace(b"/", b"").replace(b"\0", b""))
    return name if name not in ("", ".", "..") else "x"


windows_names = (
    st.lists(
        st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters='/\\:*?"<>|'), max_size=6) | SPECIAL
    )
    .map(lambda parts: re.sub(r'[/\\:*?"<>|]', "", "".join(parts)).rstrip(". "))
    .map(lambda name: name or "x")
)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("/abs/a b.mov", "/abs/a b.mov"),
        ("/abs/hash#1.wav", "/abs/hash#1.wav"),
        ("/abs/q?m.wav", "/abs/q?m.wav"),
        ("/abs/semi;x.wav", "/abs/semi;x.wav"),
        ("/abs/50%20off.mov", "/abs/50%20off.mov"),
        ("/abs/ünï 雪.mov", "/abs/ünï 雪.mov"),
        ("media/a.mov", "/edit/cut/media/a.mov"),
        ("rel/a%20b.mov", "/edit/cut/rel/a%20b.mov"),
        ("../media/a.mov", "/edit/cut/../media/a.mov"),
        ("take:2.mov", "/edit/cut/take:2.mov"),
        ("file:///abs/a%20b.mov", "/abs/a b.mov"),
        ("file:///abs/a b.mov", "/abs/a b.mov"),
        ("FILE:///abs/a.mov", "/abs/a.mov"),
        ("file:/abs/a.mov", "/abs/a.mov"),
        ("file:////abs/a.mov", "//abs/a.mov"),
        ("file://localhost/abs/a%23b.mov", "/abs/a#b.mov"),
        ("file:///abs/pct%2520lit.wav", "/abs/pct%20lit.wav"),
        ("file:///abs/a#1?b;c.mov", "/abs/a#1?b;c.mov"),
        ("file:media/a.mov", "/edit/cut/media/a.mov"),
        (r"C:\Users\me\a.mov", r"C:\Users\me\a.mov"),
        ("C:/Users/me/a.mov", "C:/Users/me/a.mov"),
        (r"\\server\share\a.mov", r"\\server\share\a.mov"),
        ("//server/share/a.mov", "//server/share/a.mov"),
        ("file:///C:/a%20b.mov", "C:/a b.mov"),
        ("file://localhost/C%3a/a.mov", "C:/a.mov"),
        ("file://C:/a.mov", "C:/a.mov"),
        ("file://server/share/a.mov", "//server/share/a.mov"),
    ],
)
def test_a_url_means_this_path_first(url: str, path: str) -> None:
    assert paths_of_url(url, FOLDER)[0] == Path(path)


@pytest.mark.parametrize("url", ["http://a/b.mov", "https://a/b.mov", "s3://bucket/b.mov", "HTTPS://A/B.MOV"])
def test_network_urls_are_refused_with_the_reason(url: str) -> None:
    with pytest.raises(MediaError, match="network service"):
        paths_of_url(url, FOLDER)


def test_an_empty_url_is_refused_with_the_reason() -> None:
    with pytest.raises(MediaError, match="target_url is empty"):
        paths_of_url("", FOLDER)


def test_an_unencoded_file_url_finds_a_name_that_looks_encoded(tmp_path: Path) -> None:
    literal = tmp_path / "50%20off.mov"
    literal.touch()
    assert find_on_disk(f"file://{literal}", tmp_path) == literal
    (tmp_path / "50 off.mov").touch()
    assert find_on_disk(f"file://{literal}", tmp_path) == tmp_path / "50 off.mov"


def test_what_is_not_there_is_named_with_every_path_tried(tmp_path: Path) -> None:
    with pytest.raises(MediaNotFoundError, match=r"no such file: /no/a b\.mov and /no/a%20b\.mov"):
        find_on_disk("file:///no/a%20b.mov", tmp_path)


def test_names_that_no_disk_can_hold_are_not_found_and_say_why(tmp_path: Path) -> None:
    with pytest.raises(MediaNotFoundError, match="File name too long"):
        find_on_disk("x" * 300 + ".mov", tmp_path)
    with pytest.raises(MediaNotFoundError, match="null"):
        find_on_disk("a%00b.mov\0", tmp_path)


@pytest.mark.skipif(os.name == "nt", reason="is about Windows paths met elsewhere")
@pytest.mark.parametrize("url", [r"C:\Users\me\a.mov", "file:///C:/a.mov", r"\\server\share\a.mov"])
def test_windows_paths_are_not_found_here_and_said_to_be_windows_paths(url: str, tmp_path: Path) -> None:
    with pytest.raises(MediaNotFoundError, match="is a Windows path and this is not Windows"):
        find_on_disk(url, tmp_path)


@settings(deadline=None)
@given(st.lists(posix_names(), min_size=1, max_size=4), st.sampled_from(["plain", "relative", "file"]))
@pytest.mark.skipif(os.name == "nt", reason="is about POSIX paths")
def test_a_new_url_leads_back_to_its_file_in_every_style(names: list[str], style: UrlStyle) -> None:
    path = Path("/edit").joinpath(*names)
    url = url_like(style, path, FOLDER)
    back = paths_of_url(url, FOLDER)[0]
    assert os.path.normpath(back) == os.path.normpath(path)
    url.encode()  # a timeline is text
    is_text = not any("\ud800" <= letter <= "\udfff" for letter in str(path))
    assert style_of_urls([url]) == (style if is_text else "file")


@settings(deadline=None)
@given(
    st.sampled_from(["C:\\", "z:/", "\\\\server\\share\\", "//nas-2/share/"]),
    st.lists(windows_names, min_size=1, max_size=4),
    st.sampled_from(["plain", "file"]),
)
def test_windows_paths_and_network_shares_come_back_in_every_style(
    root: str, names: list[str], style: UrlStyle
) -> None:
    path = Path(root + root[-1].join(names))
    (back, *_) = paths_of_url(url_like(style, path, FOLDER), FOLDER)
    assert PureWindowsPath(str(back)) == PureWindowsPath(str(path))


@settings(deadline=None)
@given(st.lists(posix_names(), min_size=1, max_size=4), st.sampled_from(["", "file://", "file:", "file://localhost"]))
@pytest.mark.skipif(os.name == "nt", reason="is about POSIX paths")
def test_a_url_that_was_never_encoded_means_its_path_too(names: list[str], scheme: str) -> None:
    path = "/edit/" + "/".join(names)
    assert Path(path) in paths_of_url(scheme + path, FOLDER)


@pytest.mark.parametrize(
    ("urls", "style"),
    [
        ([], "plain"),
        (["", "https://a/b.mov"], "plain"),
        (["/a/b.mov", "media/a.mov", "media/b.mov"], "relative"),
        (["file:///a.mov", "file:///b.mov", "/a.mov"], "file"),
        (["/a.mov", "media/a.mov"], "plain"),
        ([r"C:\a.mov"], "plain"),
    ],
)
def test_a_timelines_own_style_is_the_one_most_used(urls: list[str], style: UrlStyle) -> None:
    assert style_of_urls(urls) == style


def test_new_urls_have_the_form_of_the_style() -> None:
    path = Path("/edit/cut/cut_scored.media/a b.wav")
    assert url_like("plain", path, FOLDER) == "/edit/cut/cut_scored.media/a b.wav"
    assert url_like("relative", path, FOLDER) == "cut_scored.media/a b.wav"
    assert url_like("relative", path, Path("/edit/other")) == "../cut/cut_scored.media/a b.wav"
    assert url_like("file", path, FOLDER) == "file:///edit/cut/cut_scored.media/a%20b.wav"
