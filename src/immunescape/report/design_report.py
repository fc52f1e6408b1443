"""Operating characteristics for people: tables for the terminal, a one-file HTML report, and what reproduces a run."""

from __future__ import annotations

import json
import platform
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from immunescape.files import make_folder
from immunescape.report.design_scripts import review_note, review_script, script
from immunescape.report.figures import ARM_COLOURS, figure_html
from immunescape.report.files import write_whole
from immunescape.report.pictures import plotly_script
from immunescape.report.tables import Row, Table, number
from immunescape.report.writing import write_page

if TYPE_CHECKING:
    from immunescape.design.simulation import OperatingCharacteristics, SimulatedFigure

__all__ = ["print_designs", "save", "write_report"]

CIRCLE = 0.48
"""Radius of a hypothesis in the picture of the graph of alpha, on whose unit circle the hypotheses lie."""
FORMULA_ERRORS = 3
"""Monte Carlo errors of a simulated power beyond which a formula is said to be off."""


def _percent(figure: SimulatedFigure | None, digits: int = 2) -> str:
    """A share with its 95 % interval, in percent."""
    if figure is None:
        return "–"
    return f"{100 * figure.value:.{digits}f} ({100 * figure.low:.{digits}f} to {100 * figure.high:.{digits}f})"


def _shown(value: Any, digits: int) -> str:
    """A number to some digits; a small one that they would show as 0 to two significant digits."""
    if isinstance(value, float) and 0 < abs(value) < 0.5 * 10.0**-digits:
        return f"{value:.1e}"
    return number(value, digits)


def _mean(figure: SimulatedFigure | None, digits: int = 1) -> str:
    if figure is None:
        return "–"
    return f"{figure.value:.{digits}f} ± {number(figure.error, digits + 1)}"


PLAN_COLUMNS = {
    "hypothesis": ("Hypothesis", None),
    "look": ("Look", None),
    "at": ("At", None),
    "test": ("Test", None),
    "population": ("Population", None),
    "alpha": ("Alpha", 4),
    "events": ("Events", 0),
    "information": ("Information", 3),
    "efficacy_z": ("Efficacy Z", 4),
    "efficacy_p": ("Nominal p", 5),
    "futility_z": ("Futility Z", 3),
    "threshold": ("Threshold", 4),
    "futility": ("Futility", 3),
    "go_on": ("Go on with", None),
    "escalate": ("Escalate", None),
    "de_escalate": ("De-escalate", None),
    "eliminate": ("Eliminate", None),
    "promising": ("Promising with", None),
}
SCALE_COLUMNS = {
    "hypothesis": ("Hypothesis", None),
    "look": ("Look", None),
    "efficacy_hazard_ratio": ("Hazard ratio at efficacy", 3),
    "cumulative_alpha": ("Cumulative alpha", 5),
    "futility_hazard_ratio": ("Hazard ratio at futility", 3),
    "conditional_power_at_futility": ("Conditional power at futility, trend", 3),
}


def _plan_columns(result: OperatingCharacteristics, columns: Mapping[str, tuple[str, int | None]]) -> Table:
    expected_rows = result.design.rule.expected_table(result.design, result.plan)
    column_names = {k for row in expected_rows for k in row}
    # keys that a rule of another package adds are shown under their own name
    named = (
        columns
        if columns is not PLAN_COLUMNS
        else {**columns, **{k: (k, None) for k in column_names - set(ALL_COLUMNS)}}
    )
    if any(h.test.name == "rates" for h in getattr(result.design.rule, "tested", ())) and "events" in named:
        named = {**named, "events": ("Events, or patients read", 0)}
    shown = {k: v for k, v in named.items() if any(row.get(k) not in (None, "all") for row in expected_rows)}
    rows: list[Row] = [
        {
            title: (
                _shown(row.get(key), digits) if digits is not None else ("–" if row.get(key) is None else row.get(key))
            )
            for key, (title, digits) in shown.items()
        }
        for row in expected_rows
    ]
    return Table(rows, tuple(title for title, digits in shown.values() if digits is not None or title == "Look"))


ALL_COLUMNS = {**PLAN_COLUMNS, **SCALE_COLUMNS}


def plan_table(result: OperatingCharacteristics) -> Table:
    """Looks and boundaries."""
    return _plan_columns(result, PLAN_COLUMNS)


