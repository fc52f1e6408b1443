"""Small studies as files on disk, for tests that go from files to calls."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from immunescape.knowledge.mechanism_rules import load_rules, measurements
from immunescape.profile.assemble import Assembled, assemble
from immunescape.profile.biomarkers.registry import biomarkers, measure
from immunescape.profile.calls import call_mechanisms
from immunescape.profile.loading import load_study
from immunescape.profile.study import Study

MAF_HEADER = (
    "Hugo_Symbol\tNCBI_Build\tChromosome\tStart_Position\tReference_Allele\tTumor_Seq_Allele2\t"
    "Variant_Classification\tTumor_Sample_Barcode\tHGVSp_Short\tt_ref_count\tt_alt_count\n"
)
KINDS = {
    "mutations.maf": "maf",
    "mutations.csv": "mutations",
    "pdl1.csv": "pdl1",
    "quant.sf": "quantification",
    "genes.tsv": "cna_allele_specific",
    "allele_specific.tsv": "cna_allele_specific",
    "ratios.seg": "seg",
    "discrete.txt": "cna",
    "purity.tsv": "purity",
    "samples.csv": "samples",
    "patients.csv": "patients",
    "fusions.csv": "structural_variants",
    "hla_loh.csv": "hla_loh",
    "hla.csv": "hla_types",
    "neoantigens.csv": "neoantigens",
}


def maf(*rows: tuple[str, int, str, str, int, int], sample: str = "S1", build: str = "GRCh37") -> str:
    """Return a MAF of rows (gene, position, classification, protein change, reference reads, variant reads)."""
    lines = [
        f"{gene}\t{build}\t1\t{start}\tC\tT\t{kind}\t{sample}\t{protein}\t{ref}\t{alt}\n"
        for gene, start, kind, protein, ref, alt in rows
    ]
    return MAF_HEADER + "".join(lines)


SEEN = (
    ("TTN", 179400000, "Missense_Mutation", "p.A10V", 60, 40),
    ("MUC16", 9000000, "Missense_Mutation", "p.R20C", 70, 30),
)
"""Two mutations whose reads show that there are tumour cells."""


def profiled(
    folder: Path,
    files: Mapping[str, str],
    *,
    build: str = "GRCh37",
    options: Mapping[str, str] | None = None,
    panel: str = "WES",
) -> Assembled:
    """Write files and a manifest into a folder, and profile it."""
    return assemble(written(folder, files, build=build, options=options, panel=panel))


def written(
    folder: Path,
    files: Mapping[str, str],
    *,
    build: str = "GRCh37",
    options: Mapping[str, str] | None = None,
    panel: str = "WES",
) -> Study:
    """Write files and a manifest into a folder, and read it as a study."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["study: s"]
    if build:
        lines.append(f"genome_build: {build}")
    lines += [f"panel: {panel}", "files:"]
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
        more = f", {options[name]}" if options and name in options else ""
        lines.append(f"  - {{file: {name}, format: {KINDS[name]}{more}}}")
    (folder / "manifest.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return load_study(folder)


def states(study: Study, *mechanisms: str, patient: str = "S1") -> list[str]:
    """Return the calls of some mechanisms in one patient; only what their rules ask for is measured."""
    rules = load_rules()
    few = rules.model_copy(update={"mechanisms": {m: rules.mechanisms[m] for m in mechanisms}})
    names = {n for rule in few.mechanisms.values() for n in measurements(rule)}
    table = call_mechanisms(measure(study, sorted(names & biomarkers().keys())), study.patient_ids, few)
    return [str(table.states.loc[patient, m]) for m in mechanisms]


def state(folder: Path, files: Mapping[str, str], mechanism: str, patient: str = "S1", **more: Any) -> str:
    """Return the call of one mechanism in a patient of a study of files."""
    return states(written(folder, files, **more), mechanism, patient=patient)[0]
