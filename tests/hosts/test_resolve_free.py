"""The free version of Resolve: the Lua script in LuaJIT, without what 21.1 took away, against the same stand-in."""

import errno
import json
import threading
import time
from fractions import Fraction
from pathlib import Path

import pytest

import v2s_plugin.hosts.resolve
from tests.hosts.resolve_runs import SaidClient, clip, done, sound
from tests.hosts.resolve_standin import MediaPoolItem, Resolve, TimelineItem
from v2s_plugin.hosts.resolve.desk import CHANGED
from v2s_plugin.hosts.resolve.free import score_free
from v2s_plugin.hosts.resolve.job import Settings
from v2s_plugin.hosts.resolve.mailbox import MailboxDesk, lua
from v2s_plugin.hosts.resolve.places import frame_rate

lupa = pytest.importorskip("lupa.luajit21", reason="lupa, which brings LuaJIT, is not installed")
from tests.hosts.lua_resolve import LuaResolve  # noqa: E402

SCRIPTS = Path(v2s_plugin.hosts.resolve.__file__).parent


class Run:
    """The command in this thread, Resolve with its script in another."""

    def __init__(self, tmp_path: Path, rate: str = "24.0") -> None:
        otio = tmp_path / "source.otio"
        otio.write_text(json.dumps({"OTIO_SCHEMA": "Timeline.1", "name": "My cut"}), encoding="utf-8")
        self.resolve = Resolve(otio, rate)
        self.mailbox = tmp_path / "mail box é"
        self.folder = tmp_path / "V2S"
        self.media = self.folder / "My_cut" / "My_cut_scored.media"
        self.texts: list[str] = []
        self.ended: list[str] = []
        self.entry = tmp_path / "V2S.lua"
        text = (SCRIPTS / "V2S.lua").read_text(encoding="utf-8")
        text = text.replace("@HOSTS@", SCRIPTS.parent.as_posix()).replace("@MAILBOX@", self.mailbox.as_posix())
        self.entry.write_text(text, encoding="utf-8")
        self.script: threading.Thread | None = None

    def click(self) -> None:
        """The editor picks V2S in the menu."""

        def work() -> None:
            try:
                LuaResolve(self.resolve, lambda seconds: time.sleep(0.01)).run_file(self.entry)
                self.ended.append("ended")
            except BaseException as error:
                self.ended.append(repr(error))

        self.script = threading.Thread(target=work)
        self.script.start()

    def wait(self, seconds: float) -> None:
        time.sleep(0.01)
        assert set(self.ended) <= {"ended"}, self.ended

    def tell(self, text: str) -> None:
        self.texts.append(text)
        if "Workspace > Scripts > V2S" in text:
            self.click()

    def __call__(self, *messages, settings: Settings | None = None, meanwhile=lambda: None) -> bool:
        self.client = SaidClient(*messages, meanwhile=meanwhile)
        desk = MailboxDesk(self.mailbox, self.folder, self.tell, wait=self.wait, patience=20.0)
        try:
            return score_free(desk, self.client, settings or Settings(sound="dog"), self.tell)
        finally:
            if self.script is not None:
                self.script.join(20)
            assert set(self.ended) <= {"ended"}, self.ended

    def ours(self) -> dict[str, list[tuple[str, int, int]]]:
        tracks = self.resolve.timeline.tracks["audio"][1:]
        return {t.name: [(Path(i.media.path).stem, i.start, i.duration) for i in t.items] for t in tracks}


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path)


@pytest.mark.parametrize("rate", ["23.976", "24.0", "29.97 DF"])
def test_sounds_stand_on_their_frames(tmp_path, rate):
    run = Run(tmp_path, rate)
    fps = frame_rate(rate)
    assert run(
        clip(run.media, "a", 48 / fps, 72 / fps),
        clip(run.media, "a2", 48 / fps, 72 / fps, 2),
        clip(run.media, "b", 60 / fps, 31 / fps),
        clip(run.media, "c", 500 / fps, 1 / fps, kind="drum"),
        done(),
    )
    assert run.ours() == {
        "V2S dog": [("a", 86448, 72)],
        "V2S dog take 2": [("a2", 86448, 72)],
        "V2S dog 2": [("b", 86460, 31)],
        "V2S drum": [("c", 86900, 1)],
    }
    assert [t.enabled for t in run.resolve.timeline.tracks["audio"]] == [True, True, False, True, True]
    assert run.texts[-1] == "placed: 4"


def test_a_second_run_replaces_and_leaves_the_editors_clips(run):
    run(clip(run.media, "old", Fraction(2), Fraction(3)), clip(run.media, "same", Fraction(8), Fraction(1)), done())
    track = run.resolve.timeline.tracks["audio"][1]
    kept = track.items[1]
    theirs = TimelineItem(MediaPoolItem(str(sound(run.folder.parent / "theirs.wav", Fraction(1)))), 86640, 24)
    track.items.append(theirs)
    run(clip(run.media, "new", Fraction(2), Fraction(3)), clip(run.media, "same", Fraction(8), Fraction(1)), done())
    assert sorted(run.ours()["V2S dog"]) == [("new", 86448, 72), ("same", 86592, 24), ("theirs", 86640, 24)]
    assert kept in track.items
    assert theirs in track.items
    assert run.texts[-1] == "placed: 1, stood there already: 1, removed, of an earlier run: 1"


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
    assert run.client.requests[0]["options"]["only"] == ["range=2.010417s-4.989583s"]
    assert sorted(run.ours()["V2S dog"]) == [("three", 86448, 72), ("two", 86592, 24)]