def scale_table(result: OperatingCharacteristics) -> Table:
    """The same bounds as hazard ratios, alpha spent by each look, conditional power at the futility bound."""
    table = _plan_columns(result, SCALE_COLUMNS)
    return table if len(table.columns) > 2 else Table([])


def _events_title(results: Sequence[OperatingCharacteristics]) -> str:
    """Whose events the first hypothesis counts, where there are hypotheses on several endpoints or populations."""
    names = set()
    for result in results:
        tested: Sequence[Any] = getattr(result.design.rule, "tested", ())
        several = len({(h.endpoint, h.strata) for h in tested}) > 1
        names.add(f" of {tested[0].name}" if several else "")
    return f"Expected events{names.pop() if len(names) == 1 else ' of the first hypothesis'}"


def main_table(results: Sequence[OperatingCharacteristics]) -> Table:
    """Probabilities of rejection, size and duration, by scenario (and design)."""
    rows = []
    events = _events_title(results)
    for result in results:
        for scenario in result.scenarios:
            summary = result.summary(scenario)
            row: Row = {"Design": result.design.name} if len(results) > 1 else {}
            compared = any(arm.role == "control" for arm in result.design.arms)
            null = "null (all arms as the control)" if compared else "null (a rate of no interest)"
            row |= {
                "Scenario": null if scenario == "null" else scenario,
                "Any rejection, % (95 % interval)": _percent(summary["reject_any"]),
                "Expected patients": _mean(summary["expected_patients"]),
                events: _mean(summary["expected_events"]),
                "Expected months": _mean(summary["expected_months"]),
                "Stopped early, %": _percent(summary["stop_early"], 1),
            }
            rows.append(row)
    return Table(rows, tuple(list(rows[0])[1 if len(results) == 1 else 2 :]))


def hypothesis_table(result: OperatingCharacteristics) -> Table:
    """Probability of rejecting each hypothesis, and of selecting, by scenario."""
    rows = []
    for scenario in result.scenarios:
        summary = result.summary(scenario)
        selected = summary.get("selected", {})
        for name, figure in summary["reject"].items():
            row: Row = {"Scenario": scenario, "Hypothesis": name, "Rejected, % (95 % interval)": _percent(figure)}
            if selected:
                row["Kept or selected, %"] = _percent(selected.get(name), 1)
            rows.append(row)
    return Table(rows, tuple(list(rows[0])[2:]))


def stopping_table(result: OperatingCharacteristics) -> Table:
    """Where trials end; rejections at the last look, which stop nothing early, are among those that end with one."""
    rows: list[Row] = []
    for scenario in result.scenarios:
        summary = result.summary(scenario)
        looks: Mapping[str, Any] = summary["looks"]
        for k, stop in enumerate(summary["stopping"]):
            row: Row = {
                "Scenario": scenario,
                "Look": stop["look"],
                "Stops early for efficacy, %": _percent(stop["efficacy"], 1),
                "Stops early for futility, %": _percent(stop["futility"], 1),
                "Ends with a rejection, %": _percent(stop["rejected"], 1),
                "Trial ends, %": _percent(stop["end"], 1),
            }
            for key, title, digits in (("months", "Month", 1), ("patients", "Patients", 1)):
                if key in looks and k < len(looks[key]):
                    row[title] = _mean(looks[key][k], digits)
            rows.append(row)
    return Table(rows, tuple(list(rows[0])[1:]))


def data_table(result: OperatingCharacteristics) -> Table:
    """What an analysis sees: events of each hypothesis in trials still running, hazard ratio over all trials."""
    rows: list[Row] = []
    for scenario in result.scenarios:
        looks: Mapping[str, Any] = result.summary(scenario)["looks"]
        event_keys = [key for key in looks if key.startswith("events of ")] or [
            key for key in ("events",) if key in looks
        ]
        for k in range(len(result.design.looks)):
            row: Row = {"Scenario": scenario, "Look": k + 1}
            for key in event_keys:
                if k < len(looks[key]):
                    row[key.capitalize() if key == "events" else f"E{key[1:]}"] = _mean(looks[key][k], 1)
            if "hazard_ratio" in looks and k < len(looks["hazard_ratio"]):
                row["Hazard ratio over all trials (geometric mean)"] = _mean(looks["hazard_ratio"][k], 3)
            rows.append(row)
    return Table(rows, tuple(list(rows[0])[1:])) if rows and len(rows[0]) > 2 else Table([])


