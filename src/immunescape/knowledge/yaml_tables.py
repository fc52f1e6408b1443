"""Curated YAML tables: one way to read them, with errors that name file, entry, field and the nearest valid word."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from immunescape.errors import InputError, nearest

__all__ = ["DATA", "Block", "load_table", "read_yaml"]

DATA = Path(__file__).parent / "data"
_MAX_BYTES = 2_000_000

T = TypeVar("T", bound=BaseModel)


class Block(BaseModel):
    """A block of a YAML table: frozen, and refusing fields that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_fields(cls, data: Any) -> Any:
        if isinstance(data, BaseModel):
            return data
        fields = [f.alias or name for name, f in cls.model_fields.items()]
        if not isinstance(data, dict):
            raise PydanticCustomError(
                "not_a_block", "a block with the fields {known} is expected", {"known": ", ".join(fields)}
            )
        for key in data:
            if key not in fields and key not in cls.model_fields:
                close = nearest(str(key), fields)
                hint = f"did you mean '{close[0]}'?" if close else f"known: {', '.join(fields)}"
                raise PydanticCustomError("unknown_field", "unknown field '{key}'; {hint}", {"key": key, "hint": hint})
        return data


def _walk(node: Any, seen: set[int]) -> None:
    """Refuse anchors (a node met twice) and keys that are given twice."""
    import yaml

    if id(node) in seen:
        raise yaml.composer.ComposerError(None, None, "anchors are not used here", node.start_mark)
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key is a plain word", key.start_mark)
            if key.value in keys:
                raise yaml.constructor.ConstructorError(None, None, f"'{key.value}' is given twice", key.start_mark)
            keys.add(str(key.value))
            _walk(value, seen)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _walk(value, seen)


def read_yaml(path: Path) -> Any:
    """Read a YAML file as plain data.

    Raises
    ------
    InputError
        For a file that is not YAML, uses anchors or gives a key twice; names file and line.
    """
    import yaml

    kind = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where it is there: ten times as fast
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError("the file is too large for a table", where=str(path))
        loader = kind(path.read_text(encoding="utf-8"))
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _walk(node, set())
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise InputError(f"not valid YAML: {error.problem or error.context}", where=f"{path}{line}") from error
    except (yaml.YAMLError, OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise InputError(f"cannot be read: {error}", where=str(path), hint="Name a readable YAML file.") from error


def load_table(path: Path, model: type[T]) -> T:
    """Read one YAML file into a pydantic model.

    Raises
    ------
    InputError
        Where the file cannot be read or an entry is not valid: names file, entry, field and what to write instead.
    """
    data = read_yaml(path)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        steps = [str(s) for s in first["loc"] if not (isinstance(s, str) and s.startswith(("function-", "tagged-")))]
        field = ".".join(steps)
        more = error.error_count() - 1
        raise InputError(
            first["msg"] + (f" (and {more} more)" if more else ""),
            where=f"{path.name}, {field}" if field else path.name,
            hint="Correct the entry; docs/profile.md describes the file.",
        ) from None
