"""`v2s doctor` finds what is wrong with each part, and looks at all the others as well."""

import json
import sys
from pathlib import Path

import pytest

from v2s_engine import bundle
from v2s_engine.sampling import devices
from v2s_engine.sampling.devices import DeviceStatus
from v2s_plugin import doctor
from v2s_plugin.cli import main
from v2s_plugin.doctor import Finding, examine
from v2s_plugin.hosts import programs
from v2s_plugin.hosts.folders import Place
from v2s_plugin.hosts.installing import install

PARTS = {"python", "packages", "onnxruntime", "devices", "bundles", "opentimelineio", "worker", "hosts"}


def findings(place: Place) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for finding in examine(place):
        found.setdefault(finding.part, []).append(finding)
    assert set(found) == PARTS
    assert all(finding.advice for part in found.values() for finding in part if finding.state != "ok")
    return found


def states(found: list[Finding]) -> set[str]:
    return {finding.state for finding in found}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A user without editing programs; the worker answers at once, whether the package is installed or not."""
    hello = "import sys, json; sys.stdin.readline(); print(json.dumps({'type': 'hello', 'protocol': 1}))"
    monkeypatch.setattr(programs, "worker_command", lambda: [sys.executable, "-c", hello])
    return Place("linux", tmp_path, {}, root=tmp_path)


def test_where_all_is_well_nothing_is_a_problem(place: Place) -> None:
    found = findings(place)
    assert not [finding for part in found.values() for finding in part if finding.state == "problem"]
    assert "starter" in found["bundles"][0].text
    assert any(finding.text.startswith("numba ") for finding in found["packages"])


def test_a_damaged_bundle_is_a_problem(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bundle.json").write_text("{}")
    monkeypatch.setattr(bundle, "known_bundles", lambda: {"starter": tmp_path})
    assert states(findings(place)["bundles"]) == {"problem"}
    monkeypatch.setattr(bundle, "known_bundles", dict)
    (finding,) = findings(place)["bundles"]
    assert (finding.state, "starter" in finding.text) == ("problem", True)


def test_a_package_that_does_not_load_is_a_problem(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich", None)
    (finding,) = (each for each in findings(place)["packages"] if each.state == "problem")
    assert finding.text.startswith("rich ")
    assert finding.advice == "pip install --force-reinstall rich"


@pytest.mark.parametrize(
    ("missing", "state"),
    [
        ((), "ok"),
        (("no NVIDIA driver is installed (libcuda.so.1 is not found): install one", "the package torch is ..."), "ok"),
        (("the package torch is not installed: pip install 'v2s[cuda]'",), "warning"),
    ],
)
def test_a_gpu_that_is_not_used_is_a_warning(
    place: Place, monkeypatch: pytest.MonkeyPatch, missing: tuple[str, ...], state: str
) -> None:
    known = {"cpu": DeviceStatus("cpu"), "cuda": DeviceStatus("cuda", missing)}
    monkeypatch.setattr(devices, "device_status", known.__getitem__)
    assert [finding.state for finding in findings(place)["devices"]] == ["ok", state]


def test_no_way_to_make_sounds_is_a_problem(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "device_status", lambda name: DeviceStatus(name, ("no driver: get one",)))
    assert [finding.state for finding in findings(place)["devices"]] == ["problem", "ok"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["/no/such/python"], "/no/such/python"),
        ([sys.executable, "-c", "import sys; sys.exit('no module v2s')"], "no module v2s"),
    ],
)
def test_a_worker_that_does_not_answer_is_a_problem(
    place: Place, monkeypatch: pytest.MonkeyPatch, command: list[str], said: str
) -> None:
    monkeypatch.setattr(programs, "worker_command", lambda: command)
    (finding,) = findings(place)["worker"]
    assert finding.state == "problem"
    assert said in finding.text


def test_an_outdated_panel_is_a_warning(place: Place, tmp_path: Path) -> None:
    (tmp_path / ".local" / "share" / "DaVinciResolve").mkdir(parents=True)
    assert states(findings(place)["hosts"]) == {"ok"}
    (target,) = install(programs.HOSTS["resolve"], place)
    script = target / "V2S.py"
    script.write_text(script.read_text() + "# older\n")
    (finding,) = findings(place)["hosts"]
    assert (finding.state, finding.advice) == ("warning", "v2s hosts install resolve")


def test_a_part_that_breaks_the_look_at_it_is_a_problem_and_the_others_are_looked_at(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert states(findings(place)["onnxruntime"]) == {"problem"}


def test_the_command_ends_with_1_where_there_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = [Finding("python", "ok", "fine"), Finding("worker", "problem", "silent", "start it")]
    monkeypatch.setattr(doctor, "examine", lambda: iter(told))
    assert main(["doctor"]) == 1
    assert capsys.readouterr().out == "ok      python: fine\nproblem worker: silent; start it\n"
    assert main(["doctor", "--json"]) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] is False
    assert answer["findings"][1] == {"part": "worker", "state": "problem", "text": "silent", "advice": "start it"}
    monkeypatch.setattr(doctor, "examine", lambda: iter(told[:1]))
    assert main(["doctor"]) == 0
