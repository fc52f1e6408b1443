"""DUX4: an embryonic transcription factor that blocks the response of cancer cells to interferon-gamma."""

from __future__ import annotations

from immunescape.model.declarations import Mechanism, Modulation

MECHANISM = Mechanism(
    name="dux4",
    title="DUX4",
    summary=(
        "DUX4, which is silent in most tumours, suppresses interferon signalling in cancer cells and thereby the "
        "induction of MHC-I, MHC-II and PD-L1 by interferons."
    ),
    references=("chew2019",),
    parameters="dux4.csv",
    requires=("tumour_growth",),
    modulations=(Modulation("ifn_signalling", "dux4", "inhibits", "r_DUX4 * dux4_expression"),),
)
