"""A credibility assessment of a simulated trial, in the order of ICH M15 and ASME V&V 40, from what was run.

The author states the question of interest, the context of use, how far the model decides (influence) and what a wrong
decision costs (consequence). All else is computed: verification of the solver, validation on published trials beside
naive baselines, uncertainty, sensitivity with the grade of what matters, and applicability of the calibration to this
trial. Criteria are fixed before anything is run; which of them must be met follows from influence and consequence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from immunescape.errors import unknown_word
from immunescape.evaluation.scoreboard import Score, published_ratios, summarise
from immunescape.evaluation.trial_classes import regimen_class, roles

if TYPE_CHECKING:
    from immunescape.evaluation.forecast import Forecast
    from immunescape.evaluation.sensitivity import Sensitivity
    from immunescape.model.parameters import Parameter
    from immunescape.trial.spec import Arm, Trial

__all__ = [
    "LEVELS",
    "Credibility",
    "CredibilityCriterion",
    "Purpose",
    "Verification",
    "assess",
    "required_tier",
    "verify",
]

Level = Literal["low", "medium", "high"]
LEVELS: tuple[str, ...] = get_args(Level)
Row = dict[str, Any]
Progress = Callable[[str], None]

SOLVER_ERROR = 1e-4
"""Largest relative error of the tumour's volume that counts as solved: far below the 5 % of reading a diameter."""
FAILED_SHARE = 0.01
MONTE_CARLO_SHARE = 0.25
"""Largest Monte Carlo error of a log hazard ratio, as a share of half the predicted interval."""
COVERED_SHARE = 0.8
LEAST_SCORED = 50
"""Virtual patients per arm from which on it counts that a published ratio lies inside: fewer widen every interval."""
ASSUMED_SHARE = 0.5
_DAYS = np.arange(0.0, 181.0, 10.0)


@dataclass(frozen=True)
class Purpose:
    """What the assessment is for; None and empty texts are what its author did not state.

    Attributes
    ----------
    question, context : question of interest; context of use.
    influence, consequence : how far the model decides, and what a wrong decision costs: low, medium or high.
    """

    question: str = ""
    context: str = ""
    influence: str | None = None
    consequence: str | None = None

    def __post_init__(self) -> None:
        for name in ("influence", "consequence"):
            level = getattr(self, name)
            if level is not None and level not in LEVELS:
                raise unknown_word(name, level, LEVELS)

    @property
    def risk(self) -> str:
        """Model risk: the larger of influence and consequence; high where one of them was not stated."""
        if self.influence is None or self.consequence is None:
            return "high"
        return LEVELS[max(LEVELS.index(self.influence), LEVELS.index(self.consequence))]


@dataclass(frozen=True)
class CredibilityCriterion:
    """One requirement, the figure that decides, and whether it is met; None where it could not be judged.

    `tier` : 1 is required at any risk, 2 from medium risk on, 3 at high risk.
    """

    name: str
    requirement: str
    figure: str
    met: bool | None
    tier: int


@dataclass(frozen=True)
class Verification:
    """Error of the solver on the trial's model, against another implementation at a tighter tolerance.

    `error` : largest relative difference of the reference patient's tumour volume over 180 days of treatment.
    """

    engine: str
    oracle: str
    regimen: str
    error: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Credibility:
    """The assessment.

    Attributes
    ----------
    trial, purpose : what was assessed, and for what.
    forecast : the trial's figures with intervals.
    verification : of the solver.
    scores : figures of trials with published results beside their predictions. summary : their errors by role.
    sensitivity : of response in the experimental arm, None where the trial has earlier lines of treatment, for which it
        is not analysed; `influential` : its first ten parameters with grade and source.
    drugs, setting : rows of applicability.
    criteria : all of them.
    """

    trial: Trial
    purpose: Purpose
    forecast: Forecast
    verification: Verification
    scores: tuple[Score, ...]
    summary: Mapping[str, Any]
    sensitivity: Sensitivity | None
    influential: tuple[Row, ...]
    drugs: tuple[Row, ...]
    setting: tuple[Row, ...]
    criteria: tuple[CredibilityCriterion, ...]

    @property
    def required(self) -> tuple[CredibilityCriterion, ...]:
        """The criteria that the model's risk asks for."""
        return tuple(c for c in self.criteria if c.tier <= required_tier(self.purpose.risk))

    @property
    def sufficient(self) -> bool:
        """Whether every required criterion is met; one that could not be judged is not."""
        return all(c.met for c in self.required)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "trial": self.trial.name,
            "question": self.purpose.question,
            "context_of_use": self.purpose.context,
            "influence": self.purpose.influence,
            "consequence": self.purpose.consequence,
            "risk": self.purpose.risk,
            "sufficient": self.sufficient,
            "criteria": [vars(c) for c in self.criteria],
            "verification": vars(self.verification) | {"error": _finite(self.verification.error)},
            "forecast": self.forecast.to_json(),
            "validation": {"rows": [s.row() for s in self.scores], "summary": dict(self.summary)},
            "sensitivity": None if self.sensitivity is None else self.sensitivity.to_json(),
            "influential": list(self.influential),
            "ablation": list(ablation_rows(self.trial)),
            "applicability": {"drugs": list(self.drugs), "setting": list(self.setting)},
        }


