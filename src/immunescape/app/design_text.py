"""Designs as text, their main assumptions as sliders, and their simulation in a worker process."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from immunescape.app.figures import table_json
from immunescape.app.trial_text import LARGEST_TEXT, check_length, fields
from immunescape.errors import InputError

__all__ = ["Assumption", "assumptions", "design_code", "library_text", "run_design_task", "with_values"]

NAME = "design.yaml"
MOST_SLIDERS = 16
_MOST_SCALARS = 20_000


@dataclass(frozen=True, kw_only=True)
class Assumption:
    """A number of a design's text that a slider changes.

    Attributes
    ----------
    key : where it stands, such as ``scenarios.0.truth.1.hazard_ratio``. label, unit : in words.
    value : as the text has it. low, high, step : of the slider. start, end : characters of the text that it takes.
    """

    key: str
    label: str
    unit: str
    value: float
    low: float
    high: float
    step: float
    start: int
    end: int


def library_text(name: str) -> str:
    """Text of a design that ships."""
    from immunescape.design.loading import resolve

    return resolve(name)[1]


_KINDS: Mapping[str, tuple[str, str]] = {
    "alpha": ("One-sided alpha", ""),
    "patients": ("Patients", ""),
    "hazard_ratio": ("Hazard ratio", ""),
    "median": ("Median", "months"),
    "delay": ("Delay of the effect", "months"),
    "rate": ("Response rate", ""),
    "cured": ("Cured share", ""),
    "events": ("Events", ""),
    "share": ("Share lost", ""),
}


def assumptions(text: str) -> list[Assumption]:
    """Return the main assumptions of a design: alpha, patients, events of its looks, dropout, truths of its scenarios.

    Empty where the text is not YAML: its reader says why.
    """
    import yaml

    if len(text) > LARGEST_TEXT:
        return []
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except Exception:
        return []
    if not isinstance(node, yaml.MappingNode) or not isinstance(data, dict):
        return []
    assumptions: list[Assumption] = []
    for path, scalar in itertools.islice(_scalars(node, ()), _MOST_SCALARS):
        if len(assumptions) == MOST_SLIDERS:
            break
        if not _is_assumption(path) or any(a.start == scalar.start_mark.index for a in assumptions):
            continue  # an alias repeats what stands elsewhere
        try:
            value = float(scalar.value)
        except ValueError:
            continue
        name = str(path[-1])
        label, unit = _KINDS[name]
        low, high, step = _ends(name, value, path)
        assumptions.append(
            Assumption(
                key=".".join(map(str, path)),
                label=f"{label}{_about(path, data)}",
                unit=unit,
                value=value,
                low=low,
                high=high,
                step=step,
                start=scalar.start_mark.index,
                end=scalar.end_mark.index,
            )
        )
    return assumptions


def _scalars(node: Any, path: tuple[str | int, ...]) -> Any:
    import yaml

    if len(path) > 5:  # deeper than any assumption lies; and the end of aliases that hold themselves
        return
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _scalars(value, (*path, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _scalars(value, (*path, index))
    elif isinstance(node, yaml.ScalarNode):
        yield path, node


def _is_assumption(path: tuple[str | int, ...]) -> bool:
    match path:
        case ("alpha",) | ("patients",) | ("dropout", "share"):
            return True
        case ("looks", int(), "events"):
            return True
        case ("scenarios", int(), "truth", int(), "hazard_ratio" | "median" | "delay" | "rate" | "cured"):
            return True
        case ("scenarios", int(), "pool", "patients"):
            return True
    return False


def _endpoint(name: Any) -> str:
    """The name of an endpoint; abbreviations of times (os, pfs) in capitals."""
    return str(name).upper() if len(str(name)) <= 3 else str(name)


def _about(path: tuple[str | int, ...], data: Mapping[str, Any]) -> str:
    """Of which look, scenario, arm, stratum an assumption is."""
    match path:
        case ("looks", int(k), _):
            look = data["looks"][k]
            return f", look {k + 1}" + (f" ({_endpoint(look['endpoint'])})" if "endpoint" in look else "")
        case ("dropout", _):
            return f" within {data['dropout'].get('months', 12):g} months"
        case ("scenarios", int(k), "pool", _):
            return f" per arm of the virtual population, {data['scenarios'][k].get('name', k + 1)}"
        case ("scenarios", int(k), "truth", int(j), _):
            scenario = data["scenarios"][k]
            truth = scenario["truth"][j]
            words = [_endpoint(truth["endpoint"])] if truth.get("endpoint") else []
            words += [str(truth[n]) for n in ("arm", "stratum") if truth.get(n)]
            return f": {', '.join(words)} ({scenario.get('name', f'scenario {k + 1}')})"
    return ""


def _ends(name: str, value: float, path: tuple[str | int, ...]) -> tuple[float, float, float]:
    """Ends and step of a slider that holds the value."""
    if name == "alpha":
        low, high, step = 0.005, 0.1, 0.0025
    elif name == "hazard_ratio":
        low, high, step = 0.3, 1.5, 0.01
    elif name == "median":
        low, high, step = 1.0, max(36.0, 2 * value), 0.5
    elif name == "delay":
        low, high, step = 0.0, 12.0, 0.5
    elif name in ("rate", "cured", "share"):
        low, high, step = 0.0, 0.95, 0.01
    elif "pool" in path:
        low, high, step = min(200.0, value), max(value, 400.0), 100.0
    else:  # patients, events
        step = 5.0 if value >= 50 else 1.0
        low, high = max(step, math.floor(value / 3 / step) * step), math.ceil(3 * value / step) * step
    low = min(low, value)
    low = value - math.floor((value - low) / step + 1e-9) * step  # the value itself must be a stop of the slider
    return round(low, 10), max(high, value), step


def with_values(text: str, values: Mapping[str, float]) -> str:
    """Return the text with assumptions changed where they stand; comments and order stay.

    Parameters
    ----------
    text
        Text of a design.
    values
        Key of an assumption -> value.
    """
    for item in sorted(assumptions(text), key=lambda a: -a.start):
        value = values.get(item.key)
        if value is None or math.isclose(value, item.value, rel_tol=1e-9):
            continue
        number = f"{value:.10g}"
        text = text[: item.start] + number + text[item.end :]
    return text


def check_design_text(text: str) -> None:
    """Refuse text that is too long, or names files beside it or trials that do not ship."""
    from immunescape.trial.loading import list_trials

    check_length(text, NAME)
    for path, key, value in fields(text):
        if key == "pool" and isinstance(value, dict):
            if value.get("table"):
                raise InputError(
                    "'table' names a file beside the design, which the app does not read",
                    where=f"{NAME}, {path}",
                    hint="Use an included trial, or run the design from the command line.",
                )
            trial = value.get("trial")
            if isinstance(trial, str) and trial.casefold() not in map(str.casefold, list_trials()):
                raise InputError(
                    f"'{trial}' is not an included trial", where=f"{NAME}, {path}", hint=f"{', '.join(list_trials())}."
                )


def run_design_task(request: Mapping[str, Any], folder: Path, progress: Any) -> dict[str, Any]:
    """Simulate a design of YAML text; writes ``run/`` as `immunescape design` does.

    Parameters
    ----------
    request
        ``text``, ``replicates``, ``seed``.
    folder
        Folder of the job.
    progress
        Called with (done, all).
    """
    from immunescape.api.designs import VirtualDesign
    from immunescape.report import design_report as report

    text = request["text"]
    check_design_text(text)
    run = VirtualDesign(NAME, text).run(
        replicates=int(request["replicates"]), seed=int(request["seed"]), workers=1, progress=progress
    )
    run.save(folder / "run")
    (folder / "run" / NAME).write_text(text, encoding="utf-8")
    result = run.result
    tables = [
        table_json("Operating characteristics", report.main_table([result])),
        table_json("By hypothesis", report.hypothesis_table(result)),
        table_json("Looks and boundaries", report.plan_table(result)),
        table_json("Where trials end", report.stopping_table(result)),
        table_json("Notes", report.notes_table(result)),
    ]
    return {
        "title": result.design.title,
        "tables": [t for t in tables if t["rows"]],
        "cards": [card.to_json() for card in _cards(result)],
    }


def _cards(result: Any) -> Sequence[Any]:
    import json

    from immunescape.app.figures import card_of_picture
    from immunescape.report import design_report as report
    from immunescape.report.pictures import Picture

    cards = []
    for key, title, figure, words in (
        ("boundaries", "Boundaries", report.boundary_figure(result), report.plan_table(result)),
        ("stopping", "Where trials end", report.stopping_figure(result), report.stopping_table(result)),
    ):
        content = json.loads(figure.to_json())
        if not content["data"]:
            continue
        layout = {k: v for k, v in content["layout"].items() if k not in ("template", "width")}
        rows = [{k: str(v) for k, v in row.items()} for row in words.rows]
        text = f"{title}, as in the table: " + "; ".join(", ".join(f"{k} {v}" for k, v in r.items()) for r in rows[:6])
        cards.append(card_of_picture(key, title, Picture(content["data"], layout), text[:600], rows))
    return cards


def design_code(name: str, text: str, replicates: int, seed: int) -> tuple[str, str]:
    """Python and command line that simulate the design: by name where it is the one that ships, else by a file."""
    label = name if name and text == library_text(name) else NAME
    python = (
        f'import immunescape\n\nrun = immunescape.load_design("{label}").run(replicates={replicates}, seed={seed})\n'
        'run.show()\nrun.save("design")'
    )
    return python, f"immunescape design {label} --replicates {replicates} --seed {seed} --out design"
