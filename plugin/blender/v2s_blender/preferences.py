# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's preferences: where the worker is, and what it last said it can do."""

import json
from pathlib import Path

import bpy

INSTALL_FILE = "v2s_install.json"
"""Written beside this file by `v2s hosts install blender`: {"command": […], "version": "…"}."""


class V2SPreferences(bpy.types.AddonPreferences):
    """Shown under Edit > Preferences > Add-ons."""

    bl_idname = __package__

    program: bpy.props.StringProperty(
        name="V2S Program",
        description="The v2s program of the installation that makes the sounds; empty: the one set at install",
        subtype="FILE_PATH",
    )
    sounds: bpy.props.StringProperty(options={"HIDDEN"})
    bundles: bpy.props.StringProperty(options={"HIDDEN"})

    def draw(self, context: bpy.types.Context) -> None:
        """The worker's program, and which one is used without it."""
        self.layout.prop(self, "program")
        baked = baked_command()
        self.layout.label(text=f"At install: {' '.join(baked)}" if baked else "None was set at install")


class NoWorkerError(Exception):
    """Nobody said where V2S is installed; the text says what to do."""


def preferences(context: bpy.types.Context) -> bpy.types.AddonPreferences:
    """These preferences."""
    return context.preferences.addons[__package__].preferences


def worker_command(context: bpy.types.Context) -> list[str]:
    """The command that starts the worker. Raises `NoWorkerError`."""
    program = preferences(context).program.strip()
    if program:
        return [bpy.path.abspath(program), "worker"]
    command = baked_command()
    if not command:
        raise NoWorkerError(
            "the extension does not know where V2S is installed; run `v2s hosts install blender` in a terminal, "
            "or choose the v2s program in the extension's preferences"
        )
    return command


def baked_command() -> list[str]:
    """The command that was written at install; empty where there is none or it cannot be read."""
    try:
        command = json.loads((Path(__file__).parent / INSTALL_FILE).read_text(encoding="utf-8"))["command"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [str(part) for part in command] if isinstance(command, list) else []


def remember(context: bpy.types.Context, hello: dict[str, object]) -> None:
    """Keep the names that the worker knows, for the panel's fields."""
    for ours, theirs in (("sounds", "sound_classes"), ("bundles", "bundles")):
        names = hello.get(theirs)
        if isinstance(names, list):
            setattr(preferences(context), ours, "\n".join(str(name) for name in names))
