"""Checkpoint binding in equilibrium against the full binding model (every association and dissociation an ODE)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pytest
from mechanism_bench import Bench, bench
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

PER_UM2 = 1e8 / 6.02214076e14  # molecule/um^2 in nanomole/cm^2
SECONDS = 86400.0


@pytest.fixture(scope="module")
def full() -> Bench:
    return bench()


class Binding:
    """Mass action on a membrane: species in molecules per um^2, reactions ``a + b <-> c``; rates per second."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.totals: dict[str, float] = {}
        self.reactions: list[tuple[list[int], int, float, float]] = []

    def species(self, name: str, total: float = 0.0) -> None:
        self.names.append(name)
        self.totals[name] = total

    def bind(self, reactants: tuple[str, ...], product: str, on: float, off: float) -> None:
        if product not in self.names:
            self.species(product)
        self.reactions.append(([self.names.index(r) for r in reactants], self.names.index(product), on, off))

    def rates(self, _: float, y: NDArray[np.float64]) -> NDArray[np.float64]:
        out = np.zeros_like(y)
        for reactants, product, on, off in self.reactions:
            flow = on * np.prod(y[reactants]) - off * y[product]
            np.subtract.at(out, reactants, flow)
            out[product] += flow
        return out

    def equilibrium(self, days: float = 10.0) -> dict[str, float]:
        """Integrate the kinetics from all unbound."""
        start = np.array([self.totals[n] for n in self.names])
        end = solve_ivp(self.rates, (0.0, days * SECONDS), start, method="BDF", rtol=1e-8, atol=1e-9)
        assert end.success
        return dict(zip(self.names, end.y[:, -1], strict=True))


# Published rates: association per micromolar and second in solution over a synapse of 3 nm, and dissociation constants
# (Cheng 2013, Wang 2014, van der Merwe 1997, Collins 2002). 1 uM in a gap of 3 nm is 1.8066 molecules per um^2.
UM = 6.02214076e2 * 3e-3  # molecules/um^2
LIGANDS = {
    ("PD1", "PDL1"): (0.18, 8.2),
    ("PD1", "PDL2"): (0.24, 2.3),
    ("CD28", "CD80"): (0.4, 4.0),
    ("CD28", "CD86"): (1.4, 20.0),
    ("CTLA4", "CD80"): (1.0, 0.42),
    ("CTLA4", "CD86"): (2.0, 2.6),
    ("CD80", "PDL1"): (0.32, 18.8),
}
ANTIBODY_ON = {"PD1": 0.67, "PDL1": 0.43, "CTLA4": 0.383}  # per micromolar and second


def kinetics(totals: Mapping[str, float], arms: Mapping[str, float], crosslinking: Mapping[str, float]) -> Binding:
    """Return the full binding model.

    `totals`: molecules per um^2. `arms`: antibody on each receptor in units of its one-arm dissociation constant (held
    constant). `crosslinking`: second-arm association over one-arm dissociation constant, um^2 per molecule.
    """
    model = Binding()
    for name, total in totals.items():
        model.species(name, total)
    for (a, b), (on, kd) in LIGANDS.items():
        if a in totals and b in totals:
            model.bind((a, b), f"{a}:{b}", on / UM, on * kd)
    for receptor, dose in arms.items():
        off = ANTIBODY_ON[receptor] * 4e-3  # a one-arm dissociation constant of 4 nM; it cancels at rest
        model.bind((receptor,), f"{receptor}:Ab", 2 * dose * off, off)
        model.bind((receptor, f"{receptor}:Ab"), f"{receptor}:Ab:{receptor}", crosslinking[receptor] * off, 2 * off)
    return model


def patients(n: int, seed: int) -> dict[str, NDArray[np.float64]]:
    """Draw expression and antibodies over the ranges of the parameter tables and from none to saturating."""
    rng = np.random.default_rng(seed)

    def spread(low: float, high: float) -> NDArray[np.float64]:
        return np.exp(rng.uniform(np.log(low), np.log(high), n))

    def antibody() -> NDArray[np.float64]:
        return np.where(rng.random(n) < 0.3, 0.0, spread(0.01, 5000.0))

    return {
        "T8_PD1": spread(12_000, 62_000),
        "pdl1_tumour": spread(0.01, 8.0),
        "pdl1_stroma": spread(0.1, 5.0),
        "r_PDL2_C": spread(1e-3, 0.1),
        "r_PDL2_APC": spread(1e-3, 0.1),
        "APC_CD80": spread(10_000, 160_000),
        "APC_CD86": spread(100_000, 1_700_000),
        "T8_CTLA4": spread(2_000, 40_000),
        "exposure_pd1": antibody(),
        "exposure_pdl1": antibody(),
        "exposure_ctla4": antibody(),
    }


