"""Other packages add mechanisms, drugs, biomarkers, readers, references, trials, designs, claims; clashes are refused.

The template in ``examples/plugin`` is put where Python finds it as an installed package; a slow test installs it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from immunescape import plugins, testing
from immunescape.errors import ImmunescapeError, InputError, ModelError
from immunescape.model import registry

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "plugin"
Install = Callable[..., Path]


def put_down(site: Path, name: str, package: Path | dict[str, str], points: dict[str, dict[str, str]]) -> Path:
    """Lay a package and its metadata down as an installer does; return the package's folder."""
    folder = site / name.replace("-", "_")
    if isinstance(package, Path):
        shutil.copytree(package, folder)
    else:
        for file, text in {"__init__.py": "", **package}.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text, encoding="utf-8")
    metadata = site / f"{folder.name}-0.1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n")
    lines = [f"[{g}]\n" + "".join(f"{k} = {v}\n" for k, v in e.items()) for g, e in points.items()]
    (metadata / "entry_points.txt").write_text("\n".join(lines))
    return folder


def forget(site: Path) -> None:
    """Undo what packages below a folder have registered, and look anew."""
    from immunescape.profile.biomarkers.registry import BIOMARKERS
    from immunescape.profile.readers._base import READERS

    gone = {n for n, m in sys.modules.items() if str(site) in str(getattr(m, "__file__", ""))}
    for register in (READERS, BIOMARKERS):
        register.forget(gone)
    for name in gone:
        del sys.modules[name]
    plugins.refresh()


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Return a function that installs a package for the length of a test."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def run(name: str, package: Path | dict[str, str], points: dict[str, dict[str, str]]) -> Path:
        folder = put_down(site, name, package, points)
        plugins.refresh()
        return folder

    yield run
    monkeypatch.undo()
    forget(site)


@pytest.fixture
def example(install: Install) -> Path:
    """The template, installed."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    return install(project["name"], EXAMPLE / "src" / "immunescape_example", project["entry-points"])


def test_the_template_adds_one_of_each(example: Path) -> None:
    from immunescape.design.loading import list_designs, load_design
    from immunescape.knowledge.claim_records import load_claims
    from immunescape.knowledge.references import get_reference
    from immunescape.model.parameters import load_parameters
    from immunescape.model.toxicity import toxicity
    from immunescape.profile.biomarkers import biomarkers
    from immunescape.profile.readers import get_reader
    from immunescape.trial.dosing import dose_problem
    from immunescape.trial.loading import list_trials, load_trial

    mechanism, drug = registry.get_mechanism("itaconate"), registry.get_drug("AB154")
    assert Path(mechanism.parameters).parent == example
    assert {"k_ita", "r_ita"} <= set(load_parameters(mechanism.parameters, "itaconate"))
    assert drug.name == "domvanalimab"
    assert get_reference("zhao2022itaconate").fields["year"] == "2022"
    assert toxicity(("domvanalimab",)).grade3 == pytest.approx(0.04)
    assert toxicity(("domvanalimab", "pembrolizumab")).combined
    assert "1200 mg" in str(dose_problem("domvanalimab", 90000, "mg"))
    assert biomarkers()["dnlr"].title.startswith("Derived")
    assert get_reader("lab_export").gives == ("labs",)
    assert "example-domvanalimab" in list_trials()
    assert {"domvanalimab", "pembrolizumab"} <= set(load_trial("Example-Domvanalimab").drugs)
    assert "example-two-stage" in list_designs()
    assert load_design("example-two-stage").patients == 43  # Simon's optimal design
    assert load_design("example-one-stage").rule.kind == "one-stage"
    assert load_claims()[-1].id == "example-itaconate-killing"


def test_everything_is_as_before_without_it() -> None:
    assert "itaconate" not in registry.mechanisms()
    assert plugins.data_folders() == ()


def test_a_study_is_read_and_measured_with_the_template(example: Path, tmp_path: Path) -> None:
    from immunescape.profile.biomarkers import measure
    from immunescape.profile.loading import load_study

    (tmp_path / "labs.csv").write_text(
        "subject;study day;test;result;units\nP1;-3;Neutrophils;6;10^9/L\nP1;-3;leukocytes;8;10^9/L\n"
        "P2;-1;neutrophils;6;10^9/L\n"
    )
    (tmp_path / "patients.csv").write_text("patient\nP1\nP2\n")
    (tmp_path / "manifest.yaml").write_text(
        "study: plug-in\nfiles:\n  - {file: patients.csv, format: patients}\n  - {file: labs.csv, format: lab_export}\n"
    )
    found = measure(load_study(tmp_path), ["dnlr"])["dnlr"]
    assert found["P1"].value == pytest.approx(3.0)
    assert found["P2"].value is None


def test_the_template_keeps_the_contract_but_for_models(example: Path, tmp_path: Path) -> None:
    checked = testing.check_plugin("immunescape-example", models=False)
    assert {"mechanism itaconate", "drug domvanalimab", "biomarker dnlr", "reader lab_export"} <= set(checked)
    assert {"trial example-domvanalimab", "design example-two-stage", "claim example"} <= set(checked)
    assert "kind of design one-stage" in checked
    file = tmp_path / "export.csv"
    file.write_text("subject;study day;test;result;units\nP1;-3;neutrophils;5.2;10^9/L\nP2;;ldh;;U/L\n")
    given = testing.check_reader("lab_export", file)
    assert len(given.tables["labs"]) == 1
    assert given.reads[0].left == "1 rows without a result"


def test_a_mechanism_of_a_plugin_leaves_the_reference_patient_where_he_was(example: Path) -> None:
    """The missing strength is computed, kept and used; without it nothing is simulated."""
    from immunescape.model.assembly import Model
    from immunescape.model.stored import untreated_model
    from immunescape.population.reference_baseline import reference_baseline, with_reference_strengths

    model = Model.build(check_units=False)
    assert model.missing_strengths == (("killing", "itaconate", "itaconate"),)
    with pytest.raises(ModelError, match="no reference strength is stored for killing/itaconate/itaconate"):
        model.to_sbml()
    ready = with_reference_strengths(model)
    assert ready.parameters["X0_killing_itaconate_itaconate"].value > 0.01
    assert untreated_model(ready).missing_strengths == ()
    grown = reference_baseline(ready)
    assert grown.quantities["f_killing"] == pytest.approx(1.0, abs=1e-5)


def test_a_small_trial_runs_with_the_template(example: Path) -> None:
    from immunescape.trial.loading import load_trial
    from immunescape.trial.runner import run_trial

    result = run_trial(load_trial("example-domvanalimab"), patients=4, seed=1, workers=1)
    assert [arm["n"] for arm in result.arms] == [4, 4]
    assert all(arm["failed"] == 0 for arm in result.arms)


# --- what is refused --------------------------------------------------------------------------------------------------

MECHANISM = """
from immunescape.model import Mechanism, Modulation, Quantity, Reaction, State

