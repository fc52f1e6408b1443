"""Shared by commands that compute: progress, reports, handling of Ctrl-C and SIGTERM."""

from __future__ import annotations

import json as json_module
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from immunescape.errors import ImmunescapeError, InputError

if TYPE_CHECKING:
    from immunescape.model.from_sbml import SbmlMechanism

__all__ = [
    "Progress",
    "first_with",
    "interruptible",
    "mechanisms_of",
    "named",
    "plain_warnings",
    "refuse_unread",
    "show_result",
    "show_rows",
    "stop",
    "write_reports",
]


def mechanisms_of(files: Sequence[Path] | None) -> tuple[SbmlMechanism, ...]:
    """Read the mechanisms of SBML files, and report on standard error how they are coupled."""
    if not files:
        return ()
    from immunescape.api import mechanism_from_sbml

    read = tuple(mechanism_from_sbml(file) for file in files)
    for mechanism in read:
        for note in mechanism.notes:
            typer.echo(f"{mechanism.name}: {note}", err=True)
    return read


def named(text: str | None, option: str) -> list[str]:
    """Names of a comma-separated option; [] where it is not given.

    Raises
    ------
    InputError
        If it is given and names nothing, as an unset variable of the shell does: not everything is meant then.
    """
    if text is None:
        return []
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise InputError(f"{option} names nothing", hint="Name something, or leave the option out to take all.")
    return names


@contextmanager
def interruptible(folder: Path | None = None, what: str = "patients") -> Iterator[None]:
    """Exit with code 130 on Ctrl-C and 143 on SIGTERM, and report where finished results are stored."""
    try:
        yield
    except KeyboardInterrupt:
        from immunescape.parallel import exit_code

        code = exit_code()
        kept = (
            ""
            if folder is None or not folder.is_dir()
            else f" Finished {what} are kept in {folder}; the same command resumes."
        )
        typer.echo(f"{'Terminated' if code == 143 else 'Interrupted'}.{kept}", err=True)
        raise typer.Exit(code) from None


def plain_warnings() -> None:
    """Print warnings in readable form, without the source line that raised them."""
    import warnings

    def show(message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None) -> None:
        if issubclass(category, UserWarning):
            typer.echo(f"Warning: {message}", err=True)
        else:
            original(message, category, filename, lineno, file, line)

    original = warnings.showwarning
    warnings.showwarning = show


def first_with(action: Callable[[], None], advance: Any) -> Callable[[int, int], None]:
    """Return a progress callback that calls `action` once, at the first completed item, and `advance` each time."""
    waiting = [action]

    def report(done: int, total: int) -> None:
        if done and waiting:
            waiting.pop()()
        if advance is not None:
            advance(done, total)

    return report


def show_result(result: Any, show: Callable[[Any], None], as_json: bool, page: Path | None = None) -> None:
    """Print a result by `show` and where its page lies, or as JSON."""
    if as_json:
        typer.echo(json_module.dumps(result.to_json(), indent=2, allow_nan=False))
        return
    show(result)
    if page is not None:
        typer.echo(f"Written: {page}")


def show_rows(title: str, rows: list[dict[str, Any]], as_json: bool) -> None:
    """Print rows as a table, or as JSON."""
    if as_json:
        typer.echo(json_module.dumps(rows, indent=2))
        return
    from immunescape.console import print_table

    print_table(title, rows)


def write_reports(folder: Path, contents: Mapping[str, str]) -> None:
    """Write files of a report into the folder that ``--out`` names, each as a whole."""
    from immunescape.files import whole_file

    for name, content in contents.items():
        with whole_file(folder / name, "cannot write the report", hint="Choose another folder with --out.") as stream:
            stream.write(content.encode())


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
