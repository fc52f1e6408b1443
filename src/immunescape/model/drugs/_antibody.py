"""Checkpoint antibodies: two-compartment serum kinetics, tumour and tumour-draining lymph nodes.

Every antibody has four amounts (nanomole): central, peripheral, tumour and lymph node. ``gamma`` is the share of a
compartment's volume that the antibody fills, so the serum concentration is ``amount / (V_C * gamma_C)`` and the
published central volume of distribution is ``V_C * gamma_C``. ``k_cl`` acts on ``amount / V_C``: the published
clearance is ``k_cl * gamma_C``.

- Body weight: clearance and central volume scale with ``(weight / weight_ref)`` to published exponents. Set
  ``weight_<drug>`` to the patient's weight; by default it is the reference weight, where both factors are 1.
- Clearance that falls over time on treatment is ``CL0 * exp(Emax * x^h / (1 + x^h))`` where x is time on treatment in
  units of T50. That time is a state, ``<drug>_age``, which advances only while the drug is in serum.
- Tumour: exchange with serum at ``q_T`` per tumour volume (times the process ``drug_delivery``: perfusion), convection
  to the lymph node at ``q_LD`` per tumour volume, back to serum. So the free tumour concentration at steady state is
  ``q_T / (q_T + q_LD)`` of serum, whatever the size.
- Binding enters the checkpoint mechanisms as ``free concentration / kd_eff``, with ``kd_eff`` the concentration that
  half blocks the receptor on cells, where both arms bind (so avidity is in it).
"""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Drug, Quantity, Reaction, State
from immunescape.model.drugs._titles import title_of

__all__ = ["antibody"]

_POOL = {"PD-1": "pd1_antibody", "PD-L1": "pdl1_antibody", "CTLA-4": "ctla4_antibody"}
_TUMOUR_POOL = {"VEGF": "vegf_blockade", "CD73": "cd73_inhibitor", "CD39": "cd39_inhibitor"}
"""Targets that matter in the tumour alone."""


def antibody(
    name: str,
    *,
    target: str,
    isotype: str,
    molar_mass: float,
    dose_units: tuple[str, ...],
    infusion_hours: float,
    synonyms: tuple[str, ...],
    references: tuple[str, ...],
    note: str,
    declining_clearance: bool = False,
    saturable_clearance: bool = False,
    depletes_treg: bool = False,
) -> Drug:
    """Write the declaration of an antibody.

    Parameters
    ----------
    name
        Lower-case name; the parameter table is ``<name>.csv`` and every parameter ends in ``_<name>``.
    target
        ``PD-1``, ``PD-L1``, ``CTLA-4``, or one that matters in the tumour alone: ``VEGF``, ``CD73``, ``CD39``.
    isotype
        Of the immunoglobulin, for the description.
    molar_mass
        g/mol; the table's ``molar_mass_<name>`` must say the same.
    dose_units, infusion_hours, synonyms, references
        As in `Drug`.
    note
        One sentence on where the kinetics come from.
    declining_clearance
        Clearance falls with time on treatment (needs ``cl_emax``, ``cl_t50``, ``cl_hill``).
    saturable_clearance
        A Michaelis-Menten clearance beside the linear one (needs ``v_max``, ``k_m``; `k_m` is a serum concentration).
    depletes_treg
        Fc effector function kills regulatory T cells in the tumour (needs ``k_adcc``).
    """
    d = name
    linear = f"k_cl_{d} * gamma_C_{d} * {_weight(d)}^wt_cl_{d} * {_serum(d)}"
    states, reactions, quantities = _distribution_states(d), _distribution(d), _concentrations(d)
    if declining_clearance:
        age, ageing, factor = _ageing(d)
        states, reactions, quantities = [*states, age], [*reactions, ageing], [*quantities, factor]
        linear = f"{factor.name} * {linear}"
    central = _amounts(d)[0]
    reactions.append(Reaction(f"{d}_elimination", linear, f"Linear clearance of {d}", {central: 1}))
    if saturable_clearance:
        reactions.append(
            Reaction(
                f"{d}_target_elimination",
                f"v_max_{d} * {_serum(d)} / (k_m_{d} + {_serum(d)})",
                f"Saturable, target-mediated clearance of {d}",
                {central: 1},
            )
        )
    return Drug(
        name=d,
        title=title_of(d),
        summary=f"{isotype} antibody against {target}. {note}",
        references=references,
        parameters=f"{d}.csv",
        requires=("body", "tumour_growth"),
        states=tuple(states),
        reactions=tuple(reactions),
        quantities=tuple(quantities),
        contributions=_contributions(d, target, depletes_treg),
        drug_class=f"anti-{target} antibody",
        targets=(target,),
        dose_state=central,
        molar_mass=molar_mass,
        dose_units=dose_units,
        infusion_hours=infusion_hours,
        synonyms=synonyms,
    )


def _amounts(d: str) -> tuple[str, str, str, str]:
    """Names of the amounts: central, peripheral, tumour, lymph node."""
    return f"{d}_C", f"{d}_P", f"{d}_T", f"{d}_LN"


