"""The manifest: a YAML file that names the files of a study, their formats, columns and units."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from immunescape.errors import InputError, nearest
from immunescape.profile.panels import need_panel, read_panel_file
from immunescape.profile.readers._finish import canonical_build
from immunescape.profile.readers._text import read_text
from immunescape.profile.study import Panel

__all__ = ["FileEntry", "Manifest", "PanelEntry", "read_manifest", "template"]


class FileEntry(BaseModel):
    """One file: its name, its format, and the options of that format."""

    model_config = ConfigDict(extra="allow", frozen=True)
    file: str = Field(min_length=1)
    format: str = Field(min_length=1)

    @property
    def options(self) -> dict[str, Any]:
        """Options for the reader."""
        return dict(self.model_extra or {})


class PanelEntry(BaseModel):
    """A sequencing panel: its genes (a list, or a file with one gene per line) and its size."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = Field(min_length=1)
    genes: list[str] | str | None = None
    megabases: float | None = Field(default=None, gt=0, lt=4000)
    whole_exome: bool = False


class Manifest(BaseModel):
    """A study as a list of files."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    study: str = "study"
    root: str = "."
    genome_build: str = ""
    panel: str | None = None
    reference: str | None = None
    panels: list[PanelEntry] = Field(default_factory=list)
    files: list[FileEntry] = Field(min_length=1)


def _line_of(text: str, path: tuple[Any, ...]) -> str:
    """Return ``, line N`` of the deepest key of a path that the YAML text holds."""
    try:
        node: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return ""
    line = None
    for key in path:
        if isinstance(node, yaml.MappingNode):
            for name, value in node.value:
                if name.value == str(key):
                    line, node = name.start_mark.line + 1, value
                    break
            else:
                break
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            node = node.value[key]
            line = node.start_mark.line + 1
        else:
            break
    return f", line {line}" if line else ""


def _expanded(text: str, where: str) -> str:
    def replacement(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in os.environ:
            raise InputError(f"the environment variable {name} is not set", where=where, hint=f"export {name}=…")
        return os.environ[name]

    return re.sub(r"\$\{(\w+)\}", replacement, text)


def _refuse_twice(text: str, file: str) -> None:
    """Refuse a key that one mapping has twice: YAML would take the last in silence."""
    waiting: list[Any] = [yaml.compose(text, Loader=yaml.SafeLoader)]
    seen: set[int] = set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif isinstance(node, yaml.MappingNode):
            keys: set[str] = set()
            for key, value in node.value:
                if str(key.value) in keys and key.value != "<<":
                    place = f"{file}, line {key.start_mark.line + 1}"
                    raise InputError(f"key '{key.value}' is given twice", where=place, hint="Keep one of them.")
                keys.add(str(key.value))
                waiting.append(value)


def read_manifest(path: Path) -> Manifest:
    """Read ``manifest.yaml``.

    Raises
    ------
    InputError
        Naming file and line: broken YAML, an unknown or missing key (with the nearest word), a wrong type.
    """
    text = read_text(path)
    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError, TypeError, KeyError, AttributeError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise InputError(f"broken YAML: {getattr(error, 'problem', error)}", where=f"{path.name}{place}") from None
    _refuse_twice(text, path.name)
    if not isinstance(data, dict):
        raise InputError("a manifest is a mapping with the key 'files'", where=path.name, hint="See the template.")
    try:
        return Manifest.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = path.name + _line_of(text, tuple(first["loc"]))
        name = ".".join(str(p) for p in first["loc"])
        if first["type"] == "extra_forbidden":
            valid = list(PanelEntry.model_fields if "panels" in name else Manifest.model_fields)
            close = nearest(str(first["loc"][-1]), valid)
            hint = f"Did you mean '{close[0]}'?" if close else f"Known: {', '.join(valid)}."
            raise InputError(f"unknown key '{first['loc'][-1]}'", where=where, hint=hint) from None
        raise InputError(f"{name}: {first['msg']}", where=where, hint="See: immunescape profile --template") from None


def panel_of(entry: PanelEntry, folder: Path, where: str) -> Panel:
    """Return the panel that an entry of the manifest describes."""
    from immunescape.profile.genes import to_symbols

    if isinstance(entry.genes, str):
        return read_panel_file(folder / _expanded(entry.genes, where), entry.name, entry.megabases)
    if entry.genes is None and not entry.whole_exome:
        shipped = need_panel(entry.name)
        return Panel(
            entry.name, genes=shipped.genes, megabases=entry.megabases or shipped.megabases, source=shipped.source
        )
    genes = frozenset(g for g in to_symbols(entry.genes or []) if g)
    return Panel(entry.name, genes=genes, megabases=entry.megabases, whole_exome=entry.whole_exome, source=where)


def root_of(manifest: Manifest, folder: Path, where: str) -> Path:
    """Return the folder that file names of a manifest are relative to."""
    return folder / _expanded(manifest.root, where)


def build_of(manifest: Manifest, where: str) -> str:
    """Return the declared genome build, or ''."""
    return canonical_build(manifest.genome_build, where) if manifest.genome_build else ""


TEMPLATE = """\
# A study for `immunescape profile`: this file is manifest.yaml in the folder that you give.
# Remove what you do not have: what is not given is "not assessable", never "absent".
study: my-study
# root: data                # folder of the files, where it is not this one; ${VARIABLES} are filled in
genome_build: GRCh38        # or GRCh37; checked against the files
# reference: my-reference    # folder or name of a frozen reference of expression: immunescape reference build
panel: IMPACT468            # panel of every sample without one of its own (a name of `panels`, or a shipped one)
panels:
  - name: IMPACT468         # IMPACT341, IMPACT410 and IMPACT468 ship with genes and megabases
  # - name: my-panel
  #   genes: my_panel.txt   # one gene per line, or a list [TP53, KEAP1, …]
  #   megabases: 1.1        # coding megabases that mutations were called in; without it there is no TMB
  # - name: exome
  #   whole_exome: true
  #   megabases: 32.0
