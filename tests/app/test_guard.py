"""Requests from elsewhere, to another name or with too much in them do not reach the app."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from immunescape.app.guard import Guard, host_of

Headers = dict[str, str]


async def inner(scope: Any, receive: Any, send: Any) -> None:
    while scope["type"] == "http":
        message = await receive()
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


def answer(
    headers: Headers,
    *,
    body: list[bytes] | None = None,
    kind: str = "http",
    hosts: Any = ("localhost",),
    guard: Guard | None = None,
    path: str = "/",
) -> Any:
    sent: list[Any] = []
    chunks = list(body or [b""])

    async def receive() -> Any:
        chunk = chunks.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": kind, "path": path, "headers": [(k.encode(), v.encode()) for k, v in headers.items()]}
    asyncio.run((guard or Guard(inner, hosts, 1000))(scope, receive, send))
    return sent[0]


@pytest.mark.parametrize("host", ["localhost", "localhost:8787", "LOCALHOST:1"])
def test_a_request_to_the_app_passes_with_the_policy_in_the_answer(host: str) -> None:
    first = answer({"host": host, "origin": f"http://{host}"})
    assert first["status"] == 200
    assert b"default-src 'self'" in dict(first["headers"])[b"content-security-policy"]


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example:8787"},
        {"host": "localhost.evil.example"},
        {},
        {"host": "localhost:8787", "origin": "http://evil.example"},
        {"host": "localhost:8787", "origin": "http://localhost:9999"},
        {"host": "localhost:8787", "origin": "null"},
    ],
)
def test_another_host_or_origin_is_refused(headers: Headers) -> None:
    assert answer(headers)["status"] == 403
    assert answer(headers, kind="websocket")["type"] == "websocket.close"


def test_where_it_listens_on_the_network_any_host_passes_but_no_other_origin() -> None:
    assert answer({"host": "10.0.0.7:80"}, hosts=None)["status"] == 200
    assert answer({"host": "10.0.0.7:80", "origin": "http://evil.example"}, hosts=None)["status"] == 403


def test_a_body_above_the_limit_is_refused_by_its_header_and_by_its_length() -> None:
    own = {"host": "localhost"}
    assert answer(own | {"content-length": "1001"})["status"] == 413
    assert answer(own | {"content-length": "many"})["status"] == 413
    assert answer(own, body=[b"x" * 600, b"x" * 600])["status"] == 413
    assert answer(own, body=[b"x" * 600, b"x" * 300])["status"] == 200


def test_what_a_session_sends_in_all_is_bounded_too() -> None:
    guard = Guard(inner, ("localhost",), 1000, 1500)

    def sent(session: str) -> int:
        path = f"/session/{session}/upload/1"
        return int(answer({"host": "localhost"}, body=[b"x" * 900], guard=guard, path=path)["status"])

    assert [sent("a"), sent("b"), sent("a")] == [200, 200, 413]


def test_hosts_are_read_with_and_without_ports() -> None:
    assert [host_of(t) for t in ("[::1]:80", "a.b", "A:1", "")] == ["::1", "a.b", "a", ""]
