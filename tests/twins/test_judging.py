"""Forecasts judged on held-out patients: files in, tables out, with made-up patients whose truth is known."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from immunescape.cli.program import app
from immunescape.errors import InputError
from immunescape.knowledge.held_out import is_held_out
from immunescape.report.judged_report import judged_markdown
from immunescape.twins.combined import shipped_combination
from immunescape.twins.judging import judge as module
from immunescape.twins.judging import rivals
from immunescape.twins.judging.cohorts import read_real_cohorts
from immunescape.twins.judging.judge import judge
from immunescape.twins.judging.monitoring import ARMS, Monitored, monitored_lesions
from immunescape.twins.judging.pools import ENOUGH, flattened, forecasts_of, log_likelihoods, made_pools, pool_of
from immunescape.twins.judging.rivals import Design, calibration, concordance, logistic_fit, net_benefit

DAYS = 30.4375


def chance_of(tps: np.ndarray, later: np.ndarray | float) -> np.ndarray:
    """Truth of the made-up world: response follows PD-L1 and the line."""
    return 1.0 / (1.0 + np.exp(-(-2.2 + 0.035 * tps - 0.4 * later)))


def lived(rng, tps, size, docetaxel=False):
    """Months of survival: longer with PD-L1 on an inhibitor only, shorter with a large tumour."""
    log = math.log(11.0) + (0.0 if docetaxel else 0.02) * (tps - 30.0) - 0.5 * np.log(size / 65.0)
    return np.exp(log) * rng.weibull(1.2, len(tps))


def virtual(trial, *, patients: int, seed: int, **_):
    """A simulated trial in which the made-up truth holds."""
    rng = np.random.default_rng(seed)
    n = patients
    tps = np.where(rng.uniform(size=n) < 0.35, 0.0, rng.beta(0.6, 0.8, n) * 100)
    size = np.exp(rng.normal(math.log(65.0), 0.5, n))
    base = {
        "id": np.arange(n),
        "pdl1_tps": tps,
        "tmb_mut_mb": np.exp(rng.normal(1.8, 0.8, n)),
        "nlr": rng.gamma(3, 1.5, n),
        "albumin_g_l": rng.normal(38, 4, n),
        "age": rng.normal(64, 9, n),
        "sld_mm": size,
        "n_sites": rng.integers(1, 5, n),
        "sex": rng.choice(["F", "M"], n),
        "smoking": rng.choice(["never", "former", "current"], n),
        "histology": rng.choice(["nonsquamous", "squamous"], n, p=[0.7, 0.3]),
        "ecog": rng.integers(0, 2, n),
        "driver": "none",
        "kras": rng.uniform(size=n) < 0.25,
        "akkermansia": rng.uniform(size=n) < 0.5,
        "antibiotics": rng.uniform(size=n) < 0.2,
        "liver_mets": rng.uniform(size=n) < 0.2,
        "brain_mets": False,
        "b:hla_loh_share_T": rng.uniform(size=n),
        "largest_mm_baseline": size / 2,
    }
    rows, visits = [], []
    later = 1.0 if trial.name == "oak" else 0.0
    for arm in trial.arms:
        own = np.random.default_rng([seed, len(arm.name)])
        p = np.full(n, 0.13) if arm.name == "docetaxel" else chance_of(tps, later)
        os_ = lived(own, tps, size, arm.name == "docetaxel")
        responds = own.uniform(size=n) < p
        rows.append(
            pd.DataFrame(
                {
                    **base,
                    "arm": arm.name,
                    "best_response": np.where(responds, "PR", "SD"),
                    "progression_day": os_ * 0.5 * DAYS,
                    "death_day": np.where(os_ < 27, os_ * DAYS, np.nan),
                }
            )
        )
        for day in (42.0, 84.0, 126.0, 189.0, 252.0):
            ratio = np.where(responds, course(day, True), course(day, False))
            seen = {"id": base["id"], "arm": arm.name, "day": day, "largest_mm": base["largest_mm_baseline"] * ratio}
            visits.append(pd.DataFrame(seen))
    return SimpleNamespace(trial=trial, patients=pd.concat(rows), visits=pd.concat(visits), wall_s=1.0)


def course(day: float, responds: bool) -> float:
    """Diameter over baseline: it shrinks and comes back, or it grows."""
    months = day / DAYS
    return math.exp(-0.25 * months) + math.exp(0.06 * months) - 1.0 if responds else math.exp(0.06 * months)


def oak_file(path: Path, n: int = 700) -> None:
    rng = np.random.default_rng(7)
    tps = np.where(rng.uniform(size=n) < 0.35, 0.0, rng.beta(0.6, 0.8, n) * 100)
    size = np.exp(rng.normal(math.log(65.0), 0.5, n))
    rank = tps.argsort().argsort() / n
    arm = np.where(np.arange(n) % 2 == 0, "Docetaxel", "MPDL3280A")
    on = arm != "Docetaxel"
    os_ = np.where(on, lived(rng, tps, size), lived(rng, tps, size, True))
    responds = rng.uniform(size=n) < np.where(on, chance_of(tps, 1.0), 0.13)
    pd.DataFrame(
        {
            "PtID": np.arange(1, n + 1),
            "TRT01P": arm,
            "BCOR": np.where(responds, "PR", "SD"),
            "TC1IC1": np.where(rank < 0.45, "TC0 and IC0", "TC1/2/3 or IC1/2/3"),
            "TC3IC3": np.where(rank >= 0.84, "TC3 or IC3", "TC0/1/2 and IC0/1/2"),
            "btmb": rng.integers(0, 40, n),
            "BEP": rng.choice(["Y", "N"], n, p=[0.8, 0.2]),
            "BAGE": rng.integers(40, 85, n),
            "SEX": rng.choice(["M", "F"], n),
            "HIST": rng.choice(["SQUAMOUS", "NON-SQUAMOUS"], n),
            "ECOGGR": rng.integers(0, 2, n),
            "TOBHX": rng.choice(["NEVER", "PREVIOUS", "CURRENT"], n),
            "blSLD": size.round(0),
            "METSITES": rng.integers(1, 5, n),
            "KRASMUT": rng.choice(["POSITIVE", "."], n),
            "EGFRMUT": "NEGATIVE",
            "PFS": (os_ * 0.5).round(3),
            "PFS.CNSR": 0,
            "OS": os_.clip(max=27).round(3),
            "OS.CNSR": (os_ > 27).astype(int),
        }
    ).to_csv(path, index=False)


def lesions_file(path: Path, n: int = 60) -> None:
    rng = np.random.default_rng(9)
    rows = []
    for i in range(n):
        responds, arm = rng.uniform() < 0.3, f"Study_4_Arm_{1 + i % 2}"
        base = float(np.exp(rng.normal(math.log(35), 0.4)))
        rows.append((f"L{i}", -5, round(base, 1), arm))
        for day in (42, 84, 126, 189):
            mm = base * course(day, responds) * math.exp(rng.normal(0, 0.05))
            rows.append((f"L{i}", day, "TOO SMALL TO MEASURE" if mm < 5 else round(mm, 1), arm))
    names = ["Patient_Anonmyized", "Treatment_Day", "TargetLesionLongDiam_mm", "Study_Arm"]
    pd.DataFrame(rows, columns=names).to_csv(path, index=False)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for name in ("oak", "tumour_kinetics"):
        (folder / name).mkdir()
    oak_file(folder / "oak" / "oak_clinical.csv")
    lesions_file(folder / "tumour_kinetics" / "oak.csv")
    return folder


@pytest.fixture(scope="module", autouse=True)
def _fewer_resamples():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rivals, "_RESAMPLES", 40)
        yield


@pytest.fixture(scope="module")
def judged(data):
    return judge(data, patients=500, seed=3, simulate=virtual)


@pytest.fixture(scope="module")
def small_pools():
    return made_pools(150, 3, simulate=virtual)


def test_where_the_model_is_the_truth_it_forecasts_response_and_survival(judged):
    c = judged["cohorts"][0]
    model = c["response"]["model"]
    assert model["auc"]["value"] > 0.62
    # forecasts of a small pool are drawn to its mean, which steepens the slope
    assert 0.4 < model["calibration"]["slope"] < 1.0 + 3.0 * model["calibration"]["slope_se"]
    assert abs(model["calibration"]["forecast"] - model["calibration"]["observed"]) < 0.1
    assert c["os"]["c_index"]["model"]["value"] > 0.57
    assert c["os"]["c_index"]["model"]["value"] > c["os"]["c_index"]["TMB"]["value"]
    assert c["effective"] >= 0.9 * ENOUGH
    assert c["held_out"] + c["others"] == 350  # of 700, on the inhibitor


def test_where_benefit_depends_on_a_biomarker_the_predicted_benefit_finds_those_who_have_it(judged):
    benefit = judged["benefit"]
    model = benefit["predictors"]["model"]
    assert model["interaction"]["value"] < 1.0
    assert model["hazard_ratio"]["most"]["value"] < model["hazard_ratio"]["least"]["value"]
    n = sum(model["hazard_ratio"][k]["n"] for k in ("most", "least"))
    assert n == benefit["patients"] == sum(is_held_out("oak", i) for i in range(1, 701))


def test_monitored_lesions_are_forecast_better_than_by_their_last_diameter(judged):
    watched = judged["monitoring"]
    assert watched["patients"] == sum(is_held_out("oak", f"L{i}") for i in range(60))
    assert watched["diameters"]["model"]["mean"][0] < watched["diameters"]["last value stays"]["mean"][0]
    assert watched["against"]["last value stays"][2] < 0.0
    assert watched["coverage_80"] > 0.6


def test_a_model_of_another_world_is_told_from_the_truth(data):
    def inverted(trial, **settings):
        made = virtual(trial, **settings)
        made.patients["pdl1_tps"] = 100.0 - made.patients["pdl1_tps"]
        return made

    pools, cohort = made_pools(200, 3, simulate=inverted), read_real_cohorts(data)[0]
    wrong = module.judged_cohort(cohort.where(arm="inhibitor"), pools, 3)
    assert wrong["response"]["model"]["auc"]["value"] < 0.45
    benefit = module.judged_interaction(cohort, pools, 3)
    assert benefit["predictors"]["model"]["interaction"]["value"] > 1.0
    found = module.aims({"cohorts": [wrong], "monitoring": None})
    assert [a["verdict"] for a in found][:2] == ["missed", "missed"]


@pytest.mark.parametrize(
    ("value", "low", "high", "verdict"),
    [
        (0.05, 0.01, 0.09, "met"),
        (0.005, -0.09, 0.11, "not distinguishable"),
        (-0.05, -0.11, 0.01, "not distinguishable"),
        (-0.12, -0.2, -0.03, "missed"),
        (math.nan, math.nan, math.nan, "not assessable"),
    ],
)
def test_an_aim_whose_interval_contains_zero_is_neither_met_nor_missed(value, low, high, verdict):
    difference = {"value": value, "low": low, "high": high}
    shared = {"auc_of_model_less_pdl1": difference, "auc_of_model_less_cox": difference}
    slope = {"calibration": {"slope": 0.95, "slope_se": 0.3}}
    cohort = {"name": "A", "response": {"stacking": shared, "model": slope}}
    monitoring = {
        "against": dict.fromkeys(("last value stays", "Stein-Claret", "Stein-Claret with prior"), (-value, -high, -low))
    }
    found = module.aims({"cohorts": [cohort], "monitoring": monitoring})
    assert [a["verdict"] for a in found] == [verdict, verdict, "not distinguishable", verdict, verdict, verdict]


@pytest.mark.parametrize(
    ("slope", "se", "verdict"), [(1.0, 0.05, "met"), (0.95, 0.3, "not distinguishable"), (0.7, 0.3, "missed")]
)
def test_a_slope_outside_its_range_is_missed_and_one_inside_is_met_with_its_whole_interval(slope, se, verdict):
    half = 1.96 * se
    assert module._verdict({"value": slope, "low": slope - half, "high": slope + half}, module.SLOPES) == verdict


def test_the_command_writes_json_and_page_and_says_what_was_missed(data, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "made_pools", lambda n, seed, **k: made_pools(n, seed, simulate=virtual))
    page = tmp_path / "judged.md"
    arguments = ["judge", "--data", str(data), "-n", "120", "--out", str(tmp_path / "out"), "--page", str(page)]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    found = json.loads((tmp_path / "out" / "judged.json").read_text())
    assert found["pools"] == {"first line": 120, "later line": 120}
    text = page.read_text()
    assert text == (tmp_path / "out" / "judged.md").read_text() == judged_markdown(found, shipped_combination())
    for title in ("## Aims, set in advance", "## OAK:", "## Benefit of atezolizumab", "## Monitored lesions of OAK"):
        assert title in text
    assert "nan" not in text.casefold().replace("pembrolizumab", "")
    again = json.loads(json.dumps(found))
    again["aims"][0]["verdict"] = "missed"
    assert "**missed**" in judged_markdown(again)


def test_rivals_never_see_a_held_out_patient(data, small_pools, monkeypatch):
    seen = []
    real = module.cox_risk
    monkeypatch.setattr(module, "cox_risk", lambda x, t, e: seen.append(len(x)) or real(x, t, e))
    found = module.judged_cohort(read_real_cohorts(data)[0].where(arm="inhibitor"), small_pools, 3)
    others = found["others"]
    assert others == sum(not is_held_out("oak", i) for i in range(2, 701, 2))
    assert set(seen) <= {others, *range(int(0.79 * others), int(0.81 * others) + 2)}


def test_a_folder_without_tables_or_a_table_without_a_column_is_refused(tmp_path):
    with pytest.raises(InputError, match="no table of patients"):
        read_real_cohorts(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        read_real_cohorts(tmp_path / "none")
    (tmp_path / "oak").mkdir()
    (tmp_path / "oak" / "oak_clinical.csv").write_text("PtID,TRT01P\n1,Docetaxel\n")
    with pytest.raises(InputError, match="no column 'BCOR'") as error:
        read_real_cohorts(tmp_path)
    assert "oak_clinical.csv" in str(error.value)


def test_the_stand_in_tables_are_read():
    folder = Path(__file__).parents[1] / "data" / "stand_in" / "data"
    (folder / "toposcore").is_dir()
    frames = {}
    from immunescape.twins.judging import cohorts

    frames["LORIS"] = cohorts._loris([folder / "loris" / f for f in ("chowell_train_nsclc.csv", "shim_nsclc.csv")])
    frames["OAK"] = cohorts._oak(folder / "oak" / "oak_clinical.csv")
    assert set(frames["LORIS"].table["study"]) == {"loris_chowell", "loris_shim"}
    assert frames["LORIS"].table["albumin_g_l"].iloc[0] == 40.0
    assert frames["OAK"].pdl1 == "rank"


def test_cells_of_pdl1_are_read_as_numbers_or_ranges():
    from immunescape.twins.judging.cohorts import _tps_range

    assert _tps_range("1+49+") == _tps_range("1-49%") == (1.0, 49.0)
    assert _tps_range(">50%") == (50.0, 100.0)
    assert _tps_range("60") == (60.0, 60.0)
    assert all(math.isnan(x) for word in ("NAN", "Unknown", "150") for x in _tps_range(word))


def test_a_covariate_that_is_not_known_says_nothing(data):
    from immunescape.trial.loading import load_trial

    pool = pool_of("later line", virtual(load_trial("oak"), patients=200, seed=1))
    cohort = read_real_cohorts(data)[0]
    table = cohort.table.head(1).copy()
    for column in (*cohort.inputs, "pdl1_low", "pdl1_high"):
        table[column] = np.nan if table[column].dtype != object else None
    from dataclasses import replace

    blank = replace(cohort, table=table)
    assert not log_likelihoods(pool, blank).any()
    row = forecasts_of({"later line": pool}, blank, "inhibitor").iloc[0]
    assert row["response"] == pytest.approx(pool.arms["inhibitor"]["response"].mean())


def test_weights_are_flattened_until_enough_are_effective():
    logs = -0.5 * np.linspace(0, 30, 500) ** 2
    w = flattened(logs, 60.0)
    assert 1.0 / float((w**2).sum()) == pytest.approx(60.0, rel=0.01)
    assert w[0] == w.max()
    even = flattened(np.zeros(100), 60.0)
    assert even == pytest.approx(0.01)


def test_scores_agree_with_what_they_are_by_hand():
    rng = np.random.default_rng(1)
    chance = rng.uniform(0.05, 0.9, 20000)
    answer = (rng.uniform(size=20000) < chance).astype(float)
    found = calibration(chance, answer)
    assert found["slope"] == pytest.approx(1.0, abs=0.05)
    assert found["intercept"] == pytest.approx(0.0, abs=0.05)
    odds = np.log(chance / (1 - chance))
    too_sure = calibration(1 / (1 + np.exp(-2 * odds)), answer)
    assert too_sure["slope"] == pytest.approx(0.5, abs=0.05)
    answers, chances = np.array([1.0, 0.0, 1.0, 0.0]), np.array([0.9, 0.8, 0.1, 0.1])
    assert net_benefit(chances, answers, 0.5) == pytest.approx(1 / 4 - 1 / 4)
    assert net_benefit(chances, answers, 0.2) == pytest.approx(1 / 4 - 1 / 4 * 0.25)
    assert concordance(np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 1.0]), np.ones(3)) == 1.0
    x = rng.standard_normal((4000, 2))
    y = (rng.uniform(size=4000) < 1 / (1 + np.exp(-(0.3 + x @ [1.0, -0.5])))).astype(float)
    beta, error = logistic_fit(x, y, penalty=1e-6)
    assert np.abs((beta - [0.3, 1.0, -0.5]) / error).max() < 4.0


def test_missing_inputs_of_a_rival_take_the_mean_with_an_indicator(data):
    cohort = read_real_cohorts(data)[0]
    rows = Design.of(cohort).rows(cohort)
    assert np.isfinite(rows).all()
    missing = cohort.table["tmb_rank"].isna().to_numpy()
    assert 0.1 < missing.mean() < 0.3
    names = Design.of(cohort).names
    assert not rows[missing, names.index("tmb_rank")].any()
    assert set(np.sign(rows[:, names.index("tmb_rank missing")])) == {-1.0, 1.0}


def test_regrowth_is_a_fifth_and_five_millimetres_over_the_smallest_diameter():
    one = Monitored(
        "a",
        "docetaxel",
        np.array([0.0, 42, 84]),
        np.array([40.0, 30, 20]),
        np.array([126.0, 168]),
        np.array([24.0, 26.0]),
    )
    assert one.regrowth == (84.0, True)
    never = Monitored("a", "docetaxel", one.days, one.mm, one.later_days, np.array([24.0, 23.0]))
    assert never.regrowth == (84.0, False)


def test_lesions_are_split_by_patient(data):
    path = data / "tumour_kinetics" / "oak.csv"
    parts = [{x.patient for x in monitored_lesions(path, held)} for held in (True, False)]
    assert not parts[0] & parts[1]
    assert sum(map(len, parts)) == 60
    assert {x.arm for x in monitored_lesions(path, True)} == set(ARMS.values())


def test_the_real_tables_give_the_known_numbers_of_patients(shared_data):
    found = {c.name: c for c in read_real_cohorts(shared_data)}
    assert len(found["OAK"].table) == 850
    assert found["OAK"].where(arm="inhibitor").table["response"].mean() == pytest.approx(0.136, abs=0.02)
    for c in found.values():
        assert 0.22 < c.table["held"].mean() < 0.38, c.name
        assert {"response", "pfs", "os"} <= set(c.table)
    assert found["LORIS"].table["pdl1_low"].notna().sum() > 200
