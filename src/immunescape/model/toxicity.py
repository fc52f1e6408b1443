"""Harm of treatments: severe toxicity, stopping, death, dose delay and reduction, each with its source.

What trials published, one fact a row: of drugs alone in the folder of each (:mod:`immunescape.model.drug_tables`), of
classes and of combinations in ``knowledge/data/toxicity.csv``, as regimens written as drugs and classes joined by ``+``
(``pembrolizumab+platinum+pemetrexed``). `toxicity` answers for any set of drugs:

1. Each quantity comes from the most specific listed regimen that holds it (a drug is more specific than a class).
   Trials of one regimen are pooled by size. Where only events of any cause are published, their hazard times the share
   that is attributed to treatment (``attributed_...``) is used.
2. A set that no regimen covers is split into listed regimens, as few as possible. Their hazards, ``-ln(1 - p)``, add
   up, times a factor where parts interact (``knowledge/data/toxicity_interactions.csv``: fitted for antibodies with
   chemotherapy, else assumed 1). The record then says ``combined`` and its grade is ``assumed``.

Plug-ins bring tables of the same names for their own drugs (:mod:`immunescape.plugins`); a row that would change
what is said of ours alone is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import permutations

from immunescape import plugins
from immunescape.errors import InputError, unknown_word
from immunescape.knowledge.tables import DATA, plugin_rows, read_rows
from immunescape.model.drug_tables import CLINICAL_TABLES, DRUG_FOLDER, drug_classes, drug_rows, our_classes

__all__ = [
    "Toxicity",
    "ToxicityFact",
    "ToxicityInteraction",
    "interactions",
    "toxicity",
    "toxicity_facts",
]

_INTERACTIONS = "toxicity_interactions"
_INTERACTION_COLUMNS = (
    "first",
    "second",
    "quantity",
    "hazard_factor",
    "toxicities",
    "source",
    "grade",
    "note",
)
_PROBABILITIES = ("grade3", "discontinuation", "death")
_OTHERS = {
    "onset_median": "week",
    "onset_spread": "dimensionless",
    "delay_per_cycle": "percent",
    "delay_length": "week",
    "dose_reduction": "percent",
    "reduced_dose": "percent",
}
_ATTRIBUTED = {f"attributed_{q}": "dimensionless" for q in _PROBABILITIES}
_UNITS = {q: "percent" for q in _PROBABILITIES} | _OTHERS | _ATTRIBUTED


@dataclass(frozen=True, kw_only=True)
class ToxicityFact:
    """One published or assumed number.

    Attributes
    ----------
    regimen, quantity, value, unit : as in the table.
    n : patients that it was counted in; None where it is not a count.
    causality : ``treatment`` (attributed to it by the investigators) or ``any``.
    sources, grade, note, origin : keys of the bibliography; measured, fitted or assumed; what it says; file and row.
    """

    regimen: str
    quantity: str
    value: float
    unit: str
    n: int | None
    causality: str
    sources: tuple[str, ...]
    grade: str
    note: str
    origin: str


@dataclass(frozen=True, kw_only=True)
class ToxicityInteraction:
    """How the hazards of two drugs or classes act together: `hazard_factor` times their sum."""

    first: str
    second: str
    quantity: str
    hazard_factor: float
    toxicities: str
    sources: tuple[str, ...]
    grade: str
    note: str


@dataclass(frozen=True, kw_only=True)
class Toxicity:
    """Harm of a set of drugs that are given together.

    Attributes
    ----------
    drugs : in alphabetical order.
    regimen : the listed regimen that `grade3` is from, or the parts joined by `` & `` where it was combined.
    grade3 : probability of any treatment-related adverse event of grade 3 or more over a full course.
    discontinuation : probability of stopping all treatment for toxicity.
    death : probability of a treatment-related death.
    onset_median_weeks, onset_spread : log-normal time from the first dose to the first event of grade >= 3.
    delay_per_cycle, delay_weeks : probability that a cycle is late because of toxicity, and by how much.
    dose_reduction, reduced_dose : probability that cytotoxic doses are ever reduced, and the fraction given after it.
    combined : whether the combination rule was used.
    grade : measured, fitted or assumed: the weakest of what `grade3`, `discontinuation` and `death` rest on.
    facts : every row that was used.
    """

    drugs: tuple[str, ...]
    regimen: str
    grade3: float
    discontinuation: float
    death: float
    onset_median_weeks: float
    onset_spread: float
    delay_per_cycle: float
    delay_weeks: float
    dose_reduction: float
    reduced_dose: float
    combined: bool
    grade: str
    facts: tuple[ToxicityFact, ...]

    @property
    def sources(self) -> tuple[str, ...]:
        """Keys of the bibliography of every fact used."""
        return tuple(sorted({s for f in self.facts for s in f.sources}))


def _check_foreign(words: Iterable[str], where: str) -> None:
    """Refuse a plug-in's row that says something of our drugs and classes alone."""
    ours = {*our_classes(), *(c for classes in our_classes().values() for c in classes)}
    if all(drug_name in ours for drug_name in words):
        raise InputError(
            "the row names no drug or class of the plug-in, and would alter the data of others",
            where=where,
            hint="A plug-in may describe only its own drugs, alone or combined with others.",
        )


