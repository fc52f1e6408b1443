"""What ids of an SBML file mean in the model here: a name of ours, a modulation, a term of a pool, or a new name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from immunescape.errors import InputError, ModelError, unknown_word
from immunescape.knowledge.tables import GRADES
from immunescape.knowledge.yaml_tables import read_yaml
from immunescape.model.expansion import CLONE
from immunescape.model.parameters import COLUMNS

__all__ = ["Act", "Coupling", "coupling_file", "read_coupling"]

_SECTIONS = ("name", "title", "summary", "references", "requires", "couple", "units", "parameters")
_ACT = re.compile(r"(inhibits|promotes)\s+(\w+)(?:\s+by\s+(\w+))?|adds to\s+(\w+)")
_NEW_NAME = re.compile(r"own\s+([A-Za-z][A-Za-z0-9_]*)")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*|[A-Za-z][A-Za-z0-9_]*" + re.escape(CLONE))
_SLUG = re.compile(r"[a-z][a-z0-9_]*")
_FORMS = "a name of the model, 'inhibits PROCESS', 'promotes PROCESS', 'adds to POOL' or 'own NEW_NAME'"
_COLUMNS = tuple(c for c in COLUMNS if c not in ("name", "value", "unit"))


@dataclass(frozen=True)
class Act:
    """What a value of the file does here: it inhibits or promotes a process, or is a term of a pool."""

    kind: str
    target: str
    pathway: str = ""


@dataclass(frozen=True, kw_only=True)
class Coupling:
    """How a file is coupled.

    Attributes
    ----------
    where : the coupling file, or what stands for it in messages.
    names : id -> name of the model here. renamed : id -> new name here. acts : id -> what its value does.
    units : id, or a unit of the whole file (``time``, ``substance``, ``volume``, …) -> unit where the file has none.
    parameters : id -> columns of its row in the parameter table (distribution, spread, source, grade, …).
    name, title, summary, references, requires : of the mechanism; empty: from the file.
    """

    where: str = "couple"
    names: Mapping[str, str] = field(default_factory=dict)
    renamed: Mapping[str, str] = field(default_factory=dict)
    acts: Mapping[str, tuple[Act, ...]] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    name: str = ""
    title: str = ""
    summary: str = ""
    references: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()


def coupling_file(path: Path) -> Path:
    """Return where the coupling of an SBML file lies: ``my.coupling.yaml`` beside ``my.xml``."""
    return path.with_name(f"{path.name.removesuffix('.xml').removesuffix('.sbml')}.coupling.yaml")


def read_coupling(couple: Mapping[str, Any] | str | Path | None, sbml: Path) -> Coupling:
    """Read how a file is coupled.

    Parameters
    ----------
    couple
        Id -> text or list of texts; a mapping with the sections of a coupling file; the path of such a file; None takes
        the file beside the SBML file, where there is one.
    sbml
        The SBML file.

    Raises
    ------
    InputError
        For a file or section that cannot be read; names the nearest valid word.
    """
    where = "couple"
    if couple is None:
        beside = coupling_file(sbml)
        if not beside.is_file():
            return Coupling()
        couple = beside
    if isinstance(couple, (str, Path)):
        where = str(couple)
        couple = _yaml(Path(couple))
    if not isinstance(couple, Mapping):
        raise InputError(f"{couple!r} is not a coupling", hint="Give {'id in the file': 'name here'} or a YAML file.")
    sections = dict(couple)
    if where == "couple" and not (set(sections) & {"couple", "units", "parameters"}):
        sections = {"couple": sections}
    for section in sections:
        if section not in _SECTIONS:
            raise unknown_word("section", section, _SECTIONS, where=where)
    return _coupling(sections, where)


def _yaml(path: Path) -> Any:
    content = read_yaml(path)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InputError("no sections", where=str(path), hint=f"Sections: {', '.join(_SECTIONS)}.")
    return content


def _table(sections: Mapping[str, Any], name: str, where: str) -> dict[str, Any]:
    value = sections.get(name) or {}
    if not isinstance(value, Mapping) or not all(isinstance(k, str) for k in value):
        raise InputError(f"'{name}' contains no names", where=where, hint="Write one 'NAME: …' a line below it.")
    return dict(value)


def _text(sections: Mapping[str, Any], name: str, where: str) -> str:
    value = sections.get(name, "")
    if not isinstance(value, str):
        raise InputError(f"'{name}' is not text", where=where)
    return " ".join(value.split())


def _list(sections: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    value = sections.get(name) or ()
    value = (value,) if isinstance(value, str) else value
    if not isinstance(value, (list, tuple)) or not all(isinstance(v, str) for v in value):
        raise InputError(f"'{name}' is not a list of names", where=where)
    return tuple(value)


def _coupling(sections: Mapping[str, Any], where: str) -> Coupling:
    names: dict[str, str] = {}
    renamed: dict[str, str] = {}
    acts: dict[str, tuple[Act, ...]] = {}
    for identifier, value in _table(sections, "couple", where).items():
        texts = value if isinstance(value, (list, tuple)) else (value,)
        place = f"{where}, '{identifier}'"
        read = [_meaning(text, place) for text in texts]
        plain = [r for r in read if not isinstance(r, Act)]
        if len(plain) > 1 or not read:
            raise InputError("a name of the model is needed", where=place, hint=f"Write {_FORMS}.")
        for kind, text in plain:
            (renamed if kind == "own" else names)[identifier] = text
        if effects := tuple(r for r in read if isinstance(r, Act)):
            acts[identifier] = effects
    name = _text(sections, "name", where)
    if name and not _SLUG.fullmatch(name):
        raise InputError(
            f"'{name}' is not a valid name for a mechanism", where=where, hint="Use lower-case letters, digits and _."
        )
    units = _table(sections, "units", where)
    for identifier, unit in units.items():
        if not isinstance(unit, (str, int)):
            raise InputError(f"the unit of '{identifier}' is not text", where=where, hint="For example: 1/day.")
    parameters = _table(sections, "parameters", where)
    for identifier, row in parameters.items():
        if not isinstance(row, Mapping):
            raise InputError(f"'{identifier}' has no columns", where=where, hint=f"Columns: {', '.join(_COLUMNS)}.")
        for column in row:
            if column not in _COLUMNS:
                raise unknown_word("column", column, _COLUMNS, where=f"{where}, '{identifier}'")
        if "grade" in row and row["grade"] not in GRADES:
            raise unknown_word("grade", row["grade"], GRADES, where=f"{where}, '{identifier}'")
    return Coupling(
        where=where,
        names=names,
        renamed=renamed,
        acts=acts,
        units={k: str(v) for k, v in units.items()},
        parameters=parameters,
        name=name,
        title=_text(sections, "title", where),
        summary=_text(sections, "summary", where),
        references=_list(sections, "references", where),
        requires=_list(sections, "requires", where),
    )


def _meaning(text: Any, place: str) -> Act | tuple[str, str]:
    if isinstance(text, str):
        stripped = " ".join(text.split())
        if match := _ACT.fullmatch(stripped):
            effect, process, pathway, pool = match.groups()
            return Act("adds", pool) if pool else Act(effect, process, pathway or "")
        if match := _NEW_NAME.fullmatch(stripped):
            return "own", match.group(1)
        if _NAME.fullmatch(stripped):
            return "name", stripped
    raise InputError(f"{text!r} does not say how it is coupled", where=place, hint=f"Write {_FORMS}.")


def check_ids(used: Iterable[str], valid: Iterable[str], section: str, coupling: Coupling) -> None:
    """Refuse ids of a coupling that the file does not have."""
    candidates = list(valid)
    for identifier in used:
        if identifier not in candidates:
            raise unknown_word(
                "id of the SBML file", identifier, candidates, where=f"{coupling.where}, {section}", error=ModelError
            )
