"""DUX4: an embryonic transcription factor that blocks the answer of cancer cells to interferon-gamma."""

from __future__ import annotations

from immunescape.model.declarations import Mechanism, Modulation

MECHANISM = Mechanism(
    name="dux4",
    title="DUX4",
    summary=(
        "DUX4, silent in most tumours, suppresses interferon signalling in cancer cells, and so the MHC-I, MHC-II and "
        "PD-L1 that interferons raise."
    ),
    references=("chew2019",),
    parameters="dux4.csv",
    requires=("tumour_growth",),
    modulations=(Modulation("ifn_signalling", "dux4", "inhibits", "r_DUX4 * dux4_expression"),),
)
