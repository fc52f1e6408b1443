"""PD-L1, burden, HLA, neoantigens, blood, receptors, circulating DNA, antibiotics: one patient at a time."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from tests.profile.biomarkers.synthetic import _frame

from immunescape.errors import InputError
from immunescape.profile.biomarkers import measure
from immunescape.profile.biomarkers.antibiotics import is_antibiotic
from immunescape.profile.biomarkers.neoantigen_quality import load_quality_parameters, neoantigen_quality
from immunescape.profile.biomarkers.tmb import poisson_interval
from immunescape.profile.study import Panel, Study

NAN = float("nan")


def build(**tables) -> Study:
    patients = _frame("patients", patient=["p"])
    for name, column in tables.pop("columns", {}).items():
        patients[name] = [column]
    samples = tables.pop("samples", _frame("samples", patient=["p"], sample="s", panel="panel"))
    panels = tables.pop("panels", {"panel": Panel("panel", genes=frozenset({"B2M"}), megabases=1.2)})
    given = {"patients", "samples", *tables}
    return Study(patients=patients, samples=samples, panels=panels, given=given, **tables)


def rows(kind: str, **columns):
    n = max(len(v) for v in columns.values() if isinstance(v, list))
    return _frame(kind, patient=["p"] * n, **columns)


def one(name: str, study: Study):
    return measure(study, [name])[name]["p"]


def pdl1(assay, score, value=NAN, category=None):
    return build(pdl1=rows("pdl1", assay=[assay], score=[score], value_percent=[value], category=[category]))


@pytest.mark.parametrize(
    ("value", "category", "word"),
    [
        (0.0, None, "<1%"),
        (1.0, None, "1-49%"),
        (49.9, None, "1-49%"),
        (50.0, None, ">=50%"),
        (NAN, ">=50%", ">=50%"),
        (NAN, "1-49%", "1-49%"),
        (NAN, "<1%", "<1%"),
        (NAN, "negative", "<1%"),
        (NAN, ">=1%", None),
    ],
)
def test_pdl1_strata(value, category, word):
    assert one("pdl1_stratum", pdl1("22C3 pharmDx", "tps", value, category)).value == word


def test_sp142_is_no_tumour_proportion_score():
    study = pdl1("Ventana SP142", "tc", 60.0)
    found = one("pdl1_tps", study)
    assert found.status == "not_assessable"
    assert "TC" in found.note
    stratum = one("pdl1_stratum", study)
    assert stratum.value == ">=50%"
    assert "not a tumour proportion score" in stratum.note
    assert one("pdl1_stratum", pdl1("SP142", "tc", 5.0)).status == "not_assessable"
    assert one("pdl1_stratum", pdl1("SP142", "ic", NAN, "IC3")).value == ">=50%"
    assert one("pdl1_tps", pdl1("SP263", "tc", 60.0)).value == 60.0
    assert one("pdl1_tps", pdl1("22C3", "cps", 60.0)).status == "not_assessable"


def test_poisson_interval_is_garwoods():
    assert poisson_interval(0) == pytest.approx((0.0, 3.688879), abs=1e-6)
    assert poisson_interval(10) == pytest.approx((4.795389, 18.390356), abs=1e-6)


def _mutations(n_changes: int, n_silent: int):
    kinds = ["Missense_Mutation"] * n_changes + ["Silent"] * n_silent
    return rows("mutations", sample="s", gene="TTN", classification=kinds, start=[float(i) for i in range(len(kinds))])


def test_burden_needs_the_size_of_the_panel():
    found = one("tmb", build(mutations=_mutations(12, 5)))
    assert found.value == pytest.approx(10.0)
    low, high = poisson_interval(12)
    assert (found.low, found.high) == pytest.approx((low / 1.2, high / 1.2))
    unsized = {"panel": Panel("panel", genes=frozenset({"TTN"}), megabases=None)}
    assert one("tmb", build(mutations=_mutations(12, 5), panels=unsized)).status == "not_assessable"
    assert one("tmb", build(mutations=_mutations(12, 5), panels={})).status == "not_assessable"
    assert one("tmb_nonsynonymous_count", build(mutations=_mutations(12, 5))).value == 12
    twice = _mutations(3, 0)
    twice["start"] = 1.0
    assert one("tmb_nonsynonymous_count", build(mutations=twice)).value == 1


def loh(copies, p=0.001):
    """Both alleles of HLA-A, the second with the copies and p given; HLA-B and -C are kept."""
    names = ["HLA-A*01:01", "hla_a_24_02_01_01", "B*07:02", "B*08:01", "C*07:01", "C*07:02"]
    return rows("hla_loh", allele=names, copy_number=[1.57, copies, 1, 1, 1, 1], p=[p] * 6)


@pytest.mark.parametrize(
    ("copies", "p", "value"),
    [(0.027, 0.001, True), (0.6, 0.001, None), (1.2, 0.001, False), (0.1, 0.5, None), (-0.4, 0.001, True)],
)
def test_hla_loh(copies, p, value):
    assert one("hla_loh", build(hla_loh=loh(copies, p))).value is value


def test_no_hla_loss_needs_all_three_loci():
    only_a = loh(1.2).iloc[:2]
    measured = one("hla_loh", build(hla_loh=only_a))
    assert measured.value is None
    assert "HLA-B, HLA-C" in measured.note


def test_lohhla_without_p_is_not_assessable():
    table = loh(0.1, np.nan).assign(caller="LOHHLA")
    assert one("hla_loh", build(hla_loh=table)).value is None


def test_a_homozygous_locus_cannot_lose_an_allele():
    names = ["A*01:01", "A*01:01", "B*07:02", "B*08:01", "C*07:01", "C*07:02"]
    table = rows("hla_loh", allele=names, copy_number=[0.0, 2.0, 1, 1, 1, 1], p=[0.001] * 6)
    assert one("hla_loh", build(hla_loh=table)).value is False


@pytest.mark.parametrize(("given", "value"), [("4.5856", 4.5856), (None, None), ("900", None)])
def test_hla_divergence_is_read_as_reported(given, value):
    study = build()
    study.patients["HED"] = given
    study.given.add("patients")
    assert one("hla_evolutionary_divergence", study).value == value


def test_pdl1_values_of_one_day_that_differ_are_no_value():
    study = build(pdl1=rows("pdl1", assay="22C3", score="tps", value_percent=[60.0, 0.0]))
    assert one("pdl1_tps", study).value is None
    assert one("pdl1_tps_stratum", study).value == ">=50%"
    assert one("pdl1_tps_stratum_lowest", study).value == "<1%"


def test_pdl1_category_below_one_percent_has_a_stratum():
    study = build(pdl1=rows("pdl1", assay="22C3", score="tps", category=["<1%"]))
    assert one("pdl1_tps_stratum_lowest", study).value == "<1%"


def test_hla_heterozygosity_needs_two_alleles_at_three_loci():
    alleles = ["A*02:01", "A*02:01", "B*07:02", "B*08:01", "C*07:01", "C*07:02"]
    assert one("hla_heterozygosity", build(hla=rows("hla", allele=alleles))).value == 2
    assert one("hla_heterozygosity", build(hla=rows("hla", allele=alleles[:4]))).status == "not_assessable"


def neo(**more):
    columns = {
        "gene": ["G1", "G2", "G3", "G4"],
        "peptide": ["AAAAAAAAA", "CCCCCCCCC", "DDDDDDDDD", "EEEEEEEEE"],
        "wt_peptide": ["AAAAAAAAC", "CCCCCCCCA", "DDDDDDDDA", "EEEEEEEEA"],
        "allele": ["HLA-A*01:01", "HLA-A*24:02", "HLA-A*01:01", "HLA-A*01:01"],
        "ic50_nm": [20.0, 30.0, 40.0, 900.0],
        "wt_ic50_nm": [2000.0, 30.0, 400.0, 900.0],
        "tpm": [5.0, 5.0, 0.1, 5.0],
        "clonal": [True, True, False, True],
    }
    return rows("neoantigens", **(columns | more))


def test_neoantigens_and_their_ways_out():
    study = build(neoantigens=neo(), hla_loh=loh(0.03))
    assert one("neoantigen_load", study).value == 3
    assert one("neoantigen_load_clonal", study).value == 2
    found = one("neoantigen_load_escape_aware", study)
    assert found.value == 1
    assert "B2M" in found.note
    gone = rows("copy_number", sample="s", gene=["B2M"], total_cn=[0.4904])
    assert one("neoantigen_load_escape_aware", build(neoantigens=neo(), copy_number=gone)).value == 0
    partly = rows("copy_number", sample="s", gene=["B2M"], total_cn=[0.6])
    some = one("neoantigen_load_escape_aware", build(neoantigens=neo(), copy_number=partly))
    assert (some.low, some.value) == (0.0, 2.0)
    unknown = build(neoantigens=neo(clonal=[True, None, False, True]))
    assert one("neoantigen_load_clonal", unknown).status == "not_assessable"
    assert one("neoantigen_load_escape_aware", build(neoantigens=neo(tpm=[NAN] * 4))).status == "not_assessable"


def test_quality_follows_the_equation(tmp_path):
    study = build(neoantigens=neo())
    assert one("neoantigen_quality", study).status == "not_assessable"
    acids = "ACDE"
    made_up = {
        "a": 8.0,
        "k": 0.7,
        "w": 0.25,
        "position_weights": [0.1 * i for i in range(9)],
        "gap": -3.0,
        "substitution_distance": {f"{x}>{y}": 1.5 for x in acids for y in acids if x != y},
        "epitopes": ["CAAAACC", "ADADA"],
        "alignment_scores": {x + y: 2.0 if x == y else -1.0 for x in acids for y in acids},
    }
    path = tmp_path / "quality.json"
    path.write_text(json.dumps(made_up), encoding="utf-8")
    parameters = load_quality_parameters(path)
    assert parameters.alignment("AAAAAAAAA", "CAAAACC") == 8.0
    assert parameters.alignment("ADCADA", "ADADA") == 7.0
    terms = [math.exp(-0.7 * (8.0 - s)) for s in (8.0, 4.0)]
    recognition = sum(terms) / (1 + sum(terms))
    assert parameters.alignment("AAAAAAAAA", "ADADA") == 4.0
    assert parameters.recognition("AAAAAAAAA") == pytest.approx(recognition, abs=1e-12)
    best = recognition * (0.75 * math.log(2000 / 20) + 0.25 * 0.8 * 1.5)
    assert neoantigen_quality(study, parameters)["p"].value == pytest.approx(best, abs=1e-9)
    del made_up["epitopes"]
    path.write_text(json.dumps(made_up), encoding="utf-8")
    with pytest.raises(InputError, match="missing: epitopes"):
        load_quality_parameters(path)


def labs(*values):
    day, analyte, value, unit = (list(x) for x in zip(*values, strict=True))
    return build(labs=rows("labs", day=day, analyte=analyte, value=value, unit=unit))


def test_blood_keeps_to_units_and_baseline():
    assert one("albumin", labs((-3.0, "albumin", 39.0, "g/L"), (21.0, "albumin", 30.0, "g/L"))).value == 39.0
    assert "no unit" in one("albumin", labs((-3.0, "albumin", 39.0, None))).note
    assert one("albumin", labs((-3.0, "albumin", 3.9, "g/dL"))).status == "not_assessable"
    assert "no value up to day 0" in one("albumin", labs((9.0, "albumin", 39.0, "g/L"))).note
    assert one("albumin", labs((-300.0, "albumin", 39.0, "g/L"))).status == "not_assessable"
    both = labs((0.0, "neutrophils", 6.0, "10^9/L"), (0.0, "lymphocytes", 1.5, "10^9/L"))
    assert one("nlr", both).value == 4.0
    apart = labs((0.0, "neutrophils", 6.0, "10^9/L"), (-9.0, "lymphocytes", 1.5, "10^9/L"))
    assert one("nlr", apart).status == "not_assessable"
    assert one("nlr", labs((0.0, "nlr", 7.0, "ratio"))).value == 7.0
    pair = labs((0.0, "kynurenine", 2.5, "umol/L"), (0.0, "tryptophan", 50.0, "umol/L"))
    assert one("kyn_trp", pair).value == pytest.approx(0.05)


def test_receptors_need_depth():
    rng = np.random.default_rng(0)
    counts = list(rng.geometric(0.05, 200).astype(float))
    clones = [f"CASS{i}F" for i in range(200)]
    study = build(tcr=rows("tcr", sample="s", day=0.0, locus="TRB", junction_aa=clones, duplicate_count=counts))
    richness = one("tcr_richness", study)
    assert 0 < richness.value <= 200
    assert 0 <= one("tcr_clonality", study).value < 1
    assert one("tcr_hill_2", study).value < one("tcr_hill_1", study).value < richness.value
    thin = build(tcr=rows("tcr", sample="s", day=0.0, locus="TRB", junction_aa=clones[:20], duplicate_count=[3.0] * 20))
    assert "500 are needed" in one("tcr_richness", thin).note


def ctdna(*values):
    day, value, lod, detected = (list(x) for x in zip(*values, strict=True))
    return build(ctdna=rows("ctdna", day=day, value=value, lod=lod, detected=detected, unit="percent", assay="a"))


def test_circulating_dna_is_censored_at_its_limit():
    cleared = ctdna((0.0, 1.0, 0.05, True), (42.0, NAN, 0.05, False))
    decline = one("ctdna_decline", cleared)
    assert decline.value == pytest.approx(0.95)
    assert decline.high == 1.0
    assert one("ctdna_cleared", cleared).value is True
    assert one("ctdna_molecular_response", cleared).value is True
    down = ctdna((0.0, 1.0, 0.05, True), (42.0, 0.6, 0.05, True))
    assert one("ctdna_molecular_response", down).value is False
    assert one("ctdna_cleared", down).value is False
    below = one("ctdna_baseline", ctdna((0.0, NAN, 0.05, False)))
    assert (below.status, below.value, below.low) == ("below_limit", 0.05, 0.0)
    assert one("ctdna_decline", ctdna((0.0, NAN, 0.05, False), (42.0, NAN, 0.05, False))).status == "not_assessable"
    assert one("ctdna_decline", ctdna((0.0, 1.0, 0.05, True))).status == "not_assessable"


def test_antibiotics_are_none_only_where_somebody_says_so():
    def study(drug, start, **columns):
        return build(treatments=rows("treatments", drug=[drug], start_day=[start]), columns=columns)

    assert one("antibiotics_window", study("amoxicillin/clavulanate", -10.0)).value == "before"
    assert one("antibiotics_window", study("ciprofloxacin", 10.0)).value == "after"
    assert one("antibiotics_window", study("ciprofloxacin", 200.0)).status == "not_assessable"
    assert one("antibiotics_window", study("pembrolizumab", 0.0)).status == "not_assessable"
    assert one("antibiotics_window", study("pembrolizumab", 0.0, antibiotics="no")).value == "none"
    assert one("antibiotics_window", study("pembrolizumab", 0.0, ATB="yes")).value == "exposed"
    oncology = ["pembrolizumab", "docetaxel", "carboplatin", "mitomycin", "bleomycin", "doxorubicin"]
    assert not any(is_antibiotic(d) for d in oncology)
