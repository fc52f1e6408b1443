"""The model of twins over the first weeks of a regimen, every planned dose given: levels of its observables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from immunescape.twins.facts import Fact

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.twins.recorded_patient import CtdnaSample

__all__ = ["EarlyCourse", "early_course", "early_levels"]

FloatArray = NDArray[np.float64]
_SIZE = "V_scan_T"
_FLOOR = 0.05
"""Sum of diameters over its baseline below which no scan tells how small it is."""
_AHEAD = 2.0
"""Factor of the error of a size where the model on all planned doses stands for the course of a twin: lesions that
respond differently, new ones and doses not given part the two, by 0.5 in ln at week 12."""


@dataclass(frozen=True)
class EarlyCourse:
    """Scans and ctDNA on a first line, as facts about the model of a twin under every planned dose.

    Attributes
    ----------
    regimen : regimen text.
    facts : changes since the baseline, as ln; one of `places` each.
    places : (day, observable) of each fact.
    """

    regimen: str
    facts: tuple[Fact, ...]
    places: tuple[tuple[float, str], ...]

    @property
    def sizes(self) -> tuple[bool, ...]:
        """Whether each fact is of the size on a scan."""
        return tuple(name == _SIZE for _, name in self.places)

    @property
    def ahead(self) -> tuple[Fact, ...]:
        """The facts as twins are drawn by them before their courses are known: sizes with a wider error."""
        pairs = zip(self.facts, self.sizes, strict=True)
        return tuple(replace(f, spread=_AHEAD * f.spread) if size else f for f, size in pairs)

    def levels(self, table: pd.DataFrame, seed: int, *, engine: str = "auto") -> FloatArray:
        """Changes (n, k) of twins, on the scale of the facts; far out where a twin could not be simulated."""
        days = sorted({day for day, _ in self.places} | {0.0})
        names = tuple(dict.fromkeys(name for _, name in self.places))
        values = early_levels(table, seed, self.regimen, days, names, engine=engine)
        out = np.empty((len(table), len(self.places)))
        for k, (day, name) in enumerate(self.places):
            j = names.index(name)
            ratio = values[:, days.index(day), j] / values[:, 0, j]
            if name == _SIZE:  # all lesions as the whole: diameters go with the cube root
                ratio = np.maximum(np.cbrt(ratio), _FLOOR)
            out[:, k] = np.log(np.maximum(ratio, 1e-12))
        return np.nan_to_num(out, nan=50.0)


def early_course(
    regimen: str,
    baseline_mm: float,
    scans: Sequence[tuple[float, float]],
    ctdna: Sequence[CtdnaSample],
) -> EarlyCourse | None:
    """What scans and ctDNA on a first line say.

    Parameters
    ----------
    regimen
        Regimen text of the line.
    baseline_mm, scans
        Sum of diameters (mm) before it, and (day, sum) on it.
    ctdna
        Samples in order, days from the start of the line; the first that was detected is the baseline. Only changes
        count: how much a tumour sheds, and what an assay makes of it, differ more than tumours do. Where nothing was
        detected the level lies below the limit.

    Returns
    -------
    None where there is neither.
    """
    from immunescape.trial.coefficients import coefficients
    from immunescape.twins.likelihood import scan_error

    errors, spread = coefficients("twin_errors"), scan_error()
    facts, places = [], []
    for day, size in scans:
        if np.isfinite(size) and np.isfinite(baseline_mm) and baseline_mm > 0.0:
            change = float(np.log(max(size / baseline_mm, _FLOOR)))
            name, measured = f"scan on day {day:g}", f"{size:g} mm after {baseline_mm:g} mm"
            facts.append(
                Fact(name, "course", value=change, spread=spread, scale="sd", biomarker=name, measured=measured)
            )
            places.append((day, _SIZE))
    start = next((c for c in ctdna if not c.below), None)
    for sample in ctdna:
        if start is None or sample.day <= start.day:
            continue
        change = float(np.log(sample.level / start.level))
        name = f"ctDNA on day {sample.day:g}"
        measured = f"{'below ' if sample.below else ''}{sample.level:g} after {start.level:g}"
        facts.append(
            Fact(
                name,
                "course",
                value=change,
                spread=errors["ctdna_discrepancy"].value,
                scale="sd",
                below=sample.below,
                biomarker=name,
                measured=measured,
            )
        )
        places.append((max(sample.day, 0.0), "ctDNA_conc"))
    return EarlyCourse(regimen, tuple(facts), tuple(places)) if facts else None


def early_levels(
    table: pd.DataFrame,
    seed: int,
    regimen: str,
    days: Sequence[float],
    observables: Sequence[str],
    *,
    engine: str = "auto",
    rtol: float = 1e-6,
) -> FloatArray:
    """Levels of observables of twins from diagnosis on.

    Parameters
    ----------
    table, seed
        n twins at diagnosis, and the seed that they were drawn with.
    regimen
        Regimen text; ``none`` for no treatment.
    days
        (t,) increasing days from 0 on.
    observables
        (k,) names of quantities of the model.
    engine, rtol
        What integrates, and its relative tolerance.

    Returns
    -------
    (n, t, k) values in the declared units; NaN where the integration failed.
    """
    from immunescape.engine import get_engine
    from immunescape.engine.api import FAILED, Job
    from immunescape.population.covariates import COLUMNS
    from immunescape.population.reference_baseline import prepared_model
    from immunescape.trial.dosing import BodySize, administered, to_doses
    from immunescape.twins.courses import regimen_of, with_drug_parameters

    given = regimen_of(regimen)
    model = prepared_model(given.drugs)
    compiled = model.compiled(get_engine(engine))
    table = with_drug_parameters(table, model, seed)
    last = max(days)
    times = np.unique(np.asarray([0.0, *days, max(last, 1e-3)], dtype=float))
    places = [int(np.searchsorted(times, d)) for d in days]
    parameters = {
        str(c)[2:]: np.asarray(model.to_base(str(c)[2:], table[c].to_numpy(dtype=float)))
        for c in table.columns
        if str(c).startswith("p:") and str(c)[2:] in compiled.parameters
    }
    initial = {s: table[f"x:{s}"].to_numpy(dtype=float) for s in compiled.states if f"x:{s}" in table.columns}
    records = table[[c for c in COLUMNS if c in table.columns]].to_dict("records")
    rows = [{str(k): v for k, v in record.items()} for record in records]
    doses = [
        to_doses(administered(given, BodySize.of(row), until_days=last)) if given.drugs else to_doses([])
        for row in rows
    ]
    result = compiled.run(
        Job(
            n=len(table),
            times=times,
            outputs=tuple(observables),
            parameters=parameters,
            initial=initial,
            doses=doses,
            rtol=rtol,
            atol=model.atol(),
        )
    )
    values = result.values[:, places, :] * np.array([model.scale(name) for name in observables])
    values[np.asarray(result.status) == FAILED] = np.nan
    return np.asarray(values)
