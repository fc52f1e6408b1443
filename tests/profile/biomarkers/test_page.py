from __future__ import annotations

from pathlib import Path

from immunescape.profile.biomarkers import biomarkers
from immunescape.profile.biomarkers_page import _row, biomarkers_page


def test_page_is_up_to_date():
    """Regenerate it with ``python -m immunescape.profile.biomarkers_page docs/biomarkers.md``."""
    page = (Path(__file__).parents[3] / "docs" / "biomarkers.md").read_text(encoding="utf-8")
    shown = {n: f"| {' | '.join(_row(b))} |" for n, b in biomarkers().items() if "expression" not in b.needs}
    assert not [name for name, row in shown.items() if row not in page]
    assert page.startswith(biomarkers_page()[:200])
