"""Editing programs that V2S can be called from: where they are, and what is installed into them.

The folders below hold what runs inside the programs; `client.py` is their way to the worker.
"""
