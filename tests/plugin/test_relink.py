"""Media that are not where the timeline says, found in the folders to search."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pytest

from tests.media import make_sequence
from tests.plugin.cuts import clip, info, load, options, save, span, timeline, track
from v2s_engine.errors import MediaUnreadableError, UsageError
from v2s_engine.video import Pictures, VideoInfo
from v2s_plugin.cli import main
from v2s_plugin.media import relink
from v2s_plugin.media.relink import MediaSearch
from v2s_plugin.planning.jobs import Plan, plan


def probe(media: Pictures) -> VideoInfo:
    """What the files here say of themselves: a JSON object with the arguments of `info`."""
    assert isinstance(media, Path)
    text = media.read_text()
    if text == "broken":
        raise MediaUnreadableError(f"cannot read {media}; export it again")
    said = json.loads(text or "{}")
    return info(media, Fraction(said.pop("duration", 100)), **said)


def put(path: Path, **said: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(said))
    return path


def planned(folder: Path, made: Any, *search: Path) -> Plan:
    return plan(timeline(track(made)), folder, options(sound="dog", search=search), probe=probe)


def found(folder: Path, made: Any, *search: Path) -> Path:
    result = planned(folder, made, *search)
    (job,) = result.jobs
    assert isinstance(job.media, Path)
    assert [each.media for each in result.relinked] == [job.media]
    return job.media


SHOT = span(0, 24, 24)


@pytest.mark.parametrize(
    "url", ["/gone/A shot#1.mov", "gone/A shot#1.mov", "file:///gone/A%20shot%231.mov", "D:\\gone\\A shot#1.mov"]
)
def test_a_file_is_found_by_its_name_wherever_it_lies(tmp_path: Path, url: str) -> None:
    there = put(tmp_path / "disk" / "day 1" / "A shot#1.mov")
    made = clip("x", url, source=SHOT)

    assert planned(tmp_path, made).jobs == ()
    assert found(tmp_path, made, tmp_path / "disk") == there


def test_media_that_are_where_the_timeline_says_are_not_searched_for(tmp_path: Path) -> None:
    put(tmp_path / "a.mov")
    put(tmp_path / "disk" / "a.mov")
    result = planned(tmp_path, clip("x", "a.mov", source=SHOT), tmp_path / "disk")

    assert [job.media for job in result.jobs] == [tmp_path / "a.mov"]
    assert result.relinked == ()


def test_case_matters_only_where_nothing_has_the_very_name(tmp_path: Path) -> None:
    put(tmp_path / "disk" / "1" / "SHOT.MOV")
    made = clip("x", "/gone/Shot.mov", source=SHOT)
    assert found(tmp_path, made, tmp_path / "disk").parent.name == "1"

    put(tmp_path / "disk" / "2" / "Shot.mov")
    assert found(tmp_path, made, tmp_path / "disk").parent.name == "2"


def test_of_several_the_one_whose_timecode_fits_is_taken(tmp_path: Path) -> None:
    for hour in (1, 2, 3):
        put(tmp_path / f"card {hour}" / "C0001.mov", timecode=f"0{hour}:00:00:00")
    hour = 3600 * 24
    made = clip("x", "/gone/C0001.mov", source=span(2 * hour + 24, 24, 24), available=span(2 * hour, 2400, 24))

    assert found(tmp_path, made, tmp_path).parent.name == "card 2"
    without = clip("x", "/gone/C0001.mov", source=span(3 * hour + 24, 24, 24))
    assert found(tmp_path, without, tmp_path).parent.name == "card 3"


def test_of_several_the_one_that_is_as_long_is_taken_and_one_that_is_too_short_is_not(tmp_path: Path) -> None:
    put(tmp_path / "1" / "a.mov", duration=90)
    put(tmp_path / "2" / "a.mov", duration=100)
    put(tmp_path / "3" / "a.mov", duration=5)

    assert (
        found(tmp_path, clip("x", "/gone/a.mov", source=SHOT, available=span(0, 2400, 24)), tmp_path).parent.name == "2"
    )
    (tmp_path / "2" / "a.mov").unlink()
    assert found(tmp_path, clip("x", "/gone/a.mov", source=span(240, 24, 24)), tmp_path).parent.name == "1"


def test_of_several_the_one_of_the_size_that_was_noted_is_taken(tmp_path: Path) -> None:
    small, large = put(tmp_path / "1" / "a.mov"), put(tmp_path / "2" / "a.mov", duration=100)
    for key, value, expected in (
        ("foundry.source.filesize", str(large.stat().st_size), large),
        ("foundry.source.filesize", str(small.stat().st_size), small),
    ):
        made = clip("x", "/gone/a.mov", source=SHOT)
        made.media_reference.metadata[key] = value
        assert found(tmp_path, made, tmp_path) == expected


def test_a_tie_is_not_guessed_at_but_told_with_all_that_fit(tmp_path: Path) -> None:
    first, second = put(tmp_path / "1" / "a.mov"), put(tmp_path / "2" / "a.mov")
    result = planned(tmp_path, clip("x", "/gone/a.mov", source=SHOT), tmp_path)

    assert result.jobs == result.relinked == ()
    assert result.skips[0].reason == f"2 files fit it equally well: {first}, {second}"


def test_one_that_cannot_be_read_is_no_rival(tmp_path: Path) -> None:
    good = put(tmp_path / "1" / "a.mov")
    put(tmp_path / "2" / "a.mov").write_text("broken")
    made = clip("x", "/gone/a.mov", source=SHOT)
    assert found(tmp_path, made, tmp_path) == good

    good.unlink()
    assert planned(tmp_path, made, tmp_path).skips[0].reason == f"cannot read {tmp_path}/2/a.mov"


def test_hidden_folders_and_our_own_sounds_are_not_searched(tmp_path: Path) -> None:
    put(tmp_path / ".trash" / "a.mov")
    put(tmp_path / "cut_scored.media" / "a.mov")
    made = clip("x", "/gone/a.mov", source=SHOT)

    assert planned(tmp_path, made, tmp_path).skips[0].reason == "no such file: /gone/a.mov"


def test_one_file_that_lies_in_two_folders_to_search_is_one_file(tmp_path: Path) -> None:
    there = put(tmp_path / "disk" / "day" / "a.mov")
    (tmp_path / "link").symlink_to(tmp_path / "disk")

    assert found(tmp_path, clip("x", "/gone/a.mov", source=SHOT), tmp_path, there.parent, tmp_path / "link") == there


def test_folders_are_looked_through_once_and_not_before_something_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    walks = []
    below = relink._files_below
    monkeypatch.setattr(relink, "_files_below", lambda folder: walks.append(folder) or below(folder))
    put(tmp_path / "a.mov")
    put(tmp_path / "disk" / "b.mov")
    planned(tmp_path, clip("x", "a.mov", source=SHOT), tmp_path / "disk")
    assert walks == []

    missing = [clip("x", f"/gone/{name}.mov", source=SHOT) for name in "bcb"]
    plan(timeline(track(*missing)), tmp_path, options(sound="dog", search=(tmp_path / "disk",)), probe=probe)
    assert len(walks) == 1


def test_too_many_files_and_folders_that_are_not_there_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=r"--search .*nowhere: there is no such folder"):
        MediaSearch([tmp_path / "nowhere"])
    monkeypatch.setattr(relink, "MAX_FILES", 2)
    for name in "abc":
        put(tmp_path / name)
    with pytest.raises(UsageError, match="more than 2 files"):
        MediaSearch([tmp_path]).files(["a"])


def test_an_image_sequence_is_found_by_its_first_picture(tmp_path: Path) -> None:
    make_sequence(tmp_path / "disk" / "plates", range(1001, 1025))
    for base in ("/gone", "C:\\gone"):
        reference = otio.schema.ImageSequenceReference(
            base, "shot.", ".png", 1001, 1, 24, 4, available_range=span(0, 24, 24)
        )
        made = clip("x", reference=reference, source=span(0, 24, 24))
        result = plan(timeline(track(made)), tmp_path, options(sound="dog", search=(tmp_path / "disk",)))
        assert str(result.jobs[0].media) == str(tmp_path / "disk" / "plates" / "shot.####.png")
        assert result.relinked[0].url == f"{base}/shot.####.png"
    made = clip("x", "/gone/shot.%04d.png", source=span(1001, 24, 24), available=span(1001, 24, 24))
    assert plan(timeline(track(made)), tmp_path, options(sound="dog", search=(tmp_path / "disk",))).jobs


def test_a_clip_that_only_has_a_name_is_found_by_it(tmp_path: Path) -> None:
    there = put(tmp_path / "disk" / "A001_C002.mov", timecode="01:00:00:00")
    put(tmp_path / "disk" / "no suffix")
    hour = 3600 * 24

    assert found(tmp_path, clip("A001_C002.mov", source=span(hour, 24, 24)), tmp_path / "disk") == there
    assert (
        planned(tmp_path, clip("no suffix", source=SHOT), tmp_path / "disk").skips[0].reason == "its media is missing"
    )


def test_generated_pictures_are_not_searched_for(tmp_path: Path) -> None:
    put(tmp_path / "bars.mov")
    made = clip("bars.mov", reference=otio.schema.GeneratorReference("bars.mov"), source=SHOT)

    assert "are generated" in planned(tmp_path, made, tmp_path).skips[0].reason


def test_the_command_relinks_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.media import make_clip

    (tmp_path / "disk").mkdir()
    there = make_clip(tmp_path / "disk" / "a.mp4", frames=24).path
    cut = save(timeline(track(clip("x", "/gone/a.mp4", source=SHOT))), tmp_path / "cut.otio")

    assert main(["plan", str(cut), "--sound", "dog"]) == 3
    capsys.readouterr()
    assert main(["plan", str(cut), "--sound", "dog", "--search", str(tmp_path / "disk"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["relinked"] == [{"url": "/gone/a.mp4", "media": str(there)}]
    main(["plan", str(cut), "--sound", "dog", "--search", str(tmp_path / "disk")])
    assert f"relinked: /gone/a.mp4 was found at {there}" in capsys.readouterr().err


def test_the_scored_timeline_keeps_the_urls_as_they_were(tmp_path: Path) -> None:
    from tests.plugin.cuts import ClickSource, score

    put(tmp_path / "disk" / "a.mov")
    result = score(
        timeline(track(clip("x", "D:\\gone\\a.mov", source=SHOT))),
        tmp_path,
        ClickSource(),
        probe=probe,
        plan=options(sound="dog", search=(tmp_path / "disk",)),
    )

    assert [each.media for each in result.relinked] == [tmp_path / "disk" / "a.mov"]
    assert result.output is not None
    assert load(result.output).tracks[0][0].media_reference.target_url == "D:\\gone\\a.mov"
