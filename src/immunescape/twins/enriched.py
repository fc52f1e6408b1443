"""The biomarker-enriched trial that twins suggest, as a file that `immunescape design` reads.

Biomarker, cut and option are chosen on one half of the twins, and hazards are taken from the other half: the largest of
many noisy effects is too large on the twins that it was found in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError
from immunescape.twins.outcomes import RESULT
from immunescape.twins.results import short_name, unit_of, with_unit

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EnrichedTrial", "design_text", "enriched_trial"]

FloatArray = NDArray[np.float64]
_PIECES = (3.0, 6.0, 12.0)
"""Months at which the hazard of death may change: late effects and crossing curves stay visible."""
_SHARE = (0.1, 0.9)
_LEAST = 20.0
"""Effective twins that each half of a group has at least."""
_CLEAR = 2.0
"""Standard errors by which the option's lead must differ between the groups, on the twins that choose."""
_CONFIRMED = 1.645
"""And on the others: a single comparison, at 5 % on one side."""
_FOLLOWED = 24.0
"""Months within which the deaths of a trial are to come: as long as the twins were followed."""
_ALPHA, _POWER = 0.025, 0.9


@dataclass(frozen=True, kw_only=True)
class EnrichedTrial:
    """A trial of an option against the standard, enriched by a biomarker.

    Attributes
    ----------
    biomarker, positive, negative : measurement and its two groups in words.
    share : share of positive twins.
    option, standard : titles of the regimens. level : evidence level of the option.
    hazards : (group, arm) -> deaths a month in each piece; groups ``positive`` and ``negative``, arms as the titles.
    hazard_ratio : group -> ratio of deaths over time at risk, option over standard.
    patients : how many patients the twins come from. twins : effective twins of the half that hazards are taken from.
    """

    biomarker: str
    positive: str
    negative: str
    share: float
    option: str
    standard: str
    level: str
    hazards: dict[tuple[str, str], tuple[float, ...]]
    hazard_ratio: dict[str, float]
    patients: int
    twins: float


@dataclass(frozen=True, eq=False)
class _Pair:
    """Twins that had the standard and one option: a row a twin in both tables."""

    standard: pd.DataFrame
    option: pd.DataFrame

    @property
    def weights(self) -> FloatArray:
        w = self.standard["weight"].to_numpy(dtype=float)
        return np.asarray(w / w.sum())

    @property
    def lead(self) -> FloatArray:
        option, standard = (t["score"].to_numpy(dtype=float) for t in (self.option, self.standard))
        return np.asarray(option - standard)


def enriched_trial(outcomes: Sequence[pd.DataFrame], *, seed: int = 1) -> EnrichedTrial:
    """Find the biomarker and option of an enriched trial against the standard of most patients.

    Parameters
    ----------
    outcomes
        Outcomes of the twins of each patient, as of `immunescape.twins.outcomes.outcomes_of`. Patients count alike.
    seed
        Of the halves.

    Raises
    ------
    InputError
        Where no option is ahead of the standard in a group that a measurement tells.
    """
    import pandas as pd

    standards = [str(t.loc[t["standard"], "option"].iloc[0]) for t in outcomes]
    if not standards:
        raise InputError("no patient is ranked, so that there are no twins to suggest a trial")
    standard = max(sorted(set(standards)), key=standards.count)
    pool = pd.concat([t for t, s in zip(outcomes, standards, strict=True) if s == standard], ignore_index=True)
    patients = standards.count(standard)
    rng = np.random.default_rng([seed, 53])
    best: tuple[float, _Pair, NDArray[np.bool_], NDArray[np.bool_], tuple[str, str, str]] | None = None
    for option in sorted(
        set(pool.loc[~pool["standard"] & ~pool["level"].isin(("contradicted", "not ranked")), "option"])
    ):
        pair = _pair(pool, standard, option)
        half = _halves(pair, rng)
        for column in [c for c in pair.standard.columns if str(c).startswith(RESULT)]:
            for positive, words in _groups(pair, str(column)):
                z = _interaction(pair, positive, half)
                if z is not None and (best is None or z > best[0]):
                    best = (z, pair, positive, half, (str(column).removeprefix(RESULT), *words))
    if best is None:
        raise InputError(
            "no measurement identifies a group of twins in which an option is ahead of the standard: no "
            "enriched trial is "
            "suggested",
            hint="More twins (--twins) or patients resolve smaller differences.",
        )
    _, pair, positive, half, (biomarker, yes, no) = best
    return _described(pair, positive, ~half, biomarker, (yes, no), patients)


