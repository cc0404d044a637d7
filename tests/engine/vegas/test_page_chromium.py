"""The annotation page in a real Chromium: what people see, hear and press."""

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine.vegas.page_projects import make_page_project
from v2s_engine.vegas.page.options import PageOptions
from v2s_engine.vegas.page.server import PageServer
from v2s_engine.vegas.store import Project

pytestmark = pytest.mark.programs

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not Path(CHROMIUM).is_file():
        pytest.skip("needs Chromium, e.g. Debian's package chromium")
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Serving:
    """A server that can be stopped and started again."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.start()

    def start(self) -> None:
        self.server = PageServer(self.project, PageOptions())
        self.url = self.server.url
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()

    def stop(self) -> None:
        self.server.stop()
        self.thread.join()


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Serving]:
    serving = Serving(make_page_project(tmp_path / "project", {"dog": 3}))
    yield serving
    if serving.thread.is_alive():
        serving.stop()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens a page in a browser of its own; faults in its script fail the test."""
    contexts, faults = [], []

    def open_page(url: str, context: Any = None) -> Any:
        if context is None:
            context = browser.new_context(viewport={"width": 1000, "height": 700})
            context.set_default_timeout(60_000)
            contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []


def wait_until(page: Any, condition: str) -> None:
    """Playwright's own way evaluates texts in the page, which the page's Content-Security-Policy forbids."""
    for _ in range(1200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never came true: {condition}")


def drawn_moment(page: Any) -> float:
    """Seconds that the page tells, after all keys so far: it draws at the next picture."""
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return float(page.locator("#time").inner_text().split()[0])


def enter(page: Any, name: str) -> None:
    page.locator("#name").fill(name)
    page.keyboard.press("Enter")
    page.locator("#go, #rest-title").locator("visible=true").wait_for()


def ready(page: Any) -> None:
    """Past the card of a new question, until the piece has begun to play."""
    if page.locator("#go").is_visible():
        page.keyboard.press(" ")
    wait_until(page, "document.querySelector('#stage').dataset.begun === 'yes'")


def press_answer(page: Any, key: str) -> None:
    """Answer the piece that is shown, and wait until the server has it."""
    ready(page)
    with page.expect_response("**/api/answer") as answered:
        page.keyboard.press(key)
    assert answered.value.ok


def until_rest(page: Any, key: str) -> int:
    """Answer all there is; how many."""
    for count in range(100):
        wait_until(page, "['between', 'work', 'rest'].includes(document.body.dataset.screen)")
        wait_until(page, "document.querySelector('#rest-title').textContent !== 'One moment'")
        if page.evaluate("document.body.dataset.screen") == "rest":
            return count
        press_answer(page, key)
    raise AssertionError("the page never ends")


def rows(project: Project, query: str) -> list[tuple[Any, ...]]:
    with project.connect() as connection:
        return [tuple(row) for row in connection.execute(query)]


def test_three_people_give_three_votes_each_question(serving: Serving, open_page: Callable[..., Any]) -> None:
    for name, key in (("Ann", "y"), ("Bob", "n"), ("Cy", "ArrowRight")):
        page = open_page(serving.url)
        enter(page, name)
        assert until_rest(page, key) == 6
        assert "6 by you" in page.locator("#own").inner_text()
    fourth = open_page(serving.url)
    assert fourth.locator("#names button").all_inner_texts() == ["Ann", "Bob", "Cy"]
    enter(fourth, "Dee")
    assert "Nothing is left" in fourth.locator("#rest-title").inner_text()
    questions = rows(serving.project, "SELECT count(*), sum(present) FROM votes GROUP BY piece_id, modality")
    assert questions == [(3, 2)] * 6


def test_pictures_have_no_sound_sounds_no_picture_and_both_can_be_sought(
    serving: Serving, open_page: Callable[..., Any]
) -> None:
    page = open_page(serving.url)
    enter(page, "Ann")
    seen = set()
    for _ in range(6):
        ready(page)
        wait_until(page, "parseFloat(document.querySelector('#time').textContent) > 0.1")
        modality = page.evaluate("document.querySelector('#stage').dataset.modality")
        videos = page.locator("#picture video")
        if modality == "picture":
            assert videos.evaluate("video => [video.muted, video.videoWidth]") == [True, 320]
            assert page.locator("#waveform").is_hidden()
        else:
            assert videos.count() == 0
            assert page.locator("#waveform").is_visible()
        page.keyboard.press("r")
        page.locator("#position").fill("500")
        page.keyboard.press(",")  # pauses where it is
        moment = drawn_moment(page)
        assert 0.8 <= moment <= 2.0
        page.keyboard.press("Shift+ArrowRight")
        wait_until(page, f"parseFloat(document.querySelector('#time').textContent) > {moment}")
        page.keyboard.press(" ")
        seen.add(modality)
        press_answer(page, "y")
    assert seen == {"picture", "sound"}


def test_undo_goes_back_also_after_a_reload(serving: Serving, open_page: Callable[..., Any]) -> None:
    page = open_page(serving.url)
    enter(page, "Ann")
    for _ in range(2):
        press_answer(page, "y")
    page.reload()
    page.locator("#go").wait_for()
    for left in (1, 0):
        with page.expect_response("**/api/undo"):
            page.keyboard.press("u")
        wait_until(page, f"document.querySelector('#own').textContent.startsWith('{left} by you')")
    assert rows(serving.project, "SELECT * FROM votes") == []
    assert until_rest(page, "n") == 6
    with page.expect_response("**/api/undo"):
        page.keyboard.press("Backspace")
    page.locator("#go, #question").locator("visible=true").wait_for()
    assert rows(serving.project, "SELECT count(*), sum(present) FROM votes") == [(5, 0)]


def test_a_server_that_goes_away_loses_nothing(serving: Serving, open_page: Callable[..., Any]) -> None:
    page = open_page(serving.url)
    enter(page, "Ann")
    press_answer(page, "y")
    ready(page)
    url = serving.url
    serving.stop()
    page.keyboard.press("n")
    page.locator("#banner").wait_for()
    assert "kept here" in page.locator("#banner").inner_text()
    assert rows(serving.project, "SELECT count(*) FROM votes") == [(1,)]
    serving.start()
    assert serving.url == url
    page.locator("#banner").wait_for(state="hidden")
    wait_until(page, "document.querySelector('#own').textContent.startsWith('2 by you')")
    assert rows(serving.project, "SELECT present FROM votes ORDER BY given_at") == [(1,), (0,)]
    assert until_rest(page, "y") == 4


def test_an_answer_outlives_the_page_that_gave_it(serving: Serving, open_page: Callable[..., Any]) -> None:
    page = open_page(serving.url)
    enter(page, "Ann")
    ready(page)
    serving.stop()
    page.keyboard.press("y")
    page.locator("#banner").wait_for()
    context = page.context
    page.close()
    serving.start()
    again = open_page(serving.url, context)
    again.locator("#name").wait_for()
    for _ in range(1200):
        if rows(serving.project, "SELECT * FROM votes"):
            break
        again.wait_for_timeout(50)
    assert rows(serving.project, "SELECT annotator, present FROM votes") == [("page:Ann", 1)]


def test_two_windows_of_one_person_stay_together(serving: Serving, open_page: Callable[..., Any]) -> None:
    first = open_page(serving.url)
    enter(first, "Ann")
    second = open_page(serving.url, first.context)
    enter(second, "ann")
    press_answer(first, "y")
    wait_until(second, "document.querySelector('#own').textContent.startsWith('1 by you')")
    second.bring_to_front()
    assert until_rest(second, "n") == 5
    wait_until(first, "document.body.dataset.screen === 'rest'")
    assert rows(serving.project, "SELECT count(*), sum(present) FROM votes") == [(6, 1)]


def test_what_is_missing_is_told_and_left_out(serving: Serving, open_page: Callable[..., Any]) -> None:
    (video,) = rows(serving.project, "SELECT video_id FROM pieces WHERE id = 2")[0]
    serving.project.piece_path(video, 0, ".mp4").unlink()
    serving.project.piece_path(video, 0, ".flac").write_bytes(b"no sound at all")
    page = open_page(serving.url)
    enter(page, "Ann")
    told = set()
    for _ in range(1200):
        page.wait_for_timeout(50)
        screen = page.evaluate("document.body.dataset.screen")
        if screen == "rest" and page.evaluate("document.querySelector('#rest-title').textContent") != "One moment":
            break
        trouble = page.evaluate(
            "(place => place.checkVisibility() ? place.textContent : '')(document.querySelector('#trouble'))"
        )
        if trouble:
            told.add(trouble)  # and the page goes on by itself
        elif page.locator("#go").is_visible():
            page.keyboard.press(" ")
        elif screen == "work" and page.evaluate("document.querySelector('#stage').dataset.begun") == "yes":
            press_answer(page, "y")
    assert told == {"The picture of this piece is missing.", "The sound of this piece cannot be played."}
    assert rows(serving.project, "SELECT count(*) FROM votes WHERE piece_id = 2") == [(0,)]
    assert rows(serving.project, "SELECT count(*) FROM votes") == [(4,)]
    assert rows(serving.project, "SELECT DISTINCT about FROM notes") == [("piece 2",)]


def test_nobody_answers_blindly_and_keys_can_be_looked_up(serving: Serving, open_page: Callable[..., Any]) -> None:
    page = open_page(serving.url)
    enter(page, "Ann")
    page.keyboard.press("y")
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("y")
    page.keyboard.press("Escape")
    page.keyboard.press("p")
    page.locator("#standing").wait_for()
    assert page.locator("#groups tr").count() == 2
    page.keyboard.press("Escape")
    page.locator("#standing").wait_for(state="hidden")
    press_answer(page, "s")
    assert rows(serving.project, "SELECT count(*) FROM votes") == [(0,)]
    assert rows(serving.project, "SELECT answer FROM page_answers") == [("skip",)]


def test_a_name_that_is_none_is_told(serving: Serving, open_page: Callable[..., Any]) -> None:
    page = open_page(serving.url)
    page.locator("#name").fill("<b>")
    page.keyboard.press("Enter")
    wait_until(page, "document.querySelector('#name-fault').textContent.includes('no name')")
    enter(page, "Ann")


def test_a_stranger_s_token_opens_nothing(serving: Serving, open_page: Callable[..., Any]) -> None:
    base = serving.url.partition("#")[0]
    for url in (base, f"{base}#{'x' * 32}"):
        page = open_page(url)
        page.locator("text=This page needs its full address").wait_for()
        assert page.locator("#name").is_hidden()


def test_a_foreign_page_cannot_answer(serving: Serving, browser: Any, tmp_path: Path) -> None:
    """Even one that knows the token: the browser tells where it comes from."""
    base, _, token = serving.url.partition("/#")
    body = '{"annotator": "Eve", "request": "request-1", "piece": 1, "modality": "sound", "answer": "yes"}'
    page = browser.new_page()
    page.goto("data:text/html,<title>elsewhere</title>")
    page.evaluate(
        """async ([url, token, body]) => {
            const headers = { "X-V2S-Token": token, "Content-Type": "application/json" };
            await fetch(url, { method: "POST", headers, body }).catch(() => {});
            await fetch(url, { method: "POST", mode: "no-cors", body }).catch(() => {});
        }""",
        [f"{base}/api/answer", token, body],
    )
    page.close()
    assert rows(serving.project, "SELECT * FROM votes") == []
