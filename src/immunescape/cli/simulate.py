"""The command ``immunescape simulate``: one virtual patient under one or more regimens."""

from __future__ import annotations

import json as json_module
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from immunescape.cli import completion
from immunescape.cli.folders import Force, check_results_folder
from immunescape.cli.options import Engine, JsonNotTables, Mechanisms, Seed
from immunescape.cli.running import mechanisms_of
from immunescape.errors import InputError

if TYPE_CHECKING:
    from immunescape.patients import PatientCourses, VirtualPatient
    from immunescape.patients.relief import LimitingStep

__all__ = ["register"]

FILES = ("course.csv", "doses.csv", "scans.csv", "course.json", "course.png")
"""What `simulate` writes."""


def simulate_command(
    *,
    regimens: Annotated[
        list[str] | None,
        typer.Argument(
            help="Regimens, such as 'pembrolizumab 200 mg every 3 weeks', or none; several are compared side by side."
        ),
    ] = None,
    months: Annotated[float, typer.Option("--months", "-m", help="Duration of follow-up.")] = 24.0,
    seed: Seed = 1,
    covariate: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            help="NAME=VALUE: a covariate of the patient, such as pdl1_tps=60; repeatable.",
            autocompletion=completion.covariates,
        ),
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="NAME=VALUE or NAME=x2: a parameter, changed from day 0; repeatable.",
            autocompletion=completion.parameters,
        ),
    ] = None,
    number: Annotated[int | None, typer.Option("--id", min=0, help="Number of the patient (id in --run).")] = None,
    mechanism: Mechanisms = None,
    run: Annotated[Path | None, typer.Option("--run", help="Folder of a run from which patient --id is taken.")] = None,
    arm: Annotated[str | None, typer.Option("--arm", help="Arm of that run.")] = None,
    trial: Annotated[
        Path | None,
        typer.Option(
            "--trial",
            help="Trial file of that run, if it is not an included trial.",
            autocompletion=completion.trial_files,
        ),
    ] = None,
    region: Annotated[
        str, typer.Option("--region", help="western or east_asian.", autocompletion=completion.regions)
    ] = "western",
    planned: Annotated[
        bool,
        typer.Option("--planned", help="Give every planned dose and simulate the model only: no toxicity, no death."),
    ] = False,
    scans: Annotated[
        str | None, typer.Option("--scans", help="Visit schedule [default: weeks 6 and 12 then every 9 weeks].")
    ] = None,
    observe: Annotated[
        list[str] | None,
        typer.Option("--observe", help="State or quantity of the model to output and plot; repeatable."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder for course.csv, doses.csv, scans.csv, course.json, course.png."),
    ] = None,
    limiting: Annotated[
        bool,
        typer.Option(
            "--limiting", help="Also relieve each step of the cancer-immunity cycle in turn and name the limiting one."
        ),
    ] = False,
    as_json: JsonNotTables = False,
    force: Force = False,
    engine: Engine = "auto",
) -> None:
    """Simulate one virtual patient under one or more regimens, from diagnosis on."""
    from immunescape.patients import regimen_text

    if not regimens:
        raise InputError("no regimen is given", hint="immunescape simulate 'pembrolizumab 200 mg every 3 weeks'")
    names = list(dict.fromkeys(regimen_text(text) for text in regimens))
    if out is not None:
        check_results_folder(out, "course", names, force=force, files=FILES)
    if run is None:
        if arm is not None or trial is not None:
            raise InputError("--arm and --trial require --run", hint="Name the folder of the run as well.")
        patient = _drawn(seed, covariate, number, region=region, engine=engine, files=mechanism)
    else:
        _refuse_with_run(mechanism, covariate)
        patient = _of_run(run, number, arm, trial)
    patient = patient.changed(**{name: _change(text) for name, text in _pairs("--set", change).items()})
    shown = list(dict.fromkeys(observe or ()))
    courses = patient.compare(
        regimens,
        months=months,
        conduct="planned" if planned else "trial",
        observe=_outputs(shown) if shown else None,
        scans=scans,
        engine=engine,
    )
    written = [] if out is None else _written(courses, shown, out)
    steps = [patient.limiting_step(text, engine=engine) for text in regimens] if limiting else []
    if as_json:
        typer.echo(json_module.dumps(_content(courses, steps), indent=2, allow_nan=False))
        return
    _show(courses, shown, steps)
    if written:
        typer.echo("\nWritten: " + ", ".join(str(p) for p in written))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("simulate")(simulate_command)


def _drawn(
    seed: int, covariate: list[str] | None, number: int | None, *, region: str, engine: str, files: list[Path] | None
) -> VirtualPatient:
    """A patient drawn with the covariates that are set."""
    from immunescape.patients import draw_patient

    values = {name: _value(name, text) for name, text in _pairs("--with", covariate).items()}
    return draw_patient(
        seed,
        region=region,  # type: ignore[arg-type]
        number=number,
        engine=engine,
        mechanisms=mechanisms_of(files),
        **values,
    )


def _refuse_with_run(mechanism: list[Path] | None, covariate: list[str] | None) -> None:
    """Refuse what would change a patient of a run before day 0."""
    if mechanism:
        raise InputError(
            "--mechanism adds nothing to a patient of a run, whose tumour has grown without it", hint="Leave out --run."
        )
    if covariate:
        raise InputError("--with changes nothing in a patient of a run", hint="Leave out --run, or use --set.")


