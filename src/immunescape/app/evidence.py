"""What the package says of itself: scoreboard, results of the claims, history of the harness, and the claims' texts."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from pathlib import Path

__all__ = ["PAGES", "claim_rows", "page_text", "prediction_rows"]

PAGES = {
    "scoreboard": "Scoreboard: virtual trials beside published ones",
    "claims-results": "Claims: what the literature says, checked in the model",
    "harness": "Harness: what every change of the model is judged on",
}
"""Page -> title; they ship with the package, or lie in docs/ of its source."""
COMMANDS = {
    "scoreboard": "immunescape validate",
    "claims-results": "immunescape claims --seeds 3 --html claims.html",
    "harness": "immunescape harness --data FOLDER --patients 100 --seed 1",
    "predictions": "immunescape predictions",
}
PYTHON = {
    "scoreboard": (
        "import immunescape\n\n# one of the trials; `immunescape validate` runs all of them\n"
        'immunescape.load_trial("keynote-024").run(patients=500, seed=2).show()'
    ),
    "claims-results": (
        "from immunescape.evaluation.claims import run_claims, select_claims\n\n"
        "run_claims(select_claims([]), patients=100, seed=1).to_json()"
    ),
    "harness": (
        "from pathlib import Path\n\nfrom immunescape.evaluation.harness import run_harness\n\n"
        'run_harness([], data=Path("FOLDER"), patients=100, seed=1).to_json()'
    ),
    "predictions": (
        "from immunescape.predictions import read_outcomes, read_predictions\n\n"
        '[(p.trial, p.figure("pfs_hr")) for p in read_predictions()], read_outcomes()'
    ),
}


@cache
def page_text(name: str) -> str:
    """Return a page as Markdown; links to other pages become text. Empty where the page did not ship.

    Raises
    ------
    KeyError
        For a name that is not in `PAGES`.
    """
    PAGES[name]
    inside = files("immunescape.app") / "pages" / f"{name}.md"
    source = Path(str(files("immunescape"))).parents[1] / "docs" / f"{name}.md"
    if inside.is_file():
        text = inside.read_text(encoding="utf-8")
    elif source.is_file():
        text = source.read_text(encoding="utf-8")
    else:
        return ""
    text = re.sub(r"\[\]\((?!https?:)([^)]+?)(?:\.md)?\)", r"*\1*", text)
    return re.sub(r"(?<!!)\[([^\]]+)\]\((?!https?:)[^)]*\)", r"\1", text)


@cache
def claim_rows() -> tuple[dict[str, str], ...]:
    """One row for each claim that the package simulates: what it says, its mechanisms, what is looked at, expected.

    Beside each mechanism stands what it was tested by (:func:`immunescape.evaluation.mechanism_labels.labelled`).
    """
    from immunescape.evaluation.claims import select_claims
    from immunescape.evaluation.mechanism_labels import labelled

    return tuple(
        {
            "Claim": c.id,
            "What it says": c.text,
            "Mechanisms": ", ".join(map(labelled, c.mechanism)) or "–",
            "Looked at": f"{c.observe}, day {c.day:g}",
            "Expected": str(c.expect),
        }
        for c in select_claims()
        if c.kind != "context"
    )


def prediction_rows() -> list[dict[str, str]]:
    """One row for each prediction that was entered, with the published result where there is one."""
    from immunescape.predictions import read_outcomes, read_predictions
    from immunescape.predictions.summary import summary_rows

    return summary_rows(read_predictions(), read_outcomes())
