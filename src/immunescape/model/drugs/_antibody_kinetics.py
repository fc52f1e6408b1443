"""Kinetics of antibodies in serum, tumour and tumour-draining lymph nodes, in two forms accepted by one factory.

`IntegratedTissue` has four amounts (nanomole): central, peripheral, tumour and lymph node. ``gamma`` is the share of a
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

`QuasiSteadyTissue` has serum with one or two compartments and, for subcutaneous administration, a depot. Capillary
exchange fills the tumour within two days, while antibodies remain for weeks. The free concentration in the tumour is
therefore a constant share ``kp_T`` of serum, whatever the tumour's size, and that in the draining nodes ``kp_LN``: one
to three states instead of five.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from immunescape.model.declarations import Quantity, Reaction, State

__all__ = ["Equations", "IntegratedTissue", "QuasiSteadyTissue", "serum_concentration"]


@dataclass(frozen=True)
class Equations:
    """Contribution of the kinetics to a declaration; `dose_state` is the amount to which a dose is added."""

    states: tuple[State, ...]
    reactions: tuple[Reaction, ...]
    quantities: tuple[Quantity, ...]
    dose_state: str


def serum_concentration(d: str, serum: str) -> Quantity:
    """Serum concentration by mass, as reported by assays, from the molar one given by the expression `serum`."""
    return Quantity(
        f"conc_{d}",
        f"{serum} * molar_mass_{d}",
        "microgram/milliliter",
        f"Serum concentration of {d}",
        observable=True,
    )


@dataclass(frozen=True, kw_only=True)
class QuasiSteadyTissue:
    """Tissue in quasi-steady state with serum; needs ``cl`` (serum clearance), ``v`` (volume), ``kp_T``, ``kp_LN``.

    Parameters
    ----------
    peripheral
        Adds the state ``<name>_P`` (needs ``q`` and ``v2``).
    subcutaneous
        Adds the depot ``<name>_D``, to which doses are added (needs ``ka`` and ``f``).
    """

    peripheral: bool = False
    subcutaneous: bool = False

    @property
    def route(self) -> str:
        """Usual route of administration."""
        return "sc" if self.subcutaneous else "iv"

    def equations(self, d: str) -> Equations:
        """Return the amounts, their reactions, and the concentrations that follow from serum."""
        central = dose_state = f"{d}_C"
        serum = f"{central} / v_{d}"
        states = [State(central, "nanomole", "central", f"{d} in serum")]
        reactions = [Reaction(f"{d}_elimination", f"cl_{d} * {serum}", f"Clearance of {d}", {central: 1})]
        if self.peripheral:
            outer = f"{d}_P"
            states.append(State(outer, "nanomole", "peripheral", f"{d} in peripheral tissue"))
            flow = f"q_{d} * ({serum} - {outer} / v2_{d})"
            reactions.append(Reaction(f"{d}_distribution", flow, "Exchange with tissue", {central: 1}, {outer: 1}))
        if self.subcutaneous:
            dose_state = f"{d}_D"
            states.append(State(dose_state, "nanomole", "peripheral", f"{d} under the skin"))
            reactions += _absorption(d, depot=dose_state, central=central)
        free = (
            Quantity(
                f"free_T_{d}", f"kp_T_{d} * {serum}", "nanomole/liter", f"Free concentration of {d} in the tumour"
            ),
            Quantity(
                f"free_LN_{d}", f"kp_LN_{d} * {serum}", "nanomole/liter", f"Free concentration of {d} in the nodes"
            ),
        )
        return Equations(tuple(states), tuple(reactions), (serum_concentration(d, serum), *free), dose_state)


def _absorption(d: str, *, depot: str, central: str) -> list[Reaction]:
    """Absorption from the subcutaneous depot into serum; the share ``1 - f`` is lost beforehand."""
    return [
        Reaction(f"{d}_absorption", f"f_{d} * ka_{d} * {depot}", "Absorption", {depot: 1}, {central: 1}),
        Reaction(f"{d}_presystemic_loss", f"(1 - f_{d}) * ka_{d} * {depot}", "Lost before serum", {depot: 1}),
    ]


@dataclass(frozen=True, kw_only=True)
class IntegratedTissue:
    """Serum, peripheral tissue, tumour and lymph node as states; one target, with the concentration ``kd_eff``.

    Needs ``k_cl``, ``gamma_C``, ``gamma_P``, ``gamma_T``, ``gamma_LN``, ``q_P``, ``q_T``, ``q_LN``, ``q_LD``,
    ``weight``, ``weight_ref``, ``wt_cl`` and ``wt_v``.

    Parameters
    ----------
    declining_clearance
        Clearance falls with time on treatment (needs ``cl_emax``, ``cl_t50``, ``cl_hill``, ``trace``).
    saturable_clearance
        Michaelis-Menten clearance in addition to the linear one (needs ``v_max``, ``k_m``; `k_m` refers to serum).
    """

    declining_clearance: bool = False
    saturable_clearance: bool = False
    route: ClassVar[str] = "iv"

    def equations(self, d: str) -> Equations:
        """Return the amounts, their exchange and clearance, and the concentrations where the antibody acts."""
        central = f"{d}_C"
        states, reactions, quantities = _amounts(d), _exchange(d), _concentrations(d)
        linear = f"k_cl_{d} * gamma_C_{d} * {_weight(d)}^wt_cl_{d} * {_serum(d)}"
        if self.declining_clearance:
            age, ageing, factor = _ageing(d)
            states, reactions, quantities = [*states, age], [*reactions, ageing], [*quantities, factor]
            linear = f"{factor.name} * {linear}"
        reactions.append(Reaction(f"{d}_elimination", linear, f"Linear clearance of {d}", {central: 1}))
        if self.saturable_clearance:
            saturable = f"v_max_{d} * {_serum(d)} / (k_m_{d} + {_serum(d)})"
            meaning = f"Saturable, target-mediated clearance of {d}"
            reactions.append(Reaction(f"{d}_target_elimination", saturable, meaning, {central: 1}))
        return Equations(tuple(states), tuple(reactions), tuple(quantities), central)


def _serum(d: str) -> str:
    """Concentration in serum."""
    return f"{d}_C / vd_{d}"


def _weight(d: str) -> str:
    """Body weight relative to the reference."""
    return f"(weight_{d} / weight_ref_{d})"


def _amounts(d: str) -> list[State]:
    """Amounts in serum, tissue, tumour and node."""
    return [
        State(f"{d}_C", "nanomole", "central", f"{d} in serum and the tissue in fast exchange with it"),
        State(f"{d}_P", "nanomole", "peripheral", f"{d} in peripheral tissue"),
        State(f"{d}_T", "nanomole", "tumour", f"{d} in the tumour, free"),
        State(f"{d}_LN", "nanomole", "lymph_node", f"{d} in the tumour-draining lymph nodes, free"),
    ]


def _exchange(d: str) -> list[Reaction]:
    """Exchange between serum, tissue, tumour and node."""
    central, peripheral, tumour, node = f"{d}_C", f"{d}_P", f"{d}_T", f"{d}_LN"
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
    return [
        Quantity(
            f"vd_{d}",
            f"V_C * gamma_C_{d} * {_weight(d)}^wt_v_{d}",
            "liter",
            f"Central volume of distribution of {d} at the patient's weight",
        ),
        serum_concentration(d, _serum(d)),
        Quantity(
            f"free_T_{d}",
            f"{d}_T / (V_T * gamma_T_{d})",
            "nanomole/liter",
            f"Free concentration of {d} in the tumour",
        ),
        Quantity(
            f"free_LN_{d}",
            f"{d}_LN / (V_LN * gamma_LN_{d})",
            "nanomole/liter",
            f"Free concentration of {d} in the lymph node",
        ),
    ]


def _ageing(d: str) -> tuple[State, Reaction, Quantity]:
    """Time on treatment, which advances while the drug is in serum, and the resulting factor of clearance."""
    central = f"{d}_C"
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
