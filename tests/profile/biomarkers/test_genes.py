"""What is called a loss, a driver, an amplification, and what is not assessable."""

from __future__ import annotations

import pytest
from tests.profile.biomarkers.synthetic import _frame

from immunescape.profile.biomarkers import measure
from immunescape.profile.study import Panel, Study

GENES = frozenset("B2M TAP1 TAP2 TAPBP NLRC5 CALR JAK1 KRAS EGFR STK11 KEAP1 TP53 RBM10 MET ALK MDM2 BRAF".split())


def make(
    mutations=(), copies=(), breaks=(), *, sex="F", genes=GENES, given=("mutations", "copy_number"), panel="panel"
):
    """Return a study of one patient: mutations (gene, kind, protein, more), copies (gene, columns), breaks (genes)."""
    tables = {}
    if mutations:
        columns = {c: [m[3].get(c) if len(m) > 3 else None for m in mutations] for c in ("ccf", "clonal", "germline")}
        columns["ccf"] = [float("nan") if v is None else v for v in columns["ccf"]]
        tables["mutations"] = _frame(
            "mutations",
            patient=["p"] * len(mutations),
            sample="s",
            gene=[m[0] for m in mutations],
            classification=[m[1] for m in mutations],
            protein_change=[m[2] for m in mutations],
            start=[1000.0 * i for i in range(len(mutations))],
            **columns,
        )
    if "copy_number" in given:  # every other gene of the panel was measured, and is neutral
        listed = {c[0] for c in copies}
        copies = [*copies, *((g, {"discrete": 0.0}) for g in sorted(genes - listed))]
    if copies:
        numbers = {c: [k[1].get(c, float("nan")) for k in copies] for c in ("discrete", "total_cn", "minor_cn")}
        tables["copy_number"] = _frame(
            "copy_number", patient=["p"] * len(copies), sample="s", gene=[k[0] for k in copies], **numbers
        )
    if breaks:
        tables["structural_variants"] = _frame(
            "structural_variants",
            patient=["p"] * len(breaks),
            sample="s",
            gene1=[b[0] for b in breaks],
            gene2=[b[1] for b in breaks],
        )
        given = (*given, "structural_variants")
    return Study(
        patients=_frame("patients", patient=["p"], sex=sex),
        samples=_frame(
            "samples", patient=["p"], sample="s", panel=panel, panel_cna=panel, panel_sv=panel, tumour_purity=0.6
        ),
        panels={"panel": Panel("panel", genes=genes, megabases=1.0)},
        given={"patients", "samples", "panels", *given},
        **tables,
    )


def one(name: str, study: Study):
    return measure(study, [name])[name]["p"]


@pytest.mark.parametrize(
    ("copies", "word"),
    [
        ({"total_cn": 0.4904}, "biallelic_loss"),
        ({"total_cn": 0.49, "minor_cn": 0.0}, "biallelic_loss"),
        ({"discrete": -2.0}, "biallelic_loss"),
        ({"discrete": -1.5}, "biallelic_loss"),
        ({"total_cn": 0.64}, "biallelic_loss_subclonal"),
        ({"total_cn": 1.0, "minor_cn": 0.0}, "haploid_loss"),
        ({"discrete": -1.0}, "haploid_loss"),
        ({"total_cn": 2.0, "minor_cn": 0.0}, "wild_type"),
        ({"total_cn": 2.0, "minor_cn": 1.0}, "wild_type"),
        ({"discrete": 2.0}, "wild_type"),
    ],
)
def test_copy_number_of_b2m(copies, word):
    assert one("b2m_status", make(copies=[("B2M", copies)])).value == word


STOP, MISSENSE = ("Nonsense_Mutation", "p.Q10*"), ("Missense_Mutation", "p.A10V")


