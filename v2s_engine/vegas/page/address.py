"""Where the page listens, and the token without which it answers nothing.

Both are kept beside the project, readable by its owner alone, so that pages that are open find a restarted server.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from v2s_engine.errors import OutputError, UsageError
from v2s_engine.vegas.store import Project

HOST = "127.0.0.1"
ADDRESS_FILE = "annotation_page.json"
_TOKEN_LENGTH = 32  # letters; about 190 bits


@dataclass(frozen=True)
class PageAddress:
    """One server's address."""

    port: int
    token: str

    @property
    def url(self) -> str:
        """What a browser opens. The token stands behind `#`: browsers send that to nobody."""
        return f"http://{HOST}:{self.port}/#{self.token}"


def take_address(project: Project, port: int) -> tuple[PageAddress, socket.socket]:
    """Listen on a port of this machine alone; 0: the one of last time if it is free, else any.

    Raises `UsageError` where the port is taken, `OutputError` where the address cannot be kept.
    """
    path = project.folder / ADDRESS_FILE
    last = _read(path)
    listening = _listen(port or (last.port if last else 0), or_any=not port)
    address = PageAddress(listening.getsockname()[1], last.token if last else secrets.token_urlsafe(24))
    if address != last:
        try:
            _write(path, address)
        except OSError as error:
            listening.close()
            raise OutputError(f"cannot write {path}: {error}; free some space or change its rights") from error
    return address, listening


def _listen(port: int, *, or_any: bool) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if sys.platform != "win32":  # there it would let a second server take the port
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        if or_any and port:
            return _listen(0, or_any=False)
        raise UsageError(f"port {port} of {HOST} cannot be used: {error}; give another, or 0 for any") from error
    return listening


def _read(path: Path) -> PageAddress | None:
    """None where there is none, or it is not what we wrote: a new token is drawn then."""
    try:
        kept = json.loads(path.read_text("utf-8"))
        port, token = kept["port"], kept["token"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if isinstance(port, int) and 0 < port < 65_536 and isinstance(token, str) and len(token) == _TOKEN_LENGTH:
        return PageAddress(port, token)
    return None


def _write(path: Path, address: PageAddress) -> None:
    draft = path.with_name(f".{path.name}.part")
    draft.unlink(missing_ok=True)  # one of other rights, perhaps
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"port": address.port, "token": address.token}, file)
    draft.replace(path)
