"""Design files that are invalid although each field is valid: fields that would be ignored, or contradictions."""

from __future__ import annotations

from collections import Counter
from typing import Any

from immunescape.design.boundaries import PARAMETER_FAMILIES
from immunescape.design.kinds import (
    KINDS,
    SHARED,
    SHARED_BY_FEW,
    DesignKind,
    Located,
    Refuse,
    refuse_duplicates,
    refuse_repeated_strata,
)
from immunescape.errors import InputError

__all__ = ["check_file", "check_test", "check_truth_entry"]

TEST_FIELDS = {
    "rho": ("fleming-harrington",),
    "gamma": ("fleming-harrington",),
    "months": ("modestly-weighted", "rmst", "milestone"),
    "stratified": ("log-rank",),
    "margin": ("log-rank",),
}
POSSIBLE = {"median": (0.05, 10_000.0), "hazards": (1e-5, 20.0), "hazard_ratio": (0.01, 100.0)}
"""Permitted values of a truth entry: from a day to centuries; beyond, numbers overflow or a unit is wrong."""
TRUTH_FIELDS = {
    "changes": ("hazards",),
    "cured": ("median", "hazards", "hazard_ratio"),
    "delay": ("hazard_ratio",),
}
"""Fields of a truth entry, and the fields one of which each of them requires."""


def check_file(source: Any, block: Any) -> None:
    """Refuse fields that the kind of design ignores, duplicates, and blocks that contradict each other.

    Raises
    ------
    InputError
        Naming file, line and field.
    """

    def refuse(message: str, *path: str | int, hint: str | None = None) -> None:
        raise InputError(message, where=source.where(path), hint=hint)

    kind = KINDS.all()[block.kind]
    _refuse_misplaced(block, kind, refuse)
    _check_arms(block, kind, refuse)
    _check_names(block, refuse)
    _check_strata(block, refuse)
    _check_endpoints(block, refuse)
    _check_looks(block, kind, refuse)
    _check_parameter(source, block.boundaries, ("boundaries",))
    if block.boundaries.beta_spending is not None:
        _check_parameter(source, block.boundaries.beta_spending, ("boundaries", "beta_spending"))
    if kind.check is not None:
        kind.check(block, refuse)
    for k, scenario in enumerate(block.scenarios):
        _check_scenario(source, scenario, k)
    _check_prognostic_scores(block, kind, refuse)
    for path, test in _tests(block, kind):
        check_test(source, test, path, strata=bool(block.strata))


def _readers(field: str) -> str:
    """Kinds of designs that read a field, for a message."""
    return " or ".join(name for name, kind in KINDS.all().items() if field in kind.reads)


def _check_arms(block: Any, kind: DesignKind, refuse: Refuse) -> None:
    """Refuse fields of arms that the kind does not read, and any number of controls but one."""
    for k, arm in enumerate(block.arms):
        for name in (f for f in arm.model_fields_set if f"arms.{f}" in SHARED_BY_FEW):
            if f"arms.{name}" not in kind.reads:
                readers = _readers(f"arms.{name}")
                refuse(
                    f"field '{name}' of an arm is read in a {readers} only, this design is '{kind.name}'",
                    "arms",
                    k,
                    name,
                )
            if arm.role == "control":
                refuse(f"field '{name}' has no meaning for the control arm", "arms", k, name)
    controls = sum(arm.role == "control" for arm in block.arms)
    if not kind.one_arm and controls != 1:
        refuse(f"a '{kind.name}' design has one control arm, this file has {controls}", "arms", hint="Set 'role'.")


