"""`v2s demo`: the main job on a small timeline that ships with V2S."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from v2s_engine.bundle import DEFAULT_BUNDLE
from v2s_plugin.cli.options import BundleOption, DeviceOption, ForceOption, JsonOption, SeedOption

FolderArgument = Annotated[Path, typer.Argument(metavar="DIR", help="A new folder for the demo.")]


def demo_command(
    folder: FolderArgument = Path("v2s-demo"),
    *,
    bundle: BundleOption = DEFAULT_BUNDLE,
    seed: SeedOption = 0,
    device: DeviceOption = "auto",
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> int:
    """Score a small timeline that comes with V2S.

    Copies it to a new folder, scores it there, and makes a film of it to watch and listen to.
    """
    from v2s_plugin.cli.answers import answer_json, exit_code, score_answer
    from v2s_plugin.cli.talk import say_result, watched_progress
    from v2s_plugin.demo_timeline import copy_demo
    from v2s_plugin.engine import ready_bundle
    from v2s_plugin.options import score_options
    from v2s_plugin.preview import render_preview
    from v2s_plugin.scoring import score_file

    facts, make_source = ready_bundle(bundle, device)
    options = score_options(facts, seed=seed, force=force)
    source = copy_demo(folder.absolute(), force=force)
    with watched_progress() as progress:
        result = score_file(source, options, make_source, progress)
        preview = source.with_name("demo_scored.mp4")
        render_preview(result.timeline, source.parent, preview, progress)
    say_result(result)
    if as_json:
        answer_json(score_answer(result) | {"timeline": str(source), "preview": str(preview)})
    else:
        print(f"timeline  {source}")
        print(f"scored    {result.output}")
        print(f"sounds    {result.media_folder}")
        print(f"preview   {preview}")
    return exit_code(result.skips)
