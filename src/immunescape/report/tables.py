"""Tables of a virtual trial, as plain rows, for the terminal and for HTML alike."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from immunescape.console import markdown_table
from immunescape.evaluation.mechanism_labels import owner_label, through_text
from immunescape.model.declarations import Drug

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.model import Model
    from immunescape.trial.result import TrialResult
    from immunescape.trial.spec import DataCut, Trial

__all__ = [
    "NOT_REACHED",
    "Table",
    "baseline_table",
    "comparison_table",
    "escape_table",
    "flow_table",
    "grades_table",
    "markdown_table",
    "protocol_table",
    "resistance_table",
    "response_table",
    "results_table",
    "safety_table",
]

Row = dict[str, Any]
HEADINGS = 3
"""Number of columns that may head a row where a table is shown as a list."""


@dataclass(frozen=True)
class Table:
    """Rows of one table; `numeric` names the columns that are set flush right."""

    rows: list[Row]
    numeric: tuple[str, ...] = ()

    @property
    def columns(self) -> list[str]:
        """Column names, in order."""
        return list(self.rows[0]) if self.rows else []

    @property
    def flush_right(self) -> frozenset[str]:
        """Columns that are numbers: those in `numeric`, and those whose every value is a number, or a dash."""
        texts = {c: [str(row.get(c, "")) for row in self.rows] for c in self.columns}
        numbers = (c for c, t in texts.items() if any(map(_NUMBER.fullmatch, t)) and all(map(_CELL.fullmatch, t)))
        return frozenset((*self.numeric, *numbers))

    @property
    def headings(self) -> tuple[str, ...]:
        """Leading columns, three at most, that tell the rows apart; the first alone where these do not."""
        columns = self.columns
        for k in range(1, min(HEADINGS, len(columns) - 1) + 1):
            if k > 1 and columns[k - 1] in self.flush_right:
                break
            if len({tuple(str(row.get(c, "")) for c in columns[:k]) for row in self.rows}) == len(self.rows):
                return tuple(columns[:k])
        return tuple(columns[:1])


_NUMBER = re.compile(r"[+−-]?\d[\d,]*(\.\d+)?(e[+-]?\d+)?( ?%)?( \([^()]*\))?")
_CELL = re.compile(rf"{_NUMBER.pattern}|–|")


def number(value: Any, digits: int = 1) -> str:
    """Format a number; what is not known is a dash."""
    if value is None or (isinstance(value, float) and not np.isfinite(value)):
        return "–"
    return f"{value:.{digits}f}"


NOT_REACHED = "not reached"
"""What is said of a median, or of a bound of its interval, that patients lived beyond; a dash is what is not known."""


def with_interval(value: Any, interval: Any, digits: int = 1, missing: str = "–") -> str:
    """Format ``value (low to high)``; a value that is not there is `missing`."""
    text = missing if value is None else number(value, digits)
    if text == "–" or not interval or all(v is None for v in interval):
        return text
    low, high = (number(v, digits) if v is not None else NOT_REACHED for v in interval)
    return f"{text} ({low} to {high})"


def no_value(arm: Mapping[str, Any], key: str) -> str:
    """What is said where an arm of a virtual trial has no value: a median is not reached if anybody could reach it."""
    if not key.endswith("_median_months") or not arm["n"]:
        return "–"
    return NOT_REACHED if key != "dor_median_months" or arm["orr_pct"] else "–"


_ENDPOINTS = (
    ("Objective response (%)", "orr_pct", "orr_ci"),
    ("Duration of response, median (months)", "dor_median_months", "dor_median_ci"),
    ("Progression-free survival, median (months)", "pfs_median_months", "pfs_median_ci"),
    ("Overall survival, median (months)", "os_median_months", "os_median_ci"),
    ("Grade 3 or higher toxicity (%)", "grade3_pct", None),
    ("Stopped for toxicity (%)", "discontinued_pct", None),
)
_PATHOLOGY = (
    ("Resected (%)", "resected_pct", None),
    ("Major pathological response (%)", "mpr_pct", "mpr_ci"),
    ("Complete pathological response (%)", "pcr_pct", "pcr_ci"),
)


def results_table(result: TrialResult) -> Table:
    """Each endpoint and arm, predicted beside published."""
    published = result.trial.published
    rows: list[Row] = []
    for title, key, interval in (*_ENDPOINTS, *(_PATHOLOGY if result.trial.resection_day is not None else ())):
        for arm in result.arms:
            published_arm = published.arm(arm["name"]) if published else None
            value = getattr(published_arm, key, None) if published_arm else None
            bounds = getattr(published_arm, interval, None) if published_arm and interval else None
            rows.append(
                {
                    "Endpoint": title,
                    "Arm": arm["name"],
                    "n": arm["n"],
                    "Predicted (95 % interval)": with_interval(
                        arm.get(key), arm.get(interval) if interval else None, missing=no_value(arm, key)
                    ),
                    "Published": with_interval(value, bounds),
                    "Ratio": _ratio(arm.get(key), value),
                }
            )
    return Table(rows, ("n", "Predicted (95 % interval)", "Published", "Ratio"))


def _ratio(predicted: Any, published: Any) -> str:
    return f"{predicted / published:.2f}" if predicted is not None and published else "–"


def comparison_table(result: TrialResult) -> Table:
    """Hazard ratios, predicted beside published and, for OS, beside what the hazard of death alone gives."""
    published = result.trial.published
    rows = []
    others = result.comparison.get("others", [])
    for k, c in enumerate([result.comparison, *others]):
        of_arm = (
            getattr(published, "others", {}).get(c.get("experimental"), {})
            if k
            else vars(published)
            if published
            else {}
        )
        for title, key in (("Progression-free survival", "pfs_hr"), ("Overall survival", "os_hr")):
            if key not in c:
                continue
            rows.append(
                {
                    "Hazard ratio": f"{title}, {c['experimental']}" if others else title,
                    "Predicted (95 % interval)": with_interval(c[key], c.get(f"{key}_ci"), 2),
                    "Published": with_interval(of_arm.get(key), of_arm.get(f"{key}_ci"), 2) if published else "–",
                    "Same courses in both arms": number(c.get("os_hr_same_course"), 2) if key == "os_hr" else "–",
                }
            )
    return Table(rows, ("Predicted (95 % interval)", "Published", "Same courses in both arms"))


def response_table(result: TrialResult) -> Table:
    """Best overall response per arm: at the data cut of the response rate, and over the whole follow-up."""
    rows = []
    for arm in result.arms:
        n = max(arm["n"], 1)
        later = list(result.patients.loc[result.patients["arm"] == arm["name"], "best_response"].astype(str))
        for until, counts in (
            ("data cut", arm["best_response"]),
            ("end of follow-up", {category: later.count(category) for category in arm["best_response"]}),
        ):
            row: Row = {"Arm": arm["name"], "Until": until, "n": arm["n"]}
            rows.append(row | {k: f"{v} ({100 * v / n:.0f} %)" for k, v in counts.items()})
    return Table(rows, ("n", *list(rows[0])[3:]))


def resistance_table(result: TrialResult) -> Table:
    """Resistance by SITC's definitions, what ended progression-free survival, and next lines, per arm."""
    rows = []
    for arm in result.arms:
        ended = arm["pfs_events"]
        rows.append(
            {
                "Arm": arm["name"],
                "Primary resistance": arm["resistance"].get("primary", 0),
                "Acquired resistance": arm["resistance"].get("acquired", 0),
                "Progressed": ended.get("progression", 0),
                "Died first": ended.get("death", 0),
                "Next line (%)": number(arm.get("next_line_pct")),
            }
        )
    return Table(rows, tuple(rows[0])[1:])


