"""What the worker says of itself."""

from __future__ import annotations

from v2s_engine import __version__
from v2s_engine.bundle import DEFAULT_BUNDLE, known_bundles
from v2s_engine.sampling.devices import devices
from v2s_plugin.engine import open_bundle
from v2s_plugin.protocol import WorkerHello

_FOR_EDITORS = ("cuda", "cpu", "onnx")


def greeting(bundle: str | None) -> WorkerHello:
    """The answer to `hello`: the sound classes of a bundle, and what can be had here. Raises as `open_bundle`."""
    _, facts = open_bundle(bundle or DEFAULT_BUNDLE)
    usable = [status.name for status in devices() if status.usable and status.name in _FOR_EDITORS]
    return WorkerHello(__version__, facts.sound_classes, tuple(known_bundles()), ("auto", *usable))