@pytest.mark.parametrize(
    ("mutations", "copies", "word"),
    [
        ([("JAK1", *STOP)], [], "mutation_second_allele_unseen"),
        ([("JAK1", *STOP)], [("JAK1", {"total_cn": 2.0, "minor_cn": 1.0})], "monoallelic_loss"),
        ([("JAK1", *STOP)], [("JAK1", {"discrete": 0.0})], "mutation_second_allele_unseen"),
        ([("JAK1", *MISSENSE)], [("JAK1", {"total_cn": 1.0, "minor_cn": 0.0})], "variant_of_unknown_significance"),
        ([("JAK1", "Missense_Mutation", "p.M1R")], [("JAK1", {"total_cn": 1.0, "minor_cn": 0.0})], "biallelic_loss"),
        ([("JAK1", *STOP)], [("JAK1", {"total_cn": 1.0, "minor_cn": 0.0})], "biallelic_loss"),
        ([("JAK1", *STOP)], [("JAK1", {"total_cn": 2.0, "minor_cn": 0.0})], "biallelic_loss"),
        ([("JAK1", *STOP, {"ccf": 0.4})], [("JAK1", {"minor_cn": 0.0})], "biallelic_loss_subclonal"),
        ([("JAK1", *STOP, {"clonal": False})], [("JAK1", {"minor_cn": 0.0})], "biallelic_loss_subclonal"),
        ([("JAK1", *STOP), ("JAK1", "Frame_Shift_Del", "p.K20fs")], [], "biallelic_loss"),
        ([("JAK1", *MISSENSE)], [], "variant_of_unknown_significance"),
        ([("JAK1", *MISSENSE)], [("JAK1", {"minor_cn": 0.0})], "variant_of_unknown_significance"),
        ([("JAK1", "Silent", "p.A10A")], [], "wild_type"),
    ],
)
def test_hits_of_jak1(mutations, copies, word):
    assert one("jak1_status", make(mutations, copies)).value == word


def test_one_hit_on_x_is_enough_in_a_man():
    hit = [("RBM10", *STOP)]
    assert one("rbm10_status", make(hit, sex="Male")).value == "biallelic_loss"
    assert one("rbm10_status", make(hit, sex="F")).value == "mutation_second_allele_unseen"


def test_a_gene_off_the_panel_is_never_wild_type():
    found = one("nlrc5_status", make(genes=GENES - {"NLRC5"}))
    assert found.status == "not_assessable"
    assert "not on the panel" in found.note
    assert one("nlrc5_status", make(panel=None)).status == "not_assessable"
    assert one("nlrc5_status", make()).value == "wild_type"
    deleted = make(copies=[("NLRC5", {"total_cn": 0.1})], genes=GENES - {"NLRC5"})
    assert one("nlrc5_status", deleted).value == "biallelic_loss"


def test_tapasin_is_found_under_its_symbol_and_a_common_name():
    for name in ("TAPBP", "TAPASIN"):
        assert one("tapbp_status", make(copies=[(name, {"discrete": -2.0})])).value == "biallelic_loss"


def test_pathway_is_lost_intact_or_not_assessable():
    lost = make(copies=[("TAPBP", {"discrete": -2.0})], genes=GENES - {"NLRC5"})
    assert one("apm_biallelic_loss", lost).value is True
    assert one("apm_biallelic_loss", make()).value is False
    partial = one("apm_biallelic_loss", make(genes=GENES - {"NLRC5"}))
    assert partial.status == "not_assessable"
    assert partial.coverage == pytest.approx(5 / 6)


@pytest.mark.parametrize(
    ("gene", "kind", "protein", "word"),
    [
        ("EGFR", "Missense_Mutation", "p.L858R", "activating"),
        ("EGFR", "In_Frame_Del", "p.E746_A750del", "activating"),
        ("EGFR", "In_Frame_Ins", "p.D770_N771insSVD", "activating"),
        ("EGFR", "Missense_Mutation", "p.R108K", "variant_of_unknown_significance"),
        ("KRAS", "Missense_Mutation", "p.G12C", "activating"),
        ("KRAS", "Missense_Mutation", "p.D33E", "variant_of_unknown_significance"),
        ("MET", "Splice_Site", "p.X1010_splice", "activating"),
        ("MET", "Splice_Site", "p.X300_splice", "variant_of_unknown_significance"),
        ("BRAF", "Missense_Mutation", "p.V600E", "activating"),
    ],
)
def test_drivers(gene, kind, protein, word):
    assert one(f"{gene.lower()}_status", make([(gene, kind, protein)])).value == word


@pytest.mark.parametrize(
    ("protein", "status", "v600"),
    [
        ("p.V600E", "activating", True),
        ("p.V600K", "activating", True),
        ("p.(V600E)", "activating", True),
        ("(V600E)", "activating", True),
        ("p.(Val600Glu)", "activating", True),
        ("p.K601N", "activating", False),
        ("p.G469A", "activating", False),
        ("p.A712T", "variant_of_unknown_significance", False),
    ],
)
def test_braf_v600_is_told_from_other_changes_of_the_gene(protein, status, v600):
    study = make([("BRAF", "Missense_Mutation", protein)])
    assert (one("braf_status", study).value, one("braf_v600", study).value) == (status, v600)


def test_braf_v600_of_a_gene_that_was_not_sequenced_is_not_assessable():
    assert one("braf_v600", make([], genes=GENES - {"BRAF"})).value is None
    assert one("braf_v600", make([])).value is False


