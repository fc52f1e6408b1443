"""``mechanism_from_sbml``: an SBML file as a mechanism that is coupled to the model here.

Ids of species, parameters and compartments that equal names of the model are shared: formulas read the model's values,
and reactions that change a shared species become terms of the model's state. All other ids are new states, quantities
and parameters. A coupling file says where names differ, and which values inhibit or promote a process.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from immunescape.engine.native.cache import cache_folder, fingerprint
from immunescape.errors import InputError, ModelError, unknown_word
from immunescape.files import check_folder, whole_file
from immunescape.knowledge.references import get_reference, load_references
from immunescape.model import registry
from immunescape.model.declarations import Mechanism
from immunescape.model.from_sbml.coupling import Coupling, check_ids, read_coupling
from immunescape.model.from_sbml.document import read_document
from immunescape.model.from_sbml.ours import our_names
from immunescape.model.from_sbml.symbols import MODEL_UNITS, Symbols
from immunescape.model.from_sbml.translate import Parts, Translation
from immunescape.model.parameters import COLUMNS

__all__ = ["SbmlMechanism", "mechanism_from_sbml"]

T = TypeVar("T")
_GROUPS = ("states", "reactions", "quantities", "modulations", "contributions")
_DOI = re.compile(r"10\.\d{4,9}/[^\s\"'<>#?]+")
_PUBMED = re.compile(r"pubmed[:/](\d+)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class SbmlMechanism(Mechanism):
    """A mechanism that was read from an SBML file.

    Attributes
    ----------
    source : the file.
    notes : what is coupled, which units were not stated, whether the reference patient moves.
    changes : states of other mechanisms that its reactions change.
    """

    source: str = ""
    notes: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()

    def write(self, folder: str | Path) -> list[Path]:
        """Write the mechanism as a Python module and its parameter table, for a package of one's own.

        An entry point in the group ``immunescape.mechanisms`` that names ``MECHANISM`` of the module registers it, so
        that trials, twins and rankings have it.

        Parameters
        ----------
        folder
            Where ``<name>.py`` and ``<name>.csv`` are written.
        """
        root = Path(folder)
        check_folder(root)
        root.mkdir(parents=True, exist_ok=True)
        texts = {f"{self.name}.py": _module(self)}
        if str(self.parameters):
            texts[f"{self.name}.csv"] = Path(self.parameters).read_text(encoding="utf-8")
        for file, text in texts.items():
            with whole_file(root / file, "cannot write the mechanism", hint="Choose another folder.") as target:
                target.write(text.encode("utf-8"))
        return [root / file for file in texts]


def _module(mechanism: SbmlMechanism) -> str:
    """The declaration as a Python module; every text is written as a literal."""
    lines = [f'"""{mechanism.name}, from an SBML file."""', ""]
    kinds = {type(item).__name__ for group in _GROUPS for item in getattr(mechanism, group)}
    lines += [f"from immunescape.model import {', '.join(sorted({'Mechanism', *kinds}))}", "", "MECHANISM = Mechanism("]
    for name in ("name", "title", "summary", "references"):
        lines.append(f"    {name}={getattr(mechanism, name)!r},")
    lines.append(f"    parameters={f'{mechanism.name}.csv' if str(mechanism.parameters) else ''!r},")
    lines += [f"    requires={mechanism.requires!r},", f"    compartments={dict(mechanism.compartments)!r},"]
    for group in _GROUPS:
        if items := getattr(mechanism, group):
            lines += [f"    {group}=(", *(f"        {item!r}," for item in items), "    ),"]
    return "\n".join([*lines, ")", ""])


def mechanism_from_sbml(
    path: str | Path, couple: Mapping[str, Any] | str | Path | None = None, *, name: str = ""
) -> SbmlMechanism:
    """Read a mechanism from an SBML file (Level 1 to Level 3) and couple it to the model.

    Parameters
    ----------
    path
        The SBML file.
    couple
        How ids (or names) of the file are coupled where they are not names of the model: ``{"MDSC": "MDSC_T"}``
        (a state, quantity, parameter or compartment; ``C_{clone}`` for the cancer cells of every clone),
        ``{"effect": "inhibits killing"}``, ``"promotes priming"``, ``"adds to chemo_kill"``, ``{"k": "own k_mine"}``
        for a new name. Or a coupling file (YAML) or its content, with the sections ``couple``, ``units``,
        ``parameters``, ``name``, ``title``, ``summary``, ``references``, ``requires``. None takes ``my.coupling.yaml``
        beside ``my.xml``, if there is one.
    name
        Name of the mechanism; else that of the coupling, else the id of the SBML model.

    Returns
    -------
    SbmlMechanism
        For ``build_model(mechanisms=[…])`` and ``patient(mechanisms=[…])``. Values have the grade `assumed` unless the
        coupling gives a source and another grade. Its `notes` say what was coupled and assumed.

    Raises
    ------
    InputError, ModelError, EngineError
        For a file that is not SBML, a construct that a mechanism cannot hold (event, algebraic rule, delay, fast
        reaction), units that do not match, a name that is unknown or taken; with file, line and next action.

    Examples
    --------
    >>> itaconate = immunescape.mechanism_from_sbml("itaconate.xml")  # doctest: +SKIP
    >>> immunescape.patient(seed=3, mechanisms=[itaconate]).simulate("none").plot()  # doctest: +SKIP
    """
    file = Path(path)
    document = read_document(file)
    model = document.getModel()
    coupling = _with_ids(read_coupling(couple, file), model)
    name = name or coupling.name or _slug(model.getId() or file.stem)
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise InputError(f"'{name}' is not a valid name for a mechanism", hint="Use lower-case letters, digits and _.")
    ours = our_names()
    if taken := ours.taken(name) or ours.taken(f"switch_{name}"):
        raise ModelError(
            f"the name '{name}' of the mechanism is already taken: {taken}",
            where=str(file),
            hint="Give another: name='…', or 'name: …' in the coupling file.",
        )
    _check_coupling(model, coupling)
    for key in coupling.references:
        get_reference(key, where=f"{coupling.where}, references")
    parts = Translation(Symbols(model=model, path=file, coupling=coupling, ours=ours), name).run()
    requires = _owners(parts, coupling)
    title = coupling.title or " ".join((model.getName() or name.replace("_", " ")).split())
    summary = coupling.summary or _prose(model) or f"{title}, read from the SBML file {file.name}, with its own states."
    return SbmlMechanism(
        name=name,
        title=title,
        summary=summary,
        references=coupling.references,
        parameters=_table(parts, model, coupling, file, name),
        requires=tuple(sorted(requires)),
        compartments=parts.compartments,
        states=tuple(parts.states),
        reactions=tuple(parts.reactions),
        quantities=tuple(parts.quantities),
        modulations=tuple(parts.modulations),
        contributions=tuple(parts.contributions),
        source=str(file),
        notes=tuple(parts.notes),
        changes=tuple(parts.changed),
    )


def _slug(text: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "_", text.casefold()).strip("_")
    return slug if slug[:1].isalpha() else f"sbml_{slug}"


def _with_ids(coupling: Coupling, model: Any) -> Coupling:
    """The coupling with ids where it says names: programs such as SimBiology export ids that nobody reads."""
    parts = (model.getListOfSpecies(), model.getListOfParameters(), model.getListOfCompartments())
    items = [item for elements in parts for item in elements] + list(model.getListOfReactions())
    ids = {item.getId() for item in items}
    named = Counter(item.getName() for item in items if item.getName())
    by_name = {item.getName(): item.getId() for item in items if named[item.getName()] == 1}

    def with_ids(table: Mapping[str, T]) -> dict[str, T]:
        return {key if key in ids else by_name.get(key, key): value for key, value in table.items()}

    return replace(
        coupling,
        names=with_ids(coupling.names),
        renamed=with_ids(coupling.renamed),
        acts=with_ids(coupling.acts),
        units=with_ids(coupling.units),
        parameters=with_ids(coupling.parameters),
    )


def _check_coupling(model: Any, coupling: Coupling) -> None:
    symbols = [*model.getListOfSpecies(), *model.getListOfParameters(), *model.getListOfCompartments()]
    ids = [item.getId() for item in symbols]
    reactions = [r.getId() for r in model.getListOfReactions()]
    local = [
        f"{r.getId()}.{p.getId()}"
        for r in model.getListOfReactions()
        if r.getKineticLaw() is not None
        for p in r.getKineticLaw().getListOfLocalParameters()
    ]
    check_ids(coupling.names, ids, "couple", coupling)
    check_ids(coupling.renamed, [*ids, *reactions], "couple", coupling)
    check_ids(coupling.acts, [*ids, *reactions], "couple", coupling)
    check_ids(coupling.units, [*ids, *local, *MODEL_UNITS], "units", coupling)
    check_ids(coupling.parameters, [*ids, *local], "parameters", coupling)


def _owners(parts: Parts, coupling: Coupling) -> set[str]:
    """Mechanisms that own what the file uses."""
    ours = our_names()
    owners = set(coupling.requires)
    for required in coupling.requires:
        if required not in registry.mechanisms() and required not in registry.drugs():
            raise unknown_word("mechanism", required, registry.mechanisms(), where=f"{coupling.where}, requires")
    for used in parts.uses:
        owners |= ours.owners(used)
    for state in parts.states:
        if state.compartment in ours.model.compartments:
            owners |= ours.owners(state.compartment)
    return owners


def _prose(model: Any) -> str:
    """The first sentences of the notes of the file, as plain text."""
    text = re.sub(r"<[^>]*>", " ", model.getNotesString() or "")
    text = " ".join(re.sub(r"&[a-z#0-9]+;", " ", text).split())
    return text if len(text) <= 300 else text[:297].rsplit(" ", 1)[0] + " …"


def _cited(item: Any) -> str:
    """Key of the bibliography that an annotation of an element cites (DOI or PubMed); '' for none."""
    text = item.getAnnotationString() if item is not None else ""
    if not text:
        return ""
    dois = {d.rstrip(".,;/").casefold() for d in _DOI.findall(text.replace("%2F", "/"))}
    pubmed = set(_PUBMED.findall(text))
    for key, reference in load_references().items():
        if reference.fields.get("doi", "").casefold() in dois or (reference.pmid and reference.pmid in pubmed):
            return str(key)
    return ""


def _table(parts: Parts, model: Any, coupling: Coupling, file: Path, name: str) -> str | Path:
    """Write the parameter table into the cache folder, under its own content, and return its path."""
    rows, identifiers = [], []
    for row in parts.rows:
        identifier = str(row.pop("identifier"))
        identifiers.append(identifier)
        given = {k: "" if v is None else v for k, v in coupling.parameters.get(identifier, {}).items()}
        for key in (k.strip() for k in str(given.get("source", "")).split(";")):
            if key not in ("", "assumed"):
                get_reference(key, where=f"{coupling.where}, parameters, '{identifier}'")
        source = _cited(model.getElementBySId(identifier)) or "assumed"
        note = f"{row['note']} (from {file.name})"
        rows.append({"source": source, "grade": "assumed", **row, "note": note, **given})
    lost = sorted(set(coupling.parameters) - set(identifiers))
    if lost:
        raise ModelError(
            f"'{lost[0]}' is not a parameter of this mechanism, so its row cannot be changed",
            where=f"{coupling.where}, parameters",
            hint="It is coupled, computed by a rule, or fixed as an exponent.",
        )
    if not rows:
        return ""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        row["value"] = repr(float(row["value"]))
        writer.writerow(row)
    text = buffer.getvalue()
    folder = cache_folder() / "sbml_mechanisms" / fingerprint(text)[:16]
    table = folder / f"{name}.csv"
    if not table.is_file() or table.read_text(encoding="utf-8") != text:
        hint = "Set IMMUNESCAPE_CACHE to a folder that can be written."
        with whole_file(table, f"the parameter table of '{name}' cannot be kept", hint=hint) as target:
            target.write(text.encode("utf-8"))
    return table
