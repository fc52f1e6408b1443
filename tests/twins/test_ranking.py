"""Ranking: options by setting, levels of evidence, paired figures and what may be said of them."""

from __future__ import annotations

import csv
import math
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest

from immunescape.errors import InputError
from immunescape.knowledge.evidence_table import read_evidence
from immunescape.knowledge.strategies import load_strategies
from immunescape.knowledge.tables import DATA
from immunescape.trial.loading import list_trials, load_trial
from immunescape.twins.conditioning import TwinPopulation
from immunescape.twins.courses import Courses, regimen_of, usual_regimen
from immunescape.twins.facts import Fact
from immunescape.twins.options import kind_of, options_for, options_from_file, setting_of, standard_of
from immunescape.twins.ranking import WEIGHTS, ranked, read_weights
from immunescape.twins.recorded_patient import LineRecord, PatientRecord
from immunescape.twins.twin import MONTH, Followed


def words(target: str, *allowed) -> Fact:
    return Fact(target, "covariate", allowed=allowed, biomarker=target)


def record(tps: float = 80.0, histology: str = "nonsquamous", driver: str = "none", lines=(), unknown: int = 0):
    tps_fact = Fact("pdl1_tps", "covariate", value=tps, spread=10.0, scale="sd", biomarker="pdl1_tps")
    facts = (words("driver", driver), words("histology", histology), tps_fact)
    return PatientRecord("P", 300.0 if lines else 0.0, facts, lines=tuple(lines), unknown_lines=unknown)


def line(*drugs: str, progressed: bool = True) -> LineRecord:
    return LineRecord(drugs, 0.0, 200.0, 60.0, (), 200.0 if progressed else math.inf)


def titles(found) -> dict[str, object]:
    return {o.title: o for o in found}


