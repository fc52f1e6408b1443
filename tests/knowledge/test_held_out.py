"""The split of real patients is a fixed rule, and about 30 % are held out."""

import pytest

from immunescape.errors import InputError
from immunescape.knowledge.held_out import STUDIES, is_held_out


@pytest.mark.parametrize("study", STUDIES)
def test_about_thirty_percent_of_a_study_are_held_out(study):
    assert sum(is_held_out(study, i) for i in range(20_000)) / 20_000 == pytest.approx(0.30, abs=0.015)


def test_a_number_and_its_text_are_the_same_patient():
    assert all(is_held_out("oak", i) == is_held_out("oak", str(i)) == is_held_out("oak", float(i)) for i in range(99))


def test_a_study_without_a_split_is_refused():
    with pytest.raises(InputError, match="oak"):
        is_held_out("oka", 1)


PINNED = (
    ("oak", "301", False),
    ("oak", "302", True),
    ("oak", "303", True),
    ("oak", "304", False),
    ("oak", "305", False),
    ("oak", "306", True),
    ("oak", "307", False),
    ("oak", "308", False),
    ("loris_chowell", "11", False),
    ("loris_chowell", "15", False),
    ("loris_chowell", "460", False),
    ("loris_chowell", "927", True),
    ("loris_shim", "1", False),
    ("loris_shim", "2", True),
    ("loris_shim", "3", True),
    ("loris_shim", "4", True),
    ("loris_shim", "5", False),
    ("loris_shim", "6", False),
    ("toposcore", "PD1p_049", False),
    ("toposcore", "PD1p_048", False),
    ("toposcore", "PD1p_040", True),
    ("toposcore", "PD1p_035", False),
)


@pytest.mark.parametrize(("study", "patient", "held_out"), PINNED)
def test_the_rule_never_moves(study, patient, held_out):
    assert is_held_out(study, patient) is held_out
