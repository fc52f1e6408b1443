"""Blocks of a design file that every kind of design may use, as pydantic models: types, ranges and meanings."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field

from immunescape.trial.schema import _Block as _TrialBlock

__all__ = [
    "AccrualBlock",
    "ArmBlock",
    "BetaSpendingBlock",
    "Block",
    "BoundaryBlock",
    "Delay",
    "DropoutBlock",
    "EndpointBlock",
    "Family",
    "HypothesisBlock",
    "LookBlock",
    "Months",
    "Name",
    "PoolBlock",
    "Positive",
    "PriorCount",
    "ScenarioBlock",
    "ScoreBlock",
    "Share",
    "StratumBlock",
    "TestBlock",
    "TestName",
    "TruthEntry",
]


def _printable(name: str) -> str:
    if not name.strip() or not name.isprintable():
        raise ValueError("a name is one line of text")
    return name


Name = Annotated[str, Field(min_length=1, max_length=120), AfterValidator(_printable)]
Months = Annotated[float, Field(ge=0, le=600)]
Delay = Annotated[float, Field(ge=0, le=36)]
Positive = Annotated[float, Field(gt=0)]
PriorCount = Annotated[float, Field(gt=0, le=10_000)]
Share = Annotated[float, Field(ge=0, le=1)]
Family = Literal[
    "fixed",
    "obrien-fleming",
    "pocock",
    "wang-tsiatis",
    "lan-demets-obrien-fleming",
    "lan-demets-pocock",
    "hwang-shih-decani",
    "power",
]
TestName = Literal[
    "log-rank",
    "adjusted-log-rank",
    "fleming-harrington",
    "modestly-weighted",
    "max-combo",
    "rmst",
    "milestone",
    "rates",
]


class Block(_TrialBlock):
    """A block whose numbers are finite."""

    model_config = ConfigDict(allow_inf_nan=False)


class TestBlock(Block):
    """A test."""

    name: TestName = Field(default="log-rank", description="Which test.")
    rho: float = Field(default=0.0, ge=0, le=5, description="Fleming-Harrington: power of S.")
    gamma: float = Field(default=0.0, ge=0, le=5, description="Fleming-Harrington: power of 1 - S.")
    months: Months = Field(default=0.0, description="t* of modest weights, horizon of rmst, month of milestone.")
    stratified: bool = Field(default=False, description="Log-rank within strata.")
    margin: Annotated[float, Field(ge=1, lt=10)] = Field(
        default=1.0, description="Log-rank: hazard ratio under the null; above 1 the test is of non-inferiority."
    )


class ArmBlock(Block):
    """One arm."""

    name: Name = Field(description="Name of the arm.")
    role: Literal["experimental", "control"] = Field(description="experimental or control.")
    allocation: int = Field(default=1, ge=1, le=20, description="Patients of each block of the randomisation.")
    opens: Months = Field(default=0.0, description="Platform: month at which the arm may enrol.")
    closes: Months | None = Field(default=None, description="Platform: month from which the arm no longer enrols.")
    strata: list[str] = Field(default=[], description="Platform: strata to which the arm is matched; empty: all.")
    patients: int | None = Field(default=None, ge=1, description="Platform: maximum number of patients in the arm.")
    looks: list[int] = Field(default=[], description="Platform: events (or patients for a response) of each look.")
    futility: list[float | None] = Field(default=[], description="Platform: bounds on Z at its interim looks.")


class StratumBlock(Block):
    """A biomarker-defined group of patients."""

    name: Name = Field(description="Name of the stratum.")
    share: Annotated[float, Field(gt=0, le=1)] | None = Field(
        default=None, description="Share of the patients; a pool has its own."
    )
    covariate: str | None = Field(default=None, description="Pool: covariate that defines it.")
    range: tuple[float, float] | None = Field(default=None, description="Pool: lowest and highest value, included.")


class EndpointBlock(Block):
    """What is measured."""

    kind: Literal["survival", "response"] = Field(default="survival", description="survival or response.")
    visits_every: Delay = Field(default=0.0, description="Months between assessments (0: events are seen at once).")
    lag: Delay = Field(default=0.0, description="Months until data are available for analysis.")
    months: Months = Field(default=0.0, description="Response: months from entry to its assessment.")
    competing: str | None = Field(default=None, description="Survival endpoint whose event precludes this one.")
    precluded: Literal["censored", "kept"] = Field(
        default="censored",
        description="After a competing event: censored (cause-specific) or kept at risk (subdistribution).",
    )


class AccrualBlock(Block):
    """Accrual of patients: rates that each start at a month; the last one continues."""

    rates: list[Positive] = Field(min_length=1, description="Patients per month.")
    starts: list[Months] = Field(default=[0.0], min_length=1, description="Month at which each rate starts.")


class DropoutBlock(Block):
    """Loss of patients, at a constant hazard."""

    share: Share = Field(description="Share lost ...")
    months: Positive = Field(default=12.0, description="... within this many months.")


class LookBlock(Block):
    """An analysis: by events, calendar month or patients."""

    events: int | None = Field(default=None, ge=1, description="Events of `endpoint`.")
    months: Annotated[float, Field(gt=0)] | None = Field(default=None, description="Calendar month.")
    patients: int | None = Field(default=None, ge=1, description="Patients entered ...")
    follow_up: Months = Field(default=0.0, description="... and followed for this many months.")
    endpoint: str | None = Field(default=None, description="Endpoint whose events count.")
    earliest: Months = Field(default=0.0, description="Not before this month.")
    latest: Months | None = Field(default=None, description="Not after this month.")
    strata: list[str] = Field(
        default=[], description="group-sequential: strata whose events or patients count; empty: all."
    )


class TruthEntry(Block):
    """True outcome of one endpoint in an arm (and stratum); entries without arm or stratum apply to all."""

    endpoint: str = Field(description="Endpoint.")
    arm: str | None = Field(default=None, description="Arm; if omitted: every arm without its own entry.")
    stratum: str | None = Field(default=None, description="Stratum; if omitted: every stratum without its own entry.")
    median: Positive | None = Field(default=None, description="Median survival in months.")
    hazards: list[float] | None = Field(default=None, description="Hazard per month of each piece.")
    changes: list[Positive] = Field(default=[], description="Months at which the next piece starts.")
    cured: Share = Field(default=0.0, description="Share that never experiences the event.")
    hazard_ratio: Positive | None = Field(default=None, description="Relative to the control of the same stratum.")
    delay: Months = Field(default=0.0, description="Months until the hazard ratio applies.")
    rate: Share | None = Field(default=None, description="Response: its probability.")


class PoolBlock(Block):
    """A virtual population: the patients of a virtual trial, drawn with replacement."""

    trial: str = Field(description="An included trial, or a trial file.")
    patients: int = Field(ge=20, le=1_000_000, description="Virtual patients per arm; at least 20 times n.")
    seed: int = Field(default=1, ge=0, description="Seed of the virtual trial.")
    table: str | None = Field(
        default=None,
        description="Parquet table of virtual patients instead of a simulation; in the folder of this file.",
    )


class ScoreBlock(Block):
    """A prognostic score that is known before randomisation, for the test `adjusted-log-rank`."""

    endpoint: str = Field(description="Survival endpoint that it predicts.")
    correlation: Share | None = Field(
        default=None, description="With `truth`: correlation of score and outcome, as normal scores."
    )
    covariates: list[str] = Field(
        default=[], description="With `pool`: baseline covariates of a Cox model fitted to the control arm."
    )


class ScenarioBlock(Block):
    """One scenario: a list of entries, or a virtual population."""

    name: Name = Field(description="Name of the scenario.")
    truth: list[TruthEntry] = Field(default=[], description="True outcomes, by arm, stratum and endpoint.")
    pool: PoolBlock | None = Field(default=None, description="A virtual population instead of `truth`.")
    correlation: Share = Field(
        default=0.0, description="Correlation of the endpoints of one patient (Gaussian copula)."
    )
    prognostic_score: ScoreBlock | None = Field(default=None, description="A score for the adjusted log-rank test.")


class HypothesisBlock(Block):
    """One hypothesis of a group-sequential test."""

    name: Name = Field(description="Name.")
    endpoint: str = Field(description="Endpoint.")
    test: TestBlock = Field(default=TestBlock(), description="Test.")
    share: Share = Field(default=1.0, description="Share of alpha at the start.")
    looks: list[int] = Field(
        default=[], description="Looks (from 1) at which it is tested and spends alpha; empty: every look."
    )
    strata: list[str] = Field(default=[], description="Strata whose patients are compared; empty: all patients.")
    hands_on: dict[str, Share] = Field(
        default={}, description="Recipients of its alpha once rejected: hypothesis -> share."
    )


class BetaSpendingBlock(Block):
    """Futility bounds that spend a type II error."""

    beta: Annotated[float, Field(gt=0, lt=0.5)] = Field(description="Type II error that is spent, e.g. 0.1.")
    family: Literal["lan-demets-obrien-fleming", "lan-demets-pocock", "hwang-shih-decani", "power"] = Field(
        default="lan-demets-obrien-fleming", description="Spending function."
    )
    parameter: float = Field(default=0.0, description="Gamma of Hwang-Shih-DeCani, rho of power.")


class BoundaryBlock(Block):
    """How alpha is spent over the looks."""

    family: Family = Field(default="lan-demets-obrien-fleming", description="Boundary family.")
    parameter: float = Field(
        default=0.0, description="Delta of Wang-Tsiatis, gamma of Hwang-Shih-DeCani, rho of power."
    )
    futility: list[float | None] = Field(default=[], description="Bounds on Z at the interim looks (null: none).")
    futility_hazard_ratio: list[float | None] = Field(
        default=[], description="The same as hazard ratios: stop if the estimate lies above (null: none)."
    )
    beta_spending: BetaSpendingBlock | None = Field(
        default=None, description="Futility bounds that spend a type II error, instead of fixed ones."
    )
    binding: bool = Field(default=False, description="Whether the futility stop is binding.")