def test_every_regimen_of_the_tables_can_be_read():
    data = files("immunescape.knowledge") / "data"
    for name in ("regimen_options", "usual_regimens"):
        with (data / f"{name}.csv").open(encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                assert regimen_of(row["regimen"]).drugs, row
                assert row["source"], row
    assert "AUC 5" in usual_regimen(("carboplatin", "pemetrexed"))
    with pytest.raises(InputError, match="no usual regimen of til"):
        usual_regimen(("til",))


def test_evidence_before_the_predictions_holds_no_trial_that_the_project_did_not_have():
    have = {t.registry for s in load_strategies().strategies.values() for t in s.trials}
    have |= {load_trial(name).registry for name in list_trials()}
    base = read_evidence(DATA / "option_evidence.csv")
    assert {row.registry for row in base.rows} <= have


@pytest.mark.parametrize(
    ("given", "standard"),
    [
        (record(80.0), "pembrolizumab"),
        (record(10.0), "pembrolizumab with carboplatin and pemetrexed"),
        (record(0.0, "squamous"), "pembrolizumab with carboplatin and paclitaxel"),
        (record(10.0, driver="EGFR"), "osimertinib"),
        (record(10.0, unknown=1), "atezolizumab"),
        (record(80.0, lines=(line("pembrolizumab"),)), "carboplatin and pemetrexed"),
        (record(10.0, lines=(line("pembrolizumab", "carboplatin", "pemetrexed"),)), "docetaxel"),
    ],
)
def test_the_standard_follows_line_pdl1_histology_driver_and_what_was_had(given, standard):
    assert standard_of(given).title == standard


@pytest.mark.parametrize("driver", ["ALK", "ROS1", "RET", "MET", "BRAF", "ERBB2"])
def test_a_driver_whose_targeted_drugs_the_model_lacks_is_named_as_a_gap(driver):
    _, left = options_for(record(10.0, driver=driver))
    assert [s for s in left if f"targeted drugs for {driver}-driven tumours: the model has none" in s]


@pytest.mark.parametrize(("tps", "standard"), [(80.0, "pembrolizumab"), (0.0, "pembrolizumab with")])
def test_a_braf_mutation_leaves_the_inhibitors_that_its_guideline_group_has(tps, standard):
    assert standard_of(record(tps, driver="BRAF")).title.startswith(standard)
    assert "pembrolizumab" not in titles(options_for(record(tps, driver="ALK"))[0])


def test_where_the_table_has_no_standard_none_is_claimed():
    """After a PD-1 antibody, platinum and docetaxel only trials are left; one that failed is not what others face."""
    had = (line("pembrolizumab", "carboplatin", "pemetrexed"), line("docetaxel"))
    found, left = options_for(record(10.0, lines=had))
    assert not [o for o in found if o.may_be_standard]
    assert found[0].level == "tested"
    assert [o.level for o in found].index("contradicted") > 0
    assert any("no standard; name your own regimens" in sentence for sentence in left)
    before, said = options_for(record(10.0, lines=had[:1]))
    assert before[0].may_be_standard
    assert not any("no standard" in sentence for sentence in said)


@pytest.mark.parametrize("driver", ["EGFR", "none"])
def test_where_nothing_targeted_is_missing_no_gap_is_named(driver):
    assert not [s for s in options_for(record(10.0, driver=driver))[1] if "targeted drugs" in s]


def test_where_pdl1_is_not_known_what_needs_no_test_is_offered():
    known = record(10.0)
    unknown = PatientRecord("P", 0.0, tuple(f for f in known.facts if f.target != "pdl1_tps"))
    assert standard_of(unknown).title == "pembrolizumab with carboplatin and pemetrexed"
    assert "pembrolizumab" not in titles(options_for(unknown)[0])


def test_after_an_inhibitor_none_is_offered_alone_and_the_failed_trials_are_shown():
    after = record(10.0, lines=(line("pembrolizumab", "carboplatin", "pemetrexed"),))
    found, left = options_for(after)
    assert not [o for o in found if o.kind == "ici"]
    assert any("requires a reason" in sentence for sentence in left)
    vegf = next(o for o in found if o.kind == "ici and antiangiogenic")
    assert vegf.level == "contradicted"
    assert {"CONTACT-01", "SAPPHIRE", "Pragmatica-Lung S2302"} <= {e.trial for e in vegf.evidence}
    first, _ = options_for(record(10.0), frozenset({"hypoxia_angiogenesis"}))
    assert "CONTACT-01" not in {e.trial for o in first for e in o.evidence}


def test_options_by_mechanism_need_the_mechanism():
    without, _ = options_for(record(80.0))
    assert "durvalumab, tremelimumab and chemotherapy" not in titles(without)
    found, _ = options_for(record(80.0), frozenset({"stk11_loss"}))
    option = titles(found)["durvalumab, tremelimumab and chemotherapy"]
    assert option.reason == "matched to: STK11 (LKB1) inactivation"
    assert option.level == "extrapolated"  # no trial that the model is judged by has this class


def test_a_negative_phase_3_trial_in_the_setting_contradicts():
    found, _ = options_for(record(80.0), frozenset({"t_cell_exhaustion"}))
    assert titles(found)["atezolizumab with tiragolumab"].level == "contradicted"
    after_tki = record(10.0, driver="EGFR", lines=(line("osimertinib"),))
    found, _ = options_for(after_tki)
    inhibitor = titles(found)["pembrolizumab with carboplatin and pemetrexed"]
    assert inhibitor.level == "contradicted"
    assert {e.trial for e in inhibitor.evidence} >= {"KEYNOTE-789", "CheckMate 722"}


def test_own_regimens_are_read_with_their_class_and_a_reason_where_one_is_due(tmp_path):
    file = tmp_path / "options.yaml"
    file.write_text("- name: again\n  regimen: pembrolizumab 200 mg every 3 weeks\n")
    setting = setting_of(record(80.0, lines=(line("pembrolizumab"),)))
    with pytest.raises(InputError, match="progressed on pembrolizumab") as error:
        options_from_file(file, setting)
    assert "option 1" in str(error.value)
    file.write_text("- name: again\n  regimen: pembrolizumab 200 mg every 3 weeks\n  reason: stopped early\n")
    assert options_from_file(file, setting)[0].reason == "stopped early"
    file.write_text("- name: x\n  regimen: pembrolizumap 200 mg every 3 weeks\n")
    with pytest.raises(InputError, match="pembrolizumab"):
        options_from_file(file, setting)
    assert kind_of(("nivolumab", "ipilimumab")) == "ici and CTLA-4 antibody"
    assert kind_of(("pembrolizumab", "olaparib")) == "ici and PARP inhibitor"
    assert kind_of(("pembrolizumab", "carboplatin", "celecoxib")) == "ici and chemotherapy and COX-2 inhibitor"
    assert kind_of(("decitabine", "tetrahydrouridine")) == "epigenetic drug"
    assert kind_of(("atezolizumab", "bevacizumab", "carboplatin")) == "ici and antiangiogenic and chemotherapy"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- name: a\n  regimn: docetaxel 75 mg/m2 every 3 weeks\n", "regimen"),
        ("- name: a\n  regimen: docetaxel 75 mg/m2 every 3 weeks\n  regimen: none\n", "given twice"),
        ("- name: [a]\n  regimen: docetaxel 75 mg/m2 every 3 weeks\n", "name"),
        ("- name: a\n  regimen: docetaxel 75 mg/m2 every 3 weeks\n" * 2, "option 2: the option 'a' already exists"),
        ("- name: pembrolizumab\n  regimen: docetaxel 75 mg/m2 every 3 weeks\n", "already"),
        ("name: a\nregimen: none\n", "list"),
        ("[]\n", "no list"),
        ("- [\n", "YAML"),
    ],
)
def test_an_options_file_with_a_fault_names_it(tmp_path, text: str, message: str):
    file = tmp_path / "own.yaml"
    file.write_text(text)
    with pytest.raises(InputError) as error:
        options_from_file(file, setting_of(record(80.0)), ["pembrolizumab"])
    assert message in str(error.value)
    assert "own.yaml" in str(error.value)


