"""Runs inside Blender's own Python: `python in_blender.py SCENARIO ARGUMENTS.json RESULT.json`.

Each scenario is a function here; it works on an empty scene and returns what the test then judges, as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy

EXTENSION = "bl_ext.user_default.v2s_blender"


def install(zip: str, command: list[str]) -> dict[str, Any]:
    """The zip as an editor installs it, and what `v2s hosts install` writes beside it."""
    bpy.ops.extensions.package_install_files(filepath=zip, repo="user_default", enable_on_install=True)
    module = sys.modules[EXTENSION]
    folder = Path(module.__file__ or "").parent
    unbaked = sys.modules[f"{EXTENSION}.preferences"].baked_command()
    (folder / "v2s_install.json").write_text(json.dumps({"command": command, "version": "0"}))
    bpy.ops.wm.save_userpref()
    return {
        "version": list(bpy.app.version),
        "files": sorted(path.name for path in folder.iterdir() if path.is_file()),
        "unbaked": unbaked,
        "enabled": EXTENSION in bpy.context.preferences.addons,
    }


def switch_on() -> dict[str, Any]:
    """An extension that was put into its folder by `v2s hosts install`, switched on as in the preferences."""
    bpy.ops.preferences.addon_enable(module=EXTENSION)
    return {"command": sys.modules[f"{EXTENSION}.preferences"].worker_command(bpy.context)}


def generate_cut(
    media: dict[str, str], folder: str, settings: dict[str, Any], edits: list[str], cut: str = "make_cut"
) -> dict[str, Any]:
    """A cut of several rates and speeds, scored; then whatever `edits` names, in that order."""
    scene = globals()[cut](media, folder)
    for name, value in settings.items():
        setattr(scene.v2s, name, value)
    told: dict[str, Any] = {"cut": describe(scene)}
    bpy.ops.ed.undo_push(message="before")
    told["result"] = list(bpy.ops.v2s.generate("EXEC_DEFAULT", True))
    told["scored"] = describe(bpy.context.scene)
    for edit in edits:
        told[edit] = EDITS[edit](folder)
    return told


def make_cut(media: dict[str, str], folder: str) -> Any:
    """Movie strips: trimmed, of another rate, sped up by a retiming, slowed by an effect, backwards, cut in two."""
    scene = new_scene(folder)
    strips = scene.sequence_editor.strips
    trimmed = strips.new_movie("trimmed", media["ntsc"], 1, 10)
    trimmed.frame_offset_start, trimmed.frame_offset_end = 12, 30
    pal = strips.new_movie("pal", media["pal"], 2, 100)
    pal.frame_final_end = 160
    fast = strips.new_movie("fast", media["high"], 1, 170)
    retime(fast, 200)
    fast.frame_offset_start = 8
    fast.frame_final_end = 230
    slow = strips.new_movie("slow", media["pal"], 1, 240)
    slow.frame_offset_start, slow.frame_final_end = 10, 300
    effect = new_speed_control(strips, slow, 3)
    effect.speed_control, effect.speed_factor = "MULTIPLY", 0.5
    backwards = strips.new_movie("backwards", media["ntsc"], 1, 310)
    backwards.use_reverse_frames = True
    backwards.frame_offset_start, backwards.frame_offset_end = 20, 40
    whole = strips.new_movie("whole", media["ntsc"], 1, 400)
    whole.split(frame=430, split_method="SOFT")
    strips.new_effect(name="colour", type="COLOR", channel=5, frame_start=10, **{span_name(): 20})
    scene.frame_end = 530
    return scene


def new_scene(folder: str) -> Any:
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = 24, 1.001
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 160, 120, 100
    scene.view_settings.view_transform = "Standard"
    scene.sequence_editor_create()
    scene.v2s.scope = "ALL"
    Path(folder).mkdir(parents=True, exist_ok=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(Path(folder) / "cut.blend"))
    return scene


def retime(strip: Any, percent: float) -> None:
    editor = bpy.context.scene.sequence_editor
    show_sequencer(bpy.context.scene)
    for other in editor.strips:
        other.select = False
    strip.select, editor.active_strip = True, strip
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0]):
        bpy.ops.sequencer.retiming_segment_speed_set(speed=percent)


def show_sequencer(scene: Any) -> None:
    """Have the sequencer show this scene: Blender 5 lets it differ from the window's."""
    for workspace in bpy.data.workspaces:
        if hasattr(workspace, "sequencer_scene"):
            workspace.sequencer_scene = scene


def span_name() -> str:
    return "length" if bpy.app.version >= (5, 0) else "frame_end"


