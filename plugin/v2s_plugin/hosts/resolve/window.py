"""The window in DaVinci Resolve Studio, by Fusion's UIManager."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..client import WorkerClient, WorkerGoneError  # noqa: TID252  (in Resolve the package is v2s_hosts)
from .desk import SCOPES, DeskError, StudioDesk
from .job import Client, Job, Settings

WINDOW, TIMER = "V2S", "V2SPoll"
INTERVAL = 200
"""Milliseconds between two looks at the worker."""

SKIPPED = "(only clips that say it)"
"""First entry of the list of classes: no default."""


class Window:
    """The window and what happens in it; one worker for as long as it is open."""

    def __init__(self, resolve: Any, fusion: Any, bmd: Any, client: Any) -> None:
        self.resolve = resolve
        self.client: Any = client
        self.ui = fusion.UIManager
        self.dispatcher = bmd.UIDispatcher(self.ui)
        self.job: Job | None = None
        self.lines: list[str] = []
        self.window = self.dispatcher.AddWindow(
            {"ID": WINDOW, "WindowTitle": "V2S: sound for pictures", "Geometry": [300, 200, 460, 420]}, self._layout()
        )
        self.items = self.window.GetItems()
        self.items["Scope"].AddItems(list(SCOPES.values()))
        self.items["Sound"].AddItem(SKIPPED)
        self.items["Folder"].Text = str(Path.home() / "V2S")
        self._connect()
        self.timer = self.ui.Timer({"ID": TIMER, "Interval": INTERVAL})

    def run(self) -> None:
        """Show the window until it is closed; the worker ends with it."""
        try:
            self.client.start()
            self._say("starting V2S ...")
            self.timer.Start()
            self.window.Show()
            self.dispatcher.RunLoop()
        except WorkerGoneError as error:
            self._tell(str(error))
            self.window.Show()
            self.dispatcher.RunLoop()
        finally:
            self.timer.Stop()
            self.window.Hide()
            self.client.close()

    def _layout(self) -> list[Any]:
        ui = self.ui

        def row(text: str, element: Any) -> Any:
            return ui.HGroup({"Weight": 0}, [ui.Label({"Text": text, "Weight": 0.35}), element])

        return [
            ui.VGroup(
                {"Spacing": 6},
                [
                    row("What", ui.ComboBox({"ID": "Scope"})),
                    row("Sound class", ui.ComboBox({"ID": "Sound"})),
                    row("Takes", ui.SpinBox({"ID": "Takes", "Minimum": 1, "Maximum": 9, "Value": 1})),
                    row("Seed", ui.SpinBox({"ID": "Seed", "Minimum": 0, "Maximum": 999999, "Value": 0})),
                    row("Files go to", ui.LineEdit({"ID": "Folder"})),
                    ui.HGroup(
                        {"Weight": 0},
                        [
                            ui.Button({"ID": "Generate", "Text": "Generate", "Enabled": False}),
                            ui.Button({"ID": "Cancel", "Text": "Cancel", "Enabled": False}),
                        ],
                    ),
                    ui.Label({"ID": "Progress", "Text": "", "Weight": 0}),
                    ui.TextEdit({"ID": "Messages", "ReadOnly": True}),
                ],
            )
        ]

    def _connect(self) -> None:
        on = self.window.On
        on[WINDOW].Close = lambda event: self.dispatcher.ExitLoop()
        on["Generate"].Clicked = lambda event: self._generate()
        on["Cancel"].Clicked = lambda event: self._cancel()
        self.dispatcher.On.Timeout = lambda event: self._poll()

    def _generate(self) -> None:
        sound = self.items["Sound"].CurrentText
        settings = Settings(
            sound=None if sound == SKIPPED else sound,
            takes=int(self.items["Takes"].Value),
            seed=int(self.items["Seed"].Value),
            scope=list(SCOPES)[int(self.items["Scope"].CurrentIndex)],
        )
        self.lines.clear()
        self._say("exporting the timeline ...")
        desk = StudioDesk(self.resolve, Path(self.items["Folder"].Text).expanduser())
        client: Client = self.client
        self.job = Job(desk, client, settings, self._tell, lambda fraction, text: self._say(text))
        try:
            self.client.start()  # again, where it has ended
            self.job.start()
        except (DeskError, WorkerGoneError) as error:
            self.job = None
            self._say("")
            self._tell(str(error))
        self._set_buttons()

    def _cancel(self) -> None:
        if self.job is not None:
            with contextlib.suppress(WorkerGoneError):  # its end comes by poll
                self.job.cancel()

    def _poll(self) -> None:
        if self.job is not None and self.job.running:
            self.job.poll()
        else:
            for message in self.client.poll():
                self._take(message)
        self._set_buttons()

    def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "hello":
            for sound_class in message["sound_classes"]:
                self.items["Sound"].AddItem(sound_class)
            self._say("ready")
            self.items["Generate"].Enabled = True
        elif message["type"] == "error":
            self._say("V2S does not run")
            self._tell("\n".join(str(message[part]) for part in ("message", "detail", "action") if message.get(part)))

    def _set_buttons(self) -> None:
        busy = self.job is not None and self.job.running
        if self.job is not None:
            self.items["Generate"].Enabled = not busy
        self.items["Cancel"].Enabled = busy

    def _say(self, text: str) -> None:
        self.items["Progress"].Text = text

    def _tell(self, text: str) -> None:
        self.lines.append(text)
        self.items["Messages"].PlainText = "\n".join(self.lines)


def show(resolve: Any, fusion: Any, bmd: Any, worker: Sequence[str]) -> None:
    """Open the window. `worker`: the command that starts V2S's worker."""
    if fusion.UIManager is None:  # the free version since 19.1
        print("V2S: this version of Resolve opens no windows for scripts; run `v2s hosts resolve` in a terminal")
        return
    client = WorkerClient(worker, host=f"resolve {resolve.GetVersionString()}")
    Window(resolve, fusion, bmd, client).run()
