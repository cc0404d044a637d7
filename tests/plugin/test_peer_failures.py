"""Faults seen in other tools' code or complained of by their users: each has a test here that V2S has not got it."""

from __future__ import annotations

import json
import shutil
import wave
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import opentimelineio as otio
import pytest
from numpy.typing import NDArray

from tests.media import make_clip, read_number
from tests.models import tiny_bundle
from tests.plugin.cuts import BUNDLE, clip, gap, info, load, options, save, score, span, timeline, track
from v2s_engine.audio import read_sound
from v2s_engine.pipeline import SoundPipeline, SoundRequest, SoundTake
from v2s_engine.progress import Progress
from v2s_engine.sampling.choose import Choice
from v2s_engine.video import PictureReader, VideoInfo, probe, read_pictures
from v2s_plugin import cli
from v2s_plugin.planning.bundle_facts import BundleFacts
from v2s_plugin.planning.jobs import plan
from v2s_plugin.tracks.writeback import without_sound_tracks

NTSC = {23.976: Fraction(24_000, 1001), 29.97: Fraction(30_000, 1001)}


class NoiseSource:
    """Makes noise of one level from the first sample to the last; another seed, class or take: other noise."""

    def __init__(self, device: str = "fake", level: Callable[[SoundRequest], float] = lambda request: 0.1) -> None:
        self.choice = Choice(device, "it is a stand-in")
        self.level = level

    def samples(self, request: SoundRequest, take: int) -> NDArray[np.float32]:
        random = np.random.default_rng([request.seed, take, len(request.sound_class)])
        noise = random.uniform(-1, 1, request.length) * self.level(request)
        return noise.astype(np.float32)

    def generate(self, requests: Sequence[SoundRequest], progress: Progress | None = None) -> Iterator[SoundTake]:
        for request in requests:
            for take in request.takes:
                yield SoundTake(request, take, self.samples(request, take), None)


class WatchingSource(NoiseSource):
    """Looks at the pictures and clicks where a frame's number, or a later one's, is first on screen."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def samples(self, request: SoundRequest, take: int) -> NDArray[np.float32]:
        pictures = read_pictures(request.media, request.picture_times, width=160, height=120)
        shown = [read_number(picture) for picture in pictures]
        first = next(index for index, number in enumerate(shown) if number is not None and number >= self.number)
        samples = np.zeros(request.length, np.float32)
        samples[first * 1024 : first * 1024 + 200] = 0.5
        return samples


def only_wav(folder: Path) -> Path:
    (path,) = folder.glob("*.media/*.wav")
    return path


def seconds_of(path: Path) -> Fraction:
    with wave.open(str(path)) as file:
        return Fraction(file.getnframes(), file.getframerate())


# ---- Pallaidium: samples at 44.1 kHz in a file that says 48 kHz


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_sample_rate_mislabel(tmp_path: Path, rate: int) -> None:
    """What a file says of its rate, times its samples, is the clip's length; and a sound stands where it was made."""
    make_clip(tmp_path / "a.mp4", frames=200)
    cut = timeline(track(clip("a", "a.mp4", source=span(0, 200, 25))))
    score(cut, tmp_path, WatchingSource(150), probe=probe, rate=rate)
    wav = only_wav(tmp_path)
    assert seconds_of(wav) == 8
    with wave.open(str(wav)) as file:
        assert file.getframerate() == rate
    heard = np.flatnonzero(np.abs(read_sound(wav, rate)) > 0.1)[0] / rate
    assert heard == pytest.approx(6.016, abs=0.002)  # the first step of 64 ms that shows frame 150


# ---- HunyuanVideo-Foley: nothing after 15 s; ThinkSound: 5.9 s become 5 s


