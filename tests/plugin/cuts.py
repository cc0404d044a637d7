"""Small timelines, and stand-ins for the media probe and the engine's pipeline.

cut = timeline(track(clip("a", "a.mp4", source=span(0, 48, 24)), gap(12, 24)))
result = score(cut, tmp_path, ClickSource())
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import opentimelineio as otio

from v2s_engine.envelope import Envelope
from v2s_engine.errors import MediaUnreadableError, NoVideoStreamError
from v2s_engine.grid import ENVELOPE_LENGTH, SAMPLE_RATE, steps_covering
from v2s_engine.pipeline import SoundFailure, SoundRequest, SoundTake
from v2s_engine.progress import Progress
from v2s_engine.sampling.choose import Choice
from v2s_engine.video import VideoInfo
from v2s_plugin.planning.bundle_facts import BundleFacts
from v2s_plugin.planning.jobs import PlanOptions
from v2s_plugin.scoring import ScoreOptions, ScoreResult, score_file
from v2s_plugin.sounding import ledger

BUNDLE = BundleFacts("toy", "d" * 64, ("dog", "drum"))

CLICK_AT = SAMPLE_RATE // 10
"""Sample at which the sounds of `ClickSource` click."""


def time(value: float, rate: float) -> Any:
    return otio.opentime.RationalTime(value, rate)


def span(start: float, duration: float, rate: float) -> Any:
    return otio.opentime.TimeRange(time(start, rate), time(duration, rate))


def gap(duration: float, rate: float = 24) -> Any:
    return otio.schema.Gap(source_range=span(0, duration, rate))


def marker(note: str, start: float = 0, duration: float = 0, rate: float = 24, comment: str = "") -> Any:
    return otio.schema.Marker(name=note, marked_range=span(start, duration, rate), comment=comment)


def clip(
    name: str,
    url: str | Path | None = None,
    *,
    source: Any = None,
    available: Any = None,
    notes: Sequence[Any] = (),
    effects: Sequence[Any] = (),
    enabled: bool = True,
    reference: Any = None,
    metadata: dict[str, Any] | None = None,
) -> Any:
    """A clip; `notes` are markers, or the text of markers at the start of its source range."""
    if url is not None:
        reference = otio.schema.ExternalReference(target_url=str(url), available_range=available)
    made = otio.schema.Clip(name, media_reference=reference, source_range=source, metadata=metadata or {})
    start = source.start_time if source else time(0, 24)
    for note in notes:
        made.markers.append(marker(note, start.value, 0, start.rate) if isinstance(note, str) else note)
    made.effects.extend(effects)
    made.enabled = enabled
    return made


def track(*items: Any, name: str = "V1", kind: str = "Video", enabled: bool = True, source: Any = None) -> Any:
    made = otio.schema.Track(name, kind=kind, source_range=source)
    made.enabled = enabled
    for item in items:
        made.append(item)
    return made


def timeline(*tracks: Any, start: Any = None) -> Any:
    made = otio.schema.Timeline("cut", global_start_time=start)
    for each in tracks:
        made.tracks.append(each)
    return made


def save(cut: Any, path: Path) -> Path:
    path.write_text(otio.core.serialize_json_to_string(cut, indent=1), encoding="utf-8")
    return path


def load(path: Path) -> Any:
    return otio.core.deserialize_json_from_file(str(path))


def names_in(folder: Path) -> list[str]:
    """Names of all files but the ledger of a media folder."""
    return sorted(path.name for path in folder.iterdir() if path.name != ledger.NAME)


def info(path: Path, duration: Fraction | int = 100, *, timecode: str | None = None, rate: int = 24) -> VideoInfo:
    return VideoInfo(path, Fraction(duration), Fraction(rate), timecode, 160, 120, False)


def fake_probe(path: Path) -> VideoInfo:
    """Says of every file that it lasts 100 s; the names of files say what is wrong with them."""
    if path.stem == "sound_only":
        raise NoVideoStreamError(f"{path} holds no pictures; wanted a file with a video stream")
    if path.stem == "broken":
        raise MediaUnreadableError(f"cannot read {path}: Invalid data; export it again")
    return info(path)


def options(**given: Any) -> PlanOptions:
    return PlanOptions(given.pop("bundle", BUNDLE), **given)


class ClickSource:
    """Makes sounds that are silent but for one click per take and one per cue; remembers what was asked of it."""

    choice = Choice("fake", "it is a stand-in")

    def __init__(self, level: float = 0.5, fails: Callable[[SoundRequest], bool] = lambda request: False) -> None:
        self.level = level
        self.fails = fails
        self.requests: list[SoundRequest] = []

    def generate(
        self, requests: Sequence[SoundRequest], progress: Progress | None = None
    ) -> Iterator[SoundTake | SoundFailure]:
        self.requests += requests
        for request in requests:
            if self.fails(request):
                yield SoundFailure(request, MediaUnreadableError(f"cannot read {request.media}; export it again"))
                continue
            for take in request.takes:
                samples = np.zeros(request.length, np.float32)
                for at in (CLICK_AT, *request.cues):
                    samples[at : at + 40] = self.level
                samples[-1] = take / 1000  # so that no two takes are the same
                envelope = Envelope.silence(steps_covering(request.length, ENVELOPE_LENGTH))
                yield SoundTake(request, take, samples, envelope)


def score(
    cut: Any,
    folder: Path,
    source: Any,
    *,
    progress: Progress | None = None,
    probe: Any = fake_probe,
    plan: PlanOptions | None = None,
    **given: Any,
) -> ScoreResult:
    """Score a timeline saved as `cut.otio` in `folder`, or the one that lies there where `cut` is None."""
    path = folder / "cut.otio"
    if cut is not None:
        save(cut, path)
    wanted = ScoreOptions(plan=plan or options(sound="dog"), **given)
    return score_file(path, wanted, lambda **_: source, progress, probe=probe)
