"""Clip jobs made WAV files: what was made before used again, the rest generated, each file written whole."""
