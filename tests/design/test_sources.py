"""Methods of trial designs name their sources by keys of the bibliography."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re

import pytest

from immunescape import design, stats
from immunescape.knowledge.references import load_references

KEY = re.compile(r"\[([a-z]+\d{4}[a-z]?)(?:,[^\]]*)?\]")
MODULES = [
    importlib.import_module(f"{package.__name__}.{m.name}")
    for package in (design, stats)
    for m in pkgutil.iter_modules(package.__path__)
]
METHODS = {
    "bayes": ("Bayesian", "probability_best", "predictive_probability", "predictive_power"),
    "boundaries": ("boundaries", "spend"),
    "combination": (
        "closed_test",
        "dunnett_critical",
        "dunnett_p",
        "fisher_combination",
        "fisher_critical",
        "intersection_p",
        "inverse_normal",
    ),
    "delayed": ("average_hazard_ratio",),
    "dose_finding": ("Boin", "Bop2", "bop2"),
    "enrichment": ("Enrichment",),
    "graphical": ("AlphaGraph",),
    "group_sequential": ("GroupSequential",),
    "multiarm": ("MultiArm",),
    "prognostic": ("adjusted_log_rank",),
    "progression": ("time_to_progression",),
    "recursion": ("exit_probabilities",),
    "samplesize": (
        "conditional_power",
        "power_rates",
        "power_survival",
        "sample_size_rates",
        "sample_size_survival",
    ),
    "ssr": ("BlindedReestimation", "Reestimation"),
    "survival_model": ("expected_events",),
    "switching": ("analyse_switching", "ipcw", "rpsft_psi"),
    "truth": ("preclude",),
    "two_stage": ("simon",),
}
"""Public functions and rules that implement a published method."""


def test_every_key_is_in_the_bibliography() -> None:
    known = load_references()
    found = {key: module.__name__ for module in MODULES for key in KEY.findall(inspect.getsource(module))}
    assert len(found) > 30
    assert {key: name for key, name in found.items() if key not in known} == {}


@pytest.mark.parametrize("name", ["fleming_harrington", "restricted_mean"])
def test_a_published_test_names_its_source(name: str) -> None:
    assert KEY.search(getattr(stats.nonproportional, name).__doc__)


@pytest.mark.parametrize(("module", "name"), [(m, n) for m, names in METHODS.items() for n in names])
def test_a_published_method_names_its_source(module: str, name: str) -> None:
    text = getattr(importlib.import_module(f"{design.__name__}.{module}"), name).__doc__
    assert KEY.search(text)


def test_no_source_is_named_without_its_key() -> None:
    authors = re.compile(
        r"[A-Z][a-z]+ (?:&|and) [A-Z][a-z]+,? \(?(?:19|20)\d\d|[A-Z][a-z]+ and others,? \(?(?:19|20)\d\d"
    )
    assert {
        m.__name__: authors.findall(inspect.getsource(m)) for m in MODULES if authors.search(inspect.getsource(m))
    } == {}
