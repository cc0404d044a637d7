"""The statistics hold the numbers of the truth, at any stage of a project, and nothing that strangers wrote runs."""

import base64
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import av
import pytest

from tests.engine.vegas.sections import write_section
from tests.engine.vegas.voting import make_gold, make_project, vote
from v2s_engine.errors import OutputError, UsageError
from v2s_engine.progress import Progress
from v2s_engine.vegas.aggregation import AggregateOptions, aggregate_votes
from v2s_engine.vegas.stats.report import StatisticsOptions, write_statistics
from v2s_engine.vegas.stats.samples import SampleOptions
from v2s_engine.vegas.store import Project

GOLDEN = Path(__file__).parent / "golden" / "statistics.json"
HOSTILE = '<script>alert(1)</script> & "O\'Neill" $x_1$'


class Page(HTMLParser):
    """What a page holds: tags, texts, and rows of tables as texts."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.rows, self.images, self.text = [], [], [], ""
        self._cell = False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        if tag == "img":
            self.images.append(dict(attributes))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._cell = True

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self._cell = False

    def handle_data(self, data):
        self.text += data
        if self._cell:
            self.rows[-1][-1] += data.strip()

    def rows_of(self, name):
        return [row[1:] for row in self.rows if row and row[0] == name]


def write(project, folder, **samples):
    return write_statistics(project, StatisticsOptions(folder, SampleOptions(**samples)), Progress())


def page_of(result):
    return Page(result.page.read_text(encoding="utf-8"))


def add_clips(project, *clips):
    """Clips as `build` writes them: video, first, last, samples, split."""
    with project.connect() as connection, connection:
        connection.executemany(
            "INSERT INTO clips (video_id, first, last, length, split, file) VALUES (?, ?, ?, ?, ?, ?)",
            ((*clip, f"{clip[0]}_{clip[1]}.mkv") for clip in clips),
        )


def picture_size(path):
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        return frame.width, frame.height


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A project that went all the way. Dog: pieces 1 to 5 (4 removed) and 6; fireworks: 7 to 11, the last one short."""
    folder = tmp_path_factory.mktemp("finished") / "project"
    project = make_project(folder, {"dogvideo": ("dog", 5), "-other": ("dog", 1), "bang": ("fireworks", 5)})
    with project.connect() as connection, connection:
        connection.execute("UPDATE pieces SET length = 31000 WHERE id = 11")
        connection.execute("UPDATE fetches SET licence = 'CC BY 4.0', attribution = ?", (HOSTILE,))
        connection.execute("INSERT INTO videos VALUES ('gone', 'dog', 0, 10000, '[]', 'made.csv', 9, 9)")
        connection.execute("INSERT INTO fetches (video_id, state, attempts) VALUES ('gone', 'failed', 3)")
    for piece in range(1, 12):
        vote(project, piece, "000" if piece == 4 else "111", "110" if piece == 2 else "111")
    make_gold(project, 6, picture=1)
    aggregate_votes(project, AggregateOptions(), Progress())
    add_clips(
        project,
        ("dogvideo", 0, 2, 96_000, "train"),
        ("dogvideo", 4, 4, 32_000, "train"),
        ("-other", 0, 0, 32_000, "test"),
        ("bang", 0, 4, 4 * 32_000 + 31_000, "validation"),
    )
    for video_id in ("dogvideo", "-other", "bang"):
        write_section(project.media_path(video_id), flashes=(7,))
    return project


@pytest.fixture(scope="module")
def shown(finished, tmp_path_factory):
    """Its statistics, with three frames of each sample."""
    return write(finished, tmp_path_factory.mktemp("shown"), frames=3)


@pytest.fixture
def built(finished, tmp_path):
    """A copy of the project, to be changed."""
    return Project(shutil.copytree(finished.folder, tmp_path / "project"))


def test_the_page_holds_the_numbers_of_the_truth(shown):
    page = page_of(shown)
    assert page.rows_of("videos selected")[0][0] == "4"
    assert page.rows_of("videos fetched")[0] == ["3", "–", "1 failed"]
    assert page.rows_of("pieces labelled")[0][:2] == ["11", "132,209"]
    assert page.rows_of("pieces kept")[0] == ["10", "97,817", "1 removed (the paper: 34,392)"]
    assert page.rows_of("hours kept")[0][:2] == [f"{10 * 2 / 3600:.2g}", "54.3"]
    assert page.rows_of("clips")[0][:2] == ["4", "28,109"]
    assert page.rows_of("hours of clips")[0][0] == f"{319_000 / 16_000 / 3600:.2g}"
    clips, made_from, agreement = page.rows_of("dog")[0], page.rows_of("dog")[1], page.rows_of("dog")[-1]
    # clips, the paper's, mean, hours, train, validation, test
    assert clips == ["3", "2,785", "3.33", "0.00", "2", "0", "1"]
    # selected, fetched, failed, duplicates, pieces, labelled, removed, kept
    assert made_from == ["3", "2", "1", "0", "6", "6", "1", "5"]
    assert page.rows_of("fireworks")[0][2] == f"{159_000 / 16_000:.2f}"
    assert [page.rows_of(f"{seconds} s")[0] for seconds in (2, 4, 6, 8, 10)] == [
        ["2", "50.0 %"],
        ["0", "0.0 %"],
        ["1", "25.0 %"],
        ["0", "0.0 %"],
        ["1", "25.0 %"],
    ]
    # Five pieces that are no gold: pictures agree fully, one of five sounds is 2:1. Of 15 sounds 14 are yes, of all 26.
    sound, both = (
        (alike - chance) / (1 - chance)
        for alike, chance in ((13 / 15, (14**2 + 1) / 15**2), (28 / 30, (26**2 + 4**2) / 30**2))
    )
    assert agreement == ["10", "100.0 %", "1.000", "86.7 %", f"{sound:.3f}", "93.3 %", f"{both:.3f}"]
    assert not shown.statistics.missing
    assert not shown.left_out