def safety_table(result: TrialResult) -> Table:
    """Toxicity and stopping, per arm."""
    published = result.trial.published
    rows = []
    for arm in result.arms:
        pub = published.arm(arm["name"]) if published else None
        rows.append(
            {
                "Arm": arm["name"],
                "Grade 3 or higher (%)": number(arm["grade3_pct"]),
                "Published grade 3 or higher (%)": number(pub.grade3_pct if pub else None),
                "Stopped for toxicity (%)": number(arm["discontinued_pct"]),
                "Published stopped (%)": number(pub.discontinued_pct if pub else None),
                "Deaths from toxicity": arm["toxic_deaths"],
            }
        )
    return Table(rows, tuple(rows[0])[1:])


def survival_table(result: TrialResult, months: tuple[float, ...] = (6, 12, 24, 36, 48, 60)) -> Table:
    """Predicted and published event-free shares at landmarks (%)."""
    published = result.trial.published
    rows = []
    for endpoint, title in (("pfs", "Progression-free survival"), ("os", "Overall survival")):
        for arm in result.arms:
            curve = result.curves[endpoint, arm["name"]]
            pub = published.arm(arm["name"]) if published else None
            points = dict(pub.km.get(endpoint, ())) if pub else {}
            row: Row = {"Endpoint (%)": title, "Arm": arm["name"]}
            for m in months:
                text = number(100 * step_at(curve, m)) if m <= curve["time"].max() else "–"
                row[f"{m:g} months"] = f"{text} (published {points[m]:g})" if m in points else text
            rows.append(row)
    return Table(rows, tuple(f"{m:g} months" for m in months))


