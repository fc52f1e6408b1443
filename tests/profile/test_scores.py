"""LORIS against published values and cohorts; scores side by side; labels against OAK; SITC classes."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from immunescape.errors import InputError
from immunescape.knowledge.biomarker_labels import biomarker_label, biomarker_labels, holm
from immunescape.knowledge.profile_records import Measurement
from immunescape.profile.resistance import classify
from immunescape.profile.scores import disagreement, loris_nsclc, loris_score, scores_of

SHARED = Path(os.environ.get("IMMUNESCAPE_SHARED", Path(__file__).parents[3] / "shared")) / "data"


def need(path: str) -> Path:
    if not (SHARED / path).exists():
        pytest.skip(f"reference data {path} not here")
    return SHARED / path


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [((10, 50, 1, 4.0, 3), 0.528070), ((2, 0, 1, 3.2, 12), 0.258914), ((20, 90, 0, 4.3, 2), 0.799379)],
)
def test_loris_gives_the_published_values(inputs, expected):
    assert loris_nsclc(*inputs) == pytest.approx(expected, abs=1e-6)


def test_loris_caps_burden_and_ratio():
    assert loris_nsclc(500, 0, 0, 4, 3) == loris_nsclc(50, 0, 0, 4, 3)
    assert loris_nsclc(5, 0, 0, 4, 99) == loris_nsclc(5, 0, 0, 4, 25)


def _auc(score, response) -> float:
    from scipy.stats import rankdata

    ranks, y = rankdata(score), np.asarray(response, dtype=bool)
    return (ranks[y].sum() - y.sum() * (y.sum() + 1) / 2) / (y.sum() * (~y).sum())


@pytest.mark.parametrize(("file", "auc"), [("chowell_train_nsclc.csv", 0.697), ("shim_nsclc.csv", 0.692)])
def test_loris_reproduces_the_published_accuracy(file, auc):
    table = pd.read_csv(need(f"loris/{file}"))
    columns = ["TMB", "PDL1_TPS(%)", "Systemic_therapy_history", "Albumin", "NLR"]
    known = table.dropna(subset=[*columns, "Response"])
    score = loris_nsclc(*(known[c] for c in columns))
    assert _auc(score, known["Response"]) == pytest.approx(auc, abs=5e-4)


@pytest.mark.parametrize("bad", [(10, 50, 1, 40, 3), (10, 150, 1, 4, 3), (-1, 50, 1, 4, 3), (10, 50, 2, 4, 3)])
def test_loris_refuses_values_in_other_units(bad):
    with pytest.raises(InputError):
        loris_nsclc(*bad)


def measured(**values) -> dict[str, Measurement]:
    units = {"tmb": "1/megabase", "pdl1_tps": "percent", "albumin": "g/L", "nlr": "1", "toposcore_class": ""}
    return {n: Measurement(n, v, units[n], "measured", method="test") for n, v in values.items()}


def test_loris_of_measurements_converts_albumin_and_names_what_is_missing():
    full = measured(tmb=10.0, pdl1_tps=50.0, albumin=40.0, nlr=3.0)
    assert loris_score(full, 1).value == pytest.approx(0.528070, abs=1e-6)
    assert loris_score(full, None).value is None
    without = {k: v for k, v in full.items() if k != "nlr"}
    score = loris_score(without, 1)
    assert score.value is None
    assert "Neutrophil-to-lymphocyte ratio is missing" in score.note
    odd = full | {"albumin": Measurement("albumin", 600.0, "umol/L", "measured", method="test")}
    assert "Serum albumin is in µmol/L, not in g/dL or g/L" in loris_score(odd, 1).note


def test_scores_that_disagree_stand_side_by_side():
    scores = scores_of(measured(tmb=20.0, pdl1_tps=0.0, nlr=8.0, toposcore_class="SIG2+"), None)
    readings = {s.name: s.reading for s in scores}
    assert readings == {
        "loris_nsclc": "",
        "pdl1_tps": "unfavourable",
        "tmb": "favourable",
        "nlr": "unfavourable",
        "toposcore": "favourable",
    }
    text = disagreement(scores)
    assert text.startswith("favourable: Tumour mutational burden, TOPOSCORE")
    assert disagreement(scores_of(measured(tmb=20.0), None)) == ""


def test_labels_follow_the_tests_in_oak():
    assert biomarker_label("pdl1_tps").label == "predictive"
    assert biomarker_label("stk11_status").label == "prognostic"
    assert biomarker_label("keap1_status").label == "prognostic"
    assert biomarker_label("tmb").label == "not established"
    assert biomarker_label("toposcore").label == "not established"
    assert "not tested" in biomarker_label("toposcore").text
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_label_table_is_what_oak_gives():
    folder = need("oak")
    import contextlib
    import importlib.util
    import io

    spec = importlib.util.spec_from_file_location(
        "labels", Path(__file__).parents[2] / "scripts" / "biomarker_labels.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        module.main(folder)
    fresh = pd.read_csv(io.StringIO(printed.getvalue())).set_index("biomarker")
    for name, label in biomarker_labels().items():
        assert fresh.loc[name, "interaction_p"] == pytest.approx(label.interaction_p, rel=1e-3)
        assert fresh.loc[name, "control_hr"] == pytest.approx(label.control_hr, rel=1e-3)
    expected = {"pdl1_tps": 0.003, "stk11_status": 0.34, "keap1_status": 0.95, "tmb": 0.50}
    for name, p in expected.items():
        assert fresh.loc[name, "interaction_p"] == pytest.approx(p, abs=0.006)


@pytest.mark.parametrize(
    ("days", "recist", "exposure", "stop", "kind", "confirmed"),
    [
        ([42], ["PD"], 60, None, "primary", None),
        ([42, 84], ["PD", "PD"], 60, None, "primary", True),
        ([42], ["PD"], 20, None, "not_evaluable", None),
        ([42, 84, 150], ["PR", "PR", "PD"], 150, None, "primary", None),
        ([42, 126, 200], ["SD", "SD", "PD"], 200, None, "acquired", None),
        ([42, 126, 200, 240], ["SD", "SD", "PD", "SD"], 200, None, "acquired", False),
        ([42, 126, 300], ["PR", "PR", "PD"], 120, 120, "after_stopping", None),
        ([42, 100], ["PR", "PR"], 100, None, "not_yet_classifiable", None),
        ([42, 200], ["PR", "PR"], 200, None, "none_at_last_scan", None),
        ([-10], ["PD"], 0, None, "not_assessable", None),
        ([42], ["NE"], 42, None, "not_assessable", None),
    ],
)
def test_resistance_by_the_definitions_of_sitc(days, recist, exposure, stop, kind, confirmed):
    found = classify(np.array(days, dtype=float), recist, exposure, stop)
    assert found.kind == kind
    assert found.confirmed is confirmed
    assert ("fits neither" in found.why) == (kind == "primary" and "PR" in recist)


def test_resistance_from_progression_free_survival_alone():
    from immunescape.profile.resistance import resistance_of
    from immunescape.profile.study import Study, empty_table

    patients = pd.DataFrame(
        {
            "patient": list("abcde"),
            "pfs_months": [3.0, 9.0, 3.0, 9.0, np.nan],
            "pfs_event": [1.0, 1.0, 0.0, 0.0, np.nan],
        }
    )
    table = pd.concat([empty_table("patients"), patients])
    kinds = {p: r.kind for p, r in resistance_of(Study(patients=table)).items()}
    assert kinds == {
        "a": "primary",
        "b": "acquired",
        "c": "not_yet_classifiable",
        "d": "none_at_last_scan",
        "e": "not_assessable",
    }


def test_strategies_and_strata_load_and_hold_negative_trials():
    from immunescape.knowledge.mechanism_rules import load_rules
    from immunescape.knowledge.strategies import load_strata, load_strategies

    table = load_strategies()
    negative = [t.name for s in table.strategies.values() for t in s.trials if t.result == "negative"]
    assert {"KEYNOTE-789", "SKYSCRAPER-01", "SAPPHIRE", "MYSTIC"} <= set(negative)
    for strategy in table.strategies.values():
        results = {t.result for t in strategy.trials}
        assert strategy.tier in table.tiers
        if strategy.tier == "N":
            assert "negative" in results
        if strategy.tier in "AB":
            assert "positive" in results
        assert not set(strategy.mechanisms) & set(strategy.pointless_with)
    answered = {m for s in table.strategies.values() for m in s.mechanisms}
    assert set(load_rules().mechanisms) - answered == {"macrophage_m2", "lung_microbiome"}
    strata = load_strata()
    assert [s.name for s in strata.strata] == ["driver", "pdl1_high", "pdl1_low", "pdl1_negative"]
    drivers = [condition.measurement for condition in strata.strata[0].when.any_of]
    assert set(drivers) == {*strata.driver_tests, *strata.further_driver_tests}


def test_resistance_is_not_said_of_patients_without_checkpoint_inhibitor():
    from immunescape.profile.resistance import resistance_of
    from immunescape.profile.study import Study, empty_table

    arms = ["Docetaxel", "atezolizumab", "pembrolizumab + carboplatin", "Monotherapy"]
    rows = pd.DataFrame({"patient": list("abcd"), "arm": arms, "pfs_months": 3.0, "pfs_event": 1.0})
    study = Study(patients=pd.concat([empty_table("patients"), rows]))
    kinds = [r.kind for r in resistance_of(study).values()]
    assert kinds == ["not_assessable", "primary", "primary", "primary"]


def test_resistance_is_not_said_where_the_table_of_treatments_names_other_drugs_alone():
    from immunescape.profile.resistance import resistance_of
    from immunescape.profile.study import Study, empty_table

    given = [
        ("a", "docetaxel", 0.0),
        ("b", "Taxotere; ICI-naive", float("nan")),
        ("c", "Keytruda", 0.0),
        ("d", "carboplatin", -100.0),  # before the immunotherapy, which the table does not hold
        ("e", "carboplatin", -100.0),
        ("e", "Opdivo/Yervoy", 0.0),
    ]
    patients = pd.DataFrame({"patient": list("abcdef"), "pfs_months": 3.0, "pfs_event": 1.0})
    treatments = pd.DataFrame(given, columns=["patient", "drug", "start_day"])
    study = Study(
        patients=pd.concat([empty_table("patients"), patients]),
        treatments=pd.concat([empty_table("treatments"), treatments]),
    )
    kinds = {p: r.kind for p, r in resistance_of(study).items()}
    assert kinds == dict.fromkeys("ab", "not_assessable") | dict.fromkeys("cdef", "primary")
