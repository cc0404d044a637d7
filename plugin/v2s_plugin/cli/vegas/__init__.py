"""`v2s vegas`: from AudioSet to a clean audio-visual data set, step by step."""
