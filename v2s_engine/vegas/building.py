"""`v2s vegas build`: kept pieces become a data set: clips, their index, shards, a data card and checksums.

    verdicts ─merge─> clips ─split─> rows of `clips` ─cut─> DIR/clips ─pack─> DIR/shards
                                                       └──> DIR/index.csv, README.md, checksums.txt

The folder belongs to the set: clips and shards of an earlier build that are not part of it any more are deleted. While
it is being built it has no index, so that nobody takes half a set for a whole one.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import av

from v2s_engine import __version__
from v2s_engine.digest import file_digest
from v2s_engine.errors import MediaError, OutputError, UsageError
from v2s_engine.progress import Progress
from v2s_engine.vegas.built_files import BuiltFile, BuiltFiles, describe_file
from v2s_engine.vegas.clip_counts import ClipCount, count_clips
from v2s_engine.vegas.cutting import open_section
from v2s_engine.vegas.dataset_card import CardFacts, dataset_card
from v2s_engine.vegas.dataset_clips import (
    DatasetClip,
    KeptPieces,
    check_categories,
    decide_clips,
    read_kept,
    write_clip_rows,
)
from v2s_engine.vegas.dataset_files import (
    CARD,
    CHECKSUMS,
    INDEX,
    MARK,
    checksums_text,
    index_text,
    write_text,
)
from v2s_engine.vegas.one_run import one_run
from v2s_engine.vegas.set_folder import begin_folder, check_folder
from v2s_engine.vegas.shards import ShardClip, ShardOptions, plan_shards, write_shard
from v2s_engine.vegas.splitting import SplitOptions
from v2s_engine.vegas.store import Note, Project, write_fact, write_notes


@dataclass(frozen=True)
class BuildOptions:
    """What set is built. Raises `UsageError`."""

    output: Path | None = None
    """The set's folder: new, empty, or one that an earlier build of this project made; None for a dry run alone."""
    seed: int = 0
    """Draws the videos for testing and validation, and the order in shards."""
    test_per_category: int = 128
    validation_per_category: int = 0
    categories: tuple[str, ...] = ()
    """Only these; empty for all."""
    shards: ShardOptions | None = None
    jobs: int = 1
    """Videos that are cut at once; the set does not depend on it."""
    dry_run: bool = False
    """Decide and write all rows, cut nothing."""

    def __post_init__(self) -> None:
        if self.output is None and not self.dry_run:
            raise UsageError("no folder is given for the set; give one, or --dry-run")
        if self.jobs < 1:
            raise UsageError(f"build wants at least 1 job; got {self.jobs}")
        _ = self.split  # checks the numbers

    @property
    def split(self) -> SplitOptions:
        """How videos are split."""
        return SplitOptions(self.seed, self.test_per_category, self.validation_per_category)

    def told(self) -> dict[str, Any]:
        """All that decides what is in the set, by name."""
        shards = None
        if self.shards is not None:
            shards = f"{self.shards.count} a split" if self.shards.count else f"{self.shards.size} bytes each"
        return {
            "seed": self.seed,
            "test_per_category": self.test_per_category,
            "validation_per_category": self.validation_per_category,
            "categories": ", ".join(sorted(set(self.categories))) or "all",
            "shards": shards,
        }


class LeftOutClip(NamedTuple):
    """A clip that could not be cut, or a video whose kept pieces are not used; it is in no index."""

    file: str
    """The clip's, or the video's id."""
    reason: str


@dataclass(frozen=True)
class BuildResult:
    """What was decided, and done."""

    counts: tuple[ClipCount, ...]
    """Of the clips that are in the set."""
    judged_pieces: int
    kept_pieces: int
    cut: int = 0
    """Clips cut by this run."""
    standing: int = 0
    """Clips that stood there from an earlier run."""
    removed: int = 0
    """Clips and shards of an earlier build that were deleted."""
    shards: int = 0
    digest: str | None = None
    """SHA-256 of `checksums.txt`: two sets are the same, byte for byte, where this is. None for a dry run."""
    left_out: tuple[LeftOutClip, ...] = ()


def build_dataset(project: Project, options: BuildOptions, progress: Progress) -> BuildResult:
    """Build the data set of the pieces that `aggregate` kept.

    Goes on where an earlier run stopped: clips that stand as they were written are not cut again. Rows of `clips` are
    made anew, also by a dry run. Clips whose video is missing or damaged are noted and left out.

    Raises `UsageError` (no verdicts, nothing kept, too few videos in a category), `OutputError` (the folder holds
    something else, the disk is full, another build is at work), `MediaError` where not one clip can be cut.
    """
    with project.connect() as connection, one_run(project, "build"):
        if options.output is not None:
            check_folder(connection, options.output)
        categories = check_categories(connection, options.categories)
        kept = read_kept(connection, categories)
        clips = decide_clips(connection, project, kept.pieces, options.split, categories)
        with connection:
            write_clip_rows(connection, clips)
            write_fact(connection, "build", options.told())
        if options.dry_run or options.output is None:
            outdated = tuple(map(_outdated, kept.outdated))
            return BuildResult(tuple(count_clips(clips)), kept.judged, len(kept.pieces), left_out=outdated)
        return _Build(project, connection, options, options.output, progress).run(clips, kept)