def test_kras_g12c_and_its_companions():
    study = make([("KRAS", "Missense_Mutation", "p.G12C"), ("STK11", *STOP)])
    assert one("kras_g12c", study).value is True
    assert one("kras_comutation", study).value == "KRAS+STK11"
    assert one("kras_g12c", make([("KRAS", "Missense_Mutation", "p.G12D")])).value is False
    assert (
        one("kras_comutation", make([("KRAS", "Missense_Mutation", "p.G12D")], genes=GENES - {"STK11"})).value is None
    )


def test_missense_of_the_dna_binding_domain_of_p53():
    assert one("tp53_status", make([("TP53", "Missense_Mutation", "p.R273H")])).value == "mutation_second_allele_unseen"
    unknown = make([("TP53", "Missense_Mutation", "p.P47S")])
    assert one("tp53_status", unknown).value == "variant_of_unknown_significance"


@pytest.mark.parametrize(
    ("pair", "word"),
    [(("EML4", "ALK"), "fusion"), (("ALK", "EML4"), "fusion"), (("ALK", "LOC1720"), "variant_of_unknown_significance")],
)
def test_fusions_need_a_known_partner(pair, word):
    assert one("alk_status", make(breaks=[pair])).value == word


def test_fusions_are_not_assessable_without_structural_variants():
    assert one("alk_status", make()).status == "not_assessable"


@pytest.mark.parametrize(
    ("copies", "value"), [({"total_cn": 8.0}, True), ({"total_cn": 4.0}, False), ({"discrete": 2.0}, True)]
)
def test_amplification(copies, value):
    assert one("mdm2_amplification", make(copies=[("MDM2", copies)])).value is value


def test_one_event_reported_twice_is_one_hit():
    study = make([("B2M", *STOP), ("B2M", "Frame_Shift_Del", "p.K20fs")], [("B2M", {"total_cn": 2.0, "minor_cn": 1.0})])
    assert one("b2m_status", study).value == "biallelic_loss"
    study.mutations["start"] = [45003781.0, 45003783.0]
    assert one("b2m_status", study).value == "monoallelic_loss"


def test_without_copy_number_a_gene_without_mutation_is_not_called_wild_type():
    assert one("b2m_status", make(given=("mutations",))).value == "no_mutation_copies_unseen"
    assert one("apm_biallelic_loss", make(given=("mutations",))).value is None


def test_low_purity_makes_an_unaltered_gene_not_assessable():
    study = make()
    study.samples["tumour_purity"] = 0.08
    found = one("b2m_status", study)
    assert found.value is None
    assert "0.08" in found.note


@pytest.mark.parametrize(("vaf", "word"), [(0.10, "biallelic_loss_subclonal"), (0.60, "biallelic_loss")])
def test_reads_purity_and_copies_tell_a_subclonal_hit(vaf, word):
    study = make([("B2M", "Frame_Shift_Del", "p.L15Ffs*41")], [("B2M", {"total_cn": 1.0, "minor_cn": 0.0})])
    study.mutations["vaf"], study.mutations["t_depth"] = vaf, 100.0
    study.samples["tumour_purity"] = 0.7
    assert one("b2m_status", study).value == word


@pytest.mark.parametrize("gene", ["B2M", "JAK1", "TAP1", "STK11", "KEAP1"])
@pytest.mark.parametrize("hit", [None, STOP, MISSENSE, ("Missense_Mutation", "p.M1R")])
@pytest.mark.parametrize(
    "copies",
    [{"total_cn": 0.0}, {"total_cn": 1.0, "minor_cn": 0.0}, {"total_cn": 2.0, "minor_cn": 0.0}, {"discrete": -2.0}],
)
def test_taking_a_file_away_never_makes_a_loss_absent(gene, hit, copies):
    from immunescape.profile.calls import call_mechanisms

    def states(hits, losses, given):
        study = make(hits, losses, given=given, genes=frozenset((*GENES, "JAK2", "STAT1", "IFNGR1", "IFNGR2")))
        return call_mechanisms(measure(study), ["p"]).states.loc["p"]

    hits, losses = ([(gene, *hit)] if hit else []), [(gene, copies)]
    full = states(hits, losses, ("mutations", "copy_number"))
    for fewer in (states(hits, (), ("mutations",)), states((), losses, ("copy_number",))):
        for mechanism in ("mhc1_genetic_loss", "apm_genetic_loss", "ifng_pathway_loss", "stk11_loss", "keap1_loss"):
            assert full[mechanism] == "absent" or fewer[mechanism] != "absent"