files:
  - file: patients.csv      # one patient a row
    format: patients
    columns: {patient: ID, os_months: OS, os_event: DEAD}   # study column: column of your file
    units: {os_months: months}                              # months (default), days, weeks, years
    values: {sex: {"0": male, "1": female}}                 # study column: {your word: our word}
    # keep: [BMI]           # further columns to keep, or all
  - file: samples.csv       # sample, patient, panel, tumour_purity (fraction), ploidy, day
    format: samples
  - file: mutations.maf     # patient: P1 where the file is of one patient; or format: vcf, and tumour_sample: TUMOR
    format: maf
  - file: copy_number.tsv   # sample, gene, total_cn, minor_cn; or PURPLE, FACETS, ASCAT; or format: cna, seg
    format: cna_allele_specific
  - file: hla.csv           # patient, allele; or patient, A1, A2, B1, B2, C1, C2
    format: hla_types
  - file: lohhla.xls        # or format: lilac; or format: hla_loh for a table of your own
    format: lohhla
    patient: P1
  - file: all_epitopes.tsv
    format: pvacseq
    patient: P1
  - file: expression.tsv    # genes x samples; HGNC, Entrez or Ensembl; or format: h5ad
    format: expression      # one sample by Salmon, RSEM, STAR, GDC, …: format: quantification with patient: P1
    unit: tpm               # counts, tpm or log2_tpm1
  - file: repertoire.tsv
    format: airr
    patient: P1
    day: 0                  # days count from the first dose of immunotherapy
  - file: metaphlan.tsv     # or format: biom, species_table
    format: metaphlan
    site: stool             # other sites (oral, lung, skin) are not informative about the gut
  - file: ctdna.csv         # patient, day, assay, analyte, value, unit, lod, detected
    format: ctdna
    units: {value: VAF percent}   # VAF fraction, VAF percent, MTM/mL
  - file: labs.csv          # patient, day, analyte, value, unit; or wide with `analytes`
    format: labs
    analytes: {albumin: ALB, neutrophils: ANC, lymphocytes: ALC, ldh: LDH}
    units: {albumin: g/dL, neutrophils: 10^9/L, lymphocytes: 10^9/L, ldh: U/L}
  - file: pdl1.csv          # patient, sample, assay (antibody clone), score (tps, cps, tc, ic), value_percent
    format: pdl1
    constants: {assay: 22C3, score: tps}
  - file: treatments.csv    # patient, start_day, end_day, drug, line
    format: treatments
  - file: responses.csv     # patient, day, recist (CR, PR, SD, PD, NE), sld_mm
    format: responses
  - file: bundle.json       # FHIR R4 / mCODE, with somatic variants; or format: phenopackets
    format: fhir
  # - file: my_study        # a cBioPortal study folder beside the other files
  #   format: cbioportal
  #   units: {OS_TIME: days}
# Every table takes columns: (name that the format expects: column of the file) and values: (column: {word: word}).
"""


def template() -> str:
    """Return a commented manifest to start from."""
    return TEMPLATE
