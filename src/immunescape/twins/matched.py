"""The master protocol on the model's truth: strata called as the profile calls them, effects as the model has them.

One virtual trial of patients who progressed on a PD-1 antibody gives every arm to the same patients. Each of them gets
the percentiles of signatures that a profile would measure, with the error of ``profile_to_model.csv``, and belongs to
the stratum whose mechanism stands out most, if it is among the strongest quarter (``matched_strata.csv``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from immunescape.errors import InputError
from immunescape.knowledge.profile_to_model import profile_links
from immunescape.knowledge.tables import read_rows
from immunescape.stats.cox import cox_hazard_ratio
from immunescape.twins.population import Observables

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.trial.result import TrialResult
    from immunescape.trial.spec import Trial

__all__ = ["MatchedPlatform", "matched_platform", "needed_ratio", "platform_trial", "scenario_text", "strata_of"]

FloatArray = NDArray[np.float64]
NONE = "none found"
QUARTER = 0.6744897501960817
"""Normal score above which a mechanism stands out: the strongest quarter (assumed)."""
PIECES = (3.0, 6.0, 12.0)
LONGEST = 24.0
_COLUMNS = ("stratum", "biomarker", "side", "arm", "source", "note")
CUTS = (0.0, 0.25, 0.5, 0.75, 0.9)
"""Quantiles of a stratum's own score from which on a group is looked at for enrichment."""
FEWEST = 30


@dataclass(frozen=True)
class MatchedPlatform:
    """What the model says of the platform.

    Attributes
    ----------
    shares : stratum -> share of the patients.
    effects : one for each experimental arm and group (its own ``matched`` stratum, all ``other`` patients, ``all``):
        ``arm``, ``group``, ``n``, ``orr``, ``hazard_ratio`` of PFS against docetaxel in the same patients with ``low``
        and ``high``.
    enrichment : arm -> the groups of ever stronger signal in its stratum: ``cut`` (quantile), ``share`` of all
        patients, ``n``, ``hazard_ratio``, ``low``, ``high``.
    hazards : (arm, stratum) -> hazard of progression or death per month, in the pieces ended by `PIECES`.
    needed : hazard ratio at which an arm has 80 % power by Schoenfeld's formula. patients : virtual ones.
    """

    shares: Mapping[str, float]
    effects: tuple[Mapping[str, Any], ...]
    enrichment: Mapping[str, tuple[Mapping[str, Any], ...]]
    hazards: Mapping[tuple[str, str], tuple[float, ...]]
    needed: float
    patients: int

    def words(self) -> list[str]:
        """What it says, arm by arm, in sentences."""
        said = []
        for arm, groups in self.enrichment.items():
            effect = next(e for e in self.effects if e["arm"] == arm and e["group"] == "matched")
            reached = effect["hazard_ratio"] is not None and effect["hazard_ratio"] <= self.needed
            shown = f"{effect['hazard_ratio']:.2f}" if effect["hazard_ratio"] is not None else "not known"
            text = f"{arm}: hazard ratio of PFS {shown} in its stratum; {self.needed:.2f} is needed for 80 % power: "
            if reached:
                said.append(text + "the platform would find it.")
                continue
            good = [g for g in groups if g["hazard_ratio"] is not None and g["hazard_ratio"] <= self.needed]
            if good:
                said.append(
                    text + f"it would fail. It would hold in the {100 * good[0]['share']:.0f} % of patients with the "
                    f"strongest signal ({good[0]['hazard_ratio']:.2f}, n {good[0]['n']})."
                )
            else:
                said.append(text + "it would fail, and no cut of its biomarker reaches that.")
        return said


def platform_trial() -> Trial:
    """The virtual trial behind the platform."""
    from immunescape.trial.loading import load_trial

    return load_trial(str(files("immunescape.twins") / "matched_platform.yaml"))


def strata_of(table: pd.DataFrame, seed: int) -> tuple[NDArray[np.str_], dict[str, FloatArray]]:
    """Stratum (n,) of virtual patients by measured percentiles, and the score (n,) of each stratum.

    Parameters
    ----------
    table
        A row for each patient, with the observables at diagnosis (``b:``).
    seed
        Of the errors of measurement.
    """
    observables = Observables(table)
    links = {link.biomarker: link for link in profile_links()}
    scores: dict[str, FloatArray] = {}
    for k, row in enumerate(read_rows("matched_strata", _COLUMNS)):
        side = {"high": 1.0, "low": -1.0}[row.choice("side", ("high", "low"))]
        link = links[row["biomarker"]]
        noise = np.random.default_rng([seed, 61, k]).standard_normal(len(table))
        seen = observables.score(table, link.target) + (link.spread or 0.0) * noise
        # of a standard normal score with this error, so that a quarter stands out in each marker
        standard = side * seen / math.hypot(1.0, link.spread or 0.0)
        score = scores.get(row["stratum"])
        scores[row["stratum"]] = standard if score is None else np.maximum(score, standard)
    names = list(scores)
    whole = np.stack([scores[n] for n in names])
    best = whole.argmax(axis=0)
    best_stratum = np.where(whole.max(axis=0) >= QUARTER, np.array(names)[best], NONE)
    return best_stratum, scores


