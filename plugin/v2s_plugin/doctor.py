"""Whether everything that V2S needs is there and works, part by part, and what to do where it does not.

for finding in examine():
    print(finding.part, finding.state, finding.text, finding.advice)
"""

from __future__ import annotations

import importlib
import importlib.metadata
import platform
import struct
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from v2s_engine import __version__
from v2s_engine.errors import V2SError
from v2s_plugin.hosts.client import WorkerClient, WorkerGoneError
from v2s_plugin.hosts.folders import Place

State = Literal["ok", "warning", "problem"]
"""`problem`: something that every job needs does not work; `warning`: less can be had than one might expect."""

OLDEST_PYTHON: Final = (3, 11)
WORKER_PATIENCE: Final = 60.0
"""Seconds that the worker gets to answer."""

_BASE: Final = (
    ("av", "av"),
    ("numba", "numba"),
    ("numpy", "numpy"),
    ("opencv-python-headless", "cv2"),
    ("opentimelineio", "opentimelineio"),
    ("rich", "rich"),
    ("safetensors", "safetensors"),
    ("typer", "typer"),
)
"""Package and module of all that the base install brings, but ONNX Runtime, whose package differs by system."""
_EXTRAS: Final = (
    ("torch", "cuda", "sounds made on an NVIDIA GPU, and training"),
    ("onnx", "onnx", "--device onnx"),
    ("otio-fcp-adapter", "formats", "timelines of other programs than .otio"),
    ("websockets", "panels", "the panel for Premiere"),
)
"""A package of each extra that an editor may want, the extra, and what it is for."""


@dataclass(frozen=True)
class Finding:
    """What was found about one part."""

    part: str
    state: State
    text: str
    advice: str = ""
    """What to do; empty where nothing is to be done."""


def examine(place: Place | None = None) -> Iterator[Finding]:
    """Every finding, part by part; each part is looked at even where one before it is broken. Raises nothing."""
    parts: tuple[tuple[str, Callable[[], Iterator[Finding]]], ...] = (
        ("python", _python),
        ("packages", _packages),
        ("onnxruntime", _providers),
        ("devices", _devices),
        ("bundles", _bundles),
        ("opentimelineio", _manifests),
        ("worker", _worker),
        ("hosts", lambda: _hosts(place or Place.here())),
    )
    for part, look in parts:
        try:
            yield from look()
        except Exception as error:  # a doctor that dies of what it finds helps nobody
            yield Finding(part, "problem", f"{type(error).__name__}: {error}", "pip install --force-reinstall v2s")


def _python() -> Iterator[Finding]:
    bits = struct.calcsize("P") * 8
    text = (
        f"V2S {__version__} on Python {platform.python_version()}, {bits} bits, {platform.platform()}: {sys.executable}"
    )
    if sys.version_info < OLDEST_PYTHON or bits < 64:
        yield Finding("python", "problem", text, "install V2S in a 64-bit Python 3.11 or newer")
    else:
        yield Finding("python", "ok", text)


def _packages() -> Iterator[Finding]:
    for package, module in _BASE:
        yield _package(package, module)
    for package, extra, purpose in _EXTRAS:
        if (version := _version(package)) is None:
            text = f"{package} is not installed; it is only for {purpose} (pip install 'v2s[{extra}]')"
            yield Finding("packages", "ok", text)
        else:
            yield Finding("packages", "ok", f"{package} {version}")


def _package(package: str, module: str) -> Finding:
    """A package that must be there, and load: broken ones are found out by that alone."""
    version = _version(package)
    try:
        importlib.import_module(module)
    except Exception as error:  # whatever a broken package raises
        text = f"{package} {version or ''} does not load: {error}".replace("  ", " ")
        return Finding("packages", "problem", text, f"pip install --force-reinstall {package}")
    return Finding("packages", "ok", f"{package} {version or '(of unknown version)'}")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _providers() -> Iterator[Finding]:
    import onnxruntime  # noqa: PLC0415  (looked at where it may fail)

    providers = onnxruntime.get_available_providers()
    text = f"ONNX Runtime {onnxruntime.__version__} with {', '.join(providers)}"
    if "CPUExecutionProvider" in providers:
        yield Finding("onnxruntime", "ok", text)
    else:
        yield Finding("onnxruntime", "problem", text, "pip install --force-reinstall onnxruntime")


