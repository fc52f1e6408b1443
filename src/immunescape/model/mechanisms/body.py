"""The host: volumes of blood, peripheral tissue and the tumour-draining lymph nodes."""

from __future__ import annotations

from immunescape.model.declarations import Mechanism, Quantity

MECHANISM = Mechanism(
    name="body",
    title="Host compartments",
    summary=(
        "Blood (central), all tissue reached by lymphocytes and antibodies (peripheral), and the tumour-draining "
        "lymph nodes lumped into one volume."
    ),
    references=("jafarnejad2019", "wang2023"),
    parameters="body.csv",
    compartments={"central": "V_C", "peripheral": "V_P", "lymph_node": "V_LN"},
    quantities=(
        Quantity(
            "V_LN",
            "n_LN * 4 / 3 * pi * (D_LN / 2)^3",
            "milliliter",
            "Volume of the tumour-draining lymph nodes, spheres of equal diameter",
        ),
    ),
)
