"""Text and figure of docs/response.md; response_page.py gives it the numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from immunescape.console import markdown_table
from immunescape.profile.scores.response import TITLES
from immunescape.profile.scores.response_inputs import INPUTS
from immunescape.profile.scores.response_model import ENDPOINTS, ResponseModel

__all__ = ["draw", "page"]

COLOURS = {"this model": "#1f5f8b", "PD-L1 alone": "#c4621a", "treat all": "#8a95a0"}


def table(rows: list[dict[str, str]]) -> str:
    """Rows as a Markdown table."""
    if not rows:
        return "*(no patients)*\n"
    return "\n".join(markdown_table(rows[0], (row.values() for row in rows)))


def coefficients(model: ResponseModel) -> str:
    """Coefficients per standard deviation with their spread, and how often each input was measured."""
    measured = model.provenance["measured"]
    rows = []
    for j, name in enumerate(model.inputs):
        kind = INPUTS[name]
        unit = "yes or no" if kind.is_truth else kind.unit + (f", {kind.scale}" if kind.scale != "identity" else "")
        cells = {"input": f"`{name}`", "what": kind.title, "unit, scale": unit, "measured in": str(measured[name])}
        for e, title in (("response", "response"), ("benefit_12_months", "benefit")):
            spread = model.covariance[e][j + 1, j + 1] ** 0.5
            cells[title] = f"{model.coefficients[e][j + 1]:+.2f} ± {spread:.2f}"
        rows.append(cells)
    return table(rows)


def patients(model: ResponseModel) -> str:
    """Patients that the model was fitted to."""
    rows = []
    for name, d in model.provenance["patients"].items():
        rows.append(
            {
                "cohort": f"`{name}`",
                "response known (responders)": f"{d['response']} ({d['responders']})",
                "benefit known (with benefit)": f"{d['benefit_12_months']} ({d['with_benefit']})",
            }
        )
    return table(rows)


def page(model: ResponseModel, tables: Mapping[str, list[dict[str, str]]]) -> str:
    """Return the whole page."""
    parts = [INTRODUCTION, "## Patients\n", patients(model), METHOD, "### Coefficients\n", COEFFICIENTS]
    parts += [
        coefficients(model),
        "## Accuracy\n",
        verdict_of(tables),
        LOOKED,
        "![Calibration and decision curves](response.png)\n",
        FIGURE,
    ]
    for e in ENDPOINTS:
        parts += [
            f"### {TITLES[e]}\n",
            "Each cohort predicted by a model fitted to the other three (training patients):\n",
            table(tables[f"{e} cohorts"]),
            table(tables[f"{e} pooled"]),
            "Comparison with each competing predictor, in the patients in whom it is available. Single inputs are "
            "ranked by their values, and their logistic curves are fitted to the same three cohorts. LORIS is as "
            "published **and was trained on the Chowell cohort**, so that only the Shim rows are a fair comparison:\n",
            table(tables[f"{e} away rivals"] + tables[f"{e} shim"]),
            "The held-out 30 %, with the released model:\n",
            table(tables[f"{e} held out"]),
            table(tables[f"{e} held rivals"]),
            "The same model with fewer inputs, in the held-out patients of the Chowell and Shim cohorts:\n",
            table(tables[f"{e} less"]),
            "Net benefit per 100 held-out patients with a PD-L1 result, if those above the threshold are treated:\n",
            table(tables[f"{e} decision"]),
            "Quintiles of predicted probability whose observed frequency lies within the quintile's mean 95 % "
            f"interval: {tables[f'{e} covered'][0]['held out']} (held out), "
            f"{tables[f'{e} covered'][0]['cohorts left out']} (cohorts left out).\n",
        ]
    return "\n".join([*parts, LIMITS])


def compared(row: Mapping[str, str], rival: str) -> str:
    """Whether the interval of a difference in AUC excludes none."""
    _, low, high = (float(x) for x in re.findall(r"-?\d+\.\d+", row["difference (95 %)"]))
    return f"it {'is superior to' if low > 0 else 'is inferior to' if high < 0 else 'is not superior to'} {rival}"


def verdict_of(tables: Mapping[str, list[dict[str, str]]]) -> str:
    """What the tables come to, in sentences."""
    lines = []
    for e in ENDPOINTS:
        shim, held = tables[f"{e} shim"][0], tables[f"{e} held out"]
        word = compared(shim, "LORIS")
        levels = [float(r["calibration in the large"].split()[0]) for r in tables[f"{e} cohorts"][::2]]
        pdl1 = next(r for r in tables[f"{e} held rivals"] if r["comparator"] == "PD-L1")
        lines.append(
            f"- **{TITLES[e]}.** Held-out patients: AUC {held[0]['AUC (95 %)']}, calibration slope "
            f"{held[0]['calibration slope']}, Brier {held[0]['Brier']} (constant {held[1]['Brier']}). PD-L1 alone, in "
            f"held-out patients in whom it was measured: {pdl1['AUC of the comparator']}, the model "
            f"{pdl1['AUC of the model']}, difference {pdl1['difference (95 %)']}: {compared(pdl1, 'PD-L1')}. "
            f"**LORIS where it was not trained** (Shim, {shim['n (events)']}; "
            f"the model fitted without that cohort): {shim['AUC of the comparator']}, the model "
            f"{shim['AUC of the model']}, difference {shim['difference (95 %)']}: {word}. "
            f"In a new cohort the overall level can be miscalibrated: calibration in the large {min(levels):+.1f} to "
            f"{max(levels):+.1f} (log odds)."
        )
    shim = tables["response shim"][0]
    lines.append(
        "- Patients with PD-L1, TMB, albumin, NLR and line of therapy are ranked at least as well by LORIS. What the "
        "model adds is an estimate for all others, an interval, and a probability: LORIS as published is a score "
        f"(Brier score of response in Shim, LORIS / model: {shim['Brier, comparator / model']})."
    )
    return "\n".join(lines) + "\n"


INTRODUCTION = """# Probability of response

