"""The command line: a thin face over the Python interface. Heavy imports happen inside the commands."""

from __future__ import annotations

import json as json_module
import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from immunescape import cli_app, cli_claims, cli_harness, cli_names, cli_profile, cli_simulate
from immunescape.cli_design import design_app
from immunescape.cli_run import Cluster, Progress, first_with, interruptible, plain_warnings, show_rows
from immunescape.errors import ImmunescapeError

__all__ = ["app", "main"]

app = typer.Typer(
    name="immunescape",
    help="How a lung tumour escapes immunotherapy: mechanistic model, virtual patients, virtual trials. "
    "Research software; no medical device, no treatment advice.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: importing rich would take half of the start-up time
    context_settings={"help_option_names": ["-h", "--help"]},
)
bench_app = typer.Typer(help="Measure speed and accuracy side by side.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(bench_app, name="bench")
app.add_typer(design_app, name="design")
cli_profile.register(app)
cli_claims.register(app)
cli_simulate.register(app)
cli_harness.register(app)
cli_app.register(app)


Seed = Annotated[int, typer.Option("--seed", "-s", min=0, help="Everything random follows from it.")]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        "-w",
        min=1,
        max=1024,
        help="Processes [default: the cores at hand]. Results do not depend on it.",
    ),
]


def _print_version(value: bool) -> None:
    if value:
        import immunescape

        typer.echo(f"immunescape {immunescape.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    pass


# --- trials -----------------------------------------------------------------------------------------------------------


@app.command("trial")
def trial_command(
    name: Annotated[
        str | None,
        typer.Argument(help="A trial that ships (see `trials`) or a YAML file.", autocompletion=cli_names.trials),
    ] = None,
    patients: Annotated[
        int | None,
        typer.Option(
            "--patients",
            "-n",
            min=1,
            max=1_000_000,
            help="Virtual patients per arm [default: the protocol's, at most 150].",
        ),
    ] = None,
    seed: Seed = 1,
    workers: Workers = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Folder for result.json, patients.parquet, report.html [default: immunescape-results/NAME].",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print result.json instead of tables.")] = False,
    engine: Annotated[
        str,
        typer.Option("--engine", help="auto, native, cuda, roadrunner or reference.", autocompletion=cli_names.engines),
    ] = "auto",
    cluster: Cluster = None,
    paired: Annotated[
        bool, typer.Option("--paired", help="Both arms share the same patients; differences by paired bootstrap.")
    ] = False,
    attribute: Annotated[
        int | None,
        typer.Option(
            "--attribute", min=1, max=10_000, help="Find, for so many patients, the mechanism that carried the escape."
        ),
    ] = None,
    template: Annotated[bool, typer.Option("--template", help="Print a commented YAML file to start from.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of a trial file.")] = False,
    result_schema: Annotated[
        bool, typer.Option("--result-schema", help="Print the JSON schema of result.json.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Write into a folder that holds the result of another trial.")
    ] = False,
) -> None:
    """Run a virtual trial and compare it with the published one."""
    if result_schema:
        from immunescape.report.result_files import result_schema as schema_of_results

        typer.echo(json_module.dumps(schema_of_results(), indent=2))
        return
    if template or schema:
        from immunescape.trial.spec import trial_schema, trial_template

        typer.echo(trial_template() if template else json_module.dumps(trial_schema(), indent=2))
        return
    if name is None:
        _stop(
            "name a trial or a YAML file",
            "`immunescape trials` lists those that ship; `--template` writes one to start from.",
        )
    from immunescape.face import trial
    from immunescape.files import check_folder

    if cluster is None and workers != 1:
        from immunescape.parallel import start_server
        from immunescape.trial import WORKER_IMPORTS

        start_server(WORKER_IMPORTS)
    virtual = trial(name)
    folder = out or Path("immunescape-results") / virtual.name
    check_folder(folder)
    if not force:
        _refuse_other(folder, virtual.name)
    with interruptible(folder), Progress(quiet=as_json) as advance:
        result = virtual.run(
            patients=patients, seed=seed, workers=workers, out=folder, engine=engine, paired=paired,
            progress=first_with(_read_ahead, advance), attribute=attribute, cluster=cluster,
        )  # fmt: skip
    written = result.save(folder)
    if as_json:
        typer.echo((folder / "result.json").read_text(encoding="utf-8"), nl=False)
        return
    result.show()
    typer.echo("\nWritten: " + ", ".join(str(p) for p in written))


def _refuse_other(folder: Path, name: str) -> None:
    """Refuse a folder that holds the result of another trial, which would be overwritten."""
    try:
        held = json_module.loads((folder / "result.json").read_text(encoding="utf-8")).get("trial")
    except (OSError, ValueError, AttributeError):
        return
    if isinstance(held, str) and held != name:
        _stop(f"{folder} holds the result of '{held}'", "Choose another folder (--out), or overwrite it with --force.")


