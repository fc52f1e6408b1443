"""Regimen text: what is read, what is refused, and that the canonical text reads back."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from immunescape.errors import InputError
from immunescape.trial.grammar import parse_regimen
from immunescape.trial.regimen import DoseRule, Duration, Phase, Regimen

DRUGS = [
    "ALT-803",
    "anlotinib",
    "atezolizumab",
    "bevacizumab",
    "carboplatin",
    "cetuximab",
    "cisplatin",
    "durvalumab",
    "fludarabine",
    "gemcitabine",
    "ipilimumab",
    "nab_paclitaxel",
    "nivolumab",
    "pembrolizumab",
    "pemetrexed",
    "sintilimab",
    "tremelimumab",
]


def parse(text: str) -> Regimen:
    return parse_regimen(text, DRUGS)


def only(text: str) -> DoseRule:
    regimen = parse(text)
    assert len(regimen.phases) == 1
    assert len(regimen.phases[0].rules) == 1
    return regimen.phases[0].rules[0]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("pembrolizumab 200 mg every 3 weeks for up to 35 cycles", DoseRule("pembrolizumab", 200, "mg", 21, cycles=35)),
        (
            "gemcitabine 1250 mg/m2 on days 1 and 8 every 3 weeks",
            DoseRule("gemcitabine", 1250, "mg/m2", 21, days=(1, 8)),
        ),
        ("Gemcitabine 1250 mg/m^2 days 1, 8, and 15 q4w", DoseRule("gemcitabine", 1250, "mg/m2", 28, days=(1, 8, 15))),
        ("ipilimumab 1 mg/kg every 6 weeks", DoseRule("ipilimumab", 1, "mg/kg", 42)),
        (
            "durvalumab 10 mg/kg q2w up to 12 months",
            DoseRule("durvalumab", 10, "mg/kg", 14, limit=Duration(12, "month")),
        ),
        ("anlotinib 12 mg days 1-14 q3w", DoseRule("anlotinib", 12, "mg", 21, days=tuple(range(1, 15)))),
        (
            "anlotinib 12 mg daily on days 1-14 every 3 weeks",
            DoseRule("anlotinib", 12, "mg", 21, days=tuple(range(1, 15))),
        ),
        ("anlotinib 5 mg twice daily orally", DoseRule("anlotinib", 5, "mg", 1, per_day=2, route="oral")),
        (
            "nivolumab 240 mg every 2 weeks until progression or unacceptable toxicity",
            DoseRule("nivolumab", 240, "mg", 14, until_progression=True),
        ),
        (
            "ALT-803 6 µg/kg subcutaneously weekly 5 of 6 weeks",
            DoseRule("ALT-803", 6, "ug/kg", 42, days=(1, 8, 15, 22, 29), route="sc"),
        ),
        (
            "nab-paclitaxel 100 mg/m² over 30 minutes weekly",
            DoseRule("nab_paclitaxel", 100, "mg/m2", 7, infusion_hours=0.5),
        ),
        ("carboplatin AUC6 (max 900 mg) q21d", DoseRule("carboplatin", 6, "AUC", 21, max_mg=900)),
        (
            "cetuximab 400 mg/m2 loading dose, then 250 mg/m2 weekly",
            DoseRule("cetuximab", 250, "mg/m2", 7, loading=400),
        ),
        (
            "cetuximab 250 mg/m2 with a loading dose 400 mg/m2 every week",
            DoseRule("cetuximab", 250, "mg/m2", 7, loading=400),
        ),
        ("tremelimumab 300 mg once", DoseRule("tremelimumab", 300, "mg", None)),
        ("fludarabine 25 mg/m2 on days 1-5 once", DoseRule("fludarabine", 25, "mg/m2", None, days=(1, 2, 3, 4, 5))),
        ("nivolumab 3 mg/kg q2w from cycle 2", DoseRule("nivolumab", 3, "mg/kg", 14, start_day=15)),
        ("nivolumab 3 mg/kg q2w from week 3", DoseRule("nivolumab", 3, "mg/kg", 14, start_day=15)),
        (
            "gemcitabine 1000 mg/m2 on days 1 and 8 q3w for 8 doses",
            DoseRule("gemcitabine", 1000, "mg/m2", 21, days=(1, 8), cycles=4),
        ),
    ],
)
def test_reads_one_drug(text: str, rule: DoseRule) -> None:
    assert only(text) == rule


def test_schedule_is_shared_by_drugs_of_a_phase() -> None:
    regimen = parse(
        "carboplatin AUC 5 + pemetrexed 500 mg/m2 every 3 weeks for 4 cycles, then pemetrexed 500 mg/m2 every 3 weeks"
    )
    doublet, maintenance = regimen.phases
    assert [(r.drug, r.interval_days, r.cycles) for r in doublet.rules] == [
        ("carboplatin", 21, 4),
        ("pemetrexed", 21, 4),
    ]
    assert [(r.drug, r.interval_days, r.cycles) for r in maintenance.rules] == [("pemetrexed", 21, None)]
    assert regimen.drugs == ("carboplatin", "pemetrexed")
    assert regimen.phase_starts() == (0.0, 84.0)
    assert math.isinf(regimen.length_days)


def test_days_are_not_shared_and_an_own_interval_is_kept() -> None:
    regimen = parse("cisplatin 75 mg/m2 + gemcitabine 1250 mg/m2 on days 1 and 8 every 3 weeks for 4 cycles")
    assert regimen.rules[0].days == (1,)
    assert regimen.rules[0].cycles == 4
    regimen = parse("atezolizumab 1200 mg q3w + bevacizumab 15 mg/kg q3w + carboplatin AUC 6 q3w for 4 cycles")
    assert [r.cycles for r in regimen.rules] == [None, None, 4]


@pytest.mark.parametrize(
    "text", ["placebo", "observation", "best supportive care", "placebo every 2 weeks for 12 months"]
)
def test_no_drug(text: str) -> None:
    regimen = parse(text)
    assert regimen.drugs == ()
    assert regimen.length_days == 0
    assert regimen.planned(1000) == []
    assert parse(str(regimen)) == regimen


def test_placebo_beside_a_drug_is_kept_in_the_text() -> None:
    regimen = parse("placebo every 3 weeks + pemetrexed 500 mg/m2 every 3 weeks")
    assert regimen.drugs == ("pemetrexed",)
    assert str(regimen) == "pemetrexed 500 mg/m2 every 3 weeks + placebo"


def test_planned_doses() -> None:
    regimen = parse("gemcitabine 1250 mg/m2 on days 1 and 8 q3w for 2 cycles, then after 2 weeks nivolumab 240 mg q2w")
    times = [(d.time_days, regimen.phases[d.phase].rules[d.rule].drug) for d in regimen.planned(85)]
    assert times == [
        (0, "gemcitabine"),
        (7, "gemcitabine"),
        (21, "gemcitabine"),
        (28, "gemcitabine"),
        (56, "nivolumab"),
        (70, "nivolumab"),
        (84, "nivolumab"),
    ]
    assert len(parse("durvalumab 10 mg/kg q2w up to 12 months").planned(1e4)) == 27  # days 0, 14, ..., 364
    assert len(parse("anlotinib 12 mg days 1-14 q3w").planned(42)) == 28
    assert len(parse("anlotinib 12 mg twice daily").planned(10)) == 20


def test_rules_without_end_stop_with_their_phase() -> None:
    regimen = parse("durvalumab 1500 mg q3w + carboplatin AUC 5 q3w for 4 cycles, then durvalumab 1500 mg q4w")
    times = [d.time_days for d in regimen.planned(200) if regimen.phases[d.phase].rules[d.rule].drug == "durvalumab"]
    assert times == [0, 21, 42, 63, 84, 112, 140, 168, 196]


REFUSED = [
    (
        "pembrolizumb 200 mg every 3 weeks",
        "unknown drug 'pembrolizumb'",
        "^^^^^^^^^^^^\n  Did you mean 'pembrolizumab'",
    ),
    ("pembrolizumab 200 mgg q3w", "unknown unit 'mgg'", "'mg'"),
    ("gemcitabine 1250 mg/m3 q3w", "unknown unit 'mg/m3'", "'mg/m2'"),
    ("pembrolizumab 200 q3w", "the dose of pembrolizumab has no unit", "^^^"),
    ("pembrolizumab every 3 weeks", "the dose of pembrolizumab is missing", "^^^^^^^^^^^^^"),
    ("pembrolizumab 200 mg evry 3 weeks", "unknown word 'evry'", "'every'"),
    ("pembrolizumab 200 mg every 3 weks", "unknown unit of time 'weks'", "'weeks'"),
    ("pembrolizumab 200 mg q3w for 4 cyles", "unknown word 'cyles'", "'cycles'"),
    ("pembrolizumab 200 mg q3w until progresion", "unknown word 'progresion'", "'progression'"),
    ("pembrolizumab 200 mg", "how often pembrolizumab is given is missing", "every 3 weeks"),
    ("pembrolizumab 200 mg q3w + carboplatin AUC 5", "how often carboplatin is given is missing", "^^^^^^^^^^^"),
    ("pembrolizumab 200 mg q3w every 2 weeks", "the interval of pembrolizumab is given twice", "^^^^^^^^^^^^^"),
    ("pembrolizumab 200 mg q3w, carboplatin AUC 5 q3w", "a comma between drugs", "'+'"),
    ("pembrolizumab 200 mg q3w then nivolumab 240 mg q2w", "what comes before 'then' never ends", "for 4 cycles"),
    ("placebo then nivolumab 240 mg q2w", "nothing is given before 'then'", "^^^^"),
    ("carboplatin AUC 5 q3w for 4-6 cycles", "'4-6' is a range of cycles", "choice:"),
    ("carboplatin 5 AUC q3w", "'AUC' stands before its number", "AUC 5"),
    ("nivolumab 0 mg q2w", "a dose must be greater than zero", "^^^^"),
    ("nivolumab 3,5 mg/kg q2w", "a comma inside a number", "point"),
    ("nivolumab 300 mg/kg q2w", "300 mg/kg is 44 times the largest usual dose of nivolumab (480 mg)", "^^^^^^^^^"),
    ("nivolumab -3 mg/kg q2w", "the dose of nivolumab is missing", "mg"),
    ("gemcitabine 1250 mg/m2 on days 1 and 28 q3w", "day 28 lies after the end of a cycle of 21 days", "^^"),
    ("gemcitabine 1250 mg/m2 on days 8 and 1 q3w", "days of a cycle must increase", "^"),
    ("gemcitabine 1250 mg/m2 on days 1 and 8 q3w for 3 doses", "3 doses do not fill whole cycles", "^^^"),
    ("nivolumab 240 mg biweekly", "'biweekly' is ambiguous", "every 2 weeks"),
    ("nivolumab 240 mg once every 2 weeks", "nivolumab is given once and repeatedly", "^^^^^"),
    ("nivolumab 240 mg q2w for 0 cycles", "an end must lie after the start", "^"),
    ("nivolumab 240 mg q0w", "an interval must be from 1 day to 10 years", "^^^"),
    ("nivolumab 240 mg q2w over 30 mins", "unknown unit of time 'mins'", "'min'"),
    (
        "cetuximab 400 mg/m2 loading dose then 250 mg weekly",
        "the loading dose and the dose of cetuximab differ in unit",
        "^",
    ),
    ("ALT-803 6 ug/kg weekly 6 of 5 weeks", "6 of 5 weeks", "whole cycle"),
    ("nivolumab 240 mg q2w from cycle", "a number is expected", "^"),
    ("nivolumab 240 mg q2w (max 300 mg", "')' is expected here", "^"),
    ("nivolumab 240 mg = q2w", "'=' has no meaning here", "^"),
    ("nivolumab 240 mg q2w 3", "'3' has no meaning here", "^"),
    ("", "an empty regimen", "observation"),
    ("+ nivolumab 240 mg q2w", "the name of a drug is expected here", "^"),
]


@pytest.mark.parametrize(("text", "message", "shown"), REFUSED, ids=[text or "empty" for text, _, _ in REFUSED])
def test_refuses(text: str, message: str, shown: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text)
    assert message in caught.value.message
    assert shown in str(caught.value)


def test_points_at_the_place_and_names_the_file() -> None:
    with pytest.raises(InputError) as caught:
        parse_regimen("carboplatin AUC 5 + pemetrexd 500 mg/m2 q3w", DRUGS, where="my.yaml, line 7")
    lines = str(caught.value).splitlines()
    assert lines[0] == "my.yaml, line 7: unknown drug 'pemetrexd'"
    assert lines[2].index("^") == lines[1].index("pemetrexd")
    assert lines[2].count("^") == len("pemetrexd")


def test_units_are_those_of_the_drug() -> None:
    class Record:
        dose_units = ("AUC", "mg")
        synonyms = ("Paraplatin",)

    assert parse_regimen("paraplatin AUC 5 q3w", {"carboplatin": Record()}).drugs == ("carboplatin",)
    with pytest.raises(InputError, match="carboplatin is not dosed in mg/kg") as caught:
        parse_regimen("carboplatin 5 mg/kg q3w", {"carboplatin": Record()})
    assert "Give it in AUC or mg." in str(caught.value)


def test_registered_drugs_are_known_by_brand_name() -> None:
    assert str(parse_regimen("Keytruda 200 mg q3w")) == "pembrolizumab 200 mg every 3 weeks"
    with pytest.raises(InputError, match="pembrolizumab is not dosed in mg/m2"):
        parse_regimen("pembrolizumab 200 mg/m2 q3w")


# --- round trip -----------------------------------------------------------------------------------------------------

_amounts = st.one_of(st.integers(1, 40).map(float), st.floats(0.001, 30, allow_nan=False))


@st.composite
def rules(draw: st.DrawFn, ends: bool) -> DoseRule:
    interval = draw(st.one_of(st.none(), st.integers(1, 60)))
    longest = 40 if interval is None else interval
    days = tuple(sorted(draw(st.sets(st.integers(1, longest), min_size=1, max_size=10))))
    unit = draw(st.sampled_from(["mg", "mg/kg", "AUC", "ug/kg"]))
    repeated = interval is not None
    kind = draw(st.sampled_from(["cycles", "limit", "both"] if ends else ["cycles", "limit", "both", "none"]))
    limit = Duration(draw(_amounts), draw(st.sampled_from(["day", "week", "month", "year"])))
    return DoseRule(
        drug=draw(st.sampled_from(["nab_paclitaxel", "ALT-803", "cetuximab", "sintilimab"])),
        amount=min(draw(_amounts), 5.0),
        unit=unit,
        interval_days=interval,
        days=days,
        per_day=draw(st.integers(1, 4)),
        cycles=draw(st.integers(1, 60)) if repeated and kind in ("cycles", "both") else None,
        limit=limit if repeated and kind in ("limit", "both") else None,
        start_day=draw(st.sampled_from([1, 2, 8, 22])),
        until_progression=draw(st.booleans()) if repeated else False,
        loading=draw(st.one_of(st.none(), _amounts.map(lambda a: min(a, 5.0)))),
        max_mg=draw(st.one_of(st.none(), _amounts)),
        infusion_hours=draw(
            st.one_of(st.none(), st.integers(1, 119).map(lambda m: m / 60), st.integers(2, 96).map(float))
        ),
        route=draw(st.sampled_from([None, "iv", "sc", "oral"])),
    )


@st.composite
def regimens(draw: st.DrawFn) -> Regimen:
    count = draw(st.integers(1, 3))
    phases = []
    for p in range(count):
        last = p == count - 1
        size = draw(st.integers(1, 3))
        phase = tuple(draw(rules(ends=not last and k == 0)) for k in range(size))
        inactive = draw(st.sampled_from([(), ("placebo",)]))
        phases.append(Phase(phase, inactive, draw(st.integers(0, 30)) if p else 0))
    return Regimen(tuple(phases))


@given(regimens())
@settings(max_examples=150, deadline=None)
def test_canonical_text_reads_back(regimen: Regimen) -> None:
    text = str(regimen)
    assert parse(text) == regimen
    assert str(parse(text)) == text


@given(st.text(alphabet="pembrolizumab 200mg/kq3w+,then()AUC.-days for", max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_is_read_or_refused_in_words(text: str) -> None:
    try:
        regimen = parse(text)
    except InputError:
        return
    assert parse(str(regimen)) == regimen


# --- courses of radiation, cells, units of activity, on-off schedules -----------------------------------------------

WEEKDAYS = tuple(7 * week + day for week in range(6) for day in range(1, 6))


class _Radiation:
    dose_units = ("Gy",)
    synonyms = ()
    route = "external"
    route_states: dict[str, str] = {}  # noqa: RUF012


class _Cells:
    dose_units = ("cells", "cells/kg")
    synonyms = ()
    route = "iv"
    route_states: dict[str, str] = {}  # noqa: RUF012


class _Tablet:
    dose_units = ("mg",)
    synonyms = ()
    route = "oral"
    route_states: dict[str, str] = {}  # noqa: RUF012


SPECIAL = {"radiotherapy": _Radiation(), "TIL": _Cells(), "sotorasib": _Tablet(), "aldesleukin": None}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("radiotherapy 60 Gy in 30 fractions", DoseRule("radiotherapy", 2, "Gy", None, days=WEEKDAYS)),
        ("radiotherapy 8 Gy x 3", DoseRule("radiotherapy", 8, "Gy", None, days=(1, 2, 3))),
        ("radiotherapy 3 x 8 Gy every 2 days", DoseRule("radiotherapy", 8, "Gy", None, days=(1, 3, 5))),
        ("radiotherapy 8 Gy x3 every other day", DoseRule("radiotherapy", 8, "Gy", None, days=(1, 3, 5))),
        ("radiotherapy 18 Gy × 3 on days 1, 4 and 8", DoseRule("radiotherapy", 18, "Gy", None, days=(1, 4, 8))),
        ("radiotherapy 34 Gy once", DoseRule("radiotherapy", 34, "Gy", None)),
        (
            "radiotherapy 45 Gy in 30 fractions twice daily",
            DoseRule("radiotherapy", 1.5, "Gy", None, days=WEEKDAYS[:15], per_day=2),
        ),
        ("TIL 1e9 cells once", DoseRule("TIL", 1e9, "cells", None)),
        ("TIL 5 x 10^10 cells once", DoseRule("TIL", 5e10, "cells", None)),
        ("TIL 1e6 cells/kg once", DoseRule("TIL", 1e6, "cells/kg", None)),
        ("sotorasib 960 mg once daily", DoseRule("sotorasib", 960, "mg", 1)),
        ("sotorasib 960 mg daily 5 days on 2 off", DoseRule("sotorasib", 960, "mg", 7, days=(1, 2, 3, 4, 5))),
        ("sotorasib 960 mg 2 weeks on, 1 week off", DoseRule("sotorasib", 960, "mg", 21, days=tuple(range(1, 15)))),
        ("sotorasib 960 mg on weekdays", DoseRule("sotorasib", 960, "mg", 7, days=(1, 2, 3, 4, 5))),
        ("sotorasib 960 mg every 12 hours", DoseRule("sotorasib", 960, "mg", 1, per_day=2)),
        (
            "aldesleukin 600000 IU/kg every 8 hours for 6 doses",
            DoseRule("aldesleukin", 600_000, "IU/kg", 1, per_day=3, cycles=2),
        ),
        (
            "aldesleukin 18 MIU/m2 sc on days 1-5 q4w",
            DoseRule("aldesleukin", 18, "MIU/m2", 28, days=(1, 2, 3, 4, 5), route="sc"),
        ),
    ],
)
def test_courses_cells_and_activity(text: str, rule: DoseRule) -> None:
    regimen = parse_regimen(text, SPECIAL)
    assert regimen.rules == (rule,)
    assert parse_regimen(str(regimen), SPECIAL) == regimen


def test_lymphodepletion_then_cells_then_interleukin() -> None:
    regimen = parse_regimen(
        "fludarabine 25 mg/m2 on days 1-5 once, then after 1 day TIL 5e10 cells once,"
        " then aldesleukin 600000 IU/kg every 8 hours for 6 doses",
        ["fludarabine", "TIL", "aldesleukin"],
    )
    assert regimen.phase_starts() == (0.0, 6.0, 7.0)
    times = [d.time_days for d in regimen.planned(30)]
    assert times == pytest.approx([0, 1, 2, 3, 4, 6, 7, 7 + 1 / 3, 7 + 2 / 3, 8, 8 + 1 / 3, 8 + 2 / 3])


@pytest.mark.parametrize(
    ("text", "message", "shown"),
    [
        ("radiotherapy 60 Gy once", "60 Gy in one fraction", "in 30 fractions"),
        ("radiotherapy 60 Gy in 30 fraktions", "unknown word 'fraktions'", "'fractions'"),
        ("radiotherapy 60 mg in 30 fractions", "radiotherapy is not dosed in mg", "Gy"),
        ("radiotherapy 60 Gy in 30 fractions for 4 cycles", "the end of radiotherapy is given twice", "^"),
        ("radiotherapy 45 Gy in 15 fractions twice daily", "15 fractions do not fill whole days", "^"),
        ("radiotherapy 24 Gy in 3 fractions on days 1 and 3", "3 fractions do not fill the days", "^"),
        ("sotorasib 960 mg sc daily", "sotorasib is not given sc", "It is given oral."),
        ("sotorasib 960 mg every 5 hours", "every 5 hours is not part of a day", "6, 8, 12 or 24"),
        ("sotorasib 960 mg 5 days on 2 of", "unknown word 'of'", "'off'"),
        ("TIL 1e9 cels once", "unknown unit 'cels'", "'cells'"),
        ("TIL 1e9 cells/m2 once", "unknown unit 'cells/m2'", "'cells/kg'"),
    ],
)
def test_refuses_courses(text: str, message: str, shown: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_regimen(text, SPECIAL)
    assert message in caught.value.message
    assert shown in str(caught.value)
