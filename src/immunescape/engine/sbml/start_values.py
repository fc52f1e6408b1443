"""Start values of a model, which may follow from each other and from assignments."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from immunescape.engine.ir.calculus import free_symbols, substitute
from immunescape.engine.ir.expressions import ONE, Expr
from immunescape.errors import EngineError

__all__ = ["StartValues"]


class StartValues:
    """Start values, expressed in parameters and constants only."""

    def __init__(
        self, initial: Mapping[str, Expr], assignments: Mapping[str, Expr], varying: Sequence[str], where: str
    ) -> None:
        self.where = where
        self._source = {**assignments, **{name: initial[name] for name in varying}}
        self._done: dict[str, Expr] = {}

    def of(self, name: str) -> Expr:
        """Start value of a state."""
        if name not in self._done:
            self._done[name] = self.resolved(self._source[name], (name,))
        return self._done[name]

    def guess(self, name: str) -> Expr:
        """Start value of an algebraic variable, 1 where the document gives none."""
        value = self.of(name)
        return ONE if value.op == "num" and math.isnan(value.value) else value

    def resolved(self, expression: Expr, path: tuple[str, ...]) -> Expr:
        """Replace states and assignments by what they are at the start."""
        table = {}
        for name in sorted(free_symbols(expression) & self._source.keys()):
            if name in path:
                raise EngineError(f"start values depend on each other in a circle, at '{name}'", where=self.where)
            if name not in self._done:
                self._done[name] = self.resolved(self._source[name], (*path, name))
            table[name] = self._done[name]
        (result,) = substitute([expression], table)
        return result
