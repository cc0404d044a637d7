"""Panels are put where each program looks for them, on every system, and nothing else is touched."""

import json
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath

import pytest

from tests.plugin.processes import ROOT
from v2s_engine import __version__
from v2s_engine.errors import OutputError, UsageError
from v2s_plugin.cli import main
from v2s_plugin.hosts.folders import Place, System, connection_file
from v2s_plugin.hosts.installing import install, installations, uninstall
from v2s_plugin.hosts.programs import HOSTS, host_named, worker_command

USUAL = {
    ("linux", "blender"): ".config/blender/5.0/extensions/user_default/v2s_blender",
    ("macos", "blender"): "Library/Application Support/Blender/5.0/extensions/user_default/v2s_blender",
    ("windows", "blender"): "AppData/Roaming/Blender Foundation/Blender/5.0/extensions/user_default/v2s_blender",
    ("linux", "resolve"): ".local/share/DaVinciResolve/Fusion/Scripts/Utility",
    ("macos", "resolve"): "Library/Application Support/Blackmagic Design/DaVinci Resolve/Fusion/Scripts/Utility",
    ("windows", "resolve"): "AppData/Roaming/Blackmagic Design/DaVinci Resolve/Support/Fusion/Scripts/Utility",
    ("macos", "premiere"): "Library/Application Support/V2S/v2s_premiere",
    ("windows", "premiere"): "AppData/Local/V2S/v2s_premiere",
}
"""Where each program has its panel, below the user's home; of Resolve, by its scripting README of May 2026."""

HOMES = {
    "blender": {
        "linux": ".config/blender/5.0",
        "macos": "Library/Application Support/Blender/5.0",
        "windows": "AppData/Roaming/Blender Foundation/Blender/5.0",
    },
    "resolve": {
        "linux": ".local/share/DaVinciResolve",
        "macos": "Library/Application Support/Blackmagic Design/DaVinci Resolve",
        "windows": "AppData/Roaming/Blackmagic Design/DaVinci Resolve",
    },
    "premiere": {
        "macos": "../Applications/Adobe Premiere Pro 2026",
        "windows": "../Program Files/Adobe/Adobe Premiere Pro 2026",
    },
}
"""What stands on the disk, from the home, once a program was started."""


def place(folder: Path, system: System = "linux", **environment: str) -> Place:
    (folder / "home").mkdir(exist_ok=True)
    return Place(system, folder / "home", environment, root=folder)


def started(folder: Path, host: str, system: System = "linux") -> Place:
    """A user who has started a program once."""
    here = place(folder, system)
    (here.home / HOMES[host][system]).mkdir(parents=True)
    return here


@pytest.mark.parametrize(("system", "host"), USUAL)
def test_each_program_is_found_and_gets_its_panel_where_it_looks(tmp_path: Path, system: System, host: str) -> None:
    here = started(tmp_path, host, system)
    (before,) = installations(here)
    assert (before.host.name, before.state) == (host, "not installed")
    assert before.target == here.home / USUAL[system, host]
    assert install(host_named(host), here) == [before.target]
    assert [each.state for each in installations(here)] == ["installed"]
    assert uninstall(host_named(host), here)
    assert [each.state for each in installations(here)] == ["not installed"]
    assert uninstall(host_named(host), here) == []


@pytest.mark.parametrize(
    ("system", "environment", "wanted"),
    [
        ("linux", {}, "home/.local/state/v2s/worker.json"),
        ("linux", {"XDG_STATE_HOME": "/s"}, "/s/v2s/worker.json"),
        ("macos", {"XDG_STATE_HOME": "/s"}, "home/Library/Application Support/V2S/worker.json"),
        ("windows", {}, "home/AppData/Local/V2S/worker.json"),
        ("windows", {"LOCALAPPDATA": "/local"}, "/local/V2S/worker.json"),
    ],
)
def test_the_worker_tells_its_port_in_the_users_own_folder(
    tmp_path: Path, system: System, environment: dict[str, str], wanted: str
) -> None:
    assert connection_file(place(tmp_path, system, **environment)) == tmp_path / PurePosixPath(wanted)


def test_a_program_that_is_not_found_is_an_error_that_names_the_place_and_the_way_out(tmp_path: Path) -> None:
    (place(tmp_path).home / ".config" / "blender" / "4.2").mkdir(parents=True)  # a Blender that is too old
    for host, said in {
        "blender": r"Blender 4\.5 or newer was not found in .*--dir",
        "resolve": r"was not found in .*--dir",
        "premiere": "not made for Linux",
    }.items():
        with pytest.raises(UsageError, match=said):
            install(HOSTS[host], place(tmp_path))
        with pytest.raises(UsageError, match="a folder that is there"):
            install(HOSTS[host], place(tmp_path), folder=tmp_path / "mistyped")
    assert not (tmp_path / "mistyped").exists()
    with pytest.raises(UsageError, match=r"known: blender, resolve, premiere\. Other programs go by files"):
        host_named("kdenlive")
    assert host_named("Blender") is HOSTS["blender"]


def test_every_blender_that_has_extensions_gets_it(tmp_path: Path) -> None:
    here = place(tmp_path)
    for release in ("3.6", "4.2", "4.5", "5.0", "config"):
        (here.home / ".config" / "blender" / release).mkdir(parents=True)
    assert [each.home.version for each in installations(here)] == ["4.5", "5.0"]
    assert len(install(HOSTS["blender"], here)) == 2


