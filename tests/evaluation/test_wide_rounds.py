"""Rounds of many populations: where they lie, what their mixture says of a fit, how good their posterior is."""

from __future__ import annotations

import math
import re
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kstest

from immunescape.errors import InputError
from immunescape.evaluation.calibration import Objective, calibrate, comparison_kind, leave_one_out
from immunescape.evaluation.fit_terms import Term, coordinates, held_terms, limits, read_terms, terms, to_fit
from immunescape.evaluation.posterior import Posterior, shipped_discrepancy
from immunescape.evaluation.posterior_draws import draw_posterior, read_draws
from immunescape.evaluation.targets import Target, logit
from immunescape.evaluation.weighting import Sample, effective_size, pool, tilted
from immunescape.evaluation.wide_rounds import cost, point_fits, scatter
from immunescape.population.fit import FitTerm, PopulationFit
from immunescape.report.calibration_report import cost_text
from immunescape.trial.loading import load_trial

KEY = ("t", "a")
MOVING = (Term("k_kill", ("k_kill",), "shift", 0.5), Term("k_kill", ("k_kill",), "scale", 0.25))


def population(n: int, seed: int, fit: PopulationFit, key: tuple[str, str] = KEY, error: float = 0.1) -> Sample:
    """Patients with one score z who respond more often where it is high; a scan's error hides some responses."""
    rng = np.random.default_rng(seed)
    own = fit.of("k_kill")
    z = own.get("shift", 0.0) + own.get("scale", 1.0) * rng.standard_normal((n, 1))
    hidden = error * fit.of("lesions.scan_cv").get("factor", 1.0)
    response = (rng.uniform(size=n) < (1.0 - hidden) / (1.0 + np.exp(1.0 - z[:, 0]))).astype(float)
    return Sample(
        trial=key[0],
        arm=key[1],
        names=("k_kill",),
        z=z,
        linked=np.zeros((n, 1)),
        left=np.ones(1),
        covariates={},
        response=response,
        times={},
        groups={},
        proposals=((fit, n),),
    )


def pooled(fits: list[PopulationFit], n: int, seed: int, key: tuple[str, str] = KEY, error: float = 0.1) -> Sample:
    return pool([population(n, seed + k, fit, key, error) for k, fit in enumerate(fits)])


def response_target(share: float, n: int, key: tuple[str, str] = KEY, name: str = "response") -> Target:
    q = min(max(share, 0.5 / n), 1.0 - 0.5 / n)
    sd = 1.0 / math.sqrt(n * q * (1.0 - q))
    figure = lambda w: logit(float(w[key][0].response @ w[key][1]))  # noqa: E731
    return Target(name, "assumed", logit(share), sd, figure, lambda x: x, arms=(key,), kind="orr")


def test_populations_lie_about_the_fit_as_far_as_was_asked_and_within_the_limits() -> None:
    moving = terms()
    centre = np.linspace(-0.3, 0.3, len(moving))
    points = scatter(centre, moving, 512, 0.5, 3)
    assert np.array_equal(points[0], centre)
    assert (np.abs(points) <= limits(moving)).all()
    sd = (points - centre).std(axis=0) / np.array([t.prior_sd for t in moving])
    assert sd == pytest.approx(np.full(len(moving), 0.5), abs=0.05)
    assert np.array_equal(points, scatter(centre, moving, 512, 0.5, 3))
    assert not np.array_equal(points, scatter(centre, moving, 512, 0.5, 4))


def test_a_mixture_of_populations_stands_for_fits_that_none_of_them_has() -> None:
    fits = point_fits(PopulationFit(), np.zeros(2), MOVING, 24, 1.0, 1)
    sample = pooled(fits, 400, 10)
    asked = to_fit(np.array([1.2, 0.2]), MOVING)
    weights = sample.weights(asked)
    assert float(weights @ sample.response) == pytest.approx(population(60_000, 1, asked).response.mean(), abs=0.02)
    alone = population(24 * 400, 2, PopulationFit())
    assert effective_size(weights) > 1.5 * effective_size(pool([alone]).weights(asked))


