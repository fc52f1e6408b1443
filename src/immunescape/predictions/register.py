"""What each open trial asks, and what was known when it was predicted (``register.yaml``)."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, Field

from immunescape.errors import InputError
from immunescape.knowledge.yaml_tables import load_table
from immunescape.predictions.ledger import shipped_folder
from immunescape.registry import Entry, Registry

__all__ = ["REGISTER", "OpenTrial"]


class OpenTrial(BaseModel):
    """A trial without a published result; `checked` says which of its facts were read in a source."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    question: str
    checked: str
    prior_knowledge: str = Field(alias="known")

    @property
    def declaration(self) -> str:
        """What a prediction declares: what was known, and how the protocol's facts were obtained."""
        unread = "No result of this trial was known to the authors."
        return f"{self.prior_knowledge} {unread} Facts of the protocol: {self.checked}."


class _Register(BaseModel):
    model_config = ConfigDict(extra="forbid")
    trials: list[OpenTrial]


def _trials() -> Iterator[Entry[OpenTrial]]:
    file = shipped_folder() / "register.yaml"
    for number, trial in enumerate(load_table(file, _Register).trials, 1):
        yield Entry(trial, f"{file.name}, trial {number}")


REGISTER = Registry("open trial", OpenTrial, read=_trials, error=InputError)
