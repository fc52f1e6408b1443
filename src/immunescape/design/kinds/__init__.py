"""Kinds of designs: each module defines its own fields of a design file, and builds the rule from them.

A module of this package, or an entry point of another package in the group ``immunescape.designs``, names a
:class:`DesignKind`. An included kind adds fields to the design file; one of a plug-in has its fields under
``options:``. Everything else (arms, endpoints, accrual, dropout, looks, scenarios) is shared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from immunescape.design.records import Rule
from immunescape.errors import InputError, unknown_word
from immunescape.registry import Registry

if TYPE_CHECKING:
    from pydantic import BaseModel

    from immunescape.design.cohort import Milestone
    from immunescape.design.truth import Endpoint

__all__ = [
    "KINDS",
    "DesignKind",
    "Located",
    "Made",
    "Refuse",
    "make_rule",
    "plugin_kinds",
    "refuse_duplicates",
    "refuse_no_alpha",
    "refuse_repeated_strata",
]

SHARED = ("looks", "boundaries", "stop_when", "endpoint", "test", "hypotheses")
"""Fields of a design file that a kind may read in addition to those of every design."""
SHARED_BY_FEW = ("looks.strata", *(f"arms.{n}" for n in ("opens", "closes", "strata", "patients", "looks", "futility")))
"""Fields of looks and arms that not every kind reads."""

Made = tuple[Rule, "tuple[Milestone, ...]", int]
"""Rule, looks, patients."""
Located = tuple[tuple[str | int, ...], Any]
"""Place of a block in the file, and the block."""


class Refuse(Protocol):
    """Raises an error at a field of the file."""

    def __call__(self, message: str, *path: str | int, hint: str | None = None) -> None:
        """Raise it."""


@dataclass(frozen=True)
class DesignKind:
    """One kind of design.

    Attributes
    ----------
    rule : how it decides; its `kind` is the value of ``kind:``.
    options : of a plug-in: pydantic model of the fields under ``options:``, which should forbid fields that it does not
        have; None for a kind that ships.
    make : (options or own block, design file, endpoints) -> (rule, looks, patients). The file's `building` makes
        records and names the line of what is wrong.
    reads : fields among `SHARED` and `SHARED_BY_FEW` that it reads; a file that gives others is refused.
    one_arm : whether it has no control arm.
    fields : of a kind that ships: its own fields of the file, name -> (type, pydantic field).
    needs : field that a file of this kind must give.
    block : field that holds its own block; '' for `needs`.
    blame : field that a complaint about the whole design is shown at; '' for `needs`.
    elsewhere : what is said, and the next action, where `needs` stands in a design of another `{kind}`; '' for the
        general words.
    check : refuses fields that contradict each other.
    tests : tests in its own fields, with their places.
    """

    rule: type[Rule]
    options: type[BaseModel] | None
    make: Callable[[Any, Any, tuple[Endpoint, ...]], Made]
    _: KW_ONLY
    reads: tuple[str, ...] = ()
    one_arm: bool = False
    fields: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    needs: str = ""
    block: str = ""
    blame: str = ""
    elsewhere: tuple[str, str] = ("", "")
    check: Callable[[Any, Refuse], None] | None = None
    tests: Callable[[Any], list[Located]] = lambda _: []

    @property
    def name(self) -> str:
        """The value of ``kind:``."""
        return self.rule.kind

    @property
    def shown_at(self) -> str:
        """Field that a complaint about the whole design is shown at."""
        return self.blame or self.needs or "options"


def _check(kind: DesignKind, where: str) -> None:
    if not (isinstance(kind.rule, type) and issubclass(kind.rule, Rule) and kind.name):
        raise InputError("the rule of a kind of design is a class derived from Rule, with a kind", where=where)
    for name in kind.reads:
        if name not in (*SHARED, *SHARED_BY_FEW):
            raise unknown_word("shared field of a design", name, SHARED, where=where)


KINDS = Registry(
    "kind of design",
    DesignKind,
    modules="immunescape.design.kinds",
    constants=("KIND",),
    group="immunescape.designs",
    check=_check,
    identity=lambda k: (k.rule.__module__, k.rule.__qualname__),
    tags=lambda k: {"one_arm": k.one_arm, "reads": k.reads, "fields": tuple(k.fields)},
    error=InputError,
)
"""Every kind of design, by its value of ``kind:``."""


def plugin_kinds() -> Mapping[str, DesignKind]:
    """Return the kinds of installed plug-ins by name.

    Raises
    ------
    InputError
        For an object that is not a kind, a name that is taken, or a field that kinds cannot read.
    """
    return {name: kind for name, kind in KINDS.all().items() if kind.options is not None}


def make_rule(source: Any, file: Any, endpoints: tuple[Endpoint, ...]) -> Made:
    """Make the rule of a design file.

    Raises
    ------
    InputError
        Naming file, line and field of what is wrong.
    """
    kind = KINDS.get(file.kind)
    if kind.options is None:
        block_name = kind.block or kind.needs
        return kind.make(getattr(file, block_name) if block_name else None, file, endpoints)
    options = _options(kind, kind.options, source, file)
    return file.building.at(lambda: kind.make(options, file, endpoints), "options")  # type: ignore[no-any-return]


def _options(kind: DesignKind, model: type[BaseModel], source: Any, file: Any) -> BaseModel:
    """Read the fields under ``options:``."""
    from pydantic import ValidationError

    from immunescape.trial.yaml_source import join

    try:
        return model.model_validate(file.options)
    except ValidationError as error:
        problems = []
        for detail in error.errors(include_url=False):
            where = source.where(("options", *detail["loc"]))
            if detail["type"] == "extra_forbidden":
                field = str(detail["loc"][-1])
                problem = unknown_word(f"option of '{kind.name}'", field, model.model_fields, where=where)
            else:
                problem = InputError(f"{'.'.join(map(str, detail['loc']))}: {detail['msg'].lower()}", where=where)
            problems.append(problem)
        raise join(problems, source.file) from None  # type: ignore[arg-type]


def refuse_no_alpha(file: Any, refuse: Refuse) -> None:
    """Refuse a file without alpha."""
    if file.alpha is None:
        refuse(f"a '{file.kind}' design needs alpha", "alpha", hint="For example alpha: 0.05.")


def refuse_repeated_strata(refuse: Refuse, strata: list[str], *path: str | int) -> None:
    """Reject a stratum that is named twice in one list: its patients would be counted twice."""
    for name, count in Counter(strata).items():
        if count > 1:
            refuse(f"the stratum '{name}' is named twice", *path, hint="Name each stratum once.")


def refuse_duplicates(refuse: Refuse, names: list[str], what: str, *path: str) -> None:
    """Reject two names that are identical, or differ only in case or spaces."""
    plain = [name.strip().casefold() for name in names]
    for k, name in enumerate(names):
        if plain[k] in plain[:k]:
            refuse(
                f"{what} '{name.strip()}' is given twice (names that differ only in case or spaces count as the same)"
                if name not in names[:k]
                else f"{what} '{name}' is given twice",
                *path,
                name if path == ("endpoints",) else k,
                hint="Give each a unique name.",
            )
