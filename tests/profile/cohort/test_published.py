"""Published cohorts reproduced: OAK (arms, interaction), LORIS (accuracy), MSK 2018 (TMB and benefit)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from immunescape.profile.cohort import associate, interaction
from immunescape.profile.scores.loris import loris_nsclc
from immunescape.stats.cox import cox
from immunescape.stats.discrimination import auc
from immunescape.stats.survival import median_survival


@pytest.fixture(scope="module")
def oak(shared_data):
    d = pd.read_csv(shared_data / "oak" / "oak_clinical.csv", na_values=["."]).set_index("PtID")
    v = pd.read_csv(shared_data / "oak" / "oak_btmb_variants.csv")
    d["treated"] = d["TRT01P"] != "Docetaxel"
    for name in ("OS", "PFS"):
        d[f"{name}.event"] = 1.0 - d[f"{name}.CNSR"]
    protein = v[v["effect"] != "synonymous"]
    for gene in ("STK11", "KEAP1"):
        changed = d.index.isin(protein.loc[protein["gene_name"] == gene, "PtID"])
        d[gene] = pd.Series(changed, index=d.index).astype(object).where(d["BEP"] == "Y")
    d["bTMB16"] = (d["btmb"] >= 16).astype(object).where((d["BEP"] == "Y") & d["btmb"].notna())
    d["TC3IC3+"] = (d["TC3IC3"] == "TC3 or IC3").astype(object)
    return d


def test_oak_arms(oak):
    expected = {True: (0.136, 2.79, 13.8), False: (0.134, 4.04, 9.6)}
    for treated, (rate, pfs, os) in expected.items():
        arm = oak[oak["treated"] == treated]
        assert arm["BCOR"].isin(["CR", "PR"]).mean() == pytest.approx(rate, abs=7e-4)
        assert median_survival(arm["PFS"], arm["PFS.event"]).value == pytest.approx(pfs, abs=5e-3)
        assert median_survival(arm["OS"], arm["OS.event"]).value == pytest.approx(os, abs=5e-2)
    for name, hr in (("PFS", 0.94), ("OS", 0.73)):
        assert cox(oak[name], oak[f"{name}.event"], {"t": oak["treated"]}).estimate("t").value == pytest.approx(
            hr, abs=5e-3
        )


@pytest.mark.parametrize(
    ("biomarker", "p", "label"),
    [
        ("TC3IC3+", 0.003, "predictive"),
        ("STK11", 0.34, "prognostic"),
        ("KEAP1", 0.95, "prognostic"),
        ("bTMB16", 0.50, None),
    ],
)
def test_oak_treatment_interaction_on_survival(oak, biomarker, p, label):
    found = interaction(oak[biomarker], oak["treated"], oak["OS"], oak["OS.event"])
    assert found.p == pytest.approx(p, abs=5.1e-3 if p > 0.01 else 5e-4)
    assert found.n == (850 if biomarker == "TC3IC3+" else 642)
    assert found.n_missing == 850 - found.n
    if label:
        assert found.label == label
    assert found.ratio_low < found.ratio < found.ratio_high


@pytest.mark.parametrize(("file", "expected"), [("chowell_train_nsclc.csv", 0.697), ("shim_nsclc.csv", 0.692)])
def test_loris_accuracy_with_interval(shared_data, file, expected):
    d = pd.read_csv(shared_data / "loris" / file)
    names = ["TMB", "PDL1_TPS(%)", "Systemic_therapy_history", "Albumin", "NLR"]
    known = d.dropna(subset=[*names, "Response"])
    score = loris_nsclc(*(known[n] for n in names))
    found = auc(score, known["Response"] == 1)
    assert found.value == pytest.approx(expected, abs=5e-4)
    assert found.low < expected < found.high


def test_a_response_of_yes_or_no_counts_where_no_best_response_is_given(shared_data, monkeypatch):
    from pathlib import Path

    from immunescape.profile.cohort import outcomes
    from immunescape.profile.loading import load_study

    monkeypatch.setenv("IMMUNESCAPE_SHARED", str(shared_data.parent))
    folder = Path(__file__).parents[1] / "manifests"
    for name, responders, n in (("loris_train", 87, 331), ("gse126044", 5, 16)):
        found = outcomes(load_study(folder / f"{name}.yaml"))["response"].dropna()
        assert (len(found), int(found.sum())) == (n, responders)


def test_msk_burden_goes_with_benefit(shared_data):
    folder = shared_data / "msk_nsclc_pd1_2018"
    patients = pd.read_csv(folder / "data_clinical_patient.txt", sep="\t").set_index("PATIENT_ID")
    samples = pd.read_csv(folder / "data_clinical_sample.txt", sep="\t").set_index("PATIENT_ID")
    benefit = patients["DURABLE_CLINICAL_BENEFIT"].map({"YES": True, "NO": False}).astype(object)
    outcome = pd.DataFrame(
        {
            "response": None,
            "benefit": benefit.where(benefit.notna(), None),
            "pfs_months": patients["PFS_MONTHS"],
            "pfs_event": patients["PFS_STATUS"].str.startswith("1").astype(float),
            "os_months": np.nan,
            "os_event": np.nan,
        }
    )
    values = pd.DataFrame({"tmb": samples["MUTATION_RATE"], "pdl1_tps": samples["PDL1_SCORE"]}).reindex(outcome.index)
    table = associate(values, outcome)
    primary = table[table["primary"].astype(bool)].set_index(["biomarker", "endpoint"])
    assert set(table["endpoint"]) == {"benefit", "pfs"}
    assert primary.loc[("tmb", "benefit"), "estimate"] > 0.55
    assert primary.loc[("tmb", "benefit"), "p"] < 0.05
    assert primary.loc[("tmb", "pfs"), "estimate"] < 1
    assert primary.loc[("pdl1_tps", "pfs"), "n_missing"] == int(samples["PDL1_SCORE"].isna().sum())
