"""Strategies against resistance mechanisms with their trials, and guideline groups: curated tables as records."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from immunescape.errors import unknown_word
from immunescape.knowledge.evidence_table import REGIMEN_CLASSES
from immunescape.knowledge.mechanism_rules import Group, Node, conditions, load_rules
from immunescape.knowledge.yaml_tables import DATA, Block, load_table

__all__ = ["Strata", "Strategies", "Strategy", "Stratum", "TrialEvidence", "load_strata", "load_strategies"]

Tier = Literal["A", "B", "C", "D", "N"]


class TrialEvidence(Block):
    """One trial of a strategy; negative ones stand beside positive ones."""

    name: str
    registry: str = Field(default="", pattern=r"^(NCT\d{8})?$", description="Number at ClinicalTrials.gov.")
    phase: str
    population: str
    result: Literal["positive", "negative", "mixed", "single_arm"] = Field(description="By its primary endpoint.")
    finding: str
    citation: list[str] = Field(default=[])

    @model_validator(mode="after")
    def _has_a_source(self) -> Any:
        if not (self.citation or self.registry):
            raise PydanticCustomError(
                "no_source", "trial '{name}' has neither citation nor registry", {"name": self.name}
            )
        return self


class Strategy(Block):
    """One strategy, the mechanisms that it is directed against, and how strong its evidence is."""

    title: str
    mechanisms: list[str] = Field(min_length=1)
    pointless_with: list[str] = Field(default=[], description="Mechanisms that take away what it needs.")
    kinds: list[str] = Field(min_length=1, description="Classes of regimen, as the table of evidence names them.")
    needs: dict[str, bool | str] = Field(default={}, description="Biomarkers that must have this value.")
    tier: Tier
    rationale: str
    trials: list[TrialEvidence] = Field(min_length=1)


class Strategies(Block):
    """The strategies file."""

    version: str
    tiers: dict[Tier, str]
    strategies: dict[str, Strategy]


Group.model_rebuild()


class Stratum(Block):
    """One guideline group."""

    name: str
    title: str
    when: Node
    options: list[str]
    citation: list[str]


class Strata(Block):
    """The guideline groups, in the order in which they are tried."""

    version: str
    strata: list[Stratum]
    not_assessable: str
    driver_tests: list[str] = Field(description="Tests that must have been done before 'no driver' is said.")
    further_driver_tests: list[str] = Field(description="Tests of the other drivers, named where they were not done.")


@lru_cache(maxsize=1)
def load_strategies() -> Strategies:
    """Read the strategies that ship; every mechanism and citation key is checked."""
    from immunescape.knowledge.references import get_reference, load_references

    file = DATA / "strategies.yaml"
    table, mechanisms, references = load_table(file, Strategies), load_rules().mechanisms, load_references()
    for name, strategy in table.strategies.items():
        where = f"{file.name}, strategies.{name}"
        for mechanism in [*strategy.mechanisms, *strategy.pointless_with]:
            if mechanism not in mechanisms:
                raise unknown_word("mechanism", mechanism, mechanisms, where=where)
        for kind in strategy.kinds:
            for regimen_class in kind.split(" and "):
                if regimen_class not in REGIMEN_CLASSES:
                    raise unknown_word("class of regimen", regimen_class, REGIMEN_CLASSES, where=where)
        for trial in strategy.trials:
            for key in trial.citation:
                get_reference(key, references, where)
    return table


@lru_cache(maxsize=1)
def load_strata() -> Strata:
    """Read the guideline groups that ship; every citation key is checked."""
    from immunescape.knowledge.references import get_reference, load_references

    file = DATA / "strata.yaml"
    table, references = load_table(file, Strata), load_references()
    for stratum in table.strata:
        for key in [*stratum.citation, *(k for c in conditions(stratum.when) for k in c.source)]:
            get_reference(key, references, f"{file.name}, {stratum.name}")
    return table
