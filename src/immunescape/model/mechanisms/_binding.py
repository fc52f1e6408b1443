"""Binding in a synapse: the free fraction follows its equilibrium by Newton's method in continuous time.

The rates of binding (1e5 per day and more) would make the model very stiff. Instead, what is free of a receptor
(a share of its total) is a state u that flows to the root of its mass balance F(u) = 0 by ``du/dt =
-k_equilibrium F / F'``. Along this flow F falls as ``exp(-k_equilibrium t)`` from whatever start: no overshoot,
no stiffness, and the exact equilibrium of competitive binding at rest. ``1 / k_equilibrium`` is a quarter of an
hour, the time scale of antibody binding.

Amounts are surface densities (substance per area), and so are dissociation constants (3D constant times synapse gap).

An antibody against receptor R binds with one arm (``RA = 2 a R``) and crosslinks with the other (``RAR = chi a
R^2``), where ``a`` = free concentration / intrinsic Kd. The pools hold ``e`` = free concentration /
(concentration that half blocks the receptor in co-culture, where both arms bind and the ligand competes). With
`avidity` = intrinsic Kd / that concentration, ``a = e / avidity``. In the assay, `ligand` = ligand complexes
per free receptor; at ``e = 1`` the antibody binds half of ``R_ref`` and ``R_ref / (2 (1 + ligand))`` is free,
so ``chi = (1 + ligand) (avidity (1 + ligand) - 2) / R_ref``. The total is then ``R (1 + 2 a) + 2 chi a R^2 +
ligand complexes``.
"""

from __future__ import annotations

from dataclasses import dataclass

from immunescape.model.declarations import Compartment, Quantity, Reaction, State

__all__ = ["Antibody", "Synapse", "costimulation", "pd1_synapse"]

_DENSITY = "molecule/micrometer^2"
_PLAIN = "dimensionless"
_RECEPTORS = ("CD28", "CTLA4", "PD1", "PDL1")
"""What is free of these is a state of the node synapse."""
_P0, _P6, _Q0, _Q6 = "K_CD28_CD80", "K_CD28_CD86", "K_CTLA4_CD80", "K_CTLA4_CD86"
_K1, _K2, _KC = "K_PD1_PDL1", "K_PD1_PDL2", "K_CD80_PDL1"


@dataclass(frozen=True)
class Antibody:
    """Names of the quantities a (dimensionless) and 2 chi a (area per substance) of the antibodies on one receptor."""

    one_arm: str
    two_arms: str

    @classmethod
    def on(cls, tag: str, pool: str, receptor: str, reference: str) -> tuple[Antibody, tuple[Quantity, ...]]:
        """Return the names, and the quantities that convert a pool; `reference` is the expression of ``R_ref``."""
        avidity, ligand = f"avidity_{receptor}", f"assay_ligand_{receptor}"
        names = cls(f"{tag}_arm", f"{tag}_cross")
        return names, (
            Quantity(names.one_arm, f"{pool} / {avidity}", _PLAIN, f"{pool} by the affinity of one arm"),
            Quantity(
                names.two_arms,
                f"2 * (1 + {ligand}) * ({avidity} * (1 + {ligand}) - 2) / ({reference}) * {names.one_arm}",
                "micrometer^2/molecule",
                f"{pool}: crosslinking by the second arm",
            ),
        )


@dataclass(frozen=True)
class Synapse:
    """What a synapse adds to a mechanism."""

    states: tuple[State, ...]
    reactions: tuple[Reaction, ...]
    quantities: tuple[Quantity, ...]


def _root(total: str, linear: str, square: str) -> str:
    """Return the positive root x of ``square x^2 + linear x = total``; no cancellation, finite at square = 0."""
    return f"2 * {total} / ({linear} + sqrt({linear} * {linear} + 4 * {square} * {total}))"


def _free(name: str, compartment: Compartment, what: str, start: str) -> State:
    return State(name, _PLAIN, compartment, f"Free share of {what}", start, atol=1e-9)


