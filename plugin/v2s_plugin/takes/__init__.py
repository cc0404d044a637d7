"""The takes of sounds that stand on a timeline: listed, chosen, added."""
