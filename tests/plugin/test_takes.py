"""Takes of a scored timeline: listed, chosen, added, and nothing else touched; files that nothing uses are found."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.plugin.cuts import (
    BUNDLE,
    ClickSource,
    clip,
    fake_probe,
    gap,
    load,
    names_in,
    options,
    save,
    score,
    span,
    track,
)
from tests.plugin.cuts import timeline as cut_of
from v2s_engine.audio import read_sound
from v2s_engine.errors import BundleError, TimelineError, UsageError
from v2s_plugin.cli import main
from v2s_plugin.formats.timeline_format import format_named
from v2s_plugin.ours import our_clips
from v2s_plugin.planning.bundle_facts import BundleFacts
from v2s_plugin.planning.selection import Selection
from v2s_plugin.sounding.making import MakeSource
from v2s_plugin.takes.in_file import TakesAnswer, add_in_file, choose_in_file, takes_of_file


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A timeline of three sounds in two takes each: `a` twice, on a track in between `b`."""
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).touch()
    cut = cut_of(track(shot("a"), shot("b"), gap(12), shot("a")))
    score(cut, tmp_path, ClickSource(), plan=options(sound="dog", takes=2, seed=7))
    return tmp_path / "cut_scored.otio"


def shot(name: str, frames: int = 48, **given: Any) -> Any:
    return clip(name, f"{name}.mp4", source=span(0, frames, 24), **given)


def add(out: Path, count: int, clips: list[str], source: Any, *, bundle: BundleFacts = BUNDLE) -> TakesAnswer:
    def open_bundle(name: str) -> tuple[BundleFacts, MakeSource]:
        assert name == "toy"
        return bundle, lambda **_: source

    return add_in_file(out, count, clips, open_bundle=open_bundle, probe=fake_probe)


def waves(out: Path) -> list[str]:
    return names_in(out.with_suffix(".media"))


# ---- listed and chosen


def test_every_sound_is_listed_with_its_takes(out: Path) -> None:
    sounds = takes_of_file(out).sounds
    assert [(each.number, each.name, each.takes, each.chosen) for each in sounds] == [
        (1, "a (dog)", (1, 2), 1),
        (2, "b (dog)", (1, 2), 1),
        (3, "a (dog)", (1, 2), 1),
    ]
    assert sounds[1].where == "V2S dog at 2.000 s"


@pytest.mark.parametrize(
    ("clips", "wanted"),
    [
        ([], [2, 2, 2]),
        (["b (dog)"], [1, 2, 1]),
        (["3"], [1, 1, 2]),
        (["a*"], [2, 1, 2]),
        (["1", "B (dog)"], [2, 2, 1]),
    ],
)
def test_a_take_is_chosen_by_name_number_or_glob(out: Path, clips: list[str], wanted: list[int]) -> None:
    choose_in_file(out, 2, clips)
    assert [each.chosen for each in takes_of_file(out).sounds] == wanted


def test_choosing_changes_nothing_else_and_keeps_a_backup(out: Path) -> None:
    before, files = out.read_text(), waves(out)
    choose_in_file(out, 2, ["2"])
    after = out.read_text()
    assert (out.parent / "cut_scored.otio.bak").read_text() == before
    assert waves(out) == files
    lines = [pair for pair in zip(before.splitlines(), after.splitlines(), strict=True) if pair[0] != pair[1]]
    ((old, new),) = lines
    assert (old.split(":")[0].strip(), new.strip()) == (
        '"active_media_reference_key"',
        old.replace("take 1", "take 2").strip(),
    )


@pytest.mark.parametrize(
    ("take", "clips", "message"),
    [
        (3, ["1"], "has no take 3; it has: 1, 2"),
        (1, ["z*"], "no sound is called 'z\\*'; there are: 1 a"),
        (1, ["4"], "no sound is called '4'"),
    ],
)
def test_what_is_not_there_is_refused_and_nothing_written(out: Path, take: int, clips: list[str], message: str) -> None:
    before = out.read_text()
    with pytest.raises(UsageError, match=message):
        choose_in_file(out, take, clips)
    assert out.read_text() == before


def test_a_timeline_without_sounds_of_ours_says_so(out: Path) -> None:
    with pytest.raises(TimelineError, match=r"cut\.otio holds no sounds"):
        takes_of_file(out.parent / "cut.otio")


# ---- added


def test_takes_are_added_to_the_sounds_asked_for_and_no_others(out: Path) -> None:
    before, files = load(out), waves(out)
    source = ClickSource()
    answer = add(out, 3, ["2"], source)
    (request,) = source.requests
    assert (request.takes, request.sound_class, answer.made) == ((3, 4, 5), "dog", 3)
    first, second, third = our_clips(load(out))
    assert set(second.media_references()) == {f"take {n}" for n in range(1, 6)}
    assert second.active_media_reference_key == "take 1"
    for ours, old in zip((first, third), [*our_clips(before)][::2], strict=True):
        assert ours.to_json_string() == old.to_json_string()
    assert set(files) < set(waves(out))
    assert len(waves(out)) == len(files) + 3
    for reference in second.media_references().values():
        assert len(read_sound(out.parent / reference.target_url, 48_000)) == 96_000


def test_takes_that_are_added_are_those_that_a_run_for_more_takes_makes(out: Path) -> None:
    source = ClickSource()
    add(out, 1, [], source)
    assert sorted(request.label for request in source.requests) == ["a", "b"]
    again = ClickSource()
    result = score(None, out.parent, again, plan=options(sound="dog", takes=3, seed=7), force=True)
    assert (again.requests, result.made, result.reused) == ([], 0, 9)


