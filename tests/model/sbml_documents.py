"""Small SBML documents, written from formulas as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import libsbml

UNITS = {
    "day": (("second", 1, 0, 86400.0),),
    "hour": (("second", 1, 0, 3600.0),),
    "nmol": (("mole", 1, -9, 1.0),),
    "umol": (("mole", 1, -6, 1.0),),
    "ml": (("litre", 1, -3, 1.0),),
    "per_day": (("second", -1, 0, 86400.0),),
    "per_hour": (("second", -1, 0, 3600.0),),
    "nM": (("mole", 1, -9, 1.0), ("litre", -1, 0, 1.0)),
    "uM": (("mole", 1, -6, 1.0), ("litre", -1, 0, 1.0)),
    "release_day": (("mole", 1, -9, 1.0), ("item", -1, 0, 1.0), ("second", -1, 0, 86400.0)),
    "release_hour": (("mole", 1, -6, 1.0), ("item", -1, 0, 1.0), ("second", -1, 0, 3600.0)),
    "per_cell_day": (("item", -1, 0, 1.0), ("second", -1, 0, 86400.0)),
    "kelvin_unit": (("kelvin", 1, 0, 1.0),),
}


def math(formula: str) -> str:
    """A formula as MathML."""
    tree = libsbml.parseL3Formula(formula)
    assert tree is not None, libsbml.getLastParseL3Error()
    text = libsbml.writeMathMLToString(tree)
    return text.partition("?>")[2]


def document(
    *,
    species: Sequence[str] = (),
    parameters: Mapping[str, tuple[float | None, str]] | None = None,
    assigned: Mapping[str, str] | None = None,
    rated: Mapping[str, str] | None = None,
    initial: Mapping[str, str] | None = None,
    reactions: Mapping[str, tuple[str, str, str]] | None = None,
    functions: str = "",
    extra: str = "",
    local: str = "",
    attributes: str = 'timeUnits="day" substanceUnits="nmol" extentUnits="nmol" volumeUnits="ml"',
    compartments: str = '<compartment id="tumour" spatialDimensions="3" size="1" constant="true"/>',
) -> str:
    """A document of Level 3 Version 2; a reaction is (reactants, products, rate), with names separated by blanks."""
    units = "".join(
        f'<unitDefinition id="{name}"><listOfUnits>'
        + "".join(f'<unit kind="{k}" exponent="{e}" scale="{s}" multiplier="{m}"/>' for k, e, s, m in parts)
        + "</listOfUnits></unitDefinition>"
        for name, parts in UNITS.items()
    )
    rows = []
    for name, (value, unit) in (parameters or {}).items():
        number = "" if value is None else f' value="{value!r}"'
        stated = f' units="{unit}"' if unit else ""
        ruled = name in {**(assigned or {}), **(rated or {})}
        rows.append(f'<parameter id="{name}"{number}{stated} constant="{str(not ruled).lower()}"/>')
    rules = [f'<assignmentRule variable="{n}">{math(f)}</assignmentRule>' for n, f in (assigned or {}).items()]
    rules += [f'<rateRule variable="{n}">{math(f)}</rateRule>' for n, f in (rated or {}).items()]
    starts = [f'<initialAssignment symbol="{n}">{math(f)}</initialAssignment>' for n, f in (initial or {}).items()]
    parts = {
        "FunctionDefinitions": functions,
        "UnitDefinitions": units,
        "Compartments": compartments,
        "Species": "\n".join(species),
        "Parameters": "\n".join(rows),
        "InitialAssignments": "".join(starts),
        "Rules": "\n".join(rules),
        "Reactions": "\n".join(_reaction(n, *r, local) for n, r in (reactions or {}).items()),
    }
    body = "\n".join(f"<listOf{k}>{v}</listOf{k}>" for k, v in parts.items() if v) + extra
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<sbml xmlns="http://www.sbml.org/sbml/level3/version2/core" level="3" '
        f'version="2">\n<model id="trial_mechanism" {attributes}>\n{body}\n</model>\n</sbml>\n'
    )


def _reaction(name: str, reactants: str, products: str, rate: str, local: str) -> str:
    sides = ""
    for role, side in (("Reactants", reactants), ("Products", products)):
        if side:
            refs = "".join(f'<speciesReference species="{s}" stoichiometry="1" constant="true"/>' for s in side.split())
            sides += f"<listOf{role}>{refs}</listOf{role}>"
    inner = f"<listOfLocalParameters>{local}</listOfLocalParameters>" if local else ""
    return f'<reaction id="{name}" reversible="false">{sides}<kineticLaw>{math(rate)}{inner}</kineticLaw></reaction>'


def one_species(name: str, *, amount: float | None = 0.0, unit: str = "", only: bool = True, more: str = "") -> str:
    """A species in the tumour."""
    start = "" if amount is None else f' initialAmount="{amount!r}"'
    stated = f' substanceUnits="{unit}"' if unit else ""
    boundary = "" if "boundaryCondition" in more else ' boundaryCondition="false"'
    return (
        f'<species id="{name}" compartment="tumour"{start}{stated} hasOnlySubstanceUnits="{str(only).lower()}"'
        f'{boundary} constant="false" {more}/>'
    )
