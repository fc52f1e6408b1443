"""What had been seen of trials that are predicted is declared on the scoreboard's page; the README refers to it."""

from __future__ import annotations

from pathlib import Path

import pytest

from immunescape.evaluation.trial_classes import roles
from immunescape.model.registry import get_drug
from immunescape.model.toxicity import toxicity_facts
from immunescape.trial.loading import load_trial

ROOT = Path(__file__).parents[2]
NOTES = (ROOT / "docs" / "scoreboard-notes.md").read_text(encoding="utf-8")
AS_WRITTEN = {
    "keynote-010": "KEYNOTE-010",
    "impower131": "IMpower131",
    "sintilimab-anlotinib": "sintilimab with anlotinib",
    "nivolumab-alt-803": "ALT-803",
    "til-nivolumab": "TIL",
}


def declared() -> str:
    return " ".join(next(p for p in NOTES.split("\n* ") if p.startswith("**What had been seen")).split())


def test_every_validation_trial_whose_publication_gave_toxicity_is_declared() -> None:
    cited = {key for fact in toxicity_facts() for key in fact.sources}
    seen = []
    for name, (role, _) in roles().items():
        trial = load_trial(name)
        if role == "validation" and cited & set(trial.references):
            seen.append(name)
            assert AS_WRITTEN[name] in declared()
    assert set(seen) == set(AS_WRITTEN)


def test_the_assumed_avidity_and_the_trial_behind_it_are_declared() -> None:
    assert "xiong2025" in get_drug("ivonescimab").references
    for word in ("avidity_ivonescimab", "xiong2025", "HARMONi-3", "strategies.yaml"):
        assert word in declared()


@pytest.mark.parametrize("page", ["README.md", "docs/predictions.md"])
def test_the_pages_with_predictions_refer_to_it(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert "scoreboard.md#where-the-model-is-wrong-and-why" in text
    assert "## Where the model is wrong, and why" in (ROOT / "docs" / "scoreboard.md").read_text(encoding="utf-8")


def test_the_scoreboard_ends_with_the_notes() -> None:
    assert NOTES.strip() in (ROOT / "docs" / "scoreboard.md").read_text(encoding="utf-8")