def at_risk_table(result: TrialResult, endpoint: str = "os", every: float = 12.0) -> Table:
    """Numbers at risk for overall survival."""
    rows = []
    for arm in result.arms:
        curve = result.curves[endpoint, arm["name"]]
        row: Row = {"Overall survival, months": arm["name"]}
        row |= {f"{t:g}": at_risk(curve, t) for t in np.arange(0, curve["time"].max() + 1e-9, every)}
        rows.append(row)
    columns = max((list(r) for r in rows), key=len)
    return Table([{c: r.get(c, 0) for c in columns} for r in rows], tuple(columns[1:]))


def step_at(curve: pd.DataFrame, month: float, column: str = "survival") -> float:
    """Value of a step curve at a month."""
    k = int(np.searchsorted(curve["time"].to_numpy(), month, side="right")) - 1
    return float(curve[column].to_numpy()[max(k, 0)])


def at_risk(curve: pd.DataFrame, month: float) -> int:
    """Patients still at risk just before a month."""
    times = curve["time"].to_numpy()
    k = int(np.searchsorted(times, month, side="left"))
    return int(curve["at_risk"].to_numpy()[k]) if k < len(times) else 0


def protocol_table(trial: Trial) -> Table:
    """The protocol in short."""
    population = trial.population
    rows: list[Row] = [
        {"Item": "Trial", "Protocol": f"{trial.title} ({trial.registry})" if trial.registry else trial.title},
        {"Item": "Eligibility", "Protocol": "; ".join(c.words for c in population.criteria)},
    ]
    rows += [
        {
            "Item": "Earlier treatment (simulated)",
            "Protocol": f"{' or '.join(str(c.regimen) for c in line.choices)}; "
            f"then {line.outcome} within {line.months:g} months",
        }
        for line in trial.prior
    ]
    for arm in trial.arms:
        for k, choice in enumerate(arm.choices):
            when = f" if {' and '.join(c.words for c in choice.when)}" if choice.when else ""
            share = f" [weight {choice.weight:g}]" if len(arm.choices) > 1 else ""
            rows.append(
                {"Item": f"{arm.name} ({arm.role})" if k == 0 else "", "Protocol": f"{choice.regimen}{when}{share}"}
            )
        if arm.crossover:
            to = " or ".join(str(c.regimen) for c in arm.crossover.choices)
            rows.append(
                {
                    "Item": "  crossover",
                    "Protocol": f"{100 * arm.crossover.fraction:g} % of {arm.crossover.of}, to {to}",
                }
            )
        rows += [
            {
                "Item": "  after progression",
                "Protocol": f"{100 * option.fraction:g} % of {option.of}, "
                + " or ".join(str(c.regimen) for c in option.choices)
                + ("" if option.stated else f" [default of line, region and year {trial.year}]"),
            }
            for option in arm.subsequent
        ]
    rows += [
        {"Item": "Scans", "Protocol": str(trial.visits)},
        {
            "Item": "Response",
            "Protocol": f"RECIST 1.1, {'confirmed' if trial.endpoints.confirmation else 'no confirmation required'}, "
            f"{trial.endpoints.assessor} assessor",
        },
        {
            "Item": "Follow-up",
            "Protocol": f"{trial.follow_up_months:g} months; accrual {trial.accrual_months:g} months",
        },
    ]
    rows += [
        {"Item": "Data cut", "Protocol": f"{cut.months:g} months: {_endpoint_words(cut)}"} for cut in trial.data_cuts
    ]
    return Table(rows)


