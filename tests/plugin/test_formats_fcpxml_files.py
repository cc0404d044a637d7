"""Final Cut Pro documents as files and folders, and those that cannot be read or written."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugin.cuts import ClickSource, clip, save, score, span, timeline, track
from tests.plugin.fcpxml_cuts import STORY, ours_in, score_cut
from tests.plugin.fcpxml_rules import check_rules, document, plain, save_document
from v2s_engine.errors import OutputError, TimelineUnreadableError
from v2s_plugin.ours import our_clips
from v2s_plugin.timeline import read_timeline


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    return save_document(tmp_path, document(STORY))


# ---- folders (.fcpxmld)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """With data of a tracked object, and one medium inside."""
    path = tmp_path / "cut.fcpxmld"
    (path / "data").mkdir(parents=True)
    (path / "data" / "track.bin").write_bytes(b"tracked")
    text = document(STORY, version="1.11", resources='<locator id="l1" url="./data/track.bin"/>')
    save_document(path, text.replace("file://MEDIA/a.mov", "./a.mov"), "Info.fcpxml")
    return path


def test_a_bundle_is_scored_into_another_one_and_in_place(bundle: Path) -> None:
    first = score_cut(bundle, takes=2)
    assert first.output == bundle.with_name("cut_scored.fcpxmld")
    check_rules(first.output)
    assert (first.output / "data" / "track.bin").read_bytes() == b"tracked"
    assert len(ours_in(first.output)) == 4
    assert 'src="./a.mov"' in (first.output / "Info.fcpxml").read_text(encoding="utf-8")
    again = score_cut(bundle, takes=2, force=True)
    assert (again.made, again.reused) == (0, 8)
    before = plain(bundle)
    in_place = score_cut(bundle, in_place=True)
    assert in_place.output == bundle
    assert len(ours_in(bundle)) == 4
    assert plain(bundle.with_name("cut.fcpxmld.bak")) == before
    assert (bundle / "data" / "track.bin").read_bytes() == b"tracked"


def test_data_of_a_bundle_are_not_left_behind(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"holds data that its clips need .*ends in \.fcpxmld"):
        score_cut(bundle, output=tmp_path / "out.fcpxml")
    info = bundle / "Info.fcpxml"
    info.write_text(info.read_text(encoding="utf-8").replace("./data/track.bin", "file:///data/track.bin"))
    (tmp_path / "elsewhere").mkdir()
    plain_one = score_cut(bundle, output=tmp_path / "elsewhere" / "out.fcpxml").output
    assert plain_one is not None
    assert f'src="file://{bundle}/a.mov"' in plain_one.read_text(encoding="utf-8")
    folder = score_cut(plain_one, output=tmp_path / "again.fcpxmld").output
    assert folder is not None
    assert sorted(each.name for each in folder.iterdir()) == ["Info.fcpxml"]


def test_a_folder_that_is_no_bundle_is_not_written_over(cut: Path, tmp_path: Path) -> None:
    (tmp_path / "out.fcpxmld").mkdir()
    with pytest.raises(OutputError, match=r"out\.fcpxmld is a folder; choose another name with -o"):
        score_cut(cut, output=tmp_path / "out.fcpxmld", force=True)


# ---- what cannot be


def test_no_document_is_made_from_another_timeline(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    click = ClickSource()
    with pytest.raises(OutputError, match=r"into a Final Cut Pro document and makes no new one; .*--format fcp_xml"):
        score(timeline(track(clip("a", "a.mp4", source=span(0, 48, 24)))), tmp_path, click, format="fcpxml")
    assert click.requests == []


def test_a_document_becomes_another_format_as_ever(cut: Path, tmp_path: Path) -> None:
    for name in ("out.otio", "out.xml", "out.mlt"):
        result = score_cut(cut, output=tmp_path / name)
        assert result.output is not None
        assert result.output.exists()
    assert len(list(our_clips(read_timeline(tmp_path / "out.otio")))) == 4


def test_an_old_document_is_not_changed(tmp_path: Path) -> None:
    old = save_document(tmp_path, document(STORY, version="1.5"))
    with pytest.raises(
        OutputError, match=r"cut\.fcpxml is FCPXML 1\.5 and sounds go into 1\.6 and newer; export it again"
    ):
        score_cut(old)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            ("<project", "<project name='other'><sequence format='r1'/></project><project"),
            r"2 projects \('other', 'cut'\)",
        ),
        (("project", "thing"), "holds no project: select the project"),
        (('frameDuration="1001/24000s"', ""), "says no frame rate"),
        (('duration="24024/24000s"', 'duration="24024/0s"'), "is no time"),
        (('duration="24024/24000s"', 'duration="soon"'), "is no time"),
        (('duration="24024/24000s"', 'duration="-1s"'), "has no duration"),
        (("spine>", "spire>"), "holds no storyline"),
    ],
)
def test_a_document_that_makes_no_sense_is_said_so(tmp_path: Path, change: tuple[str, str], match: str) -> None:
    path = save_document(tmp_path, document(STORY).replace(*change))
    with pytest.raises(TimelineUnreadableError, match=match):
        read_timeline(path)


def test_compound_clips_that_hold_themselves_or_multiply_are_refused(tmp_path: Path) -> None:
    def compound(number: int, inner: int, times: int = 1) -> str:
        held = "".join(f'<ref-clip ref="c{inner}" offset="{each}s" duration="1s"/>' for each in range(times))
        return f'<media id="c{number}" name="c{number}"><sequence format="r1"><spine>{held}</spine></sequence></media>'

    story = '<ref-clip ref="c1" offset="3600s" duration="1s"/>'
    path = save_document(tmp_path, document(story, resources=compound(1, 2) + compound(2, 1)))
    with pytest.raises(TimelineUnreadableError, match="the compound clip 'c1' holds itself"):
        read_timeline(path)
    bomb = "".join(compound(number, number + 1, 30) for number in range(1, 9))
    path = save_document(tmp_path, document(story, resources=bomb))
    with pytest.raises(TimelineUnreadableError, match="hold more than 1000000 items"):
        read_timeline(path)


def test_entities_that_grow_do_no_harm(tmp_path: Path) -> None:
    names = [f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12)]
    bomb = f'<!DOCTYPE fcpxml [<!ENTITY e0 "ha">{"".join(names)}]><fcpxml version="1.10">&e11;</fcpxml>'
    (tmp_path / "cut.fcpxml").write_text(bomb)
    with pytest.raises(TimelineUnreadableError):
        read_timeline(tmp_path / "cut.fcpxml")


def test_the_timeline_of_another_format_is_not_touched(tmp_path: Path) -> None:
    """A mistake in the name must not replace anything."""
    save(timeline(), tmp_path / "cut.otio")
    (tmp_path / "out.fcpxml").write_text("precious")
    with pytest.raises(OutputError):
        score_cut(tmp_path / "cut.otio", output=tmp_path / "out.fcpxml", force=True)
    assert (tmp_path / "out.fcpxml").read_text() == "precious"
