"""immunescape: how a lung tumour escapes immunotherapy, and what to try against it.

>>> import immunescape
>>> result = immunescape.trial("keynote-024").run(patients=200, seed=1)  # doctest: +SKIP
>>> result.show()  # doctest: +SKIP

Research software: no medical device, no treatment advice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str
    from immunescape.designs import design, designs_table
    from immunescape.face import build_model, drugs_table, mechanisms_table, patient, show, trial, trials_table
    from immunescape.profiles import profile
    from immunescape.ranking import twin

__all__ = [
    "__version__",
    "build_model",
    "design",
    "designs_table",
    "drugs_table",
    "mechanisms_table",
    "patient",
    "profile",
    "show",
    "trial",
    "trials_table",
    "twin",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("immunescape")
    if name == "profile":
        from importlib import import_module

        return import_module("immunescape.profile")
    if name in ("design", "designs_table"):
        from immunescape import designs

        return getattr(designs, name)
    if name in ("rank", "twin"):
        from immunescape import ranking

        return getattr(ranking, name)
    if name in __all__:
        from immunescape import face

        return getattr(face, name)
    raise AttributeError(f"module 'immunescape' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
