"""What a request must satisfy before it reaches the app: the host's own name, the page's own origin, a bounded body.

A page of somebody else that is open in the same browser cannot use the app through it: its origin is another one, and a
name that it lets point to this machine (DNS rebinding) is not among the hosts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from typing import Any
from urllib.parse import urlsplit

__all__ = ["CONTENT_POLICY", "LOOPBACK", "Guard", "host_of"]

LOOPBACK = ("127.0.0.1", "localhost", "::1")
CONTENT_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-ancestors 'none'"
)
"""Nothing is loaded from another place than the app itself, whatever a page holds."""

_SESSIONS = 10_000
"""Sessions whose bytes are counted; the oldest is forgotten first."""

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class _TooLarge(Exception):
    """A body above the limit."""


def host_of(authority: str) -> str:
    """Host of ``host:port`` or ``[v6]:port``, in lower case; empty where there is none."""
    return (urlsplit(f"//{authority}").hostname or "").lower()


class Guard:
    """ASGI application in front of another one.

    Parameters
    ----------
    app
        The application.
    hosts
        Names that requests may be addressed to; None allows all (the app was told to listen on the network).
    largest
        Bytes that the body of one request may have.
    session_bytes
        Bytes that one session may send in all; None: no limit.
    """

    def __init__(self, app: Any, hosts: Collection[str] | None, largest: int, session_bytes: int | None = None) -> None:
        self.app, self.largest, self.session_bytes = app, largest, session_bytes
        self._sent: dict[str, int] = {}
        self.hosts = None if hosts is None else frozenset(h.lower() for h in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        if not self._addressed(headers):
            await _refuse(scope, send, 403, "This address does not belong to the app.")
            return
        if scope["type"] == "websocket":
            await self.app(scope, receive, send)
            return
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > self.largest:
            await _refuse(scope, send, 413, f"A file may have {self.largest >> 20} MB.")
            return
        await self._bounded(scope, receive, send)

    def _addressed(self, headers: Mapping[str, str]) -> bool:
        host = headers.get("host", "")
        if self.hosts is not None and host_of(host) not in self.hosts:
            return False
        origin = headers.get("origin")
        return origin is None or urlsplit(origin).netloc.lower() == host.lower()

    def _within(self, session: str, size: int) -> bool:
        """Count what a session has sent; whether it may send that much."""
        if not session or self.session_bytes is None:
            return True
        if session not in self._sent and len(self._sent) >= _SESSIONS:
            self._sent.pop(next(iter(self._sent)))
        self._sent[session] = self._sent.get(session, 0) + size
        return self._sent[session] <= self.session_bytes

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the body as it comes, whatever its header said, and add the policy to the answer."""
        count, began = 0, False
        parts = str(scope.get("path", "")).split("/")
        session = parts[2] if len(parts) > 3 and parts[1] == "session" and parts[3] == "upload" else ""

        async def counted() -> Message:
            nonlocal count
            message = await receive()
            count += len(message.get("body", b""))
            if count > self.largest or not self._within(session, len(message.get("body", b""))):
                raise _TooLarge
            return message

        async def answered(message: Message) -> None:
            nonlocal began
            if message["type"] == "http.response.start":
                began = True
                extra = {
                    "content-security-policy": CONTENT_POLICY,
                    "x-content-type-options": "nosniff",
                    "referrer-policy": "no-referrer",
                }
                pairs = [(k.encode(), v.encode()) for k, v in extra.items()]
                message = {**message, "headers": [*message.get("headers", ()), *pairs]}
            await send(message)

        try:
            await self.app(scope, counted, answered)
        except _TooLarge:
            if not began:
                await _refuse(scope, send, 413, "The file is too large, or the session has sent too much.")


async def _refuse(scope: Scope, send: Send, status: int, text: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    body = text.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
