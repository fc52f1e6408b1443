"""Antibody-drug conjugates whose antigen is on regulatory T cells, not on cancer cells.

One compartment in serum; free conjugate in the tumour is a fixed share of it (``kp``), as for other conjugates. Of the
regulatory T cells of the tumour a share carries the antigen; they die at ``k_max`` where it is saturated.
"""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Drug, Quantity, Reaction, State

__all__ = ["regulatory_t_cell_conjugate"]


def regulatory_t_cell_conjugate(
    name: str,
    *,
    title: str,
    antigen: str,
    payload: str,
    molar_mass: float,
    dose_units: tuple[str, ...],
    synonyms: tuple[str, ...],
    references: tuple[str, ...],
    note: str,
) -> Drug:
    """Write the declaration of a conjugate that depletes regulatory T cells.

    Parameters
    ----------
    name
        Lower-case name; the parameter table is ``<name>.csv`` and every parameter ends in ``_<name>``: ``molar_mass``,
        ``cl``, ``v``, ``kp``, ``kd`` (half-saturating concentration), ``share`` (of regulatory T cells of the tumour
        that carry the antigen), ``k_max`` (rate at which they then die).
    title, antigen, payload, molar_mass, dose_units, synonyms, references, note
        As in `Drug`; `payload` for the description, `note` says where the kinetics come from.
    """
    d, central = name, f"{name}_C"
    serum = f"{central} / v_{d}"
    return Drug(
        name=d,
        title=title,
        summary=f"Antibody-drug conjugate against {antigen} on regulatory T cells, with {payload}. {note}",
        references=references,
        parameters=f"{d}.csv",
        requires=("body", "tumour_growth", "treg"),
        states=(State(central, "nanomole", "central", f"{title} in serum"),),
        reactions=(Reaction(f"{d}_elimination", f"cl_{d} * {serum}", f"Elimination of {d}", {central: 1}),),
        quantities=(
            Quantity(
                f"conc_{d}",
                f"{serum} * molar_mass_{d}",
                "microgram/milliliter",
                f"Serum concentration of {d}",
                observable=True,
            ),
            Quantity(
                f"bound_{d}",
                f"kp_{d} * {serum} / (kp_{d} * {serum} + kd_{d})",
                "dimensionless",
                f"Share of {antigen} in the tumour that {d} holds",
                observable=True,
            ),
        ),
        contributions=(Contribution("treg_depletion", f"k_max_{d} * share_{d} * bound_{d}"),),
        drug_class="antibody-drug conjugate",
        targets=(antigen,),
        dose_state=central,
        molar_mass=molar_mass,
        dose_units=dose_units,
        infusion_hours=0.5,
        synonyms=synonyms,
    )
