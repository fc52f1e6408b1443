"""The same call on a local dask cluster of two workers, one of which is killed on the way."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from design_examples import survival_design

from immunescape.design.execution import run_blocks
from immunescape.design.simulation import simulate


def _slow_block(seconds: float, k: int) -> dict[str, np.ndarray]:
    time.sleep(seconds)
    return {"value": np.array([float(k)])}


@pytest.mark.slow
def test_dask_cluster_gives_the_same_and_loses_nothing(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    design = survival_design(events=(60, 120), patients=200)
    here = simulate(design, 1000, seed=3, scenarios=["alternative"])
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, local_directory=str(tmp_path)
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        there = simulate(design, 1000, seed=3, scenarios=["alternative"], cluster=client)
        for name, values in here.outcomes["alternative"].arrays().items():
            np.testing.assert_array_equal(values, there.outcomes["alternative"].arrays()[name])
        before = set(client.scheduler_info()["workers"])
        killed: list[Any] = []

        def kill_one(done: int, total: int) -> None:
            if done >= 2 and not killed:
                worker = next(iter(cluster.workers.values()))
                killed.append(worker.process.pid)
                worker.process.process._process.kill()

        jobs = [(str(k), (0.3, k)) for k in range(14)]
        found = run_blocks(_slow_block, jobs, cluster=client, progress=kill_one)
        assert [float(f["value"][0]) for f in found] == [float(k) for k in range(14)]
        assert len(killed) == 1
        assert len(before) == 2
