"""Image sequences and stills on timelines: found as every program names them, seen at the right moments."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest

from tests.media import make_clip, make_sequence, make_still, read_number
from tests.plugin.cuts import clip, options, span, timeline, track
from v2s_engine.video import read_pictures
from v2s_plugin.media import numbering
from v2s_plugin.media.library import MediaLibrary, Medium
from v2s_plugin.planning.clip_job import ClipJob
from v2s_plugin.planning.jobs import plan
from v2s_plugin.timing.placement import Obstacle

MissingPolicy = otio.schema.ImageSequenceReference.MissingFramePolicy


def reference(base: str, available: Any = None, **more: Any) -> Any:
    facts = {"name_prefix": "shot.", "name_suffix": ".png", "start_frame": 1001, "frame_zero_padding": 4, "rate": 24}
    return otio.schema.ImageSequenceReference(target_url_base=base, available_range=available, **(facts | more))


def found(folder: Path, made: Any, search: tuple[Path, ...] = ()) -> Medium:
    medium = MediaLibrary(folder, search=search).find(made)
    assert isinstance(medium, Medium), medium
    return medium


def obstacle(folder: Path, made: Any) -> Obstacle:
    result = MediaLibrary(folder).find(made)
    assert isinstance(result, Obstacle)
    return result


def only_job(folder: Path, made: Any) -> ClipJob:
    result = plan(timeline(track(made)), folder, options(sound="dog"))
    assert result.skips == ()
    (job,) = result.jobs
    return job


def numbers(job: ClipJob) -> list[int | None]:
    """The numbers of the files on screen, without repeats."""
    shown = [read_number(each) for each in read_pictures(job.media, job.picture_times, width=96, height=72)]
    return list(dict.fromkeys(shown))


@pytest.mark.parametrize("base", ["{}/plates", "{}/plates/", "file://{}/plates", "plates", "plates/", "./plates/"])
def test_every_form_of_the_folder_is_understood(tmp_path: Path, base: str) -> None:
    make_sequence(tmp_path / "plates", range(1001, 1011))
    medium = found(tmp_path, clip("x", reference=reference(base.format(tmp_path))))

    assert medium.info.duration == Fraction(10, 24)
    assert medium.url == f"{base.format(tmp_path)}{'' if base.endswith('/') else '/'}shot.####.png"


def test_escapes_in_names_and_folders(tmp_path: Path) -> None:
    make_sequence(tmp_path / "a b#1", range(5, 8), prefix="50% of.")
    coded = reference(f"file://{tmp_path}/a%20b%231", name_prefix="50%25%20of.", start_frame=5)
    plain = reference(f"{tmp_path}/a b#1", name_prefix="50% of.", start_frame=5)

    for each in (coded, plain):
        assert found(tmp_path, clip("x", reference=each)).info.duration == Fraction(3, 24)


def test_a_trimmed_sequence_shows_its_own_pictures(tmp_path: Path) -> None:
    make_sequence(tmp_path, range(1001, 1049))
    counted = clip("x", reference=reference(str(tmp_path), span(1001, 48, 24)), source=span(1013, 12, 24))
    from_zero = clip("x", reference=reference(str(tmp_path), span(0, 48, 24)), source=span(12, 12, 24))

    for made in (counted, from_zero):
        assert numbers(only_job(tmp_path, made))[0] == 1013
        assert numbers(only_job(tmp_path, made))[-1] == 1023  # 0.448 s in


def test_the_disk_says_how_long_it_is_not_the_timeline(tmp_path: Path) -> None:
    make_sequence(tmp_path, range(1001, 1011))

    assert found(tmp_path, clip("x", reference=reference(str(tmp_path), span(0, 1980, 24)))).info.duration == Fraction(
        10, 24
    )


@pytest.mark.parametrize("name", ["shot.%04d.png", "shot.####.png"])
def test_a_pattern_in_an_external_reference_is_a_sequence(tmp_path: Path, name: str) -> None:
    make_sequence(tmp_path, range(990, 1011))
    # Programs that write so count frames in the available range: 1001 is the first, though more lie on the disk.
    made = clip("x", tmp_path / name, available=span(1001, 10, 24), source=span(1003, 4, 24))

    assert numbers(only_job(tmp_path, made)) == [1003, 1004, 1006]
    assert found(tmp_path, clip("x", tmp_path / name, source=span(0, 4, 24))).info.duration == Fraction(21, 24)


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    made = make_clip(tmp_path / "take ##2 %04d.mp4", frames=12)

    assert found(tmp_path, clip("x", made.path)).media == made.path


@pytest.mark.parametrize("name", ["100%done.mov", "take %d2.mov", "shot#1.mov", "a%20d.mov"])
def test_a_missing_file_whose_name_holds_signs_is_told_as_it_is(tmp_path: Path, name: str) -> None:
    assert obstacle(tmp_path, clip("x", name)).reason == f"no such file: {tmp_path}/{name}"


def test_a_folder_of_pictures_is_looked_through_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_sequence(tmp_path, range(1001, 1004))
    looked = []
    numbers_in = numbering._numbers_in
    monkeypatch.setattr(numbering, "_numbers_in", lambda *named: looked.append(named) or numbers_in(*named))
    library = MediaLibrary(tmp_path)
    for name in "abc":
        assert isinstance(library.find(clip(name, reference=reference(str(tmp_path)))), Medium)
    assert len(looked) == 1


def test_other_numbers_and_other_paddings_do_not_belong_to_it(tmp_path: Path) -> None:
    make_sequence(tmp_path, range(1001, 1004))
    for name in ("shot.01004.png", "shot.1004.jpg", "other.1004.png", "shot.1004.png.bak", "shot.999.png"):
        (tmp_path / name).touch()

    assert found(tmp_path, clip("x", reference=reference(str(tmp_path)))).info.duration == Fraction(3, 24)


def test_steps_and_policies_are_the_references_own(tmp_path: Path) -> None:
    make_sequence(tmp_path, [1001, 1003, 1007])
    made = reference(str(tmp_path), frame_step=2, missing_frame_policy=MissingPolicy.black)
    media: Any = found(tmp_path, clip("x", reference=made)).media

    assert (media.step, media.count, media.missing) == (2, 4, "black")


def test_without_its_first_picture_the_path_tried_is_told(tmp_path: Path) -> None:
    make_sequence(tmp_path, range(1002, 1011))
    told = obstacle(tmp_path, clip("x", reference=reference(str(tmp_path))))

    assert told.reason == f"no such file: {tmp_path}/shot.1001.png"


def test_without_a_rate_anywhere_there_is_no_time(tmp_path: Path) -> None:
    make_sequence(tmp_path, range(1001, 1011))
    told = obstacle(tmp_path, clip("x", reference=reference(str(tmp_path), rate=0)))
    assert told.reason == "the rate of its image sequence is not known"

    from_clip = clip("x", reference=reference(str(tmp_path), rate=0), source=span(0, 5, 25))
    assert found(tmp_path, from_clip).info.rate == 25


def test_a_sequence_on_a_windows_disk_is_not_looked_for_in_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_sequence(tmp_path, range(1001, 1004))
    monkeypatch.chdir(tmp_path)
    for base in ("C:\\plates", "C:\\plates\\", "file:///C:/plates"):
        assert "is a Windows path" in obstacle(tmp_path, clip("x", reference=reference(base))).reason


def test_where_the_sequence_is_gone_its_proxy_is_seen(tmp_path: Path) -> None:
    proxy = make_clip(tmp_path / "proxy.mp4", rate=24, frames=48)
    made = clip("x", source=span(1013, 12, 24))
    made.set_media_references(
        {
            "plate": reference("/gone", span(1001, 48, 24)),
            "proxy": otio.schema.ExternalReference(str(proxy.path), span(0, 48, 24)),
        },
        "plate",
    )

    assert found(tmp_path, made).media == proxy.path
    assert numbers(only_job(tmp_path, made))[0] == 12
    make_sequence(tmp_path / "plates", range(1001, 1049))
    made.media_references()["plate"].target_url_base = str(tmp_path / "plates")
    assert numbers(only_job(tmp_path, made))[0] == 1013


def test_only_pictures_that_are_looked_at_decide_the_key(tmp_path: Path) -> None:
    make_sequence(tmp_path, range(1001, 1049))
    made = clip("x", reference=reference(str(tmp_path), span(0, 48, 24)), source=span(0, 12, 24))
    before = only_job(tmp_path, made).key

    make_still(tmp_path / "shot.1040.png", 1)
    assert only_job(tmp_path, made).key == before
    make_still(tmp_path / "shot.1001.png", 1)
    assert only_job(tmp_path, made).key != before


def test_a_missing_picture_in_the_middle_that_comes_back_changes_the_key(tmp_path: Path) -> None:
    make_sequence(tmp_path, [1001, *range(1003, 1013)])
    made = clip("x", reference=reference(str(tmp_path), missing_frame_policy=MissingPolicy.hold), source=span(0, 12, 8))
    before = only_job(tmp_path, made)

    assert numbers(before)[:2] == [1001, 1004]  # the second look, 64 ms in, falls on what is missing
    make_sequence(tmp_path, [1002])
    assert only_job(tmp_path, made).key != before.key


def test_a_still_is_readable_media_without_a_length(tmp_path: Path) -> None:
    make_still(tmp_path / "title.png", 3)
    made = clip("x", "title.png", source=span(86400, 48, 24))
    medium = found(tmp_path, made)

    assert medium.info.still
    assert MediaLibrary(tmp_path).length(made) is None