def _finite(value: float) -> float | None:
    """A number as JSON can hold it."""
    return value if math.isfinite(value) else None


def required_tier(risk: str) -> int:
    """Tier of criteria that a risk asks for."""
    return LEVELS.index(risk) + 1


def assess(
    trial: Trial,
    purpose: Purpose,
    *,
    patients: int = 200,
    seeds: Sequence[int] = (1, 2, 3),
    scored_patients: int = 60,
    trajectories: int = 6,
    scores: Sequence[Score] | None = None,
    workers: int | None = None,
    out: Path | None = None,
    engine: str = "auto",
    progress: Progress | None = None,
) -> Credibility:
    """Run what an assessment needs and judge it.

    Parameters
    ----------
    trial, purpose
        What is assessed, and for what.
    patients, seeds
        Of the forecast: virtual patients per arm and seed.
    scored_patients, scores
        Virtual patients per arm of the trials with published results; `scores` takes their place where they were
        computed before (``immunescape validate --json``).
    trajectories
        Trajectories of the sensitivity analysis, each from a different patient.
    workers, out, engine
        As for a single trial; `out` keeps finished patients.
    progress
        Called with what is done next.
    """
    from immunescape.evaluation.forecast import forecast
    from immunescape.evaluation.sensitivity import run_sensitivity
    from immunescape.evaluation.validation import validate

    def tell(step: str) -> None:
        if progress is not None:
            progress(step)

    tell("verification: comparison of the solver with another implementation")
    verified = verify(trial, engine)
    tell(f"uncertainty: {len(trial.arms)} arms of {patients} virtual patients with {len(seeds)} seeds")
    made = forecast(
        trial, patients=patients, seeds=seeds, workers=workers, engine=engine, out=None if out is None else out / "own"
    )
    if scores is None:
        tell(f"validation: {len(roles())} published trials, {scored_patients} virtual patients per arm")
        folder = None if out is None else out / "validation"
        scores = validate(patients=scored_patients, seed=seeds[0], workers=workers, engine=engine, out=folder).scores
    sensitive: Sensitivity | None = None
    if trial.prior:
        tell("sensitivity: not analysed for trials with earlier lines of treatment")
    else:
        tell(f"sensitivity: {trajectories} trajectories")
        sensitive = run_sensitivity(trial, patients=trajectories, top=10, seed=seeds[0], engine=engine)
    summary = summarise(scores, published_ratios())
    influential = () if sensitive is None else _graded(trial, sensitive)
    drugs, setting = _drug_rows(trial), _setting_rows(trial)
    criteria = _criteria(
        trial, verified, made=made, scores=scores, summary=summary, influential=influential, drugs=drugs
    )
    return Credibility(
        trial=trial,
        purpose=purpose,
        forecast=made,
        verification=verified,
        scores=tuple(scores),
        summary=summary,
        sensitivity=sensitive,
        influential=influential,
        drugs=drugs,
        setting=setting,
        criteria=criteria,
    )


# --- verification ----------------------------------------------------------------------------------------------------


