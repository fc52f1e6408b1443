"""Loss of a gene: from its state to a category, with the reasons."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from immunescape.knowledge.profile_records import Measurement
from immunescape.profile.biomarkers.alterations import X_LINKED, GeneState, Hit, gene_states
from immunescape.profile.biomarkers.tumour_content import EVIDENT_VAF
from immunescape.profile.biomarkers.variant_effects import place_in_protein
from immunescape.profile.biomarkers.words import state_words
from immunescape.profile.study import Study

__all__ = [
    "EXCLUDED",
    "INACTIVATED",
    "LOSS_STATES",
    "METHOD",
    "any_biallelic",
    "loss_function",
    "loss_state",
    "sample_loss",
]

LOSS_STATES = (
    "biallelic_loss",
    "biallelic_loss_subclonal",
    "monoallelic_loss",
    "mutation_second_allele_unseen",
    "haploid_loss",
    "variant_of_unknown_significance",
    "no_mutation_copies_unseen",
    "wild_type",
)
INACTIVATED = frozenset(LOSS_STATES[:4])
"""Categories with at least one inactivating alteration of the gene (a lost copy alone is not one)."""

METHOD = "Homozygous deletion, two hits, or one hit with loss of heterozygosity"
LossCall = tuple[str | None, str, float | None]
Extra = Callable[[Hit], bool]


def loss_state(gene: str, state: GeneState, male: bool | None = None, extra: Extra | None = None) -> LossCall:
    """Return the category of a gene, the reason, and the share of mutations and copy number that was assessed.

    Each sample is assessed separately: a hit in one sample and a lost copy in another are not two hits in one cell. The
    patient is assigned the category of the sample with the greatest loss; what is inconclusive in one sample is not
    settled by another.

    Parameters
    ----------
    gene, state
        The gene and what is known of it.
    male
        Sex of the patient, for genes on X; None where not known.
    extra
        Returns whether an in-frame hit counts as loss (e.g. a listed missense change).

    Returns
    -------
    tuple
        category (None where not assessable), reason, coverage.
    """
    samples = state.samples or (state,)
    answers = [(sample_loss(gene, s, male, extra), s) for s in samples]
    if len(answers) == 1:
        return answers[0][0]
    assessed = [(w, s) for w, s in answers if s.hits or s.copies is True or s.sequenced is True or s.copies_why]
    (verdict, reason, coverage), _ = min(answers, key=lambda a: _rank(*a))
    if len(assessed) > 1:
        reason = "; ".join(f"{_named(s)}: {state_words(w[0] or 'not assessable')} ({w[1]})" for w, s in assessed)
    return verdict, reason, coverage


def _rank(answer: LossCall, state: GeneState) -> int:
    verdict = answer[0]
    if verdict in ("biallelic_loss", "biallelic_loss_subclonal", "mutation_second_allele_unseen"):
        return LOSS_STATES.index(verdict)
    if verdict == "variant_of_unknown_significance":
        return 4
    if verdict not in EXCLUDED and state.suspect:
        return 5
    return {"monoallelic_loss": 6, "haploid_loss": 7, "wild_type": 8, "no_mutation_copies_unseen": 9}.get(
        verdict or "", 10
    )


def _named(state: GeneState) -> str:
    return f"{state.sample} (day {state.day:g})" if state.day == state.day else state.sample


def sample_loss(gene: str, state: GeneState, male: bool | None = None, extra: Extra | None = None) -> LossCall:
    """Return the category of a gene in one sample; see :func:`loss_state`."""
    looked = (state.sequenced is True or bool(state.hits), state.copies is True)
    coverage = sum(looked) / 2
    if not state.hits and math.isnan(state.total) and math.isnan(state.minor) and math.isnan(state.discrete):
        return _unaltered(gene, state, coverage)
    losses = [h for h in state.hits if h.loss or (extra is not None and not h.weak and extra(h))]
    unknown = [h for h in state.hits if h not in losses]
    labels = "; ".join(h.text for h in losses)
    if state.deleted:
        partial = " (partial deletion)" if state.discrete == -1.5 else ""
        seen = (
            state.copies_label
            or (f"discrete copy number {state.discrete:g}{partial}" if state.discrete <= -1.5 else "")
            or f"{state.total:.4g} copies"
        )
        return "biallelic_loss", f"homozygous deletion: {seen}", coverage
    if len(distinct_events(losses)) >= 2:
        single_event = len(distinct_events([h for h in losses if not h.subclonal])) < 2
        verdict = "biallelic_loss_subclonal" if single_event else "biallelic_loss"
        return verdict, f"two hits: {labels}; phase not known", coverage
    if losses and (state.loh or (gene in X_LINKED and male)):
        verdict = "biallelic_loss_subclonal" if losses[0].subclonal else "biallelic_loss"
        second = "loss of heterozygosity" if state.loh else "an X-linked gene in a male patient"
        return verdict, f"one hit ({labels}) with {second}", coverage
    if losses and not state.partly_deleted and all(h.germline for h in state.hits):
        if state.loh is not False:
            return None, f"germline hit ({labels}); whether the tumour lost the other allele was not assessed", coverage
        return "haploid_loss", f"germline hit ({labels}); the tumour retains the other allele", coverage
    if state.partly_deleted:
        return (
            "biallelic_loss_subclonal",
            f"{state.total:.4g} copies: both copies are lost in a subset of the cells",
            coverage,
        )
    if losses:
        return _single_hit(state, losses, unknown, labels, coverage)
    if unknown:  # before a lost copy: an unknown variant on the only remaining copy may inactivate it
        listed = "; ".join(" ".join(x for x in (h.text, place_in_protein(gene, h.protein)) if x) for h in unknown)
        return "variant_of_unknown_significance", f"{listed}: not known to inactivate the protein", coverage
    if state.single_copy and state.sequenced is True and state.enough:
        seen = f"{state.total:.4g} copies" if state.total < 1.5 else "discrete copy number -1"
        return "haploid_loss", f"one copy lost, the other unaltered: {state.copies_label or seen}", coverage
    return _unaltered(gene, state, coverage)


def _single_hit(state: GeneState, losses: list[Hit], unknown: list[Hit], labels: str, coverage: float) -> LossCall:
    why = ""
    if state.loh is not False:
        why = "the second allele was not assessed" + (f": {state.copies_why}" if state.copies_why else "")
    elif [h for h in unknown if distinct_events([*losses, h]) != distinct_events(losses)]:
        why = f"{'; '.join(h.label for h in unknown)} may hit the second allele"
    # the reads of the hit show tumour cells as well
    elif not (state.enough or any(h.vaf >= EVIDENT_VAF and not h.germline for h in losses)):
        why = f"of the second allele: {state.content.why}"
    if why:
        return "mutation_second_allele_unseen", f"one hit ({labels}); {why}", coverage
    return "monoallelic_loss", f"one hit ({labels}); no loss of heterozygosity", coverage


EXCLUDED = frozenset({"wild_type", "haploid_loss", "monoallelic_loss"})
"""Categories in which one copy is known to be retained."""

SAME_EVENT_BASES = 10
"""Hits of one gene starting within this many bases count as one event (assumed: callers shift and split indels)."""


def distinct_events(hits: list[Hit]) -> list[Hit]:
    """Return one hit of each event: hits that start within `SAME_EVENT_BASES` of each other are one."""
    events: list[Hit] = []
    for hit in hits:
        if not any(abs(hit.start - other.start) <= SAME_EVENT_BASES for other in events):
            events.append(hit)
    return events


def _unaltered(gene: str, state: GeneState, coverage: float) -> LossCall:
    harmless = f" ({'; '.join(state.benign)}: benign)" if state.benign else ""
    if state.sequenced is not True:
        why = (
            "is not on the panel"
            if state.sequenced is False
            else "may not be on the panel, as the panel's genes are not known"
        )
        return None, f"{gene} {why}", None
    if not state.enough:
        return None, f"no alteration of {gene} found{harmless}, but {state.content.why}", None
    if state.copies is not True:
        why = f"a deletion is not excluded: {state.copies_why}" if state.copies_why else "so a deletion is not excluded"
        unseen = "" if state.copies_why else "copy number was not assessed, "
        return "no_mutation_copies_unseen", f"no mutation found{harmless}; {unseen}{why}", coverage
    return "wild_type", f"no alteration found{harmless}", coverage


def _men(study: Study) -> dict[str, bool | None]:
    sexes: dict[str, bool | None] = {}
    for patient, sex in zip(study.patients["patient"], study.patients["sex"], strict=True):
        sex_text = sex.strip().casefold() if isinstance(sex, str) else ""
        sexes[patient] = True if sex_text in ("male", "m") else False if sex_text in ("female", "f") else None
    return sexes


def loss_function(
    name: str, gene: str, family_genes: tuple[str, ...], citation: tuple[str, ...], extra: Extra | None = None
) -> Callable[[Study], Mapping[str, Measurement]]:
    """Return the function that measures the loss of one gene; the states of `family_genes` are computed together."""

    def function(study: Study) -> dict[str, Measurement]:
        states = gene_states(study, family_genes)
        men = _men(study) if gene in X_LINKED else {}
        measurements: dict[str, Measurement] = {}
        plain: dict[LossCall, Measurement] = {}
        for patient in study.patient_ids:
            state = states[patient, gene]
            answer = loss_state(gene, state, men.get(patient), extra)
            if not state.hits and answer in plain:
                measurements[patient] = plain[answer]
                continue
            verdict, reason, coverage = answer
            if verdict is None:
                measurements[patient] = Measurement.not_assessable(name, "", reason, method=METHOD, citation=citation)
            else:
                rows = tuple(dict.fromkeys(h.row for h in state.hits))
                measurements[patient] = Measurement(
                    name,
                    verdict,
                    "",
                    "measured",
                    method=METHOD,
                    citation=citation,
                    coverage=coverage,
                    note=reason,
                    source=rows,
                )
            if not state.hits:
                plain[answer] = measurements[patient]
        return measurements

    return function


def any_biallelic(
    name: str, genes: tuple[str, ...], family_genes: tuple[str, ...], citation: tuple[str, ...]
) -> Callable[[Study], Mapping[str, Measurement]]:
    """Return the function that assesses whether any of several genes has lost both copies.

    True if one has, in all or a subset of the cells; False only if every gene was assessed; otherwise not assessable.
    """
    method = "Any of " + ", ".join(genes) + " with both copies lost"

    def function(study: Study) -> dict[str, Measurement]:
        states = gene_states(study, family_genes)
        measurements: dict[str, Measurement] = {}
        for patient in study.patient_ids:
            losses = {g: loss_state(g, states[patient, g]) for g in genes}
            lost = [g for g, w in losses.items() if w[0] is not None and w[0].startswith("biallelic")]
            seen = [g for g, w in losses.items() if w[0] in EXCLUDED]
            coverage = len(seen) / len(genes)
            if lost:
                note = "; ".join(f"{g}: {state_words(losses[g][0] or '')} ({losses[g][1]})" for g in lost)
                value: bool | None = True
            elif len(seen) == len(genes):
                note, value = f"no loss in any of {len(genes)} genes", False
            else:
                rest = ", ".join(g for g in genes if g not in seen)
                note = f"no loss in {len(seen)} of {len(genes)} genes; not assessable: {rest}"
                value = None
            if value is None:
                measurements[patient] = Measurement.not_assessable(
                    name, "", note, method=method, citation=citation, coverage=coverage
                )
            else:
                measurements[patient] = Measurement(
                    name, value, "", "measured", method=method, citation=citation, coverage=coverage, note=note
                )
        return measurements

    return function
