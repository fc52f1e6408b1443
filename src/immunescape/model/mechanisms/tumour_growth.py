"""Cancer cells: clones, growth with capacity, death, clearance of dead cells, volume and diameter."""

from __future__ import annotations

from immunescape.model.declarations import Clone, Contribution, Event, Mechanism, Pool, Quantity, Reaction, State, Trait

MECHANISM = Mechanism(
    name="tumour_growth",
    title="Tumour growth and clones of cancer cells",
    summary=(
        "Logistic growth of clones that share one carrying capacity, in addition to spontaneous loss and replacement "
        "of cells; death by chemotherapy in proportion to each clone's sensitivity; clearance of dead cells. The "
        "volume follows from living, doomed and dead cancer cells at the cell density of solid tumours, and from "
        "lymphocytes at the measured volume of a lymphocyte, so that their density cannot exceed close packing. A "
        "clone below one cell is extinct; it returns only if it emerges anew."
    ),
    references=("usuda1994", "mackintosh2014", "wang2012", "delmonte2009", "segel1981", "steel1967"),
    parameters="tumour_growth.csv",
    requires=("body",),
    compartments={"tumour": "V_T"},
    processes={
        "growth": "division of cancer cells",
        "ifn_signalling": "signalling of interferon receptors in cancer cells (JAK1/2, STAT1, IRF1)",
        "perfusion": "what blood brings to and takes from the tumour (oxygen, nutrients, metabolites)",
        "drug_delivery": "exchange of antibodies between blood and tumour",
    },
    states=(
        State(
            "C_{clone}",
            "cell",
            "tumour",
            "Living cancer cells",
            initial="C_seed * fraction_{clone}",
            atol=1e-2,
        ),
        State("C_dead_T", "cell", "tumour", "Dead cancer cells not yet cleared", atol=1e-2),
    ),
    reactions=(
        Reaction(
            "growth_{clone}",
            "birth_rate * C_{clone}",
            "Division: net growth towards the capacity that all clones share, and replacement of spontaneous loss",
            products={"C_{clone}": 1},
        ),
        Reaction(
            "natural_death_{clone}",
            "k_turnover * C_{clone}",
            "Spontaneous loss of cancer cells",
            reactants={"C_{clone}": 1},
            products={"C_dead_T": 1},
        ),
        Reaction(
            "chemo_death_{clone}",
            "chemo_rate_{clone} * C_{clone}",
            "Death by chemotherapy",
            reactants={"C_{clone}": 1},
            products={"C_dead_T": 1},
        ),
        Reaction(
            "dead_cell_clearance",
            "k_cell_clear * C_dead_T",
            "Clearance of dead cancer cells",
            reactants={"C_dead_T": 1},
        ),
    ),
    quantities=(
        Quantity(
            "birth_rate",
            "(k_growth * (1 - C_total / C_max) + k_turnover) * f_growth",
            "1/day",
            "Rate at which a cancer cell divides",
        ),
        Quantity(
            "chemo_rate_{clone}",
            "chemo_kill * chemo_sensitivity_{clone} + chemo_kill_uncrossed",
            "1/day",
            "Rate at which chemotherapy kills cells of a clone",
        ),
        Quantity(
            "chemo_target_T",
            "SUM(chemo_sensitivity_{clone} * C_{clone})",
            "cell",
            "Living cancer cells weighted by their sensitivity to chemotherapy",
        ),
        Quantity("C_total", "SUM(C_{clone})", "cell", "Living cancer cells of all clones", observable=True),
        Quantity(
            "V_T",
            "V_T_min + (C_total + doomed_T + C_dead_T) / rho_tumour + lymphocytes_T / rho_lymphocytes",
            "milliliter",
            "Tumour volume",
            observable=True,
        ),
        Quantity(
            "V_scan_T",
            "V_T + scar_T / rho_tumour",
            "milliliter",
            "Tumour volume as scans show it, which do not tell a scar from tumour",
            observable=True,
        ),
        Quantity(
            "diameter_T",
            "2 * (3 * V_T / (4 * pi))^(1 / 3)",
            "centimeter",
            "Diameter of the sphere that has the tumour's volume",
            observable=True,
        ),
        Quantity(
            "resistant_share_T",
            "C_resistant / (C_total + one_cell)",
            "dimensionless",
            "Chemotherapy-resistant share of living cancer cells",
            observable=True,
        ),
    ),
    pools=(
        Pool("lymphocytes_T", "cell", "Lymphocytes in the tumour, which take room in it"),
        Pool("doomed_T", "cell", "Cells that will not divide again but still live, as after radiation"),
        Pool(
            "scar_T", "cell", "Scar where cancer cells were, as after radiation: the cells that would take its volume"
        ),
        Pool("chemo_kill", "1/day", "Rate at which chemotherapy kills fully sensitive cancer cells"),
        Pool(
            "chemo_kill_uncrossed",
            "1/day",
            "Rate at which chemotherapy without cross-resistance to the first line kills cancer cells of every clone",
        ),
        Pool("death_rate_{clone}", "1/day", "Rate at which a cell of a clone dies; it decides whether one establishes"),
        Pool("dying_T", "cell/day", "Cancer cells that die, whatever the cause; they release danger signals"),
        Pool("dying_antigenic_T", "cell/day", "Cancer cells that die, weighted by the antigenicity of their clone"),
    ),
    contributions=(
        Contribution("death_rate_{clone}", "k_turnover + chemo_rate_{clone}"),
        Contribution("dying_T", "SUM((k_turnover + chemo_rate_{clone}) * C_{clone})"),
        Contribution(
            "dying_antigenic_T",
            "SUM(antigenicity_{clone} * (k_turnover + chemo_rate_{clone}) * C_{clone})",
        ),
    ),
    traits=(
        Trait("antigenicity", "1", "Neoantigens presented, relative to the reference clone"),
        Trait(
            "ifn_response",
            "f_ifn_signalling",
            "Response to interferons (JAK1/2, STAT1, IRF1), 1 where nothing is lost; 0 after loss of JAK1/2",
        ),
        Trait("chemo_sensitivity", "1", "Sensitivity to chemotherapy, relative to the sensitive clone"),
    ),
    clones=(
        Clone("sensitive", "Cancer cells sensitive to chemotherapy"),
        Clone(
            "resistant",
            "Cancer cells resistant to chemotherapy",
            fraction="f_resistant",
            traits={"chemo_sensitivity": "1 / r_resist"},
        ),
    ),
    events=(Event("extinction_{clone}", "C_{clone} < one_cell * cell_multiple", {"C_{clone}": "0"}),),
)
