"""Faecal microbiota transplantation from a donor."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Drug, Quantity, Reaction, State

DRUG = Drug(
    name="fecal_transplant",
    title="Fecal microbiota transfer",
    summary=(
        "Stool of a donor (a responder or a healthy person). One dose engrafts for months; it supplies commensals and "
        "Akkermansia. Engraftment is assumed; two trials in melanoma refractory to PD-1 antibodies reported responses "
        "in 6 of 15 and 3 of 10 patients."
    ),
    references=("davar2021", "baruch2021", "routy2023"),
    parameters="fecal_transplant.csv",
    requires=("body",),
    states=(
        State(
            "fecal_transplant_G",
            "dimensionless",
            "peripheral",
            "Bacteria of the microbiome transfer in the gut, in doses",
        ),
    ),
    reactions=(
        Reaction(
            "fecal_transplant_loss",
            "k_out_fecal_transplant * fecal_transplant_G",
            "Loss of what was given",
            {"fecal_transplant_G": 1},
        ),
    ),
    quantities=(
        Quantity(
            "fecal_transplant_now",
            "fecal_transplant_G",
            "dimensionless",
            "Bacteria of the microbiome transfer in the gut, in doses",
            observable=True,
        ),
    ),
    contributions=(
        Contribution("commensal_supply", "supply_fecal_transplant * fecal_transplant_G"),
        Contribution("akkermansia_supply", "akk_fecal_transplant * fecal_transplant_G"),
    ),
    drug_class="microbiome transfer",
    targets=("gut flora",),
    dose_state="fecal_transplant_G",
    dose_units=("dose",),
    dose_amounts={"dose": 1.0},
    route="oral",
    synonyms=("FMT", "faecal microbiota transplantation"),
)
