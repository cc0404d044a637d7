"""The main job with the bundle that ships, on real clips at four rates: what an editor relies on."""

import hashlib
import json
import wave
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import opentimelineio as otio
import pytest

from v2s_engine.audio import read_sound
from v2s_engine.bundle import load_bundle
from v2s_engine.corpus.recordings import read_held
from v2s_engine.envelope import measure_envelope
from v2s_engine.evaluate.follow import measure_following
from v2s_engine.pipeline import SoundPipeline, SoundRequest, SoundTake
from v2s_engine.sampling.choose import open_sampler
from v2s_engine.sampling.timbred import open_palette
from v2s_engine.sampling.weights import load_folded
from v2s_plugin.cli import main

CLIPS = [
    # file, rate on the timeline, first frame, frames
    ("dog_bento.mp4", 10, 0, 11),
    ("llama_drama.mp4", 24, 30, 50),
    ("walk_footpath.mp4", 30_000 / 1001, 100, 45),
    ("table_pig.mp4", 30, 12, 37),
]


@pytest.fixture(scope="module")
def timeline(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One track a rate, each clip after a gap, so that the tracks play together."""
    cut = otio.schema.Timeline("four rates")
    for index, (name, rate, first, count) in enumerate(CLIPS):
        track = otio.schema.Track(f"V{index + 1}", kind=otio.schema.TrackKind.Video)
        gap = otio.opentime.TimeRange(otio.opentime.RationalTime(0, rate), otio.opentime.RationalTime(7, rate))
        span = otio.opentime.TimeRange(otio.opentime.RationalTime(first, rate), otio.opentime.RationalTime(count, rate))
        reference = otio.schema.ExternalReference(str(shared / "media" / "video" / name))
        track.append(otio.schema.Gap(source_range=gap))
        track.append(otio.schema.Clip(Path(name).stem, media_reference=reference, source_range=span))
        cut.tracks.append(track)
    path = tmp_path_factory.mktemp("cut") / "cut.otio"
    otio.adapters.write_to_file(cut, str(path))
    return path


# The clips play together: without --covered add, only what the highest track shows would be sounded.
ASKED = ["--sound", "dog", "--covered", "add"]


@pytest.fixture(scope="module")
def scored(timeline: Path) -> Path:
    output = timeline.with_name("scored.otio")
    assert main(["generate", str(timeline), "-o", str(output), *ASKED, "--takes", "3", "--seed", "5"]) == 0
    return output


def our_clips(path: Path) -> Iterator[Any]:
    timeline = otio.adapters.read_from_file(str(path))  # its tracks die with it
    for track in timeline.tracks:
        if "v2s" in track.metadata:
            for item in track:
                if isinstance(item, otio.schema.Clip):
                    yield item


def wavs(path: Path) -> dict[str, bytes]:
    """Content of every WAV by clip and take, without the hash in its name."""
    folder = path.with_suffix(".media")
    return {file.stem.rsplit("_", 1)[0]: file.read_bytes() for file in folder.glob("*.wav")}


def test_every_wav_is_as_long_as_its_clip_to_the_sample(scored: Path) -> None:
    clips = {clip.name.split(" ")[0]: clip for clip in our_clips(scored)}
    assert len(clips) == len(CLIPS)
    for name, rate, _, count in CLIPS:
        exact = Fraction(rate).limit_denominator(1001)
        start, end = 7 / exact, (7 + count) / exact
        wanted = round(end * 48_000) - round(start * 48_000)
        for take in (1, 2, 3):
            url = clips[Path(name).stem].media_references()[f"take {take}"].target_url
            with wave.open(url) as file:
                assert (file.getframerate(), file.getsampwidth()) == (48_000, 3)
                assert file.getnframes() == wanted


def test_none_clips_and_none_is_silent(scored: Path) -> None:
    for path in scored.with_suffix(".media").glob("*.wav"):
        samples = read_sound(path, 48_000)
        assert 0.001 < np.max(np.abs(samples)) <= 10 ** (-1 / 20)


def test_three_takes_are_three_different_files(scored: Path) -> None:
    digests = [hashlib.sha256(content).hexdigest() for content in wavs(scored).values()]
    assert len(digests) == len(set(digests)) == 3 * len(CLIPS)


def test_the_same_seed_gives_the_same_bytes(scored: Path, timeline: Path) -> None:
    again = timeline.with_name("again.otio")
    assert main(["generate", str(timeline), "-o", str(again), *ASKED, "--takes", "3", "--seed", "5"]) == 0
    assert wavs(again) == wavs(scored)


def test_another_seed_gives_other_sounds(scored: Path, timeline: Path) -> None:
    other = timeline.with_name("other.otio")
    assert main(["generate", str(timeline), "-o", str(other), *ASKED, "--seed", "6"]) == 0
    assert not set(wavs(other).values()) & set(wavs(scored).values())


def test_a_second_run_replaces_and_makes_nothing_again(
    scored: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    capsys.readouterr()
    output = scored.with_name("twice.otio")
    arguments = [*ASKED, "--takes", "3", "--seed", "5", "--json"]
    assert main(["generate", str(scored), "-o", str(output), *arguments]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["made"], answer["reused"]) == (0, 3 * len(CLIPS))
    assert [clip.name for clip in our_clips(output)] == [clip.name for clip in our_clips(scored)]


def test_sound_is_heard_where_the_pictures_ask_for_it(shared: Path) -> None:
    """No window of a quarter second whose predicted envelope is above -50 dBFS throughout is silent."""
    pipeline = SoundPipeline(load_bundle("starter"))
    times = tuple(Fraction(8 * step, 125) for step in range(47))
    request = SoundRequest(shared / "media" / "video" / "llama_drama.mp4", times, 48_000, "drum", seed=1)
    (take,) = pipeline.generate([request])
    assert isinstance(take, SoundTake)
    heard = measure_envelope(take.samples).loudness
    windows = [slice(at, at + 16) for at in range(0, len(heard) - 16, 4)]
    asked = [window for window in windows if take.envelope.loudness[window].min() > -50]
    assert asked
    assert min(heard[window].max() for window in asked) > -60


@pytest.mark.slow
def test_the_starter_follows_envelopes_it_never_heard(shared: Path) -> None:
    media = shared / "media"
    bundle = load_bundle("starter")
    held = read_held(media / "audio", bundle.sound_classes, media / "manifest.csv")
    sampler = open_sampler(load_folded(bundle.sampler_path, bundle.config))
    results = measure_following(sampler, held, palette=open_palette(bundle), temperature=bundle.temperature)
    assert {each.sound_class for each in results} >= {"baby_crying", "dog", "drum", "snoring"}
    assert np.mean([each.model for each in results]) >= 0.8
