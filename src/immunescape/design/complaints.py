"""Errors of a design that name the field of its file, including those detected after it was read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from immunescape.errors import ImmunescapeError, InputError

if TYPE_CHECKING:
    from immunescape.design.records import Design

__all__ = ["FieldError", "in_field", "planned"]


class FieldError(InputError):
    """An error whose field is known where it is detected, although the file and the line are not.

    Parameters
    ----------
    message, where, hint
        As of :class:`immunescape.errors.ImmunescapeError`.
    field
        Path of the field in a design file, such as ``("looks", 1)`` (indices from 0); empty where it is not clear.
    """

    def __init__(
        self, message: str, *, where: str | None = None, hint: str | None = None, field: tuple[str | int, ...] = ()
    ) -> None:
        self.field = field
        super().__init__(message, where=where, hint=hint)


def in_field(error: ImmunescapeError, *field: str | int) -> FieldError:
    """The same complaint with its field."""
    return FieldError(error.message, where=error.where, hint=error.hint, field=field)


def planned(design: Design) -> dict[str, Any]:
    """Plan of a design (:meth:`Rule.plan`); errors give the line of the file from which the design was read.

    Raises
    ------
    InputError
        Errors of the rule; the looks are given as location if the rule names no field.
    """
    try:
        return design.rule.plan(design)
    except InputError as error:
        if error.where or not design.text:
            raise
        from immunescape.trial.yaml_source import Source

        field = getattr(error, "field", ()) or ("looks",)
        where = Source(design.file, design.text).where(field)
        raise InputError(error.message, where=where, hint=error.hint) from error
