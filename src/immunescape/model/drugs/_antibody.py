"""Antibodies: one factory, based on serum and tissue kinetics and on the effects of binding to each target.

The stages are (1) kinetics: how serum and tissue are described, `IntegratedTissue` or `QuasiSteadyTissue` of
`immunescape.model.drugs._antibody_kinetics`; (2) binding: ``free concentration / half-blocking concentration`` of each
target, in the tumour and, where relevant, in the draining lymph nodes; (3) action: these ratios are added to the pools
of the mechanisms to which the receptors belong.

The half-blocking concentration is that on cells, where both arms bind (so that it includes avidity). A bispecific
antibody has one for each target. If one cell (or its partner in the synapse) carries both targets, binding of the first
arm brings the second close: in the tumour, where lymphocytes are double-positive, each half-blocking concentration is
divided by ``avidity_<drug>``; in the node it is not.
"""

from __future__ import annotations

from immunescape.errors import ModelError
from immunescape.model.declarations import Contribution, Drug, Modulation, Quantity
from immunescape.model.drugs._antibody_kinetics import IntegratedTissue, QuasiSteadyTissue
from immunescape.model.drugs._titles import sentence_case, title_of

__all__ = ["IntegratedTissue", "QuasiSteadyTissue", "antibody"]

_POOLS = {
    "PD-1": ("pd1_antibody_T", "pd1_antibody_LN"),
    "PD-L1": ("pdl1_antibody_T", "pdl1_antibody_LN"),
    "CTLA-4": ("ctla4_antibody_T", "ctla4_antibody_LN"),
    "LAG-3": ("lag3_antibody_T", ""),
    "TIM-3": ("tim3_antibody_T", ""),
    "TIGIT": ("tigit_antibody_T", ""),
    "VEGF": ("vegf_blockade", ""),
    "TGF-beta": ("tgfb_receptor_inhibitor", ""),
    "CD73": ("cd73_inhibitor", ""),
    "CD39": ("cd39_inhibitor", ""),
}
"""Target -> pools in the tumour and in its draining lymph nodes; empty where binding has no effect."""
_BRIDGE = "lag3_bridge_T"
"""Pool of antibodies that bind LAG-3 and PD-L1 simultaneously."""
_SOLUBLE = {"VEGF"}
"""Soluble targets: they are on no cell, so that binding of the other arm provides no avidity."""


