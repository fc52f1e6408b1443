"""The step of the cancer–immunity cycle that limits one patient under a regimen, by experiment.

Each step is relieved from day 0 on (its capacity doubled, ``cycle_relief.csv``) and the patient is simulated again with
the same planned doses. The step whose relief leaves the smallest tumour limits; where no relief leaves it smaller by
`LEAST` per cent, none does alone. Growth is no step of the cycle: slowing it makes nearly every tumour smaller and
tells nothing of immunity, so that it is not among them. A relief is a doubling: where a step is so poor that twice its
capacity changes nothing, it is not named, although much more of it might help.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from immunescape.knowledge.tables import read_rows

if TYPE_CHECKING:
    import pandas as pd

    from immunescape.patients.virtual_patient import VirtualPatient

__all__ = ["LEAST", "LimitingStep", "Relief", "limiting_step", "reliefs"]

LEAST = 10.0
"""Per cent of tumour volume that a relief takes away at least, to be called limiting: assumed; well above the error of
the integrator, and below what two readers of a scan tell apart."""
_SMALLEST_ML = 1e-3
"""Volume (a cubic millimetre, about a million cells) below which one tumour is not called smaller than another."""


@dataclass(frozen=True)
class Relief:
    """A step of the cycle with the parameter that relieves it, and its change as of `VirtualPatient.changed`."""

    step: str
    title: str
    parameter: str
    change: str
    note: str


@lru_cache(maxsize=1)
def reliefs() -> tuple[Relief, ...]:
    """Return the steps of the cycle in their order, with what relieves each."""
    rows = read_rows("cycle_relief")
    return tuple(Relief(r["step"], r["title"], r["parameter"], r["change"], r["note"]) for r in rows)


@dataclass(frozen=True)
class LimitingStep:
    """What relieving each step would do; made by :meth:`VirtualPatient.limiting_step`.

    Attributes
    ----------
    regimen, months : the treatment, and when the tumour is measured.
    volume_ml : volume of the tumour then, without any relief.
    smaller_pct : step -> by how many per cent the tumour is smaller with that step relieved; below 0: larger.
    """

    regimen: str
    months: float
    volume_ml: float
    smaller_pct: Mapping[str, float]

    @property
    def step(self) -> str | None:
        """The limiting step; None where no relief takes away `LEAST` per cent."""
        best = max(self.smaller_pct, key=lambda name: self.smaller_pct[name])
        return best if self.smaller_pct[best] >= LEAST else None

    @property
    def table(self) -> pd.DataFrame:
        """One row per step, the strongest relief first: what was changed and how much smaller the tumour is."""
        import pandas as pd

        rows: list[dict[str, Any]] = [
            {
                "step": r.step,
                "relieved_by": f"{r.parameter} {r.change}",
                "meaning": r.note.split(";")[0],
                "smaller_pct": self.smaller_pct[r.step],
            }
            for r in reliefs()
        ]
        table = pd.DataFrame(rows).sort_values("smaller_pct", ascending=False, ignore_index=True, kind="stable")
        table["limiting"] = table["step"] == self.step
        return table

    @property
    def sentence(self) -> str:
        """The result in words."""
        after = f"by month {self.months:g} on {self.regimen}"
        if self.step is None:
            if self.volume_ml <= _SMALLEST_ML:
                return f"The tumour is gone {after}: nothing is left to limit."
            return f"No step limits alone {after}: doubling any makes the tumour less than {LEAST:g} % smaller."
        title = next(r.title for r in reliefs() if r.step == self.step)
        gain = self.smaller_pct[self.step]
        return f"{title} limits {after}: with it relieved, the tumour is {gain:.0f} % smaller."

    def to_json(self) -> dict[str, Any]:
        """Return the result as plain data."""
        return {
            "regimen": self.regimen,
            "months": self.months,
            "volume_ml": self.volume_ml,
            "limiting": self.step,
            "smaller_pct": dict(self.smaller_pct),
        }

    def __repr__(self) -> str:
        return f"LimitingStep({self.sentence} .table has every step)"


def limiting_step(
    patient: VirtualPatient, regimen: str = "none", *, months: float = 6.0, engine: str = "auto"
) -> LimitingStep:
    """Relieve each step of the cancer–immunity cycle in turn, and compare the tumour.

    Parameters
    ----------
    patient
        The patient, with the changes that it has.
    regimen
        Regimen text; every planned dose is given.
    months
        When the tumour is compared.
    engine
        Engine by name.

    Raises
    ------
    InputError, EngineError
        As `simulate_patient` does.
    """
    relieved = [patient, *(patient.changed(**{r.parameter: _beside(patient, r)}) for r in reliefs())]
    volumes, text = [], ""
    for p in relieved:
        course = p.simulate(regimen, months=months, conduct="planned", observe=("V_T",), engine=engine)
        text = course.regimen
        volumes.append(max(float(course.table["V_T"].iloc[-1]), _SMALLEST_ML))
    base, *others = volumes
    smaller = {r.step: 100.0 * (1.0 - v / base) for r, v in zip(reliefs(), others, strict=True)}
    return LimitingStep(text, months, base, smaller)


def _beside(patient: VirtualPatient, relief: Relief) -> float | str:
    """The change of a relief on top of a change that the patient has of the same parameter."""
    change = patient.changes.get(relief.parameter)
    factor = float(relief.change[1:])
    if change is None:
        return relief.change
    return f"x{factor * float(change[1:])!r}" if isinstance(change, str) else factor * change