class _Build:
    """One run that writes a set's files."""

    def __init__(
        self,
        project: Project,
        connection: sqlite3.Connection,
        options: BuildOptions,
        folder: Path,
        progress: Progress,
    ) -> None:
        self._project = project
        self._connection = connection
        self._options = options
        self._folder = folder
        self._progress = progress
        begin_folder(connection, folder, options.told())
        self._built = BuiltFiles(connection, folder)

    def run(self, clips: Sequence[DatasetClip], kept: KeptPieces) -> BuildResult:
        waiting = [clip for clip in clips if not self._built.stands(clip.file, clip.made_of)]
        left_out = self._cut(waiting)
        gone = {each.file for each in left_out}
        there = [clip for clip in clips if clip.file not in gone]
        outdated = [_outdated(video_id) for video_id in kept.outdated]
        self._note(there, left_out, outdated)
        shards = self._pack(there)
        removed = self._built.keep_only({clip.file for clip in there} | set(shards))
        facts = CardFacts(
            there, self._options.told(), kept.judged, len(kept.pieces), kept.method, len(left_out), _versions()
        )
        write_text(self._folder / CARD, dataset_card(facts))
        write_text(self._folder / INDEX, index_text(there))
        digests = {file: self._built[file].sha256 for file in [*(clip.file for clip in there), *shards]}
        digests |= {name: file_digest(self._folder / name) for name in (MARK, CARD, INDEX)}
        write_text(self._folder / CHECKSUMS, checksums_text(digests))
        return BuildResult(
            counts=tuple(count_clips(there)),
            judged_pieces=kept.judged,
            kept_pieces=len(kept.pieces),
            cut=len(waiting) - len(left_out),
            standing=len(clips) - len(waiting),
            removed=removed,
            shards=len(shards),
            digest=file_digest(self._folder / CHECKSUMS),
            left_out=(*outdated, *left_out),
        )

    def _cut(self, waiting: Sequence[DatasetClip]) -> list[LeftOutClip]:
        """Cut clips, a few videos at once; those that could not be."""
        left_out: list[LeftOutClip] = []
        videos = [list(group) for _, group in itertools.groupby(waiting, key=lambda clip: clip.video_id)]
        done = 0
        with ThreadPoolExecutor(self._options.jobs) as pool:
            outcomes = pool.map(partial(_cut_video, self._project, self._folder, self._progress), videos)
            try:
                for clip, outcome in itertools.chain.from_iterable(outcomes):
                    if isinstance(outcome, BuiltFile):
                        self._built.add(clip.file, outcome)
                    else:
                        left_out.append(LeftOutClip(clip.file, outcome))
                    done += 1
                    self._progress.step("cut", done, len(waiting), clip.key)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return left_out

    def _note(
        self, there: Sequence[DatasetClip], left_out: Sequence[LeftOutClip], outdated: Sequence[LeftOutClip]
    ) -> None:
        """The store's clips are those of the set; what is missing is noted."""
        if not there:
            raise MediaError(f"not one clip could be cut; the first, {left_out[0].file}: {left_out[0].reason}")
        with self._connection as connection:
            connection.execute("DELETE FROM notes WHERE step = 'build'")
            write_notes(connection, "build", [Note("", None, *each) for each in (*outdated, *left_out)])
            if left_out:
                write_clip_rows(connection, there)

    def _pack(self, clips: Sequence[DatasetClip]) -> list[str]:
        """Write the shards that are asked for; their files."""
        if self._options.shards is None:
            return []
        members = [ShardClip(clip, self._built[clip.file].size, self._built[clip.file].sha256) for clip in clips]
        shards = plan_shards(members, self._options.shards, self._options.seed)
        for done, shard in enumerate(shards, start=1):
            if not self._built.stands(shard.file, shard.made_of):
                self._built.add(shard.file, describe_file(write_shard(self._folder, shard), shard.made_of))
            self._progress.step("pack", done, len(shards), shard.file)
        return [shard.file for shard in shards]


def _cut_video(
    project: Project, folder: Path, progress: Progress, clips: Sequence[DatasetClip]
) -> list[tuple[DatasetClip, BuiltFile | str]]:
    """Cut the clips of one video; with each its file, or why there is none."""
    progress.check()
    faults: dict[str, str] = {}
    try:
        with open_section(project.media_path(clips[0].video_id), clips[0].section_sha256) as section:
            for clip in clips:
                try:
                    section.write_clip(folder / clip.file, clip.stretch)
                except MediaError as error:
                    faults[clip.file] = str(error)
    except MediaError as error:
        return [(clip, str(error)) for clip in clips]
    try:
        return [(clip, faults.get(clip.file) or describe_file(folder / clip.file, clip.made_of)) for clip in clips]
    except OSError as error:
        raise OutputError(f"cannot read what was just written to {folder}: {error}; try another disk") from error


def _outdated(video_id: str) -> LeftOutClip:
    return LeftOutClip(
        video_id,
        "its section was fetched again after its pieces were cut, which may sound otherwise; run v2s vegas segment "
        "to compare them",
    )


def _versions() -> dict[str, str]:
    major, minor, micro = av.library_versions["libavcodec"]
    return {"V2S": __version__, "PyAV": av.__version__, "libavcodec": f"{major}.{minor}.{micro}"}
