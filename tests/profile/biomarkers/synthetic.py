"""A made-up study with every kind of data, of any size, for tests."""

from __future__ import annotations

import numpy as np
import pandas as pd

from immunescape.profile.study import COLUMNS, Panel, Study

GENES = """B2M TAP1 TAP2 TAPBP NLRC5 JAK1 JAK2 STAT1 IFNGR1 IFNGR2 CALR EGFR KRAS STK11 KEAP1 TP53 RBM10 BRCA2 ATM
SMARCA4 MET BRAF PTEN TTN""".split()
CHANGES = ["p.G12C", "p.L858R", "p.R273H", "p.Q37*", "p.V600E", "p.A10V", "p.E746_A750del"]
KINDS = [
    "Missense_Mutation",
    "Missense_Mutation",
    "Missense_Mutation",
    "Nonsense_Mutation",
    "Missense_Mutation",
    "Silent",
    "In_Frame_Del",
]
SPECIES = """Akkermansia_muciniphila_SGB9226 Veillonella_parvula Streptococcus_oralis Roseburia_hominis
Coprococcus_comes Dorea_longicatena
Faecalibacterium_prausnitzii Clostridium_symbiosum Escherichia_coli Bacteroides_uniformis""".split()
LABS = {
    "albumin": ("g/L", 39.0),
    "ldh": ("U/L", 220.0),
    "neutrophils": ("10^9/L", 6.0),
    "lymphocytes": ("10^9/L", 1.5),
    "mdsc": ("percent", 4.0),
    "cd8": ("cells/uL", 300.0),
    "cd4": ("cells/uL", 500.0),
    "mdsc_monocytic": ("percent", 3.0),
    "mdsc_granulocytic": ("percent", 2.0),
    "cd8_pd1": ("percent", 20.0),
    "cd8_pd1_ki67": ("percent", 8.0),
    "cd8_tim3": ("percent", 5.0),
    "cd8_effector_memory": ("percent", 35.0),
    "cd4_memory": ("percent", 55.0),
    "treg": ("percent", 7.0),
    "exosomal_pdl1": ("pg/mL", 120.0),
    "kynurenine": ("umol/L", 2.5),
    "tryptophan": ("umol/L", 50.0),
    "hydroxyanthranilic_acid_3": ("nmol/L", 30.0),
}


def _frame(kind: str, **columns: object) -> pd.DataFrame:
    types = {"t": object, "n": float, "o": object}
    size = len(next(v for v in columns.values() if isinstance(v, (list, np.ndarray))))
    data = {}
    for name, code in COLUMNS[kind].items():
        value = columns.get(name, np.nan if code == "n" else None)
        listed = value if isinstance(value, (list, np.ndarray)) else [value] * size
        data[name] = pd.Series(list(listed), dtype=types[code])
    return pd.DataFrame(data)


def _section(rng: np.random.Generator) -> pd.DataFrame:
    """Tumour on the left, stroma on the right, CD8 T cells in both, one aggregate of B cells."""
    xy = rng.uniform(0, 1100, (1500, 2))
    kind = np.where(xy[:, 0] < 550, "tumour", "fibroblast").astype(object)
    kind[rng.random(1500) < 0.2] = "cd8"
    ball = rng.normal(850, 25, (80, 2))
    return pd.DataFrame(np.vstack([xy, ball]), columns=["x", "y"]).assign(cell_type=[*kind, *["b"] * 80])