def in_base(full: Bench, drawn: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    return {k: v * full.model.parameters[k].factor for k, v in drawn.items()}


@pytest.mark.slow
def test_tumour_synapses_match_the_full_binding_model(full: Bench) -> None:
    """Engaged PD-1 within 1 % of total PD-1 (at rest the difference is rounding), occupancy as well."""
    n = 40
    outputs = [
        "PD1_CD8",
        "PDL1_C",
        "PDL2_C",
        "PDL1_APC",
        "PDL2_APC",
        "synC_complex",
        "synA_complex",
        "PD1_occupancy_T",
        "aPD1_T_arm",
        "aPD1_T_cross",
        "aPDL1_T_arm",
        "aPDL1_T_cross",
    ]
    got = full.run([0.0, 2.0], tuple(outputs), in_base(full, patients(n, 1)), n=n)
    worst = 0.0
    for i in range(n):
        at = {name: float(got[name][i, -1]) for name in outputs}
        for tag, pdl1, pdl2 in (("synC", "PDL1_C", "PDL2_C"), ("synA", "PDL1_APC", "PDL2_APC")):
            totals = {k: at[v] / PER_UM2 for k, v in {"PD1": "PD1_CD8", "PDL1": pdl1, "PDL2": pdl2}.items()}
            arms = {"PD1": at["aPD1_T_arm"], "PDL1": at["aPDL1_T_arm"]}
            cross = {
                "PD1": at["aPD1_T_cross"] * PER_UM2 / (2 * arms["PD1"] or 1.0),
                "PDL1": at["aPDL1_T_cross"] * PER_UM2 / (2 * arms["PDL1"] or 1.0),
            }
            rest = kinetics(totals, arms, cross).equilibrium()
            engaged = (rest["PD1:PDL1"] + rest["PD1:PDL2"]) / totals["PD1"]
            worst = max(worst, abs(at[f"{tag}_complex"] / PER_UM2 / totals["PD1"] - engaged))
            if tag == "synC":
                held = (rest["PD1:Ab"] + 2 * rest["PD1:Ab:PD1"]) / totals["PD1"]
                worst = max(worst, abs(at["PD1_occupancy_T"] - held))
    assert worst < 0.01, f"largest difference {worst:.2g} of total PD-1"


@pytest.mark.slow
def test_node_synapse_matches_the_full_binding_model(full: Bench) -> None:
    """Engaged CD28 within 1 %, engaged PD-1 within 1 % of total PD-1."""
    n = 25
    outputs = [
        "CD28_CD8",
        "CTLA4_CD8",
        "CD80_LN",
        "CD86_LN",
        "PD1_LN",
        "PDL1_LN",
        "PDL2_LN",
        "synN_CD28",
        "synN_PD1",
        "aPD1_LN_arm",
        "aPD1_LN_cross",
        "aPDL1_LN_arm",
        "aPDL1_LN_cross",
        "aCTLA4_LN_arm",
        "aCTLA4_LN_cross",
    ]
    got = full.run([0.0, 2.0], tuple(outputs), in_base(full, patients(n, 2)), n=n)
    names = {
        "CD28": "CD28_CD8",
        "CTLA4": "CTLA4_CD8",
        "CD80": "CD80_LN",
        "CD86": "CD86_LN",
        "PD1": "PD1_LN",
        "PDL1": "PDL1_LN",
        "PDL2": "PDL2_LN",
    }
    worst = {"CD28": 0.0, "PD1": 0.0}
    for i in range(n):
        at = {name: float(got[name][i, -1]) for name in outputs}
        totals = {k: at[v] / PER_UM2 for k, v in names.items()}
        arms = {k: at[f"a{k}_LN_arm"] for k in ANTIBODY_ON}
        cross = {k: at[f"a{k}_LN_cross"] * PER_UM2 / (2 * arms[k] or 1.0) for k in ANTIBODY_ON}
        rest = kinetics(totals, arms, cross).equilibrium()
        cd28 = rest["CD28:CD80"] + rest["CD28:CD86"]
        pd1 = rest["PD1:PDL1"] + rest["PD1:PDL2"]
        worst["CD28"] = max(worst["CD28"], abs(at["synN_CD28"] / PER_UM2 / cd28 - 1))
        worst["PD1"] = max(worst["PD1"], abs(at["synN_PD1"] / PER_UM2 - pd1) / totals["PD1"])
    assert worst["CD28"] < 0.01, worst
    assert worst["PD1"] < 0.01, worst


def test_antibody_kinetics_are_followed_in_time(full: Bench) -> None:
    """As an antibody comes and goes over months, the equilibrium is within 2 % of full kinetics from 6 hours on."""
    peak, half_life = 300.0, 11.0
    times = np.array([0.0, 0.25, 0.5, 1.0, 3.0, 10.0, 21.0, 60.0, 120.0, 180.0, 240.0])
    y = dict(full.start)
    arm = full.value("aPD1_T_arm", 0.0, {"exposure_pd1": 1.0})
    cross = full.value("aPD1_T_cross", 0.0, {"exposure_pd1": 1.0}) * PER_UM2 / (2 * arm)
    total, pdl1, pdl2 = (full.value(k) / PER_UM2 for k in ("PD1_CD8", "PDL1_C", "PDL2_C"))
    model = kinetics({"PD1": total, "PDL1": pdl1, "PDL2": pdl2}, {"PD1": 1.0}, {"PD1": cross})
    (bind,) = [r for r in model.reactions if r[1] == model.names.index("PD1:Ab")]
    others = [r for r in model.reactions if r is not bind]

    def exposure(t: float) -> float:
        return peak * 0.5 ** (t / half_life) * (1 - np.exp(-t / 0.1)) if t > 0 else 0.0

    def rates(t: float, state: NDArray[np.float64]) -> NDArray[np.float64]:
        model.reactions = [*others, (bind[0], bind[1], bind[2] * arm * exposure(t / SECONDS), bind[3])]
        return model.rates(t, state)

    start = np.array([total, pdl1, pdl2, *[0.0] * (len(model.names) - 3)])
    rest = solve_ivp(rates, (-5 * SECONDS, 0.0), start, method="BDF", rtol=1e-7, atol=1e-8).y[:, -1]
    exact = solve_ivp(
        rates, (0.0, times[-1] * SECONDS), rest, method="BDF", rtol=1e-7, atol=1e-8, t_eval=times * SECONDS
    )
    assert exact.success, exact.message
    held = (exact.y[model.names.index("PD1:Ab")] + 2 * exact.y[model.names.index("PD1:Ab:PD1")]) / total
    from immunescape.engine.api import Job

    found = [0.0]
    for a, b in pairwise(times):  # piecewise constant exposure, in short steps
        for left, right in pairwise(np.linspace(a, b, 61)):
            job = Job(
                n=1,
                times=np.array([left, right]),
                outputs=("PD1_occupancy_T",),
                parameters={"exposure_pd1": exposure((left + right) / 2), "k_growth": 0.0, "switch_killing": 0.0},
                initial=y,
                atol=full.model.atol(),
            )
            step = full.compiled.run(job)
            y = {s: float(step.final[0, k]) for k, s in enumerate(step.states)}
            # expression is held where it is, as in the full binding model
            y |= {k: full.start[k] for k in full.start if k not in ("synC_PD1_free", "synA_PD1_free")}
        found.append(float(step["PD1_occupancy_T"][0, -1]))
    late = np.abs(np.array(found) - held)[1:]
    assert late[held[1:] > 0.3].max() < 0.02, (found, held)
    assert late.max() < 0.05, "after months, what both arms hold leaves more slowly than the equilibrium falls"
    assert held[-1] < 0.3 < 0.9 < held[3], "the antibody comes and goes"


def test_pool_of_one_half_blocks_the_receptor_of_the_assay() -> None:
    """By definition: at a pool of 1 half of the receptor is held where ligand competes as in the assay."""
    full = bench()
    one = {"exposure_pd1": 1.0}
    arm, cross = (full.value(f"aPD1_T_{w}", 0.0, one) for w in ("arm", "cross"))
    total = full.value("PD1_CD8")
    ligand = full.model.parameters["assay_ligand_PD1"].value
    free = total / 2 / (1 + ligand)
    assert free * 2 * arm + cross * free**2 == pytest.approx(total / 2, rel=1e-9)
