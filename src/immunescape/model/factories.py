"""Factories of drugs, for this package and for others: a record from a parameter table and a few facts.

Each takes the drug's name, what it acts on and how it is dosed, and expects the table ``<name>.csv`` with parameters of
the names that its docstring lists.
"""

from __future__ import annotations

from immunescape.model.drugs._antibody import IntegratedTissue, QuasiSteadyTissue, antibody
from immunescape.model.drugs._chemotherapy import chemotherapy
from immunescape.model.drugs._small_molecule import small_molecule

__all__ = ["IntegratedTissue", "QuasiSteadyTissue", "antibody", "chemotherapy", "small_molecule"]
