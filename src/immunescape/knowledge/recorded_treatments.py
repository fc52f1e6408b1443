"""Treatments of patients' files that the model cannot give as they are: stand-ins, and what is no line at all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Literal

from pydantic import Field

from immunescape.knowledge.yaml_tables import DATA, Block, load_table

__all__ = [
    "NamesWithin",
    "RecordedTreatments",
    "StandIn",
    "denies_treatment",
    "load_recorded_treatments",
    "named_checkpoint_inhibitors",
    "names_chemotherapy",
    "names_other_drug",
    "plain_name",
]


class StandIn(Block):
    """Treatments of one kind, and the drugs that are simulated in their place."""

    kind: str
    drugs: tuple[str, ...] = Field(min_length=1)
    names: tuple[str, ...] = Field(min_length=1)


class AgainstCancer(Block):
    """Names, and ends of names, of treatments against the tumour for which nothing stands in."""

    names: tuple[str, ...]
    endings: tuple[str, ...]


class Named(Block):
    """Treatments of one class: kinds of stand-ins whose names count, and further names."""

    kinds: tuple[str, ...]
    names: tuple[str, ...]


class RecordedTreatments(Block):
    """The whole table."""

    version: str
    abbreviations: dict[str, tuple[str, ...]]
    stand_ins: tuple[StandIn, ...]
    checkpoint_inhibitors: dict[Literal["PD-(L)1", "CTLA-4"], Named]
    chemotherapy: Named
    for_driver: dict[str, Named]
    against_cancer: AgainstCancer
    no_line: tuple[str, ...]

    def stand_in(self, name: str) -> StandIn | None:
        """What stands in for a treatment; None where nothing does."""
        plain = plain_name(name)
        return next((s for s in self.stand_ins if plain in map(plain_name, s.names)), None)

    def driver_of(self, name: str, kind: str = "") -> str:
        """Driver for which alone a treatment is given, by its name or what stands in for it; '' where it is no such."""
        plain = plain_name(name)
        for driver, named in self.for_driver.items():
            if kind in named.kinds or plain in map(plain_name, named.names):
                return driver
        return ""

    def is_no_line(self, name: str) -> bool:
        """Whether a treatment is known to be no line of systemic treatment."""
        return plain_name(name) in map(plain_name, self.no_line)

    def names_no_line(self, name: str) -> bool:
        """Whether a text, ``thoracic radiotherapy`` or ``dexamethasone 8 mg``, has the name of such a treatment."""
        pieces = {plain_name(piece) for piece in re.split(r"[^a-z0-9-]+", name.casefold()) if piece}
        return not pieces.isdisjoint(map(plain_name, self.no_line))

    def is_against_cancer(self, name: str) -> bool:
        """Whether a treatment is against the tumour, by its name or the end of it."""
        plain = plain_name(name)
        return plain in map(plain_name, self.against_cancer.names) or any(
            piece.endswith(self.against_cancer.endings) for piece in re.split(r"[^a-z0-9]+", name.casefold()) if piece
        )


class NamesWithin:
    """Some names as they may stand within a longer text: whole words, the longest first, whatever case and hyphens.

    A name counts only where the text says that it was given: not in ``no ICI``, ``docetaxel after progression on
    nivolumab``, ``ICI-naive``, ``placebo for pembrolizumab`` or ``chemotherapy (PD-L1 < 1 %)``. Short forms may have a
    dose at once (``nivo3``).
    """

    def __init__(self, names: Iterable[str]) -> None:
        longest_first = sorted({n.casefold() for n in names}, key=lambda name: (-len(name), name))
        short = {text.casefold() for texts in load_recorded_treatments().abbreviations.values() for text in texts}
        words = "|".join(map(_as_written, longest_first))
        with_dose = "|".join(_as_written(n) for n in longest_first if n in short) or "(?!)"
        pattern = rf"(?<![a-z0-9])(?:(?:{words})(?![a-z0-9])|(?:{with_dose})(?=\d))"
        self._pattern = re.compile(pattern, re.IGNORECASE)

    def given(self, text: str) -> tuple[re.Match[str], ...]:
        """Where the names stand that were given, in the order of the text."""
        return tuple(m for m in self._pattern.finditer(text) if not _not_given(m))

    def replaced(self, text: str, by: Callable[[str], str]) -> str:
        """The text with every name that was given changed by a function."""
        pieces, end = [], 0
        for match in self.given(text):
            pieces += [text[end : match.start()], by(match.group())]
            end = match.end()
        return "".join((*pieces, text[end:]))

    def rest(self, text: str) -> str:
        """The text without the names, given or not."""
        return self._pattern.sub(" ", text)

    def denies_only(self, text: str) -> bool:
        """Whether a text says of names that they were not given, and nothing else: ``ICI-naive``, ``no prior ICI``."""
        rest = self.rest(text)
        return rest != text and not self.given(text) and re.search(r"[^\W_]{2}", _DENIAL.sub(" ", rest)) is None


def _as_written(name: str) -> str:
    """Expression for a name with any hyphens and spaces, and with hyphens between letters and digits (``PDL-1``)."""
    runs_of_pieces = (re.findall(r"\d+|\D+", piece) for piece in re.split(r"[\s_–-]+", name))
    return r"[\s_–-]*".join(r"[_–-]?".join(map(re.escape, runs)) for runs in runs_of_pieces)


_WORDS_BETWEEN = (
    r"any|other|prior|previous|previously|earlier|further|concurrent|concomitant|first|second|line|lines|received?|"
    r"receiving|exposed|exposure|treated|treatment|therapy|use|of|to|on|with|for|progression|progressed|progressing|"
    r"failure|failing|relapse|disease|a|an|the|given|had|has|having|been|\d+l?|cycles?|months?"
)
_BETWEEN = rf"(?:(?:{_WORDS_BETWEEN})[\s-]+)*"
_OR = r"(?:[^\s,;:+()/]+(?:\s*/\s*|\s+n?or\s+))*"
_BEFORE = re.compile(
    rf"(?:(?:\b(?:no|not|never|neither|without|excluding|except|refused|declined|after|following)|\bw/o)\s+{_BETWEEN}{_OR}"
    rf"|\b(?:non|post|no)[\s_–-]+{_BETWEEN}"
    rf"|\b(?:instead\s+of|rather\s+than|placebo\s+(?:for|to|matching))\s+{_BETWEEN})$",
    re.IGNORECASE,
)
_AFTER = re.compile(
    r"[\s_–-]*(?:(?:antibod\w+|inhibitors?|blockade|therapy|treatment|matched|matching)[\s_–-]+)*(?:na[iï]ve|free|refused|"
    r"declined|(?:was\s+|were\s+)?(?:not|never)\s+(?:given|received|administered|used|started)|withheld|contraindicated|"
    r"ineligible|placebo)(?![a-z])",
    re.IGNORECASE,
)
_DENIAL = re.compile(
    r"\b(?:no|non|not|never|neither|nor|or|without|w/o|excluding|except|refused|declined|naive|naïve|free|withheld|"
    r"contraindicated|ineligible|placebo|matched|matching|administered|started|used|was|were|"
    rf"{_WORDS_BETWEEN})\b",
    re.IGNORECASE,
)
_NEGATION = re.compile(
    r"\b(?:no|not|never|neither|without|w/o|refused|declined|naive|naïve|withheld|untreated|nil)\b", re.IGNORECASE
)
_OF_TREATMENT = re.compile(r"\b(?:nil|untreated|systemic|anti-?cancer|cancer|treatments|therapies)\b", re.IGNORECASE)
_TARGETS = ("pd1", "pdl1", "ctla4")
_LEVEL = r"(?:high|low|negative|positive|neg|pos|strong|weak|unknown)"
_LEVEL_BEFORE = re.compile(rf"\b{_LEVEL}(?:\s+for)?[\s_–-]+$", re.IGNORECASE)
_LEVEL_AFTER = re.compile(
    rf"[\s_:=(–-]*(?:(?:{_LEVEL}|expression|expressing|expressers?|status|stain\w*|tps|cps|tc|ic|score)(?![a-z])|[<>≤≥]|"
    r"\d+(?:\.\d+)?\s*(?:[–-]\s*\d+\s*)?(?:%|$|[),;]))",
    re.IGNORECASE,
)


def denies_treatment(text: str) -> bool:
    """Whether a text says of treatment that there was none, and nothing else: ``treatment-naive``, ``untreated``."""
    rest = _DENIAL.sub(" ", _OF_TREATMENT.sub(" ", text))
    return _NEGATION.search(text) is not None and re.search(r"[^\W_]{2}", rest) is None


def _not_given(match: re.Match[str]) -> bool:
    """Whether the words around a name say that it was not given, or that it is the result of a test."""
    before, after = match.string[max(0, match.start() - 120) : match.start()], match.string[match.end() :]
    if _BEFORE.search(before) or _AFTER.match(after):
        return True
    tested = plain_name(match.group()) in _TARGETS
    return tested and bool(_LEVEL_BEFORE.search(before) or _LEVEL_AFTER.match(after))


def named_checkpoint_inhibitors(text: str) -> frozenset[str]:
    """Targets, ``PD-(L)1`` and ``CTLA-4``, of the checkpoint inhibitors that a text names as given (`NamesWithin`).

    Drugs, brands, codes, short forms and words for the class count.
    """
    return frozenset(target for target, names in _inhibitor_names().items() if names.given(text))


@lru_cache(maxsize=1)
def _inhibitor_names() -> Mapping[Literal["PD-(L)1", "CTLA-4"], NamesWithin]:
    table = load_recorded_treatments()
    return {target: NamesWithin(_all_names(named)) for target, named in table.checkpoint_inhibitors.items()}


def names_chemotherapy(text: str) -> bool:
    """Whether a text names chemotherapy as given, by a drug, a brand, a short form or the word (`NamesWithin`)."""
    return bool(_chemotherapy_names().given(text))


@lru_cache(maxsize=1)
def _chemotherapy_names() -> NamesWithin:
    return NamesWithin(_all_names(load_recorded_treatments().chemotherapy))


def _all_names(named: Named) -> set[str]:
    """Names of a class with those of its kinds of stand-ins, and their short forms."""
    table = load_recorded_treatments()
    names = {*named.names, *(n for s in table.stand_ins if s.kind in named.kinds for n in s.names)}
    whole = {plain_name(n) for n in names}
    return names | {
        short for name, texts in table.abbreviations.items() if plain_name(name) in whole for short in texts
    }


_TELL_NOTHING = ("clinical trial", "trial", "study drug")


def names_other_drug(text: str) -> bool:
    """Whether a text names a drug against cancer, or chemotherapy, that is no checkpoint inhibitor.

    Words such as *combination* or *clinical trial* tell nothing.
    """
    table = load_recorded_treatments()
    endings = tuple(e for e in table.against_cancer.endings if e != "mab")
    if any(w.endswith(endings) for w in re.split(r"[^a-z0-9]+", text.casefold()) if w):
        return True
    return names_chemotherapy(text) or bool(_other_names().given(text))


@lru_cache(maxsize=1)
def _other_names() -> NamesWithin:
    table = load_recorded_treatments()
    inhibitors = {kind for i in table.checkpoint_inhibitors.values() for kind in i.kinds}
    drugs = {d for s in table.stand_ins if s.kind not in inhibitors for d in s.drugs}
    names = drugs | {n for s in table.stand_ins if s.kind not in inhibitors for n in s.names}
    short = {text for drug in drugs for text in table.abbreviations.get(drug, ())}
    words = {n for n in table.against_cancer.names if n not in _TELL_NOTHING}
    return NamesWithin({*names, *short, *words, "placebo"})


def plain_name(name: str) -> str:
    """A name as it is compared: ``Anti-PD-1`` and ``anti PD1`` are one."""
    return re.sub(r"[\s_–-]+", "", name.casefold())


@lru_cache(maxsize=1)
def load_recorded_treatments() -> RecordedTreatments:
    """Return ``recorded_treatments.yaml``."""
    return load_table(DATA / "recorded_treatments.yaml", RecordedTreatments)
