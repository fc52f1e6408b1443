"""Moments at which functions of time alone jump or turn, found before integration, so that no step passes over them.

A step of any integrator looks at its rates in a few points; an input that rises and falls between two of them is not
there for it. Between the moments found here every function of time alone is smooth and monotone, so all that it does
within a step shows at the step's ends.

The search halves intervals. An interval is dropped where bounds (`intervals`) show that nothing happens in it, and is
done where the function is monotone in it. What remains at ``2**-40`` of a 64th of the job is taken as one moment if the
function differs at its ends. Extrema of less than a 1e-10th of a function's size are left out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunescape.engine.ir import expressions as ir
from immunescape.engine.ir.calculus import derivatives, evaluate, free_symbols
from immunescape.engine.ir.expressions import COMPARISONS, ZERO, Expr, postorder, sym
from immunescape.engine.ir.intervals import bounds
from immunescape.errors import EngineError

__all__ = ["CLOCK", "Feature", "TimeFeatures", "is_linear", "time_features"]

FloatArray = NDArray[np.float64]

CLOCK = "\0time"
"""Name that stands for model time in expressions that are differentiated by it."""

MOST_MOMENTS = 100_000
"""Moments of one patient; more jumps are refused, more extrema left to error control."""

_CELLS, _HALVINGS, _FLAT = 64, 40, 1e-10
_MOST_CELLS, _TOGETHER = 400_000, 32
_BROKEN = (*COMPARISONS, "and", "or", "not", "if", "floor", "ceil", "abs", "min", "max")
_TIME, _STATE, _CHANGES = 1, 2, 4
_STEPPED = (*COMPARISONS, "and", "or", "not", "floor", "ceil")


@dataclass(frozen=True)
class Feature:
    """A function of time whose value (a whole number: a truth, a floor, a sign) changes at the moments.

    Attributes
    ----------
    value : that function. slope : derivative of what it is the sign or the floor of (None: unknown).
    input : the function of time that turns there, for extrema. jumps : whether something jumps there.
    """

    value: Expr
    slope: Expr | None
    input: Expr | None
    jumps: bool


@dataclass(frozen=True)
class TimeFeatures:
    """What is to be looked for in a model.

    Attributes
    ----------
    features : see `Feature`; they hold `CLOCK`, parameters and constants. constants : those that parameters give, in
        order, with their expressions.
    """

    features: tuple[Feature, ...] = ()
    constants: tuple[tuple[str, Expr], ...] = ()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Parameters that moments depend on, and constants that may be overridden."""
        roots = [e for f in self.features for e in (f.value, f.slope, f.input) if e is not None]
        every = free_symbols(*roots, *(e for _, e in self.constants)) | {n for n, _ in self.constants}
        return tuple(sorted(every - {CLOCK}))

    def moments(
        self, n: int, defaults: Mapping[str, float], given: Mapping[str, float | FloatArray], start: float, end: float
    ) -> list[tuple[FloatArray, FloatArray]]:
        """Moments of each of `n` patients, increasing, after `start` and up to `end`, and whether something jumps.

        Parameters
        ----------
        n
            Number of patients.
        defaults
            Values of all parameters and constants.
        given
            Overrides: a number or (n,).
        start, end
            Stretch of time that is searched.

        Raises
        ------
        EngineError
            Where something jumps more than `MOST_MOMENTS` times.
        """
        if not self.features or not end > start:
            return [(np.empty(0), np.empty(0))] * n
        _, owner, located = self._locate(n, defaults, given, start, end)
        count = len(located[0])
        merged = [_merged([(t[k], f.jumps) for t, f in zip(located, self.features, strict=True)]) for k in range(count)]
        return [merged[int(k)] for k in owner]

    def sharpest(
        self, n: int, defaults: Mapping[str, float], given: Mapping[str, float | FloatArray], start: float, end: float
    ) -> float:
        """By how much of its size any input changes within a thousandth of the job about one of its extrema."""
        if not self.features or not end > start:
            return 0.0
        values, _, located = self._locate(n, defaults, given, start, end)
        near, most = 1e-3 * (end - start), 0.0
        for feature, moments in zip(self.features, located, strict=True):
            if feature.input is None:
                continue
            for k, times in enumerate(moments):
                there = {name: column[k] for name, column in values.items()}
                at, before, after, ends = (
                    np.broadcast_to(evaluate([feature.input], {**there, CLOCK: t})[0], np.shape(t))
                    for t in (times, times - near, times + near, np.array([start, end]))
                )
                size = float(np.max(np.abs(np.concatenate([at, ends])), initial=0.0))
                change = np.maximum(np.abs(at - before), np.abs(at - after))
                most = max(most, float(np.max(change, initial=0.0)) / size if size > 0 else 0.0)
        return most

    def _locate(
        self, n: int, defaults: Mapping[str, float], given: Mapping[str, float | FloatArray], start: float, end: float
    ) -> tuple[dict[str, FloatArray], NDArray[np.int64], list[list[FloatArray]]]:
        """Distinct sets of values, the set of each patient, and the moments of each feature for each set."""
        columns = {name: np.full(n, defaults[name]) for name in self.names}
        for name in self.names:
            if name in given:
                columns[name] = np.broadcast_to(np.asarray(given[name], dtype=float), (n,))
        for name, expression in self.constants:
            if name not in given:
                columns[name] = np.broadcast_to(evaluate([expression], {**columns, CLOCK: start})[0], (n,))
        table = np.stack(list(columns.values()), axis=1) if columns else np.empty((n, 0))
        if table.shape[1]:
            rows, owner = np.unique(table, axis=0, return_inverse=True)
        else:
            rows, owner = table[:1], np.zeros(n, dtype=np.int64)
        values = {name: rows[:, k] for k, name in enumerate(columns)}
        located: list[list[FloatArray]] = [[] for _ in self.features]
        for at in range(0, len(rows), _TOGETHER):
            chunk = {name: column[at : at + _TOGETHER] for name, column in values.items()}
            for moments, feature in zip(located, self.features, strict=True):
                moments += _search(feature, chunk, min(_TOGETHER, len(rows) - at), start, end)
        return values, np.reshape(owner, n), located

    def __add__(self, other: TimeFeatures) -> TimeFeatures:
        return TimeFeatures(
            tuple(dict.fromkeys(self.features + other.features)),
            tuple(dict.fromkeys(self.constants + other.constants)),
        )

    def record(self) -> list[Any]:
        """As plain data for JSON."""
        roots = [e for f in self.features for e in (f.value, f.slope, f.input)] + [e for _, e in self.constants]
        place: dict[Expr | None, int] = {None: -1}
        nodes: list[Any] = []
        for node in postorder([r for r in roots if r is not None]):
            place[node] = len(nodes)
            nodes.append([node.op, [place[a] for a in node.args], repr(node.value), node.name])
        features = [[place[f.value], place[f.slope], place[f.input], f.jumps] for f in self.features]
        return [nodes, features, [[name, place[e]] for name, e in self.constants]]

    @classmethod
    def from_record(cls, record: Sequence[Any]) -> TimeFeatures:
        """Rebuild from `record`."""
        nodes: list[Expr] = []
        for op, args, value, name in record[0]:
            if op == "num":
                nodes.append(ir.num(float(value)))
            elif op == "sym":
                nodes.append(sym(name))
            else:
                nodes.append(ir._node(op, tuple(nodes[a] for a in args)))
        get = [*nodes, None]
        features = tuple(Feature(nodes[v], get[s], get[u], bool(j)) for v, s, u, j in record[1])
        return cls(features, tuple((name, nodes[e]) for name, e in record[2]))