def _check_names(block: Any, refuse: Refuse) -> None:
    """Refuse names that stand twice, strata that are listed twice, and a null of the file's own."""
    refuse_duplicates(refuse, [s.name for s in block.strata], "stratum", "strata")
    refuse_duplicates(refuse, [s.name for s in block.scenarios], "scenario", "scenarios")
    refuse_duplicates(refuse, [a.name for a in block.arms], "arm", "arms")
    refuse_duplicates(refuse, [h.name for h in block.hypotheses], "hypothesis", "hypotheses")
    refuse_duplicates(refuse, list(block.endpoints), "endpoint", "endpoints")
    for field in ("looks", "hypotheses", "arms"):
        for k, entry in enumerate(getattr(block, field)):
            refuse_repeated_strata(refuse, entry.strata, field, k, "strata")
    for k, scenario in enumerate(block.scenarios):
        if scenario.name != "null" and scenario.name.strip().casefold() == "null":
            refuse(
                f"a scenario is called '{scenario.name}': the null is written 'null', and is added by itself",
                "scenarios",
                k,
                hint="Remove this scenario, or rename it if its arms differ.",
            )


def _check_strata(block: Any, refuse: Refuse) -> None:
    """Refuse what defines strata of a virtual population where there is none, and shares where there is one."""
    pooled = [s.pool is not None for s in block.scenarios]
    for k, stratum in enumerate(block.strata):
        if not any(pooled) and {"covariate", "range"} & stratum.model_fields_set:
            refuse("a covariate and its range define strata of a virtual population; no scenario has one", "strata", k)
        if all(pooled) and stratum.share is not None:
            refuse("the share of a stratum comes from the virtual population", "strata", k, "share")


def _check_endpoints(block: Any, refuse: Refuse) -> None:
    """Refuse fields that the kind of an endpoint does not have."""
    for name, endpoint in block.endpoints.items():
        unread = "visits_every" if endpoint.kind == "response" else "months"
        if unread in endpoint.model_fields_set:
            refuse(
                f"field '{unread}' has no meaning for an endpoint of kind {endpoint.kind}", "endpoints", name, unread
            )
        if endpoint.competing is None and "precluded" in endpoint.model_fields_set:
            refuse("'precluded' requires 'competing'", "endpoints", name, "precluded")


def _check_looks(block: Any, kind: DesignKind, refuse: Refuse) -> None:
    """Refuse fields of looks that go with another way to set them, or with another kind of design."""
    for k, look in enumerate(block.looks):
        if look.follow_up and look.patients is None:
            refuse("'follow_up' applies only to a look set by patients", "looks", k, "follow_up")
        if look.endpoint is not None and look.events is None:
            refuse("'endpoint' applies only to a look set by events", "looks", k, "endpoint")
        if look.strata and "looks.strata" not in kind.reads:
            refuse(f"'strata' of a look are read in a {_readers('looks.strata')} design only", "looks", k, "strata")


def _check_prognostic_scores(block: Any, kind: DesignKind, refuse: Refuse) -> None:
    """Refuse a prognostic score that no test reads, and a test that reads one where there is none."""
    adjusted = [path for path, test in _tests(block, kind) if test.name == "adjusted-log-rank"]
    for k, scenario in enumerate(block.scenarios):
        if scenario.prognostic_score is not None and not adjusted:
            refuse(
                "a prognostic score is used only by the test 'adjusted-log-rank', which no hypothesis uses: it would "
                "be ignored",
                "scenarios",
                k,
                "prognostic_score",
            )
    scored = all(s.prognostic_score is not None for s in block.scenarios)
    for path in adjusted:
        if path[0] != "hypotheses" or not scored:
            refuse(
                "the adjusted log-rank test is offered for the hypotheses of a group-sequential design in which every "
                "scenario has a 'prognostic_score'",
                *path,
            )


def _refuse_misplaced(block: Any, kind: DesignKind, refuse: Refuse) -> None:
    """Refuse fields that the kind of design does not read, and a file without the field that it needs."""
    kinds = KINDS.all()
    for other in kinds.values():
        message, hint = other.elsewhere
        if message and other.name != kind.name and getattr(block, other.needs) is not None:
            refuse(message.format(kind=kind.name), other.needs, hint=hint)
    if "options" in block.model_fields_set and kind.options is None:
        refuse(
            f"field 'options' is read in kinds of designs that plug-ins provide, this design is '{kind.name}'",
            "options",
        )
    for name in (*SHARED, *(f for other in kinds.values() for f in other.fields)):
        readers = [n for n, other in kinds.items() if name in other.reads or name in other.fields]
        if name in block.model_fields_set and kind.name not in readers:
            refuse(
                f"field '{name}' is not read in a '{kind.name}' design; it belongs to a '{readers[0]}' design"
                if len(readers) == 1
                else f"field '{name}' is not read in a '{kind.name}' design, only in: {', '.join(readers)}",
                name,
                hint="Remove it, or choose the other kind.",
            )


