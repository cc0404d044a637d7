"""Annotation on Amazon Mechanical Turk: what is uploaded there (batches, templates), and what comes back (results).

Nothing here speaks to Mechanical Turk; files go through the requester's web page.
"""
