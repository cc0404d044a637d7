"""OpenTimelineIO's adapters for foreign formats, from the extra `formats`.

Each is called by itself: no hook, no media linker and no other plug-in of the machine runs with it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import opentimelineio as otio

from v2s_engine.errors import MissingExtraError

EXTRA = "formats"

_FILES = {
    "fcp_xml": ("otio_fcp_adapter", "fcp_xml.py"),
    "aaf": ("otio_aaf_adapter", "adapters/advanced_authoring_format.py"),
    "edl": ("otio_cmx3600_adapter", "cmx_3600.py"),
    "xges": ("otio_xges_adapter", "xges.py"),
}
"""Package and file of the adapter for each format."""


def has_adapter(name: str) -> bool:
    """Whether a format is read and written by one of the adapters."""
    return name in _FILES


@cache
def load_adapter(name: str, title: str) -> Any:
    """The adapter module of a format; it has `read_from_string` and the like, as OpenTimelineIO lays down.

    Raises `MissingExtraError` where its package, or one it needs, is not installed.
    """
    package, file = _FILES[name]
    try:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(package)
        path = Path(spec.origin).parent / file
        with quiet():
            return otio.adapters.Adapter(name=path.stem, filepath=str(path), suffixes=[]).module()
    except ImportError as error:
        raise MissingExtraError(f"{title}", EXTRA) from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep what adapters print, log and warn of off the screen: stdout is for answers only."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
