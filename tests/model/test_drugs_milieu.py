"""Drugs of the milieu: regimens that parse, targets reached at usual doses, what follows in the full model."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from drug_simulation import simulate, trough_and_peak

from immunescape.engine.api import Job
from immunescape.model import Model, registry
from immunescape.trial.dosing import BodySize, administered, to_doses
from immunescape.trial.grammar import parse_regimen

REGIMENS = {
    "bevacizumab": "bevacizumab 15 mg/kg every 3 weeks",
    "anlotinib": "anlotinib 12 mg on days 1-14 every 3 weeks",
    "epacadostat": "epacadostat 100 mg twice daily",
    "m4112": "M4112 800 mg twice daily",
    "numidargistat": "INCB001158 100 mg twice daily",
    "taminadenant": "taminadenant 160 mg twice daily",
    "oleclumab": "oleclumab 3000 mg every 2 weeks",
    "ttx_030": "TTX-030 1200 mg every 3 weeks",
    "galunisertib": "galunisertib 150 mg twice daily on days 1-14 every 4 weeks",
    "celecoxib": "celecoxib 400 mg twice daily",
    "levofloxacin": "levofloxacin 500 mg once daily for 7 days",
    "fecal_transplant": "FMT 1 dose once",
    "cbm588": "CBM588 80 mg twice daily",
}
REACHED = {  # what the drug is for, and how far it should move at the regimen above within three weeks
    "bevacizumab": ("VEGF_signal_T", 0.0, 0.2),
    "anlotinib": ("VEGF_signal_T", 0.02, 0.5),
    "epacadostat": ("IDO1_use", 0.0, 0.4),
    "m4112": ("TDO_use", 0.0, 0.3),
    "numidargistat": ("ArgI_active_T", 0.0, 0.4),
    "taminadenant": ("A2A_signal_T", 0.0, 0.4),
    "oleclumab": ("adenosine_conc_T", 0.1, 0.5),
    "ttx_030": ("adenosine_conc_T", 0.1, 0.5),
    "galunisertib": ("TGFb_signal_T", 0.3, 0.8),
    "celecoxib": ("PGE2_T", 0.1, 0.4),
    "levofloxacin": ("commensals", 0.05, 0.8),
    "fecal_transplant": ("commensals", 1.2, 2.0),
    "cbm588": ("commensals", 1.1, 1.8),
}


@lru_cache(maxsize=1)
def full() -> tuple[Model, object, dict[str, float]]:
    from immunescape.engine import get_engine
    from immunescape.population.reference_baseline import reference_baseline

    model = Model.build(drugs=REGIMENS)
    start = dict(reference_baseline(engine="auto").states)
    start |= {s.name: 0.0 for d in model.drugs for s in d.states}
    return model, get_engine("auto").compile(model.to_sbml()), start


def treat(text: str | None, times: list[float], outputs: tuple[str, ...], **changed: float) -> dict[str, np.ndarray]:
    """Return outputs of the reference patient at `times` (days) on a regimen."""
    model, kernel, start = full()
    doses = None
    if text is not None:
        records = administered(parse_regimen(text), BodySize(), until_days=max(times) + 1)
        doses = to_doses(records, {d.name: d for d in model.drugs})
    job = Job(
        n=1, times=np.r_[0.0, times], outputs=outputs, parameters=changed, initial=start, doses=doses, atol=model.atol()
    )
    result = kernel.run(job)  # type: ignore[attr-defined]
    assert result.failed == 0, dict(result.messages)
    return {name: result[name][0, 1:] for name in outputs}


@pytest.mark.parametrize("drug", list(REGIMENS))
def test_reaches_its_target_at_the_usual_dose(drug: str) -> None:
    assert parse_regimen(REGIMENS[drug]).drugs == (drug,)
    output, low, high = REACHED[drug]
    day = 6.9 if drug == "levofloxacin" else 13.9
    untreated, treated = treat(None, [day], (output,))[output][0], treat(REGIMENS[drug], [day], (output,))[output][0]
    assert low < treated / untreated < high


def test_every_drug_of_the_milieu_is_listed_here() -> None:
    pools = {"vegf_blockade", "ido1_inhibitor", "arginase_inhibitor", "a2a_antagonist", "cd73_inhibitor"}
    pools |= {"cd39_inhibitor", "tgfb_receptor_inhibitor", "cox2_inhibitor", "gut_antibiotic", "commensal_supply"}
    acting = {d.name for d in registry.drugs().values() if {c.pool for c in d.contributions} & pools}
    assert acting >= set(REGIMENS)


def test_bevacizumab_serum_as_published() -> None:
    """Label kinetics: half-life 20 days; 10 mg/kg every 2 weeks accumulates to about 2.8 times the first dose."""
    times = [0.0, 60.0, 80.0]
    found = simulate(("bevacizumab",), [("bevacizumab", 0.0, 700.0)], times, ("conc_bevacizumab",))["conc_bevacizumab"]
    assert found[2] / found[1] == pytest.approx(0.5, rel=0.1)
    first, last, _ = trough_and_peak("bevacizumab", 700.0, 14, 12)
    assert last / first == pytest.approx(2.8, rel=0.25)


def test_bevacizumab_dose_is_a_window_for_entry_of_t_cells() -> None:
    """A low dose improves perfusion more than the labelled one; the labelled one still improves it at first."""
    outputs = ("perfusion_T", "pO2_T")
    none, low, usual, extreme = (
        treat(f"bevacizumab {d} mg/kg every 3 weeks" if d else None, [5.0, 80.0], outputs)["perfusion_T"]
        for d in (0, 2, 15, 40)
    )
    assert low[1] > usual[1] > extreme[1]
    assert low[1] > 1.1 * none[1] > extreme[1]
    assert usual[0] > usual[1]


def test_antiangiogenic_drug_helps_antibody_in() -> None:
    """Perfusion enters the exchange of antibodies with half its weight."""
    with_it, alone = (
        simulate(
            ("bevacizumab", "oleclumab"),
            given,
            [0.0, 8.0],
            ("free_T_oleclumab", "conc_oleclumab", "perfusion_T"),
            ("body", "tumour_growth", "vessels"),
        )
        for given in (
            [("bevacizumab", 0.0, 140.0), ("oleclumab", 3.0, 3000.0)],
            [("oleclumab", 3.0, 3000.0)],
        )
    )
    assert with_it["perfusion_T"][1] > 1.1 * alone["perfusion_T"][1]
    assert 1.01 < with_it["free_T_oleclumab"][1] / alone["free_T_oleclumab"][1] < 1.15
