"""Ablation: what is tested by trials, by patients, by claims or by nothing, and what follows for drugs."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from immunescape.errors import EngineError, InputError
from immunescape.evaluation import ablation
from immunescape.evaluation.ablation import (
    Ablation,
    AblationResult,
    ablatable,
    chosen_mechanisms,
    difference,
    group_of,
    label_of,
    run_ablation,
    score,
    simulated_patients,
    tuned,
)
from immunescape.evaluation.mechanism_labels import (
    FILE,
    acts_through,
    drug_label,
    label_text,
    mechanism_labels,
    outdated_text,
    ranks,
    record_labels,
    short_label,
)
from immunescape.evaluation.targets import Target, logit
from immunescape.evaluation.weighting import Sample, pool
from immunescape.model.registry import get_drug, mechanisms
from immunescape.population.fit import FitTerm, PopulationFit
from immunescape.trial.loading import load_trial
from immunescape.trial.runner import numbers_digest


def patients(trial: str, arm: str, fit: PopulationFit, seed: int, odds: float = 1.0, n: int = 400) -> Sample:
    """Patients whose response follows killing, and a group whose response is `odds` times as likely."""
    rng = np.random.default_rng([seed, len(trial), len(arm)])
    terms = fit.of("k_kill")
    z = terms.get("shift", 0.0) + terms.get("scale", 1.0) * rng.standard_normal((n, 1))
    strong = rng.uniform(size=n) < 0.5
    chance = 1.0 / (1.0 + np.exp(1.5 - z[:, 0] - np.log(odds) * strong))
    response = (rng.uniform(size=n) < chance).astype(float)
    time = rng.exponential(9.0 * np.exp(0.3 * z[:, 0]))
    ends = (np.minimum(time, 40.0), (time < 40.0).astype(float))
    made = Sample(
        trial=trial,
        arm=arm,
        names=("k_kill",),
        z=z,
        linked=np.zeros((n, 1)),
        left=np.ones(1),
        covariates={t: np.zeros(n) for t in terms if t not in ("shift", "scale")},
        response=response,
        times={"pfs": ends, "os": ends, "os_last": ends},
        groups={"strong": strong, "weak": ~strong},
        proposals=((fit, n),),
    )
    return pool([made])


def odds_target(value: float) -> Target:
    def figure(weighted: object) -> float:
        sample, w = weighted["oak", "atezolizumab"]  # type: ignore[index]
        share = [float((w * g) @ sample.response / (w @ g)) for g in (sample.groups["strong"], sample.groups["weak"])]
        return logit(share[0]) - logit(share[1])

    name = "response to PD-(L)1 blockade, odds ratio of a marker"
    return Target(name, "assumed", float(np.log(value)), 0.1, figure, np.exp)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Trials that cost nothing: only glycolysis carries a marker's odds ratio, and arginine cannot be off."""
    runs: list[tuple[str, int]] = []

    def simulate(trial, *, patients, seed, workers, engine, fit, paired):
        off = "+".join(n.removeprefix("switch_") for n in fit.values)
        if off == "arginine":
            raise EngineError("the tumour never reaches its diameter")
        runs.append((off, seed))
        return SimpleNamespace(trial=trial, seed=seed, off=off)

    def of(result, arm, names, scores, fit, *, kinetics):
        assert names == ["k_kill"]
        return patients(result.trial.name, arm.name, fit, result.seed, 1.0 if "glycolysis" in result.off else 4.0)

    monkeypatch.setattr(ablation.Sample, "of", of)
    monkeypatch.setattr(ablation, "data_targets", lambda data, trials: [odds_target(4.0)] if data else [])
    monkeypatch.setattr("immunescape.trial.runner.run_trial", simulate)
    return runs


def test_differences_carry_an_error_over_seeds() -> None:
    found = difference([0.2, 0.3, 0.4])
    assert found.mean == pytest.approx(0.3)
    assert found.se == pytest.approx(0.1 / np.sqrt(3))
    assert found.worse
    assert difference([0.2, -0.1, 0.05]).worse is False
    assert difference([-0.2, -0.21, -0.19]).worse is False  # better without it earns no place
    assert difference([0.2, 0.3]).worse is None
    assert difference([0.2]).se is None


