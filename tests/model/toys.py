"""A tiny set of mechanisms, with its tables and bibliography."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from immunescape.model.declarations import (
    Clone,
    Contribution,
    Drug,
    Event,
    Mechanism,
    Modulation,
    Pool,
    Quantity,
    Reaction,
    State,
    Trait,
)

HEADER = "name,value,unit,distribution,spread,lower,upper,source,grade,note\n"

BIB = """
@article{alpha2001, author = {Alpha, Ann and Beta, Bob}, title = {Growth of toys}, journal = {J Toy}, year = {2001},
  volume = {3}, pages = {1--9}, doi = {10.1000/toy.1}, note = {PMID: 1234567}}
@article{gamma2002, author = {G{\\"o}del, Kurt}, title = {Killing of toys}, journal = {J Toy}, year = 2002}
@article{delta2003, author = {Delta, D.}, title = {Doses of toys}, journal = {J Toy}, year = {2003}}
@article{unused1999, author = {Nobody, N.}, title = {Never cited}, journal = {J Toy}, year = {1999}}
"""

GROWTH = """V_T0,1,milliliter,,,,,assumed,assumed,
vol_cell,2572,micrometer^3/cell,,,,,alpha2001,measured,
k_growth,0.01,1/day,lognormal,0.5,,,alpha2001,measured,
C_max,1.5e11,cell,,,,,assumed;alpha2001,assumed,
C_start,1e8,cell,,,,,assumed,assumed,
k_clear,0.1,1/day,,,,,assumed,assumed,
"""
RESISTANCE = """f_resistant,0.01,dimensionless,,,,,assumed,assumed,
sensitivity,0.1,dimensionless,,,,,gamma2002,fitted,
k_mutation,1e-6,1/day,,,,,gamma2002,fitted,
"""
KILLING = """k_kill,0.9,1/day,,,,,gamma2002,fitted,
K_T,1e9,cell,,,,,gamma2002,fitted,
s_T,1e5,cell/day,,,,,gamma2002,fitted,
k_T,0.02,1/day,,,,,gamma2002,fitted,
"""
SUPPRESSION = """k_S,3,nanogram/hour/mL,,,,,assumed,assumed,
m_S,25,kilodalton,,,,,gamma2002,measured,
d_S,0.5,1/hour,,,,,gamma2002,measured,
K_S,5,picomolar,,,,,gamma2002,measured,
avogadro,6.02214076e23,1/mole,,,,,gamma2002,measured,
"""
DRUG = """V_C,5,liter,,,,,delta2003,measured,
k_cl_toymab,0.3,liter/day,,,,,delta2003,measured,
kill_toymab,0.2,1/day/(nanomole/milliliter),,,,,delta2003,fitted,
m_toymab,146,kilogram/mole,,,,,delta2003,measured,
"""


@dataclass(frozen=True)
class Toys:
    growth: Mechanism
    resistance: Mechanism
    killing: Mechanism
    suppression: Mechanism
    drug: Drug
    folder: Path

    @property
    def mechanisms(self) -> tuple[Mechanism, ...]:
        return (self.growth, self.resistance, self.killing, self.suppression)


def table(folder: Path, name: str, rows: str) -> Path:
    path = folder / f"{name}.csv"
    path.write_text(HEADER + rows)
    return path


def make_toys(folder: Path) -> Toys:
    """Write the tables and the bibliography into a folder, and return the mechanisms."""
    (folder / "toys.bib").write_text(BIB)
    growth = Mechanism(
        name="toy_growth",
        title="Growth",
        summary="Clones grow, die by drugs, and are cleared.",
        references=("alpha2001",),
        parameters=table(folder, "growth", GROWTH),
        compartments={"tumour": "V_T"},
        clones=(Clone("sensitive", "responds"),),
        traits=(Trait("chemo_sensitivity", "1", "sensitivity to chemotherapy"),),
        pools=(Pool("chemo_kill", "1/day", "kill rate by chemotherapy"),),
        states=(
            State("C_{clone}", "cell", "tumour", "cancer cells", initial="C_start * fraction_{clone}"),
            State("C_dead_T", "cell", "tumour", "dead cells"),
        ),
        reactions=(
            Reaction(
                "growth_{clone}",
                "k_growth * C_{clone} * max(0, 1 - C_total / C_max)",
                "growth",
                products={"C_{clone}": 1},
            ),
            Reaction(
                "chemo_{clone}",
                "chemo_kill * chemo_sensitivity_{clone} * C_{clone}",
                "kill by chemotherapy",
                reactants={"C_{clone}": 1},
                products={"C_dead_T": 1},
            ),
            Reaction("clearance", "k_clear * C_dead_T", "clearance of dead cells", reactants={"C_dead_T": 1}),
        ),
        quantities=(
            Quantity("C_total", "SUM(C_{clone})", "cell", "cancer cells", observable=True),
            Quantity("V_T", "V_T0 + vol_cell * (C_total + C_dead_T)", "milliliter", "tumour volume", observable=True),
            Quantity("diameter_T", "2 * (3 * V_T / (4 * pi))^(1/3)", "millimeter", "diameter", observable=True),
        ),
        events=(Event("eradication_{clone}", "C_{clone} < 1", {"C_{clone}": "0"}),),
    )
    resistance = Mechanism(
        name="toy_resistance",
        title="Resistance",
        summary="A clone that chemotherapy hardly kills.",
        references=("gamma2002",),
        parameters=table(folder, "resistance", RESISTANCE),
        requires=("toy_growth",),
        clones=(Clone("resistant", "does not respond", "f_resistant", {"chemo_sensitivity": "sensitivity"}),),
        reactions=(
            Reaction("mutation", "k_mutation * C_sensitive", "mutation", {"C_sensitive": 1}, {"C_resistant": 1}),
        ),
    )
    killing = Mechanism(
        name="toy_killing",
        title="Killing",
        summary="T cells kill.",
        references=("gamma2002",),
        parameters=table(folder, "killing", KILLING),
        requires=("toy_growth",),
        processes={"killing": "killing of cancer cells by T cells"},
        states=(State("T_T", "cell", "tumour", "T cells", initial="s_T / k_T"),),
        reactions=(
            Reaction("T_influx", "s_T", "influx", products={"T_T": 1}),
            Reaction("T_death", "k_T * T_T", "death", reactants={"T_T": 1}),
            Reaction(
                "kill_{clone}",
                "k_kill * f_killing * T_T * C_{clone} / (C_total + K_T)",
                "killing",
                {"C_{clone}": 1},
                {"C_dead_T": 1},
            ),
        ),
    )
    suppression = Mechanism(
        name="toy_suppression",
        title="Suppression",
        summary="A cytokine inhibits killing.",
        references=(),
        parameters=table(folder, "suppression", SUPPRESSION),
        requires=("toy_growth",),
        states=(State("S_T", "nanomole", "tumour", "suppressor", atol=1e-12),),
        reactions=(
            Reaction("S_secretion", "k_S / (m_S * avogadro) * V_T", "secretion", products={"S_T": 1}),
            Reaction("S_decay", "d_S * S_T", "decay", reactants={"S_T": 1}),
        ),
        quantities=(Quantity("S_conc", "S_T / V_T", "picomolar", "concentration", observable=True),),
        modulations=(Modulation("killing", "cytokine", "inhibits", "S_conc / K_S"),),
    )
    drug = Drug(
        name="toymab",
        title="Toymab",
        summary="A drug that kills.",
        references=("delta2003",),
        parameters=table(folder, "toymab", DRUG),
        compartments={"central": "V_C"},
        states=(State("toymab_C", "nanomole", "central", "toymab"),),
        reactions=(Reaction("toymab_cl", "k_cl_toymab * toymab_C / V_C", "clearance", {"toymab_C": 1}),),
        quantities=(
            Quantity("conc_toymab", "m_toymab * toymab_C / V_C", "microgram/milliliter", "serum", observable=True),
        ),
        contributions=(Contribution("chemo_kill", "kill_toymab * toymab_C / V_C"),),
        drug_class="toy",
        dose_state="toymab_C",
        molar_mass=146000.0,
        synonyms=("Toyvant",),
    )
    return Toys(growth, resistance, killing, suppression, drug, folder)
