"""What a request asks for, beside its pictures: its options, checked, and what makes sounds by them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from v2s_engine.bundle import DEFAULT_BUNDLE
from v2s_engine.errors import UsageError
from v2s_engine.progress import Progress
from v2s_plugin import engine
from v2s_plugin.media.library import Probe
from v2s_plugin.options import score_options
from v2s_plugin.planning.bundle_facts import BundleFacts
from v2s_plugin.scoring import ScoreOptions
from v2s_plugin.sounding.making import MakeSource

if TYPE_CHECKING:
    from v2s_engine.video import Pictures, VideoInfo

_ABOUT_FILES: Final = ("only", "in_place", "force", "tracks", "prune", "format", "edl_rate", "duck", "duck_by")
"""Options that say something about a timeline file or its other tracks."""


@dataclass(frozen=True)
class Asked:
    """The options of one request."""

    facts: BundleFacts
    make_source: MakeSource
    options: ScoreOptions

    @classmethod
    def file(cls, options: Mapping[str, Any], output: Path | None = None) -> Asked:
        """Those for a timeline file. Raises `UsageError`, and as `load_bundle`."""
        given = dict(options)
        facts, make_source = engine.ready_bundle(given.pop("bundle", DEFAULT_BUNDLE), given.pop("device", "auto"))
        for name in ("map", "envelope_from"):
            if name in given:
                given[name] = absolute(given[name], name)
        if "search" in given:
            given["search"] = [absolute(folder, "search") for folder in given["search"]]
        return cls(facts, make_source, score_options(facts, output=output, **given))

    @classmethod
    def shots(cls, options: Mapping[str, Any]) -> Asked:
        """Those for shots, which a host has chosen already. Raises as `file`."""
        for name in _ABOUT_FILES:
            if name in options:
                raise UsageError(f"the option {name!r} is about a timeline, and only shots are given; leave it out")
        return cls.file({"existing": "add", "covered": "add", **options})


def absolute(path: str, what: str) -> Path:
    """A path of a request; the worker stands in no folder that its host knows. Raises `UsageError`."""
    if not Path(path).is_absolute():
        raise UsageError(f"{what} must be an absolute path, got {path!r}; send the whole path")
    return Path(path)


def stoppable_probe(progress: Progress) -> Probe:
    """Looks into media as ever, and stops on request between them."""

    def look(media: Pictures) -> VideoInfo:
        from v2s_engine.video import probe  # noqa: PLC0415  (FFmpeg: only where media are looked at)

        progress.check()
        return probe(media)

    return look
