"""What `select` is asked for: given now, kept from an earlier run, or our default; and what an earlier run allows."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from v2s_engine.digest import file_digest
from v2s_engine.errors import UsageError
from v2s_engine.vegas.categories import DRAWN_IN_PAPER, VEGAS_CATEGORIES, Category, check_names, known_category
from v2s_engine.vegas.store import Project, read_fact

FACT = "select"
"""Under which the store keeps what was chosen."""


@dataclass(frozen=True)
class SelectOptions:
    """What is asked for now; what is left out stays as an earlier run had it. Raises `UsageError`."""

    ontology: Path | None = None
    """AudioSet's `ontology.json`."""
    segments: tuple[Path, ...] = ()
    """Segment CSVs; of rows with the same video id the first counts, in this order."""
    categories: tuple[Category, ...] = ()
    """By default the ten of VEGAS."""
    without: tuple[str, ...] | None = None
    """AudioSet names (or ids): rows with these labels, or ones below them, are not drawn. By default none."""
    videos_per_category: int | None = None
    """At most; by default 3,000, the paper's larger number."""
    at_least: int | None = None
    """Fewer are a warning; by default 1,500, the paper's smaller number, or `videos_per_category` if that is less."""
    seed: int | None = None
    """By default 0."""

    def __post_init__(self) -> None:
        check_names(self.categories)
        if self.videos_per_category is not None and self.videos_per_category < 1:
            raise UsageError(f"videos per category must be at least 1; got {self.videos_per_category}")
        if self.at_least is not None and self.at_least < 0:
            raise UsageError(f"the least number of videos cannot be negative; got {self.at_least}")


@dataclass(frozen=True)
class SegmentFile:
    """A segment CSV, known by what it holds: it may lie elsewhere in a later run."""

    path: Path
    sha256: str


@dataclass(frozen=True)
class Choice:
    """All that decides a draw; fields as in `SelectOptions`."""

    ontology: Path
    segments: tuple[SegmentFile, ...]
    categories: tuple[Category, ...]
    without: tuple[str, ...]
    videos_per_category: int
    at_least: int
    seed: int

    def as_fact(self) -> dict[str, Any]:
        """What the store keeps of it."""
        return {
            "ontology": str(self.ontology),
            "segments": [{"path": str(each.path), "sha256": each.sha256} for each in self.segments],
            "categories": [{"name": each.name, "audioset": list(each.audioset)} for each in self.categories],
            "without": list(self.without),
            "videos_per_category": self.videos_per_category,
            "at_least": self.at_least,
            "seed": self.seed,
        }


class Standing(NamedTuple):
    """What an earlier run left."""

    fact: Mapping[str, Any] | None
    """Its choice, None where there was none."""
    fetching_begun: bool
    """Whether videos were fetched since: then nothing that is drawn may be lost."""


def read_standing(connection: sqlite3.Connection) -> Standing:
    """What an earlier run left in a project."""
    (begun,) = connection.execute("SELECT EXISTS (SELECT 1 FROM fetches)").fetchone()
    return Standing(read_fact(connection, FACT), bool(begun))


def project_standing(project: Project) -> Standing:
    """The same of a project that need not be there yet."""
    if not project.database.exists():
        return Standing(None, fetching_begun=False)
    with project.connect() as connection:
        return read_standing(connection)


def settle(options: SelectOptions, standing: Standing) -> Choice:
    """What is asked for now, else what was before, else our default.

    Raises `UsageError` where something is missing, or is not what fetched videos were drawn by.
    """
    before = standing.fact or {}
    kept = tuple(known_category(each["name"], tuple(each["audioset"])) for each in before.get("categories", ()))
    choice = Choice(
        ontology=_ontology(options, before),
        segments=_segment_files(options.segments or tuple(Path(each["path"]) for each in before.get("segments", ()))),
        categories=_in_order(options.categories or kept or VEGAS_CATEGORIES, kept if standing.fetching_begun else ()),
        without=tuple(dict.fromkeys(before.get("without", ()) if options.without is None else options.without)),
        videos_per_category=_given(options.videos_per_category, before.get("videos_per_category"), DRAWN_IN_PAPER[1]),
        at_least=_given(options.at_least, before.get("at_least"), DRAWN_IN_PAPER[0]),
        seed=_given(options.seed, before.get("seed"), 0),
    )
    if options.at_least is not None and choice.at_least > choice.videos_per_category:
        raise UsageError(
            f"at least {choice.at_least} videos are wanted per category, but at most {choice.videos_per_category}; "
            f"raise the one or lower the other"
        )
    if standing.fetching_begun:
        _check_extension(choice, before)
    return choice


def _check_extension(choice: Choice, before: Mapping[str, Any]) -> None:
    """Fetched videos stay: what they were drawn by may become more, but not other."""
    faults = []
    if choice.seed != before["seed"]:
        faults.append(f"the seed was {before['seed']}, now {choice.seed}")
    if set(choice.without) != set(before["without"]):
        faults.append(f"left out were {_listed(before['without'])}, now {_listed(choice.without)}")
    given = {each.sha256 for each in choice.segments}
    faults += [
        f"{each['path']} is not given any more, or has changed"
        for each in before["segments"]
        if each["sha256"] not in given
    ]
    classes = {each.name: each.audioset for each in choice.categories}
    for each in before["categories"]:
        if each["name"] not in classes:
            faults.append(f"category {each['name']} is not given any more")
        elif set(each["audioset"]) != set(classes[each["name"]]):
            was, now = _listed(each["audioset"]), _listed(classes[each["name"]])
            faults.append(f"category {each['name']} was made of {was}, now of {now}")
    if faults:
        raise UsageError(
            f"videos of this project are fetched already, and were drawn otherwise: {'; '.join(faults)}; leave these "
            f"options as they were (more videos, files or categories are fine), or start another project"
        )


def _ontology(options: SelectOptions, before: Mapping[str, Any]) -> Path:
    if options.ontology is None and "ontology" not in before:
        raise UsageError("no ontology is given; get ontology.json from github.com/audioset/ontology")
    return (options.ontology or Path(before["ontology"])).absolute()


def _segment_files(paths: tuple[Path, ...]) -> tuple[SegmentFile, ...]:
    """Raises `UsageError` where rows could not be traced to one file, or would all be there twice."""
    if not paths:
        raise UsageError("no segments are given; wanted AudioSet's CSVs, e.g. balanced_train_segments.csv")
    files: dict[str, SegmentFile] = {}
    for path in paths:
        try:
            file = SegmentFile(path.absolute(), file_digest(path))
        except OSError as error:
            raise UsageError(f"cannot read the segments in {path}: {error.strerror or error}") from error
        if path.name in files:
            raise UsageError(f"two files of segments are called {path.name}; rename one, since rows are noted by it")
        if same := next((each for each in files.values() if each.sha256 == file.sha256), None):
            raise UsageError(f"{path} and {same.path} are the same, byte for byte; give one of them")
        files[path.name] = file
    return tuple(files.values())


def _in_order(categories: tuple[Category, ...], first: tuple[Category, ...]) -> tuple[Category, ...]:
    """Categories that were there before stay in front, so that a tie between categories is decided as before."""
    order = {each.name: number for number, each in enumerate(first)}
    return tuple(sorted(categories, key=lambda each: order.get(each.name, len(order))))


def _given(now: int | None, before: int | None, default: int) -> int:
    return next(each for each in (now, before, default) if each is not None)


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(map(repr, names)) or "none"
