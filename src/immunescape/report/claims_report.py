"""The review's claims for people: the terminal's table, coverage of the review, a one-file HTML report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from immunescape.report.tables import Row, Table
from immunescape.report.writing import write_page

if TYPE_CHECKING:
    from immunescape.evaluation.claims import Checked, ClaimsResult
    from immunescape.evaluation.effects import Effect
    from immunescape.knowledge.claim_records import Claim

__all__ = ["claims_table", "coverage_table", "print_claims", "summary_lines", "write_claims"]


def _effect(effect: Effect | None) -> str:
    if effect is None:
        return "–"
    return f"{effect.value:.3g} ({effect.low:.3g} to {effect.high:.3g})"


def _verdict(row: Checked) -> str:
    if row.claim.kind == "context":
        return "context"
    if row.untestable:
        return "not testable"
    return "holds" if row.holds else "does not hold"


def _expected(claim: Claim) -> str:
    if claim.expect is None:
        return "–"
    bounds = [f"{b:g}" for b in (claim.low, claim.high) if b is not None]
    return claim.expect + (f" ({' to '.join(bounds)})" if bounds else "")


def claims_table(rows: Sequence[Checked]) -> Table:
    """One row for each claim."""
    return Table(
        [
            {
                "Claim": r.claim.id,
                "Review": ", ".join(r.claim.at) + (f" [{', '.join(map(str, r.claim.refs))}]" if r.claim.refs else ""),
                "What it says": r.claim.text,
                "Looked at": f"{r.claim.observe}, day {r.claim.day:g}" if r.claim.observe else "–",
                "Expected": _expected(r.claim),
                "Effect (95 %)": _effect(r.effect),
                "Mechanism off": "not there" if r.absent else _effect(r.off),
                "Reversed": _effect(r.reversed) if r.reversed else (r.reverses or "–"),
                "Path": r.path or "–",
                "Verdict": _verdict(r),
            }
            for r in rows
        ]
    )


def coverage_table(claims: Sequence[Claim]) -> Table:
    """One row for each paragraph of the review: its claims, and what is recorded as context with the reason."""
    from immunescape.knowledge.claim_records import places

    paragraphs: dict[int, list[Claim]] = {}
    for claim in claims:
        for paragraph in sorted({p for p, _ in places(claim)}):
            paragraphs.setdefault(paragraph, []).append(claim)
    rows: list[Row] = []
    for paragraph in sorted(paragraphs):
        here = paragraphs[paragraph]
        sentences = {s for c in here for p, s in places(c) if p == paragraph}
        tested = {s for c in here if c.kind != "context" for p, s in places(c) if p == paragraph}
        rows.append(
            {
                "Paragraph": paragraph,
                "Sentences": len(sentences),
                "with claims": len(tested),
                "Claims": ", ".join(c.id for c in here if c.kind != "context") or "–",
                "Not for a simulation": "; ".join(f"{c.id}: {c.reason}" for c in here if c.kind == "context") or "–",
            }
        )
    return Table(rows, ("Paragraph", "Sentences", "with claims"))


def summary_lines(result: ClaimsResult) -> list[str]:
    """The counts in words."""
    n = result.counts()
    share = f" ({100 * n['hold'] / n['tested']:.1f} %)" if n["tested"] else ""
    return [
        f"{n['statements']} statements: {n['tested']} claims simulated, {n['not_testable']} not testable, "
        f"{n['context']} context",
        f"hold: {n['hold']} of {n['tested']}{share}; wired {n['wired_hold']} of {n['wired']}, emergent "
        f"{n['emergent_hold']} of {n['emergent']}",
        f"with the mechanism off the effect vanishes in {n['vanish']} of {n['vanish_checked']}; reversed "
        f"{n['reversed_fail']} of {n['reversed_checked']} fail",
        f"{result.patients} virtual patients, seed {result.seed}, {result.seconds:.0f} s",
    ]


def print_claims(result: ClaimsResult) -> None:
    """Print the claims that were simulated, those that could not be, and the counts."""
    from immunescape.face import print_table

    short = ("Claim", "Expected", "Effect (95 %)", "Mechanism off", "Path", "Verdict")
    tested = [r for r in result.claims if r.effect is not None]
    print_table("Claims", [{k: row[k] for k in short} for row in claims_table(tested).rows])
    for r in result.claims:
        if r.untestable:
            print(f"{r.claim.id}: {r.untestable}")
    print("\n".join(summary_lines(result)))


def write_claims(result: ClaimsResult, path: Path, notice: str) -> Path:
    """Write the HTML report of a run: counts, every claim, corrections, coverage of the review."""
    from immunescape.knowledge.claim_records import load_claims

    chapters: dict[str, list[Checked]] = {}
    for row in result.claims:
        chapters.setdefault(row.claim.chapter, []).append(row)
    failed = [r for r in result.claims if r.holds is False]
    values: dict[str, Any] = {
        "title": "Claims of the review, simulated",
        "lead": "; ".join(summary_lines(result)) + ".",
        "notice": notice,
        "failed": claims_table(failed),
        "notes": Table([{"Claim": r.claim.id, "Note": r.claim.note} for r in failed if r.claim.note]),
        "corrections": Table(
            [
                {"Claim": r.claim.id, "Correction": r.claim.correction, "Sources": ", ".join(r.claim.sources)}
                for r in result.claims
                if r.claim.correction
            ]
        ),
        "chapters": [
            (name, claims_table([r for r in rows if r.claim.kind != "context"])) for name, rows in chapters.items()
        ],
        "untestable": Table([{"Claim": r.claim.id, "Why": r.untestable} for r in result.claims if r.untestable]),
        "coverage": coverage_table(load_claims()),
        "model": Table([{"Item": k.replace("_", " "), "Number": v} for k, v in result.model.items()], ("Number",)),
    }
    return write_page(path, "claims.html", values)
