"""The design file as a pydantic model: the common fields and those of each kind; the source of its JSON schema."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import Field, PrivateAttr, create_model, field_validator
from pydantic_core import PydanticCustomError

from immunescape.design.blocks import (
    AccrualBlock,
    ArmBlock,
    Block,
    BoundaryBlock,
    DropoutBlock,
    EndpointBlock,
    HypothesisBlock,
    LookBlock,
    ScenarioBlock,
    StratumBlock,
    TestBlock,
)
from immunescape.design.kinds import KINDS

if TYPE_CHECKING:
    from immunescape.design.building import Building

__all__ = ["CommonFile", "design_file", "json_schema"]


class CommonFile(Block):
    """Fields of every design file; each kind adds its own."""

    _building: Any = PrivateAttr(default=None)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="Short name: lower case, digits and hyphens.")
    title: str = Field(min_length=1, description="One line for reports.")
    description: str = Field(default="", description="The question of the trial, and anything readers should know.")
    assumptions: list[str] = Field(default=[], description="Assumptions, in plain language; shown with the results.")
    references: list[str] = Field(default=[], description="Keys of the bibliography, or free text.")
    kind: str = Field(description="How the design decides.")
    alpha: float | None = Field(default=0.025, gt=0, lt=0.5, description="One-sided type I error.")
    patients: int = Field(ge=2, le=100_000, description="Maximum number of patients enrolled (platform: screened).")
    arms: list[ArmBlock] = Field(min_length=1, description="Arms.")
    strata: list[StratumBlock] = Field(default=[], description="Biomarker strata.")
    stratified_randomisation: bool = Field(default=True, description="Whether blocks are kept within strata.")
    endpoints: dict[str, EndpointBlock] = Field(min_length=1, description="Endpoints by name.")
    accrual: AccrualBlock = Field(description="Accrual of patients.")
    dropout: DropoutBlock | None = Field(default=None, description="Loss of patients.")
    looks: list[LookBlock] = Field(
        default=[], description="Analyses in order (none for platforms and two-stage designs)."
    )
    boundaries: BoundaryBlock = Field(default=BoundaryBlock(), description="How alpha is spent.")
    scenarios: list[ScenarioBlock] = Field(min_length=1, description="Truths; the null is added automatically.")
    hypotheses: list[HypothesisBlock] = Field(default=[], description="group-sequential: what is tested.")
    stop_when: Literal["any", "all"] = Field(default="all", description="When rejections end the trial.")
    endpoint: str | None = Field(default=None, description="multi-arm, enrichment, platform: endpoint tested.")
    test: TestBlock = Field(default=TestBlock(), description="multi-arm, enrichment, platform: its test.")
    options: dict[str, Any] = Field(default={}, description="Fields of a kind of design from a plug-in.")

    @property
    def building(self) -> Building:
        """What makes the records of this file, and names the line of what is wrong."""
        return cast("Building", self._building)

    def built_by(self, building: Building) -> None:
        """Set :attr:`building`."""
        self._building = building

    @field_validator("kind")
    @classmethod
    def _registered(cls, value: str) -> str:
        names = KINDS.all()
        if value not in names:
            words = ", ".join(f"'{k}'" for k in names)
            raise PydanticCustomError("literal_error", "one of {expected} is expected", {"expected": words})
        return value


@lru_cache(maxsize=1)
def design_file() -> type[CommonFile]:
    """The model of a design file: the common fields, and those that the kinds which ship bring."""
    fields: dict[str, Any] = {name: field for kind in KINDS.all().values() for name, field in kind.fields.items()}
    return create_model("DesignFile", __base__=CommonFile, __doc__="A trial design.", **fields)


def json_schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of a design file, for editors and validators."""
    schema = design_file().model_json_schema()
    schema["properties"]["kind"]["enum"] = [name for name, kind in KINDS.all().items() if kind.options is None]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "immunescape design file"}
