"""What the tests of the mechanisms share: the reference patient at diagnosis, and constant exposures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunescape.model import Contribution, Mechanism, Model, registry

EXPOSURES = {
    "exposure_pd1": "dimensionless",
    "exposure_pdl1": "dimensionless",
    "exposure_ctla4": "dimensionless",
    "exposure_adcc": "1/day",
    "exposure_chemo": "1/day",
    "exposure_lympho": "1/day",
    "exposure_sting": "dimensionless",
    "exposure_mimicry": "dimensionless",
    "exposure_derepression": "dimensionless",
}
MILIEU = (
    *("vegf_blockade", "ido1_inhibitor", "tdo_inhibitor", "cd39_inhibitor", "cd73_inhibitor", "a2a_antagonist"),
    *("cox2_inhibitor", "arginase_inhibitor", "tgfb_receptor_inhibitor", "net_inhibitor", "gut_antibiotic"),
    *("lung_antibiotic", "commensal_supply", "akkermansia_supply"),
)
"""Pools of the tumour's milieu and the flora; the constant that feeds one is named ``exposure_<pool>``."""
EXPOSURES |= {f"exposure_{pool}": "dimensionless" for pool in MILIEU}


def exposure_mechanism() -> Mechanism:
    """Return a mechanism that feeds every drug pool from a constant parameter (0 by default)."""
    table = Path(mkdtemp()) / "exposure.csv"
    rows = [f"{name},0,{unit},,,,,assumed,assumed,held constant in tests" for name, unit in EXPOSURES.items()]
    table.write_text("\n".join(["name,value,unit,distribution,spread,lower,upper,source,grade,note", *rows]) + "\n")
    antibodies = [(f"{t}_antibody_{c}", f"exposure_{t}") for t in ("pd1", "pdl1", "ctla4") for c in ("T", "LN")]
    others = [
        ("treg_adcc", "exposure_adcc"),
        ("chemo_kill", "exposure_chemo"),
        ("lymphodepletion", "exposure_lympho"),
        ("sting_agonist_T", "exposure_sting"),
        ("viral_mimicry_T", "exposure_mimicry"),
    ]
    others += [(pool, f"exposure_{pool}") for pool in MILIEU]
    others += [("epigenetic_derepression_T", "exposure_derepression")]
    return Mechanism(
        name="exposure",
        title="Constant exposure",
        summary="Feeds every pool that drugs feed with a constant.",
        references=(),
        parameters=table,
        contributions=tuple(Contribution(pool, name) for pool, name in (*antibodies, *others)),
    )


@dataclass(frozen=True)
class Bench:
    """The full model with constant exposures, compiled, and the untreated reference patient at diagnosis."""

    model: Model
    compiled: Any
    start: Mapping[str, float]
    days: float

    def run(
        self,
        times: Any,
        outputs: tuple[str, ...],
        parameters: Mapping[str, Any] | None = None,
        *,
        n: int = 1,
        initial: Mapping[str, Any] | None = None,
        rtol: float = 1e-6,
    ) -> Any:
        """Integrate from diagnosis, `parameters` in base units."""
        from immunescape.engine.api import Job

        result = self.compiled.run(
            Job(
                n=n,
                times=np.asarray(times, dtype=float),
                outputs=outputs,
                parameters=parameters or {},
                initial={**self.start, **(initial or {})},
                rtol=rtol,
                atol=self.model.atol(),
            )
        )
        assert result.failed == 0, dict(result.messages)
        return result

    def value(self, name: str, at: float = 0.0, parameters: Mapping[str, Any] | None = None) -> float:
        """Return one output of the reference patient, `at` days after diagnosis, in base units."""
        return float(self.run([0.0, max(at, 1e-6)], (name,), parameters)[name][0, 1 if at else 0])

    def observed(self, name: str) -> float:
        """Return an observable at diagnosis in its declared unit."""
        return self.value(name) / self.model.quantities[name].factor


@lru_cache(maxsize=1)
def bench() -> Bench:
    """Build it once for all tests."""
    from immunescape.engine import get_engine
    from immunescape.population.reference_baseline import reference_baseline

    # mechanisms as tabulated, each by itself: what capacities in series make of them is tested in test_specificity.py
    baseline = reference_baseline(Model.build(specificity="none"), engine="auto")
    model = Model.build([*registry.mechanisms(), exposure_mechanism()], specificity="none")
    compiled = get_engine("auto").compile(model.to_sbml())
    return Bench(model, compiled, baseline.states, baseline.days)


Vector = NDArray[np.float64]
