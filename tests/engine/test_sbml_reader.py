"""Meaning of SBML constructs, and refusals that name what cannot be integrated."""

from __future__ import annotations

import numpy as np
import pytest

from immunescape.engine.ir.calculus import evaluate
from immunescape.engine.ir.expressions import sym
from immunescape.engine.ir.system import System
from immunescape.engine.sbml.reader import read_sbml, read_sbml_file
from immunescape.errors import EngineError, InputError

MATH = '<math xmlns="http://www.w3.org/1998/Math/MathML">'


def document(body: str, level: str = "level3/version2", attributes: str = "") -> str:
    numbers = dict(part for part in [("level", level[5]), ("version", level[-1])])
    name = f"http://www.sbml.org/sbml/{level}/core" if level[5] == "3" else f"http://www.sbml.org/sbml/{level}"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><sbml xmlns="{name}" level="{numbers["level"]}" '
        f'version="{numbers["version"]}" {attributes}><model id="m">{body}</model></sbml>'
    )


def mathml(formula: str) -> str:
    import libsbml

    text = libsbml.writeMathMLToString(libsbml.parseL3Formula(formula))
    return text[text.index("<math") :]


def compartment(name="V", size="2", constant="true") -> str:
    return f'<compartment id="{name}" spatialDimensions="3" size="{size}" constant="{constant}"/>'


def species(name, amount="1", *, only="false", boundary="false", constant="false", extra="") -> str:
    return (
        f'<species id="{name}" compartment="V" initialAmount="{amount}" hasOnlySubstanceUnits="{only}" '
        f'boundaryCondition="{boundary}" constant="{constant}" {extra}/>'
    )


def parameter(name, value="1", constant="true") -> str:
    return f'<parameter id="{name}" value="{value}" constant="{constant}"/>'


def reaction(formula, reactants=(), products=(), name="J", local="") -> str:
    def refs(kind, names):
        items = "".join(f'<speciesReference species="{n}" stoichiometry="1" constant="true"/>' for n in names)
        return f"<listOf{kind}>{items}</listOf{kind}>" if names else ""

    return (
        f'<reaction id="{name}" reversible="false">{refs("Reactants", reactants)}{refs("Products", products)}'
        f"<kineticLaw>{mathml(formula)}{local}</kineticLaw></reaction>"
    )


def lists(**parts: str) -> str:
    order = (
        "FunctionDefinitions",
        "Compartments",
        "Species",
        "Parameters",
        "InitialAssignments",
        "Rules",
        "Reactions",
        "Events",
    )
    return "".join(f"<listOf{name}>{parts[name]}</listOf{name}>" for name in order if name in parts)


def rule(kind: str, formula: str, variable: str = "") -> str:
    target = f'variable="{variable}"' if variable else ""
    return f"<{kind}Rule {target}>{mathml(formula)}</{kind}Rule>"


def rates(system: System, **values: float) -> dict[str, float]:
    """Rate of each state, with assignments evaluated."""
    table = dict(system.defaults) | values
    for item in system.assignments:
        table[item.name] = float(evaluate([item.expression], table)[0])
    return {s.name: float(evaluate([s.rate], table)[0]) for s in system.states}


def test_species_names_mean_concentrations_and_states_are_amounts():
    system = read_sbml(
        document(
            lists(
                Compartments=compartment(),
                Species=species("A", "6") + species("B", "0", only="true"),
                Parameters=parameter("k", "10"),
                Reactions=reaction("k * A", ["A"], ["B"]),
            )
        )
    )
    assert system.state_names == ("A", "B")
    assert rates(system, A=6.0, B=0.0) == {"A": -30.0, "B": 30.0}
    assert system.value("A") is sym("A")
    assert evaluate([system.value("[A]")], {"A": 6.0, "V": 2.0})[0] == 3.0


def test_local_parameters_hide_global_ones_and_can_be_overridden():
    local = '<listOfLocalParameters><localParameter id="k" value="5"/></listOfLocalParameters>'
    system = read_sbml(
        document(
            lists(
                Compartments=compartment(),
                Species=species("A", only="true"),
                Parameters=parameter("k", "10"),
                Reactions=reaction("k", [], ["A"], local=local),
            )
        )
    )
    assert rates(system, A=0.0)["A"] == 5.0
    assert system.parameters["J.k"] == 5.0
    assert system.parameters["k"] == 10.0