def test_a_coefficient_without_a_density_is_reached_as_far_as_populations_differ_in_it() -> None:
    moving = (Term("scan", ("lesions.scan_cv",), "factor", 0.4),)
    fits = point_fits(PopulationFit(), np.zeros(1), moving, 32, 1.0, 2)
    sample = pooled(fits, 600, 50, error=0.35)
    asked = to_fit(np.array([0.35]), moving)
    found = float(sample.weights(asked) @ sample.response)
    here, there = (population(80_000, 3, f, error=0.35).response.mean() for f in (PopulationFit(), asked))
    assert here - there > 0.025
    assert found == pytest.approx(there, abs=0.014)
    # of populations that are all alike nothing can be learnt
    alike = pooled([PopulationFit()] * 4, 200, 5)
    assert alike.weights(asked) == pytest.approx(np.full(800, 1 / 800))


def test_weights_are_tilted_to_a_mean_and_not_beyond_what_there_is() -> None:
    rng = np.random.default_rng(4)
    values = rng.standard_normal((500, 2))
    equal = np.full(500, 1 / 500)
    w = tilted(equal, values, np.array([0.3, -0.2]))
    assert w @ values == pytest.approx([0.3, -0.2], abs=2e-3)
    assert w.sum() == pytest.approx(1.0)
    far = tilted(equal, values, np.array([50.0, 0.0]))
    assert np.isfinite(far).all()
    assert abs(float(far @ values[:, 1])) < 0.3
    assert 1.2 < float(far @ values[:, 0]) <= values[:, 0].max()


def test_the_posterior_covers_a_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(7)
    prior = np.array([t.prior_sd for t in MOVING])
    fits = point_fits(PopulationFit(), np.zeros(2), MOVING, 16, 1.0, 3)
    sample = pooled(fits, 120, 70)
    ranks = []
    for k in range(60):
        truth = np.clip(rng.normal(0.0, prior), -limits(MOVING), limits(MOVING))
        # the response of a large trial in that population, with the chance of 150 patients
        share = float(sample.weights(to_fit(truth, MOVING)) @ sample.response)
        target = response_target(rng.binomial(150, share) / 150, 150)
        objective = Objective({KEY: sample}, [target], MOVING, np.zeros(2), keep=0.0001)
        fitted = objective.solve(np.zeros(2), 8)
        draws = draw_posterior(objective.log_posterior, fitted.x, fitted.covariance, MOVING, 50, k, proposals=90)
        ranks.append((draws.x[:, 0] < truth[0]).mean() + rng.uniform(-1, 1) / 100)
    assert kstest(np.clip(ranks, 0, 1), "uniform").pvalue > 0.01
    inside = np.mean([(0.1 < r < 0.9) for r in ranks])
    assert 0.68 <= inside <= 0.92  # 80 % intervals
    assert np.mean([abs(r - 0.5) < 0.25 for r in ranks]) == pytest.approx(0.5, abs=0.17)


def test_draws_are_of_the_posterior_where_it_is_no_normal_and_survive_the_table() -> None:
    # exponential towards larger values above -0.5: the normal approximation at any point is wrong
    def log_density(x: np.ndarray) -> float:
        return -4.0 * (x[0] + 0.5) if x[0] > -0.5 else -math.inf

    draws = draw_posterior(log_density, np.array([-0.3]), np.array([[0.3]]), MOVING[:1], 4000, 1, proposals=40_000)
    assert draws.x.min() > -0.5
    assert draws.x.mean() == pytest.approx(-0.25, abs=0.02)
    assert 0.1 < draws.effective / draws.proposals < 0.9
    both = draw_posterior(lambda x: 0.0, np.zeros(2), np.eye(2) * 0.01, MOVING, 20, 2)
    back = read_draws(both.to_csv(), MOVING, "draws")
    assert back == pytest.approx(both.x, abs=1e-3)
    with pytest.raises(InputError, match="k_kil:shift"):
        read_draws("k_kil:shift\n0.1\n", MOVING, "draws")
    with pytest.raises(InputError, match="line 3"):
        read_draws("k_kill:shift\n0.1\nmany\n", MOVING, "draws")
    with pytest.raises(InputError, match="no draws"):
        read_draws("k_kill:shift\n", MOVING, "draws")


