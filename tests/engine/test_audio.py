import wave
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from v2s_engine import audio
from v2s_engine.errors import MediaNotFoundError, MediaUnreadableError, OutputError, UsageError
from v2s_engine.options import SILENCE_CODE, ModelConfig

CONFIGS = [
    ModelConfig(("dog",), quantisation="linear"),
    ModelConfig(("dog",), quantisation="mu-law"),
    ModelConfig(("dog",), quantisation="mu-law", pre_emphasis=0.85),
]
ids = ["linear", "mu-law", "mu-law-pre-emphasis"]


def tone(length: int, amplitude: float = 0.5) -> NDArray[np.float32]:
    return (amplitude * np.sin(2 * np.pi * 440 * np.arange(length) / 16_000)).astype(np.float32)


@pytest.mark.parametrize("config", CONFIGS, ids=ids)
class TestCodes:
    def test_silence_is_one_code_and_decodes_to_exactly_zero(self, config: ModelConfig) -> None:
        codes = audio.encode_codes(np.zeros(1000, np.float32), config)
        assert set(codes) == {SILENCE_CODE}
        assert not audio.decode_codes(codes, config).any()

    @pytest.mark.parametrize("length", [1, 64, 1024, 5000])
    def test_pieces_decode_to_the_samples_of_the_whole(self, config: ModelConfig, length: int) -> None:
        codes = np.random.default_rng(length).integers(0, 256, length, dtype=np.uint8)
        decoder = audio.CodeDecoder(config)
        pieces = [decoder.decode(codes[start : start + 1024]) for start in range(0, length, 1024)]
        np.testing.assert_array_equal(np.concatenate(pieces), audio.decode_codes(codes, config))

    def test_only_the_silence_code_decodes_to_zero(self, config: ModelConfig) -> None:
        each = [audio.decode_codes(np.array([code], np.uint8), config)[0] for code in range(256)]
        assert [code for code, value in enumerate(each) if value == 0] == [SILENCE_CODE]

    def test_every_code_but_the_unused_lowest_comes_back(self, config: ModelConfig) -> None:
        flat = ModelConfig(("dog",), quantisation=config.quantisation)
        codes = np.arange(1, 256, dtype=np.uint8)
        np.testing.assert_array_equal(audio.encode_codes(audio.decode_codes(codes, flat), flat), codes)

    def test_a_tone_survives_the_round_trip(self, config: ModelConfig) -> None:
        sound = tone(16_000)
        error = audio.decode_codes(audio.encode_codes(sound, config), config) - sound
        assert 20 * np.log10(np.std(error) / np.std(sound)) < -30

    def test_level_is_not_normalised(self, config: ModelConfig) -> None:
        quiet, loud = tone(4000, 0.05), tone(4000, 0.5)
        back = [audio.decode_codes(audio.encode_codes(sound, config), config) for sound in (quiet, loud)]
        assert np.std(back[1]) / np.std(back[0]) == pytest.approx(10, rel=0.1)

    def test_sound_beyond_full_scale_saturates(self, config: ModelConfig) -> None:
        codes = audio.encode_codes(np.array([0, 3.0, 0, -3.0], np.float32), config)
        assert codes[1] == 255
        assert codes[3] in (0, 1)


def test_silence_after_a_sound_reaches_exactly_zero_under_pre_emphasis() -> None:
    config = CONFIGS[2]
    codes = np.full(4000, SILENCE_CODE, np.uint8)
    codes[0] = 255
    assert audio.decode_codes(codes, config)[-1] == 0.0


@given(st.integers(1, 300), st.sampled_from(CONFIGS), st.integers(0, 2**32 - 1))
def test_decoding_follows_its_recursion(length: int, config: ModelConfig, seed: int) -> None:
    codes = np.random.default_rng(seed).integers(1, 256, length).astype(np.uint8)
    flat = ModelConfig(("dog",), quantisation=config.quantisation)
    plain = audio.decode_codes(codes, flat).astype(np.float64)
    slow, last = [], 0.0
    for value in plain:
        last = value + config.pre_emphasis * last
        slow.append(last)
    np.testing.assert_allclose(audio.decode_codes(codes, config), slow, atol=1e-5)


