"""Features on disk: made once, never wrong."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.media import make_clip, make_sound
from v2s_engine.errors import CancelledError, MediaNotFoundError, OutputError, UsageError
from v2s_engine.options import VisualConfig
from v2s_engine.progress import Progress, ProgressEvent
from v2s_engine.vision.feature_cache import DRAFT_LIFE, FeatureCache, FeatureItem, extract_features
from v2s_engine.vision.visual_encoder import open_visual_encoder

TIMES = tuple(Fraction(64 * i, 1000) for i in range(5))


class Counter:
    """Looks at nothing: its features say how often it was asked, and follow from the times."""

    feature_size = 3

    def __init__(self, digest: str = "counter", scale: float = 1.0) -> None:
        self.digest = digest
        self.asked: list[Path] = []
        self._scale = scale

    def features(self, path: Path, times: Sequence[Fraction], progress: Progress | None = None) -> NDArray[np.float32]:
        (progress or Progress()).check()
        self.asked.append(path)
        return np.array([[float(each) + 1 / 3, self._scale, 0] for each in times], np.float32).reshape(-1, 3)


@pytest.fixture
def media(tmp_path: Path) -> Path:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"pictures")
    return path


@pytest.fixture
def cache(tmp_path: Path) -> FeatureCache:
    return FeatureCache(tmp_path / "kept" / "features")


def only_file(tmp_path: Path) -> Path:
    (file,) = (tmp_path / "kept" / "features").iterdir()
    return file


def test_features_are_made_once_and_are_the_same_from_disk(cache: FeatureCache, media: Path, tmp_path: Path) -> None:
    maker = Counter()
    made, kept = (cache.get_or_make(media, TIMES, maker) for _ in range(2))

    assert (made.origin, kept.origin, len(maker.asked)) == ("made", "kept", 1)
    assert made.values.dtype == kept.values.dtype == np.float32
    assert np.array_equal(made.values, kept.values)
    np.testing.assert_allclose(made.values, Counter().features(media, TIMES), rtol=1e-3)
    assert only_file(tmp_path).stat().st_mode & 0o777 == 0o644
    assert only_file(tmp_path).stat().st_size < 600


def test_the_same_clip_gives_the_same_bytes(media: Path, tmp_path: Path) -> None:
    for name in ("one", "other"):
        FeatureCache(tmp_path / name).get_or_make(media, TIMES, Counter())
    (one,), (other,) = ((tmp_path / name).iterdir() for name in ("one", "other"))
    assert one.name == other.name
    assert one.read_bytes() == other.read_bytes()


def test_whatever_decides_the_features_decides_the_file(cache: FeatureCache, media: Path, tmp_path: Path) -> None:
    cache.get_or_make(media, TIMES, Counter())
    later = tuple(each + Fraction(1, 10**9) for each in TIMES)
    assert cache.get_or_make(media, later, Counter()).origin == "made"
    assert cache.get_or_make(media, TIMES[:4], Counter()).origin == "made"
    assert cache.get_or_make(media, TIMES[::-1], Counter()).origin == "made"
    assert cache.get_or_make(media, TIMES, Counter("another")).origin == "made"
    media.write_bytes(b"other pictures")
    assert cache.get_or_make(media, TIMES, Counter()).origin == "made"


def test_a_clip_under_another_name_is_the_same_clip(cache: FeatureCache, media: Path, tmp_path: Path) -> None:
    cache.get_or_make(media, TIMES, Counter())
    copy = Path(shutil.copy(media, tmp_path / "été.mp4"))
    assert FeatureCache(tmp_path / "kept" / "features").get_or_make(copy, TIMES, Counter()).origin == "kept"


@pytest.mark.parametrize("damage", ["empty", "cut", "foreign", "bit", "renamed"])
def test_a_damaged_file_is_made_again_and_said(cache: FeatureCache, media: Path, tmp_path: Path, damage: str) -> None:
    good = cache.get_or_make(media, TIMES, Counter()).values
    file = only_file(tmp_path)
    data = file.read_bytes()
    if damage == "renamed":  # whole, but of another clip
        FeatureCache(tmp_path / "other").get_or_make(media, TIMES, Counter("other", scale=7))
        (foreign,) = (tmp_path / "other").iterdir()
        foreign.replace(file)
    else:
        changed = bytearray(data)
        changed[-7] ^= 1
        file.write_bytes({"empty": b"", "cut": data[:-4], "foreign": b"something else", "bit": bytes(changed)}[damage])
    again = cache.get_or_make(media, TIMES, Counter())

    assert again.origin == "remade"
    assert np.array_equal(again.values, good)
    assert file.read_bytes() == data
    assert cache.get_or_make(media, TIMES, Counter()).origin == "kept"


def test_numbers_too_large_for_half_precision_are_kept_whole(cache: FeatureCache, media: Path) -> None:
    maker = Counter(scale=1e6)
    assert cache.get_or_make(media, TIMES, maker).values[0, 1] == 1e6
    assert cache.get_or_make(media, TIMES, maker).values[0, 1] == 1e6


def test_no_pictures_are_kept_too(cache: FeatureCache, media: Path) -> None:
    assert [cache.get_or_make(media, (), Counter()).values.shape for _ in range(2)] == [(0, 3)] * 2


def test_a_folder_that_cannot_be_and_media_that_are_not_there(cache: FeatureCache, media: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="choose another folder"):
        FeatureCache(media / "inside")
    with pytest.raises(MediaNotFoundError, match="relink"):
        cache.get_or_make(tmp_path / "nothing.mp4", TIMES, Counter())


def test_what_a_killed_run_left_half_written_is_swept_up_once_it_is_old(tmp_path: Path) -> None:
    young, old = tmp_path / "young.part", tmp_path / "old.part"
    for draft in (young, old):
        draft.write_bytes(b"half")
    then = time.time() - DRAFT_LIFE - 60
    os.utime(old, (then, then))
    FeatureCache(tmp_path)
    assert (young.exists(), old.exists()) == (True, False)


@pytest.mark.parametrize("workers", [1, 3])
def test_many_clips_with_bad_ones_among_them(tmp_path: Path, cache: FeatureCache, workers: int) -> None:
    good = [make_clip(tmp_path / f"{number}.mp4", frames=5 + number).path for number in range(3)]
    (tmp_path / "broken.mp4").write_bytes(b"no video at all")
    bad = [tmp_path / "nothing.mp4", make_sound(tmp_path / "sound.wav"), tmp_path / "broken.mp4"]
    items = [FeatureItem(path, TIMES) for pair in zip(bad, good, strict=True) for path in pair]
    encoder = open_visual_encoder(VisualConfig("small", 32, 8), "random")
    events: list[ProgressEvent] = []

    first = extract_features(items, encoder, cache, workers=workers, progress=Progress(events.append))
    assert (first.made, first.kept, first.remade) == (3, 0, 0)
    assert [item.path for item, _ in first.failures] == bad
    assert first.failures[0][1].startswith("no such file")
    assert "holds no pictures" in first.failures[1][1]
    assert [event.done for event in events] == [1, 2, 3, 4, 5, 6]
    assert {event.stage for event in events} == {"look"}

    (next((tmp_path / "kept" / "features").iterdir())).write_bytes(b"")
    second = extract_features(items, encoder, cache, workers=workers)
    assert (second.made, second.kept, second.remade) == (0, 2, 1)
    assert second.failures == first.failures


def test_nothing_to_do_and_nobody_to_do_it(cache: FeatureCache) -> None:
    assert extract_features([], Counter(), cache).made == 0
    with pytest.raises(UsageError, match="at least 1 worker"):
        extract_features([], Counter(), cache, workers=0)


def test_a_stop_keeps_what_is_done(tmp_path: Path, cache: FeatureCache) -> None:
    items = []
    for number in range(6):
        (tmp_path / f"{number}.mp4").write_bytes(bytes([number]))
        items.append(FeatureItem(tmp_path / f"{number}.mp4", TIMES))
    stop = threading.Event()

    def after_two(event: ProgressEvent) -> None:
        if event.done == 2:
            stop.set()

    class Slow(Counter):
        def features(
            self, path: Path, times: Sequence[Fraction], progress: Progress | None = None
        ) -> NDArray[np.float32]:
            if len(self.asked) >= 2:
                stop.wait(10)
            return super().features(path, times, progress)

    slow = Slow()
    with pytest.raises(CancelledError):
        extract_features(items, slow, cache, progress=Progress(after_two, stop))
    assert len(slow.asked) == 2
    rest = extract_features(items, slow, cache)
    assert (rest.made, rest.kept) == (4, 2)


KILLED = """
import sys, time
from fractions import Fraction
from pathlib import Path
import numpy as np
from v2s_engine.vision.feature_cache import FeatureCache, FeatureItem, extract_features

