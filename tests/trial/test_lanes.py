"""Lesions as simulated tumours: alike within a patient, distributed as before, at rest at diagnosis."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ks_2samp, spearmanr

from immunescape.population.covariates import sample_covariates
from immunescape.population.linking import patient_parameters
from immunescape.trial.blocks import BlockTask, _Worker
from immunescape.trial.lanes import CELL_MULTIPLE, GROWTH, _multiples, correlations
from immunescape.trial.lesions import Lesions
from immunescape.trial.loading import load_trial


@pytest.fixture(scope="module")
def worker():
    trial = replace(load_trial("keynote-024"), lesions="several", follow_up_months=3.0)
    return _Worker(BlockTask(trial=trial, seed=3, engine="auto", rtol=1e-4, candidates=96))


@pytest.fixture(scope="module")
def patients(worker):
    return worker.simulator._at_diagnosis(worker.maker(0, 0).block(0).table, 0)


def test_every_lesion_has_a_lane_that_counts_its_own_cells(patients):
    for p in patients:
        assert len(p.lanes) == p.course.lesions.lanes
        whole = p.course.lesions.volume_ml[p.course.lesions.at_diagnosis].sum()
        for j, lane in enumerate(p.lanes):
            share = p.course.lesions.volume_ml[p.course.lesions.lane == j].sum() / whole
            assert lane.parameters[CELL_MULTIPLE] == pytest.approx(max(1.0 / share, 1.0))


def test_a_lane_has_the_cells_of_the_lesions_that_share_it():
    lesions = Lesions(np.array([30.0, 3.0, 6.0]), np.array([0, 1, 1]), np.ones(3), np.array([0.0, 8.0, 8.0]))
    assert _multiples(lesions) == pytest.approx([1.0, 30.0**3 / (3.0**3 + 6.0**3)])


def test_lesions_differ_in_what_is_their_own_and_share_the_rest(worker, patients):
    own = set(correlations(worker.model, worker.simulator.models.lesions)) | {CELL_MULTIPLE}
    pairs = [(p.lanes[0], lane) for p in patients for lane in p.lanes[1:]]
    assert len(pairs) > 15
    for first, other in pairs:
        assert {n for n in first.parameters if first.parameters[n] != other.parameters[n]} <= own
    assert (
        np.mean([a.parameters["k_growth"] != b.parameters["k_growth"] for a, b in pairs]) > 0.85
    )  # few take the patient's


def test_lesions_are_distributed_as_patients_are_and_correlate(worker):
    maker, model = worker.simulator._lanes, worker.model
    names = ["cd8_infiltration", "k_kill"]
    table = sample_covariates(0, 1600, 3)
    own = patient_parameters({n: model.parameters[n] for n in names}, table, 3)
    table = table.assign(**{f"p:{n}": own[n] for n in names})
    place = [(i, j) for i in range(len(table)) for j in (1, 2)]
    values = maker._values(table, place, maker._scores(table, names), names, 1, 0)
    for name in names:
        rho = maker.correlation[name]
        first = np.asarray(model.to_base(name, table[f"p:{name}"].to_numpy()))
        one, two = values[name][0::2], values[name][1::2]
        found = [spearmanr(np.log(a), np.log(b))[0] for a, b in ((one, two), (first, one))]
        # covariates, which lesions share, add to the correlation of what they leave
        assert found[0] == pytest.approx(found[1], abs=0.1)
        assert rho - 0.1 < min(found)
        assert max(found) < rho + 0.25
        assert ks_2samp(one, two).statistic < 0.1
        assert ks_2samp(first, one).statistic < 0.1


def test_nothing_jumps_at_diagnosis(worker, patients):
    # Untreated, a lesion goes on as it grew: its rate of growth in the first week is that of the second month.
    lanes = [p.lanes for p in patients]
    pieces = worker.simulator._jobs.run(lanes, np.arange(0.0, 64.0, 7.0), [[] for _ in lanes])
    change = []
    for piece in pieces:
        rate = np.diff(np.log(piece.living_ml), axis=1) / 7.0
        change += list(np.abs(rate[:, 0] - rate[:, -1]))
    fast = np.median([np.abs(np.diff(np.log(x.living_ml), axis=1)).mean() / 7.0 for x in pieces])
    assert np.median(change) < 0.1 * fast
    # clones are drawn at diagnosis, as in the population; where one makes up much of a lesion its growth changes
    assert np.quantile(change, 0.9) < 0.5 * fast


def test_micrometastases_divide_faster_than_large_tumours(worker, patients):
    maker = worker.simulator._lanes
    for p in patients:
        lesions = p.course.lesions
        haste = maker._haste(lesions)
        small = np.unique(lesions.lane[~lesions.at_diagnosis])
        assert (haste[small] > 1.2).all()
        assert (np.delete(haste, small) == 1.0).all()
    assert GROWTH == ("k_growth",)


def test_a_patient_does_not_depend_on_who_is_in_the_block(worker):
    table = worker.maker(0, 0).block(0).table
    whole = {r["id"]: r for r in worker.simulator.run(table, [0], 0)[0].patients}
    part = {r["id"]: r for r in worker.simulator.run(table.iloc[3:5], [0], 0)[0].patients}
    assert part
    for number, row in part.items():
        for name in ("best_change_pct", "progression_day", "death_day", "target_lesions", "volume_ml_baseline"):
            assert row[name] == whole[number][name], (number, name)


def test_a_failed_lesion_is_a_failed_patient(worker):
    table = worker.maker(0, 0).block(0).table.iloc[:6]
    patients = worker.simulator._at_diagnosis(table, 0)
    chosen = next(p for p in patients if len(p.lanes) > 1)
    chosen.lanes[1].state[:] = np.nan
    arm = worker.task.trial.arms[0]
    worker.simulator._randomise(patients, arm, table)
    worker.simulator._integrate(patients, arm)
    assert chosen.failure
    assert sum(bool(p.failure) for p in patients) == 1


def test_parameters_that_were_set_from_outside_hold_for_all_lesions(worker):
    table = worker.maker(0, 0).block(0).table.iloc[:6].copy()
    value = float(worker.model.parameters["k_growth"].value)
    table["p:k_growth"] = value
    simulator = worker.simulator
    simulator.shared, simulator.absent = frozenset({"k_growth"}), ("b2m_null",)
    try:
        patients = simulator._at_diagnosis(table, 0)
    finally:
        simulator.shared, simulator.absent = frozenset(), ()
    base = float(worker.model.to_base("k_growth", value))
    at = simulator.compiled.states.index("C_b2m_null")
    for p in patients:
        assert [lane.parameters["k_growth"] for lane in p.lanes] == pytest.approx([base] * len(p.lanes))
        # a lesion that no draw let grow has the patient's own state
        assert all(lane.state[at] == 0.0 for lane in p.lanes[1:] if lane.draw >= 0)
