"""What is assumed is uncertain: draws that leave the reference patient in place, ensembles, and what matters most."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from immunescape.errors import InputError, ModelError
from immunescape.evaluation import audit, ensemble
from immunescape.evaluation.audit import run_audit, strengths_at
from immunescape.evaluation.ensemble import run_ensemble
from immunescape.evaluation.uncertainty import (
    ANCHOR,
    CLOSE,
    GROWTH,
    WIDTHS,
    Draw,
    anchored,
    draw,
    fit_of,
    is_share,
    moved,
    uncertain,
)
from immunescape.files import stored_json
from immunescape.model.parameters import Parameter, load_parameters
from immunescape.model.reference_strengths import load_strengths, reference_id
from immunescape.population.fit import PopulationFit
from immunescape.population.reference_baseline import prepared_model, reference_baseline, reference_strengths
from immunescape.report.uncertainty_report import ensemble_table, print_ensemble
from immunescape.trial.loading import load_trial


def parameter(value: float, grade: str = "assumed", **more: object) -> Parameter:
    return Parameter("k", value, str(more.pop("unit", "1/day")), grade=grade, **more)  # type: ignore[arg-type]


def test_a_number_is_as_uncertain_as_its_grade() -> None:
    for grade, width in WIDTHS.items():
        assert moved(parameter(2.0, grade), 1.0) == pytest.approx(2.0 * math.exp(width))
        assert moved(parameter(2.0, grade), -1.0) == pytest.approx(2.0 * math.exp(-width))
    assert WIDTHS["measured"] < WIDTHS["fitted"] < WIDTHS["assumed"]


def test_bounds_hold_and_shares_stay_shares() -> None:
    assert moved(parameter(2.0, upper=2.5), 3.0) == 2.5
    assert moved(parameter(2.0, lower=1.9), -3.0) == 1.9
    share = parameter(0.9, unit="dimensionless", upper=1.0)
    assert 0.9 < moved(share, 3.0) < 1.0
    kept = prepared_model(()).parameters["f_pro_kept"]  # a share by its name; its table gives no bound
    assert 0.9 < moved(kept, 3.0) < 1.0
    assert moved(parameter(0.9, unit="dimensionless"), 1.0) > 1.0
    assert moved(share, 0.0) == pytest.approx(0.9)


def test_a_note_does_not_change_a_draw() -> None:
    parameters = prepared_model(()).parameters
    shares = {name for name, p in parameters.items() if is_share(p)}
    assert {"lactate_yield", "f_pro_kept"} <= shares
    assert {name for name, p in parameters.items() if is_share(replace(p, note="a share of cells"))} == shares
    assert {name for name, p in parameters.items() if is_share(replace(p, note=""))} == shares


def test_what_a_patient_carries_and_the_anchors_are_not_drawn() -> None:
    names = set(uncertain(prepared_model(("docetaxel",))))
    assert len(names) > 400
    assert names.isdisjoint({ANCHOR, GROWTH, "egfr_mutant", "diameter_diagnosis", "bsa_docetaxel", "switch_lipids"})


def test_a_draw_does_not_depend_on_the_drugs_of_the_model() -> None:
    from immunescape.evaluation import uncertainty

    kept = {}
    for drugs in ((), ("pembrolizumab",)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(uncertainty, "anchored", lambda model, values, engine: values)
            kept[drugs] = draw(prepared_model(drugs), 3, 1)
    assert all(kept["pembrolizumab",][name] == value for name, value in kept[()].items())
    assert len(kept["pembrolizumab",]) > len(kept[()])


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "error"), [(11, 2.0 * CLOSE), (17, 0.3)])
def test_draws_whose_reference_strengths_swing_are_built(seed: int, error: float) -> None:
    """Steps towards their strengths, halved or not, swing for ever: these two of the first twenty seeds were lost.

    The second is diagnosed after 1,326 days in place of 1,756: a little more killing, and its tumour is controlled.
    """
    model = prepared_model((), "full")
    assert abs(math.log(draw(model, seed, 0).days / reference_baseline(model).days)) < error


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 9])
def test_every_draw_is_built_and_its_reference_patient_is_diagnosed_in_time(number: int) -> None:
    """The first of these could not be built while draws kept the killing and growth of the tables."""
    model = prepared_model(())
    made = draw(model, 7, number)
    aim = reference_baseline(model).days
    assert abs(math.log(made.days / aim)) < 2.0 * CLOSE
    changed = {n: float(model.parameters[n].to_base(v)) for n, v in made.values.items()}
    changed |= {n: model.parameters[n].base * f for n, f in ((ANCHOR, made.kill), (GROWTH, made.growth))}
    again, baseline = reference_strengths(model, start=made.strengths, tolerance=1e-4, changed=changed)
    assert baseline.days == pytest.approx(made.days, rel=0.01)
    assert max(abs(again[k] - made.strengths[k]) / (1.0 + again[k]) for k in again) < 1e-3


def test_growth_and_killing_bring_the_time_to_diagnosis_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in tumour that a draw makes slow, and whose immunity wins at the killing of the tables."""
    from immunescape.evaluation import uncertainty

    model = prepared_model(())
    kill, growth = model.parameters[ANCHOR].base, model.parameters[GROWTH].base
    asked: list[float] = []

    def settled(bare, changed, engine, start, tolerance):
        drawn = "NET_50" in changed
        k, g = changed.get(ANCHOR, kill) / kill, changed.get(GROWTH, growth) / growth
        asked.append(k)
        if drawn and k > 0.5:
            raise ModelError("the reference patient is never diagnosed")
        return {}, 1000.0 * (1.3 if drawn else 1.0) / g * (1.0 + (3.0 if drawn else 0.5) * k)

    monkeypatch.setattr(uncertainty, "_settled", settled)
    made = anchored(model, {"NET_50": 1.0})
    assert made.growth == pytest.approx(1.3, rel=0.02)
    assert made.kill == pytest.approx(1.0 / 6.0, rel=0.05)
    assert made.days == pytest.approx(1500.0, rel=0.02)
    assert len(asked) < 40
    monkeypatch.setattr(uncertainty, "_settled", lambda bare, changed, *more: ({}, 2000.0 if changed else 1000.0))
    with pytest.raises(ModelError, match="cannot be restored"):
        anchored(model, {"NET_50": 1.0})


