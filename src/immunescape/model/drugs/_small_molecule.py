"""Small molecules: oral or intravenous kinetics, free concentration in the tumour, occupancy of each target.

Amounts are in nanomole, volumes the drug's own. An oral dose enters a depot and is absorbed with rate ``ka``; where
only apparent values (CL/F, V/F) are published, they stand in the table and the bioavailability is 1. Disposition has
one compartment, or two. Distribution into tissue takes minutes to hours, so the free concentration in the tumour is
quasi-steady: the unbound fraction ``fu`` in plasma times the unbound tumour-to-plasma ratio ``kp``. Drugs that bind
covalently, or whose effect otherwise outlasts plasma exposure, act through an effect compartment that follows plasma
with rate ``k_e0``.

Of a target with half-inhibiting concentration ``ic50``, the drug occupies the share ``ratio / (1 + ratio)`` with
``ratio = free concentration / ic50`` (``occupancy_<drug>``; with several targets ``occupancy_<target>_<drug>``). A drug
file passes the ratios to a pool of the mechanism on which the drug acts, where the inhibitors of one target add up and
share one saturation, or uses them in modulations.
"""

from __future__ import annotations

from typing import Literal

from immunescape.model.declarations import Contribution, Drug, Modulation, Pool, Quantity, Reaction, State
from immunescape.model.drugs._titles import sentence_case

__all__ = ["small_molecule"]


def small_molecule(
    name: str,
    *,
    title: str,
    drug_class: str,
    targets: tuple[str, ...],
    molar_mass: float,
    synonyms: tuple[str, ...],
    references: tuple[str, ...],
    note: str,
    dose_units: tuple[str, ...] = ("mg",),
    route: Literal["oral", "iv"] = "oral",
    infusion_hours: float = 0.0,
    peripheral: bool = False,
    bioavailability: bool = False,
    effect_compartment: bool = False,
    potencies: tuple[str, ...] = ("",),
    contributions: tuple[Contribution, ...] = (),
    modulations: tuple[Modulation, ...] = (),
    quantities: tuple[Quantity, ...] = (),
    pools: tuple[Pool, ...] = (),
    requires: tuple[str, ...] = (),
) -> Drug:
    """Write the declaration of a small molecule.

    Parameters
    ----------
    name
        Lower-case name; the parameter table is ``<name>.csv`` and every parameter ends in ``_<name>``: ``molar_mass``,
        ``cl`` (plasma clearance), ``v`` (volume), ``fu``, ``kp``, ``ic50`` and what the options below need.
    title, drug_class, targets, molar_mass, synonyms, references, note, dose_units, infusion_hours
        As in `Drug`; `note` says where the kinetics come from.
    route
        ``oral`` adds the state ``<name>_D`` (needs ``ka``); ``iv`` doses plasma, ``<name>_C``.
    peripheral
        A second compartment, ``<name>_P`` (needs ``q``, ``v2``).
    bioavailability
        Only a share ``f_oral`` of an oral dose reaches plasma.
    effect_compartment
        An amount ``<name>_E`` on the central volume follows plasma with ``k_e0`` and acts in place of it.
    potencies
        One tag per target with its own concentration ``ic50_<tag>_<name>``; ``""`` is ``ic50_<name>``.
    contributions, modulations, quantities, pools, requires
        The effects of the drug, written with ``ratio_<name>`` or ``ratio_<tag>_<name>``.

    Returns
    -------
    Drug
        With the observables ``conc_<name>`` (total in plasma) and ``occupancy_<name>``.
    """
    d = name
    acting = f"{d}_E" if effect_compartment else f"{d}_C"
    amounts, flows = _disposition(
        d,
        title,
        oral=route == "oral",
        peripheral=peripheral,
        bioavailability=bioavailability,
        effect=effect_compartment,
    )
    measures = [*_concentrations(d, acting), *(q for target in potencies for q in _inhibition(d, target))]
    return Drug(
        name=d,
        title=title,
        summary=f"{sentence_case(drug_class)}. {note}",
        references=references,
        parameters=f"{d}.csv",
        requires=tuple(dict.fromkeys(("body", *requires))),
        states=tuple(amounts),
        reactions=tuple(flows),
        quantities=(*measures, *quantities),
        pools=pools,
        contributions=contributions,
        modulations=modulations,
        drug_class=drug_class,
        targets=targets,
        dose_state=f"{d}_D" if route == "oral" else f"{d}_C",
        molar_mass=molar_mass,
        dose_units=dose_units,
        route=route,
        infusion_hours=infusion_hours if route == "iv" else 0.0,
        synonyms=synonyms,
    )


