"""Takes on a scored timeline file: listed, chosen, added, in place; what the file was stays beside it as `.bak`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from v2s_engine.errors import TimelineError
from v2s_engine.progress import Progress
from v2s_plugin import engine
from v2s_plugin.media.library import Probe
from v2s_plugin.outputs import only_run
from v2s_plugin.planning.bundle_facts import BundleFacts
from v2s_plugin.sounding.making import MakeSource
from v2s_plugin.takes.adding import add_takes, recorded_bundle
from v2s_plugin.takes.listing import ListedSound, choose_take, list_sounds, pick_sounds
from v2s_plugin.timeline import Destination, OpenTimeline, destination, open_timeline, read_timeline, require_facts

OpenBundle = Callable[[str], tuple[BundleFacts, MakeSource]]
"""Opens a bundle by name or path: what a timeline remembers of it, and what makes sounds with it."""


@dataclass(frozen=True)
class TakesAnswer:
    """The sounds that were asked for, as they are now."""

    timeline: Any
    sounds: tuple[ListedSound, ...]
    made: int = 0
    """Takes that were generated."""
    warnings: tuple[str, ...] = ()


def takes_of_file(path: Path, clips: Sequence[str] = ()) -> TakesAnswer:
    """The sounds on a timeline file, or those that `clips` means, and their takes. Raises as `pick_sounds`."""
    require_facts(path)
    timeline = read_timeline(path)
    return TakesAnswer(timeline, pick_sounds(_sounds_on(timeline, path), clips))


def choose_in_file(path: Path, take: int, clips: Sequence[str] = ()) -> TakesAnswer:
    """Choose a take of every sound that `clips` means (none named: of all) and write the file. Raises as `choose_take`.

    Everything else in it stays as it was.
    """
    with _changing(path) as (opened, target):
        choose_take(pick_sounds(_sounds_on(opened.timeline, path), clips), take)
        lost = target.write(opened.timeline, cut=opened)
        return TakesAnswer(opened.timeline, pick_sounds(list_sounds(opened.timeline), clips), warnings=lost)


def add_in_file(
    path: Path,
    count: int,
    clips: Sequence[str] = (),
    *,
    bundle: str | None = None,
    device: str = "auto",
    search: tuple[Path, ...] = (),
    envelope_from: Path | None = None,
    progress: Progress | None = None,
    open_bundle: OpenBundle | None = None,
    probe: Probe | None = None,
) -> TakesAnswer:
    """Make `count` more takes of every sound that `clips` means (none named: of all) and write the file.

    `bundle` says where the bundle that made them lies, if not under its recorded name, and
    `envelope_from` the guide, if not in its recorded place. Raises as `add_takes`.
    """
    progress = progress or Progress()
    open_with = open_bundle or partial(engine.ready_bundle, device=device)
    with _changing(path) as (opened, target), target.sound_folder() as media:
        sounds = pick_sounds(_sounds_on(opened.timeline, path), clips)
        facts, make_source = open_with(bundle or recorded_bundle(sounds)[0])
        made = add_takes(
            opened.timeline,
            sounds,
            count,
            facts,
            make_source,
            folder=opened.folder,
            media=media,
            progress=progress,
            search=search,
            envelope_from=envelope_from,
            probe=probe,
        )
        progress.check()
        lost = target.write(opened.timeline, sounds=media, cut=opened)
        return TakesAnswer(opened.timeline, pick_sounds(list_sounds(opened.timeline), clips), made, lost)


@contextmanager
def _changing(path: Path) -> Iterator[tuple[OpenTimeline, Destination]]:
    """A timeline file that is changed in place, held for this run."""
    require_facts(path)
    target = destination(path, None, ending="", in_place=True, force=True)
    with only_run(target.path), open_timeline(target.path) as opened:
        yield opened, target


def _sounds_on(timeline: Any, path: Path) -> tuple[ListedSound, ...]:
    sounds = list_sounds(timeline)
    if not sounds:
        raise TimelineError(f"{path} holds no sounds of V2S; give a timeline that v2s generate wrote")
    return sounds
