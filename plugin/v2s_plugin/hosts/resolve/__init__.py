"""DaVinci Resolve: a window for Studio, and for the free version a command that a Lua script in Resolve works with.

Loaded by Resolve's own Python (3.9 or newer) from here, as `hosts.resolve`: standard library and Resolve's API only.
Nothing of this has been run inside Resolve; tests/hosts/resolve_standin.py enforces what is documented of its API.
"""
