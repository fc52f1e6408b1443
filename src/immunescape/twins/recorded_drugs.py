"""What a treatment of a patient's file is to the model: drugs of its own, a stand-in of the same kind, or no line.

A cell is cut at the signs and words that join treatments. In each piece the names of treatments are looked for; those
that were not given (`NamesWithin`) are dropped, and so is a word for a class beside a drug of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
from itertools import accumulate
from typing import Literal

from immunescape.knowledge.recorded_treatments import (
    NamesWithin,
    denies_names,
    denies_treatment,
    load_recorded_treatments,
    named_checkpoint_inhibitors,
    names_chemotherapy,
    names_test_result,
    plain_name,
    without_doses,
)
from immunescape.knowledge.tables import read_rows
from immunescape.profile.biomarkers.antibiotics import is_antibiotic

__all__ = ["RecordedDrug", "missing_earlier", "nearest_drug", "recorded_drug"]

_NOT_AGAINST_CANCER = ("antibiotic", "flora")
_NEXT = r"[→⇒]|[-=]+>|\s>\s|\bthen\b|\bfollowed\s+by\b|\b(?:switched|changed)\s+to\b"
_APART = re.compile(rf"(?P<next>{_NEXT})|[+/,;&|\n]|\b(?:and|plus)\b", re.IGNORECASE)
_NO_SEPARATOR = re.compile(r"(?<![a-z])(?:w/o?|n/a|s/p|c/w|d/c|mut/mb)(?![a-z])|\d[ab]?/(?=\d)", re.IGNORECASE)
"""Short forms and dates with a slash that joins nothing."""
_CHANGES_NOTHING = re.compile(
    r"\b(?:\d+(?:st|nd|rd|th|l)?|l\d|[a-z]|lines?|first|second|third|fourth|adjuvant|neo-?adjuvant|palliative|maintenance|"
    r"induction|consolidation|concurrent|sequential|weekly|daily|twice|once|bid|tid|qd|od|po|iv|sc|oral|orally|mono\w*|"
    r"combination|combined|combo|regimen|triplet|doublet|based|with|in|for|of|the|until|since|from|to|at|by|on|cycles?|"
    r"prior|previous\w*|earlier|systemic|standard|treatment|treated|therapy|therapies|alone|only|given|received|mg|kg|m2|"
    r"mesylate|hydrochloride|jan\w*|feb\w*|mar|march|apr|april|may|june?|july?|aug\w*|sept?\w*|oct\w*|nov\w*|dec\w*)\b",
    re.IGNORECASE,
)
"""Words beside a treatment that say how or when it was given."""
_COMMENT = re.compile(
    r"\b(?:progress\w*|stop\w*|discontin\w*|toxic\w*|respon\w*|relaps\w*|recur\w*|complet\w*|ongoing|continu\w*|switch\w*|"
    r"due|because|after|before|during|pneumonitis|colitis|hepatitis|stable|partial|p[dr]|sd|cr|ir?ae|tolera\w*|reduc\w*|"
    r"dose\w*|held|interrupt\w*|rechallenge\w*|patients?|pts?|died|death|lost|follow\w*|hospital\w*|clinic|see|notes?|"
    r"reported|report|documented|start\w*|end\w*|last|well|best|unknown|nos|unspecified|side|adverse|record\w*|"
    r"specif\w*|detail\w*|metasta\w*|brain|disease)\b",
    re.IGNORECASE,
)
"""Words of a remark on a treatment."""


@dataclass(frozen=True)
class RecordedDrug:
    """A treatment as a file names it.

    Attributes
    ----------
    name : as it stands in the file.
    drugs : drugs with a usual regimen that are simulated for it; none where there is no such drug.
    kind : of what `drugs` stand in for; '' where they are what the file names.
    registered : name in the registry, where the drug is one of the model; else ''.
    counts : ``line``; ``numbered`` where only the number of its line, in the file, says that it is against the tumour;
        ``never``.
    """

    name: str
    drugs: tuple[str, ...] = ()
    kind: str = ""
    registered: str = ""
    counts: Literal["line", "numbered", "never"] = "line"


@lru_cache(maxsize=1)
def _drug_names() -> Mapping[str, str]:
    from immunescape.model.registry import drugs

    names: dict[str, str] = {}
    for name, record in drugs().items():
        for text in (name, name.replace("_", " "), name.replace("_", "-"), *getattr(record, "synonyms", ())):
            names[str(text).casefold()] = name
    for name, texts in load_recorded_treatments().abbreviations.items():
        names.update(dict.fromkeys(texts, name))
    return names


@lru_cache(maxsize=1)
def _plain_names() -> Mapping[str, str]:
    return {plain_name(text): name for text, name in _drug_names().items()}


@lru_cache(maxsize=1)
def _names_within() -> NamesWithin:
    """Every name of a treatment as it may stand within a longer text."""
    table = load_recorded_treatments()
    return NamesWithin({*_drug_names(), *table.every_name()}, table.against_cancer.endings)


def nearest_drug(name: str) -> str:
    """Name of the drug of which a word that is none may be a misspelling; '' where none is near."""
    near = get_close_matches(name.casefold(), _drug_names(), n=1, cutoff=0.85)
    return near[0] if near else ""


@lru_cache(maxsize=1)
def _usual() -> frozenset[str]:
    return frozenset(row["drug"] for row in read_rows("usual_regimens"))


@dataclass(frozen=True)
class _Piece:
    """A piece of a cell: its words, the names in it that were given, whether others were not, and what is left.

    Pieces of one `stage` were given together; "then" begins another.
    """

    text: str
    stage: int
    given: tuple[str, ...]
    denied: bool
    rest: str


def recorded_drug(text: object) -> tuple[RecordedDrug, ...]:
    """What a cell of the column of drugs names: one treatment, several that it joins (``a + b``, ``a/b``), or none.

    A text that is no name itself is read for the names in it: ``pembrolizumab 200 mg``, ``cisplatin-pemetrexed``.
    """
    return _of_cell(text.strip()) if isinstance(text, str) else ()


@lru_cache(maxsize=4096)
def _of_cell(name: str) -> tuple[RecordedDrug, ...]:
    """What a cell names; the rows of a patient are read several times, and those of a cohort repeat each other."""
    if not name:
        return ()
    if load_recorded_treatments().says_nothing(name):
        return (RecordedDrug(name, counts="never"),)
    if _is_name(name):
        return (_recorded_drug(name),)
    pieces = _pieces(name)
    stages = [[_of_names(p) for p in pieces if p.stage == stage] for stage in sorted({p.stage for p in pieces})]
    named = _once(drug for stage in stages for drug in _merged(stage))
    others = tuple(_of_unnamed(piece, beside=bool(named)) for piece in pieces if not piece.given)
    treatments = dict.fromkeys((*named, *(drug for drug in others if drug is not None)))
    return tuple(treatments) or (RecordedDrug(name, counts="numbered"),)


_EARLIER = re.compile(r"\b(?:after|following|post)\b[^,;+/&|]*$", re.IGNORECASE)


def _earlier_treatments(cell: str) -> tuple[RecordedDrug, ...]:
    """Treatments against the tumour that a cell names as earlier ones only: nivolumab in ``docetaxel after nivolumab``.

    They are no part of what the cell records; where no other row has them, they are missing.
    """
    names = (
        match.group()
        for match, given in _names_within().located(cell)
        if not given and _EARLIER.search(cell[: match.start()])
    )
    return tuple(drug for drug in map(_recorded_drug, names) if drug.counts == "line")


def missing_earlier(cells: Iterable[object]) -> dict[str, str]:
    """Treatments that cells name as earlier ones, and that no cell records -> the cell."""
    texts = [cell for cell in cells if isinstance(cell, str)]
    recorded = [drug for cell in texts for drug in recorded_drug(cell)]
    kinds = {drug.kind for drug in recorded} - {""}
    drugs = {name for drug in recorded for name in (drug.registered, *drug.drugs)} - {""}
    return {
        drug.name: cell
        for cell in texts
        for drug in _earlier_treatments(cell)
        if drug.kind not in kinds and drugs.isdisjoint((drug.registered, *drug.drugs))
    }


def _pieces(cell: str) -> tuple[_Piece, ...]:
    """A cell cut where treatments are joined, but not within a name (``PD-1/PD-L1``) or a dose (``mg/m2``)."""
    located = _names_within().located(cell)
    left = _blanked(without_doses(cell), [match.span() for match, _ in located])
    joined = _blanked(left, [match.span() for match in _NO_SEPARATOR.finditer(left)])
    cuts = list(_APART.finditer(joined))
    starts, ends = [0, *(cut.end() for cut in cuts)], [*(cut.start() for cut in cuts), len(cell)]
    stages = accumulate((cut["next"] is not None for cut in cuts), initial=0)
    pieces = []
    for start, end, stage in zip(starts, ends, stages, strict=True):
        within = [(match.group(), given) for match, given in located if start <= match.start() < end]
        names = tuple(name for name, given in within if given)
        piece = _Piece(_trimmed(cell[start:end]), stage, names, len(names) < len(within), left[start:end])
        if re.search(r"[^\W\d_]", piece.text):
            pieces.append(piece)
    return tuple(pieces)


def _trimmed(text: str) -> str:
    """A piece of a cell without signs around it, and without the half of a pair of brackets."""
    text = text.strip(" \t[]:.-=")
    return text if text.count("(") == text.count(")") else text.strip("( )")


def _blanked(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """The text with blanks in some places, so that every word keeps its own."""
    for start, end in spans:
        text = text[:start] + " " * (end - start) + text[end:]
    return text


def _of_names(piece: _Piece) -> tuple[RecordedDrug, ...]:
    """What the names of a piece are, without a word for a trial beside what was given in it."""
    table = load_recorded_treatments()
    drugs: dict[tuple[str, str, bool], RecordedDrug] = {}
    for name in piece.given:
        drug = _recorded_drug(name if _is_name(name) else name.removesuffix("s"))
        # a brand beside the name of its drug is no second drug
        key = (drug.registered, drug.kind) if drug.registered or drug.kind else (plain_name(name), "")
        drugs.setdefault((*key, table.is_general(drug.name)), drug)
    lines = [drug for drug in drugs.values() if drug.counts == "line"]
    if any(not _is_of_trial(drug) for drug in lines):
        return tuple(drug for drug in drugs.values() if not _is_of_trial(drug))
    return tuple(drugs.values())


def _is_of_trial(drug: RecordedDrug) -> bool:
    return any(term in drug.name.casefold() for term in ("trial", "study", "investigational", "experimental"))


def _of_unnamed(piece: _Piece, beside: bool) -> RecordedDrug | None:
    """What a piece is that names nothing that was given; None for a remark beside another treatment."""
    if is_antibiotic(piece.text) or denies_treatment(piece.text) or names_test_result(piece.text):
        return RecordedDrug(piece.text, counts="never")
    if piece.denied and denies_names(piece.text, piece.rest):
        return RecordedDrug(piece.text, counts="never")
    says_something = re.search(r"[^\W_]{2}", _CHANGES_NOTHING.sub(" ", piece.rest)) is not None
    if beside and (not says_something or _COMMENT.search(piece.rest)):
        return None
    return RecordedDrug(piece.text, counts="numbered")


def _once(drugs: Iterable[RecordedDrug]) -> tuple[RecordedDrug, ...]:
    """Treatments without those that are named again, as by a brand."""
    seen: dict[str, RecordedDrug] = {}
    for drug in drugs:
        seen.setdefault(drug.registered or plain_name(drug.name), drug)
    return tuple(seen.values())


def _merged(named: Iterable[tuple[RecordedDrug, ...]]) -> tuple[RecordedDrug, ...]:
    """Treatments that were given together, without the words for a class of which a drug is named."""
    table = load_recorded_treatments()
    drugs = {drug.name: drug for drug in _once(drug for of_piece in named for drug in of_piece)}
    kept = {key: drug for key, drug in drugs.items() if drug.counts != "line" or not table.is_general(drug.name)}
    # the word that says most comes first: "platinum" adds nothing to a platinum doublet, "ICI" to a PD-1 antibody
    words = sorted(
        (item for item in drugs.items() if item[0] not in kept),
        key=lambda item: (-len(item[1].drugs), item[1].kind == _ANY_INHIBITOR),
    )
    for key, general in words:
        beside = frozenset().union(*map(_classes, kept.values()))
        left = tuple(d for d in general.drugs if not _is_named(d, general, beside))
        if left or not (general.drugs or _classes(general) & beside):
            kept[key] = replace(general, drugs=left)
    return tuple(kept[key] for key in drugs if key in kept)


_ANY_INHIBITOR = "checkpoint inhibitor"
_INHIBITORS = frozenset(("PD-(L)1", "CTLA-4"))
_AIMS = {"rasib": "KRAS", "metinib": "MEK", "parib": "PARP"}
"""Ends of names of drugs, and what these inhibit."""
_OF_TABLES = ("platinum", "taxane", "antiangiogenic", "adc")


@lru_cache(maxsize=512)
def _classes(drug: RecordedDrug) -> frozenset[str]:
    """Classes of a treatment, by what is simulated for it, its name in the registry and its name."""
    table = load_recorded_treatments()
    classes: set[str] = set()
    for name in {*drug.drugs, drug.registered} - {""}:
        classes |= _classes_of(name)
    if drug.counts == "line":
        target = table.target_of(drug.name)
        if target and not drug.drugs:  # a "MET TKI" is no drug for EGFR
            return frozenset((target,))
        classes |= {table.driver_of(drug.name, drug.kind)} - {""}
        classes |= {aim for ending, aim in _AIMS.items() if drug.name.casefold().endswith(ending)}
        classes |= {"chemotherapy"} if names_chemotherapy(drug.name) else set()
        classes |= {"targeted"} if _TARGETED.search(drug.name) else set()
    classes |= {"targeted"} if classes & set(table.for_driver) else set()
    return frozenset(classes)


_TARGETED = re.compile(r"(?:nib|rasib|parib|lisib)\b|targeted|\btki\b|tyrosine kinase", re.IGNORECASE)


@lru_cache(maxsize=512)
def _classes_of(name: str) -> frozenset[str]:
    """Classes of a drug of the registry."""
    from immunescape.trial.toxicity import contains_class

    classes = {c for c in (*_OF_TABLES, "targeted") if contains_class((name,), c)}
    cytotoxic = contains_class((name,), "cytotoxic") and "adc" not in classes
    driver = load_recorded_treatments().driver_of(name)
    return frozenset(
        {
            *classes,
            *named_checkpoint_inhibitors(name),
            *(("chemotherapy",) if cytotoxic else ()),
            *(("partner",) if cytotoxic and "platinum" not in classes else ()),
            *((driver,) if driver else ()),
            *(aim for ending, aim in _AIMS.items() if name.endswith(ending)),
        }
    )


def _is_named(drug: str, general: RecordedDrug, beside: frozenset[str]) -> bool:
    """Whether a drug that is simulated for a class, as the platinum of a doublet, is named by classes beside it."""
    classes = _classes_of(drug)
    if classes & _INHIBITORS:
        return bool(beside & _INHIBITORS) if general.kind == _ANY_INHIBITOR else classes & _INHIBITORS <= beside
    if "partner" in classes and len(general.drugs) > 1:
        return not beside.isdisjoint(("platinum", "partner"))
    return not beside.isdisjoint(classes - {"chemotherapy", "partner", "targeted", "cytotoxic"})


def _is_name(name: str) -> bool:
    """Whether a text is a name itself, and no longer text with one."""
    plain = plain_name(name)
    return plain in _plain_names() or plain in _table_names() or (is_antibiotic(name) and name.isalpha())


@lru_cache(maxsize=1)
def _table_names() -> frozenset[str]:
    return frozenset(map(plain_name, load_recorded_treatments().every_name()))


def _recorded_drug(name: str) -> RecordedDrug:
    from immunescape.trial.toxicity import contains_class

    table = load_recorded_treatments()
    registered = _plain_names().get(plain_name(name), "")
    against_cancer = not (registered and any(contains_class((registered,), c) for c in _NOT_AGAINST_CANCER))
    if is_antibiotic(name) or not against_cancer or any(table.is_no_line(n) for n in (name, registered) if n):
        return RecordedDrug(name, registered=registered, counts="never")
    if registered in _usual():
        return RecordedDrug(name, (registered,), registered=registered)
    stand_in = table.stand_in(name) or (table.stand_in(registered) if registered else None)
    if stand_in is not None:
        return RecordedDrug(name, stand_in.drugs, stand_in.kind, registered)
    if registered or table.is_against_cancer(name):
        return RecordedDrug(name, registered=registered)
    return RecordedDrug(name, counts="numbered")
