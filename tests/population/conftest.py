"""A small tumour model with an analytic growth curve, made of ordinary declarations."""

from __future__ import annotations

from pathlib import Path

import pytest

from immunescape.engine import get_engine
from immunescape.model.assembly import Model
from immunescape.model.declarations import Clone, Drug, Event, Mechanism, Quantity, Reaction, State

TABLE = """name,value,unit,distribution,spread,lower,upper,source,grade,note
k_growth,0.02,1/day,lognormal,0.5,,,assumed,assumed,
k_kill_small,0.004,1/day,uniform,,0.0,0.03,assumed,assumed,
C_start,1,cell,,,,,assumed,assumed,
f_small,1e-9,dimensionless,loguniform,,1e-12,1e-6,assumed,assumed,
cell_volume,5e-9,milliliter/cell,,,,,assumed,assumed,
n_clones_tum,92,dimensionless,lognormal,1,,,assumed,assumed,
pdl1_tumour,1,dimensionless,lognormal,0.5,,,assumed,assumed,
k_infiltrate,1000,cell/milliliter/day,lognormal,1,,,assumed,assumed,
k_leave,0.1,1/day,,,,,assumed,assumed,
V_C_small,5,liter,,,,,assumed,assumed,
"""
DRUG_TABLE = """name,value,unit,distribution,spread,lower,upper,source,grade,note
k_out_toxin,0.5,1/day,lognormal,0.3,,,assumed,assumed,
weight_toxin,76.8,kilogram,,,,,assumed,assumed,
"""


@pytest.fixture(scope="session")
def small_mechanism(tmp_path_factory: pytest.TempPathFactory) -> Mechanism:
    path: Path = tmp_path_factory.mktemp("small") / "small.csv"
    path.write_text(TABLE)
    return Mechanism(
        name="small",
        title="Small tumour",
        summary="Exponential growth minus killing, and CD8 T cells in proportion to the volume.",
        references=(),
        parameters=path,
        compartments={"central": "V_C_small", "tumour": "V_T"},
        states=(
            State("C_{clone}", "cell", "tumour", "cancer cells", initial="C_start * fraction_{clone}", atol=1e-3),
            State("CD8_T", "cell", "tumour", "T cells", atol=1e-3),
        ),
        reactions=(
            Reaction("growth_{clone}", "k_growth * C_{clone}", "growth", products={"C_{clone}": 1}),
            Reaction("death_{clone}", "k_kill_small * C_{clone}", "killing", reactants={"C_{clone}": 1}),
            Reaction("arrival", "k_infiltrate * V_T", "arrival", products={"CD8_T": 1}),
            Reaction("departure", "k_leave * CD8_T", "departure", reactants={"CD8_T": 1}),
        ),
        quantities=(
            Quantity("C_total", "SUM(C_{clone})", "cell", "all", observable=True),
            Quantity("V_T", "C_total * cell_volume", "milliliter", "volume", observable=True),
            Quantity("diameter_T", "2 * (3 * V_T / (4 * pi))^(1 / 3)", "centimeter", "diameter", observable=True),
            Quantity("CD8_density_T", "CD8_T / V_T", "cell/milliliter", "density", observable=True),
        ),
        clones=(Clone("large", "most"), Clone("small", "emerging", fraction="f_small")),
        events=(Event("extinct_{clone}", "C_{clone} < 0.5", {"C_{clone}": "0"}),),
    )


@pytest.fixture(scope="session")
def toxin(tmp_path_factory: pytest.TempPathFactory) -> Drug:
    path: Path = tmp_path_factory.mktemp("toxin") / "toxin.csv"
    path.write_text(DRUG_TABLE)
    return Drug(
        name="toxin",
        title="Toxin",
        summary="A drug that leaves the blood.",
        references=(),
        parameters=path,
        states=(State("toxin_C", "nanomole", "central", "in blood"),),
        reactions=(Reaction("toxin_out", "k_out_toxin * toxin_C", "out", reactants={"toxin_C": 1}),),
        quantities=(Quantity("dose_per_kg", "weight_toxin", "kilogram", "weight"),),
        dose_state="toxin_C",
        molar_mass=500.0,
    )


@pytest.fixture(scope="session")
def small_model(small_mechanism: Mechanism, toxin: Drug) -> Model:
    return Model.build([small_mechanism], drugs=[toxin])


@pytest.fixture(scope="session")
def engine():
    """The engine that grows patients fastest here."""
    return get_engine("auto")