def test_what_the_editor_had_set_is_put_back(run):
    timeline = run.resolve.timeline
    timeline.marks = {"video": {"in": 10, "out": 20}}
    run(clip(run.media, "first", Fraction(2), Fraction(3)), done())
    timeline.tracks["audio"][1].locked = True
    timeline.tracks["audio"][0].enabled = False
    run(clip(run.media, "second", Fraction(2), Fraction(3)), done())
    assert run.ours()["V2S dog"] == [("second", 86448, 72)]
    assert timeline.marks == {"video": {"in": 10, "out": 20}}
    assert timeline.timecode == "01:00:02:10"
    assert [(t.enabled, t.locked) for t in timeline.tracks["audio"]] == [(False, False), (True, True)]
    assert run.resolve.page == "fairlight"
    assert run.resolve.pool.current is run.resolve.pool.root


@pytest.mark.parametrize("refused", ["AddTrack", "SetTrackName", "AppendToTimeline"])
def test_where_the_timeline_takes_no_sound_the_scored_one_is_imported_beside_it(run, refused):
    run.resolve.lies.add(refused)
    run(clip(run.media, "a", Fraction(2), Fraction(3)), done())
    assert [timeline.name for timeline in run.resolve.manager.project.timelines] == ["My cut", "My cut V2S"]
    assert run.resolve.manager.project.current is run.resolve.timeline
    assert any("new timeline" in text for text in run.texts)
    run.resolve.lies.add("ImportTimelineFromFile")
    run(clip(run.media, "a", Fraction(2), Fraction(3)), done())
    assert any("File > Import" in text for text in run.texts)


@pytest.mark.parametrize(
    ("setter", "told"), [("SetCurrentTimecode", "playhead"), ("SetTrackEnable", "switch them off")]
)
def test_setters_that_lie_are_found_out(run, setter, told):
    run.resolve.lies.add(setter)
    run(*(clip(run.media, f"t{take}", Fraction(2), Fraction(3), take) for take in (1, 2)), done())
    assert any(told in text for text in run.texts)


@pytest.mark.parametrize(("scope", "told"), [("marks", "in and out"), ("clip", "playhead")])
def test_nothing_marked_says_what_to_do(run, scope, told):
    assert not run(done(), settings=Settings(scope=scope))
    assert told in run.texts[-1]
    assert run.client.requests == []


def test_the_clip_under_the_playhead(run):
    run.resolve.timeline.under_playhead = TimelineItem(None, 86448, 24, "a.mov")
    run(done(), settings=Settings(scope="clip"))
    assert run.client.requests[0]["options"]["only"] == ["range=2.010417s-2.989583s"]


def test_the_script_ends_when_the_command_fails_or_is_stopped(run):
    error = {"type": "error", "id": 1, "code": "bundle", "message": "what", "detail": "", "action": "do this"}
    assert not run(error)
    assert run.texts[-2:] == ["what", "do this"]
    assert run.ended == ["ended"]
    assert run.ours() == {}


def test_files_go_to_another_drive_and_a_folder_that_takes_none_is_told(run, monkeypatch):
    replace = Path.replace

    def within_a_drive(self, target):
        if self.parent != Path(target).parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        replace(self, target)

    monkeypatch.setattr(Path, "replace", within_a_drive)
    monkeypatch.setattr(Path, "rename", within_a_drive)
    assert run(clip(run.media, "a", Fraction(2), Fraction(3)), done())
    run.folder = run.folder.parent / "source.otio"  # a file
    assert not run(done())
    assert "choose another --folder" in run.texts[-1]


def test_ctrl_c_ends_the_script_and_leaves_no_letter(run):
    class Endless(SaidClient):
        def poll(self):
            if run.texts.count("running") > 3:
                raise KeyboardInterrupt
            run.texts.append("running")
            return []

    desk = MailboxDesk(run.mailbox, run.folder, run.tell, wait=run.wait)
    with pytest.raises(KeyboardInterrupt):
        score_free(desk, Endless(), Settings(), run.tell)
    run.script.join(20)
    assert not list(run.mailbox.iterdir())
    assert run.ours() == {}


def test_a_click_without_the_command_does_nothing(run):
    run.mailbox.mkdir()
    run.click()
    run.script.join(20)
    assert run.ended == ["ended"]
    stale = {"id": "x", "scope": "timeline", "valid_until": int(time.time()) - 60}
    (run.mailbox / "request.lua").write_text(f"return {lua(stale)}", encoding="ascii")
    run.click()
    run.script.join(20)
    assert run.ended == ["ended", "ended"]
    assert not list(run.mailbox.glob("*.otio"))


@pytest.mark.parametrize("text", ['"', "\\", "a\nb", "Ünï ☂", "]]", "\0", "C:\\new\\table", "%d"])
def test_any_text_reaches_lua_as_it_is(text):
    runtime = lupa.LuaRuntime(encoding=None)
    assert runtime.execute(f"return {lua(text)}".encode("ascii")) == text.encode("utf-8")
