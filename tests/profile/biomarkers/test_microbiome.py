from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from tests.profile.biomarkers.synthetic import _frame

from immunescape.profile.biomarkers import measure
from immunescape.profile.biomarkers.microbiome import species_name, topo_groups, toposcore_class
from immunescape.profile.study import Study

NAMES = [
    "microbiome_shannon",
    "microbiome_inverse_simpson",
    "akkermansia",
    "akkermansia_level",
    "toposcore",
    "toposcore_class",
]


def study_of(shares: dict[str, float]) -> Study:
    table = _frame(
        "microbiome",
        patient=["p"] * len(shares),
        sample="s",
        taxon=list(shares),
        rank="species",
        abundance=list(shares.values()),
    )
    return Study(patients=_frame("patients", patient=["p"]), microbiome=table, given={"patients", "microbiome"})


@pytest.mark.parametrize(
    ("taxon", "name"),
    [
        ("s__Akkermansia_muciniphila", "Akkermansia_muciniphila"),
        ("k__Bacteria|p__Verrucomicrobia|s__Akkermansia_muciniphila|t__SGB9226", "Akkermansia_muciniphila"),
        ("Akkermansia_muciniphila_SGB9226", "Akkermansia_muciniphila"),
        ("Collinsella_SGB14754", "Collinsella_SGB14754"),
        ("Clostridiaceae_unclassified_SGB4769", "Clostridiaceae_unclassified_SGB4769"),
    ],
)
def test_names(taxon, name):
    assert species_name(taxon) == name


def test_rows_are_renormalised():
    found = measure(study_of({"A_b": 0.2, "C_d": 0.2}), NAMES[:2])
    assert found["microbiome_shannon"]["p"].value == pytest.approx(np.log(2), abs=1e-12)
    assert found["microbiome_inverse_simpson"]["p"].value == pytest.approx(2, abs=1e-12)


@pytest.mark.parametrize(("share", "level"), [(0.0, "zero"), (0.01, "low"), (0.2, "high")])
def test_akkermansia_levels(share, level):
    found = measure(study_of({"Akkermansia_muciniphila": share, "Other_one": 1 - share}), NAMES)
    assert found["akkermansia"]["p"].value == pytest.approx(share)
    assert found["akkermansia_level"]["p"].value == level


def test_a_gut_that_the_table_does_not_tell_is_not_assessable(tmp_path):
    """Akkermansia of the genus alone, or names of another database, are no absence of A. muciniphila."""
    from immunescape.profile.loading import load_study

    genus = "k__Bacteria; p__Verrucomicrobia; f__Verrucomicrobiaceae; g__Akkermansia; s__"
    lines = ["k__Bacteria; g__Bacteroides; s__uniformis", "k__Bacteria; g__Dorea; s__longicatena", genus]
    taxonomy = [[t.strip() for t in line.split(";")] for line in lines]

    def table(taxonomy: list[list[str]]) -> dict:
        rows = [{"id": f"otu{i}", "metadata": {"taxonomy": t}} for i, t in enumerate(taxonomy)]
        columns = [{"id": "p", "metadata": None}]
        return {
            "format": "Biological Observation Matrix 1.0.0",
            "rows": rows,
            "columns": columns,
            "matrix_type": "dense",
            "shape": [len(rows), 1],
            "data": [[10.0]] * len(rows),
        }

    (tmp_path / "t.biom").write_text(json.dumps(table(taxonomy)))
    (tmp_path / "manifest.yaml").write_text("study: x\nfiles:\n  - {file: t.biom, format: biom, day: 0}\n")
    found = measure(load_study(tmp_path), NAMES)
    assert found["akkermansia"]["p"].status == "not_assessable"
    assert "does not give its species" in found["akkermansia_level"]["p"].note
    assert "of the 82 species" in found["toposcore_class"]["p"].note
    named = [[*t[:-1], "s__muciniphila"] if "g__Akkermansia" in t else t for t in taxonomy]
    (tmp_path / "t.biom").write_text(json.dumps(table(named)))
    found = measure(load_study(tmp_path), NAMES)
    assert found["akkermansia"]["p"].value == pytest.approx(1 / 3)
    other = measure(study_of({"OTU_1": 0.5, "OTU_2": 0.5}), NAMES)
    assert {other[n]["p"].status for n in ("akkermansia", "akkermansia_level", "toposcore", "toposcore_class")} == {
        "not_assessable"
    }


def test_score_and_class():
    groups = topo_groups()
    assert (len(groups["SIG1"]), len(groups["SIG2"])) == (37, 45)
    good = measure(study_of(dict.fromkeys(groups["SIG2"], 1.0)), NAMES)
    assert good["toposcore"]["p"].value == 1.0
    assert good["toposcore_class"]["p"].value == "SIG2+"
    assert toposcore_class(0.6, "low") == "SIG2+"
    assert {toposcore_class(0.6, a) for a in ("zero", "high")} == {"SIG1+"}


def test_published_scores_where_the_tables_allow(shared_data):
    """Of the 48 prospective patients whose species are public, 47 scores are reproduced to the last digit."""
    folder = shared_data / "toposcore"
    clinical = pd.read_csv(folder / "DS1_oncology_clinical_data_DiscValid.csv")
    table = pd.read_csv(folder / "met4_valid_complete.csv").drop_duplicates("Sample_id")
    species = list(table.columns[1:-5])
    long = table.melt("Sample_id", species, "taxon", "abundance")
    long = long[long["abundance"] > 0]
    stool = _frame(
        "microbiome",
        patient=list(long["Sample_id"]),
        sample=list(long["Sample_id"]),
        taxon=list(long["taxon"]),
        rank="species",
        abundance=list(long["abundance"] / 100),
    )
    ids = list(table["Sample_id"])
    study = Study(patients=_frame("patients", patient=ids), microbiome=stool, given={"patients", "microbiome"})
    found = measure(study, ["toposcore", "toposcore_class"])
    rows = clinical[clinical["Group"].isin(ids) & clinical["SCORE"].notna()]
    ours = np.array([found["toposcore"][g].value for g in rows["Group"]])
    words = np.array([found["toposcore_class"][g].value for g in rows["Group"]])
    same = np.abs(ours - rows["SCORE"]) < 1e-5
    agree = words == rows["PRED_TOPO"].map({"R": "SIG2+", "NR": "SIG1+"})
    prospective = rows["Cohort"] == "NSCLC Prosp"
    assert (int(prospective.sum()), int(same[prospective].sum())) == (48, 47)
    valid = rows["Cohort"] == "Valid"
    assert (int(valid.sum()), int(same[valid].sum())) == (105, 14)
    assert np.corrcoef(ours[valid], rows.loc[valid, "SCORE"])[0, 1] > 0.97
    print(
        "class agrees",
        int(agree[prospective].sum()),
        "of 48,",
        int(agree[valid].sum()),
        "of 105; max difference",
        float(np.abs(ours - rows["SCORE"]).max()),
    )
    assert agree.mean() > 0.85


def test_classes_follow_from_the_published_scores(shared_data):
    """All 454 published classes follow from score and Akkermansia by our thresholds."""
    d = pd.read_csv(shared_data / "toposcore" / "DS1_oncology_clinical_data_DiscValid.csv")
    d = d[d["SCORE"].notna()]
    words = [toposcore_class(s, a.casefold()) for s, a in zip(d["SCORE"], d["AKK_TRICHO"], strict=True)]
    published = d["PRED_TOPO"].map({"R": "SIG2+", "NR": "SIG1+"})
    assert len(d) == 454
    assert list(published) == words
