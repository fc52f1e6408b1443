"""What each open trial asks, and what was known when it was predicted (``register.yaml``)."""

from __future__ import annotations

from functools import cache

from pydantic import BaseModel, ConfigDict

from immunescape.knowledge.yaml_tables import load_table
from immunescape.predictions.ledger import shipped_folder

__all__ = ["OpenTrial", "registered"]


class OpenTrial(BaseModel):
    """A trial without a published result; `checked` says which of its facts were read in a source."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    question: str
    checked: str
    known: str

    @property
    def declaration(self) -> str:
        """What a prediction declares: what was known, and how the protocol's facts were obtained."""
        return f"{self.known} No result of this trial was known to the authors. Facts of the protocol: {self.checked}."


class _Register(BaseModel):
    model_config = ConfigDict(extra="forbid")
    trials: list[OpenTrial]


@cache
def registered() -> dict[str, OpenTrial]:
    """Trial -> its entry."""
    return {trial.name: trial for trial in load_table(shipped_folder() / "register.yaml", _Register).trials}
