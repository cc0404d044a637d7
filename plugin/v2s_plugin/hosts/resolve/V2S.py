"""V2S in DaVinci Resolve Studio. Written by `v2s hosts install resolve`; run that again after moving V2S."""  # noqa: N999

import importlib.util
import sys

HOSTS = "@HOSTS@"
WORKER = ["@PYTHON@", "-P", "-m", "v2s_plugin.cli", "worker"]

# Under a name of its own and without touching sys.path: V2S's packages are built for another Python.
spec = importlib.util.spec_from_file_location("v2s_hosts", HOSTS + "/__init__.py", submodule_search_locations=[HOSTS])
if spec is None or spec.loader is None:
    raise ImportError(f"V2S is not at {HOSTS} any more; run `v2s hosts install resolve` again")
sys.modules["v2s_hosts"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["v2s_hosts"])
window = importlib.import_module("v2s_hosts.resolve.window")

# Resolve puts these names into a script that is run from its menu.
window.show(globals()["resolve"], globals()["fusion"], globals()["bmd"], WORKER)
