"""Clostridium butyricum CBM588: live bacterial product."""

from __future__ import annotations

from immunescape.model.declarations import Contribution, Drug, Quantity, Reaction, State

DRUG = Drug(
    name="cbm588",
    title="Clostridium butyricum CBM588",
    summary=(
        "Live bacteria that support Bifidobacterium and other commensals while they are taken (80 mg twice daily) and "
        "are lost within days. The size of the effect is assumed."
    ),
    references=("tomita2020", "dizman2022"),
    parameters="cbm588.csv",
    requires=("body",),
    states=(State("cbm588_G", "dimensionless", "peripheral", "Bacteria of the probiotic in the gut, in doses"),),
    reactions=(Reaction("cbm588_loss", "k_out_cbm588 * cbm588_G", "Loss of what was given", {"cbm588_G": 1}),),
    quantities=(
        Quantity(
            "cbm588_now", "cbm588_G", "dimensionless", "Bacteria of the probiotic in the gut, in doses", observable=True
        ),
    ),
    contributions=(Contribution("commensal_supply", "supply_cbm588 * cbm588_G / (cbm588_G + half_cbm588)"),),
    drug_class="probiotic",
    targets=("gut flora",),
    dose_state="cbm588_G",
    dose_units=("mg",),
    dose_amounts={"mg": 1 / 80},
    route="oral",
    synonyms=("CBM588", "CBM 588", "Clostridium butyricum MIYAIRI 588"),
)