def test_conversion_factors_scale_what_reactions_do():
    system = read_sbml(
        document(
            lists(
                Compartments=compartment(),
                Species=species("A", only="true", extra='conversionFactor="f"') + species("B"),
                Parameters=parameter("f", "4"),
                Reactions=reaction("3", ["A"], ["B"]),
            )
        )
    )
    assert rates(system, A=1.0, B=1.0) == {"A": -12.0, "B": 3.0}


def test_boundary_species_are_not_changed_by_reactions():
    system = read_sbml(
        document(
            lists(
                Compartments=compartment(),
                Species=species("A", boundary="true") + species("B"),
                Reactions=reaction("A", ["A"], ["B"]),
            )
        )
    )
    assert rates(system, A=1.0, B=1.0) == {"A": 0.0, "B": 0.5}


def test_constant_species_are_parameters():
    system = read_sbml(document(lists(Compartments=compartment(), Species=species("A", "3", constant="true"))))
    assert system.states == ()
    assert system.parameters == {"V": 2.0, "A": 3.0}


def test_rate_rule_of_a_concentration_in_a_growing_compartment():
    # d[A]/dt = 0.5 while dV/dt = 3: the amount A = [A] V grows by 0.5 V + [A] 3.
    system = read_sbml(
        document(
            lists(
                Compartments=compartment(constant="false"),
                Species=species("A", "8", boundary="true"),
                Rules=rule("rate", "0.5", "A") + rule("rate", "3", "V"),
            )
        )
    )
    assert rates(system, A=8.0, V=2.0)["A"] == pytest.approx(0.5 * 2 + 4 * 3)


def test_rate_rule_of_a_concentration_where_a_rule_gives_the_size():
    system = read_sbml(
        document(
            lists(
                Compartments=compartment(constant="false"),
                Species=species("A", "8", boundary="true"),
                Parameters=parameter("p", "1", "false"),
                Rules=rule("rate", "0.5", "A") + rule("assignment", "2 * p", "V") + rule("rate", "7", "p"),
            )
        )
    )
    assert rates(system, A=8.0, p=1.0)["A"] == pytest.approx(0.5 * 2 + 4 * 14)


def test_initial_assignments_follow_each_other_and_overrides_win():
    initial = "".join(
        f'<initialAssignment symbol="{n}">{mathml(f)}</initialAssignment>'
        for n, f in [("a", "2 * b"), ("b", "c + A"), ("A", "c")]
    )
    system = read_sbml(
        document(
            lists(
                Compartments=compartment(),
                Species=species("A"),
                Parameters=parameter("a") + parameter("b") + parameter("c", "5"),
                InitialAssignments=initial,
                Reactions=reaction("a", [], ["A"]),
            )
        )
    )
    constants, states = system.resolve(2, {"c": np.array([5.0, 1.0])}, {}, 0.0)
    table = dict(zip(system.constant_names, constants.T, strict=True))
    np.testing.assert_array_equal(states[:, 0], [10.0, 2.0])  # [A] = c in a volume of 2
    np.testing.assert_array_equal(table["b"], [10.0, 2.0])
    np.testing.assert_array_equal(table["a"], [20.0, 4.0])
    constants, _ = system.resolve(1, {"b": 1.5}, {}, 0.0)
    assert dict(zip(system.constant_names, constants[0], strict=True))["a"] == 3.0
    assert system.defaults["a"] == 20.0


def test_functions_are_written_out_within_each_other():
    functions = (
        f'<functionDefinition id="g">{mathml("lambda(x, x + 1)")}</functionDefinition>'
        f'<functionDefinition id="f">{mathml("lambda(x, y, g(x) * g(y))")}</functionDefinition>'
    )
    system = read_sbml(
        document(
            lists(
                FunctionDefinitions=functions,
                Parameters=parameter("x", "0", "false"),
                Rules=rule("rate", "f(2, x)", "x"),
            )
        )
    )
    assert rates(system, x=4.0) == {"x": 15.0}


def test_functions_that_double_each_other_are_read_in_no_time():
    functions = f'<functionDefinition id="f0">{mathml("lambda(x, x * x + 1)")}</functionDefinition>'
    for i in range(1, 60):
        body = mathml(f"lambda(x, f{i - 1}(x) / 2 + f{i - 1}(x) * x)")
        functions += f'<functionDefinition id="f{i}">{body}</functionDefinition>'
    system = read_sbml(
        document(
            lists(
                FunctionDefinitions=functions,
                Parameters=parameter("x", "0.5", "false"),
                Rules=rule("rate", "f59(x)", "x"),
            )
        )
    )
    assert rates(system, x=0.5)["x"] == pytest.approx(1.25)


