"""Timeline files: what is read, what is refused and how that is said, and that writing is all or nothing."""

import errno
from pathlib import Path

import opentimelineio as otio
import pytest

from tests.plugin.cuts import clip, load, names_in, save, span, timeline, track
from v2s_engine.errors import (
    OutputError,
    TimelineNotFoundError,
    TimelineSchemaError,
    TimelineUnreadableError,
    UsageError,
)
from v2s_plugin.timeline import Destination, destination, read_timeline

CUT = timeline(track(clip("a", "a.mp4", source=span(0, 24, 24))))


def test_a_native_timeline_is_read(tmp_path: Path) -> None:
    assert read_timeline(save(CUT, tmp_path / "cut.otio")).is_equivalent_to(CUT)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TimelineNotFoundError, match=r"no timeline at .*cut\.otio; check the path"):
        read_timeline(tmp_path / "cut.otio")
    (tmp_path / "file").touch()
    with pytest.raises(TimelineNotFoundError):
        read_timeline(tmp_path / "file" / "cut.otio")
    with pytest.raises(TimelineUnreadableError, match="File name too long"):
        read_timeline(tmp_path / f"{'x' * 300}.otio")


@pytest.mark.parametrize("name", ["cut.prproj", "cut.mp4", "cut"])
def test_an_unknown_file_type_is_refused_with_those_that_are_known(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x")
    with pytest.raises(UsageError, match=r"reads \.otio, \.otioz, .*\.xges: export"):
        read_timeline(tmp_path / name)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "no json",
        '{"OTIO_SCHEMA":"Timeline.1"}',
        '{"OTIO_SCHEMA":"Timeline.1","tracks":{"OTIO_SCHEMA":"Clip.2"}}',
        '{"OTIO_SCHEMA":"Timeline.1","tracks":null}',
    ],
)
def test_a_file_that_is_no_whole_timeline(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cut.otio"
    path.write_text(text)
    with pytest.raises(TimelineUnreadableError, match=r"cut\.otio .*; export it again|without tracks"):
        read_timeline(path)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "cut.otio"
    path.write_bytes(b'{"OTIO_SCHEMA":"Timeline.1","name":"\xff\xfe"}')
    with pytest.raises(TimelineUnreadableError):
        read_timeline(path)


def test_a_folder_of_that_name(tmp_path: Path) -> None:
    (tmp_path / "cut.otio").mkdir()
    with pytest.raises(TimelineUnreadableError):
        read_timeline(tmp_path / "cut.otio")


@pytest.mark.parametrize(
    ("thing", "name"),
    [
        (otio.schema.SerializableCollection("bin"), "SerializableCollection"),
        (clip("a", "a.mp4"), "Clip"),
        (track(), "Track"),
    ],
)
def test_something_else_than_a_timeline_is_named(tmp_path: Path, thing: object, name: str) -> None:
    with pytest.raises(TimelineUnreadableError, match=f"holds a {name}; wanted a Timeline"):
        read_timeline(save(thing, tmp_path / "cut.otio"))


@pytest.mark.parametrize(("text", "name"), [("[]", "plain JSON"), ('{"OTIO_SCHEMA":"Foo.1"}', "Foo")])
def test_json_that_is_no_timeline_is_named(tmp_path: Path, text: str, name: str) -> None:
    (tmp_path / "cut.otio").write_text(text)
    with pytest.raises(TimelineUnreadableError, match=f"holds a {name}"):
        read_timeline(tmp_path / "cut.otio")


def test_a_newer_schema_is_named_with_the_way_out(shared: Path) -> None:
    with pytest.raises(TimelineSchemaError, match=r"Marker\.3 \(known: Marker\.2\).*0\.18\.1.*newer opentimelineio"):
        read_timeline(shared / "timelines" / "otio_head_marker3_unreadable_by_0181.otio")


def to(source: Path, output: Path | None = None, *, in_place: bool = False, force: bool = False) -> Destination:
    return destination(source, output, ending="_scored", in_place=in_place, force=force)


def test_the_output_lies_beside_the_input_and_is_read_back_the_same(tmp_path: Path) -> None:
    source = save(CUT, tmp_path / "cut.otio")
    target = to(source)
    target.write(CUT)
    assert target.path == tmp_path / "cut_scored.otio"
    assert load(target.path).is_equivalent_to(CUT)
    assert names_in(tmp_path) == ["cut.otio", "cut_scored.otio"]


def test_an_output_that_exists_is_replaced_only_when_forced(tmp_path: Path) -> None:
    source = save(CUT, tmp_path / "cut.otio")
    (tmp_path / "cut_scored.otio").write_text("mine")
    with pytest.raises(OutputError, match="exists already; --force replaces it"):
        to(source)
    to(source, force=True).write(CUT)
    assert load(tmp_path / "cut_scored.otio").is_equivalent_to(CUT)


def test_an_output_that_came_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    target = to(save(CUT, tmp_path / "cut.otio"))
    target.path.write_text("somebody's")
    with pytest.raises(OutputError, match="exists already"):
        target.write(CUT)
    assert target.path.read_text() == "somebody's"


def test_the_input_is_never_the_output_by_accident(tmp_path: Path) -> None:
    source = save(CUT, tmp_path / "cut.otio")
    (tmp_path / "link.otio").symlink_to(source)
    for name in (source, tmp_path / "." / "cut.otio", tmp_path / "link.otio"):
        with pytest.raises(UsageError, match="is the input itself; --in-place"):
            to(source, name, force=True)


def test_in_place_keeps_what_was_there(tmp_path: Path) -> None:
    source = save(CUT, tmp_path / "cut.otio")
    before = source.read_bytes()
    to(source, in_place=True).write(timeline())
    assert (tmp_path / "cut.otio.bak").read_bytes() == before
    assert load(source).is_equivalent_to(timeline())


def test_in_place_through_a_link_replaces_the_file_and_not_the_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    real = save(CUT, tmp_path / "real" / "cut.otio")
    link = tmp_path / "cut.otio"
    link.symlink_to(real)
    to(link, in_place=True).write(timeline())
    assert link.is_symlink()
    assert load(real).is_equivalent_to(timeline())


def test_what_cannot_be_written_to_is_said_before_any_work(tmp_path: Path) -> None:
    source = save(CUT, tmp_path / "cut.otio")
    with pytest.raises(OutputError, match="no folder"):
        to(source, tmp_path / "no" / "out.otio")
    (tmp_path / "dir.otio").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        to(source, tmp_path / "dir.otio", force=True)
    with pytest.raises(UsageError, match=r"out\.txt is a \.txt file; V2S writes \.otio, .*\.fcpxml, .*\.mlt, \.xges"):
        to(source, tmp_path / "out.txt")
    with pytest.raises(OutputError, match="File name too long"):
        to(source, tmp_path / f"{'x' * 300}.otio")
    with pytest.raises(UsageError, match="contradict"):
        to(source, tmp_path / "out.otio", in_place=True)


def test_a_full_disk_leaves_the_input_and_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = save(CUT, tmp_path / "cut.otio")
    before = source.read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    for target in (to(source), to(source, in_place=True)):
        with pytest.raises(OutputError, match="No space left"):
            target.write(timeline())
    assert source.read_bytes() == before
    assert names_in(tmp_path) == ["cut.otio"]
