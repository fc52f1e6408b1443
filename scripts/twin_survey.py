"""Which patients of a study get twins (200 effective candidates), which are refused and why, and what that costs.

    python scripts/twin_survey.py --out survey.jsonl                     # the example study
    python scripts/twin_survey.py FOLDER --out survey.jsonl --cpu-minutes 40
    python scripts/twin_survey.py --out survey.jsonl --page docs/twins.md    # the table between its marks

Twins are drawn on day 0 and taken through earlier lines, and are followed no further. Patients that stand in the file
are not repeated, so the same command resumes; it stops when the processor time is spent.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
from pathlib import Path
from typing import Any

from immunescape.errors import ImmunescapeError

START, END = "<!-- survey of twins -->", "<!-- end of the survey -->"


def processor_seconds() -> float:
    """Seconds of user and system time of this process and the children that have ended."""
    return sum(
        x.ru_utime + x.ru_stime for x in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def row_of(record: Any, args: argparse.Namespace) -> dict[str, Any]:
    """What became of one patient."""
    from immunescape.twins.courses import usual_regimen
    from immunescape.twins.options import standard_of
    from immunescape.twins.twin import twins_before

    start = processor_seconds()
    row: dict[str, Any] = {
        "patient": record.patient,
        "observables": sum(f.kind == "observable" for f in record.facts),
        "facts": len(record.facts),
        "earlier_lines": len(record.history) + record.unknown_lines,
    }
    try:
        line = record.ongoing or record.planned
        regimen = usual_regimen(line.drugs) if line is not None else standard_of(record).regimen
        twins = twins_before(record, regimen, twins=args.twins, seed=args.seed, workers=args.workers)
        least = twins.least_likely
        row |= {
            "candidates": twins.candidates,
            "effective": round(twins.effective, 1),
            "least_likely": "" if least is None else least[0].biomarker or least[0].target,
            "probability": None if least is None else round(least[1], 4),
        }
    except ImmunescapeError as error:
        row["refused"] = str(error).splitlines()[0]
    return {**row, "processor_s": round(processor_seconds() - start, 1)}


def survey(args: argparse.Namespace) -> list[dict[str, Any]]:
    """Rows of all patients that are done, those of earlier calls among them."""
    from immunescape.api.profiles import profile_study
    from immunescape.profile.loading import example_folder
    from immunescape.twins.records import patient_record

    rows = [json.loads(text) for text in args.out.read_text().splitlines()] if args.out.exists() else []
    done = {row["patient"] for row in rows}
    study = profile_study(args.folder or example_folder())
    for name, profile in study.patients.items():
        if name in done:
            continue
        if processor_seconds() > 60.0 * args.cpu_minutes:
            print("the processor time is spent; the same command resumes")
            break
        try:
            row = row_of(patient_record(study.done.study, profile, 0.0), args)
        except ImmunescapeError as error:
            row = {"patient": name, "refused": str(error).splitlines()[0]}
        with args.out.open("a") as file:
            file.write(json.dumps(row) + "\n")
        rows.append(row)
        print(row, flush=True)
    return rows


def markdown(rows: list[dict[str, Any]], total: int) -> str:
    """The rows as a table with a sentence before it."""
    reached = [r for r in rows if "refused" not in r]
    refused = len(rows) - len(reached)
    text = f"{len(rows)} of {total} patients: {len(reached)} have 200 effective candidates, {refused} are refused."
    if reached:
        seconds = [r["processor_s"] for r in reached]
        text += f" Median {statistics.median(seconds):.0f} s of processor time, at most {max(seconds):.0f} s."
        fewer = sum(r["effective"] < 200 for r in reached)
        text += f" The twins drawn from them have fewer than 200 effective ones in {fewer}."
    lines = [
        text,
        "",
        "| patient | earlier lines | facts (observables) | candidates | effective twins | least likely | processor s |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in rows:
        about = f"| {r['patient']} | {r.get('earlier_lines', '')} | {r.get('facts', '')} ({r.get('observables', '')}) "
        if "refused" in r:
            lines.append(f"{about}| | refused | {r['refused'].replace('|', '/')} | {r.get('processor_s', '')} |")
        else:
            least = f"{r['least_likely']} ({100 * r['probability']:.2g} %)" if r["least_likely"] else "nothing measured"
            lines.append(f"{about}| {r['candidates']} | {r['effective']:.0f} | {least} | {r['processor_s']} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, help="study folder; none takes the example study")
    parser.add_argument("--out", type=Path, required=True, help="file with a line for each patient")
    parser.add_argument("--twins", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1, help="processes; with one, processor time is told exactly")
    parser.add_argument("--cpu-minutes", type=float, default=40.0)
    parser.add_argument("--page", type=Path, help="page whose table between the marks is replaced")
    args = parser.parse_args()
    try:
        rows = survey(args)
    except ImmunescapeError as error:
        parser.exit(2, f"{error}\n")
    from immunescape.profile.loading import example_folder, load_study

    total = len(load_study(args.folder or example_folder()).patient_ids)
    table = markdown(rows, total)
    print(table)
    if args.page is not None:
        text = args.page.read_text(encoding="utf-8")
        before, _, rest = text.partition(START)
        _, mark, after = rest.partition(END)
        if not mark:
            parser.exit(2, f"{args.page} has no marks {START} and {END}\n")
        args.page.write_text(f"{before}{START}\n\n{table}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
