"""A published 50-state QSP model, built as SBML from its exported tables, from mixed units to one coherent set.

Units of the SBML: day, micrometre, molecule, cell. Run ``python tests/engine/example1.py FILE.xml`` to write the file.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
from pathlib import Path
from typing import Any

import libsbml
import numpy as np
import pandas as pd
import pint

from immunescape.engine.api import Doses

MOL_PER_MG = 1.39276e-6 / 200
AVOGADRO = 6.02214076e23
DRUG = "V_C_nivolumab"
OBSERVABLES = {
    "cancer_cells": ("C_total", 1.0),
    "dead_cells": ("V_T_C_x", 1.0),
    "t_cells": ("T_total", 1.0),
    "tumour_volume_l": ("V_T", 1e-15),
    "pd1_occupancy": ("H_PD1_C1", 1.0),
    "drug_plasma_molar": ("[V_C_nivolumab]", 1e15 / AVOGADRO),
    "drug_tumor_molar": ("[V_T_nivolumab]", 1e15 / AVOGADRO),
    "cd8_tumor_cells": ("V_T_T1", 1.0),
    "treg_tumor_cells": ("V_T_T0", 1.0),
}
"""Column of the trajectories -> output of the model and the factor to the column's unit."""


def default_tables() -> Path:
    """Folder of the exported tables."""
    root = Path(os.environ.get("IMMUNESCAPE_SHARED", Path(__file__).resolve().parents[3] / "shared"))
    return root / "data" / "qsp_io" / "example1"


class _Units:
    """Converts to day, micrometre, molecule and cell; molecules and moles are one dimension."""

    def __init__(self) -> None:
        self.registry: pint.UnitRegistry = pint.UnitRegistry()
        for line in ("cell = [cell]", f"molecule = mole / {AVOGADRO!r}", "molarity = mole / liter"):
            self.registry.define(line)
        self.registry.define("micromolarity = 1e-6 * molarity")
        self.registry.define("nanomolarity = 1e-9 * molarity")

    def quantity(self, value: float, unit: str) -> Any:
        return value * self.registry.parse_units("dimensionless" if pd.isna(unit) else unit.replace("^", "**"))

    def base(self, quantity: Any) -> Any:
        """The quantity in base units."""
        powers = {"[length]": "micrometer", "[time]": "day", "[substance]": "molecule", "[cell]": "cell"}
        unit = self.registry.dimensionless
        for dimension, power in quantity.dimensionality.items():
            unit = unit * self.registry.parse_units(powers[dimension]) ** power
        return quantity.to(unit)


class Example1:
    """The tables, with every value in base units and every name as an identifier."""

    def __init__(self, tables: Path) -> None:
        self.units = _Units()
        read = {
            name: pd.read_csv(tables / f"{name}.csv")
            for name in ("compartments", "species", "parameters", "reactions", "stoichiometry", "rules", "events")
        }
        self.tables = read
        self.values: dict[str, Any] = {}
        for row in read["compartments"].itertuples():
            self.values[row.name] = self.units.base(self.units.quantity(row.capacity, row.units))
        for row in read["parameters"].itertuples():
            self.values[row.name] = self.units.base(self.units.quantity(row.value, row.units))
        self.species: dict[str, str] = {}
        short: dict[str, list[str]] = {}
        for row in read["species"].itertuples():
            name = row.identifier.replace(".", "_")
            self.values[name] = self.units.base(self.units.quantity(row.initial_amount, row.initial_units))
            self.species[name] = row.compartment
            short.setdefault(row.name, []).append(name)
        self.short = {name: found[0] for name, found in short.items() if len(found) == 1}

    def formula(self, text: str) -> str:
        """A formula with our identifiers."""
        text = re.sub(r"([A-Za-z_]\w*)\.([A-Za-z_]\w*)", r"\1_\2", text)
        return re.sub(r"[A-Za-z_]\w*", lambda m: m.group() if m.group() in self.values else self.short[m.group()], text)

    def is_amount(self, name: str) -> bool:
        """Whether a species is counted (cells), not given as a concentration."""
        return self.values[name].dimensionality == self.units.registry.cell.dimensionality

    def dimension(self, formula: str) -> Any:
        """Value with unit of a formula at the tables' values, from its syntax tree."""
        return self._walk(ast.parse(formula.strip().replace("^", "**"), mode="eval").body)

    def _walk(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant):
            return float(node.value) * self.units.registry.dimensionless
        if isinstance(node, ast.Name):
            return self.values[node.id]
        if isinstance(node, ast.UnaryOp):
            value = self._walk(node.operand)
            return -value if isinstance(node.op, ast.USub) else value
        if not isinstance(node, ast.BinOp):
            raise TypeError(ast.dump(node))
        a, b = self._walk(node.left), self._walk(node.right)
        if isinstance(node.op, ast.Add):
            return a + b
        if isinstance(node.op, ast.Sub):
            return a - b
        if isinstance(node.op, ast.Mult):
            return a * b
        if isinstance(node.op, ast.Div):
            return a / b
        return a ** b.to("dimensionless").magnitude

    def rate(self, reaction: Any) -> str:
        """Amount per day that a reaction converts: a rate of concentration times the size of its compartment."""
        law = self.formula(reaction.reaction_rate)
        rows = self.tables["stoichiometry"]
        rows = rows[rows.reaction == reaction.name].sort_values("stoichiometry", kind="stable")
        compartment = rows.species.iloc[0].split(".")[0]
        unit = self.dimension(law)
        ureg = self.units.registry
        amounts = [(ureg.cell / ureg.day).dimensionality, (ureg.molecule / ureg.day).dimensionality]
        if unit.dimensionality in amounts:
            return law
        if (unit * self.values[compartment]).dimensionality in amounts:
            return f"({law})*{compartment}"
        raise ValueError(f"{reaction.name}: rate in {unit.units}")


