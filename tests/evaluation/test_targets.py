"""Targets of the fit leave out the patients that nothing may be fitted to."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files

import pytest

from immunescape.errors import InputError
from immunescape.evaluation.target_sets import all_targets
from immunescape.trial.loading import load_trial


def test_a_fit_leaves_out_the_held_out_patients(tmp_path) -> None:
    """Three of ten patients count for nothing, by a rule on their identifiers that any program can repeat."""
    from immunescape.evaluation.targets import response_by_pdl1
    from immunescape.knowledge.held_out import is_held_out

    rows = [f"{k},60,{int(is_held_out('loris_shim', k))}" for k in range(1, 201)]
    (tmp_path / "shim_nsclc.csv").write_text("SAMPLE_ID,PDL1_TPS(%),Response\n" + "\n".join(rows) + "\n")
    everyone, training = response_by_pdl1(tmp_path), response_by_pdl1(tmp_path, "training")
    responders, n = everyone["TPS>=50"]
    assert n == 200
    assert training["TPS>=50"] == (0, n - responders)


def test_a_fit_to_a_table_without_identifiers_is_refused(tmp_path) -> None:
    from immunescape.evaluation.targets import response_by_pdl1

    (tmp_path / "shim_nsclc.csv").write_text("PDL1_TPS(%),Response\n60,1\n")
    with pytest.raises(InputError, match="SAMPLE_ID"):
        response_by_pdl1(tmp_path, "training")


def test_a_protocol_without_published_results_takes_part_beside_the_data_of_a_cohort(tmp_path) -> None:
    protocol = load_trial(str(files("immunescape") / "evaluation/harness/protocols/all-comers-pembrolizumab.yaml"))
    (tmp_path / "loris").mkdir()
    lines = ["SAMPLE_ID,PDL1_TPS(%),TMB,HLA_LOH,NLR,Albumin,Response"]
    for k in range(400):
        lines.append(f"{k},{k % 100},{k % 13},{k % 2},{k % 8},{3 + k % 2},{int(k % 3 == 0 or (k % 2 and k % 5 == 0))}")
    (tmp_path / "loris" / "shim_nsclc.csv").write_text("\n".join(lines), encoding="utf-8")
    targets = all_targets([protocol], tmp_path)
    assert any("odds ratio TPS>=50" in t.name for t in targets)
    assert {arm for t in targets for arm in t.arms} >= {("all-comers-pembrolizumab", "pembrolizumab")}
    with pytest.raises(InputError, match="no published results"):
        all_targets([protocol], None)  # nothing to stand beside
    with pytest.raises(InputError, match="no published results"):
        all_targets([replace(protocol, name="another")], tmp_path)