class Sleepy:
    digest, feature_size = "sleepy", 2
    def features(self, path, times, progress=None):
        if path.stem >= "3":
            print("asleep", flush=True)
            time.sleep(60)
        return np.ones((len(times), 2), np.float32)

folder = Path(sys.argv[1])
items = [FeatureItem(path, (Fraction(0),)) for path in sorted(folder.glob("*.mp4"))]
extract_features(items, Sleepy(), FeatureCache(folder / "cache"), workers=1)
"""


def test_after_a_kill_only_what_is_missing_is_made(tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"{number}.mp4").write_bytes(bytes([number]))
    with subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"asleep\n"
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL

    class Awake(Counter):
        digest, feature_size = "sleepy", 2

        def features(
            self, path: Path, times: Sequence[Fraction], progress: Progress | None = None
        ) -> NDArray[np.float32]:
            self.asked.append(path)
            return np.ones((len(times), 2), np.float32)

    awake = Awake("sleepy")
    items = [FeatureItem(path, (Fraction(0),)) for path in sorted(tmp_path.glob("*.mp4"))]
    done = extract_features(items, awake, FeatureCache(tmp_path / "cache"))
    assert (done.made, done.kept) == (3, 3)
    assert sorted(path.stem for path in awake.asked) == ["3", "4", "5"]