@pytest.mark.parametrize(
    ("trials", "odds", "claims", "label"),
    [
        ((0.2, 0.3, 0.4), (0.0, 0.1, -0.1), 0, "by trials"),
        ((0.0, 0.1, -0.1), (0.2, 0.3, 0.4), 0, "by patients' data"),
        ((0.0, 0.1, -0.1), (0.0, 0.1, -0.1), 3, "by claims only"),
        ((0.0, 0.1, -0.1), (0.0, 0.1, -0.1), 0, "by nothing"),
        ((0.2, 0.3), (0.2, 0.3), 3, ""),
    ],
)
def test_labels(trials, odds, claims, label) -> None:
    assert label_of({"trials": difference(trials), "odds": difference(odds)}, claims) == label


def test_killing_is_tuned_to_what_was_published() -> None:
    sample = {("t", "a"): patients("t", "a", PopulationFit(), 1, n=8000)}
    truth = patients("t", "a", PopulationFit((FitTerm("k_kill", "shift", 0.5, 0, "assumed", "fitted"),)), 2, n=40_000)
    key = ("t", "a")
    target = Target(
        "ORR",
        "assumed",
        logit(float(truth.response.mean())),
        0.05,
        lambda w: logit(float(w[key][0].response @ w[key][1])),
        lambda x: x,
    )
    move = tuned(sample, [target], PopulationFit())
    assert move == pytest.approx(0.5, abs=0.1)
    assert score(sample, [target], PopulationFit(), move) < 0.5 < score(sample, [target], PopulationFit(), 0.0)


def test_what_only_one_mechanism_explains_tests_that_mechanism(stand_in, tmp_path: Path) -> None:
    trials = [load_trial("oak"), load_trial("checkmate-057")]
    options = {"trials": trials, "data": tmp_path, "patients": 8, "seeds": 3, "rounds": 2, "out": tmp_path / "out"}
    result = run_ablation(["glycolysis", "lipids", "arginine"], **options)
    rows = {r.mechanism: r for r in result.rows}
    assert rows["glycolysis"].label == "by patients' data"
    assert rows["glycolysis"].differences["odds"].mean > 2.0
    assert rows["lipids"].label == "by claims only"
    assert rows["lipids"].claims > 0
    assert rows["arginine"].label == ""
    assert "never reaches its diameter" in rows["arginine"].why
    assert result.to_json()["targets"]["odds"] == 1
    assert result.to_json()["numbers"] == numbers_digest()
    before = len(stand_in)
    again = run_ablation(["glycolysis", "lipids"], **options)
    assert len(stand_in) == before  # stored
    assert again.rows[0].row() == rows["glycolysis"].row()
    run_ablation(["lipids"], **{**options, "seeds": 4})
    assert {seed % 1000 for _, seed in stand_in[before:]} == {4}  # only the seed that was not there
    path = tmp_path / "out" / "lipids.json"
    path.write_text(path.read_text(encoding="utf-8").replace('"move"', '"moved"'), encoding="utf-8")
    assert run_ablation(["lipids"], **options).rows[0].row() == rows["lipids"].row()  # a damaged file is made anew


