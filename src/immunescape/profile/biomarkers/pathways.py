"""Antigen presentation and interferon-gamma signalling: loss of one or both copies of their genes."""

from __future__ import annotations

from immunescape.knowledge.tables import read_rows
from immunescape.profile.biomarkers.loss import LOSS_STATES, any_biallelic, loss_function
from immunescape.profile.biomarkers.registry import Biomarker, register

__all__ = ["APM_GENES", "GENES", "IFNG_GENES"]

_APM = ("sadefeldman2017", "gettinger2017")
_IFNG = ("zaretsky2016", "gao2016")
GENES: dict[str, tuple[str, tuple[str, ...]]] = {
    row["gene"]: (row["description"], row.sources) for row in read_rows("gene_losses") if row["family"] == "pathway"
}
"""Gene -> what it does, sources (``knowledge/data/gene_losses.csv``)."""
APM_GENES = ("B2M", "TAP1", "TAP2", "TAPBP", "NLRC5", "CALR")
IFNG_GENES = ("JAK1", "JAK2", "STAT1", "IFNGR1", "IFNGR2")
_ALL = tuple(GENES)
_NEEDS = ("mutations", "copy_number", "segments", "structural_variants")

for _gene, (_what, _citation) in GENES.items():
    register(
        Biomarker(
            name=f"{_gene.lower()}_status",
            title=f"{_gene} loss",
            family="pathway",
            unit="",
            definition=f"State of {_gene}: {_what}.",
            function=loss_function(f"{_gene.lower()}_status", _gene, _ALL, _citation),
            needs=_NEEDS,
            words=LOSS_STATES,
            thresholds="homozygous deletion below 0.5 copies (discrete <= -1.5); 0.5 to 0.7 copies: subclonal",
            references=_citation,
            limits="Methylation and expression are not assessed; the phase of two hits is unknown; a gene off the "
            "panel is not assessable.",
        )
    )

for _name, _title, _genes, _citation in (
    ("apm_biallelic_loss", "Antigen presentation lost", APM_GENES, (*_APM, "yoshihama2016")),
    ("ifng_pathway_biallelic_loss", "Interferon-gamma signalling lost", IFNG_GENES, (*_IFNG, "shin2017")),
):
    register(
        Biomarker(
            name=_name,
            title=_title,
            family="pathway",
            unit="",
            definition=f"Whether any of {', '.join(_genes)} lost both copies, in all or part of the tumour cells.",
            function=any_biallelic(_name, _genes, _ALL, _citation),
            needs=_NEEDS,
            references=_citation,
            limits="False only where every gene was assessed.",
        )
    )