def _pair(pool: pd.DataFrame, standard: str, option: str) -> _Pair:
    keys = ["patient", "twin"]
    a, b = (pool[pool["option"] == name].set_index(keys).sort_index() for name in (standard, option))
    both = a.index.intersection(b.index)
    return _Pair(a.loc[both], b.loc[both])


def _halves(pair: _Pair, rng: np.random.Generator) -> NDArray[np.bool_]:
    n = len(pair.standard)
    return np.asarray(rng.permutation(np.arange(n) % 2 == 0))


def _groups(pair: _Pair, column: str) -> list[tuple[NDArray[np.bool_], tuple[str, str]]]:
    """Divisions of the twins by a measurement, with both groups in words: each word against the rest, the median."""
    import pandas as pd

    values = pair.standard[column]
    if values.isna().any():  # twins of some patients do not carry it
        return []
    if not pd.api.types.is_numeric_dtype(values):
        words = values.astype(str)
        return [(np.asarray(words == w), (w, f"not {w}")) for w in sorted(set(words))]
    x = values.to_numpy(dtype=float)
    order = np.argsort(x)
    cut = x[order][min(int(np.searchsorted(np.cumsum(pair.weights[order]), 0.5)), len(x) - 1)]
    above, unit = x >= cut, unit_of(column.removeprefix(RESULT))
    high, low = with_unit(f"at least {cut:.3g}", unit), with_unit(f"below {cut:.3g}", unit)
    return [(above, (high, low)), (~above, (low, high))]


def _mean(x: FloatArray, w: FloatArray) -> tuple[float, float, float]:
    """Weighted mean, its standard error, and the effective number."""
    total = float(w.sum())
    if total <= 0.0:
        return 0.0, math.inf, 0.0
    mean, size = float(w @ x) / total, total**2 / float((w**2).sum())
    variance = float(w @ (x - mean) ** 2) / total
    return mean, math.sqrt(variance / max(size - 1.0, 1.0)), size


def _interaction(
    pair: _Pair, positive: NDArray[np.bool_], half: NDArray[np.bool_], clear: float = _CLEAR
) -> float | None:
    """Difference of the option's lead between the groups in standard errors; None where the option is not ahead."""
    w, lead = pair.weights, pair.lead
    for use in (half, ~half):
        for group in (positive, ~positive):
            if _mean(lead[use & group], w[use & group])[2] < _LEAST:
                return None
    if not _SHARE[0] <= float(w[positive].sum()) <= _SHARE[1]:
        return None
    a, error_a, _ = _mean(lead[half & positive], w[half & positive])
    b, error_b, _ = _mean(lead[half & ~positive], w[half & ~positive])
    z = (a - b) / max(math.hypot(error_a, error_b), 1e-9)
    return z if a > error_a and z > clear else None


def _hazards(table: pd.DataFrame, w: FloatArray) -> tuple[tuple[float, ...], float, float]:
    """Deaths a month in each piece, and deaths and months at risk in all, weighted."""
    time, event = table["os_months"].to_numpy(dtype=float), table["os_event"].to_numpy(dtype=bool)
    edges = (0.0, *_PIECES, math.inf)
    hazards: list[float] = []
    for low, high in pairwise(edges):
        risk = float(w @ np.clip(time - low, 0.0, high - low))
        deaths = float(w[event & (time > low) & (time <= high)].sum())
        # nobody left at risk: the piece before goes on. No death: less than half an effective twin died
        if risk <= 0.0:
            hazards.append(hazards[-1] if hazards else 1e-4)
        else:
            hazards.append(max(deaths / risk, 1e-4))
    return tuple(round(h, 5) for h in hazards), float(w[event].sum()), float(w @ time)


