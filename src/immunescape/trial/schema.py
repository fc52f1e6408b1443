"""The fields of a trial file, as pydantic models: types, ranges and meanings; the source of its JSON schema.

Texts (regimens, visits) are read later, by :mod:`immunescape.trial.building`, which knows their lines.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from immunescape.model.specificity import DEFAULT

__all__ = ["ENDPOINTS", "TrialFile", "json_schema"]

ENDPOINTS = ("orr", "dcr", "dor", "pfs", "os", "grade3", "discontinued", "mpr", "pcr")

Percent = Annotated[float, Field(ge=0, le=100)]
Share = Annotated[float, Field(ge=0, le=1)]
Months = Annotated[float, Field(ge=0, le=600)]
Ratio = Annotated[float, Field(gt=0, le=100)]
Endpoint = Literal["orr", "dcr", "dor", "pfs", "os", "grade3", "discontinued", "mpr", "pcr"]
Bound = float | None


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)

    @model_validator(mode="before")
    @classmethod
    def _check_fields(cls, data: Any) -> Any:
        """Refuse a block that is not a mapping, and unknown fields, naming the known ones."""
        if not isinstance(data, dict):
            fields = ", ".join(cls.model_fields)
            raise PydanticCustomError("not_a_block", "a block with the fields {known} is expected", {"known": fields})
        for key in data:
            if key not in cls.model_fields:
                raise PydanticCustomError(
                    "unknown_field", "unknown field '{key}'", {"key": str(key), "known": list(cls.model_fields)}
                )
        return data


class PdL1(_Block):
    """PD-L1 criterion."""

    assay: Literal["22C3", "28-8", "SP263", "SP142", "73-10"] = Field(
        description="Assay by which PD-L1 was scored; ranges of SP142 (levels 1, 5, 50) and 73-10 (1, 50, 80) are"
        " translated into the tumour proportion score by knowledge/data/pdl1_assays.csv."
    )
    range: tuple[Percent, Percent] = Field(
        default=(0, 100), description="Score in percent, lowest and highest, both included."
    )


class Drivers(_Block):
    """Oncogenic drivers."""

    exclude: list[str] = Field(default=[], description="Drivers that exclude a patient, e.g. [EGFR, ALK].")
    require: list[str] = Field(default=[], description="Drivers of which a patient must have one.")


class PopulationBlock(_Block):
    """Patients enrolled."""

    stage: list[str] | str = Field(description="Stage or stages: III, IV.")
    line: int | str = Field(description="Line of treatment that the trial gives: 1, 2 or '2+'.")
    histology: list[str] | str = Field(default="any", description="squamous, nonsquamous or any.")
    pdl1: PdL1 | None = Field(default=None, description="PD-L1 criterion; omit if it is not a criterion.")
    drivers: Drivers | None = Field(default=None, description="Oncogenic drivers; omit if they are not a criterion.")
    ecog: list[int] | None = Field(default=None, description="Allowed ECOG performance status, e.g. [0, 1].")
    covariates: dict[str, Any] = Field(
        default={},
        description="Further criteria: a covariate and its allowed value, list of values, or {low: …, high: …}.",
    )
    mix: dict[str, dict[str, Share]] = Field(
        default={},
        description="Shares that the enrolled patients are to have, where published: covariate, then level and share;"
        " a level of a number is written '<1', '1-49' or '>=50'.",
    )
    region: Literal["western", "east_asian"] | dict[Literal["western", "east_asian"], Share] = Field(
        default="western",
        description="Region whose prevalences (smoking, drivers, body size) apply; or regions and their shares, e.g."
        " {western: 0.7, east_asian: 0.3}.",
    )
    measurable: bool | None = Field(
        default=None,
        description="Whether a measurable lesion (RECIST 1.1) is demanded at entry, after the lines under `prior`;"
        " by default where the last of them ended with progression.",
    )


class ChoiceBlock(_Block):
    """One of several regimens."""

    regimen: str = Field(description="Regimen text.")
    weight: float = Field(default=1.0, gt=0, description="Relative frequency among those whose condition is met.")
    when: dict[str, Any] = Field(default={}, description="Condition on covariates, e.g. {histology: squamous}.")


class _Treatment(_Block):
    regimen: str | None = Field(default=None, description="Regimen text; or `choice`.")
    choice: list[ChoiceBlock] | None = Field(default=None, description="Several regimens, by condition and weight.")

    @model_validator(mode="after")
    def _check_form(self) -> Any:
        if (self.regimen is None) == (not self.choice):
            raise PydanticCustomError("one_of", "either 'regimen' or 'choice' is needed, and not both")
        return self


class PriorBlock(_Treatment):
    """A line of treatment before the trial."""

    outcome: Literal["progressed", "not progressed"] = Field(
        description="What must have happened before the patient may enter."
    )
    months: float = Field(
        gt=0, le=600, description="Progressed: within this many months; not progressed: for this many months."
    )
    washout_days: float = Field(default=0, ge=0, le=3650, description="Pause before the trial's first dose.")
    share: float = Field(
        default=1.0, gt=0, le=1, description="Share of the patients who had this line; the others skip it."
    )


class CrossoverBlock(_Block):
    """Switch at progression."""

    to: str | list[ChoiceBlock] = Field(description="Regimen text, or a list of choices.")
    fraction: Share = Field(description="Share of patients who switch.")
    of: Literal["progressed", "randomised"] = Field(
        default="progressed", description="Denominator of the share: those who progressed, or the whole arm."
    )
    when: Literal["progression"] = Field(default="progression", description="Time of the switch.")


class SubsequentBlock(_Treatment):
    """Therapy after progression that is not the trial's own."""

    fraction: Share = Field(description="Share of patients who receive it.")
    of: Literal["progressed", "randomised"] = Field(
        default="progressed", description="Denominator of the share: those who progressed without crossover, or all."
    )


