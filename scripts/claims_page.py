"""Write ``docs/claims-results.md``: results of the claims, of changed set-ups and of what must not hold.

immunescape claims --patients 100 --seeds 3 --json > claims.json
immunescape claims --must-not --json > must_not.json
python scripts/claims_page.py claims.json must_not.json > docs/claims-results.md

Without a file of statements that must not hold, their part of the page stays as it is. Several files of claims, or of
statements, are joined where none stands in two of them. Beside the results stand those of the same claims in an earlier
state of the model (``docs/claims-before-refit.csv``).
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from immunescape.console import markdown_table
from immunescape.evaluation.claim_results import counted
from immunescape.knowledge.claim_lock import claim_changes
from immunescape.knowledge.claim_records import load_claims


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Lines of a Markdown table; a bar within a cell becomes a slash."""
    return markdown_table(head, ([cell.replace("|", "/") for cell in row] for row in rows))


def effect(row: Mapping[str, Any]) -> str:
    """Effect with its interval."""
    if row["effect"] is None:
        return "–"
    low, high = row["ci"]
    numbers = ["–" if x is None else f"{x:.3g}" for x in (row["effect"], low, high)]
    return f"{numbers[0]} ({numbers[1]} to {numbers[2]})"


def looked_at(row: Mapping[str, Any]) -> str:
    """What is looked at and when."""
    return f"{row['observe']}, day {row['day']:g}"


def seeds(row: Mapping[str, Any]) -> str:
    """In how many seeds a claim held."""
    held = row.get("holds_by_seed")
    if row["holds"] is None:
        return "not testable"
    if not held:
        return "holds" if row["holds"] else "does not hold"
    return f"{sum(held.values())} of {len(held)}"


BEFORE = Path(__file__).parents[1] / "docs" / "claims-before-refit.csv"
"""Results of the first forms before T cells took room, lesions were simulated apart and the population fitted anew."""


def before() -> dict[str, dict[str, str]]:
    """Results of an earlier state of the model, by claim."""
    with BEFORE.open(encoding="utf-8", newline="") as stream:
        return {row["id"]: row for row in csv.DictReader(stream)}


