"""Checks of trials, designs and claims: that they can be read, and name what exists."""

from __future__ import annotations

from pathlib import Path

from immunescape.knowledge.references import get_reference, load_references
from immunescape.testing.contract import require

__all__ = ["check_claims", "check_design", "check_trial"]


def check_trial(name: str | Path) -> None:
    """Check a trial: it loads, its references and those of its published figures exist, its drugs are registered.

    Raises
    ------
    InputError
        Naming file, line and field where it cannot be read.
    AssertionError
        Where it has no arm or no drug.
    """
    from immunescape.model.registry import get_drug
    from immunescape.trial.spec import load_trial

    trial = load_trial(name)
    references = load_references()
    for key in trial.references:
        get_reference(key, references, where=trial.file or trial.name)
    if trial.published is not None:
        for key in dict.fromkeys(trial.published.sources.values()):
            get_reference(key, references, where=f"{trial.file or trial.name}, published.sources")
    require(trial.arms, f"the trial '{trial.name}' has no arm")
    for drug in trial.drugs:
        get_drug(drug, where=trial.file or trial.name)
    require(trial.drugs, f"no arm of the trial '{trial.name}' is given a drug")


def check_design(name: str | Path) -> None:
    """Check a design: it loads, and every field goes with the others.

    Raises
    ------
    InputError
        Naming file, line and field where it does not.
    """
    from immunescape.trial.design.loading import load_design

    design = load_design(name)
    require(design.scenarios, f"the design '{name}' has no scenario")


def check_claims(file: Path) -> None:
    """Check a chapter of claims: it can be read, and mechanisms, parameters and what is observed exist in the model.

    Raises
    ------
    InputError
        Naming file, line and claim where it cannot be read.
    AssertionError
        For a name that the model does not have.
    """
    from immunescape.knowledge.claim_records import read_claims
    from immunescape.model import Model
    from immunescape.model.registry import drugs

    path = Path(file)
    claims = read_claims(str(path), path.read_text(encoding="utf-8"))
    require(claims, f"{path}: no claim")
    model = Model.build(drugs=list(drugs()), check_units=False)
    parts = {m.name for m in (*model.mechanisms, *model.drugs)}
    events = {"response", "best_response", "progression", "ever_progressed", "relapse"}
    values = {*model.states, *model.quantities, *events}
    for claim in claims:
        where = f"{path}, claim '{claim.id}'"
        for name in claim.mechanism:
            require(name in parts, f"{where}: there is no mechanism or drug '{name}'")
        for setting in (claim.background, claim.change, claim.against):
            for name in setting.set:
                require(name in model.parameters, f"{where}: there is no parameter '{name}'")
        for word in (claim.observe, claim.with_value):
            observed = word.removeprefix("change:").removeprefix("best:")
            require(not observed or observed in values, f"{where}: there is no state or quantity '{observed}'")
