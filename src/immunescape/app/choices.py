"""What a user can choose of a virtual patient, and the Python and the command line that reproduce the choice."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from immunescape.errors import InputError
from immunescape.trial.covariates import COVARIATES
from immunescape.trial.tokens import number_text

__all__ = ["FACTORS", "MONTHS", "NUMBERS", "WORDS", "Factor", "PatientChoice", "SliderCovariate"]

MONTHS = (3, 60)
"""Shortest and longest course that the app simulates."""
LONGEST_REGIMEN = 2000
LARGEST_SEED = 2**31 - 1
FACTOR_STEPS = (-3.0, 3.0)
"""Factors go from an eighth to eight times, in steps of half a doubling."""


@dataclass(frozen=True)
class SliderCovariate:
    """A covariate that a slider sets: its ends, step and first value are for the slider, not limits of the model."""

    name: str
    label: str
    low: float
    high: float
    step: float
    start: float

    @property
    def unit(self) -> str:
        """Unit of the covariate."""
        return COVARIATES[self.name].unit


@dataclass(frozen=True)
class Factor:
    """A parameter of the model that a slider multiplies from the start of treatment on."""

    name: str
    label: str


NUMBERS = (
    SliderCovariate("pdl1_tps", "PD-L1 tumour proportion score", 0, 100, 1, 50),
    SliderCovariate("tmb_mut_mb", "Tumour mutational burden", 0, 60, 1, 10),
    SliderCovariate("sld_mm", "Sum of target lesions' diameters", 10, 250, 5, 80),
    SliderCovariate("age", "Age", 30, 90, 1, 65),
    SliderCovariate("nlr", "Neutrophils per lymphocyte (NLR)", 0.5, 20, 0.5, 4),
    SliderCovariate("albumin_g_l", "Serum albumin", 20, 55, 1, 40),
)
WORDS: Mapping[str, str] = {
    "histology": "Histology",
    "driver": "Oncogenic driver",
    "kras": "KRAS mutation",
    "stk11": "STK11 mutation",
    "keap1": "KEAP1 mutation",
    "tp53": "TP53 mutation",
    "smoking": "Smoking",
    "ecog": "ECOG performance status",
    "sex": "Sex",
    "liver_mets": "Liver metastases",
    "brain_mets": "Brain metastases",
    "antibiotics": "Antibiotics around the start of treatment",
}
"""Covariates that are words or yes/no -> label."""
FACTORS = (
    Factor("k_kill", "Killing by CD8 T cells"),
    Factor("cd8_infiltration", "Entry of CD8 T cells into the tumour"),
    Factor("k_exhaust", "Exhaustion of CD8 T cells"),
    Factor("pdl1_tumour", "PD-L1 on cancer cells"),
    Factor("k_MDSC_rec", "Recruitment of MDSC"),
    Factor("k_Treg_death", "Death of regulatory T cells"),
    Factor("k_growth", "Growth of the tumour"),
)


@dataclass(frozen=True, kw_only=True)
class PatientChoice:
    """A virtual patient and what it is given.

    Attributes
    ----------
    seed : everything random follows from it.
    covariates : covariate -> value that the patient has; what is not named is drawn.
    factors : parameter -> factor from the start of treatment on; factors of 1 are left out.
    regimens : one or more regimen texts, simulated side by side.
    months : how long, at most. conduct : ``trial`` or ``planned``.
    limiting : whether the steps of the cancer-immunity cycle are relieved as well.
    """

    seed: int = 7
    covariates: Mapping[str, Any] = field(default_factory=dict)
    factors: Mapping[str, float] = field(default_factory=dict)
    regimens: tuple[str, ...] = ("pembrolizumab 200 mg every 3 weeks", "none")
    months: float = 24.0
    conduct: str = "trial"
    limiting: bool = False

    @classmethod
    def of(
        cls,
        seed: Any,
        covariates: Mapping[str, Any],
        factors: Mapping[str, Any],
        regimens: tuple[str, ...],
        months: Any,
        conduct: str,
    ) -> PatientChoice:
        """Return the choice that the fields of the page hold.

        Parameters
        ----------
        seed, months
            Numbers; None where the field is empty.
        covariates
            Covariate -> value, None where it is to be drawn; yes/no as ``"yes"``, ``"no"``.
        factors
            Parameter -> power of two of the factor.
        regimens
            Regimen texts; an empty one is left out.
        conduct
            ``trial`` or ``planned``.

        Raises
        ------
        InputError
            For an empty or impossible seed or number of months; for no regimen.
        """
        texts = tuple(dict.fromkeys(text.strip() for text in regimens if text and text.strip()))
        if not texts:
            raise InputError("no regimen is given", hint="For example: pembrolizumab 200 mg every 3 weeks; or: none")
        if max(map(len, texts)) > LONGEST_REGIMEN:
            raise InputError(f"a regimen of {max(map(len, texts)):,} characters", hint=f"At most {LONGEST_REGIMEN:,}.")
        if seed is None or not 0 <= seed <= LARGEST_SEED or seed != int(seed):
            problem = "no seed is given" if seed is None else f"the seed is {number_text(seed)}"
            raise InputError(problem, hint=f"Use a whole number from 0 to {LARGEST_SEED:,}.")
        if months is None or not MONTHS[0] <= months <= MONTHS[1]:
            problem = "no duration is given" if months is None else f"the duration is {number_text(months)} months"
            raise InputError(problem, hint=f"Use {MONTHS[0]} to {MONTHS[1]} months.")
        given = {name: _typed(name, value) for name, value in covariates.items() if value not in (None, "")}
        times = {name: 2.0 ** float(power) for name, power in factors.items() if power}
        return cls(
            seed=int(seed), covariates=given, factors=times, regimens=texts, months=float(months), conduct=conduct
        )

    @property
    def changes(self) -> dict[str, str]:
        """Parameter -> factor as `immunescape.patients.VirtualPatient.changed` takes it."""
        return {name: f"x{number_text(value)}" for name, value in self.factors.items()}

    def python(self) -> str:
        """Python that reproduces the choice."""
        arguments = [f"seed={self.seed}"] + [f"{name}={value!r}" for name, value in self.covariates.items()]
        lines = ["import immunescape", "", f"patient = immunescape.patient({', '.join(arguments)})"]
        if self.factors:
            changed = ", ".join(f'{name}="{text}"' for name, text in self.changes.items())
            lines.append(f"patient = patient.changed({changed})")
        conduct = "" if self.conduct == "trial" else f', conduct="{self.conduct}"'
        lines.append(f"courses = patient.compare({list(self.regimens)!r}, months={number_text(self.months)}{conduct})")
        lines += ["courses.outcomes", 'courses.plot(path="course.png")', 'courses.save("course")']
        if self.limiting:
            lines.append(f"steps = [patient.limiting_step(regimen).table for regimen in {list(self.regimens)!r}]")
        return "\n".join(lines)

    def command(self) -> str:
        """Command line that reproduces the choice."""
        words = ["immunescape", "simulate", *self.regimens]
        words += ["--months", number_text(self.months), "--seed", str(self.seed)]
        for name, value in self.covariates.items():
            text = ("yes" if value else "no") if isinstance(value, bool) else str(value)
            words += ["--with", f"{name}={text}"]
        for name, text in self.changes.items():
            words += ["--set", f"{name}={text}"]
        if self.conduct == "planned":
            words.append("--planned")
        if self.limiting:
            words.append("--limiting")
        return shlex.join([*words, "--out", "course"])


def _typed(name: str, value: Any) -> Any:
    """A field's text as the covariate's own kind of value."""
    about = COVARIATES[name]
    if about.is_number:
        return int(value) if float(value).is_integer() else float(value)
    words = {"yes": True, "no": False} | {str(v): v for v in about.values if not isinstance(v, bool)}
    return words.get(str(value), value)  # what is not a value of the covariate is refused where the patient is drawn
