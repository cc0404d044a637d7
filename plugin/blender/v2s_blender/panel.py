# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar of the video sequencer, tab V2S."""

from __future__ import annotations

from typing import Any

import bpy

from . import strips as vse
from .operators import active_sound
from .records import Record

_LINE = 60
"""Letters of a remark on one line of the sidebar."""


class V2S_PT_sound(bpy.types.Panel):
    """What to make, for which strips; progress, and what was said."""

    bl_label = "Sound for Pictures"
    bl_space_type = "SEQUENCE_EDITOR"
    bl_region_type = "UI"
    bl_category = "V2S"

    def draw(self, context: bpy.types.Context) -> None:
        """Fields, the button, or the run at hand."""
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        fields, run = vse.sequencer_scene(context).v2s, context.window_manager.v2s_run
        column = layout.column()
        column.enabled = not run.running
        for name in ("scope", "sound", "takes", "seed", "bundle", "device", "existing", "folder"):
            column.prop(fields, name)
        row = column.row(heading="Level")
        row.prop(fields, "use_level", text="")
        level = row.row()
        level.enabled = fields.use_level
        level.prop(fields, "level", text="LUFS")
        if run.running:
            layout.progress(factor=run.factor, text=run.text)
            layout.operator("v2s.cancel", icon="CANCEL")
        else:
            layout.operator("v2s.generate", icon="SPEAKER")
            layout.operator("v2s.ask", icon="FILE_REFRESH")
            layout.operator("v2s.remove", icon="TRASH").selected = fields.scope == "SELECTED"
        _draw_remarks(layout, run.remarks)


class V2S_PT_strip(bpy.types.Panel):
    """The active strip's generated sound and its takes."""

    bl_label = "Takes"
    bl_space_type = "SEQUENCE_EDITOR"
    bl_region_type = "UI"
    bl_category = "V2S"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Where the active strip has a generated sound."""
        return active_sound(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        """One button a take, the one that is heard pressed."""
        strip = active_sound(context)
        record = Record.of(strip) if strip else None
        if record is None:
            return
        self.layout.label(text=f"{record.sound}, seed {record.settings.get('seed', 0)}", icon="SPEAKER")
        row = self.layout.row(align=True)
        for number in sorted(record.takes):
            row.operator("v2s.choose_take", text=str(number), depress=number == record.take).take = number
        self.layout.prop(strip, "volume")
        self.layout.operator("v2s.use_settings")


def _draw_remarks(layout: Any, remarks: str) -> None:
    """What the last run said, in lines that fit."""
    for remark in remarks.splitlines():
        box = layout.box().column(align=True)
        words, line, icon = remark.split(), "", "INFO"
        for word in [*words, ""]:
            if line and (not word or len(line) + len(word) >= _LINE):
                box.label(text=line, icon=icon)
                line, icon = "", "BLANK1"
            line += f"{word} "
