"""The annotation page: a web page on this machine alone, on which people answer the two questions of each piece.

    server.py        HTTP on loopback          guard.py      who may ask: token, host, origin
    piece_queue.py   who gets which piece      tasks.py      in which order
    desk.py          the queue's thread        address.py    port and token, kept
    standing.py      how far everything is     annotators.py names of people

What runs in the browser lies in `static/`: plain modules, nothing from elsewhere.
"""