def _serum(d: str) -> str:
    """Concentration in serum."""
    return f"{d}_C / vd_{d}"


def _weight(d: str) -> str:
    """Body weight relative to the reference."""
    return f"(weight_{d} / weight_ref_{d})"


def _distribution_states(d: str) -> list[State]:
    """Amounts in serum, tissue, tumour and node."""
    central, peripheral, tumour, node = _amounts(d)
    return [
        State(central, "nanomole", "central", f"{d} in serum and the tissue in fast exchange with it"),
        State(peripheral, "nanomole", "peripheral", f"{d} in peripheral tissue"),
        State(tumour, "nanomole", "tumour", f"{d} in the tumour, free"),
        State(node, "nanomole", "lymph_node", f"{d} in the tumour-draining lymph nodes, free"),
    ]


def _distribution(d: str) -> list[Reaction]:
    """Exchange between serum, tissue, tumour and node."""
    central, peripheral, tumour, node = _amounts(d)
    serum = _serum(d)
    return [
        Reaction(
            f"{d}_distribution",
            f"q_P_{d} * ({serum} - {peripheral} / (V_P * gamma_P_{d}))",
            f"Exchange of {d} between serum and peripheral tissue",
            {central: 1},
            {peripheral: 1},
        ),
        Reaction(
            f"{d}_extravasation",
            f"f_drug_delivery * q_T_{d} * (V_T * {serum} - {tumour} / gamma_T_{d})",
            f"Exchange of {d} between serum and tumour",
            {central: 1},
            {tumour: 1},
        ),
        Reaction(
            f"{d}_node_exchange",
            f"q_LN_{d} * ({serum} - {node} / (V_LN * gamma_LN_{d}))",
            f"Exchange of {d} between serum and lymph node",
            {central: 1},
            {node: 1},
        ),
        Reaction(
            f"{d}_drainage",
            f"q_LD_{d} * {tumour} / gamma_T_{d}",
            f"Convection of {d} from the tumour to the lymph node",
            {tumour: 1},
            {node: 1},
        ),
        Reaction(
            f"{d}_return",
            f"q_LD_{d} * V_T * {node} / (V_LN * gamma_LN_{d})",
            f"Return of {d} from the lymph node to serum, at the flow that came from the tumour",
            {node: 1},
            {central: 1},
        ),
    ]


def _concentrations(d: str) -> list[Quantity]:
    """Volume of distribution, concentration in serum, and free ones where the antibody acts."""
    _, _, tumour, node = _amounts(d)
    serum, weight = _serum(d), _weight(d)
    return [
        Quantity(
            f"vd_{d}",
            f"V_C * gamma_C_{d} * {weight}^wt_v_{d}",
            "liter",
            f"Central volume of distribution of {d} at the patient's weight",
        ),
        Quantity(
            f"conc_{d}",
            f"{serum} * molar_mass_{d}",
            "microgram/milliliter",
            f"Serum concentration of {d}",
            observable=True,
        ),
        Quantity(
            f"free_T_{d}",
            f"{tumour} / (V_T * gamma_T_{d})",
            "nanomole/liter",
            f"Free concentration of {d} in the tumour",
        ),
        Quantity(
            f"free_LN_{d}",
            f"{node} / (V_LN * gamma_LN_{d})",
            "nanomole/liter",
            f"Free concentration of {d} in the lymph node",
        ),
    ]


def _ageing(d: str) -> tuple[State, Reaction, Quantity]:
    """Time on treatment, which passes while the drug is in serum, and the factor of clearance that follows it."""
    central = _amounts(d)[0]
    age = State(f"{d}_age", "dimensionless", "central", f"Time on {d} in units of cl_t50_{d}; stands still without it")
    ageing = Reaction(
        f"{d}_ageing",
        f"{central} / ({central} + trace_{d}) / cl_t50_{d}",
        f"Time on {d} passes while it is in serum",
        {},
        {f"{d}_age": 1},
    )
    x = f"max({d}_age, 0.000001)^cl_hill_{d}"  # no power of zero: its derivative is finite for every exponent
    factor = Quantity(
        f"cl_factor_{d}",
        f"exp(cl_emax_{d} * {x} / (1 + {x}))",
        "dimensionless",
        f"Linear clearance of {d} relative to the first dose",
    )
    return age, ageing, factor


def _contributions(d: str, target: str, depletes_treg: bool) -> tuple[Contribution, ...]:
    """What the antibody adds to pools of its target, in the tumour and, where it matters there, in the node."""
    bound = f"free_T_{d} / kd_eff_{d}"
    if target in _TUMOUR_POOL:
        contributions = [Contribution(_TUMOUR_POOL[target], bound)]
    else:
        contributions = [
            Contribution(f"{_POOL[target]}_T", bound),
            Contribution(f"{_POOL[target]}_LN", f"free_LN_{d} / kd_eff_{d}"),
        ]
    if depletes_treg:
        contributions.append(Contribution("treg_adcc", f"k_adcc_{d} * free_T_{d} / (kd_eff_{d} + free_T_{d})"))
    return tuple(contributions)
