"""Clones that escape: what CD8 and NK cells see of them, which drugs bring back, how they emerge and are selected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from mechanism_bench import Bench, bench
from scipy.stats import kstest

from immunescape.model.mechanisms._emergence import next_draw

CLONES = (
    "sensitive",
    "resistant",
    "antigen_low",
    "antigen_silenced",
    "mhc1_silenced",
    "hla_loh",
    "b2m_null",
    "jak_null",
)
EMERGING = CLONES[2:]
BLOCKED = {"exposure_pd1": 500.0}


@pytest.fixture(scope="module")
def reference() -> Bench:
    return bench()


def shares(reference: Bench, **share: float) -> dict[str, float]:
    """Return the cells at diagnosis with these shares, the sensitive clone with the rest."""
    total = sum(reference.start[f"C_{c}"] for c in CLONES)
    cells = {f"C_{c}": total * share.get(c, 0.0) for c in CLONES[1:]}
    return {**cells, "C_sensitive": total - sum(cells.values())}


def at(reference: Bench, name: str, day: float, start: Mapping[str, float], parameters: Mapping[str, float]) -> float:
    return float(reference.run([0.0, day], (name,), dict(parameters), initial=dict(start))[name][0, 1])


def test_order_of_recognition(reference: Bench) -> None:
    """All of it in sensitive cells, part after one haplotype or JAK, little when silenced, none without B2M."""
    seen = {c: reference.value(f"recognition_{c}") for c in CLONES}
    assert seen["sensitive"] == pytest.approx(1, abs=0.01)
    assert seen["resistant"] == pytest.approx(1, abs=0.01)
    assert 0.2 < seen["hla_loh"] < 0.7
    assert 0.2 < seen["jak_null"] < 0.7
    assert seen["mhc1_silenced"] < 0.15
    assert seen["antigen_low"] == pytest.approx(0.15, abs=0.01)
    assert seen["b2m_null"] == 0
    missing = {c: reference.value(f"missing_self_{c}") for c in CLONES}
    assert missing["b2m_null"] > missing["mhc1_silenced"] > missing["hla_loh"] > 1
    assert missing["antigen_low"] == pytest.approx(1, abs=0.02)


def test_one_haplotype_is_partial_both_are_absence(reference: Bench) -> None:
    one, both = {"hla_allele_2": 0.0}, {"hla_allele_1": 0.0, "hla_allele_2": 0.0}
    assert reference.value("mhc1_level_sensitive", 0, one) == pytest.approx(
        0.5 * reference.value("mhc1_level_sensitive"), rel=1e-9
    )
    assert reference.value("recognition_sensitive", 0, both) == 0
    assert reference.value("MHC2_T", 0, both) == pytest.approx(reference.value("MHC2_T"), rel=1e-9)


@pytest.mark.parametrize(
    "parameters",
    [
        {"tap_activity": 0.1},
        {"tapasin_activity": 0.1},
        {"erap_activity": 0.1},
        {"mir125a": 10.0},
        {"linka": 10.0},
        {"k_mal2": 10.0},
        {"k_erad": 10.0},
        {"k_autophagy": 10.0},
        {"nlrc5_activity": 0.0},
    ],
)
def test_what_lowers_mhc1_spares_mhc2(reference: Bench, parameters: dict[str, float]) -> None:
    assert reference.value("MHC1_T", 0, parameters) < 0.7 * reference.value("MHC1_T")
    assert reference.value("MHC2_T", 0, parameters) == pytest.approx(reference.value("MHC2_T"), rel=1e-9)
    assert reference.value("V_T", 120, {**parameters, **BLOCKED}) > 1.05 * reference.value("V_T", 120, BLOCKED)


def test_steps_in_series_limit(reference: Bench) -> None:
    """With hardly any TAP, more tapasin helps little; with TAP, it helps."""

    def mhc1(**p: float) -> float:
        return reference.value("MHC1_T", 0, p)

    assert mhc1(tap_activity=0.01, tapasin_activity=10.0) < 1.02 * mhc1(tap_activity=0.01)
    assert mhc1(tapasin_activity=10.0) > 1.1 * mhc1()


def test_dux4_and_jak_block_interferon_not_nfkb(reference: Bench) -> None:
    """DUX4 lowers MHC-I, MHC-II and PD-L1; a clone without JAK answers NF-kappaB (through STING) all the same."""
    for name in ("MHC1_T", "MHC2_T", "PDL1_T"):
        assert reference.value(name, 0, {"dux4_expression": 1.0}) < 0.9 * reference.value(name), name
    jak = shares(reference, jak_null=0.99)
    for name in ("MHC1_T", "MHC2_T", "PDL1_T"):
        assert at(reference, name, 1e-6, jak, {}) < 0.5 * reference.value(name), name
    less = {"k_IFNg_sec": 0.0, "k_IFNg_NK": 0.0}
    flat = at(reference, "mhc1_level_jak_null", 5, jak, less) / at(reference, "mhc1_level_jak_null", 5, jak, {})
    assert flat == pytest.approx(1, abs=0.02)
    assert reference.value("mhc1_level_sensitive", 5, less) < 0.9 * reference.value("mhc1_level_sensitive", 5)
    sting = {"dna_instability": 20 * reference.model.parameters["dna_instability"].base}
    raised = at(reference, "mhc1_level_jak_null", 1e-6, jak, sting)
    assert raised > 1.02 * at(reference, "mhc1_level_jak_null", 1e-6, jak, {})


@pytest.mark.parametrize("clone", EMERGING)
def test_blockade_selects_what_t_cells_do_not_see(reference: Bench, clone: str) -> None:
    start = shares(reference, **{clone: 0.02})

    def share(day: float) -> float:
        out = reference.run([0.0, day], (f"C_{clone}", "C_total"), dict(BLOCKED), initial=start)
        return float(out[f"C_{clone}"][0, 1] / out["C_total"][0, 1])

    assert 0.02 < share(60) < share(150)
    pure = shares(reference)
    assert at(reference, "V_T", 500, start, BLOCKED) > at(reference, "V_T", 500, pure, BLOCKED)


def test_derepression_rescues_silencing_not_loss_of_b2m(reference: Bench) -> None:
    """Drugs that undo silencing bring back MHC-I and silenced antigens, nothing that is deleted."""
    on = {"exposure_derepression": 5.0}
    for clone, rescued in (
        ("mhc1_silenced", True),
        ("antigen_silenced", True),
        ("antigen_low", False),
        ("b2m_null", False),
        ("hla_loh", False),
    ):
        start = shares(reference, **{clone: 0.3})
        ratio = at(reference, "V_T", 120, start, {**BLOCKED, **on}) / at(reference, "V_T", 120, start, BLOCKED)
        assert (ratio < 0.97) is rescued, f"{clone}: {ratio}"
    value = reference.run([0.0, 1e-6], ("recognition_b2m_null", "recognition_mhc1_silenced"), on)
    assert value["recognition_b2m_null"][0, 0] == 0
    assert value["recognition_mhc1_silenced"][0, 0] > 0.7


def test_nk_cells_restrain_cells_without_b2m(reference: Bench) -> None:
    start = shares(reference, b2m_null=0.9)
    more = {"k_NK_in": 5 * reference.model.parameters["k_NK_in"].base}
    gain_null = at(reference, "V_T", 200, start, more) / at(reference, "V_T", 200, start, {})
    gain_usual = at(reference, "V_T", 200, shares(reference), more) / at(reference, "V_T", 200, shares(reference), {})
    assert gain_null < 0.9 * gain_usual


def test_heterogeneity_rises_while_clonal_antigens_fall(reference: Bench) -> None:
    start = shares(reference, antigen_low=0.02)
    out = reference.run(
        [0.0, 60.0, 120.0],
        ("clonal_diversity_T", "clonal_neoantigens_T", "presented_neoantigens_T"),
        BLOCKED,
        initial=start,
    )
    assert np.all(np.diff(out["clonal_diversity_T"][0]) > 0)
    assert np.all(np.diff(out["clonal_neoantigens_T"][0]) < 0)
    assert reference.model.parameters["n_clones_tum"].base > out["presented_neoantigens_T"][0, 2]


def test_quality_and_clonality_of_neoantigens(reference: Bench) -> None:
    """Luksza's form: amplitude times a logistic function; better quality and more clonal antigens, smaller tumour."""
    # while it shrinks: half a year on, what is left is below 3 % and the same in size
    p = reference.model.parameters
    found = reference.value("neoantigen_quality", 0, {"neoantigen_alignment": 26.3, "neoantigen_amplitude": 2.0})
    expected = 2 / (1 + np.exp(-p["luksza_slope"].base * 0.3))
    assert found == pytest.approx(expected, rel=1e-9)
    for better in ({"neoantigen_amplitude": 2.0}, {"neoantigen_alignment": 27.0}, {"clonal_share": 1.0}):
        assert reference.value("V_T", 90, {**better, **BLOCKED}) < reference.value("V_T", 90, BLOCKED), better


