"""Calls of resistance mechanisms, with the measurements, thresholds, coverage and citations behind them.

Two trees of a rule are evaluated: what must hold for ``present`` and what must hold for ``absent``.

==========  ==========  =================
present     absent      state
==========  ==========  =================
holds       does not*   ``present``
does not*   holds       ``absent``
holds       holds       ``conflicting``
does not*   does not*   ``not_assessable``
==========  ==========  =================

(* does not hold, or cannot be known.) A present or absent call that its ``…_contradicted_by`` tree speaks against is
``conflicting`` too. As the logic is monotone, taking data away never makes a mechanism absent that was present or not
assessable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import unknown_word
from immunescape.knowledge.mechanism_rules import Condition, Rule, RuleSet, load_rules, measurements
from immunescape.knowledge.printed_units import printed_amount, printed_unit
from immunescape.knowledge.profile_records import Call, CallState, Evidence, Measurement, Support
from immunescape.profile.biomarkers.words import measurement_title, state_words
from immunescape.profile.calls.logic import MeasurementColumns, condition_truth, evaluate

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["STATES", "CallTable", "call_mechanisms", "rule_text", "rule_words"]

STATES: tuple[CallState, ...] = ("present", "absent", "not_assessable", "conflicting")
_PRESENT, _ABSENT, _UNKNOWN, _CONFLICT = range(4)


def rule_text(node: Any) -> str:
    """A tree of conditions in one readable line, in the names of the rule file."""
    return _line(node, lambda condition: f"{condition.measurement} {condition.text}")


def rule_words(node: Any) -> str:
    """A tree of conditions in one readable line, in titles, states and units as they are printed."""

    def said(condition: Condition) -> str:
        between = " " if condition.bound else ": "
        return f"{measurement_title(condition.measurement)}{between}{threshold_words(condition)}"

    return _line(node, said)


def _line(node: Any, said: Callable[[Condition], str]) -> str:
    if node is None:
        return "–"
    if isinstance(node, Condition):
        return said(node)
    terms = [f"({t})" if " and " in (t := _line(m, said)) or " or " in t else t for m in node.members]
    if node.none_of is not None:
        return f"not ({_line(node.none_of, said)})"
    if node.at_least_of is not None:
        return f"at least {node.at_least_of.n} of: " + "; ".join(terms)
    return (" and " if node.all_of is not None else " or ").join(terms)


def threshold_words(condition: Condition) -> str:
    """The threshold of a condition as a reader knows it, e.g. ``≥ 10 /Mb`` or ``biallelic loss``."""
    if not condition.bound:
        return " or ".join(state_words(w) for w in condition.allowed)
    over = f" × {measurement_title(condition.relative_to)}" if condition.relative_to else ""
    return printed_amount(condition.bound, condition.unit or "") + over


def _shown(m: Measurement | None, title: str, condition: Condition | None = None) -> str:
    if m is None:
        return f"{title}: not measured"
    if m.value is None:
        return f"{title} is not assessable: {m.note}"
    if isinstance(m.value, str | bool):
        return f"{title}: {state_words(m.value)}{_reason(m)}"
    if m.status == "below_limit":
        return f"{title}: below the limit of {printed_amount(f'{m.value:g}', m.unit)}"
    interval = f" ({m.low:.4g} to {m.high:.4g})" if m.low is not None and m.high is not None else ""
    text = f"{title}: {printed_amount(f'{m.value:.4g}{interval}', m.unit)}"
    if condition is not None and condition.tests[0].startswith("percentile"):
        place = f"percentile {m.percentile:.0f} of {m.reference}" if m.percentile is not None else "no reference loaded"
        text += f", {place}"
    return text


_PLAIN = frozenset({False, "wild_type", "kept", "none"})
"""Values that need no reason beside them."""


def _reason(m: Measurement) -> str:
    """Return why a word or a truth was given: hits, copies, samples; '' for what is unaltered."""
    if not m.note or m.value in _PLAIN:
        return ""
    return f" ({m.note if len(m.note) <= 240 else m.note[:239] + '…'})"


@dataclass(frozen=True, kw_only=True)
class CallTable:
    """Calls of every mechanism in every patient.

    Attributes
    ----------
    patients : identifiers. rules : the rules that decided. columns : the measurements.
    codes : patients x mechanisms, index into ``STATES``.
    coverage : patients x mechanisms, share of the rule's measurements that were assessable (NaN: the rule has none).
    """

    patients: tuple[str, ...]
    rules: RuleSet
    columns: MeasurementColumns
    codes: NDArray[np.int8]
    coverage: NDArray[np.float64]
    _plans: dict[str, tuple[_Step, ...]] = field(default_factory=dict, repr=False, compare=False)
    _seen: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)
    _texts: dict[str, str] = field(default_factory=dict, repr=False, compare=False)

    def _plan(self, mechanism: str) -> tuple[_Step, ...]:
        if mechanism not in self._plans:
            self._plans[mechanism] = tuple(_steps(self.rules.mechanisms[mechanism], self.columns))
        return self._plans[mechanism]

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """Names of the mechanisms, in the order of the rule file."""
        return tuple(self.rules.mechanisms)

    @property
    def states(self) -> pd.DataFrame:
        """Patients x mechanisms, the state of each as a word."""
        import pandas as pd

        labels = np.array(STATES, dtype=object)[self.codes]
        return pd.DataFrame(labels, index=pd.Index(self.patients, name="patient"), columns=list(self.mechanisms))

    def of(self, patient: str) -> Mapping[str, Call]:
        """Calls of one patient; each is put together when it is asked for."""
        return _Calls(self, self.patients.index(patient), patient)

    def all(self) -> dict[str, Mapping[str, Call]]:
        """Calls of every patient."""
        return {p: _Calls(self, i, p) for i, p in enumerate(self.patients)}

    def call(self, patient: str, mechanism: str) -> Call:
        """Return the call of one mechanism in one patient, with its evidence."""
        return self.of(patient)[mechanism]

    def _rule_text(self, mechanism: str) -> str:
        if mechanism not in self._texts:
            rule = self.rules.mechanisms[mechanism]
            texts = (f"{name.replace('_', ' ')}: {rule_text(tree)}" for name, tree in rule.trees.items())
            self._texts[mechanism] = "; ".join(texts) or rule.never_assessable
        return self._texts[mechanism]

    def _call(self, index: int, mechanism: str) -> Call:
        rule = self.rules.mechanisms[mechanism]
        column = self.mechanisms.index(mechanism)
        coverage = float(self.coverage[index, column])
        evidence = _evidence(mechanism, self, index)
        state = STATES[self.codes[index, column]]
        same = (mechanism, state, coverage, *map(id, evidence))  # one record where patients do not differ
        if same not in self._seen:
            keys = dict.fromkeys([*rule.citation, *(k for e in evidence for k in e.citation)])
            share = None if np.isnan(coverage) else coverage
            self._seen[same] = Call(mechanism, state, evidence, self._rule_text(mechanism), share, tuple(keys))
        call: Call = self._seen[same]
        return call


class _Calls(Mapping[str, Call]):
    def __init__(self, table: CallTable, index: int, patient: str) -> None:
        self._table, self._index, self._patient = table, index, patient
        self._made: dict[str, Call] = {}

    def __getitem__(self, mechanism: str) -> Call:
        if mechanism not in self._table.rules.mechanisms:
            raise KeyError(str(unknown_word("mechanism", mechanism, self._table.mechanisms)))
        if mechanism not in self._made:
            self._made[mechanism] = self._table._call(self._index, mechanism)
        return self._made[mechanism]

    def __iter__(self) -> Iterator[str]:
        return iter(self._table.mechanisms)

    def __len__(self) -> int:
        return len(self._table.mechanisms)

    def __repr__(self) -> str:
        return f"<calls of {len(self)} mechanisms in {self._patient}>"


def _signed(node: Any, sign: int = 1) -> Iterator[tuple[Condition, int]]:
    """Conditions of a tree, each with -1 where it stands under an odd number of ``not``."""
    if isinstance(node, Condition):
        yield node, sign
    else:
        for member in node.members:
            yield from _signed(member, -sign if node.none_of is not None else sign)


@dataclass(frozen=True)
class _Words:
    """Titles of what a condition compares, and its threshold as a reader knows it; made once for all patients."""

    title: str
    divisor: str
    threshold: str


@dataclass(frozen=True)
class _Step:
    """A condition of a rule: the state it speaks for where its truth is `sign`, and its truth in every patient."""

    condition: Condition
    sign: int
    state: Support
    truth: NDArray[np.int8]
    values: Mapping[str, Measurement]
    divisors: Mapping[str, Measurement]
    _: KW_ONLY
    words: _Words


def _steps(rule: Rule, columns: MeasurementColumns) -> Iterator[_Step]:
    for name, tree in rule.trees.items():
        state: Support = "present" if name in ("present", "absent_contradicted_by") else "absent"
        for condition, sign in _signed(tree):
            truth = condition_truth(condition, columns, rule.minimum_coverage)
            values = columns.measurements.get(condition.measurement, {})
            divisors = columns.measurements.get(condition.relative_to, {}) if condition.relative_to else {}
            divisor = measurement_title(condition.relative_to) if condition.relative_to else ""
            words = _Words(measurement_title(condition.measurement), divisor, threshold_words(condition))
            yield _Step(condition, sign, state, truth, values, divisors, words=words)


def _evidence(mechanism: str, table: CallTable, index: int) -> tuple[Evidence, ...]:
    rule, patient, seen = table.rules.mechanisms[mechanism], table.patients[index], table._seen
    plan = table._plan(mechanism)
    if not plan:
        if mechanism not in seen:
            seen[mechanism] = Evidence(rule.never_assessable, None, "no rule", "neither", tuple(rule.citation))
        return (seen[mechanism],)
    evidence: dict[tuple[str, str], Evidence] = {}
    for step in plan:
        m, other, held = step.values.get(patient), step.divisors.get(patient), int(step.truth[index])
        same = (id(step), held, id(m), id(other))  # patients often share the record of what was not measured
        item: Evidence | None = seen.get(same)
        if item is None:
            item = seen[same] = _statement(step, rule, m, other, held)
        key = (step.condition.measurement, item.threshold)
        if key not in evidence or item.supports != "neither":
            evidence[key] = item
    return tuple(evidence.values())


def _statement(step: _Step, rule: Rule, m: Measurement | None, other: Measurement | None, held: int) -> Evidence:
    condition = step.condition
    text = _shown(m, step.words.title, condition)
    if condition.relative_to:
        text += f"; {_shown(other, step.words.divisor)}"
    text += _why_unknown(condition, m, held, rule)
    cited = tuple(condition.source or (m.citation if m else ()))
    supports: Support = step.state if held == step.sign else "neither"
    threshold, words = condition.text, step.words.threshold
    return Evidence(text, condition.measurement, threshold, supports, cited, condition.note, criterion=words)


def _why_unknown(condition: Condition, m: Measurement | None, held: int, rule: Rule) -> str:
    if held or m is None or m.value is None:
        return ""
    least = rule.minimum_coverage if condition.minimum_coverage is None else condition.minimum_coverage
    if m.coverage is not None and m.coverage < least:
        return f"; coverage {m.coverage:.2f} is below the {least:.2f} that is needed"
    if condition.unit is not None and m.unit != condition.unit:
        threshold, value = (printed_unit(unit) or "no unit" for unit in (condition.unit, m.unit))
        return f"; the threshold is in {threshold}, the value in {value}"
    if condition.whole_interval or m.status == "below_limit":
        return "; the possible range of the value includes the threshold"
    return ""


def call_mechanisms(
    biomarkers: Mapping[str, Mapping[str, Measurement]], patients: Sequence[str], rules: RuleSet | None = None
) -> CallTable:
    """Call every mechanism in every patient.

    Parameters
    ----------
    biomarkers
        Biomarker -> patient -> measurement; what is not in it is missing.
    patients
        Identifiers.
    rules
        Rules; None takes those that ship.

    Returns
    -------
    CallTable
        States as a table, and a :class:`~immunescape.knowledge.profile_records.Call` for each on demand.
    """
    rules = load_rules() if rules is None else rules
    columns = MeasurementColumns(biomarkers, patients)
    n = len(patients)
    codes = np.full((n, len(rules.mechanisms)), _UNKNOWN, dtype=np.int8)
    coverage = np.full((n, len(rules.mechanisms)), np.nan)
    for j, rule in enumerate(rules.mechanisms.values()):
        least = rule.minimum_coverage
        present = evaluate(rule.present, columns, least) == 1
        absent = evaluate(rule.absent, columns, least) == 1
        against_present = evaluate(rule.present_contradicted_by, columns, least) == 1
        against_absent = evaluate(rule.absent_contradicted_by, columns, least) == 1
        conflict = (present & (absent | against_present)) | (absent & against_absent)
        codes[:, j] = np.select([conflict, present, absent], [_CONFLICT, _PRESENT, _ABSENT], _UNKNOWN)
        names = measurements(rule)
        if names:
            coverage[:, j] = np.mean([_assessable(columns, name) for name in names], axis=0)
    return CallTable(patients=tuple(patients), rules=rules, columns=columns, codes=codes, coverage=coverage)


def _assessable(columns: MeasurementColumns, name: str) -> NDArray[np.bool_]:
    return np.fromiter((u is not None for u in columns[name].unit), dtype=bool, count=len(columns.patients))
