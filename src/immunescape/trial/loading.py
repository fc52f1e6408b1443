"""Reading trial files: YAML with line numbers, validation, and the frozen records made from it.

Every problem is reported with file, line and field, and the nearest valid word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from immunescape.errors import InputError, unknown_word

__all__ = ["Source", "check_yaml", "read_trial", "resolve", "template"]

Location = tuple[str | int, ...]
_MAX_NODES, _MAX_DEPTH = 50_000, 40
_ODD_NUMBER = re.compile(r"[-+]?(0[0-9_]+|[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?)")


class Source:
    """A YAML text with the line of every field.

    Attributes
    ----------
    file : its name in messages. text : its content. data : plain Python values.
    """

    def __init__(self, file: str, text: str, *, template: str = "immunescape trial --template") -> None:
        import yaml

        self.file = file
        self.text = text
        self.lines: dict[Location, int] = {}
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                raise InputError("the file is empty", where=file, hint=f"Start from '{template}'.")
            self._walk(node, (), [0])
            self.data: Any = loader.construct_document(node)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = f", line {mark.line + 1}" if mark else ""
            raise InputError(
                f"not valid YAML: {error.problem or error.context}",
                where=f"{file}{line}",
                hint="Check the indentation, and quote texts that hold ': ' or start with a special sign.",
            ) from error
        except RecursionError:
            raise InputError("the file is too large or too deeply nested", where=file) from None
        except (yaml.YAMLError, ValueError) as error:
            raise InputError(f"not valid YAML: {error}", where=file) from error
        finally:
            loader.dispose()

    def _walk(self, node: Any, path: Location, count: list[int]) -> None:
        import yaml

        count[0] += 1
        if count[0] > _MAX_NODES or len(path) > _MAX_DEPTH:
            raise InputError("the file is too large or too deeply nested", where=self.file)
        self.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.ScalarNode) and node.style is None and _ODD_NUMBER.fullmatch(node.value):
            # YAML 1.1 takes 0400 for 256 (base 8) and 2:30 for 150 (base 60)
            raise InputError(
                f"'{node.value}' is not a plain number",
                where=f"{self.file}, line {node.start_mark.line + 1}",
                hint="Write numbers without leading zeros and colons; put a text into quotes.",
            )
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                name = str(key.value)
                if name in seen and name != "<<":
                    raise InputError(
                        f"field '{name}' is given twice", where=f"{self.file}, line {key.start_mark.line + 1}"
                    )
                seen.add(name)
                self.lines[(*path, name)] = key.start_mark.line + 1
                self._walk(value, (*path, name), count)
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                self._walk(value, (*path, index), count)

    def known(self, path: Location) -> Location:
        """The longest part of a path that exists in the file (validators add steps of their own)."""
        kept: list[str | int] = []
        for step in path:
            if (*kept, step) in self.lines:
                kept.append(step)
        return tuple(kept)

    def where(self, path: Location) -> str:
        """File, line and field of a path, for messages."""
        kept = self.known(path)
        field = "".join(f"[{step + 1}]" if isinstance(step, int) else f".{step}" for step in kept).lstrip(".")
        return f"{self.file}, line {self.lines.get(kept, 1)}" + (f", {field}" if field else "")


def resolve(name_or_path: str | Path) -> tuple[str, str]:
    """File name and content of a trial of the package or a plug-in (by name) or of a user's file (by path).

    Raises
    ------
    InputError
        If there is neither, with the nearest name.
    """
    from importlib.resources import files

    from immunescape import plugins
    from immunescape.trial.spec import list_trials, shipped_trials

    name = str(name_or_path)
    path = Path(name_or_path)
    shipped = {trial.casefold(): trial for trial in shipped_trials()}
    extra = {trial.casefold(): file for trial, file in plugins.library("trials", shipped).items()}
    path = extra.get(name.casefold(), path)
    if name.casefold() in shipped:
        entry = files("immunescape.trial") / "library" / f"{shipped[name.casefold()]}.yaml"
        return entry.name, entry.read_text(encoding="utf-8")
    if path.is_file():
        try:
            return str(path), path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise InputError(
                "cannot be read: this is not UTF-8 text", where=str(path), hint="Save it as plain text in UTF-8."
            ) from error
        except OSError as error:
            raise InputError(f"cannot be read: {error}", where=str(path)) from error
    if path.exists() and (path.suffix or len(path.parts) > 1):
        kind = "a folder" if path.is_dir() else "no ordinary file"
        raise InputError(f"this is {kind}, not a YAML file", where=name, hint="Name the file itself.")
    if path.suffix in (".yaml", ".yml") or len(path.parts) > 1:
        raise InputError("no such file", where=name, hint="Start one with 'immunescape trial --template'.")
    raise unknown_word("trial", name, list_trials())


def template() -> str:
    """A commented trial file to start from; it loads as it stands."""
    from importlib.resources import files

    return (files("immunescape.trial") / "library" / "template.yaml.txt").read_text(encoding="utf-8")


def check_yaml(file: str, text: str) -> tuple[Source, Any]:
    """Parse and validate against the schema; return the source and the validated :class:`TrialFile`.

    Raises
    ------
    InputError
        Naming every problem.
    """
    from pydantic import ValidationError

    from immunescape.trial.schema import TrialFile

    source = Source(file, text)
    try:
        return source, TrialFile.model_validate(source.data)
    except ValidationError as error:
        details = error.errors(include_url=False)
        problems = [_problem(source, detail) for detail in details if not _of_another_form(source, detail, details)]
    raise join(problems, file)


def _of_another_form(source: Source, detail: Mapping[str, Any], details: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a field may be written in two forms (a word or a block) and the error is that of the form not written."""
    path = tuple(detail["loc"])
    place = path[:-1]
    if not place or source.known(path) != source.known(place):
        return False  # the last element is a field, not the name of a form
    others = [o for o in details if o is not detail and tuple(o["loc"])[: len(place)] == place]
    scalar = detail["type"] in ("literal_error", "string_type", "float_type", "int_type", "int_parsing")
    return bool(others) and scalar == isinstance(detail.get("input"), (dict, list))


