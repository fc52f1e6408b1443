"""The fields of a design file, as pydantic models: types, ranges and meanings; the source of its JSON schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from immunescape.trial.schema import _Block as _TrialBlock

__all__ = ["DesignFile", "json_schema"]


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
KINDS = (
    "group-sequential", "multi-arm", "enrichment", "bayesian", "platform", "two-stage", "bop2", "dose-finding",
)  # fmt: skip
"""Kinds that ship; plug-ins may bring others."""
Family = Literal[
    "fixed", "obrien-fleming", "pocock", "wang-tsiatis", "lan-demets-obrien-fleming", "lan-demets-pocock",
    "hwang-shih-decani", "power",
]  # fmt: skip
TestName = Literal[
    "log-rank", "adjusted-log-rank", "fleming-harrington", "modestly-weighted", "max-combo", "rmst", "milestone",
    "rates",
]  # fmt: skip


class _Block(_TrialBlock):
    """A block whose numbers are finite."""

    model_config = ConfigDict(allow_inf_nan=False)


class TestBlock(_Block):
    """A test."""

    name: TestName = Field(default="log-rank", description="Which test.")
    rho: float = Field(default=0.0, ge=0, le=5, description="Fleming-Harrington: power of S.")
    gamma: float = Field(default=0.0, ge=0, le=5, description="Fleming-Harrington: power of 1 - S.")
    months: Months = Field(default=0.0, description="t* of modest weights, horizon of rmst, month of milestone.")
    stratified: bool = Field(default=False, description="Log-rank within strata.")
    margin: Annotated[float, Field(ge=1, lt=10)] = Field(
        default=1.0, description="Log-rank: hazard ratio under the null; above 1 the test is of non-inferiority."
    )


class ArmBlock(_Block):
    """One arm."""

    name: Name = Field(description="Name of the arm.")
    role: Literal["experimental", "control"] = Field(description="experimental or control.")
    allocation: int = Field(default=1, ge=1, le=20, description="Patients of each block of the randomisation.")
    opens: Months = Field(default=0.0, description="Platform: month at which the arm may enrol.")
    closes: Months | None = Field(default=None, description="Platform: month from which on it does not.")
    strata: list[str] = Field(default=[], description="Platform: strata that the arm is matched to; empty: all.")
    patients: int | None = Field(default=None, ge=1, description="Platform: most patients that the arm enrols.")
    looks: list[int] = Field(default=[], description="Platform: events (or patients for a response) of each look.")
    futility: list[float | None] = Field(default=[], description="Platform: bounds on Z at its interim looks.")


class StratumBlock(_Block):
    """A biomarker-defined group of patients."""

    name: Name = Field(description="Name of the stratum.")
    share: Annotated[float, Field(gt=0, le=1)] | None = Field(
        default=None, description="Share of the patients; a pool brings its own."
    )
    covariate: str | None = Field(default=None, description="Pool: covariate that defines it.")
    range: tuple[float, float] | None = Field(default=None, description="Pool: lowest and highest value, included.")


class EndpointBlock(_Block):
    """What is measured."""

    kind: Literal["survival", "response"] = Field(default="survival", description="survival or response.")
    visits_every: Delay = Field(default=0.0, description="Months between assessments (0: events are seen at once).")
    lag: Delay = Field(default=0.0, description="Months until data reach an analysis.")
    months: Months = Field(default=0.0, description="Response: months from entry to its reading.")
    competing: str | None = Field(default=None, description="Survival endpoint whose event precludes this one.")
    precluded: Literal["censored", "kept"] = Field(
        default="censored",
        description="After a competing event: censored (cause-specific) or kept at risk (subdistribution).",
    )


class AccrualBlock(_Block):
    """How patients come: rates that each start at a month; the last goes on."""

    rates: list[Positive] = Field(min_length=1, description="Patients per month.")
    starts: list[Months] = Field(default=[0.0], min_length=1, description="Month at which each rate starts.")


class DropoutBlock(_Block):
    """Loss of patients, at a constant hazard."""

    share: Share = Field(description="Share lost ...")
    months: Positive = Field(default=12.0, description="... within so many months.")


class LookBlock(_Block):
    """An analysis: by events, calendar month or patients."""

    events: int | None = Field(default=None, ge=1, description="Events of `endpoint`.")
    months: Annotated[float, Field(gt=0)] | None = Field(default=None, description="Calendar month.")
    patients: int | None = Field(default=None, ge=1, description="Patients entered ...")
    follow_up: Months = Field(default=0.0, description="... and followed for so many months.")
    endpoint: str | None = Field(default=None, description="Endpoint whose events count.")
    earliest: Months = Field(default=0.0, description="Not before this month.")
    latest: Months | None = Field(default=None, description="Not after this month.")
    strata: list[str] = Field(
        default=[], description="group-sequential: strata whose events or patients count; empty: all."
    )


class TruthEntry(_Block):
    """What truly happens in an arm (and stratum) for one endpoint; entries without arm or stratum apply to all."""

    endpoint: str = Field(description="Endpoint.")
    arm: str | None = Field(default=None, description="Arm; left out: every arm not named otherwise.")
    stratum: str | None = Field(default=None, description="Stratum; left out: every stratum not named otherwise.")
    median: Positive | None = Field(default=None, description="Median survival in months.")
    hazards: list[float] | None = Field(default=None, description="Hazard per month of each piece.")
    changes: list[Positive] = Field(default=[], description="Months at which the next piece starts.")
    cured: Share = Field(default=0.0, description="Share that never has the event.")
    hazard_ratio: Positive | None = Field(default=None, description="Over the control of the same stratum.")
    delay: Months = Field(default=0.0, description="Months until the hazard ratio applies.")
    rate: Share | None = Field(default=None, description="Response: its probability.")


class PoolBlock(_Block):
    """A virtual population: the patients of a virtual trial, drawn with replacement."""

    trial: str = Field(description="A trial that ships, or a trial file.")
    patients: int = Field(ge=20, le=1_000_000, description="Virtual patients per arm; at least 20 times n.")
    seed: int = Field(default=1, ge=0, description="Seed of the virtual trial.")
    table: str | None = Field(
        default=None, description="Parquet table of virtual patients in place of a simulation; beside this file."
    )


class ScoreBlock(_Block):
    """A prognostic score that is known before randomisation, for the test `adjusted-log-rank`."""

    endpoint: str = Field(description="Survival endpoint that it foretells.")
    correlation: Share | None = Field(
        default=None, description="With `truth`: of the score and the outcome, as normal scores."
    )
    covariates: list[str] = Field(
        default=[], description="With `pool`: covariates at baseline of a Cox model that is fitted to the control arm."
    )


class ScenarioBlock(_Block):
    """One scenario: a list of entries, or a virtual population."""

    name: Name = Field(description="Name of the scenario.")
    truth: list[TruthEntry] = Field(default=[], description="What truly happens, by arm, stratum and endpoint.")
    pool: PoolBlock | None = Field(default=None, description="A virtual population in place of `truth`.")
    correlation: Share = Field(default=0.0, description="Of the endpoints of one patient (Gaussian copula).")
    prognostic_score: ScoreBlock | None = Field(default=None, description="A score for the adjusted log-rank test.")


class HypothesisBlock(_Block):
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
        default={}, description="Where its alpha goes when rejected: hypothesis -> share."
    )


class BetaSpendingBlock(_Block):
    """Futility bounds that spend a type-II error."""

    beta: Annotated[float, Field(gt=0, lt=0.5)] = Field(description="Type-II error that is spent, e.g. 0.1.")
    family: Literal["lan-demets-obrien-fleming", "lan-demets-pocock", "hwang-shih-decani", "power"] = Field(
        default="lan-demets-obrien-fleming", description="Spending function."
    )
    parameter: float = Field(default=0.0, description="Gamma of Hwang-Shih-DeCani, rho of power.")


class BoundaryBlock(_Block):
    """How alpha is spent over the looks."""

    family: Family = Field(default="lan-demets-obrien-fleming", description="Boundary family.")
    parameter: float = Field(
        default=0.0, description="Delta of Wang-Tsiatis, gamma of Hwang-Shih-DeCani, rho of power."
    )
    futility: list[float | None] = Field(default=[], description="Bounds on Z at the interim looks (null: none).")
    futility_hazard_ratio: list[float | None] = Field(
        default=[], description="The same as hazard ratios: stop where the estimate lies above (null: none)."
    )
    beta_spending: BetaSpendingBlock | None = Field(
        default=None, description="Futility bounds that spend a type-II error, in place of fixed ones."
    )
    binding: bool = Field(default=False, description="Whether the futility stop is counted on.")


class ReestimationBlock(_Block):
    """Sample-size re-estimation, by conditional power or blinded."""

    kind: Literal["conditional-power", "blinded"] = Field(default="conditional-power", description="What it goes by.")
    look: int = Field(ge=1, description="Interim look.")
    target: Share = Field(default=0.9, description="conditional-power: what is aimed at.")
    promising: Share = Field(default=0.3, description="conditional-power: from which on the size is raised.")
    assumed: Positive | None = Field(
        default=None,
        description="blinded: response rate of both arms together, or events per patient-month, as planned.",
    )
    maximum: Annotated[float, Field(gt=1, le=10)] = Field(default=2.0, description="Largest total over the plan.")


class EarlyFutilityBlock(_Block):
    """Futility by an endpoint that is read earlier."""

    look: int = Field(ge=1, description="Interim look.")
    endpoint: str = Field(description="Early endpoint, e.g. a response.")
    bound: float = Field(description="Stop where its Z is below this.")
    test: TestBlock = Field(default=TestBlock(name="rates"), description="Its test.")


class SelectionBlock(_Block):
    """Which arms stay in a multi-arm design."""

    rule: Literal["all", "best", "promising"] = Field(default="best", description="Who stays.")
    keep: int = Field(default=1, ge=1, description="How many with `best`.")
    bound: float | None = Field(default=None, description="Least Z to stay.")
    intersections: Literal["dunnett", "simes", "bonferroni", "sidak"] = Field(
        default="dunnett", description="Test of the intersections."
    )


class PopulationBlock(_Block):
    """A population that may be tested."""

    name: Name = Field(description="Name.")
    strata: list[str] = Field(min_length=1, description="Strata that it takes in.")


class EnrichmentBlock(_Block):
    """How an enrichment design chooses and tests."""

    populations: list[PopulationBlock] = Field(min_length=1, description="The full population first, then subgroups.")
    choose: Literal["best", "threshold", "conditional-power"] = Field(
        default="best", description="Rule at the interim."
    )
    bound: float = Field(default=0.0, description="Bound of the rule.")
    stop_below: float | None = Field(default=None, description="Futility: stop where no population's Z reaches this.")
    intersections: Literal["simes", "bonferroni", "sidak"] = Field(default="simes", description="Intersection test.")
    combination: str = Field(default="inverse-normal", description="How the stages are combined.")
    decide_on: str | None = Field(default=None, description="Earlier endpoint that decides.")
    decide_test: TestBlock = Field(default=TestBlock(name="rates"), description="Its test.")
    first_follow_up: Months = Field(default=0.0, description="Months for which first-stage patients are followed.")


class BayesianBlock(_Block):
    """How a Bayesian design decides."""

    endpoint: str = Field(description="A response.")
    threshold: Share | None = Field(default=None, description="Posterior probability of superiority; null: calibrated.")
    futility: Share = Field(default=0.0, description="Drop an arm whose predictive power is below this.")
    adaptive: bool = Field(default=False, description="Response-adaptive randomisation.")
    power: float | None = Field(default=None, ge=0, le=5, description="Exponent on P(best); null: n / 2N.")
    floor: Share = Field(default=0.1, description="Least share of an open arm.")
    prior: tuple[PriorCount, PriorCount] = Field(default=(1.0, 1.0), description="Beta prior.")
    calibration: int = Field(default=4000, ge=500, le=100_000, description="Null replicates of the calibration.")


class PlatformBlock(_Block):
    """How a platform works."""

    controls: Literal["concurrent", "all"] = Field(default="concurrent", description="Which controls are compared.")
    multiplicity: Literal["family", "per-arm"] = Field(default="family", description="What alpha bounds.")
    control_ratio: Annotated[float, Field(ge=0.1, le=10)] = Field(
        default=1.0, description="Control patients per patient of an open arm."
    )
    review_every: Positive = Field(default=3.0, description="Months between reviews.")
    drift: float = Field(default=0.0, description="Yearly fall of the hazard in calendar time.")


class TwoStageBlock(_Block):
    """Simon's design."""

    endpoint: str = Field(description="A response.")
    p0: Share = Field(description="Uninteresting rate.")
    p1: Share = Field(description="Target rate.")
    beta: Share = Field(default=0.2, description="Type-II error.")
    choose: Literal["optimal", "minimax"] = Field(default="optimal", description="Which of the two.")


