"""What a command answers on stdout, and what of it a program gets as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from v2s_engine.grid import SAMPLE_RATE

if TYPE_CHECKING:
    from v2s_engine.sampling.choose import Choice
    from v2s_plugin.media.relink import Relinked
    from v2s_plugin.planning.clip_job import ClipJob
    from v2s_plugin.planning.jobs import Plan, Skip
    from v2s_plugin.scoring import ScoreResult
    from v2s_plugin.sounding.take_file import ScoredJob
    from v2s_plugin.takes.listing import ListedSound
    from v2s_plugin.tracks.edits import StandingSound

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_WRONG_USE = 2
EXIT_SOME_SKIPPED = 3
EXIT_CANCELLED = 130


def counted(number: int, noun: str) -> str:
    """A number and what is counted: `1 sound`, `2 sounds`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def answer_json(answer: dict[str, Any]) -> None:
    """Write the one JSON object of a command."""
    json.dump(answer, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def error_answer(kind: str, message: str, error: BaseException) -> dict[str, Any]:
    """An error as JSON: its class, what to tell the user, and the clips it is about."""
    answer: dict[str, Any] = {"kind": kind, "message": message}
    if skips := getattr(error, "skips", ()):
        answer["skips"] = [skip_answer(skip) for skip in skips]
    return {"error": answer}


def skip_answer(skip: Skip) -> dict[str, str]:
    """One skip as JSON."""
    return {"label": skip.label, "where": skip.where, "reason": skip.reason, "advice": skip.advice}


def relink_answer(relinked: Relinked) -> dict[str, str]:
    """Media that were found elsewhere than the timeline says, as JSON."""
    return {"url": relinked.url, "media": str(relinked.media)}


def job_answer(job: ClipJob) -> dict[str, Any]:
    """One clip job as JSON; times in seconds, for information. Cues count from `sound_start`."""
    return {
        "label": job.label,
        "track": job.track_name,
        "start": float(job.timeline_start),
        "end": float(job.timeline_end),
        "sound_start": float(job.sound_start),
        "sound_end": float(job.sound_end),
        "media": str(job.media),
        "media_start": float(job.source_start),
        "media_duration": float(job.source_duration),
        "sound": job.sound_class,
        "seed": job.seed,
        "cues": [cue / SAMPLE_RATE for cue in job.cues],
        "key": job.key,
        "scene": job.part.scene if job.part else None,
    }


def plan_answer(found: Plan, bundle_name: str) -> dict[str, Any]:
    """What would be done, as JSON."""
    return {
        "bundle": bundle_name,
        "jobs": [job_answer(job) for job in found.jobs],
        "skips": [skip_answer(skip) for skip in found.skips],
        "unselected": list(found.unselected),
        "relinked": [relink_answer(each) for each in found.relinked],
        "warnings": list(found.warnings),
    }


def sound_answer(sound: ScoredJob) -> dict[str, Any]:
    """One finished sound as JSON."""
    takes = [
        {
            "take": take.take,
            "path": str(take.path),
            "gain_db": take.gain_db,
            "reused": take.reused,
            "device": take.device or None,
            "plain": str(take.plain.path) if take.plain else None,
        }
        for take in sound.takes
    ]
    return job_answer(sound.job) | {"takes": takes}


def listed_answer(sound: ListedSound) -> dict[str, Any]:
    """A sound that stands on a timeline, and its takes, as JSON."""
    place = sound.standing.place
    return {
        "number": sound.number,
        "name": sound.name,
        "track": sound.standing.track_name,
        "start": float(place.start) if place else None,
        "sound": sound.sound_class,
        "key": sound.standing.key,
        "enabled": sound.enabled,
        "chosen": sound.chosen,
        "takes": [{"take": take, "url": sound.url_of(take)} for take in sound.takes],
    }


def dropped_answer(sound: StandingSound) -> dict[str, str]:
    """A sound that is not on the timeline any more, as JSON."""
    return {"name": str(sound.clip.name), "where": sound.where, "key": sound.key}


def choice_answer(choice: Choice) -> dict[str, Any]:
    """Why a device was chosen, as JSON; speeds in samples per second of all sounds together."""
    return {"device": choice.device, "reason": choice.reason, "speeds": dict(choice.speeds)}


def score_answer(result: ScoreResult) -> dict[str, Any]:
    """A scored timeline as JSON."""
    return {
        "output": str(result.output),
        "bundle": result.bundle_name,
        "media": str(result.media_folder),
        "device": result.device_name,
        "choice": choice_answer(result.choice) if result.choice else None,
        "made": result.made,
        "reused": result.reused,
        "sounds": [sound_answer(sound) for sound in result.scored],
        "skips": [skip_answer(skip) for skip in result.skips],
        "relinked": [relink_answer(each) for each in result.relinked],
        "unselected": list(result.unselected),
        "dropped": [dropped_answer(sound) for sound in result.dropped],
        "orphans": [str(path) for path in result.orphans],
        "pruned": result.pruned,
        "warnings": list(result.warnings),
    }


def exit_code(skips: Iterable[Skip]) -> int:
    """0, or 3 where some clips were skipped; those that the editor has disabled are not missed."""
    return EXIT_SOME_SKIPPED if any(not skip.switched_off for skip in skips) else EXIT_DONE
