"""Ctrl-C and SIGTERM: never in the middle of storing a result or of starting a process, and never lost."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["Terminated", "deferred_interrupts", "exit_code", "terminate_like_interrupt"]

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM") if hasattr(signal, name))


class Terminated(KeyboardInterrupt):
    """The process was asked to end (SIGTERM: ``docker stop``, ``scancel``, ``timeout``); treated as Ctrl-C is."""


def terminate_like_interrupt() -> None:
    """Let SIGTERM raise `Terminated` in the main thread, so that a run keeps what is finished; for programs."""
    if threading.current_thread() is threading.main_thread() and hasattr(signal, "SIGTERM"):
        signal.signal(signal.SIGTERM, _terminated)


_ASKED_TO_END: list[int] = []


def exit_code() -> int:
    """Exit code of a program that was interrupted, by the shell's convention: 143 after SIGTERM, 130 after Ctrl-C."""
    return 143 if _ASKED_TO_END else 130


def _terminated(number: int, frame: Any) -> None:
    _ASKED_TO_END.append(number)
    raise Terminated


@contextmanager
def deferred_interrupts() -> Iterator[None]:
    """Hold back Ctrl-C and SIGTERM until the end of the block, where they act as they would have.

    Only the main thread runs handlers of signals; elsewhere nothing needs to be held back.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    before: dict[int, Any] = {}
    try:
        for number in _SIGNALS:
            handler = signal.getsignal(number)
            if callable(handler):  # else it is ignored, ends the process at once, or was not set by Python
                before[number] = handler
                signal.signal(number, lambda got, frame: arrived.append(got))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in dict.fromkeys(arrived):
            signal.raise_signal(number)
