"""Python that runs inside editing programs: old enough for theirs, and without packages that they lack."""

import ast
import sys
from pathlib import Path

import pytest

import v2s_plugin.hosts

HOSTS = Path(v2s_plugin.hosts.__file__).parent
SCRIPTS = [HOSTS / "__init__.py", HOSTS / "client.py", *sorted((HOSTS / "resolve").glob("*.py"))]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.relative_to(HOSTS).as_posix())
def test_a_script_is_python_3_9_and_imports_the_standard_library_only(script):
    tree = ast.parse(script.read_text(encoding="utf-8"), feature_version=(3, 9))
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module]
        assert all(name.split(".")[0] in sys.stdlib_module_names for name in names), names