def test_a_fit_carries_a_draw_to_the_patients() -> None:
    from immunescape.population.covariates import sample_covariates
    from immunescape.population.linking import patient_parameters

    model = prepared_model(())
    key = next(iter(load_strengths()))
    p = model.parameters
    one = Draw({"NET_50": 2.0 * p["NET_50"].value, "k_exhaust": 0.5 * p["k_exhaust"].value}, 0.7, 1.1, {key: 0.25}, 1.0)
    table = sample_covariates(0, 8, 1)
    fit = PopulationFit.shipped()
    before = patient_parameters(model.parameters, table, 1, fit=fit)
    after = patient_parameters(model.parameters, table, 1, fit=fit_of(one, model, fit))
    assert np.allclose(after["NET_50"], one.values["NET_50"])
    low = model.parameters["k_exhaust"].lower or 0.0
    assert np.allclose(after["k_exhaust"], np.maximum(0.5 * before["k_exhaust"], low))
    assert np.allclose(after[reference_id(key)], 0.25)
    assert (after["k_kill"] <= before["k_kill"]).all()


def test_reference_strengths_follow_a_parameter() -> None:
    model = prepared_model(())
    values = [model.parameters["NET_50"].value, 0.5 * model.parameters["NET_50"].value]
    found = strengths_at(model, ["NET_50", "NET_50"], values)
    stored = np.array([model.parameters[reference_id(k)].base for k in model.modulations])
    nets = model.modulations.index(("killing", "nets", "neutrophils"))
    assert np.allclose(found[0], stored, rtol=1e-3, atol=1e-6)
    assert found[1, nets] == pytest.approx(2.0 * stored[nets], rel=1e-3)


def test_what_matters_comes_first_and_every_parameter_can_be_asked_for() -> None:
    result = run_audit("keynote-024", patients=4, only=["Trp_50", "k_exhaust"])
    assert {r["parameter"] for r in result.rows} == {"k_exhaust", "Trp_50"}
    sizes = [r["change_week_18"]["rms"] for r in result.rows]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 1.05 * sizes[-1]
    basis = {r["parameter"]: r["basis"] for r in result.top(2, "assumed")}
    assert basis["k_exhaust"].startswith("assumed, direction from")
    assert basis["Trp_50"] == "assumed"
    assert result.to_json()["points"] == 16
    with pytest.raises(InputError, match="NET_50"):
        run_audit("keynote-024", patients=4, only=["NET50"])


