"""Genomic variants in FHIR: somatic ones act, those of the germline are named and left, unstated ones stay open."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from immunescape.errors import InputError
from immunescape.profile.assemble import assemble
from immunescape.profile.loading import load_study
from immunescape.profile.readers import get_reader
from immunescape.profile.readers._hgvs import class_of_hgvs, short_protein
from immunescape.profile.study import Study

SOMATIC = ("LA6684-0", "Somatic")
GERMLINE = ("LA6683-2", "Germline")


def component(code: str, **value: Any) -> dict[str, Any]:
    return {"code": {"coding": [{"system": "http://loinc.org", "code": code}]}, **value}


def concept(code: str, display: str | None = None) -> dict[str, Any]:
    return {"valueCodeableConcept": {"coding": [{"code": code} | ({"display": display} if display else {})]}}


def variant(
    gene: str,
    protein: str | None = None,
    coding: str | None = None,
    source: tuple[str, str] | None = SOMATIC,
    vaf: dict[str, Any] | None = None,
    **more: Any,
) -> dict[str, Any]:
    parts = [component("48018-6", **concept("HGNC:1", gene))]
    if protein:
        parts.append(component("48005-3", **concept(protein)))
    if coding:
        parts.append(component("48004-6", valueString=coding))
    if source:
        parts.append(component("48002-0", **concept(*source)))
    if vaf:
        parts.append(component("81258-6", valueQuantity=vaf))
    code = {"coding": [{"code": "69548-6", "display": "Genetic variant assessment"}]}
    subject = {"reference": "Patient/p1"}
    return {"resourceType": "Observation", "code": code, "subject": subject, "component": parts} | more


def region(*genes: str) -> dict[str, Any]:
    parts = [component("48018-6", **concept(f"HGNC:{i}", g)) for i, g in enumerate(genes)]
    code = {"coding": [{"code": "53041-0"}]}
    return {"resourceType": "Observation", "code": code, "subject": {"reference": "Patient/p1"}, "component": parts}


def bundle(*resources: dict[str, Any]) -> str:
    patient = {"resourceType": "Patient", "id": "p1", "gender": "female"}
    return json.dumps({"resourceType": "Bundle", "entry": [{"resource": r} for r in (patient, *resources)]})


def study_of(folder: Path, *resources: dict[str, Any], options: str = "") -> Study:
    (folder / "b.json").write_text(bundle(*resources))
    (folder / "manifest.yaml").write_text(f"files:\n  - {{file: b.json, format: fhir{options}}}\n")
    return load_study(folder)


def state(study: Study, mechanism: str) -> str:
    return str(assemble(study).profile.patients["p1"].calls[mechanism].state)


@pytest.mark.parametrize(
    ("gene", "protein", "coding", "kind", "short"),
    [
        ("STK11", "NP_000446.1:p.Gln37Ter", "NM_000455.5:c.109C>T", "Nonsense_Mutation", "Q37*"),
        ("B2M", "p.(Leu15PhefsTer41)", "c.44_45del", "Frame_Shift_Del", "L15Ffs*41"),
        ("KRAS", "p.Gly12Cys", "c.34G>T", "Missense_Mutation", "G12C"),
        ("EGFR", "p.Glu746_Ala750del", "c.2235_2249del", "In_Frame_Del", "E746_A750del"),
        ("TP53", None, "NM_000546.6:c.375+1G>A", "Splice_Site", None),
        ("B2M", "p.Met1?", "c.1A>G", "Translation_Start_Site", "M1?"),
        ("KEAP1", "p.Arg320=", "c.958C>A", "Silent", "R320="),
        ("ERBB2", "p.Tyr772_Ala775dup", "c.2313_2324dup", "In_Frame_Ins", "Y772_A775dup"),
    ],
)
def test_somatic_variants_become_mutations(
    gene: str, protein: str | None, coding: str, kind: str, short: str | None, tmp_path: Path
) -> None:
    study = study_of(tmp_path, variant(gene, protein, coding, vaf={"value": 32, "unit": "%"}))
    [row] = study.mutations.to_dict("records")
    assert (row["gene"], row["classification"], row["protein_change"]) == (gene, kind, short)
    assert row["vaf"] == pytest.approx(0.32)
    assert row["patient"] == "p1"


def test_a_stop_gained_of_stk11_acts_and_a_studied_gene_without_variant_is_seen(tmp_path: Path) -> None:
    study = study_of(
        tmp_path, variant("STK11", "p.Gln37Ter", vaf={"value": 0.4, "code": "1"}), region("STK11", "KEAP1", "KRAS")
    )
    assert state(study, "stk11_loss") == "present"
    assert study.covered("KEAP1")["p1"] is True
    assert study.covered("B2M")["p1"] is False


def test_without_the_genes_studied_a_gene_without_variant_stays_open(tmp_path: Path) -> None:
    study = study_of(tmp_path, variant("KRAS", "p.Gly12Cys"))
    assert study.covered("STK11")["p1"] is None
    assert state(study, "stk11_loss") == "not_assessable"
    assert any("which genes were studied" in p for p in study.problems)


@pytest.mark.parametrize("source", [GERMLINE, ("LA18194-3", "Likely Germline"), ("LA10429-1", "Prenatal")])
def test_variants_that_are_not_somatic_are_named_and_left(source: tuple[str, str], tmp_path: Path) -> None:
    study = study_of(tmp_path, variant("STK11", "p.Gln37Ter", source=source), region("STK11"))
    assert not len(study.mutations)
    assert any("1 genomic variants are not somatic" in p and "STK11 Q37*" in p for p in study.problems)
    assert any("STK11 Q37*" in r.left for r in study.reads)
    assert state(study, "stk11_loss") != "present"


def test_variants_without_source_class_leave_their_gene_open_until_it_is_said(tmp_path: Path) -> None:
    resources = (variant("STK11", "p.Gln37Ter", source=None), region("STK11", "KEAP1"))
    study = study_of(tmp_path, *resources)
    assert not len(study.mutations)
    assert study.covered("STK11")["p1"] is None
    assert state(study, "stk11_loss") == "not_assessable"
    assert any("STK11 Q37*" in p and "source_class: somatic" in p for p in study.problems)
    told = study_of(tmp_path, *resources, options=", source_class: somatic")
    assert told.mutations["gene"].tolist() == ["STK11"]
    with pytest.raises(InputError, match="'somatic'"):
        study_of(tmp_path, *resources, options=", source_class: somatc")


def test_a_variant_that_was_looked_for_and_not_seen_is_none(tmp_path: Path) -> None:
    absent = variant("KRAS", "p.Gly12Cys", valueCodeableConcept={"coding": [{"code": "LA9634-2", "display": "Absent"}]})
    study = study_of(tmp_path, absent, variant("TP53", "p.Arg273His"))
    assert study.mutations["gene"].tolist() == ["TP53"]
    assert any("not present (KRAS G12C)" in r.left for r in study.reads)


def test_copy_numbers_and_fusions(tmp_path: Path) -> None:
    copies = variant("MET")
    copies["component"].append(component("82155-3", valueQuantity={"value": 9}))
    fusion = variant("EML4")
    fusion["component"].append(component("48018-6", **concept("HGNC:427", "ALK")))
    study = study_of(tmp_path, copies, fusion)
    assert study.copy_number[["gene", "total_cn"]].to_numpy().tolist() == [["MET", 9.0]]
    assert study.structural_variants[["gene1", "gene2"]].to_numpy().tolist() == [["EML4", "ALK"]]


def test_specimens_keep_their_variants_apart(tmp_path: Path) -> None:
    one = variant("KRAS", "p.Gly12Cys", specimen={"reference": "Specimen/s1"})
    two = variant("TP53", "p.Arg273His", specimen={"reference": "Specimen/s2"})
    study = study_of(tmp_path, one, two)
    assert study.mutations.set_index("sample")["gene"].to_dict() == {"s1": "KRAS", "s2": "TP53"}
    assert set(study.samples_of("p1")) == {"s1", "s2"}


def test_the_genomic_place_and_the_assembly(tmp_path: Path) -> None:
    one = variant("KRAS", "p.Gly12Cys")
    one["component"] += [
        component("81290-9", **concept("NC_000012.12:g.25245351C>A")),
        component("62374-4", **concept("LA26806-2", "GRCh38")),
        component("69547-8", valueString="C"),
        component("69551-0", valueString="A"),
    ]
    study = study_of(tmp_path, one)
    row = study.mutations.iloc[0]
    assert (row["chrom"], row["start"], row["ref"], row["alt"]) == ("12", 25245351.0, "C", "A")
    assert study.genome_build == "GRCh38"


def test_an_impossible_frequency_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"outside 0\.\.1"):
        study_of(tmp_path, variant("KRAS", "p.Gly12Cys", vaf={"value": 32, "unit": "1"}))


def pdl1(text: str, **value: Any) -> dict[str, Any]:
    subject = {"reference": "Patient/p1"}
    return {"resourceType": "Observation", "code": {"text": text}, "subject": subject, **value}


@pytest.mark.parametrize(
    ("resource", "stratum"),
    [
        (pdl1("PD-L1 by clone 22C3 in Tissue by Immune stain", valueQuantity={"value": 60, "unit": "%"}), ">=50%"),
        (pdl1("PD-L1 by clone 28-8", valueQuantity={"value": 0, "unit": "%"}), "<1%"),
        (pdl1("PD-L1 tumor proportion score", valueString="1-49%"), "1-49%"),
        (pdl1("PD-L1 TPS (22C3)", valueQuantity={"value": 1, "comparator": "<", "unit": "%"}), "<1%"),
    ],
)
def test_pdl1_by_clone_or_as_a_category(resource: dict[str, Any], stratum: str, tmp_path: Path) -> None:
    assert assemble(study_of(tmp_path, resource)).measured["pdl1_stratum"]["p1"].value == stratum


def test_sp142_is_no_tumour_proportion_score(tmp_path: Path) -> None:
    study = study_of(tmp_path, pdl1("PD-L1 by clone SP142", valueQuantity={"value": 60, "unit": "%"}))
    assert assemble(study).measured["pdl1_tps"]["p1"].value is None


def test_blood_values_without_unit_are_answered(tmp_path: Path) -> None:
    crp = pdl1("C reactive protein", valueQuantity={"value": 8}) | {"code": {"coding": [{"code": "1988-5"}]}}
    with pytest.raises(InputError, match=r"units: \{crp: mg/L\}"):
        study_of(tmp_path, crp)
    assert study_of(tmp_path, crp, options=", units: {crp: mg/L}").labs["value"].tolist() == [8.0]


def test_genomic_interpretations_of_phenopackets_are_named_and_leave_their_genes_open(tmp_path: Path) -> None:
    variation = {"geneContext": {"symbol": "STK11"}, "expressions": [{"syntax": "hgvs.p", "value": "p.Gln37Ter"}]}
    genomic = {"subjectOrBiosampleId": "s1", "variantInterpretation": {"variationDescriptor": variation}}
    packet = {
        "subject": {"id": "p1"},
        "biosamples": [{"id": "s1"}],
        "interpretations": [{"diagnosis": {"genomicInterpretations": [genomic]}}],
    }
    path = tmp_path / "x.json"
    path.write_text(json.dumps(packet))
    out = get_reader("phenopackets")(path, {})
    assert out.unclear == {("mutations", "STK11"): frozenset({"s1"})}
    assert any("STK11 p.Gln37Ter" in p for p in out.problems)
    assert "STK11" in out.reads[0].left


@pytest.mark.parametrize(
    ("protein", "coding", "expected"),
    [
        ("p.Val600Glu", "", "Missense_Mutation"),
        ("p.V600E", "", "Missense_Mutation"),
        ("p.Arg196*", "", "Nonsense_Mutation"),
        ("p.Ter110GlnextTer17", "", "Nonstop_Mutation"),
        ("p.Lys745_Glu746insThr", "", "In_Frame_Ins"),
        ("p.Leu747_Pro753delinsSer", "c.2240_2257del", "In_Frame_Del"),
        ("p.Gly13fs", "c.37dup", "Frame_Shift_Ins"),
        ("p.=", "", "Silent"),
        ("", "c.1234-2A>G", "Splice_Site"),
        ("p.?", "c.1234+5G>A", "Splice_Region"),
        ("", "c.1234+50G>A", "Intron"),
        ("", "c.1234A>G", None),
    ],
)
def test_classes_of_hgvs(protein: str, coding: str, expected: str | None) -> None:
    assert class_of_hgvs(protein, coding) == expected


def test_short_protein_changes() -> None:
    assert short_protein("NP_004976.2:p.(Gly12Cys)") == "G12C"
    assert short_protein(None) == ""
