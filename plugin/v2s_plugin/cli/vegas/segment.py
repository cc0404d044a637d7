"""`v2s vegas segment`: fetched videos become pieces of 2 s."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from v2s_plugin.cli.options import JsonOption
from v2s_plugin.cli.vegas.options import JobsOption, ProjectArgument

if TYPE_CHECKING:
    from v2s_engine.vegas.segmenting import SegmentResult


def segment_command(project: ProjectArgument, *, jobs: JobsOption = None, as_json: JsonOption = False) -> int:
    """Cut fetched videos into pieces of 2 s.

    With previews for annotators: pictures alone, sound alone, and a thumbnail. Goes on where a stopped run stands.

    A video that is missing or damaged is listed and tried again by the next run.
    One that was fetched again and sounds otherwise gets new pieces, unless annotators were asked about the old ones:
    then it is listed, and not built.
    """
    from v2s_engine.vegas.segmenting import SegmentOptions, segment_videos
    from v2s_engine.vegas.store import Project
    from v2s_plugin.cli.answers import EXIT_DONE, EXIT_SOME_SKIPPED, answer_json, counted
    from v2s_plugin.cli.talk import say, watched_progress
    from v2s_plugin.cli.vegas.options import number_of_jobs

    with watched_progress() as progress:
        result = segment_videos(Project(project), SegmentOptions(number_of_jobs(jobs)), progress)
    for each in result.left_out:
        say(f"left out: {each.video_id}: {each.reason}")
    if as_json:
        answer_json(_answer(result))
    else:
        print(f"{counted(result.pieces, 'piece')} of {counted(result.videos, 'video')}, {result.made} cut just now")
    return EXIT_SOME_SKIPPED if result.left_out else EXIT_DONE


def _answer(result: SegmentResult) -> dict[str, Any]:
    return {
        "videos": result.videos,
        "pieces": result.pieces,
        "made": result.made,
        "left_out": [each._asdict() for each in result.left_out],
    }
