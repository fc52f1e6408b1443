"""Whether the fields of a record hold what their annotations say: for records that other packages write.

Records of the model are plain frozen dataclasses, which Python fills with anything; a molar mass that is text would be
noticed when a patient is dosed, and a string where a tuple of strings belongs would be read letter by letter.
"""

from __future__ import annotations

import typing
from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any

__all__ = ["wrong_field"]


@lru_cache(maxsize=256)
def _validators(kind: type) -> dict[str, Any]:
    """Field -> pydantic adapter of its annotation; a field whose annotation cannot be resolved here has none."""
    from pydantic import ConfigDict, PydanticSchemaGenerationError, PydanticUserError, TypeAdapter

    try:
        annotations = typing.get_type_hints(kind)
    except NameError:  # a name that is imported for type checkers alone
        return {}
    validators = {}
    for field in fields(kind):
        annotation = annotations[field.name]
        try:
            # the configuration of a dataclass is its own: pydantic refuses another beside it
            config = None if is_dataclass(annotation) else ConfigDict(arbitrary_types_allowed=True)
            validators[field.name] = TypeAdapter(annotation, config=config)
        except (PydanticSchemaGenerationError, PydanticUserError, TypeError):
            continue
    return validators


def wrong_field(record: Any) -> str:
    """Describe the first field of a dataclass, or of a dataclass inside it, of another type than annotated.

    Parameters
    ----------
    record
        An instance of a dataclass; anything else has no fields.

    Returns
    -------
    str
        Field, value and expected type; '' where every field is right.
    """
    if not is_dataclass(record) or isinstance(record, type):
        return ""
    from pydantic import ValidationError

    validators = _validators(type(record))
    for field in fields(record):
        value = getattr(record, field.name)
        if field.name in validators:
            try:
                validators[field.name].validate_python(value, strict=True)
            except ValidationError as error:
                detail = error.errors(include_url=False)[0]
                message = str(detail["msg"]).replace("Input should", "should").replace("Input is", "is")
                return f"the field '{field.name}' of {type(record).__name__} is {value!r:.80}; it {message}"
        for inner in value if isinstance(value, (tuple, list)) else (value,):
            if wrong := wrong_field(inner):
                return wrong
    return ""
