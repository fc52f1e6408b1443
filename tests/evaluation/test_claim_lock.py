"""Set-ups of claims are locked: what is changed must be listed."""

from __future__ import annotations

import hashlib
from importlib.resources import files

import pytest

from immunescape.knowledge.claim_lock import (
    claim_changes,
    later_forms,
    locked_digests,
    setup_digest,
    unlisted_changes,
)
from immunescape.knowledge.claim_records import load_claims, shipped_claims
from immunescape.knowledge.counter_models import load_counter_models
from immunescape.knowledge.must_not_records import MustNot, load_must_not
from immunescape.knowledge.references import load_references

BATCHES = (
    (545, "c93cebf80ccb03ecbc08a32d37703271e978062fa3a922d458905dd789e2dec5"),
    (763, "962021ffe8488710b06222fc848e64b6153c5010429ebbc9ffd3377da12f5618"),
)
"""Rows of the lock after each batch, and the digest of all rows until then: rows are added below, none is rewritten.

``scripts/lock_claims.py`` adds rows and prints the line that belongs here.
"""


def claims_with_a_set_up() -> tuple:
    return tuple(c for c in shipped_claims() if c.kind != "context")


def test_every_set_up_is_the_locked_one_or_a_listed_change() -> None:
    assert unlisted_changes((*claims_with_a_set_up(), *load_must_not(), *load_counter_models().values())) == []


def test_no_row_of_the_lock_is_rewritten_or_lost() -> None:
    lines = (files("immunescape.knowledge") / "claims" / "lock.csv").read_text(encoding="utf-8").splitlines()
    for rows, digest in BATCHES:
        assert hashlib.sha256("\n".join(lines[: rows + 1]).encode()).hexdigest() == digest, rows
    assert len(lines) == BATCHES[-1][0] + 1, "rows that no batch covers: run scripts/lock_claims.py"


def test_the_lock_has_one_row_for_each_record() -> None:
    names = [line.split(",")[0] for line in (files("immunescape.knowledge") / "claims" / "lock.csv").open()]
    assert len(set(names)) == len(names)


def test_a_claim_without_a_row_is_noticed() -> None:
    first = claims_with_a_set_up()[0].model_copy(update={"id": "a-claim-of-ones-own"})
    assert unlisted_changes((first,)) == ["a-claim-of-ones-own"]


def test_first_forms_that_named_what_was_not_there_are_listed() -> None:
    completed = {c.claim for c in claim_changes() if c.kind == "completed"}
    assert len(completed) >= 45
    assert {"il15-cd8", "ddr-ifn1", "roryt-th17"} <= completed


def test_a_claim_that_was_moved_and_moved_back_is_listed() -> None:
    assert any(c.claim == "ctdna-clearance-early" and c.later == {"day": 63} for c in claim_changes())


@pytest.mark.parametrize(
    "change",
    [{"day": 3.0}, {"observe": "f_killing"}, {"low": 0.5}, {"expect": "increase"}, {"mechanism": ("mhc1",)}],
)
def test_a_change_that_nobody_lists_is_noticed(change: dict) -> None:
    first = next(c for c in claims_with_a_set_up() if c.expect == "decrease" and c.day not in (3.0,))
    assert unlisted_changes((first.model_copy(update=change),)) == [first.id]


def test_a_text_may_be_edited() -> None:
    first = claims_with_a_set_up()[0]
    assert setup_digest(first.model_copy(update={"text": "Said better than before.", "note": "more"})) == setup_digest(
        first
    )


def test_every_claim_that_is_gone_from_the_records_would_be_missed() -> None:
    present = {r.id for r in (*claims_with_a_set_up(), *load_must_not(), *load_counter_models().values())}
    assert set(locked_digests()) <= present


def test_later_forms_differ_from_the_first_and_say_why() -> None:
    first = {c.id: c for c in load_claims()}
    forms = later_forms()
    assert len(forms) >= 30
    for form in forms:
        assert setup_digest(form) != setup_digest(first[form.id.removesuffix("--later")]), form.id
    assert all(len(c.reason) > 10 for c in claim_changes())


def test_the_first_form_of_a_mended_statement_can_be_had_back() -> None:
    statements = {s.id: s for s in load_must_not()}
    mended = [c for c in claim_changes() if c.first]
    assert {c.claim for c in mended} >= {"relatlimab-pd1", "bevacizumab-pd1"}
    for change in mended:
        before = statements[change.claim].model_copy(update=change.first)
        assert setup_digest(before) == locked_digests()[change.claim]
        assert setup_digest(statements[change.claim]) == change.digest


def test_a_changed_counter_model_is_noticed() -> None:
    first = next(c for c in load_counter_models().values() if c.wire is not None)
    stronger = first.model_copy(update={"wire": first.wire.model_copy(update={"strength": 9.0})})
    assert unlisted_changes([stronger]) == [first.id]
    assert unlisted_changes([first.model_copy(update={"because": "said in other words"})]) == []


def test_cells_are_counted_where_the_review_speaks_of_cells() -> None:
    first = {c.id: c for c in load_claims()}
    assert first["lung-treg"].observe == "Treg_density_T"
    assert first["lactate-treg"].observe == "Treg_density_T"
    assert first["sting-dc-maturation"].observe == "mAPC_T"


def test_statements_that_must_not_hold_are_many_and_say_what_denies_them() -> None:
    statements = load_must_not()
    assert len(statements) >= 80
    references = load_references()
    for s in statements:
        assert all(key in references for key in s.sources), s.id
    assert sum(bool(s.at or s.sources) for s in statements) >= 80


def test_bounds_of_no_effect_must_hold_no_effect() -> None:
    good = load_must_not()[0].model_dump()
    with pytest.raises(ValueError, match="leave out 1"):
        MustNot.model_validate(good | {"low": 1.1, "high": 1.2})


def test_what_only_a_drug_brings_is_looked_at_where_the_drug_is_given() -> None:
    from immunescape.evaluation.claims import observed, plan
    from immunescape.evaluation.summary import full_model
    from immunescape.trial.grammar import parse_regimen

    model = full_model()
    owners = {**model.quantities, **model.states}
    for record in (*claims_with_a_set_up(), *(s.as_claim() for s in load_must_not())):
        owner = owners[observed(record.observe)[1]].owner if observed(record.observe)[1] in owners else ""
        if owner not in model.drugs:
            continue
        for side in plan(record).sides:
            given = {d for text in side.regimens for d in parse_regimen(text).drugs}
            assert owner in given, record.id
