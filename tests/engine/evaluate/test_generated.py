import numpy as np
import pytest
from numpy.typing import NDArray

from tests.engine.evaluate.seeing import WINDOW, blind_model, code_of, seeing, seeing_model, shown_clip
from v2s_engine.audio import encode_codes
from v2s_engine.errors import CancelledError
from v2s_engine.evaluate.alignment import Movement
from v2s_engine.evaluate.generated import SoundedClip, exchanged_sounds, measure_sounds, sound_clips
from v2s_engine.evaluate.methods import Method
from v2s_engine.grid import FRAME_LENGTH
from v2s_engine.progress import Progress

CLIPS = [shown_clip([0, 2, 1, 3]), shown_clip([3, 3, 1]), shown_clip([1, 0], category="drum")]


def hits(steps: list[int], seed: int = 0) -> NDArray[np.float32]:
    """Two seconds of bursts of noise that start at steps of 64 ms."""
    sound = np.zeros(32_000, np.float32)
    rng = np.random.default_rng(seed)
    for step in steps:
        start = step * FRAME_LENGTH
        sound[start : start + 2_000] += 0.3 * rng.standard_normal(len(sound[start : start + 2_000])).astype(np.float32)
    return sound


def movement(steps: list[int]) -> Movement:
    curve = np.zeros(32)
    curve[steps] = 0.01
    return Movement(curve, 640)


TIMES = [[3, 12, 20], [6, 17, 25], [1, 9, 28]]


def sounded(made: list[NDArray[np.float32]]) -> list[SoundedClip]:
    return [
        SoundedClip(f"clip {number}", "dog", hits(times), (sound, sound[::-1].copy()), movement(times))
        for number, (times, sound) in enumerate(zip(TIMES, made, strict=True))
    ]


def test_sounds_are_made_from_each_clips_own_pictures() -> None:
    model = seeing_model()
    method = Method("frame", (model,))
    made = sound_clips(method, CLIPS, {}, takes=2)
    for clip, each in zip(CLIPS, made, strict=True):
        assert [len(take) for take in each.takes] == [clip.length] * 2
        codes = encode_codes(each.takes[0], model.config)
        share = (codes == encode_codes(clip.samples, model.config)).mean()
        assert share > 0.8  # e^8 against 255 others at 1: 92 %
    assert not np.array_equal(*made[0].takes)


def test_windows_start_from_their_own_pictures_in_generation_too() -> None:
    clip = shown_clip([1] * WINDOW + [3] * WINDOW)
    made = sound_clips(seeing("sequence"), [clip], {}, takes=1)[0]
    codes = encode_codes(made.takes[0], seeing("sequence").config)
    halves = codes[: WINDOW * FRAME_LENGTH], codes[WINDOW * FRAME_LENGTH :]
    assert [np.bincount(half).argmax() for half in halves] == [code_of(1), code_of(3)]


def test_the_same_seed_makes_the_same_sounds_whatever_else_is_made() -> None:
    method = Method("frame", (blind_model(),))
    alone, together = sound_clips(method, CLIPS[:1], {}, seed=4), sound_clips(method, CLIPS, {}, seed=4)
    np.testing.assert_array_equal(alone[0].takes, together[0].takes)
    assert not np.array_equal(sound_clips(method, CLIPS[:1], {}, seed=5)[0].takes, alone[0].takes)
    assert not np.array_equal(together[0].takes[0][: FRAME_LENGTH * 2], together[2].takes[0])


def test_each_category_is_sounded_by_its_own_model() -> None:
    method = Method("frame", (blind_model(("dog",)), seeing_model(classes=("drum",))))
    made = sound_clips(method, CLIPS, {}, takes=1)
    codes = encode_codes(made[2].takes[0], method.config)
    assert (codes[FRAME_LENGTH:] == code_of(0)).mean() > 0.8


def test_sounds_in_time_stand_out_from_their_null() -> None:
    result = measure_sounds(sounded([hits(times, seed=9) for times in TIMES]))
    assert result.onsets.f1 == 1.0
    assert result.onsets_null.f1 is not None
    assert result.onsets_null.f1 < 0.5
    assert result.correlation.value.mean is not None
    assert result.correlation.null.mean is not None
    assert result.correlation.value.mean > 0.4 + max(0.5, result.correlation.null.mean)
    assert result.correlation.difference.n == 3
    assert result.lag_ms.value.mean == 0.0
    assert result.align.value.mean == result.align_recorded.mean == 1.0
    assert result.align.null.mean is not None
    assert result.align.null.mean < 0.5
    assert (result.n, result.takes) == (3, 2)


def test_sounds_out_of_time_do_not() -> None:
    result = measure_sounds(sounded([hits(times, seed=9) for times in (TIMES[1], TIMES[2], TIMES[0])]))
    assert result.onsets.f1 is not None
    assert result.onsets.f1 < 0.5
    assert result.align.value.mean is not None
    assert result.align.value.mean < 0.5
    assert result.align_recorded.mean == 1.0


