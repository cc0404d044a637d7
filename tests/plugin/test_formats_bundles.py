"""Bundles: read wherever they came from, and written so that one file holds the cut, its media and its sounds."""

import json
import shutil
import stat
import zipfile
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest

from tests.plugin.cuts import ClickSource, clip, fake_probe, names_in, options, save, span, timeline, track
from tests.plugin.scored_cuts import placed_sounds
from v2s_engine.errors import (
    OutputError,
    TimelineNotFoundError,
    TimelineSchemaError,
    TimelineUnreadableError,
    UsageError,
)
from v2s_plugin.levels.options import LevelOptions
from v2s_plugin.ours import our_clips
from v2s_plugin.planning.selection import Selection
from v2s_plugin.scoring import ScoreOptions, ScoreResult, score_file
from v2s_plugin.takes.in_file import choose_in_file
from v2s_plugin.timeline import destination, open_timeline, read_timeline
from v2s_plugin.tracks.writeback import without_sound_tracks

FILES = {"media/a.mov": b"a film", "media/day 2/a.mov": b"another film", "notes/read me.txt": b"keep me"}


def sequence(base: str) -> Any:
    return otio.schema.ImageSequenceReference(
        base, "shot.", ".exr", start_frame=1, frame_zero_padding=4, rate=24, available_range=span(1, 3, 24)
    )


def cut_of_bundle() -> Any:
    """Two films of one name, an image sequence beside a film as an inactive reference."""
    both = clip("both", "media/a.mov", source=span(0, 24, 24))
    both.set_media_references({"film": both.media_reference, "frames": sequence("media/frames/")}, "film")
    return timeline(track(both, clip("second", "./media/day 2/a.mov", source=span(0, 48, 24))))


def zipped(path: Path, cut: Any, files: dict[str, bytes], *, version: bool = False) -> Path:
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("content.otio", otio.core.serialize_json_to_string(cut), zipfile.ZIP_DEFLATED)
        if version:
            packed.writestr("version.txt", "1.0.0")
        for name, data in files.items():
            packed.writestr(zipfile.ZipInfo(name, (2024, 5, 6, 7, 8, 10)), data)
    return path


def foldered(path: Path, cut: Any, files: dict[str, bytes]) -> Path:
    path.mkdir()
    save(cut, path / "content.otio")
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


MAKERS = {".otioz": zipped, ".otiod": foldered}
both_kinds = pytest.mark.parametrize("suffix", MAKERS)


def held(path: Path) -> dict[str, bytes]:
    """Every file in a bundle."""
    if path.is_dir():
        return {each.relative_to(path).as_posix(): each.read_bytes() for each in path.rglob("*") if each.is_file()}
    with zipfile.ZipFile(path) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def media_of(path: Path) -> dict[str, bytes]:
    return {name: data for name, data in held(path).items() if name not in ("content.otio", "version.txt")}


def score_bundle(source: Path, click: ClickSource | None = None, **given: Any) -> ScoreResult:
    wanted = ScoreOptions(plan=options(sound="dog", **given.pop("plan", {})), **given)
    return score_file(source, wanted, lambda **_: click or ClickSource(), probe=fake_probe)


def plain(cut: Any) -> Any:
    return json.loads(otio.core.serialize_json_to_string(cut))


@both_kinds
def test_one_bundle_in_one_bundle_out(tmp_path: Path, suffix: str) -> None:
    """All that was in it stays byte for byte under its name; our sounds lie inside, and nothing lies beside it."""
    cut = cut_of_bundle()
    source = MAKERS[suffix](tmp_path / f"cut{suffix}", cut, FILES)
    result = score_bundle(source)
    assert result.output == tmp_path / f"cut_scored{suffix}"
    assert names_in(tmp_path) == [f"cut{suffix}", f"cut_scored{suffix}"]
    files = media_of(result.output)
    assert {name: files[name] for name in FILES} == FILES
    new = sorted(set(files) - set(FILES))
    assert len(new) == 2
    with open_timeline(result.output) as opened:
        assert plain(without_sound_tracks(opened.timeline)) == plain(cut)
        found = placed_sounds(opened.timeline, opened.folder)
        assert [str(Path(each[3]).relative_to(opened.folder.resolve())) for each in found] != []
        urls = [each.media_reference.target_url for each in our_clips(opened.timeline)]
    assert sorted(urls) == new
    assert held(result.output)["version.txt"] == b"1.0.0"


