"""A mechanism from an SBML file is the mechanism that the same biology makes in Python."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sbml_documents import document, math, one_species
from tests.test_hostile_yaml import HOSTILE
from toys import table

from immunescape.engine import get_engine
from immunescape.engine.api import Job
from immunescape.errors import ImmunescapeError
from immunescape.model import Contribution, Mechanism, Model, Modulation, Quantity, Reaction, State
from immunescape.model.from_sbml import SbmlMechanism, mechanism_from_sbml

EXAMPLE = Path(__file__).parents[2] / "examples/sbml/itaconate.xml"
MDSC = one_species("MDSC_T", unit="item", more='boundaryCondition="true"')
ITACONATE = {
    "species": [MDSC, one_species("Ita", unit="nmol")],
    "parameters": {
        "k_ita": (1e-3, "release_day"),
        "k_ita_loss": (2.0, "per_day"),
        "K_ita": (100.0, "uM"),
        "r_ita": (0.5, "dimensionless"),
        "ita_conc": (None, "uM"),
        "effect": (None, "dimensionless"),
    },
    "assigned": {"ita_conc": "Ita / tumour", "effect": "r_ita * ita_conc / (ita_conc + K_ita)"},
    "reactions": {"release": ("", "Ita", "k_ita * MDSC_T"), "loss": ("Ita", "", "k_ita_loss * Ita")},
}
EFFECT = {"effect": "inhibits killing"}
ROWS = """k_ita,0.001,nanomole/cell/day,,,,,assumed,assumed,
k_ita_loss,2.0,1/day,,,,,assumed,assumed,
K_ita,100.0,micromole/liter,,,,,assumed,assumed,
r_ita,0.5,dimensionless,,,,,assumed,assumed,
"""


def read(folder: Path, text: str, couple: object = None, **options: object) -> SbmlMechanism:
    (folder / "m.xml").write_text(text, encoding="utf-8")
    return mechanism_from_sbml(folder / "m.xml", couple, **options)  # type: ignore[arg-type]


def reduced(*mechanisms: Mechanism) -> Model:
    """A model of what a mechanism requires, and itself."""
    from immunescape.model.registry import mechanisms as registered
    from immunescape.model.selection import closures

    every = [*registered().values(), *mechanisms]
    needed = set().union(*(closures(every)[m.name] for m in mechanisms))
    return Model.build([m for m in every if m.name in needed])


def in_python(folder: Path, name: str = "trial_mechanism") -> Mechanism:
    conc = "ita_conc"
    return Mechanism(
        name=name,
        title="Itaconate",
        summary="",
        references=(),
        parameters=table(folder, "python", ROWS),
        requires=("killing", "mdsc", "tumour_growth"),
        states=(State("Ita", "nanomole", "tumour", "Ita, state of the SBML file"),),
        reactions=(
            Reaction("release", "k_ita * MDSC_T", "Reaction release of the SBML file", products={"Ita": 1}),
            Reaction("loss", "k_ita_loss * Ita", "Reaction loss of the SBML file", reactants={"Ita": 1}),
        ),
        quantities=(
            Quantity("ita_conc", "Ita / V_T", "micromole/liter", "ita_conc, computed in the SBML file"),
            Quantity(
                "effect",
                f"r_ita * {conc} / ({conc} + K_ita)",
                "dimensionless",
                "effect, computed in the SBML file",
            ),
        ),
        modulations=(Modulation("killing", "trial_mechanism", "inhibits", "effect"),),
    )


def derivatives(model: Model) -> dict[str, float]:
    """Rates and quantities at a state where every amount differs from zero."""
    states = {name: 1e3 * (i + 1.0) for i, name in enumerate(model.states)}
    return {**model.derivatives(states), **model.evaluate(states)}


def test_what_python_and_sbml_declare_alike_is_one_model_to_the_last_character(tmp_path):
    sbml = reduced(read(tmp_path, document(**ITACONATE), EFFECT))
    python = reduced(in_python(tmp_path))
    notes = {p.name: p.note for p in sbml.parameters.values() if p.owner == "trial_mechanism"}
    text = python.to_sbml(unreferenced=True)
    for name, note in notes.items():
        text = text.replace(f'<parameter id="{name}" value', f'<parameter id="{name}" name="{note}" value')
    assert sbml.to_sbml(unreferenced=True) == text
    assert sbml.missing_strengths == (("killing", "trial_mechanism", "trial_mechanism"),)


def test_hours_litres_and_micromoles_per_litre_give_the_same_rates(tmp_path):
    """Concentrations, a function, a local parameter and initial values, in units that are none of the model's."""
    function = (
        '<functionDefinition id="saturation">'
        + math("lambda(x, k, x / (x + k))").replace("<math", "<math")
        + "</functionDefinition>"
    )
    text = document(
        attributes='timeUnits="hour" substanceUnits="umol" extentUnits="umol" volumeUnits="litre"',
        species=[MDSC, one_species("Ita", only=False, amount=3.0)],
        parameters={
            "k_ita": (1e-3 / 24 / 1000, "release_hour"),
            "K_ita": (1e5, "nM"),
            "K_here": (None, "uM"),
            "nano": (1000.0, ""),
            "r_ita": (0.5, "dimensionless"),
            "effect": (None, "dimensionless"),
        },
        assigned={"effect": "r_ita * saturation(Ita, K_here)"},
        initial={"K_here": "K_ita / nano"},
        functions=function,
        local='<localParameter id="k" value="0.08333333333333333" units="per_hour"/>',
        reactions={"release": ("", "Ita", "k_ita * MDSC_T"), "loss": ("Ita", "", "k * Ita * tumour")},
    )
    mechanism = read(tmp_path, text, EFFECT)
    assert any("nano" in note for note in mechanism.notes)  # 1000 nM per uM, a unit that follows from the formula
    mine, python = reduced(mechanism), reduced(in_python(tmp_path))
    expected = derivatives(python)
    computed = derivatives(mine)
    for name in (n for n in expected if n in computed and n != "ita_conc"):
        assert computed[name] == pytest.approx(expected[name], rel=1e-12), name
    assert mine.initial()["Ita"] == pytest.approx(3000.0)  # 3 umol, in nanomole