MECHANISM = Mechanism(
    name="{name}", title="A trial balloon", summary="A mechanism that is there to be refused in a test, no more.",
    references=("rodriguez2004",), parameters="{table}", requires=("tumour_growth", "killing"),
    states=(State("Toy_T", "nanomole", "tumour", "toy"),),
    reactions=(Reaction("toy_loss", "k_toy_loss * Toy_T", "loss", reactants={{"Toy_T": 1}}),),
    quantities=(Quantity("toy_conc_T", "Toy_T / V_T", "micromole/liter", "toy"),),
    modulations=(Modulation("killing", "toy", "inhibits", "{strength}"),),
)
"""
TABLE = (
    "name,value,unit,distribution,spread,lower,upper,source,grade,note\n"
    "k_toy_loss,1,1/day,,,,,assumed,assumed,\nK_toy,1,micromole/liter,,,,,assumed,assumed,\n"
)
MECHANISMS = {"immunescape.mechanisms": {"toy": "extoy.toy:MECHANISM"}}


def toy(**words: str) -> str:
    defaults = {"name": "toy", "table": "toy.csv", "strength": "toy_conc_T / (toy_conc_T + K_toy)"}
    return MECHANISM.format(**defaults | words)


@pytest.mark.parametrize("place", ["toy.csv", "parameters/toy.csv"])
def test_a_table_is_found_beside_the_module(install: Install, place: str) -> None:
    folder = install("extoy", {"toy.py": toy(), place: TABLE}, MECHANISMS)
    assert Path(registry.get_mechanism("toy").parameters) == folder / place


def test_a_table_that_is_not_there_names_the_places(install: Install) -> None:
    folder = install("extoy", {"toy.py": toy()}, MECHANISMS)
    with pytest.raises(ModelError, match=r"parameter table 'toy\.csv' of 'toy' does not exist") as error:
        registry.mechanisms()
    assert str(folder) in str(error.value)
    assert "package 'extoy'" in str(error.value)


def test_a_mechanism_of_a_name_that_is_taken_is_refused(install: Install) -> None:
    install("extoy", {"toy.py": toy(name="arginine"), "toy.csv": TABLE}, MECHANISMS)
    with pytest.raises(
        ModelError, match=r"'arginine' is already registered by immunescape\.model\.mechanisms\.arginine"
    ):
        registry.mechanisms()


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('State("Toy_T", "nanomole", "tumour", "toy")', '"Toy_T"', r"the field 'states' of Mechanism is \('Toy_T',\)"),
        ('"nanomole", "tumour", "toy"', '"nanomole", "tumor", "toy"', r"the field 'compartment' of State is 'tumor'"),
        ('{"Toy_T": 1}', '{"Toy_T": "one"}', r"the field 'reactants' of Reaction is"),
        ('("tumour_growth", "killing")', '"tumour_growth"', r"the field 'requires' of Mechanism is 'tumour_growth'"),
    ],
)
def test_a_field_of_a_wrong_type_is_refused(install: Install, before: str, after: str, message: str) -> None:
    text = toy()
    assert before in text
    install("extoy", {"toy.py": text.replace(before, after), "toy.csv": TABLE}, MECHANISMS)
    with pytest.raises(ModelError, match=message) as error:
        registry.mechanisms()
    assert "package 'extoy'" in str(error.value)


def test_no_record_of_immunescape_has_a_field_of_a_wrong_type() -> None:
    from immunescape.design.kinds import KINDS
    from immunescape.profile.biomarkers import biomarkers
    from immunescape.profile.readers._base import READERS
    from immunescape.record_types import wrong_field

    records = [*registry.mechanisms().values(), *registry.drugs().values(), *biomarkers().values()]
    records += [*READERS.all().values(), *KINDS.all().values()]
    assert len(records) > 250
    assert [wrong for record in records if (wrong := wrong_field(record))] == []


def test_something_else_under_a_group_is_refused(install: Install) -> None:
    install("extoy", {"toy.py": "MECHANISM = 3\n"}, MECHANISMS)
    with pytest.raises(ModelError, match="this is int, not Mechanism"):
        registry.mechanisms()


def test_a_package_that_cannot_be_imported_is_named(install: Install) -> None:
    install("extoy", {"toy.py": "import no_such_module\n"}, MECHANISMS)
    with pytest.raises(ModelError, match="the plug-in cannot be loaded: ModuleNotFoundError") as error:
        registry.mechanisms()
    assert "pip uninstall extoy" in str(error.value)


def test_a_misspelt_group_is_refused(install: Install) -> None:
    install("extoy", {"toy.py": toy()}, {"immunescape.mechanism": {"toy": "extoy.toy:MECHANISM"}})
    with pytest.raises(ModelError, match=r"unknown group of entry points 'immunescape\.mechanism'") as error:
        registry.mechanisms()
    assert "'immunescape.mechanisms'" in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("strength", "why"),
    [
        ("K_toy / toy_conc_T", "the strength 'x_killing_toy_toy' is inf"),
        ("1e9 * V_T / (V_T + toy_volume)", "the reference patient is never diagnosed"),
    ],
)
def test_a_mechanism_whose_strength_cannot_be_settled_is_refused(install: Install, strength: str, why: str) -> None:
    """It is never taken at 0."""
    from immunescape.model.assembly import Model
    from immunescape.population.reference_baseline import with_reference_strengths

    table = TABLE + "toy_volume,1,milliliter,,,,,assumed,assumed,\n"
    install("extoy", {"toy.py": toy(strength=strength), "toy.csv": table}, MECHANISMS)
    model = Model.build(check_units=False)
    with pytest.raises(ModelError, match=f"the reference strengths with toy cannot be computed: {why}"):
        with_reference_strengths(model)


def test_the_command_line_names_a_plugin_that_is_broken(install: Install) -> None:
    from typer.testing import CliRunner

    from immunescape.cli import app

    install("extoy", {"toy.py": "import no_such_module\n"}, MECHANISMS)
    done = CliRunner().invoke(app, ["mechanisms"])
    assert done.exit_code != 0
    assert "pip uninstall extoy" in f"{done.output}{done.exception}"


CLASSES = "drug,class\ntoymab,ici\n"
DOSES = "name,value,unit,source,grade,note\ntoymab,100,mg,assumed,assumed,\n"
HARM = "regimen,quantity,value,unit,n,causality,source,grade,note\n" + "".join(
    f"toymab,{quantity},{value},percent,,treatment,assumed,assumed,\n"
    for quantity, value in (("grade3", 4), ("discontinuation", 2), ("death", 0.1))
)
DRUG = "from immunescape.model.factories import antibody\n\nDRUG = antibody('toymab', " + (
    "targets=('TIGIT',), molar_mass=148000, references=('wang2019',), note='A toy.', dose_units=('mg',), "
    "infusion_hours=1.0, synonyms=())\n"
)
DRUG_TABLE = "name,value,unit,distribution,spread,lower,upper,source,grade,note\n" + "".join(
    f"{name}_toymab,{value},{unit},,,,,assumed,assumed,\n"
    for name, value, unit in (
        ("molar_mass", 148000, "gram/mole"),
        ("cl", 0.25, "liter/day"),
        ("v", 6, "liter"),
        ("kp_T", 0.25, "dimensionless"),
        ("kp_LN", 0.25, "dimensionless"),
        ("kd_TIGIT", 0.5, "nanomole/liter"),
    )
)
DRUG_POINTS = {
    "immunescape.drugs": {"toymab": "extoy.drug:DRUG"},
    "immunescape.data": {"extoy": "extoy.data"},
}
DATA = {
    "data/__init__.py": "",
    "data/drug_classes.csv": CLASSES,
    "data/usual_doses.csv": DOSES,
    "data/toxicity.csv": HARM,
}
WHOLE = {"drug.py": DRUG, "toymab.csv": DRUG_TABLE, **DATA}


def test_a_drug_with_class_dose_and_harm_is_taken(install: Install) -> None:
    install("extoy", WHOLE, DRUG_POINTS)
    assert registry.get_drug("toymab").targets == ("TIGIT",)


def test_a_drug_may_be_a_folder_as_those_of_immunescape_are(install: Install) -> None:
    """Declaration and all tables side by side; both entry points name the folder."""
    files = {f"toymab/{name.removeprefix('data/')}": text for name, text in DATA.items()}
    files |= {"toymab/__init__.py": DRUG, "toymab/parameters.csv": DRUG_TABLE}
    points = {"immunescape.drugs": {"toymab": "extoy.toymab:DRUG"}, "immunescape.data": {"toymab": "extoy.toymab"}}
    folder = install("extoy", files, points)
    assert registry.get_drug("toymab").parameters == folder / "toymab" / "parameters.csv"


def test_a_parameter_table_without_the_module_of_its_drug_is_refused(install: Install) -> None:
    files = {**DATA, "__init__.py": "", "data/parameters.csv": DRUG_TABLE}
    folder = install("extoy", files, {"immunescape.data": {"extoy": "extoy.data"}})
    (folder / "data" / "__init__.py").unlink()
    with pytest.raises(InputError, match=r"unknown file of a plug-in 'parameters\.csv'|no package with files"):
        plugins.data_folders()


def test_a_drug_whose_molar_mass_is_text_is_refused(install: Install) -> None:
    install("extoy", WHOLE | {"drug.py": DRUG.replace("molar_mass=148000", "molar_mass='heavy'")}, DRUG_POINTS)
    with pytest.raises(ModelError, match="the field 'molar_mass' of Drug is 'heavy'") as error:
        registry.drugs()
    assert "package 'extoy'" in str(error.value)


@pytest.mark.parametrize(
    ("file", "before", "after", "message"),
    [
        ("drug.py", "'wang2019'", "'wong2019'", r"of the package 'extoy': unknown reference 'wong2019'"),
        ("toymab.csv", "assumed,assumed", "wong2019,measured", r"toymab\.csv, row 2 .*: unknown reference 'wong2019'"),
        ("data/toxicity.csv", "assumed,assumed", "wong2019,measured", r"line 2: unknown reference 'wong2019'"),
        ("data/usual_doses.csv", ",mg,", ",mL,", r"the usual dose of 'toymab' is in 'mL', in which it cannot be dosed"),
        (
            "data/drug_classes.csv",
            "ici",
            "icii",
            r"No other drug has the class 'icii': correct it in 'drug_classes\.csv'",
        ),
    ],
)
def test_a_drug_with_an_unknown_source_unit_or_class_is_refused(
    install: Install, file: str, before: str, after: str, message: str
) -> None:
    install("extoy", WHOLE | {file: WHOLE[file].replace(before, after, 1)}, DRUG_POINTS)
    with pytest.raises(ImmunescapeError, match=message):
        registry.drugs()


def test_a_mechanism_with_an_unknown_source_is_refused_unless_a_bibliography_lies_beside_its_table(
    install: Install,
) -> None:
    table = TABLE.replace("assumed,assumed", "nobody1900,measured", 1)
    folder = install("extoy", {"toy.py": toy(), "toy.csv": table}, MECHANISMS)
    with pytest.raises(InputError, match="unknown reference 'nobody1900'") as error:
        registry.mechanisms()
    assert str(folder / "toy.csv") in str(error.value)
    (folder / "toy.bib").write_text(
        "@article{nobody1900, author = {Nobody, A}, title = {A}, journal = {B}, year = {1900}}"
    )
    plugins.refresh()
    assert "toy" in registry.mechanisms()


def test_a_synonym_that_is_taken_is_refused_with_its_package(install: Install) -> None:
    install("extoy", WHOLE | {"drug.py": DRUG.replace("synonyms=()", "synonyms=('Keytruda',)")}, DRUG_POINTS)
    with pytest.raises(ModelError, match="'keytruda' names both drugs 'pembrolizumab' and 'toymab'") as error:
        registry.drugs()
    assert "package 'extoy'" in str(error.value)


@pytest.mark.parametrize(
    ("lacking", "message"),
    [
        ("data/drug_classes.csv", "the drug 'toymab' has no class"),
        ("data/usual_doses.csv", "the drug 'toymab' has no usual dose"),
        ("data/toxicity.csv", "the drug 'toymab' has no complete toxicity data"),
    ],
)
def test_a_drug_that_lacks_one_of_them_is_refused(install: Install, lacking: str, message: str) -> None:
    install("extoy", {k: v for k, v in WHOLE.items() if k != lacking}, DRUG_POINTS)
    with pytest.raises(ModelError, match=message) as error:
        registry.drugs()
    assert lacking.removeprefix("data/") in str(error.value)


def test_a_drug_with_part_of_its_harm_is_refused(install: Install) -> None:
    without_events = "".join(line for line in HARM.splitlines(keepends=True) if ",grade3," not in line)
    install("extoy", WHOLE | {"data/toxicity.csv": without_events}, DRUG_POINTS)
    with pytest.raises(ModelError, match="no grade3 is known for toymab"):
        registry.drugs()


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        (
            "drug_classes.csv",
            CLASSES + "pembrolizumab,cytotoxic\n",
            "the drug 'pembrolizumab' already exists in immunescape",
        ),
        (
            "toxicity.csv",
            HARM + "pembrolizumab,grade3,0,percent,,treatment,assumed,assumed,\n",
            "names no drug or class of the plug-in",
        ),
        (
            "toxicity.csv",
            HARM + "ici,death,0,percent,,treatment,assumed,assumed,\n",
            "names no drug or class of the plug-in",
        ),
        ("toxicity.csv", HARM.replace("toymab,grade3,4", "toymab,grade3,many"), "'many' or '' is not a number"),
        ("toxicity.csv", HARM.replace("regimen,quantity", "regime,quantity"), "the columns must be regimen,quantity"),
        ("usual_doses.csv", DOSES + "nivolumab,9999,mg,assumed,assumed,\n", "'nivolumab' already has a row"),
        ("usual_doses.csv", DOSES + "toymab,5,mg\n", "a row has 6 cells"),
        ("usual_doses.csv", DOSES.replace("100", "-100"), "a dose of -100 mg cannot be given"),
    ],
)
def test_a_table_that_would_change_others_or_cannot_be_read_names_its_row(
    install: Install, file: str, text: str, message: str
) -> None:
    from immunescape.model.drug_tables import usual_doses

    folder = install("extoy", WHOLE | {f"data/{file}": text}, DRUG_POINTS)

    def read() -> None:
        registry.drugs()
        usual_doses()

    with pytest.raises(ImmunescapeError, match=message) as error:
        read()
    assert str(folder / "data" / file) in str(error.value)


def test_a_second_drug_without_class_is_refused_as_such(install: Install) -> None:
    second = DRUG.replace("toymab", "othermab")
    table = DRUG_TABLE.replace("toymab", "othermab")
    harm = HARM + "".join(
        line.replace("toymab", "othermab") for line in HARM.splitlines(keepends=True) if line.startswith("toymab")
    )
    install(
        "extoy",
        WHOLE | {"other.py": second, "othermab.csv": table, "data/toxicity.csv": harm},
        DRUG_POINTS | {"immunescape.drugs": {**DRUG_POINTS["immunescape.drugs"], "z": "extoy.other:DRUG"}},
    )
    with pytest.raises(ModelError, match="the drug 'othermab' has no class") as error:
        registry.drugs()
    assert "drug_classes.csv" in str(error.value)


def test_an_error_of_assembly_names_the_package(install: Install) -> None:
    from immunescape.model import Model

    install(
        "extoy", {"toy.py": toy().replace('Modulation("killing"', 'Modulation("kiling"'), "toy.csv": TABLE}, MECHANISMS
    )
    with pytest.raises(ModelError, match="mechanism 'toy' of the package 'extoy': unknown process 'kiling'"):
        Model.build(drugs=[])


@pytest.mark.parametrize(("kind", "field"), [("trials", "keynote-024"), ("designs", "'other' # mine")])
def test_a_trial_or_design_that_gives_itself_another_name_is_refused(install: Install, kind: str, field: str) -> None:
    from immunescape.design.loading import load_design
    from immunescape.trial.loading import load_trial

    folder = install(
        "extoy",
        {"data/__init__.py": "", f"data/{kind}/mine.yaml": f"# mine\nname: {field}\n"},
        {"immunescape.data": {"t": "extoy.data"}},
    )
    with pytest.raises(InputError, match="that of the file is 'mine'") as error:
        load_trial("mine") if kind == "trials" else load_design("mine")
    assert f"{folder / 'data' / kind / 'mine.yaml'}, line 2" in str(error.value)


def test_a_file_without_meaning_is_refused(install: Install) -> None:
    install("extoy", {**DATA, "data/toxicty.csv": HARM}, {"immunescape.data": {"extoy": "extoy.data"}})
    with pytest.raises(InputError, match=r"unknown file of a plug-in 'toxicty\.csv'") as error:
        plugins.data_folders()
    assert "'toxicity.csv'" in str(error.value)


def test_a_data_folder_that_is_not_there_is_refused(install: Install) -> None:
    install("extoy", {"module.py": ""}, {"immunescape.data": {"extoy": "extoy.module"}})
    with pytest.raises(InputError, match="this is not a package with files"):
        plugins.data_folders()


@pytest.mark.parametrize(("kind", "name"), [("trials", "KEYNOTE-024"), ("designs", "pdl1-enrichment")])
def test_a_trial_or_design_of_a_name_that_is_taken_is_refused(install: Install, kind: str, name: str) -> None:
    from immunescape.design.loading import list_designs
    from immunescape.trial.loading import list_trials

    install(
        "extoy",
        {"data/__init__.py": "", f"data/{kind}/{name}.yaml": "x: 1\n"},
        {"immunescape.data": {"t": "extoy.data"}},
    )
    with pytest.raises(InputError, match=f"the name '{name}' is taken by immunescape"):
        list_trials() if kind == "trials" else list_designs()


CLAIM = """chapter: Toys
claims:
- id: {name}
  text: Arginase of suppressor cells impairs killing.
  mechanism: [mdsc]
  change: {{set: {{k_MDSC_rec: x3}}}}
  observe: f_killing
  day: 7
  expect: decrease
