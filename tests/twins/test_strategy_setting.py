"""What line and history say of the strategies of the profile."""

from __future__ import annotations

import math
import re

import pytest

from immunescape.knowledge.strategies import load_strategies
from immunescape.profile.loading import example_folder
from immunescape.twins.facts import Fact
from immunescape.twins.options import kind_words, option_rows, setting_of
from immunescape.twins.recorded_patient import LineRecord, PatientRecord
from immunescape.twins.strategy_setting import cautions_of

PD1_PLATINUM = ("pembrolizumab", "carboplatin", "pemetrexed")


def fact(target: str, *allowed) -> Fact:
    return Fact(target, "covariate", allowed=allowed, biomarker=target)


def line(*drugs: str, progressed: bool = True) -> LineRecord:
    return LineRecord(drugs, 0.0, 200.0, 60.0, (), 200.0 if progressed else math.inf)


def said(strategy: str, *lines: LineRecord, driver: str = "none", histology: str = "nonsquamous", tps=60.0) -> str:
    """What is said of a strategy of the table in a patient with these lines."""
    facts = (
        fact("driver", driver),
        fact("histology", histology),
        Fact("pdl1_tps", "covariate", value=tps, spread=10.0, scale="sd", biomarker="pdl1_tps"),
    )
    record = PatientRecord("P", 900.0, facts, lines=lines, unknown_lines=0)
    return "; ".join(cautions_of(load_strategies().strategies[strategy].kinds, record, setting_of(record)))


@pytest.mark.parametrize(
    ("strategy", "drugs"),
    [
        ("platinum_chemoimmunotherapy", PD1_PLATINUM),
        ("platinum_chemoimmunotherapy", ("atezolizumab", "carboplatin", "paclitaxel")),
        ("ctla4_combination", ("nivolumab", "ipilimumab")),
        ("kras_g12c_inhibitor", ("sotorasib",)),
        ("antibody_drug_conjugate", ("datopotamab_deruxtecan",)),
    ],
)
def test_a_class_on_which_the_disease_progressed_needs_a_reason(strategy, drugs):
    assert "progressed on this class" in said(strategy, line(*drugs))
    assert "requires a reason" in said(strategy, line(*drugs))
    assert "progressed" not in said(strategy, line(*drugs, progressed=False))


def test_a_patient_with_three_lines_is_told_of_each_of_the_three_classes():
    lines = (line(*PD1_PLATINUM), line("nivolumab", "ipilimumab"), line("sotorasib"))
    for strategy in ("platinum_chemoimmunotherapy", "ctla4_combination", "kras_g12c_inhibitor"):
        assert "progressed on this class" in said(strategy, *lines, driver="KRAS")


@pytest.mark.parametrize("drugs", [("pembrolizumab",), PD1_PLATINUM, ("nivolumab", "ipilimumab")])
def test_pd1_with_vegf_blockade_is_contradicted_after_a_pd1_antibody_alone(drugs):
    after = said("antiangiogenic_combination", line(*drugs))
    assert "PD-(L)1 antibody with antiangiogenic drug: contradicted in this setting" in after
    for trial in ("SAPPHIRE", "CONTACT-01"):
        assert trial in after
    assert "contradicted" not in said("antiangiogenic_combination")


@pytest.mark.parametrize("strategy", ["platinum_chemoimmunotherapy", "ctla4_combination", "tigit_combination"])
def test_trials_before_an_inhibitor_do_not_support_a_class_after_one(strategy):
    assert "no trial supports it after a PD-(L)1 antibody" in said(strategy, line("pembrolizumab"))
    assert "after a PD-(L)1 antibody" not in said(strategy)


def test_what_failed_in_the_setting_is_named_and_what_succeeded_is_not():
    assert "SKYSCRAPER-01" in said("tigit_combination", tps=80.0)
    assert not said("platinum_chemoimmunotherapy")
    assert "KEYNOTE-789" in said("checkpoint_after_egfr_tki", line("osimertinib"), driver="EGFR")
    assert not said("il15_superagonist", line("pembrolizumab"))


def test_no_strategy_with_a_checkpoint_inhibitor_ignores_the_loss_of_mhc_class_1():
    for name, strategy in load_strategies().strategies.items():
        needs_cd8 = any("ici" in kind.split(" and ") for kind in strategy.kinds)
        if needs_cd8 and name not in ("il15_superagonist", "il1b_inflammation"):
            assert "mhc1_genetic_loss" in strategy.pointless_with, name
    assert "mhc1_genetic_loss" not in load_strategies().strategies["il15_superagonist"].pointless_with


def test_no_treated_example_patient_is_offered_first_what_line_or_history_speaks_against():
    import immunescape

    study = immunescape.profile_study(example_folder())
    treated = [p for p in study.patients.values() if any(o.cautions for o in p.options)]
    assert len(treated) > 20
    for p in study.patients.values():
        weak = [bool(o.against) or bool(o.cautions) or o.tier == "N" for o in p.options]
        assert weak == sorted(weak), p.patient
        if any(e.kind == "treatment" and "pembrolizumab" in e.label.casefold() for e in p.timeline):
            platinum = [o for o in p.options if o.strategy == "platinum_chemoimmunotherapy"]
            assert all(o.cautions for o in platinum), p.patient
        if p.calls["mhc1_genetic_loss"].state == "present":
            assert all(
                "mhc1_genetic_loss" in o.against for o in p.options if o.strategy == "platinum_chemoimmunotherapy"
            )
    assert '"cautions"' in str(study.to_json()).replace("'", '"')


def test_a_class_of_regimen_is_said_in_words():
    kinds = {kind for strategy in load_strategies().strategies.values() for kind in strategy.kinds}
    kinds |= {row["kind"] for row in option_rows()}
    assert len(kinds) > 20
    assert [kind for kind in kinds if re.search(r"\bici\b|_|\bflora\b", kind_words(kind))] == []
    assert kind_words("ici and chemotherapy") == "PD-(L)1 antibody with chemotherapy"
    assert kind_words("ici") == "PD-(L)1 antibody"
    assert kind_words("radiotherapy and chemotherapy and metformin") == "radiotherapy with chemotherapy and metformin"