def test_the_example_runs_in_libroadrunner_as_in_our_engine():
    model = reduced(mechanism_from_sbml(EXAMPLE))
    assert model.parameters["k_ita"].distribution == "lognormal"
    outputs, start = ("Ita", "itaconate_effect", "C_total", "MDSC_T"), {"MDSC_T": 2e6, "C_sensitive": 1e8}
    job = Job(n=1, times=np.linspace(0, 20, 5), outputs=outputs, initial=start, rtol=1e-10, atol=model.atol())
    ours, theirs = (
        get_engine(name).compile(model.to_sbml(unreferenced=True)).run(job).values[0]
        for name in ("native", "roadrunner")
    )
    assert ours[-1, 0] > 100
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)


def test_missing_units_follow_from_the_formulas_and_are_said(tmp_path):
    plain = {name: (value, "") for name, (value, _) in ITACONATE["parameters"].items()}
    text = document(**{**ITACONATE, "parameters": plain})
    mechanism = read(tmp_path, text, {"couple": EFFECT, "units": {"K_ita": "micromole/liter"}})
    rows = Path(mechanism.parameters).read_text()
    assert "k_ita,0.001,nanomole/cell/day," in rows
    assert "k_ita_loss,2.0,1/day," in rows
    (note,) = [n for n in mechanism.notes if "inferred from its formulas" in n]
    assert "k_ita in nmol/cell/day" in note
    assert derivatives(reduced(mechanism)) == pytest.approx(derivatives(reduced(in_python(tmp_path))), rel=1e-12)


