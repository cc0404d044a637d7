"""`v2s remove`: everything of ours out of a timeline again."""

from __future__ import annotations

from v2s_plugin.cli.options import ForceOption, InPlaceOption, JsonOption, OutputOption, TimelineArgument


def remove_command(
    timeline: TimelineArgument,
    *,
    output: OutputOption = None,
    in_place: InPlaceOption = False,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> int:
    """Take everything that V2S added out again.

    Writes cut_unscored.otio beside cut.otio, or where -o says. WAV files stay where they are.
    """
    from v2s_plugin.cli.answers import EXIT_DONE, answer_json, counted
    from v2s_plugin.cli.talk import say
    from v2s_plugin.outputs import only_run
    from v2s_plugin.timeline import destination, read_timeline
    from v2s_plugin.writeback import without_sound_tracks

    scored = read_timeline(timeline)
    target = destination(timeline, output, ending="_unscored", in_place=in_place, force=force)
    with only_run(target.path):
        cleaned = without_sound_tracks(scored)
        target.write(cleaned)
    count = len(scored.tracks) - len(cleaned.tracks)
    say(f"{counted(count, 'track')} removed")
    if as_json:
        answer_json({"output": str(target.path), "tracks_removed": count})
    else:
        print(target.path)
    return EXIT_DONE
