"""No text for a reader holds a name of the program: biomarkers, mechanisms, parameters and states are in words."""

from __future__ import annotations

import gzip
import json
import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from tests.report.test_twin_report import NOTICE, made

from immunescape.api.profiles import ProfiledStudy, profile_study
from immunescape.app.profile_card import patient_card
from immunescape.errors import InputError
from immunescape.knowledge.mechanism_rules import load_rules
from immunescape.knowledge.profile_records import Measurement
from immunescape.knowledge.profile_to_model import profile_links
from immunescape.model.registry import drugs, mechanisms
from immunescape.population.reference_baseline import prepared_model
from immunescape.profile.biomarkers import biomarkers
from immunescape.profile.loading import example_folder
from immunescape.report.tables import protocol_table
from immunescape.report.twin_report import write_ranking, write_twins
from immunescape.report.twin_text import print_ranking, print_twins
from immunescape.trial.covariates import COVARIATES
from immunescape.trial.loading import load_trial, shipped_trials
from immunescape.twins.conditioning import _too_few
from immunescape.twins.facts import Fact, checked, facts_of_measurements, in_unit
from immunescape.twins.records import patient_record
from immunescape.twins.results import PossibleResults
from immunescape.twins.value import value_of_information

TOKEN = re.compile(r"[A-Za-z][A-Za-z0-9+-]*(?:_[A-Za-z0-9+-]+)+(?![\w+-]|\.[a-z]{3})")
"""A word with an underscore that is not the name of a file."""
STATES = ("not_assessable", "tumour_intrinsic", "tumour_extrinsic", "single_arm", "vaf_fraction", "benefit_12_months")


def program_names() -> set[str]:
    """Names with an underscore that the package gives to what it measures, models and calls."""
    model = prepared_model(())
    words = {word for b in biomarkers().values() for word in b.words}
    names = {*biomarkers(), *load_rules().mechanisms, *mechanisms(), *drugs(), *COVARIATES, *words, *STATES}
    return {name for name in names | set(model.parameters) | set(model.observables) if "_" in name}


NAMES = program_names()


def leaks(text: str) -> set[str]:
    """Names of the program in a text."""
    return NAMES & set(TOKEN.findall(text))


class _Text(HTMLParser):
    """Text of a page, pictures included, and what its script unpacks."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.shown, self.packed, self._inside = "", "", ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        a = dict(attrs)
        self._inside = a.get("id") or a.get("class") or tag if tag in ("script", "style") else self._inside
        self.shown += f" {a.get('aria-label', '')} "

    def handle_endtag(self, tag: str) -> None:
        self._inside = "" if tag in ("script", "style") else self._inside

    def handle_data(self, data: str) -> None:
        if self._inside == "packed":
            self.packed = gzip.decompress(b64decode(data)).decode()
        elif self._inside in ("", "picture-content"):
            self.shown += data


def said(value: Any) -> Iterator[str]:
    """Texts of plain content, without the keys of its tables."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for item in value.values() for text in said(item))
    elif isinstance(value, list):
        yield from (text for item in value for text in said(item))


def page_texts(page: str) -> str:
    """Everything that a page shows; a profile's script looks strategies, mechanisms and origins up by their names."""
    text = _Text(page)
    data = json.loads(text.packed) if text.packed else {}
    for patient in data.get("patients", ()):
        patient["options"] = [option[4:] for option in patient["options"]]
    for mechanism in data.get("mechanisms", {}).values():
        del mechanism[1]
    return " ".join((text.shown, *said(data)))


@pytest.fixture(scope="module")
def example() -> ProfiledStudy:
    return profile_study(example_folder())


def test_a_name_in_a_text_is_seen() -> None:
    assert leaks("kyn_trp is 0.06625, tumour (treg_suppression); low_neoantigen_burden.") == {
        "kyn_trp",
        "treg_suppression",
        "low_neoantigen_burden",
    }
    page = "<p>a</p><script>kyn_trp</script><script class='picture-content'>sc_treg_of_t</script><td>jak1_status</td>"
    assert leaks(page_texts(page)) == {"sc_treg_of_t", "jak1_status"}
    assert len(NAMES) > 500


