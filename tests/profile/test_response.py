"""Probability of response: the fit against known truth, intervals, units, contributions, held-out patients, files."""

from __future__ import annotations

import base64
import gzip
import importlib.util
import json
import os
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from immunescape.errors import InputError
from immunescape.profile.scores import response_probability, response_table
from immunescape.profile.scores.response_fitting import Gaps, benefit_labels, fit_inputs, fit_logistic
from immunescape.profile.scores.response_inputs import INPUTS, observe
from immunescape.profile.scores.response_model import (
    ENDPOINTS,
    Observed,
    ResponseModel,
    load_response_model,
    mean_logistic,
)

SHARED = Path(os.environ.get("IMMUNESCAPE_SHARED", Path(__file__).parents[3] / "shared")) / "data"


def need(path: str) -> Path:
    if not (SHARED / path).exists():
        pytest.skip(f"reference data {path} not here")
    return SHARED


@pytest.fixture(scope="module")
def fitting():
    folder = Path(__file__).parents[2] / "scripts"
    sys.path.insert(0, str(folder))
    try:
        spec = importlib.util.spec_from_file_location("fit_response", folder / "fit_response.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(folder))
    return module


def random_patients(n: int, seed: int = 3) -> list[dict]:
    rng = np.random.default_rng(seed)
    people = []
    for _ in range(n):
        person = {}
        for name, kind in INPUTS.items():
            if kind.is_truth:
                person[name] = bool(rng.random() < 0.4)
            elif name == "pdl1" and rng.random() < 0.3:
                person[name] = str(rng.choice(["<1", "1-49", ">=50"]))
            else:
                person[name] = float(rng.uniform(kind.low, min(kind.high, kind.low + 60)))
        chosen = rng.permutation(list(person))[: rng.integers(1, len(person))]
        people.append({n: person[n] for n in chosen})
    return people


# the fit


def simulated(n: int, seed: int):
    """Patients of known truth: three correlated inputs, two cohorts that each lack one of them at random or always."""
    rng = np.random.default_rng(seed)
    truth = np.array([[1.0, 0.5, 0.3], [0.5, 1.0, 0.0], [0.3, 0.0, 1.0]])
    x = rng.multivariate_normal(np.zeros(3), truth, n)
    beta, cohort = np.array([0.8, -0.6, 0.4]), np.where(np.arange(n) % 2 == 0, "a", "b")
    y = (rng.random(n) < 1 / (1 + np.exp(-(-1.0 + x @ beta)))).astype(float)
    seen = x + np.where(np.arange(3) == 1, rng.normal(0, 0.5, (n, 3)), 0.0)
    seen[(cohort == "a") & (rng.random(n) < 0.7), 0] = np.nan
    seen[rng.random(n) < 0.3, 2] = np.nan
    variances = np.tile([0.0, 0.25, 0.0], (n, 1))
    return seen, variances, y, cohort, truth, beta


def fitted(seen, variances, y, cohort):
    gaps, ones = Gaps.of(seen, variances), np.ones(len(y))
    mean, covariance = fit_inputs(gaps, ones, np.eye(seen.shape[1]))
    means, rests = gaps.conditioned(mean, covariance)
    wide = np.full(seen.shape[1], 10.0)
    return covariance, fit_logistic(
        means, rests, member=gaps.member, cohort=cohort, outcome=y, weights=ones, prior_mean=0 * wide, prior_sd=wide
    )


def test_the_fit_recovers_known_truth_through_gaps_and_measurement_errors():
    seen, variances, y, cohort, truth, beta = simulated(8_000, 1)
    covariance, fit = fitted(seen, variances, y, cohort)
    assert np.abs(covariance - truth).max() < 0.05
    assert fit.coefficients[1:] == pytest.approx(beta, abs=0.13)
    assert fit.coefficients[0] == pytest.approx(-1.0, abs=0.1)
    # taking measured values for exact and gaps for averages, as a baseline, shrinks what is measured with an error
    naive = np.nan_to_num(seen)
    plain = fit_logistic(
        naive,
        np.zeros((1, 3, 3)),
        member=np.zeros(len(y), int),
        cohort=cohort,
        outcome=y,
        weights=np.ones(len(y)),
        prior_mean=np.zeros(3),
        prior_sd=np.full(3, 10.0),
    )
    assert np.abs(plain.coefficients[1:] - beta).max() > 2 * np.abs(fit.coefficients[1:] - beta).max()


def test_the_order_of_patients_does_not_matter_to_the_fit():
    seen, variances, y, cohort, *_ = simulated(600, 2)
    turn = np.random.default_rng(0).permutation(len(y))
    a = fitted(seen, variances, y, cohort)
    b = fitted(seen[turn], variances[turn], y[turn], cohort[turn])
    assert b[1].coefficients == pytest.approx(a[1].coefficients, abs=1e-3)
    assert b[0] == pytest.approx(a[0], abs=1e-4)


def test_the_joint_distribution_of_complete_patients_is_theirs():
    x = np.random.default_rng(4).multivariate_normal([0.2, 0], [[1, 0.4], [0.4, 1]], 50_000)
    mean, covariance = fit_inputs(Gaps.of(x, np.zeros_like(x)), np.ones(len(x)), np.eye(2))
    assert mean == pytest.approx(x.mean(axis=0), abs=1e-3)
    assert covariance == pytest.approx(np.cov(x.T), abs=2e-3)


def test_the_fit_refuses_outcomes_and_inputs_that_cannot_be():
    with pytest.raises(InputError, match="0 or 1"):
        fit_logistic(
            np.zeros((2, 1)),
            np.zeros((1, 1, 1)),
            member=np.zeros(2, int),
            cohort=np.array(["a", "a"]),
            outcome=np.array([0.0, 2.0]),
            weights=np.ones(2),
            prior_mean=np.zeros(1),
            prior_sd=np.ones(1),
        )
    with pytest.raises(InputError, match="negative"):
        Gaps.of(np.zeros((1, 1)), np.full((1, 1), -1.0))


def test_benefit_is_weighted_for_those_lost_before_12_months():
    # months:      progressed, progressed late, lost at 6, lost at 20, lost at 4 but died at 8
    pfs = np.array([3.0, 15.0, 6.0, 20.0, 4.0])
    label, weight = benefit_labels(
        pfs, np.array([1, 1, 0, 0, 0]), np.array([9.0, 30, 6, 20, 8]), np.array([1, 1, 0, 0, 1])
    )
    assert label.tolist() == [0, 1, 0, 1, 0]
    # one of the four still at risk at month 6 was lost: whoever is judged later counts for 4/3
    assert weight == pytest.approx([1, 4 / 3, 0, 4 / 3, 4 / 3])
    with pytest.raises(InputError):
        benefit_labels(np.array([np.nan]), np.ones(1), np.ones(1), np.ones(1))


def test_weights_for_censoring_give_back_the_share_with_benefit():
    rng = np.random.default_rng(5)
    at, lost = rng.exponential(14, 40_000), rng.exponential(25, 40_000)
    pfs, event = np.minimum(at, lost), (at <= lost).astype(float)
    label, weight = benefit_labels(pfs, event, pfs, np.zeros_like(pfs))
    assert (label * weight).sum() / weight.sum() == pytest.approx(np.exp(-12 / 14), abs=0.01)


# the model that ships


def test_mean_logistic_is_the_integral():
    from scipy.integrate import quad

    def direct(m, v):
        return quad(lambda z: np.exp(-z * z / 2) / np.sqrt(2 * np.pi) / (1 + np.exp(-(m + np.sqrt(v) * z))), -12, 12)[0]

    for m, v in ((-2.0, 0.5), (0.3, 4.0), (3.0, 2.0)):
        assert mean_logistic(np.array(m), np.array(v)) == pytest.approx(direct(m, v), abs=1e-5)


def test_a_patient_without_any_measurement_gets_the_average_with_a_wide_interval():
    bare = response_probability().standings
    rich = response_probability(
        prior_therapy=False, pdl1=90, tmb=25, nlr=1.5, albumin=44, ecog=0, metastatic_sites=1, chemotherapy=False
    ).standings
    for e in ENDPOINTS:
        assert 0.1 < bare[e].probability < 0.35
        assert bare[e].contributions == {}
        assert rich[e].variance < bare[e].variance
        assert rich[e].probability > bare[e].probability


def test_blood_alone_gives_an_answer_that_moves():
    good = response_probability(nlr=1.5, albumin=45, hemoglobin=145, lipi=0)
    bad = response_probability(nlr=14, albumin=27, hemoglobin=85, lipi=2)
    for e in ENDPOINTS:
        assert good.standings[e].probability > bad.standings[e].probability
    assert "pdl1" in good.missing
    assert good.setting == "averaged over line, drugs given with it, histology"


def test_ldh_against_its_limit_alone_says_something_and_less_than_lipi():
    def of(v):
        return response_probability(lipi=v).standings["benefit_12_months"]

    assert of(0).log_odds > of("LDH normal").log_odds > of("LDH above normal").log_odds > of(2).log_odds
    assert of(0).variance < of("LDH normal").variance < of(None).variance


def test_chemotherapy_and_an_earlier_line_move_the_probability_as_trials_found():
    base = {"pdl1": 60, "prior_therapy": False, "chemotherapy": False, "ctla4": False}
    alone = response_probability(base).standings
    for e in ENDPOINTS:
        assert response_probability(base | {"chemotherapy": True}).standings[e].log_odds > alone[e].log_odds + 0.3
        assert response_probability(base | {"prior_therapy": True}).standings[e].log_odds < alone[e].log_odds


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_no_interval_narrows_when_a_measurement_is_taken_away(endpoint):
    model = load_response_model()
    widths = []
    for person in random_patients(120):
        seen = {n: observe(n, v, model) for n, v in person.items()}
        whole = model.log_odds(endpoint, *model.standardise(seen))[1]
        for name in seen:
            less = model.log_odds(endpoint, *model.standardise({n: o for n, o in seen.items() if n != name}))[1]
            assert less >= whole - 1e-9
        widths.append((whole, model.log_odds(endpoint, *model.standardise({}))[1]))
    assert np.mean([b - a for a, b in widths]) > 0.1


def test_contributions_add_up_and_follow_the_evidence():
    for person in random_patients(10, 8):
        for s in response_probability(person).standings.values():
            assert sum(s.contributions.values()) == pytest.approx(s.log_odds - s.average_log_odds, abs=1e-9)
            assert s.low <= s.probability <= s.high
    s = response_probability(pdl1=95, nlr=12).standings["response"].contributions
    assert s["pdl1"] > 0 > s["nlr"]


def test_contributions_of_independent_inputs_are_coefficient_times_value():
    k, names = 3, ("pdl1", "tmb", "nlr")
    model = ResponseModel(
        inputs=names,
        centre=np.zeros(k),
        scale=np.ones(k),
        low=np.full(k, -9.0),
        high=np.full(k, 9.0),
        correlation=np.eye(k),
        coefficients={"response": np.array([-1.0, 0.5, 0.2, -0.3])},
        covariance={"response": np.zeros((4, 4))},
        between={"response": 0.0},
    )
    s = model.standing("response", {"pdl1": Observed(2.0), "nlr": Observed(1.0)})
    assert s.contributions == pytest.approx({"pdl1": 1.0, "nlr": -0.3})
    assert s.variance == pytest.approx(0.2**2)  # what tmb leaves open
    assert s.log_odds == pytest.approx(-0.3)


def test_a_class_of_pdl1_says_less_than_the_number_and_lies_where_it_should():
    def of(v):
        return response_probability(pdl1=v).standings["response"]

    assert of("<1").probability < of("1-49").probability < of(">=50").probability
    assert of("1-49").variance > of(20).variance
    for known in ({}, {"prior_therapy": False, "chemotherapy": False}, {"prior_therapy": True}):
        odds = [
            response_probability(known, pdl1=c).standings["response"].log_odds for c in ("<1", "1-49", ">=1", ">=50")
        ]
        assert odds == sorted(odds)
    assert of(" >= 50 %").log_odds == of(">=50").log_odds
    model = load_response_model()
    j = model.inputs.index("pdl1")
    mean, variance = model.classes["pdl1"]["1-49"]
    x, v = model.standardise({"pdl1": observe("pdl1", "1-49", model)})
    gain = 1 / (1 + v[j])  # alone, the class is left with its own mean and variance
    assert gain * x[j] * model.scale[j] + model.centre[j] == pytest.approx(mean)
    assert (1 - gain) * model.scale[j] ** 2 == pytest.approx(variance)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ({"pdl1": 140}, "outside 0 to 100 percent"),
        ({"albumin": 4.1}, "g/L"),
        ({"hemoglobin": 12.5}, "g/L"),
        ({"pdl1": "lots"}, "1-49"),
        ({"nlr": -1}, "outside"),
        ({"squamous": "maybe"}, "yes or no"),
        ({"tbm": 10}, "tmb"),
        ({"nlr": float("inf")}, "outside"),
        ({"lipi": 3}, "outside"),
    ],
)
def test_bad_inputs_are_refused_with_the_way_forward(values, match):
    with pytest.raises(InputError, match=match):
        response_probability(values)