def test_linear_algebraic_rules_become_assignments():
    system = read_sbml(
        document(
            lists(
                Parameters=parameter("x", "0", "false") + parameter("y", "0", "false") + parameter("t", "10"),
                Rules=rule("algebraic", "x + y - t") + rule("algebraic", "x - 3 * y"),
            )
        )
    )
    assert system.residuals == ()
    table = dict(system.defaults)
    for item in system.assignments:
        table[item.name] = float(evaluate([item.expression], table)[0])
    assert (table["x"], table["y"]) == (7.5, 2.5)


def test_other_algebraic_rules_stay_equations():
    system = read_sbml(
        document(
            lists(
                Parameters=parameter("x", "3", "false") + parameter("t", "10"),
                Rules=rule("algebraic", "x^2 - t"),
            )
        )
    )
    assert [a.name for a in system.algebraic] == ["x"]
    assert len(system.residuals) == 1


def test_rate_of_a_concentration_counts_the_size():
    system = read_sbml(
        document(
            lists(
                Compartments=compartment(),
                Species=species("A", "6"),
                Parameters=parameter("r", "0", "false"),
                Rules=f'<assignmentRule variable="r">{MATH}<apply>'
                '<csymbol encoding="text" definitionURL="http://www.sbml.org/sbml/symbols/rateOf">rateOf</csymbol>'
                "<ci>A</ci></apply></math></assignmentRule>",
                Reactions=reaction("10", [], ["A"]),
            )
        )
    )
    table = dict(system.defaults) | {"A": 6.0}
    for item in system.assignments:
        table[item.name] = float(evaluate([item.expression], table)[0])
    assert table["r"] == 5.0


def test_level_2_reads_like_level_3():
    body = (
        '<listOfCompartments><compartment id="V" size="2"/></listOfCompartments>'
        '<listOfSpecies><species id="A" compartment="V" initialConcentration="3"/></listOfSpecies>'
        '<listOfParameters><parameter id="k" value="10"/></listOfParameters>'
        '<listOfReactions><reaction id="J" reversible="false"><listOfReactants><speciesReference species="A">'
        f"<stoichiometryMath>{mathml('k / 5')}</stoichiometryMath></speciesReference></listOfReactants>"
        f"<kineticLaw>{mathml('k * A * V')}</kineticLaw></reaction></listOfReactions>"
    )
    system = read_sbml(document(body, "level2/version4"))
    _, states = system.resolve(1, {}, {}, 0.0)
    assert states[0, 0] == 6.0
    assert rates(system, A=6.0) == {"A": -2 * 60.0}


def test_piecewise_and_logic():
    formula = "piecewise(1, x < 1 && !(x < 0), 2, x >= 1, 3)"
    system = read_sbml(document(lists(Parameters=parameter("x", "0", "false"), Rules=rule("rate", formula, "x"))))
    assert [rates(system, x=x)["x"] for x in (0.5, 1.0, -1.0)] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (lists(Parameters=parameter("x", "0", "false"), Rules=rule("rate", "nobody", "x")), "nobody"),
        (lists(Parameters=parameter("x", "0", "false"), Rules=rule("rate", "nobody(1)", "x")), "nobody"),
        (
            lists(
                Parameters=parameter("x", "0", "false") + parameter("y", "0", "false"),
                Rules=rule("assignment", "y", "x") + rule("assignment", "x", "y"),
            ),
            "circle",
        ),
        (lists(Parameters=parameter("x"), Rules=rule("algebraic", "x - 1")), "overdetermined"),
        (
            lists(
                FunctionDefinitions=f'<functionDefinition id="f">{mathml("lambda(x, f(x))")}</functionDefinition>',
                Parameters=parameter("x", "0", "false"),
                Rules=rule("rate", "f(1)", "x"),
            ),
            "calls itself",
        ),
    ],
)
def test_refusals_name_the_construct(body, reason):
    with pytest.raises(EngineError, match=reason):
        read_sbml(document(body))


@pytest.mark.parametrize("depth", [900, 3000, 100_000])
def test_deep_nesting_is_refused_not_crashed_on(depth):
    formula = "<apply><sin/>" * depth + "<cn>1</cn>" + "</apply>" * depth
    rules = f'<rateRule variable="x">{MATH}{formula}</math></rateRule>'
    body = lists(Parameters=parameter("x", "0", "false"), Rules=rules)
    with pytest.raises(EngineError, match="nested"):
        read_sbml(document(body))


