"""The media linker as OpenTimelineIO and its `otioconvert` call it."""

from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest

from tests.media import make_clip, make_sequence
from tests.plugin.cuts import clip, load, names_in, save, span, timeline, track
from tests.plugin.processes import ROOT, run_python
from v2s_engine.errors import UsageError
from v2s_plugin import otio_linker

MANIFEST = str(ROOT / "manifest.json")
CONVERT = "from opentimelineio.console.otioconvert import main; main()"


@pytest.fixture
def rushes(tmp_path: Path) -> Path:
    """A folder of media, two levels down from what is searched."""
    folder = tmp_path / "rushes" / "day 1"
    folder.mkdir(parents=True)
    make_clip(folder / "A001.mp4", frames=24, width=64, height=64)
    return tmp_path / "rushes"


def missing(**given: Any) -> Any:
    made = clip("a", "/gone/A001.mp4", source=span(0, 24, 24), available=span(0, 24, 24))
    made.media_reference.metadata["host"] = {"reel": "A001"}
    return made


def test_missing_media_are_found_by_name_and_all_else_stays(rushes: Path) -> None:
    shot = missing()
    found = otio_linker.link_media_reference(shot, {"search": str(rushes)})
    expected = shot.media_reference.deepcopy()
    expected.target_url = str(rushes / "day 1" / "A001.mp4")
    assert found.is_equivalent_to(expected)
    assert shot.media_reference.target_url == "/gone/A001.mp4"


def test_media_that_are_there_stay_as_they_are_written(rushes: Path) -> None:
    there = make_clip(rushes.parent / "A001.mp4", frames=24, width=64, height=64).path
    for url, folder in ((f"file://{there}", "/"), ("A001.mp4", str(there.parent))):
        shot = clip("a", url, source=span(0, 24, 24))
        found = otio_linker.link_media_reference(shot, {"search": str(rushes), "timeline_folder": folder})
        assert found.target_url == url


def test_media_that_are_nowhere_or_no_files_stay_too(rushes: Path) -> None:
    for reference in (
        otio.schema.ExternalReference("/gone/other.mp4"),
        otio.schema.GeneratorReference("bars"),
        otio.schema.MissingReference(),
    ):
        shot = clip("a", reference=reference, source=span(0, 24, 24))
        assert otio_linker.link_media_reference(shot, {"search": str(rushes)}).is_equivalent_to(reference)


def test_an_image_sequence_is_led_to_its_folder(tmp_path: Path) -> None:
    folder = make_sequence(tmp_path / "plates" / "sh010", (1001, 1002), prefix="sh010.")
    sequence = otio.schema.ImageSequenceReference(
        "file:///gone/", "sh010.", ".png", 1001, rate=24, frame_zero_padding=4, available_range=span(1001, 2, 24)
    )
    arguments = {"search": [str(tmp_path / "plates")]}
    found = otio_linker.link_media_reference(clip("a", reference=sequence), arguments)
    assert (found.target_url_base, found.name_prefix) == (f"{folder}/", "sh010.")
    pattern = clip("a", "C:\\gone\\sh010.%04d.png", available=span(1001, 2, 24))
    assert otio_linker.link_media_reference(pattern, arguments).target_url == f"{folder}/sh010.%04d.png"


def test_without_a_folder_to_search_it_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("V2S_SEARCH", raising=False)
    shot = missing()
    assert otio_linker.link_media_reference(shot).is_equivalent_to(shot.media_reference)
    assert otio_linker.link_media_reference(shot, {}).is_equivalent_to(shot.media_reference)


def test_the_variable_names_folders_too(rushes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("V2S_SEARCH", f"{rushes.parent}:{rushes}")
    assert otio_linker.link_media_reference(missing()).target_url == str(rushes / "day 1" / "A001.mp4")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"serch": "/x"}, "unknown key serch for v2s_relink; known: search, timeline_folder"),
        ({"timeline_folder": "/x"}, "wants folders to search"),
        ({"search": "/gone"}, "there is no such folder"),
    ],
)
def test_wrong_use_is_told(arguments: dict[str, str], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("V2S_SEARCH", raising=False)
    with pytest.raises(UsageError, match=message):
        otio_linker.link_media_reference(missing(), arguments)


def test_otioconvert_relinks(rushes: Path, tmp_path: Path) -> None:
    cut = save(timeline(track(missing())), tmp_path / "cut.otio")
    out = tmp_path / "found.otio"
    arguments = ["-i", str(cut), "-o", str(out), "--media-linker", "v2s_relink", "-M", f"search={rushes}"]
    done = run_python(CONVERT, *arguments, OTIO_PLUGIN_MANIFEST_PATH=MANIFEST)
    assert done.returncode == 0, done.stderr
    (shot,) = load(out).find_clips()
    assert shot.media_reference.target_url == str(rushes / "day 1" / "A001.mp4")


def test_as_the_default_linker_it_needs_its_variable_to_act(rushes: Path, tmp_path: Path) -> None:
    cut = save(timeline(track(missing())), tmp_path / "cut.otio")
    urls = []
    for search in ("", str(rushes)):
        variables = {"OTIO_PLUGIN_MANIFEST_PATH": MANIFEST, "OTIO_DEFAULT_MEDIA_LINKER": "v2s_relink"}
        done = run_python(CONVERT, "-i", str(cut), "-o", str(tmp_path / "out.otio"), V2S_SEARCH=search, **variables)
        assert done.returncode == 0, done.stderr
        urls.append(next(iter(load(tmp_path / "out.otio").find_clips())).media_reference.target_url)
    assert urls == ["/gone/A001.mp4", str(rushes / "day 1" / "A001.mp4")]


def test_otioconvert_scores_what_it_writes_where_it_is_told_to(tmp_path: Path) -> None:
    """The hook stands on `pre_adapter_write`; found twice, it makes nothing twice."""
    from tests.models import tiny_bundle

    bundle = tiny_bundle(tmp_path / "tiny")
    make_clip(tmp_path / "a.mp4", frames=12, width=64, height=64)
    cut = save(timeline(track(clip("a", "a.mp4", source=span(0, 12, 24)))), tmp_path / "cut.otio")
    out = tmp_path / "out.otio"
    asked = {"bundle": str(bundle.path), "device": "cpu", "sound": "dog"}
    arguments = ["-i", str(cut), "-o", str(out), "-H", f"v2s={asked}"]
    done = run_python(CONVERT, *arguments, OTIO_PLUGIN_MANIFEST_PATH=f"{MANIFEST}:{MANIFEST}")
    assert done.returncode == 0, done.stderr
    written = load(out)
    assert [each.name for each in written.tracks] == ["V1", "V2S dog"]
    assert len(names_in(tmp_path / "out.media")) == 1
