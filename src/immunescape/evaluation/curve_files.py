"""Which files of digitised Kaplan-Meier curves belong to which trial and arm, and which of them may be fitted to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from immunescape.trial.curves import EventTimes, read_curves

__all__ = ["CURVES", "CurveFile"]


@dataclass(frozen=True)
class CurveFile:
    """A file of event times.

    Attributes
    ----------
    trial : the protocol. endpoint : ``pfs`` or ``os``. source : key of the reference.
    arms : word in the file's column ``arm`` -> arm of the protocol, the experimental one first.
    not_simulated : words of arms whose drug has no model.
    selected : whether the patients had to survive to be analysed; such a curve is not compared.
    """

    trial: str
    endpoint: str
    source: str
    arms: Mapping[str, str]
    not_simulated: tuple[str, ...] = ()
    selected: bool = False

    def read(self, path: Path) -> dict[str, EventTimes]:
        """Event times by arm of the protocol; arms that are not simulated are left out."""
        times = read_curves(path, [*self.arms, *self.not_simulated])
        return {self.arms[label]: rows for label, rows in times.items() if label in self.arms}


def _both(stem: str, trial: str, source: str, arms: Mapping[str, str], left: str = "") -> dict[str, CurveFile]:
    out = (left,) if left else ()
    return {f"{stem}_{end}": CurveFile(trial, end, source, arms, out) for end in ("os", "pfs")}


_NIVOLUMAB = {"nivolumab": "nivolumab", "d1": "docetaxel"}
CURVES: Mapping[str, CurveFile] = {
    **_both("keynote024", "keynote-024", "reck2016", {"pembrolizumab": "pembrolizumab", "chemo": "platinum doublet"}),
    **_both("checkmate017", "checkmate-017", "brahmer2015", _NIVOLUMAB),
    **_both("checkmate057", "checkmate-057", "borghaei2015", _NIVOLUMAB),
    **_both(
        "camel_nsq",
        "camel",
        "zhou2021camel",
        {"camrelizumab_chemo": "camrelizumab and chemotherapy", "chemo": "chemotherapy"},
    ),
    "ca184104_os": CurveFile(
        "ca184-104",
        "os",
        "govindan2017",
        {"ipilimumab_chemotherapy": "ipilimumab and chemotherapy", "chemotherapy": "chemotherapy"},
        selected=True,
    ),
    **_both("revel", "revel-control", "garon2014", {"placebo_docetaxel": "docetaxel"}, "ramucirumab_docetaxel"),
    **_both(
        "lume_lung1",
        "lume-lung-1-control",
        "reck2014",
        {"docetaxel_placebo": "docetaxel"},
        "docetaxel_nintedanib",
    ),
    **_both("squire", "squire-control", "thatcher2015", {"gem_cis": "chemotherapy"}, "necitumumab_gem_cis"),
    **_both("inspire", "inspire-control", "pazares2015", {"ct": "chemotherapy"}, "necitumumab_ct"),
}
"""Name of the file, without its ending -> what it holds."""