@pytest.mark.parametrize(
    "declaration",
    [
        '<!DOCTYPE sbml [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>',
        '<!DOCTYPE sbml [<!ENTITY file SYSTEM "file:///etc/passwd">]>',
        '<!doctype sbml SYSTEM "http://localhost/x.dtd">',
    ],
)
def test_entities_are_refused(declaration):
    text = document(lists(Parameters=parameter("x"))).replace("?>", "?>" + declaration, 1)
    with pytest.raises(EngineError, match="entities"):
        read_sbml(text)


def test_packages_that_change_the_meaning_are_refused():
    text = document(
        lists(Parameters=parameter("x")),
        attributes='xmlns:arrays="http://www.sbml.org/sbml/level3/version1/arrays/version1" arrays:required="true"',
    )
    with pytest.raises(EngineError, match=r"arrays|[Pp]ackage"):
        read_sbml(text)


def test_external_models_stay_in_their_folder(tmp_path):
    comp = "http://www.sbml.org/sbml/level3/version1/comp/version1"
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?><sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3" '
        f'version="1" xmlns:comp="{comp}" comp:required="true"><comp:listOfExternalModelDefinitions>'
        '<comp:externalModelDefinition comp:id="e" comp:source="../other.xml"/>'
        '</comp:listOfExternalModelDefinitions><model id="m"><comp:listOfSubmodels>'
        '<comp:submodel comp:id="s" comp:modelRef="e"/></comp:listOfSubmodels></model></sbml>'
    )
    folder = tmp_path / "inside"
    folder.mkdir()
    (tmp_path / "other.xml").write_text(document(lists(Parameters=parameter("x")), "level3/version1"))
    (folder / "model.xml").write_text(text)
    with pytest.raises(EngineError, match="beside"):
        read_sbml_file(folder / "model.xml")
    with pytest.raises(EngineError, match="folder"):
        read_sbml(text.replace("../", ""))
    (folder / "other.xml").write_text((tmp_path / "other.xml").read_text())
    (folder / "model.xml").write_text(text.replace("../", ""))
    assert read_sbml_file(folder / "model.xml").parameters == {"s__x": 1.0}


def test_text_that_is_no_model():
    for text in ("", "hello", "<sbml/>", "<sbml"):
        with pytest.raises(EngineError):
            read_sbml(text)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.xml"):
        read_sbml_file(tmp_path / "nowhere.xml")


def test_event_attributes_arrive():
    events = (
        '<event id="E" useValuesFromTriggerTime="false"><trigger initialValue="false" persistent="false">'
        f"{mathml('x > 1')}</trigger><priority>{mathml('3')}</priority><delay>{mathml('2')}</delay>"
        f'<listOfEventAssignments><eventAssignment variable="x">{mathml("x - 1")}</eventAssignment>'
        "</listOfEventAssignments></event>"
    )
    system = read_sbml(
        document(
            lists(
                Parameters=parameter("x", "0", "false"),
                Rules=rule("rate", "1", "x"),
                Events=events,
            )
        )
    )
    (event,) = system.events
    assert (event.name, event.persistent, event.initial_value, event.use_trigger_values) == ("E", False, False, False)
    assert event.delay is not None
    assert event.delay.value == 2.0
    assert event.priority is not None
    assert event.priority.value == 3.0


def test_event_on_a_concentration_and_its_compartment_uses_the_size_before():
    def build(delay: str) -> System:
        values = "".join(
            f'<eventAssignment variable="{n}">{mathml(v)}</eventAssignment>' for n, v in [("A", "5"), ("V", "10")]
        )
        event = (
            f'<event id="E" useValuesFromTriggerTime="true"><trigger initialValue="true" persistent="true">'
            f"{mathml('time > 1')}</trigger>{delay}<listOfEventAssignments>{values}</listOfEventAssignments></event>"
        )
        return read_sbml(
            document(
                lists(
                    Compartments=compartment(constant="false"),
                    Species=species("A", "6"),
                    Events=event,
                )
            )
        )

    values = dict(build("").events[0].assignments)
    assert evaluate([values["A"], values["V"]], {"A": 6.0, "V": 2.0}) == [10.0, 10.0]
    with pytest.raises(EngineError, match="after a delay"):
        build(f"<delay>{mathml('1')}</delay>")


def test_equal_documents_have_one_digest_whatever_their_values():
    def build(value: str, formula: str) -> str:
        body = lists(Parameters=parameter("x", "0", "false") + parameter("k", value), Rules=rule("rate", formula, "x"))
        return read_sbml(document(body)).digest

    assert build("1", "k * x") == build("2", "x * k")
    assert build("1", "k * x") != build("1", "k + x")