def verify(trial: Trial, engine: str = "auto") -> Verification:
    """Solve the trial's model for the reference patient twice: as trials do, and by SciPy at a tolerance of 1e-9."""
    from immunescape.engine import get_engine
    from immunescape.engine.api import Doses, Job
    from immunescape.population.reference_baseline import prepared_model, reference_baseline
    from immunescape.trial.dosing import BodySize, administered, to_doses

    regimen = next(iter(trial.arms[0].choices)).regimen
    model = prepared_model(tuple(regimen.drugs), trial.specificity)
    base = dict(reference_baseline(prepared_model((), trial.specificity)).states)
    doses = to_doses(administered(regimen, BodySize(), until_days=float(_DAYS[-1]))) if regimen.drugs else Doses.none()
    volumes = {}
    names = {}
    for role, name, rtol in (("trial", engine, 1e-6), ("oracle", "reference", 1e-9)):
        solver = get_engine(name)
        names[role] = solver.name
        compiled = solver.compile(model.to_sbml())
        start = {state: base.get(state, 0.0) for state in compiled.states}
        atol = model.atol() if role == "trial" else None
        job = Job(n=1, times=_DAYS, outputs=("V_T",), initial=start, doses=doses, rtol=rtol, atol=atol)
        volumes[role] = compiled.run(job).values[0, :, 0]
    error = float(np.max(np.abs(volumes["trial"] / volumes["oracle"] - 1.0)))
    return Verification(names["trial"], "SciPy LSODA, relative tolerance 1e-9", str(regimen), error)


# --- applicability ---------------------------------------------------------------------------------------------------


def _drugs_of(arm: Arm) -> set[str]:
    return {drug for choice in arm.choices for drug in choice.regimen.drugs}


@cache
def _scored_drugs() -> dict[str, dict[str, list[str]]]:
    """Role -> drug -> trials that gave it in an arm."""
    from immunescape.trial.loading import load_trial

    out: dict[str, dict[str, list[str]]] = {"calibration": {}, "validation": {}}
    for name, (role, _) in sorted(roles().items()):
        for drug in sorted(set().union(*(_drugs_of(arm) for arm in load_trial(name).arms))):
            out[role].setdefault(drug, []).append(name)
    return out


def _drug_rows(trial: Trial) -> tuple[Row, ...]:
    """One row for each drug of the trial's arms: what trials bear its effect."""
    from immunescape.model.registry import get_drug

    scored = _scored_drugs()
    classes = {role: {get_drug(d).drug_class: names for d, names in drugs.items()} for role, drugs in scored.items()}
    rows = []
    for drug in sorted(set().union(*(_drugs_of(arm) for arm in trial.arms))):
        kind = get_drug(drug).drug_class
        if drug in scored["calibration"]:
            standing = "fitted: the drug is in a calibration trial"
        elif kind in classes["calibration"]:
            standing = "fitted: another drug of its class is in a calibration trial"
        elif drug in scored["validation"] or kind in classes["validation"]:
            standing = "scored: in validation trials only"
        else:
            standing = "extrapolated: in no calibration or validation trial"
        rows.append(
            {
                "Drug": drug,
                "Class": kind,
                "Calibration trials of the drug": ", ".join(scored["calibration"].get(drug, [])) or "none",
                "Validation trials of the drug": ", ".join(scored["validation"].get(drug, [])) or "none",
                "Standing": standing,
            }
        )
    return tuple(rows)


def _features(trial: Trial) -> dict[str, set[str]]:
    """What a trial's population is, in words that can be compared."""
    spec = trial.population
    last = spec.line[1]
    lines = f"{spec.line[0]}" if last == spec.line[0] else f"{spec.line[0]} to {last or 'any'}"
    stage = [c for c in spec.criteria if c.covariate == "stage"]
    tps = [c for c in spec.criteria if c.covariate == "pdl1_tps"]
    histology = [c for c in spec.criteria if c.covariate == "histology"]
    earlier = sorted(trial.earlier_drugs)
    return {
        "Line of treatment": {lines},
        "Stage": {str(c) for c in stage} or {"any"},
        "Histology": {str(c) for c in histology} or {"any"},
        "PD-L1": {str(c) for c in tps} or {"any"},
        "Region": {region for region, _ in spec.regions} or {spec.region},
        "Prior treatment": set(earlier) or {"none"},
        "Type of regimen": {regimen_class(trial)},
    }