def _read_ahead() -> None:
    from immunescape.report.trial_report import read_ahead

    read_ahead()


@app.command("trials")
def trials_command(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the trials that ship."""
    from immunescape.face import trials_table

    show_rows("Trials", trials_table(), as_json)


@design_app.command("simulate")
def design_command(
    names: Annotated[
        list[str] | None, typer.Argument(help="Designs that ship (see `designs`) or YAML files; several: side by side.")
    ] = None,
    replicates: Annotated[
        int, typer.Option("--replicates", "-r", min=1, max=10_000_000, help="Simulated trials per scenario.")
    ] = 5000,
    seed: Seed = 1,
    workers: Workers = None,
    cluster: Cluster = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Folder for design.json, report.html, YAML and script [default: immunescape-results/NAME].",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print design.json instead of tables.")] = False,
    template: Annotated[bool, typer.Option("--template", help="Print a commented YAML file to start from.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of a design file.")] = False,
) -> None:
    """Simulate a trial design: boundaries, power, type-I error, expected size and duration.

    `immunescape design FILE` is short for this command; `immunescape design size --help` computes sizes by formula.
    """
    if template or schema:
        from immunescape.trial.design.loading import design_schema, design_template

        typer.echo(design_template() if template else json_module.dumps(design_schema(), indent=2))
        return
    if not names:
        _stop(
            "name a design or a YAML file",
            "`immunescape designs` lists those that ship; `--template` writes one to start from.",
        )
    from immunescape.designs import run_designs

    label = names[0] if len(names) == 1 else "comparison"
    folder = out or Path("immunescape-results") / Path(label).stem
    with interruptible(folder, "replicates"), Progress(quiet=as_json) as advance:
        run = run_designs(names, replicates, seed, workers=workers, cluster=cluster, out=folder, progress=advance)
    if as_json:
        typer.echo(json_module.dumps(run.to_json(), indent=2, allow_nan=False))
        return
    run.show()
    typer.echo(f"\nWritten: {folder}")


@app.command("designs")
def designs_command(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the trial designs that ship."""
    from immunescape.designs import designs_table

    show_rows("Designs", designs_table(), as_json)


@app.command("drugs")
def drugs_command(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the drugs that a regimen may name."""
    from immunescape.face import drugs_table

    show_rows("Drugs", drugs_table(), as_json)


@app.command("mechanisms")
def mechanisms_command(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="What each does and requires as well.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the mechanisms that the model is made of, one line each."""
    from immunescape.face import mechanisms_table

    rows = mechanisms_table()
    if not (verbose or as_json):
        rows = [{name: row[name] for name in ("name", "title", "states")} for row in rows]
    show_rows("Mechanisms", rows, as_json)


@app.command("show")
def show_command(
    name: Annotated[
        str, typer.Argument(help="A drug, mechanism, biomarker or trial.", autocompletion=cli_names.things)
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show one drug, mechanism, biomarker or trial: parameters, sources, equations, claims."""
    from immunescape.face import show, shown

    if as_json:
        typer.echo(json_module.dumps(shown(name), indent=2, allow_nan=False))
        return
    show(name)


# --- the model --------------------------------------------------------------------------------------------------------


@app.command("model")
def model_command(
    drugs: Annotated[
        str, typer.Option("--drugs", help="Comma-separated drugs to include; 'all' for every drug, '' for none.")
    ] = "all",
    without: Annotated[str, typer.Option("--without", help="Comma-separated mechanisms to leave out.")] = "",
    equations: Annotated[bool, typer.Option("--equations", help="Print the assembled equations.")] = False,
    cite: Annotated[bool, typer.Option("--cite", help="Print the bibliography of what is switched on.")] = False,
    sbml: Annotated[Path | None, typer.Option("--sbml", help="Write SBML Level 3 Version 2 to this file.")] = None,
    bounds: Annotated[
        bool, typer.Option("--bounds", help="Print the bounds of observables, at diagnosis and along trajectories.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print states and parameters as JSON.")] = False,
) -> None:
    """Print the model: mechanisms, states, parameters with their grade."""
    from immunescape.face import build_model, model_summary, print_bounds, print_model

    model = build_model(drugs=drugs, without=without)
    if sbml is not None:
        try:
            sbml.write_text(model.to_sbml(), encoding="utf-8")
        except OSError as error:
            _stop(f"cannot write {sbml}: {error.strerror}", "Name a file in a folder that exists and has room.")
        typer.echo(f"Written: {sbml}")
    if equations:
        typer.echo(model.equations())
    if cite:
        typer.echo(model.cite())
    if bounds:
        print_bounds(model)
    if as_json:
        typer.echo(json_module.dumps(model_summary(model), indent=2))
    if sbml is None and not (equations or cite or bounds or as_json):
        print_model(model)


# --- evaluation -------------------------------------------------------------------------------------------------------


@app.command("calibrate")
def calibrate_command(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Trials or YAML files to fit to [default: the calibration trials that ship]."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            help="Folder with km/ (curves: time,event,arm), loris/ (response by PD-L1), oak/, tumour_kinetics/.",
        ),
    ] = None,
    patients: Annotated[
        int, typer.Option("--patients", "-n", min=20, max=100_000, help="Virtual patients per arm and round.")
    ] = 300,
    rounds: Annotated[int, typer.Option("--rounds", min=1, max=50, help="Rounds of simulating and fitting.")] = 4,
    seed: Seed = 1,
    workers: Workers = None,
    start: Annotated[
        Path | None, typer.Option("--start", help="A population_fit.csv to start from [default: no change].")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the fit; keeps finished patients, so that a rerun resumes.")
    ] = Path("immunescape-results/calibrate"),
    cluster: Cluster = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    engine: Annotated[
        str,
        typer.Option("--engine", help="auto, native, cuda, roadrunner or reference.", autocompletion=cli_names.engines),
    ] = "auto",
) -> None:
    """Fit the population's distributions to published results of trials."""
    from immunescape.evaluation.calibration import calibrate
    from immunescape.evaluation.scoreboard import roles
    from immunescape.face import NOTICE
    from immunescape.population.fit import PopulationFit
    from immunescape.report.calibration_report import print_calibration
    from immunescape.trial.spec import load_trial

    chosen = names or sorted(name for name, (role, _) in roles().items() if role == "calibration")
    for name in chosen:
        if roles().get(name, ("", ""))[0] == "validation":
            _stop(f"trial '{name}' is kept for validation", "Fit to calibration trials or to trials of your own.")

    def tell(number: int, trial: str, done: int, total: int) -> None:
        if not as_json and done == total:
            which = f"round {number + 1} of {rounds}" if number < rounds else "fresh patients of the fit"
            typer.echo(f"{which}, {trial}: {total} patients", err=True)

    with interruptible(out):
        made = calibrate(
            [load_trial(name) for name in chosen], data=data, patients=patients, rounds=rounds, seed=seed,
            workers=workers, out=out, start=None if start is None else PopulationFit.read(start), engine=engine,
            progress=tell, cluster=cluster,
        )  # fmt: skip
    if as_json:
        typer.echo(json_module.dumps(made.to_json(), indent=2, allow_nan=False))
        return
    print_calibration(made)
    typer.echo(f"Written: {out / 'population_fit.csv'}, {out / 'calibration.json'}")
    typer.echo(NOTICE)


@app.command("validate")
def validate_command(
    names: Annotated[
        list[str] | None, typer.Argument(help="Trials or YAML files with published results [default: all that ship].")
    ] = None,
    patients: Annotated[
        int | None,
        typer.Option(
            "--patients", "-n", min=10, max=1_000_000, help="Virtual patients per arm [default: the protocol's]."
        ),
    ] = None,
    seed: Seed = 1,
    workers: Workers = None,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder that keeps finished patients, so that a rerun resumes.")
    ] = Path("immunescape-results/validate"),
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Folder of patients' data to compare with: tumour_kinetics/, loris/, oak/."),
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write a one-file HTML page.")] = None,
    cluster: Cluster = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    engine: Annotated[
        str,
        typer.Option("--engine", help="auto, native, cuda, roadrunner or reference.", autocompletion=cli_names.engines),
    ] = "auto",
) -> None:
    """Simulate trials and hold them against their published results."""
    from immunescape.evaluation.validation import validate
    from immunescape.face import NOTICE
    from immunescape.files import check_file
    from immunescape.report.scoreboard_report import print_scoreboard, write_scoreboard

    def tell(trial: str, done: int, total: int) -> None:
        if not as_json and done == total:
            typer.echo(f"{trial}: {total} patients", err=True)

    check_file(html, "--html")
    with interruptible(out):
        found = validate(
            names or (), patients=patients, seed=seed, workers=workers, out=out, data=data, engine=engine,
            progress=tell, cluster=cluster,
        )  # fmt: skip
    if html is not None:
        write_scoreboard(found, html, NOTICE)
    if as_json:
        typer.echo(json_module.dumps(found.to_json(), indent=2, allow_nan=False))
        return
    print_scoreboard(found)
    if html is not None:
        typer.echo(f"Written: {html}")


@app.command("sensitivity")
def sensitivity_command(
    trial: Annotated[str, typer.Argument(help="A trial that ships (see `trials`) or a YAML file.")],
    method: Annotated[str, typer.Option("--method", help="morris or sobol.")] = "morris",
    arm: Annotated[str, typer.Option("--arm", help="Name of the arm [default: the first].")] = "",
    patients: Annotated[
        int, typer.Option("--patients", "-n", min=4, max=100_000, help="Trajectories, each of another patient.")
    ] = 30,
    top: Annotated[int, typer.Option("--top", min=1, help="Parameters to show (and that sobol looks at).")] = 20,
    seed: Seed = 1,
    png: Annotated[Path | None, typer.Option("--png", help="Write a picture.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    engine: Annotated[
        str,
        typer.Option("--engine", help="auto, native, cuda, roadrunner or reference.", autocompletion=cli_names.engines),
    ] = "auto",
) -> None:
    """Rank the parameters to which response in a trial is most sensitive."""
    from immunescape.evaluation.sensitivity import run_sensitivity
    from immunescape.files import check_file
    from immunescape.report.sensitivity_report import print_sensitivity, write_sensitivity_figure

    check_file(png, "--png")
    with interruptible(), Progress(quiet=as_json) as advance:
        result = run_sensitivity(
            trial,
            method=method,  # type: ignore[arg-type]
            arm=arm,
            patients=patients,
            top=top,
            seed=seed,
            engine=engine,
            progress=advance,
        )
    if png is not None:
        write_sensitivity_figure(result, png, top)
    if as_json:
        typer.echo(json_module.dumps(result.to_json(), indent=2, allow_nan=False))
        return
    print_sensitivity(result, top)
    if png is not None:
        typer.echo(f"Written: {png}")


# --- the engine -------------------------------------------------------------------------------------------------------


@app.command("check-sbml")
def check_sbml_command(
    folder: Annotated[Path, typer.Argument(help="Folder of cases: one folder each, as in the SBML Test Suite.")],
    engine: Annotated[str, typer.Option("--engine", help="native, roadrunner or reference.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run a folder of SBML test cases and judge the engine by their expected results."""
    from immunescape.engine import get_engine
    from immunescape.engine.check_sbml import check_folder, checking_engine

    report = check_folder(
        folder, checking_engine(engine), fallback=get_engine("reference"), workers=os.cpu_count() or 1
    )
    if as_json:
        typer.echo(json_module.dumps(report, indent=2))
    else:
        typer.echo(f"passed {len(report['passed'])}, refused {len(report['refused'])}, wrong {len(report['wrong'])}")
        for case, reason in report["refused"].items():
            typer.echo(f"  refused {case}: {reason}")
        for case in report["wrong"]:
            typer.echo(f"  wrong   {case}")
    if report["wrong"]:
        raise typer.Exit(1)


@bench_app.command("engine")
def bench_engine_command(
    model: Annotated[
        Path | None, typer.Option("--model", help="SBML file [default: immunescape's own model, reduced].")
    ] = None,
    patients: Annotated[int, typer.Option("--patients", "-n", min=1, help="Patients for the native engine.")] = 64,
    limit: Annotated[
        float, typer.Option("--limit", min=1, help="Seconds after which no simulator is waited for.")
    ] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Time the engine beside libroadrunner, scikit-sundae, COPASI and AMICI: time and error of each, how it is used."""
    from immunescape.engine.bench import bench_engine, format_bench

    if model is None:
        from immunescape.face import bench_example

        text, name, workload = bench_example()
        report = bench_engine(text, name, patients=patients, workload=workload, limit=limit)
    else:
        report = bench_engine(_read(model), model.stem, patients=patients, limit=limit)
    typer.echo(json_module.dumps(report, indent=2) if as_json else format_bench(report))


# --- helpers ----------------------------------------------------------------------------------------------------------


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        _stop(f"cannot read {path}: {error}", "Name a readable text file.")


def _stop(message: str, hint: str) -> NoReturn:
    raise ImmunescapeError(message, hint=hint)


def main() -> None:
    """Entry point: errors as a user should read them; exits with 2 for bad input, 130 for Ctrl-C, 143 for SIGTERM."""
    from immunescape.parallel.interrupts import exit_code, terminate_like_interrupt

    plain_warnings()
    terminate_like_interrupt()
    try:
        app()
    except ImmunescapeError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo("Interrupted. What was finished is kept; the same command resumes.", err=True)
        sys.exit(exit_code())
    except BrokenPipeError:
        sys.exit(0)
    except SystemExit as end:
        sys.exit(exit_code() if end.code == 130 else end.code)  # typer takes any interruption for Ctrl-C


if __name__ == "__main__":
    main()
