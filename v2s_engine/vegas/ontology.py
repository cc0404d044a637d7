"""AudioSet's ontology: sound classes with ids and names, each with those below it.

The file is `ontology.json` of github.com/audioset/ontology (CC BY-SA 4.0): a list of objects with `id`, `name` and
`child_ids`. It is called a tree, but is a graph: `Growling` stands below four other classes.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from v2s_engine.errors import UsageError

_NEAR = 3
"""Names offered in place of one that is not known."""


@dataclass(frozen=True)
class SoundClass:
    """One class of the ontology."""

    mid: str
    """AudioSet's id, e.g. `/m/0bt9lr`."""
    name: str
    """Display name, e.g. `Dog`."""
    children: tuple[str, ...]
    """Ids of the classes right below it."""


@dataclass(frozen=True)
class Ontology:
    """All classes by id; see `read_ontology`."""

    classes: Mapping[str, SoundClass]

    def find(self, wanted: str) -> SoundClass:
        """The class of a display name, or of an id. Raises `UsageError` with names that are near."""
        if wanted in self.classes:
            return self.classes[wanted]
        found = self._named.get(wanted, ())
        if len(found) == 1:
            return found[0]
        if found:
            ids = ", ".join(each.mid for each in found)
            raise UsageError(f"{len(found)} sound classes are called {wanted!r}; give the id of one: {ids}")
        near = self._near(wanted)
        advice = f"did you mean {' or '.join(map(repr, near))}?" if near else "the names stand in ontology.json"
        raise UsageError(f"AudioSet's ontology has no sound class {wanted!r}; {advice}")

    def with_descendants(self, mids: Iterable[str]) -> frozenset[str]:
        """Ids of some classes and of all below them. A circle in the file does no harm."""
        return _reached(mids, {mid: each.children for mid, each in self.classes.items()})

    def with_ancestors(self, mids: Iterable[str]) -> frozenset[str]:
        """Ids of some classes and of all above them, by every way up."""
        return _reached(mids, self._parents)

    @cached_property
    def _parents(self) -> dict[str, list[str]]:
        parents: dict[str, list[str]] = {}
        for each in self.classes.values():
            for child in each.children:
                parents.setdefault(child, []).append(each.mid)
        return parents

    @cached_property
    def _named(self) -> dict[str, list[SoundClass]]:
        named: dict[str, list[SoundClass]] = {}
        for each in self.classes.values():
            named.setdefault(each.name, []).append(each)
        return named

    def _near(self, wanted: str) -> list[str]:
        """Names that look alike, or hold what was typed; capital letters do not count."""
        folded = {name.casefold(): name for name in self._named}
        typed = wanted.casefold().strip()
        near = difflib.get_close_matches(typed, folded, _NEAR)
        near += [name for name in folded if len(typed) > 2 and typed in name and name not in near]
        return [folded[name] for name in near[:_NEAR]]


def read_ontology(path: Path) -> Ontology:
    """The classes of an `ontology.json`. Raises `UsageError` where it is not there, or is something else."""
    try:
        entries = json.loads(path.read_text("utf-8-sig"))
    except FileNotFoundError as error:
        raise UsageError(f"no ontology at {path}; get ontology.json from github.com/audioset/ontology") from error
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read as JSON ({error}); wanted AudioSet's ontology.json") from error
    if not isinstance(entries, list) or not entries:
        raise UsageError(f"{path} holds no list of sound classes; wanted AudioSet's ontology.json")
    classes: dict[str, SoundClass] = {}
    for number, entry in enumerate(entries, 1):
        found = _sound_class(path, number, entry)
        if found.mid in classes:
            raise UsageError(f"{path} has two sound classes with the id {found.mid}; wanted AudioSet's ontology.json")
        classes[found.mid] = found
    for each in classes.values():
        for child in each.children:
            if child not in classes:
                raise UsageError(f"{path}: {each.name!r} has the sub-class {child!r}, which is not there; get it anew")
    return Ontology(classes)


def _sound_class(path: Path, number: int, entry: Any) -> SoundClass:
    if isinstance(entry, dict):
        mid, name, children = entry.get("id"), entry.get("name"), entry.get("child_ids")
        if (
            isinstance(mid, str)
            and isinstance(name, str)
            and isinstance(children, list)
            and all(isinstance(child, str) for child in children)
        ):
            return SoundClass(mid, name, tuple(children))
    raise UsageError(f"{path}: entry {number} lacks id, name or child_ids; wanted AudioSet's ontology.json")


def _reached(mids: Iterable[str], edges: Mapping[str, Iterable[str]]) -> frozenset[str]:
    reached: set[str] = set()
    waiting = list(mids)
    while waiting:
        mid = waiting.pop()
        if mid not in reached:
            reached.add(mid)
            waiting.extend(edges.get(mid, ()))
    return frozenset(reached)
