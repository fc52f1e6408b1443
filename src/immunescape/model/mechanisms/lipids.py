"""Lipids of the tumour: cholesterol and long-chain fatty acids."""

from __future__ import annotations

from immunescape.model.declarations import Mechanism, Modulation, Quantity

MECHANISM = Mechanism(
    name="lipids",
    title="Cholesterol and long-chain fatty acids",
    summary=(
        "Levels that differ between tumours: cholesterol raises PD-1 and exhaustion of CD8 T cells; long-chain fatty "
        "acids impair their mitochondria and promote exhaustion."
    ),
    references=("ma2019chol", "manzo2020"),
    parameters="lipids.csv",
    requires=("tumour_growth",),
    quantities=(
        Quantity(
            "lipid_stress_T",
            "r_exh_cholesterol * cholesterol_tumour + r_exh_LCFA * lcfa_tumour",
            "dimensionless",
            "Exhausting strength of cholesterol and long-chain fatty acids",
            observable=True,
        ),
    ),
    modulations=(
        Modulation("exhaustion", "metabolic", "promotes", "lipid_stress_T"),
        Modulation("pd1_expression", "cholesterol", "promotes", "r_PD1_cholesterol * cholesterol_tumour"),
    ),
)
