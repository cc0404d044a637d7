"""One run in Resolve: timeline out, worker, sounds in. Nothing blocks; `poll` is called from a timer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from .desk import Desk, DeskError, Exported
from .places import places

STAGES = {"encode": "looking at pictures", "sample": "making sounds", "write": "writing"}


class Client(Protocol):
    """What is used of `hosts/client.py`'s `WorkerClient`."""

    def request(self, kind: str, **content: Any) -> int:
        """Send a request; returns its id."""

    def cancel(self, request: int) -> int:
        """Ask to stop a request."""

    def poll(self) -> list[dict[str, Any]]:
        """What came since the last call."""


@dataclass(frozen=True)
class Settings:
    """What the editor chose."""

    sound: str | None = None
    """Sound class of clips that do not say one themselves; None: those are skipped."""
    takes: int = 1
    seed: int = 0
    scope: str = "timeline"
    """Key of `desk.SCOPES`."""
    bundle: str | None = None
    """Name or path of a bundle; None: the one that ships."""

    def options(self, only: Iterable[str]) -> dict[str, Any]:
        """As options of the worker. `force`: the output of an earlier run is ours to replace."""
        options: dict[str, Any] = {"takes": self.takes, "seed": self.seed, "force": True}
        if self.sound:
            options["sound"] = self.sound
        if self.bundle:
            options["bundle"] = self.bundle
        if selectors := list(only):
            options["only"] = selectors
        return options


class Job:
    """One run. `tell(text)` takes lines for the editor, `show(fraction, text)` the progress (fraction from 0 to 1)."""

    def __init__(
        self,
        desk: Desk,
        client: Client,
        settings: Settings,
        tell: Callable[[str], None],
        show: Callable[[float, str], None],
    ) -> None:
        self.desk = desk
        self.client = client
        self.settings = settings
        self.tell = tell
        self.show = show
        self.running = False
        self.succeeded = False
        self._clips: list[Mapping[str, Any]] = []
        self._request = 0
        self._exported: Exported | None = None

    def start(self) -> None:
        """Export the timeline and ask the worker. Raises `DeskError`, and what the client raises."""
        self._exported = self.desk.export(self.settings.scope)
        self._request = self.client.request(
            "generate",
            timeline=str(self._exported.path),
            output=str(self._exported.output),
            options=self.settings.options(self._exported.only),
        )
        self.running = True
        self.show(0.0, "started")

    def cancel(self) -> None:
        """Ask the worker to stop; it answers by `poll`. Sounds that are finished are reused by the next run."""
        if self.running:
            self.client.cancel(self._request)
            self.show(0.0, "stopping")

    def poll(self) -> bool:
        """Take what the worker has said; returns whether it still runs."""
        for message in self.client.poll():
            if message.get("id") in {self._request, None}:
                self._take(message)
        return self.running

    def _take(self, message: Mapping[str, Any]) -> None:
        kind = message["type"]
        if kind == "progress":
            self._show_progress(message)
        elif kind == "clip":
            self._clips.append(message)
        elif kind == "warning":
            self.tell(str(message["message"]))
        elif kind == "error":
            self._fail(message)
        elif kind == "done":
            self._finish(message)

    def _show_progress(self, message: Mapping[str, Any]) -> None:
        done, total = message["done"], message["total"]
        text = f"{STAGES.get(message['stage'], message['stage'])}: {done} of {total}"
        if message.get("item"):
            text += f", {message['item']}"
        left = message.get("seconds_left")
        if left is not None:
            text += f", {left:.0f} s left"
        self.show(done / total if total else 0.0, text)

    def _fail(self, message: Mapping[str, Any]) -> None:
        self.running = False
        self._tell_skips(message)
        if message["code"] == "cancelled":
            self.show(0.0, "stopped")
            self.tell("Stopped. What was finished is kept and reused by the next run.")
            return
        self.show(0.0, "failed")
        for part in ("message", "detail", "action"):
            if message.get(part):
                self.tell(str(message[part]))

    def _finish(self, message: Mapping[str, Any]) -> None:
        self.running = False
        if self._exported is None:
            raise AssertionError("done came before start")
        self.show(1.0, "placing")
        self._tell_skips(message)
        for warning in message.get("warnings") or []:
            self.tell(str(warning))
        try:
            for text in self.desk.place(places(self._clips, self._exported.rate), self._exported):
                self.tell(text)
            self.succeeded = True
            self.show(1.0, "done")
        except DeskError as error:
            self.show(0.0, "failed")
            self.tell(str(error))

    def _tell_skips(self, message: Mapping[str, Any]) -> None:
        for skip in message.get("skips") or []:
            advice = f"; {skip['advice']}" if skip.get("advice") else ""
            self.tell(f"skipped {skip['label']} ({skip['where']}): {skip['reason']}{advice}")