def _sources(text: str) -> tuple[str, ...]:
    return tuple(s.strip() for s in text.split(";") if s.strip() and s.strip() != "assumed")


@plugins.cached()
def toxicity_facts() -> tuple[ToxicityFact, ...]:
    """Return every row of the toxicity table.

    Raises
    ------
    InputError
        For an unknown quantity, drug or class, a wrong unit, or a row without source or grade; names the row.
    """
    words = {*drug_classes(), *(c for classes in drug_classes().values() for c in classes)}
    facts = []
    columns = CLINICAL_TABLES["toxicity"]
    ours = (*drug_rows("toxicity"), *read_rows("toxicity", columns))
    for number, row in enumerate((*ours, *plugin_rows("toxicity.csv", columns))):
        quantity, where = row["quantity"], row.where
        if quantity not in _UNITS:
            raise unknown_word("quantity", quantity, _UNITS, where=where)
        for drug_name in row["regimen"].split("+"):
            if drug_name not in words:
                raise unknown_word("drug or class", drug_name, words, where=where)
        if number >= len(ours):
            _check_foreign(row["regimen"].split("+"), where)
        if row["unit"] != _UNITS[quantity]:
            raise InputError(f"{quantity} is in {_UNITS[quantity]}, not '{row['unit']}'", where=where)
        if row["grade"] not in ("measured", "fitted", "assumed") or not row["source"]:
            raise InputError("a row needs a source, and a grade: measured, fitted or assumed", where=where)
        if row["causality"] not in ("treatment", "any"):
            raise InputError("causality is 'treatment' or 'any'", where=where)
        try:
            value = float(row["value"])
            count = int(row["n"]) if row["n"] else None
        except ValueError:
            raise InputError(f"'{row['value']}' or '{row['n']}' is not a number", where=where) from None
        if not math.isfinite(value) or value < 0 or (row["unit"] == "percent" and value > 100):
            raise InputError(f"{quantity} cannot be {value:g} {row['unit']}", where=where)
        facts.append(
            ToxicityFact(
                regimen=row["regimen"],
                quantity=quantity,
                value=value,
                unit=row["unit"],
                n=count,
                causality=row["causality"],
                sources=_sources(row["source"]),
                grade=row["grade"],
                note=row["note"],
                origin=where,
            )
        )
    return tuple(facts)


@plugins.cached()
def interactions() -> tuple[ToxicityInteraction, ...]:
    """Return every row of the table of interactions."""
    table = []
    ours = read_rows(_INTERACTIONS, _INTERACTION_COLUMNS)
    for number, row in enumerate((*ours, *plugin_rows(f"{_INTERACTIONS}.csv", _INTERACTION_COLUMNS))):
        if number >= len(ours):
            _check_foreign((row["first"], row["second"]), row.where)
        table.append(
            ToxicityInteraction(
                first=row["first"],
                second=row["second"],
                quantity=row["quantity"],
                hazard_factor=float(row["hazard_factor"]),
                toxicities=row["toxicities"],
                sources=_sources(row["source"]),
                grade=row["grade"],
                note=row["note"],
            )
        )
    return tuple(table)


def _fit(regimen: str, drugs: frozenset[str]) -> int:
    """Return how specifically a regimen describes exactly these drugs; 0 where it does not."""
    words, classes = regimen.split("+"), drug_classes()
    if len(words) != len(drugs):
        return 0
    best = 0
    for order in permutations(drugs):
        if all(w == d or w in classes[d] for w, d in zip(words, order, strict=True)):
            # a drug counts more than a class, a narrow class (platinum, taxane) more than a wide one (cytotoxic)
            best = max(
                best,
                sum(4 if w == d else {"cytotoxic": 1, "ici": 1}.get(w, 2) for w, d in zip(words, order, strict=True)),
            )
    return best


def _listed(drugs: frozenset[str], quantity: str) -> tuple[ToxicityFact, ...]:
    """Return the rows of the most specific regimen that holds the quantity for exactly these drugs."""
    fits = {f.regimen: _fit(f.regimen, drugs) for f in toxicity_facts() if f.quantity == quantity}
    best = max(fits, key=lambda r: fits[r], default="")
    if not best or fits[best] == 0:
        return ()
    rows = [f for f in toxicity_facts() if f.quantity == quantity and f.regimen == best]
    attributed = [f for f in rows if f.causality == "treatment"]
    return tuple(attributed or rows)


def _pooled(rows: tuple[ToxicityFact, ...]) -> float:
    weights = [f.n or 1 for f in rows]
    return sum(f.value * w for f, w in zip(rows, weights, strict=True)) / sum(weights)


