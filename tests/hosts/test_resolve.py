"""Sounds on Resolve's timeline, against a strict stand-in. Resolve itself was not at hand."""

from fractions import Fraction
from pathlib import Path

import pytest

from tests.hosts.resolve_runs import SaidClient, clip, done
from tests.hosts.resolve_standin import Resolve, TimelineItem, exact
from v2s_plugin.hosts.resolve.desk import CHANGED, DeskError, StudioDesk, marked_range
from v2s_plugin.hosts.resolve.job import Job, Settings
from v2s_plugin.hosts.resolve.places import frame_rate, name_selector, range_selector
from v2s_plugin.planning.time_range import TimeRangeText


class Run:
    """One run of the script in a stand-in."""

    def __init__(self, tmp_path: Path, rate: str = "24.0") -> None:
        otio = tmp_path / "source.otio"
        otio.write_text("{}", encoding="utf-8")
        self.resolve = Resolve(otio, rate)
        self.folder = tmp_path / "V2S"
        self.media = self.folder / "Film" / "My_cut_scored.media"
        self.texts: list[str] = []
        self.shown: list[str] = []

    def __call__(self, *messages, settings: Settings | None = None, meanwhile=lambda: None) -> Job:
        self.client = SaidClient(*messages, meanwhile=meanwhile)
        desk = StudioDesk(self.resolve, self.folder)
        show = lambda fraction, text: self.shown.append(text)  # noqa: E731
        job = Job(desk, self.client, settings or Settings(sound="dog"), self.texts.append, show)
        job.start()
        while job.poll():
            pass
        return job

    def ours(self) -> dict[str, list[tuple[str, int, int]]]:
        tracks = self.resolve.timeline.tracks["audio"][1:]
        return {t.name: [(Path(i.media.path).stem, i.start, i.duration) for i in t.items] for t in tracks}


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path)


def test_sounds_stand_at_absolute_frames_on_named_tracks(run):
    job = run(
        clip(run.media, "a", Fraction(2), Fraction(3)),
        clip(run.media, "b", Fraction(10), Fraction(1), kind="drum"),
        done(),
    )
    assert job.succeeded
    assert run.ours() == {"V2S dog": [("a", 86400 + 48, 72)], "V2S drum": [("b", 86400 + 240, 24)]}
    assert "placed: 2" in run.texts


@pytest.mark.parametrize("rate", ["23.976", "24.0", "25", "29.97 DF", "59.94"])
def test_every_sound_stands_on_its_own_frame_at_every_rate(tmp_path, rate):
    run = Run(tmp_path, rate)
    fps = frame_rate(rate)
    frames = [(0, 42), (42, 17), (100, 1), (5003, 61)]
    run(*(clip(run.media, f"c{n}", a / fps, b / fps) for n, (a, b) in enumerate(frames)), done())
    assert run.ours() == {"V2S dog": [(f"c{n}", 86400 + a, b) for n, (a, b) in enumerate(frames)]}
    assert fps == exact(rate) if rate != "59.94" else fps == Fraction(60000, 1001)


def test_takes_wait_on_a_track_that_is_switched_off(run):
    run(*(clip(run.media, f"t{take}", Fraction(1), Fraction(2), take) for take in (1, 2)), done())
    assert list(run.ours()) == ["V2S dog", "V2S dog take 2"]
    assert [track.enabled for track in run.resolve.timeline.tracks["audio"]] == [True, True, False]


def test_overlapping_sounds_of_a_class_get_tracks_of_their_own(run):
    run(*(clip(run.media, f"o{n}", Fraction(n), Fraction(2)) for n in range(3)), done())
    assert {name: [item[0] for item in items] for name, items in run.ours().items()} == {
        "V2S dog": ["o0", "o2"],
        "V2S dog 2": ["o1"],
    }


def test_a_stereo_file_gets_a_stereo_track_and_a_mono_one_a_mono_track(run):
    from tests.hosts.resolve_runs import sound

    wide = clip(run.media, "wide", Fraction(1), Fraction(1))
    sound(Path(wide["path"]), Fraction(1), channels=2)
    run(wide, clip(run.media, "narrow", Fraction(5), Fraction(1)), done())
    assert [(t.name, t.subtype) for t in run.resolve.timeline.tracks["audio"][1:]] == [
        ("V2S dog", "stereo"),
        ("V2S dog 2", "mono"),
    ]


def test_a_second_run_replaces_and_never_doubles(run):
    run(clip(run.media, "old", Fraction(2), Fraction(3)), clip(run.media, "same", Fraction(8), Fraction(1)), done())
    kept = run.resolve.timeline.tracks["audio"][1].items[1]
    run(clip(run.media, "new", Fraction(2), Fraction(3)), clip(run.media, "same", Fraction(8), Fraction(1)), done())
    assert sorted(run.ours()["V2S dog"]) == [("new", 86448, 72), ("same", 86592, 24)]
    assert kept in run.resolve.timeline.tracks["audio"][1].items  # with what the editor set on it
    assert "placed: 1, stood there already: 1, removed, of an earlier run: 1" in run.texts


