"""Further brakes on CD8 T cells in the tumour: LAG-3, TIM-3, TIGIT, VISTA, BTLA and CTLA-4, with their trafficking."""

from __future__ import annotations

from immunescape.model.declarations import Mechanism, Modulation, Pool, Quantity, Reaction, State

_PLAIN = "dimensionless"
_TRAFFICKED = {"LAG3": "LAG-3", "TIM3": "TIM-3", "TIGIT": "TIGIT"}
_HELD = {"VISTA": "VISTA", "BTLA": "BTLA", "CTLA4T": "CTLA-4"}


def _pool(receptor: str) -> str:
    return "ctla4_antibody_T" if receptor == "CTLA4T" else f"{receptor.lower()}_antibody_T"


def _open(receptor: str) -> str:
    bridge = " + lag3_bridge_T" if receptor == "LAG3" else ""
    return f"1 / (1 + {_pool(receptor)}{bridge})"


def _states() -> tuple[State, ...]:
    return tuple(
        State(
            f"{r}_CD8",
            _PLAIN,
            "tumour",
            f"{receptor} on CD8 T cells, relative to the reference patient",
            "1",
            atol=1e-6,
        )
        for r, receptor in _TRAFFICKED.items()
    )


def _reactions() -> tuple[Reaction, ...]:
    out = []
    for r, receptor in _TRAFFICKED.items():
        bridge = f" + (r_strip_{r} - 1) * lag3_bridge_T * open_{r}" if r == "LAG3" else ""
        out += [
            Reaction(
                f"{r}_synthesis",
                f"k_turn_{r} * f_coinhibitory_expression",
                f"{receptor} reaches the surface",
                products={f"{r}_CD8": 1},
            ),
            Reaction(
                f"{r}_internalisation",
                f"k_turn_{r} * {r}_CD8 * (1 - (1 - r_held_{r}) * {_pool(r)} * open_{r}{bridge})",
                f"{receptor} leaves the surface: internalised or shed, slower if bound by a blocking antibody",
                reactants={f"{r}_CD8": 1},
            ),
        ]
    return tuple(out)


MECHANISM = Mechanism(
    name="checkpoints_tim3_lag3_tigit",
    title="LAG-3, TIM-3, TIGIT, VISTA, BTLA and CTLA-4 in the tumour",
    summary=(
        "Inhibitory receptors of CD8 T cells and their ligands (FGL1 and MHC-II, galectin-9, CD155, VSIG3, HVEM, "
        "CD80/CD86) jointly inhibit killing and the output of progenitors: one pathway with one saturation. LAG-3, "
        "TIM-3 and TIGIT are synthesised and internalised. Exhaustion, and signalling released from PD-1 inhibition, "
        "raise their synthesis; an antibody that only blocks retains the receptor on the surface, so that its level "
        "rises; a bispecific antibody that bridges LAG-3 and PD-L1 removes it."
    ),
    references=("koyama2016b", "kraman2020", "thommen2018", "wang2019fgl1", "kurtulus2015", "woo2012"),
    parameters="checkpoints_tim3_lag3_tigit.csv",
    requires=("cd8", "exhaustion", "checkpoints_pd1", "checkpoints_ctla4", "tumour_growth"),
    processes={"coinhibitory_expression": "synthesis of LAG-3, TIM-3 and TIGIT by CD8 T cells in the tumour"},
    states=_states(),
    reactions=_reactions(),
    quantities=(
        *(
            Quantity(f"open_{r}", _open(r), _PLAIN, f"Share of {w} not bound by antibody")
            for r, w in (_TRAFFICKED | _HELD).items()
        ),
        *(
            Quantity(
                f"{r}_level_T", f"{r}_CD8", _PLAIN, f"{w} on CD8 T cells relative to the reference", observable=True
            )
            for r, w in _TRAFFICKED.items()
        ),
        Quantity(
            "coinhibition_T",
            " + ".join(
                [f"x_{r} * ligand_{r} * {r}_CD8 * open_{r}" for r in _TRAFFICKED]
                + [f"x_{r} * ligand_{r} * open_{r}" for r in _HELD]
            ),
            _PLAIN,
            "Signal of the inhibitory receptors other than PD-1",
            observable=True,
        ),
    ),
    pools=(
        *(
            Pool(_pool(r), _PLAIN, f"Free antibody in the tumour / concentration that half blocks {w}")
            for r, w in (_TRAFFICKED | _HELD).items()
            if r != "CTLA4T"
        ),
        Pool("lag3_bridge_T", _PLAIN, "Free bispecific of LAG-3 and PD-L1 / concentration that half blocks LAG-3"),
    ),
    modulations=(
        Modulation("killing", "coinhibition", "inhibits", "coinhibition_T"),
        Modulation("reactivation", "coinhibition", "inhibits", "r_coinhibition_output * coinhibition_T"),
        Modulation("coinhibitory_expression", "exhaustion", "promotes", "r_exh_receptors * exhausted_share_T"),
        Modulation(
            "coinhibitory_expression", "pd1", "inhibits", "r_comp_PD1 * synC_complex / (synC_complex + PD1_50_killing)"
        ),
    ),
)
