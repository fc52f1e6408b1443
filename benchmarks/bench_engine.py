"""Engines side by side on a published 50-state model (built from its exported tables) or on immunescape's own.

    python benchmarks/bench_engine.py [--own] [--without-events] [--patients N] [--limit S] [--json FILE]

The workload is the usual one for this model: 400 days, 200 mg every three weeks 20 times, 401 outputs, 4 parameters
varied between patients.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import libsbml
import numpy as np

from immunescape.engine import Doses
from immunescape.engine.oracle.bench import Workload, bench_engine, format_bench


def example1(events: bool = True) -> tuple[str, Workload]:
    """The model and what is integrated; its event (the last cancer cell) is not met in these 400 days."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from tests.engine import example1 as source

    dose = 200 * source.MOL_PER_MG * source.AVOGADRO
    doses = Doses(21.0 * np.arange(20), (source.DRUG,) * 20, np.full(20, dose), np.zeros(20))
    outputs = tuple(name.strip("[]") for name, _ in source.OBSERVABLES.values())
    varied = ("k_C1_growth", "k_C_T1", "k_T1", "k_Treg")
    text = source.example1_sbml()
    if not events:
        document = libsbml.readSBMLFromString(text)
        while document.getModel().getNumEvents():
            document.getModel().removeEvent(0)
        text = libsbml.writeSBMLToString(document)
    return text, Workload(np.linspace(0, 400, 401), outputs, doses, varied, 0.25)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--own", action="store_true", help="immunescape's own model")
    parser.add_argument("--patients", type=int, default=512)
    parser.add_argument("--without-events", action="store_true", help="scikit-sundae is not given events")
    parser.add_argument("--limit", type=float, default=900.0, help="seconds for everything")
    parser.add_argument("--json", type=Path, help="file to write the report to")
    options = parser.parse_args()
    if options.own:
        from immunescape.api.model import bench_example

        text, name, workload = bench_example(full=True)
        report = bench_engine(text, name, patients=options.patients, workload=workload, limit=options.limit)
    else:
        text, workload = example1(not options.without_events)
        name = "published model, 50 states"
        report = bench_engine(text, name, patients=options.patients, workload=workload, limit=options.limit)
    if options.json:
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(format_bench(report))


if __name__ == "__main__":
    main()
