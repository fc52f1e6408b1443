"""Response rates of published trials beside what the response model expects from line, drugs, histology and PD-L1.

Usage: ``python scripts/response_trials.py ../shared/data``: writes the section of docs/response.md anew.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pandas as pd
from scipy.stats import spearmanr

from immunescape.console import markdown_table
from immunescape.knowledge.recorded_treatments import named_checkpoint_inhibitors
from immunescape.profile.scores import response_probability

PAGE = Path(__file__).parents[1] / "docs" / "response.md"
TITLE = "## Comparison with published trials"
CHEMOTHERAPY = r"platin|doublet|pemetrexed|paclitaxel|gemcitabine|chemotherapy"
CLASSES = {"TPS>=50": ">=50", "TPS>=1": ">=1", "TPS<1": "<1"}
OTHERS = r"anlotinib|bevacizumab|ALT-803|TIL\b|N-803"
"""Drugs that the model knows nothing of: such arms are left out."""


def rows_of(trials: pd.DataFrame) -> list[dict[str, str | float]]:
    """One row for each arm of metastatic NSCLC with a PD-1 or PD-L1 inhibitor and a published response rate."""
    rows: list[dict[str, str | float]] = []
    for t in trials.itertuples():
        regimen = re.sub(r"\(.*?\)", "", str(t.regimen)).casefold()
        inhibitors = named_checkpoint_inhibitors(regimen)
        other = re.search(OTHERS, f"{t.regimen} {t.trial}", re.IGNORECASE)
        if not inhibitors or other or "stage III" in t.population or pd.isna(t.orr_pct) or t.arm != "experimental":
            continue
        values = {
            "prior_therapy": str(t.line) != "1",
            "chemotherapy": bool(re.search(CHEMOTHERAPY, regimen)),
            "ctla4": "CTLA-4" in inhibitors,
            "squamous": {"squamous": True, "non-squamous": False}.get(t.histology),
            "pdl1": CLASSES.get(t.pdl1),
            "egfr": True if "EGFR TKI" in t.population else None,
        }
        s = response_probability(values).standings["response"]
        given = [t.line, "squamous" if t.histology == "squamous" else t.histology, f"PD-L1 {t.pdl1}"]
        rows.append(
            {
                "trial": t.trial,
                "line, histology, PD-L1": ", ".join(map(str, given)),
                "drugs": "with chemotherapy"
                if values["chemotherapy"]
                else "with CTLA-4"
                if values["ctla4"]
                else "alone",
                "n": int(t.n),
                "responses, %": float(t.orr_pct),
                "expected, %": 100 * s.probability,
                "95 % interval": f"{100 * s.low:.0f} to {100 * s.high:.0f}",
                "inside": bool(100 * s.low <= t.orr_pct <= 100 * s.high),
            }
        )
    return rows


def section(shared: Path) -> str:
    """Text and table of the section."""
    rows = rows_of(pd.read_csv(shared / "trials.csv"))
    observed, expected = ([r[c] for r in rows] for c in ("responses, %", "expected, %"))
    inside = sum(bool(r["inside"]) for r in rows)
    off = sum(abs(a - b) for a, b in zip(observed, expected, strict=True)) / len(rows)
    flat = 100 * response_probability().standings["response"].probability
    rank = spearmanr(observed, expected).statistic
    naive = sum(abs(a - flat) for a in observed) / len(rows)
    names = [c for c in rows[0] if c != "inside"]
    ascending = sorted(rows, key=lambda r: r["expected, %"])
    cells = ([f"{r[c]:.0f}" if isinstance(r[c], float) else r[c] for c in names] for r in ascending)
    lines = markdown_table(names, cells)
    return f"""{TITLE}

Published response rates of trial arms with a PD-1 or PD-L1 inhibitor are compared with the model given only line,
drugs, histology and the trial's PD-L1 selection. No response rate of a trial was used in the fit, but OAK's patients
were, and the prior of chemotherapy comes from a pooled analysis that includes several of these trials. Trial patients
are fitter than others.
{inside} of {len(rows)} lie within the interval; the mean absolute difference is {off:.0f} percentage points, that of a
constant (the average patient's {flat:.0f} %) {naive:.0f}; the rank correlation is {rank:.2f}.
The interval is that of an individual probability, which is wider than that of a trial mean.

{chr(10).join(lines)}
"""


def replaced(page: str, text: str) -> str:
    """The page with the section put before its limits, in place of an earlier one."""
    bare = re.sub(rf"{TITLE}.*?(?=^## Limits)", "", page, flags=re.DOTALL | re.MULTILINE)
    return bare.replace("## Limits", f"{text}## Limits", 1)


def main() -> None:
    """Write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path)
    text = section(parser.parse_args().shared)
    PAGE.write_text(replaced(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
