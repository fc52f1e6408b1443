"""Trials that speak for or against a class of regimen in a setting: two tables with the same columns, checked.

``option_evidence.csv`` holds trials that the project's library and strategies had before. ``combination_evidence.csv``
is for the field's randomised and single-arm trials of combinations in this disease, successes and failures alike. No
model, calibration or claim reads it, and it may be entered only after the fit and its predictions are frozen. So its
first line names the last hash of the chain of predictions at that time::

    # entered after: <64 hexadecimal digits, the last ``chain`` of predictions/ledger.csv>

and `immunescape evidence --check` says whether the chain that ships has that hash.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from immunescape.errors import InputError, unknown_word
from immunescape.knowledge.references import get_reference, load_references
from immunescape.knowledge.tables import DATA, Row, parse_rows

__all__ = ["COLUMNS", "FURTHER", "EvidenceRow", "EvidenceTable", "matching", "read_evidence", "shipped_evidence"]

COLUMNS = (
    "trial",
    "registry",
    "phase",
    "kind",
    "lines",
    "had_inhibitor",
    "histology",
    "pdl1",
    "driver",
    "result",
    "finding",
    "source",
)
FURTHER = ("endpoint", "n", "year", "ratio", "low", "high", "checked", "stage")
"""Columns that the table of combination trials has besides."""
REGIMEN_CLASSES = (
    "ici",
    "CTLA-4 antibody",
    "TIGIT antibody",
    "LAG-3 antibody",
    "TIM-3 antibody",
    "antiangiogenic",
    "cytokine",
    "cell therapy",
    "antibody-drug conjugate",
    "targeted",
    "vaccine",
    "radiotherapy",
    "STING agonist",
    "epigenetic drug",
    "costimulation",
    "adenosine antibody",
    "flora",
    "chemotherapy",
    "PARP inhibitor",
    "ATR inhibitor",
    "IDO1 inhibitor",
    "arginase inhibitor",
    "TGF-beta receptor inhibitor",
    "TGF-beta trap",
    "interleukin-1 antibody",
    "CCR4 antibody",
    "COX-2 inhibitor",
    "metformin",
    "other",
)
"""Parts of a class of regimen, in the order in which they are joined by ``and``."""
PHASES = ("1", "1b", "1/2", "1b/2", "2", "2/3", "3")
LINES = ("any", "1", "2", "3", "1+", "2+", "3+")
RESULTS = ("positive", "negative", "mixed", "single_arm")
DRIVERS = ("any", "none", "EGFR", "ALK", "ROS1", "BRAF", "MET", "RET", "HER2", "KRAS")
STAGES = ("metastatic", "stage III", "resectable")
ENDPOINTS = ("os", "pfs", "orr", "efs", "dfs", "other")
MEMORY = "memory"
_REGISTRY = re.compile(
    r"(NCT\d{8}|ISRCTN\d{8}|UMIN\d{9}|ChiCTR[-A-Z0-9]+|JapicCTI-\d{6}|EudraCT \d{4}-\d{6}-\d{2}|CTR\d{8}|jRCTs?\d+)"
)
_PDL1 = re.compile(r"(\d{1,3})(?:-(\d{1,3}))?")
_CHAIN = re.compile(r"#\s*entered after:\s*([0-9a-f]{64})\s*")
FEWEST = 80
"""Rows that the table of combination trials is to have."""


@dataclass(frozen=True, kw_only=True)
class EvidenceRow:
    """One trial in one setting; `lines` and `pdl1` are ranges as the table writes them.

    Attributes
    ----------
    trial, registry, phase : name, registry number (empty where it has none), phase.
    kind : class of the experimental regimen, in the words of ``regimen_options.csv``.
    lines, had_inhibitor, histology, pdl1, driver : the setting.
    result : of the primary endpoint of a randomised comparison; ``single_arm`` for the rest.
    finding : the result in words. source : keys of the bibliography.
    endpoint, n, year, ratio, low, high : primary endpoint, patients, year of publication, hazard ratio with its 95 %
        interval; None where not entered.
    checked : ``source`` where the figures were read in the source, ``memory`` where they were recalled.
    stage : ``metastatic``, ``stage III`` (with or after chemoradiotherapy) or ``resectable``.
    """

    trial: str
    registry: str
    phase: str
    kind: str
    lines: str
    had_inhibitor: str
    histology: str
    pdl1: str
    driver: str
    result: Literal["positive", "negative", "mixed", "single_arm"]
    finding: str
    source: str
    endpoint: str = ""
    n: int | None = None
    year: int | None = None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    checked: str = ""
    stage: str = "metastatic"

    @property
    def setting(self) -> tuple[str, ...]:
        """What a second row of the same trial must differ in."""
        return (self.kind, self.lines, self.had_inhibitor, self.histology, self.pdl1, self.driver, self.stage)

    def to_json(self) -> dict[str, Any]:
        """Plain content, without what was not entered."""
        return {k: v for k, v in asdict(self).items() if v not in ("", None)}


@dataclass(frozen=True)
class EvidenceTable:
    """Rows of a table, and the hash that it was entered after ('' where the table needs none)."""

    rows: tuple[EvidenceRow, ...]
    entered_after: str = ""


def read_evidence(path: Path) -> EvidenceTable:
    """Read and check a table of evidence.

    Raises
    ------
    InputError
        Naming file, line and the nearest valid word: a column, word, number, range or registry number that cannot be,
        a source that the bibliography lacks, a trial that stands twice in one setting, a result that its hazard ratio
        contradicts, or a table of combination trials that does not say after which predictions it was entered.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the evidence: {error}", where=str(path)) from None
    header = next((line for line in text.splitlines() if line.strip() and not line.startswith("#")), "")
    further = [c.strip() for c in header.split(",")] != list(COLUMNS)
    raw = parse_rows(text, (*COLUMNS, *FURTHER) if further else COLUMNS, str(path))
    chain = ""
    if further:
        chain_line = _CHAIN.fullmatch(text.splitlines()[0].strip()) if text.strip() else None
        if chain_line is None:
            raise InputError(
                "the first line does not say after which predictions the table was entered",
                where=f"{path}, line 1",
                hint="# entered after: HASH, with the last chain hash that `immunescape predictions check` prints.",
            )
        chain = chain_line.group(1)
    references = load_references()
    rows = tuple(_row(r, references, further) for r in raw)
    _no_doubles(rows, raw)
    return EvidenceTable(rows, chain)


