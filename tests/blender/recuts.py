"""Runs in Blender's own Python as in_blender.py does: what editors do to a scored cut before it is scored again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import bpy
from in_blender import EXTENSION, attempt, describe, main, new_scene, new_speed_control, ours, show_sequencer


def recut(media: dict[str, str], folder: str, edit: str, settings: dict[str, Any]) -> dict[str, Any]:
    """One movie with its sound, something done to them by hand, and sound made again."""
    scene = scored(media, folder, settings)
    before = describe(scene)
    globals()[edit](scene)
    edited = describe(bpy.context.scene)
    said = attempt()
    return {"before": before, "edited": edited, "said": said, "after": describe(bpy.context.scene)}


def scored(media: dict[str, str], folder: str, settings: dict[str, Any]) -> Any:
    """A scene with one movie from frame 101 to 221, and its sound."""
    scene = new_scene(folder)
    scene.sequence_editor.strips.new_movie("movie", media["ntsc"], 1, 101)
    for name, value in settings.items():
        setattr(scene.v2s, name, value)
    attempt()
    return scene


def pair(scene: Any) -> list[Any]:
    """The movie and its sound."""
    return [scene.sequence_editor.strips["movie"], ours()[0]]


def trim_both(scene: Any) -> None:
    for strip in pair(scene):
        strip.frame_final_start += 10
        strip.frame_final_end -= 20


def trim_and_move_both(scene: Any) -> None:
    trim_both(scene)
    for strip in pair(scene):
        strip.frame_start += 30


def cut_both_and_move_the_second_half(scene: Any) -> None:
    for strip in pair(scene):
        strip.split(frame=190, split_method="SOFT")
    for strip in scene.sequence_editor.strips:
        if strip.frame_final_start == 190:
            strip.frame_start += 30


def move_both(scene: Any) -> None:
    for strip in pair(scene):
        strip.frame_start += 30


def offset_and_ripple(scene: Any) -> None:
    """The sound four frames late; scored again; then only the movie moves."""
    movie, sound = pair(scene)
    sound.frame_start += 4
    attempt()
    movie.frame_start += 40


def trim_the_sound_and_slip(scene: Any) -> None:
    """The movie shows a part of its file; the sound begins five frames late; then later pictures in the same place."""
    for strip in pair(scene):
        strip.frame_final_start, strip.frame_final_end = 121, 201
    attempt()
    movie, sound = pair(scene)
    sound.frame_final_start += 5
    movie.frame_start -= 10
    movie.frame_final_start, movie.frame_final_end = 121, 201


def duplicate_and_select_the_first(scene: Any) -> None:
    duplicate(scene)
    scene.v2s.scope = "SELECTED"
    for strip in scene.sequence_editor.strips:
        strip.select = strip.name == "movie"


def duplicate(scene: Any) -> None:
    """Both strips copied, 200 frames later; the first sound is quiet, and so is its copy."""
    ours()[0].volume = 0.25
    in_sequencer(scene, bpy.ops.sequencer.duplicate)
    for strip in scene.sequence_editor.strips:
        if strip.select:
            strip.frame_start += 200


def group_and_move(scene: Any) -> None:
    in_sequencer(scene, bpy.ops.sequencer.meta_make)
    next(strip for strip in scene.sequence_editor.strips if strip.type == "META").frame_start += 50


def slow_down(scene: Any) -> None:
    effect = new_speed_control(scene.sequence_editor.strips, pair(scene)[0], 3)
    effect.speed_control, effect.speed_factor = "MULTIPLY", 0.5


def choose_the_second_and_ask_for_one(scene: Any) -> None:
    scene.sequence_editor.active_strip = ours()[0]
    bpy.ops.v2s.choose_take("EXEC_DEFAULT", True, take=2)
    scene.v2s.takes = 1


def delete_the_movie(scene: Any) -> None:
    movie, _ = pair(scene)
    path = movie.filepath
    scene.sequence_editor.strips.remove(movie)
    scene.sequence_editor.strips.new_movie("another", path, 1, 101)


def mute_the_channel(scene: Any) -> None:
    scene.sequence_editor.channels[1].mute = True


def nothing_selected(scene: Any) -> None:
    scene.v2s.scope = "SELECTED"
    for strip in scene.sequence_editor.strips:
        strip.select = False


def in_sequencer(scene: Any, operator: Any) -> None:
    """Call an operator of the sequencer's on the movie and its sound."""
    for strip in scene.sequence_editor.strips:
        strip.select = strip in pair(scene)
    show_sequencer(scene)
    window = bpy.context.window_manager.windows[0]
    area = window.screen.areas[0]
    area.type = "SEQUENCE_EDITOR"
    region = next(each for each in area.regions if each.type == "WINDOW")
    with bpy.context.temp_override(window=window, screen=window.screen, area=area, region=region):
        operator()