@both_kinds
def test_the_result_says_where_in_the_bundle_its_sounds_are(tmp_path: Path, suffix: str) -> None:
    result = score_bundle(MAKERS[suffix](tmp_path / f"cut{suffix}", cut_of_bundle(), FILES))
    assert result.output is not None
    assert result.media_folder == result.output / "media"
    for sound in result.scored:
        for take in sound.takes:
            assert take.path.parent == result.media_folder
            assert f"media/{take.path.name}" in held(result.output)


@both_kinds
def test_sounds_inside_a_bundle_are_used_again(tmp_path: Path, suffix: str) -> None:
    """Whether the bundle is scored again from its source, in place, or from the scored bundle itself."""
    source = MAKERS[suffix](tmp_path / f"cut{suffix}", cut_of_bundle(), FILES)
    first = score_bundle(source)
    assert first.output is not None
    for again in (
        lambda: score_bundle(source, force=True),
        lambda: score_bundle(tmp_path / f"cut_scored{suffix}", in_place=True),
        lambda: score_bundle(tmp_path / f"cut_scored{suffix}", output=tmp_path / f"third{suffix}"),
    ):
        before = media_of(first.output)
        click = ClickSource()
        result = again()
        assert click.requests == []
        assert (result.made, result.reused) == (0, 2)
        assert result.output is not None
        assert media_of(result.output) == before
    assert (tmp_path / f"cut_scored{suffix}.bak").exists()


@both_kinds
def test_sounds_of_an_earlier_run_do_not_pile_up(tmp_path: Path, suffix: str) -> None:
    source = MAKERS[suffix](tmp_path / f"cut{suffix}", cut_of_bundle(), FILES)
    score_bundle(source)
    result = score_bundle(tmp_path / f"cut_scored{suffix}", in_place=True, plan={"seed": 7})
    assert result.made == 2
    assert result.output is not None
    assert len(media_of(result.output)) == len(FILES) + 2


@both_kinds
def test_what_was_taken_out_again_is_not_in_the_bundle(tmp_path: Path, suffix: str) -> None:
    source = MAKERS[suffix](tmp_path / f"cut{suffix}", cut_of_bundle(), FILES)
    scored = score_bundle(source).output
    assert scored is not None
    target = destination(scored, None, ending="_unscored", in_place=False, force=False)
    target.write(without_sound_tracks(read_timeline(scored)))
    assert media_of(target.path) == FILES
    assert plain(read_timeline(target.path)) == plain(cut_of_bundle())


def test_a_zip_stores_media_uncompressed(tmp_path: Path) -> None:
    result = score_bundle(zipped(tmp_path / "cut.otioz", cut_of_bundle(), FILES))
    assert result.output is not None
    with zipfile.ZipFile(result.output) as packed:
        kinds = {entry.filename: entry.compress_type for entry in packed.infolist()}
        dates = {entry.filename: entry.date_time for entry in packed.infolist()}
        assert packed.testzip() is None
    assert all(kind == zipfile.ZIP_STORED for name, kind in kinds.items() if name != "content.otio")
    assert all(dates[name] == (2024, 5, 6, 7, 8, 10) for name in FILES)


@pytest.mark.parametrize("name", ["otioz", "otiod"])
def test_a_cut_becomes_a_bundle_with_all_its_media(tmp_path: Path, name: str) -> None:
    """Equal names in two folders, names that URLs trip over, image sequences, references that are not active."""
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a 100%#1.mov").write_bytes(folder.encode())
    for number in (1, 2, 3):
        (tmp_path / "one" / f"shot.{number:04d}.exr").write_bytes(b"picture %d" % number)
    first = clip("first", "one/a 100%#1.mov", source=span(0, 24, 24))
    first.set_media_references({"film": first.media_reference, "frames": sequence("one")}, "film")
    gone = clip("gone", "nowhere/b.mov", source=span(0, 24, 24))
    second = clip("second", tmp_path / "two" / "a 100%#1.mov", source=span(0, 24, 24))
    source = save(timeline(track(first, second, gone)), tmp_path / "cut.otio")
    result = score_bundle(source, format=name)
    assert result.output == tmp_path / f"cut_scored.{name}"
    assert any("1 media were not found" in each for each in result.warnings)
    shutil.rmtree(tmp_path / "one")
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    with open_timeline(Path(shutil.move(result.output, moved))) as opened:
        one, two, lost = opened.timeline.video_tracks()[0]
        assert (opened.folder / one.media_reference.target_url).read_bytes() == b"one"
        assert (opened.folder / two.media_reference.target_url).read_bytes() == b"two"
        assert lost.media_reference.target_url == "nowhere/b.mov"
        assert one.active_media_reference_key == "film"
        frames = one.media_references()["frames"]
        pictures = [opened.folder / frames.target_url_base / f"shot.{number:04d}.exr" for number in (1, 2, 3)]
        assert [path.read_bytes() for path in pictures] == [b"picture 1", b"picture 2", b"picture 3"]
        assert len(list(our_clips(opened.timeline))) == 2


