"""Neoantigen quality by the equation of Luksza et al. (2022), with user-supplied parameters.

``quality = R * D``: recognition ``R`` from the similarity of the mutated peptide to known T cell epitopes, ``R = sum_e
exp(-k (a - s_e)) / (1 + sum_e exp(-k (a - s_e)))`` with ``s_e`` the score of the best local alignment, and
discrimination ``D = (1 - w) ln(Kd_wt / Kd_mt) + w d(wt, mt)`` with the cross-reactivity distance
``d = sum_i d_i M(wt_i, mt_i)`` of 9-mers. The licence of the published parameters does not permit redistribution, so
none are included: supply a JSON file with ``a``, ``k``, ``w``, ``position_weights`` (9 numbers),
``substitution_distance`` ({"A>C": number}), ``epitopes`` (list of peptides), ``alignment_scores`` ({"AA": number}, e.g.
BLOSUM62) and ``gap`` (negative, for each gapped residue).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from immunescape.errors import InputError
from immunescape.knowledge.profile_records import Measurement
from immunescape.profile.biomarkers.neoantigens import Neoantigen, neoantigens
from immunescape.profile.biomarkers.registry import Biomarker, register
from immunescape.profile.study import Study

__all__ = ["QualityParameters", "load_quality_parameters", "neoantigen_quality", "use_quality_parameters"]

_NAME, _CITATION = "neoantigen_quality", ("luksza2022",)
_METHOD = "Largest R * D of the patient's neoantigens, parameters supplied by the user"
_NEEDED = ("a", "k", "w", "position_weights", "substitution_distance", "epitopes", "alignment_scores", "gap")


@dataclass(frozen=True, kw_only=True)
class QualityParameters:
    """Parameters of neoantigen quality, as in the user-supplied file."""

    a: float
    k: float
    w: float
    position_weights: tuple[float, ...]
    substitution_distance: Mapping[str, float]
    epitopes: tuple[str, ...]
    alignment_scores: Mapping[str, float]
    gap: float
    origin: str = ""
    _memo: dict[str, float] = field(default_factory=dict, repr=False, compare=False)

    def alignment(self, peptide: str, other: str) -> float:
        """Return the score of the best local alignment of two peptides (linear gaps)."""
        best = 0.0
        row = [0.0] * (len(other) + 1)
        for x in peptide:
            before, corner = row, 0.0
            row = [0.0] * (len(other) + 1)
            for j, y in enumerate(other, start=1):
                score = self.alignment_scores.get(x + y, self.alignment_scores.get(y + x, math.nan))
                row[j] = max(0.0, corner + score, before[j] + self.gap, row[j - 1] + self.gap)
                corner = before[j]
                best = max(best, row[j])
        return best

    def recognition(self, peptide: str) -> float:
        """Return R, between 0 and 1."""
        if peptide not in self._memo:
            scores = np.array([self.alignment(peptide, e) for e in self.epitopes])
            terms = -self.k * (self.a - scores)
            top = max(0.0, float(terms.max(initial=-math.inf)))
            total = float(np.exp(terms - top).sum())
            self._memo[peptide] = total / (math.exp(-top) + total)
        return self._memo[peptide]

    def distance(self, wild: str, mutated: str) -> float | None:
        """Return the cross-reactivity distance of two 9-mers; None for other lengths."""
        if len(wild) != len(self.position_weights) or len(mutated) != len(self.position_weights):
            return None
        total = 0.0
        for weight, x, y in zip(self.position_weights, wild, mutated, strict=True):
            if x != y:
                total += weight * self.substitution_distance.get(f"{x}>{y}", math.nan)
        return None if math.isnan(total) else total

    def quality(self, peptide: str, wild: str, ic50: float, wt_ic50: float) -> float | None:
        """Return R * D, or None where the wild-type peptide or its affinity is missing."""
        distance = self.distance(wild, peptide)
        if distance is None or not wt_ic50 > 0 or not ic50 > 0:
            return None
        discrimination = (1 - self.w) * math.log(wt_ic50 / ic50) + self.w * distance
        return self.recognition(peptide) * discrimination


def load_quality_parameters(path: str | Path) -> QualityParameters:
    """Read the parameter file.

    Raises
    ------
    InputError
        If the file cannot be read, or a field is missing or of the wrong shape.
    """
    where = str(path)
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"cannot be read as JSON ({error})", where=where) from error
    missing = [n for n in _NEEDED if n not in data] if isinstance(data, dict) else list(_NEEDED)
    if missing:
        raise InputError(f"missing: {', '.join(missing)}", where=where, hint=f"It needs: {', '.join(_NEEDED)}.")
    weights: Sequence[float] = data["position_weights"]
    if len(weights) != 9 or not data["epitopes"] or data["gap"] >= 0:
        raise InputError("position_weights needs 9 numbers, epitopes at least one, gap a negative number", where=where)
    return QualityParameters(
        a=float(data["a"]),
        k=float(data["k"]),
        w=float(data["w"]),
        position_weights=tuple(float(x) for x in weights),
        substitution_distance={str(n): float(v) for n, v in data["substitution_distance"].items()},
        epitopes=tuple(str(e) for e in data["epitopes"]),
        alignment_scores={str(n): float(v) for n, v in data["alignment_scores"].items()},
        gap=float(data["gap"]),
        origin=Path(path).name,
    )


_PARAMETERS: list[QualityParameters] = []


def use_quality_parameters(parameters: QualityParameters | None) -> None:
    """Set (or with None, remove) the parameters that `neoantigen_quality` uses from now on."""
    _PARAMETERS[:] = [] if parameters is None else [parameters]


def _best(peptides: Sequence[Neoantigen], parameters: QualityParameters) -> tuple[float | None, int]:
    scores = []
    for n in peptides:
        ic50, wt_ic50 = min(n.affinities.values())
        score = parameters.quality(n.peptide, n.wt_peptide, ic50, wt_ic50)
        if score is not None:
            scores.append(score)
    return (max(scores) if scores else None), len(scores)


def neoantigen_quality(study: Study, parameters: QualityParameters | None = None) -> dict[str, Measurement]:
    """Return the quality of each patient's best neoantigen.

    Parameters
    ----------
    study
        Study with neoantigens, their wild-type peptides and affinities.
    parameters
        What `load_quality_parameters` read; None takes what `use_quality_parameters` set.
    """
    chosen = parameters or (_PARAMETERS[0] if _PARAMETERS else None)
    if chosen is None:
        why = (
            "no parameter file was given (the published parameters may not be redistributed); see "
            "load_quality_parameters"
        )
        nobody = Measurement.not_assessable(_NAME, "1", why, method=_METHOD, citation=_CITATION)
        return dict.fromkeys(study.patient_ids, nobody)
    measurements: dict[str, Measurement] = {}
    for patient, peptides in neoantigens(study).items():
        value, number = _best(peptides, chosen)
        note = (
            f"{number} of {len(peptides)} neoantigens are 9-mers with wild-type peptide and affinity; {chosen.origin}"
        )
        coverage = number / len(peptides) if peptides else None
        if value is None:
            measurements[patient] = Measurement.not_assessable(
                _NAME, "1", note, method=_METHOD, citation=_CITATION, coverage=coverage
            )
        else:
            measurements[patient] = Measurement(
                _NAME, value, "1", "measured", method=_METHOD, citation=_CITATION, note=note, coverage=coverage
            )
    return measurements


register(
    Biomarker(
        name=_NAME,
        title="Neoantigen quality",
        family="neoantigen",
        unit="1",
        definition="Largest product of recognition potential and self-discrimination among the patient's neoantigens.",
        function=neoantigen_quality,
        needs=("neoantigens",),
        thresholds="none accepted",
        references=_CITATION,
        limits="Needs a parameter file from the user: the published parameters may not be redistributed.",
    )
)
