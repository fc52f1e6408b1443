"""Tools with which the kinds of designs build their rules: records of a design file, errors with the field's line."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import numpy as np

from immunescape.design.cohort import Milestone
from immunescape.design.hypotheses import Spending
from immunescape.design.statistics import Statistic
from immunescape.errors import InputError, unknown_word

__all__ = ["Building"]

T = TypeVar("T")


class Building:
    """Makes records of one design file; every error names the file and the line of the field.

    Parameters
    ----------
    source
        The YAML text with its lines.
    block
        The design file.
    """

    def __init__(self, source: Any, block: Any) -> None:
        self.source, self.block = source, block

    def at(self, make: Callable[[], T], *path: str | int) -> T:
        """Call `make`, adding the location to any error."""
        try:
            return make()
        except InputError as error:
            if error.where:
                raise
            field = getattr(error, "field", ()) or path
            raise InputError(error.message, where=self.source.where(field), hint=error.hint) from error

    def refuse(self, message: str, *path: str | int, hint: str | None = None) -> None:
        """Raise an error at a field."""
        raise InputError(message, where=self.source.where(path), hint=hint)

    def statistic(self, block: Any, *path: str | int) -> Statistic:
        """The test of a block."""
        make = partial(
            Statistic, block.name, block.rho, block.gamma, block.months, block.stratified, margin=block.margin
        )
        return self.at(make, *path)

    def spending(self) -> Spending:
        """How alpha is spent over the looks."""
        bounds = self.block.boundaries
        return self.at(lambda: Spending(bounds.family, bounds.parameter), "boundaries")

    def endpoint(self, name: str, *path: str | int) -> str:
        """The name of an endpoint, which must be one of the file's."""
        if name not in self.block.endpoints:
            raise unknown_word("endpoint", name, self.block.endpoints, where=self.source.where(path))
        return name

    def tested_endpoint(self) -> str:
        """The endpoint that the file's one test compares; a kind that spends alpha without bounds for futility."""
        block = self.block
        if block.endpoint is None:
            self.refuse(f"a '{block.kind}' design needs the field 'endpoint'")
        name = self.endpoint(block.endpoint, "endpoint")
        bounds = block.boundaries
        if bounds.futility or bounds.futility_hazard_ratio or bounds.beta_spending or bounds.binding:
            self.refuse(
                "futility bounds of 'boundaries' belong to a group-sequential design",
                "boundaries",
                hint="Platforms name them by arm; enrichment has stop_below.",
            )
        return name

    def looks(self) -> tuple[Milestone, ...]:
        """The analyses in order."""
        if not self.block.looks:
            self.refuse("the field 'looks' is needed")
        return tuple(self.at(partial(_milestone, look), "looks", k) for k, look in enumerate(self.block.looks))


def _milestone(look: Any) -> Milestone:
    return Milestone(
        events=look.events,
        months=look.months,
        patients=look.patients,
        endpoint=look.endpoint,
        follow_up=look.follow_up,
        earliest=look.earliest,
        latest=np.inf if look.latest is None else look.latest,
        strata=tuple(look.strata),
    )