def new_speed_control(strips: Any, movie: Any, channel: int) -> Any:
    start, end = movie.frame_final_start, movie.frame_final_end
    span = end - start if bpy.app.version >= (5, 0) else end
    return strips.new_effect(
        name="slowed", type="SPEED", channel=channel, frame_start=start, input1=movie, **{span_name(): span}
    )


def describe(scene: Any) -> dict[str, Any]:
    """The strips of a scene and the names of its channels."""
    editor = scene.sequence_editor
    return {
        "strips": [
            {
                "name": strip.name,
                "type": strip.type,
                "channel": editor.channels[strip.channel].name,
                "start": strip.frame_final_start,
                "end": strip.frame_final_end,
                "id": strip.get("v2s_id"),
                "record": json.loads(strip["v2s"]) if strip.get("v2s") else None,
                "path": bpy.path.abspath(strip.sound.filepath) if strip.type == "SOUND" else None,
                "volume": getattr(strip, "volume", None),
            }
            for strip in sorted(editor.strips, key=lambda strip: (strip.frame_final_start, strip.channel))
        ],
        "channels": [channel.name for channel in editor.channels if channel.name.startswith("V2S")],
        "remarks": bpy.context.window_manager.v2s_run.remarks.splitlines(),
    }


def ours() -> list[Any]:
    return [strip for strip in bpy.context.scene.sequence_editor.strips if strip.get("v2s")]


def mix_down(folder: str) -> str:
    path = str(Path(folder) / f"mix{len(list(Path(folder).glob('mix*.wav')))}.wav")
    bpy.ops.sound.mixdown(filepath=path, container="WAV", codec="PCM", format="S16", mixrate=48_000)
    return path


def undo(_folder: str) -> dict[str, Any]:
    bpy.ops.ed.undo()
    return describe(bpy.context.scene)


def redo(_folder: str) -> dict[str, Any]:
    bpy.ops.ed.redo()
    return describe(bpy.context.scene)


def run_again(_folder: str) -> dict[str, Any]:
    bpy.ops.v2s.generate("EXEC_DEFAULT", True)
    return describe(bpy.context.scene)


def edit_sounds(_folder: str) -> dict[str, Any]:
    """What an editor does to sounds: level, another take, moved against the picture."""
    first, second, third = sorted(ours(), key=lambda strip: strip.frame_final_start)[:3]
    first.volume = 0.25
    bpy.context.scene.sequence_editor.active_strip = second
    bpy.ops.v2s.choose_take("EXEC_DEFAULT", True, take=2)
    third.frame_start += 4
    return describe(bpy.context.scene)


def move_and_trim_movies(_folder: str) -> dict[str, Any]:
    """A re-cut: the first movie five frames later, the second shorter, the last gone with its sound left behind."""
    strips = bpy.context.scene.sequence_editor.strips
    strips["trimmed"].frame_start += 5
    strips["pal"].frame_final_end -= 7
    return describe(bpy.context.scene)


def ripple(_folder: str) -> dict[str, Any]:
    """Every movie forty frames later; sounds stay."""
    for strip in bpy.context.scene.sequence_editor.strips:
        if strip.type == "MOVIE":
            strip.frame_start += 40
    return describe(bpy.context.scene)


def change_class(_folder: str) -> dict[str, Any]:
    bpy.context.scene.v2s.sound = "drum"
    return run_again(_folder)