def pd1_synapse(
    tag: str, *, where: str, pd1: str, pdl1: str, pdl2: str, on_pd1: Antibody, on_pdl1: Antibody
) -> Synapse:
    """PD-1 against PD-L1 and PD-L2 in the tumour, with antibodies on either side; PD-L1 is eliminated exactly.

    Parameters
    ----------
    tag
        Prefix of the names; ``<tag>_complex`` is PD-1 bound to either ligand (density).
    where
        The other cell of the synapse, in words.
    pd1, pdl1, pdl2
        Names of the total densities.
    on_pd1, on_pdl1
        Antibodies.
    """
    a, x = on_pd1.one_arm, on_pd1.two_arms
    b, y = on_pdl1.one_arm, on_pdl1.two_arms
    u, r, free = f"{tag}_PD1_free", f"{tag}_R", f"{tag}_L"
    bound = f"{tag}_B"
    return Synapse(
        (_free(u, "tumour", f"PD-1 in the synapse with {where}", "0.1"),),
        (
            Reaction(
                f"{tag}_equilibration",
                f"k_equilibrium * ({pd1} - {r} * (1 + 2 * {a} + {x} * {r}) - {tag}_complex) / ({tag}_slope * {pd1})",
                f"PD-1 in the synapse with {where} follows its equilibrium",
                products={u: 1},
            ),
        ),
        (
            Quantity(r, f"{u} * {pd1}", _DENSITY, f"Free PD-1 in the synapse with {where}"),
            Quantity(bound, f"1 + 2 * {b} + {r} / K_PD1_PDL1", _PLAIN, "PD-L1, its crosslinks aside, per free PD-L1"),
            Quantity(free, _root(pdl1, bound, y), _DENSITY, f"Free PD-L1 in the synapse with {where}"),
            Quantity(
                f"{tag}_slope",
                f"1 + 2 * {a} + 2 * {x} * {r}"
                f" + {free} / K_PD1_PDL1 * (1 - {r} / K_PD1_PDL1 / ({bound} + 2 * {y} * {free}))"
                f" + {pdl2} * K_PD1_PDL2 / ((K_PD1_PDL2 + {r}) * (K_PD1_PDL2 + {r}))",
                _PLAIN,
                "Slope of total in free PD-1",
            ),
            Quantity(
                f"{tag}_complex",
                f"{r} * {free} / K_PD1_PDL1 + {pdl2} * {r} / (K_PD1_PDL2 + {r})",
                _DENSITY,
                f"PD-1 bound to PD-L1 or PD-L2 in the synapse with {where}",
            ),
        ),
    )


def _newton(tag: str, k: str, first: tuple[str, str, str], second: tuple[str, str, str]) -> tuple[Reaction, Reaction]:
    """Return the flow of two unknowns, each (state, total, what); ``<tag>_f1 .. j22`` are balances and their slopes."""
    f1, f2, j11, j12, j21, j22 = (f"{tag}_{w}" for w in ("f1", "f2", "j11", "j12", "j21", "j22"))
    det = f"({j11} * {j22} - {j12} * {j21})"
    u, total_u, what_u = first
    v, total_v, what_v = second
    return (
        Reaction(
            f"{u}_equilibration",
            f"{k} * ({j12} * {f2} - {j22} * {f1}) / ({det} * {total_u})",
            f"{what_u} follows its equilibrium",
            products={u: 1},
        ),
        Reaction(
            f"{v}_equilibration",
            f"{k} * ({j21} * {f1} - {j11} * {f2}) / ({det} * {total_v})",
            f"{what_v} follows its equilibrium",
            products={v: 1},
        ),
    )