def copies(media: dict[str, str], folder: str) -> dict[str, Any]:
    """A movie and its sound copied; then another take for the copy, and the copy's sound removed."""
    scene = scored(media, folder, {"takes": 2})
    duplicate(scene)
    scene.sequence_editor.active_strip = scene.sequence_editor.strips["movie.001"]
    bpy.ops.v2s.choose_take("EXEC_DEFAULT", True, take=2)
    chosen = describe(scene)
    for strip in scene.sequence_editor.strips:
        strip.select = strip.name == "movie.001"
    bpy.ops.v2s.remove("EXEC_DEFAULT", True, selected=True)
    return {"chosen": chosen, "removed": describe(scene)}


def own_sound_on_a_muted_channel(media: dict[str, str], folder: str) -> dict[str, Any]:
    scene = new_scene(folder)
    scene.sequence_editor.strips.new_movie("movie", media["ntsc"], 1, 101)
    scene.sequence_editor.strips.new_sound("its own", media["ntsc"], 2, 101)
    scene.sequence_editor.channels[2].mute = True
    return {"said": attempt()}


def saved_elsewhere(media: dict[str, str], folder: str) -> dict[str, Any]:
    """The .blend file goes into another folder, its sounds stay; then the second take, and one whose file is gone."""
    scored(media, folder, {"takes": 3})
    elsewhere = Path(folder) / "deeper" / "still"
    elsewhere.mkdir(parents=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(elsewhere / "cut.blend"))
    scene = bpy.context.scene
    scene.sequence_editor.active_strip = ours()[0]
    bpy.ops.v2s.choose_take("EXEC_DEFAULT", True, take=2)
    chosen = describe(scene)
    for sound in (Path(folder) / "v2s").iterdir():
        sound.unlink()
    said = []
    for take in (1, 4):
        try:
            bpy.ops.v2s.choose_take("EXEC_DEFAULT", True, take=take)
        except RuntimeError as error:
            said.append(str(error))
    return {"chosen": chosen, "said": said, "kept": describe(scene)}


def during_a_run(media: dict[str, str], folder: str, change: str) -> dict[str, Any]:
    """The scene is renamed, or deleted, while a run is under way, in the steps that a window's timer makes."""
    scene = new_scene(folder)
    scene.sequence_editor.strips.new_movie("movie", media["ntsc"], 1, 101)
    operator = sys.modules[f"{EXTENSION}.generate"].V2S_OT_generate
    functions = {name: each for name, each in vars(operator).items() if callable(each)}
    reports: list[str] = []
    driven = type("Driven", (), functions | {"report": lambda _self, _kind, text: reports.append(text)})()
    assert driven._begin(bpy.context)
    if change == "rename":
        scene.name = "Another name"
    else:
        bpy.ops.scene.new(type="EMPTY")
        bpy.data.scenes.remove(scene)
    while not driven._step(bpy.context):
        pass
    result = driven._end(bpy.context)
    return {"result": list(result), "reports": reports, "running": bpy.context.window_manager.v2s_run.running}


def stopped_at_once(command: list[str]) -> dict[str, Any]:
    """A conversation that is stopped before the worker has greeted."""
    talk = sys.modules[f"{EXTENSION}.conversation"].Conversation(command, "test", {"type": "generate", "shots": []})
    talk.start()
    talk.cancel()
    return {"heard": list(talk.step()), "ended": talk.ended, "cancelled": talk.cancelled}


def alike(media: dict[str, str], folder: str) -> dict[str, Any]:
    """Five muted strips and one that is not there."""
    scene = new_scene(folder)
    for number in range(5):
        strip = scene.sequence_editor.strips.new_movie(f"m{number}", media["ntsc"], 1, 1 + 200 * number)
        strip.mute = True
    scene.sequence_editor.strips.new_movie("gone", str(Path(folder) / "gone.mp4"), 2, 1)
    return {"said": attempt(), "remarks": describe(scene)["remarks"]}


def opened_in_the_middle(folder: str) -> dict[str, Any]:
    """A file that was saved during a run is opened in a window: its window manager comes from the file."""
    new_scene(folder)
    run = bpy.context.window_manager.v2s_run
    run.running = run.stop = True
    for handler in bpy.app.handlers.load_post:  # a Blender without a window keeps its own window manager
        if handler.__module__.startswith(EXTENSION):
            handler(None)
    return {"running": run.running, "stop": run.stop}


if __name__ == "__main__":
    main(globals())