def is_linear(gap: Expr) -> bool:
    """Whether a function moves with time at a steady pace, so that its zero can be written down."""
    if any(node.op in _BROKEN and CLOCK in free_symbols(node) for node in postorder([gap])):
        return False
    try:
        slope = derivatives([gap], [CLOCK])[0].get(CLOCK, ZERO)
    except EngineError:
        return False
    return not slope.is_num(0.0) and CLOCK not in free_symbols(slope)


def time_features(
    roots: Sequence[Expr],
    states: Collection[str],
    changing: Collection[str],
    constants: Sequence[tuple[str, Expr]],
    *,
    linear: bool = False,
) -> tuple[TimeFeatures, str | None]:
    """Find what jumps or turns with time alone.

    Parameters
    ----------
    roots
        Rates and triggers, free of assignments, time as `CLOCK`.
    states
        Names that are integrated. changing : names that only events and doses change.
    constants
        Values that follow from parameters, with their expressions, in order.
    linear
        Also take conditions that move with time at a steady pace.

    Returns
    -------
    The features, and what keeps jumps from being found in advance: a function of time that steps and depends on what
    events change, or a step (floor, ceil) of a state; None where nothing does. Conditions on time
    that depend on states are no concern of this.
    """
    order = postorder(roots)
    kinds: dict[Expr, int] = {}
    for node in order:
        kind = 0
        if node.op == "sym":
            kind = _TIME if node.name == CLOCK else _STATE if node.name in states else 0
            kind |= _CHANGES if node.name in changing else 0
        for arg in node.args:
            kind |= kinds[arg]
        kinds[node] = kind
    problem = None
    inputs: dict[Expr, None] = {}
    features: dict[Feature, None] = {}
    for node in order:
        kind = kinds[node]
        if node.op in ("floor", "ceil") and kind & (_STATE | _CHANGES):
            problem = "steps (floor, ceil) of a state in rates or triggers"
        if node.op in COMPARISONS and kind == _TIME | _CHANGES and not is_linear(node.args[0] - node.args[1]):
            problem = "a curved condition on time that depends on what events change"
        if kind == _TIME:
            features.update(dict.fromkeys(_jumps(node, linear)))
            continue
        alone = [a for a in node.args if kinds[a] == _TIME]
        if len(alone) > 1 and node.op in ("add", "mul"):
            alone = [ir.add(*alone) if node.op == "add" else ir.mul(*alone)]
        inputs.update(dict.fromkeys(alone))
    inputs.update(dict.fromkeys(r for r in roots if kinds[r] == _TIME))
    for item in inputs:
        features.update(dict.fromkeys(_turns(item)))
    needed = free_symbols(*(e for f in features for e in (f.value, f.slope, f.input) if e is not None))
    derived = []
    for name, expression in reversed(list(constants)):
        if name in needed:
            needed |= free_symbols(expression)
            derived.append((name, expression))
    return TimeFeatures(tuple(features), tuple(reversed(derived))), problem


