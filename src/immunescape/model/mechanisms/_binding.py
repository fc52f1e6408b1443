"""Equilibrium binding in a synapse, written as chains of quantities: Newton steps, unrolled.

All amounts are surface densities (substance per area), so are dissociation constants (3D constant times synapse gap).

An antibody against receptor R binds with one arm (2 arms free: ``RA = 2 a R``) and crosslinks with the other
(``RAR = chi a R^2``), where ``a`` = free concentration / intrinsic Kd and ``chi`` = crosslinking factor / (gap Kd). The
pools hold ``e`` = free concentration / (concentration that half blocks the receptor on cells), where both arms bind. At
half blockade ``R/2 + 2 a R/2 + 2 chi a (R/2)^2 = R``, so ``a = e / (2 + chi R_ref)`` with ``R_ref`` the density of the
receptor on cells. The total is then ``R (1 + 2 a) + 2 chi a R^2 + ligand complexes``.
"""

from __future__ import annotations

from dataclasses import dataclass

from immunescape.model.declarations import Quantity

__all__ = ["Antibody", "costimulation", "pd1_synapse"]

_DENSITY = "molecule/micrometer^2"
_INVERSE = "micrometer^2/molecule"


@dataclass(frozen=True)
class Antibody:
    """Names of the quantities a (dimensionless) and 2 chi a (area per substance) of the antibodies on one receptor."""

    one_arm: str
    two_arms: str

    @classmethod
    def on(cls, tag: str, pool: str, chi: str, reference: str) -> tuple[Antibody, tuple[Quantity, ...]]:
        """Return the names and the quantities that convert a pool; `chi` and `reference` are expressions."""
        names = cls(f"{tag}_arm", f"{tag}_cross")
        return names, (
            Quantity(
                names.one_arm,
                f"{pool} / (2 + {chi} * {reference})",
                "dimensionless",
                f"{pool} by the intrinsic affinity of one arm",
            ),
            Quantity(names.two_arms, f"2 * {chi} * {names.one_arm}", _INVERSE, f"{pool}: crosslinking by the second arm"),
        )


def _root(total: str, linear: str, square: str) -> str:
    """Return the positive root x of ``square x^2 + linear x = total``, without cancellation and finite at square = 0."""
    return f"2 * {total} / ({linear} + sqrt({linear} * {linear} + 4 * {square} * {total}))"


def pd1_synapse(
    tag: str, *, pd1: str, pdl1: str, pdl2: str, on_pd1: Antibody, on_pdl1: Antibody, steps: int = 4
) -> tuple[Quantity, ...]:
    """PD-1 against PD-L1 and PD-L2 with antibodies on either side.

    Newton's method on free PD-1 from a lower bound (ligands taken as not depleted); it then approaches from below.

    Parameters
    ----------
    tag
        Prefix of the names; ``<tag>_complex`` is PD-1 bound to either ligand, ``<tag>_free`` is free PD-1.
    pd1, pdl1, pdl2
        Names of the total densities.
    on_pd1, on_pdl1
        Antibodies.
    steps
        Newton steps.
    """
    a, x = on_pd1.one_arm, on_pd1.two_arms
    b, y = on_pdl1.one_arm, on_pdl1.two_arms
    made: list[Quantity] = [
        Quantity(
            f"{tag}_bound0",
            f"1 + 2 * {a} + {pdl1} / (K_PD1_PDL1 * (1 + 2 * {b})) + {pdl2} / K_PD1_PDL2",
            "dimensionless",
            "Upper bound of PD-1 per free PD-1",
        ),
        Quantity(f"{tag}_R0", _root(pd1, f"{tag}_bound0", x), _DENSITY, "Free PD-1, lower bound"),
    ]
    for i in range(steps):
        r, new = f"{tag}_R{i}", f"{tag}_R{i + 1}" if i < steps - 1 else f"{tag}_free"
        made += _pd1_step(tag, i, r, new, pd1, pdl1, pdl2, a, x, b, y)
    r = f"{tag}_free"
    made += [
        Quantity(f"{tag}_B{steps}", f"1 + 2 * {b} + {r} / K_PD1_PDL1", "dimensionless", "PD-L1 per free PD-L1"),
        Quantity(f"{tag}_L{steps}", _root(pdl1, f"{tag}_B{steps}", y), _DENSITY, "Free PD-L1"),
        Quantity(
            f"{tag}_complex",
            f"{r} * {tag}_L{steps} / K_PD1_PDL1 + {pdl2} * {r} / (K_PD1_PDL2 + {r})",
            _DENSITY,
            "PD-1 bound to PD-L1 or PD-L2",
        ),
    ]
    return tuple(made)