def test_a_file_without_any_units_needs_those_of_time_substance_and_volume(tmp_path):
    plain = {name: (value, "") for name, (value, _) in ITACONATE["parameters"].items()}
    bare = {
        **ITACONATE,
        "attributes": "",
        "parameters": plain,
        "species": [one_species("MDSC_T", more='boundaryCondition="true"'), one_species("Ita")],
    }
    with pytest.raises(ImmunescapeError, match=r"no unit is stated.*the file's time"):
        read(tmp_path, document(**bare), EFFECT)
    units = {"time": "day", "substance": "nanomole", "volume": "milliliter"}
    mechanism = read(tmp_path, document(**bare), {"couple": EFFECT, "units": units})
    assert derivatives(reduced(mechanism)) == pytest.approx(derivatives(reduced(in_python(tmp_path))), rel=1e-12)


def test_a_species_that_stands_for_all_cancer_cells_is_killed_clone_by_clone(tmp_path):
    text = document(
        species=[
            one_species("Tumour_cells", unit="item"),
            one_species("Toxin", unit="nmol", amount=5.0),
        ],
        parameters={"k_tox": (0.1, "per_day"), "K_tox": (3.0, "nmol"), "c_half": (1e9, "item")},
        attributes='timeUnits="day" substanceUnits="nmol" extentUnits="item" volumeUnits="ml"',
        reactions={
            "kill": ("Tumour_cells", "", "k_tox * Toxin / (Toxin + K_tox) * Tumour_cells / (1 + Tumour_cells / c_half)")
        },
    )
    mechanism = read(tmp_path, text, {"Tumour_cells": "C_{clone}"})
    assert mechanism.changes == ("C_{clone}",)
    assert any("reference patient is another" in note for note in mechanism.notes)
    model = reduced(mechanism)
    states = {**dict.fromkeys(model.states, 0.0), "Toxin": 3.0, "C_sensitive": 4e8}
    rate = model.evaluate(states)["C_total"] * 0.1 * 0.5 / (1 + 4e8 / 1e9)
    with_it, without = (
        model.derivatives(states, {"switch_trial_mechanism": value})["C_sensitive"] for value in (1.0, 0.0)
    )
    assert without - with_it == pytest.approx(rate, rel=1e-9)


def test_reactions_change_a_state_of_ours_and_a_value_is_added_to_a_pool(tmp_path):
    text = document(
        species=[one_species("Suppressors", unit="item")],
        parameters={"k_out": (0.1, "per_day"), "more_kill": (0.02, "per_day")},
        attributes='timeUnits="day" substanceUnits="item" extentUnits="item" volumeUnits="ml"',
        reactions={"leave": ("Suppressors", "", "k_out * Suppressors")},
    )
    mechanism = read(tmp_path, text, {"Suppressors": "MDSC_T", "more_kill": "adds to chemo_kill"}, name="leaving")
    assert mechanism.contributions == (Contribution("chemo_kill", "more_kill"),)
    assert mechanism.changes == ("MDSC_T",)
    model = reduced(mechanism)
    states = dict.fromkeys(model.states, 1e5)
    with_it, without = (model.derivatives(states, {"switch_leaving": v}) for v in (1.0, 0.0))
    assert without["MDSC_T"] - with_it["MDSC_T"] == pytest.approx(1e4)
    assert model.evaluate(states)["chemo_kill"] == pytest.approx(0.02)


def test_rate_rules_and_exponents_become_states_and_numbers(tmp_path):
    text = document(
        species=[MDSC],
        parameters={
            "index": (0.25, "dimensionless"),
            "k_rise": (0.5, "per_day"),
            "K_cells": (1e6, "item"),
            "n": (2.0, ""),
        },
        rated={"index": "k_rise * MDSC_T^n / (MDSC_T^n + K_cells^n) * (1 - index)"},
    )
    mechanism = read(tmp_path, text, {"index": "promotes exhaustion"})
    assert [s.name for s in mechanism.states] == ["index"]
    assert any("fixed at 2" in note for note in mechanism.notes)
    model = reduced(mechanism)
    states = {**dict.fromkeys(model.states, 0.0), "MDSC_T": 1e6, "index": 0.5}
    assert model.derivatives(states)["index"] == pytest.approx(0.5 * 0.5 * 0.5)
    assert model.initial()["index"] == 0.25


