"""Build the Blender extension: dist/v2s_blender-<version>.zip, the same bytes every time.

    python scripts/build_blender.py [--folder dist]

The extension imports Blender's `bpy`, so it is GPL-3.0-or-later and has a folder of its own that no wheel holds. The
zip also holds a copy of the worker's client (`v2s_plugin/hosts/client.py`, Apache-2.0).
"""

from __future__ import annotations

import argparse
import re
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "plugin" / "blender" / "v2s_blender"
CLIENT = ROOT / "plugin" / "v2s_plugin" / "hosts" / "client.py"

_DATE = (1980, 1, 1, 0, 0, 0)


def build(folder: Path) -> Path:
    """Write the zip into a folder and return its path. Raises `ValueError` where the version is not `1.2.3`."""
    version = _version()
    manifest = (SOURCE / "blender_manifest.toml").read_text(encoding="utf-8")
    manifest, changed = re.subn(r'^version = "0\.0\.0".*$', f'version = "{version}"', manifest, flags=re.MULTILINE)
    if changed != 1:
        raise ValueError('blender_manifest.toml has no line version = "0.0.0"; put it back')
    files = {path.name: path.read_bytes() for path in sorted(SOURCE.iterdir()) if path.suffix == ".py"}
    files["LICENSE"] = (SOURCE / "LICENSE").read_bytes()
    files |= {
        "blender_manifest.toml": manifest.encode(),
        "client.py": CLIENT.read_bytes(),
        "LICENSE-APACHE": (ROOT / "LICENSE").read_bytes(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    built = folder / f"v2s_blender-{version}.zip"
    with zipfile.ZipFile(built, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in sorted(files.items()):
            packed.writestr(zipfile.ZipInfo(name, _DATE), data, zipfile.ZIP_DEFLATED)
    return built


def _version() -> str:
    """The project's version, which Blender wants as three numbers."""
    text = (ROOT / "v2s_engine" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "(\d+\.\d+\.\d+)"', text, re.MULTILINE)
    if found is None:
        raise ValueError("v2s_engine has no __version__ of three numbers, which Blender's manifest wants")
    return found[1]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "dist")
    print(build(parser.parse_args().folder))
