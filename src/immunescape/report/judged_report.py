"""The page of forecasts for held-out patients, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from immunescape.console import markdown_table
from immunescape.report.tables import number, with_interval
from immunescape.twins.combined import Combination, verdict_of

__all__ = ["judged_markdown"]

_TITLES = {"last value stays": "last value carried forward"}
"""How the page names a predictor where its key in ``judged.json`` differs."""

_HEAD = """# Real patients to whom nothing was fitted

Written by `immunescape judge`. In OAK, LORIS and TOPOSCORE, 30 % of the patients are held out by a hash of their
identifier (`immunescape.knowledge.held_out`): no distribution, hazard, probability or link of the project was fitted to
them, with the exception below. The statistical predictors are fitted to the other 70 % of the same cohort, with the
same inputs.

One thing cannot respect the split: published results and characteristics of whole trials and cohorts, to which the
population is fitted, include their held-out patients. OAK's table of lesions has identifiers of its own, so that its
held-out 30 % and that of the survival table are different patients. Until 30 November 2026 the hazard of new lesions
was estimated from all patients of OAK (0.0136 per month at rest; 0.0054 now, with a standard error of 0.014 over
resampled patients), and courses of held-out lesions were among those from which the hazard of death draws tumour
sizes.

A forecast comes from one large virtual population for each setting, whose patients are weighted by how well they match
a real patient's covariates; [](twins.md) describes the method and its smoothing. Nothing is simulated for single
patients.

