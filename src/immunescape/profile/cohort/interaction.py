"""Prognostic or predictive: the biomarker in the control arm, and its interaction with treatment."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from immunescape.errors import InputError
from immunescape.stats.cox import cox
from immunescape.stats.discrimination import benjamini_hochberg

__all__ = ["Interaction", "Label", "interaction", "interactions"]

Label = Literal["prognostic", "predictive", "both", "not established"]


@dataclass(frozen=True, kw_only=True)
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
    complete, missing = _complete(values, treated, time, event, name)
    events = int(complete["event"].sum())
    empty = Interaction(
        biomarker=name, endpoint=endpoint, n=len(complete), n_missing=missing, events=events, **_NOTHING
    )
    binary = set(complete["x"].unique()) <= {0.0, 1.0}
    if binary:
        smallest, empty = _counted(complete, empty)
        if smallest < minimum:
            return replace(empty, note=f"{smallest} patients in the smallest cell; {minimum} are needed")
    fit = cox(
        complete["time"],
        complete["event"],
        {"treated": complete["treated"], "x": complete["x"], "product": complete["treated"] * complete["x"]},
    )
    if fit.table.empty:
        return replace(empty, note=fit.note)
    ratio, ratio_low, ratio_high, p = fit.estimate("product").numbers()
    # Whether it is prognostic is asked of the control arm alone, where the treatment cannot take part.
    alone = complete[complete["treated"] == 0]
    prognostic_hr, _, _, prognostic_p = cox(alone["time"], alone["event"], {"x": alone["x"]}).estimate("x").numbers()
    result = replace(
        empty,
        ratio=ratio,
        ratio_low=ratio_low,
        ratio_high=ratio_high,
        p=p,
        prognostic_hr=prognostic_hr,
        prognostic_p=prognostic_p,
        label=_label(p < alpha, prognostic_p < alpha),
    )
    if not binary:
        return replace(result, note="ratio of hazard ratios per unit")
    with_it, without = (complete[complete["x"] == v] for v in (1.0, 0.0))
    return replace(
        result,
        hr_positive=_hr(with_it["time"], with_it["event"], with_it["treated"]),
        hr_negative=_hr(without["time"], without["event"], without["treated"]),
    )


_NAN = float("nan")
_NOTHING: dict[str, Any] = {
    "n_positive": None,
    "hr_positive": None,
    "hr_negative": None,
    "ratio": _NAN,
    "ratio_low": _NAN,
    "ratio_high": _NAN,
    "p": _NAN,
    "prognostic_hr": _NAN,
    "prognostic_p": _NAN,
    "label": "not established",
}
"""Result of a test that could not be made."""


def _complete(
    values: pd.Series, treated: pd.Series, time: pd.Series, event: pd.Series, name: str
) -> tuple[pd.DataFrame, int]:
    """Return the patients of both arms with a value as columns x, treated, time, event; and how many have none."""

    def number(value: object) -> object:
        return float(value) if isinstance(value, (bool, np.bool_)) else value

    frame = pd.DataFrame(
        {
            "x": pd.to_numeric(values.map(number), errors="coerce"),
            "treated": pd.to_numeric(treated.map(number)),
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
    return frame.dropna(), int(frame["x"].isna().sum())


def _counted(complete: pd.DataFrame, empty: Interaction) -> tuple[int, Interaction]:
    """Return the patients of the smallest of four cells, and the result with those who have the biomarker by arm."""
    count = complete.groupby(["treated", "x"]).size()
    cells = [int(count.get((a, b), 0)) for a in (0.0, 1.0) for b in (0.0, 1.0)]
    return min(cells), replace(empty, n_positive=(cells[1], cells[3]))


def _label(predicts: bool, is_prognostic: bool) -> Label:
    if predicts:
        return "both" if is_prognostic else "predictive"
    return "prognostic" if is_prognostic else "not established"


def interactions(
    values: pd.DataFrame, treated: pd.Series, outcomes: pd.DataFrame, endpoint: str = "os", minimum: int = 5
) -> pd.DataFrame:
    """Test every binary or numeric biomarker's interaction with treatment; one row each.

    The column ``q`` is the false discovery rate over these tests; labels rest on p alone. A comparison of the same
    patients under a second name is tested once, and the later row names the first.

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
    from immunescape.profile.cohort.association import contrasts, same_comparison

    time, event = (outcomes[f"{endpoint}_{what}"].reindex(values.index) for what in ("months", "event"))
    rows = []
    arm = treated.reindex(values.index)
    followed = (arm.notna() & time.notna() & event.notna()).to_numpy()
    first: dict[bytes, str] = {}
    for name in values.columns:
        for level, kind, x in contrasts(values[name]):
            label = name if kind == "number" or level == "True" else f"{name} = {level}"
            numbers = np.where(followed, x.to_numpy(), np.nan)
            twin = first.setdefault(same_comparison(numbers), label)
            if twin != label:
                n = int((~np.isnan(numbers)).sum())
                events = int(event[~np.isnan(numbers)].sum())
                missing = int(followed.sum()) - n
                note = f"the same patients as {twin}: tested there"
                rows.append(
                    Interaction(
                        biomarker=label,
                        endpoint=endpoint,
                        n=n,
                        n_missing=missing,
                        events=events,
                        **{**_NOTHING, "note": note},
                    )
                )
                continue
            rows.append(interaction(x, arm, time, event, biomarker=label, endpoint=endpoint, minimum=minimum))
    table = pd.DataFrame([vars(r) for r in rows], columns=[f.name for f in dataclasses.fields(Interaction)])
    table["q"] = benjamini_hochberg(table["p"].to_numpy(dtype=float))
    return table