def test_terminal_page_and_card_of_a_profile_hold_no_name(
    example: ProfiledStudy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    example.show()
    example.show_associations()
    for patient in example.patients:
        example.show(patient)
    assert leaks(capsys.readouterr().out) == set()
    cards = [patient_card(example, patient) for patient in example.patients]
    assert {name for card in cards for text in said(card) for name in leaks(text)} == set()
    page = example.report(tmp_path / "report.html").read_text(encoding="utf-8")
    assert leaks(page_texts(page)) == set()


def test_a_measurement_stands_once_behind_a_call(example: ProfiledStudy) -> None:
    for patient in example.patients:
        for row in patient_card(example, patient)["calls"]:
            titles = re.findall(r"(?:^|\); )([^:;()\[\]]+):", row["Evidence"])
            assert len(titles) == len(set(titles)), (patient, row["Mechanism"], titles)
    cold = {row["Mechanism"]: row["Evidence"] for row in patient_card(example, "EX-04")["calls"]}
    (evidence,) = [text for text in cold.values() if "CD8 T-cell score" in text]
    assert evidence.count("CD8 T-cell score") == 1
    assert "(present if percentile ≤ 25; present if percentile ≤ 10)" in evidence


def test_twins_and_rankings_of_every_example_patient_hold_no_name(
    example: ProfiledStudy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import numpy as np

    ranked, result = made()
    scores = {r.option.name: np.zeros(40) for r in ranked.ranking.rows}
    first = ranked.ranking.rows[0].option.name
    for patient, profile in example.patients.items():
        record = patient_record(example.done.study, profile, 84.0)
        facts = record.facts
        chances = {fact.target: 0.01 for fact in facts}
        refused = _too_few(12.0, 200.0, 6144, chances, facts)
        assert leaks(refused) == set(), refused
        twins = replace(result.twins, facts=facts, surprise=chances)
        results = [
            PossibleResults(name, "x", ("low", "high"), np.tile([0.5, 0.5], (40, 1))) for name in record.open_questions
        ]
        titles = {r.option.name: r.option.title for r in ranked.ranking.rows}
        following = value_of_information(results, scores, twins.weights, first, titles=titles, permutations=9)
        shown = replace(
            ranked, record=record, followed=replace(ranked.followed, twins=twins), next=following, setting="line 1"
        )
        print_twins(replace(result, record=record, twins=twins))
        print_ranking(shown)
        pages = (
            write_twins(replace(result, record=record, twins=twins), tmp_path / "twins.html", NOTICE),
            write_ranking(shown, tmp_path / "ranking.html", NOTICE),
        )
        texts = [capsys.readouterr().out, *(page_texts(page.read_text(encoding="utf-8")) for page in pages)]
        assert [leaks(text) for text in texts] == [set(), set(), set()], patient


def test_the_protocol_of_a_trial_holds_no_name() -> None:
    said_of = {name: [str(r["Protocol"]) for r in protocol_table(load_trial(name)).rows] for name in shipped_trials()}
    assert len(said_of) > 10
    assert {name: leaks(" ".join(texts)) for name, texts in said_of.items() if leaks(" ".join(texts))} == {}
    keynote = said_of["keynote-024"]
    assert any("ECOG performance status 0 or 1; oncogenic driver not EGFR, ALK" in text for text in keynote)
    assert any("months: response, duration of response" in text for text in keynote)


def test_a_refused_measurement_is_called_by_its_title() -> None:
    """A unit that cannot be converted, a value that no patient can have, and two values that exclude each other."""
    said = []
    for link in profile_links():
        if link.unit in ("", "percentile"):
            continue
        hot = Measurement(link.biomarker, 1.0, "kelvin", "measured", method="test")
        with pytest.raises(InputError) as refused:
            in_unit(hot, link.unit)
        said.append(str(refused.value))
    with pytest.raises(InputError) as refused:
        checked([Fact("ldh_uln", "covariate", value=1e6, biomarker="ldh", measured="1e6 U/L")])
    said.append(str(refused.value))
    both = {n: Measurement(n, "fusion", "", "measured", method="test") for n in ("alk_status", "ret_status")}
    with pytest.raises(InputError) as refused:
        facts_of_measurements(both)
    said.append(str(refused.value))
    assert len(said) > 8
    assert [leaks(text) for text in said if leaks(text)] == []
    assert "Lactate dehydrogenase" in said[-2]