def test_one_kind_of_bundle_becomes_the_other(tmp_path: Path) -> None:
    source = zipped(tmp_path / "cut.otioz", cut_of_bundle(), FILES, version=True)
    result = score_bundle(source, output=tmp_path / "cut.otiod")
    assert result.output is not None
    files = media_of(result.output)
    assert {name: files[name] for name in FILES} == FILES


def test_media_would_stay_behind_outside_a_bundle(tmp_path: Path) -> None:
    source = zipped(tmp_path / "cut.otioz", cut_of_bundle(), FILES)
    with pytest.raises(UsageError, match=r"media of cut\.otioz lie inside it .*--format otioz or otiod"):
        score_bundle(source, format="otio")
    assert names_in(tmp_path) == ["cut.otioz"]


@pytest.mark.parametrize("name", ["../evil.mov", "/evil.mov", "media/../../evil.mov", "C:/evil.mov", "media\\..\\evil"])
def test_a_name_that_leads_out_of_the_bundle_is_refused(tmp_path: Path, name: str) -> None:
    """Zip slip."""
    source = zipped(tmp_path / "cut.otioz", cut_of_bundle(), {name: b"evil"})
    with pytest.raises(TimelineUnreadableError, match="leads out of the bundle"), open_timeline(source):
        pass


def test_a_link_in_a_bundle_is_refused(tmp_path: Path) -> None:
    source = zipped(tmp_path / "cut.otioz", cut_of_bundle(), {})
    entry = zipfile.ZipInfo("media/a.mov")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(source, "a") as packed:
        packed.writestr(entry, "/etc/passwd")
    with pytest.raises(TimelineUnreadableError, match="leads out of the bundle"):
        read_timeline(source)


def test_what_does_not_fit_the_disk_is_said_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = zipped(tmp_path / "cut.otioz", cut_of_bundle(), {"media/a.mov": b"0" * 10_000})
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(1, 1, 5_000))
    with pytest.raises(TimelineUnreadableError, match=r"unpacks to .* GB left; .*TMPDIR"), open_timeline(source):
        pass


