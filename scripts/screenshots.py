"""Write the pictures of ``docs/screenshots.md``: the views of the app and the reports, in a desk's and a phone's width.

``python scripts/screenshots.py docs/screenshots`` makes everything anew: reports by the commands in `REPORTS`, small
numbers of patients, and the app by the tests that walk through its views in a browser. ``--reports FOLDER`` and
``--app FOLDER`` take what an earlier run left there instead. It needs Chromium with its chromedriver, selenium and
Pillow. Pictures are cut to their upper part, scaled and reduced to few colours, so that all of them take 3 MB at most.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
LARGEST = 3_000_000
"""Bytes of all pictures together."""
COLOURS = 200


@dataclass(frozen=True)
class Report:
    """A report: what writes it (``OUT`` is its folder, ``STUDY`` the example study), and the page in that folder."""

    command: str
    page: str


REPORTS = {
    "trial": Report("trial keynote-024 -n 20 --attribute 4 -o OUT", "report.html"),
    "validate": Report("validate keynote-024 checkmate-057 -n 10 -o OUT/blocks --html OUT/page.html", "page.html"),
    "cohort": Report("cohort STUDY -o OUT", "report.html"),
    "profile": Report("profile STUDY -p EX-04 -o OUT", "report.html"),
    "twin": Report("twin STUDY -p EX-01 -o OUT", "twins.html"),
    "rank": Report("rank STUDY -p EX-01 -o OUT", "ranking.html"),
    "design": Report("design pdl1-enrichment -r 200 -o OUT", "report.html"),
    "claims": Report("claims --only ddr-ifn1 -n 8 --html OUT/page.html", "page.html"),
    "must-not": Report("claims --must-not --only nlrc5-mhc2 -n 8 --html OUT/page.html", "page.html"),
    "credibility": Report(
        "credibility keynote-024 -n 20 --seeds 1 --scored-patients 10 --trajectories 4 -o OUT", "credibility.html"
    ),
}
VIEWS = ("patient", "trial", "profile", "twins", "design", "evidence")
"""Views of the app, as the tests name their pictures."""
SIZES = {1280: (1150, 800), 390: (844, 300)}
"""Width of the window -> height that is kept, width in the documentation (pixels)."""


def make_reports(folder: Path, names: Sequence[str]) -> dict[str, Path]:
    """Run the command of each report named that the folder does not hold yet; returns the pages."""
    from immunescape.profile.loading import example_folder

    pages = {}
    for name in names:
        report, out = REPORTS[name], folder / name
        pages[name] = out / report.page
        if pages[name].is_file():
            continue
        out.mkdir(parents=True, exist_ok=True)
        words = [w.replace("OUT", str(out)).replace("STUDY", str(example_folder())) for w in report.command.split()]
        print("immunescape", *words, flush=True)
        subprocess.run([sys.executable, "-m", "immunescape.cli", *words], check=True, stdout=subprocess.DEVNULL)
    return pages


def make_views(folder: Path) -> None:
    """Walk through the app as its tests do, which keeps a picture of each view."""
    environment = {**os.environ, "IMMUNESCAPE_SCREENSHOTS": str(folder)}
    test = ROOT / "tests" / "app" / "test_views.py"
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "-m", "not nightly", str(test)],
        check=True,
        env=environment,
        cwd=ROOT,
    )


def browser() -> Any:
    """Headless Chromium."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    names = ("chromium", "chromium-browser", "google-chrome")
    options.binary_location = next(p for p in map(shutil.which, names) if p)
    for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(word)
    return webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))


def photographed(window: Any, page: Path, width: int, height: int) -> Image.Image:
    """Upper part of a page in a window of a width, in CSS pixels."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    window.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    window.get(page.resolve().as_uri())
    window.execute_async_script(
        "const done = arguments[0]; Promise.resolve(window.picturesDrawn).then(() => setTimeout(done, 500));"
    )
    return Image.open(BytesIO(window.get_screenshot_as_png()))


def keep(picture: Image.Image, path: Path, width: int) -> None:
    """Cut, scale and reduce a picture to few colours."""
    height, scaled = SIZES[width]
    picture = picture.convert("RGB").crop((0, 0, min(width, picture.width), min(height, picture.height)))
    picture = picture.resize((scaled, round(picture.height * scaled / picture.width)), Image.Resampling.LANCZOS)
    picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(path, optimize=True)


def main() -> int:
    """Make the pictures; 1 where they take more than `LARGEST` together."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="folder of the pictures, such as docs/screenshots")
    parser.add_argument("--reports", type=Path, help="folder of reports; those that it lacks are made")
    parser.add_argument("--app", type=Path, help="folder of pictures that the tests of the app kept")
    parser.add_argument("--only", action="append", choices=[*REPORTS, *(f"app-{v}" for v in VIEWS)], help="repeatable")
    chosen = parser.parse_args()
    reports = [name for name in REPORTS if not chosen.only or name in chosen.only]
    shown = [name for name in VIEWS if not chosen.only or f"app-{name}" in chosen.only]
    chosen.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        pages = make_reports(chosen.reports or Path(temporary) / "reports", reports)
        views = chosen.app or Path(temporary) / "app"
        if shown and chosen.app is None:
            views.mkdir()
            make_views(views)
        if pages:
            window = browser()
            try:
                for name, page in pages.items():
                    for width, (height, _) in SIZES.items():
                        target = chosen.out / f"report-{name}-{width}.png"
                        keep(photographed(window, page, width, height), target, width)
            finally:
                window.quit()
        for name in shown:
            for width in SIZES:
                keep(Image.open(views / f"{name}-{width}.png"), chosen.out / f"app-{name}-{width}.png", width)
    total = sum(picture.stat().st_size for picture in chosen.out.glob("*.png"))
    print(f"{total} bytes in {chosen.out}")
    return 0 if total <= LARGEST else 1


if __name__ == "__main__":
    sys.exit(main())
