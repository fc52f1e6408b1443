"""The one-file HTML report of a virtual trial, its picture for print, and the files of a result folder."""

from __future__ import annotations

import importlib
import json
import platform
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from immunescape.report import tables
from immunescape.report.curves import curve_of, drawn_curve
from immunescape.report.figures import (
    Curve,
    PublishedCurve,
    figure_html,
    kaplan_meier_figure,
    spider_figure,
    waterfall_figure,
)
from immunescape.report.files import make_folder, write_whole
from immunescape.report.pictures import Picture, on_common_scale, plotly_script
from immunescape.report.writing import write_page

if TYPE_CHECKING:
    from immunescape.model import Model
    from immunescape.trial.result import TrialResult

__all__ = ["TITLES", "read_ahead", "save", "survival_figure", "write_figure", "write_report"]

TITLES = {"pfs": "Progression-free survival", "os": "Overall survival"}


def _curves(result: TrialResult, endpoint: str) -> list[Curve]:
    """Curves of the arms, as far as enough patients are at risk."""
    whole = {arm["name"]: result.curves[endpoint, arm["name"]] for arm in result.arms}
    last = max(float(drawn_curve(table)["time"].max()) for table in whole.values())
    ticks = np.arange(0, last + 1e-9, 12.0 if last > 30 else 6.0)
    return [curve_of(name, table, ticks) for name, table in whole.items()]


def _published(result: TrialResult, endpoint: str) -> list[PublishedCurve]:
    published = result.trial.published
    if published is None:
        return []
    digitised = _digitised(result, endpoint)
    curves = []
    for arm in published.arms:
        points = arm.km.get(endpoint, ())
        months, survival = digitised.get(arm.name, ((), ()))
        curves.append(
            PublishedCurve(
                arm.name,
                [m for m, _ in points],
                [p / 100 for _, p in points],
                months,
                survival,
                getattr(arm, f"{endpoint}_median_months"),
            )
        )
    return curves


def _digitised(result: TrialResult, endpoint: str) -> dict[str, tuple[Sequence[float], Sequence[float]]]:
    """Kaplan-Meier curves of the published event times that the trial file names, by arm."""
    from immunescape.stats.survival import kaplan_meier

    published = result.trial.published
    curves: dict[str, tuple[Sequence[float], Sequence[float]]] = {}
    for arm, times in (published.curves.get(endpoint, {}) if published else {}).items():
        table = kaplan_meier([t for t, _ in times], [e for _, e in times])
        curves[arm] = (table["time"].tolist(), table["survival"].tolist())
    return curves


def read_ahead() -> None:
    """Import the libraries that `save` needs, in a thread of its own while a trial is being simulated."""

    def read() -> None:
        for name in ("jinja2", "matplotlib.backends.backend_agg", "matplotlib.figure", "pyarrow.parquet", "rich.table"):
            with suppress(ImportError):  # said where it is needed
                importlib.import_module(name)

    threading.Thread(target=read, daemon=True, name="read-ahead").start()


def survival_figure(result: TrialResult, endpoint: str) -> Picture:
    """Predicted and published Kaplan-Meier curves of one endpoint (``pfs`` or ``os``)."""
    return kaplan_meier_figure(TITLES[endpoint], _curves(result, endpoint), _published(result, endpoint))


def write_figure(result: TrialResult, path: Path) -> Path:
    """Write predicted and published Kaplan-Meier curves as a PNG picture."""
    from immunescape.report.print_figures import kaplan_meier_png

    panels = [(title, _curves(result, e), _published(result, e)) for e, title in TITLES.items()]
    n = "/".join(str(arm["n"]) for arm in result.arms)
    kaplan_meier_png(path, panels, subtitle=f"{result.trial.name}: {n} virtual patients, seed {result.seed}")
    return path


