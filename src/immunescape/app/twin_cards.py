"""Twins of a patient and ranked regimens as tables and figures, computed in a worker process from files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from immunescape.app.figures import Card, card_of_picture
from immunescape.app.trial_text import check_length
from immunescape.errors import InputError
from immunescape.evaluation.mechanism_labels import explanation, step_mechanism, title_labelled
from immunescape.model.drugs._titles import sentence_case
from immunescape.report.fact_text import fact_rows, least_likely_text
from immunescape.twins.words import biomarker_title

if TYPE_CHECKING:
    from immunescape.report.pictures import Picture
    from immunescape.twins.conditioning import TwinPopulation
    from immunescape.twins.ranking import RankedPatient, Ranking

__all__ = ["run_ranking_task", "run_twins_task", "twin_code"]

OPTIONS = "options.yaml"
WEIGHTS = ("survival", "progression_free", "toxicity")
_FANS = 4
Progress = Callable[[int, int], None]


def run_twins_task(request: Mapping[str, Any], folder: Path, progress: Progress) -> dict[str, Any]:
    """Draw the twins of a patient; writes ``run/`` (as `immunescape twin` does) and ``run/twins.csv``.

    Parameters
    ----------
    request
        ``study`` (the folder of the files; empty: the example that ships), ``patient``, ``at``, ``twins``, ``seed``,
        ``regimen`` (empty: the line that the files name, else the standard of the setting), ``enough`` (effective twins
        that there must be; absent: the package's own).
    folder
        Folder of the job.
    progress
        Called with (twins done, twins in all).
    """
    from immunescape.api.twins import twin
    from immunescape.report.twin_report import fan_picture
    from immunescape.report.twin_text import (
        BESIDE,
        beside_notes,
        beside_rows,
        course_rows,
        forecast_note,
        forecast_rows,
    )
    from immunescape.twins.courses import regimen_of

    made = twin(
        request["study"] or None,
        request["patient"],
        at=float(request["at"]),
        twins=int(request["twins"]),
        seed=int(request["seed"]),
        regimen=request.get("regimen") or None,
        workers=1,
        enough=request.get("enough"),
        progress=progress,
    )
    made.save(folder / "run")
    columns = [c for c in made.table.columns if not str(c).startswith("x:")]
    made.table[columns].to_csv(folder / "run" / "twins.csv", index_label="id")
    result = made.result
    shown, drugs = result.record.shown, tuple(regimen_of(result.regimen).drugs)
    fan = fan_picture(result.twins, result.courses.scans, result.label, result.label, shown, drugs)
    forecast = _rows(forecast_rows(result))
    course = _rows(course_rows(result.record))
    return {
        "patient": result.record.patient,
        "setting": result.record.stratum_title or "no guideline group",
        "about": _about(result.twins),
        "regimen": result.regimen,
        "tables": [
            {"title": f"Forecast on {result.regimen}", "rows": forecast, "numeric": list(forecast[0])[1:]},
            *_beside_table(f"{BESIDE}, before the first dose", beside_rows(result.comparison)),
            *([{"title": "Course on this line so far", "rows": course, "numeric": []}] if course else []),
            _facts(result.twins),
        ],
        "cards": [] if fan is None else [_fan_card("twins", result.label, fan).to_json()],
        "limit": forecast_note(result.record),
        "notes": [*beside_notes(result.comparison), *result.record.notes, *result.twins.notes],
        "open": [biomarker_title(n) for n in result.record.open_questions],
    }


def run_ranking_task(request: Mapping[str, Any], folder: Path, progress: Progress) -> dict[str, Any]:
    """Rank the regimens of a patient's setting; writes ``run/`` (as `immunescape rank` does) and ``run/options.csv``.

    Parameters
    ----------
    request
        As of `run_twins_task`, and ``weights`` (of benefit and harm), ``margin`` (of survival at 12 months) and
        ``options`` (the user's own regimens as YAML; empty: none).
    folder
        Folder of the job.
    progress
        Called with (twins done, twins in all).
    """
    from immunescape.api.twins import rank
    from immunescape.report.twin_text import (
        BESIDE,
        beside_notes,
        beside_option_rows,
        contradicting,
        first_with_rows,
        score_note,
        through_rows,
        without_data,
    )

    uploaded, options = str(request.get("options") or ""), None
    if uploaded.strip():
        check_length(uploaded, OPTIONS)
        options = folder / OPTIONS
        options.write_text(uploaded, encoding="utf-8")
    made = rank(
        request["study"] or None,
        request["patient"],
        at=float(request["at"]),
        twins=int(request["twins"]),
        seed=int(request["seed"]),
        weights=dict(request["weights"]),
        margin=float(request["margin"]),
        options=options,
        workers=1,
        enough=request.get("enough"),
        progress=progress,
    )
    made.save(folder / "run")
    made.table.to_csv(folder / "run" / "options.csv", index=False)
    result = made.result
    record, twins = result.record, result.followed.twins
    return {
        "patient": record.patient,
        "setting": result.setting,
        "about": f"The same twins under every option. {_about(twins)}",
        "words": list(result.ranking.words),
        "score": score_note(result, "under 'Weights, margin and own regimens of the ranking'"),
        "against": contradicting(result.ranking),
        "left": list(result.left_out),
        "tables": [_options_table(result), *_beside_table(BESIDE, beside_option_rows(result))],
        "steps": _steps_table(result.ranking),
        "through": {"title": "What the options act through, by what tested it", "rows": _rows(through_rows(result))},
        "next": _next_measurements(result),
        "facts": _facts(twins),
        "cards": [card.to_json() for card in _ranking_cards(result)],
        "notes": [*beside_notes(first_with_rows(result)), *without_data(result), *record.notes, *twins.notes],
        "open": [biomarker_title(n) for n in record.open_questions],
    }


def _beside_table(title: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The twins beside statistical models as a table; none without figures."""
    return [{"title": title, "rows": _rows(rows), "numeric": []}] if rows else []


def _ranking_cards(result: RankedPatient) -> list[Card]:
    """Forest of the differences to the standard, then the courses under the first options."""
    from immunescape.report.twin_report import fan_picture

    cards = [_forest_card(result)] if len(result.ranking.rows) > 1 else []
    for k, r in enumerate(result.ranking.rows[:_FANS]):
        fan = fan_picture(
            result.followed.twins,
            result.followed.courses.scans,
            r.option.name,
            r.option.title,
            result.record.shown,
            r.option.drugs,
        )
        if fan is not None:
            cards.append(_fan_card(f"fan{k}", r.option.title, fan))
    return cards


def _forest_card(result: RankedPatient) -> Card:
    """Each option's score less that of the standard."""
    from immunescape.report.twin_report import forest_picture

    ranking = result.ranking
    standard = next(r.option.title for r in ranking.rows if r.option.name == ranking.standard)
    words = f"Difference of each option's score to that of {standard}, with its 95 % interval. " + " ".join(
        ranking.words
    )
    rows = [
        {
            "Option": r.option.title,
            "Evidence": r.option.level,
            "Difference": f"{r.against_standard.value:+.2f}",
            "95 % interval": f"{r.against_standard.low:+.2f} to {r.against_standard.high:+.2f}",
        }
        for r in ranking.rows
        if r.option.name != ranking.standard
    ]
    note = "Right of the dashed line: above the standard. Colour: level of evidence."
    return card_of_picture("forest", f"Score less that of {standard}", forest_picture(result), words, rows, note)


def _options_table(result: RankedPatient) -> dict[str, Any]:
    from immunescape.report.twin_text import option_rows

    rows = _rows(option_rows(result))
    return {"title": "Options, by level of evidence and then by score", "rows": rows, "numeric": list(rows[0])[2:]}


def _steps_table(ranking: Ranking) -> dict[str, Any]:
    """How often each step of the cycle limits, as a table."""
    rows = [
        {
            "Step": s,
            "Mechanism": title_labelled(step_mechanism(s)) or "–",
            "Limits, share of twins": f"{100 * share:.0f} %",
        }
        for s, share in ranking.limiting.items()
    ]
    return {
        "title": "Step of the cancer-immunity cycle with the lowest score at diagnosis",
        "rows": rows,
        "numeric": ["Limits, share of twins"],
        "labels": explanation(),
    }


def _next_measurements(result: RankedPatient) -> dict[str, Any]:
    """What each measurement not made would change."""
    from immunescape.report.twin_text import NEXT_NOTE, next_rows

    words = [] if result.next is None else list(result.next.words)
    return {"words": words, "rows": _rows(next_rows(result)), "note": NEXT_NOTE}


def _rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    return [{sentence_case(key): str(value) for key, value in row.items()} for row in rows]


def _about(twins: TwinPopulation) -> str:
    text = f"{len(twins)} twins, effective sample size {twins.effective:.0f}, from {twins.candidates} candidates."
    return f"{text} {least_likely_text(twins)}".strip()


def _facts(twins: TwinPopulation) -> dict[str, Any]:
    """Measurements that the twins were conditioned on, as a table."""
    rows = fact_rows(twins, ("Condition", "Measured", "Grade", "At least as extreme"))
    return {"title": "What the twins were conditioned on", "rows": rows, "numeric": ["At least as extreme"]}


def _fan_card(key: str, title: str, fan: Picture) -> Card:
    """Card of a fan of courses, with its quantiles as a table."""
    lines = [trace for trace in fan.data if trace.get("mode") == "lines"]
    names = ("5 %", "95 %", "25 %", "75 %", "Median")
    rows = []
    for k, month in enumerate(lines[0]["x"]):
        values = {name: line["y"][k] for name, line in zip(names, lines, strict=True)}
        cells = {n: "–" if values[n] is None else f"{values[n]:.0f}" for n in ("5 %", "25 %", "Median", "75 %", "95 %")}
        rows.append({"Month": f"{month:.1f}", **cells})
    last = rows[-1]
    words = (
        f"Change in the sum of diameters of the twins under {title}, of those that still have a scan. Median at month "
        f"{last['Month']}: {last['Median']} %, half of the twins between {last['25 %']} and {last['75 %']} %."
    )
    return card_of_picture(key, title, fan, words, rows, "Twins that have progressed or died have no further scans.")


def twin_code(kind: str, request: Mapping[str, Any]) -> tuple[str, str]:
    """Python and command line that draw the same twins, or rank the same options.

    Parameters
    ----------
    kind
        ``twin`` or ``rank``.
    request
        As of the tasks.
    """
    import shlex

    from immunescape.twins.ranking import MARGIN
    from immunescape.twins.ranking import WEIGHTS as usual

    if kind not in ("twin", "rank"):
        raise InputError(f"'{kind}' is neither twin nor rank")
    given = [repr("FOLDER")] if request["study"] else []
    given += [f"patient={request['patient']!r}"]
    words = ["immunescape", kind, *(["FOLDER"] if request["study"] else ["--example"])]
    words += ["--patient", str(request["patient"])]
    if request["at"]:
        given.append(f"at={request['at']:g}")
        words += ["--at", f"{request['at']:g}"]
    if request.get("regimen"):
        given.append(f"regimen={request['regimen']!r}")
        words += ["--regimen", str(request["regimen"])]
    if str(request.get("options") or "").strip():
        given.append(f"options={OPTIONS!r}")
        words += ["--options", OPTIONS]
    weights = request.get("weights", {})
    if weights and dict(weights) != dict(usual):
        given.append("weights={" + ", ".join(f"{k!r}: {v:g}" for k, v in weights.items()) + "}")
        for name, value in weights.items():
            words += ["--weight", f"{name}={value:g}"]
    if "margin" in request and request["margin"] != MARGIN:
        given.append(f"margin={request['margin']:g}")
        words += ["--margin", f"{request['margin']:g}"]
    given += [f"twins={request['twins']}", f"seed={request['seed']}"]
    words += ["--twins", str(request["twins"]), "--seed", str(request["seed"])]
    name = {"twin": "twins", "rank": "ranking"}[kind]
    python = (
        f"import immunescape\n\n{name} = immunescape.{kind}({', '.join(given)})\n"
        f'{name}.show()\n{name}.table\n{name}.save("{name}")'
    )
    return python, shlex.join([*words, "--out", name])
