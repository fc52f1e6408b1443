from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.profile.biomarkers.synthetic import synthetic_study

from immunescape.errors import InputError
from immunescape.profile.biomarkers import measure, values_frame
from immunescape.profile.cohort import associate, interaction, missingness, outcomes, overlap, responder
from immunescape.profile.cohort.interaction import interactions
from immunescape.stats.discrimination import auc, logistic


def _cohort(n: int = 300, seed: int = 3) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    index = [f"p{i}" for i in range(n)]
    good = rng.normal(size=n)
    values = pd.DataFrame({"good": good, "noise": rng.normal(size=n)}, index=index)
    values["word"] = np.where(good > 0, "high", "low")
    values["flag"] = pd.Series(good > 1, index=index).astype(object)
    values.loc[index[:50], "noise"] = np.nan
    months = rng.exponential(10 * np.exp(0.7 * good))
    out = pd.DataFrame({"response": pd.Series(good + rng.normal(size=n) > 0.7, index=index).astype(object)})
    out["benefit"] = None
    for name in ("pfs", "os"):
        out[f"{name}_months"], out[f"{name}_event"] = np.minimum(months, 24), (months < 24).astype(float)
    return values, out


def test_direction_missing_and_false_discovery():
    values, out = _cohort()
    table = associate(values, out)
    primary = table[table["primary"].astype(bool)].set_index(["biomarker", "endpoint"])
    assert primary.loc[("good", "response"), "estimate"] > 0.75
    assert primary.loc[("good", "os"), "estimate"] < 0.7
    assert primary.loc[("flag", "response"), "measure"] == "odds ratio"
    assert primary.loc[("word", "os"), "level"] == "low"
    assert primary.loc[("word", "os"), "estimate"] > 1
    assert primary.loc[("noise", "os"), "n_missing"] == 50
    assert (table["q"].dropna() >= table.loc[table["q"].notna(), "p"] - 1e-12).all()
    assert table.loc[~table["primary"].astype(bool), "q"].isna().all()
    assert "benefit" not in set(table["endpoint"])


def test_the_same_patients_under_two_names_are_tested_once():
    values, out = _cohort()
    alone = associate(values, out)
    values["flag_again"] = values["flag"]
    values["flag_status"] = np.where(values["flag"], "lost", "wild_type")
    values["good_copy"] = values["good"]
    table = associate(values, out)
    again = table[table["biomarker"].isin(["flag_again", "flag_status", "good_copy"])]
    assert again["p"].isna().all()
    assert again["q"].isna().all()
    assert set(again["note"]) == {"the same patients as flag: tested there", "the same patients as good: tested there"}
    kept = table[~table.index.isin(again.index)].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, alone, check_dtype=False)


def test_other_patients_without_a_value_make_another_comparison():
    values, out = _cohort()
    values["part"] = values["flag"].where(np.arange(len(values)) > 30, None)
    table = associate(values[["flag", "part"]], out, ["os"])
    assert table["p"].notna().all()


def test_an_interaction_of_the_same_patients_is_tested_once():
    values, out = _cohort()
    values["flag_status"] = np.where(values["flag"], "lost", "wild_type")
    treated = pd.Series(np.arange(len(values)) % 2 == 0, index=values.index)
    table = interactions(values[["flag", "flag_status"]], treated, out).set_index("biomarker")
    assert np.isfinite(table.loc["flag", "p"])
    assert table.loc["flag", "q"] == pytest.approx(table.loc["flag", "p"])
    assert np.isnan(table.loc["flag_status = wild_type", "p"])
    assert table.loc["flag_status = wild_type", "note"] == "the same patients as flag: tested there"
    assert table.loc["flag_status = wild_type", "n"] == table.loc["flag", "n"]


def test_small_groups_are_not_tested_and_say_so():
    values, out = _cohort(20)
    values["rare"] = pd.Series([True] + [False] * 19, index=values.index).astype(object)
    table = associate(values[["rare"]], out, ["response", "os"])
    assert table["p"].isna().all()
    assert table["note"].str.contains("needed").all()


def test_unknown_endpoint_answers_with_the_nearest():
    values, out = _cohort(20)
    with pytest.raises(InputError, match="Did you mean"):
        associate(values, out, ["respons"])


def test_interaction_labels():
    rng = np.random.default_rng(4)
    n = 1200
    x, treated = rng.random(n) < 0.5, rng.random(n) < 0.5

    def label(on_control: float, on_treated: float) -> str:
        effect = np.where(treated, on_treated, on_control) * x
        months = rng.exponential(10 * np.exp(effect))
        time, event = pd.Series(np.minimum(months, 30)), pd.Series((months < 30).astype(float))
        return interaction(pd.Series(x), pd.Series(treated), time, event).label

    assert label(0.0, 1.0) == "predictive"
    assert label(0.8, 0.8) == "prognostic"
    assert label(0.6, 1.8) == "both"


def test_interaction_needs_two_arms_and_enough_patients():
    values, out = _cohort(60)
    one = pd.Series(True, index=values.index)
    with pytest.raises(InputError, match="two arms"):
        interaction(values["good"], one, out["os_months"], out["os_event"])
    arms = pd.Series([True, False] * 30, index=values.index)
    rare = pd.Series([True] * 2 + [False] * 58, index=values.index)
    found = interaction(rare, arms, out["os_months"], out["os_event"])
    assert found.label == "not established"
    assert "needed" in found.note
    table = interactions(values[["good", "word"]], arms, out)
    assert list(table["biomarker"]) == ["good", "word = low"]


def test_missing_values_that_matter_are_seen():
    values, out = _cohort()
    values["hidden"] = values["good"].where(values["good"] > -0.5)
    table = missingness(values, out).set_index("biomarker")
    assert table.loc["hidden", "os_hr_without"] > 1.5
    assert table.loc["hidden", "os_p"] < 0.01
    assert table.loc["good", "missing"] == 0
    both = overlap(values)
    assert both.loc["noise", "hidden"] == int((values["noise"].notna() & values["hidden"].notna()).sum())


def test_degenerate_groups_give_no_number():
    assert auc([1.0, 2.0], [True, True]).value is None
    apart = auc([5.0, 6.0, 7.0, 1.0, 2.0, 3.0], [True] * 3 + [False] * 3)
    assert apart.value == 1.0
    assert apart.low is None
    assert "do not overlap" in apart.note
    assert logistic([0.0, 0.0, 1.0, 1.0], [False, False, True, True]).value is None


@pytest.mark.parametrize(
    ("word", "expected"), [("PR", True), (" cr ", True), ("SD", False), ("NE", None), (None, None)]
)
def test_response_words(word, expected):
    assert responder(word) is expected


def test_from_a_study():
    study = synthetic_study(80)
    names = ["tmb", "b2m_status", "hla_loh", "nlr"]
    table = associate(values_frame(measure(study, names)), outcomes(study))
    assert set(table["endpoint"]) == {"response", "pfs", "os"}
    assert table["p"].notna().any()