_ENDPOINT_WORDS = {
    "orr": "response",
    "dor": "duration of response",
    "pfs": "progression-free survival",
    "os": "overall survival",
    "dcr": "disease control",
    "mpr": "major pathological response",
    "pcr": "complete pathological response",
    "grade3": "toxicity of grade 3 or more",
    "discontinued": "discontinuation for toxicity",
}


def _endpoint_words(cut: DataCut) -> str:
    """Endpoints that a data cut is of, and its date where the protocol names it."""
    named = ", ".join(_ENDPOINT_WORDS[e] for e in cut.endpoints)
    return f"{named} ({cut.label})" if cut.label else named


def flow_table(result: TrialResult) -> Table:
    """Candidates by fate, per arm."""
    fates: dict[str, None] = {}
    for counts in result.candidates.values():
        fates.update(dict.fromkeys(counts))
    rows = [
        {"Candidates": fate, **{arm: counts.get(fate, 0) for arm, counts in result.candidates.items()}}
        for fate in fates
    ]
    return Table(rows, tuple(result.candidates))


_BASELINE = (
    ("Age (years)", "age"),
    ("Weight (kg)", "weight_kg"),
    ("Body surface (m²)", "bsa_m2"),
    ("Creatinine clearance (mL/min)", "crcl_ml_min"),
    ("Albumin (g/L)", "albumin_g_l"),
    ("LDH (times upper limit)", "ldh_uln"),
    ("Neutrophil-to-lymphocyte ratio", "nlr"),
    ("PD-L1 TPS (%)", "pdl1_tps"),
    ("TMB (mutations/Mb)", "tmb_mut_mb"),
    ("Target lesions", "n_target_lesions"),
    ("Lesions", "n_lesions"),
    ("Sum of diameters (mm)", "sld_mm"),
    ("Sum of diameters (mm)", "baseline_sld_mm"),
)
_COVARIATE_NAMES = {
    "sex": "Sex",
    "ecog": "ECOG",
    "smoking": "Smoking",
    "histology": "Histology",
    "driver": "Driver",
    "kras_g12c": "KRAS G12C",
    "stk11": "STK11 mutation",
    "keap1": "KEAP1 mutation",
    "liver_mets": "Liver metastases",
    "brain_mets": "Brain metastases",
}
"""Names as readers know them; genes as HGNC writes them."""
_SHARES = ("sex", "ecog", "smoking", "histology", "driver", "kras_g12c", "stk11", "keap1", "liver_mets", "brain_mets")


