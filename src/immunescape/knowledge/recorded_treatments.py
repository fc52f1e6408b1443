"""Treatments of patients' files that the model cannot give as they are: stand-ins, and what is no line at all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Literal

from pydantic import Field

from immunescape.knowledge.yaml_tables import DATA, Block, load_table

__all__ = [
    "NamesWithin",
    "RecordedTreatments",
    "StandIn",
    "denies_names",
    "denies_treatment",
    "load_recorded_treatments",
    "named_checkpoint_inhibitors",
    "names_chemotherapy",
    "names_other_drug",
    "names_test_result",
    "plain_name",
    "without_doses",
]


class StandIn(Block):
    """Treatments of one kind, and the drugs that are simulated in their place."""

    kind: str
    drugs: tuple[str, ...] = Field(min_length=1)
    names: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    @property
    def every_name(self) -> tuple[str, ...]:
        """Names of the drugs and words for the class."""
        return (*self.names, *self.words)


class AgainstCancer(Block):
    """Names, words for classes and ends of names of treatments against the tumour for which nothing stands in."""

    names: tuple[str, ...]
    words: tuple[str, ...]
    targets: tuple[str, ...]
    endings: tuple[str, ...]

    @property
    def general_names(self) -> tuple[str, ...]:
        """Words for classes, with those that name what is inhibited: ``MET TKI``."""
        kinds = (
            "{} TKI",
            "{} inhibitor",
            "{} tyrosine kinase inhibitor",
            "{} antibody",
            "{} mAb",
            "{} ADC",
            "{}i",
            "anti-{}",
        )
        return (*self.words, *(kind.format(target) for target in self.targets for kind in kinds))


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
    no_line_endings: tuple[str, ...]
    nothing: tuple[str, ...]

    def stand_in(self, name: str) -> StandIn | None:
        """What stands in for a treatment; None where nothing does."""
        plain = plain_name(name)
        return next((s for s in self.stand_ins if plain in map(plain_name, s.every_name)), None)

    def driver_of(self, name: str, kind: str = "") -> str:
        """Driver for which alone a treatment is given, by its name or what stands in for it; '' where it is no such."""
        plain = plain_name(name)
        for driver, named in self.for_driver.items():
            if kind in named.kinds or plain in map(plain_name, named.names):
                return driver
        target = self.target_of(name)
        of_antibody = re.search(r"anti|mab|adc", name, re.IGNORECASE)  # to EGFR they are given without the mutation too
        return target if target in self.for_driver and not of_antibody else ""

    def target_of(self, name: str) -> str:
        """What a word for a class says that is inhibited: ``MET`` of ``MET TKI``; '' where it names no target."""
        first = re.split(r"[\s_–-]", re.sub(r"^anti[\s_–-]*", "", name.casefold()))[0]
        target = next((t for t in self.against_cancer.targets if t.casefold() in (first, first.removesuffix("i"))), "")
        return target if target and self.is_general(name) else ""

    def is_general(self, name: str) -> bool:
        """Whether a treatment is named by its class, ``platinum doublet`` or ``ALK TKI``, and not as a drug."""
        words = (*self.against_cancer.general_names, *(w for s in self.stand_ins for w in s.words))
        return plain_name(name) in map(plain_name, words)

    def every_name(self) -> frozenset[str]:
        """Names of all treatments of the table, against the tumour or not."""
        of_drivers = (n for named in self.for_driver.values() for n in named.names)
        stand_ins = (n for s in self.stand_ins for n in s.every_name)
        others = (*self.against_cancer.names, *self.against_cancer.general_names, *self.no_line)
        return frozenset((*of_drivers, *stand_ins, *self.chemotherapy.names, *others))

    def says_nothing(self, cell: str) -> bool:
        """Whether a cell says that there is nothing to say: ``N/A``, ``-``."""
        return cell.strip().casefold() in self.nothing or re.fullmatch(r"[\s.\-–—_/]*", cell) is not None

    def is_no_line(self, name: str) -> bool:
        """Whether a treatment is known to be no line of systemic treatment, by its name or the end of it."""
        plain = plain_name(name)
        return plain in map(plain_name, self.no_line) or plain.endswith(self.no_line_endings)

    def is_against_cancer(self, name: str) -> bool:
        """Whether a treatment is against the tumour, by its name or the end of it."""
        plain = plain_name(name)
        of_drivers = (n for named in self.for_driver.values() for n in named.names)
        names = (*self.against_cancer.names, *self.against_cancer.general_names, *of_drivers, *self.chemotherapy.names)
        return plain in map(plain_name, names) or any(
            piece.endswith(self.against_cancer.endings) for piece in re.split(r"[^a-z0-9]+", name.casefold()) if piece
        )


class NamesWithin:
    """Some names as they may stand within a longer text: whole words, the longest first, whatever case and hyphens.

    A name counts only where the text says that it was given: not in ``no ICI``, ``docetaxel after progression on
    nivolumab``, ``ICI-naive``, ``pembrolizumab: no``, ``pembrolizumab planned``, ``placebo for pembrolizumab`` or
    ``chemotherapy (PD-L1 < 1 %)``. Short forms may have a dose at once (``nivo3``). Words with one of some endings are
    names too.
    """

    def __init__(self, names: Iterable[str], endings: Iterable[str] = ()) -> None:
        longest_first = sorted({n.casefold() for n in names}, key=lambda name: (-len(name), name))
        short = {text.casefold() for texts in load_recorded_treatments().abbreviations.values() for text in texts}
        words = "|".join(map(_as_written, longest_first))
        with_dose = "|".join(_as_written(n) for n in longest_first if n in short) or "(?!)"
        ends = "|".join(map(re.escape, endings)) or "(?!)"
        pattern = (
            rf"(?<![a-z0-9])(?:(?:{words})(?:s?(?![a-z0-9])|(?=\d+\s*mg))|(?:{with_dose})(?=\d)"
            rf"|[a-z0-9]{{2,}}(?:{ends})(?![a-z0-9]))"
        )
        self._pattern = re.compile(pattern, re.IGNORECASE)

    def located(self, text: str) -> tuple[tuple[re.Match[str], bool], ...]:
        """Where the names stand, in the order of the text, and whether the text says that they were given."""
        return tuple((match, not _not_given(match)) for match in self._pattern.finditer(text))

    def given(self, text: str) -> tuple[re.Match[str], ...]:
        """Where the names stand that were given, in the order of the text."""
        return tuple(match for match, given in self.located(text) if given)


def _as_written(name: str) -> str:
    """Expression for a name with any hyphens and spaces, and with hyphens between letters and digits (``PDL-1``)."""
    runs_of_pieces = (re.findall(r"\d+|\D+", piece) for piece in re.split(r"[\s_–-]+", name))
    return r"[\s_–-]*".join(r"[_–-]?".join(map(re.escape, runs)) for runs in runs_of_pieces)


# The words around a name that say that it was not given. Between them and the name may stand words that change nothing.
_WORDS_BETWEEN = (
    r"any|other|prior|previous|previously|earlier|further|concurrent|concomitant|additional|upfront|standard|systemic|"
    r"palliative|adjuvant|neoadjuvant|maintenance|consolidation|first|second|third|line|lines|receive[ds]?|receiving|"
    r"get|got|exposed|exposure|treated|treatment|therapy|use|of|to|on|with|for|a|an|the|his|her|their|given|giving|give|"
    r"had|has|have|having|been|be|is|was|yet|start|starting|started|begin|begun|undergo|take|taken|fit|eligible|suitable|"
    r"appropriate|candidate|candidates|good|poor|indication|indications|indicated|tolerate|considered|approved|approval|"
    r"history|record|evidence|want|wish|access|afford|able|willing|\d+(?:l|st|nd|rd|th)?|cycles?|months?|doses?"
)
_PROGRESSION = r"progression|progressed|progressing|failure|failing|failed|relapse|relapsed|disease|response"
_BETWEEN = rf"(?:(?:{_WORDS_BETWEEN})[\s-]+)*"
_BETWEEN_LINES = rf"(?:(?:{_WORDS_BETWEEN}|{_PROGRESSION})[\s-]+)*"
_OR = r"(?:[^\s,;:+()/]+(?:\s*/\s*|\s+n?or\s+))*"
_AND_OR = r"(?:[^\s,;:+&()/]+(?:\s*[/+&]\s*|\s+(?:n?or|and)\s+))*"
_NOT = r"(?:(?:(?:was|were|is|are|did|do|does|has|had|have|could|would|will|can)\s*)?(?:not|never|n['’]t)|cannot)"
_REFUSED = (
    r"refus(?:es|ed|ing|al)|declin(?:es|ed|ing)|denie[sd]|denying|deny|withheld|omitted|cancell?ed|contraindicat(?:ed|ion)|"
    r"ineligible|unfit|unsuitable|intolerable|unavailable|rejected"
)
# Three blanks stand where a dose or a number of cycles was: "planned 4 cycles" is no plan to give the drug at all.
_INTENDED = (
    r"planned(?!\s+(?:cycles?|doses?)|(?:\s+for)?\s{3})|scheduled(?!(?:\s+for)?\s{3})|planning|pending|offered|postponed|"
    r"consider(?:ed|ing)?|under\s+(?:consideration|discussion)|propos(?:ed|al)|recommended|awaiting|awaited|deferred|"
    r"upcoming|requested|discussed|future"
)
_TO_BEGIN = (
    r"(?:to|will|should|would|could|may|might)\s+(?:be\s+)?"
    r"(?:start(?:ed)?|begin|begun|receive|commence|initiate|given|considered|discussed)"
)
_PLANNED = rf"{_INTENDED}|{_TO_BEGIN}"
# What may follow where a word says something of the name before it: "(refused chemotherapy)" says it of another.
_OF_IT = (
    r"(?![a-z])(?=\s*(?:$|[^\w\s]|(?:by|due|because|since|as|on|in|at|per|for(?!\s+(?:chemo|immuno|surg|radio|cis|carbo|plat))|"
    r"owing|approval|insur\w*|authori[sz]\w*|reimburs\w*|funding|next|soon|today|tomorrow|later|this|after|before|until|"
    r"and|or|patient|pt|\d+)(?![a-z])))"
)
_WISHED = (
    r"(?:candidates?|eligible|plan(?:s|ned)?|scheduled|waiting|listed|request(?:ed|s)?|considered|suitable|fit)"
    r"\s+(?:for|to)|too\s+\w+\s+(?:for|to)"
)
_NOT_DONE = (
    r"given?|received?|administered|used|started|indicated|approved|authori[sz]ed|eligible|suitable|fit|tolerated|available|"
    r"reimbursed|covered|funded|recommended|done|applicable|offered|possible|feasible|planned|initiated|performed|required|"
    r"needed|prescribed|taken|appropriate|commenced|begun|start|candidates?|exposed|treated|considered|"
    r"want(?:ed)?|desired|affordable|accepted"
)
_BEFORE = re.compile(
    rf"(?:(?:\b(?:no|{_NOT}|neither|without|excluding|except|lack(?:s|ed|ing)?|absence|negative\s+for|n['’]t)|\bw/o)\s+"
    rf"{_BETWEEN}{_OR}|n['’]t\s+{_BETWEEN}{_OR}"
    rf"|\b(?:after|following)\s+{_BETWEEN_LINES}{_OR}"
    rf"|(?<![-–])\b(?:{_REFUSED}|{_PLANNED}|{_WISHED})\s*:?\s+{_BETWEEN}{_AND_OR}"
    rf"|\b(?:non|(?<!status )post|no)[\s_–-]+{_BETWEEN}"
    rf"|\b(?:instead\s+of|rather\s+than|placebo\s+(?:for|to|matching))\s+{_BETWEEN})$",
    re.IGNORECASE,
)
# "no chemotherapy, immunotherapy or TKI": the denial is of the whole list, which an "or" shows to be one.
_IN_LIST = re.compile(
    rf"\b(?:no|{_NOT}|without|neither)\s+(?:[^,;:.()]{{1,40}},\s*)+(?:[^,;:.()]{{0,40}}\bn?or\s+)?{_BETWEEN}$",
    re.IGNORECASE,
)
_ENDS = r"(?=\s*(?:$|[,;()\]/|+&\n]|\.(?!\s*\d)))"
_SAYS_NO = (
    rf"(?:(?:{_REFUSED}|{_NOT}\s+(?:(?:yet|been|be|a|an|currently|ever|deemed|considered|clinically)\s+)*(?:{_NOT_DONE})){_OF_IT}|"
    rf"0+\s*(?:cycles?|doses?|courses?|x)|n/a{_ENDS}|(?:no|n|none|nil|absent|false|0|not|never|nope){_ENDS})(?![a-z])"
)
_SAYS_LATER = rf"(?:(?:{_INTENDED}|eligible|candidate){_OF_IT}|(?:{_TO_BEGIN})(?![a-z]))"
_BEING = (
    r"(?:(?:was|were|is|are|has|had|have|been|be|being|currently|still|only|use|initially|start|patient|pt|"
    r"family|insurer|insurance|s?he)\s+)*"
)
_OF_CLASS = r"(?:(?:antibod\w+|inhibitors?|blockade|therapy|treatment|chemotherapy|matched|matching)[\s_–-]+)*"
_JOINED = r"(?:\s*(?:[/+&]|\bn?or\b|\band\b)\s*[^\s,;:=+&()/]+)"
_AFTER = re.compile(
    rf"[\s_–—:=([-]*{_OF_CLASS}[(]?(?:na[iï]ve(?![a-z])|free(?![a-z]|\s+of)|placebo(?![a-z])|"
    rf"{_BEING}(?:{_SAYS_NO}|{_SAYS_LATER}))"
    r"|[-–](?:refractory|resistant|pre-?treated|experienced|exposed|ineligible|intolerant)(?![a-z])"
    rf"|{_JOINED}*\s*[:=]\s*{_BEING}(?:{_SAYS_NO}|[-–]\s*$)"
    rf"|{_JOINED}*[\s:(-]*{_BEING}{_SAYS_LATER}"
    rf"|(?:\s*(?:/|\bn?or\b)\s*[^\s,;:=+&()/]+)+[\s:(-]+(?:na[iï]ve(?![a-z])|{_BEING}{_SAYS_NO})",
    re.IGNORECASE,
)
_DENIAL = re.compile(
    rf"\b(?:no|non|{_NOT}|neither|nor|or|and|without|w/o|excluding|except|lack|absence|{_REFUSED}|{_PLANNED}|naive|naïve|none|nil|nope|"
    rf"free|placebo|matched|matching|administered|used|were|received|so\s+far|date|until|now|before|at\s+all|"
    rf"{_NOT_DONE}|{_WORDS_BETWEEN})\b",
    re.IGNORECASE,
)
_PREDICATE = re.compile(
    rf"\b(?:{_REFUSED}|{_PLANNED}|{_WISHED}|{_NOT}\s+(?:(?:yet|been|be|a|an|good|deemed|considered)\s+)*(?:{_NOT_DONE}))\b|"
    r"n['’]t\s|[:=]\s*(?:no|n|none|never)\b",
    re.IGNORECASE,
)
_NEGATION = re.compile(
    rf"\b(?:no|not|never|neither|without|w/o|{_REFUSED}|{_PLANNED}|naive|naïve|untreated|nil)\b", re.IGNORECASE
)
_OF_TREATMENT = re.compile(
    r"\b(?:nil|untreated|systemic|anti-?cancer|cancer|treatments|therapies|all|patients?|pt)\b", re.IGNORECASE
)
_UNIT = (
    r"(?:mg|gm?|[µμ]g|mcg|ml|c?gy|iu|mu|mio|fx|fractions?|cycles?|courses?|doses?|weeks?|wks?|w|months?|mo|days?|d|years?|"
    r"h|%)(?![a-z0-9])"
)
_PER = r"(?:\s*/\s*(?:s?qm|m\s*(?:\^?\s*2|²)|kg|days?|d|dose|die|weeks?|wk|w|h|cycle|ml|min)(?![a-z]))"
_DOSE = re.compile(
    rf"(?<![\w.-])(?!0\s*[a-z])\d[\d.,]*(?:\s*[/x×–-]\s*\d[\d.,]*)*\s*{_UNIT}{_PER}*|(?<![a-z])(?:mg|g|gy){_PER}+|"
    rf"(?<=\d){_UNIT}{_PER}*|"
    r"(?<![a-z])/?\s*m(?:\^2|²)|(?<![a-z])AUC\s*[=:]?\s*\d+(?:[.,–-]\d+)*|"
    r"(?<![a-z])(?:d|days?|c|cycles?|w|wk|weeks?)\s*\d+(?:\s*(?:[,/+&–-]|and)\s*[dc]?\s*\d+(?!\s*mg))*(?![a-z])|"
    r"(?<![a-z])q\s*\d+\s*(?:w|wks?|weeks?|d|days?|h|m|months?)?(?![a-z])|(?<![a-z])every\s+\w+\s+(?:weeks?|days?|months?)|"
    r"(?<![a-z])[x×]\s*\d+(?![a-z0-9])",
    re.IGNORECASE,
)
_TARGETS = ("pd1", "pdl1", "ctla4")
_LEVEL = r"(?:high|low|negative|positive|neg|pos|strong|weak|unknown)"
_LEVEL_BEFORE = re.compile(rf"\b{_LEVEL}(?:\s+for)?[\s_–-]+$", re.IGNORECASE)
_LEVEL_AFTER = re.compile(
    rf"[\s_:=(–-]*(?:(?:{_LEVEL}|expression|expressing|expressers?|status|stain\w*|tps|cps|tc|ic|score)(?![a-z])|[<>≤≥]|"
    r"\d+(?:\.\d+)?\s*(?:[–-]\s*\d+\s*)?(?:%|$|[),;]))",
    re.IGNORECASE,
)


_MARKER = re.compile(
    r"\b(?:PD-?L1|EGFR|ALK|ROS-?1|KRAS|BRAF|MET|RET|HER2|NTRK|STK11|KEAP1|TP53|TMB|MSI(?:-[HL])?|MSS|TPS|CPS|driver|biomarkers?)\b",
    re.IGNORECASE,
)
_RESULT = re.compile(
    rf"\b(?:{_LEVEL}|neg|pos|stable|mut\w*|wild\W?type|wt|fusion|rearrange\w*|transloc\w*|amplif\w*|delet\w*|del|exon|"
    r"insertion|status|expression|tested|tps|cps|[A-Z]\d{2,4}[A-Z])\b|[<>≤≥%+]|\d\s*(?:$|[),;]|mut)",
    re.IGNORECASE,
)


def names_test_result(text: str) -> bool:
    """Whether a text is the result of a test of the tumour and no treatment: ``EGFR negative``, ``PD-L1 TPS 60%``."""
    rest = _MARKER.sub(" ", text)
    return rest != text and (not rest.strip() or _RESULT.search(rest) is not None)


def denies_treatment(text: str) -> bool:
    """Whether a text says of treatment that there was none, and nothing else: ``treatment-naive``, ``untreated``."""
    rest = _DENIAL.sub(" ", _OF_TREATMENT.sub(" ", text))
    return _NEGATION.search(text) is not None and re.search(r"[^\W_]{2}", rest) is None


def denies_names(text: str, rest: str) -> bool:
    """Whether a text says of names that they were not given, and nothing else: ``ICI-naive``, ``patient refused ICI``.

    Parameters
    ----------
    text
        A text of which no name was given.
    rest
        The text without the names.
    """
    if re.search(r"[^\W_]{2}", _DENIAL.sub(" ", rest)) is None:
        return True
    code = re.search(r"\b[a-z]{1,5}-?\d{2,}\b", rest, re.IGNORECASE)  # of another drug, of which nothing is denied
    return _PREDICATE.search(text) is not None and code is None


@lru_cache(maxsize=256)
def without_doses(text: str) -> str:
    """The text with blanks in place of doses, days and numbers of cycles, so that every word keeps its place."""
    return _DOSE.sub(lambda match: " " * len(match.group()), text)


def _not_given(match: re.Match[str]) -> bool:
    """Whether the words around a name say that it was not given, or that it is the result of a test."""
    plain = without_doses(match.string)
    before, after = plain[max(0, match.start() - 120) : match.start()], plain[match.end() :]
    if _BEFORE.search(before) or _AFTER.match(after):
        return True
    listed = _IN_LIST.search(before)
    if listed and re.search(r"\bn?or\b", listed.group() + re.split(r"[;:.()]", after)[0], re.IGNORECASE):
        return True
    tested, written = plain_name(match.group()) in _TARGETS, match.string
    return tested and bool(_LEVEL_BEFORE.search(before) or _LEVEL_AFTER.match(written[match.end() :]))


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
    names = {*named.names, *(n for s in table.stand_ins if s.kind in named.kinds for n in s.every_name)}
    whole = {plain_name(n) for n in names}
    return names | {
        short for name, texts in table.abbreviations.items() if plain_name(name) in whole for short in texts
    }


_TELL_NOTHING = re.compile(r"trial|study|investigational|experimental")


def names_other_drug(text: str) -> bool:
    """Whether a text names a drug against cancer, or chemotherapy, that is no checkpoint inhibitor.

    Words such as *combination* or *clinical trial* tell nothing.
    """
    return names_chemotherapy(text) or bool(_other_names().given(text))


@lru_cache(maxsize=1)
def _other_names() -> NamesWithin:
    table = load_recorded_treatments()
    inhibitors = {kind for i in table.checkpoint_inhibitors.values() for kind in i.kinds}
    drugs = {d for s in table.stand_ins if s.kind not in inhibitors for d in s.drugs}
    names = drugs | {n for s in table.stand_ins if s.kind not in inhibitors for n in s.every_name}
    short = {text for drug in drugs for text in table.abbreviations.get(drug, ())}
    of_drivers = {n for named in table.for_driver.values() for n in named.names}
    all_names = (*table.against_cancer.names, *table.against_cancer.general_names)
    words = {n for n in all_names if not _TELL_NOTHING.search(n)}
    endings = tuple(e for e in table.against_cancer.endings if e != "mab")
    return NamesWithin({*names, *short, *of_drivers, *words, "placebo"}, endings)


def plain_name(name: str) -> str:
    """A name as it is compared: ``Anti-PD-1`` and ``anti PD1`` are one."""
    return re.sub(r"[\s_–-]+", "", name.casefold())


@lru_cache(maxsize=1)
def load_recorded_treatments() -> RecordedTreatments:
    """Return ``recorded_treatments.yaml``."""
    return load_table(DATA / "recorded_treatments.yaml", RecordedTreatments)
