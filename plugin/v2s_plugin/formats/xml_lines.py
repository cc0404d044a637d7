"""XML documents that keep their look: elements put in on lines of their own, and taken out with their lines."""

from __future__ import annotations

from xml.etree.ElementTree import Element


def lead_of(parent: Element, child: Element) -> str:
    """The blanks before a child: a line break and its indentation, or nothing in a document without lines."""
    at = list(parent).index(child)
    return (parent[at - 1].tail if at else parent.text) or ""


def insert_line(parent: Element, index: int, element: Element, lead: str, unit: str) -> None:
    """Insert an element before the child `index`, with all it holds on lines below it.

    `lead` is what stands before `parent` itself, `unit` one step of indentation; both are empty where the document has
    no lines.
    """
    inner = (parent.text or "") if len(parent) else lead + unit
    if not len(parent):
        parent.text, element.tail = inner, lead
    elif index == len(parent):
        element.tail, parent[-1].tail = parent[-1].tail, inner
    else:
        element.tail = lead_of(parent, parent[index])
    _lay_out(element, inner, unit)
    parent.insert(index, element)


def remove_line(parent: Element, element: Element) -> None:
    """Take an element out with its line; undoes `insert_line`."""
    index = list(parent).index(element)
    if len(parent) == 1:
        parent.text = None
    elif index == len(parent) - 1:
        parent[index - 1].tail = element.tail
    parent.remove(element)


def _lay_out(element: Element, lead: str, unit: str) -> None:
    if not len(element):
        return
    element.text = lead + unit
    for child in element:
        child.tail = lead + unit
        _lay_out(child, lead + unit, unit)
    element[-1].tail = lead
