"""Commands for predictions of trials whose results are not known: list, show, check, make, enter a result."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from immunescape.cli import completion
from immunescape.cli.folders import Force, check_results_folder
from immunescape.cli.options import Engine, FirstSeed, Json, Seeds, Workers
from immunescape.cli.running import Progress, interruptible, show_rows
from immunescape.errors import InputError, unknown_word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from immunescape.predictions import Outcome, Prediction
    from immunescape.trial.spec import Trial

__all__ = ["register"]

predictions_app = typer.Typer(
    help="Predictions of trials with unknown results: recorded once, hashed, never changed.",
    invoke_without_command=True,
    rich_markup_mode=None,
)
Folder = Annotated[
    Path | None, typer.Option("--folder", help="Folder of your own predictions [default: the included ones].")
]
Every = Annotated[bool, typer.Option("--all", help="Include earlier predictions of a trial, not only the latest.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.add_typer(predictions_app, name="predictions")


@predictions_app.callback()
def predictions_command(
    context: typer.Context, folder: Folder = None, every: Every = False, as_json: Json = False
) -> None:
    """List the latest prediction of each trial, whether the installed model made it, and the published result."""
    if context.invoked_subcommand is not None:
        command = context.invoked_subcommand
        for option, given in (("--folder", folder), ("--all", every), ("--json", as_json)):
            if given:
                raise InputError(
                    f"{option} before '{command}' would have no effect",
                    hint=f"Write it after the subcommand: immunescape predictions {command} … {option}",
                )
        return
    from immunescape.predictions import read_outcomes, read_predictions
    from immunescape.predictions.summary import summary_rows

    rows = summary_rows(read_predictions(folder), read_outcomes(folder), every=every)
    if not rows and not as_json:
        typer.echo("No prediction is entered. `immunescape predictions make` enters one.")
        return
    show_rows("Predictions", rows, as_json)


@predictions_app.command("show")
def show_command(
    name: Annotated[str, typer.Argument(help="A predicted trial, or a record of one.")],
    folder: Folder = None,
    every: Every = False,
    protocol: Annotated[bool, typer.Option("--protocol", help="Print only the trial file.")] = False,
    as_json: Json = False,
) -> None:
    """Show the latest prediction of a trial (--all: every one), what changed since the previous one, and the result."""
    from immunescape.predictions import read_outcomes, read_predictions
    from immunescape.predictions.ledger import nothing_entered
    from immunescape.predictions.versions import earlier, latest, made_with, moved

    predictions = read_predictions(folder)
    if not predictions:
        raise nothing_entered(folder)
    chosen = [p for p in predictions if name in (p.trial, p.record)]
    if not chosen:
        raise unknown_word("predicted trial", name, {p.trial for p in predictions})
    if protocol:
        typer.echo(chosen[-1].protocol, nl=False)
        return
    if not every:
        chosen = latest(chosen)
    outcomes = [o for o in read_outcomes(folder) if o.trial == chosen[0].trial]
    before = [earlier(p, predictions) for p in chosen]
    if as_json:
        content = {
            "predictions": [
                {
                    **vars(p),
                    "made_with": made_with(p),
                    "before": None if old is None else old.record,
                    "moved": None if old is None else moved(old, p),
                }
                for p, old in zip(chosen, before, strict=True)
            ],
            "published": [vars(o) for o in outcomes],
        }
        typer.echo(json_module.dumps(content, indent=2, ensure_ascii=False))
        return
    for p, old in zip(chosen, before, strict=True):
        _show_prediction(p, old, outcomes)


def _show_prediction(prediction: Prediction, before: Prediction | None, outcomes: Sequence[Outcome]) -> None:
    """Print a record, and what changed since the previous one."""
    from immunescape.console import print_table
    from immunescape.evaluation.harness.corrections import CORRECTED
    from immunescape.predictions.summary import figure_text, outcome_text
    from immunescape.predictions.versions import MADE_WITH, made_with, moved_rows

    p, made = prediction, prediction.forecast
    typer.echo(
        f"{p.trial} ({p.registry}), registered {p.date} as {p.record}\n{p.question}\nKnown at the time: {p.declared}"
    )
    typer.echo(
        f"Model {made['model'][:12]}, version {made['version']}: {MADE_WITH[made_with(p)]}."
        f" {made['patients_per_arm_and_seed']} virtual patients per arm with each of the seeds"
        f" {', '.join(str(s) for s in made['seeds'])}; failed simulations: {made['failed']}."
    )
    rows = [
        {
            "arm": f["arm"],
            "figure": f["endpoint"],
            "predicted (95 %)": figure_text(f),
            "model alone": "–" if f.get("unshrunk") is None else f"{f['unshrunk']:.2f}",
            "published": "; ".join(
                outcome_text(o) for o in outcomes if (o.arm, o.endpoint) == (f["arm"], f["endpoint"])
            )
            or "–",
        }
        for f in made["figures"]
    ]
    print_table("Figures", rows)
    if any(f.get("unshrunk") is not None for f in made["figures"]):
        typer.echo(f"Hazard ratios with one of the model alone are {CORRECTED}\n")
    baselines = [{"figure": end, **values} for end, values in made["baselines"].items()]
    print_table("Naive baselines; constant and class mean of the included calibration trials", baselines)
    chance = [{"primary endpoint": end, "probability": f"{v:.2f}"} for end, v in made["probability_of_success"].items()]
    print_table("Probability that the trial shows a difference in favour of the experimental arm", chance)
    if before is not None:
        print_table(f"What moved since {before.record} ({MADE_WITH[made_with(before)]})", moved_rows(before, p))


@predictions_app.command("check")
def check_command(
    folder: Folder = None,
    kept: Annotated[
        str, typer.Option("--hash", help="A hash printed by an earlier check; also detects removed rows.")
    ] = "",
) -> None:
    """Check the ledger for changed, missing or inserted records; exits with 1 if there are any."""
    from immunescape.predictions import check_ledger, last_hash, read_predictions

    kept = kept.strip().lower()
    if kept and (len(kept) != 64 or set(kept) - set("0123456789abcdef")):
        raise InputError(
            f"'{kept}' is not a hash of a ledger", hint="A hash has 64 hexadecimal digits, as printed by `check`."
        )
    problems = check_ledger(folder, kept)
    for problem in problems:
        typer.echo(problem, err=True)
    if problems:
        raise typer.Exit(1)
    count = len(read_predictions(folder))
    typer.echo(f"{count} predictions, all unchanged since registration.")
    if count:
        typer.echo(
            f"Last hash: {last_hash(folder)}\nDeposit it where others keep a copy; verify it later with `check --hash`."
        )


@predictions_app.command("make")
def make_command(
    *,
    trials: Annotated[
        list[str] | None,
        typer.Argument(
            help="Trial files or included open trials [default: all included ones].", autocompletion=completion.trials
        ),
    ] = None,
    folder: Annotated[Path, typer.Option("--folder", help="Folder in which to register the predictions.")] = Path(
        "immunescape-results/predictions"
    ),
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", help="Folder for completed patients, so that a rerun resumes [default: in --folder]."
        ),
    ] = None,
    patients: Annotated[
        int, typer.Option("--patients", "-n", min=20, max=100_000, help="Virtual patients per arm and seed.")
    ] = 350,
    seed: FirstSeed = 1,
    seeds: Seeds = 3,
    workers: Workers = None,
    question: Annotated[str, typer.Option("--question", help="Question of the trial; for your own files.")] = "",
    declared: Annotated[
        str, typer.Option("--known", help="Prior knowledge of its drugs and result; for your own files.")
    ] = "",
    engine: Engine = "auto",
    force: Force = False,
) -> None:
    """Simulate trials with unknown results and record the predictions in the ledger; a rerun resumes.

    A trial is skipped if the folder already holds a record of the same protocol, by the installed model, with the same
    seeds and number of patients. If no trials are named, those whose results have since been published are skipped too.
    """
    from immunescape.evaluation.forecast import forecast
    from immunescape.files import check_folder
    from immunescape.predictions import enter_prediction
    from immunescape.predictions.ledger import refuse_available_result
    from immunescape.predictions.summary import figure_text

    announced = _announced(trials, question, declared)
    names = [trial.name for trial, _, _ in announced]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"trial '{twice[0]}' is named twice", hint="Name each trial once.")
    numbers = tuple(range(seed, seed + seeds))
    waiting = []
    for request in announced:
        try:
            refuse_available_result(request.trial, folder)
        except InputError as refusal:
            if trials:
                raise
            typer.echo(f"{request.trial.name}: passed over, {refusal.message}", err=True)
            continue
        if record := _entered(request.trial, folder, numbers, patients):
            typer.echo(f"{request.trial.name}: already entered as {record}", err=True)
        else:
            waiting.append(request)
    check_folder(folder, "--folder")
    kept = folder / "patients" if out is None else out
    check_results_folder(kept, "predictions", force=force)
    with interruptible(kept):
        for trial, asks, said in waiting:
            typer.echo(f"{trial.name}: {len(trial.arms)} arms of {patients} patients, {_listed(numbers)}", err=True)
            with Progress(quiet=False) as advance:
                made = forecast(
                    trial,
                    patients=patients,
                    seeds=numbers,
                    workers=workers,
                    engine=engine,
                    progress=advance,
                    out=kept / trial.name,
                )
            prediction = enter_prediction(made, folder, question=asks, declared=said)
            typer.echo(
                f"{prediction.record}: PFS HR {figure_text(prediction.figure('pfs_hr'))}, OS HR"
                f" {figure_text(prediction.figure('os_hr'))}"
            )


def _listed(seeds: tuple[int, ...]) -> str:
    return f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {seeds[0]} to {seeds[-1]}"


def _entered(trial: Trial, folder: Path, seeds: tuple[int, ...], patients: int) -> str:
    """Name of the record that the same command entered before; empty where there is none."""
    from immunescape.predictions import read_predictions
    from immunescape.predictions.versions import made_with

    for p in read_predictions(folder) if folder.is_dir() else []:
        made = p.forecast
        if (
            (p.trial, p.protocol) == (trial.name, trial.text)
            and (made["seeds"], made["patients_per_arm_and_seed"]) == (list(seeds), patients)
            and made_with(p) == "installed"
        ):
            return p.record
    return ""


class Announced(NamedTuple):
    """A trial to predict, the question that it asks, and what was known about it."""

    trial: Trial
    question: str
    declared: str


def _announced(names: list[str] | None, question: str, declared: str) -> list[Announced]:
    """Read the trials to predict: included open ones by name, or the user's files with their question."""
    from immunescape.predictions import open_protocols
    from immunescape.predictions.ledger import refuse_available_result
    from immunescape.predictions.register import REGISTER
    from immunescape.trial.loading import list_trials, load_trial

    shipped, included = open_protocols(), list_trials()
    announced = []
    for name in names or sorted(shipped):
        if name in shipped:
            entry = REGISTER.get(name)
            announced.append(Announced(load_trial(shipped[name]), entry.question, entry.declaration))
        elif name in included or name.endswith((".yaml", ".yml")) or Path(name).is_file():
            trial = load_trial(name if name in included else Path(name))
            refuse_available_result(trial)
            if not (question.strip() and declared.strip()):
                raise InputError(
                    f"{name}: a prediction must state the question of the trial and what was known about it",
                    hint="State both with --question and --known.",
                )
            announced.append(Announced(trial, question, declared))
        else:
            raise unknown_word("open trial", name, shipped)
    return announced