def _row(r: Row, references: Mapping[str, Any], further: bool) -> EvidenceRow:
    for column in ("trial", "finding", "source"):
        if not r[column]:
            raise InputError(f"the row has no {column}", where=r.where)
    if r["registry"] and not _REGISTRY.fullmatch(r["registry"]):
        raise InputError(
            f"'{r['registry']}' is not a registry number", where=r.where, hint="Such as NCT02142738; empty for none."
        )
    r.choice("phase", PHASES)
    _kind(r)
    for column, levels in (
        ("lines", LINES),
        ("had_inhibitor", ("any", "yes", "no")),
        ("histology", ("any", "squamous", "nonsquamous")),
        ("driver", DRIVERS),
        ("result", RESULTS),
    ):
        r.choice(column, levels)
    _pdl1(r)
    # 'strategies' is the table of strategies itself, for results presented at congresses that it cites
    for key in r.sources:
        if key != "strategies":
            get_reference(key, references, r.where)
    if r["result"] == "single_arm" and r["phase"] in ("3", "2/3"):
        raise InputError("a phase 3 trial cannot be a single arm", where=r.where, hint="positive, negative or mixed")
    more = _further(r) if further else {}
    return EvidenceRow(**{c: r[c] for c in COLUMNS}, **more)  # type: ignore[arg-type]


def _kind(r: Row) -> None:
    classes = r["kind"].split(" and ")
    for regimen_class in classes:
        if regimen_class not in REGIMEN_CLASSES:
            raise unknown_word("class of regimen", regimen_class, REGIMEN_CLASSES, where=r.where)
    order = [REGIMEN_CLASSES.index(p) for p in classes]
    if order != sorted(set(order)):
        right = " and ".join(REGIMEN_CLASSES[k] for k in sorted(set(order)))
        raise InputError(f"the class '{r['kind']}' is written in another order", where=r.where, hint=f"'{right}'")


def _pdl1(r: Row) -> None:
    text = r["pdl1"]
    if text == "any":
        return
    range_match = _PDL1.fullmatch(text)
    low, high = (
        (int(range_match.group(1)), int(range_match.group(2) or range_match.group(1))) if range_match else (101, 0)
    )
    if not 0 <= low <= high <= 100:
        raise InputError(
            f"'{text}' is not a range of the tumour proportion score", where=r.where, hint="any, 50-100, 1-49 or 0"
        )