def further_table(result: OperatingCharacteristics) -> Table:
    """Numbers of a kind of design of its own (patients by arm, months by arm, factor on the size)."""
    rows = []
    for scenario in result.scenarios:
        for name, figure in result.summary(scenario).get("further", {}).items():
            rows.append({"Scenario": scenario, "Number": name, "Mean ± Monte Carlo error": _mean(figure, 2)})
    return Table(rows, ("Mean ± Monte Carlo error",))


def comparison_table(results: Sequence[OperatingCharacteristics]) -> Table:
    """Designs side by side; differences over the same random numbers."""
    from immunescape.design.simulation import DesignComparison

    rows = []
    for row in DesignComparison(tuple(results)).rows():
        gap = row["difference"]
        rows.append(
            {
                "Scenario": row["scenario"],
                "Design": row["design"],
                "Any rejection, %": _percent(row["reject_any"]),
                "Difference to the first, points": "–"
                if gap is None
                else f"{100 * gap.value:+.2f} ± {100 * gap.error:.2f}",
                "Expected patients": _mean(row["expected_patients"]),
                "Expected months": _mean(row["expected_months"]),
            }
        )
    return Table(rows, tuple(list(rows[0])[2:]) if rows else ())


def notes_table(result: OperatingCharacteristics) -> Table:
    """Average hazard ratios and the error of a virtual population."""
    rows: list[Row] = []
    for name, values in result.notes.get("average_hazard_ratio", {}).items():
        text = ", ".join(number(v, 3) for v in values)
        rows.append({"Item": f"Average hazard ratio expected at the looks ({name})", "Value": text})
    for scenario, planning in result.notes.get("planning", {}).items():
        power = ", ".join(f"{100 * p:.1f} %" for p in planning["cumulative_power"])
        months = ", ".join(number(m, 1) for m in planning["months"])
        looks = f"looks at month {months}; " if months else ""
        rows.append({"Item": f"By formula ({scenario})", "Value": f"{looks}cumulative power {power}"})
        simulated = result.reject(scenario)
        gap = planning["cumulative_power"][-1] - simulated.value
        if abs(gap) > FORMULA_ERRORS * simulated.error:
            rows.append(
                {
                    "Item": f"Formula less simulation ({scenario})",
                    "Value": f"{100 * gap:+.1f} points, beyond {FORMULA_ERRORS} Monte Carlo errors: the formula is a "
                    "large-sample approximation (that of survival takes the arms at risk as they were randomised, so "
                    "it is further off at unequal allocation and large effects); the simulated power is the one to use",
                }
            )
        for target_power, size in planning["size_for_power"].items():
            events = "" if size["events"] is None else f"{size['events']:.0f} events, "
            text = f"{events}{size['patients']:.0f} patients"
            rows.append({"Item": f"Size for power {float(target_power):.0%} ({scenario})", "Value": text})
    for scenario, pool in result.notes.get("pool", {}).items():
        sizes = "; ".join(f"{a}: {n} ({pool['times_n'][a]:.1f} times n)" for a, n in pool["patients"].items())
        rows.append({"Item": f"Virtual population ({scenario})", "Value": f"{pool['source']}. {sizes}"})
        for name, planning in pool["hazard_ratios"].items():
            rows.append(
                {
                    "Item": f"Pool hazard ratio, {name}",
                    "Value": f"{planning['hazard_ratio']:.3f} (standard error of its logarithm "
                    f"{planning['log_se']:.3f})",
                }
            )
        naive = result.notes.get("naive_truth", {}).get(scenario)
        if naive is not None:
            verdict = naive["verdict"]
            rows.append({"Item": f"Against a naive truth ({scenario})", "Value": verdict[0].upper() + verdict[1:]})
            for name, gap in naive.get("power", {}).items():
                rows.append(
                    {
                        "Item": f"Power of {name}: virtual population, fit of its curves",
                        "Value": f"{100 * gap['pool']:.1f} %, {100 * gap['fit']:.1f} % (difference "
                        f"{100 * gap['difference']:+.1f} ± {100 * gap['se']:.1f} points)",
                    }
                )
            if naive.get("months"):
                both = naive["months"]
                rows.append(
                    {
                        "Item": "Expected months: virtual population, fit of its curves",
                        "Value": f"{both['pool']:.1f}, {both['fit']:.1f}",
                    }
                )
        for name, error in pool.get("power_error", {}).items():
            rows.append(
                {
                    "Item": f"Power of {name}, standard deviation by the size of the pool (bootstrap)",
                    "Value": f"{100 * error:.1f} points; it is in the interval of the power",
                }
            )
    return Table(rows)