def test_mechanisms_joined_by_a_plus_are_switched_off_together(stand_in, tmp_path: Path) -> None:
    trials = [load_trial("oak"), load_trial("checkmate-057")]
    options = {"trials": trials, "data": tmp_path, "patients": 8, "seeds": 3, "rounds": 2, "out": tmp_path / "out"}
    together, many = "glycolysis+lipids", "glycolysis+lipids+mdsc+pge2+tgf_beta"
    result = run_ablation([together, "lipids", many], **options)
    off = {name for name, _ in stand_in}
    assert {"", "glycolysis+lipids", "lipids"} < off
    rows = {r.mechanism: r for r in result.rows}
    assert rows[together].differences["odds"].mean > 2.0 > rows["lipids"].differences["odds"].mean
    assert rows[together].claims >= rows["lipids"].claims
    assert len(list((tmp_path / "out").glob("5-together-*.json"))) == 1
    before = len(stand_in)
    run_ablation([many], **options)
    assert len(stand_in) == before  # stored
    path = tmp_path / "labels.csv"
    assert record_labels(result, "2026-01-02", path) == ["lipids"]  # a set has no label of its own
    assert sorted(mechanism_labels(path)) == ["lipids"]
    with pytest.raises(InputError, match="lipid"):
        run_ablation(["glycolysis+lipid"], **options)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content["seeds"].update({"1": {}}),
        lambda content: content["seeds"].update({"1": None}),
        lambda content: content["seeds"].update({"one": content["seeds"]["1"]}),
        lambda content: content["seeds"]["1"].pop("move"),
        lambda content: content["seeds"]["1"].update(move=float("nan")),
        lambda content: content["seeds"]["1"]["scores"].pop("odds"),
        lambda content: content["seeds"]["1"]["scores"].update(trials="0.5"),
        lambda content: content.update(seeds=[1]),
        lambda content: content.pop("set_up"),
        lambda content: content["set_up"].update(patients=9),
    ],
)
def test_a_stored_mechanism_that_reads_as_json_but_is_not_whole_counts_as_none(
    tmp_path: Path, damage: Callable[[dict[str, Any]], object]
) -> None:
    set_up = {"patients": 8, "targets": {"courses": 0, "odds": 1, "kinetics": 0}}
    seeds = {1: {"scores": {"trials": 1.5, "odds": 0.25}, "move": -0.5}}
    path = tmp_path / "lipids.json"
    ablation._store(path, set_up, "lipids", seeds)
    assert ablation._stored(path, set_up) == seeds
    content = json.loads(path.read_text(encoding="utf-8"))
    damage(content)
    path.write_text(json.dumps(content), encoding="utf-8")
    assert ablation._stored(path, set_up) == {}


def test_stored_seeds_of_another_set_up_are_not_overwritten_unasked(
    stand_in: list[tuple[str, int]], tmp_path: Path
) -> None:
    trials = [load_trial("oak"), load_trial("checkmate-057")]
    options = {"trials": trials, "patients": 60, "seeds": 3, "rounds": 2, "out": tmp_path}
    run_ablation(["glycolysis"], **options)
    ran, stored = len(stand_in), (tmp_path / "glycolysis.json").read_bytes()
    for change, word in (({"patients": 8}, "patients per arm"), ({"rounds": 1, "patients": 9}, "and rounds")):
        with pytest.raises(InputError, match=word):
            run_ablation(["glycolysis"], **{**options, **change})
    assert len(stand_in) == ran
    assert (tmp_path / "glycolysis.json").read_bytes() == stored
    run_ablation(["glycolysis"], **{**options, "patients": 8}, force=True)
    assert len(stand_in) > ran
    content = json.loads((tmp_path / "glycolysis.json").read_text(encoding="utf-8"))
    content["set_up"]["model"] = "an edit of the code"
    (tmp_path / "glycolysis.json").write_text(json.dumps(content), encoding="utf-8")
    run_ablation(["glycolysis"], **{**options, "patients": 8})  # outdated: made anew


