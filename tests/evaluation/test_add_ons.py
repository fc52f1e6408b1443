"""What each drug adds to a checkpoint inhibitor, patient by patient."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from immunescape.cli import app
from immunescape.errors import InputError
from immunescape.evaluation.harness.add_ons import AddOns, add_on_rows, add_ons
from immunescape.model.registry import drugs
from immunescape.trial.grammar import parse_regimen


@pytest.fixture(scope="module")
def measured() -> AddOns:
    return add_ons(["sotorasib", "sargramostim"], patients=24, seeds=(3,))


def test_every_add_on_is_a_registered_drug_in_a_regimen_that_gives_it() -> None:
    rows = add_on_rows()
    assert sum(row["kind"] == "immune" for row in rows) >= 36
    for row in rows:
        assert row["drug"] in drugs()
        assert parse_regimen(row["regimen"]).drugs == (row["drug"],)


def test_an_unknown_add_on_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="epacadostat"):
        add_on_rows(["epacadostot"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--trials", "oak"], "--trials"),
        (["--data", ".", "--page", "x.md"], "--data and --page"),
        (["--record", "x"], "--record"),
        (["--out", "FILE/x"], "is a file"),
    ],
)
def test_the_command_refuses_what_add_ons_do_not_use_before_anything_is_simulated(
    tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "file").write_text("")
    words = [a.replace("FILE", str(tmp_path / "file")) for a in arguments]
    result = CliRunner().invoke(app, ["harness", "--add-ons", "-n", "2", *words])
    assert isinstance(result.exception, InputError)
    assert message in result.exception.message


def test_an_inhibitor_of_kras_g12c_helps_only_the_patients_who_carry_it(measured: AddOns) -> None:
    row = next(r for r in measured.rows if r.drug == "sotorasib")
    assert row.helped_pct <= 35.0  # G12C is in about an eighth of tumours
    assert row.harmed_pct == 0.0


def test_a_growth_factor_of_suppressive_cells_harms(measured: AddOns) -> None:
    row = next(r for r in measured.rows if r.drug == "sargramostim")
    assert row.harmed_pct >= 5.0
    assert row.gain_points <= 0.0
    assert row.harmed_in is not None
    assert row.harmed_in.harmed == round(row.harmed_pct * row.patients / 100.0)
    assert next(r for r in measured.rows if r.drug == "sotorasib").harmed_in is None
    assert measured.by_patient is not None
    assert (measured.by_patient["drug:sargramostim"] > np.log(1.05)).sum() == row.harmed_in.harmed


def test_the_summary_counts_immune_drugs_alone(measured: AddOns) -> None:
    assert [r.drug for r in measured.immune()] == ["sargramostim"]
    assert measured.without_gain() == ["sargramostim"]
    assert measured.harming() == ["sargramostim"]
    assert "| sotorasib | targeted |" in measured.to_markdown()


def test_each_drug_stands_with_what_it_acts_through_and_what_tested_that(measured: AddOns) -> None:
    text = measured.to_markdown()
    assert "dendritic_cells [claims], mdsc [trials]" in text
    assert "In brackets: what a mechanism was tested by" in text
    assert measured.to_json()["drugs"][0]["through"]


def test_a_drug_that_acts_only_through_what_nothing_tests_stands_last(measured: AddOns) -> None:
    best = max(measured.rows, key=lambda r: r.helped_pct)
    rows = tuple(replace(r, ranked=r is not best) for r in measured.rows)
    text = replace(measured, rows=rows).to_markdown()
    assert text.index(f"| {best.drug} |") > max(text.index(f"| {r.drug} |") for r in rows if r.ranked)
    assert f"nothing tests what these act through: {best.drug}." in text
    assert "nothing tests what these act through" not in measured.to_markdown()


def test_results_do_not_depend_on_the_number_of_cores_and_progress_counts_all_seeds() -> None:
    told: list[tuple[int, int]] = []

    def tell(done: int, total: int) -> None:
        told.append((done, total))

    one, two = (add_ons(["sotorasib"], patients=6, seeds=(3, 4), workers=n, progress=tell) for n in (1, 2))
    assert one == two
    assert {total for _, total in told} == {2 * 2 * 6}
    assert told[: len(told) // 2] == sorted(told[: len(told) // 2])
    assert told[-1] == (24, 24)


def test_an_interrupted_run_does_not_claim_to_have_stored_anything(monkeypatch, tmp_path: Path) -> None:
    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("immunescape.evaluation.harness.add_ons.add_ons", interrupted)
    result = CliRunner().invoke(app, ["harness", "--add-ons", "-w", "1", "-o", str(tmp_path / "out")])
    assert result.exit_code == 130
    assert "Interrupted." in result.output
    assert "resumes" not in result.output


@pytest.fixture(scope="module")
def sparse() -> AddOns:
    return add_ons(["ceralasertib", "urelumab"], patients=30, seeds=(3,), specificity="sparse")


@pytest.mark.slow
def test_with_sparse_strengths_an_agonist_helps_a_part_of_patients_and_is_told_with_its_option(sparse: AddOns) -> None:
    row = next(r for r in sparse.rows if r.drug == "urelumab")
    assert 10.0 < row.helped_pct < 60.0  # 77 % of the same patients where every mechanism acts in all of them
    assert sparse.to_json()["specificity"] == "sparse"
    assert "`sparse`" in sparse.to_markdown()


@pytest.mark.slow
def test_inhibitors_of_repair_harm_some_patients_because_t_cells_divide_as_well(sparse: AddOns) -> None:
    row = next(r for r in sparse.rows if r.drug == "ceralasertib")
    assert row.harmed_pct >= 3.0
    assert row.helped_pct < 70.0
