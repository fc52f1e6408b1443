"""What commands that compute share: the option for a cluster, progress, answers to Ctrl-C and SIGTERM."""

from __future__ import annotations

import json as json_module
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from immunescape.cli import completion
from immunescape.errors import ImmunescapeError, InputError

if TYPE_CHECKING:
    from immunescape.model.from_sbml import SbmlMechanism

__all__ = [
    "Cluster",
    "Engine",
    "Mechanisms",
    "Progress",
    "Seed",
    "Workers",
    "first_with",
    "interruptible",
    "mechanisms_of",
    "plain_warnings",
    "refuse_unread",
    "show_rows",
    "stop",
]

Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster", help="Address of a dask scheduler (tcp://… or tls://…), used instead of local processes."
    ),
]

Seed = Annotated[int, typer.Option("--seed", "-s", min=0, help="Seed of all random numbers.")]
Engine = Annotated[
    str,
    typer.Option("--engine", help="auto, native, cuda, roadrunner or reference.", autocompletion=completion.engines),
]
Mechanisms = Annotated[
    list[Path] | None,
    typer.Option(
        "--mechanism",
        help="SBML file of a mechanism to add; MY.coupling.yaml beside MY.xml says how it is coupled. Repeatable.",
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        "-w",
        min=1,
        max=1024,
        help="Processes [default: one per core]. Results do not depend on it.",
    ),
]


def mechanisms_of(files: Sequence[Path] | None) -> tuple[SbmlMechanism, ...]:
    """Read the mechanisms of SBML files, and say on standard error how they are coupled."""
    if not files:
        return ()
    from immunescape.api import mechanism_from_sbml

    read = tuple(mechanism_from_sbml(file) for file in files)
    for mechanism in read:
        for note in mechanism.notes:
            typer.echo(f"{mechanism.name}: {note}", err=True)
    return read


@contextmanager
def interruptible(folder: Path | None = None, what: str = "patients") -> Iterator[None]:
    """Answer Ctrl-C with exit code 130 and SIGTERM with 143, and say where what is finished lies."""
    try:
        yield
    except KeyboardInterrupt:
        from immunescape.parallel import exit_code

        code = exit_code()
        kept = "" if folder is None else f" Finished {what} are kept in {folder}; the same command resumes."
        typer.echo(f"{'Terminated' if code == 143 else 'Interrupted'}.{kept}", err=True)
        raise typer.Exit(code) from None


def plain_warnings() -> None:
    """Print warnings as a user should read them, without the line of source that they come from."""
    import warnings

    def show(message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None) -> None:
        if issubclass(category, UserWarning):
            typer.echo(f"Warning: {message}", err=True)
        else:
            original(message, category, filename, lineno, file, line)

    original = warnings.showwarning
    warnings.showwarning = show


def first_with(action: Callable[[], None], advance: Any) -> Callable[[int, int], None]:
    """Return a report of progress that calls `action` once, when something is done first, and `advance` always."""
    waiting = [action]

    def report(done: int, total: int) -> None:
        if done and waiting:
            waiting.pop()()
        if advance is not None:
            advance(done, total)

    return report


def show_rows(title: str, rows: list[dict[str, Any]], as_json: bool) -> None:
    """Print rows as a table, or as JSON."""
    if as_json:
        typer.echo(json_module.dumps(rows, indent=2))
        return
    from immunescape.console import print_table

    print_table(title, rows)


SILENCE = 30.0
"""Seconds between lines of progress where standard error is not a terminal."""


class Progress:
    """A progress bar on standard error; a line every half minute where that is not a terminal; nothing with `quiet`."""

    def __init__(self, quiet: bool, what: str = "virtual patients") -> None:
        self._bar: Any = None
        self._task: Any = None
        self._quiet, self._what = quiet, what
        self._printed_at = time.monotonic()

    def __enter__(self) -> Any:
        if self._quiet:
            return None
        if not sys.stderr.isatty():
            return self._tell
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._bar.start()
        self._task = self._bar.add_task(self._what, total=None)
        return self._advance

    def _tell(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._printed_at >= SILENCE and done < total:
            self._printed_at = now
            typer.echo(f"{done} of {total} {self._what}", err=True)

    def _advance(self, done: int, total: int) -> None:
        self._bar.update(self._task, completed=done, total=total)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()


def stop(message: str, hint: str) -> NoReturn:
    """End the command with an error: what is wrong, and the next action."""
    raise ImmunescapeError(message, hint=hint)


def refuse_unread(ctx: typer.Context, when: str, names: Sequence[str]) -> None:
    """Refuse those of the named options that were given, although they would be ignored.

    Raises
    ------
    InputError
        Naming the options and what makes them useless, as in ``without --record``.
    """
    shown = {p.name: p.opts[0] for p in ctx.command.params}
    if given := [shown[name] for name in names if str(ctx.get_parameter_source(name)).endswith("COMMANDLINE")]:
        raise InputError(f"{' and '.join(given)} would have no effect {when}", hint="Leave it out.")
