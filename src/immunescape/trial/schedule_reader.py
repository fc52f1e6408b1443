"""When a drug of a regimen text is given: interval, days of the cycle, number of doses, start and end."""

from __future__ import annotations

from immunescape.trial.fractions import repeats
from immunescape.trial.item_reader import ItemReader
from immunescape.trial.regimen import Duration
from immunescape.trial.rules import Item
from immunescape.trial.tokens import Token, number_text
from immunescape.trial.words import HOURLY, QXW, SPANS

__all__ = ["ScheduleReader"]


class ScheduleReader(ItemReader):
    """Reads modifiers that say when; each method reads from the word that begins it."""

    # how often -----------------------------------------------------------------------------------------------------

    def compact_interval(self, item: Item, token: Token) -> bool:
        """``q3w``, ``q21d``."""
        compact = QXW.fullmatch(token.key)
        if not compact:
            return False
        self.cursor.next()
        count = int(compact.group(1) or 1)
        self.interval(item, token, count * (1 if compact.group(2) == "d" else 7))
        return True

    def repeat(self, item: Item, token: Token) -> None:
        """``weekly``, ``every 3 weeks``."""
        cursor, key = self.cursor, token.key
        cursor.next()
        if key == "every" and cursor.accept("other"):
            cursor.expect("word", "day")
            self.interval(item, token, 2)
            return
        if key == "every" and cursor.now.kind == "number" and cursor.peek().key in ("hours", "hour", "h"):
            number = cursor.now
            hours = cursor.number("the interval")
            cursor.next()
            if hours not in HOURLY:
                raise cursor.error(
                    f"every {number_text(hours)} hours is not part of a day",
                    token=number,
                    hint="Write 6, 8, 12 or 24.",
                )
            self.put(item, "per_day", HOURLY[int(hours)], token)
            return
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
            self.put(item, "days", tuple(1 + 7 * week for week in range(given)), token)
            days = 7 * weeks
        else:
            cursor.index = restart
        self.interval(item, token, days)

    def daily(self, item: Item, token: Token) -> None:
        """``daily``, ``twice daily``, ``once``."""
        cursor, key = self.cursor, token.key
        cursor.next()
        times = {"daily": 1, "qd": 1, "twice": 2, "bid": 2, "tid": 3, "three": 3, "four": 4}.get(key)
        if key in ("three", "four"):
            cursor.expect("word", "times")
        if key == "single":
            cursor.expect("word", "dose")
        if key == "once" and cursor.at("daily"):
            times = 1
        if times is None:
            self.put(item, "once", True, token)
            return
        if key not in ("daily", "qd", "bid", "tid"):
            if cursor.accept("a", "per"):
                cursor.expect("word", "day")
            else:
                cursor.expect("word", "daily")
        self.put(item, "per_day", times, token)

    def refuse_biweekly(self, item: Item, token: Token) -> None:
        """``biweekly`` is twice a week to some and every two weeks to others."""
        raise self.cursor.error("'biweekly' is ambiguous", hint="Write 'every 2 weeks'.")

    # on which days, how many times -----------------------------------------------------------------------------------

    def days(self, item: Item, token: Token) -> None:
        """``on days 1 and 8``, ``on weekdays``."""
        cursor, key = self.cursor, token.key
        cursor.next()
        if key == "weekdays" or (key == "on" and cursor.accept("weekdays")):
            self.put(item, "days", (1, 2, 3, 4, 5), token)
            self.interval(item, token, 7)
            return
        if key == "on":
            cursor.expect("word", "day", "days")
        self.put(item, "days", self.day_list(), token)

    def day_list(self) -> tuple[int, ...]:
        """Read ``1, 8 and 15`` or ``1-5``: days of the cycle, which increase."""
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

    def repeated(self, item: Item, token: Token) -> bool:
        """``x 3``, ``in 30 fractions``, and ``5 days on, 2 off``."""
        cursor = self.cursor
        count = repeats(cursor)
        if count is not None:
            self.put(item, "count", count, token)
            return True
        if token.key == "in" and token.kind == "word":
            cursor.next()
            count = cursor.whole("the number of fractions", 1, 100)
            cursor.expect("word", "fractions", "fraction")
            self.put(item, "count", count, token)
            item.amount /= count
            return True
        if token.kind == "number" and cursor.peek().key in SPANS and cursor.peek(2).key == "on":
            given = self.span_days("the days with a dose")
            cursor.expect("word", "on")
            cursor.accept(",", "and")
            count = cursor.whole("the days without a dose")
            unit = SPANS[cursor.next().key if cursor.now.key in SPANS else self.width(token)]
            cursor.expect("word", "off")
            self.put(item, "days", tuple(range(1, given + 1)), token)
            self.interval(item, token, given + count * (7 if unit == "week" else 1))
            return True
        return False

    # from when to when -----------------------------------------------------------------------------------------------

    def start(self, item: Item, token: Token) -> None:
        """``from day 21``, ``starting week 3``."""
        cursor = self.cursor
        cursor.next()
        unit = cursor.expect("word", "cycle", "week", "day").key
        number = cursor.whole(f"the first {unit}")
        if unit == "cycle":
            self.put(item, "start_cycle", number, token)
        else:
            self.put(item, "start_day", number if unit == "day" else 7 * (number - 1) + 1, token)

    def end(self, item: Item, token: Token) -> None:
        """``for 4 cycles``, ``up to 2 years``."""
        cursor, key = self.cursor, token.key
        cursor.next()
        if key == "for":
            if cursor.accept("up"):
                cursor.expect("word", "to")
            elif cursor.accept("at"):
                cursor.expect("word", "most")
        else:
            cursor.expect("word", "to")
        first = cursor.now
        count = cursor.number("how many cycles, weeks or months")
        cursor.refuse_range("cycles")
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
            self.put(item, unit.rstrip("s") + "s", int(count), token)
        else:
            self.put(item, "limit", Duration(count, SPANS[unit]), token)

    def until(self, item: Item, token: Token) -> None:
        """``until progression``."""
        cursor = self.cursor
        cursor.next()
        if cursor.accept("progression"):
            if cursor.accept("or"):
                cursor.accept("unacceptable")
                cursor.expect("word", "toxicity")
            self.put(item, "until_progression", True, token)
            return
        unit = SPANS[cursor.expect("word", "progression", "day", "week", "month", "year").key]
        self.put(item, "limit", Duration(float(cursor.whole("the end")), unit), token)

    def refuse_moment(self, item: Item, token: Token) -> None:
        """``at`` is no modifier: say what is."""
        raise self.moment(token)

    def moment(self, token: Token) -> Exception:
        """The error for ``at week 16``, which may mean two days."""
        cursor = self.cursor
        unit, number = cursor.peek(), cursor.peek(2)
        hint = "Write 'from day …' for the day of the first dose; the first day is day 1."
        if unit.key in SPANS and number.kind == "number":
            last, count = number, float(number.text)
            days = {"day": 1, "week": 7, "month": 30, "year": 365}[SPANS[unit.key]]
            begin = int(days * (count - 1)) + 1
            hint = f"Write 'from day {begin}' (its first day"
            hint += ")." if days == 1 else f") or 'from day {int(days * count) + 1}' (after {unit.key} {number.text});"
            hint += " a single dose: 'once from day …'."
        else:
            last = token
        return cursor.error("'at' does not say when a dose begins", token=token, last=last, hint=hint)
