"""Sounds on a timeline: clips and tracks of ours, and what an editor did to them by hand."""
