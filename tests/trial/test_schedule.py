"""Visit schedules."""

from __future__ import annotations

import numpy as np
import pytest

from immunescape.errors import InputError
from immunescape.trial.schedule import parse_schedule


@pytest.mark.parametrize(
    ("text", "weeks"),
    [
        ("every 9 weeks", [9, 18, 27, 36, 45, 54, 63]),
        ("weeks 6 and 12 then every 9 weeks", [6, 12, 21, 30, 39, 48, 57, 66]),
        ("week 9 then every 6 weeks", [9, 15, 21, 27, 33, 39, 45, 51, 57, 63, 69]),
        ("every 6 weeks to week 36 then every 9 weeks", [6, 12, 18, 24, 30, 36, 45, 54, 63]),
        ("every 6 weeks until week 48, then every 9 weeks", [6, 12, 18, 24, 30, 36, 42, 48, 57, 66]),
        ("every 8 weeks to month 12 then every 12 weeks", [8, 16, 24, 32, 40, 48, 60]),
        ("weeks 4, 8, and 12 then every 12 weeks", [4, 8, 12, 24, 36, 48, 60]),
        ("weeks 8 and 16 then q8w", [8, 16, 24, 32, 40, 48, 56, 64]),
        ("q6w until week 48 then q12w", [6, 12, 18, 24, 30, 36, 42, 48, 60]),
        ("every 21 days to day 63 then every 10 weeks", [3, 6, 9, 19, 29, 39, 49, 59, 69]),
    ],
)
def test_times(text: str, weeks: list[int]) -> None:
    schedule = parse_schedule(text)
    np.testing.assert_allclose(schedule.times(70 * 7) / 7, weeks)
    assert parse_schedule(str(schedule)) == schedule


def test_the_last_day_counts_and_nothing_after_it() -> None:
    schedule = parse_schedule("every 9 weeks")
    assert schedule.times(126).tolist() == [63, 126]
    assert schedule.times(125).tolist() == [63]
    assert schedule.times(10).size == 0


@pytest.mark.parametrize(
    ("text", "message", "shown"),
    [
        ("evry 9 weeks", "unknown word 'evry'", "'every'"),
        ("every 9 weaks", "unknown unit of time 'weaks'", "'weeks'"),
        ("every weeks 9", "'9' has no meaning here", "then"),
        ("every 6 weeks then every 9 weeks", "what comes before 'then' never ends", "^^^^"),
        ("weeks 6 and 12", "the visits end", "then every 9 weeks"),
        ("every 6 weeks to week 36", "the visits end", "then every 9 weeks"),
        ("weeks 12 and 6 then every 9 weeks", "visits must follow each other", "^"),
        ("every 6 weeks to week 36 then week 30 then every 9 weeks", "visits must follow each other", "^^"),
        ("every 6 weeks to week 3 then every 9 weeks", "no visit lies in this part", "^^^^"),
        ("every 0 weeks", "an interval must be greater than zero", "^"),
        ("every 6 weeks thn every 9 weeks", "unknown word 'thn'", "'then'"),
        ("every 6-8 weeks", "'6-8' is a range of intervals", "one interval"),
        ("every 6 to 8 weeks", "'6-8' is a range of intervals", "^^^^^^"),
        ("every six weeks", "'six' is a number", "digits: '6'"),
        ("at baseline then every 6 weeks", "'baseline' is not a visit", "always made"),
        ("q0w", "an interval must be greater than zero", "^^^"),
        ("", "the text ends where a word is expected", "^"),
    ],
)
def test_refuses(text: str, message: str, shown: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_schedule(text, where="t.yaml, line 3")
    assert message in caught.value.message
    assert shown in str(caught.value)
    assert str(caught.value).startswith("t.yaml, line 3")
