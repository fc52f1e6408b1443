"""The mechanisms and drugs that exist: every module of ``model/mechanisms``, folder of ``model/drugs``, and plugins.

A module announces itself by ``MECHANISM`` (or ``MECHANISMS``), ``DRUG`` (or ``DRUGS``). Other packages register through
the entry points ``immunescape.mechanisms`` and ``immunescape.drugs``, each the path of such an object
(:mod:`immunescape.plugins`). Their parameter tables lie in their own package: beside the module, or in ``parameters/``
beside it. A drug of theirs needs a class, a usual dose and its harm, as every drug of ours has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from immunescape.errors import InputError, ModelError, unknown_word
from immunescape.knowledge.references import get_reference, load_references
from immunescape.model.declarations import Drug, Mechanism
from immunescape.model.parameters import load_parameters, table_path
from immunescape.plugins import Contribution, cached, contributions
from immunescape.record_types import wrong_field
from immunescape.registry import Registry

__all__ = ["DRUGS", "MECHANISMS", "drugs", "get_drug", "get_mechanism", "mechanisms", "with_table_in"]


def with_table_in(mechanism: Mechanism, folder: Path | None, where: str) -> Mechanism:
    """Return a mechanism of another package with its parameter table as an absolute path.

    Looked for beside its module (`folder`), in ``parameters/`` there, and last among the tables of immunescape. A drug
    that is a folder may call it ``parameters.csv``.

    Raises
    ------
    ModelError
        Where it lies in none of them; names the places.
    """
    table = Path(mechanism.parameters)
    if not str(mechanism.parameters) or table.is_absolute():
        return mechanism
    places = [] if folder is None else [folder / table, folder / "parameters" / table]
    if isinstance(mechanism, Drug) and folder is not None:
        places.append(folder / "parameters.csv")  # the drug is a folder, as those of immunescape are
    for place in (*places, table_path(table)):
        if place.is_file():
            return replace(mechanism, parameters=place)
    looked = ", ".join(str(p.parent) for p in places) or "no folder: the module is not a file"
    raise ModelError(
        f"the parameter table '{table}' of '{mechanism.name}' does not exist; searched {looked}",
        where=where,
        hint="Place it beside the module and list it among the package's data files.",
    )


def _adopt(extra: Contribution) -> Mechanism:
    value: Mechanism = extra.value
    if not isinstance(value, Mechanism):
        return value
    adopted = with_table_in(value, extra.folder, extra.where)
    if wrong := wrong_field(adopted):
        raise ModelError(wrong, where=extra.where)
    _check_cited(adopted, extra.where)
    return adopted


def _check_cited(mechanism: Mechanism, where: str) -> None:
    """Refuse what cites a source that neither the bibliography nor a ``.bib`` file beside its table has."""
    table = Path(mechanism.parameters) if str(mechanism.parameters) else None
    references = load_references(sorted(table.parent.glob("*.bib")) if table is not None else ())
    for key in mechanism.references:
        get_reference(key, references, where)
    for parameter in load_parameters(table, mechanism.name).values() if table is not None else ():
        for key in parameter.sources:
            get_reference(key, references, parameter.origin)


def _adopt_drug(extra: Contribution) -> Drug:
    drug = _adopt(extra)
    return drug  # type: ignore[return-value]  # what is not a drug is refused by the registry


def _no_drug(mechanism: Mechanism, where: str) -> None:
    if isinstance(mechanism, Drug):
        raise ModelError("this is Drug, not Mechanism", where=where)


MECHANISMS = Registry(
    "mechanism",
    Mechanism,
    modules="immunescape.model.mechanisms",
    constants=("MECHANISM", "MECHANISMS"),
    group="immunescape.mechanisms",
    adopt=_adopt,
    check=_no_drug,
    tags=lambda m: {"title": m.title, "states": len(m.states), "requires": m.requires, "references": m.references},
)
"""Every mechanism, drugs aside."""

DRUGS = Registry(
    "drug",
    Drug,
    modules="immunescape.model.drugs",
    constants=("DRUG", "DRUGS"),
    group="immunescape.drugs",
    adopt=_adopt_drug,
    tags=lambda d: {"class": d.drug_class, "targets": d.targets, "doses": d.dose_units, "synonyms": d.synonyms},
)
"""Every drug."""


@cached()
def _drugs() -> Mapping[str, Drug]:
    registered = DRUGS.all()
    clash = sorted(set(registered) & set(MECHANISMS.all()))
    if clash:
        raise ModelError(
            f"'{clash[0]}' is both a mechanism and a drug",
            where=f"{MECHANISMS.entries()[clash[0]].where}; {DRUGS.entries()[clash[0]].where}",
            hint="Give one of them another name.",
        )
    taken: dict[str, str] = {}
    for drug in registered.values():
        for drug_name in {w.casefold() for w in (drug.name, *drug.synonyms)}:
            if drug_name in taken:
                raise ModelError(
                    f"'{drug_name}' names both drugs '{taken[drug_name]}' and '{drug.name}'",
                    where=DRUGS.entries()[drug.name].where,
                    hint="Give one of them another name, or leave out the synonym.",
                )
            taken[drug_name] = drug.name
    extras = contributions("immunescape.drugs")
    for extra in extras:  # all of them first: rows of toxicity about a drug without class name one that is not known
        _check_class(extra.value.name, extra.where)
    for extra in extras:
        _check_harm(extra.value, extra.where)
    return registered


_MISSING = (
    "Provide '{file}' in the folder of the plug-in's entry point in the group 'immunescape.data'; "
    "examples/plugin has one, and immunescape.testing.check_drug says what is missing."
)


def _check_class(drug: str, where: str) -> None:
    """Refuse a drug of a plug-in without class."""
    from immunescape.model.drug_tables import drug_classes

    if drug not in drug_classes():
        raise ModelError(
            f"the drug '{drug}' has no class",
            where=where,
            hint=f"Add a row for '{drug}'. {_MISSING.format(file='drug_classes.csv')}",
        )


def _check_harm(declared: Drug, where: str) -> None:
    """Refuse a drug of a plug-in without harm or usual dose: it would fail in the middle of a trial, or win."""
    from immunescape.model.drug_tables import drug_classes, usual_doses
    from immunescape.model.toxicity import toxicity, toxicity_facts

    drug = declared.name
    references = load_references()
    for fact in toxicity_facts():  # a table that cannot be read names its row
        if drug in fact.regimen.split("+"):
            for key in fact.sources:
                get_reference(key, references, fact.origin)
    if drug not in usual_doses():
        raise ModelError(
            f"the drug '{drug}' has no usual dose", where=where, hint=_MISSING.format(file="usual_doses.csv")
        )
    if usual_doses()[drug].unit not in declared.dose_units:
        units = ", ".join(declared.dose_units)
        raise ModelError(
            f"the usual dose of '{drug}' is in '{usual_doses()[drug].unit}', in which it cannot be dosed",
            where=where,
            hint=f"It is dosed in {units}. Correct 'usual_doses.csv' or the drug's `dose_units`.",
        )
    try:
        toxicity((drug,))
    except InputError as error:
        advice = _MISSING.format(file="toxicity.csv")
        shared = {kind for other, kinds in drug_classes().items() if other != drug for kind in kinds}
        if alone := ", ".join(sorted(drug_classes()[drug] - shared)):
            advice = (
                f"No other drug has the class '{alone}': correct it in 'drug_classes.csv', or add its rows. {advice}"
            )
        raise ModelError(
            f"the drug '{drug}' has no complete toxicity data: {error.message}",
            where=where,
            hint=f"A drug without toxicity would always rank first. {advice}",
        ) from error


def package_of(mechanism: Mechanism) -> str:
    """Return the installed package that a registered mechanism or drug comes from; '' for those of immunescape."""
    group = "immunescape.drugs" if isinstance(mechanism, Drug) else "immunescape.mechanisms"
    return next((c.package for c in contributions(group) if getattr(c.value, "name", "") == mechanism.name), "")


def mechanisms() -> Mapping[str, Mechanism]:
    """Return every registered mechanism (drugs aside) by name."""
    return MECHANISMS.all()


def drugs() -> Mapping[str, Drug]:
    """Return every registered drug by name."""
    return _drugs()


def get_mechanism(name: str) -> Mechanism:
    """Return the mechanism of that name; an unknown one answers with the nearest."""
    return MECHANISMS.get(name)


def get_drug(name: str, *, where: str | None = None) -> Drug:
    """Return a drug by name or synonym (brand name, code), whatever the case; an unknown one answers with the nearest.

    Parameters
    ----------
    name
        E.g. ``pembrolizumab``, ``Keytruda``, ``nab-paclitaxel``.
    where
        File and line that the name stands in, for the error.
    """
    words = {w.casefold(): d.name for d in _drugs().values() for w in (d.name, *d.synonyms)}
    plain = " ".join(name.split()).casefold()
    for candidate in (plain, plain.replace("-", "_").replace(" ", "_")):
        if candidate in words:
            return _drugs()[words[candidate]]
    raise unknown_word("drug", name, words, where=where)
