"""`v2s worker`: the process that panels in editing programs talk to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

SocketOption = Annotated[
    bool, typer.Option("--socket", help="Listen on this machine's loopback address, for several hosts at once.")
]
PortOption = Annotated[
    int, typer.Option("--port", metavar="N", min=0, max=65_535, help="Port to listen on; 0: a free one.")
]
FileOption = Annotated[
    Path | None,
    typer.Option("--file", metavar="PATH", help="Where port and token are written for panels.", show_default=False),
]


def worker_command(*, socket: SocketOption = False, port: PortOption = 0, file: FileOption = None) -> int:
    """Work for a panel in an editing program.

    Programs start it and talk to it in JSON lines, as docs/protocol.md says. It ends when they do.
    """
    import contextlib
    import signal

    from v2s_engine.errors import UsageError
    from v2s_plugin.cli.answers import EXIT_DONE
    from v2s_plugin.hosts.folders import Place, connection_file
    from v2s_plugin.worker.servers import serve_socket, serve_stdio

    if socket:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # either way, its file is removed
        with contextlib.suppress(KeyboardInterrupt):  # how it is meant to end
            serve_socket(port, (file or connection_file(Place.here())).absolute())
        return EXIT_DONE
    if port or file is not None:
        raise UsageError("--port and --file are for a worker that listens; add --socket")
    if not serve_stdio():
        os._exit(EXIT_DONE)  # a step that cannot be broken off must not keep the process
    return EXIT_DONE