def test_a_class_that_another_call_gave_is_found_again(out: Path) -> None:
    score(None, out.parent, ClickSource(), plan=options(sound_force="drum", seed=3), force=True)
    source = ClickSource()
    add(out, 1, ["b*"], source)
    assert [(request.sound_class, request.takes) for request in source.requests] == [("drum", (2,))]


def test_another_bundle_is_refused(out: Path) -> None:
    other = BundleFacts("toy", "e" * 64, ("dog", "drum"))
    with pytest.raises(BundleError, match=r"made with the bundle toy .* and toy is another"):
        add(out, 1, [], ClickSource(), bundle=other)


def test_a_sound_whose_pictures_have_changed_is_refused(out: Path) -> None:
    changed = load(out)
    changed.tracks[0][1].source_range = span(5, 43, 24)
    save(changed, out)
    with pytest.raises(TimelineError, match=r"no clip on the timeline shows what b \(dog\)"):
        add(out, 1, ["2"], ClickSource())
    assert len(waves(out)) == 4


def test_a_sound_that_cannot_be_made_is_told_and_nothing_written(out: Path) -> None:
    before = out.read_text()
    with pytest.raises(TimelineError, match=r"b .*: cannot read"):
        add(out, 1, ["2"], ClickSource(fails=lambda request: True))
    assert out.read_text() == before


def test_the_command_lists_as_text_and_as_json(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["takes", str(out), "--clip", "2", "--choose", "2"]) == 0
    assert capsys.readouterr().out == "2: b (dog) (V2S dog at 2.000 s): takes 1 [2]\n"
    assert main(["takes", str(out), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [each["chosen"] for each in answer["sounds"]] == [1, 2, 1]
    assert [take["take"] for take in answer["sounds"][0]["takes"]] == [1, 2]
    assert main(["takes", str(out), "--choose", "1", "--add", "1"]) == 2


# ---- files that nothing uses


def test_files_that_nothing_uses_any_more_are_named_and_only_those_deleted(out: Path) -> None:
    folder = out.with_suffix(".media")
    (folder / "mine_0123456789.wav").write_bytes(b"somebody's")
    (folder / "notes.txt").write_text("keep")
    old = [path for path in folder.iterdir() if path.name.startswith("b_")]
    recut = cut_of(track(shot("a"), gap(48), gap(12), shot("a")))
    result = score(recut, out.parent, ClickSource(), plan=options(sound="dog", seed=7), force=True)
    assert result.orphans == tuple(sorted(old))
    assert [each.clip.name for each in result.dropped] == ["b (dog)"]
    assert all(path.exists() for path in old)
    kept = set(names_in(folder)) - {path.name for path in old}
    pruned = score(None, out.parent, ClickSource(), plan=options(sound="dog", seed=7), force=True, prune=True)
    assert (pruned.orphans, pruned.pruned) == (tuple(sorted(old)), True)
    assert set(names_in(folder)) == kept


def test_files_that_the_input_still_uses_are_no_orphans(out: Path) -> None:
    scored = out.parent / "again.otio"
    scored.write_text(out.read_text())
    changed = load(scored)
    changed.tracks[0][1] = gap(48)
    save(changed, out.parent / "cut.otio")
    result = score(None, out.parent, ClickSource(), plan=options(sound="dog", seed=7), force=True, prune=True)
    assert result.orphans == ()


@pytest.mark.parametrize("kind", ["fcp_xml", "aaf", "mlt"])
def test_files_that_another_format_of_the_same_name_uses_are_no_orphans(out: Path, kind: str) -> None:
    plan = options(sound="dog", seed=7, takes=2)
    score(None, out.parent, ClickSource(), plan=plan, format=kind)
    recut = cut_of(track(shot("a"), gap(48), gap(12), shot("a")))
    result = score(recut, out.parent, ClickSource(), plan=plan, force=True, prune=True)
    assert [each.clip.name for each in result.dropped] == ["b (dog)"]
    assert result.orphans == ()
    out.with_name(f"cut_scored{format_named(kind).suffixes[0]}").unlink()
    result = score(None, out.parent, ClickSource(), plan=plan, force=True)
    assert [path.name[:6] for path in result.orphans] == ["b_dog_", "b_dog_"]


def test_remove_deletes_the_files_only_where_asked_to(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["remove", str(out)]) == 0
    assert len(waves(out)) == 4
    assert main(["remove", str(out), "--force", "--prune"]) == 0
    assert "1 track removed, 4 files deleted" in capsys.readouterr().err
    assert waves(out) == []


# ---- a part of the clips


def test_a_run_on_some_clips_leaves_the_sounds_of_the_others(out: Path) -> None:

    edited = load(out)
    next(iter(our_clips(edited))).enabled = False
    save(edited, out)
    source = ClickSource()
    only = options(sound="drum", seed=7, selection=Selection.parse(["clip=b"]))
    score(None, out.parent, source, plan=only, force=True)
    assert [(request.label, request.sound_class) for request in source.requests] == [("b", "drum")]
    written = load(out)
    assert [each.name for each in written.tracks] == ["V1", "V2S dog", "V2S drum"]
    assert [(each.name, each.enabled) for each in our_clips(written)] == [
        ("a (dog)", False),
        ("a (dog)", True),
        ("b (drum)", True),
    ]
