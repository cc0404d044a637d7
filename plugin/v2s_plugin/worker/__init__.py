"""The worker: the process that does the work for a panel inside an editing program.

    panel ── JSON lines ──> channel ──> session ──> requests ──> plan, sounds, timeline
                                           ^            │
                                           └── reporter ┘       progress, finished clips

One session is one conversation: on stdin and stdout, or one of several on a loopback socket (`servers`).
"""
