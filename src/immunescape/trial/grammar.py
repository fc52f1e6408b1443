"""The grammar of regimen text: a tokeniser and a recursive-descent parser that points at what it refuses.

Grammar (words in quotes, case does not matter)::

    regimen   = phase { [","|";"] ("then" | "followed by") ["after" span] phase }
    phase     = part { ("+" | "plus" | "and") part }
    part      = "placebo" | "observation" | "best supportive care" | drug dose { modifier }
    dose      = number unit | "AUC" number
    modifier  = "every" [number] ("week"|"day") | "q3w" | "weekly" ["for"] n "of" m "weeks" | "daily" | "once"
              | "once"|"twice"|"three times" "daily"
              | ["on"] "day(s)" day { ("," | "and" | "-") day }
              | ["for"] ["up to"] number ("cycles"|"doses"|"days"|"weeks"|"months"|"years")
              | "until progression" ["or toxicity"] | "from" ("cycle"|"week"|"day") number
              | "over" number ("minutes"|"hours") | "iv" | "sc" | "oral"
              | "max" number "mg" | "with loading dose" dose | "loading dose" ["then"] dose

A part without a schedule of its own takes the interval of the next part of its phase, and its end where it states
none either. A part that states an interval but no end goes on to the end of the phase. Days of the cycle are never
taken from another part.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from immunescape.trial.dosing import dose_problem
from immunescape.trial.regimen import INACTIVE, UNITS, DoseRule, Duration, Phase, Regimen
from immunescape.trial.tokens import Cursor, Token, number_text

__all__ = ["read_regimen"]

_UNIT_WORDS = {
    "mg": "mg", "g": "g", "ug": "ug", "µg": "ug", "μg": "ug", "mcg": "ug", "iu": "IU", "u": "IU", "miu": "MIU",
    "cells": "cells", "cell": "cells",
}  # fmt: skip
_PER_WORDS = {"kg": "kg", "m2": "m2", "m²": "m2"}
_SPANS = {"day": "day", "days": "day", "d": "day", "week": "week", "weeks": "week", "wk": "week", "wks": "week",
          "month": "month", "months": "month", "year": "year", "years": "year"}  # fmt: skip
_ROUTES = {
    "iv": "iv", "intravenous": "iv", "intravenously": "iv", "sc": "sc", "subcutaneous": "sc", "subcutaneously": "sc",
    "oral": "oral", "orally": "oral", "po": "oral",
}  # fmt: skip
_MODIFIERS = (
    "every", "q3w", "weekly", "daily", "once", "twice", "on", "day", "days", "for", "up", "until", "from", "over",
    "max", "with", "loading", "then", "plus", *_ROUTES,
)  # fmt: skip
_QXW = re.compile(r"q(\d{0,3})(w|wk|wks|d)")


@dataclass
class _Part:
    """A dose rule while it is read: values and the tokens that set them."""

    drug: str
    token: Token
    amount: float = 0.0
    unit: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)


def read_regimen(text: str, drugs: Mapping[str, Any] | Iterable[str] | None, where: str | None) -> Regimen:
    """Read a regimen text; see :func:`immunescape.trial.regimen.parse_regimen`."""
    if drugs is None:
        from immunescape.model.registry import drugs as registered

        drugs = registered()
    return _Reader(text, drugs, where).regimen()


class _Reader:
    def __init__(self, text: str, drugs: Mapping[str, Any] | Iterable[str], where: str | None) -> None:
        self.cursor = Cursor(text, where)
        records: dict[str, Any] = dict(drugs) if isinstance(drugs, Mapping) else dict.fromkeys(drugs)
        self.records = records
        self.names = {_folded(name): name for name in records}
        for name, record in records.items():
            for synonym in getattr(record, "synonyms", ()):
                self.names.setdefault(_folded(synonym), name)

    # phases -------------------------------------------------------------------------------------------------------

    def regimen(self) -> Regimen:
        cursor = self.cursor
        if cursor.now.kind == "end":
            raise cursor.error("an empty regimen", hint="Name a drug and its dose, or write 'observation'.")
        phases = [self.phase(pause=0)]
        while cursor.now.kind != "end":
            start = cursor.index
            if cursor.at(",", ";"):
                cursor.next()
            token = cursor.now
            if cursor.accept("followed"):
                cursor.expect("word", "by")
            elif not cursor.accept("then"):
                cursor.index = start
                raise self.unexpected()
            previous = phases[-1]
            if previous.rules and not any(rule.ends for rule in previous.rules):
                raise cursor.error(
                    f"what comes before '{token.text}' never ends",
                    token=token,
                    hint="Give it an end, such as 'for 4 cycles'; or write a switch at progression as crossover.",
                )
            if not previous.rules:
                raise cursor.error(f"nothing is given before '{token.text}'", token=token)
            pause = 0
            if cursor.accept("after"):
                pause = self.span_days("the pause")
            phases.append(self.phase(pause))
        return Regimen(tuple(phases))

    def phase(self, pause: int) -> Phase:
        cursor = self.cursor
        parts: list[_Part] = []
        inactive: list[str] = []
        while True:
            none = self.inactive()
            if none is None:
                parts.append(self.part())
            else:
                inactive.append(none)
            if not cursor.accept("+", "plus", "and", "&"):
                break
        return Phase(self.rules(parts), tuple(inactive), pause)

    def inactive(self) -> str | None:
        """Step over ``placebo`` and its like, with a schedule that is read and left out (nothing is given)."""
        cursor = self.cursor
        for name in INACTIVE:
            words = name.split()
            if all(cursor.peek(i).key == word for i, word in enumerate(words)):
                cursor.index += len(words)
                ignored = _Part(name, cursor.peek(-1))
                while self.modifier(ignored):
                    pass
                return name
        return None

    def unexpected(self) -> Exception:
        cursor = self.cursor
        token = cursor.now
        if token.kind == "word":
            return cursor.unknown("word", (*_MODIFIERS, "and"))
        if token.key == "," and cursor.peek().kind == "word":
            if _folded(cursor.peek().text) in self.names:
                return cursor.error(
                    "a comma between drugs",
                    hint="Write '+' for drugs given together, ', then' for one after the other.",
                )
            return cursor.unknown("word", ("then", "followed"), token=cursor.peek())
        return cursor.error(
            f"'{token.text}' has no meaning here", hint="After a dose comes a schedule, '+' or ', then'."
        )

    # parts --------------------------------------------------------------------------------------------------------

    def part(self) -> _Part:
        cursor = self.cursor
        part = self.drug()
        part.amount, part.unit = self.dose(part)
        while self.modifier(part):
            pass
        follow = cursor.now
        if follow.kind != "end" and not cursor.at("+", "plus", "and", "&", "then", "followed", ",", ";"):
            raise self.unexpected()
        return part

    def drug(self) -> _Part:
        cursor = self.cursor
        token = cursor.now
        if token.kind != "word":
            raise cursor.error("the name of a drug is expected here")
        for count in (3, 2, 1):  # a name may have several words
            words = [cursor.peek(i) for i in range(count)]
            if all(word.kind == "word" for word in words):
                name = self.names.get(_folded(" ".join(word.text for word in words)))
                if name is not None:
                    cursor.index += count
                    return _Part(name, token)
        raise cursor.unknown("drug", {*(name.replace("_", "-") for name in self.names.values()), *INACTIVE})

    def dose(self, part: _Part) -> tuple[float, str]:
        cursor = self.cursor
        accepted = tuple(getattr(self.records[part.drug], "dose_units", ()) or UNITS)
        example = " or ".join(accepted[:3])
        first = cursor.now
        if cursor.accept("auc"):
            amount, unit = cursor.number("the target AUC"), "AUC"
        elif first.kind == "number":
            amount = cursor.number("the dose")
            unit = self.unit(part, example)
        else:
            raise cursor.error(
                f"the dose of {part.drug} is missing",
                token=part.token,
                last=cursor.peek(-1),
                hint=f"Give it in {example}.",
            )
        last = cursor.peek(-1)
        if _family(unit) not in {_family(u) for u in accepted}:
            raise cursor.error(
                f"{part.drug} is not dosed in {unit}", token=first, last=last, hint=f"Give it in {example}."
            )
        problem = dose_problem(part.drug, amount, unit)
        if problem is not None:
            raise cursor.error(problem, token=first, last=last)
        return amount, unit

    def unit(self, part: _Part, example: str) -> str:
        cursor = self.cursor
        token = cursor.now
        if token.kind == "word" and token.key == "auc":
            raise cursor.error("'AUC' stands before its number", token=token, hint="Write 'AUC 5'.")
        if token.kind != "word" or token.key in _MODIFIERS or _QXW.fullmatch(token.key):
            raise cursor.error(
                f"the dose of {part.drug} has no unit", token=cursor.peek(-1), hint=f"Give it in {example}."
            )
        if token.key not in _UNIT_WORDS:
            raise cursor.unknown("unit", UNITS)
        unit = _UNIT_WORDS[cursor.next().key]
        if cursor.accept("/", "per"):
            below = cursor.next()
            key = below.key
            if key == "m" and cursor.accept("^"):
                cursor.whole("the power of m", 2, 2)
                key = "m2"
            elif key not in _PER_WORDS:
                raise self.wrong_unit(token, below)
            unit = f"{unit}/{_PER_WORDS[key]}"
            if unit not in UNITS:
                raise self.wrong_unit(token, below)
        return unit

    def wrong_unit(self, first: Token, last: Token) -> Exception:
        text = self.cursor.text[first.start : last.end]
        whole = Token("word", text, first.start, last.end)
        return self.cursor.unknown("unit", UNITS, token=whole)

    # modifiers ----------------------------------------------------------------------------------------------------

    def modifier(self, part: _Part) -> bool:
        """Read one modifier into `part`; False where there is none at the cursor."""
        cursor = self.cursor
        token = cursor.now
        key = token.key
        if token.kind == "sign" and key == "(":
            cursor.next()
            while self.modifier(part):
                pass
            if not cursor.accept(")"):
                raise cursor.error("')' is expected here")
            return True
        if token.kind != "word":
            return False
        compact = _QXW.fullmatch(key)
        if compact:
            cursor.next()
            count = int(compact.group(1) or 1)
            self.interval(part, token, count * (1 if compact.group(2) == "d" else 7))
        elif key in _ROUTES:
            cursor.next()
            self.put(part, "route", _ROUTES[key], token)
        elif key in ("weekly", "every"):
            cursor.next()
            self.repeat(part, token, key)
        elif key in ("daily", "qd", "once", "single", "twice", "bid", "tid", "three", "four"):
            cursor.next()
            self.daily(part, token, key)
        elif key in ("on", "day", "days"):
            cursor.next()
            if key == "on":
                cursor.expect("word", "day", "days")
            self.put(part, "days", self.day_list(), token)
        elif key in ("for", "up"):
            cursor.next()
            self.end(part, token, key)
        elif key == "until":
            cursor.next()
            self.until(part, token)
        elif key in ("from", "starting"):
            cursor.next()
            self.start(part, token)
        elif key == "over":
            cursor.next()
            value = cursor.number("the duration of the infusion")
            unit = cursor.expect("unit of time", "minutes", "minute", "min", "hours", "hour", "h").key
            self.put(part, "infusion_hours", value / 60 if unit.startswith("m") else value, token)
        elif key in ("max", "maximum", "capped"):
            cursor.next()
            if key == "capped":
                cursor.expect("word", "at")
            value = cursor.number("the largest dose")
            cursor.expect("unit", "mg")
            self.put(part, "max_mg", value, token)
        elif key in ("with", "loading"):
            self.loading(part, token)
        elif key == "biweekly":
            raise cursor.error("'biweekly' means two things", hint="Write 'every 2 weeks'.")
        else:
            return False
        return True

    def put(self, part: _Part, name: str, value: Any, token: Token) -> None:
        if name in part.values:
            raise self.cursor.error(
                f"{_MEANING.get(name, name)} of {part.drug} is given twice", token=token, last=self.cursor.peek(-1)
            )
        part.values[name] = value
        part.tokens[name] = token

    def interval(self, part: _Part, token: Token, days: int) -> None:
        if not 1 <= days <= 3650:
            raise self.cursor.error(
                "an interval must be from 1 day to 10 years", token=token, last=self.cursor.peek(-1)
            )
        self.put(part, "interval_days", days, token)

    def span_days(self, what: str) -> int:
        cursor = self.cursor
        count = cursor.whole(what) if cursor.now.kind == "number" else 1
        unit = _SPANS[cursor.expect("unit of time", "days", "weeks", "day", "week").key]
        return count * (7 if unit == "week" else 1)

    def repeat(self, part: _Part, token: Token, key: str) -> None:
        cursor = self.cursor
        days = 7 if key == "weekly" else self.span_days("the interval")
        restart = cursor.index
        cursor.accept("for")
        if days == 7 and cursor.now.kind == "number" and cursor.peek().key in ("of", "out"):
            given = cursor.whole("the number of weeks with a dose", 1, 52)
            if cursor.next().key == "out":
                cursor.expect("word", "of")
            counted = cursor.now
            weeks = cursor.whole("the number of weeks of a cycle", 1, 104)
            cursor.expect("unit of time", "weeks", "week")
            if given > weeks:
                raise cursor.error(
                    f"{given} of {weeks} weeks", token=counted, hint="The second number is the whole cycle."
                )
            self.put(part, "days", tuple(1 + 7 * week for week in range(given)), token)
            days = 7 * weeks
        else:
            cursor.index = restart
        self.interval(part, token, days)

    def daily(self, part: _Part, token: Token, key: str) -> None:
        cursor = self.cursor
        times = {"daily": 1, "qd": 1, "twice": 2, "bid": 2, "tid": 3, "three": 3, "four": 4}.get(key)
        if key in ("three", "four"):
            cursor.expect("word", "times")
        if key == "single":
            cursor.expect("word", "dose")
        if key == "once" and cursor.at("daily"):
            times = 1
        if times is None:
            self.put(part, "once", True, token)
            return
        if key not in ("daily", "qd", "bid", "tid"):
            if cursor.accept("a", "per"):
                cursor.expect("word", "day")
            else:
                cursor.expect("word", "daily")
        self.put(part, "per_day", times, token)

    def day_list(self) -> tuple[int, ...]:
        cursor = self.cursor
        days: list[int] = []
        while True:
            token = cursor.now
            first = last = cursor.whole("a day of the cycle", 1, 3650)
            if cursor.accept("-", "–", "to", "through"):
                last = cursor.whole("a day of the cycle", 1, 3650)
            new = range(first, last + 1)
            if not new or (days and first <= days[-1]):
                raise cursor.error("days of a cycle must increase", token=token, last=cursor.peek(-1))
            days.extend(new)
            if cursor.at(",") and cursor.peek().key == "and" and cursor.peek(2).kind == "number":
                cursor.index += 2
            elif cursor.at(",", "and", "&") and cursor.peek().kind == "number":
                cursor.next()
            else:
                return tuple(days)

    def end(self, part: _Part, token: Token, key: str) -> None:
        cursor = self.cursor
        if key == "for":
            if cursor.accept("up"):
                cursor.expect("word", "to")
            elif cursor.accept("at"):
                cursor.expect("word", "most")
        else:
            cursor.expect("word", "to")
        first = cursor.now
        count = cursor.number("how many cycles, weeks or months")
        if cursor.at("-", "–", "to") and cursor.peek().kind == "number":
            raise cursor.error(
                "a range of cycles",
                token=first,
                last=cursor.peek(),
                hint="Write one number; let patients differ with a 'choice:' of regimens and their weights.",
            )
        unit = cursor.expect(
            "word",
            "cycles",
            "doses",
            "days",
            "weeks",
            "months",
            "years",
            "cycle",
            "dose",
            "day",
            "week",
            "month",
            "year",
        ).key
        if count <= 0:
            raise cursor.error("an end must lie after the start", token=first)
        if unit.startswith(("cycle", "dose")):
            if count != int(count):
                raise cursor.error(
                    f"{number_text(count)} {unit} cannot be given", token=first, hint="Write a whole number."
                )
            self.put(part, unit.rstrip("s") + "s", int(count), token)
        else:
            self.put(part, "limit", Duration(count, _SPANS[unit]), token)

    def until(self, part: _Part, token: Token) -> None:
        cursor = self.cursor
        if cursor.accept("progression"):
            if cursor.accept("or"):
                cursor.accept("unacceptable")
                cursor.expect("word", "toxicity")
            self.put(part, "until_progression", True, token)
            return
        unit = _SPANS[cursor.expect("word", "progression", "day", "week", "month", "year").key]
        self.put(part, "limit", Duration(float(cursor.whole("the end")), unit), token)

    def start(self, part: _Part, token: Token) -> None:
        cursor = self.cursor
        unit = cursor.expect("word", "cycle", "week", "day").key
        number = cursor.whole(f"the first {unit}")
        if unit == "cycle":
            self.put(part, "start_cycle", number, token)
        else:
            self.put(part, "start_day", number if unit == "day" else 7 * (number - 1) + 1, token)

    def loading(self, part: _Part, token: Token) -> None:
        """``with loading dose 400 mg/m2`` (second in the text), or ``400 mg/m2 loading dose, then 250 mg/m2``."""
        cursor = self.cursor
        forward = cursor.next().key == "with"
        if forward:
            cursor.accept("a")
            cursor.expect("word", "loading")
        cursor.accept("dose")
        first = cursor.index
        if forward:
            amount, unit = self.dose(part)
            load = amount
        else:
            cursor.accept(",")
            cursor.expect("word", "then")
            first = cursor.index
            load = part.amount
            amount, unit = self.dose(part)
        if unit != part.unit:
            raise cursor.error(
                f"the loading dose and the dose of {part.drug} differ in unit",
                token=cursor.tokens[first],
                last=cursor.peek(-1),
            )
        if not forward:
            part.amount = amount
        self.put(part, "loading", load, token)

    # from parts to rules ------------------------------------------------------------------------------------------

    def rules(self, parts: list[_Part]) -> tuple[DoseRule, ...]:
        for part in parts:
            if "once" in part.values and "interval_days" in part.values:
                raise self.cursor.error(
                    f"{part.drug} is given once and repeatedly",
                    token=part.tokens["interval_days"],
                    hint="Drop one of them.",
                )
            daily_alone = "per_day" in part.values and not {"interval_days", "once", "days"} & set(part.values)
            if daily_alone:
                part.values["interval_days"] = 1
        for part, follower in zip(parts[-2::-1], parts[:0:-1], strict=True):
            if not {"interval_days", "once"} & set(part.values):
                self.inherit(part, follower)
        return tuple(self.rule(part) for part in parts)

    @staticmethod
    def inherit(part: _Part, follower: _Part) -> None:
        names = ["interval_days", "once"]
        if not {"cycles", "doses", "limit", "until_progression"} & set(part.values):
            names += ["cycles", "limit", "until_progression"]
            if "cycles" not in follower.values and "doses" in follower.values:
                part.values["cycles"] = follower.values["doses"] // max(1, len(follower.values.get("days", (1,))))
        for name in names:
            if name in follower.values:
                part.values[name] = follower.values[name]
                part.tokens.setdefault(name, follower.tokens.get(name, follower.token))

    def rule(self, part: _Part) -> DoseRule:
        cursor, values, tokens = self.cursor, part.values, part.tokens
        interval: int | None = values.get("interval_days")
        if interval is None and "once" not in values:
            raise cursor.error(
                f"how often {part.drug} is given is missing",
                token=part.token,
                hint="Write 'every 3 weeks', 'daily' or 'once'.",
            )
        days: tuple[int, ...] = values.get("days", (1,))
        if interval is not None and days[-1] > interval:
            raise cursor.error(f"day {days[-1]} lies after the end of a cycle of {interval} days", token=tokens["days"])
        cycles: int | None = values.get("cycles")
        if "doses" in values:
            if cycles is not None:
                raise cursor.error(f"the end of {part.drug} is given twice", token=tokens["doses"])
            cycles, rest = divmod(values["doses"], len(days))
            if rest:
                raise cursor.error(f"{values['doses']} doses do not fill whole cycles", token=tokens["doses"])
        if interval is None:
            for name in ("cycles", "doses", "limit", "until_progression"):
                if name in values and tokens[name].start > part.token.start and values.get(name) != 1:
                    raise cursor.error(f"{part.drug} is given once and has another end", token=tokens[name])
            cycles = None
        start = int(values.get("start_day", 1))
        if "start_cycle" in values:
            if interval is None or "start_day" in values:
                raise cursor.error(f"the start of {part.drug} cannot be told", token=tokens["start_cycle"])
            start = 1 + (values["start_cycle"] - 1) * interval
        limit = values.get("limit") if interval is not None else None
        return DoseRule(
            drug=part.drug, amount=part.amount, unit=part.unit, interval_days=interval, days=days,
            per_day=values.get("per_day", 1), cycles=cycles, limit=limit, start_day=start,
            until_progression=values.get("until_progression", False) and interval is not None,
            loading=values.get("loading"), max_mg=values.get("max_mg"),
            infusion_hours=values.get("infusion_hours"), route=values.get("route"),
        )  # fmt: skip


_MEANING = {
    "interval_days": "the interval",
    "days": "the days",
    "per_day": "the number of doses a day",
    "cycles": "the number of cycles",
    "limit": "the duration",
    "max_mg": "the largest dose",
    "route": "the route",
    "infusion_hours": "the duration of the infusion",
    "once": "'once'",
    "loading": "the loading dose",
}


def _folded(name: str) -> str:
    """A drug's name as compared: ``nab-paclitaxel``, ``nab paclitaxel`` and ``nab_paclitaxel`` are one."""
    return name.casefold().replace("-", "_").replace("–", "_").replace(" ", "_")


def _family(unit: str) -> str:
    """Units that differ only by a power of ten belong together: ug/kg with mg/kg, g with mg, MIU with IU."""
    top, _, below = unit.partition("/")
    top = {"ug": "mg", "g": "mg", "MIU": "IU"}.get(top, top)
    return f"{top}/{below}" if below else top
