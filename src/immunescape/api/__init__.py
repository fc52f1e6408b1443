"""What ``import immunescape`` offers: functions that load, build and profile, and records that run and show themselves.

The modules import what computes inside their functions, so that importing them costs nothing.
"""

from __future__ import annotations

from immunescape.api.cohort_ranking import RankedCohort, rank_cohort
from immunescape.api.designs import DesignRun, VirtualDesign, design_sizes, designs_table, load_design, run_designs
from immunescape.api.model import build_model, drugs_table, mechanism_from_sbml, mechanisms_table, show
from immunescape.api.profiles import ProfiledStudy, biomarkers_table, build_reference, profile_study
from immunescape.api.ranking_settings import RankingSettings
from immunescape.api.trials import VirtualResult, VirtualTrial, load_trial, patient, trials_table
from immunescape.api.twins import RankedOptions, Twins, rank, twin

__all__ = [
    "DesignRun",
    "ProfiledStudy",
    "RankedCohort",
    "RankedOptions",
    "RankingSettings",
    "Twins",
    "VirtualDesign",
    "VirtualResult",
    "VirtualTrial",
    "biomarkers_table",
    "build_model",
    "build_reference",
    "design_sizes",
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
    "run_designs",
    "show",
    "trials_table",
    "twin",
]
