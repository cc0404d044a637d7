import itertools
from typing import Any

import numpy as np
import pytest

from tests.engine.train.made_clips import FEATURES, WINDOW, made_clip, made_clips, tiny
from v2s_engine.audio import encode_codes
from v2s_engine.corpus.clip_material import PreparedClip
from v2s_engine.errors import UsageError
from v2s_engine.grid import FRAME_LENGTH
from v2s_engine.options import SILENCE_CODE, ConditioningName
from v2s_engine.train.chunks import Chunk
from v2s_engine.train.clip_stream import ClipStream, ClipStreamOptions

FRAME, SEQUENCE = tiny("frame"), tiny("sequence")


def play(stream: ClipStream) -> list[Chunk]:
    """The chunks of the first clip of a one-row stream."""
    chunks = [stream.next_chunk()]
    while True:
        chunk = stream.next_chunk()
        if chunk.reset[0]:
            return chunks
        chunks.append(chunk)


@pytest.mark.parametrize("conditioning", ["envelope", "frame", "sequence", "flow"])
def test_chunks_have_the_shapes_that_the_network_wants(conditioning: ConditioningName) -> None:
    config = tiny(conditioning)
    stream = ClipStream(made_clips(), config, ClipStreamOptions(rows=3))
    chunk = stream.next_chunk()
    assert chunk.codes.shape == (3, config.history_length + 512)
    assert chunk.targets.shape == chunk.mask.shape == (3, 512)
    assert chunk.conditioning.shape == (3, 2 if conditioning == "envelope" else 1, config.conditioning_size)
    assert chunk.reset.all()
    assert (chunk.codes[:, : config.history_length] == SILENCE_CODE).all()
    if config.starts_from_pictures:
        assert chunk.windows is not None
        assert chunk.windows.rows.tolist() == [0, 1, 2]
        assert chunk.windows.features.shape == (3, WINDOW, FEATURES)
    else:
        assert chunk.windows is None


def test_a_short_clip_is_looped_with_its_pictures_in_step() -> None:
    clip = made_clip("short", 2.3)
    chunks = play(ClipStream([clip], FRAME, ClipStreamOptions(rows=1)))
    codes = np.concatenate([chunk.targets[0] for chunk in chunks])
    whole = encode_codes(clip.samples, FRAME)[: 2 * FRAME_LENGTH]  # the 0.3 of a picture step is not played
    np.testing.assert_array_equal(codes, np.tile(whole, 2))
    assert all(chunk.mask.all() for chunk in chunks)
    pictures = [chunk.conditioning[0, 0, 0] for chunk in chunks]  # feature 0 counts; two chunks of 512 a picture
    assert pictures == [0, 0, 1, 1, 0, 0, 1, 1]


def test_a_short_clip_may_be_masked_instead() -> None:
    clip = made_clip("short", 2.3)
    chunks = play(ClipStream([clip], FRAME, ClipStreamOptions(rows=1, fill="mask")))
    mask = np.concatenate([chunk.mask[0] for chunk in chunks])
    codes = np.concatenate([chunk.targets[0] for chunk in chunks])
    assert mask.sum() == len(clip.samples)
    assert mask[: len(clip.samples)].all()
    np.testing.assert_array_equal(codes[mask], encode_codes(clip.samples, FRAME))
    assert (codes[~mask] == SILENCE_CODE).all()
    assert len(mask) == 5 * 512  # to the end of a chunk and no further


def test_a_long_clip_runs_window_after_window() -> None:
    clip = made_clip("long", 9.4)
    chunks = play(ClipStream([clip], SEQUENCE, ClipStreamOptions(rows=1)))
    starts = [number for number, chunk in enumerate(chunks) if chunk.windows is not None]
    assert starts == [0, 8, 16]  # windows of 4 pictures, 8 chunks
    seen = [chunk.windows.features[0, :, 0].tolist() for chunk in chunks if chunk.windows is not None]
    assert seen == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 8, 9]]  # as in use: the last one looped
    assert [chunk.reset[0] for chunk in chunks] == [True] + [False] * (len(chunks) - 1)
    mask = np.concatenate([chunk.mask[0] for chunk in chunks])
    assert mask.sum() == len(clip.samples)