def test_level_two_is_read(tmp_path):
    text = document(**ITACONATE)
    import libsbml

    old = libsbml.readSBMLFromString(text)
    assert old.setLevelAndVersion(2, 4, False)
    mechanism = read(tmp_path, libsbml.writeSBMLToString(old), EFFECT)
    assert derivatives(reduced(mechanism)) == pytest.approx(derivatives(reduced(in_python(tmp_path))), rel=1e-12)


K_KILL = {"parameters": {"k_kill": (7.0, "per_day")}}
EVENT = (
    '<listOfEvents><event id="pulse" useValuesFromTriggerTime="true"><trigger initialValue="true" persistent="true">'
    f"{math('time > 3')}</trigger></event></listOfEvents>"
)
DELAY = math("k_ita_loss * Ita").replace(
    "<ci> Ita </ci>",
    '<apply><csymbol encoding="text" definitionURL="http://www.sbml.org/sbml/symbols/delay">delay</csymbol>'
    "<ci>Ita</ci><cn>2</cn></apply>",
)
BOMB = '<?xml version="1.0"?>\n<!DOCTYPE sbml [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>\n<sbml><model id="&b;"/></sbml>'


ITA = one_species("Ita", unit="nmol")
IN_MOLES = MDSC.replace('substanceUnits="item"', 'substanceUnits="nmol"')
SWITCH = "piecewise(k_ita, Ita > K_ita, 0) * MDSC_T"
SURFACE = '<compartment id="tumour" spatialDimensions="2" size="1" constant="true"/>'
LEAVING = document(
    species=[one_species("Cells", unit="item")],
    parameters={"k_out": (0.1, "per_day")},
    attributes='timeUnits="day" extentUnits="item" volumeUnits="ml"',
    reactions={"leave": ("Cells", "", "k_out * Cells")},
)