class Bop2Block(_Block):
    """BOP2."""

    endpoint: str = Field(description="A response.")
    p0: Share = Field(description="Uninteresting rate.")
    p1: Share = Field(description="Target rate.")


class DoseBlock(_Block):
    """BOIN."""

    endpoint: str = Field(description="Dose-limiting toxicity: a response.")
    target: Share = Field(default=0.3, description="Target rate of toxicity.")
    cohort: int = Field(default=3, ge=1, le=20, description="Patients per cohort.")
    cohorts: int = Field(default=10, ge=1, le=200, description="Most cohorts.")
    stop_at: int | None = Field(default=None, ge=1, description="Stop once a dose that stays has so many patients.")
    eliminate: Share = Field(default=0.95, description="Drop a dose where P(rate > target) exceeds this.")


class DesignFile(_Block):
    """A trial design."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="Short name: lower case, digits and hyphens.")
    title: str = Field(min_length=1, description="One line for reports.")
    description: str = Field(default="", description="The question of the trial; anything a reader should know.")
    assumptions: list[str] = Field(default=[], description="What is assumed, plainly; shown with the results.")
    references: list[str] = Field(default=[], description="Keys of the bibliography, or free text.")
    kind: str = Field(description="How the design decides.", json_schema_extra={"enum": list(KINDS)})
    alpha: float | None = Field(default=0.025, gt=0, lt=0.5, description="One-sided type-I error.")
    patients: int = Field(ge=2, le=100_000, description="Most patients enrolled (platform: screened).")
    arms: list[ArmBlock] = Field(min_length=1, description="Arms.")
    strata: list[StratumBlock] = Field(default=[], description="Biomarker strata.")
    stratified_randomisation: bool = Field(default=True, description="Whether blocks are kept within strata.")
    endpoints: dict[str, EndpointBlock] = Field(min_length=1, description="Endpoints by name.")
    accrual: AccrualBlock = Field(description="How patients come.")
    dropout: DropoutBlock | None = Field(default=None, description="Loss of patients.")
    looks: list[LookBlock] = Field(default=[], description="Analyses in order (platforms and two stages: none here).")
    boundaries: BoundaryBlock = Field(default=BoundaryBlock(), description="How alpha is spent.")
    scenarios: list[ScenarioBlock] = Field(min_length=1, description="Truths; the null is added.")
    hypotheses: list[HypothesisBlock] = Field(default=[], description="group-sequential: what is tested.")
    stop_when: Literal["any", "all"] = Field(default="all", description="When rejections end the trial.")
    endpoint: str | None = Field(default=None, description="multi-arm, enrichment, platform: endpoint tested.")
    test: TestBlock = Field(default=TestBlock(), description="multi-arm, enrichment, platform: its test.")
    reestimation: ReestimationBlock | None = Field(default=None, description="group-sequential: sample-size change.")
    early_futility: EarlyFutilityBlock | None = Field(default=None, description="group-sequential: early endpoint.")
    selection: SelectionBlock | None = Field(default=None, description="multi-arm: who stays.")
    enrichment: EnrichmentBlock | None = Field(default=None, description="enrichment: choice of the population.")
    bayesian: BayesianBlock | None = Field(default=None, description="bayesian: decisions.")
    platform: PlatformBlock | None = Field(default=None, description="platform: rules.")
    two_stage: TwoStageBlock | None = Field(default=None, description="two-stage: rates.")
    bop2: Bop2Block | None = Field(default=None, description="bop2: rates; the looks are its own.")
    dose_finding: DoseBlock | None = Field(default=None, description="dose-finding: the rule.")
    options: dict[str, Any] = Field(default={}, description="A kind of a plug-in: its own fields.")

    @field_validator("kind")
    @classmethod
    def _known(cls, value: str) -> str:
        from immunescape.design.kinds import plugin_kinds

        known = (*KINDS, *plugin_kinds())
        if value not in known:
            words = ", ".join(f"'{k}'" for k in known)
            raise PydanticCustomError("literal_error", "one of {expected} is expected", {"expected": words})
        return value


def json_schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of a design file, for editors and validators."""
    schema = DesignFile.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "immunescape design file"}
