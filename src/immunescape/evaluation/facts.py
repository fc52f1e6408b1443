"""Facts of the review, each beside what its own named virtual population gives.

They are no targets of the calibration, but for the landmarks of KEYNOTE-024 and the response by PD-L1 behind it, which
`calibrated` marks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from immunescape.stats.cox import cox_hazard_ratio
from immunescape.stats.estimate import Estimate
from immunescape.stats.exact import clopper_pearson
from immunescape.stats.survival import median_survival

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.trial.result import TrialResult

__all__ = ["DETECTED_SHARE", "Fact", "facts"]

DETECTED_SHARE = 0.2
"""Share of the cancer cells with loss of an HLA haplotype from which a sequenced sample shows it (assumed)."""
_COVARIATES = 20_000
Results = Mapping[str, "TrialResult"]


@dataclass(frozen=True)
class Fact:
    """One fact.

    Attributes
    ----------
    id, text : what it says. population : the virtual population that it is looked up in. source : keys.
    unit : of the figures. predicted, low, high : with the 95 % interval of the virtual patients' number.
    published, published_low, published_high : a figure, a range or both.
    calibrated : whether the calibration used it.
    """

    id: str
    text: str
    population: str
    source: str
    unit: str
    predicted: float | None
    low: float | None
    high: float | None
    published: float | None
    published_low: float | None = None
    published_high: float | None = None
    calibrated: bool = False

    def row(self) -> dict[str, Any]:
        """As one row of ``immunescape validate --json``."""
        return asdict(self)


def _share(estimate: Estimate) -> tuple[float | None, float | None, float | None]:
    return tuple(None if v is None else 100.0 * v for v in (estimate.value, estimate.low, estimate.high))  # type: ignore[return-value]


def _arm(result: TrialResult, arm: str) -> pd.DataFrame:
    return result.patients[result.patients["arm"] == arm]


def _response(result: TrialResult, arm: str) -> tuple[float | None, float | None, float | None]:
    from immunescape.trial.analysis import best_at_cut

    rows = _arm(result, arm)
    best = best_at_cut(result.trial, rows, result.visits[result.visits["arm"] == arm])
    return _share(clopper_pearson(sum(b in ("CR", "PR") for b in best), len(best)))


def _survival(result: TrialResult, arm: str, months: float) -> tuple[float | None, float | None, float | None]:
    curve = result.curves["os", arm]
    row = curve[curve["time"] <= months].iloc[-1]
    return 100.0 * float(row["survival"]), 100.0 * float(row["low"]), 100.0 * float(row["high"])


def _lost_response(result: TrialResult, arm: str, months: float) -> tuple[float | None, float | None, float | None]:
    """Responders whose disease progressed or who died within `months` of their response (1 - Kaplan-Meier)."""
    from immunescape.stats.survival import kaplan_meier
    from immunescape.trial.analysis import endpoints_at_cut

    rows = _arm(result, arm)
    found = endpoints_at_cut(rows, result.visits[result.visits["arm"] == arm], result.trial, "dor", math.inf)
    kept = [(t, e) for t, e in zip(found["dor_months"], found["dor_event"], strict=True) if t is not None]
    if not kept:
        return None, None, None
    curve = kaplan_meier([t for t, _ in kept], [e for _, e in kept])
    row = curve[curve["time"] <= months].iloc[-1]
    return tuple(100.0 * (1.0 - float(row[k])) for k in ("survival", "high", "low"))  # type: ignore[return-value]


def _ratio(result: TrialResult, endpoint: str, keep: Callable[[Any], Any]) -> tuple[float | None, ...]:
    a, b = result.trial.experimental[0].name, result.trial.control.name  # type: ignore[union-attr]
    parts: list[Any] = []
    for arm in (a, b):
        rows = _arm(result, arm)
        rows = rows[keep(rows)]
        parts += [rows[f"{endpoint}_months"].to_numpy(), rows[f"{endpoint}_event"].to_numpy(dtype=bool)]
    found = cox_hazard_ratio(*parts)
    return found.value, found.low, found.high


def facts(results: Results) -> list[Fact]:
    """Facts that can be looked up in the given trials (by name), and those of the covariate population.

    Parameters
    ----------
    results
        Trial name -> simulated trial; a fact whose trial is missing is left out.
    """
    return [
        Fact(
            s.id, s.text, s.population, s.source, s.unit, *_three(s.figure(results[s.trial])), *s.published,
            calibrated=s.calibrated,
        )
        for s in _facts_of_trials()
        if s.trial in results
    ] + _covariate_facts()  # fmt: skip


@dataclass(frozen=True)
class _Lookup:
    trial: str
    id: str
    text: str
    population: str
    source: str
    unit: str
    figure: Callable[[TrialResult], tuple[float | None, ...]]
    published: tuple[float | None, float | None, float | None]
    calibrated: bool = False


def _three(values: tuple[float | None, ...]) -> tuple[float | None, float | None, float | None]:
    value, low, high = values
    return value, low, high


def _facts_of_trials() -> list[_Lookup]:
    first = "keynote-024, pembrolizumab"
    review = "review, reference 37"
    out = [
        _Lookup(
            "keynote-024",
            "first-ici-response",
            "27 to 46 % respond to a first checkpoint inhibitor",
            first,
            review,
            "%",
            lambda r: _response(r, "pembrolizumab"),
            (None, 27.0, 46.0),
            calibrated=True,
        ),
        _Lookup(
            "keynote-024",
            "responders-resist",
            "up to 65 % of responders become resistant within four years",
            first,
            review,
            "%",
            lambda r: _lost_response(r, "pembrolizumab", 48.0),
            (None, None, 65.0),
        ),
        _Lookup(
            "keynote-024",
            "five-year-pembrolizumab",
            "alive five years after pembrolizumab",
            first,
            "reck2021",
            "%",
            lambda r: _survival(r, "pembrolizumab", 60.0),
            (31.9, None, None),
            calibrated=True,
        ),
        _Lookup(
            "keynote-024",
            "five-year-platinum",
            "alive five years after platinum",
            "keynote-024, platinum doublet",
            "reck2021",
            "%",
            lambda r: _survival(r, "platinum doublet", 60.0),
            (16.3, None, None),
            calibrated=True,
        ),
        _Lookup(
            "oak",
            "hla-loh",
            "loss of heterozygosity of HLA in NSCLC (17 % is the share over all cancers)",
            f"oak, at diagnosis, in at least {100 * DETECTED_SHARE:g} % of the cancer cells",
            "chowell2022;chang2024",
            "%",
            _hla_loh,
            (None, 20.0, 27.0),
        ),
        _Lookup(
            "impower131",
            "squamous-high-pdl1",
            "OS gains by atezolizumab in PD-L1-high squamous NSCLC",
            "impower131, TPS >= 50 % (in the trial TC3 or IC3)",
            "jotte2020",
            "hazard ratio",
            lambda r: _ratio(r, "os", lambda p: p["pdl1_tps"] >= 50),
            (0.48, 0.29, 0.81),
        ),
        _Lookup(
            "sintilimab-anlotinib",
            "sintilimab-anlotinib",
            "response to sintilimab with anlotinib in first line",
            "sintilimab-anlotinib",
            "chu2021",
            "%",
            lambda r: _response(r, r.trial.arms[0].name),
            (72.7, None, None),
        ),
        _Lookup(
            "nivolumab-alt-803",
            "alt-803",
            "median OS with nivolumab and ALT-803",
            "nivolumab-alt-803",
            "wrangle2018",
            "months",
            _median_os,
            (17.4, None, None),
        ),
    ]
    for endpoint, published in (("pfs", (0.80, 0.65, 0.97)), ("os", (0.84, 0.69, 1.02))):
        text = f"no significant gain of {endpoint.upper()} by pembrolizumab in EGFR-mutant NSCLC after TKI"

        def ratio(r: TrialResult, endpoint: str = endpoint) -> tuple[float | None, ...]:
            return _ratio(r, endpoint, lambda p: p["id"] >= 0)

        out.append(
            _Lookup("keynote-789", f"egfr-no-benefit-{endpoint}", text, "keynote-789", "yang2024", "hazard ratio",
                    ratio, published)
        )  # fmt: skip
    return out


def _hla_loh(result: TrialResult) -> tuple[float | None, ...]:
    lost = int((result.patients["p:f_hla_loh"] >= DETECTED_SHARE).sum())
    return _share(clopper_pearson(lost, len(result.patients)))


def _median_os(result: TrialResult) -> tuple[float | None, ...]:
    rows = _arm(result, result.trial.arms[0].name)
    found = median_survival(rows["os_months"], rows["os_event"])
    return found.value, found.low, found.high


def _covariate_facts() -> list[Fact]:
    """PD-L1 >= 50 % by histology and region; exact up to the sampling of 20,000 covariate rows."""
    from immunescape.population.covariates import sample_covariates

    out = []
    published = {
        ("east_asian", "squamous"): (20.84, "review, reference 29"),
        ("east_asian", "nonsquamous"): (15.98, "review, reference 29"),
        ("western", "squamous"): (36.7, "chowell2022;chang2024"),
        ("western", "nonsquamous"): (52.0, "chowell2022;chang2024"),
    }
    for (region, histology), (value, source) in published.items():
        table = sample_covariates(0, _COVARIATES, seed=0, stream=0, region=region)  # type: ignore[arg-type]
        own = table[table["histology"].astype(str) == histology]
        high = np.asarray(own["pdl1_tps"]) >= 50.0
        found = _share(clopper_pearson(int(high.sum()), len(high)))
        words = "squamous NSCLC" if histology == "squamous" else "adenocarcinoma"
        out.append(Fact(f"pdl1-high-{region}-{histology}".replace("_", "-"), f"PD-L1 TPS of at least 50 % in {words}",
                        f"covariate population, {region.replace('_', ' ')}", source, "%", *found, value))  # fmt: skip
    return out
