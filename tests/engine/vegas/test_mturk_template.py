import csv
import io
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.engine.vegas.turk import URL, make_project, query, read_rows
from tests.media import make_clip
from v2s_engine.errors import UsageError
from v2s_engine.progress import Progress
from v2s_engine.vegas.categories import VEGAS_CATEGORIES
from v2s_engine.vegas.mturk.batches import BatchOptions, write_batches
from v2s_engine.vegas.mturk.hits import HitOptions
from v2s_engine.vegas.mturk.template import hit_template, preview_page
from v2s_engine.vegas.questions import MODALITIES, Modality, question_for
from v2s_engine.vegas.store import Project

VOID = {"input", "meta", "br", "link"}


class Page(HTMLParser):
    """Elements of a page; a tag that is not closed, or is closed twice, is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.unlabelled = 0
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), names
        if tag == "input" and dict(attrs).get("type") == "radio" and "label" not in self.open:
            self.unlabelled += 1
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A folder with batches of two pieces a HIT; the project has three pieces of one video."""
    project = make_project(tmp_path / "project", {"dog": 1}, pieces=3)
    write_batches(project, BatchOptions(tmp_path / "out", URL, HitOptions(pieces=2)), Progress())
    return tmp_path / "out"


@pytest.mark.parametrize("modality", MODALITIES)
def test_a_template_asks_about_each_piece_and_shows_one_modality_alone(modality: Modality) -> None:
    page = Page(hit_template(modality, 3))
    radios = [each for each in page.all("input") if each["type"] == "radio"]
    assert [(each["name"], each["value"]) for each in radios] == [
        (f"answer_{place}", value) for place in (1, 2, 3) for value in ("yes", "no", "unplayable")
    ]
    assert page.unlabelled == 0
    assert all("required" in each for each in radios)
    shown, other = ("video", "audio") if modality == "picture" else ("audio", "video")
    assert len(page.all(shown)) == 3
    assert not page.all(other)
    for media in page.all(shown):
        assert "controls" in media
        assert "autoplay" not in media
        assert str(media["aria-label"]).startswith("Piece ")
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    described = {each["aria-describedby"] for each in page.all("div") if "aria-describedby" in each}
    assert described <= set(ids)
    assert not page.all("form")  # Mechanical Turk's page has one around it
    assert not page.all("link")
    assert not any("src" in attributes for _, attributes in page.elements)  # nothing is loaded from elsewhere


@pytest.mark.parametrize("modality", MODALITIES)
def test_a_template_and_its_batches_fit_each_other(written: Path, modality: Modality) -> None:
    template = (written / f"{modality}_2_pieces.html").read_text()
    (row, last) = [row for path in written.glob(f"{modality}_0*.csv") for row in read_rows(path)]
    assert set(re.findall(r"\$\{(\w+)\}", template)) == set(row)
    assert template.count("$") == len(re.findall(r"\$\{\w+\}", template))
    page = Page(preview_page(template, row))
    assert [each["data-url"] for each in page.all("fieldset")] == [row["url_1"], row["url_2"]]
    assert last["url_2"] == "none"
    with pytest.raises(UsageError, match="no values for question, url_2"):
        preview_page(template, {name: text for name, text in row.items() if name not in ("question", "url_2")})


def test_a_preview_shows_the_first_hit_with_the_projects_own_files(written: Path, tmp_path: Path) -> None:
    page = Page((written / "sound_preview.html").read_text())
    urls = [str(each["data-url"]) for each in page.all("fieldset")]
    assert all(url.startswith((tmp_path / "project" / "pieces").as_uri()) for url in urls)
    assert len(page.all("form")) == 1
    first = read_rows(written / "sound_0002.csv")[0]
    assert [url.rsplit("/", 1)[1] for url in urls] == [first[f"url_{n}"].rsplit("/", 1)[1] for n in (1, 2)]


def test_questions_speak_of_the_category_and_have_both_examples() -> None:
    texts = set()
    for category in (*(each.name for each in VEGAS_CATEGORIES), "church_bell"):
        for modality in MODALITIES:
            question = question_for(category, modality)
            assert question.text.endswith("?")
            texts |= {question.text, question.present, question.absent}
    assert len(texts) == 11 * 2 * 3
    assert "church bell" in question_for("church_bell", "sound").text
    assert "sleeping person" in question_for("snoring", "picture").text


def test_batches_are_csv_that_any_reader_reads(written: Path) -> None:
    text = (written / "picture_0001.csv").read_text()
    header, *rows = csv.reader(io.StringIO(text))
    assert {len(row) for row in rows} == {len(header)}
    assert len(text.splitlines()) == len(rows) + 1  # no line breaks within fields