Two things were changed after a first look at held-out patients, with 60 virtual patients (29 November 2026): AUCs are
compared on the same patients, and the monitored forecast carries forward a fraction of the error at the last diameter;
that fraction is estimated from the other 70 %, but the idea followed the error on held-out lesions (error of later
diameters 0.217 then, 0.15 now). The figures for lesions are therefore optimistic. Until 30 November 2026, verdicts of
the aims went by the estimates; they now go by the intervals.
"""


def _interval(row: Mapping[str, Any] | None, digits: int = 2) -> str:
    if not row or row.get("value") is None:
        return "–"
    return with_interval(row["value"], [row["low"], row["high"]], digits)


def _excludes(row: Mapping[str, Any], neutral: float = 0.0) -> bool:
    return row.get("low") is not None and (row["low"] > neutral or row["high"] < neutral)


def judged_markdown(result: Mapping[str, Any], combined: Combination | None = None) -> str:
    """The page from the content of ``judged.json``, with the scores of a combination that `twin` and `rank` use."""
    pools = ", ".join(f"{name} {n}" for name, n in result["pools"].items())
    lines = [
        _HEAD,
        f"Virtual patients: {pools} (seed {result['seed']}); model `{result['model'][:12]}`, version "
        f"{result['version']}; {result['seconds']['cpu']:.0f} s of CPU in the main process.",
        "",
        "## Aims, set in advance",
        "",
    ]
    rows = [
        (a["cohort"], a["aim"], _interval(a, 3), f"**{a['verdict']}**" if a["verdict"] == "missed" else a["verdict"])
        for a in result["aims"]
    ]
    lines += markdown_table(("cohort", "aim", "value (95 % interval)", ""), rows)
    lines += [_AIMS_NOTE, "", *_combined(combined)]
    for cohort in result["cohorts"]:
        lines += _cohort(cohort)
    if result["benefit"] is not None:
        lines += _benefit(result["benefit"])
    if result["monitoring"] is not None:
        lines += _monitoring(result["monitoring"])
    return "\n".join(lines).rstrip() + "\n"


_AIMS_NOTE = (
    "An aim is met if the whole interval lies on the side aimed at, and missed if it lies on the other (a slope: if "
    "the estimate lies outside the range). Where the interval contains zero, the two are not distinguishable: the aim "
    "was not reached."
)


_PARTS = {"twins": "mechanistic", "statistical": "statistical"}


def _combined(learnt: Combination | None) -> list[str]:
    """The combination that `twin` and `rank` show: weights, and scores on held-out patients."""
    if learnt is None:
        return []
    by = learnt.provenance
    names = ("twins", "statistical", "combined")
    rows = []
    for end, title in (("response", "response, AUC"), ("pfs", "PFS, C-index"), ("os", "OS, C-index")):
        row = learnt.held_out[end]
        said = f"{verdict_of(row['gain'])} the {_PARTS[row['better']]} one"
        scores = (_interval(row["scores"][name]) for name in names)
        rows.append((title, row["patients"], *scores, f"{_interval(row['gain'], 3)}: {said}"))
    slopes = learnt.held_out["response"]["calibration"]
    shown = ", ".join(
        f"{_PARTS.get(name, name)} {slopes[name]['slope']:.2f} ± {slopes[name]['slope_se']:.2f}" for name in names
    )
    weights = [("response (log odds)", learnt.response[1:], learnt.response_covariance[1:, 1:])]
    weights += [(f"{end.upper()} (log hazard)", h.weights, h.weights_covariance) for end, h in learnt.hazards.items()]
    said = "; ".join(
        f"{title} {w[0]:.2f} ± {v[0, 0] ** 0.5:.2f} and {w[1]:.2f} ± {v[1, 1] ** 0.5:.2f}" for title, w, v in weights
    )
    return [
        "## The combination in `twin` and `rank`",
        "",
        f"One model for all cohorts, learnt on {sum(learnt.learnt_from.values())} patients on an inhibitor alone who "
        f"are not held out ({by['date']}, seed {by['seed']}, released numbers `{by['numbers'][:12]}`; "
        f"`{by['script']}`), with inputs that were not measured integrated over. Statistical: the [response "
        "model](response.md), and Cox models on the same inputs. Combined: stacked regression with weights of the "
        f"statistical and the mechanistic forecast (coefficient ± standard error) of {said}. Below, held-out patients "
        "of all cohorts; pairs of patients within a cohort, 95 % bootstrap intervals.",
        "",
        *markdown_table(
            ("forecast of", "n", "mechanistic", "statistical", "combined", "combined less the better part"), rows
        ),
        f"Calibration slope of response: {shown}.",
        "",
    ]


def _cohort(c: Mapping[str, Any]) -> list[str]:
    lines = [
        f"## {c['name']}: {c['held_out']} patients held out, {c['others']} others",
        "",
        f"On an inhibitor alone. Median effective sample size of a forecast: {c['effective']:.0f}. Inputs: "
        f"{', '.join(n for n in c['inputs'] if not n.endswith('missing'))}.",
        "",
        "Response. AUC with DeLong's interval; calibration slope and intercept (response regressed on the "
        "log odds of the forecast); net benefit at thresholds of 10, 20 and 30 %.",
        "",
    ]
    skip = ("stacking", "where LORIS was not trained")
    table = []
    for name, row in c["response"].items():
        if name in skip:
            continue
        k, benefit = row.get("calibration"), row.get("net_benefit", {})
        table.append(
            (
                name,
                row.get("n", ""),
                _interval(row.get("auc")),
                "–" if k is None else f"{k['slope']:.2f} ± {k['slope_se']:.2f}",
                "–" if k is None else f"{k['intercept']:.2f} ± {k['intercept_se']:.2f}",
                "–" if k is None else f"{100 * k['forecast']:.0f} / {100 * k['observed']:.0f}",
                " / ".join(f"{v:.3f}" for v in benefit.values()) or "–",
            )
        )
    lines += markdown_table(
        ("predictor", "n", "AUC", "slope", "intercept", "predicted / observed %", "net benefit"), table
    )
    unseen = c["response"].get("where LORIS was not trained")
    if unseen:
        shown = ", ".join(f"{name} {_interval(row['auc'])} (n {row['n']})" for name, row in unseen.items())
        lines += [f"AUC in the cohort on which the LORIS formula was not developed: {shown}.", ""]
    lines += ["Survival: Harrell's C with bootstrap intervals over patients.", ""]
    names = list(c["os"]["c_index"])
    lines += markdown_table(
        ("predictor", f"PFS ({c['pfs']['events']} events)", f"OS ({c['os']['events']} events)"),
        [
            (
                name,
                *(
                    with_interval(c[e]["c_index"][name]["value"], c[e]["c_index"][name]["interval"], 2)
                    for e in ("pfs", "os")
                ),
            )
            for name in names
        ],
    )
    return [*lines, *_stacking(c)]


def _stacking(c: Mapping[str, Any]) -> list[str]:
    """What the mechanistic forecast adds to a statistical model, in words and numbers."""
    s = c["response"]["stacking"]
    sentences = [
        f"Response: the model's AUC less that of PD-L1 {_interval(s['auc_of_model_less_pdl1'])}, less that of the "
        f"logistic regression {_interval(s['auc_of_model_less_logistic'])}; stacked with it (weight of the model "
        f"{s['weights']['model']['value']:.2f} ± {s['weights']['model']['se']:.2f}) it gains "
        f"{_interval(s['auc_gain_over_logistic'])} over the regression alone."
    ]
    adds = _excludes(s["auc_gain_over_logistic"]) and s["auc_gain_over_logistic"]["value"] > 0
    for end in ("pfs", "os"):
        joint = c[end]["stacking"]
        sentences.append(
            f"{end.upper()}: the model's C less that of the Cox model {_interval(joint['c_of_model_less_cox'])}; "
            f"stacked (hazard ratio per e-fold of expected time {_interval(joint['weights']['model'])}) it gains "
            f"{_interval(joint['c_gain_over_cox'], 3)}."
        )
        adds = adds or (_excludes(joint["c_gain_over_cox"]) and joint["c_gain_over_cox"]["value"] > 0)
    sentences.append(
        "**The mechanistic forecast adds to the statistical model here.**"
        if adds
        else "**No gain of the mechanistic forecast over the statistical model was demonstrated here.**"
    )
    return [" ".join(sentences), ""]


def _benefit(b: Mapping[str, Any]) -> list[str]:
    mean = b["mean_benefit_months"]
    lines = [
        "## Benefit of atezolizumab over docetaxel",
        "",
        f"{b['patients']} held-out patients of both arms of OAK. Mean difference of survival within 18 months: "
        f"predicted {number(mean['predicted'], 2)} months, observed {number(mean['seen'], 2)}. A predictor is "
        "informative if the hazard ratio of atezolizumab falls as predicted benefit rises (interaction below 1).",
        "",
    ]
    rows = []
    for name, p in b["predictors"].items():
        halves = (f"{_interval(p['hazard_ratio'][k])} (n {p['hazard_ratio'][k]['n']})" for k in ("most", "least"))
        rows.append((name, _interval(p["interaction"]), number(p["interaction"]["p"], 3), *halves))
    return [
        *lines,
        *markdown_table(("predictor", "interaction per SD", "p", "HR, most predicted benefit", "HR, least"), rows),
    ]


def _monitoring(m: Mapping[str, Any]) -> list[str]:
    lines = [
        "## Monitored lesions of OAK",
        "",
        f"{m['patients']} held-out lesions with a baseline, two scans and later ones ({m['scans']} scans to forecast, "
        f"{m['regrown']} lesions regrew). Errors are of ln diameter (0.1 is about 10 %), means of each patient's "
        "scans; C-index of the time to regrowth. Of the error of the virtual course at the last diameter, "
        f"{100 * m['carried']:.0f} % is carried forward, a fraction estimated from lesions that may be fitted to. "
        + (
            ""
            if m["coverage_80"] is None
            else f"The model's 80 % interval contained {100 * m['coverage_80']:.0f} % of later diameters."
        ),
        "",
    ]
    rows = []
    for name, d in m["diameters"].items():
        mean, low, high = d["mean"]
        against = m["against"].get(name)
        rows.append(
            (
                _TITLES.get(name, name),
                number(d["median"], 3),
                with_interval(mean, [low, high], 3),
                "–" if against is None else with_interval(against[0], against[1:], 3),
                number(m["regrowth"][name], 2),
            )
        )
    head = ("predictor", "median error", "mean error", "model minus predictor", "C of regrowth")
    return [*lines, *markdown_table(head, rows)]