def join(problems: list[InputError], file: str) -> InputError:
    """One error for several problems."""
    unique = list({str(problem): problem for problem in problems}.values())
    if len(unique) == 1:
        return unique[0]
    return InputError(
        f"{len(unique)} problems",
        where=file,
        hint="\n  ".join(str(problem).replace("\n  ", "\n    ") for problem in unique),
    )


def _problem(source: Source, detail: Mapping[str, Any]) -> InputError:
    path: Location = tuple(detail["loc"])
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "unknown_field":
        where = source.where((*source.known(path), context["key"]))
        return unknown_word("field", context["key"], context["known"], where=where)  # type: ignore[return-value]
    where = source.where(path)
    given = detail.get("input")
    if kind == "missing":
        return InputError(f"field '{path[-1]}' is missing", where=where)
    if kind == "literal_error":
        words = re.findall(r"'([^']*)'", context["expected"])
        return unknown_word("word", str(given), words, where=where)  # type: ignore[return-value]
    if kind == "string_type" and not isinstance(given, (dict, list)):
        return InputError(f"a text is expected, not {given!r}", where=where, hint="Put it into quotes.")
    if kind == "string_pattern_mismatch":
        return InputError(
            f"'{given}' is not a valid name", where=where, hint="Use lower case, digits and hyphens only."
        )
    message = str(detail["msg"]).removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    shown = f" (given: {given!r})" if isinstance(given, (str, int, float, bool)) else ""
    hint = None
    if kind == "less_than_equal" and context["le"] == 1 and isinstance(given, (int, float)) and given <= 100:
        hint = f"A share is written as a number from 0 to 1: {given / 100:g} for {given:g} %."
    return InputError(f"{message}{shown}", where=where, hint=hint)


def read_trial(file: str, text: str, *, drugs: Mapping[str, Any] | Iterable[str] | None = None) -> Any:
    """Read a trial from YAML text; see :func:`immunescape.trial.spec.load_trial`."""
    from immunescape.trial.building import Builder

    source, block = check_yaml(file, text)
    return Builder(source, drugs).trial(block)