def _pd1_step(
    tag: str, i: int, r: str, new: str, pd1: str, pdl1: str, pdl2: str, a: str, x: str, b: str, y: str, cis: str = ""
) -> list[Quantity]:
    """One Newton step on free PD-1; `cis` is a further binding of PD-L1 per free PD-L1."""
    bound, free, slope = f"{tag}_B{i}", f"{tag}_L{i}", f"{tag}_S{i}"
    extra = f" + {cis}" if cis else ""
    return [
        Quantity(bound, f"1 + 2 * {b} + {r} / K_PD1_PDL1{extra}", "dimensionless", "PD-L1 per free PD-L1"),
        Quantity(free, _root(pdl1, bound, y), _DENSITY, "Free PD-L1"),
        Quantity(
            slope,
            f"1 + 2 * {a} + 2 * {x} * {r} + {free} / K_PD1_PDL1 * (1 - {r} / K_PD1_PDL1 / ({bound} + 2 * {y} * {free}))"
            f" + {pdl2} * K_PD1_PDL2 / ((K_PD1_PDL2 + {r}) * (K_PD1_PDL2 + {r}))",
            "dimensionless",
            "Slope of total PD-1 in free PD-1",
        ),
        Quantity(
            new,
            f"{r} - ({r} * (1 + 2 * {a} + {x} * {r} + {free} / K_PD1_PDL1 + {pdl2} / (K_PD1_PDL2 + {r})) - {pd1}) / {slope}",
            _DENSITY,
            "Free PD-1",
        ),
    ]


@dataclass(frozen=True)
class _Names:
    """Total densities and antibodies of the node synapse."""

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
    sweeps: tuple[tuple[int, int], ...] = ((3, 3), (2, 2)),
) -> tuple[Quantity, ...]:
    """CD28 and CTLA-4 against CD80 and CD86, PD-1 against PD-L1 and PD-L2, PD-L1 with CD80 in cis, antibodies.

    Two blocks in turn: (free CD28, free CTLA-4) by a Newton step of two unknowns with CD80 and CD86 eliminated, then free
    PD-1 with PD-L1 eliminated. They meet only in the cis complex PD-L1:CD80, so two sweeps are enough.

    ``<tag>_CD28`` is CD28 bound to CD80 or CD86, ``<tag>_PD1`` is PD-1 bound to PD-L1 or PD-L2. `sweeps` gives the Newton
    steps of both blocks in each sweep.
    """
    n = _Names(cd28, ctla4, cd80, cd86, pd1, pdl1, pdl2, on_pd1, on_pdl1, on_ctla4)
    a4, x4 = on_ctla4.one_arm, on_ctla4.two_arms
    made = [
        Quantity(
            f"{tag}_s0", f"{cd28} / (1 + {cd80} / K_CD28_CD80 + {cd86} / K_CD28_CD86)", _DENSITY, "Free CD28, lower bound"
        ),
        Quantity(
            f"{tag}_xb",
            f"1 + 2 * {a4} + {cd80} / K_CTLA4_CD80 + {cd86} / K_CTLA4_CD86",
            "dimensionless",
            "Upper bound of CTLA-4 per free CTLA-4",
        ),
        Quantity(f"{tag}_x0", _root(ctla4, f"{tag}_xb", x4), _DENSITY, "Free CTLA-4, lower bound"),
        Quantity(f"{tag}_lb", f"1 + 2 * {on_pdl1.one_arm}", "dimensionless", "PD-L1 per PD-L1 without PD-1"),
        Quantity(f"{tag}_l0", _root(pdl1, f"{tag}_lb", on_pdl1.two_arms), _DENSITY, "Free PD-L1 without PD-1"),
        Quantity(
            f"{tag}_rb",
            f"1 + 2 * {on_pd1.one_arm} + {tag}_l0 / K_PD1_PDL1 + {pdl2} / K_PD1_PDL2",
            "dimensionless",
            "Upper bound of PD-1 per free PD-1",
        ),
        Quantity(f"{tag}_r0", _root(pd1, f"{tag}_rb", on_pd1.two_arms), _DENSITY, "Free PD-1, lower bound"),
    ]
    s, x, r, free = f"{tag}_s0", f"{tag}_x0", f"{tag}_r0", f"{tag}_l0"
    k = 0
    for first, second in sweeps:
        for _ in range(first):
            k += 1
            made += _cd28_step(f"{tag}_{k}", n, s, x, free)
            s, x = f"{tag}_{k}_s", f"{tag}_{k}_x"
        for _ in range(second):
            k += 1
            cis = f"{cd80} / (K_CD80_PDL1 * (1 + {s} / K_CD28_CD80 + {x} / K_CTLA4_CD80) + {free})"
            step = f"{tag}_{k}"
            made += _pd1_step(
                step, 0, r, f"{step}_r", pd1, pdl1, pdl2, on_pd1.one_arm, on_pd1.two_arms, on_pdl1.one_arm,
                on_pdl1.two_arms, cis,
            )  # fmt: skip
            r, free = f"{step}_r", f"{step}_L0"
    made += [
        Quantity(
            f"{tag}_b0",
            f"{cd80} / (1 + {s} / K_CD28_CD80 + {x} / K_CTLA4_CD80 + {free} / K_CD80_PDL1)",
            _DENSITY,
            "Free CD80",
        ),
        Quantity(f"{tag}_b6", f"{cd86} / (1 + {s} / K_CD28_CD86 + {x} / K_CTLA4_CD86)", _DENSITY, "Free CD86"),
        Quantity(
            f"{tag}_CD28",
            f"{s} * ({tag}_b0 / K_CD28_CD80 + {tag}_b6 / K_CD28_CD86)",
            _DENSITY,
            "CD28 bound to CD80 or CD86",
        ),
        Quantity(
            f"{tag}_PD1",
            f"{r} * ({free} / K_PD1_PDL1 + {pdl2} / (K_PD1_PDL2 + {r}))",
            _DENSITY,
            "PD-1 bound to PD-L1 or PD-L2",
        ),
    ]
    return tuple(made)