def joined_claims(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Runs of disjoint claims as one, counted anew."""
    first = runs[0]
    for run in runs[1:]:
        if {r["id"] for r in first["claims"]} & {r["id"] for r in run["claims"]}:
            raise SystemExit("a claim stands in two files")
        if (run["patients"], run["seeds"]) != (first["patients"], first["seeds"]):
            raise SystemExit("the files differ in patients or seeds")
        first["claims"] += run["claims"]
        first["later_forms"] += run["later_forms"]
    if len(runs) > 1:
        first["counts"] = counted(first["claims"])
    return first


def earlier(row: Mapping[str, Any], was: Mapping[str, Mapping[str, str]]) -> str:
    """Effect and seeds of a claim in the earlier state; a dash for one that was not there."""
    old = was.get(row["id"])
    if old is None:
        return "–"
    if not old["effect"]:
        return f"–, {old['held']} of {old['seeds']}"
    return f"{float(old['effect']):.3g}, {old['held']} of {old['seeds']}"


def kept_lines() -> list[str]:
    """Lines of the page as it stands on the statements that must not hold, where they were not run anew."""
    page = (BEFORE.parent / "claims-results.md").read_text(encoding="utf-8")
    return page[page.index("## Statements that must not hold") :].split("\n")


def changed_lines(rows: Iterable[Mapping[str, Any]], was: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Claims that hold in one of the two states of the model, and not in the other."""
    texts = {c.id: c.text for c in load_claims()}
    differ = []
    for row in rows:
        old = was.get(row["id"])
        if old is not None and row["holds"] is not None and row["holds"] != (old["held"] == old["seeds"]):
            differ.append((row, old))
    held = sum(old["held"] == old["seeds"] for old in was.values())
    lines = [
        "## The model before and now",
        "",
        f"Before T cells took room in the tumour, lesions were simulated apart and the population was fitted anew, "
        f"{held} of {len(was)} claims held with every seed (`docs/claims-before-refit.csv`). These differ:",
        "",
    ]
    return lines + table(
        ("Claim", "Before: effect, seeds", "Now: effect (95 %), seeds", "What it says"),
        [(f"`{row['id']}`", earlier(row, was), f"{effect(row)}, {seeds(row)}", texts[row["id"]]) for row, _ in differ],
    )


def joined(files: Iterable[str]) -> dict[str, Any]:
    """Runs of disjoint statements as one, counted anew."""
    runs = [json.loads(Path(f).read_text(encoding="utf-8")) for f in files]
    rows = [r for run in runs for r in run["must_not"]]
    names = [r["id"] for r in rows]
    if len(set(names)) < len(names):
        raise SystemExit("a statement stands in two files")
    counts: dict[str, int] = {}
    for run in runs:
        for name, value in run["counts"].items():
            counts[name] = counts.get(name, 0) + value
    return {"must_not": rows, "counts": counts, "patients": runs[0]["patients"], "seed": runs[0]["seed"]}


def main(*files: str) -> None:
    """Print the page."""
    runs = {file: json.loads(Path(file).read_text(encoding="utf-8")) for file in files}
    claims = joined_claims([run for run in runs.values() if "claims" in run])
    denied = [file for file, run in runs.items() if "must_not" in run]
    was = before()
    n = claims["counts"]
    seed_list = ", ".join(map(str, claims["seeds"]))
    lines = [
        "# Results of the claims",
        "",
        "Written by `scripts/claims_page.py` from the output of `immunescape claims`; the terms are defined in",
        "[Claims of the review](claims.md). Effects are those of the first seed.",
        "",
        f"{claims['patients']} virtual patients of the fitted population ({4 * claims['patients']} for associations), "
        f"seeds {seed_list}; a claim holds where it holds with each.",
        "",
        *table(
            ("", "number"),
            [
                ("claims simulated", str(n["tested"])),
                ("hold with every seed", f"{n['hold']} ({100 * n['hold'] / max(n['tested'], 1):.0f} %)"),
                ("hold with some seeds only", str(n["seed_dependent"])),
                ("wired (fewer than three steps), hold", f"{n['wired_hold']} of {n['wired']}"),
                ("emergent (three steps or more), hold", f"{n['emergent_hold']} of {n['emergent']}"),
                ("hold by less than 5 % without a drug", str(n["hold_by_less_than_5_percent"])),
                ("effect shrinks without a mediator", f"{n['mediator_as_expected']} of {n['mediator_checked']}"),
                ("effect stays without a bystander", f"{n['bystander_as_expected']} of {n['bystander_checked']}"),
                ("fails with inverse factors", f"{n['reversed_as_expected']} of {n['reversed_checked']}"),
            ],
        ),
        "## Claims that do not hold",
        "",
    ]
    failing = [r for r in claims["claims"] if r["holds"] is False]
    expected = {c.id: c for c in load_claims()}
    lines += table(
        ("Claim", "Looked at", "Expected", "Effect (95 %)", "Seeds", "Before", "What it says"),
        [
            (
                f"`{r['id']}`",
                f"{r['observe']}, day {r['day']:g}",
                r["expect"],
                effect(r),
                seeds(r),
                earlier(r, was),
                expected[r["id"]].text,
            )
            for r in failing
        ],
    )
    lines += changed_lines(claims["claims"], was)
    lines += ["## Claims that hold by less than 5 % without any drug", ""]
    lines += table(
        ("Claim", "Effect (95 %)", "What it says"),
        [(f"`{r['id']}`", effect(r), expected[r["id"]].text) for r in claims["claims"] if r["small"]],
    )
    lines += [
        "## Changes of set-ups: first and later form",
        "",
        "Every change of a claim's set-up that was made after a result was seen. The first form counts; the form that",
        "replaced it is simulated beside it.",
        "",
    ]
    first = {r["id"]: r for r in claims["claims"]}
    later = {r["id"].removesuffix("--later"): r for r in claims["later_forms"]}
    rows = []
    for change in claim_changes():
        if change.claim not in first or (change.kind == "completed" and "No result" in change.reason):
            continue
        was, became = first[change.claim], later.get(change.claim)
        rows.append(
            (
                f"`{change.claim}`",
                change.date.isoformat(),
                change.kind,
                change.reason,
                f"{looked_at(was)}: {effect(was)}, {seeds(was)}",
                f"{looked_at(became)}: {effect(became)}, {seeds(became)}" if became else "–",
            )
        )
    lines += table(("Claim", "Date", "What", "Why", "First form", "Later form"), rows)
    completed = [c.claim for c in claim_changes() if c.kind == "completed" and "No result" in c.reason]
    lines += [
        f"{len(completed)} further claims named, in their first form, a parameter, a quantity or a drug that the "
        "model did not have, so that no result of that form was seen: "
        + ", ".join(f"`{name}`" for name in completed)
        + ".",
        "",
    ]
    print("\n".join([*lines, *(must_not_lines(joined(denied)) if denied else kept_lines())]).rstrip())


def must_not_lines(denied: Mapping[str, Any]) -> list[str]:
    """Lines of the statements that must not hold."""
    m = denied["counts"]
    words = ("respected", "violated", "undecided")
    lines = [
        "## Statements that must not hold",
        "",
        f"{m['statements']} statements, {denied['patients']} virtual patients, seed {denied['seed']}; all were "
        "written, and their set-ups locked, before the model was run for any of them. For those that no ablated model "
        "violates one wrong model each was named, from the biology, and locked before any of these was run; none was "
        "exchanged after a result was seen. A statement counts as one that can fail where the present model, one "
        "without a mechanism or its wrong model violates it.",
        "",
        *table(
            ("", "all", "those that can fail"),
            [
                ("statements", str(m["statements"]), str(m["that_can_fail"])),
                *((w, str(m[w]), str(m[f"{w}_of_those_that_can_fail"])) for w in words),
                ("violated without a mechanism", str(m["violated_without_a_mechanism"]), ""),
                ("violated by the wrong model", f"{m['violated_by_counter_model']} of {m['with_counter_model']}", ""),
                ("can fail, not counting drugs with the action of another", str(strict(denied)), ""),
                ("not testable", str(m["not_testable"]), ""),
            ],
        ),
        "By batch: the second was added, and locked, after the first had been run. The first run of "
        "the first batch, with 100 patients, gave 118 respected, 6 violated, 11 undecided, two of them ill posed; "
        "that of the second, with 60, 27 respected.",
        "",
        *table(
            ("Batch", "statements", *words, "can fail"),
            [
                (
                    batch,
                    str(len(group)),
                    *(str(sum(r["verdict"] == w for r in group)) for w in words),
                    str(sum(r["can_fail"] for r in group)),
                )
                for batch in ("first", "second")
                if (group := [r for r in denied["must_not"] if r.get("batch", "first") == batch])
            ],
        ),
        "Wrong models by kind (what each is: `knowledge/counter_models.yaml`):",
        "",
    ]
    wrong = [r["counter_model"] for r in denied["must_not"] if r["counter_model"]]
    kinds = sorted({c["kind"] for c in wrong})
    lines += table(
        ("Kind", "statements", "violated"),
        [
            (
                f"`{kind}`",
                str(sum(c["kind"] == kind for c in wrong)),
                str(sum(c["kind"] == kind and c["verdict"] == "violated" for c in wrong)),
            )
            for kind in kinds
        ],
    )
    for word in ("violated", "undecided", "respected"):
        group = [r for r in denied["must_not"] if r["verdict"] == word]
        lines += [f"### {word.capitalize()}", ""]
        lines += table(
            (
                "Statement",
                "What must not hold",
                "No effect",
                "Effect (95 %)",
                "Without",
                "In the wrong model",
                "Can fail",
            ),
            [
                (
                    f"`{r['id']}`",
                    r["text"],
                    f"{r['bounds'][0]:g} to {r['bounds'][1]:g}",
                    effect(r),
                    "; ".join(
                        f"{name}: {'–' if a['effect'] is None else format(a['effect'], '.3g')}, {a['verdict']}"
                        for name, a in r["ablated"].items()
                    ),
                    wrong_model(r["counter_model"]),
                    "yes" if r["can_fail"] else "no",
                )
                for r in group
            ],
        )
    return lines


def strict(denied: Mapping[str, Any]) -> int:
    """Statements that can fail where a wrong model that gives another drug as well (`also_give`) does not count."""
    return sum(
        r["verdict"] == "violated"
        or any(a["verdict"] == "violated" for a in r["ablated"].values())
        or (bool(c := r["counter_model"]) and c["kind"] != "also_give" and c["verdict"] == "violated")
        for r in denied["must_not"]
    )


def wrong_model(counter: Mapping[str, Any] | None) -> str:
    """What is wrong, and what then happens."""
    if counter is None:
        return "–"
    return f"{counter['what']}: {effect(counter)}, {counter['verdict']}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", help="output of `immunescape claims --json`, with and without --must-not")
    main(*parser.parse_args().files)