@dataclass(frozen=True, kw_only=True)
class _NodeSynapse:
    """Names of the node synapse: total densities of receptors and ligands, and the antibodies on three receptors."""

    tag: str
    cd28: str
    ctla4: str
    cd80: str
    cd86: str
    pd1: str
    pdl1: str
    pdl2: str
    on_pd1: Antibody
    on_pdl1: Antibody
    on_ctla4: Antibody

    @property
    def free(self) -> tuple[str, str, str, str]:
        """Free densities: CD28, CTLA-4, PD-1, PD-L1."""
        tag = self.tag
        return f"{tag}_S", f"{tag}_X", f"{tag}_R", f"{tag}_L"

    @property
    def ligands(self) -> tuple[str, str, str, str]:
        """CD80 and CD86 per free one, and the free ones."""
        tag = self.tag
        return f"{tag}_d0", f"{tag}_d6", f"{tag}_b0", f"{tag}_b6"

    def densities(self) -> list[Quantity]:
        """What is free, CD80 and CD86 eliminated by their own balances, and what is bound."""
        s, x, r, free = self.free
        d0, d6, b0, b6 = self.ligands
        totals = zip(self.free, _RECEPTORS, (self.cd28, self.ctla4, self.pd1, self.pdl1), strict=True)
        return [
            *(
                Quantity(
                    name, f"{self.tag}_{receptor}_free * {total}", _DENSITY, f"Free {receptor} in the node synapse"
                )
                for name, receptor, total in totals
            ),
            Quantity(d0, f"1 + {s} / {_P0} + {x} / {_Q0} + {free} / {_KC}", _PLAIN, "CD80 per free CD80"),
            Quantity(d6, f"1 + {s} / {_P6} + {x} / {_Q6}", _PLAIN, "CD86 per free CD86"),
            Quantity(b0, f"{self.cd80} / {d0}", _DENSITY, "Free CD80"),
            Quantity(b6, f"{self.cd86} / {d6}", _DENSITY, "Free CD86"),
            Quantity(
                f"{self.tag}_CD28", f"{s} * ({b0} / {_P0} + {b6} / {_P6})", _DENSITY, "CD28 bound to CD80 or CD86"
            ),
            Quantity(
                f"{self.tag}_PD1",
                f"{r} * ({free} / {_K1} + {self.pdl2} / ({_K2} + {r}))",
                _DENSITY,
                "PD-1 bound to its ligands",
            ),
        ]

    def costimulatory_balance(self, c: str) -> list[Quantity]:
        """Balances of CD28 and CTLA-4 and their slopes, named by the prefix `c`."""
        s, x, _, _ = self.free
        d0, d6, b0, b6 = self.ligands
        a4, x4 = self.on_ctla4.one_arm, self.on_ctla4.two_arms
        # CD28 and CTLA-4 meet in the ligands that both bind, so each lowers what the other has
        shared = f"({b0} / ({d0} * {_P0} * {_Q0}) + {b6} / ({d6} * {_P6} * {_Q6}))"
        return [
            Quantity(f"{c}_f1", f"{s} + {self.tag}_CD28 - {self.cd28}", _DENSITY, "Balance of CD28"),
            Quantity(
                f"{c}_f2",
                f"{x} * (1 + 2 * {a4} + {x4} * {x} + {b0} / {_Q0} + {b6} / {_Q6}) - {self.ctla4}",
                _DENSITY,
                "Balance of CTLA-4",
            ),
            Quantity(
                f"{c}_j11",
                f"1 + {b0} / {_P0} * (1 - {s} / ({d0} * {_P0})) + {b6} / {_P6} * (1 - {s} / ({d6} * {_P6}))",
                _PLAIN,
                "Slope of the balance of CD28 in free CD28",
            ),
            Quantity(f"{c}_j12", f"-{s} * {shared}", _PLAIN, "Slope of the balance of CD28 in free CTLA-4"),
            Quantity(f"{c}_j21", f"-{x} * {shared}", _PLAIN, "Slope of the balance of CTLA-4 in free CD28"),
            Quantity(
                f"{c}_j22",
                f"1 + 2 * {a4} + 2 * {x4} * {x} + {b0} / {_Q0} * (1 - {x} / ({d0} * {_Q0}))"
                f" + {b6} / {_Q6} * (1 - {x} / ({d6} * {_Q6}))",
                _PLAIN,
                "Slope of the balance of CTLA-4 in free CTLA-4",
            ),
        ]

    def inhibitory_balance(self, p: str) -> list[Quantity]:
        """Balances of PD-1 and PD-L1 and their slopes, named by the prefix `p`; PD-L1 also binds CD80 in cis."""
        _, _, r, free = self.free
        d0, _, b0, _ = self.ligands
        a1, x1 = self.on_pd1.one_arm, self.on_pd1.two_arms
        al, xl = self.on_pdl1.one_arm, self.on_pdl1.two_arms
        return [
            Quantity(
                f"{p}_f1",
                f"{r} * (1 + 2 * {a1} + {x1} * {r}) + {self.tag}_PD1 - {self.pd1}",
                _DENSITY,
                "Balance of PD-1",
            ),
            Quantity(
                f"{p}_f2",
                f"{free} * (1 + 2 * {al} + {xl} * {free} + {r} / {_K1} + {b0} / {_KC}) - {self.pdl1}",
                _DENSITY,
                "Balance of PD-L1",
            ),
            Quantity(
                f"{p}_j11",
                f"1 + 2 * {a1} + 2 * {x1} * {r} + {free} / {_K1}"
                f" + {self.pdl2} * {_K2} / (({_K2} + {r}) * ({_K2} + {r}))",
                _PLAIN,
                "Slope of the balance of PD-1 in free PD-1",
            ),
            Quantity(f"{p}_j12", f"{r} / {_K1}", _PLAIN, "Slope of the balance of PD-1 in free PD-L1"),
            Quantity(f"{p}_j21", f"{free} / {_K1}", _PLAIN, "Slope of the balance of PD-L1 in free PD-1"),
            Quantity(
                f"{p}_j22",
                f"1 + 2 * {al} + 2 * {xl} * {free} + {r} / {_K1} + {b0} / {_KC} * (1 - {free} / ({d0} * {_KC}))",
                _PLAIN,
                "Slope of the balance of PD-L1 in free PD-L1",
            ),
        ]