def _hazard(drugs: frozenset[str], quantity: str) -> tuple[float, tuple[ToxicityFact, ...]] | None:
    """Return the cumulative hazard of a listed regimen that is attributed to treatment."""
    rows = _listed(drugs, quantity)
    if not rows:
        return None
    hazard = -math.log1p(-_pooled(rows) / 100)
    if rows[0].causality == "any":
        kind = "cytotoxic" if any("cytotoxic" in drug_classes()[d] for d in drugs) else "ici"
        share = tuple(f for f in toxicity_facts() if f.regimen == kind and f.quantity == f"attributed_{quantity}")
        hazard *= _pooled(share)
        rows += share
    return hazard, rows


def _parts(drugs: frozenset[str], holds: Callable[[frozenset[str]], bool]) -> tuple[frozenset[str], ...]:
    """Split drugs into as few parts as possible that each hold; the largest part first, ties alphabetical."""
    if holds(drugs):
        return (drugs,)
    best: tuple[frozenset[str], ...] = ()
    members = sorted(drugs)
    for mask in range(1, 2 ** len(members) - 1):
        subset = frozenset(m for i, m in enumerate(members) if mask >> i & 1)
        if members[0] not in subset or not holds(subset):
            continue
        rest = _parts(drugs - subset, holds)
        if rest and (not best or len(rest) + 1 < len(best)):
            best = (subset, *rest)
    return tuple(sorted(best, key=lambda p: (-len(p), sorted(p))))


def _factor(parts: tuple[frozenset[str], ...], quantity: str) -> float:
    """Return the product of the interactions between parts, each counted once."""
    factor = 1.0
    classes = [{c for d in subset for c in drug_classes()[d]} | subset for subset in parts]
    for interaction in (i for i in interactions() if i.quantity == quantity):
        if any(
            (interaction.first in a and interaction.second in b) or (interaction.second in a and interaction.first in b)
            for k, a in enumerate(classes)
            for b in classes[k + 1 :]
        ):
            factor *= interaction.hazard_factor
    return factor


def toxicity(drugs: Iterable[str]) -> Toxicity:
    """Return the harm of drugs that are given together.

    Parameters
    ----------
    drugs
        Names as the model has them, e.g. ``("pembrolizumab", "carboplatin", "pemetrexed")``.

    Raises
    ------
    InputError
        For no drug at all, or one that the tables do not know; names the nearest.
    """
    classes_of = drug_classes()
    chosen = frozenset(drugs)
    for drug in sorted(chosen):
        if drug not in classes_of:
            raise unknown_word("drug in the toxicity table", drug, classes_of, where=str(DRUG_FOLDER))
    if not chosen:
        raise InputError("no drug is named", hint="Name one or more drugs.")
    return _toxicity(chosen)


@plugins.cached(256)
def _toxicity(drugs: frozenset[str]) -> Toxicity:
    facts: list[ToxicityFact] = []
    combined = False
    probability: dict[str, float] = {}
    label = ""
    grades: set[str] = set()
    for quantity in _PROBABILITIES:
        parts = _parts(drugs, lambda p, q=quantity: _hazard(p, q) is not None)  # type: ignore[misc]
        hazards = [h for p in parts if (h := _hazard(p, quantity)) is not None]
        if not hazards:
            raise InputError(f"no {quantity} is known for {', '.join(sorted(drugs))}", where=str(DATA / "toxicity.csv"))
        factor = _factor(parts, quantity) if len(parts) > 1 else 1.0
        probability[quantity] = -math.expm1(-factor * sum(h for h, _ in hazards))
        combined = combined or len(parts) > 1
        grades |= {"assumed"} if len(parts) > 1 else {f.grade for f in hazards[0][1]}
        label = label or " & ".join(rows[0].regimen for _, rows in hazards)
        facts += [f for _, rows in hazards for f in rows]
    other: dict[str, float] = {}
    for quantity in _OTHERS:
        parts = _parts(drugs, lambda p, q=quantity: bool(_listed(p, q)))  # type: ignore[misc]
        rows = [_listed(p, quantity) for p in parts]
        other[quantity] = _merge(quantity, [_pooled(r) for r in rows])
        facts += [f for r in rows for f in r]
    return Toxicity(
        drugs=tuple(sorted(drugs)),
        regimen=label,
        grade3=probability["grade3"],
        discontinuation=probability["discontinuation"],
        death=probability["death"],
        onset_median_weeks=other["onset_median"],
        onset_spread=other["onset_spread"],
        delay_per_cycle=other["delay_per_cycle"] / 100,
        delay_weeks=other["delay_length"],
        dose_reduction=other["dose_reduction"] / 100,
        reduced_dose=other["reduced_dose"] / 100,
        combined=combined,
        grade=next(g for g in ("assumed", "fitted", "measured") if g in grades),
        facts=tuple(dict.fromkeys(facts)),
    )


def _merge(quantity: str, values: list[float]) -> float:
    """Return one value for several parts: the first onset, the longest delay, the strongest reduction."""
    if not values:
        raise InputError(f"no {quantity} for this combination", where=str(DATA / "toxicity.csv"))
    if quantity == "delay_per_cycle":
        return 100 * (1 - math.prod(1 - v / 100 for v in values))
    return min(values) if quantity in ("onset_median", "reduced_dose") else max(values)
