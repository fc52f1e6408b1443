"""Reading an SBML file for a mechanism: everything that a mechanism cannot hold is refused by name and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.parsers import expat

import libsbml

from immunescape.engine.sbml.reader import plain_numbers, read_sbml
from immunescape.errors import InputError, ModelError

__all__ = ["read_document"]

_DEEPEST = 1000
_LARGEST = 20_000_000
_DELAY = "http://www.sbml.org/sbml/symbols/delay"
_PROSE = ("notes", "annotation")
_CONTINUOUS = "A mechanism is continuous in time: rewrite it as a rate, or give doses by the regimen."
_REFUSED = {
    "event": ("event", _CONTINUOUS),
    "algebraicRule": ("algebraic rule", "Solve it for one variable and write an assignment rule."),
    "constraint": ("constraint", "Remove it: it does not affect the simulation."),
    "delay": ("delay()", "Replace the delay by a chain of intermediate species."),
    "fast": ("fast reaction", "Write the equilibrium as an assignment rule, or give the reaction a finite rate."),
    "package": ("model of the package 'comp'", "Flatten the model first; libsbml, Tellurium and COPASI can do this."),
}


def read_document(path: Path) -> Any:
    """Return the libsbml document of a file, in Level 3.

    Raises
    ------
    InputError
        Where the file cannot be read as text.
    ModelError
        Where it is not SBML, declares a document type or entities, or holds what a mechanism cannot: an event, an
        algebraic rule, a delay, a fast reaction, a hierarchy of models. Name and line are named.
    EngineError
        Where its formulas do not make a system: an unknown or doubled name, rules in a circle.
    """
    text = _text(path)
    _scan(text, path)
    read_sbml(text, source=path)  # names, functions, circles: refused by the reader of the engine
    document = libsbml.readSBMLFromString(plain_numbers(text))
    if document.getLevel() < 3:
        properties = libsbml.ConversionProperties()
        properties.addOption("setLevelAndVersion", True)
        properties.addOption("strict", False)
        namespaces = libsbml.SBMLNamespaces(3, 2)
        properties.setTargetNamespaces(namespaces)
        if document.convert(properties) != libsbml.LIBSBML_OPERATION_SUCCESS:
            raise ModelError(
                f"SBML Level {document.getLevel()} could not be converted to Level 3",
                where=str(path),
                hint="Save it as Level 3 with the program that wrote it.",
            )
    return document


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read the SBML file: {error.strerror}", where=str(path)) from None
    if len(data) > _LARGEST:
        raise InputError(
            f"larger than {_LARGEST // 1_000_000} MB", where=str(path), hint="A mechanism needs only a small model."
        )
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeError:
        raise InputError("not text in UTF-8, so not SBML", where=str(path), hint="Name an SBML file (.xml).") from None


class _Scan:
    """Handlers of the XML parser: depth, the root, and elements that a mechanism cannot hold."""

    def __init__(self, parser: Any, path: Path) -> None:
        self.parser, self.path = parser, path
        self.depth = 0
        self.root = ""
        self.models = 0
        self.prose: list[int] = []

    def refuse(self, kind: str, name: str = "") -> None:
        what, hint = _REFUSED[kind]
        called = f" '{name}'" if name else ""
        raise ModelError(
            f"the {what}{called} cannot be part of a mechanism",
            where=f"{self.path}, line {self.parser.CurrentLineNumber}",
            hint=hint,
        )

    def doctype(self, *_: object) -> None:
        raise ModelError(
            "the file declares a document type, which can contain entities; SBML does not need one",
            where=f"{self.path}, line {self.parser.CurrentLineNumber}",
            hint="Remove the <!DOCTYPE …> declaration.",
        )

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        tag = name.rpartition(":")[2]
        self.root = self.root or tag
        if self.depth > _DEEPEST:
            raise ModelError(f"elements nested more than {_DEEPEST} deep", where=str(self.path))
        if self.prose:
            return
        if tag in _PROSE:
            self.prose.append(self.depth)
        self.models += tag == "model" and self.depth == 2
        named = next((attributes[k] for k in ("id", "name", "symbol", "variable") if k in attributes), "")
        if tag in ("event", "algebraicRule", "constraint"):
            self.refuse(tag, named)
        if tag == "csymbol" and attributes.get("definitionURL", "").strip() == _DELAY:
            self.refuse("delay")
        if tag == "reaction" and attributes.get("fast", "").strip() in ("true", "1"):
            self.refuse("fast", named)
        if tag in ("submodel", "modelDefinition", "externalModelDefinition"):
            self.refuse("package", named)

    def end(self, _: str) -> None:
        if self.prose and self.prose[-1] == self.depth:
            self.prose.pop()
        self.depth -= 1


def _scan(text: str, path: Path) -> None:
    """Refuse what is not SBML or has no place in a mechanism, before libsbml reads it."""
    parser = expat.ParserCreate()
    scan = _Scan(parser, path)
    parser.StartDoctypeDeclHandler = scan.doctype
    parser.StartElementHandler, parser.EndElementHandler = scan.start, scan.end
    try:
        # the text is decoded already, so what the declaration says of its encoding no longer holds
        parser.Parse(text.encode("utf-8") if "encoding" not in text[:200] else _without_declaration(text), True)
    except expat.ExpatError as error:
        what = expat.errors.messages.get(error.code, "malformed")
        raise ModelError(
            f"not XML: {what}",
            where=f"{path}, line {error.lineno}",
            hint="Give an SBML file exported by a modelling program.",
        ) from None
    if scan.root != "sbml":
        raise ModelError(f"the root element is <{scan.root}>, not <sbml>", where=str(path), hint="Name an SBML file.")
    if not scan.models:
        raise ModelError("the SBML file contains no model", where=str(path))


def _without_declaration(text: str) -> bytes:
    """The document without its XML declaration, whose lines are kept for the numbers of the others."""
    start, sign, rest = text.partition("?>")
    return (("\n" * start.count("\n") + rest) if sign else text).encode("utf-8")
