"""Trafficking of LAG-3 and its fellows, and antibodies of few states: kinetics and directions."""

from __future__ import annotations

import math

import pytest
from drug_simulation import simulate
from quick_bench import follow, nanomole

LAG3 = ("relatlimab", "fs118")


def treated(drug: str, mg: float, outputs: tuple[str, ...], day: float = 42.0) -> dict[str, float]:
    """Outputs `day` days into weekly doses of one of the LAG-3 antibodies."""
    doses = [(drug, 7.0 * i, nanomole(drug, mg)) for i in range(int(day / 7) + 1)]
    found = follow([0, day], outputs, drugs=LAG3, doses=doses)
    return {k: float(v[1]) for k, v in found.items()}


def test_pd1_blockade_raises_the_other_receptors() -> None:
    names = ("LAG3_CD8", "TIM3_CD8", "TIGIT_CD8")
    blocked, usual = (follow([0, 42], names, {"exposure_pd1": e}) for e in (500.0, 0.0))
    for name in names:
        assert usual[name][1] == pytest.approx(1, abs=0.1)
        assert blocked[name][1] > 1.15 * usual[name][1], name


def test_exhaustion_raises_the_receptors() -> None:
    rested = follow([0, 120], ("TIM3_CD8",), {"k_exhaust": 0.0})["TIM3_CD8"][1]
    assert rested < 0.7 * follow([0, 120], ("TIM3_CD8",))["TIM3_CD8"][1]


def test_antibody_raises_lag3_and_bispecific_lowers_it_at_like_blockade() -> None:
    outputs = ("LAG3_CD8", "open_LAG3")
    mono, bi = treated("relatlimab", 160, outputs), treated("fs118", 800, outputs)
    assert mono["open_LAG3"] < 0.1
    assert bi["open_LAG3"] < 0.1
    assert mono["LAG3_CD8"] > 1.3
    assert bi["LAG3_CD8"] < 0.7


def test_blocking_a_brake_helps_killing_a_little() -> None:
    alone = treated("relatlimab", 160, ("f_killing",), 14)["f_killing"]
    none = float(follow([0, 14], ("f_killing",), drugs=LAG3)["f_killing"][1])
    assert 1.02 * none < alone < 1.6 * none


@pytest.mark.parametrize(
    ("drug", "half_life"),
    [("avelumab", 6.1), ("relatlimab", 26.2), ("toripalimab", 10.0)],
)
def test_half_life_as_labelled(drug: str, half_life: float) -> None:
    """Labels: avelumab 6.1 d; relatlimab 26.2 d (effective); toripalimab 10 d after the first dose."""
    c = simulate((drug,), [(drug, 0.0, 100.0)], [0, 10, 20], (f"conc_{drug}",))[f"conc_{drug}"]
    assert 10 * math.log(2) / math.log(c[1] / c[2]) == pytest.approx(half_life, rel=0.35)


def test_subcutaneous_dose_peaks_late_and_loses_a_part() -> None:
    c = simulate(("envafolimab",), [("envafolimab", 0.0, 300.0)], [0, 0.5, 7, 40], ("conc_envafolimab",))
    levels = c["conc_envafolimab"]
    assert levels[1] < levels[2] > levels[3]
    assert levels[2] < 0.6 * 300e3 / 6000
