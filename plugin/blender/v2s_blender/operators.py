# SPDX-License-Identifier: GPL-3.0-or-later
"""The small operators: stop a run, choose a take, take sounds out, ask what there is, use settings again."""

import time

import bpy

from . import strips as vse
from .conversation import Conversation, WorkerError
from .copies import give_ids, id_of, sounds_of
from .placing import choose_take, remove_sounds
from .preferences import NoWorkerError, remember, worker_command
from .records import Record, shot_of

_PATIENCE = 30.0
"""Seconds that the worker gets to greet."""


def active_sound(context: bpy.types.Context) -> bpy.types.Strip | None:
    """The active strip's generated sound: the strip itself, or the sound of the movie strip that is active."""
    editor = vse.sequencer_scene(context).sequence_editor
    strip = editor.active_strip if editor else None
    if strip is None or Record.of(strip):
        return strip
    return next(iter(sounds_of(editor, strip)), None)


class V2S_OT_cancel(bpy.types.Operator):
    """Stop making sounds; what is finished stays"""

    bl_idname = "v2s.cancel"
    bl_label = "Stop"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Leave word for the run."""
        context.window_manager.v2s_run.stop = True
        return {"FINISHED"}


class V2S_OT_choose_take(bpy.types.Operator):
    """Have another take heard"""

    bl_idname = "v2s.choose_take"
    bl_label = "Choose Take"
    bl_options = {"REGISTER", "UNDO"}

    take: bpy.props.IntProperty(name="Take", default=1, min=1)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Where a generated sound is active."""
        return active_sound(context) is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Change the sound of the active strip."""
        strip = active_sound(context)
        record = Record.of(strip) if strip else None
        try:
            choose_take(strip, self.take)
        except KeyError:
            there = ", ".join(map(str, sorted(record.takes))) if record else "none"
            self.report({"ERROR"}, f"there is no take {self.take}; choose one of {there}, or make more")
            return {"CANCELLED"}
        except (FileNotFoundError, RuntimeError) as error:
            self.report({"ERROR"}, f"take {self.take} cannot be read: {error}; put its file back, or make sounds again")
            return {"CANCELLED"}
        return {"FINISHED"}


class V2S_OT_remove(bpy.types.Operator):
    """Take the sounds that V2S made out of the sequencer; the files stay"""

    bl_idname = "v2s.remove"
    bl_label = "Remove Sounds"
    bl_options = {"REGISTER", "UNDO"}

    selected: bpy.props.BoolProperty(name="Of Selected Strips Only")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remove all, or those of the selected strips."""
        scene = vse.sequencer_scene(context)
        shots = None
        if self.selected and scene.sequence_editor:
            give_ids(scene, [])  # else a copy's sound and its origin's would go together
            chosen = [strip for strip in vse.walk(scene.sequence_editor) if strip.select]
            shots = {shot for strip in chosen if (shot := shot_of(strip) or id_of(strip))}
        gone = remove_sounds(scene, shots)
        self.report({"INFO"}, f"{gone} {'sound' if gone == 1 else 'sounds'} removed")
        return {"FINISHED"} if gone else {"CANCELLED"}


class V2S_OT_ask(bpy.types.Operator):
    """Ask the worker which sounds and bundles there are"""

    bl_idname = "v2s.ask"
    bl_label = "Look for Sounds and Bundles"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start the worker, hear its greeting, and end it."""
        try:
            talk = Conversation(worker_command(context), f"blender {bpy.app.version_string}", None)
            talk.start()
            until = time.monotonic() + _PATIENCE
            while not talk.ended and time.monotonic() < until:
                list(talk.step())
                time.sleep(0.02)
            talk.close()
        except (NoWorkerError, WorkerError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if talk.hello is None:
            self.report({"ERROR"}, f"the worker has not answered in {_PATIENCE:.0f} s; run `v2s doctor` in a terminal")
            return {"CANCELLED"}
        remember(context, talk.hello)
        return {"FINISHED"}


class V2S_OT_use_settings(bpy.types.Operator):
    """Put the settings that this sound was made with back into the panel"""

    bl_idname = "v2s.use_settings"
    bl_label = "Use Its Settings"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Where a generated sound is active."""
        return active_sound(context) is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Fill the panel's fields."""
        strip = active_sound(context)
        record = Record.of(strip) if strip else None
        if record is None:
            return {"CANCELLED"}
        fields = vse.sequencer_scene(context).v2s
        options = record.settings
        fields.sound, fields.bundle = options.get("sound", ""), options.get("bundle", "")
        fields.takes, fields.seed = options["takes"], options["seed"]
        fields.device = options["device"].upper()
        fields.use_level = "lufs" in options
        fields.level = options.get("lufs", fields.level)
        return {"FINISHED"}
