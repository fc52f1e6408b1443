"""Names that the shell completes: trials, designs, drugs, mechanisms, claims, engines, covariates."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = [
    "ablatable_list",
    "claims",
    "covariates",
    "designs",
    "drug_list",
    "engines",
    "mechanism_list",
    "parameters",
    "regions",
    "things",
    "trial_files",
    "trial_list",
    "trials",
]


def _last_of_list(names: Iterable[str], incomplete: str) -> list[str]:
    """Completions of the last name of a comma-separated list; preceding names are kept and not offered again."""
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


def ablatable_list(incomplete: str) -> list[str]:
    """Mechanisms that can be switched off, separated by commas, or by plus signs to switch them off together."""
    from immunescape.evaluation.ablation import TOGETHER, ablatable

    before, comma, last = incomplete.rpartition(",")
    group, plus, name = last.strip().rpartition(TOGETHER)
    given = set(group.split(TOGETHER)) if plus else {n.strip() for n in before.split(",")}
    offered = [n for n in _starting(ablatable(), name) if n not in given]
    return [f"{before}{comma}{group}{plus}{n}" for n in offered]


def trial_list(incomplete: str) -> list[str]:
    """Included trials, separated by commas."""
    from immunescape.trial.loading import list_trials

    return _last_of_list(list_trials(), incomplete)


def trial_files(incomplete: str) -> list[str]:
    """Included trials, and YAML files and folders with the same beginning."""
    from pathlib import Path

    folder, slash, start = incomplete.rpartition("/")
    try:
        inside = list(Path((folder or "/") if slash else ".").expanduser().iterdir())
    except OSError:
        inside = []
    shown = [p for p in inside if p.name.startswith(start) and (start or not p.name.startswith("."))]
    names = [f"{p.name}/" if p.is_dir() else p.name for p in shown if p.is_dir() or p.suffix in (".yaml", ".yml")]
    return trials(incomplete) + sorted(f"{folder}{slash}{name}" for name in names)


def regions(incomplete: str) -> list[str]:
    """Regions of the population."""
    from immunescape.trial.covariates import REGIONS

    return _starting(REGIONS, incomplete)


def parameters(incomplete: str) -> list[str]:
    """Parameters of the model, ready for a value."""
    from immunescape.api.model_names import parameter_names

    return _starting((f"{name}=" for name in parameter_names()), incomplete)


def _starting(candidates: Iterable[str], incomplete: str) -> list[str]:
    return sorted(w for w in candidates if w.startswith(incomplete))


def trials(incomplete: str) -> list[str]:
    """Included trials."""
    from immunescape.trial.loading import list_trials

    return _starting(list_trials(), incomplete)


def designs(incomplete: str) -> list[str]:
    """Included designs."""
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