@pytest.mark.parametrize("data", [b"", b"no zip", b"PK\x03\x04 cut off"])
def test_a_file_that_is_no_bundle(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "cut.otioz"
    path.write_bytes(data)
    with pytest.raises(TimelineUnreadableError, match=r"cut\.otioz is not a bundle that can be read"):
        read_timeline(path)


def test_bundles_that_are_not_there_or_hold_no_timeline(tmp_path: Path) -> None:
    for name in ("cut.otioz", "cut.otiod"):
        with pytest.raises(TimelineNotFoundError):
            read_timeline(tmp_path / name)
    with zipfile.ZipFile(tmp_path / "cut.otioz", "w") as packed:
        packed.writestr("media/a.mov", "x")
    (tmp_path / "cut.otiod").mkdir()
    for name in ("cut.otioz", "cut.otiod"):
        with pytest.raises(TimelineUnreadableError, match=r"there is no content\.otio in it"):
            read_timeline(tmp_path / name)


@both_kinds
def test_a_newer_schema_inside_a_bundle_is_named(tmp_path: Path, shared: Path, suffix: str) -> None:
    newer = (shared / "timelines" / "otio_head_marker3_unreadable_by_0181.otio").read_bytes()
    path = tmp_path / f"cut{suffix}"
    if suffix == ".otiod":
        path.mkdir()
        (path / "content.otio").write_bytes(newer)
    else:
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr("content.otio", newer)
    with pytest.raises(
        TimelineSchemaError, match=rf"cut\{suffix} was written by a newer .*Marker\.3 \(known: Marker\.2"
    ):
        read_timeline(path)


@both_kinds
def test_an_existing_bundle_is_replaced_only_when_forced(tmp_path: Path, suffix: str) -> None:
    source = MAKERS[suffix](tmp_path / f"cut{suffix}", cut_of_bundle(), FILES)
    old = MAKERS[suffix](tmp_path / f"cut_scored{suffix}", timeline(), {"media/old.mov": b"old"})
    with pytest.raises(OutputError, match="exists already; --force replaces it"):
        score_bundle(source)
    assert media_of(old) == {"media/old.mov": b"old"}
    score_bundle(source, force=True)
    assert set(FILES) < set(media_of(old))
    assert "media/old.mov" not in media_of(old)


@both_kinds
def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    source = MAKERS[suffix](tmp_path / f"cut{suffix}", cut_of_bundle(), FILES)
    old = MAKERS[suffix](tmp_path / f"cut_scored{suffix}", timeline(), {"media/old.mov": b"old"})
    before = held(old)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("v2s_plugin.timeline.pack", full)
    monkeypatch.setattr("v2s_plugin.timeline.lay_out", full)
    with pytest.raises(OutputError, match="No space left"):
        score_bundle(source, force=True)
    assert held(old) == before
    assert names_in(tmp_path) == [f"cut{suffix}", f"cut_scored{suffix}"]


@both_kinds
def test_levelled_sounds_and_the_plain_ones_behind_them_lie_in_the_bundle(tmp_path: Path, suffix: str) -> None:
    """Levels are set anew from the plain takes, so those have to come with the bundle."""
    source = MAKERS[suffix](tmp_path / f"cut{suffix}", cut_of_bundle(), FILES)
    first = score_bundle(source, levels=LevelOptions(fade=10.0))
    assert first.made == 2
    again = score_bundle(source, levels=LevelOptions(fade=20.0), force=True)
    assert (again.made, again.reused) == (0, 2)
    assert again.output is not None
    with open_timeline(again.output) as opened:
        assert all(Path(file).is_file() for *_, file in placed_sounds(opened.timeline, opened.folder))


@both_kinds
def test_sounds_of_clips_that_are_not_selected_stay_in_the_bundle(tmp_path: Path, suffix: str) -> None:
    source = MAKERS[suffix](tmp_path / f"cut{suffix}", cut_of_bundle(), FILES)
    first = score_bundle(source)
    assert first.output is not None
    only = Selection.parse(["clip=both"])
    again = score_bundle(source, force=True, plan={"selection": only, "seed": 5})
    assert (again.made, again.reused) == (1, 0)
    with open_timeline(first.output) as opened:
        placed = placed_sounds(opened.timeline, opened.folder)
        assert len(placed) == 2
        assert all(Path(file).is_file() for *_, file in placed)


@both_kinds
def test_nothing_of_an_earlier_run_stays_in_the_bundle(tmp_path: Path, suffix: str) -> None:
    """Neither the mixed take that stood on the timeline nor the plain one behind it."""
    source = MAKERS[suffix](tmp_path / f"cut{suffix}", cut_of_bundle(), FILES)
    levels = LevelOptions(lufs=-30.0)
    score_bundle(source, in_place=True, levels=levels)
    before = set(media_of(source)) - set(FILES)
    score_bundle(source, ClickSource(level=0.3), in_place=True, levels=levels, plan={"seed": 5})
    after = set(media_of(source)) - set(FILES)
    assert len(before) == len(after) == 4
    assert not before & after


@both_kinds
def test_a_sound_of_ours_that_an_editor_uses_elsewhere_stays_in_the_bundle(tmp_path: Path, suffix: str) -> None:
    source = MAKERS[suffix](tmp_path / f"cut{suffix}", cut_of_bundle(), FILES)
    score_bundle(source, in_place=True)
    used = sorted(set(media_of(source)) - set(FILES))[0]
    cut = read_timeline(source)
    cut.tracks.append(track(clip("mine", used, source=span(0, 24, 24)), name="A1", kind="Audio"))
    destination(source, None, ending="", in_place=True, force=True).write(cut)
    score_bundle(source, ClickSource(level=0.3), in_place=True, plan={"seed": 5})
    assert used in media_of(source)


@both_kinds
def test_a_take_is_chosen_inside_a_bundle(tmp_path: Path, suffix: str) -> None:
    source = MAKERS[suffix](tmp_path / f"cut{suffix}", cut_of_bundle(), FILES)
    scored = score_bundle(source, plan={"takes": 2}).output
    assert scored is not None
    before = media_of(scored)
    choose_in_file(scored, 2)
    assert media_of(scored) == before
    keys = {each.active_media_reference_key for each in our_clips(read_timeline(scored))}
    assert keys == {"take 2"}
