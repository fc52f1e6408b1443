"""A profiled study as tables, AnnData and MuData."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from immunescape.errors import ImmunescapeError
from immunescape.profile.biomarkers.registry import biomarkers, values_frame

if TYPE_CHECKING:
    from immunescape.profile.assemble import Assembled

__all__ = ["long_table", "to_anndata", "to_mudata", "to_polars"]


def long_table(done: Assembled) -> pd.DataFrame:
    """One row for each patient and biomarker: what ``biomarkers.parquet`` holds."""
    columns = "unit status low high coverage percentile reference day sample method note".split()
    rows: dict[str, list[Any]] = {c: [] for c in ("patient", "biomarker", "value", "word", *columns, "source")}
    for name, of_patients in done.measured.items():
        for patient, m in of_patients.items():
            number = isinstance(m.value, (int, float, np.number)) and not isinstance(m.value, (bool, np.bool_))
            rows["patient"].append(patient)
            rows["biomarker"].append(name)
            rows["value"].append(float(m.value) if number else np.nan)  # type: ignore[arg-type]
            rows["word"].append(
                None
                if number or m.value is None
                else str(m.value).lower()
                if m.value in (True, False)
                else str(m.value)
            )
            for column in columns:
                rows[column].append(getattr(m, column))
            rows["source"].append("; ".join(m.source))
    frame = pd.DataFrame(rows)
    for column in ("low", "high", "coverage", "percentile", "day"):
        frame[column] = frame[column].astype(float)
    return frame


def _need(module: str, extra: str) -> Any:
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError:
        raise ImmunescapeError(
            f"this export needs the package '{module}'", hint=f"pip install 'immunescape[{extra}]'"
        ) from None


def to_polars(done: Assembled) -> dict[str, Any]:
    """Biomarkers (long) and calls (wide) as polars data frames; needs the extra ``polars``."""
    polars = _need("polars", "polars")
    return {
        "biomarkers": polars.from_pandas(long_table(done)),
        "calls": polars.from_pandas(done.calls.states.reset_index()),
    }


def to_anndata(done: Assembled) -> Any:
    """AnnData, patients x numeric biomarkers (NaN: not assessable); words, states, outcomes as categories in ``obs``.

    Needs the extra ``anndata``.
    """
    anndata = _need("anndata", "anndata")
    values = values_frame(done.measured)
    numeric = values.select_dtypes("number")
    categories = values.drop(columns=numeric.columns)
    patients = done.study.patients.set_index("patient").reindex(values.index)
    states = done.calls.states.add_prefix("call_")
    obs = pd.concat([patients, categories, states], axis=1)
    obs = obs.loc[:, ~obs.columns.duplicated()].dropna(axis=1, how="all")
    for name in obs.select_dtypes("object").columns:  # categories: files of AnnData know no other missing text
        obs[name] = pd.Categorical([None if v is None or v != v else str(v) for v in obs[name]])
    table = anndata.AnnData(numeric.to_numpy(dtype=float), obs=obs)
    records = biomarkers()
    table.var_names = list(numeric.columns)
    table.var["unit"] = [records[n].unit if n in records else "" for n in numeric.columns]
    table.var["family"] = [records[n].family if n in records else "" for n in numeric.columns]
    table.uns["rules_version"] = done.calls.rules.version
    return table


def to_mudata(done: Assembled) -> Any:
    """MuData with the modalities ``biomarkers``, ``calls`` (1 present, 0 absent, NaN else) and ``expression``.

    Needs the extra ``mudata``.
    """
    mudata, anndata = _need("mudata", "mudata"), _need("anndata", "mudata")
    states = done.calls.states
    code = states.apply(lambda c: c.map({"present": 1.0, "absent": 0.0})).to_numpy(dtype=float)
    calls = anndata.AnnData(code, obs=pd.DataFrame(index=states.index))
    calls.var_names = list(states.columns)
    modalities = {"biomarkers": to_anndata(done), "calls": calls}
    expression = done.study.expression
    if len(expression.columns):
        owner = done.study.samples.set_index("sample")["patient"].to_dict()
        chosen = {owner.get(s, s): s for s in reversed(list(expression.columns)) if owner.get(s, s) in states.index}
        table = anndata.AnnData(expression[list(chosen.values())].T.to_numpy(dtype=float))
        table.obs_names, table.var_names = list(chosen), [str(g) for g in expression.index]
        table.uns["unit"] = done.study.expression_unit
        modalities["expression"] = table
    return mudata.MuData(modalities)
