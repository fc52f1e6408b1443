"""Loss of a gene: from its state to a word, with the reasons."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from immunescape.knowledge.profile_records import Measurement
from immunescape.profile.biomarkers.alterations import X_LINKED, GeneState, Hit, gene_states
from immunescape.profile.study import Study

__all__ = ["INACTIVATED", "LOSS_WORDS", "METHOD", "any_biallelic", "loss_function", "loss_word"]

LOSS_WORDS = (
    "biallelic_loss",
    "biallelic_loss_subclonal",
    "monoallelic_loss",
    "mutation_second_allele_unseen",
    "haploid_loss",
    "variant_of_unknown_significance",
    "no_mutation_copies_unseen",
    "wild_type",
)
INACTIVATED = frozenset(LOSS_WORDS[:4])
"""Words of a gene with at least one inactivating alteration of its own (a lost copy alone is none)."""

METHOD = "Homozygous deletion, two hits, or one hit with loss of heterozygosity"
Word = tuple[str | None, str, float | None]
Extra = Callable[[Hit], bool]


def loss_word(gene: str, state: GeneState, male: bool | None = None, extra: Extra | None = None) -> Word:
    """Return the word for a gene, the reason, and the share of mutations and copy number that was looked at.

    Parameters
    ----------
    gene, state
        The gene and what is known of it.
    male
        Sex of the patient, for genes on X; None where not known.
    extra
        Tells whether a hit in frame counts as loss (e.g. a listed missense change).

    Returns
    -------
    tuple
        word (None where not assessable), reason, coverage.
    """
    looked = (state.sequenced is True or bool(state.hits), state.copies is True)
    coverage = sum(looked) / 2
    if not state.hits and math.isnan(state.total) and math.isnan(state.minor) and math.isnan(state.discrete):
        return _unaltered(gene, state, coverage)
    losses = [h for h in state.hits if h.loss or (extra is not None and extra(h))]
    unknown = [h for h in state.hits if h not in losses]
    labels = "; ".join(h.label for h in losses)
    if state.deleted:
        partial = " (partial deletion)" if state.discrete == -1.5 else ""
        seen = (
            f"discrete copy number {state.discrete:g}{partial}"
            if state.discrete <= -1.5
            else f"{state.total:.4g} copies"
        )
        return "biallelic_loss", f"homozygous deletion: {seen}", coverage
    if len(distinct_events(losses)) >= 2:
        part = len(distinct_events([h for h in losses if not h.subclonal])) < 2
        word = "biallelic_loss_subclonal" if part else "biallelic_loss"
        return word, f"two hits: {labels}; phase not known", coverage
    if losses and (state.loh or (gene in X_LINKED and male)):
        word = "biallelic_loss_subclonal" if losses[0].subclonal else "biallelic_loss"
        second = "loss of heterozygosity" if state.loh else "a gene on X in a man"
        return word, f"one hit ({labels}) with {second}", coverage
    if losses and not state.partly_deleted and all(h.germline for h in state.hits):
        if state.loh is not False:
            return None, f"germline hit ({labels}); whether the tumour lost the other allele was not assessed", coverage
        return "haploid_loss", f"germline hit ({labels}); the tumour kept the other allele", coverage
    if state.partly_deleted:
        return (
            "biallelic_loss_subclonal",
            f"{state.total:.4g} copies: both copies are gone in part of the cells",
            coverage,
        )
    if losses:
        if state.loh is not False:
            return "mutation_second_allele_unseen", f"one hit ({labels}); the second allele was not assessed", coverage
        return "monoallelic_loss", f"one hit ({labels}); no loss of heterozygosity", coverage
    if unknown:  # before a lost copy: an unknown variant on the only copy left may be the loss
        listed = "; ".join(h.label for h in unknown)
        return "variant_of_unknown_significance", f"{listed}: not known to destroy the protein", coverage
    if state.one_copy and state.sequenced is True and not state.impure:
        seen = f"{state.total:.4g} copies" if state.total < 1.5 else "discrete copy number -1"
        return "haploid_loss", f"one copy lost, the other unaltered: {seen}", coverage
    return _unaltered(gene, state, coverage)


_EXCLUDED = frozenset({"wild_type", "haploid_loss", "monoallelic_loss"})
"""Words under which one copy is known to be left."""

SAME_EVENT_BASES = 10
"""Hits of one gene that start within so many bases count as one event (assumed: callers shift and split indels)."""


def distinct_events(hits: list[Hit]) -> list[Hit]:
    """Return one hit of each event: hits that start within `SAME_EVENT_BASES` of each other are one."""
    events: list[Hit] = []
    for hit in hits:
        if not any(abs(hit.start - other.start) <= SAME_EVENT_BASES for other in events):
            events.append(hit)
    return events


def _unaltered(gene: str, state: GeneState, coverage: float) -> Word:
    if state.sequenced is True and state.impure:
        why = f"no alteration of {gene} found, but at a tumour purity of {state.purity:.2g} one can be missed"
        return None, why, None
    if state.sequenced is True and state.copies is not True:
        why = "no mutation found; copy number was not assessed, so a deletion is not excluded"
        return "no_mutation_copies_unseen", why, coverage
    if state.sequenced is True:
        return "wild_type", "no alteration found", coverage
    why = "is not on the panel" if state.sequenced is False else "may not be on the panel, whose genes are not known"
    return None, f"{gene} {why}", None


def _men(study: Study) -> dict[str, bool | None]:
    sexes: dict[str, bool | None] = {}
    for patient, sex in zip(study.patients["patient"], study.patients["sex"], strict=True):
        word = sex.strip().casefold() if isinstance(sex, str) else ""
        sexes[patient] = True if word in ("male", "m") else False if word in ("female", "f") else None
    return sexes


def loss_function(
    name: str, gene: str, family_genes: tuple[str, ...], citation: tuple[str, ...], extra: Extra | None = None
) -> Callable[[Study], Mapping[str, Measurement]]:
    """Return the function that measures the loss of one gene; `family_genes` are looked up together."""

    def function(study: Study) -> dict[str, Measurement]:
        states = gene_states(study, family_genes)
        men = _men(study) if gene in X_LINKED else {}
        found: dict[str, Measurement] = {}
        plain: dict[Word, Measurement] = {}
        for patient in study.patient_ids:
            state = states[patient, gene]
            answer = loss_word(gene, state, men.get(patient), extra)
            if not state.hits and answer in plain:
                found[patient] = plain[answer]
                continue
            word, reason, coverage = answer
            if word is None:
                found[patient] = Measurement.not_assessable(name, "", reason, method=METHOD, citation=citation)
            else:
                rows = tuple(dict.fromkeys(h.row for h in state.hits))
                found[patient] = Measurement(
                    name,
                    word,
                    "",
                    "measured",
                    method=METHOD,
                    citation=citation,
                    coverage=coverage,
                    note=reason,
                    source=rows,
                )
            if not state.hits:
                plain[answer] = found[patient]
        return found

    return function


def any_biallelic(
    name: str, genes: tuple[str, ...], family_genes: tuple[str, ...], citation: tuple[str, ...]
) -> Callable[[Study], Mapping[str, Measurement]]:
    """Return the function that tells whether any of several genes lost both copies.

    True where one did, in all or part of the cells; False only where every gene was assessed; not assessable otherwise.
    """
    method = "Any of " + ", ".join(genes) + " with both copies lost"

    def function(study: Study) -> dict[str, Measurement]:
        states = gene_states(study, family_genes)
        found: dict[str, Measurement] = {}
        for patient in study.patient_ids:
            words = {g: loss_word(g, states[patient, g]) for g in genes}
            lost = [g for g, w in words.items() if w[0] is not None and w[0].startswith("biallelic")]
            seen = [g for g, w in words.items() if w[0] in _EXCLUDED]
            coverage = len(seen) / len(genes)
            if lost:
                note = "; ".join(f"{g}: {words[g][0]} ({words[g][1]})" for g in lost)
                value: bool | None = True
            elif len(seen) == len(genes):
                note, value = f"none of {len(genes)} genes", False
            else:
                rest = ", ".join(g for g in genes if g not in seen)
                note = f"no loss in {len(seen)} of {len(genes)} genes; not assessable: {rest}"
                value = None
            if value is None:
                found[patient] = Measurement.not_assessable(
                    name, "", note, method=method, citation=citation, coverage=coverage
                )
            else:
                found[patient] = Measurement(
                    name, value, "", "measured", method=method, citation=citation, coverage=coverage, note=note
                )
        return found

    return function
