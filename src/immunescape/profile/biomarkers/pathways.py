"""Antigen presentation and interferon-gamma signalling: which genes lost one or both copies."""

from __future__ import annotations

from immunescape.profile.biomarkers.loss import LOSS_WORDS, any_biallelic, loss_function
from immunescape.profile.biomarkers.registry import Biomarker, register

__all__ = ["APM_GENES", "GENES", "IFNG_GENES"]

_APM = ("sadefeldman2017", "gettinger2017")
_IFNG = ("zaretsky2016", "gao2016")
GENES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "B2M": ("beta-2 microglobulin, without which no class I molecule reaches the surface", "presentation", _APM),
    "TAP1": ("peptide transporter, first subunit", "presentation", ("gettinger2017",)),
    "TAP2": ("peptide transporter, second subunit", "presentation", ("gettinger2017",)),
    "TAPBP": ("tapasin, which loads peptides on class I molecules", "presentation", ("gettinger2017",)),
    "NLRC5": ("transactivator of class I genes", "presentation", ("yoshihama2016",)),
    "ERAP1": ("peptidase that trims peptides for class I", "presentation", ("gettinger2017",)),
    "PSMB8": ("subunit of the immunoproteasome", "presentation", ("gettinger2017",)),
    "CALR": ("calreticulin of the peptide loading complex", "presentation", ("gettinger2017",)),
    "JAK1": ("kinase of the interferon-gamma receptor", "interferon", ("zaretsky2016", "shin2017")),
    "JAK2": ("kinase of the interferon-gamma receptor", "interferon", ("zaretsky2016", "shin2017")),
    "STAT1": ("transcription factor of interferon signalling", "interferon", _IFNG),
    "IFNGR1": ("receptor of interferon gamma, chain 1", "interferon", ("gao2016",)),
    "IFNGR2": ("receptor of interferon gamma, chain 2", "interferon", ("gao2016",)),
}
APM_GENES = ("B2M", "TAP1", "TAP2", "TAPBP", "NLRC5", "CALR")
IFNG_GENES = ("JAK1", "JAK2", "STAT1", "IFNGR1", "IFNGR2")
_ALL = tuple(GENES)
_NEEDS = ("mutations", "copy_number", "segments", "structural_variants")

for _gene, (_what, _pathway, _citation) in GENES.items():
    register(
        Biomarker(
            name=f"{_gene.lower()}_status",
            title=f"{_gene} loss",
            family="pathway",
            unit="",
            definition=f"State of {_gene}: {_what}.",
            function=loss_function(f"{_gene.lower()}_status", _gene, _ALL, _citation),
            needs=_NEEDS,
            words=LOSS_WORDS,
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