immunescape estimates a calibrated probability of response (RECIST complete or partial response) and one of benefit
(alive and progression-free at 12 months) on a PD-1 or PD-L1 inhibitor, for the patient's setting: line of therapy,
monotherapy or combination with chemotherapy or a CTLA-4 antibody, histology. No input is mandatory. Unmeasured inputs
are marginalised, conditional on the measured ones, and widen the interval; an estimate is possible from blood values
alone, without sequencing. It is reported beside the published scores, which are never averaged. For research use
only; not treatment advice.

```python
from immunescape.profile.scores import response_probability, response_table

estimate = response_probability(pdl1=60, nlr=2.5, albumin=42, prior_therapy=False, chemotherapy=False)
estimate.standings["response"].probability, estimate.standings["response"].low, estimate.standings["response"].high
estimate.standings["response"].contributions    # input -> log odds
response_table(frame)                           # one column per input, one row per patient
```

`immunescape profile` prints the estimate for a patient, summarises it for a cohort, and writes it to the report and
`profile.json`; `immunescape.profile_study(folder).response` is the table for the cohort.

This page and its figure are generated by `scripts/response_page.py`; the model is fitted by
`scripts/fit_response.py`.
"""

METHOD = """
OAK's docetaxel arm contributes only to the joint distribution of the inputs. The 30 % of each cohort named by
`immunescape.knowledge.held_out` are in no fit. Response is the best response by RECIST; not evaluable and missing
(OAK) count as non-response. Benefit requires no progression and no death by month 12, from progression-free survival;
a death after the last scan ends it. Patients censored before month 12 are excluded and the others weighted by the
inverse probability of not yet being censored (Kaplan-Meier, within each cohort). All four cohorts have both
progression-free and overall survival.

## Method

- **Inputs** are jointly Gaussian on the scales below (an approximation for binary inputs), with mean and covariance
  estimated by EM from all patients, whatever values are missing. Two inputs never measured in the same patient are
  taken as conditionally independent given the others, except for tissue and plasma burden (0.6) and LIPI and NLR
  (0.6), both assumed.
- **Classes** of PD-L1 (< 1, 1-49, >= 50 %) enter with the mean and variance of the numerical values within them;
  SP142 classes with assumed, wide ones, as does one component of LIPI (LDH against its upper limit, or the derived
  NLR) where the other is missing.
- **Outcome** is logistic in the inputs, integrated over missing ones; cohorts have random intercepts; coefficients
  have a normal prior centred at 0, whose width was chosen by leaving cohorts out. The coefficient of chemotherapy has
  a prior from a pooled analysis of randomised trials (akinboro2022), because few patients here received it.
- **Interval**: it includes the variance of the unmeasured inputs, of the coefficients (bootstrap over cohorts and
  patients, with the prior redrawn), and of the intercept between cohorts. On the log-odds scale it can only widen
  when a measurement is removed. It is the interval of the probability, not of an individual outcome.
- **Contributions** are Shapley values of the log odds: the shift from the average patient caused by a measurement,
  averaged over the orders in which measurements can be added. They are additive. They include the information that a
  measurement carries about unmeasured inputs, so they are associations, not causal effects.
