"""The master protocol on the model's truth: strata by measured signatures, effects of matched drugs, what it needs."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml

from immunescape.design.loading import read_design
from immunescape.model.registry import drugs
from immunescape.twins.matched import (
    NONE,
    PIECES,
    arms_of_strata,
    matched_platform,
    needed_ratio,
    platform_trial,
    scenario_text,
    strata_of,
)

ROOT = Path(__file__).parents[2]
DAYS = 30.4375


def observables(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    names = ("H_STING_T", "MHC1_T", "adenosine_conc_T", "Kyn_Trp_ratio_T")
    return pd.DataFrame({f"b:{n_}": rng.gamma(2.0, 1.0, n) for n_ in names})


def world(effect: float):
    """A simulation in which dazostinag acts where STING is truly low, the more the lower, and nothing else does."""

    def simulate(trial, *, patients, seed, **_):
        seen = observables(patients, seed)
        rng = np.random.default_rng(seed + 1)
        base = rng.exponential(4.0, patients)
        rank = seen["b:H_STING_T"].rank(pct=True).to_numpy()
        rows = []
        for arm in trial.arms:
            gain = np.exp(effect * np.maximum(0.5 - rank, 0.0) * 2) if arm.name.startswith("dazostinag") else 1.0
            months = base * gain
            rows.append(
                seen.assign(
                    id=np.arange(patients),
                    arm=arm.name,
                    best_response=np.where(months > 9, "PR", "PD"),
                    progression_day=months * DAYS,
                    death_day=months * 3 * DAYS,
                )
            )
        return SimpleNamespace(trial=trial, patients=pd.concat(rows))

    return simulate


def test_the_drugs_of_the_platform_exist_in_the_model_and_every_stratum_has_its_arm():
    trial = platform_trial()
    assert {d for arm in trial.arms for d in arm.drugs} <= set(drugs())
    assert {"dazostinag", "decitabine", "entinostat", "epacadostat", "oleclumab"} <= set(trial.drugs)
    assert set(arms_of_strata().values()) == {a.name for a in trial.arms} - {"docetaxel"}
    assert trial.prior[0].outcome == "progressed"


def test_patients_belong_to_the_mechanism_that_stands_out_most_or_to_none():
    table = observables(4000, 3)
    found, scores = strata_of(table, 1)
    shares = {name: float((found == name).mean()) for name in [*scores, NONE]}
    assert 0.2 < shares[NONE] < 0.45
    sting = table["b:H_STING_T"].to_numpy()
    assert np.median(sting[found == "STING"]) < 0.6 * np.median(sting)
    again, _ = strata_of(table.sample(frac=1.0, random_state=1).sort_index(), 1)
    assert (again == found).all()


def test_what_acts_by_its_mechanism_is_found_in_its_stratum_and_the_rest_fails_in_words():
    made = matched_platform(patients=1500, seed=2, simulate=world(2.0))
    by = {(e["arm"], e["group"]): e for e in made.effects}
    sting = "dazostinag + pembrolizumab"
    assert by[sting, "matched"]["hazard_ratio"] < by[sting, "all"]["hazard_ratio"] < 1.0
    assert by["epacadostat + oleclumab + pembrolizumab", "matched"]["hazard_ratio"] == pytest.approx(1.0)
    words = made.words()
    assert "no cut of its biomarker reaches that" in next(w for w in words if w.startswith("epacadostat"))
    cuts = made.enrichment[sting]
    assert [c["n"] for c in cuts] == sorted((c["n"] for c in cuts), reverse=True)
    assert cuts[-1]["hazard_ratio"] < cuts[0]["hazard_ratio"]
    assert sum(made.shares.values()) == pytest.approx(1.0)


def test_an_effect_that_only_the_strongest_signal_has_names_the_enrichment_that_would_hold():
    made = matched_platform(patients=3000, seed=2, simulate=world(1.0))
    own = next(e for e in made.effects if e["group"] == "matched" and e["arm"].startswith("dazostinag"))
    assert made.needed < own["hazard_ratio"] < 1.0
    assert "it would fail" in made.words()[0]


def test_an_arm_needs_what_schoenfelds_formula_says():
    assert needed_ratio(120, 1) == pytest.approx(math.exp(-2 * (1.959964 + 0.841621) / math.sqrt(120)), rel=1e-4)
    assert needed_ratio(120, 3) < needed_ratio(120, 1) < needed_ratio(400, 1) < 1.0


def test_hazards_of_the_model_become_a_scenario_of_the_design():
    made = matched_platform(patients=800, seed=2, simulate=world(1.0))
    for (arm, stratum), hazards in made.hazards.items():
        assert len(hazards) == len(PIECES) + 1
        assert hazards[0] == pytest.approx(0.25, abs=0.12), (arm, stratum)
    truth = yaml.safe_load("scenarios:\n" + scenario_text(made))["scenarios"][0]["truth"]
    assert len(truth) == 16


def test_the_script_writes_the_scenario_and_the_shares_once_and_the_design_still_loads():
    path = ROOT / "scripts" / "matched_platform.py"
    spec = importlib.util.spec_from_file_location("matched_platform_script", path)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    made = matched_platform(patients=800, seed=2, simulate=world(1.0))
    text = script.DESIGN.read_text(encoding="utf-8")
    once = script.written(text, made)
    assert script.written(once, made) == once
    design = read_design("platform.yaml", once)
    assert next(iter(design.truths)) == "as the model"
    shares = {s["name"]: s["share"] for s in yaml.safe_load(once)["strata"]}
    assert shares["STING"] == pytest.approx(made.shares["STING"], abs=1e-3)
    assert sum(shares.values()) == pytest.approx(1.0)
