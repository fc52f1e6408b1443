"""Probability of response and of benefit at 12 months: of one patient, of a table of patients, of a study."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from immunescape.errors import InputError, unknown_word
from immunescape.knowledge.profile_records import Measurement
from immunescape.profile.scores.blood_values import half_of_lipi
from immunescape.profile.scores.response_inputs import INPUTS, inputs_of, observe
from immunescape.profile.scores.response_model import ENDPOINTS, Observed, ResponseModel, Standing, load_response_model

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.profile.study import Study

__all__ = [
    "CITATION",
    "TITLES",
    "ResponseEstimate",
    "estimates_of",
    "response_probability",
    "response_table",
]

TITLES = {
    "response": "Response by RECIST (complete or partial)",
    "benefit_12_months": "Alive without progression at 12 months",
}
CITATION = ("chowell2022", "chang2024", "gandara2018", "derosa2024", "akinboro2022")


@dataclass(frozen=True)
class ResponseEstimate:
    """Probabilities of one patient, should a PD-1 or PD-L1 inhibitor be given.

    Attributes
    ----------
    standings : ``response`` and ``benefit_12_months`` -> probability with its 95 % interval and contributions.
    values : input -> what was measured, in words.
    missing : inputs that were not measured and are integrated over.
    refused : why values were left out.
    observed : the measured inputs on the model's scale.
    """

    standings: Mapping[str, Standing]
    values: Mapping[str, str]
    missing: tuple[str, ...]
    refused: tuple[str, ...] = ()
    observed: Mapping[str, Observed] = field(default_factory=dict, repr=False)

    @property
    def setting(self) -> str:
        """Line, combination and histology that the probability is for, in words."""
        v = self.values

        def of(name: str, yes: str, no: str) -> str | None:
            return None if name not in v else yes if v[name] == "yes" else no

        with_chemo, with_ctla4 = v.get("chemotherapy"), v.get("ctla4")
        if with_chemo is None and with_ctla4 is None:
            drug: str | None = None
        else:
            added = [w for w, x in (("chemotherapy", with_chemo), ("a CTLA-4 antibody", with_ctla4)) if x == "yes"]
            drug = f"PD-(L)1 inhibitor with {' and '.join(added)}" if added else "PD-(L)1 inhibitor alone"
        given = [
            of("prior_therapy", "after earlier systemic therapy", "first systemic therapy"),
            drug,
            of("squamous", "squamous", "non-squamous"),
        ]
        unknown = [w for w, x in zip(("line", "drugs given with it", "histology"), given, strict=True) if x is None]
        text = ", ".join(x for x in given if x is not None)
        averaged = f"averaged over {', '.join(unknown)}" if unknown else ""
        return "; ".join(x for x in (text, averaged) if x)


def _estimate(
    model: ResponseModel, seen: Mapping[str, Observed], values: Mapping[str, str], refused: tuple[str, ...] = ()
) -> ResponseEstimate:
    standings = {e: model.standing(e, seen) for e in ENDPOINTS}
    missing = tuple(n for n in model.inputs if n not in seen)
    return ResponseEstimate(standings, values, missing, refused, dict(seen))


def response_probability(values: Mapping[str, Any] | None = None, **more: Any) -> ResponseEstimate:
    """Probability of response and of benefit at 12 months under a PD-1 or PD-L1 inhibitor, from what is known.

    Parameters
    ----------
    values, **more
        Input -> number in the unit of `INPUTS` (``pdl1`` percent, ``tmb`` per Mb, ``albumin`` g/L, ``hemoglobin``
        g/L, …), truth value (yes, no, True, 0 …), or for ``pdl1`` a class (``<1``, ``1-49``, ``>=50``, ``>=1``). None
        and NaN are missing. ``lipi`` may be one half of it (``LDH above normal``, ``LDH normal``, ``dNLR above 3``,
        ``dNLR up to 3``). No input is needed; what is missing widens the interval.

    Returns
    -------
    ResponseEstimate
        ``.standings["response"].probability``, ``.low``, ``.high``, ``.contributions``; likewise
        ``["benefit_12_months"]``.

    Raises
    ------
    InputError
        For an input that is not known, a value out of range or in another unit.

    Examples
    --------
    >>> estimate = response_probability(pdl1=60, nlr=2.5, albumin=42, prior_therapy=False)
    >>> 0.0 < estimate.standings["response"].low < estimate.standings["response"].probability
    True
    """
    model = load_response_model()
    seen: dict[str, Observed] = {}
    stated: dict[str, str] = {}
    for name, value in (dict(values or {}) | more).items():
        observed = observe(name, value, model)
        if observed is not None:
            seen[name] = observed
            stated[name] = ("yes" if observed.value else "no") if INPUTS[name].is_truth else str(value)
    return _estimate(model, seen, stated)


def response_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Probabilities of many patients: one row each, in the order and with the index of the table given.

    Parameters
    ----------
    frame
        One column for each input (see `response_probability`); a column ``patient`` is passed on.

    Returns
    -------
    DataFrame
        ``response``, ``response_low``, ``response_high``, likewise ``benefit_12_months``, and ``inputs``, the number
        of inputs that were measured.

    Raises
    ------
    InputError
        Naming the row and column of a value that cannot be used.
    """
    import pandas as pd

    model = load_response_model()
    columns = [c for c in frame.columns if c != "patient"]
    for c in columns:
        if c not in INPUTS:
            raise unknown_word("column", str(c), [*INPUTS, "patient"])
    if frame.columns.duplicated().any():
        raise InputError(f"column '{frame.columns[frame.columns.duplicated()][0]}' occurs twice")
    rows = []
    for i, record in enumerate(frame[columns].to_dict("records")):
        seen = {n: o for n, v in record.items() if (o := observe(str(n), v, model, f"row {i + 1}")) is not None}
        x, v = model.standardise({str(n): o for n, o in seen.items()})
        row: dict[str, Any] = {}
        for e in ENDPOINTS:
            row |= dict(zip((e, f"{e}_low", f"{e}_high"), model.interval(*model.log_odds(e, x, v)), strict=True))
        rows.append(row | {"inputs": len(seen)})
    made = pd.DataFrame(rows, index=frame.index, columns=_columns())
    if "patient" in frame.columns:
        made.insert(0, "patient", frame["patient"])
    return made