def rattle(length: int, seed: int) -> tuple[NDArray[np.float32], list[int]]:
    """Bursts about three times a second, at times of their own; and the picture steps at which they start."""
    rng = np.random.default_rng(seed)
    steps = np.flatnonzero(rng.random(length // FRAME_LENGTH) < 0.2).tolist()
    sound = 1e-4 * rng.standard_normal(length).astype(np.float32)
    for step in steps:
        burst = sound[step * FRAME_LENGTH :][:2_000]
        burst += np.float32(0.3) * rng.standard_normal(len(burst)).astype(np.float32)
    return sound, steps


def test_sounds_that_know_nothing_are_no_better_than_their_nulls_whatever_the_lengths() -> None:
    """Clips of 0.6 s exchanged with clips of 10 s: a null as short as its own clip would have hardly any onsets."""
    clips = []
    for number in range(40):
        length = FRAME_LENGTH * (10, 160)[number % 2]
        recorded, steps = rattle(length, number)
        curve = np.zeros(length // FRAME_LENGTH)
        curve[steps] = 0.01
        made, _ = rattle(length, 1_000 + number)
        clips.append(SoundedClip(str(number), "ab"[number // 2 % 2], recorded, (made,), Movement(curve, 640)))
    result = measure_sounds(clips)
    for figure in (result.onset_f1, result.correlation, result.align):
        for difference in (figure.difference, figure.difference_within):
            assert difference.n >= 20
            assert difference.low is not None
            assert difference.high is not None
            assert difference.low <= 0 <= difference.high
    assert result.onsets.f1 == pytest.approx(result.onsets_null.f1, abs=0.05)
    assert result.onsets.f1 == pytest.approx(result.onsets_null_within.f1, abs=0.05)


def test_a_null_is_looped_or_cut_to_its_clip() -> None:
    one_second, two_seconds = hits([3, 12])[:16_000], hits([3, 12, 20, 25])
    clips = [
        SoundedClip(name, "dog", recorded, (recorded,), None)
        for name, recorded in (("short", one_second), ("long", two_seconds))
    ]
    null = measure_sounds(clips).onsets_null
    assert null.predicted == 2 + 4  # the long one's first second; the short one twice
    assert [None if sound is None else len(sound) for sound in exchanged_sounds(clips, ["a", "a"], 0)] == [
        16_000,
        32_000,
    ]
    assert exchanged_sounds(clips, ["a", "b"], 0) == [None, None]


def test_knowing_the_category_is_not_knowing_the_time() -> None:
    """Each category has its own times; within it all sounds are alike, so the null within a class is as good."""
    of_class = {"dog": [3, 12, 20], "drum": [6, 17, 25]}
    clips = [
        SoundedClip(f"{name} {number}", name, hits(steps, number), (hits(steps, 50 + number),), None)
        for name, steps in of_class.items()
        for number in range(4)
    ]
    result = measure_sounds(clips)
    assert result.onset_f1.value.mean == result.onset_f1.null_within.mean == result.onsets_null_within.f1 == 1.0
    assert result.onset_f1.difference_within.mean == 0.0
    assert result.onset_f1.difference.mean is not None
    assert result.onset_f1.difference.mean > 0.2


def test_making_sounds_stops_on_request() -> None:
    progress = Progress()
    progress.cancel.set()
    with pytest.raises(CancelledError):
        sound_clips(Method("frame", (blind_model(),)), CLIPS[:1], {}, progress=progress)


def test_silent_sounds_give_none_or_nothing_found_and_never_nan() -> None:
    silence = np.zeros(32_000, np.float32)
    result = measure_sounds(sounded([silence] * 3))
    assert (result.onsets.recall, result.onsets.precision) == (0.0, None)
    assert (result.correlation.value.n, result.correlation.value.mean) == (0, None)
    assert result.quality.loudness_lufs.mean is None
    assert "loudness: the made sound is below -70 LUFS or shorter than 400 ms (3 of 3 clips)" in result.gaps()
    assert "precision: the made sounds have no events (3 of 3 clips)" in result.gaps()
    assert not any("recall" in gap for gap in result.gaps())
    assert result.quality.silence.mean == 1.0
    assert result.diversity.mean == 0.0


@pytest.mark.parametrize("count", [0, 1])
def test_one_clip_has_no_null(count: int) -> None:
    result = measure_sounds(sounded([hits(times) for times in TIMES])[:count])
    assert result.n == count
    assert (result.correlation.null.n, result.correlation.difference.n, result.onsets_null.clips) == (0, 0, 0)
    assert (result.correlation.null_within.n, result.onsets_null_within.clips) == (0, 0)


def test_without_pictures_to_look_at_there_is_no_alignment() -> None:
    clips = [SoundedClip("a", "dog", hits([3]), (hits([3]),), None)]
    result = measure_sounds(clips)
    assert (result.align.value.n, result.align_recorded.n, result.diversity.n) == (0, 0, 0)
    assert result.onsets.matched == 1
