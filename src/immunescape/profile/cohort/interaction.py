"""Prognostic or predictive: the biomarker in the control arm, and its interaction with treatment."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from immunescape.errors import InputError
from immunescape.stats.cox import cox
from immunescape.stats.discrimination import benjamini_hochberg

__all__ = ["Interaction", "Label", "interaction", "interactions"]

Label = Literal["prognostic", "predictive", "both", "not established"]


@dataclass(frozen=True)
class Interaction:
    """How a biomarker goes with the effect of treatment on one endpoint.

    Attributes
    ----------
    biomarker, endpoint : what was tested on what.
    n, n_missing, events : patients in the fit, patients left out for a missing biomarker, events.
    n_positive : patients with the biomarker (binary ones), in the control and the treated arm.
    hr_positive, hr_negative : hazard ratio of treatment with and without the biomarker: (value, low, high).
    ratio, ratio_low, ratio_high, p : ratio of those hazard ratios (per unit for a number) and its p value.
    prognostic_hr, prognostic_p : hazard ratio of the biomarker in the control arm.
    label : ``predictive`` where p is below alpha, ``prognostic`` where the control arm says so, ``both``, or
        ``not established``.
    note : why there is no fit, or what limits it.
    """

    biomarker: str
    endpoint: str
    n: int
    n_missing: int
    events: int
    n_positive: tuple[int, int] | None
    hr_positive: tuple[float, float, float] | None
    hr_negative: tuple[float, float, float] | None
    ratio: float
    ratio_low: float
    ratio_high: float
    p: float
    prognostic_hr: float
    prognostic_p: float
    label: Label
    note: str = ""


def _hr(time: pd.Series, event: pd.Series, treated: pd.Series) -> tuple[float, float, float] | None:
    ratio = cox(time, event, {"treated": treated}).estimate("treated")
    return None if ratio.value is None else ratio.numbers()[:3]


def interaction(
    values: pd.Series,
    treated: pd.Series,
    time: pd.Series,
    event: pd.Series,
    *,
    biomarker: str | None = None,
    endpoint: str = "os",
    minimum: int = 5,
    alpha: float = 0.05,
) -> Interaction:
    """Test the interaction of a biomarker with treatment by Cox regression on treatment, biomarker and their product.

    Parameters
    ----------
    values
        Truth values or numbers (NaN or None where missing), one for each patient.
    treated
        True in the treated arm, False in the control arm; patients without arm are left out.
    time, event
        Months; 1 (event) or 0 (censored).
    biomarker, endpoint
        Names for the result.
    minimum
        Smallest number of patients with and without a binary biomarker in each arm.
    alpha
        Level below which a p value labels the biomarker; not corrected for testing several.

    Raises
    ------
    InputError
        If only one arm is there.
    """
    name = biomarker or str(values.name)
    frame = pd.DataFrame(
        {
            "x": pd.to_numeric(
                values.map(lambda v: float(v) if isinstance(v, (bool, np.bool_)) else v), errors="coerce"
            ),
            "treated": pd.to_numeric(treated.map(lambda v: float(v) if isinstance(v, (bool, np.bool_)) else v)),
            "time": time.astype(float),
            "event": event.astype(float),
        }
    ).dropna(subset=["treated", "time", "event"])
    if frame["treated"].nunique() < 2:
        raise InputError(
            "an interaction with treatment needs two arms",
            where=name,
            hint="Without a control arm it is not established.",
        )
    missing = int(frame["x"].isna().sum())
    complete = frame.dropna()
    binary = set(complete["x"].unique()) <= {0.0, 1.0}
    nan = float("nan")

    def result(note: str, **found: object) -> Interaction:
        fields: dict[str, object] = {
            "n_positive": None, "hr_positive": None, "hr_negative": None, "ratio": nan, "ratio_low": nan,
            "ratio_high": nan, "p": nan, "prognostic_hr": nan, "prognostic_p": nan, "label": "not established",
        }  # fmt: skip
        fields |= found
        events = int(complete["event"].sum())
        return Interaction(name, endpoint, len(complete), missing, events, note=note, **fields)  # type: ignore[arg-type]

    positive = None
    if binary:
        count = complete.groupby(["treated", "x"]).size()
        cells = [int(count.get((a, b), 0)) for a in (0.0, 1.0) for b in (0.0, 1.0)]
        positive = (cells[1], cells[3])
        if min(cells) < minimum:
            return result(f"{min(cells)} patients in the smallest cell; {minimum} are needed", n_positive=positive)
    fit = cox(
        complete["time"],
        complete["event"],
        {"treated": complete["treated"], "x": complete["x"], "product": complete["treated"] * complete["x"]},
    )
    if fit.table.empty:
        return result(fit.note, n_positive=positive)
    alone = complete[complete["treated"] == 0]
    ratio, ratio_low, ratio_high, p = fit.estimate("product").numbers()
    prognostic_hr, _, _, q = cox(alone["time"], alone["event"], {"x": alone["x"]}).estimate("x").numbers()
    label: Label = "not established"
    if p < alpha:
        label = "both" if q < alpha else "predictive"
    elif q < alpha:
        label = "prognostic"
    with_it, without = (
        (complete[complete["x"] == v] for v in (1.0, 0.0)) if binary else (complete.iloc[:0], complete.iloc[:0])
    )
    return result(
        "" if binary else "ratio of hazard ratios per unit",
        n_positive=positive,
        hr_positive=_hr(with_it["time"], with_it["event"], with_it["treated"]) if binary else None,
        hr_negative=_hr(without["time"], without["event"], without["treated"]) if binary else None,
        ratio=ratio,
        ratio_low=ratio_low,
        ratio_high=ratio_high,
        p=p,
        prognostic_hr=prognostic_hr,
        prognostic_p=q,
        label=label,
    )


def interactions(
    values: pd.DataFrame, treated: pd.Series, outcomes: pd.DataFrame, endpoint: str = "os", minimum: int = 5
) -> pd.DataFrame:
    """Test every binary or numeric biomarker's interaction with treatment; one row each.

    The column ``q`` is the false discovery rate over these tests; labels rest on p alone.

    Parameters
    ----------
    values
        Patients x biomarkers; words are tested level by level.
    treated
        True in the treated arm, by patient.
    outcomes
        As `outcomes` makes it.
    endpoint
        ``pfs`` or ``os``.
    minimum
        As for `interaction`.
    """
    from immunescape.profile.cohort.association import contrasts

    time, event = (outcomes[f"{endpoint}_{what}"].reindex(values.index) for what in ("months", "event"))
    rows = []
    for name in values.columns:
        for level, kind, x in contrasts(values[name]):
            label = name if kind == "number" or level == "True" else f"{name} = {level}"
            arm = treated.reindex(values.index)
            rows.append(interaction(x, arm, time, event, biomarker=label, endpoint=endpoint, minimum=minimum))
    table = pd.DataFrame([vars(r) for r in rows], columns=[f.name for f in dataclasses.fields(Interaction)])
    table["q"] = benjamini_hochberg(table["p"].to_numpy(dtype=float))
    return table