def itaconate(**changes: object) -> str:
    return document(**{**ITACONATE, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "couple", "answers"),
    [
        ("this is no XML", None, ["not XML", "line 1"]),
        ("<html><body/></html>", None, ["<html>"]),
        ('<sbml xmlns="http://www.sbml.org/sbml/level3/version2/core" level="3" version="2"/>', None, ["no model"]),
        (itaconate().replace('level="3"', 'level="9"'), EFFECT, ["not valid SBML"]),
        (BOMB, None, ["document type", "line 2"]),
        (itaconate(extra=EVENT), EFFECT, ["event 'pulse'", "line 53"]),
        (itaconate().replace(math("k_ita_loss * Ita"), DELAY), EFFECT, ["delay()", "line"]),
        (
            itaconate().replace("</listOfRules>", f"<algebraicRule>{math('Ita - 1')}</algebraicRule></listOfRules>"),
            EFFECT,
            ["algebraic rule", "line"],
        ),
        (itaconate().replace('id="loss"', 'id="loss" fast="true"'), EFFECT, ["fast reaction 'loss'", "line"]),
        (itaconate(assigned={"ita_conc": "effect * K_ita", "effect": "ita_conc / K_ita"}), EFFECT, ["circ"]),
        (itaconate(assigned={"ita_conc": "Ita", "effect": "r_ita"}), EFFECT, ["do not match", "nmol", "nmol/cm^3"]),
        (
            itaconate(reactions={"release": ("", "Ita", "k_ita * MDSC_T"), "loss": ("Ita", "", "k_ita * Ita")}),
            EFFECT,
            ["kinetic law of reaction 'loss'", "nmol/day"],
        ),
        (itaconate(species=[IN_MOLES, ITA]), EFFECT, ["'MDSC_T' is in nmol", "cell"]),
        (itaconate(), {"effect": "inhibits kiling"}, ["unknown process", "'killing'"]),
        (itaconate(), {"effect": "adds to chemo_kil"}, ["unknown pool", "'chemo_kill'"]),
        (itaconate(), {"effect": "weakens killing"}, ["weakens killing", "inhibits PROCESS"]),
        (itaconate(), {"Ita": "MDSC"}, ["unknown name of the model 'MDSC'", "MDSC_T"]),
        (itaconate(), {"Itta": "MDSC_T"}, ["unknown id of the SBML file 'Itta'", "'Ita'"]),
        (itaconate(), {"tumour": "tumor"}, ["unknown compartment 'tumor'", "'tumour'"]),
        (itaconate(), {"Ita": "k_kill"}, ["'Ita' is in nmol in the file, 'k_kill' here in 1/day"]),
        (
            LEAVING,
            {"Cells": "C_max"},
            ["changes 'Cells'", "'C_max' here is a parameter, which reactions cannot change"],
        ),
        (LEAVING, {"Cells": "C_total"}, ["'C_total' here is a quantity, which reactions cannot change"]),
        (itaconate(), {"effect": "k_kill"}, ["a rule of the file determines 'effect'", "own NEW_NAME"]),
        (document(**K_KILL), None, ["'k_kill' is 7 1/day in the file", "own NEW_NAME"]),
        (itaconate(), {"couple": EFFECT, "unit": {}}, ["unknown section 'unit'", "'units'"]),
        (itaconate(), {"couple": EFFECT, "units": {"k_ita": "1/day"}}, ["states the unit of 'k_ita'"]),
        (itaconate(), {"couple": EFFECT, "parameters": {"k_ita": {"gradde": "x"}}}, ["column 'gradde'", "'grade'"]),
        (itaconate(), {"couple": EFFECT, "name": "killing"}, ["'killing' of the mechanism is already taken"]),
        (itaconate(reactions={"switched": ("", "Ita", SWITCH)}), EFFECT, ["piecewise", "line"]),
        (
            itaconate(reactions={"growth_sensitive": ("", "Ita", "k_ita * MDSC_T")}),
            EFFECT,
            ["name 'growth_sensitive' is"],
        ),
        (itaconate(species=[MDSC, ITA.replace('initialAmount="0.0"', "")]), EFFECT, ["no initial value", "'Ita'"]),
        (itaconate(parameters={**ITACONATE["parameters"], "K_ita": (1.0, "kelvin_unit")}), EFFECT, ["temperature"]),
        (itaconate(compartments=SURFACE), EFFECT, ["2 dimensions"]),
    ],
)
def test_what_cannot_be_a_mechanism_is_refused_with_place_and_advice(tmp_path, text, couple, answers):
    with pytest.raises(ImmunescapeError) as caught:
        read(tmp_path, text, couple)
    for answer in answers:
        assert answer in str(caught.value)


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path):
    with pytest.raises(ImmunescapeError, match="cannot read the SBML file"):
        mechanism_from_sbml(tmp_path / "absent.xml")
    (tmp_path / "m.xml").write_bytes(b"PK\x03\x04\xff\xfe\x00\x81")
    with pytest.raises(ImmunescapeError, match="not text in UTF-8"):
        mechanism_from_sbml(tmp_path / "m.xml")
    (tmp_path / "m.xml").write_text(itaconate())
    (tmp_path / "m.coupling.yaml").write_text("couple:\n  effect: [inhibits killing\n")
    with pytest.raises(ImmunescapeError, match=r"m.coupling.yaml, line 3: not valid YAML"):
        mechanism_from_sbml(tmp_path / "m.xml")


@pytest.mark.parametrize("name", [n for n in HOSTILE if n not in ("empty", "only_comments", "null")])
def test_a_hostile_coupling_file_is_refused_by_its_name(tmp_path, name):
    (tmp_path / "m.xml").write_text(itaconate())
    (tmp_path / "m.coupling.yaml").write_bytes(HOSTILE[name])
    with pytest.raises(ImmunescapeError, match=r"m\.coupling\.yaml"):
        mechanism_from_sbml(tmp_path / "m.xml")


