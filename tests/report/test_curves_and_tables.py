"""Published curves from a folder, tables of a cohort, labels of the claims' figure: files in, files out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from immunescape.api.trials import load_trial
from immunescape.errors import InputError
from immunescape.report.tables import Table


@dataclass(frozen=True)
class _Result:
    """The part of a result that published curves are looked up for."""

    trial: Any


@pytest.mark.parametrize(
    ("rows", "headings"),
    [
        ([("calibration", "ORR", "1.0"), ("validation", "ORR", "1.0")], ("a",)),
        ([("calibration", "ORR", "1.0"), ("calibration", "PFS", "1.0")], ("a", "b")),
        ([("calibration", "ORR", "1.0"), ("calibration", "ORR", "1.0")], ("a",)),
        ([("calibration", "1.5", "1.0"), ("calibration", "2.5", "1.0")], ("a",)),
    ],
)
def test_rows_of_a_list_are_headed_by_what_tells_them_apart(rows, headings):
    assert Table([dict(zip("abc", row, strict=True)) for row in rows]).headings == headings


HEAD = "time,event,arm\n"
ROWS = "1.5,1,chemo\n3.0,1,chemo\n4.0,0,chemo\n2.0,1,pembrolizumab\n9.0,0,pembrolizumab\n"


def test_published_curves_of_a_folder_are_drawn_by_arm(tmp_path):
    (tmp_path / "km").mkdir()
    (tmp_path / "km" / "keynote024_os.csv").write_text(HEAD + ROWS)
    trial = load_trial("keynote-024").with_curves(tmp_path)
    curves = trial.spec.published.curves
    assert curves["os"]["platinum doublet"] == ((1.5, True), (3.0, True), (4.0, False))
    assert set(curves) == {"os"}
    assert load_trial("keynote-024").spec.published.curves == {}


def test_a_trial_of_ones_names_of_same_trial_its_arms_as_it_does(tmp_path):
    (tmp_path / "oak_pfs.csv").write_text(HEAD + "1,1,docetaxel\n2,1,atezolizumab\n")
    assert set(load_trial("oak").with_curves(tmp_path).spec.published.curves["pfs"]) == {"docetaxel", "atezolizumab"}
    (tmp_path / "oak_pfs.csv").write_text(HEAD + "1,1,docetaxl\n")
    with pytest.raises(InputError, match="docetaxl"):
        load_trial("oak").with_curves(tmp_path)


def test_a_folder_without_a_curve_of_the_trial_is_refused_with_the_names_looked_for(tmp_path):
    with pytest.raises(InputError, match="no published curve of 'oak'") as refused:
        load_trial("oak").with_curves(tmp_path)
    assert "oak_os.csv" in str(refused.value)


def test_curves_at_hand_reach_the_figure(shared_data):
    from immunescape.report.figures import PublishedCurve, kaplan_meier_figure
    from immunescape.stats.survival import kaplan_meier

    trial = load_trial("keynote-024").with_curves(shared_data)
    times = trial.spec.published.curves["os"]["pembrolizumab"]
    table = kaplan_meier([t for t, _ in times], [e for _, e in times])
    known = PublishedCurve("pembrolizumab", [], [], table["time"].tolist(), table["survival"].tolist(), None)
    names = [trace["name"] for trace in kaplan_meier_figure("OS", [], [known]).data]
    assert any("published curve" in n for n in names)
    assert len(times) == 154


@pytest.mark.slow
def test_cohort_writes_tables_and_report(tmp_path):
    from immunescape.cli import app
    from immunescape.profile.loading import example_folder, study_name

    done = CliRunner().invoke(app, ["cohort", str(example_folder()), "--outcome", "os", "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    table = pd.read_csv(tmp_path / "out" / "associations.csv")
    assert {"biomarker", "endpoint", "estimate", "low", "high", "p", "q", "note"} <= set(table.columns)
    assert set(table["endpoint"]) == {"os"}
    assert pd.read_csv(tmp_path / "out" / "outcomes.csv").columns[0] == "patient"
    assert "<html" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "associations.csv" in done.output
    stored = json.loads((tmp_path / "out" / "associations.json").read_text(encoding="utf-8"))
    assert stored["study"] == study_name(example_folder())
    again = pd.DataFrame(stored["associations"])["p"].astype(float)
    assert again.tolist() == pytest.approx(table["p"].tolist(), nan_ok=True)
    refused = CliRunner().invoke(app, ["simulate", "none", "--out", str(tmp_path / "out")])
    assert "contains the associations of the study" in str(refused.exception)
    done = CliRunner().invoke(app, ["cohort", str(example_folder()), "--outcome", "os", "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output


def test_cohort_refuses_a_folder_that_it_cannot_write_before_anything_is_read(tmp_path):
    from immunescape.cli import app

    place = Path(tmp_path / "file")
    place.write_text("")
    done = CliRunner().invoke(app, ["cohort", str(tmp_path / "nothing"), "--out", str(place)])
    assert done.exit_code != 0
    assert "file" in str(done.exception)


def test_long_chapters_are_wrapped_beside_the_bars():
    from types import SimpleNamespace

    from immunescape.report.claims_report import outcome_figure

    row = SimpleNamespace(holds=True, seeds={})
    picture = outcome_figure({"Chemotherapy, radiotherapy and DNA damage response": [row]})
    label = picture.data[0]["y"][0]
    assert max(len(line) for line in label.split("<br>")) <= 22
    assert label.replace("<br>", " ") == "Chemotherapy, radiotherapy and DNA damage response"


def test_the_printed_legend_stands_below_the_curves():
    import numpy as np

    from immunescape.report.figures import Curve
    from immunescape.report.print_figures import kaplan_meier_print

    months, survival = np.array([0.0, 6.0, 12.0]), np.array([1.0, 0.7, 0.4])
    curves = [Curve(arm, months, survival, survival, survival, {0: 10, 12: 4}) for arm in ("new", "old")]
    figure = kaplan_meier_print([("PFS", curves, []), ("OS", curves, [])], subtitle="a")
    assert all(ax.get_legend() is None for ax in figure.axes)
    figure.canvas.draw()
    legend = figure.legends[0].get_window_extent()
    labels = [ax.xaxis.label.get_window_extent() for ax in figure.axes]
    assert legend.y1 <= min(label.y0 for label in labels) + 1
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["new, predicted", "old, predicted"]


def test_a_curve_ends_where_fewer_than_five_in_a_hundred_are_at_risk():
    from immunescape.report.curves import curve_of
    from immunescape.stats.survival import kaplan_meier

    table = kaplan_meier([float(t) for t in range(1, 41)], [True] * 40)
    curve = curve_of("A", table, (0, 38, 40))
    assert curve.months.max() == 39  # two of forty are at risk there, one at 40
    assert curve.at_risk == {0.0: 40, 38.0: 3, 40.0: 1}
    few = curve_of("B", kaplan_meier([3.0, 9.0], [True, False]))
    assert few.months.max() == 9


def test_no_report_makes_curves_in_a_way_of_its_own():
    import ast

    import immunescape

    package = Path(immunescape.__file__).parent
    makers = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Curve"
    }
    assert makers == {"report/curves.py"}


def test_a_figure_of_a_course_hands_its_picture_to_a_notebook():
    from immunescape.patients.plot import notebook_figure

    figure = notebook_figure()(figsize=(1, 1))
    assert figure._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize(("low", "high"), [(0.1, 5.0), (0.8, 1.3), (0.01, 900.0), (0.45, 2.2)])
def test_a_log_axis_has_at_least_three_labels_and_not_more_than_nine(low, high):
    from immunescape.report.profile_figures import forest_figure

    figure = forest_figure(["a"], [(low * high) ** 0.5], [low], [high], "Hazard ratio", [True])
    assert 3 <= len(figure.layout.xaxis.tickvals) <= 9
    assert all(0.9 * low <= t <= 1.1 * high for t in figure.layout.xaxis.tickvals)


def test_the_scoreboard_draws_published_curves_of_the_data_folder_whole(tmp_path):
    from immunescape.report import scoreboard_report, trial_report

    (tmp_path / "km").mkdir()
    (tmp_path / "km" / "keynote024_os.csv").write_text(HEAD + ROWS)
    results = {name: _Result(load_trial(name).spec) for name in ("keynote-024", "oak")}
    with_curves = {n: scoreboard_report._with_curves(r, tmp_path) for n, r in results.items()}
    drawn = trial_report._published(with_curves["keynote-024"], "os")
    assert list(next(c for c in drawn if c.arm == "platinum doublet").curve_months) == [0.0, 1.5, 3.0, 4.0]
    assert all(not len(c.curve_months) for c in trial_report._published(with_curves["oak"], "os"))
    assert scoreboard_report._with_curves(results["oak"], None) is results["oak"]
    (tmp_path / "km" / "oak_os.csv").write_text(HEAD + "1,1,docetaxl\n")
    with pytest.raises(InputError, match="docetaxl"):
        scoreboard_report._with_curves(results["oak"], tmp_path)


def test_columns_of_numbers_are_flush_right_and_those_of_words_are_not() -> None:
    rows = [
        {
            "arm": "A",
            "n": 3,
            "bias": "+0.629",
            "score": "–",
            "interval": "1.5 (0.2 to 3)",
            "median": "not reached",
            "no": "–",
        },
        {"arm": "7", "n": 12, "bias": "−5", "score": "6.8", "interval": "–", "median": "3.1", "no": ""},
    ]
    assert Table(rows).flush_right == {"n", "bias", "score", "interval"}
    assert Table(rows, ("median",)).flush_right == {"n", "bias", "score", "interval", "median"}
