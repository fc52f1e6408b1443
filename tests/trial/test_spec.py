"""Trial files: those that ship, the template, and every way in which a file is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from immunescape.errors import InputError
from immunescape.trial.grammar import parse_regimen
from immunescape.trial.loading import list_trials, load_trial, read_trial, trial_template
from immunescape.trial.schema import json_schema
from immunescape.trial.spec import Trial

BASIC = """\
name: my-trial
title: My trial
population:
  stage: IV
  line: 1
  pdl1: {assay: 22C3, range: [50, 100]}
arms:
  - name: new
    role: experimental
    n: 10
    regimen: pembrolizumab 200 mg every 3 weeks
  - name: old
    role: control
    n: 10
    choice:
      - regimen: docetaxel 75 mg/m2 every 3 weeks
        when: {histology: squamous}
      - regimen: pemetrexed 500 mg/m2 every 3 weeks
        when: {histology: nonsquamous}
visits: every 9 weeks
follow_up_months: 24
endpoints:
  primary: [pfs]
published:
  arms:
    - name: new
      orr_pct: 40
      orr_ci: [30, 50]
"""


def read(text: str) -> Trial:
    return read_trial("t.yaml", text)


def edit(old: str, new: str) -> str:
    assert BASIC.count(old) == 1, old
    return BASIC.replace(old, new)


def test_reads_a_small_file() -> None:
    trial = read(BASIC)
    assert trial.name == "my-trial"
    assert [arm.name for arm in trial.arms] == ["new", "old"]
    assert trial.control is not None
    assert trial.control.name == "old"
    assert next(c.regimen.drugs for arm in trial.arms for c in arm.choices) == ("pembrolizumab",)
    assert {"pembrolizumab", "docetaxel", "pemetrexed"} <= set(trial.drugs)  # and what may follow progression
    assert trial.arms[0].stop_at_progression
    assert [str(c) for c in trial.population.criteria] == ["stage IV", "pdl1_tps 50-100 %"]
    assert "if histology squamous" in trial.arms[1].regimen
    assert trial.published is not None
    assert trial.published.as_result()["arms"][0]["orr_ci"] == [30, 50]


def test_a_trial_says_how_specific_its_model_is_and_is_by_default_as_the_package() -> None:
    from immunescape.model.specificity import DEFAULT

    assert read(BASIC).specificity == DEFAULT
    assert read(BASIC + "specificity: sparse\n").specificity == "sparse"
    with pytest.raises(InputError, match="specificity"):
        read(BASIC + "specificity: sprase\n")


def test_the_control_comes_last_whatever_the_order() -> None:
    first, second = BASIC.index("  - name: new"), BASIC.index("  - name: old")
    end = BASIC.index("visits:")
    swapped = BASIC[:first] + BASIC[second:end] + BASIC[first:second] + BASIC[end:]
    assert [arm.role for arm in read(swapped).arms] == ["experimental", "control"]


REFUSED = [
    # what is written instead, what it is written for, line, field, message, hint
    ("  stage: IV", "  stag: IV", 4, "population.stag", "unknown field 'stag'", "Did you mean 'stage'?"),
    ("title: My trial\n", "", 1, "", "field 'title' is missing", ""),
    ("name: my-trial", "name: My Trial", 1, "name", "'My Trial' is not a valid name", "lower case"),
    ("stage: IV", "stage: V", 4, "population.stage", "unknown value of stage 'V'", "'IV'"),
    ("line: 1", "line: first", 5, "population.line", "'first' is not a line of treatment", "'2+'"),
    ("line: 1", "line: 2", 5, "population.line", "line 2 of treatment needs 1 before it, 'prior' has 0", "prior:"),
    ("assay: 22C3", "assay: 22C4", 6, "population.pdl1.assay", "unknown word '22C4'", "'22C3'"),
    ("22C3, range: [50", "SP142, range: [30", 6, "population.pdl1.range", "30 is not a cut-off of SP142", "22C3"),
    ("range: [50, 100]", "range: [100, 50]", 6, "population.pdl1.range", "the range exceeds", "lowest"),
    ("range: [50, 100]", "range: [50, 101]", 6, "population.pdl1.range[2]", "less than or equal to 100", ""),
    ("role: control", "role: controll", 13, "arms[2].role", "unknown word 'controll'", "'control'"),
    ("role: control", "role: experimental", 7, "arms", "no arm is the control", "role: control"),
    ("role: experimental", "role: control", 13, "arms[2].role", "two control arms", "experimental"),
    ("name: old", "name: new", 12, "arms[2].name", "two arms are named 'new'", ""),
    (
        "pembrolizumab 200 mg every",
        "pembrolizumab 200 mgg every",
        11,
        "arms[1].regimen",
        "unknown unit 'mgg'",
        "^^^\n  Did you mean 'mg'",
    ),
    ("docetaxel 75", "docetaxl 75", 16, "arms[2].choice[1].regimen", "unknown drug 'docetaxl'", "'docetaxel'"),
    ("75 mg/m2", "7500 mg/m2", 16, "arms[2].choice[1].regimen", "75 times the largest usual dose", "^^^^"),
    (
        "{histology: squamous}",
        "{histolgy: squamous}",
        17,
        "arms[2].choice[1].when.histolgy",
        "unknown covariate 'histolgy'",
        "'histology'",
    ),
    (
        "{histology: squamous}",
        "{histology: squamus}",
        17,
        "arms[2].choice[1].when.histology",
        "unknown value of histology 'squamus'",
        "'squamous'",
    ),
    (
        "{histology: nonsquamous}",
        "{histology: squamous}",
        15,
        "arms[2].choice",
        "no choice for patients with histology nonsquamous",
        "without 'when'",
    ),
    ("visits: every 9 weeks", "visits: every 9 weaks", 20, "visits", "unknown unit of time 'weaks'", "'weeks'"),
    ("follow_up_months: 24", "follow_up_months: -1", 21, "follow_up_months", "greater than 0", ""),
    ("follow_up_months: 24", "follow_up_months: long", 21, "follow_up_months", "valid number", "given: 'long'"),
    ("primary: [pfs]", "primary: [psf]", 23, "endpoints.primary[1]", "unknown word 'psf'", "'pfs'"),
    (
        "    - name: new\n      orr",
        "    - name: nwe\n      orr",
        26,
        "published.arms[1].name",
        "unknown arm 'nwe'",
        "'new'",
    ),
    (
        "orr_ci: [30, 50]",
        "orr_ci: [41, 50]",
        28,
        "published.arms[1].orr_ci",
        "the value 40 lies outside its interval",
        "",
    ),
    ("orr_ci: [30, 50]", "orr_ci: [50, 30]", 28, "published.arms[1].orr_ci", "the interval exceeds", ""),
    (
        "orr_ci: [30, 50]",
        "km: {pfs: [{months: 6, percent: 40}, {months: 3, percent: 60}]}",
        28,
        "published.arms[1].km.pfs",
        "a survival curve advances in time and never rises",
        "",
    ),
    ("    n: 10\n    regimen", "    n: 0\n    regimen", 10, "arms[1].n", "greater than or equal to 1", "given: 0"),
    (
        "    n: 10\n    choice",
        "    n: 10\n    regimen: placebo\n    choice",
        12,
        "arms[2]",
        "either 'regimen' or 'choice'",
        "",
    ),
    ("    n: 10\n    regimen", "    n: 10\n    n: 11\n    regimen", 11, "", "field 'n' is given twice", ""),
    (
        "  line: 1",
        "  line: 1\n  covariates: {aeg: {low: 18}}",
        6,
        "population.covariates.aeg",
        "unknown covariate",
        "'age'",
    ),
    (
        "  line: 1",
        "  line: 1\n  covariates: {age: {lo: 18}}",
        6,
        "population.covariates.age.lo",
        "unknown field 'lo'",
        "'low'",
    ),
    ("  line: 1", "  line: 1\n  covariates: {age: 18}", 6, "population.covariates.age", "'age' needs a range", "low"),
    (
        "  line: 1",
        "  line: 1\n  covariates: {albumin_g_l: {low: 350}}",
        6,
        "population.covariates.albumin_g_l.low",
        "350 is outside what serum albumin can be",
        "unit",
    ),
    (
        "  line: 1",
        "  line: 1\n  covariates: {ecog: 1}\n  ecog: [0]",
        6,
        "population.covariates.ecog",
        "two criteria",
        "",
    ),
    (
        "  line: 1",
        "  line: 1\n  drivers: {exclude: [EGRF]}",
        6,
        "population.drivers.exclude[1]",
        "unknown driver",
        "'EGFR'",
    ),
    (
        "  line: 1",
        "  line: 1\n  drivers: {exclude: [EGFR], require: [EGFR]}",
        6,
        "population.drivers",
        "no driver remains",
        "",
    ),
    (
        "  line: 1",
        "  line: 1\n  mix: {histology: {squamous: 0.8, nonsquamous: 0.4}}",
        6,
        "mix.histology",
        "add up to 1.2",
        "",
    ),
    (
        "  line: 1",
        "  line: 1\n  mix: {pdl1_tps: {high: 0.4}}",
        6,
        "mix.pdl1_tps.high",
        "not a level of pdl1_tps",
        "'>=50'",
    ),
    ("  line: 1", "  line: 1\n  region: europe", 6, "population.region", "unknown word 'europe'", "western"),
    (
        "visits:",
        "randomisation: {stratify_by: [ecg]}\nvisits:",
        20,
        "stratify_by[1]",
        "unknown covariate 'ecg'",
        "'ecog'",
    ),
    (
        "  arms:\n    - name: new",
        "  km_file: {os: no.csv}\n  arms:\n    - name: new",
        25,
        "km_file.os",
        "no such file",
        "",
    ),
    ("population:\n", "prior: [a]\npopulation:\n", 3, "prior[1]", "a block with the fields", "outcome"),
    ("title: My trial", "title: [", 4, "", "not valid YAML", "indentation"),
    ("title: My trial", "title: 5", 2, "title", "text is expected, not 5", "quotes"),
]


@pytest.mark.parametrize(("old", "new", "line", "field", "message", "hint"), REFUSED, ids=[r[1][:40] for r in REFUSED])
def test_refuses(old: str, new: str, line: int, field: str, message: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        read(edit(old, new))
    shown = str(caught.value)
    assert f"t.yaml, line {line}" in shown
    assert field in shown
    assert message in shown
    assert hint in shown


def test_all_problems_are_told_at_once() -> None:
    text = edit("visits: every 9 weeks", "visits: every 9 weaks").replace("docetaxel 75", "docetaxl 75")
    with pytest.raises(InputError) as caught:
        read(text)
    assert "2 problems" in str(caught.value)
    assert "line 16" in str(caught.value)
    assert "line 20" in str(caught.value)
    text = edit("  stage: IV", "  stag: IV").replace("role: control", "role: controll")
    with pytest.raises(InputError, match="2 problems"):
        read(text)


@pytest.mark.parametrize(
    ("region", "problems", "words"),
    [
        ("{western: 0.5, asia: 0.5}", 1, ("region.asia", "Did you mean 'east_asian'?")),
        ("asia", 1, ("population.region: unknown word 'asia'", "Did you mean 'east_asian'?")),
        ("{western: 70, east_asian: 30}", 2, ("0.7 for 70 %", "0.3 for 30 %")),
    ],
)
def test_a_field_of_two_forms_is_judged_by_the_form_that_was_written(
    region: str, problems: int, words: tuple[str, ...]
) -> None:
    with pytest.raises(InputError) as caught:
        read_trial("t.yaml", BASIC.replace("  line: 1\n", f"  line: 1\n  region: {region}\n"))
    assert str(caught.value).count("t.yaml, line") == problems
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize("text", ["", "# nothing\n"])
def test_an_empty_file(text: str) -> None:
    with pytest.raises(InputError, match="the file is empty"):
        read(text)


def test_a_list_is_no_trial() -> None:
    with pytest.raises(InputError, match="a block with the fields name, title"):
        read("- a\n- b\n")


def test_a_bomb_of_references_is_refused() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(8)
    )
    with pytest.raises(InputError, match="too large or too deeply nested"):
        read(bomb)


def test_no_python_object_is_made() -> None:
    with pytest.raises(InputError, match="not valid YAML"):
        read("name: !!python/object/apply:os.system ['true']\n")


# --- what ships -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list_trials())
def test_shipped_trials_load_and_their_texts_read_back(name: str) -> None:
    trial = load_trial(name)
    assert trial.name == name
    assert trial.published is not None
    assert [arm.name for arm in trial.published.arms] == [arm.name for arm in trial.arms]
    assert trial.arms[-1].role == ("control" if len(trial.arms) > 1 else "experimental")
    for arm in trial.arms:
        for choice in arm.choices:
            assert parse_regimen(str(choice.regimen)) == choice.regimen


@pytest.mark.parametrize("name", list_trials())
def test_references_of_shipped_trials_are_in_the_bibliography(name: str) -> None:
    from immunescape.knowledge.references import load_references

    known = load_references()
    trial = load_trial(name)
    assert trial.published is not None
    keys = set(trial.references)
    for sources in trial.published.sources.values():
        keys |= {key.strip() for key in sources.split(";")}
    assert keys
    assert keys <= set(known)


IN_TABLE = {
    "sintilimab-anlotinib": "sintilimab + anlotinib phase Ib",
    "nivolumab-alt-803": "ALT-803 + nivolumab phase Ib",
    "til-nivolumab": "TIL + nivolumab phase I",
}


UNSCORED = [name for name in list_trials() if name.startswith(("birch-", "fir-"))]
"""Trials that serve the comparison with measured lesions alone; the table of published trials does not hold them."""


def test_unscored_trials_have_no_role() -> None:
    from immunescape.evaluation.trial_classes import roles

    assert len(UNSCORED) == 6
    assert set(list_trials()) - set(roles()) == set(UNSCORED)


@pytest.mark.parametrize("name", [name for name in list_trials() if name not in UNSCORED])
def test_shipped_results_agree_with_the_table_of_published_trials(name: str, shared_data: Path) -> None:
    import pandas as pd

    table = pd.read_csv(shared_data / "trials.csv")
    trial = load_trial(name)
    title = IN_TABLE.get(name, name)
    rows = table[table.trial.str.casefold().str.replace(" ", "-") == title.casefold().replace(" ", "-")]
    assert len(rows) == len(trial.arms)
    published = trial.published
    assert published is not None
    for row, arm, design in zip(rows.itertuples(), published.arms, trial.arms, strict=True):
        assert design.n == row.n
        if name != "til-nivolumab":  # the table gives its responses in words
            assert arm.orr_pct == pytest.approx(row.orr_pct, abs=0.5)
        for stated, given in (
            (arm.pfs_median_months, row.pfs_median_months),
            (arm.os_median_months, row.os_median_months),
        ):
            assert (stated is None and pd.isna(given)) or stated == pytest.approx(given)
    first = rows.iloc[0]
    if len(rows) > 1:
        assert published.pfs_hr == pytest.approx(first.pfs_hr)
        assert published.os_hr == pytest.approx(first.os_hr)
        assert published.os_hr_ci == pytest.approx((first.os_hr_low, first.os_hr_high))
    assert str(trial.visits) == first.scan_schedule
    assert trial.endpoints.assessor == first.assessor


@pytest.mark.parametrize(
    ("name", "file", "arms"),
    [
        ("keynote-024", "keynote024", {"pembrolizumab": "pembrolizumab", "chemo": "platinum doublet"}),
        ("checkmate-017", "checkmate017", {"nivolumab": "nivolumab", "d1": "docetaxel"}),
        ("checkmate-057", "checkmate057", {"nivolumab": "nivolumab", "d1": "docetaxel"}),
    ],
)
def test_landmarks_agree_with_the_digitised_curves(
    name: str, file: str, arms: dict[str, str], shared_data: Path
) -> None:
    """Stated survival at up to 12 months within 2.5 points of a Kaplan-Meier estimate from digitised event times."""
    import pandas as pd
    from lifelines import KaplanMeierFitter

    published = load_trial(name).published
    assert published is not None
    compared = 0
    for endpoint in ("pfs", "os"):
        table = pd.read_csv(shared_data / "km" / f"{file}_{endpoint}.csv")
        for label, arm_name in arms.items():
            rows = table[table.arm == label]
            curve = KaplanMeierFitter().fit(rows.time, rows.event)
            arm = published.arm(arm_name)
            assert arm is not None
            for months, percent in arm.km.get(endpoint, ()):
                if months <= 12:
                    assert 100 * float(curve.predict(months)) == pytest.approx(percent, abs=2.5)
                    compared += 1
            if endpoint == "pfs":
                assert curve.median_survival_time_ == pytest.approx(arm.pfs_median_months, abs=0.15)
    assert compared >= 2


def test_response_intervals_are_exact_binomial_ones() -> None:
    """69 of 154 and 42 of 151 responded in KEYNOTE-024; its intervals are those of Clopper and Pearson."""
    from scipy.stats import binomtest

    published = load_trial("keynote-024").published
    assert published is not None
    for arm, responders in zip(published.arms, (69, 42), strict=True):
        assert arm.n is not None
        exact = binomtest(responders, arm.n).proportion_ci(method="exact")
        assert arm.orr_pct == pytest.approx(100 * responders / arm.n, abs=0.05)
        assert arm.orr_ci == pytest.approx((100 * exact.low, 100 * exact.high), abs=0.05)


def test_keynote_024() -> None:
    trial = load_trial("KEYNOTE-024")
    control = trial.arms[-1]
    assert trial.arms[0].regimen == "pembrolizumab 200 mg every 3 weeks for up to 35 cycles"
    assert trial.follow_up_months == 60
    assert control.crossover is not None
    assert control.crossover.of == "randomised"
    assert control.crossover.patients(80, 100) == pytest.approx(66)
    weights = {c.regimen.drugs: 0.0 for c in control.choices}
    for choice in control.choices:
        weights[choice.regimen.drugs] += choice.weight
    counts = {"pemetrexed": 103, "carboplatin": 67 + 20 + 17}
    assert weights["carboplatin", "pemetrexed"] + weights["cisplatin", "pemetrexed"] == counts["pemetrexed"]


def test_the_template_loads() -> None:
    trial = read_trial("template.yaml", trial_template())
    assert [arm.role for arm in trial.arms] == ["experimental", "control"]
    assert trial.prior[0].outcome == "progressed"
    assert trial.arms[1].subsequent[0].fraction == 0.3


def test_the_json_schema_accepts_what_ships_and_refuses_what_is_misspelt() -> None:
    import jsonschema
    import yaml

    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for text in [trial_template(), *(load_trial(name).text for name in list_trials())]:
        assert list(validator.iter_errors(yaml.safe_load(text))) == []
    wrong = yaml.safe_load(edit("  stage: IV", "  stag: IV"))
    assert list(validator.iter_errors(wrong)) != []
    assert json.loads(json.dumps(schema)) == schema


def test_every_field_has_a_meaning() -> None:
    schema = json_schema()
    blocks = [schema, *schema["$defs"].values()]
    without = [
        f"{block.get('title')}.{name}"
        for block in blocks
        for name, field in block.get("properties", {}).items()
        if not field.get("description") and "$ref" not in field
    ]
    assert without == []
    assert all(block.get("description") for block in schema["$defs"].values())


def test_files_and_names(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(BASIC)
    trial = load_trial(path)
    assert trial.file == str(path)
    assert trial.text == BASIC
    with pytest.raises(InputError, match="unknown trial 'keynote-24'") as caught:
        load_trial("keynote-24")
    assert "'keynote-024'" in str(caught.value)
    with pytest.raises(InputError, match="no such file"):
        load_trial(tmp_path / "missing.yaml")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot be read"):
        load_trial(path)


def test_curves_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "os.csv").write_text("time,event,arm\n5.0,0,new\n3.0,1,new\n4.5,1,old\n")
    path = tmp_path / "mine.yaml"
    path.write_text(BASIC + "  km_file: {os: os.csv}\n")
    trial = load_trial(path)
    assert trial.published is not None
    assert trial.published.curves == {"os": {"new": ((3.0, True), (5.0, False)), "old": ((4.5, True),)}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time,event\n1,1\n", "os.csv: the column 'arm' is missing"),
        ("time,event,arm\n1,1,new\n-2,1,new\n", "os.csv, line 3: '-2' is not a time in months"),
        ("time,event,arm\nlong,1,new\n", "os.csv, line 2: 'long' is not a time in months"),
        ("time,event,arm\n1,2,new\n", "os.csv, line 2: '2' is not an event"),
        ("time,event,arm\n1,1,nwe\n", "os.csv, line 2: unknown arm 'nwe'\n  Did you mean 'new'?"),
        ("time,event,arm\n1,1\n", "os.csv, line 2: unknown arm 'None'"),
        ("time,event,arm\n", "os.csv: the file contains no event times"),
        ("", "os.csv: the column 'time' is missing"),
    ],
)
def test_curves_that_cannot_be_read(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "os.csv").write_text(text)
    path = tmp_path / "mine.yaml"
    path.write_text(BASIC + "  km_file: {os: os.csv}\n")
    with pytest.raises(InputError) as caught:
        load_trial(path)
    assert message in str(caught.value)


def test_light_import() -> None:
    import subprocess
    import sys

    heavy = "('yaml', 'pydantic', 'pandas')"
    code = (
        f"import sys, immunescape.trial.loading as s; s.list_trials(); print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
