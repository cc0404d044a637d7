# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panel's fields hold: settings in the scene, the state of a run in the window manager."""

from typing import Any

import bpy

from .preferences import preferences


def _known(kind: str) -> Any:
    """A search callback over the names that the worker last told."""

    def search(_self: Any, context: bpy.types.Context, text: str) -> list[str]:
        return [name for name in getattr(preferences(context), kind).splitlines() if text.lower() in name.lower()]

    return search


class V2SSettings(bpy.types.PropertyGroup):
    """`scene.v2s`."""

    scope: bpy.props.EnumProperty(
        name="Strips",
        items=[
            ("SELECTED", "Selected", "The selected movie strips"),
            ("RANGE", "Playback Range", "Movie strips that touch the playback range (or preview range)"),
            ("ALL", "All", "Every movie strip"),
        ],
    )
    sound: bpy.props.StringProperty(
        name="Sound", description="Sound class, such as dog; empty: the bundle's only one", search=_known("sounds")
    )
    takes: bpy.props.IntProperty(name="Takes", description="Versions of each sound", default=1, min=1, max=32)
    seed: bpy.props.IntProperty(name="Seed", description="The same seed makes the same sound", min=0)
    bundle: bpy.props.StringProperty(
        name="Bundle", description="Trained model, by name or path; empty: the default", search=_known("bundles")
    )
    device: bpy.props.EnumProperty(
        name="Device",
        items=[
            ("AUTO", "Automatic", "The fastest that is there"),
            ("CPU", "CPU", "The processor"),
            ("CUDA", "CUDA", "An NVIDIA GPU"),
        ],
    )
    use_level: bpy.props.BoolProperty(name="Set Level", description="Bring each sound to a loudness")
    level: bpy.props.FloatProperty(
        name="Level (LUFS)", description="Loudness of each sound", default=-23.0, min=-60.0, max=-5.0
    )
    existing: bpy.props.BoolProperty(
        name="Where Sound Stands", description="Also where the movie's own sound stands beside it"
    )
    folder: bpy.props.StringProperty(
        name="Folder", description="Where sound files are kept", default="//v2s", subtype="DIR_PATH"
    )

    def options(self) -> dict[str, Any]:
        """The worker's options that these fields mean."""
        options: dict[str, Any] = {"takes": self.takes, "seed": self.seed, "device": self.device.lower()}
        if self.sound.strip():
            options["sound"] = self.sound.strip()
        if self.bundle.strip():
            options["bundle"] = bpy.path.abspath(self.bundle.strip())
        if self.use_level:
            options["lufs"] = round(self.level, 2)
        return options


class V2SRun(bpy.types.PropertyGroup):
    """`window_manager.v2s_run`: what the run at hand does, and what the last one left to say."""

    running: bpy.props.BoolProperty()
    stop: bpy.props.BoolProperty()
    factor: bpy.props.FloatProperty(min=0.0, max=1.0)
    text: bpy.props.StringProperty()
    remarks: bpy.props.StringProperty()


@bpy.app.handlers.persistent
def forget_run(*_: Any) -> None:
    """Called when a file is opened: one that was saved during a run says so still, and no run would start again."""
    run = bpy.context.window_manager.v2s_run
    run.running, run.stop = False, False
    run.text, run.remarks = "", ""
