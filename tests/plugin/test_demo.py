"""The demo: what ships is complete, small and credited, and `v2s demo` ends with something to watch."""

import itertools
import json
from pathlib import Path

import pytest

from tests.plugin.cuts import BUNDLE, ClickSource, load, names_in
from v2s_engine.errors import OutputError
from v2s_engine.video import probe
from v2s_plugin import cli
from v2s_plugin.demo_timeline import DEMO, copy_demo
from v2s_plugin.planning.jobs import PlanOptions, plan


def test_the_demo_names_its_sounds_itself() -> None:
    found = plan(load(DEMO / "demo.otio"), DEMO, PlanOptions(BUNDLE))
    assert found.skips == ()
    assert {job.sound_class for job in found.jobs} == {"dog", "drum"}
    assert sum(len(job.cues) for job in found.jobs) == 1
    assert len({job.frame_rate for job in found.jobs}) == 2
    assert any(job.source_start > 0 for job in found.jobs)
    starts = sorted((job.timeline_start, job.timeline_end) for job in found.jobs)
    assert any(later[0] > earlier[1] for earlier, later in itertools.pairwise(starts))


def test_the_demos_media_are_small_and_each_is_credited() -> None:
    media = list((DEMO / "media").iterdir())
    assert sum(path.stat().st_size for path in media) < 6_000_000
    credits_text = (DEMO / "CREDITS.md").read_text(encoding="utf-8")
    for path in media:
        assert f"media/{path.name}" in credits_text


def test_a_folder_that_exists_is_left_alone_unless_forced(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="exists already; --force"):
        copy_demo(tmp_path)
    assert copy_demo(tmp_path, force=True) == tmp_path / "demo.otio"
    assert names_in(tmp_path) == ["CREDITS.md", "demo.otio", "media"]
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot write the demo"):
        copy_demo(tmp_path / "file", force=True)


def test_v2s_demo_ends_with_a_film_and_says_where_everything_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("v2s_plugin.engine.open_bundle", lambda name: (None, BUNDLE))
    monkeypatch.setattr("v2s_plugin.engine.open_pipeline", lambda bundle, device, **_: ClickSource())
    monkeypatch.chdir(tmp_path)
    assert cli.main(["demo"]) == 0
    out = capsys.readouterr().out
    folder = tmp_path / "v2s-demo"
    assert names_in(folder) == [
        "CREDITS.md", "demo.otio", "demo_scored.media", "demo_scored.mp4", "demo_scored.otio", "media",
    ]  # fmt: skip
    for name in ("demo_scored.otio", "demo_scored.media", "demo_scored.mp4"):
        assert str(folder / name) in out
    film = probe(folder / "demo_scored.mp4")
    assert film.has_sound
    assert abs(float(film.duration) - 7.458) < 0.05
    assert cli.main(["demo", "--json"]) == 1
    assert "exists already" in json.loads(capsys.readouterr().out)["error"]["message"]