def boundary_figure(result: OperatingCharacteristics) -> Any:
    """Boundaries on the scale of Z by information."""
    import plotly.graph_objects as go

    figure = go.Figure()
    rows = result.design.rule.expected_table(result.design, result.plan)
    names = list(dict.fromkeys(r["hypothesis"] for r in rows))
    bounds = ("information", "efficacy_z", "futility_z")
    lines = {name: [[row.get(key) for key in bounds] for row in rows if row["hypothesis"] == name] for name in names}
    alike = len(names) > 1 and all(repr(line) == repr(lines[names[0]]) for line in lines.values())
    # bounds that all hypotheses share are drawn once: lines on one another cannot be told apart
    for k, name in enumerate(names[:1] if alike else names):
        colour = ARM_COLOURS[k % len(ARM_COLOURS)]
        of_hypothesis = [r for r in rows if r["hypothesis"] == name]
        title = "each hypothesis" if alike else name
        for key, dash, label in (("efficacy_z", "solid", "efficacy"), ("futility_z", "dot", "futility")):
            points = [
                (r["information"], r[key]) for r in of_hypothesis if r.get(key) is not None and np.isfinite(r[key])
            ]
            if points:
                figure.add_scatter(
                    x=[p[0] for p in points],
                    y=[p[1] for p in points],
                    mode="lines+markers",
                    name=f"{title}, {label}",
                    line={"color": colour, "dash": dash},
                )
    return _laid_out(figure, "Boundaries", "Information fraction", "Z (positive: experimental better)")


def graph_figure(result: OperatingCharacteristics) -> Any:
    """How alpha is allocated and passed on; None where there is one hypothesis or no graph."""
    import plotly.graph_objects as go

    graph = getattr(result.design.rule, "graph", None)
    graph = graph() if callable(graph) else None
    if graph is None or len(graph.names) < 2:
        return None
    angle = np.pi / 2 - 2 * np.pi * np.arange(len(graph.names)) / len(graph.names)
    place = dict(zip(graph.names, zip(np.cos(angle), np.sin(angle), strict=True), strict=True))
    figure = go.Figure()
    for start, edges in graph.transitions.items():
        for end, share in edges.items():
            if share <= 0:
                continue
            (x0, y0), (x1, y1) = place[start], place[end]
            # beside the straight line, so that the two directions of a pair do not lie on each other
            side = 0.06 * np.array([y1 - y0, x0 - x1]) / np.hypot(x1 - x0, y1 - y0)
            a, b = np.array([x0, y0]) + side, np.array([x1, y1]) + side
            # from edge to edge of the circles, so that no arrow lies over a name
            edge = min(0.45, CIRCLE / float(np.hypot(x1 - x0, y1 - y0)))
            tail, head = a + edge * (b - a), a + (1 - edge) * (b - a)
            figure.add_annotation(
                x=head[0],
                y=head[1],
                ax=tail[0],
                ay=tail[1],
                xref="x",
                yref="y",
                axref="x",
                ayref="y",
                text="",
                arrowhead=2,
                arrowwidth=1.6,
                arrowcolor=ARM_COLOURS[0],
            )
            label = a + 0.5 * (b - a) + side
            figure.add_annotation(x=label[0], y=label[1], text=f"{share:g}", showarrow=False, bgcolor="white")
    total = result.design.alpha or 0.0
    figure.add_scatter(
        x=[place[n][0] for n in graph.names],
        y=[place[n][1] for n in graph.names],
        mode="markers+text",
        text=[f"{n}<br>alpha {graph.weights[n] * total:.4g}" for n in graph.names],
        textposition="middle center",
        textfont={"size": 11, "color": "#1d2733"},
        marker={"size": 86, "color": "#e2ecf8", "line": {"color": ARM_COLOURS[0], "width": 1.5}},
        showlegend=False,
        hoverinfo="skip",
    )
    figure = _laid_out(figure, "How alpha is allocated and passed on", "", "")
    figure.update_xaxes(visible=False, range=[-1.7, 1.7])
    low = min(y for _, y in place.values())
    figure.update_yaxes(visible=False, range=[low - 0.7, 1.7], scaleanchor="x")
    return figure