def _jumps(node: Expr, linear: bool) -> list[Feature]:
    """What jumps, or bends, at a node that depends on time alone."""
    if node.op in COMPARISONS:
        gap = node.args[0] - node.args[1]
        value = ir.compare("gt", gap, ZERO) if node.op in ("eq", "ne") else node
        return [] if not linear and is_linear(gap) else [Feature(value, _slope(gap), None, True)]
    if node.op in ("floor", "ceil"):
        return [Feature(node, _slope(node.args[0]), None, True)]
    if node.op in ("abs", "min", "max"):
        gap = node.args[0] if node.op == "abs" else node.args[0] - node.args[1]
        return [Feature(ir.compare("gt", gap, ZERO), _slope(gap), None, False)]
    return []


def _turns(item: Expr) -> list[Feature]:
    """Extrema of a function of time."""
    slope = _slope(item)
    if slope is None:
        return []
    return [
        Feature(ir.compare("gt", factor, ZERO), _slope(factor), item, False)
        for factor in _factors(slope)
        if CLOCK in free_symbols(factor)
    ]


def _factors(slope: Expr) -> list[Expr]:
    """Functions of which one is zero wherever the slope is."""
    if slope.op == "mul":
        return [f for a in slope.args for f in _factors(a)]
    if slope.op == "div":
        return _factors(slope.args[0])
    if slope.op == "pow" and slope.args[1].op == "num":
        return _factors(slope.args[0])
    if slope.op in ("exp", "cosh", "num") or slope.op in COMPARISONS:
        return []
    if slope.op == "if":
        return [f for a in slope.args[1:] for f in _factors(a)]
    return [slope]


def _slope(item: Expr) -> Expr | None:
    try:
        return derivatives([item], [CLOCK])[0].get(CLOCK, ZERO)
    except EngineError:
        return None