def reopen(folder: str) -> dict[str, Any]:
    path = str(Path(folder) / "cut.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    return describe(bpy.context.scene)


def remove(_folder: str) -> dict[str, Any]:
    bpy.ops.v2s.remove("EXEC_DEFAULT", True)
    return describe(bpy.context.scene)


def use_settings(_folder: str) -> dict[str, Any]:
    scene = bpy.context.scene
    scene.v2s.sound, scene.v2s.takes, scene.v2s.seed = "", 1, 99
    scene.sequence_editor.active_strip = ours()[0]
    bpy.ops.v2s.use_settings("EXEC_DEFAULT", True)
    return {"sound": scene.v2s.sound, "takes": scene.v2s.takes, "seed": scene.v2s.seed}


EDITS: dict[str, Any] = {
    "mix_down": mix_down,
    "mix_down_again": mix_down,
    "undo": undo,
    "redo": redo,
    "run_again": run_again,
    "edit_sounds": edit_sounds,
    "move_and_trim_movies": move_and_trim_movies,
    "change_class": change_class,
    "ripple": ripple,
    "reopen": reopen,
    "remove": remove,
    "use_settings": use_settings,
}


def make_added_cut(media: dict[str, str], folder: str) -> Any:
    """A movie added as the menu does it, at its own playback rate; and one inside a meta strip, whose end it passes."""
    scene = new_scene(folder)
    strips = scene.sequence_editor.strips
    show_sequencer(scene)
    window = bpy.context.window_manager.windows[0]
    area = window.screen.areas[0]
    area.type = "SEQUENCE_EDITOR"
    inner = strips.new_movie("inner", media["pal"], 4, 600)
    inner.select = True
    with bpy.context.temp_override(window=window, screen=window.screen, area=area):
        bpy.ops.sequencer.meta_make()
        bpy.ops.sequencer.movie_strip_add(
            filepath=media["high"], frame_start=100, channel=1, adjust_playback_rate=True, sound=False
        )
    scene.render.fps, scene.render.fps_base = 24, 1.001  # adding the first movie has set the scene's rate to its own
    meta = next(strip for strip in strips if strip.type == "META")
    meta.frame_offset_start, meta.frame_offset_end = 10, 40
    return scene


def render_cut(media: dict[str, str], folder: str, frames: list[int], cut: str) -> dict[str, Any]:
    """What Blender shows of the cut on some frames, as picture files; and the shots that the extension reads."""
    scene = globals()[cut](media, folder)
    for strip in scene.sequence_editor.strips:
        if strip.type == "COLOR":
            strip.mute = True
    scene.render.image_settings.file_format = "PNG"
    shown = {}
    for frame in frames:
        scene.frame_set(frame)
        scene.render.filepath = str(Path(folder) / f"{frame}.png")
        bpy.ops.render.render(write_still=True)
        shown[frame] = scene.render.filepath
    shots = sys.modules[f"{EXTENSION}.shots"]
    read = [shots.read_shot(scene, strip, existing=False) for strip in shots.wanted_strips(scene, "ALL")]
    kept = [(s.name, s.start, s.end, s.media, str(s.source_start), str(s.speed)) for s in read]
    return {"shown": shown, "shots": kept}


def refuse(media: dict[str, str], folder: str) -> dict[str, Any]:
    """Strips that cannot get sound, beside one that can."""
    scene = new_scene(folder)
    strips = scene.sequence_editor.strips
    strips.new_movie("good", media["ntsc"], 1, 1)
    strips.new_movie("muted", media["ntsc"], 2, 1).mute = True
    sounding = strips.new_movie("sounding", media["ntsc"], 3, 200)
    strips.new_sound("its own", media["ntsc"], 4, 200)
    strips.new_movie("gone", str(Path(folder) / "gone.mp4"), 5, 1)
    slow = strips.new_movie("ramped", media["pal"], 6, 400)
    new_speed_control(strips, slow, 7)
    scene.timeline_markers.new("v2s:cue", frame=25)
    scene.timeline_markers.new("v2s:cue", frame=900)
    told: dict[str, Any] = {"result": list(bpy.ops.v2s.generate("EXEC_DEFAULT", True)), "scored": describe(scene)}
    for strip in strips:
        strip.select = strip.name in {"muted", "ramped", "slowed"}
    scene.v2s.scope = "SELECTED"
    told["nothing"] = attempt()
    sounding.select, scene.v2s.existing = True, True
    told["allowed"] = attempt()
    told["sounds"] = describe(scene)
    return told


def fail(media: dict[str, str], folder: str) -> dict[str, Any]:
    """A run that the worker does not finish: what is said, and what is left behind."""
    scene = new_scene(folder)
    scene.sequence_editor.strips.new_movie("good", media["ntsc"], 1, 1)
    return {"said": attempt(), "scored": describe(scene), "running": bpy.context.window_manager.v2s_run.running}


def no_worker(media: dict[str, str], folder: str, program: str) -> dict[str, Any]:
    """Nothing was set at install; then a program that is not there."""
    scene = new_scene(folder)
    scene.sequence_editor.strips.new_movie("good", media["ntsc"], 1, 1)
    bpy.context.preferences.addons[EXTENSION].preferences.program = program
    return {"said": attempt()}


def cancel(command: list[str], folder: str) -> dict[str, Any]:
    """The conversation that the modal operator leads, stopped after the first sound."""
    talk_module = sys.modules[f"{EXTENSION}.conversation"]
    shots = [
        {"id": name, "name": name, "timeline_start": "0/1", "duration": "1/1", "media": "x.mp4"} for name in ("a", "b")
    ]
    request = {"type": "generate", "shots": shots, "media_folder": folder, "options": {}}
    talk = talk_module.Conversation(command, "test", request)
    talk.start()
    heard = []
    while not talk.ended:
        for message in talk.step():
            heard.append(message["type"])
            if message["type"] == "clip":
                talk.cancel()
    return {"heard": heard, "cancelled": talk.cancelled, "sounds": talk.hello["sound_classes"]}


def escape(media: dict[str, str], folder: str) -> dict[str, Any]:
    """The operator as a window drives it: timer events, an event of the editor's, then ESC after the first sound.

    A Blender without a window sends no events, so they are handed to the operator's own functions here.
    """
    scene = make_cut(media, folder)
    run = bpy.context.window_manager.v2s_run
    operator = sys.modules[f"{EXTENSION}.generate"].V2S_OT_generate
    functions = {name: each for name, each in vars(operator).items() if callable(each) or isinstance(each, property)}
    reports: list[str] = []
    driven = type("Driven", (), functions | {"report": lambda _self, _kind, text: reports.append(text)})()
    assert driven._begin(bpy.context)
    busy = not operator.poll(bpy.context)
    results, texts = [], set()
    event = SimpleNamespace(type="TIMER", value="NOTHING")
    while not results or results[-1] in ("PASS_THROUGH", "RUNNING_MODAL"):
        if ours() and not run.stop and "Stopping…" not in texts:
            results += driven.modal(bpy.context, SimpleNamespace(type="LEFTMOUSE", value="PRESS"))
            event = SimpleNamespace(type="ESC", value="PRESS")
        results += driven.modal(bpy.context, event)
        texts.add(run.text)
        event = SimpleNamespace(type="TIMER", value="NOTHING")
        time.sleep(0.02)
    return {
        "results": sorted(set(results)),
        "texts": sorted(texts),
        "busy": busy,
        "running": run.running,
        "reports": reports,
        "scored": describe(scene),
    }


class PaperLayout:
    """A layout that only writes down what is drawn; fields and operators that are not there are errors."""

    def __init__(self, drawn: list[str]) -> None:
        self.drawn = drawn

    def prop(self, data: Any, name: str, **_looks: Any) -> None:
        self.drawn.append(data.bl_rna.properties[name].name)

    def operator(self, name: str, **looks: Any) -> Any:
        kind = getattr(bpy.ops.v2s, name.removeprefix("v2s.")).get_rna_type()
        self.drawn.append(looks.get("text", kind.name) + (" (pressed)" if looks.get("depress") else ""))
        return SimpleNamespace()

    def label(self, text: str, **_looks: Any) -> None:
        self.drawn.append(text)

    def progress(self, factor: float, text: str) -> None:
        self.drawn.append(f"{factor:.0%} {text}")

    def part(self, **_looks: Any) -> PaperLayout:
        return PaperLayout(self.drawn)

    column = row = box = part


def draw(media: dict[str, str], folder: str) -> dict[str, Any]:
    """What the two panels show: at rest, during a run, with a scored strip active."""
    scene = make_cut(media, folder)
    panels = sys.modules[f"{EXTENSION}.panel"]
    told: dict[str, Any] = {"takes_before": panels.V2S_PT_strip.poll(bpy.context)}

    def shown(panel: Any) -> list[str]:
        layout = PaperLayout([])
        panel.draw(SimpleNamespace(layout=layout), bpy.context)
        return layout.drawn

    told["rest"] = shown(panels.V2S_PT_sound)
    run = bpy.context.window_manager.v2s_run
    run.running, run.factor, run.text, run.remarks = True, 0.25, "sample 1/4", "a: " + "long remark " * 8
    told["run"] = shown(panels.V2S_PT_sound)
    run.running = False
    scene.v2s.takes = 3
    bpy.ops.v2s.generate("EXEC_DEFAULT", True)
    scene.sequence_editor.active_strip = scene.sequence_editor.strips["pal"]
    bpy.ops.v2s.choose_take("EXEC_DEFAULT", True, take=2)
    told["takes"] = shown(panels.V2S_PT_strip)
    return told


def ask(folder: str) -> dict[str, Any]:
    new_scene(folder)
    bpy.ops.v2s.ask()
    kept = bpy.context.preferences.addons[EXTENSION].preferences
    return {"sounds": kept.sounds.splitlines(), "bundles": kept.bundles.splitlines()}


def attempt() -> str:
    """Run the operator; what it reports, or the result."""
    try:
        return str(bpy.ops.v2s.generate("EXEC_DEFAULT", True))
    except RuntimeError as error:  # a report of type ERROR
        return str(error)


def main(scenarios: dict[str, Any]) -> None:
    """Run the scenario that the command line names."""
    scenario, arguments, result = sys.argv[1:]
    bpy.ops.wm.read_userpref()  # the module starts with factory settings
    told = scenarios[scenario](**json.loads(Path(arguments).read_text(encoding="utf-8")))
    Path(result).write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    main(globals())
