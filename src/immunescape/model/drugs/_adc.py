"""Antibody-drug conjugates: serum, internalisation, payload in cells, bystander killing, Fc function.

One serum compartment with the published clearance, and a volume chosen to match the published half-life. Free conjugate
in the tumour is quasi-steady, a fixed share of serum (``kp``). A cell that carries the antigen takes up ``k_int *
receptors * occupancy`` conjugates per day, each with ``dar`` payloads, which leave it or lose activity at rate
``k_loss``; the payload per cell therefore follows serum (days) quasi-steadily. Cells die at ``k_max x / (1 + x)``,
where x is payload per cell over the half-maximal number. Membrane-permeable payload (``bystander`` > 0) reaches cells
without the antigen, where x is ``bystander * share * x``.

Fc: bound conjugate promotes killing by NK cells (``r_adcc``); megakaryocytes take it up (FcgammaRIIA), and platelet
counts fall if the drug has that option. Death is immunogenic (``icd``); the payload matures dendritic cells (``r_DC``)
and increases MHC-I and PD-L1 on cancer cells (``r_mhc1``, ``r_pdl1``).

If the antigen is on regulatory T cells instead of cancer cells, those in the tumour that carry it (``share``) die at
rate ``k_max`` when it is saturated.
"""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Drug, Modulation, Quantity, Reaction, State
from immunescape.model.drugs._antibody_kinetics import serum_concentration

__all__ = ["conjugate", "regulatory_t_cell_conjugate"]


def _serum_and_binding(name: str, title: str, antigen: str) -> tuple[State, Reaction, list[Quantity]]:
    """Serum as one compartment, with clearance, concentration, and the share of the antigen that is bound."""
    central = f"{name}_C"
    serum = f"{central} / v_{name}"
    quantities = [
        serum_concentration(name, serum),
        Quantity(
            f"bound_{name}",
            f"kp_{name} * {serum} / (kp_{name} * {serum} + kd_{name})",
            "dimensionless",
            f"Share of {antigen} in the tumour bound by {name}",
            observable=True,
        ),
    ]
    elimination = Reaction(f"{name}_elimination", f"cl_{name} * {serum}", f"Elimination of {name}", {central: 1})
    return State(central, "nanomole", "central", f"{title} in serum"), elimination, quantities


def conjugate(
    name: str,
    *,
    title: str,
    antigen: str,
    payload: str,
    molar_mass: float,
    infusion_hours: float,
    synonyms: tuple[str, ...],
    references: tuple[str, ...],
    note: str,
    platelets: bool = False,
    tabled_antigen: bool = False,
) -> Drug:
    """Write the declaration of an antibody-drug conjugate.

    Parameters
    ----------
    name
        Lower-case name; the parameter table is ``<name>.csv`` and every parameter ends in ``_<name>``.
    antigen
        ``HER2`` or ``TROP2``, of the mechanism `surface_antigens`; or any other with `tabled_antigen`.
    payload
        For the description.
    title, molar_mass, infusion_hours, synonyms, references, note
        As in `Drug`; `note` says where the kinetics come from.
    platelets
        Adds the state ``<name>_PLT``, platelets relative to the untreated patient.
    tabled_antigen
        The antigen is defined in the drug's own table: ``copies`` per antigen-bearing cell, ``share`` of cancer cells
        that carry it, internalisation ``k_int``; it is the same in all patients.
    """
    d = name
    share = f"share_{d}" if tabled_antigen else f"{antigen.lower()}_share"
    copies = f"copies_{d}" if tabled_antigen else f"{antigen}_T"
    uptake = f"k_int_{d}" if tabled_antigen else f"{antigen}_internalisation"
    density = "" if tabled_antigen else f" * {antigen}_T / {antigen}_copies"  # relative to the reference tumour
    central = f"{d}_C"
    serum = f"{central} / v_{d}"
    in_serum, elimination, concentrations = _serum_and_binding(d, title, antigen)
    states, reactions = [in_serum], [elimination, _death(d)]
    quantities = [*concentrations, *_payload(d, f"{uptake} * {copies}", share)]
    if platelets:
        count, turnover, relative_count = _platelets(d, serum)
        states.append(count)
        reactions += turnover
        quantities.append(relative_count)
    return Drug(
        name=d,
        title=title,
        summary=f"Antibody-drug conjugate against {antigen} with {payload}. {note}",
        references=references,
        parameters=f"{d}.csv",
        requires=("body", "tumour_growth", *(() if tabled_antigen else ("surface_antigens",))),
        states=tuple(states),
        reactions=tuple(reactions),
        quantities=tuple(quantities),
        contributions=_deaths(d),
        modulations=_immune_effects(d, density),
        drug_class="antibody-drug conjugate",
        targets=(antigen,),
        dose_state=central,
        molar_mass=molar_mass,
        dose_units=("mg/kg", "mg"),
        infusion_hours=infusion_hours,
        synonyms=synonyms,
    )