def _cd28_step(step: str, n: _Names, s: str, x: str, free: str) -> list[Quantity]:
    """One Newton step of free CD28 (`s`) and free CTLA-4 (`x`), with CD80 and CD86 eliminated."""
    d0, d6, b0, b6 = (f"{step}_{w}" for w in ("d0", "d6", "b0", "b6"))
    f1, f2, j11, j12, j21, j22 = (f"{step}_{w}" for w in ("f1", "f2", "j11", "j12", "j21", "j22"))
    p0, p6, q0, q6 = "K_CD28_CD80", "K_CD28_CD86", "K_CTLA4_CD80", "K_CTLA4_CD86"
    a4, x4 = n.on_ctla4.one_arm, n.on_ctla4.two_arms
    density, plain = _DENSITY, "dimensionless"
    return [
        Quantity(d0, f"1 + {s} / {p0} + {x} / {q0} + {free} / K_CD80_PDL1", plain, "CD80 per free CD80"),
        Quantity(d6, f"1 + {s} / {p6} + {x} / {q6}", plain, "CD86 per free CD86"),
        Quantity(b0, f"{n.cd80} / {d0}", density, "Free CD80"),
        Quantity(b6, f"{n.cd86} / {d6}", density, "Free CD86"),
        Quantity(f1, f"{s} * (1 + {b0} / {p0} + {b6} / {p6}) - {n.cd28}", density, "CD28 balance"),
        Quantity(
            f2, f"{x} * (1 + 2 * {a4} + {x4} * {x} + {b0} / {q0} + {b6} / {q6}) - {n.ctla4}", density, "CTLA-4 balance"
        ),
        Quantity(
            j11,
            f"1 + {b0} / {p0} * (1 - {s} / ({d0} * {p0})) + {b6} / {p6} * (1 - {s} / ({d6} * {p6}))",
            plain,
            "Slope of the CD28 balance in CD28",
        ),
        Quantity(
            j12,
            f"-{s} * ({b0} / ({d0} * {p0} * {q0}) + {b6} / ({d6} * {p6} * {q6}))",
            plain,
            "Slope of the CD28 balance in CTLA-4",
        ),
        Quantity(
            j21,
            f"-{x} * ({b0} / ({d0} * {p0} * {q0}) + {b6} / ({d6} * {p6} * {q6}))",
            plain,
            "Slope of the CTLA-4 balance in CD28",
        ),
        Quantity(
            j22,
            f"1 + 2 * {a4} + 2 * {x4} * {x} + {b0} / {q0} * (1 - {x} / ({d0} * {q0}))"
            f" + {b6} / {q6} * (1 - {x} / ({d6} * {q6}))",
            plain,
            "Slope of the CTLA-4 balance in CTLA-4",
        ),
        Quantity(
            f"{step}_s",
            f"{s} - ({j22} * {f1} - {j12} * {f2}) / ({j11} * {j22} - {j12} * {j21})",
            density,
            "Free CD28",
        ),
        Quantity(
            f"{step}_x",
            f"{x} - ({j11} * {f2} - {j21} * {f1}) / ({j11} * {j22} - {j12} * {j21})",
            density,
            "Free CTLA-4",
        ),
    ]