class ArmBlock(_Treatment):
    """One arm."""

    name: str = Field(min_length=1, description="Name of the arm.")
    role: Literal["experimental", "control"] = Field(description="experimental or control.")
    n: int = Field(ge=1, le=100_000, description="Number of patients as published or planned.")
    stop_at_progression: bool = Field(default=True, description="Whether treatment stops at progression.")
    beyond_progression: Share = Field(default=0.0, description="Share of patients treated beyond progression.")
    mix: dict[str, dict[str, Share]] = Field(
        default={},
        description="Shares of the arm's own patients, where arms differ; written as `population.mix`, which it"
        " replaces covariate by covariate. Such arms cannot share their patients (--paired).",
    )
    crossover: CrossoverBlock | None = Field(default=None, description="Switch at progression.")
    subsequent: list[SubsequentBlock] = Field(default=[], description="Later therapy.")


class RandomisationBlock(_Block):
    """How patients were assigned (the ratio follows from the arms' n)."""

    stratify_by: list[str] = Field(default=[], description="Covariates (or region) by which it was stratified.")
    accrual_months: Months = Field(default=0.0, description="From the first to the last randomised patient.")


class EndpointsBlock(_Block):
    """Endpoints."""

    primary: list[Endpoint] = Field(min_length=1, description=f"Primary endpoints, of {', '.join(ENDPOINTS)}.")
    secondary: list[Endpoint] = Field(default=[], description="Secondary endpoints.")
    confirmation: bool = Field(default=True, description="Whether a response must be confirmed by a later scan.")
    assessor: Literal["central", "investigator"] = Field(default="investigator", description="Assessor of the scans.")


class DataCutBlock(_Block):
    """One analysis."""

    endpoints: list[Endpoint] = Field(min_length=1, description="Endpoints analysed.")
    months: Months = Field(description="Months from the first randomised patient to the data cut.")
    label: str = Field(default="", description="Date or name of the cut.")


class KmPoint(_Block):
    """A point read off or stated for a published Kaplan-Meier curve."""

    months: Months = Field(description="Time since randomisation.")
    percent: Percent = Field(description="Percent without an event.")


class PublishedArmBlock(_Block):
    """Published results of one arm."""

    name: str = Field(description="Name of the arm, as above.")
    n: int | None = Field(default=None, ge=1, description="Patients analysed.")
    orr_pct: Percent | None = Field(default=None, description="Objective response rate.")
    orr_ci: tuple[Percent, Percent] | None = Field(default=None, description="Its 95 % interval.")
    dor_median_months: Months | None = Field(default=None, description="Median duration of response.")
    pfs_median_months: Months | None = Field(default=None, description="Median progression-free survival.")
    pfs_median_ci: tuple[Months, Months | None] | None = Field(
        default=None, description="95 % interval; null: not reached."
    )
    os_median_months: Months | None = Field(default=None, description="Median overall survival.")
    os_median_ci: tuple[Months, Months | None] | None = Field(
        default=None, description="95 % interval; null: not reached."
    )
    grade3_pct: Percent | None = Field(default=None, description="Patients with treatment-related grade 3-5 toxicity.")
    discontinued_pct: Percent | None = Field(default=None, description="Patients who stopped because of toxicity.")
    mpr_pct: Percent | None = Field(default=None, description="Major pathological response, of all randomised.")
    pcr_pct: Percent | None = Field(default=None, description="Complete pathological response, of all randomised.")
    km: dict[Literal["pfs", "os", "dor"], list[KmPoint]] = Field(default={}, description="Landmarks by endpoint.")


