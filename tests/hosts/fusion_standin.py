# ruff: noqa: N802  (the names are Fusion's)
"""A stand-in for Fusion's UIManager: the elements, attributes and events that published scripts use; no other."""

from __future__ import annotations

from typing import Any

ATTRIBUTES = {
    "VGroup": {"Spacing", "Weight"},
    "HGroup": {"Spacing", "Weight"},
    "Label": {"ID", "Text", "Weight"},
    "Button": {"ID", "Text", "Enabled", "Weight"},
    "ComboBox": {"ID", "CurrentIndex", "CurrentText", "Weight"},
    "SpinBox": {"ID", "Minimum", "Maximum", "Value", "Weight"},
    "LineEdit": {"ID", "Text", "Weight"},
    "TextEdit": {"ID", "PlainText", "ReadOnly", "Weight"},
    "Timer": {"ID", "Interval"},
}


class Element:
    def __init__(self, kind: str, attributes: dict[str, Any], children: list[Element] | None = None) -> None:
        object.__setattr__(self, "kind", kind)
        object.__setattr__(self, "children", children or [])
        object.__setattr__(self, "entries", [])
        object.__setattr__(self, "running", False)
        if kind == "ComboBox":
            self.CurrentIndex = 0
        for name, value in attributes.items():
            setattr(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in ATTRIBUTES[self.kind]:
            raise AssertionError(f"{self.kind} has no {name}")
        object.__setattr__(self, name, value)

    @property
    def CurrentText(self) -> str:
        return self.entries[self.CurrentIndex]

    def AddItem(self, text: str) -> None:
        assert self.kind == "ComboBox"
        self.entries.append(text)

    def AddItems(self, texts: list[str]) -> None:
        assert self.kind == "ComboBox"
        self.entries.extend(texts)

    def Start(self) -> None:
        assert self.kind == "Timer"
        object.__setattr__(self, "running", True)

    def Stop(self) -> None:
        assert self.kind == "Timer"
        object.__setattr__(self, "running", False)

    def all(self) -> list[Element]:
        return [self, *(each for child in self.children for each in child.all())]


class UIManager:
    def __getattr__(self, kind: str) -> Any:
        if kind not in ATTRIBUTES:
            raise AttributeError(kind)
        return lambda attributes, children=None: Element(kind, attributes, children)


class Handlers(dict):  # type: ignore[type-arg]
    """`On["ID"].Clicked = f`"""

    class Events:
        pass

    def __missing__(self, name: str) -> Any:
        return self.setdefault(name, Handlers.Events())


class Window:
    def __init__(self, attributes: dict[str, Any], layout: list[Element]) -> None:
        assert set(attributes) <= {"ID", "WindowTitle", "Geometry"}
        self.On = Handlers()
        self.shown = False
        self._items = {e.ID: e for group in layout for e in group.all() if hasattr(e, "ID")}

    def GetItems(self) -> dict[str, Element]:
        return self._items

    def Show(self) -> None:
        self.shown = True

    def Hide(self) -> None:
        self.shown = False


class Dispatcher:
    """`steps`: what the editor does, one step each time the timer ticks; then the window is closed."""

    steps: list[Any]

    def __init__(self, ui: UIManager) -> None:
        self.On = Handlers.Events()
        self.looping = False

    def AddWindow(self, attributes: dict[str, Any], layout: list[Element]) -> Window:
        self.window = Window(attributes, layout)
        return self.window

    def RunLoop(self) -> None:
        self.looping = True
        for step in [*self.steps, lambda window: window.On["V2S"].Close({})]:
            step(self.window)
            if self.looping:
                self.On.Timeout({"who": "V2SPoll"})
        assert not self.looping

    def ExitLoop(self) -> None:
        self.looping = False


class Fusion:
    UIManager = UIManager()


class Bmd:
    """The module `bmd`, with an editor who does `steps`."""

    def __init__(self, steps: list[Any]) -> None:
        self.steps = steps

    def UIDispatcher(self, ui: UIManager) -> Dispatcher:
        self.dispatcher = Dispatcher(ui)
        self.dispatcher.steps = self.steps
        return self.dispatcher
