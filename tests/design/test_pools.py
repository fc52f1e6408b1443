"""Virtual populations as truths: what a table may not hold, and the error that its size leaves in the power."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from design_examples import survival_design

from immunescape.design.loading import read_design
from immunescape.design.simulation import simulate
from immunescape.design.truth import Endpoint, VirtualPool
from immunescape.errors import InputError


def table(per_arm: int = 600, seed: int = 1, ratio: float = 1.5) -> pd.DataFrame:
    """Exponential survival in two arms, medians 12 and 12 times `ratio`, with a PD-L1 score in whole percent."""
    rng = np.random.default_rng(seed)
    parts = []
    for arm, median in (("new", 12 * ratio), ("control", 12.0)):
        time = rng.exponential(median / np.log(2), per_arm)
        parts.append(
            pd.DataFrame(
                {
                    "arm": arm,
                    "os_months": np.minimum(time, 60),
                    "os_event": (time <= 60).astype(float),
                    "pdl1_tps": rng.integers(0, 101, per_arm).astype(float),
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def pool(frame: pd.DataFrame, **changes: Any) -> VirtualPool:
    return VirtualPool.from_table(frame, ["new", "control"], [Endpoint("os")], **changes)


def spoiled(column: str, value: Any, rows: int = 500) -> pd.DataFrame:
    frame = table()
    frame.loc[frame.index[:rows], column] = value
    return frame


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (spoiled("os_months", np.nan), "'os_months' is missing or not finite for 500 virtual patients of arm 'new'"),
        (spoiled("os_months", np.inf, 3), "not finite for 3"),
        (spoiled("os_months", -1.0, 2), "'os_months' is negative for 2"),
        (spoiled("os_months", 730.0, 7), "'os_months' is beyond 600 months .days.. for 7"),
        (spoiled("os_event", np.nan, 4), "'os_event' is missing"),
        (spoiled("os_event", 2.0, 4), "'os_event' is neither 0 nor 1 for 4"),
        (spoiled("os_event", 0.0, 600), "no os event in arm 'new'"),
        (table().astype({"os_months": str}).assign(os_months="long"), "does not contain numbers"),
        (table().drop(columns="os_event"), "no column 'os_event'"),
        (table().drop(columns="arm"), "no column 'arm'"),
    ],
)
def test_tables_with_holes_are_refused(frame: pd.DataFrame, words: str) -> None:
    with pytest.raises(InputError, match=words):
        pool(frame)


@pytest.mark.parametrize(
    ("strata", "words"),
    [
        ({"low": ("pdl1_tps", 0, 49), "high": ("pdl1_tps", 70, 100)}, "lie in no stratum"),
        ({"low": ("pdl1_tps", 0, 80), "high": ("pdl1_tps", 70, 100)}, "lie in more than one stratum"),
        ({"low": ("tps", 0, 49), "high": ("tps", 50, 100)}, "no covariate 'tps'"),
        ({"low": ("pdl1_tps", 0, 99), "high": ("pdl1_tps", 100, 100)}, "only"),
    ],
)
def test_strata_divide_the_patients(strata: dict[str, tuple[str, float, float]], words: str) -> None:
    with pytest.raises(InputError, match=words):
        pool(table(), strata=strata)
    assert sum(pool(table(), strata={"low": ("pdl1_tps", 0, 49), "high": ("pdl1_tps", 50, 100)}).shares) == 1.0


def test_patients_that_are_in_a_table_twice_are_refused() -> None:
    frame = table()
    with pytest.raises(InputError, match=r"virtual patients of arm 'new' are in the table twice"):
        pool(pd.concat([frame, frame], ignore_index=True))


def with_copies(frame: pd.DataFrame, row: int, times: int) -> pd.DataFrame:
    return pd.concat([frame, *[frame.iloc[[row]]] * times], ignore_index=True)


@pytest.mark.parametrize("per_arm", [25, 600, 2000])
def test_one_patient_fifty_times_is_refused(per_arm: int) -> None:
    """With no identifier, whatever the size of the table."""
    frame = table(per_arm).drop(columns="pdl1_tps")
    event = int(np.argmax(frame["os_event"].to_numpy()))
    with pytest.raises(InputError, match="are in the table twice"):
        pool(with_copies(frame, event, 50))


def test_one_patient_fifty_times_is_refused_among_rounded_times() -> None:
    frame = table().drop(columns="pdl1_tps")
    frame["os_months"] = frame["os_months"].round(1)
    with pytest.raises(InputError, match="are in the table twice"):
        pool(with_copies(frame, int(np.argmax(frame["os_event"].to_numpy())), 50))


def test_fifty_copies_without_an_event_are_told_by_a_covariate() -> None:
    frame = table().assign(score=np.random.default_rng(3).normal(size=1200))
    censored = int(np.argmin(frame["os_event"].to_numpy()))
    with pytest.raises(InputError, match="50 virtual patients of arm"):
        pool(with_copies(frame, censored, 50))
    assert pool(frame).size("new") == 600


def test_identifiers_settle_who_is_a_copy() -> None:
    frame = table().assign(patient_id=np.tile(np.arange(600), 2))
    assert pool(frame).size("new") == 600
    with pytest.raises(InputError, match="3 virtual patients of arm 'new'"):
        pool(pd.concat([frame, frame.head(3)], ignore_index=True))


@pytest.mark.parametrize("step", [0.1, 0.5, 1.0, 12 / 365.25])
def test_rounded_times_are_no_copies(step: float) -> None:
    frame = table(1500).drop(columns="pdl1_tps")
    assert pool(frame.assign(os_months=(frame["os_months"] / step).round(0) * step)).size("new") == 1500


def test_interval_of_the_power_holds_the_error_of_the_pool() -> None:
    """Power over many pools of 600 from one truth spreads as the bootstrap of a single one says."""
    design = survival_design(pool(table()), (100, 150), patients=200)
    found = simulate(design, 500, seed=1, scenarios=["alternative"])
    error = float(found.pool_errors["alternative"][0])
    others = []
    for seed in range(2, 26):
        other = dataclasses.replace(design, truths={"alternative": pool(table(seed=seed))})
        block = other.rule.run(other, other.truths["alternative"], _streams(), found.plan)
        others.append(float(block.rejected[:, 0].mean()))
    spread = float(np.std(others, ddof=1))
    assert 0.55 * spread < error < 1.8 * spread
    assert error > 0.05
    power = found.reject("alternative", "OS")
    assert power.error > error
    assert power.high - power.low > 3 * error
    assert any("is small for this effect" in w for w in found.warnings)
    assert found.to_json()["notes"]["pool"]["alternative"]["power_error"]["OS"] == pytest.approx(error, abs=1e-6)


def _streams() -> Any:
    from immunescape.design.cohort import Streams

    return Streams(1, 0, 250)


def test_large_pools_are_not_warned_of() -> None:
    design = survival_design(pool(table(12_000, ratio=2.5)), (100, 200), patients=300)
    found = simulate(design, 250, seed=1, scenarios=["alternative"])
    assert not any("is small for this effect" in w for w in found.warnings)
    assert float(found.pool_errors["alternative"][0]) < 0.02


def test_a_file_that_names_a_spoiled_table_says_where(tmp_path: Path) -> None:
    spoiled("os_months", np.nan).to_parquet(tmp_path / "patients.parquet")
    content = {
        "name": "virtual",
        "title": "Virtual",
        "kind": "group-sequential",
        "patients": 200,
        "arms": [{"name": "new", "role": "experimental"}, {"name": "control", "role": "control"}],
        "endpoints": {"os": {"kind": "survival"}},
        "accrual": {"rates": [20]},
        "looks": [{"events": 120, "endpoint": "os"}],
        "hypotheses": [{"name": "OS", "endpoint": "os"}],
        "boundaries": {"family": "fixed"},
        "scenarios": [
            {"name": "virtual", "pool": {"trial": "keynote-024", "patients": 600, "table": "patients.parquet"}}
        ],
    }
    file = tmp_path / "virtual.yaml"
    with pytest.raises(InputError, match=r"virtual\.yaml, line \d+, scenarios.*is missing or not finite for 500"):
        read_design(str(file), yaml.safe_dump(content))


@pytest.mark.parametrize("there", [100, 5000])
def test_a_table_of_another_size_than_the_file_says_is_refused(tmp_path: Path, there: int) -> None:
    table(there).to_parquet(tmp_path / "patients.parquet")
    content = {
        "name": "virtual",
        "title": "Virtual",
        "kind": "group-sequential",
        "patients": 200,
        "arms": [{"name": "new", "role": "experimental"}, {"name": "control", "role": "control"}],
        "endpoints": {"os": {"kind": "survival"}},
        "accrual": {"rates": [20]},
        "looks": [{"events": 120, "endpoint": "os"}],
        "hypotheses": [{"name": "OS", "endpoint": "os"}],
        "scenarios": [
            {"name": "virtual", "pool": {"trial": "keynote-024", "patients": 600, "table": "patients.parquet"}}
        ],
    }
    with pytest.raises(InputError, match=f"the table has {there} virtual patients in arm 'new'"):
        read_design(str(tmp_path / "virtual.yaml"), yaml.safe_dump(content))
