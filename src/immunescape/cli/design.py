"""Commands about trial designs: `design FILE` simulates, `design size` computes sizes. Imports happen inside."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from immunescape.cli import completion
from immunescape.cli.folders import Force, check_results_folder
from immunescape.cli.options import Cluster, Json, JsonNotTables, Seed, Template, Workers
from immunescape.cli.running import Progress, interruptible, show_rows, stop

__all__ = ["register"]


class _Simulates(TyperGroup):
    """A group whose first argument may be a design: anything that is not a command is simulated."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Insert the command if none is given."""
        if not args or args[0] not in self.commands:
            args = ["simulate", *args]
        return super().parse_args(ctx, args)


design_app = typer.Typer(cls=_Simulates, rich_markup_mode=None, help="Simulate a trial design, or compute its size.")


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.add_typer(design_app, name="design")
    app.command("designs")(designs_command)


EVERYWHERE = ("what", "as_json")
_TEST = (
    "power",
    "alpha",
    "looks",
    "family",
    "parameter",
    "futility",
    "futility_parameter",
    "binding",
    "ratio",
    "patients",
)
SIZE_OPTIONS = {
    "survival": ("hazard_ratio", "median", *_TEST, "accrual", "follow_up", "dropout", "margin", "events"),
    "rates": ("rates", *_TEST),
    "means": ("difference", "sd", *_TEST),
}
"""Options of `design size` used by each measure; a design file contains everything itself."""


def _refuse_unread(ctx: Any, what: str) -> None:
    """Reject options that would be ignored.

    Raises
    ------
    InputError
        Naming the option and what it goes with.
    """
    from immunescape.design.boundaries import PARAMETER_FAMILIES
    from immunescape.errors import InputError

    values = ctx.params
    given = [n for n in values if n not in EVERYWHERE and ctx.get_parameter_source(n).name == "COMMANDLINE"]

    def refuse(name: str, reason: str) -> None:
        raise InputError(f"--{name.replace('_', '-')} would be ignored: {reason}", hint="Leave it out.")

    if what not in SIZE_OPTIONS:
        if given:
            refuse(given[0], f"the sizes of '{what}' follow from the design itself")
        return
    for name in given:
        if name not in SIZE_OPTIONS[what]:
            goes = " and ".join(k for k, options in SIZE_OPTIONS.items() if name in options)
            refuse(name, f"it applies to {goes}, not to {what}")
    several = "," in str(values["looks"])
    for name in ("family", "parameter", "futility", "futility_parameter", "binding"):
        if name in given and not several:
            refuse(name, "a single look needs no boundaries; give the looks as in --looks 0.6,1")
    for option, chosen, needed in (
        ("family", values["family"], "parameter"),
        ("futility", values["futility"], "futility_parameter"),
    ):
        if several and chosen in PARAMETER_FAMILIES and needed not in given:
            raise InputError(
                f"--{option} {chosen} needs --{needed.replace('_', '-')}",
                hint="Usual values: 0.25 for wang-tsiatis, -4 for hwang-shih-decani, 3 for power.",
            )
    if "parameter" in given and values["family"] not in PARAMETER_FAMILIES:
        refuse("parameter", f"the family '{values['family']}' has none")
    for name in ("futility_parameter", "binding"):
        if name in given and values["futility"] is None:
            refuse(name, "no --futility is given")
    if "futility_parameter" in given and values["futility"] not in PARAMETER_FAMILIES:
        refuse("futility_parameter", f"the spending function '{values['futility']}' has none")
    if values["patients"] is not None:
        for name in ("power", "follow_up"):
            if name in given and not (name == "power" and values["futility"] is not None):
                refuse(name, "the power follows from the given size")


def _refuse_a_misspelt_measure(what: str) -> None:
    """Reject a term that is not a design but resembles a measure."""
    from pathlib import Path

    from immunescape.design.loading import list_designs
    from immunescape.errors import InputError, nearest

    if Path(what).suffix or Path(what).is_file() or what.casefold() in map(str.casefold, list_designs()):
        return
    if meant := nearest(what, SIZE_OPTIONS):
        raise InputError(f"unknown design '{what}'", hint=f"Did you mean '{meant[0]}'?")


def _numbers(text: str, option: str) -> list[float]:
    from immunescape.errors import InputError

    try:
        return [float(x) for x in text.replace(" ", "").split(",")]
    except ValueError:
        raise InputError(
            f"{option} takes numbers separated by commas, not '{text}'", hint=f"For example {option} 0.6,1."
        ) from None


