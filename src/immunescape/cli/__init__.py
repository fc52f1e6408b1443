"""The command line: thin commands over the Python interface. Heavy imports happen inside the commands."""

from __future__ import annotations

from immunescape.cli.program import app, main

__all__ = ["app", "main"]
