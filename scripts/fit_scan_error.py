"""Error of single scans, from lesions that readers followed: ``scan_cv`` of ``knowledge/data/lesions.csv``.

Third differences of ln(diameter) at four successive scans leave no steady growth, shrinkage or bend; their robust
standard deviation, with weights of unit length, is that of the relative error of one scan, irregular change of the
lesion included (so rather too large). Lesions of at least 15 mm, scans 25 to 100 days apart, patients outside the
held-out 30 %.

Beside it: how often the first progression of a single lesion (20 % and 5 mm above the smallest size) is not seen again
at the next scan.

    python scripts/fit_scan_error.py SHARED_DATA
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from immunescape.evaluation.kinetics import Series, read_lesions
from immunescape.knowledge.held_out import is_held_out

LEAST_MM = 15.0
APART = (25.0, 100.0)


def lesions(path: Path) -> Iterator[Series]:
    """Days and diameters of the patients that may be fitted to."""
    for patients in read_lesions(path).values():
        for name, series in patients.items():
            if not is_held_out("oak", name):
                yield series


def third_differences(days: np.ndarray, size: np.ndarray) -> Iterator[float]:
    """Weighted sums of four successive ln(diameter) that no parabola in time changes; the weights have length one."""
    for i in range(len(size) - 3):
        t, mm = days[i : i + 4] - days[i], size[i : i + 4]
        gap = np.diff(t)
        if mm.min() < LEAST_MM or gap.min() < APART[0] or gap.max() > APART[1]:
            continue
        curve = np.vander(t / t[-1], 3, increasing=True)
        weights = np.linalg.svd(curve)[0][:, 3]
        yield float(weights @ np.log(mm))


def first_progression(size: np.ndarray) -> int | None:
    """Index of the first scan that is 20 % and 5 mm above the smallest size before it."""
    smallest = np.minimum.accumulate(size)[:-1]
    above = np.flatnonzero((size[1:] >= 1.2 * smallest) & (size[1:] >= smallest + 5.0))
    return int(above[0]) + 1 if len(above) else None


def main() -> None:
    """Estimate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", type=Path)
    folder = parser.parse_args().shared / "tumour_kinetics"
    followed = lost = 0
    for name in ("oak", "birch", "fir"):
        found = []
        for days, size in lesions(folder / f"{name}.csv"):
            found += list(third_differences(days, size))
            at = first_progression(size) if size[0] >= 10.0 else None
            if name != "fir" and at is not None and at + 1 < len(size):
                followed += 1
                lost += bool(size[at + 1] < 1.2 * size[:at].min())
        values = np.array(found)
        print(f"{name}: {len(values)} third differences, robust SD {1.4826 * np.median(np.abs(values)):.3f}")
    print(f"first progressions with a further scan (oak, birch): {followed}, not seen again there: {lost}")


if __name__ == "__main__":
    main()
