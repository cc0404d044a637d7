"""What was made and stands on no timeline: found again after a cancel, and where an editor goes back."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.plugin.cuts import ClickSource, clip, names_in, options, score, span, timeline, track
from v2s_engine.errors import CancelledError
from v2s_engine.progress import Progress
from v2s_plugin.sounding import ledger


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        (tmp_path / name).touch()
    return tmp_path


def shots(*names: str) -> Any:
    return timeline(track(*(clip(name, f"{name}.mp4", source=span(0, 48, 24)) for name in names)))


class StopsAfter(ClickSource):
    """Asks for a cancel once it has made so many sounds."""

    def __init__(self, count: int, cancel: threading.Event) -> None:
        super().__init__()
        self._left, self._cancel = count, cancel

    def generate(self, requests: Any, progress: Progress | None = None) -> Any:
        for outcome in super().generate(requests, progress):
            self._left -= 1
            if self._left == 0:
                self._cancel.set()
            yield outcome


def asked(source: ClickSource) -> list[str]:
    return [request.label for request in source.requests]


def stopped_after(count: int, folder: Path, *names: str) -> None:
    cancel = threading.Event()
    with pytest.raises(CancelledError):
        score(shots(*names), folder, StopsAfter(count, cancel), progress=Progress(cancel=cancel))


def test_after_a_cancel_the_next_run_goes_on_where_it_stopped(folder: Path) -> None:
    stopped_after(2, folder, "a", "b", "c")
    source = ClickSource()
    result = score(shots("a", "b", "c"), folder, source)
    assert (asked(source), result.made, result.reused) == (["c"], 1, 2)


def test_a_line_cut_short_by_a_kill_spoils_nothing_but_itself(folder: Path) -> None:
    stopped_after(2, folder, "a", "b", "c")
    path = folder / "cut_scored.media" / ledger.NAME
    path.write_text(path.read_text()[:-20])
    source = ClickSource()
    score(shots("a", "b", "c"), folder, source)
    assert asked(source) == ["b", "c"]
    assert score(shots("a", "b", "c"), folder, ClickSource(), output=folder / "again.otio").made == 3
    (folder / "cut_scored.otio").unlink()
    source = ClickSource()
    score(shots("a", "b", "c"), folder, source)
    assert asked(source) == []


def test_going_back_to_an_earlier_seed_makes_nothing(folder: Path) -> None:
    score(shots("a"), folder, ClickSource(), plan=options(sound="dog", seed=1))
    first = (folder / "cut_scored.otio").read_text()
    score(shots("a"), folder, ClickSource(), plan=options(sound="dog", seed=2), force=True)
    source = ClickSource()
    score(shots("a"), folder, source, plan=options(sound="dog", seed=1), force=True)
    assert asked(source) == []
    assert (folder / "cut_scored.otio").read_text() == first


def test_takes_that_no_timeline_has_come_back_only_where_they_are_asked_for(folder: Path) -> None:
    score(shots("a"), folder, ClickSource(), plan=options(sound="dog", takes=3))
    (folder / "cut_scored.otio").unlink()
    result = score(shots("a"), folder, ClickSource(), plan=options(sound="dog", takes=2))
    assert [(take.take, take.reused) for take in result.scored[0].takes] == [(1, True), (2, True)]


@pytest.mark.parametrize("text", ["", "no JSON", "[]", '{"key": "x"}', '{"key": 1, "take": "one"}', "\0\xff"])
def test_a_damaged_ledger_means_that_sounds_are_made_again(folder: Path, text: str) -> None:
    stopped_after(1, folder, "a", "b")
    (folder / "cut_scored.media" / ledger.NAME).write_text(text, encoding="utf-8")
    source = ClickSource()
    score(shots("a", "b"), folder, source)
    assert asked(source) == ["a", "b"]


def test_a_wav_is_used_only_where_it_holds_what_its_line_says(folder: Path) -> None:
    stopped_after(1, folder, "a", "b")
    media = folder / "cut_scored.media"
    (media / names_in(media)[0]).write_bytes(b"RIFF?")
    source = ClickSource()
    score(shots("a", "b"), folder, source)
    assert asked(source) == ["a", "b"]


def test_a_line_cannot_lead_out_of_the_folder(folder: Path) -> None:
    media = folder / "cut_scored.media"
    media.mkdir()
    facts = {"key": "k", "take": 1, "file": "../a.wav", "sha256": "0", "length": 1, "rate": 48_000, "gain_db": 0}
    (media / ledger.NAME).write_text(json.dumps(facts | {"device": "cpu"}))
    assert ledger.noted_takes(media, 48_000)["k"][1].path == media / "a.wav"


def test_pruned_files_are_struck_from_it(folder: Path) -> None:
    score(shots("a", "b"), folder, ClickSource())
    score(shots("a"), folder, ClickSource(), force=True, prune=True)
    media = folder / "cut_scored.media"
    noted = ledger.noted_takes(media, 48_000)
    assert [take.path.name for takes in noted.values() for take in takes.values()] == names_in(media)
    for path in media.glob("*.wav"):
        path.unlink()
    ledger.forget_deleted(media)
    assert not (media / ledger.NAME).exists()