"""


def test_a_claim_of_a_plugin_needs_no_place_in_the_review_and_those_of_immunescape_have_one(install: Install) -> None:
    from immunescape.knowledge.claim_records import load_claims, shipped_claims

    files = {"data/__init__.py": "", "data/claims/toys.yaml": CLAIM.format(name="toy-killing")}
    install("extoy", files, {"immunescape.data": {"t": "extoy.data"}})
    assert load_claims()[-1].at == ()
    assert all(claim.at for claim in shipped_claims())


@pytest.mark.slow
def test_the_claims_of_the_template_come_out_as_their_comments_say(example: Path) -> None:
    """The one about killing does not hold, because inhibitions add up and PD-1 is most of their sum."""
    from immunescape.evaluation.claims import run_claims, select_claims
    from immunescape.evaluation.summary import full_model
    from immunescape.model.stored import untreated_model
    from immunescape.population.reference_baseline import with_reference_strengths

    recruits, impairs = run_claims(select_claims("Example of a plug-in"), patients=20, seed=1).claims
    assert recruits.holds
    assert not impairs.holds
    assert impairs.effect is not None
    assert 0.98 < impairs.effect.value < impairs.effect.high < 1.0
    parameters = untreated_model(with_reference_strengths(full_model())).parameters
    before = {name: p.value for name, p in parameters.items() if name.startswith("X0_killing_")}
    alone = before["X0_killing_itaconate_itaconate"]
    more = 0.5 * 5 * alone / (0.5 + 4 * alone)  # r c / (c + K), with five times the concentration c
    inhibiting = sum(x for name, x in before.items() if "immunoediting" not in name)
    assert (1 + alone) / (1 + more) == pytest.approx(0.86, abs=0.01)
    assert 0.99 < (1 + inhibiting) / (1 + inhibiting + more - alone) < 1.0  # as a sum; with squares it is less still
    assert before["X0_killing_pd1_checkpoints_pd1"] > inhibiting / 2


def test_two_plugins_with_one_trial_are_refused(install: Install) -> None:
    from immunescape.trial.loading import list_trials

    for name in ("one", "two"):
        install(
            name,
            {"data/__init__.py": "", "data/trials/same.yaml": "x: 1\n"},
            {"immunescape.data": {name: f"{name}.data"}},
        )
    with pytest.raises(
        InputError, match=r"the name 'same' is taken by entry point one = one\.data of the package 'one'"
    ):
        list_trials()


def test_a_claim_of_an_identifier_that_is_taken_is_refused(install: Install) -> None:
    from immunescape.knowledge.claim_records import load_claims

    text = (
        "chapter: X\nclaims:\n- {id: abstract-scope, at: ['1.1'], text: Something long., kind: context, reason: none}\n"
    )
    install(
        "extoy",
        {"data/__init__.py": "", "data/claims/x.yaml": text},
        {"immunescape.data": {"t": "extoy.data"}},
    )
    with pytest.raises(InputError, match=r"claim 'abstract-scope' is already registered by .*\.yaml, line") as error:
        load_claims()
    assert "x.yaml" in str(error.value)


def test_a_reference_that_disagrees_is_refused(install: Install) -> None:
    from immunescape.knowledge.references import load_references

    bib = "@article{wang2019, title = {Another one}, year = {1999}}\n"
    install(
        "extoy",
        {"data/__init__.py": "", "data/references.bib": bib},
        {"immunescape.data": {"t": "extoy.data"}},
    )
    with pytest.raises(InputError, match="'wang2019' has the title 'Another one' here"):
        load_references()


READER = """
from immunescape.profile.readers import Partial, reader