"""

COEFFICIENTS = """Log odds per standard deviation of the input ± standard error; `measured in` counts training
patients on a checkpoint inhibitor. Inputs measured in a single cohort carry that cohort's confounding.
"""

LOOKED = """Scales and priors were chosen by leaving cohorts out, before the held-out patients were inspected. One
correction was made afterwards: a wide class of PD-L1 (at least 1 %, SP142) is no longer taken as evidence for an
impossible value.
"""

FIGURE = """Left: observed frequency by quintile of predicted probability, with 95 % intervals (Wilson, on the
effective sample size). Right: net benefit per 100 held-out patients.
"""

LIMITS = """## Limits

- The joint distribution is that of these four cohorts; most patients were pretreated and received monotherapy.
- Chemotherapy with the antibody is based on few patients here and on randomised comparisons from the literature; that
  PD-L1 may matter less with chemotherapy is not modelled.
- TMB differs between panels and exomes; a burden from another assay shifts the result.
- Values beyond the first or ninety-ninth percentile of the training patients are clipped to it (ECOG 3 counts as 2).
- The cohorts differ by more than their inputs explain (standard deviation of log odds 0.3 to 0.4); in OAK, where
  patients without an assessment count as non-responders, a model of the other cohorts overestimates response.
- On the probability scale, an interval is narrower near 0 or 1 than near one half, so it may shrink there when a
  measurement that favoured a probability near one half is removed; `log_odds_sd` never does.
- TOPOSCORE's class counts only in patients outside its discovery set. LIPI is known for 40 % of one cohort.
- The interval is valid for patients like these; the model has no information on oncogene-addicted tumours on targeted
  therapy.
- Patients of `msk_nsclc_pd1_2018` overlap with the Chowell cohort, so accuracy there is not an external test.
"""


def _wilson(share: float, n: float) -> tuple[float, float]:
    z = 1.96
    middle, half = (
        (share + z * z / (2 * n)) / (1 + z * z / n),
        z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)),
    )
    return middle - half / (1 + z * z / n), middle + half / (1 + z * z / n)


def draw(
    path: Path,
    held: Mapping[str, Any],
    away: Mapping[str, Any],
    net_benefit: Callable[..., float],
    rivals: Mapping[str, Mapping[str, Callable[..., np.ndarray]]],
) -> None:
    """Draw calibration and decision curves of both outcomes."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(10.5, 8.4), constrained_layout=True)
    for (calibration, decision), e in zip(axes, ENDPOINTS, strict=True):
        calibration.plot([0, 0.6], [0, 0.6], color="#8a95a0", lw=1, ls=":", label="perfect")
        for t, title, colour, shift in (
            (held[e], "held-out 30 %", "#1f5f8b", 0.0),
            (away[e], "cohorts left out", "#c4621a", 0.004),
        ):
            for g, rows in enumerate(np.array_split(np.argsort(t.p, kind="stable"), 5)):
                w, y = t.w[rows], t.y[rows]
                share, x = (w * y).sum() / w.sum(), (w * t.p[rows]).sum() / w.sum() + shift
                low, high = _wilson(share, w.sum() ** 2 / (w**2).sum())
                calibration.plot([x, x], [low, high], color=colour, lw=1.2)
                calibration.plot(x, share, "o", color=colour, ms=6, label=title if g == 0 else None)
        calibration.set(
            xlim=(0, 0.6), ylim=(0, 0.75), title=TITLES[e], xlabel="predicted probability", ylabel="observed frequency"
        )
        calibration.legend(frameon=False, loc="upper left")
        t = held[e]
        pdl1 = rivals[e]["PD-L1"](t.inputs)
        use = ~np.isnan(pdl1)
        y, w = t.y[use], t.w[use]
        grid = np.linspace(0.02, 0.5, 97)
        for title, p in (("this model", t.p[use]), ("PD-L1 alone", pdl1[use]), ("treat all", np.ones(len(y)))):
            value = [100 * net_benefit(y, w, p, s) for s in grid]
            decision.plot(grid, value, color=COLOURS[title], lw=1.8 if title == "this model" else 1.3, label=title)
        decision.axhline(0, color="#333", lw=0.8, label="treat none")
        decision.set(
            ylim=(-6, 25),
            xlabel="threshold probability",
            ylabel="net benefit per 100 patients",
            title=f"Decision curve, {len(y)} held-out patients",
        )
        decision.legend(frameon=False)
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