class RarelyDiagnosed:
    """Candidates of whom one in `every` is diagnosed."""

    parameters = ("a", "b")
    trial = SimpleNamespace(name="a trial", file=None)

    def __init__(self, every: int) -> None:
        self.every, self.enlisted = every, 0

    def enlist(self, patients: int) -> None:
        self.enlisted = patients

    def evaluate(self, who: np.ndarray, quantiles: np.ndarray) -> np.ndarray:
        assert who.max() < self.enlisted
        assert len(who) == len(quantiles)
        return np.where((who % self.every == 0)[:, None], 1.0, np.nan) * np.ones((1, 3))


def test_candidates_are_added_until_enough_are_diagnosed() -> None:
    many, few = RarelyDiagnosed(2), RarelyDiagnosed(30)
    assert audit._diagnosed(many, 12, 1)[0].tolist() == list(range(0, 24, 2))  # type: ignore[arg-type]
    assert many.enlisted == 96
    who, quantiles = audit._diagnosed(few, 12, 1)  # type: ignore[arg-type]
    assert who.tolist() == list(range(0, 360, 30))
    assert few.enlisted == 384
    assert np.array_equal(quantiles, np.random.default_rng(1).random((384, 2))[who])
    with pytest.raises(InputError, match="only 1 of 3072 candidates"):
        audit._diagnosed(RarelyDiagnosed(100_000), 12, 1)  # type: ignore[arg-type]


