"""The rules that turn measurements into a call for each resistance mechanism: the rule file as frozen records.

A rule is two trees of conditions, one that must hold for ``present`` and one for ``absent``. A condition compares one
measurement with a threshold that has a source and a grade. Nothing is evaluated here (see ``profile/calls``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from immunescape.errors import unknown_word
from immunescape.knowledge.yaml_tables import DATA, Block, load_table

__all__ = ["RULE_FILE", "Condition", "Group", "Node", "Rule", "RuleSet", "conditions", "load_rules", "measurements"]

RULE_FILE = DATA / "mechanism_rules.yaml"

Share = Annotated[float, Field(ge=0, le=1)]
Percent = Annotated[float, Field(ge=0, le=100)]
_TESTS = ("at_least", "above", "at_most", "below", "percentile_at_least", "percentile_at_most", "is")
_SIGNS = {"at_least": "≥", "above": ">", "at_most": "≤", "below": "<"}


class Condition(Block):
    """One measurement against one threshold.

    Exactly one test is given: ``at_least``, ``above``, ``at_most``, ``below`` on the value (or on its ratio to
    ``relative_to``), ``percentile_at_least``/``percentile_at_most`` in the frozen reference, or ``is`` with a word, a
    truth value or a list of words.
    """

    measurement: str = Field(description="Name of the biomarker.")
    relative_to: str | None = Field(default=None, description="Biomarker that the value is divided by.")
    at_least: float | None = Field(default=None, description="Holds where the value is this or more.")
    above: float | None = Field(default=None, description="Holds where the value is more than this.")
    at_most: float | None = Field(default=None, description="Holds where the value is this or less.")
    below: float | None = Field(default=None, description="Holds where the value is less than this.")
    percentile_at_least: Percent | None = Field(default=None, description="Percentile in the reference, at least.")
    percentile_at_most: Percent | None = Field(default=None, description="Percentile in the reference, at most.")
    levels: bool | str | list[str] | None = Field(
        default=None, alias="is", description="Word, truth value or list of words that the value must be."
    )
    unit: str | None = Field(default=None, description="Unit of the threshold; another unit is not compared.")
    whole_interval: bool = Field(default=False, description="The whole interval must lie beyond the threshold.")
    minimum_coverage: Share | None = Field(default=None, description="Coverage below which it counts as missing.")
    source: list[str] = Field(default=[], description="Keys of references.bib; empty where assumed.")
    grade: Literal["measured", "fitted", "assumed"] = Field(description="How the threshold is known.")
    note: str = Field(default="", description="What a reader must know of the threshold.")

    @model_validator(mode="after")
    def _single_test(self) -> Any:
        if len(self.tests) != 1:
            raise PydanticCustomError(
                "one_test", "'{m}' needs exactly one of {tests}", {"m": self.measurement, "tests": ", ".join(_TESTS)}
            )
        if self.grade != "assumed" and not self.source:
            raise PydanticCustomError(
                "no_source",
                "the threshold of '{m}' is graded '{g}' but has no source",
                {"m": self.measurement, "g": self.grade},
            )
        return self

    @property
    def tests(self) -> list[str]:
        """Names of the tests that are given."""
        fields = {t: "levels" if t == "is" else t for t in _TESTS}
        return [t for t, field in fields.items() if getattr(self, field) is not None]

    @property
    def allowed(self) -> tuple[bool | str, ...]:
        """Words or truth values that ``is`` names."""
        if self.levels is None:
            return ()
        return tuple(self.levels) if isinstance(self.levels, list) else (self.levels,)

    @cached_property
    def text(self) -> str:
        """The threshold in the words of the rule file, e.g. ``≥ 10 1/Mb``."""
        if self.levels is not None:
            return "is " + " or ".join(str(w).lower() if isinstance(w, bool) else w for w in self.allowed)
        unit = f" {self.unit}" if self.unit else ""
        over = f" × {self.relative_to}" if self.relative_to else ""
        return f"{self.bound}{unit}{over}"

    @cached_property
    def bound(self) -> str:
        """The number that a value or percentile is compared with, e.g. ``≥ 10``; '' for words and truth values."""
        test = self.tests[0]
        if test == "is":
            return ""
        percentile = "percentile " if test.startswith("percentile") else ""
        return f"{percentile}{_SIGNS[test.removeprefix('percentile_')]} {getattr(self, test):g}"


def _kind(value: Any) -> str:
    given = set(value) if isinstance(value, dict) else set()
    if isinstance(value, Group) or (given & {"all", "any", "not", "at_least_of"} and "measurement" not in given):
        return "group"
    return "condition"


Node = Annotated[Annotated["Group", Tag("group")] | Annotated[Condition, Tag("condition")], Discriminator(_kind)]


class Several(Block):
    """A number of conditions of which some must hold."""

    n: int = Field(ge=1, description="How many must hold.")
    of: list[Node] = Field(min_length=1)


class Group(Block):
    """``all``, ``any``, ``not`` or ``at_least_of`` (n, of) further conditions."""

    all_of: list[Node] | None = Field(default=None, alias="all", min_length=1)
    any_of: list[Node] | None = Field(default=None, alias="any", min_length=1)
    none_of: Node | None = Field(default=None, alias="not")
    at_least_of: Several | None = None

    @model_validator(mode="after")
    def _single_operator(self) -> Any:
        given = [f for f in (self.all_of, self.any_of, self.none_of, self.at_least_of) if f is not None]
        if len(given) != 1:
            raise PydanticCustomError("one_group", "a group is one of all, any, not, at_least_of")
        if self.at_least_of and self.at_least_of.n > len(self.at_least_of.of):
            raise PydanticCustomError("too_many", "at_least_of asks for more conditions than it lists")
        return self

    @property
    def members(self) -> list[Any]:
        """The nodes of this group."""
        if self.none_of is not None:
            return [self.none_of]
        if self.at_least_of is not None:
            return list(self.at_least_of.of)
        return list(self.all_of or self.any_of or [])


class Rule(Block):
    """How one resistance mechanism is called."""

    title: str
    origin: Literal["tumour_intrinsic", "tumour_extrinsic", "host"] = Field(description="Where it acts.")
    summary: str = Field(description="How it causes resistance, in one or two sentences.")
    citation: list[str] = Field(min_length=1, description="Keys of references.bib.")
    context: bool = Field(
        default=False, description="True for a state that bears on others but resists nothing itself."
    )
    minimum_coverage: Share = Field(default=0.0, description="Coverage of a measurement below which it is missing.")
    present: Node | None = None
    absent: Node | None = None
    present_contradicted_by: Node | None = None
    absent_contradicted_by: Node | None = None
    absent_needs: str = Field(default="", description="Which measurements suffice for 'absent', in words.")
    never_assessable: str = Field(default="", description="Why no call can be made, where there is no rule.")

    @model_validator(mode="after")
    def _whole(self) -> Any:
        if self.present is None and not self.never_assessable:
            raise PydanticCustomError("no_rule", "a rule needs 'present', or 'never_assessable' with the reason")
        if self.absent is not None and not self.absent_needs:
            raise PydanticCustomError("no_absent_needs", "'absent' needs 'absent_needs': which measurements suffice")
        return self

    @property
    def trees(self) -> dict[str, Any]:
        """The trees that are given, by name."""
        names = ("present", "absent", "present_contradicted_by", "absent_contradicted_by")
        return {n: getattr(self, n) for n in names if getattr(self, n) is not None}


class RuleSet(Block):
    """The rule file."""

    version: str
    mechanisms: dict[str, Rule] = Field(min_length=1)


def conditions(node: Any) -> Iterator[Condition]:
    """Every condition of a tree, in order."""
    if isinstance(node, Condition):
        yield node
    elif node is not None:
        for member in node.members:
            yield from conditions(member)


def measurements(rule: Rule) -> tuple[str, ...]:
    """Names of the measurements that a rule looks at, each once."""
    names: dict[str, None] = {}
    for tree in rule.trees.values():
        for condition in conditions(tree):
            names[condition.measurement] = None
            if condition.relative_to:
                names[condition.relative_to] = None
    return tuple(names)


@lru_cache(maxsize=8)
def _load(path: Path, _changed: int) -> RuleSet:
    from immunescape.knowledge.references import get_reference, load_references

    rules = load_table(path, RuleSet)
    references = load_references()
    for name, rule in rules.mechanisms.items():
        where = f"{path.name}, mechanisms.{name}"
        keys = [*rule.citation, *(k for t in rule.trees.values() for c in conditions(t) for k in c.source)]
        for key in keys:
            get_reference(key, references, where)
    return rules


def load_rules(path: str | Path | None = None, allowed: Collection[str] | None = None) -> RuleSet:
    """Read a rule file; None reads the one that ships.

    Parameters
    ----------
    path
        YAML file.
    allowed
        Names of the biomarkers; a rule that names another is refused.

    Raises
    ------
    InputError
        Names the file, the rule, the field and the nearest valid word.
    """
    file = RULE_FILE if path is None else Path(path)
    rules = _load(file, file.stat().st_mtime_ns if file.exists() else 0)
    if allowed is not None:
        for name, rule in rules.mechanisms.items():
            for measurement in measurements(rule):
                if measurement not in allowed:
                    raise unknown_word("measurement", measurement, allowed, where=f"{file.name}, mechanisms.{name}")
    return rules