@design_app.command("size")
def size_command(
    *,
    ctx: typer.Context,
    what: Annotated[
        str,
        typer.Argument(
            help="survival, rates, means; an included design, or a YAML file.", autocompletion=completion.designs
        ),
    ],
    hazard_ratio: Annotated[
        float | None, typer.Option("--hazard-ratio", help="survival: hazard ratio under the alternative.")
    ] = None,
    median: Annotated[float | None, typer.Option("--median", help="survival: of the control, months.")] = None,
    rates: Annotated[
        str | None, typer.Option("--rates", help="rates: experimental and control, e.g. 0.45,0.25.")
    ] = None,
    difference: Annotated[
        float | None, typer.Option("--difference", help="means: difference under the alternative.")
    ] = None,
    sd: Annotated[float, typer.Option("--sd", help="means: standard deviation.")] = 1.0,
    power: Annotated[float, typer.Option("--power", help="Target power.")] = 0.9,
    alpha: Annotated[float, typer.Option("--alpha", help="One-sided type I error.")] = 0.025,
    looks: Annotated[str, typer.Option("--looks", help="Information fractions, e.g. 0.6,1.")] = "1",
    family: Annotated[str, typer.Option("--family", help="Boundary family.")] = "lan-demets-obrien-fleming",
    parameter: Annotated[float, typer.Option("--parameter", help="Parameter of the family.")] = 0.0,
    futility: Annotated[
        str | None, typer.Option("--futility", help="Spending function of beta for a futility stop.")
    ] = None,
    futility_parameter: Annotated[
        float, typer.Option("--futility-parameter", help="Parameter of the spending function.")
    ] = 0.0,
    binding: Annotated[bool, typer.Option("--binding", help="The futility bound is binding.")] = False,
    ratio: Annotated[float, typer.Option("--ratio", help="Experimental patients per control patient.")] = 1.0,
    accrual: Annotated[float, typer.Option("--accrual", help="survival: months of uniform accrual.")] = 24.0,
    follow_up: Annotated[float, typer.Option("--follow-up", help="survival: months after the last patient.")] = 12.0,
    dropout: Annotated[
        float, typer.Option("--dropout", help="survival: fraction lost to follow-up within a year.")
    ] = 0.0,
    margin: Annotated[float, typer.Option("--margin", help="survival: hazard ratio under the null.")] = 1.0,
    events: Annotated[
        float | None, typer.Option("--events", help="survival: number of events; computes the power.")
    ] = None,
    patients: Annotated[
        float | None, typer.Option("--patients", help="Number of patients; computes the power.")
    ] = None,
    as_json: JsonNotTables = False,
) -> None:
    """Compute the size or power of a test by formula, without a simulation.

    Examples: `design size survival --hazard-ratio 0.7 --median 12 --looks 0.6,1`,
    `design size rates --rates 0.45,0.25 --power 0.8`, `design size my.yaml`.
    """
    from immunescape.errors import InputError

    if what not in SIZE_OPTIONS:
        _refuse_a_misspelt_measure(what)
    _refuse_unread(ctx, what)
    if what not in SIZE_OPTIONS:
        _size_of_design(what, as_json)
        return
    from immunescape.design import sizing
    from immunescape.design.records import Dropout

    bounds = sizing.size_of_bounds(
        _numbers(looks, "--looks"),
        alpha=alpha,
        power=power,
        family=family,
        parameter=parameter,
        futility=futility,
        futility_parameter=futility_parameter,
        binding=binding,
    )
    if what == "survival":
        if hazard_ratio is None or median is None:
            raise InputError("survival needs --hazard-ratio and --median")
        size = sizing.size_survival(
            hazard_ratio,
            median,
            bounds,
            alpha=alpha,
            accrual_months=accrual,
            follow_up_months=follow_up,
            ratio=ratio,
            dropout=Dropout(dropout, 12.0).hazard,
            margin=margin,
            events=events,
            patients=patients,
        )
    elif what == "rates":
        size = sizing.size_rates(*_two_rates(rates), bounds, alpha=alpha, ratio=ratio, patients=patients)
    else:
        if difference is None:
            raise InputError("means needs --difference")
        size = sizing.size_means(difference, sd, bounds, alpha=alpha, ratio=ratio, patients=patients)
    _print_size(size.to_json(), as_json)


