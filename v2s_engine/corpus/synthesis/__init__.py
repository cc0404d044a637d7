"""Sounds made from nothing but random numbers: material for classes of which there are too few recordings.

noise, filters, modes, voice, room ──> one module per sound class, its recipe ──> RECIPES ──> excerpts in files

One recipe is a function `(draw, length) -> samples`; `recipe.py` says what it promises.
"""
