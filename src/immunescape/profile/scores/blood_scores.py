"""Published prognostic scores of blood (and body) as their authors defined them: LIPI, GRIm, RMH, mGPS, ALI, PNI, SII.

All are prognostic: they go with survival under any treatment. A score with an input missing is not assessable.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from immunescape.profile.scores.blood_values import UNITS, lipi_points
from immunescape.profile.scores.records import Reading, Score

__all__ = ["BLOOD_SCORES", "BloodScore", "blood_scores"]

_TITLES = {
    "albumin": "albumin",
    "ldh": "LDH",
    "ldh_upper_limit": "the upper limit of normal of LDH",
    "neutrophils": "neutrophils",
    "lymphocytes": "lymphocytes",
    "leukocytes": "leukocytes",
    "platelets": "platelets",
    "crp": "C-reactive protein",
    "nlr": "neutrophil-to-lymphocyte ratio",
    "bmi": "body mass index",
    "metastatic_sites": "number of metastatic sites",
}
_UNITS = {**UNITS, "bmi": "kg/m^2", "metastatic_sites": "sites"}


@dataclass(frozen=True, kw_only=True)
class BloodScore:
    """One score: what it needs, how it is made, and what its authors take it for.

    Attributes
    ----------
    name, title, unit, rule : as in `Score`.
    needs : inputs, in the units of `blood_values.UNITS` (BMI kg/m², sites as a number).
    value : from the inputs in that order; None where they cannot be (leukocytes below neutrophils).
    good, poor : whether a value reads favourable, unfavourable; both None where there is no accepted cut-off.
    citation : keys of the bibliography.
    """

    name: str
    title: str
    needs: tuple[str, ...]
    value: Callable[..., float | None]
    unit: str
    rule: str
    good: Callable[[float], bool] | None
    poor: Callable[[float], bool] | None
    citation: tuple[str, ...]

    def of(self, values: Mapping[str, float]) -> Score:
        """Return the score of one patient; not assessable, with the reason, where an input is missing."""
        missing = [n for n in self.needs if not math.isfinite(values.get(n, math.nan))]
        inputs = {f"{n} ({_UNITS[n]})": values[n] for n in self.needs if n not in missing}
        if missing:
            why = f"{', '.join(_TITLES[n] for n in missing)} missing"
            return Score(self.name, self.title, None, rule=self.rule, inputs=inputs, note=why, citation=self.citation)
        value = self.value(*(values[n] for n in self.needs))
        if value is None or not math.isfinite(value):
            why = "the values contradict each other"
            return Score(self.name, self.title, None, rule=self.rule, inputs=inputs, note=why, citation=self.citation)
        reading: Reading = ""
        if self.good is not None and self.poor is not None:
            reading = "favourable" if self.good(value) else "unfavourable" if self.poor(value) else "between"
        note = "prognostic under any treatment"
        return Score(
            self.name,
            self.title,
            float(value),
            unit=self.unit,
            reading=reading,
            rule=self.rule,
            inputs=inputs,
            note=note,
            citation=self.citation,
        )


def _grim(nlr: float, ldh: float, upper: float, albumin: float) -> float | None:
    return None if upper <= 0 else float((nlr > 6) + (ldh > upper) + (albumin < 35))


def _rmh(ldh: float, upper: float, albumin: float, sites: float) -> float | None:
    return None if upper <= 0 else float((ldh > upper) + (albumin < 35) + (sites > 2))


def _mgps(crp: float, albumin: float) -> float:
    return 0.0 if crp <= 10 else 2.0 if albumin < 35 else 1.0


def _ali(bmi: float, albumin: float, nlr: float) -> float | None:
    return None if nlr <= 0 else bmi * albumin / 10.0 / nlr


def _pni(albumin: float, lymphocytes: float) -> float:
    return albumin + 5.0 * lymphocytes


def _sii(platelets: float, neutrophils: float, lymphocytes: float) -> float | None:
    return None if lymphocytes <= 0 else platelets * neutrophils / lymphocytes


BLOOD_SCORES = (
    BloodScore(
        name="lipi",
        title="LIPI, lung immune prognostic index",
        needs=("neutrophils", "leukocytes", "ldh", "ldh_upper_limit"),
        value=lipi_points,
        unit="points",
        rule="derived NLR > 3 and LDH above normal, a point each; 0 good, 1 intermediate, 2 poor",
        good=lambda v: v == 0,
        poor=lambda v: v == 2,
        citation=("mezquita2018", "kazandjian2019"),
    ),
    BloodScore(
        name="grim",
        title="GRIm, Gustave Roussy immune score",
        needs=("nlr", "ldh", "ldh_upper_limit", "albumin"),
        value=_grim,
        unit="points",
        rule="NLR > 6, LDH above normal, albumin < 35 g/L, a point each; 0-1 low risk, 2-3 high",
        good=lambda v: v <= 1,
        poor=lambda v: v >= 2,
        citation=("bigot2017",),
    ),
    BloodScore(
        name="rmh",
        title="RMH, Royal Marsden Hospital score",
        needs=("ldh", "ldh_upper_limit", "albumin", "metastatic_sites"),
        value=_rmh,
        unit="points",
        rule="LDH above normal, albumin < 35 g/L, more than 2 metastatic sites, a point each; 0-1 good, 2-3 poor",
        good=lambda v: v <= 1,
        poor=lambda v: v >= 2,
        citation=("arkenau2009", "garridolaguna2012"),
    ),
    BloodScore(
        name="mgps",
        title="mGPS, modified Glasgow prognostic score",
        needs=("crp", "albumin"),
        value=_mgps,
        unit="points",
        rule="0: CRP up to 10 mg/L; 1: above; 2: above and albumin < 35 g/L",
        good=lambda v: v == 0,
        poor=lambda v: v == 2,
        citation=("mcmillan2013", "proctor2013"),
    ),
    BloodScore(
        name="ali",
        title="ALI, advanced lung cancer inflammation index",
        needs=("bmi", "albumin", "nlr"),
        value=_ali,
        unit="kg/m^2 g/dL",
        rule="BMI × albumin (g/dL) / NLR; below 18 poor",
        good=lambda v: v >= 18,
        poor=lambda v: v < 18,
        citation=("jafri2013",),
    ),
    BloodScore(
        name="pni",
        title="PNI, prognostic nutritional index",
        needs=("albumin", "lymphocytes"),
        value=_pni,
        unit="points",
        rule=(
            "albumin (g/L) + 5 × lymphocytes (10⁹/L); from 45 good, below 40 poor, "
            "in the surgical series it was made for"
        ),
        good=lambda v: v >= 45,
        poor=lambda v: v < 40,
        citation=("onodera1984",),
    ),
    BloodScore(
        name="sii",
        title="SII, systemic immune-inflammation index",
        needs=("platelets", "neutrophils", "lymphocytes"),
        value=_sii,
        unit="10^9/L",
        rule="platelets × neutrophils / lymphocytes; cut-offs differ between studies",
        good=None,
        poor=None,
        citation=("hu2014",),
    ),
)


def blood_scores(values: Mapping[str, float]) -> tuple[Score, ...]:
    """All blood scores of one patient.

    Parameters
    ----------
    values
        Analyte -> baseline value in its unit (`blood_values.UNITS`), ``nlr``, ``bmi`` (kg/m²), ``metastatic_sites``.
    """
    return tuple(s.of(values) for s in BLOOD_SCORES)
