"""What is written for other simulators gives the same course there; libroadrunner stands for tellurium."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

import immunescape
from immunescape.errors import InputError

REGIMEN = "pembrolizumab 200 mg every 3 weeks"


@pytest.fixture(scope="module")
def course():
    from immunescape.api.model import HARD_TO_LOAD

    model = immunescape.build_model(drugs="pembrolizumab", without=HARD_TO_LOAD)
    patient = immunescape.patient(seed=5)
    names = ["V_T", "diameter_T", "conc_pembrolizumab", "C_total"]
    return patient.simulate(REGIMEN, months=4, model=model, observe=names, every_days=1.0)


def test_sbml_of_the_patient_gives_the_same_course_in_libroadrunner(course):
    roadrunner = pytest.importorskip("roadrunner")
    runner = roadrunner.RoadRunner(course.to_sbml())
    runner.integrator.relative_tolerance, runner.integrator.absolute_tolerance = 1e-8, 1e-14
    runner.integrator.variable_step_size = False
    days = course.table.index.to_numpy()[:100]
    runner.timeCourseSelections = ["time", *course.table.columns]
    values = runner.simulate(days[0], days[-1], len(days))
    for k, name in enumerate(course.table.columns, start=1):
        own = course.table[name].to_numpy()[: len(days)]
        other = np.asarray(values[:, k]) * course.model.scale(name)
        # a dose on an output day may be seen before or after: they come 0.05 days later
        assert other == pytest.approx(own, rel=2e-3, abs=1e-6 * np.abs(own).max()), name


def test_the_document_is_valid_and_holds_every_dose(course):
    import libsbml

    document = libsbml.readSBMLFromString(course.to_sbml())
    assert document.getNumErrors(libsbml.LIBSBML_SEV_ERROR) == 0
    events = [e.getId() for e in document.getModel().getListOfEvents() if e.getId().startswith("dose_")]
    assert len(events) == 2 * len(course.doses)  # each infusion begins and ends


def test_the_archive_holds_a_readable_simulation(course, tmp_path):
    libsedml = pytest.importorskip("libsedml")
    path = course.to_omex(tmp_path / "course.omex")
    with zipfile.ZipFile(path) as archive:
        assert set(archive.namelist()) == {"manifest.xml", "model.xml", "course.sedml", "course.csv"}
        document = libsedml.readSedMLFromString(archive.read("course.sedml").decode())
    assert document.getNumErrors(libsedml.LIBSEDML_SEV_ERROR) == 0
    assert document.getSimulation(0).getNumberOfSteps() + 1 in (len(course.table), len(course.table) - 1)
    assert document.getOutput(0).getNumDataSets() == 1 + course.table.shape[1]


def test_the_petab_problem_passes_its_own_check(course, tmp_path):
    course.to_petab(tmp_path, ["k_growth"])
    petab = pytest.importorskip("petab.v1")
    problem = petab.Problem.from_yaml(tmp_path / "problem.yaml")
    assert not petab.lint_problem(problem)
    assert problem.measurement_df["measurement"].iloc[0] == pytest.approx(1.0)


def test_petab_needs_scans_and_known_parameters(course, tmp_path):
    with pytest.raises(InputError, match="k_growth"):
        course.to_petab(tmp_path, ["k_grwth"])
    planned = course.patient.simulate("none", months=1, conduct="planned", observe=["V_T"])
    with pytest.raises(InputError, match="no scans"):
        planned.to_petab(tmp_path)


def test_without_the_extra_the_error_names_it(course, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "libsedml", None)
    with pytest.raises(InputError, match="exchange"):
        course.to_omex(tmp_path / "x.omex")


@pytest.mark.slow
def test_tellurium_runs_the_archive_to_the_same_course(course, tmp_path):
    """Every dose of the SED-ML simulation is given: the serum concentration is that of our course."""
    pytest.importorskip("tellurium")
    from tellurium.sedml import tesedml

    results = tesedml.executeCombineArchive(str(course.to_omex(tmp_path / "course.omex")), createOutputs=False)
    (values,) = (result["dataGenerators"] for result in results.values())
    for name in course.table.columns:
        own = course.table[name].to_numpy()
        other = np.asarray(values[f"data_{name}"]).ravel() * course.model.scale(name)
        own = own[: len(other)]
        # a dose on an output day may be seen before or after: they come 0.05 days later
        assert other[1:] == pytest.approx(own[1:], rel=2e-3, abs=1e-6 * np.abs(own).max()), name


@pytest.mark.slow
def test_pypesto_finds_the_likelihood_of_our_course(course, tmp_path):
    """pyPESTO simulates the PEtab problem with libroadrunner; at the patient's own values it has our residuals."""
    pytest.importorskip("pypesto")
    petab = pytest.importorskip("pypesto.petab")
    noise = 0.1
    course.to_petab(tmp_path, ["k_growth"])
    importer = petab.PetabImporter.from_yaml(str(tmp_path / "problem.yaml"), simulator_type="roadrunner")
    problem = importer.create_problem()
    theirs = problem.objective(problem.get_reduced_vector(np.asarray(importer.petab_problem.x_nominal_scaled)))
    scans, diameter = course.scans, course.column("diameter_T")
    simulated = np.interp(scans["day"], diameter.index, diameter) / diameter.iloc[0]
    residuals = (scans["sld_mm"] / scans["sld_mm"].iloc[0] - simulated) / noise
    ours = float((0.5 * np.log(2 * np.pi * noise**2) + 0.5 * residuals**2).sum())
    assert theirs == pytest.approx(ours, rel=1e-4)