def _devices() -> Iterator[Finding]:
    from v2s_engine.sampling.devices import device_status  # noqa: PLC0415

    cpu, cuda = device_status("cpu"), device_status("cuda")
    if cpu.usable:
        yield Finding("devices", "ok", "cpu: sounds can be made")
    else:
        yield Finding("devices", "problem", "cpu: sounds cannot be made", "; ".join(cpu.missing))
    if cuda.usable:
        yield Finding("devices", "ok", "cuda: there is an NVIDIA GPU and what it needs")
    elif len(cuda.missing) < 3 and not any("driver" in why or "CUDA does not exist" in why for why in cuda.missing):
        yield Finding("devices", "warning", "cuda: there is an NVIDIA GPU that is not used", "; ".join(cuda.missing))
    else:
        yield Finding("devices", "ok", f"cuda: not used ({cuda.missing[0].split(': ')[0]})")


def _bundles() -> Iterator[Finding]:
    from v2s_engine.bundle import DEFAULT_BUNDLE, known_bundles, load_bundle  # noqa: PLC0415

    again = "install V2S again: pip install --force-reinstall v2s"
    known = known_bundles()
    if DEFAULT_BUNDLE not in known:
        yield Finding("bundles", "problem", f"the bundle {DEFAULT_BUNDLE} is not there", again)
    for name in known:
        try:
            bundle = load_bundle(name)
        except V2SError as error:
            yield Finding("bundles", "problem", f"{name}: {error}", again)
        else:
            classes = ", ".join(bundle.sound_classes)
            yield Finding("bundles", "ok", f"{name}: all its files are as they were shipped; it sounds like {classes}")


def _manifests() -> Iterator[Finding]:
    import opentimelineio as otio  # noqa: PLC0415  (as above)

    manifest = otio.plugins.ActiveManifest()
    names = {script.name for script in (*manifest.hook_scripts, *manifest.media_linkers)}
    if {"v2s_generate", "v2s_relink"} <= names:
        yield Finding("opentimelineio", "ok", "OpenTimelineIO finds v2s_generate and v2s_relink")
    else:
        yield Finding(
            "opentimelineio",
            "warning",
            "OpenTimelineIO does not find v2s_generate and v2s_relink, so its own tools cannot call V2S",
            "pip install v2s in this Python, or name V2S's plugin_manifest.json in OTIO_PLUGIN_MANIFEST_PATH",
        )


def _worker() -> Iterator[Finding]:
    """Start the worker as panels do, and have it say hello."""
    from v2s_plugin.hosts.programs import worker_command  # noqa: PLC0415

    client = WorkerClient(worker_command(), host="v2s doctor")
    broken = "pip install --force-reinstall v2s in this Python, then `v2s hosts install` for each program"
    try:
        client.start()
        give_up = time.monotonic() + WORKER_PATIENCE
        while not (messages := client.poll()) and time.monotonic() < give_up:
            time.sleep(0.02)
        answer = messages[0] if messages else {"type": "error", "message": "it does not answer", "detail": ""}
    except WorkerGoneError as error:
        answer = {"type": "error", "message": str(error), "detail": ""}
    finally:
        client.close()
    if answer["type"] == "hello":
        yield Finding("worker", "ok", f"it answers panels, protocol {answer['protocol']}")
    else:
        last = str(answer["detail"]).strip().splitlines()[-1:]
        yield Finding("worker", "problem", ": ".join([str(answer["message"]), *last]), broken)


def _hosts(place: Place) -> Iterator[Finding]:
    from v2s_plugin.hosts.installing import installations  # noqa: PLC0415

    found = installations(place)
    for each in found:
        text = f"{each.host.title} {each.home.version or ''}".rstrip() + f": {each.state} ({each.target})"
        if each.state == "outdated":
            yield Finding("hosts", "warning", text, f"v2s hosts install {each.host.name}")
        elif each.state == "not installed":
            yield Finding("hosts", "ok", f"{text}; v2s hosts install {each.host.name} puts it there")
        else:
            yield Finding("hosts", "ok", text)
    if not found:
        yield Finding("hosts", "ok", "no editing program with a panel is found; v2s hosts install has --dir for others")