def alpha_table(result: OperatingCharacteristics) -> Table:
    """What the graph of alpha shows, in words: what each hypothesis starts with, and where it goes when rejected."""
    graph = getattr(result.design.rule, "graph", None)
    graph = graph() if callable(graph) else None
    if graph is None or len(graph.names) < 2:
        return Table([])
    total = result.design.alpha or 0.0
    rows: list[Row] = []
    for name in graph.names:
        edges = graph.transitions.get(name, {})
        onward = [f"{share:.0%} to {end}" for end, share in edges.items() if share > 0]
        rows.append(
            {
                "Hypothesis": name,
                "Alpha at the start": f"{graph.weights[name] * total:.4g}",
                "Passed on when rejected": ", ".join(onward) or "nothing",
            }
        )
    return Table(rows, ("Alpha at the start",))


def _figures(result: OperatingCharacteristics) -> list[str]:
    """Pictures with a label that says what they show and which table holds the same numbers."""
    made = (
        (boundary_figure(result), "Boundaries on the scale of Z by information", "Looks and boundaries"),
        (stopping_figure(result), "Where trials end, by scenario", "By look"),
        (graph_figure(result), "How alpha is allocated and passed on", "Alpha by hypothesis"),
    )
    return [
        figure_html(figure, label=label, caption=f"{label}; the same numbers are in the table “{table}”.")
        for figure, label, table in made
        if figure is not None
    ]


def stopping_figure(result: OperatingCharacteristics) -> Any:
    """Stacked bars of where trials end, by scenario; lying, so that long names of scenarios are never turned."""
    import plotly.graph_objects as go

    figure = go.Figure()
    summaries = {s: result.summary(s) for s in result.scenarios}
    looks = max(len(f["stopping"]) for f in summaries.values())
    for k in range(looks):
        for key, label, colour in (("efficacy", "efficacy", ARM_COLOURS[0]), ("futility", "futility", ARM_COLOURS[1])):
            y = [100 * f["stopping"][k][key].value if k < len(f["stopping"]) else 0.0 for f in summaries.values()]
            if any(y):
                figure.add_bar(
                    y=list(summaries),
                    x=y,
                    orientation="h",
                    name=f"look {k + 1}, {label}",
                    marker_color=colour,
                    opacity=1 - 0.6 * k / looks,
                )
    for rejects, label, colour in ((True, "rejected", "#6f8494"), (False, "not rejected", "#c9d1d8")):
        ran = []
        for scenario in summaries:
            decided = result.outcomes[scenario]
            ran.append(100 * float(np.mean((decided.reason == 0) & (decided.rejected.any(axis=1) == rejects))))
        figure.add_bar(y=list(summaries), x=ran, orientation="h", name=f"ran to the end, {label}", marker_color=colour)
    figure.update_layout(barmode="stack")
    figure = _laid_out(figure, "Where trials end", "Simulated trials (%)", "")
    wrapped = ["<br>".join(textwrap.wrap(name, 16)) for name in summaries]
    figure.update_yaxes(
        type="category", autorange="reversed", automargin=True, tickvals=list(summaries), ticktext=wrapped
    )
    return figure


def _laid_out(figure: Any, title: str, x: str, y: str) -> Any:
    figure.update_layout(
        title={"text": title, "font": {"size": 16}},
        height=400,
        xaxis_title=x,
        yaxis_title=y,
        margin={"l": 56, "r": 16, "t": 44, "b": 56},
        font={"family": "system-ui, sans-serif", "size": 13},
    )
    return figure


def _references(result: OperatingCharacteristics) -> list[str]:
    from immunescape.knowledge.references import format_reference, load_references

    references = load_references()
    return [f"[{k}] {format_reference(references[k])}" if k in references else k for k in result.design.references]


