"""Writes the example study that ships (src/immunescape/profile/example): 12 made-up patients, one file of every kind.

All values are drawn at random from a seed, or written by hand to show a mechanism; no real patient is in it.

    python scripts/make_example_study.py
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pandas as pd

from immunescape.profile.biomarkers.expression.signatures import GENES, signatures
from immunescape.profile.genes import gene_table
from immunescape.profile.panels import known_panels

SEED = 20261127
KNOWLEDGE = Path(__file__).parents[1] / "src" / "immunescape" / "knowledge" / "data"
OUT = Path(__file__).parents[1] / "src" / "immunescape" / "profile" / "example"
PATIENTS = [f"EX-{i:02d}" for i in range(1, 13)]
RNG = np.random.default_rng(SEED)
INFLAMED = {"EX-01", "EX-02", "EX-05", "EX-07", "EX-10"}
MARK = "# made-up patients: no real person is in this file"

# patient -> (gene, class, protein change, chromosome, position on GRCh38, ref, alt, alternative reads, depth)
MUTATIONS = {
    "EX-01": [("KRAS", "Missense_Mutation", "G12C", "12", 25245351, "C", "A", 120, 400)],
    "EX-02": [("TP53", "Missense_Mutation", "R273L", "17", 7673802, "C", "A", 210, 420)],
    "EX-03": [
        ("KRAS", "Missense_Mutation", "G12C", "12", 25245351, "C", "A", 150, 380),
        ("STK11", "Nonsense_Mutation", "Q37*", "19", 1207022, "C", "T", 240, 390),
        ("KEAP1", "Missense_Mutation", "R320Q", "19", 10491798, "C", "T", 230, 400),
    ],
    "EX-04": [("EGFR", "Missense_Mutation", "L858R", "7", 55191822, "T", "G", 180, 500)],
    "EX-05": [
        ("B2M", "Frame_Shift_Del", "L15Ffs*41", "15", 44711583, "CTT", "C", 200, 310),
        ("TP53", "Missense_Mutation", "R175H", "17", 7675088, "C", "T", 190, 410),
    ],
    "EX-06": [("SMARCA4", "Nonsense_Mutation", "R1135*", "19", 11033423, "C", "T", 160, 350)],
    "EX-07": [
        ("JAK1", "Frame_Shift_Del", "K860Nfs*16", "1", 64844760, "CT", "C", 205, 330),
        ("POLE", "Missense_Mutation", "P286R", "12", 132676598, "G", "C", 90, 360),
    ],
    "EX-08": [("TP53", "Nonsense_Mutation", "R196*", "17", 7674945, "G", "A", 170, 300)],
    "EX-09": [("BRAF", "Missense_Mutation", "V600E", "7", 140753336, "A", "T", 110, 420)],
    "EX-10": [("TAP1", "Nonsense_Mutation", "R320*", "6", 32850000, "G", "A", 140, 400)],
    "EX-11": [("PTEN", "Nonsense_Mutation", "R130*", "10", 87933147, "C", "T", 155, 320)],
    "EX-12": [],
}
PASSENGERS = dict(zip(PATIENTS, [9, 14, 5, 2, 18, 7, 30, 11, 4, 12, 6, 0], strict=True))
TPS = dict(zip(PATIENTS, [80, 60, 0, 5, 70, 1, 90, 30, 0, 55, 10, None], strict=True))
BEST = dict(zip(PATIENTS, ["PR", "CR", "PD", "PD", "PR", "SD", "PR", "SD", "PD", "PR", "PD", "NE"], strict=True))
PFS = dict(zip(PATIENTS, [14.2, 28.0, 1.4, 2.1, 9.8, 5.0, 8.6, 6.9, 1.8, 16.3, 2.0, 0.9], strict=True))
DRUG = dict(zip(PATIENTS, ["pembrolizumab"] * 6 + ["nivolumab"] * 3 + ["atezolizumab"] * 3, strict=True))


def write(name: str, header: list[str], rows: list[list[object]], separator: str = ",", mark: bool = True) -> None:
    """Write a table with the line that says it is made up."""
    with (OUT / name).open("w", encoding="utf-8", newline="") as file:
        if mark:
            file.write(MARK + "\n")
        writer = csv.writer(file, delimiter=separator, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([["" if v is None else v for v in row] for row in rows])


def clinical() -> None:
    """Patients, samples, treatments, responses, PD-L1."""
    rows = []
    for i, p in enumerate(PATIENTS):
        os_months = round(PFS[p] + float(RNG.exponential(8)), 1)
        rows.append(
            [p, 48 + int(RNG.integers(0, 35)), ["female", "male"][i % 2], "squamous" if i in (1, 7) else "adenocarcinoma",
             ["current", "former", "never"][i % 3], i % 2, "IV", DRUG[p], "anti-PD-(L)1", i % 3, os_months,
             int(p not in ("EX-02", "EX-10")), PFS[p], int(p not in ("EX-02", "EX-12")), BEST[p]]
        )  # fmt: skip
    header = "patient age sex histology smoking ecog stage treatment treatment_class prior_lines os_months os_event"
    write("patients.csv", [*header.split(), "pfs_months", "pfs_event", "best_response"], rows)
    samples = [[f"{p}-T", p, "IMPACT468", round(float(RNG.uniform(0.3, 0.8)), 2), 2.1, -14] for p in PATIENTS[:-1]]
    write("samples.csv", ["sample", "patient", "panel", "tumour_purity", "ploidy", "day"], samples)
    write(
        "pdl1.csv",
        ["patient", "sample", "assay", "score", "value_percent"],
        [[p, f"{p}-T", "22C3", "tps", TPS[p]] for p in PATIENTS if TPS[p] is not None],
    )
    treatments, responses = [], []
    for p in PATIENTS:
        days = int(PFS[p] * 30.4)
        treatments.append([p, 0, days, DRUG[p], 1])
        if p in ("EX-03", "EX-09"):
            treatments.append([p, -21, -14, "amoxicillin", None])
        best = BEST[p]
        size = float(RNG.uniform(40, 110))
        responses.append([p, 0, None, round(size, 1)])
        if best != "NE":
            factor = {"CR": 0.0, "PR": 0.5, "SD": 0.95, "PD": 1.35}[best]
            responses.append([p, 42, "PD" if best == "PD" else best, round(size * factor, 1)])
            if best != "PD" and p not in ("EX-02",):
                responses.append([p, days, "PD", round(size * max(factor, 0.3) * 1.5, 1)])
    write("treatments.csv", ["patient", "start_day", "end_day", "drug", "line"], treatments)
    write("responses.csv", ["patient", "day", "recist", "sld_mm"], responses)


def genome() -> None:
    """Mutations, copy number, fusions, HLA, neoantigens."""
    panel = sorted(known_panels()["IMPACT468"].genes)
    rows: list[list[object]] = []
    for p in PATIENTS[:-1]:
        for gene, cls, change, chrom, at, ref, alt, reads, depth in MUTATIONS[p]:
            rows.append(
                [gene, "GRCh38", chrom, at, cls, ref, alt, f"{p}-T", f"p.{change}", depth - reads, reads, "SOMATIC"]
            )
        for gene in RNG.choice(panel, PASSENGERS[p], replace=False):
            depth, share = int(RNG.integers(200, 600)), float(RNG.uniform(0.05, 0.4))
            at, residue = int(RNG.integers(1_000_000, 40_000_000)), int(RNG.integers(20, 400))
            if gene in {m[0] for m in MUTATIONS[p]} or gene in ("B2M", "JAK1", "JAK2", "EGFR", "KRAS", "TAP1", "TAP2"):
                continue
            reads = int(depth * share)
            rows.append(
                [
                    gene,
                    "GRCh38",
                    "1",
                    at,
                    "Missense_Mutation",
                    "C",
                    "T",
                    f"{p}-T",
                    f"p.A{residue}V",
                    depth - reads,
                    reads,
                    "SOMATIC",
                ]
            )
    header = (
        "Hugo_Symbol NCBI_Build Chromosome Start_Position Variant_Classification Reference_Allele Tumor_Seq_Allele2"
    )
    header += " Tumor_Sample_Barcode HGVSp_Short t_ref_count t_alt_count Mutation_Status"
    write("mutations.maf", header.split(), rows, "\t")
    copies: list[list[object]] = []
    special = {("EX-05", "B2M"): (1, 0), ("EX-07", "JAK1"): (1, 0), ("EX-03", "STK11"): (1, 0), ("EX-03", "KEAP1"): (1, 0),
               ("EX-08", "MDM2"): (9, 1), ("EX-11", "PTEN"): (1, 0), ("EX-02", "CD274"): (6, 1)}  # fmt: skip
    genes = [
        "B2M",
        "JAK1",
        "JAK2",
        "TAP1",
        "TAP2",
        "STK11",
        "KEAP1",
        "PTEN",
        "MDM2",
        "CD274",
        "TP53",
        "MET",
        "EGFR",
        "IFNGR1",
    ]
    for p in PATIENTS[:-1]:
        for gene in genes:
            total, minor = special.get((p, gene), (2, 1))
            copies.append([f"{p}-T", gene, total, minor])
    write("copy_number.tsv", ["sample", "gene", "total_cn", "minor_cn"], copies, "\t")
    write(
        "fusions.csv", ["patient", "sample", "gene1", "gene2", "event"], [["EX-06", "EX-06-T", "EML4", "ALK", "fusion"]]
    )
    alleles = [
        "A*01:01",
        "A*02:01",
        "A*03:01",
        "A*24:02",
        "B*07:02",
        "B*08:01",
        "B*44:02",
        "B*15:01",
        "C*07:01",
        "C*04:01",
        "C*07:02",
        "C*06:02",
    ]
    types, loss, neo = [], [], []
    for i, p in enumerate(PATIENTS[:-1]):
        pick = [
            alleles[i % 4],
            alleles[(i + 1) % 4],
            alleles[4 + i % 4],
            alleles[4 + (i + 2) % 4],
            alleles[8 + i % 4],
            alleles[8 + (i + 1) % 4],
        ]
        types.extend([[p, f"HLA-{a}"] for a in pick])
        lost = p in ("EX-08", "EX-10")
        for k, a in enumerate(pick):
            gone = lost and k in (0, 2, 4)
            cn = 0.08 if gone else 1.0
            loss.append(
                [
                    p,
                    f"HLA-{a}",
                    cn,
                    round(max(cn - 0.15, 0), 2),
                    round(cn + 0.15, 2),
                    0.0004 if gone else 0.41,
                    gone,
                    "example",
                ]
            )
        for k in range(PASSENGERS[p]):
            peptide = "".join(RNG.choice(list("ACDEFGHIKLMNPQRSTVWY"), 9))
            wild = peptide[:4] + "A" + peptide[5:]
            neo.append([p, str(RNG.choice(panel)), peptide, wild, f"HLA-{pick[k % 6]}", round(float(RNG.lognormal(4.5, 1)), 1),
                        round(float(RNG.lognormal(6.5, 1)), 1), round(float(RNG.lognormal(1, 1.2)), 2),
                        round(float(RNG.uniform(0.05, 0.4)), 3), round(float(RNG.uniform(0.3, 1.0)), 2), bool(RNG.random() < 0.7)])  # fmt: skip
    write("hla.csv", ["patient", "allele"], types)
    write("hla_loh.csv", ["patient", "allele", "copy_number", "low", "high", "p", "lost", "caller"], loss)
    header = "patient gene peptide wt_peptide allele ic50_nm wt_ic50_nm tpm vaf ccf clonal"
    write("neoantigens.csv", header.split(), neo)


def expression() -> None:
    """Expression of 5,500 genes (enough for ranks), TPM."""
    immune = {g for n, s in signatures().items() for g in s.genes if n in
              ("signature_t_cell_inflamed", "signature_cytolytic", "signature_ifng", "cell_score_cd8", "cell_score_b")}  # fmt: skip
    needed = sorted({g for s in signatures().values() for g in s.genes} | set(GENES))
    genes = needed + [g for g in sorted(gene_table().symbols) if g not in set(needed)][::3][: 5500 - len(needed)]
    base = RNG.lognormal(1.0, 1.6, len(genes))
    columns = []
    for p in PATIENTS[:-1]:
        values = base * RNG.lognormal(0, 0.5, len(genes)) * (RNG.random(len(genes)) > 0.08)
        factor = 4.0 if p in INFLAMED else 0.6
        values *= [factor if g in immune else 1.0 for g in genes]
        values *= [0.05 if p == "EX-05" and g == "B2M" else 1.0 for g in genes]
        columns.append(values / values.sum() * 1e6)
    rows = [[g, *(f"{v:.1f}" for v in line)] for g, line in zip(genes, np.array(columns).T, strict=True)]
    write("expression.tsv", ["gene", *(f"{p}-T" for p in PATIENTS[:-1])], rows, "\t")


def blood_and_gut() -> None:
    """Repertoires, gut species, ctDNA, laboratory values."""
    tcr, labs, ctdna = [], [], []
    for p in PATIENTS[:6]:
        for day in (0, 42):
            counts = RNG.zipf(1.9, 60)
            for c in np.minimum(counts, 400):
                cdr = "CASS" + "".join(RNG.choice(list("ADEGLNPQRSTY"), 6)) + "EQYF"
                tcr.append([p, f"{p}-PBMC-{day}", day, "TRB", cdr, int(c), "T"])
    write("tcr.tsv", "subject_id sample_id day locus junction_aa duplicate_count productive".split(), tcr, "\t")
    for i, p in enumerate(PATIENTS):
        for day in (0, 42):
            good = BEST[p] in ("CR", "PR")
            anc, alc = (
                float(RNG.uniform(3, 6 if good else 11)),
                float(RNG.uniform(1.2 if good else 0.6, 2.4 if good else 1.4)),
            )
            labs.extend([[p, day, "albumin", round(float(RNG.uniform(3.2, 4.5)), 1), "g/dL"],
                         [p, day, "neutrophils", round(anc, 2), "10^9/L"], [p, day, "lymphocytes", round(alc, 2), "10^9/L"],
                         [p, day, "LDH", int(RNG.integers(140, 520)), "U/L"]])  # fmt: skip
        labs.extend([[p, 0, "mdsc", round(float(RNG.uniform(2, 18)), 1), "percent"], [p, 0, "cd8", int(RNG.integers(150, 700)), "cells/uL"],
                     [p, 0, "cd4", int(RNG.integers(250, 1100)), "cells/uL"], [p, 0, "treg", round(float(RNG.uniform(3, 12)), 1), "percent"],
                     [p, 0, "kynurenine", round(float(RNG.uniform(1.2, 4.5)), 2), "umol/L"],
                     [p, 0, "tryptophan", round(float(RNG.uniform(30, 75)), 1), "umol/L"],
                     [p, 0, "3-HAA", round(float(RNG.uniform(15, 70)), 1), "nmol/L"],
                     [p, 0, "exosomal_pdl1", round(float(RNG.uniform(20, 400)), 1), "pg/mL"]])  # fmt: skip
        if i < 9:
            start = float(RNG.uniform(0.8, 12))
            change = {"CR": 0.0, "PR": 0.15, "SD": 0.8, "PD": 2.1, "NE": 1.0}[BEST[p]]
            for day, value in ((0, start), (21, start * (0.5 + change / 2)), (42, start * change)):
                seen = value >= 0.05
                ctdna.append(
                    [
                        p,
                        day,
                        "tumour-informed panel",
                        "max VAF",
                        round(value, 3) if seen else 0,
                        "VAF percent",
                        0.05,
                        "yes" if seen else "no",
                    ]
                )
    write("labs.csv", ["patient", "day", "analyte", "value", "unit"], labs)
    write("ctdna.csv", "patient day assay analyte value unit lod detected".split(), ctdna)
    known = pd.read_csv(KNOWLEDGE / "toposcore_species.csv", comment="#")
    groups = dict(zip(known["species"], known["group"], strict=True))
    others = ["Akkermansia_muciniphila", "Bacteroides_uniformis", "Bacteroides_stercoris", "Phocaeicola_vulgatus",
              "Parabacteroides_distasonis", "Bifidobacterium_longum", "Escherichia_coli", "Dialister_invisus"]  # fmt: skip
    species = [*others, *(s for s in groups if s not in others)]
    carried = np.array([{"SIG1": 0.2, "SIG2": 0.5}.get(groups.get(s, ""), 0.8) for s in species])
    carried = np.where(np.arange(len(PATIENTS)) % 3 == 2, carried[:, None] ** 1.6, carried[:, None])
    table = RNG.lognormal(0.0, 1.3, carried.shape) * (RNG.random(carried.shape) < carried)
    table[0] = RNG.lognormal(-0.5, 0.8, len(PATIENTS))
    table[0, [2, 8]] = 0.0  # no Akkermansia
    table[0, 5] = 0.2 * table[:, 5].sum()  # an overgrowth of it
    table = 100 * table / table.sum(axis=0)
    rows = [[f"k__Bacteria|s__{s}", *(f"{v:.4f}" for v in line)] for s, line in zip(species, table, strict=True)]
    with (OUT / "metaphlan.tsv").open("w", encoding="utf-8", newline="") as file:
        file.write(MARK + "\n#mpa_vJun23_CHOCOPhlAnSGB_202307 (names only)\n")
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(["clade_name", *PATIENTS])
        writer.writerows(rows)


def bundle() -> None:
    """Write the weight of one patient as FHIR, to show that a bundle adds to the tables."""
    resources = [
        {"resourceType": "Patient", "id": "EX-12", "gender": "male", "birthDate": "1958-03-02"},
        {"resourceType": "Condition", "subject": {"reference": "Patient/EX-12"}, "code": {"text": "adenocarcinoma"},
         "stage": [{"summary": {"text": "IV"}}]},
    ]  # fmt: skip
    document = {"resourceType": "Bundle", "type": "collection", "meta": {"tag": [{"display": "made-up patient"}]},
                "entry": [{"resource": r} for r in resources]}  # fmt: skip
    (OUT / "bundle.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


MANIFEST = """\
# The example study of immunescape: 12 made-up patients (scripts/make_example_study.py, seed 20261127).
# No real patient is in it, and nothing can be learnt about lung cancer from it.
study: example (made-up patients)
genome_build: GRCh38
panels:
  - name: IMPACT468
files:
  - {file: patients.csv, format: patients}
  - {file: samples.csv, format: samples}
  - {file: mutations.maf, format: maf}
  - {file: copy_number.tsv, format: cna_allele_specific}
  - {file: fusions.csv, format: structural_variants}
  - {file: hla.csv, format: hla_types}
  - {file: hla_loh.csv, format: hla_loh}
  - {file: neoantigens.csv, format: neoantigens, units: {vaf: fraction}}
  - {file: expression.tsv, format: expression, unit: tpm}
  - {file: tcr.tsv, format: airr}
  - {file: metaphlan.tsv, format: metaphlan, day: 0}
  - {file: ctdna.csv, format: ctdna}
  - {file: labs.csv, format: labs}
  - {file: pdl1.csv, format: pdl1}
  - {file: treatments.csv, format: treatments}
  - {file: responses.csv, format: responses}
  - {file: bundle.json, format: fhir}
"""


def main() -> None:
    """Write every file."""
    OUT.mkdir(parents=True, exist_ok=True)
    clinical()
    genome()
    expression()
    blood_and_gut()
    bundle()
    (OUT / "manifest.yaml").write_text(MANIFEST, encoding="utf-8")


if __name__ == "__main__":
    main()