@pytest.mark.parametrize(
    ("sections", "answer"),
    [
        ({"couple": {"effect": 3}}, "does not say how it is coupled"),
        ({"couple": {"effect": []}}, "a name of the model is needed"),
        ({"couple": {"effect": ["own a", "own b"]}}, "a name of the model is needed"),
        ({"couple": 7}, "'couple' contains no names"),
        ({"couple": EFFECT, "units": {"time": [1]}}, "the unit of 'time' is not text"),
        ({"couple": EFFECT, "parameters": {"k_ita": 3}}, "'k_ita' has no columns"),
        ({"couple": EFFECT, "parameters": {"k_ita": {"grade": "sure"}}}, "grade"),
        ({"couple": EFFECT, "parameters": {"k_ita": {"distribution": "lognormal"}}}, "needs a spread above 0"),
        ({"couple": EFFECT, "parameters": {"effect": {"note": "x"}}}, "'effect' is not a parameter of this mechanism"),
        ({"couple": EFFECT, "name": "Upper Case"}, "is not a valid name for a mechanism"),
        ({"couple": EFFECT, "requires": ["mdcs"]}, "'mdcs'"),
        ({"couple": EFFECT, "references": 3}, "'references' is not a list of names"),
        ({"couple": EFFECT, "references": ["serafini2009"]}, "serafini2008"),
        ({"couple": EFFECT, "parameters": {"k_ita": {"source": "serafini2009"}}}, "serafini2008"),
    ],
)
def test_a_coupling_that_says_what_cannot_be_is_refused(tmp_path, sections, answer):
    with pytest.raises(ImmunescapeError) as caught:
        reduced(read(tmp_path, itaconate(), sections))
    assert answer in str(caught.value)


def test_a_number_of_ours_is_used_or_renamed_where_the_coupling_says_so(tmp_path):
    document_ = document(
        **K_KILL, species=[one_species("X", unit="nmol", amount=1.0)], reactions={"decay": ("X", "", "k_kill * X")}
    )
    ours = read(tmp_path, document_, {"k_kill": "k_kill"})
    assert "k_kill" not in Path(ours.parameters).read_text()
    assert "killing" in ours.requires
    renamed = read(tmp_path, document_, {"k_kill": "own k_decay_X"})
    assert renamed.reactions[0].rate == "k_decay_X * X"
    assert "k_decay_X,7.0,1/day" in Path(renamed.parameters).read_text()


def test_an_annotation_that_cites_the_bibliography_is_the_source_of_a_value(tmp_path):
    from immunescape.knowledge.references import load_references

    key, doi = next((k, r.fields["doi"]) for k, r in load_references().items() if r.fields.get("doi"))
    annotated = (
        '<parameter metaid="m1" id="k_ita" value="0.001" units="release_day" constant="true"><annotation>'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        'xmlns:bqmodel="http://biomodels.net/model-qualifiers/"><rdf:Description rdf:about="#m1">'
        f'<bqmodel:isDescribedBy><rdf:Bag><rdf:li rdf:resource="https://identifiers.org/doi:{doi}"/></rdf:Bag></bqmodel:isDescribedBy>'
        "</rdf:Description></rdf:RDF></annotation></parameter>"
    )
    text = itaconate().replace('<parameter id="k_ita" value="0.001" units="release_day" constant="true"/>', annotated)
    row = {"distribution": "lognormal", "spread": 0.5, "source": key, "grade": "fitted"}
    mechanism = read(tmp_path, text, {"couple": EFFECT, "parameters": {"K_ita": row}})
    parameters = reduced(mechanism).parameters
    assert (parameters["k_ita"].sources, parameters["k_ita"].grade) == ((key,), "assumed")
    assert (parameters["K_ita"].sources, parameters["K_ita"].grade) == ((key,), "fitted")
    assert parameters["r_ita"].sources == ()


