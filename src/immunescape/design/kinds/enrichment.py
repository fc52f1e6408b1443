"""Enrichment designs: the population is chosen at an interim look."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import Field

from immunescape.design.blocks import Block, Months, Name, TestBlock
from immunescape.design.cohort import Milestone
from immunescape.design.enrichment import Enrichment, TestedPopulation
from immunescape.design.kinds import DesignKind, Located, Refuse, refuse_duplicates, refuse_repeated_strata
from immunescape.design.truth import Endpoint

__all__ = ["KIND"]


class PopulationBlock(Block):
    """A population that may be tested."""

    name: Name = Field(description="Name.")
    strata: list[str] = Field(min_length=1, description="Strata that it includes.")


class EnrichmentBlock(Block):
    """How an enrichment design selects and tests populations."""

    populations: list[PopulationBlock] = Field(min_length=1, description="The full population first, then subgroups.")
    choose: Literal["best", "threshold", "conditional-power"] = Field(
        default="best", description="Rule at the interim."
    )
    bound: float = Field(default=0.0, description="Bound of the rule.")
    stop_below: float | None = Field(default=None, description="Futility: stop where no population's Z reaches this.")
    intersections: Literal["simes", "bonferroni", "sidak"] = Field(default="simes", description="Intersection test.")
    combination: str = Field(default="inverse-normal", description="How the stages are combined.")
    decide_on: str | None = Field(default=None, description="Earlier endpoint that decides.")
    decide_test: TestBlock = Field(default=TestBlock(name="rates"), description="Its test.")
    first_follow_up: Months = Field(default=0.0, description="Months for which first-stage patients are followed.")


def _make(
    block: EnrichmentBlock, file: Any, endpoints: tuple[Endpoint, ...]
) -> tuple[Enrichment, tuple[Milestone, ...], int]:
    building = file.building
    spending, endpoint = building.spending(), building.tested_endpoint()
    rule = Enrichment(
        endpoint,
        tuple(TestedPopulation(p.name, tuple(p.strata)) for p in block.populations),
        test=building.statistic(file.test, "test"),
        spending=spending,
        intersections=block.intersections,
        choose=block.choose,
        bound=block.bound,
        stop_below=-np.inf if block.stop_below is None else block.stop_below,
        combination=block.combination,
        decide_on=block.decide_on,
        decide_test=building.statistic(block.decide_test, "enrichment", "decide_test"),
        first_follow_up=block.first_follow_up,
    )
    return rule, building.looks(), file.patients


def _check(file: Any, refuse: Refuse) -> None:
    """Reject identical populations, fields that the choice ignores, and an invalid bound."""
    block = file.enrichment
    if block is None:
        return
    path = ("enrichment", "populations")
    refuse_duplicates(refuse, [p.name for p in block.populations], "population", *path)
    for k, population in enumerate(block.populations):
        refuse_repeated_strata(refuse, population.strata, *path, k, "strata")
        if any(set(population.strata) == set(p.strata) for p in block.populations[:k]):
            refuse(
                f"population '{population.name}' has the same strata as another population",
                *path,
                k,
                hint="Remove one of the two.",
            )
    if block.choose == "best" and "bound" in block.model_fields_set:
        refuse("'bound' applies only to threshold and conditional-power: it would be ignored", "enrichment", "bound")
    if block.choose == "conditional-power" and not 0 < block.bound < 1:
        refuse(
            f"a bound on conditional power lies between 0 and 1, not {block.bound:g}",
            "enrichment",
            "bound",
            hint="For example 0.3.",
        )
    if block.decide_on is None and "first_follow_up" in block.model_fields_set:
        refuse("'first_follow_up' applies only with 'decide_on': it would be ignored", "enrichment", "first_follow_up")
    if block.decide_on is not None and block.decide_on == file.endpoint:
        refuse("'decide_on' names the endpoint that is tested", "enrichment", "decide_on", hint="Leave it out.")
    if block.decide_on is None and "decide_test" in block.model_fields_set:
        refuse("'decide_test' applies only if 'decide_on' names an endpoint", "enrichment", "decide_test")


def _tests(file: Any) -> list[Located]:
    return [] if file.enrichment is None else [(("enrichment", "decide_test"), file.enrichment.decide_test)]


KIND = DesignKind(
    Enrichment,
    None,
    _make,
    reads=("looks", "boundaries", "endpoint", "test"),
    fields={
        "enrichment": (EnrichmentBlock | None, Field(default=None, description="enrichment: choice of the population."))
    },
    needs="enrichment",
    elsewhere=(
        "a '{kind}' test cannot choose its population from its own data: that is enrichment, and without combination "
        "tests and closed testing its type I error is not controlled",
        "Use kind: enrichment, or test one population.",
    ),
    check=_check,
    tests=_tests,
)