@pytest.fixture(scope="module")
def native(reference: Bench) -> Bench:
    """The same in the native engine, which is fast with events."""
    from immunescape.engine import get_engine

    return replace(reference, compiled=get_engine("native").compile(reference.model.to_sbml()))


def emerged(reference: Bench, clone: str, draws: list[float], mu: list[float]) -> np.ndarray:
    """Return the first time (days) at which a clone that is absent at diagnosis has cells; inf where it has none."""
    n = len(draws)
    times = np.arange(0.0, 1201.0, 30.0)
    out = reference.run(
        times,
        (f"C_{clone}",),
        {f"u_emergence_{clone}": np.array(draws), f"mu_{clone}": np.array(mu)},
        n=n,
        initial={k: np.full(n, v) for k, v in {**reference.start, **shares(reference)}.items()},
        rtol=1e-4,
    )
    there = out[f"C_{clone}"] >= 1
    return np.where(there.any(axis=1), times[there.argmax(axis=1)], np.inf)


def test_emergence_follows_the_draw_and_the_mutation_rate(native: Bench) -> None:
    """Earlier for a luckier draw and a higher rate, never without mutation; the same each time."""
    mu = native.model.parameters["mu_b2m_null"].base
    found = emerged(native, "b2m_null", [0.99, 0.3, 0.3, 0.3, 0.3], [mu, mu, 10 * mu, 0.0, mu])
    assert found[0] < found[1] < np.inf
    assert found[2] < found[1]
    assert np.isinf(found[3])
    assert found[4] == found[1]


