"""From the items of a regimen text, as read, to dose rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from immunescape.trial.fractions import fraction_days
from immunescape.trial.regimen import DoseRule
from immunescape.trial.tokens import Cursor, Token, number_text
from immunescape.trial.words import LARGEST_FRACTION_GY

__all__ = ["Item", "dose_rules"]


@dataclass
class Item:
    """A dose rule while it is read: values and the tokens that set them."""

    drug: str
    token: Token
    amount: float = 0.0
    unit: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)


def dose_rules(cursor: Cursor, records: Mapping[str, Any], items: list[Item]) -> tuple[DoseRule, ...]:
    """Turn the items of a phase into dose rules; see the grammar for what one takes over from the next.

    Raises
    ------
    InputError
        For an item without schedule, with two ends, or with a dose or route that cannot be.
    """
    for earlier in items:
        if "once" in earlier.values and "interval_days" in earlier.values:
            raise cursor.error(
                f"{earlier.drug} is given once and repeatedly",
                token=earlier.tokens["interval_days"],
                hint="Drop one of them.",
            )
        if "count" in earlier.values:
            _course(cursor, earlier)
        daily_alone = "per_day" in earlier.values and not {"interval_days", "once", "days"} & set(earlier.values)
        if daily_alone:
            earlier.values["interval_days"] = 1
    for earlier, follower in zip(items[-2::-1], items[:0:-1], strict=True):
        if not {"interval_days", "once"} & set(earlier.values):
            _inherit(earlier, follower)
    for earlier in items:
        _check(cursor, records[earlier.drug], earlier)
    aims = [radiation for radiation in items if radiation.unit == "Gy"]
    if len({item.values.get("target") for item in aims}) > 1:
        raise cursor.error(
            "two targets of radiation in one regimen",
            token=aims[1].tokens.get("target", aims[1].token),
            hint="Write one target; 'all lesions' covers all visible lesions.",
        )
    return tuple(_rule(cursor, item) for item in items)


def _course(cursor: Cursor, item: Item) -> None:
    """Turn a number of fractions into the days of one course."""
    values, tokens = item.values, item.tokens
    for name in ("cycles", "doses", "limit", "until_progression"):
        if name in values:
            raise cursor.error(f"the end of {item.drug} is given twice", token=tokens[name])
    every = values.pop("interval_days", None)
    if every is not None and "days" in values:
        values["days"] = fraction_days(values["count"], values["days"], every, values.get("per_day", 1))
    elif "days" in values:
        if len(values["days"]) * values.get("per_day", 1) != values["count"]:
            raise cursor.error(
                f"{values['count']} fractions do not fill the days", token=tokens["days"], last=tokens["count"]
            )
    elif every is not None:
        values["days"] = fraction_days(values["count"], (1,), every, values.get("per_day", 1))
    else:
        values["days"] = fraction_days(values["count"], (1, 2, 3, 4, 5), 7, values.get("per_day", 1))
    if len(values["days"]) * values.get("per_day", 1) != values["count"]:
        raise cursor.error(f"{values['count']} fractions do not fill whole days", token=tokens["count"])
    values["once"] = True


def _inherit(item: Item, follower: Item) -> None:
    names = ["interval_days", "once"]
    if not {"cycles", "doses", "limit", "until_progression"} & set(item.values):
        names += ["cycles", "limit", "until_progression"]
        if "cycles" not in follower.values and "doses" in follower.values:
            item.values["cycles"] = follower.values["doses"] // max(1, len(follower.values.get("days", (1,))))
    for name in names:
        if name in follower.values:
            item.values[name] = follower.values[name]
            item.tokens.setdefault(name, follower.tokens.get(name, follower.token))


def _rule(cursor: Cursor, item: Item) -> DoseRule:
    values, tokens = item.values, item.tokens
    interval: int | None = values.get("interval_days")
    if interval is None and "once" not in values:
        raise cursor.error(
            f"how often {item.drug} is given is missing",
            token=item.token,
            hint="Write 'every 3 weeks', 'daily' or 'once'.",
        )
    days: tuple[int, ...] = values.get("days", (1,))
    if interval is not None and days[-1] > interval:
        raise cursor.error(f"day {days[-1]} lies after the end of a cycle of {interval} days", token=tokens["days"])
    cycles: int | None = values.get("cycles")
    if "doses" in values:
        if cycles is not None:
            raise cursor.error(f"the end of {item.drug} is given twice", token=tokens["doses"])
        cycles, rest = divmod(values["doses"], len(days) * values.get("per_day", 1))
        if rest:
            raise cursor.error(f"{values['doses']} doses do not fill whole cycles", token=tokens["doses"])
    if interval is None:
        for name in ("cycles", "doses", "limit", "until_progression"):
            if name in values and tokens[name].start > item.token.start and values.get(name) != 1:
                raise cursor.error(f"{item.drug} is given once and has another end", token=tokens[name])
        cycles = None
    start = int(values.get("start_day", 1))
    if "start_cycle" in values:
        if interval is None or "start_day" in values:
            raise cursor.error(f"the start of {item.drug} cannot be determined", token=tokens["start_cycle"])
        start = 1 + (values["start_cycle"] - 1) * interval
    limit = values.get("limit") if interval is not None else None
    return DoseRule(
        drug=item.drug,
        amount=item.amount,
        unit=item.unit,
        interval_days=interval,
        days=days,
        per_day=values.get("per_day", 1),
        cycles=cycles,
        limit=limit,
        start_day=start,
        until_progression=values.get("until_progression", False) and interval is not None,
        loading=values.get("loading"),
        max_mg=values.get("max_mg"),
        infusion_hours=values.get("infusion_hours"),
        route=values.get("route"),
        target=values.get("target"),
    )


def _check(cursor: Cursor, record: Any, item: Item) -> None:
    """Refuse a route that the drug does not have, and a whole course of radiation in one fraction."""
    route = item.values.get("route")
    usual = getattr(record, "route", None)
    if route is not None and usual is not None and route not in {usual, *record.route_states}:
        routes = " or ".join(sorted({usual, *record.route_states}))
        raise cursor.error(
            f"{item.drug} is not given {route}", token=item.tokens["route"], hint=f"It is given {routes}."
        )
    if "target" in item.values and item.unit != "Gy":
        raise cursor.error(
            f"{item.drug} has no target", token=item.tokens["target"], hint="Only radiation is aimed at a place."
        )
    if item.unit == "Gy" and item.amount > LARGEST_FRACTION_GY:
        raise cursor.error(
            f"{number_text(item.amount)} Gy in one fraction",
            token=item.token,
            hint="Write the number of fractions: '60 Gy in 30 fractions' or '8 Gy x 3'.",
        )