@pytest.mark.parametrize("changed", ["figures of patients", "a trial file"])
def test_what_is_stored_of_other_data_or_another_protocol_is_run_again(
    stand_in: list[tuple[str, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    trials = [load_trial("oak"), load_trial("checkmate-057")]
    options = {"data": tmp_path, "patients": 8, "seeds": 1, "rounds": 1, "out": tmp_path / "out"}
    before = run_ablation(["glycolysis"], trials=trials, **options)
    if changed == "a trial file":
        trials[1] = replace(trials[1], text=trials[1].text + "# another\n")
    else:
        monkeypatch.setattr(ablation, "data_targets", lambda data, trials: [odds_target(1.0)])
    ran = len(stand_in)
    after = run_ablation(["glycolysis"], trials=trials, **options)
    assert len(stand_in) == 2 * ran
    if changed == "figures of patients":
        assert after.rows[0].differences["odds"].mean < before.rows[0].differences["odds"].mean


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mechanisms": ["glycolisis"]}, "glycolysis"),
        ({"mechanisms": ["body"]}, "'body' is not a mechanism that can be switched off(.|\n)*tumour must stay"),
        ({"trials": ["keynote-010", "oak"]}, "validation trial"),
        ({"trials": ["oak"]}, "leaving one trial out"),
        ({"trials": ["oak", "oak"]}, "'oak' is named twice"),
        ({"patients": 2}, "2 patients"),
    ],
)
def test_a_run_that_says_nothing_is_refused(change, message) -> None:
    change = {**change, **({"trials": [load_trial(n) for n in change["trials"]]} if "trials" in change else {})}
    with pytest.raises(InputError, match=message) as caught:
        run_ablation(change.pop("mechanisms", ["lipids"]), **change)
    assert caught.value


def test_figures_of_patients_are_parted_by_kind() -> None:
    kinds = {
        "oak: docetaxel, growth of a lesion <= 0.02 (%)": "kinetics",
        "response to PD-(L)1 blockade, odds ratio KRAS (OAK)": "odds",
        "oak: docetaxel, OS hazard ratio of much over little ctDNA": "odds",
        "oak: docetaxel, OS at 3 months (%)": "courses",
    }
    for name, kind in kinds.items():
        assert group_of(Target(name, "assumed", 0.0, 1.0, lambda w: 0.0, float)) == kind


def test_a_switch_moves_no_other_parameter_of_a_patient() -> None:
    from immunescape.model.assembly import Model
    from immunescape.population.covariates import sample_covariates
    from immunescape.population.linking import patient_parameters

    parameters = Model.build(check_units=False).parameters
    table = sample_covariates(0, 16, 1)
    fit = PopulationFit.shipped()
    before = patient_parameters(parameters, table, 1, fit=fit)
    off = fit.with_values({"switch_lipids": ("set", 0.0), "k_exhaust": ("times", 2.0), "no_such": ("set", 1.0)})
    after = patient_parameters(parameters, table, 1, fit=off)
    assert set(after) == {*before, "switch_lipids"}
    assert (after["switch_lipids"] == 0.0).all()
    bound = parameters["k_exhaust"].upper
    assert np.allclose(after["k_exhaust"], np.minimum(2.0 * before["k_exhaust"], np.inf if bound is None else bound))
    assert all(np.array_equal(after[n], v) for n, v in before.items() if n != "k_exhaust")
    assert PopulationFit.parse(off.to_csv(), "text").values == off.values


def test_values_may_be_changed_once_and_to_a_number() -> None:
    fit = PopulationFit().with_values({"k_kill": ("set", 1.0)})
    with pytest.raises(InputError, match="twice"):
        fit.with_values({"k_kill": ("times", 2.0)})
    with pytest.raises(InputError, match="times"):
        PopulationFit().with_values({"k_kill": ("times", 0.0)})


def recorded(path: Path, *rows: Ablation, numbers: str = "fedcba9876543210") -> None:
    result = AblationResult(
        rows=rows,
        trials=("oak",),
        patients=60,
        seeds=(1, 2, 3),
        rounds=2,
        model="0123456789abcdef",
        numbers=numbers,
        targets={"trials": 5},
    )
    record_labels(result, "2026-01-02", path)


def test_labels_are_recorded_and_said(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    bad = {"trials": difference([0.2, 0.3, 0.4])}
    none = {"trials": difference([0.0, 0.1, -0.1])}
    recorded(path, Ablation("lipids", none, (0.1, 0.0), 2, "by claims only"), Ablation("dux4", why="it stops"))
    recorded(path, Ablation("killing", bad, (0.1, 0.0), 9, "by trials"), Ablation("lipids", none, label="by nothing"))
    labels = mechanism_labels(path)
    assert sorted(labels) == ["dux4", "killing", "lipids"]
    assert labels["lipids"].label == "by nothing"
    assert labels["killing"].differences["trials"][0] == pytest.approx(0.3)
    assert "tested by trials" in label_text("killing", path)
    assert "60 patients" in label_text("killing", path)
    assert "it stops" in label_text("dux4", path)
    assert short_label("mdsc", path) == "never ablated"
    path.write_text(path.read_text(encoding="utf-8").replace("by trials", "by trial"), encoding="utf-8")
    with pytest.raises(InputError, match="line 3"):
        mechanism_labels(path)


def test_a_label_holds_of_a_model_with_the_same_numbers_however_its_code_was_edited(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    none = {"trials": difference([0.0, 0.1, -0.1])}
    recorded(path, Ablation("lipids", none, label="by nothing"), numbers=numbers_digest())
    assert mechanism_labels(path)["lipids"].current  # whatever digest of code it carries
    assert "not those of this model" not in label_text("lipids", path)
    assert outdated_text(path) == ""
    recorded(path, Ablation("mdsc", none, label="by nothing"), numbers="0" * 64)
    assert "not those of this model" in label_text("mdsc", path)
    assert outdated_text(path).startswith("1 of 2 labels were measured with other parameters")
    recorded(path, Ablation("lipids", none, label="by nothing"), numbers="")
    assert "numbers not recorded, not those of this model" in label_text("lipids", path)
    assert outdated_text(path).startswith("All labels")


def test_the_labels_that_ship_are_of_the_numbers_that_ship() -> None:
    if mechanism_labels():
        assert outdated_text() == "", "run `immunescape ablate --data DATA --record` with the numbers that ship"


def test_a_drug_that_acts_only_through_what_nothing_tests_ranks_nothing(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    drug = get_drug("epacadostat")
    assert acts_through(drug) == ("tryptophan",)
    may, why = ranks(drug, path)
    assert not may
    assert "never ablated" in why
    recorded(path, Ablation("tryptophan", {"trials": difference([0.0, 0.1, -0.1])}, label="by nothing"))
    may, why = ranks(drug, path)
    assert not may
    assert "tested by nothing" in why
    recorded(path, Ablation("tryptophan", {"trials": difference([0.2, 0.3, 0.4])}, label="by trials"))
    assert ranks(drug, path)[0]
    assert drug_label(drug, path) == "by trials"


def test_a_drug_one_of_whose_mechanisms_was_never_ablated_ranks_by_the_others(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    til = get_drug("til")
    assert acts_through(til) == ("cd8", "tumour_growth")
    assert ranks(til, path)[0]  # nobody can switch the tumour off
    doubtful = get_drug("tazemetostat")
    assert acts_through(doubtful) == ("cd8", "mhc1")
    recorded(path, Ablation("cd8", {"trials": difference([0.0, 0.1, -0.1])}, label="by claims only"))
    may, why = ranks(doubtful, path)
    assert may
    assert why == (
        "acts through mechanisms tested by claims only: CD8 T cells; and through MHC class I on cancer cells, which "
        "cannot be switched off"
    )
    assert ranks(til, tmp_path / "none.csv") == (
        True,
        "acts through Tumour growth and clones of cancer cells, which cannot be switched off; and through CD8 T cells, "
        "which was never ablated",
    )
    assert label_text("mdsc", path) == "never ablated"
    assert "cannot be switched off" in label_text("tumour_growth", path)


def test_every_drug_acts_through_a_mechanism() -> None:
    from immunescape.model.registry import drugs

    alone = [d.name for d in drugs().values() if not acts_through(d)]
    assert alone == ["tetrahydrouridine"]  # it spares decitabine, and does nothing else
    assert ranks(get_drug("tetrahydrouridine")) == (False, "acts on no mechanism itself")


def test_recorded_labels_are_of_mechanisms_that_there_are() -> None:
    assert set(mechanism_labels()) <= set(mechanisms())
    if FILE.is_file():
        with FILE.open(encoding="utf-8") as stream:
            assert all(row[k] for row in csv.DictReader(stream) for k in ("date", "model", "numbers", "seeds"))


def test_most_mechanisms_can_be_switched_off() -> None:
    names = ablatable()
    assert len(names) >= 40
    assert {"body", "tumour_growth"}.isdisjoint(names)


def test_the_cost_is_said_before_anything_runs(stand_in, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from immunescape.cli.program import app

    trials = [load_trial("oak"), load_trial("checkmate-057")]
    assert simulated_patients(1, trials, 10, 3, 2) == 2 * 3 * 2 * 10 * 4
    result = CliRunner().invoke(
        app,
        ["ablate", "-m", "lipids", "--trials", "oak,checkmate-057", "-n", "10", "-o", str(tmp_path), "--json"],
    )
    assert result.exit_code == 0, result.output
    assert "480 virtual patients" in result.stderr
    assert "Mechanisms: 1, and the full model" in result.stderr
    assert json.loads(result.stdout)["mechanisms"][0]["mechanism"] == "lipids"
    assert "`lipids`" in (tmp_path / "ablation.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-m", "lipds"], "Did you mean 'lipids'"),
        (["-m", "pd1"], "Did you mean 'checkpoints_pd1'"),
        (["-m", "lipids+"], "'lipids+' lacks the name of a mechanism"),
        (["-m", "mdsc,+"], "'+' lacks the name of a mechanism"),
        (["-m", ""], "--mechanisms names nothing"),
        (["-m", " ,"], "--mechanisms names nothing"),
        (["--trials", ""], "--trials names nothing"),
        (["-m", "tumour_growth"], "'tumour_growth' is not a mechanism that can be switched off"),
        (["--trials", "keynote-010,oak"], "'keynote-010' is a validation trial"),
        (["--trials", "oak,nosuch"], "unknown trial 'nosuch'"),
        (["--trials", "oak"], "leaving one trial out needs more than one trial"),
        (["-o", "FILE"], "is a file, not a folder"),
    ],
)
def test_wrong_options_of_an_ablation_are_refused_before_anything_runs(
    stand_in: list[tuple[str, int]], tmp_path: Path, words: list[str], message: str
) -> None:
    from immunescape.cli.program import app

    (tmp_path / "file").write_text("")
    given = [str(tmp_path / "file") if word == "FILE" else word for word in words]
    given += [] if "-m" in given else ["-m", "lipids"]
    given += [] if "-o" in given else ["-o", str(tmp_path / "out")]
    result = CliRunner().invoke(app, ["ablate", *given, "-n", "8", "--seeds", "1"])
    assert result.exit_code != 0
    assert message in " ".join(str(result.exception or result.output).split())
    assert not stand_in
    assert not (tmp_path / "out").exists()


def test_a_mechanism_that_is_named_twice_is_taken_once() -> None:
    assert chosen_mechanisms(["lipids", "mdsc", "lipids"]) == ["lipids", "mdsc"]
    assert chosen_mechanisms(["lipids+lipids", "lipids"]) == ["lipids"]
    assert chosen_mechanisms(["mdsc+lipids", "lipids + mdsc", "mdsc"]) == ["mdsc+lipids", "mdsc"]
    assert chosen_mechanisms([]) == ablatable()


def test_the_list_of_mechanisms_shows_what_each_was_tested_by() -> None:
    from immunescape.cli.program import app

    def last_words(*options: str) -> dict[str, str]:
        result = CliRunner().invoke(app, ["mechanisms", *options])
        assert result.exit_code == 0
        return {line.split()[0]: line.split()[-1] for line in result.stdout.splitlines() if line.strip()}

    shown = last_words()
    assert shown["killing"] == "trials"
    assert shown["lipids"] == "claims"
    assert shown["helper_t"] == "nothing"
    assert shown["body"] == "–"  # never ablated
    assert short_label("lipids") in CliRunner().invoke(app, ["mechanisms", "--json"]).stdout


def test_show_and_the_list_say_what_a_mechanism_was_tested_by() -> None:
    from immunescape.api import drugs_table, mechanisms_table
    from immunescape.api.model import shown

    assert all(row["tested"] for row in mechanisms_table())
    tested = {row["name"]: row["tested"] for row in drugs_table()}
    assert (tested["pembrolizumab"], tested["epacadostat"], tested["bevacizumab"]) == ("trials", "data", "claims")
    assert tested["carboplatin"] == "claims"  # though the tumour cannot be switched off
    assert tested["tetrahydrouridine"] == "–"
    assert shown("lipids")["tested"] == label_text("lipids")
    assert shown("epacadostat")["tested"].startswith("acts")


def test_the_label_of_one_mechanism_of_a_drug_is_not_that_of_another(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    nothing = {"trials": difference([0.0, 0.1, -0.1])}
    recorded(path, Ablation("cd8", {"trials": difference([0.2, 0.3, 0.4])}, label="by trials"))
    recorded(path, Ablation("dna_damage", nothing, label="by claims only"))
    assert ranks(get_drug("olaparib"), path) == (
        True,
        "acts through mechanisms tested by claims only: Response to DNA damage; by trials: CD8 T cells",
    )
