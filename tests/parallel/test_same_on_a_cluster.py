"""Populations and claims give the same numbers here, in processes and on a cluster."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from immunescape.evaluation.claims import run_claims
from immunescape.knowledge.claim_records import load_claims
from immunescape.model.assembly import Model
from immunescape.population.population import Population

pytestmark = pytest.mark.slow


def test_a_population_and_claims_are_the_same_everywhere(tmp_path) -> None:
    distributed = pytest.importorskip("distributed")
    model = Model.build(check_units=False)
    here = Population.generate(model, 20, seed=4, block_size=16)
    processes = Population.generate(model, 20, seed=4, block_size=16, workers=2)
    claims = [c for c in load_claims() if c.kind != "context"][:3]
    local = run_claims(claims, patients=6, seed=2)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, local_directory=str(tmp_path)
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        there = Population.generate(model, 20, seed=4, block_size=16, cluster=client)
        remote = run_claims(claims, patients=6, seed=2, cluster=client)
    for other in (processes, there):
        pd.testing.assert_frame_equal(here.table, other.table, check_exact=True)
        assert dict(here.counts) == dict(other.counts)
    one, two = local.to_json(), remote.to_json()
    for content in (one, two):
        content.pop("seconds", None)
    np.testing.assert_equal(one, two)