def test_a_trial_that_is_left_out_is_predicted_from_the_others() -> None:
    truth = to_fit(np.array([0.5, 0.0]), MOVING)
    fits = point_fits(PopulationFit(), np.zeros(2), MOVING, 12, 1.0, 5)
    keys = [("one", "a"), ("two", "a"), ("three", "a")]
    samples = {key: pooled(fits, 400, 100 * k, key) for k, key in enumerate(keys)}
    right = float(population(60_000, 9, truth).response.mean())
    shares = [right, right, 0.9]  # the third trial contradicts the others
    targets = [response_target(s, 400, key, key[0]) for s, key in zip(shares, keys, strict=True)]
    moving = MOVING[:1]
    objective = Objective(samples, targets, moving, np.zeros(1), keep=0.02)
    fitted = objective.solve(np.zeros(1))
    found = leave_one_out(samples, targets, moving, fitted, keep=0.02, max_evaluations=15)
    assert set(found) == {"one", "two", "three"}
    assert 1 / (1 + math.exp(-found["three"])) == pytest.approx(right, abs=0.03)  # its own figure plays no part
    assert found["one"] > logit(right) + 0.1  # the odd trial pulls the others


def test_intervals_hold_the_draws_of_what_moved_and_the_errors_of_what_was_held() -> None:
    fit = PopulationFit(
        (
            FitTerm("k_kill", "shift", 0.4, 0.1, "assumed", "fitted"),
            FitTerm("k_growth", "scale", 1.25, 0.25, "assumed", "fitted"),
        )
    )
    record = {"terms": [{"name": "k_kill", "term": "shift"}], "covariance": [[0.04]]}
    normal = Posterior.of(fit, record)
    assert [(t.name, t.term) for t in normal.moving] == [("k_kill", "shift"), ("k_growth", "scale")]
    assert normal.covariance == pytest.approx(np.diag([0.04, 0.04]))  # 0.25 of 1.25 is 0.2 on the log scale
    fits = Posterior.of(fit, record, "k_kill:shift\n0.1\n0.9\n").draws(400, 3)
    shifts = [f.of("k_kill")["shift"] for f in fits]
    assert sorted(set(shifts)) == pytest.approx([0.1, 0.9])
    assert shifts.count(shifts[0]) == 200
    scales = np.log([f.of("k_growth")["scale"] for f in fits])
    assert scales.std() == pytest.approx(0.2, abs=0.03)


