"""`v2s takes`: the takes of every sound; another one chosen, more of them made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from v2s_plugin.cli.options import DeviceOption, JsonOption, SearchOption

ScoredArgument = Annotated[Path, typer.Argument(metavar="OUT", help="A timeline that v2s generate wrote.")]
ClipOption = Annotated[
    list[str] | None,
    typer.Option(
        "--clip",
        metavar="NAME|NUMBER|GLOB",
        help="Only these sounds, by name or by number in the list; may be given several times.",
        show_default=False,
    ),
]
ChooseOption = Annotated[
    int | None, typer.Option("--choose", metavar="N", help="Have take N heard.", show_default=False)
]
AddOption = Annotated[
    int | None,
    typer.Option(
        "--add",
        metavar="N",
        help="Make N more takes; with --carry, of all clips that share the sound.",
        show_default=False,
    ),
]
RecordedBundleOption = Annotated[
    str | None,
    typer.Option(
        "--bundle",
        metavar="NAME|PATH",
        help="Where the model lies that made the sounds, if not under its own name.",
        show_default=False,
    ),
]

RecordedGuideOption = Annotated[
    Path | None,
    typer.Option(
        "--envelope-from",
        metavar="FILE",
        help="Where the guide lies that timed the sounds, if not in its place.",
        show_default=False,
    ),
]


def takes_command(
    timeline: ScoredArgument,
    *,
    clip: ClipOption = None,
    choose: ChooseOption = None,
    add: AddOption = None,
    bundle: RecordedBundleOption = None,
    device: DeviceOption = "auto",
    search: SearchOption = None,
    envelope_from: RecordedGuideOption = None,
    as_json: JsonOption = False,
) -> int:
    """List the takes of every sound, choose another, or make more.

    Changes OUT in place and keeps what it was as .bak; everything but the takes asked for stays as it is.
    """
    from v2s_engine.errors import UsageError
    from v2s_plugin.cli.answers import EXIT_DONE, answer_json, listed_answer
    from v2s_plugin.cli.talk import say, watched_progress
    from v2s_plugin.takes.in_file import add_in_file, choose_in_file, takes_of_file

    if choose is not None and add is not None:
        raise UsageError("--choose and --add are two steps; give one of them")
    clips = clip or []
    if choose is not None:
        answer = choose_in_file(timeline, choose, clips)
    elif add is not None:
        with watched_progress() as progress:
            answer = add_in_file(
                timeline,
                add,
                clips,
                bundle=bundle,
                device=device,
                search=tuple(search or ()),
                envelope_from=envelope_from,
                progress=progress,
            )
    else:
        answer = takes_of_file(timeline, clips)
    for warning in answer.warnings:
        say(f"warning: {warning}")
    if as_json:
        sounds = [listed_answer(sound) for sound in answer.sounds]
        answer_json({"timeline": str(timeline), "made": answer.made, "sounds": sounds, "warnings": [*answer.warnings]})
        return EXIT_DONE
    for sound in answer.sounds:
        takes = " ".join(f"[{take}]" if take == sound.chosen else str(take) for take in sound.takes)
        off = "" if sound.enabled else ", disabled"
        print(f"{sound.number}: {sound.name} ({sound.where}){off}: takes {takes}")
    return EXIT_DONE
