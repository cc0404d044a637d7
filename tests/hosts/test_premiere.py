"""The Premiere panel's files in Node: alone, and with a worker. Premiere itself was not at hand."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import v2s_plugin.hosts

PANEL = Path(v2s_plugin.hosts.__file__).parent / "premiere" / "panel"
TESTS = Path(__file__).parent / "premiere"


@pytest.fixture(scope="module")
def node():
    """Node's command, with the WebSocket that UXP has too."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("Node is not installed")
    major = int(
        subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout[1:].split(".")[0]
    )
    if major < 20:
        pytest.skip(f"Node {major} has no WebSocket; 20 or newer has")
    return [found, "--experimental-websocket"] if major < 22 else [found]


def run(node, test, **environment):
    ran = subprocess.run(
        [*node, "--test", TESTS / test],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, **environment},
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_panel_in_node(node):
    run(node, "panel.test.js")


def test_every_file_of_the_panel_is_javascript_that_node_takes(node):
    for script in sorted(PANEL.glob("*.js")):
        subprocess.run([node[0], "--check", script], check=True, capture_output=True)


def test_the_panel_and_a_worker(node, demo_timeline, tmp_path):
    pytest.importorskip("websockets", reason="the extra `panels` is not installed")
    connection = tmp_path / "worker.json"
    command = [sys.executable, "-P", "-m", "v2s_plugin.cli", "worker", "--socket", "--file", connection]
    worker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert json.loads(worker.stdout.readline())["type"] == "listening"
        output = tmp_path / "scored.otio"
        run(
            node,
            "worker.test.js",
            V2S_CONNECTION=str(connection),
            V2S_TIMELINE=str(demo_timeline),
            V2S_OUTPUT=str(output),
        )
    finally:
        worker.terminate()
        worker.communicate(timeout=20)


def test_the_manifest_names_what_is_there():
    manifest = json.loads((PANEL / "manifest.json").read_text(encoding="utf-8"))
    assert (PANEL / manifest["main"]).is_file()
    assert manifest["manifestVersion"] == 5
    assert manifest["host"]["app"] == "premierepro"
    assert "OTIO_SCHEMA" not in manifest  # UXP's own manifest.json, not OpenTimelineIO's
    assert manifest["requiredPermissions"]["localFileSystem"] == "fullAccess"
