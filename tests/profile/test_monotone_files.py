"""Taking files or columns away never turns "present" or "not assessable" into "absent".

Patients are drawn as a truth (alleles of genes, purity, ploidy); every file is derived from it, so that files do not
contradict each other. Structural variants are no part of it: a break inside a gene adds to "present", but "absent" does
not ask for them (docs/profile.md).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.profile.study_files import MAF_HEADER, written

from immunescape.errors import InputError
from immunescape.knowledge.mechanism_rules import load_rules, measurements
from immunescape.profile.biomarkers import tumour_content
from immunescape.profile.biomarkers.registry import biomarkers, measure
from immunescape.profile.calls import call_mechanisms
from immunescape.profile.gene_places import gene_places
from immunescape.profile.study import Study

PLACES = gene_places("GRCh37")
LOST = "B2M JAK1 JAK2 STAT1 IFNGR1 IFNGR2 TAP1 TAP2 TAPBP NLRC5 CALR STK11 KEAP1 BRCA2 ATM".split()
GENES = [*LOST, "MDM2", "MDM4", "MET", "CD274", "HLA-A", "HLA-B", "HLA-C"]
MECHANISMS = (
    "mhc1_genetic_loss",
    "apm_genetic_loss",
    "ifng_pathway_loss",
    "stk11_loss",
    "keap1_loss",
    "kras_comutation",
    "oncogene_driver",
    "hla_loh",
    "neoantigen_loss",
    "hyperprogression_mdm2",
    "met_amplification",
    "ddr_proficiency",
)
_FEW = load_rules().model_copy(update={"mechanisms": {m: load_rules().mechanisms[m] for m in MECHANISMS}})
_NAMES = sorted({n for r in _FEW.mechanisms.values() for n in measurements(r)} & biomarkers().keys())


def _reads(purity: float, total: int, mutated: int, cells: float, rng: np.random.Generator) -> tuple[int, int]:
    """Reads without and with the variant, at the frequency that the truth has."""
    share = purity * mutated * cells / (purity * total + 2 * (1 - purity))
    variant = int(rng.binomial(300, min(1.0, share)))
    return 300 - variant, variant


def _files(n: int, seed: int) -> dict[str, str]:
    rng = np.random.default_rng(seed)
    maf, ratios = [MAF_HEADER], ["ID\tchrom\tloc.start\tloc.end\tnum.mark\tseg.mean\n"]
    genes, segments = ["sample\tgene\ttotal_cn\tminor_cn\n"], ["sample\tchr\tstartpos\tendpos\tnMajor\tnMinor\n"]
    samples = ["sample,patient,tumour_purity,ploidy\n"]
    alleles = ["patient,allele,copy_number,p,lost,caller\n"]
    peptides = ["patient,gene,peptide,allele,ic50_nm,tpm,clonal\n"]
    fusions = ["sample,patient,gene1,gene2,event\n"]
    discrete: dict[str, list[str]] = {g: [] for g in GENES}
    names = [f"P{i}" for i in range(n)]
    for who in names:
        purity, ploidy = float(rng.choice([0.08, 0.35, 0.7])), float(rng.choice([2.0, 4.0]))
        samples.append(f"{who},{who},{purity},{ploidy}\n")
        states = {}
        for gene in GENES:
            neutral = (2, 1) if ploidy < 3 else (4, 2)
            options = [neutral] * 12 + [(0, 0), (1, 0), (2, 0), (6, 2), (12, 2)]
            states[gene] = options[rng.integers(len(options))]
        if rng.random() < 0.2:
            states |= dict.fromkeys(("HLA-A", "HLA-B", "HLA-C"), (0, 0))
        for gene, (total, minor) in states.items():
            place = PLACES[gene]
            genes.append(f"{who}\t{gene}\t{total}\t{minor}\n")
            segments.append(f"{who}\t{place.chrom}\t{place.start - 9}\t{place.end + 9}\t{total - minor}\t{minor}\n")
            log2 = math.log2((purity * total + 2 * (1 - purity)) / (purity * ploidy + 2 * (1 - purity)))
            ratios.append(f"{who}\t{place.chrom}\t{place.start - 9}\t{place.end + 9}\t40\t{log2:.3f}\n")
            level = -2 if total == 0 and purity > 0.5 else -1 if total < ploidy - 0.5 else 2 if total > 9 else 0
            discrete[gene].append(str(level))
        for gene in [*LOST, "KRAS", "EGFR", "TTN", "MUC16", "CSMD3"]:
            total, minor = states.get(gene, (2, 1))
            chance = 0.9 if gene in ("TTN", "MUC16", "CSMD3") else 0.25
            if total == 0 or rng.random() > chance:
                continue
            kind, change = [
                ("Frame_Shift_Del", "p.L15Ffs*41"),
                ("Missense_Mutation", "p.A77V"),
                ("Missense_Mutation", "p.M1R"),
                ("Nonsense_Mutation", "p.Q30*"),
            ][rng.integers(4)]
            if gene in ("KRAS", "EGFR"):
                kind, change = "Missense_Mutation", {"KRAS": "p.G12C", "EGFR": "p.L858R"}[gene]
            reads = _reads(purity, total, 1, float(rng.choice([1.0, 0.3])), rng)
            place = PLACES.get(gene)
            where = (place.chrom, place.start + 10) if place else ("1", 1_000_000 + 1000 * len(gene))
            maf.append(
                f"{gene}\tGRCh37\t{where[0]}\t{where[1]}\tC\tT\t{kind}\t{who}\t{change}\t{reads[0]}\t{reads[1]}\n"
            )
        gone = rng.random() < 0.4
        for i, allele in enumerate(("A*01:01", "A*02:01", "B*07:02", "B*08:01", "C*07:01", "C*07:02")):
            lost = gone and i == 1
            alleles.append(f"{who},HLA-{allele},{0.05 if lost else 1.0},{0.0001 if lost else 0.6},,lohhla\n")
        for k in range(6):
            allele = "A*02:01" if k < 4 else "B*07:02"
            tpm = 0.1 if rng.random() < 0.2 else 20.0
            peptides.append(f"{who},G{k},PEPTIDE{'ACDEFG'[k]},HLA-{allele},50,{tpm},{rng.random() < 0.95}\n")
        if rng.random() < 0.2:
            fusions.append(f"{who},{who},EML4,ALK,EML4-ALK\n")
    table = ["Hugo_Symbol\t" + "\t".join(names) + "\n"]
    table += [f"{gene}\t" + "\t".join(values) + "\n" for gene, values in discrete.items()]
    return {
        "samples.csv": "".join(samples),
        "mutations.maf": "".join(maf),
        "genes.tsv": "".join(genes),
        "allele_specific.tsv": "".join(segments),
        "ratios.seg": "".join(ratios),
        "discrete.txt": "".join(table),
        "hla_loh.csv": "".join(alleles),
        "neoantigens.csv": "".join(peptides),
        "fusions.csv": "".join(fusions),
    }


def _calls(study: Study) -> pd.DataFrame:
    return call_mechanisms(measure(study, _NAMES), study.patient_ids, _FEW).states


def _without_column(text: str, column: int) -> str:
    sign = "\t" if "\t" in text.partition("\n")[0] else ","
    rows = [line.split(sign) for line in text.splitlines()]
    return "\n".join(sign.join(c for i, c in enumerate(row) if i != column) for row in rows) + "\n"


def _fewer(
    files: Mapping[str, str], rng: np.random.Generator, several_files: int, columns: int
) -> Iterator[tuple[str, dict[str, str]]]:
    """Every file taken away alone, some two and three at a time, and some columns of every file."""
    several = [c for k in (2, 3, 5) for c in itertools.combinations(files, k)]
    chosen = [several[i] for i in rng.choice(len(several), min(several_files, len(several)), replace=False)]
    for gone in [*((f,) for f in files), *chosen]:
        yield f"without {', '.join(gone)}", {f: t for f, t in files.items() if f not in gone}
    for file, text in files.items():
        if file == "discrete.txt":
            continue
        header = text.partition("\n")[0].replace(",", "\t").split("\t")
        for column in sorted(rng.permutation(len(header))[:columns]):
            name = header[column]
            yield f"{file} without {name}", {**files, file: _without_column(text, column)}


def _violations(
    folder: Path, files: Mapping[str, str], seed: int, several: int = 2, columns: int = 2
) -> tuple[list[str], int]:
    """Return what became absent by taking data away, and how many studies were compared."""
    before = _calls(written(folder / "whole", files))
    found, compared = [], 0
    for number, (what, fewer) in enumerate(_fewer(files, np.random.default_rng(seed), several, columns)):
        try:
            study = written(folder / str(number), fewer)
        except InputError:  # a file without that column is refused, which is right
            continue
        after = _calls(study).reindex(index=before.index)
        compared += 1
        worse = (after == "absent") & before.isin(("present", "not_assessable"))
        if "t_alt_count" in what:
            # "absent" follows from a defect that is seen. A variant without a single read is none; where nobody says
            # how many reads there were, it is believed, so that only what was present must not become absent
            worse["ddr_proficiency"] &= before["ddr_proficiency"] == "present"
        found += [f"{what}: {p} {m} {before.loc[p, m]} -> absent" for p, m in worse.stack()[lambda s: s].index]
    return found, compared


SETS = (
    ("samples.csv", "mutations.maf", "genes.tsv", "hla_loh.csv", "neoantigens.csv"),
    ("samples.csv", "mutations.maf", "allele_specific.tsv", "ratios.seg", "fusions.csv"),
    ("samples.csv", "mutations.maf", "ratios.seg"),
    ("samples.csv", "mutations.maf", "discrete.txt", "fusions.csv", "hla_loh.csv", "neoantigens.csv"),
)


@pytest.mark.parametrize("chosen", range(len(SETS)))
def test_taking_files_or_columns_away_never_makes_absent(chosen: int, tmp_path: Path) -> None:
    files = _files(15, seed=20 + chosen)
    found, compared = _violations(tmp_path, {f: files[f] for f in SETS[chosen]}, seed=chosen)
    assert compared >= 6
    assert not found, "\n".join(found[:20])


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.nightly)])
def test_taking_every_column_and_many_files_away_never_makes_absent(seed: int, tmp_path: Path) -> None:
    for number, chosen in enumerate(SETS):
        files = _files(30, seed=100 * seed + number)
        found, _ = _violations(tmp_path / str(number), {f: files[f] for f in chosen}, seed, several=5, columns=99)
        assert not found, "\n".join(found[:20])


def test_the_patients_show_every_call(tmp_path: Path) -> None:
    files = _files(60, seed=3)
    chosen = {f: files[f] for f in ("samples.csv", "mutations.maf", "genes.tsv", "hla_loh.csv", "neoantigens.csv")}
    calls = _calls(written(tmp_path, chosen))
    for mechanism in ("mhc1_genetic_loss", "stk11_loss", "hla_loh", "hyperprogression_mdm2"):
        assert {"present", "absent"} <= set(calls[mechanism]), mechanism


def test_the_check_finds_a_purity_that_is_better_unknown_than_low(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check itself: with "not given" taken as "enough", it must report the purity column."""
    lenient = tumour_content.TumourContent(True, "taken as enough")
    monkeypatch.setattr(tumour_content, "UNKNOWN_CONTENT", lenient)
    files = _files(25, seed=20)
    chosen = {f: files[f] for f in ("samples.csv", "mutations.maf", "genes.tsv")}
    less = {**chosen, "samples.csv": _without_column(files["samples.csv"], 2)}
    before, after = _calls(written(tmp_path / "a", chosen)), _calls(written(tmp_path / "b", less))
    assert ((after == "absent") & (before == "not_assessable")).any(axis=None)
