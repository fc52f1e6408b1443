"""Trial files as YAML: the line of every field, and validation against the schema.

Every problem is reported with file, line and field, and the nearest valid word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from immunescape.errors import InputError, unknown_word

__all__ = ["Location", "Source", "check_yaml", "join", "validation_problem"]

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
        try:
            loader = yaml.SafeLoader(text)
        except yaml.reader.ReaderError as error:
            row = text.count("\n", 0, max(0, error.position)) + 1
            raise InputError(
                f"the character U+{int(error.character):04X} is not allowed in YAML",
                where=f"{file}, line {row}",
                hint="Save the file as plain text in UTF-8.",
            ) from None
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
                hint="Check the indentation, and quote texts that contain ': ' or start with a special sign.",
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

    def nearest(self, path: Location) -> Location:
        """The longest part of a path that exists in the file (validators add steps of their own)."""
        kept: list[str | int] = []
        for step in path:
            if (*kept, step) in self.lines:
                kept.append(step)
        return tuple(kept)

    def where(self, path: Location) -> str:
        """File, line and field of a path, for messages."""
        kept = self.nearest(path)
        field = "".join(f"[{step + 1}]" if isinstance(step, int) else f".{step}" for step in kept).lstrip(".")
        return f"{self.file}, line {self.lines.get(kept, 1)}" + (f", {field}" if field else "")


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
        problems = [
            validation_problem(source, detail) for detail in details if not _of_another_form(source, detail, details)
        ]
    raise join(problems, file)


def _of_another_form(source: Source, detail: Mapping[str, Any], details: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a field may be written in two forms (a word or a block) and the error is that of the form not written."""
    path = tuple(detail["loc"])
    place = path[:-1]
    if not place or source.nearest(path) != source.nearest(place):
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


def validation_problem(source: Source, detail: Mapping[str, Any]) -> InputError:
    """Say what is wrong with a field, from one entry of ``pydantic.ValidationError.errors()``, with its line."""
    path: Location = tuple(detail["loc"])
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "unknown_field":
        where = source.where((*source.nearest(path), context["key"]))
        return unknown_word("field", context["key"], context["known"], where=where)  # type: ignore[return-value]
    where = source.where(path)
    given = detail.get("input")
    if kind == "missing":
        return InputError(f"field '{path[-1]}' is missing", where=where)
    if kind == "literal_error":
        words = re.findall(r"'([^']*)'", context["expected"])
        return unknown_word("word", str(given), words, where=where)  # type: ignore[return-value]
    if kind == "string_type" and not isinstance(given, (dict, list)):
        return InputError(f"text is expected, not {given!r}", where=where, hint="Put it into quotes.")
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
