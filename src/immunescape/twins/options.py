"""Which regimens a setting allows, and how strong the evidence for each is in that setting.

Options are by line, prior inhibitor and platinum, histology, PD-L1 and driver (``regimen_options.csv``). Evidence rows
hold the same setting and the trial's result; :mod:`immunescape.knowledge.evidence_table` reads and checks them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import RootModel

from immunescape.errors import InputError
from immunescape.knowledge.evidence_table import EvidenceRow, shipped_evidence
from immunescape.knowledge.tables import Row, read_rows
from immunescape.knowledge.yaml_tables import Block, load_table
from immunescape.profile.biomarkers.words import state_words
from immunescape.twins.recorded_patient import PatientRecord
from immunescape.twins.words import biomarker_title, mechanism_title

__all__ = [
    "STANDARD_ROLES",
    "EvidenceRow",
    "Option",
    "Setting",
    "evidence_rows",
    "kind_words",
    "option_rows",
    "options_for",
    "options_from_file",
    "setting_of",
    "standard_of",
]

Level = Literal["tested", "extrapolated", "contradicted", "not ranked"]
_PHASE_3 = ("3", "2/3")
STANDARD_ROLES = ("standard", "comparator", "option")
"""Roles of regimens that are given outside trials: one of them is what the others are compared with."""
_AS_WITHOUT = ("", "BRAF")
"""Drivers whose tumours get what those without a driver get: of BRAF, the files do not say which have V600E, trials of
PD-(L)1 antibodies included them, and guideline groups go by PD-L1 there."""
_LEVELS = ("tested", "extrapolated", "contradicted", "not ranked")
_CLASS_TITLES = {
    "antiangiogenic": "antiangiogenic",
    "cytokine": "cytokine",
    "cell_therapy": "cell therapy",
    "adc": "antibody-drug conjugate",
    "targeted": "targeted",
    "vaccine": "vaccine",
    "radiation": "radiotherapy",
    "sting_agonist": "STING agonist",
    "epigenetic": "epigenetic drug",
    "costimulation": "costimulation",
    "adenosine_antibody": "adenosine antibody",
    "flora": "flora",
}
"""Class in ``drug_classes.csv`` -> as the tables of regimens call it."""
_OPTION_HINT = "A list of options: - name: …, regimen: …, and, where required, reason: …"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """The patient's setting on the day of the decision.

    Attributes
    ----------
    line : number of the line that is decided on.
    had_inhibitor, had_platinum : a PD-(L)1 antibody or a platinum before.
    histology : squamous, nonsquamous, or '' where not known.
    pdl1 : tumour proportion score in percent; None where not known.
    driver : the driver, ``none``, or '' where not known.
    progressed_on : drugs of the registry on which the disease progressed.
    progressed_like : drugs that stand in for others on which it progressed, with the names of these.
    """

    line: int
    had_inhibitor: bool
    had_platinum: bool
    histology: str
    pdl1: float | None
    driver: str
    progressed_on: tuple[str, ...] = ()
    progressed_like: tuple[tuple[str, str], ...] = ()

    def failed(self, drugs: Iterable[str]) -> dict[str, str]:
        """Return those of some drugs on which, or on whose kind, the disease progressed, in words."""
        like = dict(self.progressed_like)
        words = {d: d.replace("_", " ") for d in self.progressed_on} | {
            d: f"{name}, of the kind of {d.replace('_', ' ')}"
            for d, name in like.items()
            if d not in self.progressed_on
        }
        return {d: words[d] for d in drugs if d in words}

    @property
    def text(self) -> str:
        """The setting in words."""
        pdl1 = "PD-L1 not known" if self.pdl1 is None else f"PD-L1 {self.pdl1:.0f} %"
        had = [w for w, yes in (("PD-(L)1 antibody", self.had_inhibitor), ("platinum", self.had_platinum)) if yes]
        driver = {"": "driver not known", "none": "no driver"}.get(self.driver, f"{self.driver}-driven")
        histology = {"": "histology not known", "nonsquamous": "non-squamous"}.get(self.histology, self.histology)
        after = f", after {' and '.join(had)}" if had else ""
        return f"line {self.line}{after}; {histology}, {pdl1}, {driver}"


@dataclass(frozen=True, kw_only=True)
class Option:
    """One regimen of a setting.

    Attributes
    ----------
    name, title, kind, regimen : name, words, class of regimen, regimen text.
    role : ``standard``, ``option``, ``comparator``, ``trial only`` or ``own``.
    level : how it is shown: *tested* (its class was tested on trials that the model is judged by), *extrapolated*
        (no such trial), *contradicted* (a negative phase 3 trial in this setting, and no positive one), *not ranked*
        (no such trial, and a drug that acts only through mechanisms that nothing tests).
    evidence : trials in this setting, negative ones too.
    reason : why it is offered, or what speaks against it.
    source : keys.
    """

    name: str
    title: str
    kind: str
    regimen: str
    role: str
    level: Level
    evidence: tuple[EvidenceRow, ...] = ()
    reason: str = ""
    source: tuple[str, ...] = ()
    drugs: tuple[str, ...] = field(default=(), repr=False)

    @property
    def may_be_standard(self) -> bool:
        """Whether it is given outside trials in this setting, so that others are compared with a standard."""
        return self.role in STANDARD_ROLES


def option_rows() -> tuple[Row, ...]:
    """Rows of ``regimen_options.csv``."""
    return read_rows("regimen_options")


def evidence_rows() -> tuple[EvidenceRow, ...]:
    """Trials of both tables of evidence."""
    return shipped_evidence().rows


@lru_cache(maxsize=1)
def _tested_kinds() -> frozenset[str]:
    """Classes of regimens that trials of the calibration or validation tested; chemotherapy was their control."""
    return frozenset({row["regimen_class"] for row in read_rows("trial_roles")} | {"chemotherapy"})


def setting_of(record: PatientRecord) -> Setting:
    """Setting of a patient on the day of the decision."""
    from immunescape.trial.toxicity import contains_class

    facts = {f.target: f for f in record.facts}

    def state_of(target: str) -> str:
        fact = facts.get(target)
        return str(fact.allowed[0]) if fact is not None and len(fact.allowed) == 1 else ""

    had = [d for line in record.history for d in line.drugs] + [d for drug in record.undated for d in drug.drugs]
    failed = [line for line in record.history if line.progressed]
    pdl1 = facts.get("pdl1_tps")
    score = None
    if pdl1 is not None:
        score = pdl1.value if pdl1.value is not None else (pdl1.low + pdl1.high) / 2.0
    driver = state_of("driver")
    if not driver and "driver" in facts and "none" in facts["driver"].allowed:
        driver = "none"  # what was tested was not seen; guideline groups say so as well
    assumed_platinum = record.unknown_lines > len(record.other_lines) and driver != "EGFR"
    return Setting(
        line=record.line,
        had_inhibitor=bool(had) and contains_class(tuple(had), "ici"),
        had_platinum=(bool(had) and contains_class(tuple(had), "platinum")) or assumed_platinum,
        histology=state_of("histology"),
        pdl1=score,
        driver=driver,
        progressed_on=tuple(dict.fromkeys(d for line in failed for d in line.given)),
        progressed_like=tuple(dict.fromkeys(pair for line in failed for pair in line.stand_ins)),
    )


def _in_range(text: str, value: float | None) -> bool:
    if text == "any":
        return True
    low, _, high = text.partition("-")
    if value is None:  # what is given to tumours without PD-L1 as well needs no test
        return float(low) == 0.0
    return float(low) <= value <= float(high or low)


def _in_line(text: str, line: int) -> bool:
    return text == "any" or (line >= int(text[:-1]) if text.endswith("+") else line == int(text))


def _fits(row: Mapping[str, str], setting: Setting) -> bool:
    """Whether a row of either table is of this setting."""
    yes = {"yes": True, "no": False}
    driver = row["driver"]
    altered = "none" if setting.driver in _AS_WITHOUT else setting.driver
    return (
        _in_line(row["lines"], setting.line)
        and (row["had_inhibitor"] == "any" or yes[row["had_inhibitor"]] == setting.had_inhibitor)
        and (row.get("had_platinum", "any") == "any" or yes[row["had_platinum"]] == setting.had_platinum)
        and (row["histology"] == "any" or row["histology"] == (setting.histology or "nonsquamous"))
        and _in_range(row["pdl1"], setting.pdl1)
        and (driver == "any" or driver == altered)
    )


def _needed(text: str, present: frozenset[str], biomarkers: Mapping[str, Any]) -> str | None:
    """Why an option with needs is offered; None where they are not met."""
    if not text:
        return ""
    what, _, rest = text.partition(" ")
    if what == "mechanism":
        met = [m for m in rest.split(" or ") if m in present]
        return f"matched to: {'; '.join(mechanism_title(m) for m in met)}" if met else None
    name, _, value = (piece.strip() for piece in rest.partition("="))
    m = biomarkers.get(name)
    if m is None or m.value is None or str(m.value).casefold() != value.casefold():
        return None
    return f"{biomarker_title(name)}: {state_words(m.value)}"


def level_of(kind: str, setting: Setting) -> tuple[Level, tuple[EvidenceRow, ...]]:
    """Evidence level of a class of regimen in a setting, and the trials in that setting."""
    from dataclasses import asdict

    # patients are ranked with metastatic disease: trials around resection or chemoradiotherapy say nothing of it
    rows = tuple(r for r in evidence_rows() if r.kind == kind and r.stage == "metastatic" and _fits(asdict(r), setting))
    confirmed = any(r.result == "positive" and r.phase in _PHASE_3 for r in rows)
    if any(r.result == "negative" and r.phase in _PHASE_3 for r in rows) and not confirmed:
        return "contradicted", rows
    return ("tested" if kind in _tested_kinds() else "extrapolated"), rows


def options_for(
    record: PatientRecord, present: frozenset[str] = frozenset(), biomarkers: Mapping[str, Any] | None = None
) -> tuple[tuple[Option, ...], tuple[str, ...]]:
    """Regimens that the setting of a patient allows.

    Parameters
    ----------
    record
        The patient.
    present
        Mechanisms that were called present.
    biomarkers
        Biomarker -> measurement.

    Returns
    -------
    The options, the standard first, and sentences on what is not offered and why.
    """
    setting = setting_of(record)
    chosen: list[Option] = []
    left: list[str] = []
    for row in option_rows():
        if not _fits(row, setting):
            continue
        reason = _needed(row["needs"], present, biomarkers or {})
        if reason is None:
            continue
        option = _made(
            row["name"],
            row["title"],
            kind=row["kind"],
            regimen=row["regimen"],
            role=row["role"],
            setting=setting,
            reason=reason,
        )
        again = setting.failed(option.drugs)
        if again and len(again) == len(option.drugs):
            on = "it" if set(again) <= set(setting.progressed_on) else ", ".join(again.values())
            left.append(f"{option.title}: the disease progressed on {on}; it requires a reason in an options file")
            continue
        if any(o.regimen == option.regimen for o in chosen):
            continue
        chosen.append(option)
    if setting.had_inhibitor:
        left.append(
            "PD-(L)1 antibody monotherapy: one was given before, or the disease progressed on one; it requires a reason"
        )
    if setting.driver not in ("", "none", *(row["driver"] for row in option_rows())):
        left.append(
            f"targeted drugs for {setting.driver}-driven tumours: the model has none. Guidelines of oncogene-addicted "
            "disease come before this ranking, whose standard is that of the regimens which the model has"
        )
    order = {"standard": 0, "option": 1, "comparator": 2, "trial only": 3, "own": 4}
    chosen.sort(key=lambda o: order[o.role])
    if chosen and chosen[0].role not in ("standard", "comparator"):
        chosen.sort(key=lambda o: o.role != "comparator")
    if chosen and not chosen[0].may_be_standard:
        chosen.sort(key=lambda o: _LEVELS.index(o.level))
        left.append(
            "a standard: the table has none for this setting on which the disease has not progressed. "
            f"{chosen[0].title} (trial only) is what the others are compared with, no standard; name your own regimens "
            "with --options"
        )
    return tuple(chosen), tuple(left)


def _made(
    name: str, title: str, *, kind: str, regimen: str, role: str, setting: Setting, reason: str, source: str = ""
) -> Option:
    from immunescape.twins.courses import regimen_of

    level, rows = level_of(kind, setting)
    drugs = tuple(regimen_of(regimen).drugs)
    if level == "extrapolated" and (untested := _tested_by_nothing(drugs)):
        level, reason = "not ranked", "; ".join(filter(None, (reason, *untested)))
    return Option(
        name=name,
        title=title,
        kind=kind,
        regimen=regimen,
        role=role,
        level=level,
        evidence=rows,
        reason=reason,
        source=tuple(source.split(";")),
        drugs=drugs,
    )


def _tested_by_nothing(drugs: Iterable[str]) -> list[str]:
    """Say of each drug that acts only through mechanisms that nothing tests that it does."""
    from immunescape.evaluation.mechanism_labels import acts_through, ranks
    from immunescape.model.registry import get_drug

    acting = [get_drug(name) for name in drugs]
    verdicts = [(d.title, *ranks(d)) for d in acting if acts_through(d)]
    return [f"{title} {why}" for title, may, why in verdicts if not may]


def standard_of(record: PatientRecord) -> Option:
    """The standard of the setting: what the other options are compared with.

    Raises
    ------
    InputError
        Where the table has no regimen for the setting.
    """
    options, _ = options_for(record)
    for role in STANDARD_ROLES:
        for option in options:
            if option.role == role:
                return option
    raise InputError(
        f"no regimen in the table applies to this setting ({setting_of(record).text})",
        hint="Name regimens with --options FILE (rank), or one with --regimen (twin).",
    )


class _OwnOption(Block):
    name: str = ""
    regimen: str
    reason: str = ""


class _OwnOptions(RootModel[list[_OwnOption]]):
    pass


def options_from_file(path: str | Path, setting: Setting, taken: Iterable[str] = ()) -> tuple[Option, ...]:
    """Read the user's own regimens: a YAML list of ``name``, ``regimen`` and, where one is due, ``reason``.

    Parameters
    ----------
    path, setting
        The file; the patient's setting.
    taken
        Names that options of the table have.

    Raises
    ------
    InputError
        For a file that cannot be read, a field that there is none of, a name that is given twice, a regimen that cannot
        be read, or a drug on which the disease progressed and for which no reason is given.
    """
    from immunescape.twins.courses import regimen_of

    try:
        items = load_table(Path(path), _OwnOptions).root
    except InputError as error:
        raise InputError(error.message, where=error.where, hint=_OPTION_HINT) from None
    if not items:
        raise InputError("no list of options", where=str(path), hint=_OPTION_HINT)
    names = set(taken)
    read = []
    for number, item in enumerate(items, start=1):
        where = f"{path}, option {number}"
        try:
            drugs = tuple(regimen_of(item.regimen).drugs)
        except InputError as error:
            raise InputError(error.message, where=where, hint=error.hint) from None
        again = setting.failed(drugs)
        if again and not item.reason.strip():
            raise InputError(
                f"the disease progressed on {', '.join(again.values())}",
                where=where,
                hint="State a reason for using it again.",
            )
        title = item.name.strip() or item.regimen
        if title in names:
            raise InputError(
                f"the option '{title}' already exists", where=where, hint="Give every option a unique name."
            )
        names.add(title)
        read.append(
            _made(
                title,
                title,
                kind=kind_of(drugs),
                regimen=item.regimen,
                role="own",
                setting=setting,
                reason=item.reason.strip(),
            )
        )
    return tuple(read)


_KIND_WORDS = {
    "ici": "PD-(L)1 antibody",
    "antiangiogenic": "antiangiogenic drug",
    "flora": "microbiome modulation",
    "targeted": "targeted drug",
}


def kind_words(kind: str) -> str:
    """Class of a regimen as a reader knows it: ``ici and chemotherapy`` is PD-(L)1 antibody with chemotherapy."""
    first, *others = (_KIND_WORDS.get(component, component.replace("_", " ")) for component in kind.split(" and "))
    return f"{first} with {' and '.join(others)}" if others else first


def kind_of(drugs: tuple[str, ...]) -> str:
    """Class of a regimen, in the words of the tables, from the classes of its drugs."""
    from immunescape.evaluation.mechanism_labels import acts_through
    from immunescape.model.registry import drugs as registry_drugs
    from immunescape.trial.toxicity import contains_class

    if not drugs:
        return "no treatment"
    registered = registry_drugs()
    aims = {
        target.replace("-", "").upper()
        for d in drugs
        if contains_class((d,), "ici")
        for target in getattr(registered.get(d), "targets", ())
    }
    parts = ["ici"] if aims & {"PD1", "PDL1"} else []
    parts += [f"{name} antibody" for name in ("CTLA-4", "TIGIT", "LAG-3", "TIM-3") if name.replace("-", "") in aims]
    if aims & {"VEGF", "VEGFA", "VEGFR2"}:
        parts.append("antiangiogenic")
    for mark, title in _CLASS_TITLES.items():
        if title not in parts and any(contains_class((d,), mark) for d in drugs):
            parts.append(title)
    plain = [d for d in drugs if contains_class((d,), "cytotoxic") and not contains_class((d,), "adc")]
    if plain:
        parts.append("chemotherapy")
    # A drug of no class above is a class of its own: with a PD-1 antibody it is not what trials of antibodies tested.
    for name in drugs:
        drug = registered.get(name)
        named = any(contains_class((name,), mark) for mark in (*_CLASS_TITLES, "ici", "cytotoxic"))
        if drug is not None and not named and acts_through(drug) and drug.drug_class not in parts:
            parts.append(drug.drug_class)
    return " and ".join(parts) or "other"
