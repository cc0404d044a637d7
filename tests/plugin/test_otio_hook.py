"""V2S as OpenTimelineIO finds it: by manifest or entry point, idle until asked, and no harm twice."""

import json
from pathlib import Path

import pytest

from tests.media import make_clip
from tests.plugin.cuts import BUNDLE, ClickSource, clip, load, names_in, save, span, timeline, track
from tests.plugin.processes import ROOT, run_python
from v2s_engine.errors import UsageError
from v2s_plugin import otio_adapter

MANIFEST = ROOT / "manifest.json"
TWIN = ROOT / "plugin" / "v2s_plugin" / "plugin_manifest.json"


@pytest.fixture
def cut(tmp_path: Path) -> Path:
    make_clip(tmp_path / "a.mp4", frames=50, width=64, height=64)
    return save(timeline(track(clip("a", "a.mp4", source=span(0, 24, 24)))), tmp_path / "cut.otio")


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> ClickSource:
    made = ClickSource()
    monkeypatch.setattr("v2s_plugin.engine.open_bundle", lambda name: (None, BUNDLE))
    monkeypatch.setattr("v2s_plugin.engine.open_pipeline", lambda bundle, device, **_: made)
    return made


def paths_absolute(path: Path) -> dict[str, object]:
    """A manifest with its paths counted from where it lies, as OpenTimelineIO does."""
    manifest = json.loads(path.read_text())
    for script in manifest["hook_scripts"] + manifest["media_linkers"]:
        script["filepath"] = str((path.parent / script["filepath"]).resolve())
        assert Path(script["filepath"]).is_file()
    return dict(manifest)


def test_the_two_manifests_say_the_same() -> None:
    assert paths_absolute(MANIFEST) == paths_absolute(TWIN)


LIST = """
import opentimelineio as otio, sys
manifest = otio.plugins.ActiveManifest()
print(sorted({each.name for each in manifest.hook_scripts}), sorted({each.name for each in manifest.media_linkers}))
print({hook: set(otio.hooks.scripts_attached_to(hook)) for hook in ("v2s_generate", "pre_adapter_write")})
cut = otio.adapters.read_from_file(sys.argv[1])
before = cut.to_json_string()
out = otio.hooks.run("v2s_generate", cut, {"other": 1})
print(out.to_json_string() == before, otio.hooks.run("v2s_generate", cut).to_json_string() == before)
otio.adapters.write_to_file(cut, sys.argv[1] + ".copy.otio")
print(otio.adapters.read_from_file(sys.argv[1] + ".copy.otio").to_json_string() == before)
print([name for name in ("numpy", "av", "onnxruntime", "numba", "torch", "v2s_engine") if name in sys.modules])
"""
LISTED = [
    "['v2s_generate'] ['v2s_relink']",
    "{'v2s_generate': {'v2s_generate'}, 'pre_adapter_write': {'v2s_generate'}}",
    "True True",
    "True",
    "[]",
]


@pytest.fixture
def installed(tmp_path: Path) -> str:
    """A folder on Python's path in which V2S is installed as far as its entry point goes."""
    facts = tmp_path / "site" / "v2s_probe-1.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: v2s-probe\nVersion: 1\n")
    (facts / "entry_points.txt").write_text("[opentimelineio.plugins]\nv2s = v2s_plugin\n")
    return f"import sys; sys.path.insert(0, {str(facts.parent)!r})\n"


def test_otio_finds_us_by_the_checkouts_manifest_and_we_are_idle(cut: Path) -> None:
    done = run_python(LIST, str(cut), OTIO_PLUGIN_MANIFEST_PATH=str(MANIFEST), OTIO_DISABLE_ENTRYPOINTS_PLUGINS="1")
    assert done.stderr == ""
    assert done.stdout.splitlines() == LISTED


def test_otio_finds_us_by_entry_point(cut: Path, installed: str) -> None:
    done = run_python(installed + LIST, str(cut), OTIO_PLUGIN_MANIFEST_PATH="")
    assert done.stderr == ""
    assert done.stdout.splitlines() == LISTED


def test_found_both_ways_we_are_idle_too(cut: Path, installed: str) -> None:
    both = LIST + "print(len(otio.hooks.scripts_attached_to('pre_adapter_write')) >= 2)"
    done = run_python(installed + both, str(cut), OTIO_PLUGIN_MANIFEST_PATH=str(MANIFEST))
    assert done.stderr == ""
    assert done.stdout.splitlines() == [*LISTED, "True"]


INFO = """
import sys
sys.modules.update(dict.fromkeys(sys.argv.pop().split(",")))  # as if these were not installed
from opentimelineio.console.otiopluginfo import main
main()
"""


@pytest.mark.parametrize("missing", ["none", "numpy,av,v2s_engine,v2s_plugin.scoring"])
def test_otiopluginfo_lists_us_whatever_else_is_installed(missing: str) -> None:
    done = run_python(INFO, missing, OTIO_PLUGIN_MANIFEST_PATH=str(MANIFEST))
    assert done.returncode == 0, done.stderr
    assert "v2s_generate" in done.stdout
    assert "v2s_relink" in done.stdout


