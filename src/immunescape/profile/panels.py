"""Gene panels: the ones that ship (MSK-IMPACT), lists that a study brings, and what can be derived from data."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from immunescape.errors import InputError, unknown_word
from immunescape.knowledge.tables import read_rows
from immunescape.profile.genes import to_symbols
from immunescape.profile.readers._text import read_text
from immunescape.profile.study import Panel, Study

__all__ = ["EXOME", "add_panels", "available_panels", "read_panel_file", "shipped_panel"]

EXOME = "WES"
"""Panel of a sample that was sequenced exome-wide."""
_EXOME = frozenset({"WES", "WXS", "WHOLE_EXOME", "WHOLE-EXOME", "EXOME", "WGS"})


@lru_cache(maxsize=1)
def available_panels() -> dict[str, Panel]:
    """Return the panels that ship, by name (``knowledge/data/panels.csv`` and ``panel_genes.csv``)."""
    genes: dict[str, set[str]] = {}
    for row in read_rows("panel_genes"):
        for name, mark in row.items():
            if name != "gene" and mark == "1":
                genes.setdefault(name, set()).add(row["gene"])
    return {
        row["panel"]: Panel(
            row["panel"],
            genes=frozenset(genes.get(row["panel"], ())),
            megabases=row.number("megabases"),
            source=f"{row['source']}; {row['note']}",
        )
        for row in read_rows("panels")
    }


def shipped_panel(name: str) -> Panel | None:
    """Return the panel that ships under a name (``IMPACT468``, ``MSK-IMPACT468``, …), or None."""
    plain = name.upper().replace("-", "").replace("_", "").replace("MSK", "")
    return available_panels().get(plain)


def read_panel_file(path: Path, name: str | None = None, megabases: float | None = None) -> Panel:
    """Read a gene list: cBioPortal's ``data_gene_panel_*.txt``, or one gene per line.

    Raises
    ------
    InputError
        For a file without genes.
    """
    text = read_text(path)
    fields: dict[str, str] = {}
    loose: list[str] = []
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if (colon and key.strip() in ("stable_id", "description", "gene_list", "cancer_study_identifier")) or (
            colon and key.strip() == "number_of_profiled_coding_base_pairs"
        ):
            fields[key.strip()] = value.strip()
        elif line.strip() and not line.startswith("#"):
            loose.append(line)
    listed = fields.get("gene_list", "\n".join(loose)).replace(",", " ").split()
    genes = frozenset(g for g in to_symbols(listed) if g)
    if not genes:
        raise InputError("the panel file lists no gene", where=str(path), hint="One gene per line, or gene_list: …")
    size = fields.get("number_of_profiled_coding_base_pairs", "")
    if megabases is None and size:
        try:
            megabases = float(size) / 1e6
        except ValueError:
            raise InputError(f"'{size[:30]}' is not a number of base pairs", where=str(path)) from None
    label = name or fields.get("stable_id") or path.stem.removeprefix("data_gene_panel_")
    if megabases is None and (shipped := shipped_panel(label)) is not None:
        megabases = shipped.megabases
    if megabases is not None and not 0.0 < megabases < 4000.0:
        raise InputError(f"{megabases:g} megabases is not a size of a panel", where=str(path))
    return Panel(label, genes=genes, megabases=megabases, source=path.name)


def add_panels(study: Study) -> None:
    """Give every panel that samples name a record: from the study, from those that ship, else from the data.

    A panel without list gets the genes that its samples show as mutated or measured, is marked as not complete, and
    a problem says so: genes that it does not show may still have been sequenced.
    """
    named = {str(p) for column in ("panel", "panel_cna", "panel_sv") for p in study.samples[column].dropna().unique()}
    for name in sorted(named - set(study.panels)):
        shipped = shipped_panel(name)
        if shipped is not None:
            study.panels[name] = Panel(name, genes=shipped.genes, megabases=shipped.megabases, source=shipped.source)
        elif name.upper() in _EXOME:
            study.panels[name] = Panel(name, whole_exome=True, source="named as exome or genome by the study")
            study.problems.append(
                f"panel {name}: read as whole exome; its callable megabases are not given, so no mutation burden"
            )
        else:
            study.panels[name] = _derived(study, name)
            study.problems.append(
                f"panel {name}: no gene list; genes seen in its samples ({len(study.panels[name].genes)}) stand in for "
                "it, a gene not among them is not assessable, and no mutation burden can be given. Add its list and "
                "megabases to the manifest, or data_gene_panel_*.txt to the folder."
            )
    if study.panels:
        study.given.add("panels")


def _derived(study: Study, name: str) -> Panel:
    of_panel = set(study.samples.loc[study.samples["panel"] == name, "sample"])
    mutated = study.mutations.loc[study.mutations["sample"].isin(of_panel), "gene"].dropna()
    return Panel(
        name,
        genes=frozenset(mutated),
        megabases=None,
        complete=False,
        source="derived from the mutations of its samples",
    )


def need_panel(name: str) -> Panel:
    """Return a panel that ships; an unknown name answers with the nearest."""
    panel = shipped_panel(name)
    if panel is None:
        raise unknown_word("panel", name, available_panels())
    return panel
