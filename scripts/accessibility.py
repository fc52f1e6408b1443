"""Check reports with axe-core in Chromium, and print the rows of the table in ``docs/screenshots.md``.

``python scripts/accessibility.py --reports FOLDER`` checks the pages that ``scripts/screenshots.py --reports FOLDER``
left there; ``python scripts/accessibility.py NAME=PAGE.html …`` any others. Each page is opened in light and dark, 1280
and 390 pixels wide, with all details open. It needs Chromium with its chromedriver, selenium and the axe-core of
axe-playwright-python.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from screenshots import REPORTS, browser  # noqa: E402
from tests.axe import axe_findings, axe_source  # noqa: E402

WIDTHS = (1280, 390)
REQUESTED = """return performance.getEntriesByType('resource').filter((e) => /^https?:/.test(e.name)).length"""


def check(window: Any, page: Path, source: str) -> tuple[dict[str, None], int, int]:
    """Findings of axe-core, pixels of sideways scroll and requests of a page, the worst of all settings."""
    findings: dict[str, None] = {}
    sideways = requests = 0
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        window.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        for width in WIDTHS:
            size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
            window.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            window.get(page.resolve().as_uri())
            window.execute_script("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
            window.execute_async_script(
                "const done = arguments[0]; Promise.resolve(window.picturesDrawn).then(() => setTimeout(done, 800));"
            )
            findings |= dict.fromkeys(f"{scheme}, {width}: {found}" for found in axe_findings(window, source))
            sideways = max(sideways, window.execute_script("return document.documentElement.scrollWidth") - width)
            requests = max(requests, window.execute_script(REQUESTED))
    return findings, sideways, requests


def pages(chosen: argparse.Namespace) -> Mapping[str, Path]:
    """The pages to check, by name."""
    named = {name: Path(path) for name, _, path in (text.partition("=") for text in chosen.pages)}
    if chosen.reports is not None:
        made = {name: chosen.reports / name / report.page for name, report in REPORTS.items()}
        named |= {name: path for name, path in made.items() if path.is_file()}
    return named


def main() -> int:
    """Print a row for each page; 1 where anything is found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*", metavar="NAME=PAGE", help="pages to check")
    parser.add_argument("--reports", type=Path, help="folder of reports, as for scripts/screenshots.py")
    chosen = parser.parse_args()
    source = axe_source()
    if not source:
        sys.exit("axe-playwright-python is not installed")
    wrong = 0
    window = browser()
    # selenium itself gives up after 120 s, which a large page takes on a busy machine
    window.set_script_timeout(300)
    window.command_executor.client_config.timeout = 330
    try:
        print("| page | kB | findings of axe-core | sideways scroll | requests |\n| --- | ---: | ---: | ---: | ---: |")
        for name, page in pages(chosen).items():
            findings, sideways, requests = check(window, page, source)
            size = page.stat().st_size / 1000
            print(f"| {name} | {size:,.0f} | {len(findings)} | {max(sideways, 0)} | {requests} |", flush=True)
            for text in findings:
                print(f"    {text}", file=sys.stderr, flush=True)
            wrong += len(findings) + requests + (sideways > 0)
    finally:
        window.quit()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
