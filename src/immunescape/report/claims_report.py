"""The review's claims for people: the terminal's table, coverage of the review, a one-file HTML report."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from immunescape.evaluation.mechanism_labels import explanation, labelled
from immunescape.report.figures import figure_html
from immunescape.report.pictures import Picture, count_ticks, plotly_script
from immunescape.report.tables import Row, Table
from immunescape.report.writing import write_page

if TYPE_CHECKING:
    from immunescape.evaluation.claim_results import Checked, ClaimsResult
    from immunescape.evaluation.effects import Effect
    from immunescape.knowledge.claim_lock import ClaimChange
    from immunescape.knowledge.claim_records import Claim

__all__ = [
    "changes_table",
    "claims_table",
    "coverage_table",
    "effect_text",
    "later_table",
    "outcome_figure",
    "print_claims",
    "summary_lines",
    "write_claims",
]


def effect_text(effect: Effect | None) -> str:
    """Format an effect with its interval; a dash where there is none."""
    if effect is None:
        return "–"
    return f"{effect.value:.3g} ({effect.low:.3g} to {effect.high:.3g})"


def _verdict(row: Checked) -> str:
    if row.claim.kind == "context":
        return "context"
    if row.untestable:
        return "not testable"
    seeds = f" ({sum(row.seeds.values())} of {len(row.seeds)} seeds)" if row.seeds else ""
    if row.small:
        return f"holds by less than 5 %{seeds}"
    return ("holds" if row.holds else "does not hold") + seeds


def _control(effect: Effect | None, name: str, as_expected: bool | None, otherwise: str) -> str:
    if effect is None:
        return "–"
    text = f"{name}: {effect_text(effect)}" if name else effect_text(effect)
    return text if as_expected or as_expected is None else f"{text}, {otherwise}"


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
                "Review": (", ".join(r.claim.at) or "–")
                + (f" [{', '.join(map(str, r.claim.refs))}]" if r.claim.refs else ""),
                "What it says": r.claim.text,
                "Looked at": f"{r.claim.observe}, day {r.claim.day:g}" if r.claim.observe else "–",
                "Expected": _expected(r.claim),
                "Effect (95 %)": effect_text(r.effect),
                "Mediator off": _control(r.off, ", ".join(map(labelled, r.controls.mediators)), r.shrinks, "stays"),
                "Bystander off": _control(r.beside, labelled(r.controls.bystander), r.unmoved, "moves"),
                "Reversed": _control(r.reversed, "", r.reversed_fails, "holds as well"),
                "Path": r.path + (f", {r.steps}" if r.steps is not None else "") if r.path else "–",
                "Verdict": _verdict(r),
            }
            for r in rows
        ]
    )


def later_table(result: ClaimsResult) -> Table:
    """Claims whose set-up was changed after a result was seen: the result of both forms."""
    first = {r.claim.id: r for r in result.claims}
    rows: list[Row] = []
    for later in result.later:
        row = first[later.claim.id.removesuffix("--later")]
        rows.append(
            {
                "Claim": row.claim.id,
                "First form": f"{row.claim.observe}, day {row.claim.day:g}",
                "Effect (95 %)": effect_text(row.effect),
                "Verdict": _verdict(row),
                "Later form": f"{later.claim.observe}, day {later.claim.day:g}",
                "Effect of it": effect_text(later.effect),
                "Verdict of it": _verdict(later),
            }
        )
    return Table(rows)


def changes_table(changes: Sequence[ClaimChange]) -> Table:
    """One row for each change of a claim's set-up."""
    return Table(
        [
            {
                "Claim": c.claim,
                "Date": c.date.isoformat(),
                "Kind": c.kind,
                "Reason": c.reason,
                "Later form": "; ".join(f"{k}: {v}" for k, v in c.later.items()) or "–",
            }
            for c in changes
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
    seeds = f"seed {result.seed}"
    if result.seeds:
        names = ", ".join(map(str, result.seeds))
        seeds = f"seeds {names} (a claim holds where it holds in each; {n['seed_dependent']} differ)"
    share = f" ({100 * n['hold'] / n['tested']:.1f} %)" if n["tested"] else ""
    return [
        f"{n['statements']} statements: {n['tested']} claims simulated, {n['not_testable']} not testable, "
        f"{n['context']} context",
        f"hold: {n['hold']} of {n['tested']}{share}; wired {n['wired_hold']} of {n['wired']}, emergent (three steps or "
        f"more) {n['emergent_hold']} of {n['emergent']}; {n['hold_by_less_than_5_percent']} of those that hold move by "
        "less than 5 % without any drug",
        f"controls that can come out either way: without a mediator the effect shrinks in "
        f"{n['mediator_as_expected']} of {n['mediator_checked']}; without a bystander it stays in "
        f"{n['bystander_as_expected']} of {n['bystander_checked']}; with inverse factors "
        f"{n['reversed_as_expected']} of {n['reversed_checked']} fail",
        f"{result.patients} virtual patients, {seeds}, {result.seconds:.0f} s",
        *(
            [f"set-up not locked, or changed since and not listed: {', '.join(result.unlocked)}"]
            if result.unlocked
            else []
        ),
    ]


def print_claims(result: ClaimsResult) -> None:
    """Print the claims that were simulated, those that could not be, and the counts."""
    from immunescape.console import print_table

    short = ("Claim", "Expected", "Effect (95 %)", "Path", "Verdict")
    tested = [r for r in result.claims if r.effect is not None]
    print_table("Claims", [{k: row[k] for k in short} for row in claims_table(tested).rows])
    if result.later:
        print_table("Changed set-ups: first and later form", later_table(result).rows)
    for r in result.claims:
        if r.untestable:
            print(f"{r.claim.id}: {r.untestable}")
    print("\n".join(summary_lines(result)))


def outcome_figure(chapters: Mapping[str, Sequence[Checked]]) -> Picture:
    """Claims of each chapter of the review that hold, hold with some of the seeds, and do not hold."""
    kinds = (("hold", "#0b6e99"), ("hold with some seeds", "#d9b64a"), ("do not hold", "#c8501e"))
    names = [n for n, rows in chapters.items() if any(r.holds is not None for r in rows)][::-1]
    counts = {kind: [0] * len(names) for kind, _ in kinds}
    for k, name in enumerate(names):
        for row in chapters[name]:
            if row.holds is not None:
                with_some_seeds = any(row.seeds.values())
                counts["hold" if row.holds else "hold with some seeds" if with_some_seeds else "do not hold"][k] += 1
    # long names are wrapped: on a telephone they would leave no room for the bars
    labels = ["<br>".join(textwrap.wrap(name, 22)) for name in names]
    data = [
        {"type": "bar", "orientation": "h", "x": counts[kind], "y": labels, "name": kind, "marker": {"color": colour}}
        for kind, colour in kinds
        if any(counts[kind])
    ]
    height = 170 + sum(8 + 16 * (1 + label.count("<br>")) for label in labels)
    layout = {
        "title": {"text": "Claims by chapter of the review", "font": {"size": 16}},
        "height": height,
        "barmode": "stack",
        "margin": {"l": 10, "r": 16, "t": 44, "b": 56},
        "xaxis": {"title": {"text": "Claims"}, **count_ticks(map(sum, zip(*counts.values(), strict=True)))},
        "yaxis": {"title": {"text": ""}},
        "font": {"family": "system-ui, sans-serif", "size": 13},
    }
    return Picture(data, layout)


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
        "plotly_js": plotly_script(),
        "figure": figure_html(outcome_figure(chapters)),
        "labels": explanation(),
        "failed": claims_table(failed),
        "later": later_table(result),
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