def _spiders(result: TrialResult) -> list[str]:
    figures = []
    for arm in result.arms:
        best = result.patients[result.patients["arm"] == arm["name"]].set_index("id")["best_response"]
        lines = result.change_by_visit(arm["name"])
        figures.append(
            spider_figure(
                arm["name"],
                [np.asarray(m, dtype=float) for m, _ in lines.values()],
                [np.asarray(c, dtype=float) for _, c in lines.values()],
                [str(best.get(k, "NE")) for k in lines],
            )
        )
    return [figure_html(figure) for figure in on_common_scale(figures)]


def _waterfalls(result: TrialResult) -> list[str]:
    figures = []
    for arm in result.arms:
        rows = result.patients[result.patients["arm"] == arm["name"]]
        best = [str(r) for r in rows["best_response"]]
        figures.append(waterfall_figure(arm["name"], rows["best_change_pct"].to_numpy(dtype=float), best))
    return [figure_html(figure) for figure in on_common_scale(figures)]


def _references(result: TrialResult, model: Model) -> list[str]:
    from immunescape.knowledge.references import format_reference, get_reference, load_references
    from immunescape.model.toxicity import toxicity

    keys = {*model.citation_keys(), *result.trial.references}
    for arm in result.trial.arms:
        for choice in arm.choices:
            keys.update(toxicity(choice.regimen.drugs).sources)
    references = load_references()
    return [f"[{k}] {format_reference(get_reference(k, references))}" for k in sorted(keys) if k in references]


def _safety_note(result: TrialResult) -> str:
    return (
        "Toxicity is sampled from published rates of each drug or combination (sources in the references); it is an "
        "input of the simulation, so that its agreement with the published rate is not a test of the model."
    )


def context(result: TrialResult, notice: str) -> dict[str, Any]:
    """Everything that the template shows."""
    from immunescape.model.describe import parameter_table
    from immunescape.population.reference_baseline import prepared_model

    model = prepared_model(result.trial.drugs, result.trial.specificity)
    parameters = parameter_table(model)
    grades = {g: sum(p["grade"] == g for p in parameters) for g in ("measured", "fitted", "assumed")}
    method = result.comparison.get("method", "")
    return {
        "title": result.trial.title,
        "lead": f"Virtual trial; {' and '.join(str(a['n']) for a in result.arms)} virtual patients; "
        f"immunescape {result.version}, engine {result.engine}, seed {result.seed}.",
        "notice": notice,
        "plotly_js": plotly_script(),
        "results": tables.results_table(result),
        "results_note": "Intervals reflect the number of virtual patients only, not the uncertainty of the model's "
        "parameters. Ratio is predicted over published. A dash: not published, or not applicable.",
        "comparison": tables.comparison_table(result),
        "comparison_note": {
            "Cox": "Arms are independent samples; hazard ratios by Cox regression.",
            "paired bootstrap": "Both arms contain the same virtual patients; intervals by paired bootstrap.",
        }.get(method, ""),
        "survival_figures": [figure_html(survival_figure(result, endpoint)) for endpoint in TITLES],
        "survival": tables.survival_table(result),
        "at_risk": tables.at_risk_table(result),
        "waterfall_figures": _waterfalls(result),
        "spider_figures": _spiders(result),
        "response": tables.response_table(result),
        "resistance": tables.resistance_table(result),
        "response_note": "Best overall response by RECIST 1.1"
        + (", confirmed" if result.trial.endpoints.confirmation else "")
        + "; the figures count the whole follow-up, the response rate ends at its data cut. Dashed lines: −30 % "
        "(partial response) and +20 %. "
        "Primary and acquired: resistance by the definitions of the Society for Immunotherapy of Cancer; they apply to "
        "checkpoint inhibitors.",
        **_escape(result),
        "safety": tables.safety_table(result),
        "safety_note": _safety_note(result),
        "protocol": tables.protocol_table(result.trial),
        "flow": tables.flow_table(result),
        "baseline": tables.baseline_table(result),
        "model_note": f"{len(model.states)} states, {len(model.reactions)} reactions, {len(parameters)} parameters: "
        f"{grades['measured']} measured, {grades['fitted']} fitted, {grades['assumed']} assumed.",
        "mechanisms": tables.Table(
            [{"Mechanism": m.title, "What it does": m.summary} for m in (*model.mechanisms, *model.drugs)]
        ),
        "grades": tables.grades_table(model),
        "fit": _fit_table(),
        "parameters": tables.Table([{**p, "value": f"{p['value']:.4g}"} for p in parameters], ("value",)),
        "references": _references(result, model),
        "provenance": tables.Table(
            [
                {"Item": "Command", "Value": _command(result)},
                {"Item": "Version", "Value": f"immunescape {result.version}, Python {platform.python_version()}"},
                {"Item": "Engine", "Value": result.engine},
                {"Item": "Seed", "Value": result.seed},
                {"Item": "Failed patients", "Value": sum(arm["failed"] for arm in result.arms)},
                {"Item": "Seconds", "Value": f"{result.wall_s:.0f}"},
            ]
        ),
    }


