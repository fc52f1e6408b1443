"""Checks everything that an installed package adds."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from immunescape import plugins
from immunescape.testing.contract import require, require_cited, require_dosable, require_sourced

__all__ = ["check_plugin"]


def check_plugin(package: str, *, models: bool = True, engine: str = "auto") -> list[str]:
    """Check everything that an installed package adds; return what was checked.

    Parameters
    ----------
    package
        Name of the distribution, as pip knows it.
    models
        Whether mechanisms and drugs are compiled and integrated (minutes each); else their records alone are checked.
    engine
        Engine that integrates.

    Raises
    ------
    AssertionError
        Where a contract is not kept, the package is not installed, or it adds nothing.
    ImmunescapeError
        Where something cannot be loaded, or a name is taken.
    """
    from immunescape.design.kinds import plugin_kinds
    from immunescape.knowledge.references import load_references
    from immunescape.model.registry import drugs, mechanisms
    from immunescape.profile.readers import all_readers
    from immunescape.testing.files import check_claims, check_design, check_trial
    from immunescape.testing.mechanisms import check_drug, check_mechanism
    from immunescape.testing.profiles import check_biomarker

    try:
        points = [p for p in distribution(package).entry_points if p.group.startswith("immunescape.")]
    except PackageNotFoundError:
        raise AssertionError(f"no package '{package}' is installed") from None
    require(points, f"the package '{package}' has no entry point in a group of immunescape")
    load_references()
    registered = {**mechanisms(), **drugs()}
    checked: list[str] = []
    for group in plugins.OBJECT_GROUPS:
        for extra in plugins.contributions(group):
            if f"package '{package}'" not in extra.where:
                continue
            value = extra.value
            kind = group.removeprefix("immunescape.").removesuffix("s")
            if kind in ("mechanism", "drug"):
                record: Any = registered[value.name]
                check_model: Any = check_drug if kind == "drug" else check_mechanism
                if models:
                    check_model(record, engine=engine)
                require_sourced(record)
                require_cited(record)
                if kind == "drug":
                    require_dosable(record)
            elif kind == "biomarker":
                check_biomarker(value)
            elif kind == "design":
                require(value.name in plugin_kinds(), f"the kind of design of {extra.where} is not registered")
                checked.append(f"kind of design {value.name}")
                continue
            else:  # a reader needs a file: check_reader
                names = [r.name for r in all_readers().values() if r is value or r.function is value]
                require(names, f"the reader of {extra.where} is not registered")
                checked.append(f"reader {names[0]}")
                continue
            checked.append(f"{kind} {value.name}")
    for folder in plugins.data_folders():
        if f"package '{package}'" not in folder.where:
            continue
        for kind, check in (("trials", check_trial), ("designs", check_design), ("claims", check_claims)):
            for path in sorted((Path(folder.path) / kind).glob("*.yaml")):
                check(path)
                checked.append(f"{kind.removesuffix('s')} {path.stem}")
        checked += [f"table {t}" for t in plugins.TABLES if (folder.path / t).is_file()]
    return checked
