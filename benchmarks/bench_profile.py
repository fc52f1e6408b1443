"""Time of all biomarkers (expression left out): a made-up study of any size, or a study folder.

python benchmarks/bench_profile.py 240 2000 10000
python benchmarks/bench_profile.py path/to/study
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.profile.biomarkers.synthetic import synthetic_study

from immunescape.profile.biomarkers import biomarkers, measure, values_frame
from immunescape.profile.cohort import associate, outcomes
from immunescape.profile.loading import load_study


def main(words: list[str]) -> None:
    names = [n for n, b in biomarkers().items() if "expression" not in b.needs]
    for word in words:
        start = time.perf_counter()
        study = synthetic_study(int(word)) if word.isdigit() else load_study(word)
        loaded = time.perf_counter()
        measured = measure(study, names)
        done = time.perf_counter()
        table = associate(values_frame(measured), outcomes(study))
        end = time.perf_counter()
        print(
            f"{word}: {len(study.patient_ids)} patients, {len(names)} biomarkers: {done - loaded:.1f} s "
            f"(study made or read in {loaded - start:.1f} s; {len(table)} associations in {end - done:.1f} s)"
        )


if __name__ == "__main__":
    main(sys.argv[1:] or ["240"])
