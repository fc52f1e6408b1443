"""What a design file may not hold although each of its fields is valid: fields that would be ignored, or contradict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from immunescape.design.boundaries import PARAMETER_FAMILIES
from immunescape.design.kinds import plugin_kinds
from immunescape.errors import InputError

__all__ = ["check_file", "check_test", "check_truth_entry"]

FIELD_KINDS: dict[str, tuple[str, ...]] = {
    "looks": ("group-sequential", "multi-arm", "enrichment", "bayesian", "bop2"),
    "boundaries": ("group-sequential", "multi-arm", "enrichment", "platform"),
    "stop_when": ("group-sequential", "multi-arm"),
    "endpoint": ("multi-arm", "enrichment", "platform"),
    "test": ("multi-arm", "enrichment", "platform"),
    "hypotheses": ("group-sequential",),
    "reestimation": ("group-sequential",),
    "early_futility": ("group-sequential",),
    "selection": ("multi-arm",),
    "enrichment": ("enrichment",),
    "bayesian": ("bayesian",),
    "platform": ("platform",),
    "two_stage": ("two-stage",),
    "bop2": ("bop2",),
    "dose_finding": ("dose-finding",),
}
"""Kinds of design that read a field of the file; in any other it would be ignored."""
ONE_ARMED = ("two-stage", "bop2", "dose-finding")
"""Kinds without a control."""
ARM_FIELDS = ("opens", "closes", "strata", "patients", "looks", "futility")
"""Fields of an arm that platforms alone read."""
TEST_FIELDS = {
    "rho": ("fleming-harrington",),
    "gamma": ("fleming-harrington",),
    "months": ("modestly-weighted", "rmst", "milestone"),
    "stratified": ("log-rank",),
    "margin": ("log-rank",),
}
POSSIBLE = {"median": (0.05, 10_000.0), "hazards": (1e-5, 20.0), "hazard_ratio": (0.01, 100.0)}
"""What a truth entry may give: from a day to centuries; beyond it numbers overflow, or a unit was mistaken."""
TRUTH_FIELDS = {
    "changes": ("hazards",),
    "cured": ("median", "hazards", "hazard_ratio"),
    "delay": ("hazard_ratio",),
}
"""Fields of a truth entry, and the fields one of which each of them goes with."""


def check_file(source: Any, block: Any) -> None:
    """Refuse fields that the kind of design ignores, duplicates, and blocks that contradict each other.

    Raises
    ------
    InputError
        Naming file, line and field.
    """

    def refuse(message: str, *path: str | int, hint: str | None = None) -> None:
        raise InputError(message, where=source.where(path), hint=hint)

    kind = block.kind
    extra = plugin_kinds()
    if "options" in block.model_fields_set and kind not in extra:
        refuse(f"field 'options' is read in kinds of designs that plug-ins bring, this design is '{kind}'", "options")
    for name, shipped in FIELD_KINDS.items():
        kinds = (*shipped, *(k for k, record in extra.items() if name in record.reads))
        if name in block.model_fields_set and kind not in kinds:
            refuse(
                f"field '{name}' is not read in a '{kind}' design; it belongs to a '{kinds[0]}' design"
                if len(kinds) == 1
                else f"field '{name}' is not read in a '{kind}' design, only in: {', '.join(kinds)}",
                name, hint="Remove it, or choose the other kind.",
            )  # fmt: skip
    for k, arm in enumerate(block.arms):
        for name in ARM_FIELDS:
            if name in arm.model_fields_set and kind != "platform":
                refuse(f"field '{name}' of an arm is read in a platform only, this design is '{kind}'", "arms", k, name)
            if name in arm.model_fields_set and arm.role == "control":
                refuse(f"field '{name}' has no meaning for the control arm", "arms", k, name)
    controls = sum(arm.role == "control" for arm in block.arms)
    if kind not in (*ONE_ARMED, *(k for k, record in extra.items() if record.one_arm)) and controls != 1:
        refuse(f"a '{kind}' design has one control arm, this file has {controls}", "arms", hint="Set 'role'.")
    _refuse_duplicates(source, [s.name for s in block.strata], "stratum", "strata")
    _refuse_duplicates(source, [s.name for s in block.scenarios], "scenario", "scenarios")
    _refuse_duplicates(source, [a.name for a in block.arms], "arm", "arms")
    _refuse_duplicates(source, [h.name for h in block.hypotheses], "hypothesis", "hypotheses")
    _refuse_duplicates(source, list(block.endpoints), "endpoint", "endpoints")
    if block.enrichment is not None:
        populations = block.enrichment.populations
        _refuse_duplicates(source, [p.name for p in populations], "population", "enrichment", "populations")
        for k, population in enumerate(populations):
            if any(set(population.strata) == set(p.strata) for p in populations[:k]):
                refuse(
                    f"population '{population.name}' has the strata of another one",
                    "enrichment", "populations", k, hint="Remove one of the two.",
                )  # fmt: skip
    _refuse_repeated_strata(source, block)
    for k, scenario in enumerate(block.scenarios):
        if scenario.name != "null" and scenario.name.strip().casefold() == "null":
            refuse(
                f"a scenario is called '{scenario.name}': the null is written 'null', and is added by itself",
                "scenarios", k, hint="Remove this scenario, or give it another name if its arms differ.",
            )  # fmt: skip
    pooled = [s.pool is not None for s in block.scenarios]
    for k, stratum in enumerate(block.strata):
        if not any(pooled) and {"covariate", "range"} & stratum.model_fields_set:
            refuse("a covariate and its range define strata of a virtual population; no scenario has one", "strata", k)
        if all(pooled) and stratum.share is not None:
            refuse("the share of a stratum comes from the virtual population", "strata", k, "share")
    for name, endpoint in block.endpoints.items():
        unread = "visits_every" if endpoint.kind == "response" else "months"
        if unread in endpoint.model_fields_set:
            refuse(
                f"field '{unread}' has no meaning for an endpoint of kind {endpoint.kind}", "endpoints", name, unread
            )
        if endpoint.competing is None and "precluded" in endpoint.model_fields_set:
            refuse("'precluded' goes with 'competing'", "endpoints", name, "precluded")
    for k, look in enumerate(block.looks):
        if look.follow_up and look.patients is None:
            refuse("'follow_up' goes with a look set by patients", "looks", k, "follow_up")
        if look.endpoint is not None and look.events is None:
            refuse("'endpoint' goes with a look set by events", "looks", k, "endpoint")
        if look.strata and kind != "group-sequential":
            refuse("'strata' of a look are read in a group-sequential design only", "looks", k, "strata")
    b = block.boundaries
    _check_parameter(source, b, ("boundaries",))
    if b.beta_spending is not None:
        _check_parameter(source, b.beta_spending, ("boundaries", "beta_spending"))
    if kind == "dose-finding" and block.dose_finding is not None:
        most = block.dose_finding.cohort * block.dose_finding.cohorts
        if block.patients < most:
            refuse(
                f"{block.dose_finding.cohorts} cohorts of {block.dose_finding.cohort} are up to {most} patients, the "
                f"file has {block.patients}",
                "patients", hint="Raise 'patients', or give fewer cohorts.",
            )  # fmt: skip
    if kind in ("two-stage", "bop2") and block.alpha is None:
        refuse(f"a '{kind}' design needs alpha", "alpha", hint="Such as alpha: 0.05.")
    if kind == "bop2":
        for k, look in enumerate(block.looks):
            if look.patients is None:
                refuse("looks of a BOP2 design are set by patients", "looks", k, hint="For example {patients: 20}.")
    if block.selection is not None:
        _check_selection(block.selection, refuse)
    if block.enrichment is not None:
        _check_enrichment(block, refuse)
    if kind == "bayesian" and block.bayesian is not None:
        y = block.bayesian
        if not y.adaptive and {"power", "floor"} & y.model_fields_set:
            refuse("'power' and 'floor' are read where 'adaptive' is true", "bayesian")
        if y.threshold is not None and "calibration" in y.model_fields_set:
            refuse("'calibration' is read where no threshold is given", "bayesian", "calibration")
    for k, scenario in enumerate(block.scenarios):
        _check_scenario(source, scenario, k)
    scored = all(s.prognostic_score is not None for s in block.scenarios)
    adjusted = any(test.name == "adjusted-log-rank" for _, test in _tests(block))
    for k, scenario in enumerate(block.scenarios):
        if scenario.prognostic_score is not None and not adjusted:
            refuse(
                "a prognostic score is read by the test 'adjusted-log-rank' alone, which no hypothesis uses: it would "
                "be ignored",
                "scenarios", k, "prognostic_score",
            )  # fmt: skip
    for path, test in _tests(block):
        if test.name == "adjusted-log-rank" and (path[0] != "hypotheses" or not scored):
            refuse(
                "the adjusted log-rank test is offered for the hypotheses of a group-sequential design in which every "
                "scenario has a 'prognostic_score'",
                *path,
            )
        check_test(source, test, path, strata=bool(block.strata))


def _check_selection(selection: Any, refuse: Callable[..., None]) -> None:
    """Refuse fields that the rule of selection ignores, and a rule without its bound."""
    given = selection.model_fields_set
    if selection.rule != "best" and "keep" in given:
        refuse("'keep' goes with the rule 'best': it would be ignored", "selection", "keep")
    if selection.rule == "all" and selection.bound is not None:
        refuse("'bound' goes with the rules 'best' and 'promising': it would be ignored", "selection", "bound")
    if selection.rule == "promising" and selection.bound is None:
        refuse("the rule 'promising' needs its 'bound' on Z", "selection", hint="Such as bound: 0.5.")


def _check_enrichment(block: Any, refuse: Callable[..., None]) -> None:
    """Refuse fields that the choice of a population ignores, and a bound that it cannot have."""
    e = block.enrichment
    if e.choose == "best" and "bound" in e.model_fields_set:
        refuse("'bound' goes with threshold and conditional-power: it would be ignored", "enrichment", "bound")
    if e.choose == "conditional-power" and not 0 < e.bound < 1:
        refuse(
            f"a bound on conditional power lies between 0 and 1, not {e.bound:g}", "enrichment", "bound",
            hint="Such as 0.3.",
        )  # fmt: skip
    if e.decide_on is None and "first_follow_up" in e.model_fields_set:
        refuse("'first_follow_up' goes with 'decide_on': it would be ignored", "enrichment", "first_follow_up")
    if e.decide_on is not None and e.decide_on == block.endpoint:
        refuse("'decide_on' names the endpoint that is tested", "enrichment", "decide_on", hint="Leave it out.")


def _refuse_repeated_strata(source: Any, block: Any) -> None:
    """Refuse a stratum that is named twice in one list: its patients would count twice."""
    lists: list[tuple[tuple[str | int, ...], list[str]]] = []
    for field in ("looks", "hypotheses", "arms"):
        lists += [((field, k, "strata"), entry.strata) for k, entry in enumerate(getattr(block, field))]
    if block.enrichment is not None:
        lists += [
            (("enrichment", "populations", k, "strata"), p.strata) for k, p in enumerate(block.enrichment.populations)
        ]
    for path, names in lists:
        for name, count in Counter(names).items():
            if count > 1:
                raise InputError(
                    f"the stratum '{name}' is named twice", where=source.where(path), hint="Name each stratum once."
                )


def _refuse_duplicates(source: Any, names: list[str], what: str, *field: str) -> None:
    plain = [name.strip().casefold() for name in names]
    for k, name in enumerate(names):
        if plain[k] in plain[:k]:
            raise InputError(
                f"{what} '{name.strip()}' is given twice (names that differ in case or spaces only are one name)"
                if name not in names[:k]
                else f"{what} '{name}' is given twice",
                where=source.where((*field, name if field == ("endpoints",) else k)),
                hint="Give each a name of its own.",
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
            "a virtual population brings the correlation of its endpoints",
            where=source.where(("scenarios", k, "correlation")), hint="Remove 'correlation'.",
        )  # fmt: skip
    keys = [(e.endpoint, e.arm, e.stratum) for e in scenario.truth]
    for j, key in enumerate(keys):
        if Counter(keys[:j])[key]:
            endpoint, arm, stratum = key
            raise InputError(
                f"the truth of '{endpoint}' in arm '{arm or 'every arm'}', stratum '{stratum or 'every stratum'}' is "
                "given twice",
                where=source.where(("scenarios", k, "truth", j)), hint="Remove one of the two entries.",
            )  # fmt: skip
    for j, entry in enumerate(scenario.truth):
        check_truth_entry(entry, source.where(("scenarios", k, "truth", j)))


def check_truth_entry(entry: Any, where: str) -> None:
    """Refuse fields of a truth entry that what it gives does not use."""
    given = [n for n in ("median", "hazards", "hazard_ratio", "rate") if getattr(entry, n) is not None]
    for name, (low, high) in POSSIBLE.items():
        value = getattr(entry, name)
        for number in value if isinstance(value, list) else [value]:
            # a hazard of 0 is a time without events
            if number is not None and not (low <= number <= high or (name == "hazards" and number <= 0)):
                raise InputError(
                    f"'{name}' of {number:g} is none that patients can have: {low:g} to {high:g} are taken",
                    where=where,
                    hint="Medians are months, hazards are per month.",
                )
    for name, partners in TRUTH_FIELDS.items():
        if name in entry.model_fields_set and not set(given) & set(partners):
            raise InputError(
                f"'{name}' goes with {' or '.join(partners)}, not with {' or '.join(given) or 'nothing'}: it would be "
                "ignored",
                where=where,
                hint="A delayed effect is hazard_ratio with delay." if name == "delay" else None,
            )  # fmt: skip


def _tests(block: Any) -> list[tuple[tuple[str | int, ...], Any]]:
    tests: list[tuple[tuple[str | int, ...], Any]] = [(("test",), block.test)]
    tests += [(("hypotheses", k, "test"), h.test) for k, h in enumerate(block.hypotheses)]
    if block.early_futility is not None:
        tests.append((("early_futility", "test"), block.early_futility.test))
    if block.enrichment is not None:
        tests.append((("enrichment", "decide_test"), block.enrichment.decide_test))
        if block.enrichment.decide_on is None and "decide_test" in block.enrichment.model_fields_set:
            tests[-1] = (("enrichment", "decide_test", "unread"), block.enrichment.decide_test)
    return tests


def check_test(source: Any, test: Any, path: tuple[str | int, ...], *, strata: bool) -> None:
    """Refuse fields of a test that it does not use, and a stratified test without strata."""
    if path[-1] == "unread":
        raise InputError("'decide_test' is read where 'decide_on' names an endpoint", where=source.where(path))
    for name, tests in TEST_FIELDS.items():
        if name in test.model_fields_set and test.name not in tests and getattr(test, name):
            raise InputError(
                f"'{name}' goes with the test {' or '.join(tests)}, not with {test.name}: it would be ignored",
                where=source.where((*path, name)),
            )
    if test.stratified and not strata:
        raise InputError("a stratified test needs strata", where=source.where((*path, "stratified")))