def arms_of_strata() -> dict[str, str]:
    """Stratum -> its experimental arm."""
    return {row["stratum"]: row["arm"] for row in read_rows("matched_strata", _COLUMNS)}


def needed_ratio(events: int, arms: int, alpha: float = 0.025, power: float = 0.8) -> float:
    """Hazard ratio that an arm needs for a power, with alpha shared by the arms (Schoenfeld's formula).

    Parameters
    ----------
    events : of arm and controls together, one to one. arms : experimental ones.
    """
    from scipy.stats import norm

    return float(math.exp(-2.0 * (norm.isf(alpha / arms) + norm.ppf(power)) / math.sqrt(events)))


def matched_platform(
    *,
    patients: int = 2000,
    seed: int = 1,
    events: int = 120,
    workers: int | None = None,
    out: Any = None,
    engine: str = "auto",
    simulate: Callable[..., TrialResult] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> MatchedPlatform:
    """Simulate the population and read what each matched combination does in its stratum, elsewhere and in all.

    Parameters
    ----------
    patients, seed, workers, engine, out, progress
        As for a trial; every arm has the same patients.
    events
        Events at the last look of an arm.
    simulate
        In place of `run_trial`, for tests.
    """
    from immunescape.trial.runner import run_trial

    trial = platform_trial()
    result = (simulate or run_trial)(
        trial, patients=patients, seed=seed, workers=workers, engine=engine, out=out, paired=True, progress=progress
    )
    rows = {a.name: result.patients[result.patients["arm"] == a.name].set_index("id") for a in trial.arms}
    ids = sorted(set.intersection(*(set(t.index) for t in rows.values())))
    if len(ids) < FEWEST:
        raise InputError(f"only {len(ids)} virtual patients had every arm", hint="Simulate more.")
    tables = {name: t.loc[ids] for name, t in rows.items()}
    stratum, scores = strata_of(tables[trial.arms[0].name], seed)
    control = tables["docetaxel"]
    arms = arms_of_strata()
    effects: list[dict[str, Any]] = []
    enrichment: dict[str, tuple[dict[str, Any], ...]] = {}
    for name, arm in arms.items():
        members = stratum == name
        for group, mask in (("matched", members), ("other", ~members), ("all", np.ones(len(ids), dtype=bool))):
            effects.append({"arm": arm, "group": group, **_effect(tables[arm], control, mask)})
        cuts = []
        for q in CUTS:
            mask = members & (scores[name] >= (np.quantile(scores[name][members], q) if members.any() else np.inf))
            if mask.sum() >= FEWEST:
                cuts.append({"cut": q, "share": float(mask.mean()), **_effect(tables[arm], control, mask)})
        enrichment[arm] = tuple(cuts)
    names = [*arms, NONE]
    hazards = {(arm, name): _hazards(t, stratum == name) for arm, t in tables.items() for name in names}
    shares = {name: float((stratum == name).mean()) for name in names}
    return MatchedPlatform(shares, tuple(effects), enrichment, hazards, needed_ratio(events, len(arms)), len(ids))


def _progression(rows: pd.DataFrame) -> tuple[FloatArray, FloatArray]:
    """Months to progression or death (n,), cut at 24, and whether it came."""
    from immunescape.twins.twin import MONTH, event_days

    months = event_days(rows)[0] / MONTH
    return np.minimum(months, LONGEST), (months <= LONGEST).astype(float)


def _effect(rows: pd.DataFrame, control: pd.DataFrame, mask: NDArray[np.bool_]) -> dict[str, Any]:
    a, b = rows[mask], control[mask]
    effect: dict[str, Any] = {"n": int(mask.sum()), "hazard_ratio": None, "low": None, "high": None, "orr": None}
    if len(a) < 2:
        return effect
    ratio = cox_hazard_ratio(*_progression(a), *_progression(b))
    effect |= {"hazard_ratio": ratio.value, "low": ratio.low, "high": ratio.high}
    effect["orr"] = float(a["best_response"].isin(["CR", "PR"]).mean())
    return effect


def _hazards(rows: pd.DataFrame, mask: NDArray[np.bool_]) -> tuple[float, ...]:
    """Events over time at risk in each piece; half an event is added, so that no hazard is zero."""
    months, event = _progression(rows[mask])
    edges = (0.0, *PIECES, LONGEST)
    out = []
    for low, high in pairwise(edges):
        risk = float(np.clip(months - low, 0.0, high - low).sum())
        came = float((event * (months > low) * (months <= high)).sum())
        out.append(round((came + 0.5) / max(risk + 3.0, 1e-6), 4))
    return tuple(out)


def scenario_text(platform: MatchedPlatform) -> str:
    """The scenario `as the model` of the platform's design file."""
    lines = ["  - name: as the model", "    truth:"]
    for (arm, stratum), hazards in platform.hazards.items():
        values = ", ".join(f"{h:g}" for h in hazards)
        changes = ", ".join(f"{c:g}" for c in PIECES)
        lines.append(
            f"      - {{endpoint: pfs, arm: {arm}, stratum: {stratum}, hazards: [{values}], changes: [{changes}]}}"
        )
    return "\n".join(lines) + "\n"
