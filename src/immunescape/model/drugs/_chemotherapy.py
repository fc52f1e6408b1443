"""Chemotherapy: published plasma kinetics, and an effect compartment that carries the exposure to its effects.

Plasma kinetics are one of three published forms, in nanomole; the central volume is the drug's own.

The effect compartment follows plasma with rate ``k_e0`` (``dE/dt = k_e0 * (C - E)``, as amounts on the central volume),
so that a dose acts for days after it has left plasma, and its time integral is the plasma AUC whatever ``k_e0``. Hence

- killing of chemo-sensitive cancer cells: ``kill_log * E / (auc_ref * V1)`` per day, which integrates to ``kill_log``
  natural logarithms over one standard dose (``auc_ref`` is the plasma AUC of the standard dose);
- loss of lymphocytes: the same with ``lympho_log``;
- danger signals: each cell that dies releases ``icd`` times more than one that dies spontaneously (immunogenic death);
- cytosolic DNA (platinum): ``dna * E / (auc_ref * V1)``;
- loss of regulatory T cells and MDSCs: as for lymphocytes, with ``treg_log`` and ``mdsc_log``.

The killing of the clone that survives platinum doublets decreases with the doses R that have acted,
``exp(-acquired R)``: cells acquire resistance, as in models of tumour size on chemotherapy (``claret2009``).

The effects of the drugs in a combination add up, as independent log kills do.
"""

from __future__ import annotations

from typing import Literal

from immunescape.model.declarations import Contribution, Drug, Quantity, Reaction, State
from immunescape.model.drugs._titles import sentence_case

__all__ = ["chemotherapy"]

_TOLERANCE = 1e-2
"""Absolute tolerance in nanomole: a standard dose is 6e4 (vinorelbine) to 2e7. What remains of a dose after weeks needs
no relative accuracy; without this limit, half of the steps of a cycle would track it down to 1e-15 of the dose."""


def chemotherapy(
    name: str,
    *,
    title: str,
    drug_class: str,
    target: str,
    molar_mass: float,
    dose_units: tuple[str, ...],
    infusion_hours: float,
    synonyms: tuple[str, ...],
    references: tuple[str, ...],
    note: str,
    kinetics: Literal["linear", "saturable", "saturable_both_ways"] = "linear",
    peripheral: int = 1,
    clearance: str = "",
    volume: str = "",
    elimination_scale: str = "1",
    uncrossed: bool = False,
    damages_dna: bool = False,
    depletes: tuple[str, ...] = (),
) -> Drug:
    """Write the declaration of a cytotoxic drug.

    Parameters
    ----------
    name
        Lower-case name; the parameter table is ``<name>.csv`` and every parameter ends in ``_<name>``.
    title, drug_class, target, molar_mass, dose_units, infusion_hours, synonyms, references, note
        As in `Drug`; `note` says where the kinetics come from.
    kinetics
        ``linear``: clearance ``clearance``, and for each peripheral compartment i ``q{i}``, ``v{i + 1}``.
        ``saturable``: three compartments, elimination ``vm_el C / (km_el + C)``, uptake into the first peripheral
        compartment ``vm_tr C / (km_tr + C)`` with linear return ``k21``, linear exchange ``q2`` with the second.
        ``saturable_both_ways``: the same, with the return saturable by the same carrier (``v2``).
    peripheral
        Number of peripheral compartments of the linear form.
    clearance
        Expression of the total clearance of the linear form.
    volume
        Expression of the central volume (default ``v1_<name>``).
    elimination_scale
        Factor of the maximal elimination rate of the saturable forms (body surface).
    uncrossed
        Whether part of its kill, ``1 - crossed_<name>``, also affects the clone that survives platinum doublets, until
        resistance to the drug itself is acquired (``acquired_<name>`` per standard dose).
    damages_dna
        Whether it causes cytosolic DNA (needs ``dna``).
    depletes
        ``treg``, ``mdsc``: suppressive cells that it depletes in the tumour (needs ``treg_log``, ``mdsc_log``).
    """
    d = name
    states = _amounts(d, title, peripheral if kinetics == "linear" else 2)
    if kinetics == "linear":
        reactions = _linear_kinetics(d, peripheral, clearance)
    else:
        reactions = _saturable_kinetics(d, elimination_scale, both_ways=kinetics == "saturable_both_ways")
    reactions += _effect_kinetics(d)
    if uncrossed:
        states.append(State(f"{d}_R", "dimensionless", "tumour", f"Standard doses of {d} that have acted", atol=1e-6))
        reactions.append(
            Reaction(f"{d}_resistance", f"exposure_{d}", f"Resistance to {d} is acquired", {}, {f"{d}_R": 1})
        )
    return Drug(
        name=d,
        title=title,
        summary=f"{sentence_case(drug_class)}. {note}",
        references=references,
        parameters=f"{d}.csv",
        requires=("body", "tumour_growth"),
        states=tuple(states),
        reactions=tuple(reactions),
        quantities=_measures(d, volume),
        contributions=_actions(d, uncrossed=uncrossed, damages_dna=damages_dna, depletes=depletes),
        drug_class=drug_class,
        targets=(target,),
        dose_state=f"{d}_C",
        molar_mass=molar_mass,
        dose_units=dose_units,
        infusion_hours=infusion_hours,
        synonyms=synonyms,
    )


def _plasma(d: str) -> str:
    """Concentration in plasma."""
    return f"{d}_C / vd_{d}"