def baseline_table(result: TrialResult) -> Table:
    """Baseline of the enrolled patients: medians with quartiles, shares."""
    rows: list[Row] = []
    groups = {arm["name"]: result.patients[result.patients["arm"] == arm["name"]] for arm in result.arms}
    for title, column in _BASELINE:
        if column not in result.patients.columns:
            continue
        row: Row = {"Baseline": title}
        for arm, table in groups.items():
            q = np.nanpercentile(table[column].astype(float), [25, 50, 75]) if len(table) else [np.nan] * 3
            row[arm] = f"{q[1]:.3g} [{q[0]:.3g}–{q[2]:.3g}]"
        rows.append(row)
    for column in _SHARES:
        if column not in result.patients.columns:
            continue
        for level in sorted(result.patients[column].dropna().unique(), key=str):
            if level is False or (isinstance(level, np.bool_) and not level):
                continue
            name = _COVARIATE_NAMES.get(column, column.replace("_", " "))
            shown = name if isinstance(level, bool | np.bool_) else f"{name}: {level}"
            rows.append(
                {
                    "Baseline": f"{shown} (%)",
                    **{a: number(100 * float((t[column] == level).mean())) for a, t in groups.items()},
                }
            )
    return Table(rows, tuple(groups))


def grades_table(model: Model) -> Table:
    """How many parameters of each mechanism and drug are measured, fitted, assumed, and what each was tested by.

    Of a drug, what the mechanisms were tested by through which it acts.
    """
    rows = []
    for component in (*model.mechanisms, *model.drugs):
        grades = Counter(p.grade for p in model.parameters.values() if p.owner == component.name)
        rows.append(
            {
                "Mechanism or drug": component.title,
                "States": sum(s.owner == component.name for s in model.states.values()),
                **{g: grades.get(g, 0) for g in ("measured", "fitted", "assumed")},
                "Tested": through_text(component) if isinstance(component, Drug) else owner_label(component.name),
            }
        )
    return Table(rows, ("States", "measured", "fitted", "assumed"))


def escape_table(escape: Mapping[str, Any]) -> Table:
    """Patients by what carried their escape, primary and acquired apart, most frequent first."""
    kinds = ("primary", "acquired")
    counts = escape["counts"]
    names = {name for kind in counts.values() for name in kind}
    total = {name: sum(counts.get(k, {}).get(name, 0) for k in kinds) for name in names}
    rows: list[Row] = []
    for name in sorted(names, key=lambda n: (-total[n], n)):
        gains = [p["gain_months"] for p in escape["patients"] if (p["mechanism"] or "none alone") == name]
        rows.append(
            {
                "Attribution of escape": escape["candidates"].get(name, "None alone"),
                "Primary": counts.get("primary", {}).get(name, 0),
                "Acquired": counts.get("acquired", {}).get(name, 0),
                "Tested": owner_label(name),
                "Median gain without it (months)": number(float(np.median(gains))),
            }
        )
    return Table(rows, ("Primary", "Acquired", "Median gain without it (months)"))


def cited(grade: str, sources: Iterable[str]) -> str:
    """Sources of a value; of an assumed one, what gave the direction, since none gave the number."""
    keys = "; ".join(k for k in sources if k != "assumed")
    return f"direction from {keys}" if keys and grade == "assumed" else keys or "assumed"


def toxicity_rows(drugs: list[str]) -> list[dict[str, Any]]:
    """Toxicity facts that apply to a set of drugs, as table rows."""
    from immunescape.model.drug_tables import drug_classes
    from immunescape.model.toxicity import toxicity_facts

    chosen = set(drugs)
    classes = {c for drug in chosen for c in drug_classes().get(drug, ())}
    return [
        {
            "regimen": f.regimen,
            "quantity": f.quantity,
            "value": f.value,
            "unit": f.unit,
            "grade": f.grade,
            "source": cited(f.grade, f.sources),
        }
        for f in toxicity_facts()
        if set(f.regimen.split("+")) & (chosen | classes)
    ]
