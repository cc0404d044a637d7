"""Resolve's scripts with the real worker and the demo, from the export to the sounds on the stand-in's timeline."""

import math
import os
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
import pytest

from tests.hosts.resolve_standin import Resolve
from v2s_plugin.hosts.client import WorkerClient
from v2s_plugin.hosts.resolve.desk import StudioDesk
from v2s_plugin.hosts.resolve.job import Job, Settings

WORKER = [sys.executable, "-P", "-m", "v2s_plugin.cli", "worker"]


def run(resolve, folder, settings):
    texts = []
    client = WorkerClient(WORKER, host="resolve 21.1")
    client.start()
    try:
        job = Job(StudioDesk(resolve, folder), client, settings, texts.append, lambda *_: None)
        job.start()
        while job.poll():
            time.sleep(0.05)
    finally:
        client.close()
    assert job.succeeded, texts
    return texts


def frame(time):
    """The nearest frame of 24 a second."""
    return math.floor(Fraction(time.value) / Fraction(time.rate) * 24 + Fraction(1, 2))


def test_the_demo_is_scored_on_resolves_timeline_and_again(demo_timeline, tmp_path):
    resolve = Resolve(demo_timeline)
    texts = run(resolve, tmp_path / "V2S", Settings(takes=2))
    output = tmp_path / "V2S" / "Film" / "My_cut_scored.otio"
    expected = set()
    for track in otio.adapters.read_from_file(str(output)).audio_tracks():
        for clip in track.find_clips():
            if track.metadata.get("v2s", {}).get("generated"):
                span = track.range_of_child(clip)
                start, end = (frame(time) for time in (span.start_time, span.end_time_exclusive()))
                expected.add((86400 + start, end - start))
    assert expected
    tracks = {track.name: track for track in resolve.timeline.tracks["audio"]}
    heard = {(i.start, i.duration) for name, t in tracks.items() for i in t.items if "take" not in name}
    assert heard == expected
    spare = {(i.start, i.duration) for name, t in tracks.items() for i in t.items if "take 2" in name}
    assert spare == expected
    assert f"placed: {2 * len(expected)}" in texts
    files = {item.media.path for track in tracks.values() for item in track.items}
    assert all(Path(path).is_file() for path in files)
    again = run(resolve, tmp_path / "V2S", Settings(takes=2))
    assert f"placed: 0, stood there already: {2 * len(expected)}" in again


def test_a_timeline_that_v2s_cannot_read_is_told(tmp_path):
    broken = tmp_path / "broken.otio"
    broken.write_text("{", encoding="utf-8")
    with pytest.raises(AssertionError, match=r"cannot be read|is not"):
        run(Resolve(broken), tmp_path / "V2S", Settings(sound="dog"))


def test_the_command_for_the_free_version_and_what_is_installed(demo_timeline, tmp_path):
    """`v2s hosts install resolve`, then `v2s hosts resolve`, then a click in the menu."""
    pytest.importorskip("lupa.luajit21", reason="lupa, which brings LuaJIT, is not installed")
    from tests.hosts.lua_resolve import LuaResolve

    resolve = Resolve(demo_timeline)
    resolve.timeline.marks = {"video": {"in": 0, "out": 23}}
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}
    v2s = [sys.executable, "-P", "-m", "v2s_plugin.cli", "hosts"]
    (tmp_path / "scripts").mkdir()
    subprocess.run([*v2s, "install", "resolve", "--dir", tmp_path / "scripts"], env=environment, check=True, timeout=60)
    script = next((tmp_path / "scripts").rglob("V2S.lua"))
    command = subprocess.Popen(
        [*v2s, "resolve", "--scope", "marks", "--folder", tmp_path / "V2S"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert "Workspace > Scripts > V2S" in command.stderr.readline()
        LuaResolve(resolve, time.sleep).run_file(script)
        said = command.communicate(timeout=60)[1]
    finally:
        command.kill()
    assert command.returncode == 0, said
    assert [(track.name, len(track.items)) for track in resolve.timeline.tracks["audio"][1:]] == [("V2S dog", 1)]
    assert resolve.timeline.tracks["audio"][1].items[0].start == 86400
    assert "placed: 1" in said
