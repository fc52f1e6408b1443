"""SBML read into systems of `immunescape.engine.ir`, and doses written into SBML."""