def costimulation(
    tag: str,
    *,
    cd28: str,
    ctla4: str,
    cd80: str,
    cd86: str,
    pd1: str,
    pdl1: str,
    pdl2: str,
    on_pd1: Antibody,
    on_pdl1: Antibody,
    on_ctla4: Antibody,
) -> Synapse:
    """CD28 and CTLA-4 against CD80 and CD86, PD-1 against PD-L1 and PD-L2, PD-L1 with CD80 in cis, antibodies.

    Two Newton flows of two unknowns: (free CD28, free CTLA-4) with CD80 and CD86 eliminated, and (free PD-1,
    free PD-L1) with PD-L2 and the cis complex eliminated. They meet only in the cis complex.

    ``<tag>_CD28`` is CD28 bound to CD80 or CD86, ``<tag>_PD1`` is PD-1 bound to PD-L1 or PD-L2 (densities).
    """
    synapse = _NodeSynapse(
        tag=tag,
        cd28=cd28,
        ctla4=ctla4,
        cd80=cd80,
        cd86=cd86,
        pd1=pd1,
        pdl1=pdl1,
        pdl2=pdl2,
        on_pd1=on_pd1,
        on_pdl1=on_pdl1,
        on_ctla4=on_ctla4,
    )
    c, p = f"{tag}_c", f"{tag}_p"
    return Synapse(
        tuple(_free(f"{tag}_{w}_free", "lymph_node", f"{w} in the node synapse", "0.1") for w in _RECEPTORS),
        (
            *_newton(c, "k_equilibrium", (f"{tag}_CD28_free", cd28, "CD28"), (f"{tag}_CTLA4_free", ctla4, "CTLA-4")),
            *_newton(p, "k_equilibrium", (f"{tag}_PD1_free", pd1, "PD-1"), (f"{tag}_PDL1_free", pdl1, "PD-L1")),
        ),
        (*synapse.densities(), *synapse.costimulatory_balance(c), *synapse.inhibitory_balance(p)),
    )
