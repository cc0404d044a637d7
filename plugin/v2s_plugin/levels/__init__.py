"""Levels: how loud our sounds are beside each other and under speech, and where between the loudspeakers they stand.

plain takes ── fades ── one gain a track ── ducked under speech ── panned ──> mixed takes     options, mixing

A mixed take is a file of its own, and the plain one stays: other levels never make a sound again.
"""
