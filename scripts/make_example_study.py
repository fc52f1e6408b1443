"""Writes the example study that ships (src/immunescape/profile/example): 40 made-up patients, one file of every kind.

All values are drawn at random from a seed, or written by hand to show a mechanism; no real patient is in it. Alterations
are drawn with frequencies near those of non-small cell lung cancer, so that a report of it looks like a cohort's. The
reference of expression beside it is built from 200 further made-up samples; the study's manifest alone names it.

    python scripts/make_example_study.py
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd

from immunescape.profile.biomarkers.ddr import ddr_genes
from immunescape.profile.biomarkers.expression import reference_build
from immunescape.profile.biomarkers.expression.signatures import GENES, signatures
from immunescape.profile.biomarkers.pathways import GENES as PATHWAY_GENES
from immunescape.profile.genes import gene_table
from immunescape.profile.panels import available_panels
from immunescape.profile.study import Study, empty_table

SEED = 20261127
KNOWLEDGE = Path(__file__).parents[1] / "src" / "immunescape" / "knowledge" / "data"
OUT = Path(__file__).parents[1] / "src" / "immunescape" / "profile" / "example"
N = 40
PATIENTS = [f"EX-{i:02d}" for i in range(1, N + 1)]
RNG = np.random.default_rng(SEED)
MARK = "# made-up patients: no real person is in this file"
SMALL_PANEL = {"EX-06", "EX-14", "EX-19", "EX-23", "EX-31", "EX-37"}  # IMPACT468; the others a made-up larger panel
NO_TUMOUR = {"EX-12", "EX-38"}  # no sample of the tumour
NO_RNA = {"EX-06", *PATIENTS[27:]}
NO_HLA = {*PATIENTS[1::4]} - {"EX-10"}

# gene -> (class, protein change, chromosome, position near the gene on GRCh38, ref, alt)
VARIANTS = {
    "KRAS G12C": ("Missense_Mutation", "G12C", "12", 25245351, "C", "A"),
    "KRAS G12D": ("Missense_Mutation", "G12D", "12", 25245350, "C", "T"),
    "KRAS G12V": ("Missense_Mutation", "G12V", "12", 25245350, "C", "A"),
    "EGFR L858R": ("Missense_Mutation", "L858R", "7", 55191822, "T", "G"),
    "EGFR del19": ("In_Frame_Del", "E746_A750del", "7", 55174772, "GGAATTAAGAGAAGC", "-"),
    "BRAF V600E": ("Missense_Mutation", "V600E", "7", 140753336, "A", "T"),
    "TP53 R273L": ("Missense_Mutation", "R273L", "17", 7673802, "C", "A"),
    "TP53 R175H": ("Missense_Mutation", "R175H", "17", 7675088, "C", "T"),
    "TP53 R196*": ("Nonsense_Mutation", "R196*", "17", 7674945, "G", "A"),
    "STK11 Q37*": ("Nonsense_Mutation", "Q37*", "19", 1207022, "C", "T"),
    "KEAP1 R320Q": ("Missense_Mutation", "R320Q", "19", 10491798, "C", "T"),
    "KEAP1 E205*": ("Nonsense_Mutation", "E205*", "19", 10492100, "G", "A"),
    "SMARCA4 R1135*": ("Nonsense_Mutation", "R1135*", "19", 11033423, "C", "T"),
    "RBM10 R157fs": ("Frame_Shift_Del", "R157Gfs*12", "X", 47180000, "GC", "G"),
    "B2M L15fs": ("Frame_Shift_Del", "L15Ffs*41", "15", 44711583, "CTT", "C"),
    "JAK1 K860fs": ("Frame_Shift_Del", "K860Nfs*16", "1", 64844760, "CT", "C"),
    "TAP1 R320*": ("Nonsense_Mutation", "R320*", "6", 32850000, "G", "A"),
    "TAPBP Q150*": ("Nonsense_Mutation", "Q150*", "6", 33310000, "G", "A"),
    "PTEN R130*": ("Nonsense_Mutation", "R130*", "10", 87933147, "C", "T"),
    "POLE P286R": ("Missense_Mutation", "P286R", "12", 132676598, "G", "C"),
    "ATM R250*": ("Nonsense_Mutation", "R250*", "11", 108244000, "C", "T"),
    "BRCA2 S1982fs": ("Frame_Shift_Del", "S1982Rfs*22", "13", 32340300, "GT", "G"),
    "MSH6 F1088fs": ("Frame_Shift_Del", "F1088Sfs*2", "2", 47803500, "CC", "C"),
    "NLRC5 Q800*": ("Nonsense_Mutation", "Q800*", "16", 57040000, "C", "T"),
}
# written by hand; later patients are drawn
STORY: dict[str, list[str]] = {
    "EX-01": ["KRAS G12C"],
    "EX-02": ["TP53 R273L"],
    "EX-03": ["KRAS G12C", "STK11 Q37*", "KEAP1 E205*"],
    "EX-04": ["EGFR L858R"],
    "EX-05": ["B2M L15fs", "TP53 R175H"],
    "EX-06": ["SMARCA4 R1135*"],
    "EX-07": ["JAK1 K860fs", "POLE P286R"],
    "EX-08": ["TP53 R196*"],
    "EX-09": ["BRAF V600E"],
    "EX-10": ["TAP1 R320*", "ATM R250*"],
    "EX-11": ["PTEN R130*"],
    "EX-12": [],
}
# patient, gene -> total and minor copies
COPIES = {
    ("EX-05", "B2M"): (1, 0),
    ("EX-07", "JAK1"): (1, 0),
    ("EX-03", "STK11"): (1, 0),
    ("EX-03", "KEAP1"): (1, 0),
    ("EX-08", "MDM2"): (9, 1),
    ("EX-11", "PTEN"): (1, 0),
    ("EX-02", "CD274"): (6, 1),
    ("EX-10", "TAP1"): (1, 0),
    ("EX-21", "MET"): (12, 1),
    ("EX-33", "CD274"): (7, 1),
}
FUSIONS = {"EX-06": ("EML4", "ALK"), "EX-26": ("CD74", "ROS1"), "EX-35": ("KIF5B", "RET")}
TPS: dict[str, float | None] = dict(zip(PATIENTS, [80, 60, 0, 5, 70, 1, 90, 30, 0, 55, 10, None], strict=False))
BEST = dict(zip(PATIENTS, ["PR", "CR", "PD", "PD", "PR", "SD", "PR", "SD", "PD", "PR", "PD", "NE"], strict=False))
PFS = dict(zip(PATIENTS, [14.2, 28.0, 1.4, 2.1, 9.8, 5.0, 8.6, 6.9, 1.8, 16.3, 2.0, 0.9], strict=False))
PASSENGERS = dict(zip(PATIENTS, [13, 20, 7, 3, 26, 9, 42, 15, 5, 17, 8, 0], strict=False))
CLONAL: dict[str, float] = {}
LATENT: dict[str, dict[str, float]] = {}
FACTORS = ("inflamed", "myeloid", "stroma", "hypoxia", "glycolysis", "presentation", "sting", "adenosine", "vessels")
INFLAMED = {"EX-01", "EX-02", "EX-05", "EX-07", "EX-10"}


def draw() -> None:
    """Draw the alterations, PD-L1, outcome and hidden state of every patient that is not written by hand."""
    for p in PATIENTS:
        LATENT[p] = {f: float(RNG.normal()) for f in FACTORS}
        CLONAL[p] = float(RNG.choice([1.0, 0.85, 0.7], p=[0.55, 0.25, 0.2]))
        if p in STORY:
            LATENT[p]["inflamed"] = abs(LATENT[p]["inflamed"]) * (1 if p in INFLAMED else -1)
            continue
        found: list[str] = []
        u = RNG.random()
        for share, name in (
            (0.13, "KRAS G12C"),
            (0.2, "KRAS G12D"),
            (0.27, "KRAS G12V"),
            (0.34, "EGFR L858R"),
            (0.39, "EGFR del19"),
            (0.41, "BRAF V600E"),
        ):
            if u < share:
                found.append(name)
                break
        kras, egfr = any("KRAS" in f for f in found), any("EGFR" in f for f in found)
        for share, name in (
            (0.3 if kras else 0.1, "STK11 Q37*"),
            (0.25 if kras else 0.1, "KEAP1 E205*"),
            (0.05, "KEAP1 R320Q"),
            (0.2, "TP53 R273L"),
            (0.2, "TP53 R175H"),
            (0.15, "TP53 R196*"),
            (0.08, "SMARCA4 R1135*"),
            (0.08, "RBM10 R157fs"),
            (0.03, "B2M L15fs"),
            (0.03, "JAK1 K860fs"),
            (0.02, "TAPBP Q150*"),
            (0.03, "NLRC5 Q800*"),
            (0.1, "ATM R250*"),
            (0.06, "BRCA2 S1982fs"),
            (0.04, "MSH6 F1088fs"),
        ):
            if RNG.random() < share and not (name.startswith("TP53") and any(f.startswith("TP53") for f in found)):
                found.append(name)
        if p in FUSIONS:
            found = [f for f in found if "KRAS" not in f and "EGFR" not in f and "BRAF" not in f]
        STORY[p] = found
        cold = any(f.startswith(("STK11", "EGFR")) for f in found)
        LATENT[p]["inflamed"] -= 0.9 if cold else 0.0
        burden = RNG.lognormal(np.log(3.0 if egfr or p in FUSIONS else 10.0), 0.7)
        PASSENGERS[p] = int(np.clip(burden, 0, 70))
        score = LATENT[p]["inflamed"] + float(RNG.normal())
        TPS[p] = (
            None if RNG.random() < 0.08 else 0 if score < -0.4 else int(RNG.integers(1, 50)) if score < 0.8 else None
        )
        if score >= 0.8:
            TPS[p] = int(RNG.integers(50, 100))
        chance = 0.6 * LATENT[p]["inflamed"] + 0.5 * np.log(1 + PASSENGERS[p]) - 1.9 - (0.6 if cold else 0.0)
        good = 1 / (1 + np.exp(-chance))
        v = RNG.random()
        BEST[p] = "PR" if v < 0.75 * good else "SD" if v < 0.75 * good + 0.35 else "PD"
        PFS[p] = round(float({"PR": 9, "SD": 5, "PD": 1.6}[BEST[p]] * RNG.lognormal(0, 0.45)), 1)


def write(name: str, header: list[str], rows: list[list[object]], separator: str = ",", mark: bool = True) -> None:
    """Write a table with the line that says it is made up; the same bytes each time, also where it is compressed."""
    lines = [MARK] if mark else []
    lines.append(separator.join(header))
    lines.extend(separator.join("" if v is None else str(v) for v in row) for row in rows)
    content = ("\n".join(lines) + "\n").encode("utf-8")
    if name.endswith(".gz"):
        content = gzip.compress(content, 9, mtime=0)
    (OUT / name).write_bytes(content)


def clinical() -> None:
    """Patients, samples, treatments, responses, PD-L1."""
    rows: list[list[object]] = []
    drugs = ["pembrolizumab", "pembrolizumab", "nivolumab", "atezolizumab"]
    drug = {p: drugs[int(RNG.integers(4))] for p in PATIENTS}
    antibiotics: dict[str, str | None] = {}
    for i, p in enumerate(PATIENTS):
        os_months = round(PFS[p] + float(RNG.exponential(8)), 1)
        driver = any(f.startswith("EGFR") for f in STORY[p]) or p in FUSIONS
        smoking = (
            "never"
            if driver and RNG.random() < 0.7
            else str(RNG.choice(["current", "former", "never"], p=[0.4, 0.5, 0.1]))
        )
        u = RNG.random()
        antibiotics[p] = "yes" if p in ("EX-03", "EX-09") or u < 0.12 else None if u < 0.3 else "no"
        censored = p in ("EX-02", "EX-10") or RNG.random() < 0.3
        squamous = not driver and (i in (1, 7) or RNG.random() < 0.22)
        rows.append(
            [
                p,
                48 + int(RNG.integers(0, 35)),
                ["female", "male"][i % 2],
                "squamous" if squamous else "adenocarcinoma",
                smoking,
                int(RNG.random() < 0.6),
                "IV",
                drug[p],
                "anti-PD-(L)1",
                int(RNG.integers(0, 3)),
                os_months,
                int(not censored),
                PFS[p],
                int(p not in ("EX-02", "EX-12") and not (censored and BEST[p] == "PR")),
                BEST[p],
                antibiotics[p],
            ]
        )
    header = "patient age sex histology smoking ecog stage treatment treatment_class prior_lines os_months os_event"
    write("patients.csv", [*header.split(), "pfs_months", "pfs_event", "best_response", "antibiotics"], rows)
    sampled = [p for p in PATIENTS if p not in NO_TUMOUR]
    samples: list[list[object]] = [
        [
            f"{p}-T",
            p,
            "IMPACT468" if p in SMALL_PANEL else "EXAMPLE-600",
            round(float(RNG.uniform(0.3, 0.8)), 2),
            2.1,
            -14,
        ]
        for p in sampled
    ]
    write("samples.csv", ["sample", "patient", "panel", "tumour_purity", "ploidy", "day"], samples)
    stained = [[p, f"{p}-T", "22C3", "tps", TPS[p]] for p in sampled if TPS[p] is not None]
    write("pdl1.csv", ["patient", "sample", "assay", "score", "value_percent"], stained)
    treatments: list[list[object]] = []
    responses: list[list[object]] = []
    for p in PATIENTS:
        days = int(PFS[p] * 30.4)
        treatments.append([p, 0, days, drug[p], 1])
        if antibiotics[p] == "yes":
            treatments.append([p, -21, -14, "amoxicillin", None])
        best, size = BEST[p], float(RNG.uniform(40, 110))
        responses.append([p, 0, None, round(size, 1)])
        if best != "NE":
            factor = {"CR": 0.0, "PR": 0.5, "SD": 0.95, "PD": 1.35}[best]
            responses.append([p, 42, best, round(size * factor, 1)])
            if best != "PD" and p != "EX-02" and days > 56:
                responses.append([p, days, "PD", round(size * max(factor, 0.3) * 1.5, 1)])
    write("treatments.csv", ["patient", "start_day", "end_day", "drug", "line"], treatments)
    write("responses.csv", ["patient", "day", "recist", "sld_mm"], responses)


def _panel() -> list[str]:
    extra = {*PATHWAY_GENES, *ddr_genes(), "MDM2", "CD274"}
    return sorted(available_panels()["IMPACT468"].genes | extra)


def genome() -> None:
    """Panel, mutations, copy number, fusions."""
    panel = _panel()
    known = {name.split()[0] for name in VARIANTS} | set(PATHWAY_GENES) | set(ddr_genes())
    write("panel.txt", panel[:1], [[g] for g in panel[1:]])
    rows: list[list[object]] = []
    for p in PATIENTS:
        if p in NO_TUMOUR:
            continue
        genes = panel if p not in SMALL_PANEL else sorted(available_panels()["IMPACT468"].genes)
        for name in STORY[p]:
            gene = name.split()[0]
            if gene not in genes:
                continue
            cls, change, chrom, at, ref, alt = VARIANTS[name]
            depth, share = int(RNG.integers(300, 500)), float(RNG.uniform(0.25, 0.4))
            share = 0.62 if (p, gene) in COPIES else share
            reads = int(depth * share)
            rows.append(
                [gene, "GRCh38", chrom, at, cls, ref, alt, f"{p}-T", f"p.{change}", depth - reads, reads, "SOMATIC"]
            )
        for gene in RNG.choice(sorted(set(genes) - known), PASSENGERS[p], replace=False):
            depth, share = int(RNG.integers(200, 600)), float(RNG.uniform(0.05, 0.4))
            at, residue, reads = (
                int(RNG.integers(1_000_000, 40_000_000)),
                int(RNG.integers(20, 400)),
                int(depth * share),
            )
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
    genes = sorted({*PATHWAY_GENES, "STK11", "KEAP1", "PTEN", "MDM2", "CD274", "TP53", "MET", "EGFR"})
    copies: list[list[object]] = []
    for p in PATIENTS:
        for gene in [] if p in NO_TUMOUR or p == "EX-30" else genes:
            total, minor = COPIES.get((p, gene), (2, 1))
            if p not in STORY or (total == 2 and RNG.random() < 0.06):
                total, minor = (1, 0) if RNG.random() < 0.4 else (3, 1)
            copies.append([f"{p}-T", gene, total, minor])
    write("copy_number.tsv", ["sample", "gene", "total_cn", "minor_cn"], copies, "\t")
    fusions: list[list[object]] = [[p, f"{p}-T", *pair, "fusion"] for p, pair in FUSIONS.items()]
    write("fusions.csv", ["patient", "sample", "gene1", "gene2", "event"], fusions)


def antigens() -> None:
    """HLA types, HLA loss (about three in ten tumours), neoantigens (most clonal in about half of the tumours)."""
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
    types: list[list[object]] = []
    loss: list[list[object]] = []
    neo: list[list[object]] = []
    panel = _panel()
    for i, p in enumerate(PATIENTS):
        if p in NO_TUMOUR or p in NO_HLA:
            continue
        at = (i % 4, (i + 1) % 4, 4 + i % 4, 4 + (i + 2) % 4, 8 + i % 4, 8 + (i + 1) % 4)
        pick = [alleles[k] for k in at]
        types.extend([[p, f"HLA-{a}"] for a in pick])
        lost = p in ("EX-08", "EX-10") or (i >= 12 and RNG.random() < 0.3)
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
            clonal = bool(RNG.random() < CLONAL[p])
            ccf = round(float(RNG.uniform(0.9, 1.0) if clonal else RNG.uniform(0.2, 0.6)), 2)
            neo.append(
                [
                    p,
                    str(RNG.choice(panel)),
                    peptide,
                    wild,
                    f"HLA-{pick[k % 6]}",
                    round(float(RNG.lognormal(4.5, 1)), 1),
                    round(float(RNG.lognormal(6.5, 1)), 1),
                    round(float(RNG.lognormal(1.5, 1.0)), 2),
                    round(ccf * float(RNG.uniform(0.2, 0.4)), 3),
                    ccf,
                    clonal,
                ]
            )
    write("hla.csv", ["patient", "allele"], types)
    write("hla_loh.csv", ["patient", "allele", "copy_number", "low", "high", "p", "lost", "caller"], loss)
    header = "patient gene peptide wt_peptide allele ic50_nm wt_ic50_nm tpm vaf ccf clonal"
    write("neoantigens.csv", header.split(), neo)


def _loadings(genes: list[str]) -> dict[str, np.ndarray]:
    of = {
        "inflamed": "signature_t_cell_inflamed signature_cytolytic signature_ifng cell_score_cd8 cell_score_b cell_score_nk "
        "cell_score_treg cell_score_cd4 signature_exhaustion signature_b_cell_tls signature_tls_cabrita",
        "myeloid": "cell_score_mdsc cell_score_neutrophil cell_score_m2 cell_score_macrophage signature_pge2",
        "stroma": "signature_tgfb_stroma cell_score_fibroblast",
        "hypoxia": "signature_hypoxia",
        "glycolysis": "signature_glycolysis",
        "presentation": "signature_antigen_presentation",
        "sting": "signature_cgas_sting",
        "adenosine": "signature_adenosine signature_tryptophan",
        "vessels": "signature_angiogenesis cell_score_endothelial",
    }
    known = signatures()
    sets = {f: {g for n in names.split() for g in known[n].genes} for f, names in of.items()}
    sets["inflamed"] |= {"LAG3", "HAVCR2", "TIGIT", "BTLA", "VSIR", "PDCD1LG2", "CD274"}
    sets["presentation"] |= {"HLA-A", "HLA-B", "HLA-C", "TAP1", "TAP2"}
    sets["adenosine"] |= {"NT5E", "ENTPD1"}
    return {f: np.array([1.0 if g in chosen else 0.0 for g in genes]) for f, chosen in sets.items()}


def expression() -> None:
    """Expression of 5,500 genes (enough for ranks), TPM, and the reference from 200 further made-up samples."""
    needed = sorted({g for s in signatures().values() for g in s.genes} | set(GENES))
    genes = needed + [g for g in sorted(gene_table().symbols) if g not in set(needed)][::3][: 5500 - len(needed)]
    base = RNG.lognormal(1.0, 1.6, len(genes))
    base[: len(needed)] = RNG.lognormal(2.5, 1.0, len(needed))
    loadings = _loadings(genes)

    def sample(latent: dict[str, float], b2m: float = 1.0) -> np.ndarray:
        shift = np.sum([0.7 * latent[f] * loadings[f] for f in FACTORS], axis=0)
        values = base * np.exp(shift + RNG.normal(0, 0.45, len(genes)))
        values = np.where((RNG.random(len(genes)) < 0.08) & (np.arange(len(genes)) >= len(needed)), 0.0, values)
        values[genes.index("B2M")] *= b2m
        return values / values.sum() * 1e6

    owners = [p for p in PATIENTS if p not in NO_RNA | NO_TUMOUR]
    lost = {"EX-05": 0.1, "EX-16": 0.03}  # EX-16: no RNA of an intact gene
    columns = [sample(LATENT[p], lost.get(p, 1.0)) for p in owners]
    rows = [[g, *(f"{v:.1f}" for v in line)] for g, line in zip(genes, np.array(columns).T, strict=True)]
    write("expression.tsv.gz", ["gene", *(f"{p}-T" for p in owners)], rows, "\t")
    made = [sample({f: float(RNG.normal()) for f in FACTORS}) for _ in range(200)]
    names = [f"made-up-{i}" for i in range(len(made))]
    people = pd.DataFrame({"patient": names}).reindex(columns=empty_table("patients").columns)
    table = pd.DataFrame(np.round(np.array(made).T, 1), index=genes, columns=names)
    study = Study(
        name="200 made-up samples (scripts/make_example_study.py); for the example study alone",
        patients=people,
        expression=table,
        expression_unit="tpm",
        given={"expression", "patients"},
    )
    reference_build(study, "made-up-example", OUT / "reference")


def blood_and_gut() -> None:
    """Repertoires, gut species, ctDNA, laboratory values."""
    tcr: list[list[object]] = []
    labs: list[list[object]] = []
    ctdna: list[list[object]] = []
    cells = np.random.default_rng(SEED + 1)
    for p in PATIENTS[:8]:
        for day in (0, 42):
            for c in np.minimum(RNG.zipf(1.9, 60), 400):
                cdr = "CASS" + "".join(RNG.choice(list("ADEGLNPQRSTY"), 6)) + "EQYF"
                tcr.append([p, f"{p}-PBMC-{day}", day, "TRB", cdr, int(c), "T"])
    write("tcr.tsv", "subject_id sample_id day locus junction_aa duplicate_count productive".split(), tcr, "\t")
    for i, p in enumerate(PATIENTS):
        if i % 9 == 8:  # no blood
            continue
        for day in (0, 42):
            good = BEST[p] in ("CR", "PR")
            neutrophils = float(RNG.uniform(2.5, 7.0 if good else 8.0))
            lymphocytes = float(RNG.uniform(1.1 if good else 1.0, 2.3 if good else 2.1))
            labs.extend(
                [
                    [p, day, "albumin", round(float(RNG.uniform(3.2, 4.5)), 1), "g/dL"],
                    [p, day, "neutrophils", round(neutrophils, 2), "10^9/L"],
                    [p, day, "lymphocytes", round(lymphocytes, 2), "10^9/L"],
                    [p, day, "LDH", int(RNG.integers(140, 520)), "U/L"],
                ]
            )
        if i % 2 == 0:
            labs.extend(
                [
                    [p, 0, "mdsc", round(float(RNG.uniform(2, 18)), 1), "percent"],
                    [p, 0, "cd8", int(RNG.integers(150, 700)), "cells/uL"],
                    [p, 0, "cd4", int(RNG.integers(250, 1100)), "cells/uL"],
                    [p, 0, "treg", round(float(RNG.uniform(3, 12)), 1), "percent"],
                    [p, 0, "kynurenine", round(float(RNG.lognormal(0.9, 0.3)), 2), "umol/L"],
                    [p, 0, "tryptophan", round(float(RNG.uniform(35, 75)), 1), "umol/L"],
                    [p, 0, "3-HAA", round(float(RNG.lognormal(3.1, 0.45)), 1), "nmol/L"],
                    [p, 0, "exosomal_pdl1", round(float(RNG.uniform(20, 400)), 1), "pg/mL"],
                ]
            )
        if i % 3 == 0:
            for analyte, low, high in (
                ("cd8_pd1", 8, 45),
                ("cd8_pd1_ki67", 2, 25),
                ("cd8_tim3", 1, 20),
                ("cd8_effector_memory", 15, 60),
                ("cd4_memory", 30, 75),
                ("mdsc_monocytic", 0.5, 12),
                ("mdsc_granulocytic", 0.2, 6),
            ):
                labs.append([p, 0, analyte, round(float(cells.uniform(low, high)), 1), "percent"])
        if i < 20:
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


def gut() -> None:
    """Species of the gut of every second patient."""
    known = pd.read_csv(KNOWLEDGE / "toposcore_species.csv", comment="#")
    groups = dict(zip(known["species"], known["group"], strict=True))
    others = [
        "Akkermansia_muciniphila",
        "Bacteroides_uniformis",
        "Bacteroides_stercoris",
        "Phocaeicola_vulgatus",
        "Parabacteroides_distasonis",
        "Bifidobacterium_longum",
        "Escherichia_coli",
        "Dialister_invisus",
    ]
    species = [*others, *(s for s in groups if s not in others)]
    people = PATIENTS[:12] + PATIENTS[12::3]
    carried = np.array([{"SIG1": 0.2, "SIG2": 0.5}.get(groups.get(s, ""), 0.8) for s in species])
    carried = np.where(np.arange(len(people)) % 3 == 2, carried[:, None] ** 1.6, carried[:, None])
    table = RNG.lognormal(0.0, 1.3, carried.shape) * (RNG.random(carried.shape) < carried)
    table[0] = RNG.lognormal(-0.5, 0.8, len(people))
    table[0, [2, 8, 13, 15, 18]] = 0.0  # no Akkermansia
    table[0, 5] = 0.2 * table[:, 5].sum()  # an overgrowth of it
    table = 100 * table / table.sum(axis=0)
    with (OUT / "metaphlan.tsv").open("w", encoding="utf-8", newline="") as file:
        file.write(MARK + "\n#mpa_vJun23_CHOCOPhlAnSGB_202307 (names only)\n")
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(["clade_name", *people])
        writer.writerows(
            [f"k__Bacteria|s__{s}", *(f"{v:.4f}" for v in line)] for s, line in zip(species, table, strict=True)
        )


def bundle() -> None:
    """Write one patient as FHIR, to show that a bundle adds to the tables."""
    resources = [
        {"resourceType": "Patient", "id": "EX-12", "gender": "male", "birthDate": "1958-03-02"},
        {
            "resourceType": "Condition",
            "subject": {"reference": "Patient/EX-12"},
            "code": {"text": "adenocarcinoma"},
            "stage": [{"summary": {"text": "IV"}}],
        },
    ]
    document = {
        "resourceType": "Bundle",
        "type": "collection",
        "meta": {"tag": [{"display": "made-up patient"}]},
        "entry": [{"resource": r} for r in resources],
    }
    (OUT / "bundle.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


MANIFEST = """\
# The example study of immunescape: 40 made-up patients (scripts/make_example_study.py, seed 20261127).
# No real patient is in it, and nothing can be learnt about lung cancer from it.
study: example (made-up patients)
genome_build: GRCh38
reference: reference        # built from 200 further made-up samples; of no use for real ones
panels:
  - name: IMPACT468
  - {name: EXAMPLE-600, genes: panel.txt, megabases: 1.6}
files:
  - {file: patients.csv, format: patients, keep: [antibiotics]}
  - {file: samples.csv, format: samples}
  - {file: mutations.maf, format: maf}
  - {file: copy_number.tsv, format: cna_allele_specific}
  - {file: fusions.csv, format: structural_variants}
  - {file: hla.csv, format: hla_types}
  - {file: hla_loh.csv, format: hla_loh}
  - {file: neoantigens.csv, format: neoantigens, units: {vaf: fraction}}
  - {file: expression.tsv.gz, format: expression, unit: tpm}
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
    draw()
    clinical()
    genome()
    antigens()
    expression()
    blood_and_gut()
    gut()
    bundle()
    (OUT / "manifest.yaml").write_text(MANIFEST, encoding="utf-8")


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    main()