def test_ids_that_nobody_reads_are_coupled_by_the_names_beside_them(tmp_path):
    """SimBiology exports ids of its own making; the names that its user gave stand beside them."""
    text = itaconate()
    for name, opaque in (("MDSC_T", "mw_1a"), ("effect", "mw_2b"), ("k_ita", "mw_3c")):
        text = text.replace(f'id="{name}"', f'id="{opaque}" name="my {name}"').replace(
            f"<ci> {name} </ci>", f"<ci> {opaque} </ci>"
        )
        text = text.replace(f'variable="{name}"', f'variable="{opaque}"').replace(
            f'species="{name}"', f'species="{opaque}"'
        )
    couple = {
        "my MDSC_T": "MDSC_T",
        "my effect": ["inhibits killing", "own effect_of_itaconate"],
        "my k_ita": "own k_ita",
    }
    mechanism = read(tmp_path, text, couple)
    assert mechanism.modulations == (Modulation("killing", "trial_mechanism", "inhibits", "effect_of_itaconate"),)
    assert mechanism.reactions[0].rate == "k_ita * MDSC_T"
    assert any("0 of mw_1a" in note and "1 of tumour" in note for note in mechanism.notes)  # numbers that do not count


def test_a_reaction_whose_name_is_taken_gets_another(tmp_path):
    text = itaconate(
        reactions={"growth_sensitive": ("", "Ita", "k_ita * MDSC_T"), "loss": ("Ita", "", "k_ita_loss * Ita")}
    )
    mechanism = read(tmp_path, text, {**EFFECT, "growth_sensitive": "own release"})
    assert [r.name for r in mechanism.reactions] == ["release", "loss"]


def test_a_mechanism_is_written_as_a_module_that_declares_the_same(tmp_path, monkeypatch):
    import importlib

    title = 'a "title" \\" + __import__("os") #'
    mechanism = read(tmp_path, itaconate(), {"couple": EFFECT, "title": title}, name="written_itaconate")
    module, rows = mechanism.write(tmp_path / "package")
    monkeypatch.syspath_prepend(module.parent)
    declared = importlib.import_module("written_itaconate").MECHANISM
    assert declared.title == mechanism.title
    again = reduced(replace(declared, parameters=rows))
    assert again.to_sbml(unreferenced=True) == reduced(mechanism).to_sbml(unreferenced=True)


@pytest.mark.slow
def test_the_example_keeps_the_contract_and_is_added_by_the_commands(tmp_path):
    from typer.testing import CliRunner

    from immunescape.cli import app
    from immunescape.model.registry import get_mechanism
    from immunescape.testing import check_mechanism

    mechanism = mechanism_from_sbml(EXAMPLE)
    with pytest.raises(AssertionError, match="cites nothing"):
        check_mechanism(mechanism)
    check_mechanism(replace(mechanism, references=get_mechanism("mdsc").references))
    runner = CliRunner()
    words = ["model", "--drugs", "", "--mechanism", str(EXAMPLE)]
    done = runner.invoke(app, [*words, "--equations", "--sbml", str(tmp_path / "model.xml")])
    assert done.exit_code == 0, done.output
    assert "itaconate_loss: Ita -> nothing,  rate = k_ita_loss * Ita " in done.output
    assert 'id="Ita"' in (tmp_path / "model.xml").read_text()
    words = ["simulate", "none", "--planned", "--months", "1", "--seed", "3", "--observe", "Ita"]
    done = runner.invoke(app, [*words, "--mechanism", str(EXAMPLE)])
    assert done.exit_code == 0, done.output
    assert "itaconate_sbml: coupled: tumour, MDSC_T" in done.output
    assert "nanomole" in done.output
    done = runner.invoke(app, [*words, "--mechanism", str(tmp_path / "absent.xml")])
    assert done.exit_code != 0
