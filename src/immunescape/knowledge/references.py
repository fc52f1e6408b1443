"""The bibliography: BibTeX files -> records -> formatted citations.

``knowledge/references.bib`` (and files of ``knowledge/bib/``, where present) and the ``references.bib`` of plug-ins
are one bibliography; an entry may stand in several files if they agree.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from immunescape.errors import InputError, unknown_word
from immunescape.plugins import table_files

__all__ = ["FOLDER", "Reference", "bib_files", "format_reference", "get_reference", "load_references", "parse_bibtex"]

FOLDER = Path(__file__).parent
_ACCENTS = {
    "'": "\u0301",
    "`": "\u0300",
    "^": "\u0302",
    '"': "\u0308",
    "~": "\u0303",
    "=": "\u0304",
    ".": "\u0307",
    "c": "\u0327",
    "v": "\u030c",
    "u": "\u0306",
    "H": "\u030b",
    "k": "\u0328",
    "r": "\u030a",
}
_LETTERS = {"ss": "ß", "o": "ø", "O": "Ø", "l": "ł", "L": "Ł", "ae": "æ", "AE": "Æ", "aa": "å", "AA": "Å", "i": "i"}
_SYMBOLS = {
    "geq": "≥",
    "leq": "≤",
    "times": "×",
    "pm": "±",
    "alpha": "α",
    "beta": "β",
    "gamma": "γ",
    "delta": "δ",
    "kappa": "κ",
    "mu": "µ",
}
_NEEDED = ("title", "year")
_BRACE = re.compile(r"[{}]")
_MARKUP = re.compile(r"[\\{}$]|--")
_ACCENT = re.compile(r"\{?\\([`'^\"~=.]|[cvuHkr](?=[{\s]))\s*\{?\s*(\w)\}?\}?")


@dataclass(frozen=True)
class Reference:
    """One entry of the bibliography.

    Attributes
    ----------
    key, kind : ``usuda1994``, ``article``.
    fields : lower-case field name -> text, without BibTeX braces and accents.
    authors : as ``Usuda K``, in order; ``others`` last where the entry names not all.
    raw : the entry as it stands in its file.
    origin : file and line.
    """

    key: str
    kind: str
    fields: Mapping[str, str]
    authors: tuple[str, ...]
    raw: str
    origin: str

    @property
    def pmid(self) -> str:
        """PubMed identifier; '' where the entry gives none."""
        match = re.search(r"PMID:?\s*(\d+)", self.fields.get("note", ""))
        return self.fields.get("pmid") or (match.group(1) if match else "")

    @property
    def doi(self) -> str:
        """Digital object identifier; '' where the entry gives none."""
        return self.fields.get("doi", "").removeprefix("https://doi.org/")


def bib_files() -> list[Path]:
    """Return the BibTeX files of the package and of plug-ins."""
    shipped = (FOLDER / "references.bib", *sorted((FOLDER / "bib").glob("*.bib")))
    return [p for p in (*shipped, *table_files("references.bib")) if p.is_file()]


def _plain(text: str) -> str:
    """Turn BibTeX text into plain text: accents, dashes, braces."""
    if not _MARKUP.search(text):
        return " ".join(text.split())
    text = re.sub(r"(?<!\\)\$", "", text)
    text = re.sub(r"\\([a-z]+)\b", lambda m: _SYMBOLS.get(m.group(1), m.group(0)), text)
    text = re.sub(r"\\([a-zA-Z]{1,2})(?![a-zA-Z])\s?", lambda m: _LETTERS.get(m.group(1), m.group(0)), text)
    text = _ACCENT.sub(lambda m: unicodedata.normalize("NFC", m.group(2) + _ACCENTS[m.group(1)]), text)
    text = re.sub(r"\\([&%$#_])", r"\1", text)
    return " ".join(re.sub(r"[{}]", "", text).replace("---", "—").replace("--", "–").split())


class _Reader:
    """Reads one BibTeX file."""

    def __init__(self, text: str, origin: str) -> None:
        self.text, self.origin, self.at = text, origin, 0
        self._ends = [end.start() for end in re.finditer("\n", text)]

    def where(self, at: int | None = None) -> str:
        position = self.at if at is None else at
        return f"{self.origin}, line {bisect_left(self._ends, position) + 1}"

    def fail(self, message: str) -> InputError:
        return InputError(message, where=self.where())

    def space(self) -> None:
        while self.at < len(self.text) and (self.text[self.at].isspace() or self.text[self.at] == ","):
            self.at += 1

    def entries(self) -> list[Reference]:
        entries: list[Reference] = []
        while match := re.compile(r"@\s*([A-Za-z]+)\s*\{").search(self.text, self.at):
            self.at = match.start()
            start, where = match.start(), self.where()
            kind = match.group(1).lower()
            if kind in ("comment", "preamble", "string"):
                self.at = match.end() - 1
                self.braced()
                continue
            self.at = match.end()
            key = re.compile(r"\s*([^\s,{}]+)\s*,").match(self.text, self.at)
            if key is None:
                raise self.fail("the entry has no key")
            self.at = key.end()
            values = self.fields(key.group(1))
            authors = tuple(_person(p) for p in _split_people(values.get("author", "")))
            fields = {n: _plain(v) for n, v in values.items()}
            entries.append(Reference(key.group(1), kind, fields, authors, self.text[start : self.at], where))
        return entries

    def fields(self, key: str) -> dict[str, str]:
        fields: dict[str, str] = {}
        while True:
            self.space()
            if self.at >= len(self.text):
                raise self.fail(f"the entry '{key}' is not closed")
            if self.text[self.at] == "}":
                self.at += 1
                return fields
            name = re.compile(r"([A-Za-z_-]+)\s*=\s*").match(self.text, self.at)
            if name is None:
                raise self.fail(f"'field = {{text}}' expected in the entry '{key}'")
            self.at = name.end()
            fields[name.group(1).lower()] = self.value(key)

    def value(self, key: str) -> str:
        first = self.text[self.at : self.at + 1]
        if first == "{":
            return self.braced()
        if first == '"':
            start, depth = self.at + 1, 0
            for i in range(start, len(self.text)):
                depth += {"{": 1, "}": -1}.get(self.text[i], 0)
                if self.text[i] == '"' and depth == 0:
                    self.at = i + 1
                    return self.text[start:i]
        bare = re.compile(r"[A-Za-z0-9]+").match(self.text, self.at)
        if bare is None:
            raise self.fail(f"a value is missing in the entry '{key}'")
        self.at = bare.end()
        return bare.group(0)

    def braced(self) -> str:
        start, depth = self.at, 0
        for brace in _BRACE.finditer(self.text, start):
            depth += 1 if brace.group() == "{" else -1
            if depth == 0:
                self.at = brace.end()
                return self.text[start + 1 : brace.start()]
        raise self.fail("a brace is not closed")


def parse_bibtex(text: str, origin: str = "BibTeX") -> list[Reference]:
    """Read the entries of a BibTeX text.

    Raises
    ------
    InputError
        Naming file and line: an entry that is not closed, without key, or without title or year.
    """
    entries = _Reader(text, origin).entries()
    for entry in entries:
        for name in _NEEDED:
            if not entry.fields.get(name):
                raise InputError(f"the entry '{entry.key}' has no {name}", where=entry.origin)
    return entries


@lru_cache(maxsize=256)
def _entries(path: Path, changed: int) -> tuple[Reference, ...]:
    return tuple(parse_bibtex(path.read_text(encoding="utf-8"), str(path)))


def _same(text: str) -> str:
    return re.sub(r"\W+", "", text.casefold())


def load_references(extra: Iterable[Path] = ()) -> dict[str, Reference]:
    """Read the whole bibliography: key -> entry.

    Parameters
    ----------
    extra
        Further BibTeX files.

    Raises
    ------
    InputError
        If a file cannot be read as BibTeX, or if two entries of one key disagree in title, year, DOI or PMID.
    """
    merged: dict[str, Reference] = {}
    for path in (*bib_files(), *extra):
        for entry in _entries(path, path.stat().st_mtime_ns):
            other = merged.setdefault(entry.key, entry)
            for name in ("title", "year", "doi", "pmid"):
                mine, theirs = (
                    getattr(e, name) if name in ("doi", "pmid") else e.fields.get(name, "") for e in (entry, other)
                )
                if mine and theirs and _same(mine) != _same(theirs):
                    raise InputError(
                        f"'{entry.key}' has the {name} '{mine}' here, but '{theirs}' in {other.origin}",
                        where=entry.origin,
                    )
            if entry is not other and entry.origin.rpartition(",")[0] == other.origin.rpartition(",")[0]:
                raise InputError(f"the entry '{entry.key}' occurs twice, first in {other.origin}", where=entry.origin)
            if len(entry.fields) > len(other.fields):
                merged[entry.key] = entry
    return merged


def get_reference(key: str, references: Mapping[str, Reference] | None = None, where: str | None = None) -> Reference:
    """Return the entry of a key; an unknown one answers with the nearest.

    Parameters
    ----------
    key
        E.g. ``usuda1994``.
    references
        Bibliography to search; None takes that of the package.
    where
        What cites the key, for the error.
    """
    available = load_references() if references is None else references
    if key not in available:
        raise unknown_word("reference", key, available, where=where)
    return available[key]


def _split_people(text: str) -> list[str]:
    """Split BibTeX authors at each ``and`` that stands outside braces."""
    people, depth, start = [], 0, 0
    for match in re.finditer(r"[{}]|\s+and\s+", text):
        if match.group(0) in "{}":
            depth += 1 if match.group(0) == "{" else -1
        elif depth == 0:
            people.append(text[start : match.start()])
            start = match.end()
    return [p.strip() for p in (*people, text[start:]) if p.strip()]


def _person(text: str) -> str:
    """Write one author as ``Usuda K``; a name in braces is an organisation and stays as it is."""
    if text.startswith("{") and text.endswith("}"):
        return _plain(text)
    plain = _plain(text)
    family, _, given = plain.partition(",")
    if not given and " " in plain:
        given, _, family = plain.rpartition(" ")
    initials = "".join(g[0] for g in re.split(r"[\s.\-]+", given.strip()) if g)
    return f"{family.strip()} {initials}".strip()


def _authors(people: Sequence[str]) -> str:
    """Join authors; more than six are cut after three."""
    named = [p for p in people if p.casefold() != "others"]
    many = len(named) > 6 or len(named) < len(people)
    return ", ".join(named[:3] if len(named) > 6 else named) + (", et al." if many else "")


def format_reference(reference: Reference) -> str:
    """Write an entry as one line: authors, title, journal, year, volume, pages, DOI, PMID."""
    f = reference.fields
    journal = (
        f.get("journal")
        or f.get("booktitle")
        or f.get("institution")
        or f.get("publisher")
        or f.get("organization")
        or ""
    )
    place = f["year"]
    if volume := f.get("volume"):
        place += f";{volume}" + (f"({f['number']})" if f.get("number") else "")
    if pages := f.get("pages"):
        place += f":{pages}"
    authors = _authors(reference.authors).rstrip(".")
    sentences: Sequence[str] = [authors, f["title"].rstrip("."), f"{journal}. {place}" if journal else place]
    text = ". ".join(p for p in sentences if p) + "."
    if reference.doi:
        text += f" doi:{reference.doi}."
    if reference.pmid:
        text += f" PMID: {reference.pmid}."
    if not reference.doi and f.get("url"):
        text += f" {f['url']}"
    return text