def _of_run(run: Path, number: int | None, arm: str | None, trial: Path | None) -> VirtualPatient:
    """A patient of a run, by its number."""
    from immunescape.patients import patient_of_run

    if number is None:
        raise InputError("--run without --id", hint="Give the number of the patient: the column 'id' of the run.")
    return patient_of_run(run, number, arm, trial=trial or "")


def _written(courses: PatientCourses, shown: list[str], folder: Path) -> list[Path]:
    """Write tables and picture, and return their files."""
    picture = folder / "course.png"
    files = courses.save(folder, figure=False)
    courses.plot(shown or None, picture)
    return [*files, picture]


def _content(courses: PatientCourses, steps: Sequence[LimitingStep]) -> list[dict[str, Any]]:
    """Courses, with the limiting step where steps were relieved."""
    content = [c.to_json() for c in courses]
    for course, step in zip(content, steps, strict=False):
        course["limiting_step"] = step.to_json()
    return content


def _pairs(option: str, assignments: list[str] | None) -> dict[str, str]:
    """Name -> text from assignments such as ``pdl1_tps=60``."""
    pairs: dict[str, str] = {}
    for text in assignments or ():
        name, sign, value = (piece.strip() for piece in text.partition("="))
        if not sign or not name or not value:
            raise InputError(f"{option} {text}: not of the form NAME=VALUE", hint=f"For example: {_EXAMPLES[option]}")
        if name in pairs:
            raise InputError(f"{option} gives '{name}' twice", hint="Give it once.")
        pairs[name] = value
    return pairs


_EXAMPLES = {"--with": "--with pdl1_tps=60", "--set": "--set k_kill=x2"}


def _value(name: str, text: str) -> Any:
    """A covariate's value in the type of the covariate; invalid values are rejected when the patient is drawn."""
    from immunescape.errors import unknown_word
    from immunescape.trial.covariates import COVARIATES, unknown_covariate

    if name not in COVARIATES:
        raise unknown_covariate(name)
    about = COVARIATES[name]
    if about.is_number:
        try:
            return float(text)
        except ValueError:
            raise InputError(
                f"--with {name}={text}: not a number", hint=f"{about.meaning} in {about.unit or '1'}."
            ) from None
    category = about.category(text)
    if category is None:
        raise unknown_word(f"value of {name}", text, [str(v) for v in about.values])
    return category


def _change(text: str) -> float | str:
    """A number, or a factor such as x2 as text."""
    try:
        return float(text)
    except ValueError:
        return text


def _unit(text: str) -> str:
    return {"dimensionless": "", "centimeter": "cm", "cell/milliliter": "cell/mL", "1/milliliter": "1/mL"}.get(
        text, text
    )


def _outputs(shown: list[str]) -> list[str]:
    """The requested outputs, and those that every plot and table needs."""
    return list(dict.fromkeys(["V_T", "diameter_T", *shown]))


def _months_shown(last: float) -> list[float]:
    """Months at which outputs are printed: four to ten of them, including the first and the last day."""
    step = next((s for s in (0.5, 1.0, 3.0, 6.0, 12.0) if last / s <= 9.0), 24.0)
    return [*(step * k for k in range(int(last / step) + 1)), last]


def _three_digits(value: float) -> str:
    """Three significant digits; values that the integrator leaves just below zero are printed as 0, no value as –."""
    if value != value:
        return "–"
    return "0" if -1e-4 < value < 0.0 else f"{value:.3g}"


def _show(courses: Any, shown: list[str], steps: Sequence[LimitingStep] = ()) -> None:
    """Print the patient, the events, the outputs at intervals, and the steps that were relieved."""
    import numpy as np

    from immunescape.console import NOTICE, print_table
    from immunescape.evaluation.mechanism_labels import explanation, step_mechanism, title_labelled
    from immunescape.patients.small_tumours import NOT_SHOWN, measurable
    from immunescape.units import DAYS_PER_MONTH

    typer.echo(f"{courses[0].patient}\n")
    names = shown or ["diameter_T", "PD1_occupancy_T", "CD8_density_T", "Treg_CD8_ratio", "ctDNA_conc"]
    for course in courses:
        typer.echo(f"{course.label}\n  " + "\n  ".join(course.sentences()))
        days = course.table.index.to_numpy()
        chosen = [int(abs(days - m * DAYS_PER_MONTH).argmin()) for m in _months_shown(days[-1] / DAYS_PER_MONTH)]
        columns = [n for n in names if n in course.table.columns]
        series = {n: measurable(course, n) for n in columns}
        rows: list[dict[str, Any]] = [{"month": "", **{n: _unit(course.units[n]) for n in columns}}]
        for i in dict.fromkeys(chosen):
            values = {n: _three_digits(float(series[n][i])) for n in columns}
            rows.append({"month": f"{round(days[i] / DAYS_PER_MONTH, 1):g}", **values})
        print_table("", rows)
        if any(np.isnan(values).any() for values in series.values()):
            typer.echo(f"–: {NOT_SHOWN}.")
        typer.echo("")
    for step in steps:
        typer.echo(step.sentence)
        rows = [
            {
                "step": r["step"],
                "relieved by": r["relieved_by"],
                "mechanism": title_labelled(step_mechanism(r["step"])),
                "tumour smaller by": f"{r['smaller_pct']:.1f} %",
            }
            for r in step.table.to_dict("records")
        ]
        print_table("", rows)
        typer.echo("")
    if steps:
        typer.echo(f"{explanation()}\n")
    typer.echo(NOTICE)
