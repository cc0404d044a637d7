"""`v2s remove`: everything of ours out of a timeline again."""

from __future__ import annotations

from typing import Annotated

import typer

from v2s_plugin.cli.options import ForceOption, FormatOption, InPlaceOption, JsonOption, OutputOption, TimelineArgument

PruneOption = Annotated[bool, typer.Option("--prune", help="Delete its WAVs too: the scored timeline falls silent.")]


def remove_command(
    timeline: TimelineArgument,
    *,
    output: OutputOption = None,
    in_place: InPlaceOption = False,
    force: ForceOption = False,
    prune: PruneOption = False,
    format: FormatOption = None,
    as_json: JsonOption = False,
) -> int:
    """Take everything that V2S added out again.

    Writes cut_unscored.otio beside cut.otio, or where -o says. WAV files stay where they are unless --prune is given.
    A timeline with nothing of V2S on it stays as it is, and is the answer itself unless -o or --format is given.
    """
    from v2s_plugin.cli.answers import EXIT_DONE, answer_json, counted
    from v2s_plugin.cli.talk import say
    from v2s_plugin.ours import our_clips
    from v2s_plugin.outputs import only_run
    from v2s_plugin.prune import delete, find_orphans
    from v2s_plugin.sounding.ledger import forget_deleted
    from v2s_plugin.timeline import destination, open_timeline, require_facts
    from v2s_plugin.tracks.writeback import without_sound_tracks

    require_facts(timeline)
    with open_timeline(timeline) as scored:
        target = destination(timeline, output, ending="_unscored", in_place=in_place, force=force, format_name=format)
        with only_run(target.path):
            cleaned = without_sound_tracks(scored.timeline)
            wanted = output or format or not cleaned.is_equivalent_to(scored.timeline)
            lost = target.write(cleaned, cut=scored) if wanted else ()
            # What a run left behind lies in the folder beside the timeline; that of a bundle went with it.
            orphans = find_orphans(timeline.with_suffix(".media"), [cleaned], written=timeline) if prune else ()
            delete(orphans)
            if prune:
                forget_deleted(timeline.with_suffix(".media"))
        tracks = len(scored.timeline.tracks) - len(cleaned.tracks)
        clips = sum(1 for _ in our_clips(scored.timeline))
    written = target.path if wanted else timeline
    what = f"{counted(tracks, 'track')} removed" if wanted else "nothing of V2S is on it; it stays as it is"
    say(what + (f", {counted(len(orphans), 'file')} deleted" if prune else ""))
    for warning in lost:
        say(f"warning: {warning}")
    if as_json:
        deleted = [str(path) for path in orphans]
        answer_json({"output": str(written), "tracks_removed": tracks, "clips_removed": clips, "deleted": deleted})
    else:
        print(written)
    return EXIT_DONE
