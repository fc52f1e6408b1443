"""How large the model is: states, reactions, parameters by grade."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from immunescape.model.assembly import Model

__all__ = ["full_model", "model_counts"]


def full_model(specificity: str | None = None) -> Model:
    """Assemble all mechanisms with all drugs."""
    from immunescape.model.assembly import Model as _Model
    from immunescape.model.registry import drugs
    from immunescape.population.reference_baseline import with_reference_strengths

    return with_reference_strengths(_Model.build(drugs=list(drugs()), check_units=False, specificity=specificity))


def model_counts(model: Model) -> dict[str, int]:
    """Count mechanisms, drugs, states (those of drugs apart), reactions, quantities and parameters by grade.

    Switches and reference strengths are no parameters of a table and are not counted.
    """
    drugs = {d.name for d in model.drugs}
    grades = Counter(p.grade for p in model.parameters.values() if p.grade)
    return {
        "mechanisms": len(model.mechanisms),
        "drugs": len(drugs),
        "states": sum(s.owner not in drugs for s in model.states.values()),
        "drug_states": sum(s.owner in drugs for s in model.states.values()),
        "reactions": len(model.reactions),
        "quantities": len(model.quantities),
        "parameters": sum(grades.values()),
        **{f"parameters_{g}": n for g, n in sorted(grades.items())},
        "modulations": len(model.modulations),
        "clones": len(model.clones),
    }
