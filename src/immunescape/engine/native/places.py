"""Where compiled code keeps a value: in the states, in the fixed values, or in the quantities."""

from __future__ import annotations

from immunescape.engine.codegen.layout import Layout
from immunescape.engine.native.job_struct import NUMBERS
from immunescape.errors import EngineError, unknown_word

__all__ = ["IN_Q", "IN_X", "IN_Z", "Places"]

IN_X, IN_Z, IN_Q = (NUMBERS[name] for name in ("IN_X", "IN_Z", "IN_Q"))


class Places:
    """Array and index of each name of a model."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.x, self.z, self.q = layout.positions

    def find(self, name: str, kind: str = "output") -> tuple[int, int]:
        """Array and index of a value that can be read."""
        name = self.layout.alias.get(name, name)
        for where, table in ((IN_Q, self.q), (IN_X, self.x), (IN_Z, self.z)):
            if name in table:
                return where, table[name]
        raise unknown_word(kind, name, [*self.x, *self.z, *self.q, *self.layout.alias], error=EngineError)

    def state(self, name: str, kind: str) -> tuple[int, int]:
        """Array and index of a state."""
        if name in self.x:
            return IN_X, self.x[name]
        if name in self.layout.states:
            return IN_Z, self.z[name]
        raise unknown_word(kind, name, self.layout.states, error=EngineError)

    def parameter(self, name: str) -> int:
        """Index of a parameter among the fixed values."""
        count = self.layout.parameters
        if self.z.get(name, count) >= count:
            raise unknown_word("parameter", name, self.layout.fixed[:count], error=EngineError)
        return self.z[name]
