"""Measurements of what a bundle makes."""