def test_a_table_gives_the_same_as_one_patient_at_a_time_in_any_order():
    people = pd.DataFrame(random_patients(12)).assign(patient=[f"p{i}" for i in range(12)])
    people["chemotherapy"] = people["chemotherapy"].astype(object)
    done = response_table(people)
    turned = response_table(people.iloc[::-1]).iloc[::-1]
    pd.testing.assert_frame_equal(done, turned)
    one = response_probability({k: v for k, v in people.iloc[3].items() if k != "patient"})
    for e in ENDPOINTS:
        assert done.loc[3, e] == pytest.approx(one.standings[e].probability)
        assert done.loc[3, f"{e}_high"] == pytest.approx(one.standings[e].high)
    with pytest.raises(InputError, match="row 2"):
        response_table(pd.DataFrame({"pdl1": [1, 200]}))
    with pytest.raises(InputError, match="albumin"):
        response_table(pd.DataFrame({"albumine": [40]}))
    assert len(response_table(pd.DataFrame({"pdl1": []}))) == 0


def test_the_shipped_file_reads_back_as_written():
    model = load_response_model()
    again = ResponseModel.from_json(json.loads(json.dumps(model.to_json())))
    assert again.to_json() == model.to_json()
    assert model.inputs == tuple(INPUTS)
    assert np.linalg.eigvalsh(model.correlation).min() > 0
    for e in ENDPOINTS:
        assert np.linalg.eigvalsh(model.covariance[e]).min() > -1e-6
    assert model.provenance["script"] == "scripts/fit_response.py"


