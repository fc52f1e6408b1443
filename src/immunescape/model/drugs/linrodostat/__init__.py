"""Linrodostat (BMS-986205): inhibitor of IDO1."""

from __future__ import annotations

from immunescape.model.declarations import Contribution
from immunescape.model.drugs._small_molecule import small_molecule

DRUG = small_molecule(
    "linrodostat",
    title="Linrodostat",
    drug_class="IDO1 inhibitor",
    targets=("IDO1",),
    molar_mass=410.9,
    synonyms=("BMS-986205", "F001287", "linrodostat mesylate"),
    references=("siu2017", "balog2021"),
    note="Oral, once daily, one compartment; displaces heme in newly made enzyme: its effect outlasts plasma exposure.",
    effect_compartment=True,
    contributions=(Contribution("ido1_inhibitor", "ratio_linrodostat"),),
)