@reader("{name}", "a second one", ("{gives}",))
def read(path, options):
    return Partial()
"""


@pytest.mark.parametrize(
    ("name", "gives", "message"),
    [
        (
            "maf",
            "mutations",
            r"extoy\.r\.read: format 'maf' is already registered by immunescape\.profile\.readers\.maf\.\w+",
        ),
        ("toy_format", "mutation", "unknown kind of data 'mutation'"),
    ],
)
def test_a_reader_that_clashes_or_gives_what_nobody_knows_is_refused(
    install: Install, name: str, gives: str, message: str
) -> None:
    from immunescape.profile.readers import all_readers

    install(
        "extoy",
        {"r.py": READER.format(name=name, gives=gives)},
        {"immunescape.readers": {"x": "extoy.r:read"}},
    )
    with pytest.raises(ImmunescapeError, match=message):
        all_readers()


def test_a_biomarker_that_clashes_is_refused(install: Install) -> None:
    from immunescape.profile.biomarkers import biomarkers

    text = (
        "from immunescape.profile.biomarkers.registry import Biomarker\n"
        "B = Biomarker(name='tmb', title='T', family='tmb', unit='1', definition='d', function=lambda study: {},\n"
        "              needs=('labs',))\n"
    )
    install("extoy", {"b.py": text}, {"immunescape.biomarkers": {"x": "extoy.b:B"}})
    with pytest.raises(ImmunescapeError, match=r"'tmb' is already registered by immunescape\.profile\.biomarkers\.tmb"):
        biomarkers()


KIND = """
from immunescape_example.one_stage import OneStage, Options, make
from immunescape.design.kinds import DesignKind

