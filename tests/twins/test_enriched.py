"""The enriched trial that twins suggest: found where it is, refused where there is none, read by the designs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from immunescape.design.loading import load_design
from immunescape.errors import InputError
from immunescape.twins.enriched import design_text, enriched_trial

N = 400


def outcomes(patient: str, ratio_with: float, ratio_without: float, seed: int = 1, weights=None) -> pd.DataFrame:
    """Twins with deaths at 0.06 a month on the standard; HLA LOH, in a third, decides the option's hazard ratio."""
    rng = np.random.default_rng(seed)
    lost = rng.random(N) < 1 / 3
    luck = rng.exponential(1.0, N)
    w = np.full(N, 1 / N) if weights is None else weights
    parts = []
    for name, hazard in (("old", np.full(N, 0.06)), ("new", 0.06 * np.where(lost, ratio_with, ratio_without))):
        death = luck / hazard
        parts.append(
            pd.DataFrame(
                {
                    "patient": patient,
                    "twin": np.arange(N),
                    "weight": w,
                    "option": name,
                    "title": f"{name} drug",
                    "level": "tested",
                    "standard": name == "old",
                    "score": np.minimum(death, 24) / 24,
                    "os_months": np.minimum(death, 25.0),
                    "os_event": death <= 25.0,
                    "result:hla_loh": np.where(lost, "present", "absent"),
                    "result:tmb": np.random.default_rng(9).lognormal(2.0, 0.5, N),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def test_the_biomarker_that_decides_is_found_with_its_effect():
    trial = enriched_trial([outcomes("P1", 0.4, 1.2), outcomes("P2", 0.4, 1.2, 2)])
    assert (trial.biomarker, trial.positive, trial.option, trial.standard) == (
        "hla_loh",
        "present",
        "new drug",
        "old drug",
    )
    assert trial.share == pytest.approx(1 / 3, abs=0.05)
    assert trial.hazard_ratio["positive"] == pytest.approx(0.4, abs=0.06)
    assert trial.hazard_ratio["negative"] == pytest.approx(1.2, abs=0.15)
    assert trial.hazards["positive", "old drug"][0] == pytest.approx(0.06, abs=0.02)
    assert trial.patients == 2


def test_the_file_is_a_design_that_can_be_loaded(tmp_path):
    file = tmp_path / "enriched.yaml"
    file.write_text(design_text(enriched_trial([outcomes("P1", 0.4, 1.2)])), encoding="utf-8")
    design = load_design(file)
    assert type(design.rule).kind == "enrichment"
    assert design.strata == ("HLA LOH present", "HLA LOH not present")
    assert {a.name for a in design.arms} == {"new drug", "old drug"}
    # at 0.06 a month (a third at 0.04 on one arm) about three in four patients die within 24 months
    assert design.looks[-1].events / design.patients == pytest.approx(0.73, abs=0.06)


def test_useless_measurements_seldom_suggest_a_trial():
    suggested = 0
    for seed in range(20):
        table = outcomes("P1", 0.9, 0.9, seed)
        rng = np.random.default_rng(100 + seed)
        table["score"] = rng.normal(0.5, 0.3, len(table))
        for k in range(10):
            table[f"result:x{k}"] = np.tile(np.where(rng.random(N) < 0.5, "yes", "no"), 2)
        try:
            enriched_trial([table])
        except InputError:
            continue
        suggested += 1
    assert suggested <= 4  # 5 % of 20 are expected


def test_where_nothing_tells_a_group_no_trial_is_suggested():
    with pytest.raises(InputError, match="no enriched trial is suggested"):
        enriched_trial([outcomes("P1", 1.0, 1.0)])
    with pytest.raises(InputError, match="no enriched trial is suggested"):
        enriched_trial([outcomes("P1", 1.5, 2.5)])
    with pytest.raises(InputError, match="no patient is ranked"):
        enriched_trial([])


def test_weights_of_twins_count():
    rng = np.random.default_rng(1)
    lost = rng.random(N) < 1 / 3
    w = np.where(lost, 2.0, 1.0)
    trial = enriched_trial([outcomes("P1", 0.4, 1.2, weights=w / w.sum())])
    assert trial.share == pytest.approx(2 * lost.mean() / (1 + lost.mean()))


@pytest.mark.parametrize("level", ["contradicted", "not ranked"])
def test_an_option_that_is_contradicted_or_not_ranked_is_not_suggested(level):
    table = outcomes("P1", 0.4, 1.2)
    table.loc[table["option"] == "new", "level"] = level
    with pytest.raises(InputError, match="no enriched trial is suggested"):
        enriched_trial([table])
