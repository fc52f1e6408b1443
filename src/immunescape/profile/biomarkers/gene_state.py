"""Records of the state of a gene: a hit, the state of a gene in a sample or patient, and tumour content."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

import numpy as np

from immunescape.profile.biomarkers.clonality import NO_FRACTION, CellFraction

__all__ = [
    "DELETED",
    "FORMER_SYMBOLS",
    "INFRAME",
    "LOF",
    "NONSYNONYMOUS",
    "START_LOST",
    "SUBCLONAL",
    "UNKNOWN_CONTENT",
    "X_LINKED",
    "GeneState",
    "Hit",
    "TumourContent",
]

DELETED = 0.5
SUBCLONAL = 0.7

LOF = frozenset(
    """Nonsense_Mutation Frame_Shift_Del Frame_Shift_Ins Splice_Site Translation_Start_Site Nonstop_Mutation
De_novo_Start_OutOfFrame De_novo_Start_InFrame Start_Codon_Del Start_Codon_SNP Stop_Codon_Del Stop_Codon_Ins""".split()
)
START_LOST = re.compile(r"(p\.)?(M|Met)1(?!\d)(?!(M|Met)?$)")
"""A change of the initial methionine prevents translation, whatever the caller's classification."""
INFRAME = frozenset("Missense_Mutation In_Frame_Del In_Frame_Ins Protein_Altering Missense".split())
NONSYNONYMOUS = LOF | INFRAME
"""MAF classifications that alter the protein: those counted in tumour mutational burden."""

X_LINKED = frozenset({"RBM10", "KDM6A", "STAG2", "ATRX"})
FORMER_SYMBOLS = {"MRE11A": "MRE11", "HER2": "ERBB2", "LKB1": "STK11", "PDL1": "CD274", "TAPASIN": "TAPBP"}
"""Former or common symbols -> HGNC symbol."""


@dataclass(frozen=True)
class TumourContent:
    """Tumour content of a sample: sufficient (True), insufficient (False), or not known (None)."""

    enough: bool | None
    why: str
    purity: float = math.nan


UNKNOWN_CONTENT = TumourContent(
    None, "tumour purity is not given, and no mutations with read counts show sufficient tumour content"
)


@dataclass(frozen=True, kw_only=True)
class Hit:
    """One alteration of one allele: its label, whether it inactivates the protein, and its clonality."""

    label: str
    loss: bool
    subclonal: bool
    germline: bool
    classification: str
    protein: str
    row: str
    start: float = float("nan")
    vaf: float = float("nan")
    depth: float = float("nan")
    fraction: CellFraction = NO_FRACTION
    weak: str = ""

    @property
    def destroys(self) -> bool:
        """Its type inactivates the protein, however few reads support it."""
        return self.loss or self.classification in LOF

    @property
    def text(self) -> str:
        """Label with the clonality, where known, and any doubts."""
        added = [x for x in (self.fraction.text, self.weak) if x]
        return f"{self.label} [{'; '.join(added)}]" if added else self.label


@dataclass(kw_only=True)
class GeneState:
    """What is known about one gene in one sample, or in all samples of one patient.

    Attributes
    ----------
    hits : mutations and breakpoints.
    benign : labels of variants that are known to be harmless.
    total, minor, discrete : total and minor copy number and the discrete state; NaN where not given.
    low, high : bounds of the total where only a log2 ratio is known.
    sequenced, copies : whether mutations and copy number were assessed: True, False, or None where not known.
    copies_why : why the copy number is open although there are data.
    copies_label : the result from segments, as text.
    content : whether tumour content is sufficient.
    sample, day : identifier and day of the sample.
    samples : for a patient, the states of the samples.
    """

    hits: list[Hit] = field(default_factory=list)
    benign: list[str] = field(default_factory=list)
    total: float = float("nan")
    minor: float = float("nan")
    discrete: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    sequenced: bool | None = False
    copies: bool | None = False
    copies_why: str = ""
    copies_label: str = ""
    content: TumourContent = UNKNOWN_CONTENT
    sample: str = ""
    day: float = float("nan")
    samples: tuple[GeneState, ...] = ()

    @property
    def enough(self) -> bool:
        """Tumour content is known to be sufficient for a negative finding to be meaningful."""
        return self.content.enough is True

    @property
    def losses(self) -> list[Hit]:
        """Hits that inactivate the protein."""
        return [h for h in self.hits if h.loss]

    @property
    def deleted(self) -> bool:
        """Both copies are lost in all tumour cells."""
        return self.total < DELETED or self.discrete <= -1.5

    @property
    def partly_deleted(self) -> bool:
        """Both copies are lost in a subset of the tumour cells."""
        return DELETED <= self.total < SUBCLONAL

    @property
    def loh(self) -> bool | None:
        """Loss of heterozygosity: True, False, or None if neither minor copy number nor a discrete loss is given."""
        if self.minor < DELETED or self.discrete == -1.0:
            return True
        if not np.isnan(self.minor):
            return False
        return True if self.total < 1.5 else None

    @property
    def single_copy(self) -> bool:
        """One copy was lost (not copy-neutral)."""
        return self.discrete == -1.0 or self.total < 1.5

    @property
    def amplified(self) -> bool:
        """A discrete high-level amplification."""
        return self.discrete >= 2.0

    @property
    def suspect(self) -> bool:
        """Copy number suggests a loss that is not resolved."""
        return bool(self.loh) or self.low < SUBCLONAL <= self.high or "break lies within" in self.copies_why
