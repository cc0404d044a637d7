"""The window in Resolve Studio, against a stand-in for Fusion's UIManager."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

import v2s_plugin.hosts
from tests.hosts.fusion_standin import Bmd, Fusion
from tests.hosts.resolve_runs import SaidClient, clip, done
from tests.hosts.resolve_standin import Resolve
from v2s_plugin.hosts.client import WorkerGoneError
from v2s_plugin.hosts.resolve.window import SKIPPED, Window, show

HELLO = {"type": "hello", "protocol": 1, "version": "0", "sound_classes": ["dog", "drum"], "bundles": [], "devices": []}


class GreetingClient(SaidClient):
    """Says hello before it is asked anything."""

    def __init__(self, *messages):
        super().__init__(*messages)
        self.greeted = self.closed = False

    def poll(self):
        if not self.greeted:
            self.greeted = True
            return [HELLO]
        return super().poll()

    def close(self, grace=3.0):
        self.closed = True


@pytest.fixture
def resolve(tmp_path):
    otio = tmp_path / "source.otio"
    otio.write_text("{}", encoding="utf-8")
    return Resolve(otio)


def opened(resolve, client, *steps):
    window = Window(resolve, Fusion(), Bmd(list(steps)), client)
    window.run()
    return window


def wait(window):
    """The editor waits for the timer's next tick."""


def test_the_editor_chooses_generates_and_reads_what_was_done(resolve, tmp_path):
    client = GreetingClient(clip(tmp_path / "V2S/Film/My_cut_scored.media", "a", Fraction(1), Fraction(1)), done())
    seen = []

    def choose(window):
        items = window.GetItems()
        assert items["Sound"].entries == [SKIPPED, "dog", "drum"]
        assert items["Generate"].Enabled
        items["Sound"].CurrentIndex, items["Takes"].Value = 2, 2
        items["Folder"].Text = str(tmp_path / "V2S")
        window.On["Generate"].Clicked({})
        seen.append((items["Generate"].Enabled, items["Cancel"].Enabled))

    window = opened(resolve, client, wait, choose, wait)
    assert seen == [(False, True)]
    assert client.requests[0]["options"] == {"takes": 2, "seed": 0, "force": True, "sound": "drum"}
    assert window.items["Progress"].Text == "done"
    assert window.items["Messages"].PlainText == "placed: 1"
    assert (window.items["Generate"].Enabled, window.items["Cancel"].Enabled) == (True, False)
    assert client.closed
    assert not window.timer.running


def test_cancel_stops_and_says_so(resolve, tmp_path):
    client = GreetingClient()

    def go(window):
        window.GetItems()["Folder"].Text = str(tmp_path / "V2S")
        window.On["Generate"].Clicked({})

    window = opened(resolve, client, wait, go, lambda window: window.On["Cancel"].Clicked({}), wait)
    assert client.cancelled == [1]
    assert window.items["Progress"].Text == "stopped"
    assert window.items["Generate"].Enabled


def test_what_is_missing_in_resolve_is_told_in_the_window(resolve, tmp_path):
    def go(window):
        window.GetItems()["Folder"].Text = str(tmp_path / "V2S")
        window.GetItems()["Scope"].CurrentIndex = 1
        window.On["Generate"].Clicked({})

    window = opened(resolve, GreetingClient(), wait, go, wait)
    assert "in and out are not both set" in window.items["Messages"].PlainText
    assert window.items["Generate"].Enabled


def test_a_worker_that_does_not_start_is_told_in_the_window(resolve):
    class Broken(SaidClient):
        def start(self):
            raise WorkerGoneError("cannot start; run `v2s hosts install` again")

    assert "install" in opened(resolve, Broken()).items["Messages"].PlainText


def test_a_worker_that_died_is_started_again_by_the_next_run(resolve, tmp_path):
    class Dying(GreetingClient):
        starts = 0

        def start(self):
            self.starts += 1

    gone = {"type": "error", "id": None, "code": "worker_gone", "message": "it ended", "detail": "", "action": "again"}
    client = Dying(gone)

    def go(window):
        window.GetItems()["Folder"].Text = str(tmp_path / "V2S")
        window.On["Generate"].Clicked({})

    def go_again(window):
        assert "it ended" in window.GetItems()["Messages"].PlainText
        client.messages = [done()]
        go(window)

    window = opened(resolve, client, wait, go, go_again, wait)
    assert client.starts == 3
    assert window.items["Progress"].Text == "done"


def test_a_version_without_windows_says_what_to_do_instead(resolve, capsys):
    class Windowless:
        UIManager = None

    show(resolve, Windowless(), Bmd([]), ["no/such/python"])
    assert "v2s hosts resolve" in capsys.readouterr().out


def test_the_menu_entry_opens_the_window_from_where_v2s_is_installed(tmp_path):
    """In a Python that does not know V2S, as Resolve's own."""
    hosts = Path(v2s_plugin.hosts.__file__).parent
    text = (hosts / "resolve" / "V2S.py").read_text(encoding="utf-8")
    entry = tmp_path / "V2S.py"
    entry.write_text(text.replace("@HOSTS@", hosts.as_posix()).replace("@PYTHON@", "no/such/python"), encoding="utf-8")
    program = tmp_path / "resolve_runs_it.py"
    program.write_text(
        "import sys\n"
        f"sys.path.append({str(Path(__file__).parents[2])!r})\n"
        "from tests.hosts.fusion_standin import Bmd, Fusion\n"
        "from tests.hosts.resolve_standin import Resolve\n"
        "bmd = Bmd([])\n"
        f"exec(open({str(entry)!r}).read(), {{'resolve': Resolve(None), 'fusion': Fusion(), 'bmd': bmd}})\n"
        "assert 'v2s_plugin' not in sys.modules and 'numpy' not in sys.modules\n"
        "print(bmd.dispatcher.window.GetItems()['Messages'].PlainText)\n",
        encoding="utf-8",
    )
    ran = subprocess.run([sys.executable, "-I", "-S", program], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "no/such/python" in ran.stdout