@pytest.fixture
def chromium() -> Any:
    sync = pytest.importorskip("playwright.sync_api", reason="Playwright drives the browser")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no Chromium on this machine")
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--mute-audio"])
        page = browser.new_page()
        page.set_default_timeout(60_000)
        yield page
        browser.close()


def put_media(project: Project, suffix: str) -> list[Path]:
    paths = []
    for video_id, ordinal in query(project, "SELECT video_id, ordinal FROM pieces ORDER BY ordinal"):
        path = project.piece_path(video_id, ordinal, suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        if suffix == ".mp4":
            make_clip(path, frames=20, sound=False)
        else:
            put_sound(path)
        paths.append(path)
    return paths


def put_sound(path: Path) -> None:
    """0.8 s of noise as FLAC."""
    noise = np.random.default_rng(0).integers(-3000, 3000, (1, 12_800), dtype=np.int16)
    frame = av.AudioFrame.from_ndarray(noise, format="s16", layout="mono")
    frame.sample_rate = 16_000
    with av.open(str(path), "w", format="flac") as container:
        stream = container.add_stream("flac", rate=16_000, layout="mono", format="s16")
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def play(page: Any, place: int) -> None:
    page.evaluate(f"document.getElementById('media_{place}').play()")
    page.wait_for_function(f"document.querySelector('input[name=answer_{place}]').disabled === false")


@pytest.mark.programs
@pytest.mark.parametrize(("modality", "suffix"), [("picture", ".mp4"), ("sound", ".flac")])
def test_in_chromium_nothing_is_sent_before_all_was_played_and_answered(
    tmp_path: Path, chromium: Any, modality: str, suffix: str
) -> None:
    project = make_project(tmp_path / "project", {"dog": 1}, pieces=2)
    put_media(project, suffix)
    write_batches(project, BatchOptions(tmp_path / "out", URL, HitOptions(pieces=3)), Progress())
    page = chromium
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((tmp_path / "out" / f"{modality}_preview.html").as_uri())
    assert page.locator("fieldset").count() == 2  # the third place is empty
    assert page.locator("input[type=radio]:enabled").count() == 0
    page.click("#submitButton")
    assert page.inner_text("#v2s-missing") == "Please play and answer first: Piece 1, Piece 2."
    assert page.inner_text("#preview-answers") == ""

    play(page, 1)
    page.focus("#piece_1 input[value=yes]")
    page.keyboard.press("Space")  # by keyboard
    page.keyboard.press("ArrowDown")
    assert page.is_checked("#piece_1 input[value=no]")
    page.click("#submitButton")
    assert page.inner_text("#v2s-missing") == "Please play and answer first: Piece 2."
    assert page.evaluate("document.activeElement.id") == "media_2"

    play(page, 2)
    page.check("#piece_2 input[value=yes]")
    assert page.is_hidden("#piece_2 input[value=unplayable]")
    page.click("#submitButton")
    assert page.inner_text("#preview-answers").splitlines() == ["Would be sent:", "answer_1 = no", "answer_2 = yes"]
    assert errors == []


@pytest.mark.programs
def test_in_chromium_skipping_to_the_end_is_not_playing_and_what_is_broken_can_be_said(
    tmp_path: Path, chromium: Any
) -> None:
    project = make_project(tmp_path / "project", {"dog": 1}, pieces=2)
    paths = put_media(project, ".mp4")
    paths[1].write_bytes(b"no film")
    write_batches(project, BatchOptions(tmp_path / "out", URL, HitOptions(pieces=2)), Progress())
    page = chromium
    page.goto((tmp_path / "out" / "picture_preview.html").as_uri())
    page.wait_for_selector("input[value=unplayable]:enabled")
    broken = page.locator("fieldset", has=page.locator("input[value=unplayable]:enabled"))
    assert broken.locator("input[value=yes]").is_disabled()
    broken.locator("input[value=unplayable]").check()
    good = page.locator("fieldset", has=page.locator("input[value=unplayable]:disabled"))
    good.locator("video").evaluate("media => { media.currentTime = media.duration - 0.05; return media.play(); }")
    page.wait_for_function("Array.from(document.querySelectorAll('video')).some(media => media.ended)")
    assert good.locator("input[value=yes]").is_disabled()
    assert "A part was skipped" in good.inner_text()
    good.locator("video").evaluate("media => { media.currentTime = 0; return media.play(); }")
    page.wait_for_selector("input[value=yes]:enabled")
    good.locator("input[value=yes]").check()
    page.click("#submitButton")
    assert sorted(page.inner_text("#preview-answers").splitlines()[1:])[0].startswith("answer_")
    assert "unplayable" in page.inner_text("#preview-answers")