def _search(
    feature: Feature, values: Mapping[str, FloatArray], count: int, start: float, end: float
) -> list[FloatArray]:
    """Moments of one feature for each row of values."""
    roots = [feature.value, feature.slope or ZERO, feature.input or ZERO]
    inner = postorder([feature.value.args[0] - feature.value.args[1] if feature.value.op in COMPARISONS else ZERO])
    inner = [*inner, *(postorder([feature.value.args[0]]) if feature.value.op in ("floor", "ceil") else [])]
    steps = [n for n in inner if n.op in _STEPPED and CLOCK in free_symbols(n)]
    edges = np.linspace(start, end, _CELLS + 1)
    low, high = np.tile(edges[:-1], count), np.tile(edges[1:], count)
    who = np.repeat(np.arange(count), _CELLS)
    scale: FloatArray | None = None
    brackets: list[tuple[FloatArray, FloatArray, NDArray[np.int64]]] = []

    def at(time: FloatArray, who: NDArray[np.int64]) -> FloatArray:
        there = {name: column[who] for name, column in values.items()}
        return np.broadcast_to(evaluate([feature.value], {**there, CLOCK: time})[0], time.shape)

    for level in range(_HALVINGS + 1):
        there = {name: (column[who], column[who]) for name, column in values.items()}
        (v, s, u, *rest) = bounds([*roots, *steps], {**there, CLOCK: (low, high)})
        may = np.broadcast_to(v[0] != v[1], low.shape)
        smooth = np.ones(low.shape, dtype=bool)
        for a, b in rest:
            smooth &= a == b
        monotone = smooth & ((s[0] > 0) | (s[1] < 0)) if feature.slope is not None else np.zeros(low.shape, dtype=bool)
        first, last = at(low, who), at(high, who)
        single = monotone & (np.abs(last - first) <= 1.0)
        done = single | (level == _HALVINGS)
        hit = may & done & (first != last)
        brackets.append((low[hit], high[hit], who[hit]))
        go = may & ~done
        if feature.input is not None:
            size = np.broadcast_to(np.maximum(np.abs(u[0]), np.abs(u[1])), low.shape)
            if scale is None:
                finite = np.where(np.isfinite(size), size, 0.0)
                scale = np.maximum.reduceat(finite, np.arange(0, len(low), _CELLS))
            go = go & ~(np.broadcast_to(u[1] - u[0], low.shape) <= _FLAT * scale[who])
        low, high, who = low[go], high[go], who[go]
        if not len(low):
            break
        if 2 * len(low) > _MOST_CELLS:
            if feature.jumps:
                raise EngineError("a function of time jumps too often in the job to be followed")
            return [np.empty(0)] * count
        middle = 0.5 * (low + high)
        low, high = np.stack([low, middle], axis=1).ravel(), np.stack([middle, high], axis=1).ravel()
        who = np.repeat(who, 2)
    low, high, who = (np.concatenate([b[k] for b in brackets]) for k in range(3))
    before = at(low, who)
    for _ in range(1100):  # halvings from any double to its neighbour
        middle = 0.5 * (low + high)
        open_ = (middle > low) & (middle < high)
        if not np.any(open_):
            break
        same = at(middle, who) == before
        low, high = np.where(open_ & same, middle, low), np.where(open_ & ~same, middle, high)
    later = high > start + 1e-14 * (end - start)
    high, who = high[later], who[later]
    order = np.lexsort((high, who))
    moments = np.split(high[order], np.searchsorted(who[order], np.arange(1, count)))
    if max((len(m) for m in moments), default=0) > MOST_MOMENTS:
        if feature.jumps:
            raise EngineError(f"a function of time jumps more than {MOST_MOMENTS} times in the job")
        return [np.empty(0)] * count
    return moments


def _merged(parts: Sequence[tuple[FloatArray, bool]]) -> tuple[FloatArray, FloatArray]:
    """All moments in order; of those that lie within a few units in the last place the last one."""
    times = np.concatenate([t for t, _ in parts])
    jumps = np.concatenate([np.full(len(t), float(j)) for t, j in parts])
    order = np.argsort(times, kind="stable")
    times, jumps = times[order], jumps[order]
    if len(times) < 2:
        return times, jumps
    close = np.diff(times) <= 8.0 * np.spacing(np.abs(times[:-1]))
    group = np.concatenate([[0], np.cumsum(~close)])
    last = np.concatenate([~close, [True]])
    return times[last], np.maximum.reduceat(jumps, np.searchsorted(group, np.arange(group[-1] + 1)))