def _further(r: Row) -> dict[str, Any]:
    numbers = {c: r.number_or_none(c) for c in ("n", "year", "ratio", "low", "high")}
    if r["endpoint"]:
        r.choice("endpoint", ENDPOINTS)
    r.choice("checked", ("source", MEMORY))
    r.choice("stage", STAGES)
    for column, least, most in (("n", 1, 10_000), ("year", 1990, 2100)):
        value = numbers[column]
        if value is not None and not (least <= value <= most and value == math.floor(value)):
            raise InputError(f"{column} is {value:g}", where=r.where, hint=f"A whole number from {least} to {most}.")
    ratio, low, high = numbers["ratio"], numbers["low"], numbers["high"]
    if (ratio is None) != (low is None) or (low is None) != (high is None):
        raise InputError("a hazard ratio and both ends of its interval are entered together", where=r.where)
    if ratio is not None and low is not None and high is not None:
        if not 0.05 <= low <= ratio <= high <= 20.0:
            raise InputError(f"the hazard ratio {ratio:g} ({low:g} to {high:g}) is impossible", where=r.where)
        if not r["endpoint"]:
            raise InputError("a hazard ratio has no endpoint", where=r.where, hint=", ".join(ENDPOINTS))
        if (r["result"] == "positive" and ratio >= 1.0) or (r["result"] == "negative" and high < 1.0):
            raise InputError(
                f"the result is {r['result']}, the primary endpoint's hazard ratio {ratio:g} ({low:g} to {high:g})",
                where=r.where,
                hint="Correct one of them; 'mixed' is for co-primary endpoints that differ.",
            )
        if r["result"] == "single_arm":
            raise InputError("a single arm has no hazard ratio", where=r.where)
    counts = {k: None if numbers[k] is None else int(numbers[k] or 0) for k in ("n", "year")}
    return {
        "endpoint": r["endpoint"],
        **counts,
        "ratio": ratio,
        "low": low,
        "high": high,
        "checked": r["checked"],
        "stage": r["stage"],
    }


def _no_doubles(rows: Sequence[EvidenceRow], raw: Sequence[Row]) -> None:
    seen: dict[tuple[str, ...], str] = {}
    names: dict[str, tuple[str, str]] = {}
    for row, r in zip(rows, raw, strict=True):
        key = (row.registry or row.trial, *row.setting)
        if key in seen:
            raise InputError(
                f"{row.trial} is listed twice in this setting", where=r.where, hint=f"The other row is {seen[key]}."
            )
        seen[key] = r.where
        if row.registry and names.setdefault(row.registry, (row.trial, r.where))[0] != row.trial:
            other, where = names[row.registry]
            raise InputError(
                f"{row.registry} is {row.trial} here and {other} in {where}", where=r.where, hint="Use one name."
            )


@lru_cache(maxsize=1)
def shipped_evidence() -> EvidenceTable:
    """Rows of both tables that ship; where both hold a trial in a setting, that of the combination trials."""
    base = read_evidence(DATA / "option_evidence.csv")
    path = DATA / "combination_evidence.csv"
    if not path.is_file():
        return base
    more = read_evidence(path)
    taken = {(r.registry or r.trial, *r.setting) for r in more.rows}
    kept = tuple(r for r in base.rows if (r.registry or r.trial, *r.setting) not in taken)
    return EvidenceTable((*kept, *more.rows), more.entered_after)


def matching(rows: Iterable[EvidenceRow], **values: str) -> tuple[EvidenceRow, ...]:
    """Rows whose columns have these words; ``kind`` also finds classes that hold the word as a part.

    Raises
    ------
    InputError
        For a word that no row of the tables may have.
    """
    allowed = {
        "kind": REGIMEN_CLASSES,
        "result": RESULTS,
        "had_inhibitor": ("any", "yes", "no"),
        "lines": LINES,
        "driver": DRIVERS,
    }
    matching_rows = tuple(rows)
    for column, value in values.items():
        if column == "kind":
            classes = value.split(" and ")
            for regimen_class in classes:
                if regimen_class not in REGIMEN_CLASSES:
                    raise unknown_word("class of regimen", regimen_class, REGIMEN_CLASSES)
            matching_rows = tuple(r for r in matching_rows if set(classes) <= set(r.kind.split(" and ")))
            continue
        if value not in allowed[column]:
            raise unknown_word(column, value, allowed[column])
        matching_rows = tuple(r for r in matching_rows if getattr(r, column) == value)
    return matching_rows