def _check_parameter(source: Any, block: Any, path: tuple[str | int, ...]) -> None:
    """Refuse a family without its parameter, or with one that it does not have."""
    given, needed = "parameter" in block.model_fields_set, block.family in PARAMETER_FAMILIES
    if given and not needed:
        raise InputError(f"the family '{block.family}' has no parameter", where=source.where((*path, "parameter")))
    if needed and not given:
        raise InputError(
            f"the family '{block.family}' needs its parameter",
            where=source.where(path),
            hint="Usual values: 0.25 for wang-tsiatis, -4 for hwang-shih-decani, 3 for power.",
        )


def _check_scenario(source: Any, scenario: Any, k: int) -> None:
    if scenario.pool is not None and scenario.correlation:
        raise InputError(
            "a virtual population determines the correlation of its endpoints",
            where=source.where(("scenarios", k, "correlation")),
            hint="Remove 'correlation'.",
        )
    keys = [(e.endpoint, e.arm, e.stratum) for e in scenario.truth]
    for j, key in enumerate(keys):
        if Counter(keys[:j])[key]:
            endpoint, arm, stratum = key
            raise InputError(
                f"the truth of '{endpoint}' in arm '{arm or 'every arm'}', stratum '{stratum or 'every stratum'}' is "
                "given twice",
                where=source.where(("scenarios", k, "truth", j)),
                hint="Remove one of the two entries.",
            )
    for j, entry in enumerate(scenario.truth):
        check_truth_entry(entry, source.where(("scenarios", k, "truth", j)))


def check_truth_entry(entry: Any, where: str) -> None:
    """Refuse fields of a truth entry that what it gives does not use."""
    given = [n for n in ("median", "hazards", "hazard_ratio", "rate") if getattr(entry, n) is not None]
    for name, (low, high) in POSSIBLE.items():
        value = getattr(entry, name)
        for number in value if isinstance(value, list) else [value]:
            # a hazard of 0 is a period without events
            if number is not None and not (low <= number <= high or (name == "hazards" and number <= 0)):
                raise InputError(
                    f"'{name}' of {number:g} is implausible: {low:g} to {high:g} are taken",
                    where=where,
                    hint="Medians are months, hazards are per month.",
                )
    for name, partners in TRUTH_FIELDS.items():
        if name in entry.model_fields_set and not set(given) & set(partners):
            raise InputError(
                f"'{name}' applies only with {' or '.join(partners)}, not with "
                f"{' or '.join(given) or 'nothing'}: it would be "
                "ignored",
                where=where,
                hint="A delayed effect is hazard_ratio with delay." if name == "delay" else None,
            )


def _tests(block: Any, kind: DesignKind) -> list[Located]:
    shared: list[Located] = [(("test",), block.test)]
    shared += [(("hypotheses", k, "test"), h.test) for k, h in enumerate(block.hypotheses)]
    return [*shared, *kind.tests(block)]


def check_test(source: Any, test: Any, path: tuple[str | int, ...], *, strata: bool) -> None:
    """Refuse fields of a test that it does not use, and a stratified test without strata."""
    for name, tests in TEST_FIELDS.items():
        if name in test.model_fields_set and test.name not in tests and getattr(test, name):
            raise InputError(
                f"'{name}' applies only to the test {' or '.join(tests)}, not to {test.name}: it would be ignored",
                where=source.where((*path, name)),
            )
    if test.stratified and not strata:
        raise InputError("a stratified test needs strata", where=source.where((*path, "stratified")))
