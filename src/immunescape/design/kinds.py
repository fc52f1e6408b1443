"""Kinds of designs that other packages bring: a rule, the fields of its own, and how one is made of the others.

An entry point in the group ``immunescape.designs`` names a :class:`DesignKind`. A design file then says its word under
``kind:`` and gives the fields of its own under ``options:``; everything else (arms, endpoints, accrual, dropout, looks,
scenarios) is shared with the kinds that ship.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from immunescape import plugins
from immunescape.errors import InputError, unknown_word

if TYPE_CHECKING:
    from pydantic import BaseModel

    from immunescape.design.cohort import Milestone
    from immunescape.design.records import Rule
    from immunescape.design.truth import Endpoint

__all__ = ["DesignKind", "made_rule", "plugin_kinds"]

SHARED = ("looks", "boundaries", "stop_when", "endpoint", "test", "hypotheses")
"""Fields of a design file that a kind may read besides those that every design has."""


@dataclass(frozen=True)
class DesignKind:
    """One kind of design.

    Attributes
    ----------
    rule : how it decides; its `kind` is the word for ``kind:``.
    options : pydantic model of the fields under ``options:``; it should forbid fields that it does not have.
    make : (options, design file, endpoints) -> (rule, looks, patients).
    reads : fields among `SHARED` that it reads; a file that gives others is refused.
    one_arm : whether it has no control arm.
    """

    rule: type[Rule]
    options: type[BaseModel]
    make: Callable[[Any, Any, tuple[Endpoint, ...]], tuple[Rule, tuple[Milestone, ...], int]]
    reads: tuple[str, ...] = ()
    one_arm: bool = False

    @property
    def name(self) -> str:
        """The word for ``kind:``."""
        return self.rule.kind


@plugins.cached()
def plugin_kinds() -> Mapping[str, DesignKind]:
    """Return the kinds of installed plug-ins by name.

    Raises
    ------
    InputError
        For an object that is not a kind, a name that is taken, or a field that kinds cannot read.
    """
    from immunescape.design.records import Rule
    from immunescape.design.schema import KINDS

    taken = dict.fromkeys(KINDS, "immunescape")
    found: dict[str, DesignKind] = {}
    for extra in plugins.contributions("immunescape.designs"):
        kind = extra.value
        if not isinstance(kind, DesignKind):
            raise InputError(f"this is {type(kind).__name__}, not DesignKind", where=extra.where)
        if not (isinstance(kind.rule, type) and issubclass(kind.rule, Rule) and kind.name):
            raise InputError(
                "the rule of a kind of design is a class derived from Rule, with a kind", where=extra.where
            )
        if kind.name in taken:
            raise InputError(
                f"the kind of design '{kind.name}' is taken by {taken[kind.name]}",
                where=extra.where,
                hint="Give its rule another kind.",
            )
        for field in kind.reads:
            if field not in SHARED:
                raise unknown_word("shared field of a design", field, SHARED, where=extra.where)
        taken[kind.name], found[kind.name] = extra.where, kind
    return found


def made_rule(
    kind: DesignKind, source: Any, block: Any, endpoints: tuple[Endpoint, ...]
) -> tuple[Rule, tuple[Milestone, ...], int]:
    """Make the rule of a plug-in's kind from a design file.

    Raises
    ------
    InputError
        Naming file, line and field of what is wrong in ``options:``.
    """
    from pydantic import ValidationError

    from immunescape.trial.loading import join

    try:
        options = kind.options.model_validate(block.options)
    except ValidationError as error:
        problems = []
        for detail in error.errors(include_url=False):
            where = source.where(("options", *detail["loc"]))
            if detail["type"] == "extra_forbidden":
                word = str(detail["loc"][-1])
                problem = unknown_word(f"option of '{kind.name}'", word, kind.options.model_fields, where=where)
            else:
                problem = InputError(f"{'.'.join(map(str, detail['loc']))}: {detail['msg'].lower()}", where=where)
            problems.append(problem)
        raise join(problems, source.file) from None  # type: ignore[arg-type]
    return kind.make(options, block, endpoints)