def test_a_weight_is_given_once():
    with pytest.raises(InputError, match="twice"):
        read_weights(["toxicity=0.1", "toxicity=0.3"])


def followed(arms: dict[str, np.ndarray], n: int = 300) -> Followed:
    """Twins whose months to death on each option are given; half of it is without progression."""
    rows = []
    for name, months in arms.items():
        for i in range(n):
            rows.append(
                {
                    "id": i,
                    "arm": name,
                    "best_response": "PR" if months[i] > 12 else "PD",
                    "progression_day": months[i] * MONTH / 2,
                    "death_day": months[i] * MONTH,
                    "grade3_day": None,
                    "toxicity_stop_day": None,
                }
            )
    table = pd.DataFrame(index=pd.RangeIndex(n, name="id"))
    weights = np.full(n, 1 / n)
    twins = TwinPopulation(
        patient="P", table=table, weights=weights, facts=(), effective=float(n), candidates=n, surprise={}, seed=1
    )
    return Followed(twins, Courses(pd.DataFrame(rows), pd.DataFrame()), weights)


def two(longer: float, spread: float = 8.0):
    months = np.random.default_rng(3).gamma(2.0, spread, 300)
    a, *others = options_for(record(80.0))[0]
    b = next(o for o in others if o.kind != a.kind)  # regimens of one class are never told apart
    return followed({a.name: months, b.name: months + longer}), (a, b)


def test_twins_are_paired_so_that_a_small_gain_for_everybody_is_seen():
    made, options = two(1.0)
    same = ranked(made, options, discrepancy={})
    other = next(r for r in same.rows if r.option.name == options[1].name)
    assert other.distinguishable
    assert same.rows[0].option.name == options[1].name
    assert other.best > 0.99
    assert other.not_worse == 1.0


def test_what_the_intervals_cannot_tell_apart_is_said_in_words():
    made, options = two(0.0)
    result = ranked(made, options, discrepancy={"orr": 0.7, "median": 0.3})
    assert any("cannot be told apart" in sentence for sentence in result.words)
    other = next(r for r in result.rows if r.option.name == options[1].name)
    assert not other.distinguishable


def test_two_classes_are_told_apart_only_beyond_the_error_of_the_calibration():
    months = np.random.default_rng(3).gamma(2.0, 8.0, 300)
    found = options_for(record(80.0))[0]
    mono = next(o for o in found if o.kind == "ici")
    both = next(o for o in found if o.kind == "ici and chemotherapy")
    made = followed({mono.name: months, both.name: months + 1.0})
    told = {
        size: next(
            r
            for r in ranked(made, (mono, both), discrepancy=size and {"median": size}).rows
            if r.option.name == both.name
        ).distinguishable
        for size in (0.0, 0.4)
    }
    assert told == {0.0: True, 0.4: False}


