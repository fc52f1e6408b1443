"""Virtual patients: covariates and parameters across patients, growth to diagnosis, plausibility.

``Population.generate(model, n, seed=1)`` gives patients at diagnosis; see `immunescape.population.population`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from immunescape.population.blocks import Block, BlockMaker, PopulationSpec, generate_block
    from immunescape.population.covariates import sample_covariates
    from immunescape.population.population import Population

__all__ = ["Block", "BlockMaker", "Population", "PopulationSpec", "generate_block", "sample_covariates"]

_HOME = {
    "Block": "blocks",
    "BlockMaker": "blocks",
    "Population": "population",
    "PopulationSpec": "blocks",
    "generate_block": "blocks",
    "sample_covariates": "covariates",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
