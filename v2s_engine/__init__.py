"""The V2S engine: pictures in, sound out. Knows nothing of timelines.

Import what you need from the modules by name; importing the package itself loads nothing heavy.
"""

__version__ = "0.1.0"
