"""Exact time, and where clips stand in it: rates, speed changes, transitions, places."""
