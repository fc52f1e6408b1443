"""What worker processes compute: a request of plain data in, plain data and files in a folder out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from immunescape.app.design_text import run_design_task
from immunescape.app.figures import Card, card_of_picture, table_json
from immunescape.app.profile_card import run_profile_task
from immunescape.app.twin_cards import run_ranking_task, run_twins_task

if TYPE_CHECKING:
    from immunescape.trial.result import TrialResult

__all__ = ["TASKS", "run_trial_task"]

Progress = Callable[[int, int], None]


def run_trial_task(request: Mapping[str, Any], folder: Path, progress: Progress) -> dict[str, Any]:
    """Run a virtual trial of YAML text; writes ``run/`` (as `immunescape trial` does) and ``trial.yaml``.

    Parameters
    ----------
    request
        ``text`` (the trial), ``patients`` (per arm), ``seed``.
    folder
        Folder of the job.
    progress
        Called with (patients done, patients in all).
    """
    from immunescape.api.trials import VirtualTrial
    from immunescape.app.trial_text import read_trial_text
    from immunescape.report.tables import comparison_table, flow_table, results_table, safety_table

    trial = read_trial_text(request["text"])
    done = VirtualTrial(trial).run(
        patients=int(request["patients"]), seed=int(request["seed"]), workers=1, progress=progress
    )
    done.save(folder / "run")
    done.patients.to_csv(folder / "run" / "patients.csv", index=False)
    (folder / "run" / "trial.yaml").write_text(request["text"], encoding="utf-8")
    result = done.result
    failed = sum(arm["failed"] for arm in result.arms)
    tables = [table_json("Predicted beside published", results_table(result))]
    if result.comparison:
        c = result.comparison
        title = f"Hazard ratios: {c['experimental']} against {c['control']}"
        # a p value of a simulation tells the number of patients and nothing else
        tables.append(table_json(title, comparison_table(result), without=("Log-rank p (predicted)",)))
    tables.append(table_json("Severe toxicity", safety_table(result)))
    tables.append(table_json("From candidates to enrolled patients", flow_table(result)))
    return {
        "title": trial.title,
        "tables": tables,
        "cards": [card.to_json() for card in survival_cards(result)],
        "note": f"Patients whose simulation failed: {failed} (counted, not enrolled).",
        "seconds": result.wall_s,
    }


def survival_cards(result: TrialResult) -> list[Card]:
    """Predicted and published Kaplan-Meier curves of the endpoints that were simulated."""
    from immunescape.report.pictures import Picture
    from immunescape.report.tables import survival_table
    from immunescape.report.trial_report import TITLES, survival_figure

    cards = []
    landmarks = table_json("", survival_table(result))["rows"]
    for endpoint, title in TITLES.items():
        if not all((endpoint, arm["name"]) in result.curves for arm in result.arms):
            continue
        medians = "; ".join(
            f"{arm['name']} {arm[key]:.1f} months" if arm.get(key) is not None else f"{arm['name']} not reached"
            for arm in result.arms
            for key in (f"{endpoint}_median_months",)
        )
        rows = [row for row in landmarks if title in row.values()] or landmarks
        note = "Bands: 95 %, chance of these numbers of patients alone. Diamonds and crosses: published."
        words = f"{title}: predicted Kaplan-Meier curves. Predicted medians: {medians}."
        picture = survival_figure(result, endpoint)
        picture = Picture(
            [_dashed(trace, [arm["name"] for arm in result.arms]) for trace in picture.data], picture.layout
        )
        cards.append(card_of_picture(endpoint, title, picture, words, rows, note))
    return cards


def _dashed(trace: Mapping[str, Any], arms: Sequence[str]) -> Mapping[str, Any]:
    """A predicted curve with the dashes of its arm, which is then told by more than its colour."""
    arm = str(trace.get("name", "")).removesuffix(", predicted")
    if arm not in arms or trace.get("mode") != "lines":
        return trace
    return {**trace, "line": {**trace["line"], "dash": ("solid", "dash", "longdashdot")[arms.index(arm) % 3]}}


TASKS: Mapping[str, Callable[[Mapping[str, Any], Path, Progress], dict[str, Any]]] = {
    "trial": run_trial_task,
    "profile": run_profile_task,
    "design": run_design_task,
    "twins": run_twins_task,
    "ranking": run_ranking_task,
}
"""Task -> function; the only functions that a worker process runs."""