@pytest.mark.parametrize("seconds", [Fraction(3, 10), Fraction(59, 10), Fraction(20), Fraction(181)])
def test_silent_cap_and_floor(tmp_path: Path, seconds: Fraction) -> None:
    (tmp_path / "a.mp4").touch()
    cut = timeline(track(clip("a", "a.mp4", source=span(0, float(seconds * 30), 30))))

    def long(media: Any) -> VideoInfo:
        return info(media, 600)

    score(cut, tmp_path, NoiseSource(), probe=long)
    wav = only_wav(tmp_path)
    assert seconds_of(wav) == seconds
    sound = read_sound(wav, 48_000)
    tenths = sound[: len(sound) // 4800 * 4800].reshape(-1, 4800)
    assert np.abs(tenths).max(axis=1).min() > 0.05


def test_silent_cap_of_a_real_model(tmp_path: Path) -> None:
    """20 s from a network: no second of it is silent, and none repeats another."""
    bundle = tiny_bundle(tmp_path / "tiny")
    make_clip(tmp_path / "a.mp4", frames=500, width=64, height=64)
    score(timeline(track(clip("a", "a.mp4"))), tmp_path, SoundPipeline(bundle), probe=probe)
    sound = read_sound(only_wav(tmp_path), 48_000)
    seconds = sound.reshape(20, 48_000)
    assert np.abs(seconds).max(axis=1).min() > 0.001
    assert len({second.tobytes() for second in seconds}) == 20


# ---- ComfyUI nodes that take every video for 25 frames a second


@pytest.mark.parametrize("rate", [10.0, 12.0, 16.0, 23.976, 24.0, 29.97, 50.0, 60.0])
def test_25_fps_assumption(tmp_path: Path, rate: float) -> None:
    exact = NTSC.get(rate, Fraction(rate))
    frames = round(5 * exact)
    media = make_clip(tmp_path / "a.mp4", rate=exact, frames=frames + 20, width=64, height=64)
    cut = timeline(track(clip("a", "a.mp4", source=span(10, frames, rate))))
    (job,) = plan(cut, tmp_path, options(sound="dog")).jobs
    assert job.duration == frames / exact
    shown = [read_number(picture) for picture in read_pictures(job.media, job.picture_times, width=64, height=64)]
    moments = [index * Fraction(64, 1000) for index in range(len(shown))]
    inside = [moment for moment in moments if moment < job.duration]
    assert shown[: len(inside)] == [10 + int(moment * exact) for moment in inside]
    assert media.number_at(job.picture_times[0]) == 10


def test_25_fps_assumption_with_a_variable_frame_rate(tmp_path: Path) -> None:
    media = make_clip(tmp_path / "a.mkv", vfr=True, frames=90, width=64, height=64)
    cut = timeline(track(clip("a", "a.mkv", source=span(25, 125, 25))))
    (job,) = plan(cut, tmp_path, options(sound="dog")).jobs
    shown = [read_number(picture) for picture in read_pictures(job.media, job.picture_times, width=64, height=64)]
    assert job.duration == 5
    assert shown == [media.number_at(time) for time in job.picture_times]


# ---- FoleyCrafter: a 20 s clip is looked at as if it lasted 10 s, so all comes at half its time


def test_long_clip_time_squeeze(tmp_path: Path) -> None:
    make_clip(tmp_path / "a.mp4", frames=500)
    score(timeline(track(clip("a", "a.mp4"))), tmp_path, WatchingSource(300), probe=probe)
    heard = np.flatnonzero(np.abs(read_sound(only_wav(tmp_path), 48_000)) > 0.1)[0] / 48_000
    assert heard == pytest.approx(12, abs=0.064)


# ---- MMAudio: two hours are decoded for eight seconds of them


def test_full_file_decode(tmp_path: Path) -> None:
    make_clip(tmp_path / "a.mp4", frames=2500, width=64, height=64)
    cut = timeline(track(clip("a", "a.mp4", source=span(2000, 25, 25))))
    (job,) = plan(cut, tmp_path, options(sound="dog")).jobs
    with PictureReader(job.media) as reader:
        shown = [read_number(picture) for picture in reader.read(job.picture_times, width=64, height=64)]
        assert reader.decoded < 100  # a group of pictures before it, and what the decoder holds back
    assert (shown[0], shown[-1]) == (2000, 2024)


# ---- ThinkSound, AudioX: each file is turned up to full level, so that a quiet room is as loud as a drum


def test_per_file_peak_normalise(tmp_path: Path) -> None:
    for name in ("room", "drum"):
        (tmp_path / f"{name}.mp4").touch()
    cut = timeline(track(*[clip(name, f"{name}.mp4", source=span(0, 48, 24)) for name in ("room", "drum")]))
    source = NoiseSource(level=lambda request: 0.01 if request.label == "room" else 0.5)
    result = score(cut, tmp_path, source)
    peaks = {each.job.label: np.abs(read_sound(each.takes[0].path, 48_000)).max() for each in result.scored}
    assert peaks["drum"] / peaks["room"] == pytest.approx(50, rel=0.1)
    assert {take.gain_db for each in result.scored for take in each.takes} == {0.0}


# ---- PySceneDetect: `available_range` says 1980 frames, whatever the file holds


def test_available_range_of_pyscenedetect(tmp_path: Path) -> None:
    for name in ("long", "short"):
        (tmp_path / f"{name}.mp4").touch()
    available = span(0, 1980, 24)
    beyond = clip("scene 40", "long.mp4", source=span(2016, 48, 24), available=available)
    within = clip("scene 2", "short.mp4", source=span(240, 48, 24), available=available)

    def measured(media: Any) -> VideoInfo:
        return info(media, 100 if media.stem == "long" else 5)

    found = plan(timeline(track(beyond, within)), tmp_path, options(sound="dog"), probe=measured)
    (job,) = found.jobs
    assert (job.label, job.source_start) == ("scene 40", 84)
    assert [(skip.label, "which lasts 5.000 s" in skip.reason) for skip in found.skips] == [("scene 2", True)]


# ---- Premiere: the start of a reversed clip may be shifted, even out of its media (OpenTimelineIO #1890)


def test_premiere_reversed_start(tmp_path: Path) -> None:
    """Inside its media a reversed clip runs down to its start; one that is shifted out of it is told, not guessed."""
    make_clip(tmp_path / "a.mp4", rate=24, frames=96, width=64, height=64)
    reverse = [otio.schema.LinearTimeWarp(time_scalar=-1)]
    right = clip("right", "a.mp4", source=span(24, 24, 24), available=span(0, 96, 24), effects=reverse)
    shifted = clip("shifted", "a.mp4", source=span(1000, 24, 24), available=span(0, 96, 24), effects=reverse)
    found = plan(timeline(track(right, shifted)), tmp_path, options(sound="dog"))
    (job,) = found.jobs
    shown = [read_number(picture) for picture in read_pictures(job.media, job.picture_times, width=64, height=64)]
    assert job.label == "right"
    assert shown[0] == 47
    assert shown[:16] == sorted(shown[:16], reverse=True)
    assert min(number for number in shown if number is not None) >= 24
    assert [skip.label for skip in found.skips] == ["shifted"]
    assert "which lasts 4.000 s" in found.skips[0].reason


# ---- auto-subs #366, #618, #619: in and out points, names and track locks were not left as found


def test_tracks_locks_and_enables_are_left_as_found(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.mp4").touch()
    shots = [
        clip(
            "a", "./a.mp4", source=span(86_400, 48, 24), available=span(86_400, 960, 24), metadata={"host": {"in": 7}}
        ),
        clip("b", "b.mp4", source=span(0, 48, 24), enabled=False),
    ]
    cut = timeline(
        track(*shots, name="Film"),
        track(gap(24), name="Off", enabled=False),
        track(clip("voice", "voice.wav", source=span(0, 24, 24)), name="Dialogue", kind="Audio"),
        start=otio.opentime.RationalTime(86_400, 24),
    )
    cut.metadata["Resolve_OTIO"] = {"Render Name": "reel_1", "In": 86_412, "Out": 86_460}
    for index, each in enumerate(cut.tracks):
        each.metadata["Resolve_OTIO"] = {"Locked": index != 1, "SoloOn": index == 2}
    score(cut, tmp_path, NoiseSource())
    written = load(tmp_path / "cut_scored.otio")
    assert [each.name for each in written.tracks] == ["Film", "Off", "Dialogue", "V2S dog"]
    before = json.loads((tmp_path / "cut.otio").read_text())
    assert json.loads(without_sound_tracks(written).to_json_string()) == before


# ---- HunyuanVideo-Foley: a seed that is never used, `--batch_size` that is never read


@pytest.fixture
def busy(tmp_path: Path) -> Path:
    """A folder with a cut in which every option of `v2s generate` finds something to change."""
    folder = tmp_path / "first"
    (folder / "elsewhere").mkdir(parents=True)
    for name in ("plain.mp4", "noted.mp4", "under.mp4", "over.mp4", "talk.mp4", "elsewhere/lost.mp4"):
        make_clip(folder / name, frames=50, width=64, height=64)
    (folder / "classes.csv").write_text("plain*,drum\n")
    (folder / "guide.csv").write_text("time_s,loudness_dbfs\n0,-14\n")
    (folder / "events.edl").write_text(
        "TITLE: cut\n\n001  REEL V C 00:00:00:00 00:00:01:00 00:00:00:00 00:00:01:00\n* FROM CLIP NAME: plain.mp4\n"
    )

    def shot(name: str, *notes: str) -> Any:
        return clip(name, f"{name}.mp4", source=span(0, 50, 25), notes=notes)

    cut = timeline(
        track(
            shot("noted", "v2s:sound=dog"), shot("plain"), shot("under"), shot("talk"), shot("lost", "v2s:sound=dog")
        ),
        track(gap(100, 25), shot("over"), name="V2"),
        track(gap(150, 25), shot("talk"), name="Dialogue", kind="Audio"),
        track(shot("noted").deepcopy(), name="Muted", kind="Audio", enabled=False),
        track(clip("music", "plain.mp4", source=span(0, 25, 25)), name="Music", kind="Audio"),
    )
    save(cut, folder / "cut.otio")
    return folder


DONE = (0, 3)  # 3: some clips were skipped

FLAGS: dict[str, tuple[list[str], list[str]]] = {
    # flag: what is given with and without it, and what is added with it
    "--prune": (["-o", "pruned.otio", "--force"], ["--prune"]),
    "--output": ([], ["-o", "other.otio"]),
    "--sound": ([], ["--sound", "drum"]),
    "--sound-force": ([], ["--sound-force", "drum"]),
    "--bundle": ([], ["--bundle", "other"]),
    "--takes": ([], ["--takes", "2"]),
    "--seed": ([], ["--seed", "1"]),
    "--device": ([], ["--device", "cpu"]),
    "--rate": ([], ["--rate", "44100"]),
    "--existing": (["--sound", "dog"], ["--existing", "add"]),
    "--covered": (["--sound", "dog"], ["--covered", "add"]),
    "--carry": (["--sound", "dog"], ["--carry"]),
    "--only": (["--sound", "dog"], ["--only", "clip=noted"]),
    "--map": ([], ["--map", "classes.csv"]),
    "--search": ([], ["--search", "elsewhere"]),
    "--envelope-from": ([], ["--envelope-from", "guide.csv"]),
    "--tracks": (["--sound", "drum"], ["--tracks", "single"]),
    "--lufs": ([], ["--lufs", "-40"]),
    "--duck": ([], ["--duck", "Music"]),
    "--duck-by": (["--duck", "Music"], ["--duck-by", "20"]),
    "--pan": ([], ["--pan", "motion"]),
    "--fade": ([], ["--fade", "200"]),
    "--in-place": ([], ["--in-place"]),
    "--force": (["-o", "before.otio"], ["--force"]),
    "--format": ([], ["--format", "otioz"]),
    "--edl-rate": (["-o", "events.otio"], ["--edl-rate", "30"]),
    "--json": ([], ["--json"]),
}


def test_dead_flag_none_of_ours_is_left_out_below() -> None:
    import typer.main

    command = typer.main.get_command(cli.app).commands["generate"]  # type: ignore[attr-defined]
    given = {
        next(name for name in each.opts if name.startswith("--")) for each in command.params if "--" in each.opts[0]
    }
    assert given - {"--help"} == set(FLAGS)


@pytest.mark.parametrize("flag", FLAGS)
def test_dead_flag(busy: Path, flag: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With the flag something comes out otherwise than without it: a file, an answer, or what is said."""
    if flag == "--edl-rate":
        pytest.importorskip("otio_cmx3600_adapter", reason="reading an EDL needs the extra formats")

    def bundle(name: str) -> tuple[None, BundleFacts]:
        return None, BundleFacts(name, name.ljust(64, "0"), BUNDLE.sound_classes)

    monkeypatch.setattr("v2s_plugin.engine.open_bundle", bundle)
    monkeypatch.setattr("v2s_plugin.engine.open_pipeline", lambda bundle, device, **_: NoiseSource(device))
    common, more = FLAGS[flag]
    source = "events.edl" if flag == "--edl-rate" else "cut.otio"
    monkeypatch.chdir(busy)
    for earlier in ("before.otio", "pruned.otio"):
        assert cli.main(["generate", "cut.otio", "-o", earlier, "--seed", "9", "--existing", "add"]) in DONE
    capsys.readouterr()

    def outcome(number: int, arguments: list[str]) -> tuple[object, ...]:
        folder = shutil.copytree(busy, busy.parent / f"copy {number}")
        monkeypatch.chdir(folder)
        code = cli.main(["generate", source, *arguments])
        said = capsys.readouterr()
        files = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        return code, said.out.replace(str(folder), ""), said.err.replace(str(folder), ""), files

    without = outcome(1, common)
    assert outcome(2, common) == without
    with_flag = outcome(3, [*common, *more])
    assert with_flag != without
    assert flag == "--edl-rate" or with_flag[0] in DONE
