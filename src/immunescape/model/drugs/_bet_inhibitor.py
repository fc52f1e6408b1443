"""BET inhibitors: less MYC and PD-L1, more MHC class I, fewer suppressive cells, viral mimicry."""

from __future__ import annotations

from typing import Literal

from immunescape.model.declarations import Contribution, Drug, Modulation
from immunescape.model.drugs._small_molecule import small_molecule

__all__ = ["bet_inhibitor"]


def bet_inhibitor(
    name: str, *, title: str, molar_mass: float, synonyms: tuple[str, ...], references: tuple[str, ...], note: str
) -> Drug:
    """Write the declaration of an oral BET inhibitor.

    Parameters
    ----------
    name
        Lower-case name; besides what `small_molecule` asks for, the table ``<name>.csv`` holds ``r_mimicry``,
        ``r_growth``, ``r_growth_kras``, ``r_MHC1``, ``r_PDL1``, ``r_Treg``, ``r_T_division`` and ``r_MDSC``, each with
        ``_<name>``.
    title, molar_mass, synonyms, references, note
        As in `Drug`.
    """
    occupancy = f"occupancy_{name}"

    def acts(process: str, effect: Literal["inhibits", "promotes"], strength: str) -> Modulation:
        return Modulation(process, "bet_inhibition", effect, f"{strength} * {occupancy}")

    return small_molecule(
        name,
        title=title,
        drug_class="BET inhibitor",
        targets=("BRD2", "BRD3", "BRD4"),
        molar_mass=molar_mass,
        synonyms=synonyms,
        references=references,
        note=note,
        contributions=(Contribution("viral_mimicry_T", f"r_mimicry_{name} * {occupancy}"),),
        modulations=(
            acts("growth", "inhibits", f"(r_growth_{name} + r_growth_kras_{name} * kras_mutant)"),
            acts("mhc1_expression", "promotes", f"r_MHC1_{name}"),
            acts("pdl1_cancer", "inhibits", f"r_PDL1_{name}"),
            acts("treg_recruitment", "inhibits", f"r_Treg_{name}"),
            acts("proliferation", "inhibits", f"r_T_division_{name}"),
            acts("mdsc_recruitment", "inhibits", f"r_MDSC_{name}"),
        ),
        requires=("drivers",),
    )