def antibody(
    name: str,
    *,
    targets: tuple[str, ...],
    molar_mass: float,
    dose_units: tuple[str, ...],
    infusion_hours: float,
    synonyms: tuple[str, ...],
    references: tuple[str, ...],
    note: str,
    kinetics: IntegratedTissue | QuasiSteadyTissue = QuasiSteadyTissue(),
    isotype: str = "",
    drug_class: str = "",
    depletes_treg: bool = False,
    bridges_lag3: bool = False,
    modulations: tuple[Modulation, ...] = (),
    requires: tuple[str, ...] = (),
) -> Drug:
    """Write the declaration of an antibody.

    Parameters
    ----------
    name
        Lower-case name; the parameter table is ``<name>.csv`` and every parameter ends in ``_<name>``: ``molar_mass``,
        those of `kinetics`, and of binding ``kd_eff`` with `IntegratedTissue`, else ``kd_<target>`` for each target and
        ``avidity`` with two.
    targets
        One or two (with `IntegratedTissue`, one) of PD-1, PD-L1, CTLA-4, LAG-3, TIM-3, TIGIT, VEGF, TGF-beta, CD73 and
        CD39, which have pools, or any other that `modulations` act on through ``occupancy_<target>_<name>``.
    kinetics
        How serum and tissue are described.
    isotype
        Of the immunoglobulin, for the description.
    depletes_treg
        Fc effector function kills regulatory T cells in the tumour (needs ``k_adcc`` and ``kd_eff``).
    bridges_lag3
        The antibody binds LAG-3 and PD-L1 simultaneously and removes LAG-3 from the surface.
    molar_mass, dose_units, infusion_hours, synonyms, references, note, drug_class, modulations, requires
        As in `Drug`; `note` says where the kinetics come from.

    Raises
    ------
    ModelError
        For two targets with one half-blocking concentration.
    """
    integrated = isinstance(kinetics, IntegratedTissue)
    if integrated and len(targets) != 1:
        raise ModelError(
            f"{name}: the integrated tissue of an antibody has one half-blocking concentration, kd_eff_{name}, and "
            f"{len(targets)} targets are named; use QuasiSteadyTissue, which has one for each"
        )
    serum_and_tissue = kinetics.equations(name)
    if integrated:
        occupancies: list[Quantity] = []
        contributions = _single_binding(name, targets[0])
    else:
        occupancies, contributions = _binding(name, targets, bridges_lag3)
    if depletes_treg:
        contributions.append(_treg_depletion(name))
    form = f"{isotype} antibody" if isotype else "bispecific antibody" if len(targets) > 1 else "antibody"
    return Drug(
        name=name,
        title=title_of(name),
        summary=f"{sentence_case(form)} against {' and '.join(targets)}. {note}",
        references=references,
        parameters=f"{name}.csv",
        requires=tuple(dict.fromkeys(("body", "tumour_growth", *requires))),
        states=serum_and_tissue.states,
        reactions=serum_and_tissue.reactions,
        quantities=(*serum_and_tissue.quantities, *occupancies),
        contributions=tuple(contributions),
        modulations=modulations,
        drug_class=drug_class or f"anti-{' x '.join(targets)} antibody",
        targets=targets,
        dose_state=serum_and_tissue.dose_state,
        molar_mass=molar_mass,
        dose_units=dose_units,
        route=kinetics.route,
        infusion_hours=infusion_hours if kinetics.route == "iv" else 0.0,
        synonyms=synonyms,
    )


def _single_binding(d: str, target: str) -> list[Contribution]:
    """Contribution of an antibody with one half-blocking concentration to the pools of its target."""
    return _to_pools(_POOLS.get(target, ("", "")), tumour=f"free_T_{d} / kd_eff_{d}", node=f"free_LN_{d} / kd_eff_{d}")


def _binding(d: str, targets: tuple[str, ...], bridges_lag3: bool) -> tuple[list[Quantity], list[Contribution]]:
    """Occupancy of each target in the tumour, and the contribution of the antibody to the pools of each."""
    avidity = f"avidity_{d} * " if len(targets) > 1 else ""
    occupancies: list[Quantity] = []
    contributions: list[Contribution] = []
    for target in targets:
        receptor = target.replace("-", "")
        gain = "" if target in _SOLUBLE else avidity
        kd = f"kd_{receptor}_{d}"
        occupancies.append(
            Quantity(
                f"occupancy_{receptor}_{d}",
                f"{gain}free_T_{d} / ({gain}free_T_{d} + {kd})",
                "dimensionless",
                f"Share of {target} in the tumour that {d} would bind without competition",
                observable=True,
            )
        )
        tumour_pool, node_pool = _POOLS.get(target, ("", ""))
        if bridges_lag3 and target == "LAG-3":
            tumour_pool = _BRIDGE
        contributions += _to_pools(
            (tumour_pool, node_pool), tumour=f"{gain}free_T_{d} / {kd}", node=f"free_LN_{d} / {kd}"
        )
    return occupancies, contributions


def _to_pools(pools: tuple[str, str], *, tumour: str, node: str) -> list[Contribution]:
    """Pass the ratios of tumour and node to the existing pools."""
    return [Contribution(pool, ratio) for pool, ratio in zip(pools, (tumour, node), strict=True) if pool]


def _treg_depletion(d: str) -> Contribution:
    """Fc effector function against regulatory T cells, saturating with the antibody bound to them."""
    return Contribution("treg_adcc", f"k_adcc_{d} * free_T_{d} / (kd_eff_{d} + free_T_{d})")