def _columns() -> list[str]:
    return [f"{e}{end}" for e in ENDPOINTS for end in ("", "_low", "_high")] + ["inputs"]


def _drugs(study: Study) -> dict[str, tuple[tuple[str, ...], bool | None]]:
    """Patient -> (drugs begun with the first dose of immunotherapy, whether another systemic therapy came before).

    Begun with it: in the three days before to the seven days after day 0. A line number of 1 says that nothing came
    before.
    """
    answer: dict[str, tuple[tuple[str, ...], bool | None]] = {}
    for patient, rows in study.treatments.groupby("patient"):
        start = rows["start_day"]
        now = rows[(start >= -3) & (start <= 7)]
        drugs = tuple(str(d) for d in now["drug"].dropna())
        before: bool | None = bool((rows.loc[start < -3, "drug"].notna()).any()) or None
        lines = now["line"].dropna()
        if len(lines):
            before = bool(lines.min() > 1)
        answer[str(patient)] = (drugs, before)
    return answer


def _lesions(study: Study) -> dict[str, float]:
    """Patient -> sum of target lesions at the last scan up to day 0 (mm)."""
    scans = study.responses
    if scans.empty:
        return {}
    base = scans[scans["sld_mm"].notna() & (scans["day"] <= 0)].sort_values("day")
    return {str(p): float(v) for p, v in base.groupby("patient")["sld_mm"].last().items() if v >= INPUTS["sld"].low}


def estimates_of(
    study: Study,
    measured: Mapping[str, Mapping[str, Measurement]],
    patients: Sequence[str],
    blood: Mapping[str, Mapping[str, float]],
) -> dict[str, ResponseEstimate]:
    """Estimates of a study's patients; never empty, whatever is missing.

    Parameters
    ----------
    study, measured
        The study, and biomarker -> patient -> measurement.
    patients
        Who is asked for.
    blood
        Patient -> analyte -> baseline value in its usual unit, and ``lipi``.
    """
    model = load_response_model()
    rows = {str(r["patient"]): {str(k): v for k, v in r.items()} for r in study.patients.to_dict("records")}
    drugs, lesions = _drugs(study), _lesions(study)
    estimates = {}
    for patient in patients:
        row = dict(rows.get(patient, {}))
        given, before = drugs.get(patient, ((), None))
        prior = row.get("prior_lines")
        if before is not None and (prior is None or (isinstance(prior, float) and math.isnan(prior))):
            row["prior_lines"] = float(before)
        labs: dict[str, Any] = dict(blood.get(patient, {}))
        if "lipi" not in labs:
            labs["lipi"] = half_of_lipi(labs)
        if patient in lesions:
            labs["sld"] = lesions[patient]
        biomarkers = {n: m[patient] for n, m in measured.items() if patient in m}
        seen, values, refused = inputs_of(biomarkers, row, model, drugs=given, labs=labs)
        estimates[patient] = _estimate(model, seen, values, refused)
    return estimates