def _death(d: str) -> Reaction:
    """Death of cancer cells by the payload."""
    return Reaction(
        f"{d}_death_{{clone}}",
        f"kill_{d} * C_{{clone}}",
        f"Death by the payload of {d}",
        {"C_{clone}": 1},
        {"C_dead_T": 1},
    )


def _deaths(d: str) -> tuple[Contribution, ...]:
    """Contribution of these deaths to the sums over all causes: all cells, antigenic cells, immunogenic death."""
    return (
        Contribution("death_rate_{clone}", f"kill_{d}"),
        Contribution("dying_T", f"kill_{d} * C_total"),
        Contribution("dying_antigenic_T", f"kill_{d} * SUM(antigenicity_{{clone}} * C_{{clone}})"),
        Contribution("immunogenic_dying_T", f"icd_{d} * kill_{d} * C_total"),
    )


def _immune_effects(d: str, density: str) -> tuple[Modulation, ...]:
    """Fc function of bound conjugate, at the antigen's `density`, and effects of the payload on surviving cells."""
    return (
        Modulation("nk_killing", "adcc", "promotes", f"r_adcc_{d} * bound_{d}{density}"),
        Modulation("dc_maturation", "payload", "promotes", f"r_DC_{d} * H_payload_{d}"),
        Modulation("mhc1_expression", "payload", "promotes", f"r_mhc1_{d} * H_payload_{d}"),
        Modulation("pdl1_cancer", "payload", "promotes", f"r_pdl1_{d} * H_payload_{d}"),
    )


def _payload(d: str, uptake: str, share: str) -> list[Quantity]:
    """Payload in antigen-bearing cells and bystander cells, and the rate at which it kills.

    Parameters
    ----------
    uptake : rate at which a cell takes up what it binds, times its receptors. share : of cells with the antigen.
    """
    return [
        Quantity(
            f"payload_{d}",
            f"{uptake} * bound_{d} * dar_{d} / (k_loss_{d} * payload_50_{d})",
            "dimensionless",
            f"Payload of {d} in antigen-bearing cells / half-maximal number",
        ),
        Quantity(
            f"bystander_payload_{d}",
            f"bystander_{d} * {share} * payload_{d}",
            "dimensionless",
            f"Payload of {d} in cells without the antigen, on the same scale",
        ),
        Quantity(
            f"kill_{d}",
            f"k_max_{d} * ({share} * payload_{d} / (1 + payload_{d})"
            f" + (1 - {share}) * bystander_payload_{d} / (1 + bystander_payload_{d}))",
            "1/day",
            f"Rate at which {d} kills cancer cells, mean of those with and without the antigen",
        ),
        Quantity(
            f"H_payload_{d}",
            f"{share} * payload_{d} / (1 + {share} * payload_{d})",
            "dimensionless",
            f"Payload of {d} in the tumour relative to saturation",
        ),
    ]


def _platelets(d: str, serum: str) -> tuple[State, list[Reaction], Quantity]:
    """Platelets relative to the untreated patient; megakaryocytes that take up the drug produce fewer of them."""
    count = State(f"{d}_PLT", "dimensionless", "central", f"Platelets on {d}, relative to before", "1")
    turnover = [
        Reaction(
            f"{d}_platelet_production",
            f"k_PLT_{d} / (1 + {serum} / ic50_PLT_{d})",
            f"Platelets from megakaryocytes, fewer as these take up {d}",
            {},
            {f"{d}_PLT": 1},
        ),
        Reaction(f"{d}_platelet_loss", f"k_PLT_{d} * {d}_PLT", "Loss of platelets", {f"{d}_PLT": 1}),
    ]
    relative = Quantity(
        f"platelets_{d}", f"{d}_PLT", "dimensionless", f"Platelets relative to before {d}", observable=True
    )
    return count, turnover, relative


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
    d = name
    in_serum, elimination, concentrations = _serum_and_binding(d, title, antigen)
    return Drug(
        name=d,
        title=title,
        summary=f"Antibody-drug conjugate against {antigen} on regulatory T cells, with {payload}. {note}",
        references=references,
        parameters=f"{d}.csv",
        requires=("body", "tumour_growth", "treg"),
        states=(in_serum,),
        reactions=(elimination,),
        quantities=tuple(concentrations),
        contributions=(Contribution("treg_depletion", f"k_max_{d} * share_{d} * bound_{d}"),),
        drug_class="antibody-drug conjugate",
        targets=(antigen,),
        dose_state=in_serum.name,
        molar_mass=molar_mass,
        dose_units=dose_units,
        infusion_hours=0.5,
        synonyms=synonyms,
    )