def test_chunks_join() -> None:
    chunks = play(ClipStream([made_clip("long", 9.4)], FRAME, ClipStreamOptions(rows=1)))
    history = FRAME.history_length
    for before, after in itertools.pairwise(chunks):
        np.testing.assert_array_equal(after.codes[0, :history], before.targets[0, -history:])
        np.testing.assert_array_equal(after.codes[0, history:], after.targets[0])


def test_chunks_of_whole_windows_start_windows_together() -> None:
    options = ClipStreamOptions(rows=4, chunk_length=WINDOW * FRAME_LENGTH)
    stream = ClipStream(made_clips(), SEQUENCE, options)
    for _ in range(8):
        chunk = stream.next_chunk()
        assert chunk.windows is not None
        assert chunk.windows.rows.tolist() == [0, 1, 2, 3]
        assert chunk.mask[:, 0].all()


def test_chunks_of_whole_windows_play_long_clips_whole_from_the_first_on() -> None:
    clips = [made_clip(f"clip {number}", 8) for number in range(4)]
    stream = ClipStream(clips, SEQUENCE, ClipStreamOptions(rows=4, chunk_length=WINDOW * FRAME_LENGTH))
    assert [stream.next_chunk().reset.tolist() for _ in range(3)] == [[True] * 4, [False] * 4, [True] * 4]


def test_rows_start_their_windows_spread_over_the_steps() -> None:
    clips = [made_clip(f"clip {number}", 2 + number % 3) for number in range(6)]  # none longer than a window
    stream = ClipStream(clips, SEQUENCE, ClipStreamOptions(rows=4))
    starts = []
    for _ in range(41):
        chunk = stream.next_chunk()
        starts.append([] if chunk.windows is None else chunk.windows.rows.tolist())
        assert np.flatnonzero(chunk.reset).tolist() == starts[-1]
    assert starts[0] == [0, 1, 2, 3]
    assert starts[1:] == [[], [0], [], [1], [], [2], [], [3]] * 5  # windows of 8 chunks


def test_what_is_masked_is_played_whole_from_the_first_clip_on() -> None:
    clips = [made_clip(f"clip {number}", 4) for number in range(4)]
    stream = ClipStream(clips, SEQUENCE, ClipStreamOptions(rows=4, fill="mask"))
    resets = [stream.next_chunk().reset.all() for _ in range(9)]
    assert resets == [True] + 7 * [False] + [True]


def test_a_short_clip_is_looped_in_its_windows_as_it_is_heard() -> None:
    chunk = ClipStream([made_clip("short", 2.3)], SEQUENCE, ClipStreamOptions(rows=1)).next_chunk()
    assert chunk.windows is not None
    assert chunk.windows.features[0, :, 0].tolist() == [0, 1, 0, 1]  # not the third picture, whose 0.3 is not played


def test_a_gain_does_not_clip() -> None:
    clip = made_clip("whole", 4)
    stream = ClipStream([clip], FRAME, ClipStreamOptions(rows=1, gain_range=(20, 20)))
    codes = np.concatenate([chunk.targets[0] for chunk in play(stream)])
    loudest = 0.98 / np.abs(clip.samples).max() * clip.samples
    np.testing.assert_array_equal(codes, encode_codes(loudest.astype(np.float32), FRAME))


