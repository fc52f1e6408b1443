"""Blood counts and chemistry at baseline, plasma metabolites and exosomal PD-L1.

Values are in one unit per analyte (readers convert declared units and reject undeclared ones). A value in another unit,
or without a unit, is not assessable here. Baseline is the last value up to the first dose (day 0); a value without a
day counts as baseline, with a note.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from immunescape.knowledge.printed_units import printed_amount
from immunescape.knowledge.profile_records import Measurement
from immunescape.profile.biomarkers.registry import Biomarker, register, shared
from immunescape.profile.study import Study

__all__ = ["ANALYTES", "Analyte", "baseline_labs"]

EARLIEST = -60.0
"""A value from before this day is too old to serve as baseline (assumed: two months)."""


@dataclass(frozen=True, kw_only=True)
class Analyte:
    """A biomarker given by the baseline value of an analyte."""

    name: str
    analyte: str
    title: str
    unit: str
    family: str
    thresholds: str
    references: tuple[str, ...]
    limits: str


ANALYTES = (
    Analyte(
        name="albumin",
        analyte="albumin",
        title="Serum albumin",
        unit="g/L",
        family="blood",
        thresholds="35 g/L",
        references=("chowell2022",),
        limits="Primarily prognostic.",
    ),
    Analyte(
        name="ldh",
        analyte="ldh",
        title="Lactate dehydrogenase",
        unit="U/L",
        family="blood",
        thresholds="upper limit of normal of the laboratory",
        references=("mezquita2018",),
        limits="The upper limit of normal differs between laboratories and is not taken into account.",
    ),
    Analyte(
        name="mdsc_blood",
        analyte="mdsc",
        title="Myeloid-derived suppressor cells in blood",
        unit="percent",
        family="blood",
        thresholds="",
        references=("limagne2019",),
        limits="Share of mononuclear cells; gating is not standardised, so the phenotype must be stated.",
    ),
    Analyte(
        name="cd8_blood",
        analyte="cd8",
        title="CD8 T cells in blood",
        unit="cells/uL",
        family="blood",
        thresholds="",
        references=("kamphorst2017",),
        limits="Not tumour-infiltrating cells.",
    ),
    Analyte(
        name="cd4_blood",
        analyte="cd4",
        title="CD4 T cells in blood",
        unit="cells/uL",
        family="blood",
        thresholds="",
        references=("kamphorst2017",),
        limits="Not tumour-infiltrating cells.",
    ),
    Analyte(
        name="treg_blood",
        analyte="treg",
        title="Regulatory T cells in blood",
        unit="percent",
        family="blood",
        thresholds="",
        references=("limagne2019",),
        limits="Share of CD4 T cells; gating is not standardised.",
    ),
    Analyte(
        name="mdsc_monocytic_blood",
        analyte="mdsc_monocytic",
        title="Monocytic myeloid-derived suppressor cells in blood",
        unit="percent",
        family="blood",
        thresholds="",
        references=("limagne2019",),
        limits="Share of mononuclear cells; gating is not standardised, so the panel must be stated.",
    ),
    Analyte(
        name="mdsc_granulocytic_blood",
        analyte="mdsc_granulocytic",
        title="Granulocytic myeloid-derived suppressor cells in blood",
        unit="percent",
        family="blood",
        thresholds="",
        references=("gabrilovich2009",),
        limits="Share of mononuclear cells; gating is not standardised, so the panel must be stated.",
    ),
    Analyte(
        name="cd8_pd1_blood",
        analyte="cd8_pd1",
        title="PD-1 on CD8 T cells in blood",
        unit="percent",
        family="blood",
        thresholds="",
        references=("kamphorst2017",),
        limits="Share of CD8 T cells; PD-1 marks both activation and exhaustion; not tumour-infiltrating cells.",
    ),
    Analyte(
        name="cd8_pd1_ki67_blood",
        analyte="cd8_pd1_ki67",
        title="Proliferating PD-1+ CD8 T cells in blood",
        unit="percent",
        family="blood",
        thresholds="",
        references=("kamphorst2017",),
        limits="Share of Ki-67-positive cells; in the source, an increase on treatment was associated with benefit; "
        "the baseline is less informative.",
    ),
    Analyte(
        name="cd8_tim3_blood",
        analyte="cd8_tim3",
        title="TIM-3 on CD8 T cells in blood",
        unit="percent",
        family="blood",
        thresholds="",
        references=("limagne2019",),
        limits="Share of CD8 T cells; gating is not standardised, so the panel must be stated.",
    ),
    Analyte(
        name="cd8_effector_memory_blood",
        analyte="cd8_effector_memory",
        title="Effector memory CD8 T cells in blood",
        unit="percent",
        family="blood",
        thresholds="",
        references=("manjarrez2018",),
        limits="Share of CD8 T cells; gating is not standardised, so the panel must be stated.",
    ),
    Analyte(
        name="cd4_memory_blood",
        analyte="cd4_memory",
        title="Memory CD4 T cells in blood",
        unit="percent",
        family="blood",
        thresholds="",
        references=("zuazo2019",),
        limits="Share of CD4 T cells; gating is not standardised, so the panel must be stated.",
    ),
    Analyte(
        name="exosomal_pdl1",
        analyte="exosomal_pdl1",
        title="Exosomal PD-L1",
        unit="pg/mL",
        family="plasma",
        thresholds="166 pg/mL in one study",
        references=("chen2018exo", "shimada2021"),
        limits="Isolation and assay are not standardised; no accepted threshold.",
    ),
    Analyte(
        name="hydroxyanthranilic_acid_3",
        analyte="hydroxyanthranilic_acid_3",
        title="3-Hydroxyanthranilic acid in blood",
        unit="nmol/L",
        family="plasma",
        thresholds="35.4 nmol/L in 19 patients",
        references=("karayama2021",),
        limits="One small study; no accepted threshold.",
    ),
)
Lab = tuple[float, float, str]


def _baselines(study: Study) -> dict[str, dict[str, Lab | str]]:
    """Return analyte -> patient -> (value, day, unit) at baseline, or why there is none."""
    candidates: dict[tuple[str, str], list[Lab]] = {}
    for patient, day, analyte, value, unit in (
        study.labs[["patient", "day", "analyte", "value", "unit"]].to_numpy(dtype=object).tolist()
    ):
        if not isinstance(analyte, str) or value is None or math.isnan(value):
            continue
        at = math.nan if day is None else float(day)
        unit_text = unit if isinstance(unit, str) else ""
        candidates.setdefault((analyte, patient), []).append((float(value), at, unit_text))
    values: dict[str, dict[str, Lab | str]] = {}
    for (analyte, patient), rows in candidates.items():
        before = sorted((r for r in rows if r[1] <= 0), key=lambda r: (r[1], -r[0]))
        undated = sorted(r for r in rows if math.isnan(r[1]))
        answer: Lab | str
        if before and before[-1][1] >= EARLIEST:
            answer = before[-1]
        elif before:
            answer = (
                f"the last value before treatment is from day {before[-1][1]:g}, more than {-EARLIEST:g} days before "
                "the first dose"
            )
        elif len(undated) == 1:
            answer = undated[0]
        elif undated:
            answer = f"{len(undated)} values without a day"
        else:
            answer = f"no value up to day 0; the first is from day {min(r[1] for r in rows):g}"
        values.setdefault(analyte, {})[patient] = answer
    return values


def baseline_labs(study: Study) -> dict[str, dict[str, Lab | str]]:
    """Return analyte -> patient -> (value, day, unit) at baseline, or the reason why there is none."""
    return shared(study, "baseline_labs", _baselines)


def _note(day: float) -> str:
    return "day not given; taken as baseline" if math.isnan(day) else f"day {day:g}"


def _day(day: float) -> float | None:
    return None if math.isnan(day) else day


def _function(a: Analyte) -> Callable[[Study], Mapping[str, Measurement]]:
    def function(study: Study) -> dict[str, Measurement]:
        source = study.sources.get("labs", ())
        fields = {"method": "Last value up to day 0", "citation": a.references, "source": source}
        measurements: dict[str, Measurement] = {}
        for patient, lab in baseline_labs(study).get(a.analyte, {}).items():
            if isinstance(lab, str):
                measurements[patient] = Measurement.not_assessable(a.name, a.unit, lab, **fields)
            elif lab[2] != a.unit:
                why = f"the unit is '{lab[2]}', not {a.unit}" if lab[2] else f"no unit is given (expected {a.unit})"
                measurements[patient] = Measurement.not_assessable(a.name, a.unit, why, **fields)
            else:
                measurements[patient] = Measurement(
                    a.name,
                    lab[0],
                    a.unit,
                    "measured",
                    note=_note(lab[1]),
                    day=_day(lab[1]),
                    **fields,  # type: ignore[arg-type]
                )
        return measurements

    return function


def _ratio(
    name: str, ready: str, over: str, under: str, unit: str, citation: tuple[str, ...]
) -> Callable[[Study], Mapping[str, Measurement]]:
    """Return the function for a ratio: as reported by the laboratory, else from its two components on the same day."""

    def function(study: Study) -> dict[str, Measurement]:
        labs = baseline_labs(study)
        fields = {"citation": citation, "source": study.sources.get("labs", ())}
        given, top, bottom = (labs.get(a, {}) for a in (ready, over, under))
        measurements: dict[str, Measurement] = {}
        for patient in {*given, *top, *bottom}:
            as_given, a, b = given.get(patient), top.get(patient), bottom.get(patient)
            if isinstance(as_given, tuple) and as_given[2] == "ratio":
                measurements[patient] = Measurement(
                    name,
                    as_given[0],
                    "1",
                    "measured",
                    method="As reported by the laboratory",
                    note=_note(as_given[1]),
                    day=_day(as_given[1]),
                    **fields,  # type: ignore[arg-type]
                )
                continue
            why = ""
            if not isinstance(a, tuple) or not isinstance(b, tuple):
                why = "; ".join(x for x in (as_given, a, b) if isinstance(x, str)) or f"{over} or {under} is missing"
            elif a[2] != unit or b[2] != unit:
                why = f"units are '{a[2]}' and '{b[2]}', not {unit}"
            elif a[1] != b[1] and not (math.isnan(a[1]) and math.isnan(b[1])):
                why = f"{over} is from day {a[1]:g}, {under} from day {b[1]:g}"
            elif b[0] <= 0:
                why = f"{under} is {b[0]:g}"
            if why:
                measurements[patient] = Measurement.not_assessable(name, "1", why, method=f"{over} / {under}", **fields)
            else:
                assert isinstance(a, tuple)
                assert isinstance(b, tuple)
                measurements[patient] = Measurement(
                    name,
                    a[0] / b[0],
                    "1",
                    "measured",
                    method=f"{over} / {under}, same day",
                    note=f"{a[0]:g} / {printed_amount(f'{b[0]:g}', unit)}; {_note(a[1])}",
                    day=_day(a[1]),
                    **fields,  # type: ignore[arg-type]
                )
        return measurements

    return function


for _a in ANALYTES:
    register(
        Biomarker(
            name=_a.name,
            title=_a.title,
            family=_a.family,
            unit=_a.unit,
            definition=f"{_a.title} at baseline: the last value from day {EARLIEST:g} to 0.",
            function=_function(_a),
            needs=("labs",),
            thresholds=_a.thresholds,
            references=_a.references,
            limits=_a.limits,
        )
    )

register(
    Biomarker(
        name="nlr",
        title="Neutrophil-to-lymphocyte ratio",
        family="blood",
        unit="1",
        definition="Neutrophils over lymphocytes at baseline, measured on the same day, or as reported by the "
        "laboratory.",
        function=_ratio("nlr", "nlr", "neutrophils", "lymphocytes", "10^9/L", ("bagley2017",)),
        needs=("labs",),
        thresholds="5",
        references=("bagley2017", "chowell2022"),
        limits="Increased by steroids and infection; prognostic whatever the treatment.",
    )
)
register(
    Biomarker(
        name="kyn_trp",
        title="Kynurenine-to-tryptophan ratio",
        family="plasma",
        unit="1",
        definition="Kynurenine over tryptophan (both µmol/L) at baseline: activity of IDO1 and TDO2.",
        function=_ratio("kyn_trp", "kyn_trp", "kynurenine", "tryptophan", "umol/L", ("botticelli2018",)),
        needs=("labs",),
        thresholds="none accepted",
        references=("botticelli2018",),
        limits="Affected by diet, infection and kidney function.",
    )
)
