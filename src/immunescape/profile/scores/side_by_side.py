"""All published scores of one patient beside each other, and in words whether they disagree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from immunescape.knowledge.profile_records import Measurement
from immunescape.profile.scores.blood_scores import blood_scores
from immunescape.profile.scores.loris import loris_score
from immunescape.profile.scores.records import Reading, Score

__all__ = ["disagreement", "scores_of"]

_CUTS = (
    (
        "pdl1_tps",
        "PD-L1 tumour proportion score",
        1.0,
        50.0,
        True,
        "≥ 50 % favourable, < 1 % unfavourable",
        ("mok2019", "garon2015"),
    ),
    (
        "tmb",
        "Tumour mutational burden",
        10.0,
        10.0,
        True,
        "≥ 10 per Mb favourable; the cut-off is disputed",
        ("marabelle2020",),
    ),
    (
        "nlr",
        "Neutrophil-to-lymphocyte ratio",
        3.0,
        5.0,
        False,
        "≥ 5 unfavourable, < 3 favourable; prognostic",
        ("bagley2017", "mezquita2018"),
    ),
)


def _cut(m: Measurement | None, cut: tuple[str, str, float, float, bool, str, tuple[str, ...]]) -> Score:
    name, title, low, high, up, rule, citation = cut
    if m is None or m.value is None or isinstance(m.value, (str, bool)):
        why = m.note if m is not None else "not measured"
        return Score(name, title, None, rule=rule, note=why, citation=citation)
    value = float(m.value)
    above: Reading = "favourable" if up else "unfavourable"
    below: Reading = "unfavourable" if up else "favourable"
    reading: Reading = above if value >= high else below if value < low else "between"
    if m.status == "below_limit":  # the value is a limit: what is known is only that it is not above it
        reading = below if value <= low else ""
    return Score(
        name,
        title,
        value,
        unit=m.unit,
        reading=reading,
        rule=rule,
        inputs={name: value},
        note=m.note,
        citation=citation,
    )


def _toposcore(m: Measurement | None) -> Score:
    title, cited = "TOPOSCORE (gut microbiome)", ("derosa2024",)
    rule = "SIG1 unfavourable, SIG2 favourable; grey zone decided by Akkermansia"
    if m is None or m.value is None:
        return Score("toposcore", title, None, rule=rule, note=m.note if m else "not measured", citation=cited)
    class_name = str(m.value)
    reading: Reading = (
        "favourable" if "SIG2" in class_name.upper() else "unfavourable" if "SIG1" in class_name.upper() else "between"
    )
    return Score(
        "toposcore",
        title,
        class_name,
        unit="",
        reading=reading,
        rule=rule,
        inputs={"toposcore": class_name},
        note=m.note,
        citation=cited,
    )


def scores_of(
    biomarkers: Mapping[str, Measurement], prior_lines: float | None, blood: Mapping[str, float] | None = None
) -> tuple[Score, ...]:
    """Published scores of one patient; what cannot be had stays in the list, with the reason.

    Parameters
    ----------
    biomarkers
        Biomarker -> measurement.
    prior_lines
        Earlier lines of systemic therapy.
    blood
        Baseline blood values, ``bmi`` and ``metastatic_sites`` (see `blood_scores`); None leaves the blood scores out.
    """
    cuts = [_cut(biomarkers.get(row[0]), row) for row in _CUTS]
    of_blood = () if blood is None else blood_scores(blood)
    loris = loris_score(biomarkers, prior_lines)
    return (loris, *cuts, *of_blood, _toposcore(biomarkers.get("toposcore_class")))


def disagreement(scores: Sequence[Score]) -> str:
    """Name the scores that read favourable and those that read unfavourable, where there are both; else ''."""
    up = [s.title for s in scores if s.reading == "favourable"]
    down = [s.title for s in scores if s.reading == "unfavourable"]
    return f"favourable: {', '.join(up)}; unfavourable: {', '.join(down)}" if up and down else ""
