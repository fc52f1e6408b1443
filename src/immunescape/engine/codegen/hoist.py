"""Collects the values that depend on parameters only, which are computed once for each patient."""

from __future__ import annotations

from dataclasses import dataclass, field

from immunescape.engine.ir.expressions import Expr

__all__ = ["Hoist"]


@dataclass
class Hoist:
    """Values that depend on parameters only; each becomes an element of one array.

    Attributes
    ----------
    constant : names that are constant while a patient is integrated (between events).
    slots : expression -> index in the array.
    """

    constant: frozenset[str]
    slots: dict[Expr, int] = field(default_factory=dict)
    _fixed: dict[Expr, bool] = field(default_factory=dict)

    def fixed(self, node: Expr) -> bool:
        """Whether the expression depends on constants only."""
        fixed = self._fixed
        if node in fixed:
            return fixed[node]
        stack = [node]
        while stack:
            current = stack[-1]
            unknown = [a for a in current.args if a not in fixed]
            if unknown:
                stack.extend(unknown)
                continue
            stack.pop()
            allowed = current.op != "time" and (current.op != "sym" or current.name in self.constant)
            fixed[current] = allowed and all(fixed[a] for a in current.args)
        return fixed[node]

    def slot(self, node: Expr) -> int:
        """Index of the value."""
        return self.slots.setdefault(node, len(self.slots))
