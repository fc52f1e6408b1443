"""Conserved amounts are found exactly, and integration keeps them to rounding."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.small import sbml

from immunescape.engine import Job
from immunescape.engine.ir.conserved import conserved_amounts
from immunescape.engine.ir.expressions import sym
from immunescape.engine.native.engine import NativeEngine


def test_binding_conserves_receptor_and_ligand():
    on, off = sym("kon") * sym("R") * sym("L"), sym("koff") * sym("C")
    laws = conserved_amounts(("R", "L", "C", "X"), (-on + off, -on + off, on - off, -sym("k") * sym("X")))
    assert len(laws) == 2
    totals = np.linalg.matrix_rank([[float(law.get(s, 0)) for s in ("R", "L", "C", "X")] for law in laws])
    assert totals == 2
    for law in laws:
        assert "X" not in law
        assert law.get("R", 0) + law.get("L", 0) == law.get("C", 0)  # of each law the reaction leaves nothing


@given(st.lists(st.lists(st.integers(-2, 2), min_size=3, max_size=3), min_size=2, max_size=5))
@settings(max_examples=50, deadline=None)
def test_the_number_of_laws_is_the_rank_that_is_missing(stoichiometry):
    matrix = np.array(stoichiometry, dtype=float)
    names = tuple(f"x{i}" for i in range(len(matrix)))
    fluxes = [sym(f"v{k}") * sym(f"k{k}") for k in range(3)]
    rates = tuple(sum((float(n) * f for n, f in zip(row, fluxes, strict=True)), start=0.0 * sym("a")) for row in matrix)
    laws = conserved_amounts(names, rates)
    constant = sum(not row.any() for row in matrix)  # a state without reactions is not a law
    assert len(laws) == len(matrix) - np.linalg.matrix_rank(matrix) - constant
    for law in laws:
        assert all(isinstance(v, Fraction) for v in law.values())
        for k in range(3):
            assert sum(v * stoichiometry[names.index(s)][k] for s, v in law.items()) == 0


def test_integration_keeps_them_to_rounding(tmp_path, monkeypatch):
    monkeypatch.setenv("IMMUNESCAPE_CACHE", str(tmp_path))
    text = sbml(
        {
            "R": (5.0, "koff * C - kon * R * L"),
            "L": (2.0, "koff * C - kon * R * L"),
            "C": (0.0, "kon * R * L - koff * C"),
        },
        {"kon": 1e6, "koff": 3.0},
    )
    model = NativeEngine().compile(text)
    assert model.layout.counts["conserved"] == 2
    result = model.run(Job(1, np.geomspace(1e-9, 10, 50), ("R", "L", "C"), rtol=1e-4, atol=1e-6))
    np.testing.assert_allclose(result["R"] + result["C"], 5.0, rtol=1e-12)
    np.testing.assert_allclose(result["L"] + result["C"], 2.0, rtol=1e-12)
