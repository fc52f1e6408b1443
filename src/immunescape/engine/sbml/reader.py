"""Reads SBML (Level 1 to Level 3 Version 2) into the engine's own description of a system.

Text is parsed by libsbml; documents that declare XML entities are refused, and nothing in a document is ever executed.
Hierarchical models (package ``comp``) are flattened. Units have no influence on values, except that the symbols
``time`` and ``avogadro`` have theirs.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Any
from xml.parsers import expat

import libsbml

from immunescape.engine.ir.system import System
from immunescape.engine.sbml.model_reader import ModelReader
from immunescape.errors import EngineError, InputError

__all__ = ["plain_numbers", "read_sbml", "read_sbml_file"]

_ENTITIES = re.compile(r"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)
_DEEPEST = 1000
_PROSE = ("notes", "annotation")
_LARGE = re.compile(r"""(<(?:\w+:)?cn\b[^>]*?)\s+type\s*=\s*["']\s*integer\s*["']([^>]*>)(\s*[+-]?\d{10,}\s*<)""")
_WHOLE, _REAL = re.compile(r"[+-]?\d+"), re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_PARTS_OF_NUMBERS = {
    "integer": (_WHOLE,),
    "real": (_REAL,),
    "rational": (_WHOLE, _WHOLE),
    "e-notation": (_REAL, _WHOLE),
}
_IGNORED_PACKAGES = frozenset({"layout", "render", "groups", "comp", "l3v2extendedmath"})


def read_sbml_file(path: str | Path) -> System:
    """Read a file, with models in other files of its folder that it refers to.

    Raises
    ------
    InputError
        If the file cannot be read as text.
    EngineError
        See `read_sbml`.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the model: {error.strerror}", where=str(path)) from None
    for encoding in ("utf-8-sig", "utf-16") if data[:2] not in (b"\xff\xfe", b"\xfe\xff") else ("utf-16",):
        try:
            return read_sbml(data.decode(encoding), source=path)
        except UnicodeError:
            continue
    raise InputError("the model is not text in UTF-8", where=str(path))


def read_sbml(text: str, *, source: Path | None = None) -> System:
    """Read an SBML document.

    Parameters
    ----------
    text
        The document.
    source
        File that it comes from: named in messages, and the place from which external model definitions are found.

    Raises
    ------
    EngineError
        If the document is not valid or needs something that cannot be integrated; the message names the construct.
    """
    where = str(source) if source else "SBML"
    if _ENTITIES.search(text):
        raise EngineError("the document declares a document type or XML entities; SBML needs neither", where=where)
    _check_text(text, where)
    body = re.sub(r"^\s*<\?xml.*?\?>", "", plain_numbers(text), count=1, flags=re.DOTALL)
    document = libsbml.readSBMLFromString(f'<?xml version="1.0" encoding="UTF-8"?>{body}')
    _check(document, where)
    if source is not None:
        document.setLocationURI(f"file:{os.path.abspath(source)}")
    _flatten(document, where)
    _packages(document, where)
    model = document.getModel()
    if model is None:
        raise EngineError("the document contains no model", where=where)
    return ModelReader(model, where).read()


def plain_numbers(text: str) -> str:
    """Whole numbers of ten digits or more as real ones: libsbml refuses those that need more than 32 bits."""
    return _LARGE.sub(r"\1\2\3", text)


def _check_text(text: str, where: str) -> None:
    """Refuse elements nested too deeply, and numbers that libsbml would read up to the first odd character.

    What cannot be parsed at all is left to libsbml.
    """
    depth = deepest = 0
    kind = ""
    pieces: list[str] = []
    prose: list[int] = []  # depths of notes and annotations, whose content is not part of the model
    wrong = ""

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth, deepest, kind
        depth += 1
        deepest = max(deepest, depth)
        tag = name.rpartition(":")[2]
        if tag in _PROSE:
            prose.append(depth)
        if tag == "cn" and not prose:
            kind = attributes.get("type", "real").strip()
            pieces[:] = [""]
        elif tag == "sep" and kind:
            pieces.append("")

    def data(content: str) -> None:
        if kind:
            pieces[-1] += content

    def end(name: str) -> None:
        nonlocal depth, kind, wrong
        if prose and prose[-1] == depth:
            prose.pop()
        depth -= 1
        if kind and name.rpartition(":")[2] == "cn":
            patterns = _PARTS_OF_NUMBERS.get(kind, ())
            fits = len(patterns) == len(pieces) and all(
                p.fullmatch(t.strip()) for p, t in zip(patterns, pieces, strict=True)
            )
            if not fits and not wrong:
                shown = " ".join("; ".join(pieces).split())[:40]
                wrong = f"'{shown}' is not a number of type '{kind}' (line {parser.CurrentLineNumber})"
            kind = ""

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, data
    with contextlib.suppress(expat.ExpatError):
        parser.Parse(text, True)
    if deepest > _DEEPEST:
        raise EngineError(
            f"elements nested more than {_DEEPEST} deep",
            where=where,
            hint="Write a long sum as one <plus/> with all its terms, or in several rules.",
        )
    if wrong:
        raise EngineError(wrong, where=where, hint="Types are real, integer, e-notation and rational.")


def _check(document: Any, where: str) -> None:
    """Refuse a document that libsbml could not read."""
    for i in range(document.getNumErrors()):
        error = document.getError(i)
        if error.getSeverity() >= libsbml.LIBSBML_SEV_ERROR:
            message = error.getShortMessage() or error.getMessage().strip()
            raise EngineError(f"not valid SBML: {message}", where=f"{where}, line {error.getLine()}")


def _flatten(document: Any, where: str) -> None:
    """Replace a hierarchical model by the flat model that it stands for."""
    plugin = document.getPlugin("comp")
    if plugin is None:
        return
    for i in range(plugin.getNumExternalModelDefinitions()):
        target = plugin.getExternalModelDefinition(i).getSource()
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", target) or target.startswith(("/", "\\")) or ".." in target:
            raise EngineError(f"external model '{target}' is not a file beside the document", where=where)
        if not document.getLocationURI():
            raise EngineError(f"external model '{target}' cannot be found: the document has no folder", where=where)
        beside = Path(document.getLocationURI().removeprefix("file:")).parent / target
        if beside.is_file() and _ENTITIES.search(beside.read_text(encoding="utf-8", errors="replace")):
            raise EngineError(f"external model '{target}' declares XML entities", where=where)
    properties = libsbml.ConversionProperties()
    properties.addOption("flatten comp", True)
    properties.addOption("performValidation", False)
    properties.addOption("leavePorts", False)
    if document.convert(properties) != libsbml.LIBSBML_OPERATION_SUCCESS:
        messages = [document.getError(i) for i in range(document.getNumErrors())]
        reasons = [e.getShortMessage() for e in messages if e.getSeverity() >= libsbml.LIBSBML_SEV_ERROR]
        raise EngineError(
            f"package 'comp' could not be flattened: {'; '.join(reasons) or 'unknown reason'}", where=where
        )


def _packages(document: Any, where: str) -> None:
    """Refuse packages that change what the model means."""
    model = document.getModel()
    for i in range(document.getNumPlugins()):
        name = document.getPlugin(i).getPackageName()
        if name in _IGNORED_PACKAGES:
            continue
        if name == "fbc":
            balance = model.getPlugin("fbc") if model is not None else None
            if balance is not None and balance.getNumObjectives() > 0:
                raise EngineError(
                    "package 'fbc': flux balance with an objective is an optimisation, not a time course", where=where
                )
        elif document.getPackageRequired(name):
            raise EngineError(f"package '{name}' is required by the document and not supported", where=where)