def test_a_cut_that_changes_meanwhile_is_told(run):
    shot = TimelineItem(None, 86448, 72, "a.mov")
    run.resolve.timeline.tracks["video"][0].items.append(shot)
    sounds = [clip(run.media, "a", Fraction(2), Fraction(3)), done()]
    run(*sounds)
    assert CHANGED not in run.texts
    run(*sounds, meanwhile=lambda: setattr(shot, "start", 86460))
    assert run.ours() == {"V2S dog": [("a", 86448, 72)]}
    assert run.texts.count(CHANGED) == 1


def test_a_sound_whose_end_the_editor_trimmed_stays_so(run):
    sounds = [clip(run.media, "a", Fraction(2), Fraction(3)), done()]
    run(*sounds)
    run.resolve.timeline.tracks["audio"][1].items[0].duration = 50
    run(*sounds)
    assert run.ours() == {"V2S dog": [("a", 86448, 50)]}


def test_a_run_on_a_range_leaves_sounds_outside_it(run):
    run(clip(run.media, "one", Fraction(2), Fraction(3)), clip(run.media, "two", Fraction(8), Fraction(1)), done())
    run.resolve.timeline.marks = {"video": {"in": 48, "out": 119}}
    run(clip(run.media, "three", Fraction(2), Fraction(3)), done(), settings=Settings(scope="marks"))
    assert sorted(run.ours()["V2S dog"]) == [("three", 86448, 72), ("two", 86592, 24)]


def test_the_editors_own_clips_are_never_touched(run):
    run(clip(run.media, "mine", Fraction(2), Fraction(3)), done())
    from tests.hosts.resolve_runs import sound
    from tests.hosts.resolve_standin import MediaPoolItem

    theirs = TimelineItem(MediaPoolItem(str(sound(run.folder.parent / "theirs.wav", Fraction(1)))), 86640, 24)
    run.resolve.timeline.tracks["audio"][1].items.append(theirs)
    run(clip(run.media, "late", Fraction(10), Fraction(1)), done())
    assert theirs in run.resolve.timeline.tracks["audio"][1].items
    assert run.ours()["V2S dog 2"] == [("late", 86640, 24)]  # the range on the first track is taken


def test_what_the_editor_had_set_is_put_back(run):
    timeline = run.resolve.timeline
    timeline.marks = {"video": {"in": 10, "out": 20}, "audio": {"in": 10, "out": 20}}
    timeline.tracks["audio"][0].enabled = False
    run(clip(run.media, "first", Fraction(2), Fraction(3)), done())
    timeline.tracks["audio"][1].locked = True
    run(clip(run.media, "second", Fraction(2), Fraction(3)), done())
    assert run.ours()["V2S dog"] == [("second", 86448, 72)]
    assert timeline.marks == {"video": {"in": 10, "out": 20}, "audio": {"in": 10, "out": 20}}
    assert timeline.timecode == "01:00:02:10"
    assert [(t.enabled, t.locked) for t in timeline.tracks["audio"]] == [(False, False), (True, True)]
    assert run.resolve.page == "fairlight"
    assert run.resolve.pool.current is run.resolve.pool.root
    assert run.texts[-1].startswith("placed: 1")


@pytest.mark.parametrize(
    ("setter", "told"),
    [("SetMarkInOut", "in and out"), ("SetCurrentTimecode", "playhead"), ("SetTrackEnable", "spare take")],
)
def test_setters_that_lie_are_found_out(run, setter, told):
    run.resolve.timeline.marks = {"video": {"in": 10, "out": 20}}
    run.resolve.lies.add(setter)
    run(*(clip(run.media, f"t{take}", Fraction(2), Fraction(3), take) for take in (1, 2)), done())
    assert any(told in text for text in run.texts)


@pytest.mark.parametrize("refused", ["AddTrack", "SetTrackName", "AppendToTimeline"])
def test_where_the_timeline_takes_no_sound_the_scored_one_is_imported_beside_it(run, refused):
    run.resolve.lies.add(refused)
    run(clip(run.media, "a", Fraction(2), Fraction(3)), done())
    project = run.resolve.manager.project
    assert [timeline.name for timeline in project.timelines] == ["My cut", "My cut V2S"]
    assert project.current is run.resolve.timeline
    assert any("My cut V2S" in text for text in run.texts)
    if refused == "SetTrackName":
        assert len(run.resolve.timeline.tracks["audio"]) == 1  # no stray track is left


