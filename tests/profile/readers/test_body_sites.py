"""Microbiome of the mouth, the airways or the skin -> no word on the gut."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from immunescape.errors import InputError

Profiled = Callable[..., Any]
GUT = {
    "s__Bacteroides_uniformis": 30,
    "s__Faecalibacterium_prausnitzii": 25,
    "s__Blautia_obeum": 20,
    "s__Roseburia_hominis": 15,
    "s__Streptococcus_salivarius": 10,
}
ORAL = {
    "s__Streptococcus_mitis": 40,
    "s__Rothia_mucilaginosa": 30,
    "s__Veillonella_parvula": 20,
    "s__Bacteroides_uniformis": 10,
}
AIRWAY = {"s__Moraxella_catarrhalis": 60, "s__Haemophilus_influenzae": 30, "s__Escherichia_coli": 10}
SKIN = {"s__Cutibacterium_acnes": 70, "s__Staphylococcus_epidermidis": 30}
NAMES = ("microbiome_shannon", "akkermansia", "akkermansia_level", "toposcore", "toposcore_class")


def metaphlan(taxa: dict[str, int]) -> str:
    return "#mpa_vJan21\nclade_name\tP1\n" + "".join(f"k__Bacteria|{t}\t{a}\n" for t, a in taxa.items())


def states(made: Any) -> set[str]:
    return {made.measured[n]["P1"].status for n in NAMES}


@pytest.mark.parametrize("taxa", [ORAL, AIRWAY, SKIN])
def test_genera_of_another_site_are_no_stool(taxa: dict[str, int], profiled: Profiled) -> None:
    made = profiled({"m.tsv": (metaphlan(taxa), {"format": "metaphlan"})})
    assert states(made) == {"not_assessable"}
    assert "not treated as stool" in made.measured["akkermansia"]["P1"].note
    assert "not treated as stool" in " ".join(made.study.problems)
    for mechanism in ("akkermansia_absence", "dysbiosis"):
        if mechanism in made.calls.states.columns:
            assert made.calls.call("P1", mechanism).state == "not_assessable"


@pytest.mark.parametrize("site", ["tongue", "dental plaque", "BAL", "lung tissue", "skin swab"])
def test_a_declared_site_decides(site: str, profiled: Profiled) -> None:
    made = profiled({"m.tsv": (metaphlan(GUT), {"format": "metaphlan", "site": site})})
    assert states(made) == {"not_assessable"}
    assert "not stool" in made.measured["toposcore"]["P1"].note


def test_stool_is_read_and_a_missing_site_is_told(profiled: Profiled) -> None:
    made = profiled({"m.tsv": (metaphlan(GUT), {"format": "metaphlan"})})
    assert made.measured["microbiome_shannon"]["P1"].status == "measured"
    assert "no body site is given" in " ".join(made.study.problems)
    made = profiled({"m.tsv": (metaphlan(ORAL), {"format": "metaphlan", "site": "stool"})})
    assert made.measured["microbiome_shannon"]["P1"].status == "measured"
    assert "body site is given" not in " ".join(made.study.problems)
    with pytest.raises(InputError, match="body site"):
        profiled({"m.tsv": (metaphlan(GUT), {"format": "metaphlan", "site": "kitchen"})})


def test_the_stool_of_a_patient_counts_beside_other_samples(profiled: Profiled) -> None:
    table = "Sample_id,Bacteroides_uniformis,Blautia_obeum,Rothia_mucilaginosa,Streptococcus_mitis\n"
    text = table + "a,0.1,0,0.5,0.4\nb,0.6,0.3,0,0.1\n"
    made = profiled(
        {"s.csv": (text, {"format": "species_table"}), "x.csv": ("sample,patient\na,P1\nb,P1\n", {"format": "samples"})}
    )
    shannon = made.measured["microbiome_shannon"].get("P1")
    if shannon is None:  # stool samples are no tumour samples: each may count as its own patient
        assert made.measured["microbiome_shannon"]["b"].status == "measured"
        assert made.measured["microbiome_shannon"]["a"].status == "not_assessable"
    else:
        assert (shannon.status, shannon.sample) == ("measured", "b")


def test_the_site_in_the_metadata_of_biom_is_used(profiled: Profiled) -> None:
    def biom(site: str) -> str:
        rows = [{"id": t, "metadata": {"taxonomy": [t]}} for t in GUT]
        cells = [[i, 0, n] for i, n in enumerate(GUT.values())]
        columns = [{"id": "P1", "metadata": {"BODY_SITE": site}}]
        return json.dumps({"rows": rows, "columns": columns, "matrix_type": "sparse", "data": cells})

    assert states(profiled({"b.biom": (biom("UBERON:saliva"), {"format": "biom"})})) == {"not_assessable"}
    made = profiled({"b.biom": (biom("UBERON:feces"), {"format": "biom"})})
    assert made.measured["microbiome_shannon"]["P1"].status == "measured"


def test_the_profile_of_one_sample_is_no_patient_named_relative_abundance(profiled: Profiled) -> None:
    text = (
        "#mpa_vJan21\n#SampleID\tMetaphlan_Analysis\n#clade_name\tNCBI_tax_id\trelative_abundance\tadditional_species\n"
        "k__Bacteria|s__Blautia_obeum\t2|40520\t60.0\t\nk__Bacteria|s__Roseburia_hominis\t2|301301\t40.0\t\n"
    )
    made = profiled({"m.txt": (text, {"format": "metaphlan", "patient": "P1"})})
    assert made.study.patient_ids == ["P1"]
    assert made.measured["microbiome_inverse_simpson"]["P1"].value == pytest.approx(1 / (0.36 + 0.16))
    assert profiled({"m.txt": (text, {"format": "metaphlan"})}).study.patient_ids == ["m"]
