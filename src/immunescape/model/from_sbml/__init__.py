"""A mechanism from an SBML file: what it shares with the model here is coupled, the rest is new."""

from immunescape.model.from_sbml.mechanism import SbmlMechanism, mechanism_from_sbml

__all__ = ["SbmlMechanism", "mechanism_from_sbml"]