def test_blender_gets_the_built_extension_and_the_way_to_the_worker(tmp_path: Path) -> None:
    (target,) = install(HOSTS["blender"], started(tmp_path, "blender"))
    assert {"blender_manifest.toml", "__init__.py", "client.py", "LICENSE"} <= {path.name for path in target.iterdir()}
    facts = json.loads((target / "v2s_install.json").read_text())
    assert facts == {"command": worker_command(), "version": __version__}
    assert facts["command"][0] == sys.executable


def test_a_blender_zip_can_be_given_and_what_is_none_is_refused(tmp_path: Path) -> None:
    here = started(tmp_path, "blender")
    good, other, noise = (tmp_path / name for name in ("good.zip", "other.zip", "noise.zip"))
    for path, names in ((good, ["blender_manifest.toml", "x.py"]), (other, ["blender_manifest.toml", "../x.py"])):
        with zipfile.ZipFile(path, "w") as packed:
            for name in names:
                packed.writestr(name, "x")
    noise.write_bytes(b"noise")
    (target,) = install(HOSTS["blender"], here, package=good)
    assert sorted(path.name for path in target.iterdir()) == ["blender_manifest.toml", "v2s_install.json", "x.py"]
    for bad in (other, noise, tmp_path / "gone.zip"):
        with pytest.raises(UsageError):
            install(HOSTS["blender"], here, package=bad)
    assert (target / "x.py").exists()
    with pytest.raises(UsageError, match="--zip is for blender"):
        install(HOSTS["resolve"], here, package=good)


def test_the_launchers_of_resolve_know_this_installation(tmp_path: Path) -> None:
    here = started(tmp_path, "resolve")
    (target,) = install(HOSTS["resolve"], here)
    for name in ("V2S.py", "V2S.lua"):
        text = (target / name).read_text(encoding="utf-8")
        assert "@" not in text.replace("@@", "")
        assert (ROOT / "plugin" / "v2s_plugin" / "hosts").as_posix() in text
    assert Path(sys.executable).as_posix() in (target / "V2S.py").read_text(encoding="utf-8")
    assert (connection_file(here).parent / "resolve").as_posix() in (target / "V2S.lua").read_text(encoding="utf-8")


def test_the_panel_of_premiere_knows_where_the_worker_tells_its_port(tmp_path: Path) -> None:
    here = started(tmp_path, "premiere", "macos")
    (target,) = install(HOSTS["premiere"], here)
    assert (target / "manifest.json").is_file()
    assert connection_file(here).as_posix() in (target / "settings.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("host", ["blender", "resolve"])
def test_what_another_version_installed_is_outdated_and_replaced(tmp_path: Path, host: str) -> None:
    here = started(tmp_path, host)
    (target,) = install(HOSTS[host], here)
    (old,) = target.glob("v2s_install.json") if host == "blender" else target.glob("V2S.py")
    old.write_text(old.read_text().replace(sys.executable, "/gone/python"))
    assert [each.state for each in installations(here)] == ["outdated"]
    install(HOSTS[host], here)
    assert [each.state for each in installations(here)] == ["installed"]


def test_what_is_somebody_elses_stays(tmp_path: Path) -> None:
    here = started(tmp_path, "blender")
    theirs = here.home / USUAL["linux", "blender"] / "theirs.py"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")
    with pytest.raises(OutputError, match="V2S did not install it"):
        install(HOSTS["blender"], here)
    assert uninstall(HOSTS["blender"], here) == []
    assert theirs.read_text() == "theirs"

    scripts = tmp_path / "Scripts"
    own = scripts / "Utility" / "V2S.py"
    own.parent.mkdir(parents=True)
    own.write_text("print('mine')")
    (scripts / "Utility" / "other.py").write_text("theirs")
    with pytest.raises(OutputError, match="V2S did not install it"):
        install(HOSTS["resolve"], here, folder=scripts)
    own.unlink()
    install(HOSTS["resolve"], here, folder=scripts)
    assert len(uninstall(HOSTS["resolve"], here, folder=scripts)) == 2
    assert [path.name for path in (scripts / "Utility").iterdir()] == ["other.py"]


@pytest.mark.skipif(sys.platform == "win32", reason="a folder that may not be written to, as on Unix")
@pytest.mark.parametrize(("host", "file"), [("resolve", "Utility"), ("blender", "extensions")])
def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path, host: str, file: str) -> None:
    (tmp_path / file).write_text("")
    with pytest.raises(OutputError, match=r"cannot write .*--dir"):
        install(HOSTS[host], place(tmp_path), folder=tmp_path)


def test_the_commands_say_what_they_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = started(tmp_path, "resolve")
    monkeypatch.setattr(Place, "here", classmethod(lambda cls: here))
    target = here.home / USUAL["linux", "resolve"]
    assert main(["hosts", "list"]) == 0
    assert f"resolve: not installed: {target}\n" in capsys.readouterr().out
    assert main(["hosts", "install", "resolve"]) == 0
    said = capsys.readouterr()
    assert said.out == f"{target}\n"
    assert "Workspace > Scripts" in said.err
    assert main(["hosts", "list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["hosts"]
    assert rows == [{"host": "resolve", "version": None, "state": "installed", "target": str(target)}]
    assert main(["hosts", "uninstall", "resolve"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert main(["hosts", "install", "blender"]) == 2


def test_the_baked_command_starts_a_worker() -> None:
    """By the interpreter and nothing else: no folder to stand in, no variable of the environment."""
    try:
        version("v2s")
    except PackageNotFoundError:
        pytest.skip("the package is not installed")
    done = subprocess.run(
        worker_command(),
        input=b'{"type":"hello","protocol":1}\n',
        capture_output=True,
        check=False,
        cwd="/",
        env={"PATH": ""},
    )
    assert json.loads(done.stdout)["type"] == "hello", done.stderr