class TestFinish:
    @pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
    @pytest.mark.parametrize("length", [1, 2, 47, 1601, 1602, 48_048])
    def test_is_exactly_as_long_as_asked(self, rate: int, length: int) -> None:
        sound = tone(-(-length * 16_000 // rate) + 1)
        assert len(audio.finish(sound, length, rate)) == length

    def test_a_click_stays_where_it_was(self) -> None:
        sound = np.zeros(16_000, np.float32)
        sound[5_000] = 0.5
        assert int(np.argmax(np.abs(audio.finish(sound, 48_000)))) == 15_000

    def test_ends_do_not_click(self) -> None:
        square = np.where(np.arange(16_000) // 40 % 2, 0.5, -0.5).astype(np.float32)
        finished = audio.finish(square, 48_000)
        assert np.max(np.abs(finished[:10])) < 0.02
        assert abs(finished[0]) < 0.01
        assert abs(finished[-1]) < 0.01

    def test_what_can_be_heard_is_left_alone(self) -> None:
        times = np.arange(48_000) / 48_000
        finished = audio.finish(tone(16_000), 48_000)
        wanted = 0.5 * np.sin(2 * np.pi * 440 * times)
        np.testing.assert_allclose(finished[1000:-1000], wanted[1000:-1000], atol=0.03)

    def test_an_offset_is_taken_out(self) -> None:
        finished = audio.finish(np.full(16_000, 0.5, np.float32), 48_000)
        assert np.max(np.abs(finished[24_000:])) < 1e-3

    def test_too_short_a_sound_is_refused(self) -> None:
        with pytest.raises(UsageError, match="need 16000 samples at 16000 Hz; got 15999"):
            audio.finish(np.zeros(15_999, np.float32), 48_000)


class TestWav:
    def test_is_mono_24_bit_with_nothing_but_sound(self, tmp_path: Path) -> None:
        path = tmp_path / "a.wav"
        audio.write_wav(path, tone(100), 48_000)
        with wave.open(str(path)) as file:
            assert (file.getnchannels(), file.getsampwidth(), file.getframerate(), file.getnframes()) == (
                1,
                3,
                48_000,
                100,
            )
        assert path.stat().st_size == 44 + 300

    def test_is_read_back_by_ffmpeg(self, tmp_path: Path) -> None:
        path = tmp_path / "a.wav"
        audio.write_wav(path, tone(16_000), 16_000)
        np.testing.assert_allclose(audio.read_sound(path), tone(16_000), atol=1e-6)

    def test_refuses_to_clip(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"would clip: peak 1\.500"):
            audio.write_wav(tmp_path / "a.wav", np.full(10, 1.5, np.float32))
        assert not list(tmp_path.iterdir())

    def test_a_folder_that_is_not_there_is_an_output_error(self, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match="cannot write"):
            audio.write_wav(tmp_path / "none" / "a.wav", tone(10))


class TestReadSound:
    def test_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(MediaNotFoundError, match="no sound file"):
            audio.read_sound(tmp_path / "none.wav")

    def test_no_sound_file(self, tmp_path: Path) -> None:
        path = tmp_path / "a.wav"
        path.write_bytes(b"not a sound")
        with pytest.raises(MediaUnreadableError, match="FFmpeg says"):
            audio.read_sound(path)

    def test_stereo_at_another_rate_becomes_mono_at_16_khz(self, tmp_path: Path) -> None:
        path = tmp_path / "a.wav"
        stereo = np.stack([tone(44_100, 0.4)] * 2)
        with av.open(str(path), "w") as container:
            stream = container.add_stream("pcm_s16le", rate=44_100, layout="stereo")
            frame = av.AudioFrame.from_ndarray((stereo.T.reshape(1, -1) * 32767).astype(np.int16), "s16", "stereo")
            frame.sample_rate = 44_100
            container.mux([*stream.encode(frame), *stream.encode(None)])
        sound = audio.read_sound(path)
        assert abs(len(sound) - 16_000) <= 2
        assert np.max(np.abs(sound)) == pytest.approx(0.4, abs=0.02)

    def test_real_recordings(self, shared: Path) -> None:
        path = next((shared / "media" / "audio" / "dog").glob("*.ogg"))
        sound = audio.read_sound(path)
        assert sound.dtype == np.float32
        assert len(sound) > 1000
        assert 0 < np.max(np.abs(sound)) <= 1.5
