"""Which categories a row's labels fit, and which exclusions keep it out of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from v2s_engine.errors import UsageError
from v2s_engine.vegas.categories import Category
from v2s_engine.vegas.ontology import Ontology


@dataclass(frozen=True)
class LabelRules:
    """What labels mean for some categories. Sets of categories are bits of an int: bit i is the i-th of them."""

    mids: tuple[frozenset[str], ...]
    """For each category the ids of its classes and of all below them."""
    fits: Mapping[str, int]
    """For each known id the categories that it belongs to."""
    ruled_out: Mapping[str, int]
    """For each excluded id the categories that it keeps a row out of."""
    spared: Mapping[str, tuple[str, ...]]
    """For each excluded name, where there are any, the categories made of what stands below it."""

    def categories_of(self, labels: Iterable[str]) -> int:
        """The categories that a row with these labels fits."""
        fits = ruled_out = 0
        for label in labels:
            fits |= self.fits[label]
            ruled_out |= self.ruled_out.get(label, 0)
        return fits & ~ruled_out


def label_rules(ontology: Ontology, categories: Sequence[Category], without: Sequence[str]) -> LabelRules:
    """What labels mean for some categories, without the rows that have some labels or ones below these.

    A label that is excluded by name keeps rows out of every category. Those below it do too, but for the ones that a
    category is itself made of and those above these: without `Music`, a row of drums may be labelled `Drum` and
    `Percussion`, which stand below `Music`, but not `Music` or `Guitar`. Raises `UsageError` for names that the
    ontology has not, and for an exclusion of what a category asks for.
    """
    excluded = [ontology.find(name) for name in without]
    mids: list[frozenset[str]] = []
    ruled_out: dict[str, int] = {}
    spared: dict[str, list[str]] = {}
    for number, category in enumerate(categories):
        asked = [ontology.find(name) for name in category.classes]
        not_meant = ontology.with_descendants(ontology.find(name).mid for name in category.not_meant)
        named = {each.mid for each in asked}
        belonging = ontology.with_descendants(named) - not_meant | named
        akin = belonging | ontology.with_ancestors(named)
        for each in excluded:
            if each in asked:
                raise UsageError(
                    f"without {each.name!r} nothing is left of category {category.name}, which asks for it; "
                    f"leave out one of the two"
                )
            below = ontology.with_descendants([each.mid])
            if each.mid not in belonging:
                if below & belonging:
                    spared.setdefault(each.name, []).append(category.name)
                below = below - akin | {each.mid}
            for mid in below:
                ruled_out[mid] = ruled_out.get(mid, 0) | 1 << number
        mids.append(belonging)
    fits = {mid: sum(1 << number for number, each in enumerate(mids) if mid in each) for mid in ontology.classes}
    return LabelRules(tuple(mids), fits, ruled_out, {name: tuple(each) for name, each in spared.items()})