def test_the_hook_scores_in_memory_where_it_is_asked_to(cut: Path, source: ClickSource) -> None:
    wanted = {"v2s": {"media_folder": str(cut.parent / "sounds"), "sound": "dog", "takes": 2, "rate": 44100}}
    result = otio_adapter.hook_function(load(cut), wanted)
    assert [each.name for each in result.tracks] == ["V1", "V2S dog"]
    assert len(names_in(cut.parent / "sounds")) == 2
    assert wanted["v2s"]["sound"] == "dog"
    assert names_in(cut.parent) == ["a.mp4", "cut.otio", "sounds"]


def test_the_hook_takes_a_selection_and_a_map(cut: Path, source: ClickSource) -> None:
    (cut.parent / "classes.csv").write_text("a,drum\n")
    wanted = {"media_folder": str(cut.parent / "sounds"), "map": str(cut.parent / "classes.csv")}
    result = otio_adapter.hook_function(load(cut), {"v2s": wanted | {"only": "track=V1"}})
    assert [each.name for each in result.tracks] == ["V1", "V2S drum"]
    with pytest.raises(UsageError, match="--only clip=x fits no clip"):
        otio_adapter.hook_function(load(cut), {"v2s": wanted | {"only": ["track=V1", "clip=x"]}})


def test_the_hook_carries_sounds_over_cuts(cut: Path, source: ClickSource) -> None:
    timeline = load(cut)
    timeline.tracks[0].append(clip("b", "a.mp4", source=span(24, 24, 24)))
    wanted = {"media_folder": str(cut.parent / "sounds"), "sound": "dog", "carry": True}
    otio_adapter.hook_function(timeline, {"v2s": wanted})
    assert [len(request.runs) for request in source.requests] == [2]
    with pytest.raises(UsageError, match="carry must be true or false; got 'no'"):
        otio_adapter.hook_function(timeline, {"v2s": wanted | {"carry": "no"}})


def test_running_twice_makes_nothing_twice(cut: Path, source: ClickSource) -> None:
    wanted = {"v2s": {"media_folder": str(cut.parent / "sounds"), "sound": "dog"}}
    once = otio_adapter.hook_function(load(cut), wanted)
    twice = otio_adapter.hook_function(once, wanted)
    assert twice.to_json_string() == once.to_json_string()
    assert len(source.requests) == 1


def test_on_a_write_the_sounds_go_beside_the_file(cut: Path, source: ClickSource) -> None:
    wanted = {"v2s": {"sound": "dog"}, "_filepath": str(cut.parent / "out.otio")}
    otio_adapter.hook_function(load(cut), wanted)
    assert len(names_in(cut.parent / "out.media")) == 1


def test_without_its_key_anything_comes_back_as_it_was(cut: Path) -> None:
    thing = object()
    for arguments in (None, {}, {"other": {"sound": "dog"}}):
        assert otio_adapter.hook_function(thing, arguments) is thing


@pytest.mark.parametrize(
    ("thing", "asked", "message"),
    [
        (timeline(), {"media_folder": "/x", "sond": "dog"}, "unknown key sond for v2s_generate; known: media_folder"),
        (timeline(), {"sound": "dog"}, '"media_folder"'),
        (timeline(), {"media_folder": "/x", "only": "V1"}, "--only V1 is not understood"),
        (timeline(), {"media_folder": "/x", "map": "/gone.csv"}, "cannot read the map"),
        (track(), {"media_folder": "/x"}, "scores a Timeline; got a Track"),
        (timeline(), {"media_folder": "/x", "sound": "cat"}, "no sound class 'cat'"),
    ],
)
def test_wrong_use_is_told(source: ClickSource, thing: object, asked: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        otio_adapter.hook_function(thing, {"v2s": asked})


def test_where_v2s_is_not_installed_the_call_says_so() -> None:
    code = f"""
import importlib.util, sys
sys.path = [path for path in sys.path if not path.startswith({str(ROOT)!r}) or "site-packages" in path]
sys.meta_path = [finder for finder in sys.meta_path if "editable" not in str(finder).lower()]
spec = importlib.util.spec_from_file_location("hook", {str(TWIN.parent / "otio_adapter.py")!r})
hook = importlib.util.module_from_spec(spec)
spec.loader.exec_module(hook)
sys.modules.update(v2s_engine=None, v2s_plugin=None)
try:
    hook.hook_function(None, {{"v2s": {{}}}})
except ImportError as error:
    print(error)
"""
    done = run_python(code)
    assert "install V2S in the Python that runs it (pip install v2s)" in done.stdout


def test_the_hook_knows_every_option_that_decides_what_is_heard() -> None:
    import typer.main

    from v2s_plugin import cli

    command = typer.main.get_command(cli.app).commands["generate"]  # type: ignore[attr-defined]
    flags = {flag[2:].replace("-", "_") for option in command.params for flag in option.opts if flag.startswith("--")}
    of_files = {"output", "in_place", "force", "format", "edl_rate", "prune", "json", "help"}
    assert flags - of_files == set(otio_adapter.KNOWN_KEYS) - {"media_folder", "timeline_folder"}
