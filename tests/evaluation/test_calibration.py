"""Calibration: weighted figures against lifelines, weights against closed cases, a known fit found again."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter, KaplanMeierFitter

from immunescape.errors import InputError
from immunescape.evaluation.calibration import (
    Term,
    calibrate,
    chance,
    coordinates,
    discrepancy,
    fit_weights,
    terms,
    to_fit,
)
from immunescape.evaluation.targets import (
    Target,
    ctdna_targets,
    logit,
    oak_targets,
    response_by_btmb,
    response_by_pdl1,
    response_by_sp142,
    response_by_tmb,
    trial_targets,
)
from immunescape.evaluation.weighting import (
    Sample,
    effective_size,
    pool,
    weighted_median,
    weighted_survival,
)
from immunescape.population.fit import FitTerm, PopulationFit
from immunescape.stats.weighted_cox import weighted_hazard_ratio
from immunescape.trial.loading import load_trial


def made_up(n: int, seed: int, fit: PopulationFit | None = None) -> Sample:
    """Patients with one score z; they respond more often where it is high."""
    rng = np.random.default_rng(seed)
    fit = fit or PopulationFit()
    z = fit.of("k_kill").get("shift", 0.0) + fit.of("k_kill").get("scale", 1.0) * rng.standard_normal((n, 1))
    response = (rng.uniform(size=n) < 1.0 / (1.0 + np.exp(1.0 - z[:, 0]))).astype(float)
    time = rng.exponential(10.0 * np.exp(0.3 * z[:, 0]))
    event = (time < 40.0).astype(float)
    nothing = np.zeros((n, 1))
    sample = Sample(
        trial="t",
        arm="a",
        names=("k_kill",),
        z=z,
        linked=nothing,
        left=np.ones(1),
        covariates={},
        response=response,
        times={"pfs": (np.minimum(time, 40.0), event), "os": (np.minimum(time, 40.0), event)},
        groups={"all": np.ones(n, dtype=bool)},
        proposals=((fit, n),),
    )
    return pool([sample])


def test_weighted_survival_is_that_of_lifelines() -> None:
    rng = np.random.default_rng(1)
    time = np.ceil(rng.exponential(8.0, 300))
    event = (rng.uniform(size=300) < 0.7).astype(float)
    weights = rng.integers(1, 6, 300).astype(float)
    fitted = KaplanMeierFitter().fit(np.repeat(time, weights.astype(int)), np.repeat(event, weights.astype(int)))
    at = np.array([0.0, 1.0, 3.5, 8.0, 20.0])
    ours = weighted_survival(time, event, weights / weights.sum(), at)
    assert np.allclose(ours, fitted.survival_function_at_times(at).to_numpy(), atol=1e-9)
    assert weighted_median(time, event, weights) == pytest.approx(fitted.median_survival_time_)


def test_weighted_hazard_ratio_is_that_of_lifelines() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.exponential(12.0, 200), rng.exponential(8.0, 150)
    wa, wb = rng.uniform(0.2, 2.0, 200), rng.uniform(0.2, 2.0, 150)
    wa, wb = wa / wa.sum(), wb / wb.sum()
    ours = weighted_hazard_ratio((a, np.ones(200)), wa, (b, np.ones(150)), wb)
    frame = pd.DataFrame({"t": np.r_[a, b], "e": 1, "g": np.r_[np.ones(200), np.zeros(150)], "w": 1e3 * np.r_[wa, wb]})
    cox = CoxPHFitter().fit(frame, "t", "e", weights_col="w", robust=True)
    assert ours == pytest.approx(float(cox.params_["g"]), abs=1e-5)


def test_weights_turn_one_population_into_another() -> None:
    sample = made_up(40_000, 3)
    target = PopulationFit(
        (
            FitTerm("k_kill", "shift", 0.4, 0, "assumed", "fitted"),
            FitTerm("k_kill", "scale", 0.8, 0, "assumed", "fitted"),
        )
    )
    w = sample.weights(target)
    mean = float(w @ sample.z[:, 0])
    assert mean == pytest.approx(0.4, abs=0.03)
    assert math.sqrt(float(w @ (sample.z[:, 0] - mean) ** 2)) == pytest.approx(0.8, abs=0.03)
    assert np.allclose(sample.weights(PopulationFit()), 1.0 / len(sample))


def test_pooled_populations_are_weighted_by_their_mixture() -> None:
    far = PopulationFit((FitTerm("k_kill", "shift", 1.5, 0, "assumed", "fitted"),))
    one, two = made_up(4000, 4), made_up(4000, 5, far)
    both = pool([one, two])
    w = both.weights(far)
    assert float(w @ both.z[:, 0]) == pytest.approx(1.5, abs=0.06)
    assert effective_size(w) > 4000
    assert effective_size(one.weights(far)) < 1500  # without the second population few patients count


def test_a_known_fit_is_found_again() -> None:
    truth = PopulationFit((FitTerm("k_kill", "shift", 0.6, 0, "assumed", "fitted"),))
    rate = made_up(40_000, 6, truth).response.mean()
    sample = made_up(8000, 7)
    key = ("t", "a")
    target = Target(
        "response",
        "assumed",
        logit(float(rate)),
        0.02,
        lambda w: logit(float(w[key][0].response @ w[key][1])),
        lambda x: x,
    )
    moving = (Term("k_kill", ("k_kill",), "shift", 1.0),)
    found = fit_weights({key: sample}, [target], moving, np.zeros(1))
    assert found.x[0] == pytest.approx(0.6, abs=0.1)
    assert 0.0 < found.covariance[0, 0] < 0.02
    held = fit_weights({key: sample}, [replace(target, sd=0.2)], moving, np.zeros(1), keep=0.98)
    assert abs(held.x[0]) < 0.75 * found.x[0]  # a fit that leaves too few patients effective is held back


def test_chance_of_virtual_figures_is_that_of_theory_and_cancels_between_arms_that_share_patients() -> None:
    sample = made_up(2000, 9)
    equal = np.full(2000, 1.0 / 2000)
    weighted = {("t", "a"): (sample, equal), ("t", "b"): (sample, equal), ("u", "b"): (made_up(2000, 10), equal)}

    def share(key: tuple[str, str]) -> float:
        return float(weighted_[key][0].response @ weighted_[key][1])

    weighted_: dict = {}

    def target(figure) -> Target:
        def compute(w) -> float:
            weighted_.update(w)
            return figure()

        return Target("", "assumed", 0.0, 1.0, compute, lambda x: x)

    one = target(lambda: share(("t", "a")))
    same = target(lambda: share(("t", "a")) - share(("t", "b")))
    apart = target(lambda: share(("t", "a")) - share(("u", "b")))
    found = chance([one, same, apart], weighted, resamples=400)
    p = sample.response.mean()
    assert found[0] == pytest.approx(p * (1 - p) / 2000, rel=0.25)
    assert found[1] == pytest.approx(0.0, abs=1e-12)
    assert found[2] == pytest.approx(2 * p * (1 - p) / 2000, rel=0.35)


def test_coordinates_and_fits_are_inverse() -> None:
    moving = terms()
    x = np.linspace(-0.4, 0.5, len(moving))
    assert np.allclose(coordinates(to_fit(x, moving), moving), x)


def test_targets_of_a_trial_cover_its_published_figures() -> None:
    names = [t.name for t in trial_targets(load_trial("keynote-024"))]
    assert len(names) == 10
    assert any("OS at 60 months" in n for n in names)
    assert sum("hazard ratio" in n for n in names) == 2


def test_a_table_with_a_word_for_a_number_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("PDL1_TPS(%),Response\n50,1\nhigh,0\n")
    with pytest.raises(InputError, match="row 3"):
        response_by_pdl1(tmp_path)


def test_targets_from_the_patients_of_oak(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    header = "TRT01P,HIST,PFS,PFS.CNSR,OS,OS.CNSR,BCOR,TC1IC1,TC3IC3"
    rows = [header]
    for arm, months in (("MPDL3280A", 14.0), ("Docetaxel", 9.6)):
        for k, os in enumerate(rng.exponential(months / math.log(2.0), 400)):
            low, high = k % 4 < 2, k % 4 == 3
            best = "PR" if high and k % 8 == 3 else "SD"
            histology = "SQUAMOUS" if k % 3 == 0 else "NON-SQUAMOUS"
            rows.append(
                f"{arm},{histology},{min(os, 4.0):.3f},0,{os:.3f},0,{best},"
                f"{'TC0 and IC0' if low else 'TC1/2/3 or IC1/2/3'},{'TC3 or IC3' if high else 'TC0/1/2 and IC0/1/2'}"
            )
    path = tmp_path / "oak_clinical.csv"
    path.write_text("\n".join(rows), encoding="utf-8")
    found = {t.name: t for t in oak_targets(path)}
    assert found["oak: docetaxel, OS at 9 months (%)"].back(found["oak: docetaxel, OS at 9 months (%)"].value) == (
        pytest.approx(100 * 0.5 ** (9 / 9.6), abs=7)
    )
    ratios = [math.exp(found[f"oak: OS hazard ratio, {h}"].value) for h in ("squamous", "nonsquamous")]
    assert all(0.5 < r < 0.95 for r in ratios)
    assert response_by_sp142(path) == {
        "PD-L1 low": (0, 200),
        "PD-L1 middle": (0, 100),
        "PD-L1 high": (50, 100),
    }
    path.write_text("\n".join([header, rows[1].replace("MPDL3280A", "Placebo")]), encoding="utf-8")
    with pytest.raises(InputError, match="row 2"):
        oak_targets(path)


def test_targets_from_mutational_burden_and_ctdna(tmp_path: Path) -> None:
    (tmp_path / "cohort.csv").write_text(
        "PDL1_TPS(%),TMB,Response\n10,3,0\n49,12,1\n50,9.9,1\n80,10,0\n,20,1\n10,,1\n0,30,NA\n", encoding="utf-8"
    )
    assert response_by_tmb(tmp_path) == {
        "TPS<50": {"TPS<50, TMB<10": (0, 1), "TPS<50, TMB>=10": (1, 1)},
        "TPS>=50": {"TPS>=50, TMB<10": (1, 1), "TPS>=50, TMB>=10": (0, 1)},
    }
    (tmp_path / "cohort.csv").write_text("PDL1_TPS(%),TMB,Response\n10,many,0\n", encoding="utf-8")
    with pytest.raises(InputError, match="row 2"):
        response_by_tmb(tmp_path)
    rng = np.random.default_rng(12)
    rows = ["TRT01P,OS,OS.CNSR,MSAF,btmb,BCOR"]
    for arm in ("MPDL3280A", "Docetaxel"):
        for k in range(600):
            shed = rng.uniform()
            os = rng.exponential(20.0 if shed < 0.5 else 10.0)
            rows.append(f"{arm},{os:.3f},0,{shed:.4f},{16 if k % 4 == 0 else 5},{'PR' if k % 8 == 0 else 'SD'}")
        rows.append(f"{arm},3.0,0,.,.,PR")
    path = tmp_path / "oak.csv"
    path.write_text("\n".join(rows), encoding="utf-8")
    found = ctdna_targets(path)
    assert len(found) == 2
    assert [t.back(t.value) for t in found] == pytest.approx([2.0, 2.0], rel=0.25)
    assert response_by_btmb(path)["oak", "docetaxel"] == {"low bTMB": (0, 450), "high bTMB": (75, 150)}


def test_requests_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    trial = load_trial("checkmate-017")
    with pytest.raises(InputError, match="no trial"):
        calibrate([])
    with pytest.raises(InputError, match="no such folder"):
        calibrate([trial], data=tmp_path / "none")
    with pytest.raises(InputError, match="none of"):
        calibrate([trial], data=tmp_path)
    unknown = PopulationFit((FitTerm("k_kill", "ln:sld_mm", 0.3, 0, "assumed", "fitted"),))
    with pytest.raises(InputError, match="cannot be fitted"):
        calibrate([trial], start=unknown)


def test_discrepancy_is_what_chance_does_not_explain() -> None:
    rng = np.random.default_rng(8)
    published, chance, own = rng.normal(size=4000), 0.2, 0.3
    targets = [
        Target("", "assumed", v, math.hypot(chance, 0.1), lambda _: 0.0, lambda x: x, kind=kind, tolerance=0.1)
        for kind, v in zip(("hr", "median") * 2000, published, strict=True)
    ]
    found = published + rng.normal(scale=math.hypot(chance, own), size=4000)
    none = [0.0] * 4000
    left = discrepancy(targets, list(found), none)
    assert left["hr"] == pytest.approx(own, abs=0.02)
    assert left["median"] == pytest.approx(own / (2 * math.log(2)), abs=0.02)  # d logit S = 2 ln 2 d ln T
    assert "orr" not in left
    exact = discrepancy(targets, list(published), none)
    assert exact == {"median": 0.0, "hr": 0.0}
    assert discrepancy(targets, list(found), none, 1000.0)["hr"] > left["hr"]
    assert discrepancy(targets, list(found), [own**2] * 4000)["hr"] < 0.1


@pytest.mark.slow
def test_a_small_calibration_resumes_to_the_same_result(tmp_path: Path) -> None:
    trial = load_trial("checkmate-017")
    first = calibrate([trial], patients=24, rounds=1, seed=5, workers=2, out=tmp_path)
    again = calibrate([trial], patients=24, rounds=1, seed=5, workers=1, out=tmp_path)
    assert first.to_json() == again.to_json()
    assert (tmp_path / "population_fit.csv").is_file()
    assert PopulationFit.read(tmp_path / "population_fit.csv").terms
    assert first.to_json()["effective_sample_size"] > 10


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--refit-without", "keynote-024"), "--refit-without would have no effect with --method weights"),
        (("--fresh", "40"), "--fresh would have no effect with --method weights"),
        (("--method", "surface", "--points", "4"), "--points would have no effect with --method surface"),
        (("--spread", "0.3"), "--spread would have no effect with one population per round"),
    ],
)
def test_options_of_the_other_method_are_refused(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    from typer.testing import CliRunner

    from immunescape.cli.program import app

    answer = CliRunner().invoke(app, ["calibrate", "keynote-024", *words, "--out", str(tmp_path / "fit")])
    assert answer.exit_code != 0
    assert said in str(answer.exception)
    assert not (tmp_path / "fit").exists()


@pytest.mark.parametrize(
    ("words", "other"),
    [
        ((), None),
        (("--seed", "2"), "seed"),
        (("-n", "60"), "patients per arm"),
        (("oak",), "trials"),
        (("--parameters", "TERMS"), "terms"),
    ],
)
def test_a_finished_fit_to_something_else_is_not_overwritten_unasked(
    tmp_path: Path, words: tuple[str, ...], other: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from typer.testing import CliRunner

    from immunescape.cli.program import app

    class Asked(Exception):
        """The calibration was begun."""

    def begun(*_: object, **__: object) -> None:
        raise Asked

    monkeypatch.setattr("immunescape.evaluation.calibration.calibrate", begun)
    table = tmp_path / "terms.csv"
    table.write_text(
        "name,members,term,prior_sd,unit,source,grade,note\nk,k_kill,shift,0.5,standard deviation,assumed,assumed,\n",
        encoding="utf-8",
    )
    out = tmp_path / "fit"
    out.mkdir()
    held = {
        "effective_sample_size": 20.0,
        "seed": 1,
        "patients_per_arm_and_round": 40,
        "arms": [{"trial": "keynote-024", "arm": a} for a in ("pembrolizumab", "platinum doublet")],
        "terms": [{"name": t.name, "term": t.term} for t in terms()],
    }
    (out / "calibration.json").write_text(json.dumps(held), encoding="utf-8")
    call = ["calibrate", "keynote-024", "-n", "40", *(str(table) if w == "TERMS" else w for w in words)]
    answer = CliRunner().invoke(app, [*call, "--out", str(out)])
    if other is None:
        assert isinstance(answer.exception, Asked)
    else:
        assert f"with other {other}" in str(answer.exception)
    assert isinstance(CliRunner().invoke(app, [*call, "--out", str(out), "--force"]).exception, Asked)
