"""The engine's whole way with a tiny random model: what comes out depends on the request and on nothing else."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.media import make_clip, make_sound
from tests.models import tiny_bundle
from v2s_engine.bundle import Bundle
from v2s_engine.errors import CancelledError, MediaNotFoundError, NoVideoStreamError, UsageError
from v2s_engine.grid import FRAME_LENGTH, SAMPLE_RATE
from v2s_engine.pipeline import SoundFailure, SoundPipeline, SoundRequest, SoundTake
from v2s_engine.progress import Progress, ProgressEvent


@pytest.fixture(scope="module", params=[False, True], ids=["samples", "source-filter"])
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle(tmp_path_factory.mktemp("bundles") / "tiny", source_filter=request.param)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clips") / "a.mp4", frames=50, flashes=(20,)).path


def request(media: Path, *, length: int = 20_000, **changes: object) -> SoundRequest:
    count = -(-length // FRAME_LENGTH)
    times = tuple(Fraction(index * FRAME_LENGTH, SAMPLE_RATE) for index in range(count))
    options: dict[str, object] = {"sound_class": "dog", "seed": 7, "label": media.stem} | changes
    return SoundRequest(media, times, length, **options)  # type: ignore[arg-type]


def takes(bundle: Bundle, requests: list[SoundRequest]) -> dict[tuple[str, int, int], SoundTake]:
    made = {}
    for each in SoundPipeline(bundle, "cpu").generate(requests):
        assert isinstance(each, SoundTake)
        made[each.request.sound_class, each.request.seed, each.take] = each
    return made


def test_every_take_is_as_long_as_asked(bundle: Bundle, clip: Path) -> None:
    made = takes(bundle, [request(clip, takes=(1, 2, 3)), request(clip, length=1, seed=8)])
    assert sorted(made) == [("dog", 7, 1), ("dog", 7, 2), ("dog", 7, 3), ("dog", 8, 1)]
    assert {len(made["dog", 7, take].samples) for take in (1, 2, 3)} == {20_000}
    assert len(made["dog", 8, 1].samples) == 1
    assert made["dog", 7, 1].samples.dtype == np.float32


def test_takes_differ_and_the_same_request_repeats(bundle: Bundle, clip: Path) -> None:
    first = takes(bundle, [request(clip, takes=(1, 2))])
    again = takes(bundle, [request(clip, takes=(1, 2))])
    np.testing.assert_array_equal(first["dog", 7, 1].samples, again["dog", 7, 1].samples)
    assert (first["dog", 7, 1].samples != first["dog", 7, 2].samples).any()


def test_a_take_does_not_depend_on_what_else_is_asked_for(bundle: Bundle, clip: Path) -> None:
    alone = takes(bundle, [request(clip, takes=(2,))])["dog", 7, 2]
    crowd = [request(clip, seed=seed, length=3_000 + 501 * seed) for seed in range(20, 30)]
    among = takes(bundle, [*crowd, request(clip, takes=(1, 2, 3)), request(clip, sound_class="drum")])["dog", 7, 2]
    np.testing.assert_array_equal(alone.samples, among.samples)


def test_cues_are_in_the_envelope_asked_for(bundle: Bundle, clip: Path) -> None:
    made = takes(bundle, [request(clip, cues=(10_000,))])["dog", 7, 1]
    assert made.envelope.onset[10_000 // 256] == 1.0


def test_media_that_fail_are_told_and_the_others_go_on(bundle: Bundle, clip: Path, tmp_path: Path) -> None:
    requests = [
        request(tmp_path / "none.mp4", takes=(1, 2)),
        request(clip),
        request(make_sound(tmp_path / "sound.wav")),
    ]
    results = list(SoundPipeline(bundle, "cpu").generate(requests))
    failures = {each.request.label: each.error for each in results if isinstance(each, SoundFailure)}
    assert isinstance(failures["none"], MediaNotFoundError)
    assert isinstance(failures["sound"], NoVideoStreamError)
    assert [each.request.label for each in results if isinstance(each, SoundTake)] == [clip.stem]


def test_nothing_asked_for_gives_nothing(bundle: Bundle) -> None:
    assert list(SoundPipeline(bundle, "cpu").generate([])) == []


def test_progress_rises_to_its_total(bundle: Bundle, clip: Path, tmp_path: Path) -> None:
    events: list[ProgressEvent] = []
    requests = [request(clip, takes=(1, 2)), request(clip, seed=3), request(tmp_path / "none.mp4")]
    list(SoundPipeline(bundle, "cpu").generate(requests, Progress(events.append)))
    for stage in ("encode", "sample"):
        of_stage = [event for event in events if event.stage == stage]
        assert [event.done for event in of_stage] == sorted(event.done for event in of_stage)
        assert of_stage[-1].done <= of_stage[-1].total
    sampled = [event for event in events if event.stage == "sample"]
    assert sampled[-1].done == 3 * 20_000


@pytest.mark.parametrize("stage", ["encode", "sample"])
def test_can_be_stopped_at_any_stage(bundle: Bundle, clip: Path, stage: str) -> None:
    progress: Progress

    def stop(event: ProgressEvent) -> None:
        if event.stage == stage:
            progress.cancel.set()

    progress = Progress(stop)
    with pytest.raises(CancelledError):
        list(SoundPipeline(bundle, "cpu").generate([request(clip, length=40_000, takes=(1, 2, 3))], progress))


def test_a_reader_that_leaves_ends_the_work(bundle: Bundle, clip: Path) -> None:
    requests = [request(clip, seed=seed) for seed in range(30)]
    generation = SoundPipeline(bundle, "cpu").generate(requests)
    next(generation)
    generation.close()  # would hang if the encoder's thread waited for a reader


def test_an_unknown_class_fails_before_any_work(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no sound class 'cat'"):
        next(SoundPipeline(bundle, "cpu").generate([request(tmp_path / "none.mp4", sound_class="cat")]))


@pytest.mark.parametrize("changes", [{"length": 0}, {"takes": ()}, {"takes": (1, 1)}])
def test_requests_that_make_no_sense(clip: Path, changes: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        request(clip, **changes)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="wants 20 picture times"):
        SoundRequest(clip, (Fraction(0),), 20_000, "dog", 0)
