import pytest

from immunescape.errors import InputError
from immunescape.model import Model, registry
from immunescape.report.pages import page, regimen_of, simulate_courses, write_pages


def test_pages_of_all_without_pictures(tmp_path):
    written = write_pages(tmp_path, pictures=False)
    names = {p.stem for p in written}
    assert names == {"index", *registry.mechanisms(), *registry.drugs()}
    text = (tmp_path / "ifn_gamma.md").read_text(encoding="utf-8")
    for expected in ("# Interferon-gamma", "d(IFNg_T)/dt", "| k_IFNg_sec |", "mhc1_interferon", "## References"):
        assert expected in text
    index = (tmp_path / "index.md").read_text(encoding="utf-8")
    assert "parameters assumed" in index
    assert "[Pembrolizumab](pembrolizumab.md)" in index


def test_a_course_shows_what_a_mechanism_and_a_drug_do(tmp_path):
    courses = simulate_courses(["ifn_gamma", "pembrolizumab"])
    on, off = next((w, o) for n, _, _, w, o in courses["ifn_gamma"].panels if n == "f_mhc1_interferon")
    assert off[0] == pytest.approx(1.0, abs=1e-3)  # the reference patient at diagnosis
    assert abs(on[-1] - off[-1]) > 0.05
    assert courses["ifn_gamma"].label.startswith(("three times", "k_", "r_"))
    given, plain = next((w, o) for n, _, _, w, o in courses["pembrolizumab"].panels if n == "conc_pembrolizumab")
    assert given.max() > 10
    assert plain.max() == 0
    model = Model.build(drugs=["pembrolizumab"], check_units=False)
    text = page(model, model.drug("pembrolizumab"), courses["pembrolizumab"], "p.png")
    assert "![Pembrolizumab" in text


def test_every_mechanism_has_a_change_that_shows():
    """The change that is drawn belongs to the mechanism and moves what is plotted."""
    courses = simulate_courses(list(registry.mechanisms()))
    assert set(courses) == {m.name for m in Model.build(check_units=False).mechanisms}
    still = [
        name
        for name, course in courses.items()
        if all(abs(w[-1] - o[-1]) <= 1e-4 * (abs(o[-1]) + 1e-30) for *_, w, o in course.panels)
    ]
    assert still == []


def test_regimens_and_unnames_of_same_trial(tmp_path):
    assert "pembrolizumab 200 mg every 3 weeks" in regimen_of("pembrolizumab")
    with pytest.raises(InputError, match="ifn_gamma"):
        write_pages(tmp_path, ["ifn_gama"], pictures=False)