def test_all_that_strangers_wrote_is_text(shown):
    page = page_of(shown)
    assert "script" not in page.tags
    assert HOSTILE in page.text
    assert not re.search(r"(?:src|href)=\"(?!data:)", shown.page.read_text(encoding="utf-8"))


def test_annotators_have_numbers_and_no_names(shown):
    for path in (shown.page, shown.figures):
        assert "page:" not in path.read_text(encoding="utf-8")
    rows = json.loads(shown.figures.read_text(encoding="utf-8"))["agreement"]["annotators"]
    assert [row["number"] for row in rows] == [1, 2, 3]
    assert all((row["votes"], row["gold_right"], row["gold_answers"]) == (22, 1, 1) for row in rows)


def test_pictures_lie_on_the_page_and_beside_it_and_say_what_they_show(shown):
    page = page_of(shown)
    assert [path.name for path in shown.drawings] == ["clip_lengths.png", "samples.png"]
    assert [image["src"].partition(",")[2] for image in page.images] == [
        base64.b64encode(path.read_bytes()).decode() for path in shown.drawings
    ]
    assert "2 s 50.0 %" in page.images[0]["alt"]
    assert "dog, fireworks" in page.images[1]["alt"]
    assert all(min(picture_size(path)) > 400 for path in shown.drawings)


def test_samples_are_the_longest_clips_with_frames_at_even_moments(shown):
    dog, fireworks = shown.statistics.samples
    assert (dog.video_id, dog.begin_s, dog.duration_s, dog.moments_s) == ("dogvideo", 0.0, 6.0, (1.0, 3.0, 5.0))
    assert (fireworks.video_id, fireworks.duration_s) == ("bang", 159_000 / 16_000)
    assert dog.attribution == HOSTILE


def test_a_sample_that_cannot_be_read_is_replaced_or_told(built, tmp_path):
    built.media_path("dogvideo").unlink()
    result = write(built, tmp_path / "stats")
    assert [row.video_id for row in result.statistics.samples] == ["-other", "bang"]
    built.media_path("-other").write_bytes(b"no film")
    result = write(built, tmp_path / "stats")
    assert [row.video_id for row in result.statistics.samples] == ["bang"]
    ((category, reason),) = result.left_out
    assert category == "dog"
    assert "no film" not in reason
    only = write(built, tmp_path / "stats", categories=("fireworks",))
    assert not only.left_out


def test_figures_as_json_are_as_they_were(shown):
    text = shown.figures.read_text(encoding="utf-8")
    assert json.loads(text) == json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_the_same_project_gives_the_same_files(finished, shown, tmp_path):
    first, again = shown, write(finished, tmp_path, frames=3)
    for a, b in zip(
        (first.page, first.figures, *first.drawings), (again.page, again.figures, *again.drawings), strict=True
    ):
        assert a.read_bytes() == b.read_bytes()


def test_a_project_of_any_stage_says_what_comes_next(tmp_path):
    empty = Project(tmp_path / "empty")
    with empty.connect(create=True):
        pass
    result = write(empty, tmp_path / "stats")
    assert result.statistics.missing == ("no video is selected yet: v2s vegas select",)
    assert page_of(result).images == []
    assert "No category yet." in page_of(result).text

    project = make_project(tmp_path / "project", {"video": ("dog", 2)})
    write_section(project.media_path("video"), length=64_000)
    result = write(project, tmp_path / "stats")
    assert result.statistics.missing == ("there are no votes yet: v2s vegas annotate",)
    assert not result.statistics.samples_are_clips
    assert result.statistics.samples[0].duration_s == 4.0
    assert "fetched sections" in page_of(result).images[0]["alt"]
    assert page_of(result).rows_of("pieces kept")[0][0] == "–"

    vote(project, 1, "111", "111")
    assert write(project, tmp_path / "stats").statistics.missing == (
        "votes that are not counted yet: 6: v2s vegas aggregate",
    )
    aggregate_votes(project, AggregateOptions(), Progress())
    vote(project, 2, "1", "1")
    assert write(project, tmp_path / "stats").statistics.missing == (
        "votes when they were counted: 6, now: 8: v2s vegas aggregate",
        "pieces that are not labelled yet: 1: v2s vegas annotate",
        "no clips are built yet: v2s vegas build",
    )


def test_clips_of_older_verdicts_and_drawings_without_clips_are_told_and_removed(built, tmp_path):
    write(built, tmp_path / "stats")
    with built.connect() as connection, connection:
        connection.execute("DELETE FROM clips WHERE video_id = 'bang'")
    assert write(built, tmp_path / "stats").statistics.missing == (
        "pieces kept: 10, pieces in clips: 5: v2s vegas build",
    )
    with built.connect() as connection, connection:
        connection.execute("DELETE FROM clips")
    assert [path.name for path in write(built, tmp_path / "stats").drawings] == ["samples.png"]
    assert not (tmp_path / "stats" / "clip_lengths.png").exists()


def test_what_cannot_be_done_is_said(built, tmp_path):
    with pytest.raises(UsageError, match="there is no category cat; there are: dog, fireworks"):
        write(built, tmp_path / "stats", categories=("cat",))
    with pytest.raises(UsageError, match="at least 1 frame; got 0"):
        SampleOptions(frames=0)
    with pytest.raises(UsageError, match="no VEGAS project"):
        write(Project(tmp_path / "none"), tmp_path / "stats")
    with pytest.raises(OutputError, match="cannot write"):
        write(built, built.database / "stats")
