"""The scoreboard: its statistics against lifelines and closed cases, and one small trial scored from end to end."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter

from immunescape.errors import InputError
from immunescape.evaluation.facts import facts
from immunescape.evaluation.posterior import error_source
from immunescape.evaluation.replicates import km_median
from immunescape.evaluation.scoreboard import Score, published_ratios, rivals, score_trial, summarise
from immunescape.evaluation.trial_classes import interval_score, regimen_class, roles
from immunescape.evaluation.validation import validate
from immunescape.report.scoreboard_report import facts_table, print_scoreboard, scores_table, summary_table
from immunescape.trial.loading import list_trials, load_trial


def score(trial: str, role: str, published: float, predicted: float = 0.7, kind: str = "ici") -> Score:
    return Score(
        trial=trial,
        role=role,
        arm="a / b",
        endpoint="os_hr",
        predicted=predicted,
        low=0.5,
        high=0.98,
        published=published,
        published_low=None,
        published_high=None,
        regimen_class=kind,
        n=100,
    )


@given(st.lists(st.tuples(st.integers(1, 20), st.booleans()), min_size=1, max_size=40))
@settings(deadline=None, max_examples=40)
def test_median_is_that_of_lifelines(data: list[tuple[int, bool]]) -> None:
    time, event = (np.array(v) for v in zip(*data, strict=True))
    fitted = KaplanMeierFitter().fit(time, event)
    # where the curve touches one half to rounding, lifelines may see it on either side
    assume(np.abs(fitted.survival_function_.to_numpy() - 0.5).min() > 1e-9)
    assert km_median(time.astype(float), event) == pytest.approx(fitted.median_survival_time_)


def test_interval_score_punishes_width_and_misses() -> None:
    assert interval_score(0.0, 1.0, 0.5) == pytest.approx(1.0)
    assert interval_score(0.0, 1.0, 1.1) == pytest.approx(1.0 + 40 * 0.1)
    assert interval_score(0.0, 1.0, -0.2) == pytest.approx(1.0 + 40 * 0.2)


def test_rivals_learn_on_calibration_trials_only_and_leave_one_out() -> None:
    scores = [
        score("a", "calibration", 0.5),
        score("b", "calibration", 0.8, kind="other"),
        score("c", "calibration", 0.9),
        score("v", "validation", 0.1),
    ]
    constant, by_class = rivals(scores)["constant"], rivals(scores)["class"]
    new, own = constant(scores[3]), constant(scores[0])
    assert new is not None
    assert own is not None
    assert new[0] == pytest.approx(np.mean(np.log([0.5, 0.8, 0.9])))
    assert own[0] == pytest.approx(np.mean(np.log([0.8, 0.9])))
    found = by_class(scores[3])
    assert found is not None
    assert found[0] == pytest.approx(np.mean(np.log([0.5, 0.9])))
    moved = [*scores[:3], score("v", "validation", 5.0)]
    again = rivals(moved)["constant"](moved[3])
    assert again is not None
    assert again == pytest.approx(new)


def test_summary_measures_errors_on_the_log_scale() -> None:
    scores = [score("a", "calibration", 0.7), score("b", "calibration", 0.6), score("c", "calibration", 0.8)]
    record = summarise(scores)["calibration"]
    expected = np.median(np.abs(np.log(0.7) - np.log([0.7, 0.6, 0.8])))
    assert record["hr_median_abs_log_error"] == pytest.approx(expected)
    assert record["hr_covered"] == 1.0
    assert record["rivals"]["constant"]["hr_figures"] == 3


def test_a_median_that_is_not_reached_counts_as_far_off() -> None:
    def median(predicted: float | None) -> Score:
        return Score(
            trial="a",
            role="calibration",
            arm="x",
            endpoint="os_median_months",
            predicted=predicted,
            low=None,
            high=None,
            published=10.0,
            published_low=None,
            published_high=None,
        )

    record = summarise([median(11.0), median(13.0), median(None)])["calibration"]
    assert record["median_figures"] == 3
    assert record["median_rel_error"] == pytest.approx(0.3)
    assert summarise([median(None)])["calibration"]["median_rel_error"] is None


def test_roles_name_trials_that_ship() -> None:
    assert set(roles()) <= set(list_trials())
    assert {role for role, _ in roles().values()} == {"calibration", "validation"}
    assert all(load_trial(name).published is not None for name in roles())


def test_a_trial_without_published_results_is_refused_before_it_runs(tmp_path) -> None:
    path = tmp_path / "mine.yaml"
    text = (
        "name: mine\ntitle: Mine\npopulation: {stage: IV, line: 1, histology: any}\n"
        "arms:\n  - {name: a, role: experimental, n: 5, regimen: pembrolizumab 200 mg every 3 weeks}\n"
        "visits: every 6 weeks\nfollow_up_months: 12\nendpoints: {primary: [os]}\n"
    )
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="nothing to be scored"):
        validate([path])


@pytest.mark.slow
def test_a_small_trial_is_scored_from_end_to_end(tmp_path, monkeypatch) -> None:
    found = validate(["keynote-024"], patients=16, workers=1, out=tmp_path)
    content = json.loads(json.dumps(found.to_json(), allow_nan=False))
    scored = {r["endpoint"] for r in content["rows"]} - {"os_60_pct"}  # of 16 patients none may be at risk at 5 years
    assert scored == {"orr_pct", "pfs_median_months", "os_median_months", "pfs_hr", "os_hr", "os_12_pct"}
    ratio = next(r for r in content["rows"] if r["endpoint"] == "pfs_hr")
    assert ratio["published"] == 0.5
    assert ratio["role"] == "calibration"
    assert ratio["low"] is None or ratio["low"] <= ratio["predicted"] * 1.5
    monkeypatch.setattr("immunescape.evaluation.scoreboard.posterior_weights", lambda *_: None)
    structure = {(s.arm, s.endpoint): s for s in score_trial(found.results[0])}
    monkeypatch.setattr("immunescape.evaluation.scoreboard.shipped_discrepancy", lambda _: {})
    certain = {(s.arm, s.endpoint): s for s in score_trial(found.results[0])}
    for row in (r for r in content["rows"] if r["endpoint"] == "orr_pct"):
        assert 0 <= row["low"] <= row["predicted"] <= row["high"] <= 100
        # where population and structure are certain: binomial spread at the published size, not at the 16 simulated
        width = 2 * 1.96 * 100 * math.sqrt(row["predicted"] / 100 * (1 - row["predicted"] / 100) / 152)
        alone = certain[row["arm"], "orr_pct"]
        assert alone.low is not None
        assert alone.high is not None
        assert alone.high - alone.low == pytest.approx(width, rel=0.35, abs=1.5)
        wider = structure[row["arm"], "orr_pct"]
        assert wider.low is not None
        assert wider.high is not None
        assert row["high"] - row["low"] > wider.high - wider.low > alone.high - alone.low
    assert len(scores_table(list(found.scores)).rows) == len(content["rows"])
    assert summary_table(found.summary()).rows


def test_facts_of_the_covariate_population_stand_beside_the_published_ones() -> None:
    found = {f.id: f for f in facts({})}
    assert set(found) == {
        f"pdl1-high-{region}-{kind}" for region in ("east-asian", "western") for kind in ("squamous", "nonsquamous")
    }
    for fact in found.values():
        assert fact.predicted is not None
        assert fact.low is not None
        assert fact.low < fact.predicted < (fact.high or 0)
        assert 2 < fact.predicted < 70
    assert found["pdl1-high-east-asian-squamous"].published == 20.84
    assert "east asian" in facts_table(list(found.values())).rows[0]["Virtual population"]


def test_rivals_of_ones_own_trial_know_the_published_ratios_of_the_calibration_trials() -> None:
    known = published_ratios()
    assert {s.trial for s in known} == {n for n, (role, _) in roles().items() if role == "calibration"}
    mine = score("mine", "own", 0.8)
    record = summarise([mine], known)["own"]
    expected = np.mean([math.log(s.published or 1) for s in known if s.endpoint == "os_hr"])
    assert record["os"]["rivals"]["constant"]["hr_median_abs_log_error"] == pytest.approx(abs(expected - math.log(0.8)))
    assert record["pfs"]["hr_figures"] == 0
    rows = {(r["Figure"], r["Predictor"]): r["n"] for r in summary_table(summarise([mine], known)).rows}
    assert rows["log HR of OS", "model"] == rows["log HR of OS", "baseline: constant, included trials"] == 1
    assert rows["log HR of PFS", "model"] == 0


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("keynote-024", "ici"),
        ("keynote-189", "ici and chemotherapy"),
        ("pacific", "ici after chemoradiotherapy"),
        ("sintilimab-anlotinib", "own"),
    ],
)
def test_the_class_of_ones_own_trial_is_told_by_what_it_gives(name: str, expected: str) -> None:
    assert regimen_class(load_trial(name)) == expected


@pytest.mark.slow
def test_a_run_on_named_trials_shows_its_own_figures_and_what_its_intervals_hold(
    tmp_path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")  # so that no cell is wrapped
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\ntitle: Mine\npopulation: {stage: IV, line: 1, histology: any}\nlater_lines: as written\n"
        "arms:\n  - {name: a, role: experimental, n: 200, regimen: pembrolizumab 200 mg every 3 weeks}\n"
        "  - {name: b, role: control, n: 180, regimen: placebo every 3 weeks}\n"
        "visits: every 6 weeks\nfollow_up_months: 12\nendpoints: {primary: [os]}\n"
        "published:\n  arms: [{name: a, n: 200, orr_pct: 30}, {name: b, n: 180, orr_pct: 1}]\n"
        "  comparison: {pfs_hr: 0.6, os_hr: 0.7}\n",
        encoding="utf-8",
    )
    found = validate([path], patients=10, workers=1)
    print_scoreboard(found)
    shown = capsys.readouterr().out
    assert "Facts of the review" not in shown
    assert "is not in them" not in shown
    assert error_source() in shown
    assert "baseline: last trial" in shown
    assert "median absolute error at most 5 points" in shown
    assert {"baseline: constant, included trials", "baseline: class mean, included trials"} <= {
        row["Predictor"] for row in summary_table(found.summary()).rows
    }
    assert found.notes == ()
    rows = scores_table(list(found.scores)).rows
    assert rows[0]["n simulated"] == 10
    assert rows[0]["n published"] == 200
    assert {r["n published"] for r in rows if "hazard ratio" in str(r["Endpoint"])} == {380}
