"""Timbre: what a sound's spectrum is like from step to step, apart from how loud it is. See `timbre.py`."""
