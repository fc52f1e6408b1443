"""Where a compiled model keeps its values; plain data, kept beside the compiled code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["DerivativeRequest", "Layout"]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where a compiled model keeps what: all that is needed to run it without reading the model again.

    Attributes
    ----------
    states : all state names, in the order of results. integrated : those in ``x``.
    fixed : names in ``z``; the first `parameters` of them can be overridden as parameters.
    defaults : default value of the parameters and constants.
    alias : output name -> name that holds the same value.
    quantities : names of the values that are computed for output.
    closure : of each of them, the quantities whose parts it needs, with itself.
    names : the quantities of the model, as a user sees them.
    events : number of events. initial_triggers : value of each trigger before the start.
    counts : operations, non-zeros and the like.
    clock : what jumps or turns with time alone, as `TimeFeatures.record` gives it. clock_of : the same of single
        quantities, for those in which anything does.
    """

    states: tuple[str, ...]
    integrated: tuple[str, ...]
    fixed: tuple[str, ...]
    parameters: int
    defaults: Mapping[str, float]
    alias: Mapping[str, str]
    quantities: tuple[str, ...]
    closure: tuple[tuple[int, ...], ...]
    names: tuple[str, ...]
    events: int
    initial_triggers: tuple[bool, ...]
    counts: Mapping[str, int]
    clock: Sequence[Any] = ((), (), ())
    clock_of: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def positions(self) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
        """Position of each name in ``x``, in ``z`` and among the quantities."""
        x, z, q = ({name: i for i, name in enumerate(t)} for t in (self.integrated, self.fixed, self.quantities))
        return x, z, q

    @cached_property
    def fixed_defaults(self) -> NDArray[np.float64]:
        """Default of each value in ``z``; 0 for those that are computed."""
        return np.array([self.defaults.get(name, 0.0) for name in self.fixed], dtype=float)

    def record(self) -> dict[str, object]:
        """As plain data for JSON."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_record(cls, record: Mapping[str, object]) -> Layout:
        """Rebuild from `record`."""
        data: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in record.items()}
        data["closure"] = tuple(tuple(v) for v in data["closure"])
        return cls(**data)


@dataclass(frozen=True)
class DerivativeRequest:
    """Which derivatives: of `outputs` by `parameters`."""

    parameters: tuple[str, ...]
    outputs: tuple[str, ...]
