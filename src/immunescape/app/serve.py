"""Starting the app: its address, its limits, and the error where shiny is not installed."""

from __future__ import annotations

import socket
import threading
import webbrowser
from dataclasses import dataclass
from typing import Any

from immunescape.app.guard import LOOPBACK, Guard
from immunescape.errors import InputError

__all__ = ["UsageLimits", "make_app", "needs_shiny", "serve"]


@dataclass(frozen=True, kw_only=True)
class UsageLimits:
    """What one user, and all together, may ask of the app.

    Attributes
    ----------
    jobs : computations in worker processes at once, over all sessions. job_seconds : longest computation.
    file_mb, files, total_mb : of one upload: a file, the number of files, all files (a zip: unpacked).
    patients : per arm of a trial. replicates : simulated trials of a design. twins : of a patient.
    """

    jobs: int = 4
    job_seconds: float = 1800.0
    file_mb: int = 64
    files: int = 200
    total_mb: int = 256
    patients: int = 50
    replicates: int = 1000
    twins: int = 400


def needs_shiny() -> None:
    """Refuse where shiny is not installed.

    Raises
    ------
    InputError
        Naming the extra.
    """
    try:
        import shiny  # noqa: F401
    except ImportError:
        raise InputError("the app needs shiny, which is not installed", hint="pip install 'immunescape[app]'") from None


def make_app(limits: UsageLimits | None = None, hosts: tuple[str, ...] | None = LOOPBACK) -> Guard:
    """Return the app as an ASGI application.

    Parameters
    ----------
    limits
        What users may ask of it; None: the defaults of `UsageLimits`.
    hosts
        Names that requests may be addressed to; None allows all.
    """
    needs_shiny()
    from immunescape.app.views.page import shiny_app

    chosen = limits or UsageLimits()
    return Guard(shiny_app(chosen), hosts, (chosen.file_mb << 20) + 4096, 4 * (chosen.total_mb << 20))


def serve(
    host: str = "127.0.0.1", port: int = 8787, *, browser: bool = True, limits: UsageLimits | None = None
) -> None:
    """Run the app until it is interrupted.

    Parameters
    ----------
    host
        Address to listen on. The default is reachable from this machine only.
    port
        Port; 0 takes a free one.
    browser
        Whether to open a browser.
    limits
        What users may ask of the app.

    Raises
    ------
    InputError
        Where shiny is not installed, or the address cannot be used.
    """
    needs_shiny()
    import uvicorn

    listener = _listener(host, port)
    port = listener.getsockname()[1]
    local = host in LOOPBACK
    application = make_app(limits, (*LOOPBACK, host) if local else None)
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{port}/"
    print(f"immunescape app: {address}  (Ctrl-C ends it)", flush=True)
    if not local:
        print("It is reachable from the network, without a password: anyone who can reach it can use it.", flush=True)
    if browser:
        threading.Timer(1.0, webbrowser.open, (address,)).start()
    config = uvicorn.Config(application, log_level="warning", ws="auto", timeout_graceful_shutdown=2)
    with listener:
        uvicorn.Server(config).run(sockets=[listener])


def _listener(host: str, port: int) -> Any:
    """Socket at which a browser waits, rather than fails, until the app answers."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        why = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"cannot listen on {host}:{port}: {why}", hint="Choose another port with --port; 0 takes a free one."
        ) from None
    return listener
