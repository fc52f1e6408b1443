"""Targets of courses: best response in full, how long responses last, crossing curves, clones, odds ratios, cells."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from immunescape.errors import InputError
from immunescape.evaluation.outcome_targets import (
    best_response_targets,
    clone_targets,
    cohort_responders,
    crossing_targets,
    immune_targets,
    oak_crossing,
    oak_responders,
    odds_targets,
    responder_targets,
)
from immunescape.evaluation.weighting import Sample
from immunescape.knowledge.held_out import is_held_out
from immunescape.population.fit import PopulationFit


def virtual(n: int = 4000, seed: int = 1, **more: dict) -> tuple[Sample, np.ndarray]:
    rng = np.random.default_rng(seed)
    response = rng.uniform(size=n) < 0.25
    months = np.where(response, rng.exponential(20.0, n), rng.exponential(3.0, n))
    groups = {"responders": response, "best PD": ~response & (rng.uniform(size=n) < 0.5)}
    groups |= more.get("groups", {})
    sample = Sample(
        trial="oak",
        arm="atezolizumab",
        names=(),
        z=np.empty((n, 0)),
        linked=np.empty((n, 0)),
        left=np.empty(0),
        covariates={},
        response=response.astype(float),
        times={"pfs": (months, np.ones(n)), "os": (months, np.ones(n))},
        groups=groups,
        proposals=((PopulationFit(), n),),
        values=more.get("values", {}),
    )
    return sample, np.full(n, 1.0 / n)


ARM = ("oak", "atezolizumab")


def oak_table(path: Path) -> Path:
    lines = ["PtID,TRT01P,BCOR,PFS,PFS.CNSR"]
    for k in range(600):
        arm = "MPDL3280A" if k % 2 else "Docetaxel"
        best = ("PR", "SD", "PD", "PD", ".")[(k // 2) % 5]
        months = 15.0 if best == "PR" else 2.0 + (k % 7)
        lines.append(f"{k},{arm},{best},{months},{int(best == 'PR')}")
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_best_response_in_full_is_read_from_the_patients_who_may_be_fitted(tmp_path: Path) -> None:
    path = tmp_path / "oak_clinical.csv"
    found = {t.name: t for t in best_response_targets(oak_table(path))}
    assert found["oak: atezolizumab, best response PD (%)"].back(
        found["oak: atezolizumab, best response PD (%)"].value
    ) == pytest.approx(40.0)
    sample, weights = virtual()
    got = found["oak: atezolizumab, best response PD (%)"].figure({ARM: (sample, weights)})
    assert 1 / (1 + math.exp(-got)) == pytest.approx(float(sample.groups["best PD"].mean()))
    training = best_response_targets(path, "training")
    kept = sum(not is_held_out("oak", str(k)) for k in range(600))
    assert 380 < kept < 460
    assert training[0].sd > found["oak: docetaxel, best response SD (%)"].sd  # fewer patients
    path.write_text("PtID,TRT01P\n1,MPDL3280A\n", encoding="utf-8")
    with pytest.raises(InputError, match="row 2"):
        best_response_targets(path)


def test_responders_are_followed_until_their_disease_progresses(tmp_path: Path) -> None:
    rows = oak_responders(oak_table(tmp_path / "oak_clinical.csv"))[ARM]
    assert set(rows) == {(15.0, 0.0)}
    rng = np.random.default_rng(3)
    real = [(float(t), 1.0) for t in rng.exponential(20.0, 3000)]
    targets = responder_targets(real, [ARM], "gandara2018", "oak")
    assert [t.name.split(" at ")[1] for t in targets] == ["6 months (%)", "12 months (%)", "18 months (%)"]
    for t in targets:
        assert abs(t.residual({ARM: virtual()})) < 1.5  # the same law of the duration
    (tmp_path / "a.csv").write_text("PFS_Months,PFS_Event,Response\n3,1,0\n9,0,1\n,1,1\n", encoding="utf-8")
    (tmp_path / "oak_clinical.csv").unlink()
    assert cohort_responders(tmp_path) == [(9.0, 0.0)]


def test_curves_that_cross_have_ratios_on_both_sides_of_one(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    n = 3000
    slow_start = np.where(rng.uniform(size=n) < 0.5, rng.exponential(1.0, n), rng.exponential(30.0, n))
    steady = rng.exponential(5.0, n)
    early, late = crossing_targets((ARM, slow_start, np.ones(n)), (("oak", "docetaxel"), steady, np.ones(n)), "x")
    assert early.value > 0.1 > -0.3 > late.value
    one, weights = virtual(n)
    object.__setattr__(one, "times", {"pfs": (slow_start, np.ones(n))})
    two, _ = virtual(n)
    object.__setattr__(two, "times", {"pfs": (steady, np.ones(n))})
    weighted = {ARM: (one, weights), ("oak", "docetaxel"): (two, weights)}
    assert early.residual(weighted) == pytest.approx(0.0, abs=1e-6)
    assert late.residual(weighted) == pytest.approx(0.0, abs=1e-6)
    assert len(oak_crossing(oak_table(tmp_path / "oak_clinical.csv"))) == 2


def test_clones_count_at_acquired_resistance_only() -> None:
    n = 4000
    share = np.full(n, np.nan)
    share[: n // 2] = 0.0
    share[: n // 8] = 0.5
    sample, weights = virtual(n, values={"progression:b2m_null_share_T": share})
    (target,) = clone_targets([ARM])
    late = np.isfinite(share) & (sample.groups["responders"] | (sample.times["pfs"][0] >= 6.0))
    assert target.back(target.figure({ARM: (sample, weights)})) == pytest.approx(
        100 * np.nan_to_num(share)[late].astype(bool).mean()
    )
    assert math.isnan(target.figure({ARM: virtual(n)}))  # not simulated: says nothing


def test_odds_ratios_are_those_of_the_harness_for_weighted_patients(tmp_path: Path) -> None:
    (tmp_path / "loris").mkdir()
    lines = ["SAMPLE_ID,PDL1_TPS(%),TMB,HLA_LOH,NLR,Albumin,Response"]
    for k in range(400):
        lines.append(f"{k},{k % 100},{k % 13},{k % 2},{k % 8},{3 + k % 2},{int(k % 3 == 0 or (k % 2 and k % 5 == 0))}")
    (tmp_path / "loris" / "shim_nsclc.csv").write_text("\n".join(lines), encoding="utf-8")
    found = {t.name: t for t in odds_targets(tmp_path, [ARM])}
    name = "response to PD-(L)1 blockade, odds ratio HLA LOH (LORIS)"
    assert name in found
    assert not any("TMB" in n for n in found)  # a target of its own
    n = 4000
    carried = np.random.default_rng(7).uniform(size=n) < 0.4
    sample, weights = virtual(n, groups={"with HLA LOH": carried, "without HLA LOH": ~carried})
    a, b = sample.response[carried], sample.response[~carried]
    expected = math.log(a.mean() / (1 - a.mean())) - math.log(b.mean() / (1 - b.mean()))
    assert found[name].figure({ARM: (sample, weights)}) == pytest.approx(expected)
    assert math.isnan(found[name].figure({ARM: virtual()}))


def test_immune_cells_are_compared_at_the_quartiles_of_the_series(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    path = tmp_path / "ratios.csv"
    logs = rng.normal(-1.5, 1.0, (270, 3))
    path.write_text("x1,x2,x3\n" + "\n".join(",".join(map(str, row)) for row in logs), encoding="utf-8")
    found = immune_targets(path, [ARM])
    assert len(found) == 9
    same = {"b:CD8_CD4_ratio": np.exp(rng.normal(-1.5, 1.0, 4000))}
    twice = {"b:CD8_CD4_ratio": np.exp(rng.normal(-0.5, 1.0, 4000))}
    middle = next(t for t in found if "CD8/CD4" in t.name and abs(t.value) < 1e-9)
    assert abs(middle.residual({ARM: virtual(values=same)})) < 0.5
    assert middle.residual({ARM: virtual(values=twice)}) < -1.0
    path.write_text("x1,x2,x3\n1,2,many\n", encoding="utf-8")
    with pytest.raises(InputError, match="row 2"):
        immune_targets(path, [ARM])