def test_what_is_extrapolated_or_contradicted_never_stands_above_what_is_tested():
    months = np.random.default_rng(3).gamma(2.0, 8.0, 300)
    found = options_for(record(80.0), frozenset({"stk11_loss", "t_cell_exhaustion"}))[0]
    arms = {o.name: months + {"tested": 0.0, "extrapolated": 20.0, "contradicted": 40.0}[o.level] for o in found}
    result = ranked(followed(arms), found, discrepancy={})
    levels = [r.option.level for r in result.rows]
    assert levels == sorted(levels, key=("tested", "extrapolated", "contradicted").index)
    assert {"tested", "extrapolated", "contradicted"} <= set(levels)
    assert any("contradicted in this setting by SKYSCRAPER-01" in sentence for sentence in result.words)


@pytest.mark.parametrize("extra", ["epacadostat 100 mg twice daily", "oleclumab 3000 mg every 2 weeks"])
def test_what_acts_only_through_what_nothing_tests_is_not_ranked_whatever_its_score(monkeypatch, tmp_path, extra):
    from immunescape.evaluation import mechanism_labels

    drug = extra.split()[0]
    monkeypatch.setattr(mechanism_labels, "drug_label", lambda d, path: "by nothing" if d.name == drug else "by trials")
    path = tmp_path / "own.yaml"
    regimens = [f"pembrolizumab 200 mg every 3 weeks + {added}" for added in (extra, "celecoxib 400 mg twice daily")]
    path.write_text("".join(f"- name: own {k}\n  regimen: {r}\n" for k, r in enumerate(regimens)), encoding="utf-8")
    patient = record(80.0)
    standard = options_for(patient)[0][0]
    untested, other = options_from_file(path, setting_of(patient))
    assert untested.level == "not ranked"
    assert other.level == "extrapolated"
    assert f"{drug.capitalize()} acts only through what is tested by nothing" in untested.reason
    months = np.random.default_rng(3).gamma(2.0, 8.0, 300)
    made = followed({standard.name: months, untested.name: months + 40.0, other.name: months - 1.0})
    result = ranked(made, (standard, untested, other), discrepancy={})
    assert result.rows[-1].option.name == untested.name
    assert result.rows[-1].best == 0.0
    assert any("not ranked, whatever its score" in sentence for sentence in result.words)


def test_a_drug_that_only_spares_another_keeps_no_regimen_from_its_rank(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("- regimen: decitabine 6 mg + tetrahydrouridine 250 mg on day 1 weekly\n", encoding="utf-8")
    assert options_from_file(path, setting_of(record(80.0)))[0].level == "extrapolated"


def test_weights_are_the_users():
    made, options = two(1.0)
    assert read_weights(["toxicity=0.4"]) == {**WEIGHTS, "toxicity": 0.4}
    with pytest.raises(InputError, match="toxicity"):
        read_weights(["toxicty=1"])
    with pytest.raises(InputError, match="from 0 on"):
        read_weights(["toxicity=-1"])
    nothing = ranked(made, options, weights=dict.fromkeys(WEIGHTS, 0.0), discrepancy={})
    assert {r.score.value for r in nothing.rows} == {0.0}


def test_figures_are_those_of_the_twins():
    made, options = two(0.0)
    rows = made.courses.patients
    own = rows[rows["arm"] == options[0].name]
    result = next(r for r in ranked(made, options, discrepancy={}).rows if r.option.name == options[0].name)
    assert result.figures["os_12"].value == pytest.approx((own["death_day"] > 12 * MONTH).mean())
    assert result.figures["rmst_24"].value == pytest.approx(np.minimum(own["death_day"] / MONTH, 24).mean())
    assert result.figures["pfs_12"].low < result.figures["pfs_12"].value < result.figures["pfs_12"].high


def test_the_class_of_an_option_is_the_one_that_its_drugs_give():
    data = files("immunescape.knowledge") / "data" / "regimen_options.csv"
    with data.open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            assert kind_of(tuple(regimen_of(row["regimen"]).drugs)) == row["kind"], row["name"]