def test_a_fingerprint_tells_everything_that_decides_the_batches() -> None:
    def fingerprint(clips: list[PreparedClip], rows: range | None = None, **options: Any) -> dict[str, str]:
        return ClipStream(clips, FRAME, ClipStreamOptions(rows=4, **options), rows).fingerprint

    one = fingerprint(made_clips())
    assert fingerprint(made_clips(), range(2)) == one  # the share of one process
    for changes in ({"seed": 1}, {"fill": "mask"}, {"gain_range": (-1.0, 0.0)}, {"chunk_length": 1024}):
        other = fingerprint(made_clips(), **changes)
        assert {name for name in one if one[name] != other[name]} == set(changes)
    for clips in (made_clips()[::-1], made_clips()[1:]):
        other = fingerprint(clips)
        assert [name for name in one if one[name] != other[name]] == ["material"]


def test_each_pass_plays_every_clip_once() -> None:
    clips = [made_clip(f"clip {number}", 4) for number in range(6)]
    stream = ClipStream(clips, FRAME, ClipStreamOptions(rows=2, chunk_length=WINDOW * FRAME_LENGTH))
    known = {encode_codes(clip.samples, FRAME).tobytes(): clip.name for clip in clips}
    orders = []
    for _ in range(2):
        played = [known[row.tobytes()] for _ in range(3) for row in stream.next_chunk().targets]
        assert sorted(played) == sorted(clip.name for clip in clips)
        orders.append(played)
    assert orders[0] != orders[1]


@pytest.mark.parametrize("conditioning", ["frame", "sequence"])
def test_a_stream_goes_on_from_its_state(conditioning: ConditioningName) -> None:
    options = ClipStreamOptions(rows=4, level_jitter=6.0, noise_share=0.5, gain_range=(-6, 6))
    first, second = (ClipStream(made_clips(), tiny(conditioning), options) for _ in range(2))
    for _ in range(21):
        first.next_chunk()
    second.restore(first.state())
    for _ in range(20):
        assert_same(first.next_chunk(), second.next_chunk())


def test_shares_of_the_rows_are_the_rows() -> None:
    options = ClipStreamOptions(rows=4)
    whole = ClipStream(made_clips(), FRAME, options)
    shares = [ClipStream(made_clips(), FRAME, options, rows) for rows in (range(2), range(2, 4))]
    for _ in range(30):
        chunk, parts = whole.next_chunk(), [share.next_chunk() for share in shares]
        for name in ("codes", "targets", "conditioning", "reset", "mask"):
            np.testing.assert_array_equal(getattr(chunk, name), np.concatenate([getattr(part, name) for part in parts]))
    state = whole.state()
    shares[1].restore(state)
    assert shares[1].state() == {name: values[2:] for name, values in state.items()}


def test_nothing_is_changed_unless_asked_for() -> None:
    stream = ClipStream(made_clips(), FRAME, ClipStreamOptions(rows=4))
    other = ClipStream(made_clips(), FRAME, ClipStreamOptions(rows=4, level_jitter=6.0, noise_share=1.0))
    for _ in range(10):
        one, two = stream.next_chunk(), other.next_chunk()
        np.testing.assert_array_equal(one.codes[:, FRAME.history_length :], one.targets)
        np.testing.assert_array_equal(one.targets, two.targets)
        assert (two.codes[:, FRAME.history_length :] != two.targets).mean() > 0.2


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="does not fit conditioning vectors"):
        ClipStream(made_clips(), FRAME, ClipStreamOptions(chunk_length=768))
    with pytest.raises(UsageError, match="does not divide a window"):
        ClipStream(made_clips(), SEQUENCE, ClipStreamOptions(chunk_length=3 * FRAME_LENGTH))
    with pytest.raises(UsageError, match="seed must be at least 0"):
        ClipStream(made_clips(), FRAME, ClipStreamOptions(seed=-1))
    with pytest.raises(UsageError, match="no clips"):
        ClipStream([], FRAME, ClipStreamOptions())


def assert_same(one: Chunk, other: Chunk) -> None:
    for name in ("codes", "targets", "conditioning", "reset", "mask"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert (one.windows is None) == (other.windows is None)
    if one.windows and other.windows:
        for part, same in zip(one.windows, other.windows, strict=True):
            np.testing.assert_array_equal(part, same)