def _disposition(
    d: str, title: str, *, oral: bool, peripheral: bool, bioavailability: bool, effect: bool
) -> tuple[list[State], list[Reaction]]:
    """Amounts and flows: plasma and, optionally, the gut, peripheral tissue and the effect compartment."""
    central = f"{d}_C"
    states = [State(central, "nanomole", "central", f"{title} in plasma")]
    reactions = [Reaction(f"{d}_elimination", f"cl_{d} * {_plasma(d)}", f"Elimination of {d}", {central: 1})]
    if oral:
        states.append(State(f"{d}_D", "nanomole", "central", f"{title} in the gut, not yet absorbed"))
        reactions += _absorption(d, title, bioavailability)
    if peripheral:
        states.append(State(f"{d}_P", "nanomole", "peripheral", f"{title} in peripheral tissue"))
        reactions.append(_distribution(d))
    if effect:
        states.append(State(f"{d}_E", "nanomole", "central", f"{title} at its site of action (effect compartment)"))
        reactions += _effect(d)
    return states, reactions


def _plasma(d: str) -> str:
    """Concentration in plasma."""
    return f"{d}_C / v_{d}"


def _absorption(d: str, title: str, bioavailability: bool) -> list[Reaction]:
    """Absorption from the gut into plasma; with `bioavailability` a share is lost."""
    dosed, central = f"{d}_D", f"{d}_C"
    share = f"f_oral_{d} * " if bioavailability else ""
    absorbed = Reaction(f"{d}_absorption", f"{share}ka_{d} * {dosed}", f"Absorption of {d}", {dosed: 1}, {central: 1})
    if not bioavailability:
        return [absorbed]
    return [
        absorbed,
        Reaction(f"{d}_loss", f"(1 - f_oral_{d}) * ka_{d} * {dosed}", f"{title} not absorbed", {dosed: 1}),
    ]


def _distribution(d: str) -> Reaction:
    """Exchange with peripheral tissue."""
    outer = f"{d}_P"
    return Reaction(
        f"{d}_distribution",
        f"q_{d} * ({_plasma(d)} - {outer} / v2_{d})",
        f"Exchange of {d} between plasma and peripheral tissue",
        {f"{d}_C": 1},
        {outer: 1},
    )


def _effect(d: str) -> list[Reaction]:
    """The effect compartment follows plasma and decays."""
    central, acting = f"{d}_C", f"{d}_E"
    return [
        Reaction(f"{d}_uptake", f"k_e0_{d} * {central}", f"The effect of {d} follows plasma", {}, {acting: 1}),
        Reaction(f"{d}_release", f"k_e0_{d} * {acting}", f"The effect of {d} fades", {acting: 1}),
    ]


def _concentrations(d: str, acting: str) -> list[Quantity]:
    """Total concentration in plasma, and free concentration in the tumour of the acting amount."""
    return [
        Quantity(
            f"conc_{d}",
            f"{_plasma(d)} * molar_mass_{d}",
            "microgram/milliliter",
            f"Plasma concentration of {d}, bound and free",
            observable=True,
        ),
        Quantity(
            f"free_T_{d}",
            f"kp_{d} * fu_{d} * {acting} / v_{d}",
            "nanomole/liter",
            f"Free concentration of {d} in the tumour",
        ),
    ]


def _inhibition(d: str, target: str) -> list[Quantity]:
    """Free concentration relative to the half-inhibiting one of a target, and the inhibited share."""
    tag = f"{target}_{d}" if target else d
    what = f" of {target}" if target else ""
    return [
        Quantity(
            f"ratio_{tag}",
            f"free_T_{d} / ic50_{tag}",
            "dimensionless",
            f"Free {d} in the tumour / concentration that half inhibits its target{what}",
        ),
        Quantity(
            f"occupancy_{tag}",
            f"ratio_{tag} / (1 + ratio_{tag})",
            "dimensionless",
            f"Inhibited share of the target{what} of {d} in the tumour",
            observable=True,
        ),
    ]
