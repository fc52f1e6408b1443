"""The bibliography: BibTeX as it is written in the wild, disagreeing duplicates, unknown keys."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from immunescape.errors import InputError
from immunescape.knowledge.references import (
    Reference,
    bib_files,
    format_reference,
    get_reference,
    load_references,
    parse_bibtex,
)

ENTRY = r"""
% a comment line
@string{jt = "J Toy"}
@Article{muller1990,
  author  = {M{\"u}ller, Hans-Peter and {\O}stergaard, K. and Garc{\'i}a, A and B, B and C, C and D, D and E, E},
  title   = "The {PD-1} axis \& its {{ligands}}, $\geq$ 50\%, IFN-$\gamma$, $\gamma\delta$",
  journal = {J Toy}, year = 1990, volume = {7}, number={2}, pages = {1--12},
  doi = {https://doi.org/10.1/x}, note = {PMID: 42},
}
@manual{label2024, title={A label}, author={{Toys and Sons LLC}}, organization={Toys \& Sons}, year={2024}}
@misc{site2020, title={A site}, year={2020}, url={https://example.org}, author={Some Body}}
"""


def test_parse_and_format() -> None:
    first, label, second = parse_bibtex(ENTRY)
    assert (first.key, first.kind, first.pmid, first.doi) == ("muller1990", "article", "42", "10.1/x")
    assert format_reference(first) == (
        "Müller HP, Østergaard K, García A, et al. The PD-1 axis & its ligands, ≥ 50%, IFN-γ, γδ. J Toy. "
        "1990;7(2):1–12. doi:10.1/x. PMID: 42."
    )
    assert format_reference(label) == "Toys and Sons LLC. A label. Toys & Sons. 2024."
    assert format_reference(second) == "Body S. A site. 2020. https://example.org"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("\n\n@article{a, title={x}, year={2000}", "premature end of file"),
        ("\n\n@article{a, title={x}}", "no year"),
        ("\n\n@article{a, title={x, year={2000}}", "premature end of file"),
        ("\n\n@article{a, title, year={2000}}", "'=' expected"),
        ("\n\n@article{a, title=, year={2000}}", "field value expected"),
        ("\n\n@article{a, title=x, year={2000}}", "undefined string"),
        ("\n\n@article{ title={x}}", "no key"),
        ("\n\n@article{}", "entry key expected"),
    ],
)
def test_broken_entries_name_file_and_line(text: str, word: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_bibtex(text, "my.bib")
    assert word in str(caught.value)
    assert "my.bib, line 3" in str(caught.value)


def test_duplicates_must_agree(tmp_path: Path) -> None:
    one, two = tmp_path / "one.bib", tmp_path / "two.bib"
    one.write_text("@article{zz1, title={Of Toys}, year={2001}}")
    two.write_text("@article{zz1, title={of {Toys}.}, year={2001}, doi={10.1/y}}")
    assert load_references([one, two])["zz1"].doi == "10.1/y"
    two.write_text("@article{zz1, title={Of other toys}, year={2001}, doi={10.1/yyyy}}")
    with pytest.raises(InputError, match="zz1") as caught:
        load_references([one, two])
    assert "one.bib" in str(caught.value)
    assert "two.bib" in str(caught.value)


def test_an_entry_that_stands_twice_in_a_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "one.bib"
    entry = "@article{zz1, title={Of Toys}, year={2001}%s}"
    file.write_text("\n".join(entry % end for end in ("", ", note={checked}")))
    with pytest.raises(InputError, match="'zz1' occurs twice"):
        load_references([file])


def test_unknown_key_names_the_nearest() -> None:
    known = {e.key: e for e in parse_bibtex(ENTRY)}
    with pytest.raises(InputError, match="Did you mean 'muller1990'"):
        get_reference("mueller1990", known)


def test_the_package_bibliography_reads() -> None:
    assert bib_files(), "the package has no bibliography"
    found = load_references()
    lost = []
    for entry in found.values():
        text = format_reference(entry)
        assert entry.fields["title"].rstrip(".") in text
        assert not any(c in text for c in "{}\\"), f"{entry.origin}: BibTeX left in: {text}"
        number = entry.doi or entry.pmid or "PMC" in entry.fields.get("note", "") or entry.fields.get("url")
        printed = all(entry.fields.get(k) for k in ("journal", "volume"))
        issued = entry.kind in ("misc", "manual", "book", "techreport") and entry.fields.get("author")
        chapter = all(entry.fields.get(k) for k in ("author", "booktitle", "pages"))
        findable = number or printed or issued or chapter
        if not findable:
            lost.append(f"{entry.key} ({entry.origin})")
    assert not lost, f"cannot be looked up; give doi, PMID, url, or journal and volume: {', '.join(lost)}"


def _works_under_several_keys(entries: Iterable[Reference]) -> list[str]:
    """Groups of keys whose entries share a DOI, a PMID, or title and year."""
    keys: dict[tuple[str, ...], set[str]] = {}
    for entry in entries:
        title = re.sub(r"[^a-z0-9]+", " ", entry.fields.get("title", "").lower()).strip()
        for mark in (("doi", entry.doi.lower()), ("pmid", entry.pmid), ("title", title, entry.fields["year"])):
            if mark[1]:
                keys.setdefault(mark, set()).add(entry.key)
    return sorted({", ".join(sorted(group)) for group in keys.values() if len(group) > 1})


def test_one_work_under_two_keys_is_noticed_by_doi_or_by_title() -> None:
    first = "@article{zz2001, title={Of {Toys}}, year={2001}, doi={10.1/Y}}"
    for second in ("title={Other}, year={2002}, doi={10.1/y}", "title={of toys.}, year={2001}"):
        assert _works_under_several_keys(parse_bibtex(f"{first}\n@article{{zz2001b, {second}}}")) == ["zz2001, zz2001b"]
    assert not _works_under_several_keys(parse_bibtex(f"{first}\n@article{{zz2002, title={{Of toys}}, year={{2002}}}}"))


def test_the_package_bibliography_has_each_work_under_one_key() -> None:
    assert not _works_under_several_keys(load_references().values())
