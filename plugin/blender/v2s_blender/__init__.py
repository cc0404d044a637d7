# SPDX-License-Identifier: GPL-3.0-or-later
"""V2S in Blender's video sequencer: sound for the movie strips that are seen there, made by a worker outside Blender.

strips      what differs between Blender's versions      records    what a generated strip remembers
copies      which sound belongs to which strip           shots      movie strips, as the worker is asked
channels    where sounds go                              placing    sounds onto the sequencer
client, conversation   talk with the worker
"""

from __future__ import annotations

import bpy

from . import generate, operators, panel, preferences, settings

_CLASSES = (
    preferences.V2SPreferences,
    settings.V2SSettings,
    settings.V2SRun,
    generate.V2S_OT_generate,
    operators.V2S_OT_cancel,
    operators.V2S_OT_choose_take,
    operators.V2S_OT_remove,
    operators.V2S_OT_ask,
    operators.V2S_OT_use_settings,
    panel.V2S_PT_sound,
    panel.V2S_PT_strip,
)


def register() -> None:
    """Called by Blender when the extension is switched on."""
    for each in _CLASSES:
        bpy.utils.register_class(each)
    bpy.types.Scene.v2s = bpy.props.PointerProperty(type=settings.V2SSettings)
    bpy.types.WindowManager.v2s_run = bpy.props.PointerProperty(type=settings.V2SRun)
    bpy.app.handlers.load_post.append(settings.forget_run)


def unregister() -> None:
    """Called by Blender when the extension is switched off."""
    bpy.app.handlers.load_post.remove(settings.forget_run)
    del bpy.types.WindowManager.v2s_run
    del bpy.types.Scene.v2s
    for each in reversed(_CLASSES):
        bpy.utils.unregister_class(each)