@predictions_app.command("enter")
def enter_command(
    *,
    name: Annotated[str, typer.Argument(help="A predicted trial.")],
    endpoint: Annotated[str, typer.Option("--endpoint", help="pfs_hr, os_hr, orr_pct, pfs_median_months, …")],
    value: Annotated[float, typer.Option("--value", help="The published figure.")],
    source: Annotated[str, typer.Option("--source", help="Citation of the publication.")],
    folder: Annotated[Path, typer.Option("--folder", help="Folder of predictions.")],
    arm: Annotated[
        str, typer.Option("--arm", help="Arm, or experimental / control [default: the first predicted arm].")
    ] = "",
    low: Annotated[float | None, typer.Option("--low", help="Lower bound of its interval.")] = None,
    high: Annotated[float | None, typer.Option("--high", help="Upper bound of its interval.")] = None,
) -> None:
    """Record a published result beside the predictions of a trial; predictions are not changed."""
    import datetime

    from immunescape.predictions import Outcome, enter_outcome, read_predictions

    if not arm:
        figures = [p.figure(endpoint) for p in read_predictions(folder) if p.trial == name]
        arm = next((str(f["arm"]) for f in figures if f is not None), "")
    today = datetime.date.today().isoformat()
    enter_outcome(
        folder,
        Outcome(trial=name, endpoint=endpoint, arm=arm, value=value, low=low, high=high, source=source, entered=today),
    )
    typer.echo(f"Entered: {name}, {endpoint} of '{arm}': {value:g}")
