"""Which format is written: chosen, refused, what it loses, and where takes go that a clip cannot hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest

from tests.plugin.cuts import (
    ClickSource,
    clip,
    marker,
    names_in,
    save,
    score,
    span,
    timeline,
    track,
)
from tests.plugin.scored_cuts import (
    our_track,
    placed_on,
    scored_cut,
    sound,
    write,
)
from v2s_engine.errors import MissingExtraError, OutputError, UsageError
from v2s_plugin.formats import adapters
from v2s_plugin.formats.losses import losses
from v2s_plugin.formats.reading import ReadOptions
from v2s_plugin.formats.spare_takes import folded_takes, with_spare_takes
from v2s_plugin.formats.timeline_format import FORMATS, format_named
from v2s_plugin.ours import our_clips
from v2s_plugin.timeline import destination, read_timeline


def test_spare_takes_stand_beside_the_chosen_one(tmp_path: Path) -> None:
    cut = scored_cut(tmp_path, takes=3, chosen=2)
    spread = with_spare_takes(cut)
    names = [each.name for each in spread.tracks]
    assert names == ["V1", "A1", "V2S dog", "V2S dog take 1", "V2S dog take 2", "V2S dog take 3", "V2S drum"]
    assert [each.enabled for each in spread.tracks[2].find_clips()] == [True, True]
    assert [(each.name, each.enabled) for each in spread.tracks[3].find_clips()] == [("dog sound take 1", False)]
    starts = [start for _, start, _, _ in placed_on(spread.tracks[5], tmp_path)]
    assert starts == [start for _, start, _, _ in placed_on(cut.tracks[2], tmp_path)]
    assert json.loads(folded_takes(spread).to_json_string()) == json.loads(cut.to_json_string())


def test_a_spare_take_that_the_editor_switched_on_is_the_chosen_one(tmp_path: Path) -> None:
    spread = with_spare_takes(scored_cut(tmp_path, takes=2))
    spread.tracks[2][0].enabled = False
    spread.tracks[3][0].enabled = True
    chosen = next(iter(our_clips(folded_takes(spread))))
    assert (chosen.active_media_reference_key, chosen.enabled) == ("take 2", True)


def test_what_is_lost_is_said_and_what_is_not_there_is_not(tmp_path: Path) -> None:
    fast = clip("fast", "a.mov", source=span(0, 24, 24), effects=[otio.schema.LinearTimeWarp(time_scalar=2)])
    fast.markers.append(marker("look", 3))
    title = clip("title", reference=otio.schema.GeneratorReference("t", "title"), source=span(0, 24, 24))
    nest = otio.schema.Stack("nest")
    nest.append(track(clip("in", "b.mov", source=span(0, 24, 24))))
    cut = timeline(track(fast, title, nest), our_track("V2S dog", sound(tmp_path, "dog", 24, 24, takes=2)))
    mlt = losses(cut, format_named("mlt"))
    assert "MLT XML cannot hold retimes (pictures play at their own speed): 1 lost" in mlt
    assert "MLT XML cannot hold markers: 1 lost" in mlt
    assert "MLT XML cannot hold nested sequences: 1 lost" in mlt
    assert not [line for line in mlt if "takes" in line]
    assert not [line for line in losses(cut, format_named("fcp_xml")) if "takes" in line or "markers" in line]
    assert [line for line in losses(cut, format_named("fcp_xml")) if "retimes" in line]
    assert losses(cut, format_named("fcp_xml"), ours_only=True) == ()
    cut.tracks[1][0].effects.append(otio.schema.Effect("gain", "gain"))
    lost = "Final Cut Pro 7 XML cannot hold effects on our clips: 1 lost"
    assert losses(cut, format_named("fcp_xml"), ours_only=True) == (lost,)
    for form in FORMATS:
        assert losses(timeline(), form) == ()
        if form.is_native:
            assert losses(cut, form) == ()


def test_without_its_adapter_a_format_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapters.importlib.util, "find_spec", lambda name: None)
    adapters.load_adapter.cache_clear()
    save(cut := scored_cut(tmp_path), tmp_path / "cut.otio")
    for kind in ("fcp_xml", "aaf", "xges"):
        with pytest.raises(MissingExtraError, match=r"pip install 'v2s\[formats\]'"):
            write(cut, tmp_path, kind)
        with pytest.raises(MissingExtraError, match=r"pip install 'v2s\[formats\]'"):  # before any work is done
            destination(tmp_path / "cut.otio", None, ending="_x", in_place=False, force=False, format_name=kind)
    for suffix in (".xml", ".aaf", ".edl", ".xges"):
        (tmp_path / f"cut{suffix}").write_text("x")
        with pytest.raises(MissingExtraError, match=r"pip install 'v2s\[formats\]'"):
            read_timeline(tmp_path / f"cut{suffix}", ReadOptions(edl_rate="24" if suffix == ".edl" else None))
    for kind in ("otio", "otioz", "otiod", "mlt"):  # these need nothing
        assert write(cut, tmp_path, kind)[0].exists()


@pytest.mark.parametrize(
    ("source", "output", "name", "want"),
    [
        ("cut.otio", None, None, "cut_scored.otio"),
        ("cut.xml", None, None, "cut_scored.xml"),
        ("cut.edl", None, None, "cut_scored.otio"),
        ("cut.fcpxml", None, None, "cut_scored.fcpxml"),
        ("cut.fcpxmld", None, None, "cut_scored.fcpxmld"),
        ("cut.otio", None, "aaf", "cut_scored.aaf"),
        ("cut.otio", "o.xml", None, "o.xml"),
        ("cut.otio", "o.xml", "fcp_xml", "o.xml"),
    ],
)
def test_the_format_of_the_output(tmp_path: Path, source: str, output: str | None, name: str | None, want: str) -> None:
    target = destination(
        tmp_path / source, tmp_path / output if output else None, ending="_scored", in_place=False, force=False,
        format_name=name,
    )  # fmt: skip
    assert target.path == tmp_path / want


@pytest.mark.parametrize(
    ("source", "output", "name", "in_place", "match"),
    [
        ("cut.otio", "o.xml", "aaf", False, r"-o o\.xml and --format aaf contradict each other"),
        ("cut.otio", None, "xml", False, r"--format must be one of otio, .*; got 'xml'"),
        ("cut.otio", None, "edl", False, r"--format must be one of otio, .*; got 'edl'"),
        (
            "cut.otio",
            "o.edl",
            None,
            False,
            r"does not write CMX 3600 .* only \.otio, .*; choose one of those with -o",
        ),
        ("cut.otio", None, "aaf", True, r"--in-place and --format aaf contradict"),
        ("cut.aaf", None, None, True, r"cut\.aaf cannot be scored in place: AAF cannot hold all of it"),
        ("cut.edl", None, None, True, r"cannot be scored in place"),
    ],
)
def test_contradictions_about_the_format(
    tmp_path: Path, source: str, output: str | None, name: str | None, *, in_place: bool, match: str
) -> None:
    with pytest.raises(UsageError, match=match):
        destination(
            tmp_path / source, tmp_path / output if output else None, ending="_scored", in_place=in_place, force=False,
            format_name=name,
        )  # fmt: skip


def test_an_adapter_that_fails_on_writing_names_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(cut := scored_cut(tmp_path), tmp_path / "cut.otio")

    class Broken:
        def write_to_string(self, cut: Any) -> str:
            raise AttributeError("'NoneType' object has no attribute 'find'")

    monkeypatch.setattr("v2s_plugin.formats.xges.load_adapter", lambda *_: Broken())
    with pytest.raises(OutputError, match=r"cannot be written as GStreamer .*'find'.*; write it as .*--format otio"):
        write(cut, tmp_path, "xges")
    assert "out.xges" not in names_in(tmp_path)


def test_what_cannot_be_written_is_said_before_any_sound_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AttributeError("adapters fail like this")

    monkeypatch.setattr("v2s_plugin.formats.fcp_xml._fit_for_adapter", fail)
    click = ClickSource()
    (tmp_path / "a.mp4").touch()
    with pytest.raises(OutputError, match="cannot be written as Final Cut Pro 7 XML"):
        score(timeline(track(clip("a", "a.mp4", source=span(0, 48, 24)))), tmp_path, click, format="fcp_xml")
    assert click.requests == []
    assert names_in(tmp_path) == ["a.mp4", "cut.otio"]


def test_reading_and_writing_native_timelines_loads_no_adapter() -> None:
    from tests.plugin.processes import run_python

    code = (
        "import v2s_plugin.timeline, sys; print([name for name in sys.modules if name.startswith(('otio_', 'aaf2'))])"
    )
    assert run_python(code).stdout == "[]\n"
