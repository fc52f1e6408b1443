"""The bibliography: BibTeX files -> records -> formatted citations.

``knowledge/references.bib`` (and files of ``knowledge/bib/``, where present) and the ``references.bib`` of plug-ins
are one bibliography; an entry may stand in several files if they agree.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from immunescape.errors import InputError, unknown_word
from immunescape.plugins import table_files

__all__ = ["FOLDER", "Reference", "bib_files", "format_reference", "get_reference", "load_references", "parse_bibtex"]

FOLDER = Path(__file__).parent
_NEEDED = ("title", "year")
_LATEX = re.compile(r"[\\$]")
_FORMULA = re.compile(r"(?<!\\)\$(.*?)(?<!\\)\$")


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
    """Turn BibTeX text into plain text: accents, symbols, dashes, braces."""
    if _LATEX.search(text):
        import latexcodec  # noqa: F401 - registers the codec

        # the codec knows a symbol only where it stands alone between dollars
        text = _FORMULA.sub(lambda formula: re.sub(r"\\[A-Za-z]+", r"{$\g<0>$}", formula[1]), text)
        text = codecs.decode(text, "ulatex").replace("\\$", "$")  # type: ignore[call-overload]
    return " ".join(re.sub(r"[{}]", "", text).replace("---", "—").replace("--", "–").split())


def _read(text: str, origin: str) -> Iterator[Reference]:
    """Yield the entries of one BibTeX file."""
    # pybtex's parser below its databases, which keep neither an entry's place nor its text
    from pybtex.database.input.bibtex import LowLevelParser, month_names
    from pybtex.scanner import PybtexSyntaxError

    parser = LowLevelParser(text, macros=dict(month_names))
    line, at = 1, 0
    try:
        for kind, (key, values) in parser:
            if kind.lower() in ("string", "preamble"):
                continue
            line, at = line + text.count("\n", at, parser.command_start), parser.command_start
            where = f"{origin}, line {line}"
            if "=" in key:  # the first field
                raise InputError("the entry has no key", where=where)
            raw = {name.lower(): "".join(parts) for name, parts in values}
            yield Reference(
                key=key,
                kind=kind.lower(),
                fields={name: _plain(value) for name, value in raw.items()},
                authors=tuple(_people(raw.get("author", ""))),
                raw=text[at : parser.pos],
                origin=where,
            )
    except PybtexSyntaxError as error:
        start = text.count("\n", 0, parser.command_start or 0) + 1
        entry = f"the entry '{parser.current_entry_key}'" if parser.current_entry_key else "an entry"
        reason = str(error).replace(f" in line {error.lineno}", "")
        raise InputError(
            f"{entry}, which begins on line {start}, cannot be read as BibTeX: {reason}",
            where=f"{origin}, line {error.lineno}",
        ) from error


def parse_bibtex(text: str, origin: str = "BibTeX") -> list[Reference]:
    """Read the entries of a BibTeX text.

    Raises
    ------
    InputError
        Naming file and line: an entry that is not closed, without key, or without title or year.
    """
    entries = list(_read(text, origin))
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


def _people(text: str) -> Iterator[str]:
    """Yield authors as ``Usuda K``; a name in braces is an organisation and stays as it is."""
    from pybtex.bibtex.utils import split_name_list
    from pybtex.database import Person

    for name in split_name_list(text):
        person = Person(name)
        family = _plain(" ".join((*person.prelast_names, *person.last_names, *person.lineage_names)))
        given = _plain(" ".join((*person.first_names, *person.middle_names)))
        yield f"{family} {''.join(part[0] for part in re.split(r'[ .-]+', given) if part)}".strip()


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