class Other(OneStage):
    kind = "{name}"

KIND = DesignKind(Other, Options, make, reads={reads}, one_arm=True)
"""


@pytest.mark.parametrize(
    ("name", "reads", "message"),
    [
        ("two-stage", "()", "kind of design 'two-stage' is already registered by immunescape"),
        ("one-stage", "()", "kind of design 'one-stage' is already registered by entry point"),
        ("other", "('look',)", "unknown shared field of a design 'look'"),
    ],
)
def test_a_kind_of_design_that_clashes_is_refused(
    example: Path, install: Install, name: str, reads: str, message: str
) -> None:
    from immunescape.design.kinds import plugin_kinds

    text = KIND.format(name=name, reads=reads)
    install("extoy", {"k.py": text}, {"immunescape.designs": {"zz": "extoy.k:KIND"}})
    with pytest.raises(InputError, match=message):
        plugin_kinds()


def test_a_kind_of_design_holds_its_level_and_agrees_with_its_formula(example: Path) -> None:
    testing.check_design("example-one-stage", trials=4000)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("p1: 0.4}", "p1: 0.4, p2: 1}", r"line 12, options\.p2: unknown option of 'one-stage' 'p2'"),
        ("p0: 0.2, p1", "p0: 20, p1", r"line 12, options\.p0: p0: input should be less than 1"),
        ("{endpoint: orr, p0: 0.2, p1: 0.4}", "{endpoint: orr, p0: 0.2}", "p1: field required"),
        ("options: {endpoint: orr", "options: {endpoint: os", r"line 12, options: there is no endpoint 'os'"),
        ("kind: one-stage", "kind: one-stag", r"line 4, kind: unknown word 'one-stag'(.|\n)*'one-stage'"),
        ("kind: one-stage", "kind: two-stage", "field 'options' is read in kinds of designs that plug-ins provide"),
        ("options:", "looks: [{patients: 40}]\noptions:", "field 'looks' is not read in a 'one-stage' design"),
    ],
)
def test_a_file_of_a_kind_from_outside_is_checked_like_others(
    example: Path, tmp_path: Path, old: str, new: str, message: str
) -> None:
    from immunescape.design.loading import load_design

    text = (example / "data" / "designs" / "example-one-stage.yaml").read_text()
    assert old in text
    file = tmp_path / "mine.yaml"
    file.write_text(text.replace(old, new))
    with pytest.raises(InputError, match=message) as error:
        load_design(file)
    assert "mine.yaml" in str(error.value)


# --- the contract suite refuses what is wrong ------------------------------------------------------------------------


def test_a_strength_that_divides_by_zero_breaks_the_contract(tmp_path: Path) -> None:
    (tmp_path / "toy.csv").write_text(TABLE)
    spoilt: dict[str, object] = {}
    exec(compile(toy(strength="K_toy / toy_conc_T"), "toy", "exec"), spoilt)
    with pytest.raises(AssertionError, match="not finite at the start, where 'toy' is in the model"):
        testing.check_mechanism(spoilt["MECHANISM"], folder=tmp_path)  # type: ignore[arg-type]


def test_an_unknown_source_a_missing_meaning_and_a_short_summary_break_it(tmp_path: Path) -> None:
    (tmp_path / "toy.csv").write_text(TABLE)
    good: dict[str, object] = {}
    exec(compile(toy(), "toy", "exec"), good)
    mechanism = good["MECHANISM"]
    (tmp_path / "other.csv").write_text(TABLE.replace("assumed,assumed", "nobody1900,fitted"))
    for change, message in (
        ({"summary": "Short."}, "shorter than a sentence"),
        ({"references": ("nobody1900",)}, "unknown reference 'nobody1900'"),
        ({"states": (replace(mechanism.states[0], meaning=""),)}, "does not say what it means"),  # type: ignore[attr-defined]
        ({"parameters": "other.csv"}, "unknown reference 'nobody1900'"),
    ):
        with pytest.raises((AssertionError, ImmunescapeError), match=message):
            testing.check_mechanism(replace(mechanism, **change), folder=tmp_path)  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("check", "given", "message"),
    [
        (testing.check_mechanism, 5, "this is int, not Mechanism"),
        (testing.check_drug, None, "this is NoneType, not Drug"),
        (testing.check_mechanism, "kiling", "'killing'"),
        (testing.check_drug, "pembrolizumb", "'pembrolizumab'"),
        (testing.check_biomarker, "nlrr", "'nlr'"),
        (testing.check_biomarker, 5, "this is int, not Biomarker"),
        (testing.check_claims, "no-such.yaml", "no-such.yaml: no such file"),
    ],
)
def test_what_cannot_be_checked_is_named(check: Callable[[object], None], given: object, message: str) -> None:
    with pytest.raises((AssertionError, ImmunescapeError), match=message):
        check(given)


def test_a_biomarker_that_guesses_or_answers_for_some_breaks_the_contract() -> None:
    from immunescape.knowledge.profile_records import Measurement
    from immunescape.profile.biomarkers import biomarkers

    good = biomarkers()["nlr"]
    testing.check_biomarker(good)

    def guess(study):
        return {p: Measurement("nlr", 1.0, "x", "measured", method="guess") for p in study.patient_ids}

    with pytest.raises((AssertionError, ImmunescapeError), match="is 'nlr' in 'x'"):
        testing.check_biomarker(replace(good, function=guess))

    def meddle(study):
        study.labs["value"] = 1.0
        return {}

    with pytest.raises(AssertionError, match="changes the table 'labs'"):
        testing.check_biomarker(replace(good, function=meddle))
    with pytest.raises(AssertionError, match="has no limits"):
        testing.check_biomarker(replace(good, limits=""))


def test_a_reader_that_ends_in_another_error_breaks_the_contract(tmp_path: Path) -> None:
    import pandas as pd

    from immunescape.profile.readers import Partial, Reader

    def careless(path, options):
        table = pd.read_csv(path, sep=";")
        given = Partial(tables={"labs": table})
        given.note(path.name, "labs", len(table), len(table))
        return given

    file = tmp_path / "labs.csv"
    file.write_text("patient;analyte;value\nP1;ldh;200\n")
    with pytest.raises(AssertionError, match="ends in EmptyDataError for a file empty"):
        testing.check_reader(Reader("careless", "careless", ("labs",), {}, careless), file)
    with pytest.raises(AssertionError, match="gives 'labs', which it does not declare"):
        testing.check_reader(Reader("careless", "careless", ("tcr",), {}, careless), file)


def test_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(AssertionError, match="no package 'nothing-of-the-kind' is installed"):
        testing.check_plugin("nothing-of-the-kind")


# --- a fresh environment ----------------------------------------------------------------------------------------------


def build_wheel(folder: Path) -> Path:
    """Write the template as a wheel, as its own build does: for where setuptools and wheel are not at hand."""
    import base64
    import hashlib
    import zipfile

    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    tree = folder / "tree"
    tree.mkdir()
    put_down(tree, project["name"], EXAMPLE / "src" / "immunescape_example", project["entry-points"])
    metadata = next(tree.glob("*.dist-info"))
    (metadata / "WHEEL").write_text("Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    files = sorted(p for p in tree.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    record = []
    for file in files:
        digest = base64.urlsafe_b64encode(hashlib.sha256(file.read_bytes()).digest()).rstrip(b"=").decode()
        record.append(f"{file.relative_to(tree).as_posix()},sha256={digest},{file.stat().st_size}")
    record.append(f"{metadata.name}/RECORD,,")
    (metadata / "RECORD").write_text("\n".join(record) + "\n")
    wheel = folder / f"{metadata.name.removesuffix('.dist-info')}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for file in [*files, metadata / "RECORD"]:
            archive.write(file, file.relative_to(tree).as_posix())
    return wheel


def test_the_build_of_the_template_takes_every_file_along() -> None:
    from fnmatch import fnmatch

    setup = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["tool"]["setuptools"]
    source = EXAMPLE / setup["packages"]["find"]["where"][0]
    for file in source.rglob("*"):
        if not file.is_file() or file.suffix in (".py", ".pyc") or "egg-info" in str(file):
            continue
        taken = [
            package
            for package, patterns in setup["package-data"].items()
            if file.is_relative_to(folder := source / package.replace(".", "/"))
            and any(fnmatch(file.relative_to(folder).as_posix(), pattern) for pattern in patterns)
        ]
        assert taken, f"{file} would not be installed"


@pytest.mark.slow
def test_the_template_installs_into_a_fresh_environment_and_runs_a_trial(tmp_path: Path) -> None:
    """pip installs it without a network; the command line finds everything, and a small trial runs."""
    venv.create(tmp_path / "env", with_pip=True, system_site_packages=True)
    python = tmp_path / "env" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    asked = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    purelib = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    # what this interpreter can import, the new one can: the dependencies are not installed again
    paths = [p for p in sys.path if p and Path(p).is_dir() and p != sysconfig.get_path("stdlib")]
    (Path(purelib) / "parent.pth").write_text("\n".join(str(Path(p).resolve()) for p in paths))
    if subprocess.run([python, "-c", "import setuptools, wheel"], check=False, capture_output=True).returncode:
        source = build_wheel(tmp_path)
    else:
        source = tmp_path / "plugin"
        shutil.copytree(EXAMPLE, source)
    options = ["--no-index", "--no-deps", "--no-build-isolation", "--quiet"]
    done = subprocess.run([python, "-m", "pip", "install", *options, str(source)], check=False, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()

    def ask(code: str) -> str:
        done = subprocess.run([python, "-c", code], check=False, capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    command = "import sys; from immunescape.cli import main; sys.argv[1:] = {}; main()"
    assert "zhao2022itaconate" in ask(command.format(["show", "itaconate"]))
    assert "example-domvanalimab" in ask("from immunescape.trial.loading import list_trials; print(list_trials())")
    words = ["trial", "example-domvanalimab", "--patients", "4", "--workers", "1", "--out", str(tmp_path / "out")]
    ask(command.format(words))
    assert (tmp_path / "out" / "result.json").is_file()


# --- the guide --------------------------------------------------------------------------------------------------------


def guide_blocks() -> list[tuple[str, str]]:
    """Code of CONTRIBUTING.md that begins with the name of a file of the template: (file, code)."""
    import re

    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return re.findall(r"```\w+\n# (examples/plugin/\S+)\n(.*?)```", text, flags=re.DOTALL)


def test_the_code_of_the_guide_is_that_of_the_template() -> None:
    """The guide shows what these tests run: whole lines of the template's files, in their order."""
    blocks = guide_blocks()
    assert len(blocks) >= 4
    for file, code in blocks:
        content = (ROOT / file).read_text(encoding="utf-8")
        for part in code.strip().split("\n...\n"):
            assert part.strip("\n") in content, f"CONTRIBUTING.md shows what {file} does not hold:\n{part}"