def _two_rates(text: str | None) -> tuple[float, float]:
    """Rates of the experimental arm and of the control."""
    from immunescape.errors import InputError

    pair = _numbers(text or "", "--rates")
    if len(pair) != 2:
        raise InputError("rates needs --rates with two numbers", hint="For example --rates 0.45,0.25.")
    return pair[0], pair[1]


def _print_size(content: dict[str, Any], as_json: bool) -> None:
    """Print a size with its looks."""
    if as_json:
        typer.echo(json_module.dumps(content, indent=2))
        return
    from immunescape.console import print_table
    from immunescape.report.tables import number

    typer.echo(f"{content['what'][0].upper()}{content['what'][1:]}, one-sided alpha {content['alpha']:g}\n")
    if content["events"] is not None:
        typer.echo(f"Events    {content['events_rounded_up']}  ({content['events']:.2f})")
    typer.echo(f"Patients  {content['patients_rounded_up']}  ({content['patients']:.2f})")
    typer.echo(f"Power     {content['power']:.4f}\n")
    digits = {"events": 1, "patients": 1, "month": 1, "efficacy_p": 5, "cumulative_alpha": 5, "information": 3}
    titles = {
        "look": "Look",
        "information": "Fraction",
        "events": "Events",
        "patients": "Patients",
        "month": "Month",
        "efficacy_z": "Z",
        "efficacy_p": "p",
        "efficacy_hazard_ratio": "HR at Z",
        "futility_z": "Futility Z",
        "futility_hazard_ratio": "Futility HR",
        "cumulative_alpha": "Alpha so far",
        "cumulative_power": "Power so far",
    }
    shown = [k for k in titles if any(k in row for row in content["looks"])]
    rows = [
        {titles[k]: (row[k] if k == "look" else number(row.get(k), digits.get(k, 4))) for k in shown}
        for row in content["looks"]
    ]
    print_table("Looks", rows)


def _size_of_design(name: str, as_json: bool) -> None:
    """Power and sizes of a design file by formula, if a formula exists for it."""
    from immunescape.api.designs import design_sizes
    from immunescape.console import print_table

    content = design_sizes(name)
    if as_json:
        typer.echo(json_module.dumps(content, indent=2, allow_nan=False))
        return
    for scenario, planning in content.items():
        if planning is None:
            typer.echo(f"{scenario}: no formula exists for this design and truth; simulate it.\n")
            continue
        typer.echo(
            f"{scenario}: cumulative power {', '.join(f'{100 * p:.1f} %' for p in planning['cumulative_power'])}"
        )
        rows = [
            {
                "Power": f"{float(target):.0%}",
                "Events": "–" if size["events"] is None else f"{size['events']:.0f}",
                "Patients": f"{size['patients']:.0f}",
            }
            for target, size in planning["size_for_power"].items()
        ]
        print_table("Size for a power", rows)


@design_app.command("simulate")
def design_command(
    *,
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Included designs (see `designs`) or YAML files; several are compared side by side.",
            autocompletion=completion.designs,
        ),
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
    template: Template = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of a design file.")] = False,
    force: Force = False,
) -> None:
    """Simulate a trial design: boundaries, power, type I error, expected size and duration.

    `immunescape design FILE` is short for this command; `immunescape design size --help` computes sizes by formula.
    """
    if template or schema:
        from immunescape.design.loading import design_schema, design_template

        typer.echo(design_template() if template else json_module.dumps(design_schema(), indent=2))
        return
    if not names:
        stop(
            "name a design or a YAML file",
            "`immunescape designs` lists the included ones; `--template` writes one to start from.",
        )
    from immunescape.api.designs import load_design, run_designs

    label = names[0] if len(names) == 1 else "comparison"
    folder = out or Path("immunescape-results") / Path(label).stem
    labels = [load_design(name).name for name in names]
    files = ("design.json", "report.html", "reproduce.py", "review.R", *(f"{label}.yaml" for label in labels))
    check_results_folder(folder, "design", labels, force=force, files=files)
    with interruptible(folder, "replicates"), Progress(quiet=as_json) as advance:
        run = run_designs(names, replicates, seed, workers=workers, cluster=cluster, out=folder, progress=advance)
    if as_json:
        typer.echo(json_module.dumps(run.to_json(), indent=2, allow_nan=False))
        return
    run.show()
    typer.echo(f"\nWritten: {folder}")


def designs_command(as_json: Json = False) -> None:
    """List the included trial designs."""
    from immunescape.api.designs import designs_table

    show_rows("Designs", designs_table(), as_json)
