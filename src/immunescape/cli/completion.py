"""Names that the shell completes: trials, designs, drugs, mechanisms, claims, engines, covariates."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = [
    "claims",
    "covariates",
    "designs",
    "drug_list",
    "engines",
    "mechanism_list",
    "parameters",
    "things",
    "trials",
]


def _last_of_list(names: Iterable[str], incomplete: str) -> list[str]:
    """Completions of the last name of a comma-separated list; those before it stay, and are not offered again."""
    before, comma, last = incomplete.rpartition(",")
    given = {name.strip() for name in before.split(",")}
    return [f"{before}{comma}{name}" for name in _starting(names, last.strip()) if name not in given]


def drug_list(incomplete: str) -> list[str]:
    """Drugs, separated by commas."""
    from immunescape.model.registry import drugs

    return _last_of_list(drugs(), incomplete)


def mechanism_list(incomplete: str) -> list[str]:
    """Mechanisms, separated by commas."""
    from immunescape.model.registry import mechanisms

    return _last_of_list(mechanisms(), incomplete)


def parameters(incomplete: str) -> list[str]:
    """Parameters of the model, ready for a value."""
    from immunescape.api.model_names import parameter_names

    return _starting((f"{name}=" for name in parameter_names()), incomplete)


def _starting(candidates: Iterable[str], incomplete: str) -> list[str]:
    return sorted(w for w in candidates if w.startswith(incomplete))


def trials(incomplete: str) -> list[str]:
    """Trials that ship."""
    from immunescape.trial.loading import list_trials

    return _starting(list_trials(), incomplete)


def designs(incomplete: str) -> list[str]:
    """Designs that ship."""
    from immunescape.api.designs import designs_table

    return _starting((str(row["name"]) for row in designs_table()), incomplete)


def things(incomplete: str) -> list[str]:
    """Trials, drugs, mechanisms and biomarkers."""
    from immunescape.model.registry import drugs, mechanisms
    from immunescape.profile.biomarkers import biomarkers
    from immunescape.trial.loading import list_trials

    return _starting([*list_trials(), *drugs(), *mechanisms(), *biomarkers()], incomplete)


def claims(incomplete: str) -> list[str]:
    """Claims of the review."""
    from immunescape.knowledge.claim_records import load_claims

    return _starting((claim.id for claim in load_claims()), incomplete)


def engines(incomplete: str) -> list[str]:
    """Engines."""
    from immunescape.engine import engine_names

    return _starting(engine_names(), incomplete)


def covariates(incomplete: str) -> list[str]:
    """Covariates of a patient, ready for a value."""
    from immunescape.trial.covariates import COVARIATES

    return _starting((f"{name}=" for name in COVARIATES), incomplete)
