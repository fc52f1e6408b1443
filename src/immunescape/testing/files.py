"""Checks of trials, designs and claims: that they can be read, and name what exists."""

from __future__ import annotations

from pathlib import Path

from immunescape.errors import InputError
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
    from immunescape.trial.loading import load_trial

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


def check_design(name: str | Path, *, trials: int = 0) -> None:
    """Check a design: it loads, every field goes with the others, and its references exist.

    Parameters
    ----------
    name
        Name of a design, or its file.
    trials
        Trials that are simulated under each scenario and the null. Their type I error is then at most alpha, and where
        the plan computes ``alpha`` and ``power`` by formula, the simulation agrees within four standard errors.

    Raises
    ------
    InputError
        Naming file, line and field where it does not load.
    AssertionError
        Where the level is not held, or formula and simulation disagree.
    """
    from immunescape.design.loading import load_design
    from immunescape.design.simulation import simulate

    design = load_design(name)
    references = load_references()
    for key in design.references:
        if key.replace("_", "").isalnum():  # others are free text
            get_reference(key, references, where=design.file or str(name))
    plan = design.rule.plan(design)
    require(isinstance(plan, dict), f"the rule of '{name}' plans {type(plan).__name__}, not a dictionary")
    require(design.rule.hypotheses(design), f"the rule of '{name}' tests nothing")
    if not trials:
        return
    result = simulate(design, trials, 1)
    again = simulate(design, min(trials, 100), 1)
    shares = {scenario: float(result.reject(scenario).value or 0.0) for scenario in result.scenarios}
    for scenario, outcome in again.outcomes.items():
        first = result.outcomes[scenario].rejected[: len(outcome.rejected)]
        require((outcome.rejected == first).all(), f"'{name}' decides otherwise with the same seed ({scenario})")
    error = result.type_one_error
    if error is not None and error.value is not None and design.alpha is not None:
        spread = (design.alpha * (1.0 - design.alpha) / trials) ** 0.5
        require(
            error.value <= design.alpha + 4.0 * spread,
            f"the type I error of '{name}' is {error.value:.3f}, above its alpha of {design.alpha:g}",
        )
    for quantity, scenario in (("alpha", "null"), ("power", next(s for s in (*shares, "") if s != "null"))):
        value = plan.get(quantity)
        if isinstance(value, float) and len(shares) == 2 and scenario in shares:
            spread = (value * (1.0 - value) / trials) ** 0.5
            require(
                abs(shares[scenario] - value) <= 4.0 * spread + 1e-9,
                f"the {quantity} of '{name}' is {value:.3f} by formula, {shares[scenario]:.3f} in {trials} trials",
            )


def check_claims(file: Path) -> None:
    """Check a chapter of claims: it can be read, and mechanisms, parameters and what is observed exist in the model.

    Raises
    ------
    InputError
        Naming the file that does not exist, or file, line and claim where it cannot be read.
    AssertionError
        For a name that the model does not have.
    """
    from immunescape.knowledge.claim_records import read_claims
    from immunescape.model import Model
    from immunescape.model.registry import drugs

    path = Path(file)
    if not path.is_file():
        raise InputError("no such file", where=str(path))
    claims = read_claims(str(path), path.read_text(encoding="utf-8"))
    require(claims, f"{path}: no claim")
    model = Model.build(drugs=list(drugs()), check_units=False)
    component_names = {m.name for m in (*model.mechanisms, *model.drugs)}
    events = {"response", "best_response", "progression", "ever_progressed", "relapse"}
    values = {*model.states, *model.quantities, *events}
    for claim in claims:
        where = f"{path}, claim '{claim.id}'"
        for name in claim.mechanism:
            require(name in component_names, f"{where}: there is no mechanism or drug '{name}'")
        for setting in (claim.background, claim.change, claim.against):
            for name in setting.set:
                require(name in model.parameters, f"{where}: there is no parameter '{name}'")
        for quantity in (claim.observe, claim.with_value):
            observed = quantity.removeprefix("change:").removeprefix("best:")
            require(not observed or observed in values, f"{where}: there is no state or quantity '{observed}'")
