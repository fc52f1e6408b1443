import os
import re
from pathlib import Path

import pytest

from immunescape.errors import InputError
from immunescape.knowledge.claim_records import load_claims, places, read_claims

HEAD = "chapter: A\nclaims:\n"
GOOD = """- id: one
  at: ["1.1"]
  text: Something moves something.
  mechanism: mhc1
  change: {set: {k: x3}}
  observe: V_T
  expect: increase
"""


def test_every_claim_loads_and_has_its_place():
    claims = load_claims()
    assert len({c.id for c in claims}) == len(claims)
    assert sum(c.kind != "context" for c in claims) >= 200
    assert all(places(c) for c in claims)


def test_the_review_is_covered_sentence_by_sentence():
    shared = Path(os.environ.get("IMMUNESCAPE_SHARED", "shared"))
    file = shared / "review" / "nsclc_immunotherapy_resistance_review.txt"
    if not file.is_file():
        pytest.skip("the review is not here; set IMMUNESCAPE_SHARED")
    paragraphs = [p for p in file.read_text(encoding="utf-8").split("\n") if p.strip()]
    wanted = set()
    for i, text in enumerate(paragraphs, 1):
        sentences = re.split(r"(?<=[.!?])(?:\s+|(?=[A-Z][a-z]))(?=[A-Z“])", text)
        wanted |= {(i, j) for j in range(1, len(sentences) + 1)}
    spoken = set().union(*(places(c) for c in load_claims()))
    assert spoken == wanted


def test_texts_are_our_own():
    shared = Path(os.environ.get("IMMUNESCAPE_SHARED", "shared"))
    file = shared / "review" / "nsclc_immunotherapy_resistance_review.txt"
    if not file.is_file():
        pytest.skip("the review is not here; set IMMUNESCAPE_SHARED")

    def words(text):
        return re.findall(r"[a-z0-9]+", text.casefold())

    review = " ".join(words(file.read_text(encoding="utf-8")))
    for claim in load_claims():
        own = words(claim.text)
        runs = [" ".join(own[i : i + 9]) for i in range(len(own) - 8)]
        assert not [r for r in runs if f" {r} " in review], claim.id


def test_a_correction_names_its_sources():
    for claim in load_claims():
        assert not claim.correction or claim.sources or claim.kind == "context", claim.id


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("expect: increase", "expect: increas", "increase"),
        ("observe: V_T", "obsrve: V_T", "observe"),
        ("k: x3", "k: three", "factor"),
        ("  mechanism: mhc1\n", "", "mechanism"),
        ('at: ["1.1"]', 'at: ["one"]', "place"),
        ("  change: {set: {k: x3}}\n", "", "change"),
        ("change: {set", "change: {sett", "set"),
    ],
)
def test_a_wrong_claim_is_refused_with_file_line_and_id(old, new, expected):
    text = HEAD + GOOD + GOOD.replace("id: one", "id: two").replace(old, new)
    with pytest.raises(InputError) as error:
        read_claims("claims.yaml", text)
    assert "claims.yaml, line 10, claim 'two'" in str(error.value)
    assert expected in str(error.value)


def test_an_id_twice_and_broken_yaml_are_refused():
    with pytest.raises(InputError, match=r"line 10, .* claim 'one' is already registered by claims.yaml, line 3"):
        read_claims("claims.yaml", HEAD + GOOD + GOOD)
    with pytest.raises(InputError, match="YAML"):
        read_claims("claims.yaml", "a: [")
