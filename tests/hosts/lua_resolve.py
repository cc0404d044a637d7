"""The Lua script in LuaJIT, as Resolve's free version runs it: in its sandbox, with the stand-in as `resolve`.

`lupa` brings LuaJIT 2.1, which is what Resolve has. Lua calls reach the same Python stand-in that the Python script is
tested with; lists and tables are turned into each other on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

GONE = ("io", "require", "package", "ffi", "debug", "dofile")


class LuaResolve:
    """`wait(seconds)`: what happens while the script waits."""

    def __init__(self, resolve: Any, wait: Callable[[float], None]) -> None:
        from lupa.luajit21 import LuaRuntime

        self.lua = LuaRuntime(unpack_returned_tuples=False, register_eval=False)
        self.proxies: dict[int, Any] = {}
        self.keep: list[Any] = []
        for name in GONE:
            self.lua.globals()[name] = None
        for name in ("execute", "remove", "rename", "tmpname"):
            self.lua.globals().os[name] = None
        self.lua.globals().print = None
        self.make_proxy = self.lua.eval(
            "function(id, call, constant) return setmetatable({ python = id }, { __index = function(self, name)"
            " local value = constant(name); if value ~= nil then return value end"
            " return function(_, ...) return call(name, select('#', ...), ...) end end }) end"
        )
        self.lua.globals().resolve = self.to_lua(resolve)
        self.lua.globals().bmd = self.lua.table(fileexists=lambda path: Path(path).exists(), wait=wait)

    def run_file(self, path: Path) -> Any:
        """What the menu does with a script."""
        return self.lua.eval("function(path) return assert(loadfile(path))() end")(str(path))

    def to_lua(self, value: Any) -> Any:
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, list):
            return self.lua.table_from([self.to_lua(item) for item in value])
        if isinstance(value, dict):
            return self.lua.table_from({key: self.to_lua(item) for key, item in value.items()})
        if id(value) not in self.proxies:
            self.keep.append(value)
            self.proxies[id(value)] = self._proxy(value)
        return self.proxies[id(value)]

    def _proxy(self, value: Any) -> Any:
        def call(name: str, count: int, *arguments: Any) -> Any:
            assert len(arguments) == count
            return self.to_lua(getattr(value, name)(*(self.to_python(each) for each in arguments)))

        def constant(name: str) -> Any:
            found = getattr(value, name)
            return found if isinstance(found, str) else None

        return self.make_proxy(id(value), call, constant)

    def to_python(self, value: Any) -> Any:
        from lupa.luajit21 import lua_type

        if lua_type(value) != "table":
            return value
        if value["python"] is not None:
            return next(each for each in self.keep if id(each) == value["python"])
        content = {key: self.to_python(item) for key, item in value.items()}
        if content and all(isinstance(key, int) for key in content):
            return [content[key] for key in sorted(content)]
        return content