FAILED: dict[float, int] = {}
"""Value of the drawn parameter -> patients that fail beside the eight that do not."""


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Trials whose response is the value of one drawn parameter; the second draw has no reference patient."""
    runs: list[str] = []

    def of(result: SimpleNamespace) -> dict:
        arm = {"name": "a", "figures": {name: [result.value, 1.0] for name in ensemble.SHOWN}}
        return {"arms": [arm], "comparison": {"pfs_hr": [0.5, 0.1]}}

    def simulate(trial, *, patients, seed, workers, engine, fit, paired):
        runs.append("as it ships" if fit is None else "draw")
        value = 10.0 if fit is None else fit.values["NET_50"][1]
        return SimpleNamespace(value=value, failures=[{}] * FAILED.get(value, 0), patients=range(8))

    def drawn(model, seed, number, *, width, engine):
        if number == 1:
            raise ModelError("no killing is weak enough")
        return Draw({"NET_50": model.parameters["NET_50"].value * (number + 1)}, 1.0, 1.0, {}, 1700.0)

    monkeypatch.setattr(ensemble, "figures", of)
    monkeypatch.setattr(ensemble, "draw", drawn)
    monkeypatch.setattr("immunescape.trial.runner.run_trial", simulate)
    return runs


def test_an_ensemble_says_what_assumptions_leave_open_and_resumes(figures: list[str], tmp_path: Path) -> None:
    trial = load_trial("keynote-024")
    result = run_ensemble(trial, draws=4, patients=8, out=tmp_path)
    response = next(r for r in result.rows if r["figure"] == "orr_pct")
    assert (response["central"], response["draws"]) == (10.0, 3)
    assert response["median"] == 3.0
    assert 1.0 <= response["low"] < response["median"] < response["high"] <= 4.0
    assert list(result.lost) == [1]
    assert figures == ["as it ships", "draw", "draw", "draw"]
    assert run_ensemble(trial, draws=4, patients=8, out=tmp_path).rows == result.rows
    assert len(figures) == 4
    (tmp_path / "draw-2.json").write_text("[", encoding="utf-8")
    assert run_ensemble(trial, draws=4, patients=8, out=tmp_path).rows == result.rows
    assert len(figures) == 5
    path = tmp_path / "draw-2.json"
    path.write_text(json.dumps({"key": json.loads(path.read_text(encoding="utf-8"))["key"]}), encoding="utf-8")
    assert run_ensemble(trial, draws=4, patients=8, out=tmp_path).rows == result.rows
    assert len(figures) == 6


def test_a_single_draw_with_figures_has_no_interval(
    figures: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(FAILED, 3.0, 5)  # of draws 0, 1 and 2 only the first gives figures
    result = run_ensemble(load_trial("keynote-024"), draws=3, patients=8)
    assert sorted(result.lost) == [1, 2]
    response = next(r for r in result.rows if r["figure"] == "orr_pct")
    assert (response["median"], response["low"], response["high"], response["draws"]) == (1.0, None, None, 1)
    print_ensemble(result)
    printed = capsys.readouterr().out
    assert "1 (– to –)" in printed
    assert "not reached" not in printed
    assert "3 draws (2 of them without figures)" in printed


def test_stored_draws_of_another_set_up_are_not_overwritten_unasked(figures: list[str], tmp_path: Path) -> None:
    from immunescape.cli.program import app

    def invoked(*options: str) -> Any:
        return CliRunner().invoke(app, ["ensemble", "keynote-024", "--draws", "4", "-o", str(tmp_path), *options])

    first = invoked("-n", "8")
    assert first.exit_code == 0, first.output
    assert "4 draws (1 of them without figures)" in first.output
    written = json.loads((tmp_path / "ensemble.json").read_text(encoding="utf-8"))
    assert (written["trial"], written["patients"], list(written["lost"])) == ("keynote-024", 8, ["1"])
    stored, ran = (tmp_path / "draw-2.json").read_bytes(), len(figures)
    for options, word in ((("-n", "9"), "patients"), (("-n", "8", "--width", "2"), "width")):
        refused = invoked(*options)
        assert f"other {word}" in str(refused.exception)
    assert "the ensemble of the trial 'keynote-024'" in str(
        CliRunner().invoke(app, ["ensemble", "oak", "-o", str(tmp_path)]).exception
    )
    assert (tmp_path / "draw-2.json").read_bytes() == stored
    assert len(figures) == ran
    assert invoked("-n", "9", "--force").exit_code == 0
    assert len(figures) > ran


def test_a_draw_in_which_many_patients_fail_gives_no_figures_and_is_counted(
    figures: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trial = load_trial("keynote-024")
    sound = run_ensemble(trial, draws=4, patients=8)
    assert sound.failed == {}
    monkeypatch.setitem(FAILED, 3.0, 5)  # the value of draw 2
    result = run_ensemble(trial, draws=4, patients=8)
    assert result.failed == {}
    assert result.lost[2] == "5 of 13 virtual patients could not be integrated"
    response = next(r for r in result.rows if r["figure"] == "orr_pct")
    assert (response["draws"], response["median"]) == (2, 2.5)
    monkeypatch.setattr("immunescape.evaluation.uncertainty.MOST_FAILED", 0.5)  # few enough: shown, and said
    kept = run_ensemble(trial, draws=4, patients=8)
    assert 2 not in kept.lost
    assert kept.rows == sound.rows
    print_ensemble(kept)
    assert "Draw 2: 5 of 13 virtual patients could not be integrated" in capsys.readouterr().out
    assert kept.to_json()["failed"] == {"2": {"failed": 5, "tried": 13}}


@pytest.mark.parametrize(
    ("content", "number", "whole"),
    [
        ({"key": "k", "failed": [0, 8], "figures": {"a|orr_pct": [3.0, None]}}, 2, True),
        ({"key": "k", "figures": {"a|orr_pct": [3.0, None]}}, 2, False),
        ({"key": "k", "failed": [9, 8], "figures": {"a|orr_pct": [3.0, None]}}, 2, False),
        ({"key": "k", "lost": "no reference patient"}, 2, True),
        ({"key": "k", "lost": "no reference patient"}, -1, False),  # the model as it ships cannot be lost
        ({"key": "other", "figures": {"a|orr_pct": [3.0, 1.0]}}, 2, False),
        ({"key": "k"}, 2, False),
        ({"key": "k", "lost": None}, 2, False),
        ({"key": "k", "failed": [0, 8], "figures": None}, 2, False),
        ({"key": "k", "failed": [0, 8], "figures": {}}, 2, False),
        ({"key": "k", "failed": [0, 8], "figures": {"a|orr_pct": 3.0}}, 2, False),
        ({"key": "k", "failed": [0, 8], "figures": {"a|orr_pct": [3.0]}}, 2, False),
        ({"key": "k", "failed": [0, 8], "figures": {"a|orr_pct": ["3", 1.0]}}, 2, False),
        ([], 2, False),
        (None, 2, False),
    ],
)
def test_a_stored_draw_is_taken_only_where_it_is_whole(
    content: object, number: int, whole: bool, tmp_path: Path
) -> None:
    path = tmp_path / "draw.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    assert (stored_json(path, lambda c: ensemble._whole(c, "k", number)) is not None) == whole


@pytest.mark.parametrize(
    ("medians", "shown"),
    [
        ([10.0, 12.0, 14.0, None, None], (10.4, 14.0, None)),
        ([10.0, None, None, None, None], (10.0, None, None)),
        ([None] * 5, (None, None, None)),
        ([10.0, 12.0, 14.0, 16.0, 18.0], (10.4, 14.0, 17.6)),
    ],
)
def test_a_median_that_is_not_reached_is_longer_than_every_other(
    medians: list[float | None], shown: tuple[float | None, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = iter([None, *medians])

    def of(result: object) -> dict:
        values = {name: [1.0, None] for name in ensemble.SHOWN} | {"os_median_months": [next(made), None]}
        return {"arms": [{"name": "a", "figures": values}], "comparison": {}}

    def nobody(*_: object, **__: object) -> SimpleNamespace:
        return SimpleNamespace(failures=[], patients=[])

    monkeypatch.setattr(ensemble, "figures", of)
    monkeypatch.setattr(ensemble, "draw", lambda *_, **__: None)
    monkeypatch.setattr(ensemble, "fit_of", lambda *_: None)
    result = run_ensemble(load_trial("keynote-024"), draws=5, patients=8, simulate=nobody)
    row = next(r for r in result.rows if r["figure"] == "os_median_months")
    assert (row["low"], row["median"], row["high"]) == pytest.approx(shown)
    assert row["draws"] == 5
    text = next(r for r in ensemble_table(result).rows if r["Figure"] == "os_median_months")
    assert text["Released model"] == "not reached"
    assert str(text["Draws: median (5th to 95th percentile)"]).count("not reached") == shown.count(None)


def test_the_commands_print(figures: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from immunescape.cli.program import app

    result = CliRunner().invoke(app, ["ensemble", "keynote-024", "--draws", "3", "-n", "8", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["prior_widths"] == WIDTHS
    result = CliRunner().invoke(app, ["ensemble", "keynote-024", "--draws", "3", "-n", "8"])
    assert "Draw 1 failed" in result.stdout
    with pytest.raises(InputError, match="not a valid factor"):
        run_ensemble(load_trial("keynote-024"), width=0.0)


def tables() -> list[Parameter]:
    from immunescape.model.registry import drugs, mechanisms

    names = {str(m.parameters) for m in (*mechanisms().values(), *drugs().values()) if str(m.parameters)}
    return [p for name in sorted(names) for p in load_parameters(name, Path(name).stem).values()]


def test_an_assumed_number_does_not_pass_for_that_of_its_source() -> None:
    from immunescape.api.model import shown

    assert parameter(1.0, sources=("kargl2017",)).basis == "assumed, direction from kargl2017"
    assert parameter(1.0).basis == "assumed"
    assert parameter(1.0, "measured", sources=("kargl2017",)).basis == "measured"
    rows = {r["name"]: r for r in shown("neutrophils")["parameters"]}
    assert rows["NET_50"]["grade"] == "assumed"
    assert rows["NET_50"]["source"] == "direction from teijeira2020"


def test_the_share_that_readme_calls_assumed_is_that_of_the_tables() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    found = re.search(r"(\d+) %\s+of\s+the\s+parameters\s+are\s+assumed,\s+half\s+of\s+these", readme)
    assert found is not None
    every = tables()
    assumed = [p for p in every if p.grade == "assumed"]
    assert int(found[1]) == round(100 * len(assumed) / len(every))
    assert sum(bool(p.sources) for p in assumed) / len(assumed) == pytest.approx(0.5, abs=0.05)


def test_an_unknown_method_of_sensitivity_is_answered_with_all_three() -> None:
    from immunescape.cli.program import app

    result = CliRunner().invoke(app, ["sensitivity", "keynote-024", "--method", "eech"])
    assert result.exit_code != 0
    assert "Did you mean 'each'" in str(result.exception or result.output)
    result = CliRunner().invoke(app, ["sensitivity", "keynote-024", "--method", "x"])
    assert "each, morris, sobol" in str(result.exception or result.output)