def synthetic_study(n: int, seed: int = 1) -> Study:
    """Return a study of n patients with every kind of data."""
    rng = np.random.default_rng(seed)
    ids = [f"P{i:05d}" for i in range(n)]
    samples = [f"{p}-T1" for p in ids]

    def pick(size: int) -> tuple[list[str], list[str]]:
        who = rng.integers(0, n, size)
        return [ids[i] for i in who], [samples[i] for i in who]

    m = 12 * n
    mp, ms = pick(m)
    change = rng.integers(0, len(CHANGES), m)
    mutations = _frame(
        "mutations",
        patient=mp,
        sample=ms,
        gene=list(rng.choice(GENES, m)),
        chrom=["1"] * m,
        start=rng.integers(1, 10**7, m).astype(float),
        ref=["C"] * m,
        alt=["T"] * m,
        classification=[KINDS[i] for i in change],
        protein_change=[CHANGES[i] for i in change],
        vaf=rng.random(m),
        ccf=rng.random(m),
        source_row=np.arange(m, dtype=float),
    )
    c = 3 * n
    cp, cs = pick(c)
    total = rng.choice([0.3, 0.6, 1.0, 2.0, 2.0, 7.0], c)
    copies = _frame(
        "copy_number",
        patient=cp,
        sample=cs,
        gene=list(rng.choice([*GENES, "MDM2", "MDM4", "CD274"], c)),
        total_cn=total,
        minor_cn=np.where(total < 1.5, 0.0, 1.0),
    )
    k = 4 * n
    np_, _ = pick(k)
    alleles = ["HLA-A*02:01", "HLA-A*01:01", "HLA-B*07:02", "HLA-B*08:01", "HLA-C*07:01", "HLA-C*07:02"]
    acids = np.array(list("ACDEFGHIKLMNPQRSTVWY"))
    peptides = ["".join(acids[rng.integers(0, 20, 9)]) for _ in range(k)]
    wild = [p[:3] + ("A" if p[3] != "A" else "G") + p[4:] for p in peptides]
    neo = _frame(
        "neoantigens",
        patient=np_,
        gene=list(rng.choice(GENES, k)),
        peptide=peptides,
        wt_peptide=wild,
        allele=list(rng.choice(alleles, k)),
        ic50_nm=rng.uniform(5, 900, k),
        wt_ic50_nm=rng.uniform(5, 9000, k),
        tpm=rng.uniform(0, 20, k),
        clonal=list(rng.random(k) < 0.7),
    )
    hla = _frame("hla", patient=[p for p in ids for _ in alleles], allele=alleles * n)
    loh = _frame(
        "hla_loh",
        patient=[p for p in ids for _ in alleles],
        allele=alleles * n,
        copy_number=rng.choice([0.05, 0.62, 1.0, 1.1, 1.0, 1.0], 6 * n),
        p=np.full(6 * n, 0.001),
    )
    clones = [f"CASS{''.join(acids[rng.integers(0, 20, 6)])}F" for _ in range(40)]
    tcr = _frame(
        "tcr",
        patient=[p for p in ids for _ in clones],
        sample=[s for s in samples for _ in clones],
        day=0.0,
        locus="TRB",
        junction_aa=clones * n,
        duplicate_count=rng.geometric(0.02, 40 * n).astype(float),
        productive=True,
    )
    stool = _frame(
        "microbiome",
        patient=[p for p in ids for _ in SPECIES],
        sample=[s for s in samples for _ in SPECIES],
        day=0.0,
        taxon=[f"s__{s}" for s in SPECIES] * n,
        rank="species",
        abundance=np.where(rng.random(10 * n) < 0.3, 0.0, rng.random(10 * n)),
    )
    ctdna = _frame(
        "ctdna",
        patient=[p for p in ids for _ in range(2)],
        day=[0.0, 42.0] * n,
        assay="panel",
        analyte="mean VAF",
        value=rng.choice([0.0, 0.02, 0.1], 2 * n),
        unit="percent",
        lod=0.01,
    )
    labs = _frame(
        "labs",
        patient=[p for p in ids for _ in LABS],
        day=-3.0,
        analyte=list(LABS) * n,
        value=np.tile([v for _, v in LABS.values()], n) * rng.lognormal(0, 0.3, len(LABS) * n),
        unit=[u for u, _ in LABS.values()] * n,
    )
    pdl1 = _frame(
        "pdl1",
        patient=ids,
        sample=samples,
        assay=list(rng.choice(["22C3", "SP142"], n)),
        score=list(rng.choice(["tps", "tc", "ic"], n)),
        value_percent=rng.choice([0.0, 5.0, 80.0], n),
    )
    breaks = _frame(
        "structural_variants",
        patient=ids[::5],
        sample=samples[::5],
        gene1=list(rng.choice(["EML4", "CD74", "JAK1"], len(ids[::5]))),
        gene2=list(rng.choice(["ALK", "ROS1", "TTN"], len(ids[::5]))),
        event="fusion",
    )
    kinds = [
        ("cd8", "progenitor"),
        ("cd8", "exhausted"),
        ("cd4", ""),
        ("treg", ""),
        ("b", ""),
        ("plasma", ""),
        ("nk", ""),
        ("mdsc", ""),
        ("macrophage", "spp1"),
        ("macrophage", "cxcl9"),
        ("tumour", ""),
    ]
    counts = _frame(
        "cell_counts",
        patient=[p for p in ids for _ in kinds],
        sample=[s for s in samples for _ in kinds],
        cell_type=[k for k, _ in kinds] * n,
        state=[s for _, s in kinds] * n,
        cells=rng.integers(0, 120, len(kinds) * n).astype(float),
    )
    sorts, hla_genes = ["tumour", "cd8"], ["HLA-A", "HLA-B", "HLA-C", "B2M"]
    bulk = _frame(
        "pseudobulk",
        patient=[p for p in ids for _ in range(8)],
        sample=[s for s in samples for _ in range(8)],
        cell_type=[t for t in sorts for _ in hla_genes] * n,
        gene=hla_genes * 2 * n,
        log2_cpm=rng.normal(9, 1, 8 * n),
        cells=np.repeat(rng.integers(20, 400, 2 * n), 4).astype(float),
    )
    spots = _section(rng)
    m = len(spots)
    space = _frame(
        "cells_in_space",
        patient=[p for p in ids[:8] for _ in range(m)],
        sample=[s for s in samples[:8] for _ in range(m)],
        region="1",
        x=list(spots["x"]) * min(n, 8),
        y=list(spots["y"]) * min(n, 8),
        cell_type=list(spots["cell_type"]) * min(n, 8),
        pdl1=list(spots["cell_type"] == "tumour") * min(n, 8),
    )
    drugs = _frame(
        "treatments",
        patient=ids[::3],
        start_day=rng.uniform(-80, 60, len(ids[::3])),
        drug=list(rng.choice(["amoxicillin", "pembrolizumab"], len(ids[::3]))),
    )
    return Study(
        name="synthetic",
        patients=_frame(
            "patients",
            patient=ids,
            sex=list(rng.choice(["M", "F"], n)),
            pfs_months=rng.exponential(6, n),
            pfs_event=(rng.random(n) < 0.8).astype(float),
            os_months=rng.exponential(14, n),
            os_event=(rng.random(n) < 0.6).astype(float),
            best_response=list(rng.choice(["PR", "SD", "PD"], n)),
        ),
        samples=_frame("samples", patient=ids, sample=samples, panel="panel", panel_cna="panel", panel_sv="panel"),
        mutations=mutations,
        copy_number=copies,
        structural_variants=breaks,
        neoantigens=neo,
        cell_counts=counts,
        pseudobulk=bulk,
        cells_in_space=space,
        hla=hla,
        hla_loh=loh,
        tcr=tcr,
        microbiome=stool,
        ctdna=ctdna,
        labs=labs,
        pdl1=pdl1,
        treatments=drugs,
        panels={
            "panel": Panel(
                "panel", genes=frozenset([*GENES, "ALK", "ROS1", "RET", "MDM2", "MDM4", "CD274"]), megabases=1.1
            )
        },
        given=set(COLUMNS) | {"panels"},
    )


def only(study: Study, patients: list[str]) -> Study:
    """Return the study of some patients, in that order."""
    wanted = set(patients)
    tables = {k: getattr(study, k) for k in COLUMNS if k != "patients"}
    kept = {k: t[t["patient"].isin(wanted)].reset_index(drop=True) for k, t in tables.items()}
    order = study.patients.set_index("patient").loc[patients].reset_index()[list(study.patients.columns)]
    return Study(name=study.name, patients=order, panels=study.panels, given=set(study.given), **kept)


def shuffled(study: Study, seed: int = 5) -> Study:
    """Return the study with the rows of every table in another order."""
    tables = {k: getattr(study, k).sample(frac=1, random_state=seed).reset_index(drop=True) for k in COLUMNS}
    return Study(name=study.name, panels=study.panels, given=set(study.given), **tables)
