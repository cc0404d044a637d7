# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator that makes sounds: in the background of an open window, or at once in a script."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import bpy

from . import strips as vse
from .channels import NoChannelError
from .conversation import Conversation, WorkerError, describe_skips
from .copies import give_ids, orphans
from .placing import NoSceneError, Placer
from .preferences import NoWorkerError, remember, worker_command
from .shots import Shot, SkipError, read_shot, wanted_strips

_TICK = 0.1
"""Seconds between looks at what the worker says."""

_NOTHING = {
    "SELECTED": "no movie strip is selected; select some, or choose All in the field Strips",
    "RANGE": "no movie strip touches the playback range; set it, or choose All in the field Strips",
    "ALL": "there is no movie strip in the sequencer; add one",
}
"""What to say where no strip is asked for."""


class V2S_OT_generate(bpy.types.Operator):
    """Make sounds that fit the movie strips; ESC stops and keeps what is finished"""

    bl_idname = "v2s.generate"
    bl_label = "Make Sounds"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Not while another run is under way."""
        return vse.sequencer_scene(context).sequence_editor is not None and not context.window_manager.v2s_run.running

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Do all of it before returning, as scripts want it."""
        if not self._begin(context):
            return {"CANCELLED"}
        while not self._step(context):
            time.sleep(_TICK / 5)
        return self._end(context)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Start, and leave the window to the editor."""
        if not self._begin(context):
            return {"CANCELLED"}
        self._timer = context.window_manager.event_timer_add(_TICK, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Look at what the worker says; everything but ESC is the editor's."""
        run = context.window_manager.v2s_run
        if run.stop or (event.type == "ESC" and event.value == "PRESS"):
            run.stop, run.text = False, "Stopping…"
            self._talk.cancel()
            return {"RUNNING_MODAL"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        if self._step(context):
            return self._end(context)
        for area in context.screen.areas if context.screen else ():
            if area.type == "SEQUENCE_EDITOR":
                area.tag_redraw()
        return {"PASS_THROUGH"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender is closing or loads another file: there may be nothing left to place sounds in."""
        self._let_go(context)

    def _begin(self, context: bpy.types.Context) -> bool:
        """Read the strips and start the worker; False, with a report, where nothing can be done."""
        self._timer: Any = None
        self._remarks: list[str] = []
        run = context.window_manager.v2s_run
        run.remarks, run.text, run.factor, run.stop = "", "Starting…", 0.0, False
        scene = vse.sequencer_scene(context)
        settings = scene.v2s.options()
        shots = self._read_shots(scene)
        self._show_remarks(context)
        if not shots:
            self.report({"ERROR"}, _why_nothing(scene.v2s.scope, self._remarks))
            return False
        if scene.v2s.folder.startswith("//") and not bpy.data.filepath:
            self.report({"ERROR"}, "sounds are kept beside the .blend file; save it first, or choose another folder")
            return False
        origin = min(0, *(shot.start for shot in shots))
        rate = vse.scene_rate(scene)
        request = {
            "type": "generate",
            "shots": [shot.message(rate, origin) for shot in shots],
            "media_folder": vse.absolute(scene.v2s.folder),
            "options": settings,
        }
        try:
            self._talk = Conversation(worker_command(context), f"blender {bpy.app.version_string}", request)
            self._talk.start()
        except (NoWorkerError, WorkerError) as error:
            self.report({"ERROR"}, str(error))
            return False
        self._placer = Placer(scene.session_uid, settings)
        self._failed = False
        run.running = True
        return True

    def _read_shots(self, scene: bpy.types.Scene) -> list[Shot]:
        wanted = wanted_strips(scene, scene.v2s.scope)
        give_ids(scene, wanted)
        shots, skips = [], []
        for strip in wanted:
            try:
                shots.append(read_shot(scene, strip, existing=scene.v2s.existing))
            except SkipError as skip:
                skips.append({"label": strip.name, "reason": str(skip)})
        self._remarks += describe_skips(skips)
        for sound in orphans(scene.sequence_editor):
            over = any(vse.left(sound) < shot.end and vse.right(sound) > shot.start for shot in shots)
            if over and not vse.is_muted(scene.sequence_editor, sound):
                self._remarks.append(f"{sound.name}: it sounds too, and its movie strip is gone; delete or mute it")
        return shots

    def _step(self, context: bpy.types.Context) -> bool:
        """Take in what the worker has said; True at the end."""
        greeted = self._talk.hello is not None
        try:
            for message in self._talk.step():
                self._take_in(context, message)
        except (WorkerError, NoChannelError, NoSceneError) as error:
            self._failed = True
            self._remarks.append(str(error))
            self.report({"ERROR"}, str(error))
            return True
        except BaseException:  # a mistake of ours must not leave a worker behind
            self._let_go(context)
            raise
        if self._talk.hello is not None and not greeted:
            remember(context, self._talk.hello)
        return self._talk.ended

    def _take_in(self, context: bpy.types.Context, message: dict[str, Any]) -> None:
        run = context.window_manager.v2s_run
        kind = message.get("type")
        if kind == "progress":
            run.factor = message["done"] / max(1, message["total"])
            left = message.get("seconds_left")
            run.text = f"{message['stage']} {message['done']}/{message['total']} {message.get('item') or ''}"
            run.text += f" ({left:.0f} s left)" if left is not None else ""
        elif kind == "clip":
            warning = self._placer.place(message)
            self._remarks += [warning] if warning else []
        elif kind == "warning":
            self._remarks.append(str(message["message"]))
        elif kind == "done":
            self._remarks += [*describe_skips(message.get("skips") or []), *map(str, message.get("warnings") or [])]
        self._show_remarks(context)

    def _let_go(self, context: bpy.types.Context) -> None:
        """End the worker and the timer."""
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
        self._talk.close()
        context.window_manager.v2s_run.running = False
        context.window_manager.v2s_run.text = ""

    def _show_remarks(self, context: bpy.types.Context) -> None:
        context.window_manager.v2s_run.remarks = "\n".join(self._remarks)

    def _end(self, context: bpy.types.Context) -> set[str]:
        """Clear up and say what was done. Whatever was placed is one step to undo, stopped or not."""
        self._let_go(context)
        with contextlib.suppress(NoSceneError):  # told already
            self._placer.finish()
        self._show_remarks(context)
        placed = self._placer.placed
        if not self._failed:
            stopped = "stopped; " if self._talk.cancelled else ""
            said = f"{stopped}sound for {placed} {'strip' if placed == 1 else 'strips'}"
            self.report({"WARNING" if self._remarks else "INFO"}, "; ".join([said, *self._remarks[:3]]))
        return {"FINISHED"} if placed else {"CANCELLED"}


def _why_nothing(scope: str, remarks: list[str]) -> str:
    return "; ".join(["no strip to make sound for", *remarks[:3]]) if remarks else _NOTHING[scope]