def test_where_that_fails_too_the_editor_is_told_the_file(run):
    run.resolve.lies |= {"AddTrack", "ImportTimelineFromFile"}
    run(clip(run.media, "a", Fraction(2), Fraction(3)), done())
    assert any("My_cut_scored.otio" in text and "File > Import" in text for text in run.texts)


def test_what_the_worker_is_asked(run):
    run.resolve.timeline.marks = {"video": {"in": 48, "out": 71}}
    run(done(), settings=Settings(sound="drum", takes=3, seed=7, scope="marks"))
    assert run.client.requests == [
        {
            "type": "generate",
            "timeline": str(run.folder / "Film" / "My_cut.otio"),
            "output": str(run.folder / "Film" / "My_cut_scored.otio"),
            "options": {
                "takes": 3,
                "seed": 7,
                "force": True,
                "sound": "drum",
                "only": ["range=2.010417s-2.989583s"],
            },
        }
    ]


def test_the_clip_under_the_playhead_is_named_exactly(run):
    run.resolve.timeline.under_playhead = TimelineItem(None, 86448, 24, "take [2]*.mov")
    run(done(), settings=Settings(scope="clip"))
    assert run.client.requests[0]["options"]["only"] == ["range=2.010417s-2.989583s", "clip=take [[]2][*].mov"]


def test_marks_count_from_the_timelines_start_or_from_midnight():
    rate = Fraction(25)
    assert marked_range(50, 74, 90000, 95000, rate) == range_selector(50, 74, rate)
    assert marked_range(90050, 90074, 90000, 95000, rate) == range_selector(50, 74, rate)
    assert marked_range(50, 74, 0, 5000, rate) == range_selector(50, 74, rate)


def test_selectors_are_understood_by_v2s():
    from v2s_plugin.globs import fits

    assert TimeRangeText.parse(range_selector(0, 0, Fraction(24000, 1001)).removeprefix("range="))
    pattern = name_selector("a[1]?*.mov").removeprefix("clip=")
    assert fits(pattern, ["a[1]?*.mov"])
    assert not fits(pattern, ["a1xy.mov"])


@pytest.mark.parametrize("scope", ["marks", "clip"])
def test_nothing_marked_says_what_to_do(run, scope):
    with pytest.raises(DeskError, match=r"set them|move it"):
        run(done(), settings=Settings(scope=scope))


def test_an_export_that_fails_is_told_and_an_old_file_does_not_pass_for_it(run):
    run(done())
    run.resolve.lies.add("Export")
    with pytest.raises(DeskError, match=r"did not export"):
        run(done())


def test_another_timeline_on_screen_gets_nothing(run):
    otio = run.resolve.timeline.otio
    from tests.hosts.resolve_standin import Timeline

    class Switching(SaidClient):
        def request(self, kind, **content):
            project = run.resolve.manager.project
            project.timelines.append(Timeline(run.resolve, "Other", otio, "24.0", 0, 100))
            project.current = project.timelines[-1]
            return super().request(kind, **content)

    client = Switching(clip(run.media, "a", Fraction(2), Fraction(3)), done())
    job = Job(StudioDesk(run.resolve, run.folder), client, Settings(), run.texts.append, lambda *_: None)
    job.start()
    job.poll()
    assert not job.succeeded
    assert run.ours() == {}
    assert any("'Other'" in text and "open 'My_cut'" in text for text in run.texts)


def test_skips_warnings_and_errors_reach_the_editor(run):
    skip = {"shot": None, "label": "b.mov", "where": "00:00:01:00", "reason": "no class", "advice": "--sound dog"}
    run({"type": "warning", "id": 1, "message": "careful"}, done([skip]) | {"warnings": ["mind this"]})
    assert run.texts[:3] == ["careful", "skipped b.mov (00:00:01:00): no class; --sound dog", "mind this"]
    error = {"type": "error", "id": 1, "code": "bundle", "message": "what", "detail": "", "action": "do this"}
    assert not run(error).succeeded
    assert run.texts[-2:] == ["what", "do this"]


def test_progress_is_shown_with_the_time_left(run):
    step = {"type": "progress", "id": 1, "stage": "sample", "done": 1, "total": 4, "item": "a", "seconds_left": 12.4}
    run(step, done())
    assert "making sounds: 1 of 4, a, 12 s left" in run.shown


def test_cancel_asks_the_worker_and_places_nothing(run):
    client = SaidClient()
    job = Job(StudioDesk(run.resolve, run.folder), client, Settings(), run.texts.append, lambda *_: None)
    job.start()
    job.cancel()
    assert not job.poll()
    assert client.cancelled == [1]
    assert not job.succeeded
    assert run.ours() == {}


def test_a_rate_that_is_none_is_an_error(tmp_path):
    with pytest.raises(DeskError, match="frame rate"):
        Run(tmp_path, "fast")(done())
