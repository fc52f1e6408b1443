"""Attribution of escapes: what is taken away, and the summary; by hand, without an engine."""

from __future__ import annotations

import pandas as pd
import pytest

from immunescape.model import Model
from immunescape.trial.attribution import Candidate, _free_days, _summary, candidates, without


@pytest.fixture(scope="module")
def model() -> Model:
    return Model.build(check_units=False)


def test_candidates_are_what_modulates_or_brings_clones(model: Model) -> None:
    found = {c.name: c for c in candidates(model)}
    assert {"mdsc", "tgf_beta", "treg", "checkpoints_tim3_lag3_tigit", "fast growth", "exclusion"} <= set(found)
    assert "memory" not in found
    assert "tumour_growth" not in found
    assert found["mdsc"].values == {"p:switch_mdsc": 0.0}
    assert found["interferon_loss"].values == {"p:mu_jak_null": 0.0}, "its cells become ordinary and none emerge"
    assert found["fast growth"].values["p:k_growth"] == model.parameters["k_growth"].value


def test_cells_of_a_clone_become_ordinary_and_none_is_lost(model: Model) -> None:
    ordinary = next(c.name for c in model.clones if not c.fraction)
    other = next(c.name for c in model.clones if c.fraction)
    table = pd.DataFrame({f"x:C_{ordinary}": [10.0], f"x:C_{other}": [4.0]}, index=[3])
    changed = without(table, Candidate("one", "One", {"p:switch_one": 0.0}, (other,)), model)
    assert changed.loc[3, f"x:C_{ordinary}"] == 14
    assert changed.loc[3, f"x:C_{other}"] == 0
    assert changed.loc[3, "p:switch_one"] == 0
    assert table.loc[3, f"x:C_{other}"] == 4, "the table that was given stays as it was"


@pytest.mark.parametrize(
    ("progression", "death", "days"), [(50.0, None, 50), (None, 40.0, 40), (None, None, 90), (95.0, None, 90)]
)
def test_free_days(progression: float | None, death: float | None, days: float) -> None:
    row = {"follow_up_day": 100.0, "dropout_day": 90.0, "progression_day": progression, "death_day": death}
    assert _free_days(row) == days


def test_the_largest_gain_carried_it_unless_it_is_too_small() -> None:
    rows = pd.DataFrame({"id": [1, 2], "resistance": ["primary", "acquired"]})
    options = (Candidate("a", "A", {}), Candidate("b", "B", {}))
    gains = {1: {"a": 1.0, "b": 5.0}, 2: {"a": 0.5, "b": -3.0}}
    found = _summary("arm", rows, {1: 60.0, 2: 300.0}, gains, options, 2.0)
    assert [p["mechanism"] for p in found["patients"]] == ["b", None]
    assert found["counts"] == {"primary": {"b": 1}, "acquired": {"none alone": 1}}
    assert found["n"] == 2


@pytest.mark.parametrize(
    ("gains", "carried", "gained"),
    [
        ({"fast growth": 20.0, "a": 5.0, "b": 3.0}, "a", 5.0),
        ({"fast growth": 20.0, "a": 1.0, "b": -3.0}, "fast growth", 20.0),
        ({"fast growth": 1.5, "a": 1.0, "b": -3.0}, None, 1.0),
        ({"fast growth": -1.0, "a": 5.0, "b": 6.0}, "b", 6.0),
    ],
)
def test_growth_is_named_only_where_nothing_that_escapes_gains_enough(
    gains: dict[str, float], carried: str | None, gained: float
) -> None:
    rows = pd.DataFrame({"id": [1], "resistance": ["primary"]})
    options = tuple(Candidate(name, name.title(), {}) for name in gains)
    patient = _summary("arm", rows, {1: 60.0}, {1: gains}, options, 2.0)["patients"][0]
    assert patient["mechanism"] == carried
    assert patient["gain_months"] == gained
    assert patient["gains"] == gains, "what slower growth gains is kept beside it"
