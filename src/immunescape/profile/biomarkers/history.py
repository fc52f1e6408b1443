"""When genes were lost: the samples of a patient in chronological order, and which losses are new in later samples."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from immunescape.profile.biomarkers.alterations import GeneState, gene_states
from immunescape.profile.biomarkers.loss import EXCLUDED, Extra, sample_loss
from immunescape.profile.biomarkers.pathways import GENES as PATHWAY_GENES
from immunescape.profile.biomarkers.suppressors import EXTRA
from immunescape.profile.biomarkers.suppressors import GENES as SUPPRESSORS
from immunescape.profile.biomarkers.words import state_words
from immunescape.profile.study import Study

__all__ = ["GeneEvent", "gene_events"]

_LOST = ("biallelic_loss", "biallelic_loss_subclonal", "monoallelic_loss", "mutation_second_allele_unseen")


@dataclass(frozen=True)
class GeneEvent:
    """A gene lost in a sample, completely or partly.

    Attributes
    ----------
    day, sample, gene : where and when.
    loss : state of the gene, see `loss.LOSS_STATES`.
    against_before : ``new``, ``there before`` or ``not known whether there before``; '' in the first sample.
    """

    day: float
    sample: str
    gene: str
    loss: str
    against_before: str = ""

    @property
    def label(self) -> str:
        """Text for a timeline."""
        added = f" ({self.against_before})" if self.against_before else ""
        return f"{self.gene} {state_words(self.loss)} in {self.sample}{added}"


def _rank(loss: str | None) -> int:
    """Return the extent of a loss: 2 both copies, 1 one hit, 0 excluded, -1 not known."""
    if loss is None:
        return -1
    if loss.startswith("biallelic"):
        return 2
    if loss in _LOST:
        return 1
    return 0 if loss in EXCLUDED else -1


def _events(gene: str, samples: list[GeneState], extra: Extra | None) -> list[GeneEvent]:
    events: list[GeneEvent] = []
    before: list[tuple[float, str | None]] = []
    for state in samples:
        verdict = sample_loss(gene, state, None, extra)[0]
        earlier = [w for day, w in before if day < state.day]
        if verdict is not None and verdict in _LOST:
            against = ""
            if earlier:
                ranks = [_rank(w) for w in earlier]
                assessed = [r for r in ranks if r >= 0]
                both = _rank(verdict) == 2
                if max(ranks) >= _rank(verdict):
                    against = "there before"
                elif not assessed or -1 in ranks or (both and "mutation_second_allele_unseen" in earlier):
                    against = "not known whether there before"
                else:
                    against = "new"
            events.append(GeneEvent(state.day, state.sample, gene, verdict, against))
        before.append((state.day, verdict))
    return events


def gene_events(study: Study) -> Mapping[str, list[GeneEvent]]:
    """Return patient -> losses of genes by dated sample, for patients with at least two dated samples."""
    if not any(study.has(kind) for kind in ("mutations", "copy_number", "segments", "structural_variants")):
        return {}
    dated = study.samples.dropna(subset=["patient", "sample", "day"])
    several = {str(p) for p, n in dated.groupby("patient")["sample"].nunique().items() if n >= 2}
    if not several:
        return {}
    events_of: dict[str, list[GeneEvent]] = {p: [] for p in several}
    genes = (*PATHWAY_GENES, *SUPPRESSORS)
    states = gene_states(study, genes)
    for patient in several:
        for gene in genes:
            state = states.get((patient, gene))
            if state is None:
                continue
            samples = sorted((s for s in state.samples if not math.isnan(s.day)), key=lambda s: s.day)
            events_of[patient].extend(_events(gene, samples, EXTRA.get(gene)))
    return events_of
