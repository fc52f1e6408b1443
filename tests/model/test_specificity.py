"""Which strengths differ between patients, and how inhibitions of a process are put together."""

from __future__ import annotations

import pytest

from immunescape.errors import InputError, ModelError
from immunescape.model import suppression
from immunescape.model.assembly import Model
from immunescape.model.composition import SERIES_EXPONENT, series_exponent, together
from immunescape.model.expressions import Name, evaluate
from immunescape.model.parameters import load_parameters
from immunescape.model.registry import drugs
from immunescape.model.specificity import DEFAULT
from immunescape.model.suppression import activity_id, axes

THREE = [
    ("inhibits", Name("b1"), Name("a1")),
    ("inhibits", Name("b2"), Name("a2")),
    ("promotes", Name("b3"), Name("a3")),
]


def _factor(specificity: str, exponent: float, **values: float) -> float:
    numbers = {SERIES_EXPONENT: exponent, **values}
    return float(evaluate(together(THREE, specificity, exponent), numbers.__getitem__))  # type: ignore[arg-type]


NOW = {"a1": 1.4, "a2": 6.0, "a3": 2.0, "b1": 2.0, "b2": 9.0, "b3": 1.5}


def test_pathways_multiply_where_nothing_is_in_series() -> None:
    assert _factor("none", 1.0, **NOW) == pytest.approx(2.0 / 1.4 * 9.0 / 6.0 * 2.0 / 1.5, rel=1e-14)
    assert _factor("sparse", 1.0, **NOW) == _factor("none", 1.0, **NOW)


def test_a_small_exponent_recovers_the_product_and_one_adds_resistances() -> None:
    assert _factor("series", 1e-6, **NOW) == pytest.approx(_factor("none", 1.0, **NOW), rel=1e-5)
    assert _factor("series", 1.0, **NOW) == pytest.approx((1.0 + 1.0 + 8.0) / (1.0 + 0.4 + 5.0) * 2.0 / 1.5, rel=1e-14)


def test_relief_of_what_does_not_limit_does_less_the_larger_the_exponent() -> None:
    relieved = [_factor("series", p, **{**NOW, "a1": 1.0}) / _factor("series", p, **NOW) for p in (0.01, 0.3, 1.0, 3.0)]
    assert relieved == sorted(relieved, reverse=True)
    assert relieved[-1] < 1.01 < 1.3 < relieved[0]


@pytest.mark.parametrize("exponent", [0.05, 1.0, 2.0, 4.0])
def test_the_factor_is_one_at_the_reference_and_what_is_absent_adds_nothing(exponent: float) -> None:
    at = {"a1": 2.0, "a2": 9.0, "a3": 1.5, "b1": 2.0, "b2": 9.0, "b3": 1.5}
    assert _factor("full", exponent, **at) == pytest.approx(1.0, rel=1e-14)
    gone = {**NOW, "a1": 1.0, "b1": 1.0}
    alone = together(THREE[1:], "full", exponent)
    assert _factor("full", exponent, **gone) == pytest.approx(float(evaluate(alone, gone.__getitem__)), rel=1e-13)


def test_an_exponent_of_one_or_two_is_the_limit_of_those_beside_it() -> None:
    for exponent in (1.0, 2.0):  # which stand in the formulas as numbers
        assert _factor("full", exponent, **NOW) == pytest.approx(_factor("full", exponent + 1e-9, **NOW), rel=1e-7)


def test_every_axis_acts_on_something_and_cites_what_is_in_the_bibliography() -> None:
    from immunescape.knowledge.references import load_references

    model = Model.build(drugs=list(drugs()), check_units=False, specificity="sparse")
    keys = set(load_references())
    for axis in axes():
        assert set(axis.sources) <= keys
        covered = [k for k in model.modulations if axis.covers(k)]
        assert bool(covered) == (activity_id(axis.name) in model.parameters)
        for name in axis.parameters:
            assert model.parameters[name].distribution == "sparse"
        assert covered or axis.parameters, axis.name
    assert not [p for p in model.parameters.values() if p.distribution == "sparse" and p.lower is not None]


def test_full_is_the_default() -> None:
    assert DEFAULT == Model.build(check_units=False).specificity == "full"


def test_a_model_without_specificity_has_no_activities_and_no_exponent() -> None:
    model = Model.build(drugs=["urelumab"], check_units=False, specificity="none")
    assert model.specificity == "none"
    assert not [n for n in model.parameters if n.startswith("activity_") or n == SERIES_EXPONENT]
    told = Model.build(drugs=["urelumab"], check_units=False, specificity="full")
    assert {"activity_costimulation_41bb", "activity_ido1"} <= set(told.parameters)
    assert (SERIES_EXPONENT in told.parameters) == (series_exponent().value not in (1.0, 2.0))
    assert "activity_costimulation_41bb" not in Model.build(check_units=False, specificity="full").parameters


def test_with_sparse_strengths_only_revised_sizes_tell_the_reference_patient_apart() -> None:
    plain, sparse = (Model.build(check_units=False, specificity=option) for option in ("none", "sparse"))
    revised = set(load_parameters(suppression._REVISED, ""))
    for name, parameter in plain.parameters.items():
        if name not in revised and not name.startswith("X0_"):
            assert sparse.parameters[name].value == parameter.value, name
    added = set(sparse.parameters) - set(plain.parameters)
    assert added == {n for n in sparse.parameters if n.startswith("activity_")}
    assert {sparse.parameters[n].value for n in added} == {1.0}
    assert not sparse.missing_strengths


def test_what_depends_more_on_its_driver_is_the_same_at_the_reference_level() -> None:
    model = Model.build(check_units=False, specificity="sparse")
    state = dict.fromkeys(model.states, 1.0)
    at = model.parameters["X0_growth_vessels_vessels"].value
    level = {"r_growth_vessels": at / state["vessel_density_T"]}
    usual, more = (
        float(model.evaluate(state, {**level, "activity_vessel_dependence": a})["f_growth"]) for a in (1.0, 3.0)
    )
    assert more == pytest.approx(usual, rel=1e-12)
    assert float(model.evaluate(state, {"activity_vessel_dependence": 3.0})["f_growth"]) != pytest.approx(usual)


def test_an_unknown_option_names_the_nearest() -> None:
    with pytest.raises(InputError, match="sparse"):
        Model.build(specificity="sprase")


@pytest.mark.parametrize("word", [True, 3, ["sparse"], {"a": 1}, "", "Full"])
def test_an_option_that_is_no_word_lists_those_that_are(word: object) -> None:
    with pytest.raises(InputError, match=r"unknown specificity (.|\n)*(Known: full, none, series|Did you mean 'full')"):
        Model.build(specificity=word)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        ("ido1,killing/*/tryptophan,1.2,0.1,0.4,assumed,assumed,", "prevalence '1.2'"),
        ("ido1,killing/*/tryptophan,0.2,0.1,0.4,assumed,guessed,", "guessed"),
        ("ido1,,0.2,0.1,0.4,assumed,assumed,", "acts on"),
    ],
)
def test_a_wrong_row_of_axes_names_its_file_and_row(
    row: str, wrong: str, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "suppression.csv"
    file.write_text("axis,acts_on,prevalence,silent,spread,source,grade,note\n" + row + "\n", encoding="utf-8")
    monkeypatch.setattr(suppression, "_AXES", file)
    with pytest.raises(ModelError, match=wrong) as caught:
        axes()
    assert "line 2" in str(caught.value)


def test_units_hold_with_every_option() -> None:
    model = Model.build(drugs=["pembrolizumab", "anlotinib"], specificity="full")
    assert not model.missing_strengths