def _fit_table() -> tables.Table:
    """How the population fit moved the scores of parameters across patients."""
    from immunescape.population.fit import PopulationFit

    rows: list[tables.Row] = [
        {
            "Parameter": t.parameter,
            "Term": t.term,
            "Value": f"{t.value:.2f}",
            "SE": f"{t.se:.2f}",
            "Grade": t.grade,
            "Fitted to": t.source.replace(";", ", "),
        }
        for t in PopulationFit.shipped().terms
    ]
    return tables.Table(rows, ("Value", "SE"))


def _escape(result: TrialResult) -> dict[str, Any]:
    """Attribution of escape, where it was asked for."""
    if result.escape is None:
        return {}
    from immunescape.report.figures import escape_figure

    return {
        "escape": tables.escape_table(result.escape),
        "escape_figure": figure_html(escape_figure(result.escape)),
        "escape_note": f"{result.escape['n']} patients of the arm {result.escape['arm']} whose disease resisted, "
        "treated again with the same random numbers while one mechanism, or one group of their parameters, was "
        "restored to the reference. The one that prolonged progression-free time most is named, if by more than "
        f"{result.escape['least_gain_months']:.1f} months. Growth is not a form of immune escape and gains in nearly "
        "every patient: it is named only where nothing else gained enough.",
    }


def _command(result: TrialResult) -> str:
    from immunescape.trial.loading import list_trials

    name = result.trial.name if result.trial.name in list_trials() else result.trial.file
    n = max(arm["n"] for arm in result.arms)
    command = f"immunescape trial {name} --patients {n} --seed {result.seed}" + (" --paired" if result.paired else "")
    return command if result.escape is None else f"{command} --attribute {result.escape['n']}"


def write_report(result: TrialResult, path: Path, notice: str) -> Path:
    """Write the HTML report: one file, no network needed to read it."""
    return write_page(path, "trial.html", context(result, notice))


def save(result: TrialResult, folder: Path, notice: str) -> list[Path]:
    """Write a result folder; returns the paths.

    ``result.json`` (its schema: `immunescape trial --result-schema`), ``patients.parquet`` and ``scans.parquet``
    (columns with units and descriptions), ``survival.png`` and ``report.html``.
    """
    from immunescape.report.result_files import described_parquet, provenance

    make_folder(folder)
    names = ("result.json", "patients.parquet", "scans.parquet", "survival.png", "report.html")
    paths = [folder / name for name in names]
    source = provenance(result, _command(result))
    content = {**result.to_json(), "provenance": source}
    write_whole(paths[0], (json.dumps(content, indent=2, allow_nan=False) + "\n").encode("utf-8"))
    # what differs between two runs of the same patients stays out of the tables, whose bytes are compared
    lasting = {k: source[k] for k in ("version", "engine", "model_sha256", "protocol_sha256")} | {"seed": result.seed}
    write_whole(paths[1], described_parquet(result.patients, result.trial.drugs, lasting, result.trial.specificity))
    write_whole(paths[2], described_parquet(result.visits, result.trial.drugs, lasting, result.trial.specificity))
    write_figure(result, paths[3])
    write_report(result, paths[4], notice)
    return paths
