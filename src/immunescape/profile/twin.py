"""From a patient's measurements to hints for a virtual population; nothing is simulated here."""

from __future__ import annotations

from collections.abc import Mapping

from immunescape.knowledge.profile_records import Measurement
from immunescape.knowledge.profile_to_model import ModelHint, ProfileLink, profile_links

__all__ = ["model_hints"]


def _applies(link: ProfileLink, value: float | str | bool) -> bool:
    if not link.when:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    word = str(value).casefold() if isinstance(value, bool) else str(value)
    return word in link.when


def _hint(link: ProfileLink, m: Measurement) -> ModelHint:
    value: float | str | bool | None = None
    low = high = spread = None
    scale: str = link.spread_scale
    if link.transformation == "range":
        first, _, last = link.factor.partition("..")
        low, high = float(first), float(last)
    elif link.transformation == "set":
        value = {"true": True, "false": False}.get(link.factor, link.factor)
    else:
        assert isinstance(m.value, (int, float))
        factor = float(link.factor)
        value, spread = float(m.value) * factor, link.spread
        if scale == "interval":
            scale = "none"
            low, high = (None if b is None else b * factor for b in (m.low, m.high))
        elif m.status == "below_limit":
            low, high = 0.0, value
    measured = f"{m.value:.4g} {m.unit}".strip() if isinstance(m.value, float) else str(m.value)
    return ModelHint(
        link.target, link.kind, value, low, high, spread, scale, m.name, measured, link.source, link.grade, link.note
    )


def model_hints(measurements: Mapping[str, Measurement]) -> tuple[ModelHint, ...]:
    """Return what a patient's measurements say about covariates and parameters of a virtual patient.

    Parameters
    ----------
    measurements
        Biomarker -> measurement of one patient.

    Returns
    -------
    tuple of ModelHint
        In the order of the table, one at most for each target: the first row that applies wins (a score before its
        stratum), except that ``range`` rows of several genes give the one with the largest share. What is not
        assessable gives no hint, so the population keeps its own distribution there.
    """
    found: dict[str, ModelHint] = {}
    for link in profile_links():
        m = measurements.get(link.biomarker)
        if m is None or m.value is None or not _applies(link, m.value):
            continue
        hint = _hint(link, m)
        known = found.get(link.target)
        if known is None or (known.value is None and hint.value is None and (hint.high or 0) > (known.high or 0)):
            found[link.target] = hint
    return tuple(found.values())
