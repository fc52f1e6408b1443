"""The report of a virtual trial: one file, offline, with everything that it promises."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def result():
    import immunescape

    return immunescape.load_trial("keynote-024").run(patients=8, seed=5, workers=1)


def test_report_is_one_offline_file(result, tmp_path):
    path = result.report(tmp_path / "report.html")
    html = path.read_text(encoding="utf-8")
    body = re.sub(r"<script.*?</script>", "", html, flags=re.S)
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=[\"']https?:", html)
    for words in (
        "Research use only",
        "Predicted beside published",
        "Overall survival",
        "Progression-free survival",
        "Best change",
        "assumed",
        "References",
        "seed",
        "--patients 8 --seed 5",
        "Reck M",
    ):
        assert words in html, words
    assert "nan" not in re.sub(r"<[^>]+>", " ", body).lower().split()


def test_save_writes_all_files_and_json_has_no_nan(result, tmp_path):
    import pandas as pd

    paths = result.save(tmp_path / "new" / "folder")
    assert all(p.is_file() and p.stat().st_size > 0 for p in paths)
    data = json.loads(paths[0].read_text(), parse_constant=lambda c: pytest.fail(f"{c} in result.json"))
    assert set(data) >= {"trial", "seed", "engine", "wall_s", "arms", "comparison", "published"}
    assert set(data["comparison"]) >= {"pfs_hr", "pfs_hr_ci", "os_hr", "os_hr_ci"}
    assert data["published"]["arms"][0]["orr_pct"] == 44.8
    table = pd.read_parquet(paths[1])
    assert len(table) == 16


def test_published_event_times_are_drawn(result):
    from dataclasses import replace

    from immunescape.report.trial_report import _published

    trial = result.result.trial
    curves = {"os": {"pembrolizumab": ((1.0, True), (2.0, False)), "platinum doublet": ((3.0, True),)}}
    with_curves = replace(trial, published=replace(trial.published, curves=curves))
    drawn = _published(replace(result.result, trial=with_curves), "os")
    assert list(drawn[0].curve_months[:2]) == [0.0, 1.0]
    np.testing.assert_allclose(drawn[0].curve_survival[1], 0.5)


def test_show_prints_a_table(result, capsys):
    result.show()
    text = capsys.readouterr().out
    assert "Predicted beside published" in text
    assert "not a medical device" in text
    assert "<table>" in result._repr_html_()


def test_figure(result, tmp_path):
    path = result.figure(Path(tmp_path) / "km.png")
    assert path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_the_plot_shows_itself_in_a_notebook(result):
    plot = result.plot()
    assert [axis.get_title() for axis in plot.axes] == ["Progression-free survival", "Overall survival"]
    assert plot._repr_png_()[:8] == b"\x89PNG\r\n\x1a\n"


def test_libraries_of_the_report_are_read_at_the_first_patients():
    from immunescape.cli.running import first_with

    calls = []
    report = first_with(lambda: calls.append("read"), lambda done, total: calls.append((done, total)))
    for done in (0, 3, 5):
        report(done, 5)
    assert calls == [(0, 5), "read", (3, 5), (5, 5)]
    first_with(lambda: None, None)(1, 1)  # without anybody to tell
