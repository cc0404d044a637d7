"""What OpenTimelineIO calls: the hook script `v2s_generate`, on a hook of our own with the same name.

    otio.hooks.run("v2s_generate", timeline, {"v2s": {"media_folder": "/edit/cut.media", "sound": "dog"}})
    otioconvert -i cut.otio -o out.otio -H v2s="{'sound': 'dog'}"           the same where a timeline is written

It also stands on OpenTimelineIO's `pre_adapter_write`, where it does nothing without the key `v2s`.

OpenTimelineIO loads this file by its path, outside any package, even to list plug-ins: so it holds functions only and
imports what it needs when it is called. Running it twice (a plug-in may be registered twice) makes nothing twice: the
takes that the first run left are used again.
"""

from __future__ import annotations

from typing import Any

KNOWN_KEYS = (
    "media_folder",
    "timeline_folder",
    "bundle",
    "device",
    "rate",
    "sound",
    "sound_force",
    "seed",
    "takes",
    "existing",
    "covered",
    "carry",
    "only",
    "map",
    "search",
    "envelope_from",
    "lufs",
    "duck",
    "duck_by",
    "pan",
    "fade",
    "tracks",
)


def hook_function(in_timeline: Any, argument_map: Any = None) -> Any:
    """Score a timeline in memory where `argument_map["v2s"]` asks for it; otherwise return it untouched.

    Keys of `argument_map["v2s"]`: `media_folder` (where the WAVs go; on a write also found beside the file written),
    `timeline_folder` (what relative media count from; by default the folder that holds `media_folder`), `bundle`,
    `device`, `rate`, `sound`, `sound_force`, `seed`, `takes`, `existing`, `covered`, `carry` (true or false), `only` (a
    selector or a list of them), `map`, `search` (a folder or a list of them), `envelope_from`, `lufs`,
    `duck` (a track or a list of them), `duck_by`, `pan`, `fade`, `tracks`, as the options of `v2s generate`.

    Returns a scored copy. Raises `UsageError` for unknown keys or a wrong value, and as `score_timeline`.
    """
    if not argument_map or "v2s" not in argument_map:
        return in_timeline
    return _scored(in_timeline, dict(argument_map["v2s"]), argument_map.get("_filepath"))


def _scored(timeline: Any, asked: dict[str, Any], written: str | None) -> Any:
    try:
        # Not at the top: OpenTimelineIO imports this file in every program that lists plug-ins.
        import opentimelineio as otio  # noqa: PLC0415

        from v2s_engine.bundle import DEFAULT_BUNDLE  # noqa: PLC0415
        from v2s_engine.errors import UsageError  # noqa: PLC0415
        from v2s_engine.progress import Progress  # noqa: PLC0415
        from v2s_plugin.engine import ready_bundle  # noqa: PLC0415
        from v2s_plugin.options import score_options  # noqa: PLC0415
        from v2s_plugin.scoring import score_timeline  # noqa: PLC0415
        from v2s_plugin.sounding.sound_files import SoundFolder  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ImportError(
            f"the hook v2s_generate cannot find {error.name}: install V2S in the Python that runs it (pip install v2s)"
        ) from error
    if unknown := sorted(set(asked) - set(KNOWN_KEYS)):
        raise UsageError(f"unknown key {', '.join(unknown)} for v2s_generate; known: {', '.join(KNOWN_KEYS)}")
    if not isinstance(timeline, otio.schema.Timeline):
        raise UsageError(f"v2s_generate scores a Timeline; got a {type(timeline).__name__}")
    media_folder, timeline_folder = _folders(asked, written)
    facts, make_source = ready_bundle(asked.pop("bundle", DEFAULT_BUNDLE), asked.pop("device", "auto"))
    options = score_options(facts, **asked)
    result = score_timeline(
        timeline,
        options,
        make_source,
        folder=timeline_folder,
        sounds=SoundFolder(media_folder, options.rate),
        progress=Progress(),
    )
    return result.timeline


def _folders(asked: dict[str, Any], written: str | None) -> tuple[Any, Any]:
    """Where the WAVs go, and what relative media count from; takes both keys out of `asked`."""
    from pathlib import Path  # noqa: PLC0415

    from v2s_engine.errors import UsageError  # noqa: PLC0415

    given = asked.pop("media_folder", None) or (Path(written).with_suffix(".media") if written else None)
    if given is None:
        raise UsageError('v2s_generate wants to know where the sounds go; add "media_folder": "/a/folder"')
    media_folder = Path(given).absolute()
    return media_folder, Path(asked.pop("timeline_folder", media_folder.parent)).absolute()
