"""Is a biomarker prognostic, predictive or both? The label with the treatment-interaction test that supports it.

``data/biomarker_labels.csv`` holds estimates from the randomised OAK trial (atezolizumab against docetaxel, overall
survival): the interaction of biomarker and arm, and the effect of the biomarker in the control arm. Predictive needs
an interaction, prognostic an effect in the control arm, both at p < 0.05 after Holm's correction over the biomarkers
of the table. A biomarker that was not tested there is ``not established``; neither is one without a significant test.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from functools import lru_cache
from typing import Literal

from immunescape.knowledge.tables import read_rows

__all__ = ["BiomarkerLabel", "biomarker_label", "biomarker_labels", "holm"]

Label = Literal["predictive", "prognostic", "both", "not established"]


@dataclass(frozen=True)
class BiomarkerLabel:
    """Label of one biomarker and the tests behind it.

    Attributes
    ----------
    biomarker, label : name; ``predictive``, ``prognostic``, ``both`` or ``not established``.
    definition : how the biomarker was dichotomised in the trial.
    n, carriers : patients in the test; those with the biomarker.
    interaction_hr, interaction_interval, interaction_p : hazard ratio of biomarker x arm, 95 % interval, Wald p.
    control_hr, control_interval, control_p : hazard ratio of the biomarker in the control arm.
    trial, source, note : trial, key of the bibliography, what to keep in mind.
    """

    biomarker: str
    label: Label
    _: KW_ONLY
    definition: str = ""
    n: int = 0
    carriers: int = 0
    interaction_hr: float | None = None
    interaction_interval: tuple[float, float] | None = None
    interaction_p: float | None = None
    control_hr: float | None = None
    control_interval: tuple[float, float] | None = None
    control_p: float | None = None
    trial: str = ""
    source: str = ""
    note: str = "not tested in a randomised trial here"

    @property
    def text(self) -> str:
        """The label and its test in one line."""
        if self.interaction_p is None:
            return f"{self.label} ({self.note})"
        return (
            f"{self.label} ({self.trial}, {self.definition}: interaction p = {self.interaction_p:.2g}, "
            f"control-arm HR {self.control_hr:.2f}, p = {self.control_p:.2g})"
        )


def holm(p: list[float]) -> list[float]:
    """Holm's step-down adjusted p values, in the order given."""
    order = sorted(range(len(p)), key=p.__getitem__)
    adjusted, largest = [0.0] * len(p), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - rank) * p[i]))
        adjusted[i] = largest
    return adjusted


def _label(predictive: bool, prognostic: bool) -> Label:
    if predictive and prognostic:
        return "both"
    return "predictive" if predictive else "prognostic" if prognostic else "not established"


@lru_cache(maxsize=1)
def biomarker_labels() -> dict[str, BiomarkerLabel]:
    """Labels of the biomarkers that were tested: name -> label."""
    rows = read_rows("biomarker_labels")
    interaction = holm([float(r["interaction_p"]) for r in rows])
    control = holm([float(r["control_p"]) for r in rows])
    labels = {}
    for row, p_interaction, p_control in zip(rows, interaction, control, strict=True):
        value = {k: float(row[k]) for k in row if k.startswith(("interaction_", "control_"))}
        labels[row["biomarker"]] = BiomarkerLabel(
            row["biomarker"],
            _label(p_interaction < 0.05, p_control < 0.05),
            definition=row["definition"],
            n=int(row["n"]),
            carriers=int(row["carriers"]),
            interaction_hr=value["interaction_hr"],
            interaction_interval=(value["interaction_low"], value["interaction_high"]),
            interaction_p=value["interaction_p"],
            control_hr=value["control_hr"],
            control_interval=(value["control_low"], value["control_high"]),
            control_p=value["control_p"],
            trial=row["trial"],
            source=row["source"],
            note=row["note"],
        )
    return labels


def biomarker_label(name: str) -> BiomarkerLabel:
    """Return the label of a biomarker; ``not established`` for one that was not tested."""
    return biomarker_labels().get(name) or BiomarkerLabel(name, "not established")
