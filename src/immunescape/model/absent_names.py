"""Names that a model lacks because the drug that declares them is not part of it."""

from __future__ import annotations

from collections.abc import Iterable

from immunescape.errors import ImmunescapeError, InputError, unknown_word

__all__ = ["absent_name"]


def absent_name(kind: str, name: object, candidates: Iterable[str], drugs: Iterable[str]) -> ImmunescapeError:
    """Build the error for a name that a model does not have.

    Parameters
    ----------
    kind
        What it should be: ``parameter``, ``quantity``.
    name, candidates
        The name, and those that the model has.
    drugs
        Drugs of the model: of another, which declares the name, the error says so.
    """
    from immunescape.model.parameters import load_parameters
    from immunescape.model.registry import drugs as registered

    given = {*drugs}
    for drug in registered().values():
        if drug.name in given:
            continue
        parameters = load_parameters(drug.parameters, drug.name) if str(drug.parameters) else {}
        declared = {*parameters, *(s.name for s in drug.states), *(q.name for q in drug.quantities)}
        if name in declared:
            return InputError(
                f"'{name}' belongs to {drug.name}, which no regimen here contains",
                hint=f"Add {drug.name} to a regimen; `immunescape show {name}` gives an example.",
            )
    return unknown_word(kind, name, candidates)