def _blocks(result: OperatingCharacteristics) -> dict[str, Any]:
    error = result.type_one_error
    alpha = result.design.alpha
    verdict = ""
    if error is not None and alpha is not None:
        verdict = f"Type I error {_percent(error)} % at a nominal {100 * alpha:g} % (one-sided)"
        if result.unstopped is not None:
            verdict += (
                f", stops for futility ignored, as they do not bind; with them {_percent(result.reject('null'))} %"
            )
        verdict += "."
    return {
        "name": result.design.name,
        "title": result.design.title,
        "description": result.design.description,
        "assumptions": result.design.assumptions,
        "warnings": result.warnings,
        "verdict": verdict,
        "plan": plan_table(result),
        "scales": scale_table(result),
        "data": data_table(result),
        "review": review_note(result),
        "hypotheses": hypothesis_table(result),
        "stopping": stopping_table(result),
        "further": further_table(result),
        "notes": notes_table(result),
        "alpha": alpha_table(result),
        "figures": _figures(result),
        "references": _references(result),
    }


def write_report(results: Sequence[OperatingCharacteristics], path: Path, notice: str) -> Path:
    """Write the HTML report: one file, no network needed to read it."""
    first = results[0]
    values = {
        "title": first.design.title if len(results) == 1 else "Designs side by side",
        "lead": f"{first.replicates} simulated trials per scenario, seed {first.seed}; one-sided tests; figures "
        "after ± are Monte Carlo standard errors, intervals are exact 95 % intervals.",
        "notice": notice,
        "plotly_js": plotly_script(),
        "main": main_table(results),
        "comparison": comparison_table(results) if len(results) > 1 else Table([]),
        "designs": [_blocks(r) for r in results],
        "provenance": Table(
            [
                {"Item": "Command", "Value": command(results)},
                {
                    "Item": "Version",
                    "Value": f"immunescape {first.to_json()['version']}, Python {platform.python_version()}",
                },
                {"Item": "Seed", "Value": first.seed},
                {"Item": "Seconds", "Value": f"{sum(r.wall_s for r in results):.1f}"},
            ]
        ),
    }
    return write_page(path, "design.html", values)


def command(results: Sequence[OperatingCharacteristics]) -> str:
    """The command line that repeats a run."""
    names = " ".join(f"{r.design.name}.yaml" for r in results)
    return f"immunescape design {names} --replicates {results[0].replicates} --seed {results[0].seed}"


def save(
    results: Sequence[OperatingCharacteristics], content: Mapping[str, Any], folder: Path, notice: str
) -> list[Path]:
    """Write design.json, report.html, one YAML per design and reproduce.py; returns their paths."""
    make_folder(folder)
    paths = [folder / "design.json"]
    write_whole(paths[0], (json.dumps(content, indent=2, allow_nan=False) + "\n").encode("utf-8"))
    for result in results:
        if result.design.text:
            path = folder / f"{result.design.name}.yaml"
            write_whole(path, result.design.text.encode("utf-8"))
            paths.append(path)
    if all(r.design.text for r in results):
        write_whole(folder / "reproduce.py", script(results).encode("utf-8"))
        paths.append(folder / "reproduce.py")
    for result in results:
        text = review_script(result)
        if text is not None:
            paths.append(folder / ("review.R" if len(results) == 1 else f"review-{result.design.name}.R"))
            write_whole(paths[-1], text.encode("utf-8"))
    paths.append(write_report(results, folder / "report.html", notice))
    return paths


def print_designs(results: Sequence[OperatingCharacteristics]) -> None:
    """Print boundaries and operating characteristics."""
    from immunescape.console import print_table

    for result in results:
        print(f"{result.design.title}\n")
        print_table("Looks and boundaries", plan_table(result).rows)
        if scale_table(result).rows:
            print_table("Bounds on other scales", scale_table(result).rows)
    print_table(f"Operating characteristics ({results[0].replicates} simulated trials)", main_table(results).rows)
    for result in results:
        if len(results) > 1:
            print(f"{result.design.name}\n")
        print_table("By hypothesis", hypothesis_table(result).rows)
        notes = notes_table(result)
        if notes.rows:
            print_table("Notes", notes.rows)
        for text in result.design.assumptions:
            print(f"Assumed: {text}")
        for text in result.warnings:
            print(f"Warning: {text}")
    if len(results) > 1:
        print_table("Side by side (common random numbers)", comparison_table(results).rows)
