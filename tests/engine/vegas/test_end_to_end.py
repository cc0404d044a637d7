"""From AudioSet's lists to a built set, by the commands a person gives, on videos whose truth is known.

The small set has 24 videos, the full one (slow) 200 in the paper's ten categories with four test videos each. What the
annotators say is known vote by vote, so is what has to be built. In the small set of all annotators one at most errs on
a question: there the built clips are exactly those that the truth says. In the full one they err independently.
"""

from __future__ import annotations

import csv
import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from tests.engine.vegas.annotators import MODALITIES, Crowd, majority, pair_agreement_kappa
from tests.engine.vegas.chain import Chain
from tests.engine.vegas.mini_audioset import first_number, kept_runs, make_mini_audioset, sounding
from tests.media import is_flash, read_number
from v2s_engine.corpus.clips import read_clips
from v2s_engine.grid import SAMPLE_RATE

PIECE = 32_000


@pytest.fixture(
    scope="module", params=[pytest.param("small", id="small"), pytest.param("full", id="full", marks=pytest.mark.slow)]
)
def chain(request: pytest.FixtureRequest, shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """A set on which all steps were run once."""
    audioset = shared / "audioset"
    if not (audioset / "ontology.json").exists():
        pytest.skip(f"AudioSet's ontology is not at {audioset}")
    folder = tmp_path_factory.mktemp("vegas")
    if request.param == "full":
        return Chain(make_mini_audioset(folder / "mini", audioset), folder, Crowd(seed=1), test_videos=4).whole_way()
    mini = make_mini_audioset(folder / "mini", audioset, videos=8, categories=("baby_crying", "dog", "drum"))
    return Chain(mini, folder, Crowd(one_errs=True), test_videos=2).whole_way()


def test_bad_rows_are_noted_with_file_and_line(chain: Chain) -> None:
    noted = chain.rows("SELECT source, line FROM notes WHERE step = 'select'")
    assert sorted(noted) == sorted((row.file, row.line) for row in chain.mini.bad_rows)


def test_every_video_is_drawn_into_its_category(chain: Chain) -> None:
    """With Music none is, of other classes none; what fits two is in that with fewer."""
    drawn = dict(chain.rows("SELECT video_id, category FROM videos"))
    assert drawn == {video.video_id: video.category for video in chain.mini.videos.values()}
    assert not set(chain.mini.left_out) & set(drawn)


def test_every_video_leads_back_to_its_row(chain: Chain) -> None:
    lines = {path.name: path.read_text("utf-8").splitlines() for path in chain.mini.segments}
    for video_id, source, line in chain.rows("SELECT video_id, source, line FROM videos"):
        assert lines[source][line - 1].startswith(f"{video_id},")


def test_no_id_leads_out_of_the_project(chain: Chain) -> None:
    made = {path.name for path in chain.folder.iterdir()}
    assert made == {"mini", "project", "set", "stats", "batches", "gold.csv"}
    media = {path.stem.partition("_")[2] for path in chain.project.folder.glob("media/*/*")}
    assert media == {video_id for (video_id,) in chain.rows("SELECT video_id FROM fetches WHERE state = 'fetched'")}


def test_what_cannot_be_fetched_says_why(chain: Chain) -> None:
    states = {row[0]: row[1:] for row in chain.rows("SELECT video_id, state, reason FROM fetches")}
    for video in chain.mini.videos.values():
        state, reason = states[video.video_id]
        if video.media == "copy":
            pair = {state: (video.copy_of, reason)}
            pair |= {states[video.copy_of][0]: (video.video_id, states[video.copy_of][1])}
            kept, repeats = pair["duplicate"]  # the other one's id, and what is said of this one
            assert pair.keys() == {"fetched", "duplicate"}
            assert repeats == kept
        elif video.media != "whole":
            assert state == "failed"
            assert reason


def test_pieces_are_as_long_as_the_recordings_allow(chain: Chain) -> None:
    """Two samples are lost at most to rates; a last piece of 1.97 s counts, one of 1.5 s does not."""
    found = Counter[str]()
    for video_id, ordinal, length in chain.rows("SELECT video_id, ordinal, length FROM pieces"):
        video = chain.mini.videos[video_id]
        found[video_id] += 1
        if video.suffix == ".mkv":
            assert abs(length - min(PIECE, video.length - ordinal * PIECE)) <= 2
    assert found == {video_id: len(chain.mini.videos[video_id].pieces) for video_id in found}


def test_built_clips_are_those_that_the_votes_say(chain: Chain) -> None:
    built = {tuple(row) for row in chain.rows("SELECT video_id, first, last FROM clips")}
    assert built == set(_expected_clips(chain, _voted(chain)))


def test_built_clips_are_those_that_the_truth_says(chain: Chain) -> None:
    """But where most of the three erred: those pieces are known, and are few."""
    truth = {
        (video_id, ordinal): chain.mini.videos[video_id].pieces[ordinal].kept
        for video_id, ordinal in chain.rows("SELECT video_id, ordinal FROM pieces")
    }
    voted = _voted(chain)
    erred = sum(truth[piece] != voted[piece] for piece in truth)
    if chain.crowd.one_errs:
        assert erred == 0
        assert {tuple(row) for row in chain.rows("SELECT video_id, first, last FROM clips")} == set(
            _expected_clips(chain, truth)
        )
    assert 0 <= erred < 0.1 * len(truth)
    assert any(vote.present != _truth(chain, *vote[:3]) for vote in chain.votes)  # there were errors


def test_built_files_show_and_sound_what_the_truth_says(chain: Chain) -> None:
    """Slates say which video and picture is shown, from the first of the clip on; the tone is heard piece by piece."""
    right = wrong = 0
    for video_id, first, last, length, file in chain.rows("SELECT video_id, first, last, length, file FROM clips"):
        video = chain.mini.videos[video_id]
        numbers, seen, samples = _decoded(chain.built / file)
        assert numbers == list(range(first_number(video, first), first_number(video, first) + len(numbers)))
        assert len(numbers) in {10 * (last - first + 1), 10 * (last - first + 1) - 1}
        assert len(samples) == length
        for ordinal in range(first, last + 1):
            truth = video.pieces[ordinal]
            place = ordinal - first
            assert seen[10 * place + 5] == truth.picture
            assert sounding(samples[place * PIECE : (place + 1) * PIECE]) == truth.sound
            right, wrong = right + truth.kept, wrong + (not truth.kept)
    assert right > 9 * wrong


def test_kappa_is_that_of_an_independent_reckoning(chain: Chain) -> None:
    rows = {(each["category"], each["modality"]): each for each in chain.answers["aggregate"]["agreement"]}
    no_gold = [vote for vote in chain.votes if (vote.video_id, vote.ordinal) not in chain.gold]
    for category, modality in itertools.product((None, *chain.mini.categories), (None, *MODALITIES)):
        votes = [
            vote
            for vote in no_gold
            if category in {None, chain.mini.videos[vote.video_id].category} and modality in {None, vote.modality}
        ]
        assert rows[category, modality]["kappa"] == pytest.approx(pair_agreement_kappa(votes), abs=1e-9)


def test_arithmetic_is_as_in_the_paper(chain: Chain) -> None:
    """Kept pieces times 2 s are the hours of the set, but for what slightly short last pieces lack."""
    answer = chain.answers["build"]
    ((kept,),) = chain.rows("SELECT count(*) FROM verdicts WHERE kept")
    ((lacking,),) = chain.rows(
        "SELECT coalesce(sum(32000 - length), 0) FROM pieces JOIN verdicts ON piece_id = id WHERE kept"
    )
    clips = read_clips(chain.built / "index.csv").clips
    assert answer["kept_pieces"] == kept == sum(_voted(chain).values())
    assert sum(each["clips"] for each in answer["counts"]) == len(clips)
    hours = sum(each["hours"] for each in answer["counts"])
    assert hours == pytest.approx((kept * 2 - lacking / SAMPLE_RATE) / 3600, abs=1e-9)
    lasting = sum(len(_decoded(clip.path)[2]) for clip in clips)
    assert lasting == kept * PIECE - lacking


def test_no_video_is_on_both_sides_and_each_category_has_its_test_videos(chain: Chain) -> None:
    sides = chain.rows("SELECT DISTINCT video_id, category, split FROM clips JOIN videos USING (video_id)")
    assert len({video_id for video_id, _, _ in sides}) == len(sides)
    testing = Counter(category for _, category, split in sides if split == "test")
    assert testing == dict.fromkeys(chain.mini.categories, chain.test_videos)
    assert {split for _, _, split in sides} == {"train", "test"}


def test_a_training_reads_the_index(chain: Chain) -> None:
    index = read_clips(chain.built / "index.csv")
    assert not index.left_out
    assert index.categories == chain.mini.categories
    stored = chain.rows("SELECT file, split FROM clips")
    assert sorted((clip.name, clip.split) for clip in index.clips) == sorted(stored)
    with (chain.built / "index.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            begin = chain.mini.videos[row["video_id"]].begin
            first = int(Path(row["file"]).stem.rpartition("_")[2])
            assert float(row["begin_s"]) == begin + 2 * first


def test_odd_rows_of_results_are_noted_with_file_and_line(chain: Chain) -> None:
    noted = chain.rows("SELECT source, line, about FROM notes WHERE step = 'annotate'")
    results = {path.name: path.read_text("utf-8").splitlines() for path in chain.folder.glob("batches/*_results.csv")}
    for name, lines in results.items():
        (bad_date,) = (line for source, line, about in noted if (source, about) == (name, "ABADDATE"))
        assert "2026-13-45" in lines[bad_date - 1]
    assert ("gold.csv", len((chain.folder / "gold.csv").read_text().splitlines()), "nobody_knows") in noted


def test_the_same_build_again_changes_nothing(chain: Chain) -> None:
    before = _files(chain.built)
    again = chain.run("build", "-o", str(chain.built), "--test-per-category", str(chain.test_videos), "--shards", "2")
    assert again["cut"] == 0
    assert _files(chain.built) == before


def _voted(chain: Chain) -> dict[tuple[str, int], bool]:
    """Which pieces are to be kept by the votes that the annotators gave; gold as it is known."""
    says = majority(chain.votes)
    return {
        (video_id, ordinal): all(
            _truth(chain, video_id, ordinal, modality)
            if (video_id, ordinal) in chain.gold
            else says[video_id, ordinal, modality]
            for modality in MODALITIES
        )
        for video_id, ordinal in chain.rows("SELECT video_id, ordinal FROM pieces")
    }


def _truth(chain: Chain, video_id: str, ordinal: int, modality: str) -> bool:
    return bool(getattr(chain.mini.videos[video_id].pieces[ordinal], modality))


def _expected_clips(chain: Chain, kept: dict[tuple[str, int], bool]) -> Iterator[tuple[str, int, int]]:
    """Video, first and last ordinal of each run of kept pieces."""
    for (video_id,) in chain.rows("SELECT video_id FROM fetches WHERE state = 'fetched'"):
        pieces = range(len(chain.mini.videos[video_id].pieces))
        for first, last in kept_runs([kept[video_id, ordinal] for ordinal in pieces]):
            yield video_id, first, last


def _decoded(path: Path) -> tuple[list[int | None], list[bool], np.ndarray]:
    """Numbers of the slates, which of them stand on white, and the samples."""
    with av.open(str(path)) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    with av.open(str(path)) as container:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    numbers = [read_number(picture) for picture in pictures]
    return numbers, [is_flash(picture) for picture in pictures], sound.astype(np.float32) / 32768


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
