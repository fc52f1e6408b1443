"""The command says what it lacks, and where it cannot listen."""

from __future__ import annotations

import builtins
import socket
from typing import Any

import pytest

from immunescape.app.serve import _listener, needs_shiny
from immunescape.errors import InputError


def test_without_shiny_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.split(".")[0] == "shiny":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"immunescape\[app\]"):
        needs_shiny()


def test_a_port_in_use_is_said_with_the_way_out() -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        with pytest.raises(InputError, match="--port"):
            _listener("127.0.0.1", busy.getsockname()[1])


def test_a_browser_that_is_quicker_than_the_app_waits_for_it() -> None:
    with _listener("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname(), 5) as visitor:
        assert visitor.getpeername() == listener.getsockname()


def test_the_plain_modules_do_not_need_shiny() -> None:
    import ast
    from pathlib import Path

    import immunescape.app

    for path in Path(immunescape.app.__file__).parent.glob("*.py"):
        for node in ast.parse(path.read_text()).body:
            names = [a.name for a in getattr(node, "names", ())] + [getattr(node, "module", "") or ""]
            assert not any(n.split(".")[0] in ("shiny", "htmltools", "uvicorn") for n in names), path