def test_waiting_time_is_that_of_a_poisson_process(native: Bench) -> None:
    """The integral of rate x divisions x (1 - death / birth) at emergence is the exponential draw."""
    start = {**native.start, **shares(native)}
    names = ("birth_rate", "C_total", "establishment_b2m_null")
    times = np.arange(0.0, 1201.0, 5.0)
    out = native.run(times, names, {"mu_b2m_null": 0.0}, initial=start, rtol=1e-4)
    mu = native.model.parameters["mu_b2m_null"].base
    rate = mu * out["birth_rate"][0] * out["C_total"][0] * out["establishment_b2m_null"][0]
    integral = np.concatenate([[0.0], np.cumsum((rate[1:] + rate[:-1]) / 2 * 5.0)])
    expected = np.interp(-np.log(0.6), integral, times)
    assert emerged(native, "b2m_null", [0.6], [mu])[0] == pytest.approx(expected, abs=31)


def test_each_event_draws_anew(native: Bench, reference: Bench) -> None:
    """The second event of a clone has another uniform number, the same in both engines and in plain Python."""
    start = {**native.start, **shares(native)}
    parameters = {"mu_b2m_null": 3e-8, "clone_presence": 1e30, "u_emergence_b2m_null": 0.2}
    times = np.arange(0.0, 61.0, 1.0)
    expected = [0.2]
    for _ in range(10):
        expected.append(next_draw(expected[-1]))
    for one in (native, reference):
        out = one.run(times, ("draw_b2m_null", "threshold_b2m_null"), parameters, initial=start, rtol=1e-6)
        seen = list(dict.fromkeys(np.round(out["draw_b2m_null"][0], 6)))
        assert len(seen) >= 3
        places = [int(np.argmin(np.abs(np.array(expected) - u))) for u in seen[:5]]  # two may fall into one day
        np.testing.assert_allclose(seen[:5], np.array(expected)[places], atol=1e-5)
        assert places == sorted(places)


def test_draws_are_uniform_and_independent() -> None:
    u = np.random.default_rng(1).uniform(size=20_000)
    following = np.array([next_draw(x) for x in u])
    assert kstest(following, "uniform").pvalue > 0.01
    assert abs(np.corrcoef(u, following)[0, 1]) < 0.03
    course = [0.3679]
    for _ in range(5000):
        course.append(next_draw(course[-1]))
    assert kstest(course, "uniform").pvalue > 0.01
    assert abs(np.corrcoef(course[:-1], course[1:])[0, 1]) < 0.05


def test_nothing_emerges_from_an_eradicated_tumour(native: Bench) -> None:
    gone = native.run([0.0, 100.0, 1500.0], ("C_total",), {"exposure_chemo": 3.0, "r_resist": 1.0})
    assert gone["C_total"][0, 1] == 0
    assert gone["C_total"][0, 2] == 0


def test_engines_agree_on_emergence(reference: Bench, native: Bench) -> None:
    """The native engine finds the same moment and the same course as roadrunner."""
    start = {**reference.start, **shares(reference)}
    times = np.array([0.0, 50.0, 100.0, 200.0, 400.0])
    outputs = ("C_b2m_null", "C_total", "emergence_jak_null")
    parameters = {"mu_b2m_null": 1e-10}
    theirs = reference.run(times, outputs, parameters, initial=start, rtol=1e-8)
    ours = native.run(times, outputs, parameters, initial=start, rtol=1e-8)
    for name in outputs:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=2e-3, atol=1e-2, err_msg=name)
    assert theirs["C_b2m_null"][0, -1] > 1