def _setting_rows(trial: Trial) -> tuple[Row, ...]:
    """Features of the trial beside those of the calibration trials."""
    from immunescape.trial.loading import load_trial

    calibrated = [_features(load_trial(name)) for name, (role, _) in sorted(roles().items()) if role == "calibration"]
    rows = []
    for feature, values in _features(trial).items():
        seen = set().union(*(other[feature] for other in calibrated))
        covered = values <= seen or (seen >= {"any"} and feature in ("Histology", "PD-L1"))
        rows.append(
            {
                "Feature": feature,
                "This trial": "; ".join(sorted(values)),
                "Calibration trials": "; ".join(sorted(seen)),
                "Covered": "yes" if covered else "no",
            }
        )
    return tuple(rows)


# --- ablation --------------------------------------------------------------------------------------------------------


def ablation_rows(trial: Trial) -> tuple[Row, ...]:
    """Each drug of the trial with the mechanisms through which it acts and what these were tested by."""
    from immunescape.evaluation.mechanism_labels import through_text
    from immunescape.model.registry import get_drug

    names = sorted(set().union(*(_drugs_of(arm) for arm in trial.arms)))
    column = "Mechanisms through which it acts, by what tested them"
    return tuple({"Drug": name, column: through_text(get_drug(name))} for name in names)


# --- sensitivity -----------------------------------------------------------------------------------------------------


def _source(parameter: Parameter) -> str:
    """Sources of a value; of an assumed one, what gave the direction."""
    keys = "; ".join(parameter.sources)
    return f"direction from {keys}" if keys and parameter.grade == "assumed" else keys or "assumed"


def _graded(trial: Trial, sensitive: Sensitivity) -> tuple[Row, ...]:
    """The parameters that matter most to response, with grade and source."""
    from immunescape.evaluation.mechanism_labels import owner_label
    from immunescape.model.assembly import Model

    model = Model.build(drugs=list(trial.arms[0].drugs), check_units=False, specificity=trial.specificity)
    rows = []
    for row in sensitive.top(10):
        parameter = model.parameters.get(str(row["parameter"]))
        rows.append(
            {
                "Parameter": row["parameter"],
                "Mechanism": "covariate" if parameter is None else parameter.owner,
                "Tested": "–" if parameter is None else owner_label(parameter.owner),
                "Grade": "distribution of patients" if parameter is None else parameter.grade,
                "Source": "–" if parameter is None else _source(parameter),
                "Meaning": "–" if parameter is None else parameter.note or "–",
            }
        )
    return tuple(rows)


# --- criteria --------------------------------------------------------------------------------------------------------


def _criteria(
    trial: Trial,
    verified: Verification,
    *,
    made: Forecast,
    scores: Sequence[Score],
    summary: Mapping[str, Any],
    influential: Sequence[Row],
    drugs: Sequence[Row],
) -> tuple[CredibilityCriterion, ...]:
    simulated = made.patients * len(trial.arms) * len(made.seeds)
    out = [
        CredibilityCriterion(
            "Numerical accuracy of the solution",
            f"relative error of the tumour's volume at most {SOLVER_ERROR:g}",
            f"{verified.error:.1e} ({verified.engine} against {verified.oracle})",
            verified.error <= SOLVER_ERROR,
            1,
        ),
        CredibilityCriterion(
            "Proportion of failed simulations",
            f"at most {100 * FAILED_SHARE:g} % of simulations fail",
            f"{made.failed} of {simulated}",
            made.failed <= FAILED_SHARE * simulated,
            1,
        ),
        _monte_carlo(made),
    ]
    kind = regimen_class(trial)
    alike = [s for s in scores if s.endpoint.endswith("_hr") and s.published is not None and s.covered is not None]
    # the trial's own result says nothing about trials like it; `own` is no kind but all that has no name
    same = [s for s in alike if s.regimen_class == kind != "own" and s.trial != trial.name]
    inside = sum(bool(s.covered) for s in same)
    enough = all(s.n >= 2 * LEAST_SCORED for s in same)  # a ratio is of both arms
    out.append(
        CredibilityCriterion(
            "Prediction of trials of the same type of regimen",
            f"published hazard ratios of at least two other trials, {100 * COVERED_SHARE:g} % in their predicted"
            f" intervals, with {LEAST_SCORED} virtual patients per arm or more",
            f"{inside} of {len(same)} ratios of {len({s.trial for s in same})} other trials"
            f" ({'of a type that was not scored' if kind == 'own' else kind})"
            + (not enough)
            * "; too few virtual patients",
            len({s.trial for s in same}) >= 2 and inside >= COVERED_SHARE * len(same) if same and enough else None,
            2,
        )
    )
    experimental = set().union(*(_drugs_of(arm) for arm in trial.experimental))
    loose = [r["Drug"] for r in drugs if r["Drug"] in experimental and not str(r["Standing"]).startswith("fitted")]
    out.append(
        CredibilityCriterion(
            "Trial evidence for every experimental drug",
            "each drug, or its class, in a calibration trial",
            "all" if not loose else f"not for {', '.join(loose)}",
            not loose,
            2,
        )
    )
    out.extend(_skill(summary, scores))
    assumed = [r for r in influential if r["Grade"] == "assumed"]
    graded = [r for r in influential if r["Grade"] != "distribution of patients"]
    out.append(
        CredibilityCriterion(
            "Evidence for the most influential parameters",
            f"at most {100 * ASSUMED_SHARE:g} % of the ten most influential parameters are assumed",
            f"{len(assumed)} of {len(graded)}" if graded else "not analysed",
            None if not graded else len(assumed) <= ASSUMED_SHARE * len(graded),
            3,
        )
    )
    return tuple(out)


