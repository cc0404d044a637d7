from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.media import cut_file, make_clip, make_scene_clip, make_sound, make_still, write_clip
from v2s_engine.corpus.clip_material import PreparedClip, prepare_clips
from v2s_engine.corpus.clip_sound import ClipSoundCache
from v2s_engine.corpus.clips import Clip
from v2s_engine.corpus.footage import read_sync_sound
from v2s_engine.corpus.slate import slate_picture
from v2s_engine.errors import CancelledError, MediaUnreadableError, UsageError
from v2s_engine.options import ModelConfig, VisualConfig
from v2s_engine.progress import Progress

ENVELOPE = ModelConfig(("dog",))
FRAME = ModelConfig(("dog",), conditioning="frame", visual=VisualConfig("small", 32, 3))


@dataclass
class FakeEncoder:
    """Its features are the times themselves."""

    digest: str = "fake"
    feature_size: int = 3
    calls: list[Path] = field(default_factory=list)

    def features(self, path: Path, times: Sequence[Fraction], progress: Progress | None = None) -> NDArray[np.float32]:
        self.calls.append(path)
        if path.stem == "unseen":
            raise MediaUnreadableError(f"cannot look at {path}")
        return np.array([[float(time)] * 3 for time in times], np.float32)


def clip(path: Path, begin: Fraction | None = None, duration: Fraction | None = None) -> Clip:
    return Clip(path, "dog", "train", path.name, begin, duration)


def prepared(
    path: Path, tmp_path: Path, begin: Fraction | None = None, duration: Fraction | None = None
) -> PreparedClip:
    found = prepare_clips([clip(path, begin, duration)], ENVELOPE, None, tmp_path / "cache")
    assert not found.left_out
    return found.clips[0]


def test_the_sound_starts_with_the_first_picture_and_has_its_true_length(tmp_path: Path) -> None:
    made = make_clip(tmp_path / "a.mp4", rate=Fraction(24000, 1001), frames=50, flashes=(12, 30))
    found = prepared(made.path, tmp_path)
    assert found.length == len(found.samples) == round(made.duration * 16_000)
    loud = np.flatnonzero(np.abs(found.samples) > 0.2)
    assert loud[0] == pytest.approx(float(made.flash_times[0]) * 16_000, abs=200)


def test_a_stretch_is_taken_exactly(tmp_path: Path) -> None:
    made = make_clip(tmp_path / "a.mp4", frames=75, flashes=(5, 30, 60))
    found = prepared(made.path, tmp_path, Fraction(1, 3), Fraction(7, 5))
    begin, length = 5333, round(Fraction(26, 15) * 16_000) - 5333
    assert found.length == length
    whole = read_sync_sound(made.path, 48_000)[begin : begin + length]
    np.testing.assert_allclose(found.samples, whole, atol=2 / 32_768)


def test_what_is_of_no_use_is_left_out_with_the_reason(tmp_path: Path) -> None:
    good = make_clip(tmp_path / "good.mp4", flashes=(5, 20)).path
    silent = make_clip(tmp_path / "silent.mp4").path
    mute = make_clip(tmp_path / "mute.mp4", flashes=(5,), sound=False).path
    short = make_clip(tmp_path / "short.mp4", frames=2, rate=50, flashes=(0,)).path
    only_sound = make_sound(tmp_path / "sound.wav")
    still = make_still(tmp_path / "still.png")
    noise = 0.3 * np.random.default_rng(0).standard_normal(48_000).astype(np.float32)
    one = tmp_path / "one.mp4"
    write_clip(one, [slate_picture(1, width=160, height=120)], [Fraction(0)], sound=noise, rate=Fraction(1))
    broken = cut_file(good, tmp_path / "broken.mp4", Fraction(1, 3))
    (tmp_path / "text.mp4").write_text("not a clip")
    late = clip(good, begin=Fraction(99))
    paths = [good, silent, mute, short, only_sound, still, one, broken, tmp_path / "text.mp4", tmp_path / "gone.mp4"]
    found = prepare_clips([*map(clip, paths), late], ENVELOPE, None, tmp_path / "cache", workers=2)
    assert [each.name for each in found.clips] == ["good.mp4"]
    reasons = dict(found.left_out)
    assert len(found.left_out) == 10
    for name, reason in {
        "silent.mp4": "silent throughout",
        "mute.mp4": "holds no sound",
        "short.mp4": "less than one picture step",
        "sound.wav": "",
        "still.png": "holds no sound",
        "one.mp4": "a single picture",
        "broken.mp4": "",
        "text.mp4": "",
        "gone.mp4": "no",
        "good.mp4": "after its file's end",
    }.items():
        assert reason in reasons[name], (name, reasons[name])


def test_features_are_those_of_the_clips_pictures(tmp_path: Path) -> None:
    made = make_clip(tmp_path / "a.mp4", frames=30, flashes=(20,))
    encoder = FakeEncoder()
    (found,) = prepare_clips([clip(made.path, Fraction(1, 2))], FRAME, encoder, tmp_path / "cache").clips
    assert found.length == 11_200
    times = [0.5 + 0.064 * step for step in range(11)]
    np.testing.assert_allclose(found.features[:, 0], times, atol=1e-3)  # kept as float16


