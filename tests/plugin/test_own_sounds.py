"""Clips that bring their own sound: by file or by link, where it is heard while they are seen."""

from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest

from tests.plugin.cuts import clip, fake_probe, gap, options, span, timeline, track
from v2s_plugin.planning.jobs import Plan, plan


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("cut")
    for name in ("a.mp4", "b.mp4", "sync.wav", "with space.mp4"):
        (made / name).touch()
    return made


def shot(name: str = "a", start: float = 0, **given: Any) -> Any:
    return clip(name, f"{name}.mp4", source=span(start, 48, 24), **given)


def sound(*items: Any, **given: Any) -> Any:
    return track(*items, name="A1", kind="Audio", **given)


def planned(folder: Path, *tracks: Any, existing: str = "skip") -> Plan:
    return plan(timeline(*tracks), folder, options(sound="dog", existing=existing), probe=fake_probe)


def brings_its_own(folder: Path, *tracks: Any) -> bool:
    """Whether the one shot of these tracks is skipped for its own sound."""
    found = planned(folder, *tracks)
    reasons = [skip.reason for skip in found.skips]
    assert (len(found.jobs), reasons) in [(1, []), (0, ["its own sound stands on the timeline"])]
    return not found.jobs


def test_it_is_told_and_sounded_where_the_call_says_so(folder: Path) -> None:
    tracks = [track(shot("a"), shot("b")), sound(shot("a"))]
    found = planned(folder, *tracks)
    assert [job.label for job in found.jobs] == ["b"]
    assert [(skip.label, skip.advice) for skip in found.skips] == [("a", "--existing add sounds it too")]
    assert [job.label for job in planned(folder, *tracks, existing="add").jobs] == ["a", "b"]


def test_the_same_file_counts_whatever_part_of_it_is_heard(folder: Path) -> None:
    """A sound that was slipped, or that starts before the cut (J cut) is still the shot's."""
    assert brings_its_own(folder, track(gap(48), shot()), sound(gap(36), shot(start=-12)))
    assert brings_its_own(folder, track(shot()), sound(shot(start=500)))


def test_the_same_file_counts_however_its_path_is_written(folder: Path) -> None:
    picture = clip("a", "with space.mp4", source=span(0, 48, 24))
    for url in (
        f"file://{folder}/with%20space.mp4",
        f"file://localhost{folder}/with space.mp4",
        folder / "with space.mp4",
    ):
        assert brings_its_own(folder, track(picture.deepcopy()), sound(clip("a", url, source=span(0, 48, 24))))


def test_what_is_not_heard_does_not_count(folder: Path) -> None:
    assert not brings_its_own(folder, track(shot()), sound(shot(), enabled=False))
    assert not brings_its_own(folder, track(shot()), sound(shot(enabled=False)))


def test_what_is_heard_elsewhere_does_not_count(folder: Path) -> None:
    assert not brings_its_own(folder, track(shot()), sound(gap(48), shot()))


def test_what_v2s_made_does_not_count(folder: Path) -> None:
    assert not brings_its_own(folder, track(shot()), sound(shot(metadata={"v2s": {"generated": True}})))


def test_sound_inside_a_nest_counts_where_the_nest_lets_it_be_heard(folder: Path) -> None:
    def nest(shown: Any) -> Any:
        made = otio.schema.Stack("scene", source_range=shown)
        made.append(track(shot(), gap(48)))
        made.append(sound(gap(24), shot()))
        return made

    assert brings_its_own(folder, track(nest(None)))
    assert not brings_its_own(folder, track(nest(span(0, 24, 24))))


@pytest.mark.parametrize(("picture", "heard", "own"), [(7, 7, True), (7, 8, False), (0, 0, False), (-1, -1, False)])
def test_what_resolve_links_belongs_together(folder: Path, picture: int, heard: int, own: bool) -> None:
    """Also sound that was recorded apart; groups 0 and -1 say that nothing is linked."""
    wav = clip("sync", "sync.wav", source=span(0, 48, 24), metadata={"Resolve_OTIO": {"Link Group ID": heard}})
    shown = shot(metadata={"Resolve_OTIO": {"Link Group ID": picture}})
    assert brings_its_own(folder, track(shown), sound(wav)) == own


def test_what_premiere_links_belongs_together(folder: Path) -> None:
    links = [{"linkclipref": "clipitem-1", "mediatype": "video"}, {"linkclipref": "clipitem-14", "mediatype": "audio"}]
    shown = shot(metadata={"fcp_xml": {"@id": "clipitem-1", "link": links}})
    wav = clip("sync", "sync.wav", source=span(0, 48, 24), metadata={"fcp_xml": {"@id": "clipitem-14", "link": links}})
    other = wav.deepcopy()
    other.metadata["fcp_xml"]["link"] = {"linkclipref": "clipitem-20"}
    assert brings_its_own(folder, track(shown), sound(wav))
    assert not brings_its_own(folder, track(shown.deepcopy()), sound(other))


def test_premieres_own_export_is_understood(shared: Path) -> None:
    """Real links: `sc01_sh010_anim.mov` stands with its sound, on a nest and on the upper tracks."""
    pytest.importorskip("otio_fcp_adapter", reason="reading FCP 7 XML needs the extra formats")
    read = otio.adapters.read_from_file(str(shared / "timelines" / "premiere_example.xml"))
    cut = read if isinstance(read, otio.schema.Timeline) else next(each for each in read)
    for reference in (reference for made in cut.find_clips() for reference in made.media_references().values()):
        if isinstance(reference, otio.schema.ExternalReference):
            reference.target_url = (
                str(shared / "timelines" / "README.md") + "#" + reference.target_url.rsplit("/", 1)[1]
            )
    from v2s_plugin.media.own_sounds import OwnSounds
    from v2s_plugin.timing.placement import place_clips

    placed = list(place_clips(cut))
    own = OwnSounds(placed, shared)
    pictures = [made for made in placed if made.kind == "Video" and made.obstacle is None]
    assert {made.clip.name for made in pictures if own.has(made)} >= {"sc01_sh010_anim.mov"}