def test_errors_of_trials_that_a_fit_had_not_seen_are_those_of_the_same_sort_of_comparison(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record = {
        "discrepancy": {"hr": 0.1, "orr": 0.2},
        "discrepancy_left_out": {
            "all": {"hr": {"sd": 0.3, "figures": 14}},
            "inhibitor added": {"hr": {"sd": 0.15, "figures": 6}},
            "other": {"hr": {"sd": 0.9, "figures": 2}},
        },
    }
    monkeypatch.setattr("immunescape.evaluation.posterior._prediction_errors", dict)
    monkeypatch.setattr("immunescape.evaluation.posterior.shipped_record", lambda: record)
    monkeypatch.setattr("immunescape.evaluation.posterior._prediction_errors", dict)
    assert shipped_discrepancy("inhibitor added") == {"hr": 0.15, "orr": 0.2}
    assert shipped_discrepancy("other") == {"hr": 0.3, "orr": 0.2}  # two figures are too few
    assert shipped_discrepancy() == {"hr": 0.3, "orr": 0.2}
    monkeypatch.setattr("immunescape.evaluation.posterior.shipped_record", lambda: {"discrepancy": {"hr": 0.1}})
    assert shipped_discrepancy("inhibitor added") == {"hr": 0.1}
    # errors of predictions of trials that nothing was fitted to come first
    unseen = {"all": {"hr": {"sd": 0.4, "figures": 9}}, "other": {"hr": {"sd": 0.2, "figures": 2}}}
    monkeypatch.setattr("immunescape.evaluation.posterior._prediction_errors", lambda: unseen)
    assert shipped_discrepancy("other") == {"hr": 0.4}


def test_comparisons_differ_in_whether_an_inhibitor_is_added_or_replaces() -> None:
    kinds = {name: comparison_kind(load_trial(name)) for name in ("keynote-024", "keynote-189", "oak", "pacific")}
    assert kinds == {
        "keynote-024": "inhibitor against chemotherapy",
        "keynote-189": "inhibitor added",
        "oak": "inhibitor against chemotherapy",
        "pacific": "inhibitor added",
    }


def test_terms_of_ones_own_are_read_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "terms.csv"
    head = "name,members,term,prior_sd,unit,source,grade,note\n"
    path.write_text(head + "a,k_kill,shift,0.5,standard deviation,assumed,assumed,\n", encoding="utf-8")
    (term,) = read_terms(path)
    start = PopulationFit(
        (
            FitTerm("k_kill", "shift", 0.3, 0, "assumed", "fitted"),
            FitTerm("k_growth", "shift", 0.2, 0, "assumed", "fitted"),
        )
    )
    held = held_terms(start, [term])
    assert [t.parameter for t in held] == ["k_growth"]
    assert to_fit(coordinates(start, [term]), [term], held=held).of("k_growth") == {"shift": 0.2}
    for row, message in (
        ("a,k_kil,shift,0.5", "k_kil"),
        ("a,k_kill,shift,0", "above 0"),
        ("a,lesions.scan,factor,0.1", r"lesions\.scan"),
        ("a,k_kill,factor,0.1", "does not go with"),
    ):
        path.write_text(head + row + ",dimensionless,assumed,assumed,\n", encoding="utf-8")
        with pytest.raises(InputError, match=message) as caught:
            read_terms(path)
        assert caught.value
    centred = head.replace("note\n", "note,prior_mean\n")
    rows = (
        "a,k_kill,shift,0.5,standard deviation,assumed,assumed,,-0.4",
        "b,k_kill,scale,0.5,dimensionless,assumed,assumed,,0.8",
        "c,k_growth,shift,0.5,standard deviation,assumed,assumed,,",
    )
    path.write_text(centred + "\n".join(rows) + "\n", encoding="utf-8")
    shift, scale, unmoved = read_terms(path)
    assert (shift.prior_mean, scale.prior_mean, unmoved.prior_mean) == (-0.4, pytest.approx(math.log(0.8)), 0.0)
    assert shift.moved(0.1) == pytest.approx(1.0)
    assert scale.moved(scale.coordinate(0.8)) == pytest.approx(0.0)
    for row in ("shift,0.5", "scale,0.5"):
        path.write_text(centred + f"a,k_kill,{row},dimensionless,assumed,assumed,,-4\n", encoding="utf-8")
        with pytest.raises(InputError, match="centred at -4") as caught:
            read_terms(path)
        assert "line 2" in str(caught.value)
    courses = read_terms(Path(str(files("immunescape.knowledge"))) / "data" / "calibration_terms_courses.csv")
    assert len(courses) == 16
    assert set(courses) <= set(terms())
    path.write_text(head, encoding="utf-8")
    with pytest.raises(InputError, match="no term"):
        read_terms(path)


def test_what_a_calibration_costs_is_said_before_it_begins() -> None:
    found = cost([load_trial("oak"), load_trial("keynote-024")], 100, 2, 2)
    assert found["courses"] == 100 * 3 * 4
    assert found["minutes_low"] < found["minutes_high"]
    assert cost([load_trial("oak")], 100, 2, 1)["minutes_low"] == pytest.approx(found["minutes_low"])
    short = cost([load_trial("oak")], 20, 1, 2)
    assert "less than a minute on 2 workers" in cost_text(short)
    assert "to simulate: on the cluster, and" in cost_text(short, cluster=True)
    assert re.search(r"about \d+ to \d+ minutes on 2 workers", cost_text({**short, "minutes_high": 40.0}))


@pytest.mark.slow
def test_a_round_of_many_populations_resumes_to_the_same_result_whatever_the_workers(tmp_path: Path) -> None:
    trial = load_trial("checkmate-017")
    options = {"patients": 16, "points": 2, "rounds": 1, "seed": 5, "draws": 10}
    first = calibrate([trial], workers=2, out=tmp_path / "a", **options)
    again = calibrate([trial], workers=1, out=tmp_path / "a", **options)
    other = calibrate([trial], workers=1, **options)
    assert first.to_json() == again.to_json() == other.to_json()
    assert (tmp_path / "a" / "population_draws.csv").is_file()
    assert len(list((tmp_path / "a" / "round-0").iterdir())) == 2
