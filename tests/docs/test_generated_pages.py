"""The pages that the documentation takes from the registries and from the modules."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    from immunescape.report.reference_pages import reference_pages

    return reference_pages(only=("killing", "tryptophan", "pembrolizumab", "cisplatin", "tmb", "stk11_status"))


def test_every_record_has_a_page_and_the_lists_name_it(pages):
    assert sorted(p for p in pages if "/" in p) == [
        "biomarkers/stk11_status.md",
        "biomarkers/tmb.md",
        "drugs/cisplatin.md",
        "drugs/pembrolizumab.md",
        "mechanisms/killing.md",
        "mechanisms/tryptophan.md",
    ]
    assert "[`cisplatin`](drugs/cisplatin.md)" in pages["drugs.md"]
    assert "[`tryptophan`](mechanisms/tryptophan.md)" in pages["mechanisms.md"]


def test_a_page_shows_value_unit_source_and_grade_as_the_table_has_them(pages):
    import csv

    from immunescape.model.parameters import table_path

    with table_path("tryptophan.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    lines = [line for line in pages["mechanisms/tryptophan.md"].splitlines() if line.startswith("| `")]
    for row in rows:
        line = next(text for text in lines if text.startswith(f"| `{row['name']}` |"))
        cells = [c.strip() for c in line.strip("|").split(" | ")]
        assert float(cells[1]) == pytest.approx(float(row["value"]))
        assert row["unit"] == cells[2]
        assert row["grade"] == cells[4]
        keys = [k.strip() for k in row["source"].replace(",", ";").split(";")]
        cited = ", ".join(f"`{k}`" for k in keys if k != "assumed")
        direction = "direction from " if row["grade"] == "assumed" and cited else ""
        assert cells[5] == (direction + cited or "assumed")


def test_a_mechanism_shows_what_it_acts_on_its_equations_and_its_claims(pages):
    page = pages["mechanisms/tryptophan.md"]
    assert "| `killing` | inhibits | `metabolic` |" in page
    assert "Trp_conc_T = Trp_blood / (1 + use_WARS + IDO1_use + TDO_use)" in page
    from immunescape.report.reference_pages import claims_about

    claims = claims_about("tryptophan")
    assert len(claims) > 3
    assert all(f"`{c.id}`" in page for c in claims)


def test_a_drug_shows_its_harm_and_the_trials_that_give_it(pages):
    page = pages["drugs/pembrolizumab.md"]
    assert "## Toxicity" in page
    assert "`keynote-024`" in page
    assert "| class | anti-PD-1 antibody |" in page


def test_a_biomarker_shows_what_reads_it(pages):
    page = pages["biomarkers/stk11_status.md"]
    assert "- stk11\\_loss" in page or "- stk11_loss" in page
    assert "covariate stk11" in page


def test_a_sign_of_markdown_in_a_note_stays_a_sign():
    from immunescape.report.reference_pages import cell

    assert cell("a|b <c> *d* [e] $f$\nnext") == "a\\|b \\<c> \\*d\\* \\[e] \\$f\\$ next"


def test_the_interface_names_every_public_module():
    sys.path.insert(0, str(ROOT / "docs" / "extensions"))
    try:
        from interface_pages import interface_pages
    finally:
        sys.path.pop(0)
    text = "\n".join(interface_pages().values())
    modules = {
        ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
        for path in (ROOT / "src" / "immunescape").rglob("*.py")
    }
    records = ("immunescape.model.mechanisms.", "immunescape.model.drugs.")
    public = {m for m in modules if "._" not in m and not m.startswith(records)}
    named = {line.removeprefix(".. automodule:: ") for line in text.splitlines() if line.startswith(".. automodule:: ")}
    assert public == named


def test_show_knows_biomarkers_and_claims(capsys):
    from immunescape.api.model import show, shown
    from immunescape.errors import InputError

    show("tmb")
    printed = capsys.readouterr().out
    assert "unit: 1/megabase" in printed
    assert "low_neoantigen_burden" in printed
    assert shown("tmb")["kind"] == "biomarker"
    assert any(c["id"] for c in shown("tryptophan")["claims"])
    with pytest.raises(InputError, match="mechanism, biomarker or name of the model 'tmbb'"):
        show("tmbb")


@pytest.mark.slow
def test_the_whole_site_is_built_without_a_warning(tmp_path):
    pytest.importorskip("myst_nb")
    import subprocess

    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-b",
        "html",
        "-W",
        "--keep-going",
        "-d",
        str(tmp_path / "trees"),
        "docs",
        str(tmp_path / "html"),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1800, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    assert (tmp_path / "html" / "generated" / "drugs" / "pembrolizumab.html").is_file()
