"""Intratumoural STING agonists: washed out into blood within hours and eliminated there."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Drug, Quantity, Reaction, State

__all__ = ["intratumoral_sting_agonist"]


def intratumoral_sting_agonist(
    name: str, *, title: str, molar_mass: float, synonyms: tuple[str, ...], references: tuple[str, ...], note: str
) -> Drug:
    """Write the declaration of an intratumoural STING agonist.

    Parameters
    ----------
    name
        Lower-case name; the table ``<name>.csv`` holds ``molar_mass``, ``k_out`` (washout from the tumour), ``cl`` and
        ``v`` (plasma), ``injected`` (share of the tumour reached by an injection) and ``ec50``, each with ``_<name>``.
    title, molar_mass, synonyms, references, note
        As in `Drug`; `note` says what it is and where its kinetics come from.
    """
    d, tumour, blood = name, f"{name}_T", f"{name}_C"
    return Drug(
        name=d,
        title=title,
        summary=(
            f"STING agonist, injected into the tumour, from which it is lost to blood within hours. It reaches a share "
            f"of the tumour, injected_{d}. {note}"
        ),
        references=references,
        parameters=f"{d}.csv",
        requires=("body", "tumour_growth"),
        states=(
            State(tumour, "nanomole", "tumour", f"{title} in the tumour"),
            State(blood, "nanomole", "central", f"{title} in plasma"),
        ),
        reactions=(
            Reaction(f"{d}_washout", f"k_out_{d} * {tumour}", "Washout to blood", {tumour: 1}, {blood: 1}),
            Reaction(f"{d}_elimination", f"cl_{d} / v_{d} * {blood}", "Elimination", {blood: 1}),
        ),
        quantities=(
            Quantity(
                f"conc_{d}",
                f"{blood} / v_{d} * molar_mass_{d}",
                "nanogram/milliliter",
                f"Plasma concentration of {title}",
                observable=True,
            ),
        ),
        contributions=(Contribution("sting_agonist_T", f"injected_{d} * {tumour} / (V_T * ec50_{d})"),),
        drug_class="STING agonist",
        targets=("STING",),
        dose_state=tumour,
        molar_mass=molar_mass,
        dose_units=("ug", "mg"),
        route="intratumoral",
        synonyms=synonyms,
    )