def _effect(d: str) -> str:
    """Amount in the effect compartment."""
    return f"{d}_E"


def _outer(d: str, i: int) -> str:
    """Amount in a peripheral compartment."""
    return f"{d}_P" if i == 1 else f"{d}_P{i}"


def _amounts(d: str, title: str, peripheral: int) -> list[State]:
    """Amounts in plasma, in each peripheral compartment, and in the effect compartment."""
    at_work = f"{title} at its site of action (effect compartment)"
    return [
        State(f"{d}_C", "nanomole", "central", f"{title} in plasma", atol=_TOLERANCE),
        *(
            State(_outer(d, i), "nanomole", "peripheral", f"{title} in peripheral compartment {i}", atol=_TOLERANCE)
            for i in range(1, peripheral + 1)
        ),
        State(_effect(d), "nanomole", "central", at_work, atol=_TOLERANCE),
    ]


def _exchange(d: str, i: int) -> Reaction:
    """Linear exchange of plasma with a peripheral compartment."""
    return Reaction(
        f"{d}_distribution_{i}",
        f"q{i}_{d} * ({_plasma(d)} - {_outer(d, i)} / v{i + 1}_{d})",
        f"Exchange of {d} between plasma and peripheral compartment {i}",
        {f"{d}_C": 1},
        {_outer(d, i): 1},
    )


def _elimination(d: str, rate: str) -> Reaction:
    return Reaction(f"{d}_elimination", rate, f"Elimination of {d}", {f"{d}_C": 1})


def _linear_kinetics(d: str, peripheral: int, clearance: str) -> list[Reaction]:
    """Linear exchange with each peripheral compartment, and a clearance."""
    return [
        *(_exchange(d, i) for i in range(1, peripheral + 1)),
        _elimination(d, f"({clearance}) * {_plasma(d)}"),
    ]


def _saturable_kinetics(d: str, elimination_scale: str, *, both_ways: bool) -> list[Reaction]:
    """Saturable uptake into the first peripheral compartment, linear exchange with the second, saturable loss."""
    plasma, first = _plasma(d), _outer(d, 1)
    back = f"vm_tr_{d} * ({first} / v2_{d}) / (km_tr_{d} + {first} / v2_{d})" if both_ways else f"k21_{d} * {first}"
    return [
        Reaction(
            f"{d}_distribution_1",
            f"vm_tr_{d} * {plasma} / (km_tr_{d} + {plasma}) - {back}",
            f"Saturable distribution of {d} into peripheral compartment 1",
            {f"{d}_C": 1},
            {first: 1},
        ),
        _exchange(d, 2),
        _elimination(d, f"vm_el_{d} * {elimination_scale} * {plasma} / (km_el_{d} + {plasma})"),
    ]


def _effect_kinetics(d: str) -> list[Reaction]:
    """The effect compartment follows plasma and decays."""
    central, effect = f"{d}_C", _effect(d)
    return [
        Reaction(f"{d}_uptake", f"k_e0_{d} * {central}", f"Effect compartment of {d} follows plasma", {}, {effect: 1}),
        Reaction(f"{d}_repair", f"k_e0_{d} * {effect}", f"The effect of {d} fades", {effect: 1}),
    ]


def _measures(d: str, volume: str) -> tuple[Quantity, ...]:
    """Volume, concentration in plasma, and the rate at which the exposure acts."""
    return (
        Quantity(f"vd_{d}", volume or f"v1_{d}", "liter", f"Central volume of distribution of {d}"),
        Quantity(
            f"conc_{d}",
            f"{_plasma(d)} * molar_mass_{d}",
            "microgram/milliliter",
            f"Plasma concentration of {d}",
            observable=True,
        ),
        Quantity(
            f"exposure_{d}",
            f"{_effect(d)} / (vd_{d} * auc_ref_{d})",
            "1/day",
            f"Rate at which the exposure to {d} acts, in standard doses per day",
        ),
    )


def _actions(d: str, *, uncrossed: bool, damages_dna: bool, depletes: tuple[str, ...]) -> tuple[Contribution, ...]:
    """Cells killed by the exposure, and what they release."""
    return (
        *_kill(d, uncrossed),
        Contribution("lymphodepletion", f"lympho_log_{d} * exposure_{d}"),
        Contribution("immunogenic_dying_T", f"icd_{d} * kill_log_{d} * exposure_{d} * {_reached(d, uncrossed)}"),
        *((Contribution("damage_dna_T", f"dna_{d} * exposure_{d}"),) if damages_dna else ()),
        *(Contribution(f"{cell}_depletion", f"{cell}_log_{d} * exposure_{d}") for cell in depletes),
    )


def _kill(d: str, uncrossed: bool) -> tuple[Contribution, ...]:
    kill = f"kill_log_{d} * exposure_{d}"
    if not uncrossed:
        return (Contribution("chemo_kill", kill),)
    return (
        Contribution("chemo_kill", f"crossed_{d} * {kill}"),
        Contribution("chemo_kill_uncrossed", f"{_uncrossed(d)} * {kill}"),
    )


def _reached(d: str, uncrossed: bool) -> str:
    """Cells that are killed by the drug at its full rate."""
    return f"(crossed_{d} * chemo_target_T + {_uncrossed(d)} * C_total)" if uncrossed else "chemo_target_T"


def _uncrossed(d: str) -> str:
    """Share of the kill that affects every clone."""
    return f"(1 - crossed_{d}) * exp(-acquired_{d} * {d}_R)"
