"""A course for other simulators: SBML of this patient with the doses, a COMBINE archive with SED-ML, a PEtab problem.

The SBML holds the patient's parameters and state at day 0, and every dose that was given: boluses are events, infusions
a zero-order input that two events switch on and off. What a simulator makes of it is the column of
`PatientCourse.table` divided by the scale of the unit (`Model.scale`): the document is in the base units of the model
(day, cm, cell, nmol, mg).
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from immunescape.errors import InputError, several, unknown_word

if TYPE_CHECKING:
    from immunescape.patients.course import PatientCourse

__all__ = ["patient_sbml", "write_omex", "write_petab"]

INPUT = "infusion_into_"
_HINT = "Choose another folder, or make room."


def patient_sbml(course: PatientCourse) -> str:
    """SBML Level 3 Version 2 of the course's model with this patient's parameters, state at day 0 and doses."""
    import libsbml

    from immunescape.engine.sbml.dose_events import add_dose_event
    from immunescape.patients.engine_doses import engine_doses

    document = libsbml.readSBMLFromString(course.model.to_sbml())
    model = document.getModel()
    for name, value in course.start["parameters"].items():
        parameter = model.getParameter(name)
        if parameter is None or model.getAssignmentRule(name) is not None:
            continue
        model.removeInitialAssignment(name)
        parameter.setValue(float(value))
    for name, value in course.start["states"].items():
        species = model.getSpecies(name)
        model.removeInitialAssignment(name)
        if species is not None:
            species.setInitialAmount(float(value))
        elif model.getParameter(name) is not None:
            model.getParameter(name).setValue(float(value))
    doses = engine_doses(course)
    inputs = sorted({t for t, d in zip(doses.target, doses.duration, strict=True) if d > 0})
    for target in inputs:
        _add_input(model, target)
    number = 0
    for day, target, amount, duration in zip(
        doses.time.tolist(), doses.target, doses.amount.tolist(), doses.duration.tolist(), strict=True
    ):
        if duration > 0:
            rate = amount / duration
            add_dose_event(model, number, day, INPUT + target, rate)
            add_dose_event(model, number + 1, day + duration, INPUT + target, -rate)
            number += 2
        else:
            add_dose_event(model, number, day, target, amount)
            number += 1
    return str(libsbml.writeSBMLToString(document))


def _add_input(model: Any, target: str) -> None:
    """A zero-order input of adjustable rate into a state."""
    import libsbml

    parameter = model.createParameter()
    parameter.setId(INPUT + target)
    parameter.setConstant(False)
    parameter.setValue(0.0)
    reaction = model.createReaction()
    reaction.setId("input_" + target)
    reaction.setReversible(False)
    product = reaction.createProduct()
    product.setSpecies(target)
    product.setStoichiometry(1.0)
    product.setConstant(True)
    reaction.createKineticLaw().setMath(libsbml.parseL3Formula(INPUT + target))


def _module(name: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError:
        raise InputError(f"{name} is not installed", hint="pip install 'immunescape[exchange]'") from None


def write_omex(course: PatientCourse, path: str | Path) -> Path:
    """Write a COMBINE archive: the patient's SBML, a SED-ML uniform time course with the course's outputs, the table.

    Parameters
    ----------
    course
        A course with evenly spaced days.
    path
        File that ends with ``.omex``.

    Raises
    ------
    InputError
        Where the extra ``exchange`` is not installed, or the days are not evenly spaced but for the last.
    """
    from immunescape.files import whole_file

    libsedml = _module("libsedml")
    path = Path(path)
    days = course.table.index.to_numpy(dtype=float)
    steps = np.diff(days)
    even = len(days) - 1 if np.allclose(steps, steps[0]) else len(days) - 2
    if even < 1 or not np.allclose(steps[:even], steps[0]):
        raise InputError("the days of the course are not evenly spaced", hint="Simulate with every_days.")
    document = libsedml.SedDocument(1, 4)
    model = document.createModel()
    model.setId("patient")
    model.setSource("model.xml")
    model.setLanguage("urn:sedml:language:sbml.level-3.version-2")
    simulation = document.createUniformTimeCourse()
    simulation.setId("days")
    simulation.setInitialTime(0.0)
    simulation.setOutputStartTime(0.0)
    simulation.setOutputEndTime(float(days[even]))
    simulation.setNumberOfSteps(even)
    algorithm = simulation.createAlgorithm()
    algorithm.setKisaoID("KISAO:0000019")  # CVODE
    for kisao, value in (("KISAO:0000209", "1e-6"), ("KISAO:0000211", "1e-12")):  # relative and absolute tolerance
        parameter = algorithm.createAlgorithmParameter()
        parameter.setKisaoID(kisao)
        parameter.setValue(value)
    task = document.createTask()
    task.setId("course")
    task.setModelReference("patient")
    task.setSimulationReference("days")
    report = document.createReport()
    report.setId("table")
    species = set(course.model.states)
    _generator(libsedml, document, report, "time", None)
    for name in course.table.columns:
        kind = "species" if name in species else "parameter"
        _generator(
            libsedml, document, report, str(name), f"/sbml:sbml/sbml:model/descendant::sbml:{kind}[@id='{name}']"
        )
    manifest = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<omexManifest xmlns="http://identifiers.org/combine.specifications/omex-manifest">\n'
        '  <content location="." format="http://identifiers.org/combine.specifications/omex"/>\n'
        '  <content location="./model.xml" format="http://identifiers.org/combine.specifications/sbml"/>\n'
        '  <content location="./course.sedml" format="http://identifiers.org/combine.specifications/sed-ml" '
        'master="true"/>\n'
        '  <content location="./course.csv" format="http://purl.org/NET/mediatypes/text/csv"/>\n'
        "</omexManifest>\n"
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.xml", manifest)
        archive.writestr("model.xml", patient_sbml(course))
        archive.writestr("course.sedml", libsedml.writeSedMLToString(document))
        archive.writestr("course.csv", course.table.to_csv())
    with whole_file(path, "cannot write the archive", hint=_HINT) as file:
        file.write(buffer.getvalue())
    return path


def _generator(libsedml: Any, document: Any, report: Any, name: str, target: str | None) -> None:
    generator = document.createDataGenerator()
    generator.setId(f"data_{name}")
    generator.setName(name)
    variable = generator.createVariable()
    variable.setId(f"value_{name}")
    variable.setTaskReference("course")
    if target is None:
        variable.setSymbol("urn:sedml:symbol:time")
    else:
        variable.setTarget(target)
    generator.setMath(libsedml.parseL3Formula(f"value_{name}"))
    data = report.createDataSet()
    data.setId(f"set_{name}")
    data.setLabel(name)
    data.setDataReference(f"data_{name}")


def write_petab(
    course: PatientCourse, folder: str | Path, estimate: str | Sequence[str] = (), *, noise: float = 0.1
) -> list[Path]:
    """Write a PEtab problem (version 1): this patient's model and scans, parameters to be estimated.

    The measurements are the scans as changes of the sum of diameters relative to the baseline; the observable is the
    model's diameter relative to its value at day 0.

    Parameters
    ----------
    course
        A course with scans (``conduct="trial"``).
    folder
        Where to write.
    estimate
        Parameters that pyPESTO is to estimate, in the base units of the SBML; their bounds are a hundredth and a
        hundred times the patient's own value.
    noise
        Standard deviation of the relative diameter.

    Raises
    ------
    InputError
        For a course without scans, an unknown parameter, or one whose value is not positive.
    """
    from immunescape.files import check_folder, whole_file

    if len(course.scans) < 2:
        raise InputError(
            "the course has no scans", hint='Simulate with conduct="trial" for longer than the first scan.'
        )
    if not (math.isfinite(noise) and noise > 0):
        raise InputError(f"noise is {noise}", hint="A positive number, such as 0.1.")
    values: Mapping[str, float] = course.start["parameters"]
    rows = ["parameterId\tparameterScale\tlowerBound\tupperBound\tnominalValue\testimate"]
    for name in dict.fromkeys(several(estimate)):
        if name not in course.model.parameters:
            raise unknown_word("parameter", name, course.model.parameters)
        value = float(values.get(name, course.model.parameters[name].base))
        if value <= 0:
            raise InputError(f"'{name}' is {value:g}, which has no logarithm", hint="Estimate positive parameters.")
        rows.append(f"{name}\tlog10\t{0.01 * value!r}\t{100.0 * value!r}\t{value!r}\t1")
    start = float(course.start_diameter_cm)
    root = Path(folder)
    check_folder(root)
    scans = course.scans
    measured = ["observableId\tsimulationConditionId\ttime\tmeasurement"]
    baseline = float(scans["sld_mm"].iloc[0])
    for day, size in zip(scans["day"].tolist(), scans["sld_mm"].tolist(), strict=True):
        measured.append(f"relative_diameter\tpatient\t{float(day)!r}\t{float(size) / baseline!r}")
    texts = {
        "model.xml": patient_sbml(course),
        "parameters.tsv": "\n".join(rows) + "\n",
        "conditions.tsv": "conditionId\npatient\n",
        "observables.tsv": "observableId\tobservableFormula\tnoiseFormula\tobservableTransformation\n"
        f"relative_diameter\tdiameter_T / {start!r}\t{noise!r}\tlin\n",
        "measurements.tsv": "\n".join(measured) + "\n",
        "problem.yaml": "format_version: 1\nparameter_file: parameters.tsv\nproblems:\n  - sbml_files: [model.xml]\n"
        "    condition_files: [conditions.tsv]\n    observable_files: [observables.tsv]\n"
        "    measurement_files: [measurements.tsv]\n",
    }
    written = []
    for name, text in texts.items():
        with whole_file(root / name, "cannot write the PEtab problem", hint=_HINT) as file:
            file.write(text.encode("utf-8"))
        written.append(root / name)
    return written
