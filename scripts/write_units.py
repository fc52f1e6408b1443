"""Write src/immunescape/model/units.csv anew: what pint makes of the units that the package's own tables use."""

from __future__ import annotations

import argparse

from immunescape.model import Model
from immunescape.model.registry import drugs
from immunescape.model.units import write_kept_units
from immunescape.population.plausibility import bounds


def used_units() -> set[str]:
    """Units of the model with every drug, as tables and declarations write them, and of the plausibility bounds."""
    model = Model.build(drugs=drugs())
    declared = {d.unit for m in (*model.mechanisms, *model.drugs) for d in (*m.states, *m.quantities, *m.pools)}
    assembled = {r.unit for kind in (model.parameters, model.states, model.quantities) for r in kind.values()}  # type: ignore[attr-defined]
    return declared | assembled | {b.unit for b in bounds()}


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    write_kept_units(used_units())