def _monte_carlo(made: Forecast) -> CredibilityCriterion:
    """Judged by log hazard ratios, and where the trial compares nothing by response."""
    single = len(made.trial.arms) < 2
    judged = [f for f in made.figures if (f.endpoint == "orr_pct" if single else f.endpoint.endswith("_hr"))]
    shares: list[float] = []
    for figure in judged:
        if figure.monte_carlo_se is None or figure.low is None or figure.high is None:
            continue
        if single:
            width = figure.high - figure.low
        else:
            width = math.log(figure.high / figure.low) if figure.low > 0.0 else math.inf
        if 0.0 < width < math.inf:
            shares.append(figure.monte_carlo_se / (0.5 * width))
    missing = len(judged) - len(shares)
    single_seed = len(made.seeds) < 2
    text = "one seed" if single_seed else f"{missing} of {len(judged)} figures without error or interval"
    worst = max(shares, default=math.nan)
    return CredibilityCriterion(
        "Monte Carlo precision",
        f"Monte Carlo error of {'response' if single else 'log hazard ratios'} at most {MONTE_CARLO_SHARE:g} of half"
        " the interval",
        text if missing or not shares else f"{worst:.2f}",
        None if missing or not shares else worst <= MONTE_CARLO_SHARE,
        1,
    )


@cache
def _validation_trials(end: str) -> tuple[str, ...]:
    """Validation trials that published a hazard ratio of PFS or of OS: skill is judged on all of them or not at all."""
    from immunescape.trial.loading import load_trial

    names = sorted(name for name, (role, _) in roles().items() if role == "validation")
    return tuple(name for name in names if getattr(load_trial(name).published, f"{end}_hr", None) is not None)


def _skill(summary: Mapping[str, Any], scores: Sequence[Score]) -> list[CredibilityCriterion]:
    """Skill over naive baselines on trials that were not fitted, PFS and OS apart."""
    out = []
    record = summary.get("validation", {})
    for end in ("pfs", "os"):
        figures = record.get(end, {})
        model = figures.get("hr_interval_score")
        baselines = {n: r.get("hr_interval_score") for n, r in figures.get("rivals", {}).items()}
        available = {n: v for n, v in baselines.items() if v is not None}
        best = min(available, key=lambda n: available[n]) if available else None
        scored = {
            s.trial
            for s in scores
            if s.role == "validation" and s.endpoint == f"{end}_hr" and s.published and s.predicted and s.low and s.high
        }
        missing = [name for name in _validation_trials(end) if name not in scored]
        judged = model is not None and best is not None and not missing
        out.append(
            CredibilityCriterion(
                f"Predictive skill on validation trials, {end.upper()}",
                "interval score of log hazard ratios below that of the best naive baseline",
                f"{model:.2f}; {best} {available[best]:.2f}; {figures.get('hr_figures', 0)} ratios"
                if judged and best is not None
                else f"no prediction with an interval of {', '.join(missing)}",
                model < available[best] if judged and model is not None and best is not None else None,
                3,
            )
        )
    return out
