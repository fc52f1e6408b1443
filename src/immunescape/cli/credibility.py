"""The command that writes a credibility assessment of a simulated trial."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from immunescape.cli.folders import Force, check_results_folder
from immunescape.cli.options import Engine, FirstSeed, JsonNotTables, Seeds, TrialName, Workers
from immunescape.cli.running import interruptible, show_rows
from immunescape.errors import InputError

if TYPE_CHECKING:
    from immunescape.evaluation.scoreboard import Score
    from immunescape.trial.spec import Trial

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("credibility")(credibility_command)


def credibility_command(
    *,
    name: TrialName,
    question: Annotated[str, typer.Option("--question", help="Question of interest.")] = "",
    context: Annotated[str, typer.Option("--context", help="Context of use.")] = "",
    influence: Annotated[
        str | None, typer.Option("--influence", help="Influence of the model on the decision: low, medium or high.")
    ] = None,
    consequence: Annotated[
        str | None, typer.Option("--consequence", help="Consequence of a wrong decision: low, medium or high.")
    ] = None,
    patients: Annotated[
        int, typer.Option("--patients", "-n", min=20, max=100_000, help="Virtual patients per arm and seed.")
    ] = 200,
    seed: FirstSeed = 1,
    seeds: Seeds = 3,
    scored_patients: Annotated[
        int,
        typer.Option("--scored-patients", min=10, max=100_000, help="Virtual patients per arm of published trials."),
    ] = 60,
    scoreboard: Annotated[
        Path | None,
        typer.Option("--scoreboard", help="Output of `validate --json`, in place of simulating published trials."),
    ] = None,
    trajectories: Annotated[
        int,
        typer.Option("--trajectories", min=4, max=10_000, help="Trajectories of the sensitivity analysis."),
    ] = 6,
    workers: Workers = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder for the document [default: immunescape-results/credibility/NAME]."),
    ] = None,
    as_json: JsonNotTables = False,
    force: Force = False,
    engine: Engine = "auto",
) -> None:
    """Assess the credibility of a simulated trial, in the order of ICH M15 and ASME V&V 40."""
    from immunescape.console import NOTICE
    from immunescape.evaluation.credibility import Purpose, assess
    from immunescape.report.credibility_report import credibility_sections, write_credibility

    trial, asks = _trial_and_question(name)
    purpose = Purpose(question or asks, context, influence, consequence)
    scores = None if scoreboard is None else _scores(scoreboard)
    folder = out or Path("immunescape-results") / "credibility" / trial.name
    files = ("credibility.html", "credibility.md", "credibility.json")
    check_results_folder(folder, "credibility", trial.name, force=force, files=files)

    def tell(step: str) -> None:
        if not as_json:
            typer.echo(step, err=True)

    with interruptible(folder):
        made = assess(
            trial,
            purpose,
            patients=patients,
            seeds=tuple(range(seed, seed + seeds)),
            scored_patients=scored_patients,
            trajectories=trajectories,
            scores=scores,
            workers=workers,
            out=folder / "patients",
            engine=engine,
            progress=tell,
        )
    written = write_credibility(made, folder, NOTICE)
    if as_json:
        typer.echo(json_module.dumps(made.to_json(), indent=2, default=str))
        return
    title, text, tables = credibility_sections(made)[0]
    typer.echo(f"{title}: {text}")
    show_rows("Criteria", tables[0][1].rows, as_json=False)
    typer.echo("Written: " + ", ".join(str(path) for path in written))
    typer.echo(NOTICE)


def _trial_and_question(name: str) -> tuple[Trial, str]:
    """An included trial or a file, or a trial of the included predictions with the question that it asks."""
    from immunescape.predictions import open_protocols
    from immunescape.predictions.register import REGISTER
    from immunescape.trial.loading import load_trial

    predicted = open_protocols()
    if name in predicted:
        return load_trial(predicted[name]), REGISTER.get(name).question
    return load_trial(name), ""


def _scores(path: Path) -> list[Score]:
    """Scores from the output of ``immunescape validate --json``; they must belong to the model being assessed."""
    from pydantic import TypeAdapter, ValidationError

    from immunescape.evaluation.scoreboard import Score
    from immunescape.evaluation.trial_classes import roles
    from immunescape.trial.runner import model_digest

    hint = "Give the output of `immunescape validate --json`."
    where = str(path)
    try:
        content = json_module.loads(path.read_text(encoding="utf-8"))
        rows = TypeAdapter(list[Score]).validate_python(content["rows"])
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}", where=where, hint=hint) from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"])
        raise InputError(
            f"contains no scores of trials: rows.{place}: {first['msg']}", where=where, hint=hint
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError("contains no scores of trials", where=where, hint=hint) from error
    if not rows:
        raise InputError("contains no scores of trials", where=where, hint=hint)
    if content.get("model") != model_digest():
        raise InputError(
            "the scores belong to another model, or to a version that did not record its model",
            where=where,
            hint="Run `immunescape validate --json` again with this version.",
        )
    seen: set[tuple[str, str, str]] = set()
    for number, row in enumerate(rows):
        role, kind = roles().get(row.trial, ("own", row.regimen_class))
        if (row.role, row.regimen_class) != (role, kind):
            raise InputError(
                f"row {number}: '{row.trial}' is '{row.role}' of the kind '{row.regimen_class}', but '{role}' of the"
                f" kind '{kind}' in this version",
                where=where,
                hint=hint,
            )
        key = (row.trial, row.arm, row.endpoint)
        if key in seen:
            raise InputError(f"row {number}: {' '.join(key)} is given twice", where=where, hint=hint)
        seen.add(key)
    return rows
