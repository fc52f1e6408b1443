"""The grammar of regimen text: a tokeniser and a recursive-descent parser that points at what it refuses.

Grammar (words in quotes, case does not matter)::

    regimen   = phase { [","|";"] ("then" | "followed by") ["after" span] phase }
    phase     = part { ("+" | "plus" | "and") part }
    part      = "placebo" | "observation" | "best supportive care" | drug dose { modifier }
    dose      = [n "x"] number unit | "AUC" number
    modifier  = "every" [number] ("week"|"day") | "q3w" | "weekly" ["for"] n "of" m "weeks" | "daily" | "once"
              | "once"|"twice"|"three times" "daily" | "every" (6|8|12|24) "hours" | "every other day" | "on weekdays"
              | n "days" "on" [","|"and"] n ["days"] "off" | "x" n | "in" n "fractions"
              | ["on"] "day(s)" day { ("," | "and" | "-") day }
              | ["for"] ["up to"] number ("cycles"|"doses"|"days"|"weeks"|"months"|"years")
              | "until progression" ["or toxicity"] | "from" ("cycle"|"week"|"day") number
              | "over" number ("minutes"|"hours") | "iv" | "sc" | "oral"
              | "to" ("thorax" | "all lesions" | "brain" | "one lesion")
              | "max" number "mg" | "with loading dose" dose | "loading dose" ["then"] dose

A part without a schedule of its own takes the interval of the next part of its phase, and its end where it states
none either. A part that states an interval but no end goes on to the end of the phase. Days of the cycle are never
taken from another part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from immunescape.trial.absent import absent_drug
from immunescape.trial.dosing import dose_problem
from immunescape.trial.field import TARGETS
from immunescape.trial.fractions import repeats, ten_to_the
from immunescape.trial.regimen import INACTIVE, UNITS, Duration, Phase, Regimen
from immunescape.trial.rules import Part, dose_rules
from immunescape.trial.tokens import Cursor, Token, number_text
from immunescape.trial.words import (
    HOURLY,
    MEANING,
    MODIFIERS,
    PER_WORDS,
    QXW,
    ROUTES,
    SPANS,
    UNIT_WORDS,
    family,
    folded,
)

__all__ = ["parse_regimen"]


def parse_regimen(
    text: str, drugs: Mapping[str, Any] | Iterable[str] | None = None, *, where: str | None = None
) -> Regimen:
    """Read a regimen text.

    Parameters
    ----------
    text
        The regimen, e.g. ``"gemcitabine 1250 mg/m2 on days 1 and 8 every 3 weeks for 4 cycles"``.
    drugs
        Drugs that may be named: a mapping from name to a record with ``dose_units`` and ``synonyms`` (as
        :class:`immunescape.model.declarations.Drug`), or just names. None takes every registered drug.
    where
        File and line, for error messages.

    Raises
    ------
    InputError
        With the text, carets under the wrong part, and the nearest valid word.
    """
    if drugs is None:
        from immunescape.model.registry import drugs as registered

        drugs = registered()
    return _Reader(text, drugs, where).regimen()


class _Reader:
    def __init__(self, text: str, drugs: Mapping[str, Any] | Iterable[str], where: str | None) -> None:
        self.cursor = Cursor(text, where)
        records: dict[str, Any] = dict(drugs) if isinstance(drugs, Mapping) else dict.fromkeys(drugs)
        self.records = records
        self.names = {folded(name): name for name in records}
        for name, record in records.items():
            for synonym in getattr(record, "synonyms", ()):
                self.names.setdefault(folded(synonym), name)

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
        parts: list[Part] = []
        inactive: list[str] = []
        while True:
            none = self.inactive()
            if none is None:
                parts.append(self.part())
            else:
                inactive.append(none)
            if not cursor.accept("+", "plus", "and", "&"):
                break
        return Phase(dose_rules(self.cursor, self.records, parts), tuple(inactive), pause)

    def inactive(self) -> str | None:
        """Step over ``placebo`` and its like, with a schedule that is read and left out (nothing is given)."""
        cursor = self.cursor
        for name in INACTIVE:
            words = name.split()
            if all(cursor.peek(i).key == expected for i, expected in enumerate(words)):
                cursor.index += len(words)
                ignored = Part(name, cursor.peek(-1))
                while self.modifier(ignored):
                    pass
                return name
        return None

    def unexpected(self) -> Exception:
        cursor = self.cursor
        token = cursor.now
        if token.kind == "word":
            return cursor.unknown("word", (*MODIFIERS, "and"))
        if token.key == "," and cursor.peek().kind == "word":
            if folded(cursor.peek().text) in self.names:
                return cursor.error(
                    "a comma between drugs",
                    hint="Write '+' for drugs given together, ', then' for one after the other.",
                )
            return cursor.unknown("word", ("then", "followed"), token=cursor.peek())
        return cursor.error(
            f"'{token.text}' has no meaning here", hint="After a dose comes a schedule, '+' or ', then'."
        )

    # parts --------------------------------------------------------------------------------------------------------

    def part(self) -> Part:
        cursor = self.cursor
        part = self.drug()
        part.amount, part.unit = self.dose(part)
        while self.modifier(part):
            pass
        follow = cursor.now
        if follow.kind != "end" and not cursor.at("+", "plus", "and", "&", "then", "followed", ",", ";"):
            raise self.unexpected()
        return part

    def drug(self) -> Part:
        cursor = self.cursor
        token = cursor.now
        if token.kind != "word":
            raise cursor.error("the name of a drug is expected here")
        for count in (3, 2, 1):  # a name may have several words
            words = [cursor.peek(i) for i in range(count)]
            if all(token_of_name.kind == "word" for token_of_name in words):
                name = self.names.get(folded(" ".join(token_of_name.text for token_of_name in words)))
                if name is not None:
                    cursor.index += count
                    return Part(name, token)
        absent = absent_drug(token.text, set(self.names.values()))
        if absent is not None:
            raise cursor.error(f"{token.text} is {absent[0]} that this product does not have", hint=absent[1])
        raise cursor.unknown("drug", {*(name.replace("_", "-") for name in self.names.values()), *INACTIVE})

    def dose(self, part: Part) -> tuple[float, str]:
        cursor = self.cursor
        accepted = tuple(getattr(self.records[part.drug], "dose_units", ()) or UNITS)
        example = " or ".join(accepted[:3])
        first = cursor.now
        if cursor.accept("auc"):
            amount, unit = cursor.number("the target AUC"), "AUC"
            cursor.refuse_range("doses", first=first, prefix="AUC ")
        elif first.kind == "number":
            amount = self.amount(part)
            cursor.refuse_range("doses", first=first)
            unit = self.unit(part, example)
        else:
            raise cursor.error(
                f"the dose of {part.drug} is missing",
                token=part.token,
                last=cursor.peek(-1),
                hint=f"Give it in {example}.",
            )
        last = cursor.peek(-1)
        if family(unit) not in {family(u) for u in accepted}:
            raise cursor.error(
                f"{part.drug} is not dosed in {unit}", token=first, last=last, hint=f"Give it in {example}."
            )
        problem = dose_problem(part.drug, amount, unit)
        if problem is not None:
            raise cursor.error(problem, token=first, last=last)
        return amount, unit

    def amount(self, part: Part) -> float:
        """``200``, ``1 x 10^9``, or ``3 x 8``, which sets the number of fractions."""
        cursor = self.cursor
        token = cursor.now
        amount = cursor.number("the dose")
        if cursor.at("x", "×") and cursor.peek().kind == "number":
            cursor.next()
            if cursor.now.text == "10" and cursor.peek().key == "^":
                return amount * ten_to_the(cursor)
            if amount != int(amount) or not 1 <= amount <= 100:
                raise cursor.error("the number of doses must be a whole number from 1 to 100", token=token)
            self.put(part, "count", int(amount), token)
            amount = cursor.number("the dose")
        return amount

    def unit(self, part: Part, example: str) -> str:
        cursor = self.cursor
        token = cursor.now
        if token.kind == "word" and token.key == "auc":
            raise cursor.error("'AUC' stands before its number", token=token, hint="Write 'AUC 5'.")
        if token.kind != "word" or token.key in MODIFIERS or QXW.fullmatch(token.key):
            raise cursor.error(
                f"the dose of {part.drug} has no unit", token=cursor.peek(-1), hint=f"Give it in {example}."
            )
        if token.key not in UNIT_WORDS:
            raise cursor.unknown("unit", UNITS)
        unit = UNIT_WORDS[cursor.next().key]
        if cursor.accept("/", "per"):
            below = cursor.next()
            key = below.key
            if key == "m" and cursor.accept("^"):
                cursor.whole("the power of m", 2, 2)
                key = "m2"
            elif key not in PER_WORDS:
                raise self.wrong_unit(token, below)
            unit = f"{unit}/{PER_WORDS[key]}"
            if unit not in UNITS:
                raise self.wrong_unit(token, below)
        return unit

    def wrong_unit(self, first: Token, last: Token) -> Exception:
        text = self.cursor.text[first.start : last.end]
        whole = Token("word", text, first.start, last.end)
        return self.cursor.unknown("unit", UNITS, token=whole)

    # modifiers ----------------------------------------------------------------------------------------------------

    def modifier(self, part: Part) -> bool:
        """Read one modifier into `part`; False where there is none at the cursor."""
        cursor = self.cursor
        token = cursor.now
        if token.kind == "sign" and token.key == "(":
            cursor.next()
            while self.modifier(part):
                pass
            if not cursor.accept(")"):
                raise cursor.error("')' is expected here")
            return True
        if self.repeated(part, token):
            return True
        if token.kind != "word":
            return False
        compact = QXW.fullmatch(token.key)
        if compact:
            cursor.next()
            count = int(compact.group(1) or 1)
            self.interval(part, token, count * (1 if compact.group(2) == "d" else 7))
            return True
        if token.key in ROUTES:
            cursor.next()
            self.put(part, "route", ROUTES[token.key], token)
            return True
        read = self.modifiers().get(token.key)
        if read is None:
            return False
        read(part, token)
        return True

    def modifiers(self) -> dict[str, Callable[[Part, Token], None]]:
        """Word that begins a modifier -> what reads it, from that word on."""
        after: dict[Callable[[Part, Token], None], tuple[str, ...]] = {
            self.repeat: ("weekly", "every"),
            self.daily: ("daily", "qd", "once", "single", "twice", "bid", "tid", "three", "four"),
            self.days: ("on", "day", "days", "weekdays"),
            self.end: ("for", "up"),
            self.until: ("until",),
            self.start: ("from", "starting"),
            self.duration: ("over",),
            self.largest_dose: ("max", "maximum", "capped"),
            self.loading: ("with", "loading"),
            self.lesions: ("to",),
            self.refuse_moment: ("at",),
            self.refuse_biweekly: ("biweekly",),
        }
        return {opening: read for read, words in after.items() for opening in words}

    def days(self, part: Part, token: Token) -> None:
        """``on days 1 and 8``, ``on weekdays``."""
        cursor, key = self.cursor, token.key
        cursor.next()
        if key == "weekdays" or (key == "on" and cursor.accept("weekdays")):
            self.put(part, "days", (1, 2, 3, 4, 5), token)
            self.interval(part, token, 7)
            return
        if key == "on":
            cursor.expect("word", "day", "days")
        self.put(part, "days", self.day_list(), token)

    def duration(self, part: Part, token: Token) -> None:
        """``over 30 minutes``."""
        cursor = self.cursor
        cursor.next()
        value = cursor.number("the duration of the infusion")
        unit = cursor.expect("unit of time", "minutes", "minute", "min", "hours", "hour", "h").key
        self.put(part, "infusion_hours", value / 60 if unit.startswith("m") else value, token)

    def largest_dose(self, part: Part, token: Token) -> None:
        """``max 2 mg``, ``capped at 2 mg``."""
        cursor = self.cursor
        cursor.next()
        if token.key == "capped":
            cursor.expect("word", "at")
        value = cursor.number("the largest dose")
        cursor.expect("unit", "mg")
        self.put(part, "max_mg", value, token)

    def lesions(self, part: Part, token: Token) -> None:
        """``to the thorax``, ``to all lesions``."""
        self.cursor.next()
        self.put(part, "target", self.target(), token)

    def refuse_moment(self, part: Part, token: Token) -> None:
        """``at`` is no modifier: say what is."""
        raise self.moment(token)

    def refuse_biweekly(self, part: Part, token: Token) -> None:
        """``biweekly`` is twice a week to some and every two weeks to others."""
        raise self.cursor.error("'biweekly' means two things", hint="Write 'every 2 weeks'.")

    def target(self) -> str:
        """``thorax``, ``all lesions``, ``brain`` or ``one lesion``, after ``to``."""
        cursor = self.cursor
        cursor.accept("the")
        words = {"thorax": "thorax", "chest": "thorax", "brain": "brain", "all": "all lesions", "one": "one lesion"}
        token = cursor.now
        if token.key not in words:
            raise cursor.unknown("target of radiation", TARGETS)
        cursor.next()
        if token.key in ("all", "one"):
            cursor.expect("word", "lesions", "lesion", "sites", "site")
        return words[token.key]

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

    def repeated(self, part: Part, token: Token) -> bool:
        """``x 3``, ``in 30 fractions``, and ``5 days on, 2 off``."""
        cursor = self.cursor
        count = repeats(cursor)
        if count is not None:
            self.put(part, "count", count, token)
            return True
        if token.key == "in" and token.kind == "word":
            cursor.next()
            count = cursor.whole("the number of fractions", 1, 100)
            cursor.expect("word", "fractions", "fraction")
            self.put(part, "count", count, token)
            part.amount /= count
            return True
        if token.kind == "number" and cursor.peek().key in SPANS and cursor.peek(2).key == "on":
            given = self.span_days("the days with a dose")
            cursor.expect("word", "on")
            cursor.accept(",", "and")
            count = cursor.whole("the days without a dose")
            unit = SPANS[cursor.next().key if cursor.now.key in SPANS else self.width(token)]
            cursor.expect("word", "off")
            self.put(part, "days", tuple(range(1, given + 1)), token)
            self.interval(part, token, given + count * (7 if unit == "week" else 1))
            return True
        return False

    def width(self, number: Token) -> str:
        """The unit of time that follows a number."""
        return self.cursor.tokens[self.cursor.tokens.index(number) + 1].key

    def put(self, part: Part, name: str, value: Any, token: Token) -> None:
        if name in part.values:
            raise self.cursor.error(
                f"{MEANING.get(name, name)} of {part.drug} is given twice", token=token, last=self.cursor.peek(-1)
            )
        part.values[name] = value
        part.tokens[name] = token

    def interval(self, part: Part, token: Token, days: int) -> None:
        if not 1 <= days <= 3650:
            raise self.cursor.error(
                "an interval must be from 1 day to 10 years", token=token, last=self.cursor.peek(-1)
            )
        self.put(part, "interval_days", days, token)

    def span_days(self, what: str) -> int:
        cursor = self.cursor
        count = cursor.whole(what) if cursor.now.kind == "number" else 1
        cursor.refuse_range("intervals")
        unit = SPANS[cursor.expect("unit of time", "days", "weeks", "day", "week").key]
        return count * (7 if unit == "week" else 1)

    def repeat(self, part: Part, token: Token) -> None:
        """``weekly``, ``every 3 weeks``."""
        cursor, key = self.cursor, token.key
        cursor.next()
        if key == "every" and cursor.accept("other"):
            cursor.expect("word", "day")
            self.interval(part, token, 2)
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
            self.put(part, "per_day", HOURLY[int(hours)], token)
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
            self.put(part, "days", tuple(1 + 7 * week for week in range(given)), token)
            days = 7 * weeks
        else:
            cursor.index = restart
        self.interval(part, token, days)

    def daily(self, part: Part, token: Token) -> None:
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

    def end(self, part: Part, token: Token) -> None:
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
            self.put(part, unit.rstrip("s") + "s", int(count), token)
        else:
            self.put(part, "limit", Duration(count, SPANS[unit]), token)

    def until(self, part: Part, token: Token) -> None:
        """``until progression``."""
        cursor = self.cursor
        cursor.next()
        if cursor.accept("progression"):
            if cursor.accept("or"):
                cursor.accept("unacceptable")
                cursor.expect("word", "toxicity")
            self.put(part, "until_progression", True, token)
            return
        unit = SPANS[cursor.expect("word", "progression", "day", "week", "month", "year").key]
        self.put(part, "limit", Duration(float(cursor.whole("the end")), unit), token)

    def start(self, part: Part, token: Token) -> None:
        """``from day 21``, ``starting week 3``."""
        cursor = self.cursor
        cursor.next()
        unit = cursor.expect("word", "cycle", "week", "day").key
        number = cursor.whole(f"the first {unit}")
        if unit == "cycle":
            self.put(part, "start_cycle", number, token)
        else:
            self.put(part, "start_day", number if unit == "day" else 7 * (number - 1) + 1, token)

    def loading(self, part: Part, token: Token) -> None:
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
