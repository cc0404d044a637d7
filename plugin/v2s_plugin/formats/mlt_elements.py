"""Elements of MLT XML: properties read and set, children put in and taken out, each on a line of its own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from xml.etree.ElementTree import Element, SubElement, indent


def property_of(element: Element, name: str) -> str:
    """The value of a property; empty where there is none."""
    return element.findtext(f"property[@name='{name}']") or ""


def is_on(element: Element, name: str) -> bool:
    """Whether a property is a number other than 0."""
    return property_of(element, name).strip() not in ("", "0")


def set_property(element: Element, name: str, value: str) -> None:
    """Change a property, or add it as the first one."""
    found = element.find(f"property[@name='{name}']")
    if found is None:
        found = Element("property", name=name)
        insert(element, 0, found)
    found.text = value


def add_property(element: Element, name: str, value: str) -> None:
    """Add a property as the last child."""
    SubElement(element, "property", name=name).text = value


def blank_out(entry: Element, length: str) -> None:
    """Leave a blank of that many frames where a clip stood."""
    tail = entry.tail
    entry.clear()
    entry.tag, entry.tail = "blank", tail
    entry.set("length", length)


def place_after(parent: Element, tag: str, number: int | None = None) -> int:
    """The place behind the so-many-th child of that name, or the last one."""
    places = [index for index, each in enumerate(parent, start=1) if each.tag == tag]
    return places[(number or len(places)) - 1] if places else len(parent)


def insert_at_level(root: Element, parent: Element, index: int, element: Element, level: int) -> None:
    """Insert an element with children, indented as the document is."""
    indent(element, (root.text or "").strip("\r\n") or " ", level)
    insert(parent, index, element)


def insert(parent: Element, index: int, element: Element) -> None:
    """Insert an element on a line of its own."""
    before = parent[index - 1] if index else None
    element.tail = parent.text if before is None else before.tail
    if before is not None and index == len(parent):
        before.tail = parent.text
    parent.insert(index, element)


def remove(parent: Element, element: Element) -> None:
    """Take an element out with its line; undoes `insert`."""
    index = list(parent).index(element)
    if index and index == len(parent) - 1:
        parent[index - 1].tail = element.tail
    parent.remove(element)


def services_of(root: Element) -> dict[str, Element]:
    """What stands right in a document, by its ids."""
    return {each.get("id", ""): each for each in root}


def free_ids(root: Element) -> Iterator[str]:
    """Ids that nothing in a document has."""
    taken = {each.get("id") for each in root.iter()}
    return (name for name in map("v2s{}".format, count()) if name not in taken)
