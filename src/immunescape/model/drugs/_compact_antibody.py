"""Antibodies of small size: serum with one or two compartments and, given under the skin, a depot; tissue quasi-steady.

Capillary exchange fills the tumour within two days, while antibodies stay for weeks. So the free concentration in the
tumour is the constant share ``kp_T`` of serum, whatever the tumour's size, and that in the draining nodes ``kp_LN``:
one to three states for an antibody in place of five (the factory `_antibody` integrates both).

A bispecific antibody has a half-blocking concentration for each target. Where one cell (or its partner in the synapse)
carries both targets, its first arm brings the second near: in the tumour, where lymphocytes are double-positive, each
half-blocking concentration is divided by ``avidity_<drug>``; in the node it is not.
"""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Drug, Modulation, Quantity, Reaction, State
from immunescape.model.drugs._titles import sentence_case, title_of

__all__ = ["compact_antibody"]

_POOLS = {
    "PD-1": ("pd1_antibody_T", "pd1_antibody_LN"),
    "PD-L1": ("pdl1_antibody_T", "pdl1_antibody_LN"),
    "CTLA-4": ("ctla4_antibody_T", "ctla4_antibody_LN"),
    "LAG-3": ("lag3_antibody_T", ""),
    "TIM-3": ("tim3_antibody_T", ""),
    "TIGIT": ("tigit_antibody_T", ""),
    "VEGF": ("vegf_blockade", ""),
    "TGF-beta": ("tgfb_receptor_inhibitor", ""),
}


def _word(target: str) -> str:
    return target.replace("-", "")


def compact_antibody(
    name: str,
    *,
    targets: tuple[str, ...],
    molar_mass: float,
    dose_units: tuple[str, ...],
    infusion_hours: float,
    synonyms: tuple[str, ...],
    references: tuple[str, ...],
    note: str,
    drug_class: str = "",
    peripheral: bool = False,
    subcutaneous: bool = False,
    bridges_lag3: bool = False,
    modulations: tuple[Modulation, ...] = (),
    requires: tuple[str, ...] = (),
) -> Drug:
    """Write the declaration of an antibody with few states.

    Parameters
    ----------
    name
        Lower-case name; the parameter table is ``<name>.csv`` and every parameter ends in ``_<name>``: ``molar_mass``,
        ``cl`` (serum clearance), ``v`` (volume), ``kp_T``, ``kp_LN``, ``kd_<target>`` for each target, ``avidity``
        with two targets, ``q`` and ``v2`` with `peripheral`, ``ka`` and ``f`` with `subcutaneous`.
    targets
        One or two of PD-1, PD-L1, CTLA-4, LAG-3, TIM-3, TIGIT, VEGF, TGF-beta, which have pools, or any other that
        `modulations` act on through ``occupancy_<target>_<name>``.
    bridges_lag3
        The antibody holds LAG-3 and PD-L1 at once and strips LAG-3 off the surface.
    molar_mass, dose_units, infusion_hours, synonyms, references, note, drug_class, modulations, requires
        As in `Drug`; `note` says where the kinetics come from.
    peripheral, subcutaneous
        Adds a state, ``<name>_P`` or the depot ``<name>_D``.
    """
    d, central = name, f"{name}_C"
    serum = f"{central} / v_{d}"
    states = [State(central, "nanomole", "central", f"{d} in serum")]
    reactions = [Reaction(f"{d}_elimination", f"cl_{d} * {serum}", f"Clearance of {d}", {central: 1})]
    dosed = central
    if peripheral:
        states.append(State(f"{d}_P", "nanomole", "peripheral", f"{d} in peripheral tissue"))
        flow = f"q_{d} * ({serum} - {d}_P / v2_{d})"
        reactions.append(Reaction(f"{d}_distribution", flow, "Exchange with tissue", {central: 1}, {f"{d}_P": 1}))
    if subcutaneous:
        dosed = f"{d}_D"
        states.append(State(dosed, "nanomole", "peripheral", f"{d} under the skin"))
        reactions += [
            Reaction(f"{d}_absorption", f"f_{d} * ka_{d} * {dosed}", "Absorption", {dosed: 1}, {central: 1}),
            Reaction(f"{d}_presystemic_loss", f"(1 - f_{d}) * ka_{d} * {dosed}", "Lost before serum", {dosed: 1}),
        ]
    quantities = [
        Quantity(
            f"conc_{d}", f"{serum} * molar_mass_{d}", "microgram/milliliter", f"Serum concentration of {d}",
            observable=True,
        ),
        Quantity(f"free_T_{d}", f"kp_T_{d} * {serum}", "nanomole/liter", f"Free concentration of {d} in the tumour"),
        Quantity(f"free_LN_{d}", f"kp_LN_{d} * {serum}", "nanomole/liter", f"Free concentration of {d} in the nodes"),
    ]  # fmt: skip
    contributions = []
    together = f"avidity_{d} * " if len(targets) > 1 else ""
    for target in targets:
        word = _word(target)
        local = "" if target == "VEGF" else together
        ratio = f"{local}free_T_{d} / kd_{word}_{d}"
        quantities.append(
            Quantity(
                f"occupancy_{word}_{d}",
                f"{local}free_T_{d} / ({local}free_T_{d} + kd_{word}_{d})",
                "dimensionless",
                f"Share of {target} in the tumour that {d} would hold without competition",
                observable=True,
            )
        )
        tumour, node = _POOLS.get(target, ("", ""))
        if bridges_lag3 and target == "LAG-3":
            tumour = "lag3_bridge_T"
        if tumour:
            contributions.append(Contribution(tumour, ratio))
        if node:
            contributions.append(Contribution(node, f"free_LN_{d} / kd_{word}_{d}"))
    kind = "bispecific antibody" if len(targets) > 1 else "antibody"
    return Drug(
        name=d,
        title=title_of(d),
        summary=f"{sentence_case(kind)} against {' and '.join(targets)}. {note}",
        references=references,
        parameters=f"{d}.csv",
        requires=tuple(dict.fromkeys(("body", "tumour_growth", *requires))),
        states=tuple(states),
        reactions=tuple(reactions),
        quantities=tuple(quantities),
        contributions=tuple(contributions),
        modulations=modulations,
        drug_class=drug_class or f"anti-{' x '.join(targets)} antibody",
        targets=targets,
        dose_state=dosed,
        molar_mass=molar_mass,
        dose_units=dose_units,
        route="sc" if subcutaneous else "iv",
        infusion_hours=0.0 if subcutaneous else infusion_hours,
        synonyms=synonyms,
    )
