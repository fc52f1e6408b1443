"""The page of all biomarkers: ``python -m immunescape.profile.biomarkers_page docs/biomarkers.md`` writes it."""

from __future__ import annotations

import argparse
from pathlib import Path

from immunescape.console import markdown_table
from immunescape.knowledge.references import format_reference, get_reference
from immunescape.profile.biomarkers import Biomarker, biomarkers

__all__ = ["biomarkers_page"]

_FAMILIES = {
    "pdl1": "PD-L1",
    "tmb": "Tumour mutational burden",
    "neoantigen": "Neoantigens",
    "hla": "HLA class I",
    "pathway": "Antigen presentation and interferon-gamma signalling",
    "driver": "Drivers",
    "suppressor": "Tumour suppressors and co-mutations",
    "ddr": "DNA damage response",
    "amplification": "Amplifications",
    "single_cells": "Single cells",
    "space": "Cells in space",
    "blood": "Blood",
    "plasma": "Plasma",
    "tcr": "T cell receptors",
    "ctdna": "Circulating tumour DNA",
    "microbiome": "Microbiome and antibiotics",
}
_INTRO = """# Biomarkers

Every biomarker is a record: value, unit, interval where there is one, method with citation, coverage, source file. What
the files do not determine is `not_assessable`, with the reason, and never negative. No value depends on which other
patients are in the study.

```python
from immunescape.profile.biomarkers import biomarkers_table, measure, values_frame
from immunescape.profile.loading import load_study

study = load_study("my_study")
measured = measure(study)              # biomarker -> patient -> Measurement
values_frame(measured)                 # patients x biomarkers
biomarkers_table()                     # this page as a table
```

Rules that hold for all genes: a hit is a truncating, splice-site, start- or stop-loss mutation or a breakpoint in the
gene; missense changes are of unknown significance unless a table lists them. Both copies are lost through a homozygous
deletion (below 0.5 copies, or discrete at most -1.5), two hits, one hit with loss of heterozygosity, or one hit in an
X-linked gene in a man. From 0.5 to 0.7 copies the loss is subclonal (band assumed). A gene that the panel does not
cover is not assessable. Where mutations are given and copy number is not, `wild_type` has coverage 0.5 and says that a
deletion is not excluded.

A column of the patients table with the name of a biomarker is taken as reported for categories, truth values and
dimensionless ratios; a number with a unit requires a file that declares the unit.

To add your own biomarker, call `register(Biomarker(...))` in a module that an entry point in the group
`immunescape.biomarkers` names; the contract test `tests/profile/biomarkers/test_biomarker_contract.py` shows its
requirements.

What a measurement implies for a virtual patient is specified in `knowledge/data/profile_to_model.csv`;
`immunescape.twins.facts` turns a patient's measurements into such facts (target, value or range, spread, source,
grade), on which a [twin population](twins.md) is conditioned.

This page is generated: `python -m immunescape.profile.biomarkers_page docs/biomarkers.md`.
"""


_HEAD = ("name", "unit", "definition, *limits*", "thresholds", "needs any of", "references")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ") or "–"


def _row(b: Biomarker) -> list[str]:
    levels = f" Values: {', '.join(f'`{w}`' for w in b.words)}." if b.words else ""
    limits = f" *{b.limits}*" if b.limits else ""
    cells = (
        f"`{b.name}`",
        b.unit or "–",
        f"{b.definition}{levels}{limits}",
        b.thresholds,
        ", ".join(n.replace("_", " ") for n in b.needs),
        ", ".join(b.references),
    )
    return [_cell(c) for c in cells]


def biomarkers_page() -> str:
    """Return the page as Markdown: a table for each family, then the references."""
    by_family: dict[str, list[Biomarker]] = {}
    for b in biomarkers().values():
        by_family.setdefault(b.family, []).append(b)
    sections = [_INTRO]
    for family in [*(f for f in _FAMILIES if f in by_family), *sorted(by_family.keys() - _FAMILIES.keys())]:
        sections.append(f"## {_FAMILIES.get(family, family.replace('_', ' ').capitalize())}\n")
        sections.append("\n".join(markdown_table(_HEAD, map(_row, by_family[family]))))
    keys = sorted({k for b in biomarkers().values() for k in b.references})
    sections.append("## References\n")
    sections.append("\n".join(f"- **{k}** {format_reference(get_reference(k))}" for k in keys) + "\n")
    return "\n".join(sections)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", type=Path, help="file to write, such as docs/biomarkers.md")
    parser.parse_args().page.write_text(biomarkers_page(), encoding="utf-8")