class ComparisonBlock(_Block):
    """Published hazard ratios, experimental over control."""

    arm: str | None = Field(default=None, description="Experimental arm, where there are several; else the first.")
    pfs_hr: Ratio | None = Field(default=None, description="Hazard ratio of progression or death.")
    pfs_hr_ci: tuple[Ratio, Ratio] | None = Field(default=None, description="Its 95 % interval.")
    os_hr: Ratio | None = Field(default=None, description="Hazard ratio of death.")
    os_hr_ci: tuple[Ratio, Ratio] | None = Field(default=None, description="Its 95 % interval.")


class PublishedBlock(_Block):
    """Published results, to show beside the prediction."""

    arms: list[PublishedArmBlock] = Field(default=[], description="By arm.")
    comparison: ComparisonBlock | list[ComparisonBlock] | None = Field(
        default=None, description="Hazard ratios; a list where several arms were compared with the control."
    )
    sources: dict[str, str] = Field(default={}, description="Endpoint -> key of the reference it is taken from.")
    km_file: dict[Literal["pfs", "os", "dor"], str] = Field(
        default={},
        description="Endpoint -> CSV file with columns time (months), event (1 or 0), arm; beside this file.",
    )


class TrialFile(_Block):
    """A trial."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$", description="Short name: lower case, digits and hyphens.")
    title: str = Field(min_length=1, description="One line for reports.")
    description: str = Field(default="", description="The trial's question, and anything a reader should know.")
    registry: str | None = Field(default=None, description="Registry number, e.g. NCT02142738.")
    year: int | None = Field(
        default=None,
        ge=1970,
        le=2100,
        description="Year of the first patient; determines the default later lines of treatment.",
    )
    later_lines: Literal["default", "as written"] = Field(
        default="default",
        description="After progression: the default by line, region and year where the arms say nothing, or only what"
        " the arms say.",
    )
    references: list[str] = Field(default=[], description="Keys of the bibliography, or free text.")
    population: PopulationBlock = Field(description="Patients enrolled.")
    prior: list[PriorBlock] = Field(
        default=[], description="Lines before the trial, simulated as a run-in; oldest first."
    )
    arms: list[ArmBlock] = Field(min_length=1, description="Experimental arms first, the control last.")
    randomisation: RandomisationBlock = Field(default=RandomisationBlock(), description="Randomisation.")
    lesions: Literal["several", "single"] = Field(
        default="several",
        description="several: each lesion is simulated, and micrometastases become new lesions; single: target lesions"
        " share one simulated tumour, and new lesions are drawn.",
    )
    specificity: Literal["none", "sparse", "series", "full"] = Field(
        default=DEFAULT,
        description="sparse: suppressive mechanisms are active in some patients and nearly silent in most; series:"
        " inhibitions of a process are capacities in series; full: both; none: all mechanisms act in all patients, and"
        " pathways multiply.",
    )
    visits: str = Field(description="Schedule of tumour scans, e.g. 'weeks 6 and 12 then every 9 weeks'.")
    follow_up_months: float | None = Field(
        default=None,
        gt=0,
        le=600,
        description="Months for which each patient is followed; or `median_follow_up_months`.",
    )
    median_follow_up_months: float | None = Field(
        default=None,
        gt=0,
        le=600,
        description="Median follow-up as published: from it and `accrual_months` follow the data cut (that of all"
        " endpoints where `data_cuts` names none) and the longest follow-up.",
    )
    resection_day: float | None = Field(
        default=None,
        gt=0,
        le=3650,
        description="Day of resection after neoadjuvant treatment; gives rates of pathological response (mpr, pcr).",
    )
    endpoints: EndpointsBlock = Field(description="Endpoints.")
    data_cuts: list[DataCutBlock] = Field(default=[], description="Analyses as published.")
    published: PublishedBlock | None = Field(default=None, description="Published results.")

    @model_validator(mode="after")
    def _follow_up(self) -> Any:
        if (self.follow_up_months is None) == (self.median_follow_up_months is None):
            raise PydanticCustomError(
                "one_of", "either 'follow_up_months' or 'median_follow_up_months' is needed, and not both"
            )
        return self


def json_schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of a trial file, for editors and validators."""
    schema = TrialFile.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "immunescape trial file"}
