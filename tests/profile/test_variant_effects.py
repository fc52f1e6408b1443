"""Missense changes: inactivating, benign, or not known; files in, call out."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.profile.study_files import SEEN, maf, profiled, state

from immunescape.knowledge.references import load_references
from immunescape.profile.biomarkers.variant_effects import place_in_protein, variant_effect, variant_effects

COPIES = "sample\tgene\ttotal_cn\tminor_cn\nS1\tSTK11\t2\t1\nS1\tKEAP1\t2\t1\nS1\tTP53\t2\t1\n"
SAMPLES = "sample,patient,tumour_purity,ploidy\nS1,S1,0.7,2.0\n"


def files(gene: str, change: str) -> dict[str, str]:
    hit = (gene, 1_000_000, "Missense_Mutation", change, 60, 40)
    return {"mutations.maf": maf(*SEEN, hit), "genes.tsv": COPIES, "samples.csv": SAMPLES}


@pytest.mark.parametrize(
    ("gene", "change", "expected"),
    [
        ("STK11", "p.D194Y", "present"),
        ("STK11", "p.Asp194Val", "present"),
        ("STK11", "p.K78I", "present"),
        ("STK11", "p.F354L", "absent"),
        ("STK11", "p.R211Q", "not_assessable"),
        ("KEAP1", "p.G333C", "present"),
        ("KEAP1", "p.R470C", "present"),
        ("KEAP1", "p.V155F", "present"),
        ("KEAP1", "p.R71L", "absent"),
        ("KEAP1", "p.E488K", "not_assessable"),
    ],
)
def test_missense_of_stk11_and_keap1(gene: str, change: str, expected: str, tmp_path: Path) -> None:
    assert state(tmp_path, files(gene, change), f"{gene.lower()}_loss") == expected


def test_a_common_polymorphism_of_egfr_leaves_no_call_open(tmp_path: Path) -> None:
    done = profiled(tmp_path, files("EGFR", "p.R521K"))
    found = done.measured["egfr_status"]["S1"]
    assert found.value == "wild_type"
    assert "EGFR p.R521K: benign" in found.note.replace("EGFR R521K", "EGFR p.R521K")


def test_the_polymorphism_of_p53_is_no_hit_and_a_change_beside_a_benign_one_still_counts(tmp_path: Path) -> None:
    assert profiled(tmp_path / "a", files("TP53", "p.P72R")).measured["tp53_status"]["S1"].value == "wild_type"
    both = maf(
        *SEEN,
        ("STK11", 1, "Missense_Mutation", "p.F354L", 50, 50),
        ("STK11", 900, "Nonsense_Mutation", "p.Q37*", 60, 40),
    )
    assert state(tmp_path / "b", files("STK11", "p.F354L") | {"mutations.maf": both}, "stk11_loss") == "present"


def test_an_unknown_change_says_where_it_lies() -> None:
    assert place_in_protein("STK11", "p.R211Q") == "in the kinase domain"
    assert place_in_protein("STK11", "S428L") == "outside the domains of known function"
    assert place_in_protein("B2M", "p.V5M") == ""


def test_only_missense_changes_are_looked_up() -> None:
    assert variant_effect("STK11", "Nonsense_Mutation", "p.D194*") is None
    assert variant_effect("STK11", "Missense_Mutation", "p.D194fs") is None
    assert variant_effect("STK11", "Missense_Mutation", "") is None


def test_every_row_has_sources_that_exist_and_says_what_was_not_checked() -> None:
    known = load_references()
    for effect in variant_effects().values():
        assert all(key in known for key in effect.source.split()), effect
        assert effect.grade in ("measured", "assumed")
        assert ("from memory" in effect.note) == (effect.grade == "assumed"), effect