def example1_sbml(tables: Path | None = None) -> str:
    """The model as SBML Level 3 Version 2."""
    source = Example1(tables or default_tables())
    document = libsbml.SBMLDocument(3, 2)
    model = document.createModel()
    model.setId("example1")
    rules = source.tables["rules"]
    assigned = set(rules[rules.type == "repeatedAssignment"].target)
    for name in source.tables["compartments"].name:
        item = model.createCompartment()
        item.setId(name)
        item.setSize(float(source.values[name].magnitude))
        item.setSpatialDimensions(2 if name[0] in "As" else 3)
        item.setConstant(name not in assigned)
    for name, compartment in source.species.items():
        item = model.createSpecies()
        item.setId(name)
        item.setCompartment(compartment)
        item.setHasOnlySubstanceUnits(source.is_amount(name))
        item.setBoundaryCondition(False)
        item.setConstant(False)
        value = float(source.values[name].magnitude)
        (item.setInitialAmount if source.is_amount(name) else item.setInitialConcentration)(value)
    for name in source.tables["parameters"].name:
        item = model.createParameter()
        item.setId(name)
        item.setValue(float(source.values[name].magnitude))
        item.setConstant(name not in assigned)
    for row in rules.itertuples():
        target = row.target.replace(".", "_")
        if row.type == "repeatedAssignment":
            item = model.createAssignmentRule()
            item.setVariable(target)
        else:
            item = model.createInitialAssignment()
            item.setSymbol(target)
        formula = source.formula(row.expression)
        assert source.dimension(formula).dimensionality == source.values[target].dimensionality, target
        item.setMath(_math(formula))
    for row in source.tables["reactions"].itertuples():
        item = model.createReaction()
        item.setId(row.name)
        item.setReversible(False)
        changes = source.tables["stoichiometry"]
        for change in changes[changes.reaction == row.name].itertuples():
            ref = item.createReactant() if change.stoichiometry < 0 else item.createProduct()
            ref.setSpecies(change.species.replace(".", "_"))
            ref.setStoichiometry(abs(float(change.stoichiometry)))
            ref.setConstant(True)
        item.createKineticLaw().setMath(_math(source.rate(row)))
    for row in source.tables["events"].itertuples():
        event = model.createEvent()
        event.setId(f"event_{row.event_index}")
        event.setUseValuesFromTriggerTime(True)
        trigger = event.createTrigger()
        trigger.setInitialValue(True)
        trigger.setPersistent(True)
        trigger.setMath(_math(source.formula(row.trigger)))
        variable, value = (source.formula(part) for part in row.assignments.split("="))
        assignment = event.createEventAssignment()
        assignment.setVariable(variable.strip())
        assignment.setMath(_math(value))
    return libsbml.writeSBMLToString(document)


def _math(formula: str) -> Any:
    node = libsbml.parseL3Formula(formula)
    assert node is not None, libsbml.getLastParseL3Error()
    return node


def write_example1(path: Path, tables: Path | None = None) -> Path:
    """Write the SBML file; returns its path."""
    path.write_text(example1_sbml(tables), encoding="utf-8")
    return path


def doses(scenario: Path) -> Doses:
    """Doses of a scenario file, in molecules."""
    times, amounts = [], []
    for dose in json.loads(scenario.read_text())["doses"]:
        for k in range(dose["repeat_count"] + 1):
            times.append(dose["start_time"] + k * dose["interval"])
            amounts.append(dose["amount_mg"] * MOL_PER_MG * AVOGADRO)
    n = len(times)
    return Doses(np.array(times), (DRUG,) * n, np.array(amounts), np.zeros(n))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    print(write_example1(parser.parse_args().file))