def test_nothing_is_decoded_or_looked_at_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [
        make_clip(tmp_path / f"{name}.mp4", frames=count, flashes=(5,)).path for name, count in (("a", 20), ("b", 30))
    ]
    encoder = FakeEncoder()
    first = prepare_clips([*map(clip, paths)], FRAME, encoder, tmp_path / "cache")
    monkeypatch.setattr("v2s_engine.corpus.clip_sound._decode", lambda clip: pytest.fail("decoded again"))
    again = prepare_clips([*map(clip, paths)], FRAME, encoder, tmp_path / "cache")
    assert len(encoder.calls) == 2
    for one, other in zip(first.clips, again.clips, strict=True):
        np.testing.assert_array_equal(one.samples, other.samples)
        np.testing.assert_array_equal(one.features, other.features)
        assert one.sha256 == other.sha256
        assert len(one.sha256) == 64


def test_a_second_start_reads_no_media_and_no_features(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_clip(tmp_path / "a.mp4", frames=20, flashes=(5,)).path
    for number in range(2):
        prepare_clips([clip(path)], FRAME, FakeEncoder(), tmp_path / "cache")
        if number == 0:
            monkeypatch.setattr("v2s_engine.corpus.clip_sound.file_digest", lambda path: pytest.fail("hashed again"))
            monkeypatch.setattr("v2s_engine.vision.feature_cache._read", lambda *args: pytest.fail("read again"))


def test_media_are_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_clip(tmp_path / "a.mp4", frames=20, flashes=(5,)).path
    monkeypatch.setattr("v2s_engine.vision.feature_cache.file_digest", lambda path: pytest.fail("hashed twice"))
    (found,) = prepare_clips([clip(path)], FRAME, FakeEncoder(), tmp_path / "cache").clips
    assert len(found.features) == 13


def test_damaged_features_are_made_again_when_they_are_read(tmp_path: Path) -> None:
    path, encoder = make_clip(tmp_path / "a.mp4", frames=20, flashes=(5,)).path, FakeEncoder()
    (first,) = prepare_clips([clip(path)], FRAME, encoder, tmp_path / "cache").clips
    wanted = first.features
    (kept,) = (tmp_path / "cache" / "features").iterdir()
    kept.write_bytes(kept.read_bytes()[:-5])
    (again,) = prepare_clips([clip(path)], FRAME, encoder, tmp_path / "cache").clips
    np.testing.assert_array_equal(again.features, wanted)
    assert len(encoder.calls) == 2


def test_no_two_write_under_the_same_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, names = make_clip(tmp_path / "a.mp4", frames=20, flashes=(5,)).path, []

    def save(tensors: object, file: Path, metadata: object) -> None:
        names.append(file)
        file.touch()

    monkeypatch.setattr("v2s_engine.corpus.clip_sound.save_file", save)
    for _ in range(2):
        ClipSoundCache(tmp_path / "sounds").get(clip(path))
    assert len(set(names)) == 2


def test_damaged_sounds_are_made_again(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", flashes=(5,)).path
    wanted = prepared(path, tmp_path).samples
    (kept,) = (tmp_path / "cache" / "sounds").iterdir()
    kept.write_bytes(kept.read_bytes()[:500])
    np.testing.assert_array_equal(prepared(path, tmp_path).samples, wanted)


def test_clips_that_cannot_be_looked_at_are_left_out(tmp_path: Path) -> None:
    names = {"seen": 20, "unseen": 30}
    paths = [make_clip(tmp_path / f"{name}.mp4", frames=count, flashes=(5,)).path for name, count in names.items()]
    found = prepare_clips([*map(clip, paths)], FRAME, FakeEncoder(), tmp_path / "cache")
    assert [each.name for each in found.clips] == ["seen.mp4"]
    assert found.left_out == (("unseen.mp4", f"cannot look at {paths[1]}"),)


def test_an_encoder_is_wanted_by_models_that_look_and_by_no_other(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="want a visual encoder"):
        prepare_clips([], FRAME, None, tmp_path)
    with pytest.raises(UsageError, match="at least 1 worker; got 0"):
        prepare_clips([], ENVELOPE, None, tmp_path, workers=0)
    with pytest.raises(UsageError, match="want no visual encoder"):
        prepare_clips([], ENVELOPE, FakeEncoder(), tmp_path)
    (found,) = prepare_clips(
        [clip(make_clip(tmp_path / "a.mp4", flashes=(5,)).path)], ENVELOPE, None, tmp_path / "cache"
    ).clips
    with pytest.raises(UsageError, match="without features"):
        _ = found.features


def test_preparing_can_be_stopped(tmp_path: Path) -> None:
    paths = [
        make_scene_clip(tmp_path / f"{seed}.mp4", seed, length=8_000) and tmp_path / f"{seed}.mp4" for seed in (1, 2)
    ]
    progress = Progress()
    progress.cancel.set()
    with pytest.raises(CancelledError):
        prepare_clips([*map(clip, paths)], ENVELOPE, None, tmp_path / "cache", progress=progress)
