"""V2S beside the editor: reads a timeline, has its pictures sounded, writes the sound back as tracks.

Import what you need from the modules by name. Importing the package loads nothing heavy: OpenTimelineIO imports it in
every program that asks for plug-ins (entry point `opentimelineio.plugins`; it finds `plugin_manifest.json` here).
"""