# the public cohorts


def test_no_held_out_patient_is_in_the_fit(fitting):
    cohorts = fitting.read_cohorts(need("toposcore"))
    train = fitting.training(cohorts)
    from immunescape.knowledge.held_out import is_held_out

    pairs = zip(train.outcome["cohort"], train.outcome["patient"], strict=True)
    assert not any(is_held_out(c, p) for c, p in pairs)
    assert 0.25 < 1 - len(train.outcome) / len(cohorts.outcome) < 0.35
    stated = load_response_model().provenance["patients"]
    treated = train.outcome[train.outcome["treated"] & train.outcome["response"].notna()]
    assert {c: d["response"] for c, d in stated.items()} == treated["cohort"].value_counts().to_dict()


def test_the_shipped_coefficients_are_what_the_script_fits(fitting):
    train = fitting.training(fitting.read_cohorts(need("toposcore")))
    model, shipped = fitting.fit(train.inputs, train.outcome, replicates=0), load_response_model()
    for e in ENDPOINTS:
        assert model.coefficients[e] == pytest.approx(shipped.coefficients[e], abs=2e-3)
    assert model.correlation == pytest.approx(shipped.correlation, abs=2e-3)


def test_the_order_of_rows_in_the_files_does_not_matter(fitting, tmp_path):
    need("toposcore")
    for name in (
        "loris/chowell_train_nsclc.csv",
        "loris/shim_nsclc.csv",
        "oak/oak_clinical.csv",
        "oak/oak_btmb_variants.csv",
        "toposcore/DS1_oncology_clinical_data_DiscValid.csv",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        lines = (SHARED / name).read_text(encoding="utf-8").splitlines()
        (tmp_path / name).write_text("\n".join([lines[0], *lines[:0:-1]]) + "\n", encoding="utf-8")
    a, b = fitting.read_cohorts(SHARED), fitting.read_cohorts(tmp_path)
    pd.testing.assert_frame_equal(a.inputs, b.inputs)
    pd.testing.assert_frame_equal(a.outcome, b.outcome)


# a study


def study_of(**columns):
    from immunescape.profile.study import Study, empty_table

    def table(kind, rows):
        return pd.concat([empty_table(kind), pd.DataFrame(rows)]).astype(empty_table(kind).dtypes.to_dict())

    return Study(**{kind: table(kind, rows) for kind, rows in columns.items()}, given=set(columns))


def test_every_patient_of_a_study_gets_a_number_and_the_setting_is_read():
    from immunescape.profile.assemble import assemble

    study = study_of(
        patients=[
            {
                "patient": "a",
                "prior_lines": 0.0,
                "histology": "Lung Squamous Cell Carcinoma",
                "sex": "Female",
                "treatment": "pembrolizumab + carboplatin + paclitaxel",
                "smoking": "Never",
                "age": 61.0,
            },
            {"patient": "b"},
            {"patient": "c", "histology": "non-squamous", "ecog": 9.0},
        ],
        treatments=[
            {"patient": "b", "start_day": -90.0, "drug": "carboplatin"},
            {"patient": "b", "start_day": 0.0, "drug": "nivolumab"},
        ],
        labs=[
            {"patient": "b", "day": -2.0, "analyte": a, "value": v, "unit": u}
            for a, v, u in (
                ("neutrophils", 8.0, "10^9/L"),
                ("leukocytes", 10.0, "10^9/L"),
                ("ldh", 400.0, "U/L"),
                ("ldh_upper_limit", 250.0, "U/L"),
                ("lymphocytes", 1.0, "10^9/L"),
            )
        ],
    )
    people = assemble(study).profile.patients
    a, b, c = (people[p].response for p in "abc")
    assert a.setting == "first systemic therapy, PD-(L)1 inhibitor with chemotherapy, squamous"
    assert a.values["never_smoker"] == "yes"
    assert a.values["male"] == "no"
    assert b.values["prior_therapy"] == "yes"
    assert b.values["lipi"] == "2"
    assert b.values["nlr"] == "8"
    assert b.values["chemotherapy"] == "no"
    assert c.values == {"squamous": "no"}
    assert "ecog of 9" in c.refused[0]
    for p in (a, b, c):
        for s in p.standings.values():
            assert 0 < s.low < s.probability < s.high < 1


@pytest.mark.parametrize(
    ("words", "chemotherapy"),
    [
        ("Pembrolizumab", "no"),
        ("carboplatin, pemetrexed and pembrolizumab", "yes"),
        ("ICI + chemotherapy", "yes"),
        ("Monotherapy", "no"),
        ("anti-PD-1", "no"),
        ("Keytruda + carbo/Alimta", "yes"),
        ("pembrolizumab after chemotherapy", "no"),
        ("nivolumab, no chemo", "no"),
        ("docetaxel; ICI-naive", None),
        ("docetaxel monotherapy", None),  # no checkpoint inhibitor is named: nothing is known of one
        ("Combination", None),
        ("osimertinib", None),
    ],
)
def test_what_goes_with_the_inhibitor_is_read_from_the_treatment(words, chemotherapy):
    from immunescape.profile.assemble import assemble

    study = study_of(patients=[{"patient": "a", "treatment": words}])
    assert assemble(study).profile.patients["a"].response.values.get("chemotherapy") == chemotherapy


@pytest.mark.parametrize(
    ("column", "word", "name", "read"),
    [
        ("histology", "Lung Adenocarcinoma", "squamous", "no"),
        ("histology", "LUSC", "squamous", "yes"),
        ("histology", "Squamous cell carcinoma", "squamous", "yes"),
        ("histology", "NON-SQUAMOUS", "squamous", "no"),
        ("histology", "Non-Small Cell Lung Cancer", "squamous", None),
        ("histology", "Adenosquamous carcinoma", "squamous", None),
        ("smoking", "Never", "never_smoker", "yes"),
        ("smoking", "Lifelong Non-smoker", "never_smoker", "yes"),
        ("smoking", "Current Reformed Smoker for > 15 yrs", "never_smoker", "no"),
        ("smoking", "Ever", "never_smoker", "no"),
        ("smoking", "not reported", "never_smoker", None),
        ("smoking", "3", "never_smoker", None),
        ("sex", " F ", "male", "no"),
        ("sex", "other", "male", None),
    ],
)
def test_words_of_the_patients_table_are_read_and_others_are_missing_not_no(column, word, name, read):
    from immunescape.profile.scores.response_inputs import inputs_of

    _, values, refused = inputs_of({}, {"patient": "a", column: word}, load_response_model())
    assert values.get(name) == read
    assert not refused


def test_pdl1_comes_as_number_as_class_by_sp142_or_not_at_all_where_it_conflicts():
    from immunescape.profile.assemble import assemble

    def pdl1(**columns):
        rows = [{"patient": "a", "day": -3.0, "sample": f"s{i}", **c} for i, c in enumerate(columns["rows"])]
        study = study_of(patients=[{"patient": "a"}], pdl1=rows)
        return assemble(study).profile.patients["a"].response.values.get("pdl1")

    tps = {"assay": "22C3", "score": "tps"}
    assert pdl1(rows=[tps | {"value_percent": 60.0}]) == "60 %"
    assert pdl1(rows=[tps | {"category": "1-49%"}]) == "1-49%"
    assert pdl1(rows=[tps | {"category": ">=1%"}]) == ">=1"
    assert pdl1(rows=[tps | {"value_percent": 60.0}, tps | {"value_percent": 0.0}]) is None
    sp142 = [{"assay": "SP142", "score": s, "value_percent": v} for s, v in (("tc", 60.0), ("ic", 0.0))]
    assert pdl1(rows=sp142) == "SP142 TC3 or IC3"


def test_no_file_that_is_taken_away_narrows_the_interval(tmp_path):
    import immunescape

    files = {
        "patients": "patient,age,sex,histology,prior_lines,ecog\na,61,female,adenocarcinoma,0,1\n"
        + "b,70,male,squamous,1,0\n",
        "labs": "patient,day,analyte,value,unit\n"
        + "".join(f"{p},-2,{n},{v},{u}\n" for p in "ab" for n, v, u in (("albumin", 38, "g/L"), ("nlr", 4, "ratio"))),
        "pdl1": "patient,sample,assay,score,value_percent,day\na,s1,22C3,tps,80,-5\nb,s2,22C3,tps,0,-5\n",
        "treatments": "patient,start_day,drug\na,0,pembrolizumab\nb,0,nivolumab\n",
    }

    def spread(names):
        folder = tmp_path / "_".join(names)
        folder.mkdir()
        for name in names:
            (folder / f"{name}.csv").write_text(files[name], encoding="utf-8")
        entries = "".join(f"  - {{file: {n}.csv, format: {n}}}\n" for n in names)
        (folder / "manifest.yaml").write_text(f"study: s\nfiles:\n{entries}", encoding="utf-8")
        people = immunescape.profile_study(folder).patients
        return {(p, e): s.variance for p, r in people.items() for e, s in r.response.standings.items()}

    whole = spread(list(files))
    for gone in files:
        less = spread([n for n in files if n != gone])
        assert less.keys() == whole.keys()
        assert all(less[k] > whole[k] for k in whole)


def test_no_estimate_depends_on_who_else_is_in_the_study():
    from immunescape.profile.assemble import assemble

    rows = [{"patient": n, "age": 50.0 + i, "histology": "adenocarcinoma"} for i, n in enumerate("abcd")]
    whole = assemble(study_of(patients=rows)).profile.patients
    alone = assemble(study_of(patients=rows), patients=["c"]).profile.patients
    assert whole["c"].response == alone["c"].response


@pytest.fixture(scope="module")
def profiled():
    from immunescape.api.profiles import ProfiledStudy
    from immunescape.profile.assemble import assemble

    best = ["PR", "PD"] * 10
    rows = [
        {"patient": f"p{i}", "age": 60.0 + i, "best_response": b, "prior_lines": 1.0, "histology": "adenocarcinoma"}
        for i, b in enumerate(best)
    ]
    pdl1 = [
        {"patient": f"p{i}", "assay": "22C3", "score": "tps", "value_percent": 80.0 - 70 * (i % 2)} for i in range(20)
    ]
    return ProfiledStudy(assemble(study_of(patients=rows, pdl1=pdl1)))


def test_terminal_and_page_show_probability_interval_contributions_and_gaps(profiled, capsys, tmp_path):
    profiled.show("p0")
    text = capsys.readouterr().out
    shown = profiled.patients["p0"].response.standings["response"]
    assert f"{100 * shown.probability:.0f} %" in text
    assert f"{100 * shown.low:.0f} % to {100 * shown.high:.0f} %" in text
    assert "PD-L1 tumour" in text  # the cell may be folded
    assert f"{shown.contributions['pdl1']:+.2f}" in text
    assert "Not measured (averaged over): With chemotherapy" in text
    profiled.show()
    text = capsys.readouterr().out
    assert "50 % responded" in text
    assert "AUC 1.00" in text
    page = profiled.report(tmp_path / "report.html", statistics=False).read_text(encoding="utf-8")
    packed = re.search(r'id="packed">([^<]*)<', page).group(1)
    own = gzip.decompress(base64.b64decode(packed)).decode("utf-8")
    assert page.count("after earlier systemic therapy, non-squamous") >= 20
    assert own.count("after earlier systemic therapy, non-squamous") >= 20
    assert "Probability of response" in page


def test_the_cohort_table_and_json_hold_the_same_numbers(profiled):
    import jsonschema

    from immunescape.profile.profile_json import json_schema

    content = profiled.to_json()
    jsonschema.validate(content, json_schema())
    frame = profiled.response
    assert list(frame.index) == list(profiled.patients)
    for name, row in frame.iterrows():
        got = content["patients"][name]["response"]
        assert got["response"]["probability"] == pytest.approx(row["response"], abs=1e-4)
        assert got["benefit_12_months"]["low"] == pytest.approx(row["benefit_12_months_low"], abs=1e-4)
        spread = got["response"]["log_odds_sd"]
        odds = got["response"]["log_odds"] + np.array([-1.96, 1.96]) * spread
        ends = [got["response"]["low"], got["response"]["high"]]
        assert 1 / (1 + np.exp(-odds)) == pytest.approx(ends, abs=1e-3)
        moved = sum(got["response"]["contributions"].values())
        assert moved == pytest.approx(got["response"]["log_odds"] - got["response"]["average_log_odds"], abs=2e-3)
        assert set(got["inputs"]) == {"age", "prior_therapy", "squamous", "pdl1"}
        assert "nlr" in got["missing"]
