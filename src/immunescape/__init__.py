"""immunescape: how a lung tumour escapes immunotherapy, and what to try against it.

>>> import immunescape
>>> result = immunescape.load_trial("keynote-024").run(patients=200, seed=1)  # doctest: +SKIP
>>> result.show()  # doctest: +SKIP

Research software: not a medical device, no treatment advice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from immunescape.api import (
        build_model,
        designs_table,
        drugs_table,
        load_design,
        load_trial,
        mechanism_from_sbml,
        mechanisms_table,
        patient,
        profile_study,
        rank,
        rank_cohort,
        show,
        trials_table,
        twin,
    )

__all__ = [
    "__version__",
    "build_model",
    "designs_table",
    "drugs_table",
    "load_design",
    "load_trial",
    "mechanism_from_sbml",
    "mechanisms_table",
    "patient",
    "profile_study",
    "rank",
    "rank_cohort",
    "show",
    "trials_table",
    "twin",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from immunescape.release import installed_version

        return installed_version()
    if name in __all__:
        from immunescape import api

        return getattr(api, name)
    if name in ("trial", "design", "profile"):  # packages: a call answers with the function to use
        import immunescape.design
        import immunescape.profile
        import immunescape.trial  # noqa: F401

        return globals()[name]
    raise AttributeError(f"module 'immunescape' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
