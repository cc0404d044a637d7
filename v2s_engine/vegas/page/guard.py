"""Who may ask the annotation page: what stands between it and other web pages and other users of the machine.

- The host that a browser believes to talk to must be this machine: a foreign name that was made to point here (DNS
  rebinding) is refused.
- What changes something must come from the page itself (`Origin`) and be JSON.
- `/api/` needs the token, as a header that no form and no foreign page can send.
- The page loads nothing from elsewhere, and nobody may frame it (Content-Security-Policy).
"""

from __future__ import annotations

import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN_HEADER = "X-V2S-Token"  # noqa: S105
_HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
_BODY_LIMIT = 4096

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """ASGI middleware that refuses strangers."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._token = token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or answer 400, 403, 413, 415 or 421 with `{"error": ...}`."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers.setdefault("Cache-Control", "no-store" if scope["path"].startswith("/api/") else "no-cache")
            await send(message)

        fault = self._fault(scope)
        if fault is None:
            await self._app(scope, receive, send_guarded)
        else:
            status, reason = fault
            await JSONResponse({"error": reason}, status)(scope, receive, send_guarded)

    def _fault(self, scope: Scope) -> tuple[int, str] | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or _host_name(hosts[0]) not in _HOSTS:
            return 421, "this page answers on this machine alone"
        if scope["method"] not in {"GET", "HEAD"}:
            if headers.get("origin") != f"http://{hosts[0]}":
                return 403, "other web pages may not answer here"
            if headers.get("content-type", "").partition(";")[0] != "application/json":
                return 415, "answers are JSON"
            length = headers.get("content-length", "")
            if not length.isascii() or not length.isdigit() or int(length) > _BODY_LIMIT:
                return 413, f"answers have a length of at most {_BODY_LIMIT} bytes"
        if scope["path"].startswith("/api/"):
            given = headers.get(TOKEN_HEADER, "").encode("latin-1")
            if not secrets.compare_digest(given, self._token):
                return 403, "the token is not this page's; open the address that `v2s vegas annotate --serve` printed"
        return None


def _host_name(host: str) -> str:
    """Without the port: through an SSH tunnel it is another one."""
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host
