"""Targets of the fit leave out the patients that nothing may be fitted to."""

from __future__ import annotations

import pytest

from immunescape.errors import InputError


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
