"""Whatever reads patients of the cohorts that are split either leaves out the held-out ones or fits nothing to them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLES = re.compile(
    r"oak_clinical|chowell_train_nsclc|shim_nsclc|DS1_oncology|tumour_kinetics/oak|\"oak\.csv\""
    r"|/ \"(?:loris|oak|toposcore)\""
)
SPLIT = re.compile(r"held_out|\"training\"")
FITS_NOTHING = {
    "src/immunescape/evaluation/patient_data.py": "shows real beside virtual patients",
    "src/immunescape/evaluation/lesion_comparison.py": "shows real beside virtual lesions",
    "scripts/biomarker_labels.py": "estimates of the trial itself, shown beside a profile; no forecast uses them",
}


def readers() -> dict[str, str]:
    """File -> text, of the code that names a table or folder of these patients."""
    files = [p for folder in ("src", "scripts") for p in sorted((ROOT / folder).rglob("*.py"))]
    texts = {p.relative_to(ROOT).as_posix(): p.read_text(encoding="utf-8") for p in files}
    return {name: text for name, text in texts.items() if TABLES.search(text)}


def test_every_reader_of_these_patients_knows_the_split_or_fits_nothing() -> None:
    texts = readers()
    assert {"src/immunescape/evaluation/target_sets.py", "scripts/fit_os_hazard.py"} <= set(texts)
    careless = [n for n, text in texts.items() if not SPLIT.search(text) and n not in FITS_NOTHING]
    assert not careless
    assert set(FITS_NOTHING) <= set(texts)


def test_every_target_of_a_calibration_is_read_without_held_out_patients() -> None:
    text = (ROOT / "src/immunescape/evaluation/target_sets.py").read_text(encoding="utf-8")
    calls = re.findall(r"\b(\w+)\((?:table|lesions|data / \"(?:loris|oak|toposcore)\")([^)]*)\)", text)
    read = [(name, rest) for name, rest in calls if name not in ("is_file", "is_dir")]
    assert len(read) >= 8
    assert all("training" in rest for _, rest in read), read