def _described(
    pair: _Pair,
    positive: NDArray[np.bool_],
    use: NDArray[np.bool_],
    biomarker: str,
    words: tuple[str, str],
    patients: int,
) -> EnrichedTrial:
    titles = {"standard": str(pair.standard["title"].iloc[0]), "option": str(pair.option["title"].iloc[0])}
    hazards, ratios = {}, {}
    for name, group in (("positive", positive), ("negative", ~positive)):
        here = use & group
        w = pair.weights[here]
        rates = {}
        for arm, table in (("standard", pair.standard), ("option", pair.option)):
            pieces, deaths, time = _hazards(table[here], w)
            hazards[name, titles[arm]] = pieces
            rates[arm] = deaths / max(time, 1e-9)
        ratios[name] = rates["option"] / max(rates["standard"], 1e-9)
    w = pair.weights
    confirmed = _interaction(pair, positive, use, _CONFIRMED)
    if confirmed is None or ratios["positive"] >= 1.0:
        raise InputError(
            f"{titles['option']} seemed ahead where {short_name(biomarker)} is {words[0]}, but the twins that were not "
            "used to choose it do not confirm it: no enriched trial is suggested",
            hint="More twins (--twins) or patients resolve smaller differences.",
        )
    return EnrichedTrial(
        biomarker=biomarker,
        positive=words[0],
        negative=words[1],
        share=float(w[positive].sum()),
        option=titles["option"],
        standard=titles["standard"],
        level=str(pair.option["level"].iloc[0]),
        hazards=hazards,
        hazard_ratio=ratios,
        patients=patients,
        twins=_mean(w[use], w[use])[2],
    )


def design_text(trial: EnrichedTrial) -> str:
    """The trial as YAML that `immunescape design` reads: adaptive enrichment with survival from the twins.

    Deaths give the positive group a power of 90 % for its hazard ratio (Schoenfeld's formula), at least 60 and at most
    600 in all.
    """
    import yaml
    from scipy.stats import norm

    measured = short_name(trial.biomarker)
    strata = {"positive": f"{measured} {trial.positive}", "negative": f"{measured} {trial.negative}"}
    asked = 4.0 * (norm.isf(_ALPHA) + norm.ppf(_POWER)) ** 2 / math.log(trial.hazard_ratio["positive"]) ** 2
    events = int(min(max(math.ceil(asked / trial.share), 60), 600))
    lengths = [high - low for low, high in pairwise((0.0, *_PIECES, _FOLLOWED))]
    groups = {"positive": trial.share, "negative": 1.0 - trial.share}
    alive = sum(
        0.5 * groups[group] * math.exp(-float(np.dot(pieces, lengths))) for (group, _), pieces in trial.hazards.items()
    )
    patients = math.ceil(events / max(1.0 - alive, 0.1))
    truth: list[dict[str, Any]] = []
    for arm in (trial.standard, trial.option):
        for name, stratum in strata.items():
            truth.append(
                {
                    "endpoint": "os",
                    "arm": arm,
                    "stratum": stratum,
                    "hazards": list(trial.hazards[name, arm]),
                    "changes": list(_PIECES),
                }
            )
    share = round(trial.share, 3)
    content = {
        "name": "enriched-trial-of-twins",
        "title": f"{trial.option} against {trial.standard}, with enrichment by {measured}",
        "kind": "enrichment",
        "description": (
            f"Suggested by virtual twins of {trial.patients} patient(s). Hazard ratio of survival in the twins that "
            f"did not choose: {trial.hazard_ratio['positive']:.2f} where {strata['positive']}, "
            f"{trial.hazard_ratio['negative']:.2f} where {strata['negative']}. "
            f"Evidence for {trial.option} in this setting: {trial.level}."
        ),
        "assumptions": [
            f"Survival is that of {trial.twins:.0f} effective virtual twins, not of patients, and no better than the "
            "model.",
            "Biomarker, cut and option were chosen on the other half of the twins.",
            "Accrual, dropout and looks are assumed; deaths give 90 % power in the positive group for the twins' ratio "
            "(between 60 and 600).",
        ],
        "alpha": _ALPHA,
        "patients": patients,
        "arms": [{"name": trial.option, "role": "experimental"}, {"name": trial.standard, "role": "control"}],
        "strata": [
            {"name": strata["positive"], "share": share},
            {"name": strata["negative"], "share": round(1.0 - share, 3)},
        ],
        "endpoints": {"os": {"kind": "survival"}},
        "accrual": {"rates": [round(patients / 18.0, 1)], "starts": [0]},
        "dropout": {"share": 0.05, "months": 12},
        "endpoint": "os",
        "test": {"name": "log-rank"},
        "looks": [
            {"events": events // 2, "endpoint": "os"},
            {"events": events, "endpoint": "os", "latest": 60},
        ],
        "boundaries": {"family": "obrien-fleming"},
        "enrichment": {
            "populations": [
                {"name": "all patients", "strata": list(strata.values())},
                {"name": strata["positive"], "strata": [strata["positive"]]},
            ],
            "choose": "threshold",
            "bound": 0.0,
        },
        "scenarios": [{"name": "as the twins", "truth": truth}],
    }
    heading = "# written by `immunescape rank`; `immunescape design` simulates it\n"
    return heading + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110)
