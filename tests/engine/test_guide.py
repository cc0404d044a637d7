"""Guides: what an editor claps, hums or draws over a timeline, as an envelope for any stretch of it."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.media import make_clip
from v2s_engine import guide
from v2s_engine.audio import write_wav
from v2s_engine.envelope import CUE_PEAK_DBFS, SILENCE_DBFS, Envelope
from v2s_engine.envelope_file import envelope_text
from v2s_engine.errors import MediaNotFoundError, MediaUnreadableError, UsageError
from v2s_engine.guide import Guide, read_guide
from v2s_engine.onsets import find_onsets

RATE = 48_000
CLAPS = (0.4, 1.1, 1.503, 2.75, 3.6)


def claps(times: tuple[float, ...] = CLAPS, *, room: float = 0.0, seconds: float = 4.0) -> NDArray[np.float32]:
    """Claps of two strengths in a room whose noise has the RMS `room`, at 48 kHz."""
    draw = np.random.default_rng(0)
    sound = room * draw.standard_normal(round(seconds * RATE))
    for number, at in enumerate(times):
        first, length = round(at * RATE), RATE // 8
        burst = draw.standard_normal(length) * np.exp(-np.arange(length) / (0.02 * RATE))
        sound[first : first + length] += (0.2, 0.1)[number % 2] * burst
    return np.clip(sound, -1, 1).astype(np.float32)


def guide_of(path: Path, sound: NDArray[np.float32]) -> Guide:
    write_wav(path, sound, RATE)
    return read_guide(path)


def onsets_in(envelope: Envelope, start: float = 0.0) -> list[float]:
    return [start + step * 0.016 for step in find_onsets(envelope.onset, 0.5).tolist()]


@pytest.mark.parametrize("start", [Fraction(0), Fraction(1, 3), Fraction(-1, 2), Fraction(1001, 24_000)])
@pytest.mark.parametrize("room", [0.0, 0.002])
def test_claps_are_onsets_where_they_were_clapped_wherever_a_clip_starts(
    tmp_path: Path, start: Fraction, room: float
) -> None:
    envelope = guide_of(tmp_path / "a.wav", claps(room=room)).part(start, 5 * 16_000)
    found = onsets_in(envelope, float(start))
    assert len(found) == len(CLAPS)
    np.testing.assert_allclose(found, CLAPS, atol=0.0165)  # a step of 16 ms holds the clap, or is the next


def test_the_room_is_silence_and_the_loudest_clap_has_the_level_of_a_cue(tmp_path: Path) -> None:
    envelope = guide_of(tmp_path / "a.wav", claps(room=0.002)).part(Fraction(0), 4 * 16_000)
    assert np.mean(envelope.loudness == SILENCE_DBFS) > 0.6
    assert CUE_PEAK_DBFS - 1.5 < envelope.loudness.max() <= CUE_PEAK_DBFS


def test_how_loud_the_recording_is_does_not_matter(tmp_path: Path) -> None:
    loud = guide_of(tmp_path / "a.wav", claps(room=0.002)).part(Fraction(0), 64_000)
    soft = guide_of(tmp_path / "b.wav", claps(room=0.002) / 8).part(Fraction(0), 64_000)
    np.testing.assert_allclose(soft.loudness, loud.loudness, atol=0.2)


def test_softer_claps_stay_softer(tmp_path: Path) -> None:
    envelope = guide_of(tmp_path / "a.wav", claps()).part(Fraction(0), 64_000)
    loud, soft = (envelope.loudness[int(at / 0.016) : int(at / 0.016) + 3].max() for at in CLAPS[:2])
    assert loud - soft == pytest.approx(6, abs=2.5)


def test_a_hum_without_a_pause_sounds_throughout(tmp_path: Path) -> None:
    time = np.arange(3 * RATE) / RATE
    hum = 0.1 * np.sin(2 * np.pi * 150 * time) * (1 + 0.3 * np.sin(2 * np.pi * 2 * time))
    envelope = guide_of(tmp_path / "a.wav", hum.astype(np.float32)).part(Fraction(0), 3 * 16_000)
    assert envelope.loudness[:-1].min() > -21  # the last step is half beyond its end


def test_clicks_between_digital_silence_are_heard(tmp_path: Path) -> None:
    sound = np.zeros(2 * RATE, np.float32)
    sound[RATE : RATE + 768] = 0.5  # one step
    envelope = guide_of(tmp_path / "a.wav", sound).part(Fraction(0), 32_000)
    assert onsets_in(envelope) == pytest.approx([0.992], abs=0.001)


def test_a_sound_that_goes_on_over_a_cut_does_not_start_there(tmp_path: Path) -> None:
    sound = np.zeros(4 * RATE, np.float32)
    sound[RATE:] = 0.1 * np.sin(np.arange(3 * RATE) * 0.1)
    heard = guide_of(tmp_path / "a.wav", sound)
    assert heard.part(Fraction(2), 16_000).onset.max() < 0.1
    assert heard.part(Fraction(1), 16_000).onset.max() == 1


def test_outside_a_guide_there_is_silence(tmp_path: Path) -> None:
    heard = guide_of(tmp_path / "a.wav", claps())
    assert heard.duration == 4
    for start in (Fraction(4), Fraction(-2), Fraction(1000)):
        envelope = heard.part(start, 30_000)
        assert len(envelope) == 118
        assert set(envelope.loudness) == {SILENCE_DBFS}


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_a_drawn_envelope_is_followed_exactly(tmp_path: Path, kind: str) -> None:
    drawn = Envelope.silence(200).with_cues([25_600])
    path = tmp_path / f"drawn.{kind}"
    path.write_text(envelope_text(drawn, kind))  # type: ignore[arg-type]
    heard = read_guide(path)
    assert heard.duration == Fraction(16, 5)
    part = heard.part(Fraction(8, 5), 12_800)
    np.testing.assert_array_equal(part.loudness, drawn.loudness[100:150])
    np.testing.assert_array_equal(part.onset, drawn.onset[100:150])
    between = heard.part(Fraction(8, 5) + Fraction(7, 1000), 12_800)  # the nearest steps
    np.testing.assert_array_equal(between.loudness, drawn.loudness[100:150])


def test_stretches_that_say_the_same_have_one_digest(tmp_path: Path) -> None:
    heard = guide_of(tmp_path / "a.wav", claps())
    assert heard.digest(Fraction(0), 4000) == heard.digest(Fraction(100), 4000)  # silence
    assert heard.digest(Fraction(0), 16_000) != heard.digest(Fraction(1), 16_000)


def test_the_sound_of_a_film_can_be_a_guide(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", frames=75, flashes=(20, 50), width=64, height=64)
    found = onsets_in(read_guide(clip.path).part(Fraction(0), 48_000))
    np.testing.assert_allclose(found, [0.8, 2.0], atol=0.03)


def test_what_is_no_guide_is_told(tmp_path: Path) -> None:
    write_wav(tmp_path / "quiet.wav", claps() / 5000, RATE)
    with pytest.raises(UsageError, match=r"nothing is heard in the guide quiet\.wav: its loudest 16 ms have -80 dBFS"):
        read_guide(tmp_path / "quiet.wav")
    write_wav(tmp_path / "empty.wav", np.zeros(0, np.float32), RATE)
    with pytest.raises(UsageError, match="nothing is heard"):
        read_guide(tmp_path / "empty.wav")
    (tmp_path / "text.wav").write_text("clap clap")
    with pytest.raises(MediaUnreadableError, match="cannot be decoded as sound"):
        read_guide(tmp_path / "text.wav")
    make_clip(tmp_path / "mute.mp4", frames=5, sound=False, width=64, height=64)
    with pytest.raises(MediaUnreadableError, match="holds no sound stream"):
        read_guide(tmp_path / "mute.mp4")
    for path in (tmp_path / "none.wav", tmp_path):
        with pytest.raises(MediaNotFoundError, match="no guide at"):
            read_guide(path)


def test_a_recording_of_no_numbers_or_without_end_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with av.open(str(tmp_path / "nan.wav"), "w") as container:
        stream = container.add_stream("pcm_f32le", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.full((1, 1600), np.nan, np.float32), format="flt", layout="mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(MediaUnreadableError, match="holds samples that are not numbers"):
        read_guide(tmp_path / "nan.wav")
    write_wav(tmp_path / "long.wav", claps(), RATE)
    monkeypatch.setattr(guide, "LONGEST_STEPS", 100)
    with pytest.raises(UsageError, match=r"the guide long\.wav is longer than 10 hours"):
        read_guide(tmp_path / "long.wav")
