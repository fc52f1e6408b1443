"""The grammar of regimen text: a tokeniser and a recursive-descent parser that points at what it refuses.

Grammar (words in quotes, case does not matter)::

    regimen   = phase { [","|";"] ("then" | "followed by") ["after" span] phase }
    phase     = item { ("+" | "plus" | "and") item }
    item      = "placebo" | "observation" | "best supportive care" | drug dose { modifier }
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

An item without a schedule of its own takes the interval of the next item of its phase, and its end where it states
none either. An item that states an interval but no end goes on to the end of the phase. Days of the cycle are never
taken from another item.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from immunescape.trial.dose_reader import DoseReader
from immunescape.trial.regimen import INACTIVE, Phase, Regimen
from immunescape.trial.rules import Item, dose_rules
from immunescape.trial.schedule_reader import ScheduleReader
from immunescape.trial.tokens import Token
from immunescape.trial.words import MODIFIERS, ROUTES, folded

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
        With the text, carets under the wrong item, and the nearest valid word.
    """
    if drugs is None:
        from immunescape.model.registry import drugs as registered

        drugs = registered()
    return _Reader(text, drugs, where).regimen()


class _Reader(DoseReader, ScheduleReader):
    """Reads a whole regimen: phases, the items of a phase, and the modifiers of an item."""

    def regimen(self) -> Regimen:
        """Read the whole text."""
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
        """Read a phase: items given together, after a pause of some days."""
        cursor = self.cursor
        items: list[Item] = []
        inactive: list[str] = []
        while True:
            none = self.inactive()
            if none is None:
                items.append(self.item())
            else:
                inactive.append(none)
            if not cursor.accept("+", "plus", "and", "&"):
                break
        return Phase(dose_rules(self.cursor, self.records, items), tuple(inactive), pause)

    def inactive(self) -> str | None:
        """Step over ``placebo`` and its like, with a schedule that is read and left out (nothing is given)."""
        cursor = self.cursor
        for name in INACTIVE:
            words = name.split()
            if all(cursor.peek(i).key == expected for i, expected in enumerate(words)):
                cursor.index += len(words)
                ignored = Item(name, cursor.peek(-1))
                while self.modifier(ignored):
                    pass
                return name
        return None

    def item(self) -> Item:
        """Read one drug with its dose and modifiers."""
        cursor = self.cursor
        item = self.drug()
        item.amount, item.unit = self.dose(item)
        while self.modifier(item):
            pass
        follow = cursor.now
        if follow.kind != "end" and not cursor.at("+", "plus", "and", "&", "then", "followed", ",", ";"):
            raise self.unexpected()
        return item

    def modifier(self, item: Item) -> bool:
        """Read one modifier into `item`; False where there is none at the cursor."""
        cursor = self.cursor
        token = cursor.now
        if token.kind == "sign" and token.key == "(":
            cursor.next()
            while self.modifier(item):
                pass
            if not cursor.accept(")"):
                raise cursor.error("')' is expected here")
            return True
        if self.repeated(item, token):
            return True
        if token.kind != "word":
            return False
        if self.compact_interval(item, token):
            return True
        if token.key in ROUTES:
            cursor.next()
            self.put(item, "route", ROUTES[token.key], token)
            return True
        read = self.modifiers().get(token.key)
        if read is None:
            return False
        read(item, token)
        return True

    def modifiers(self) -> dict[str, Callable[[Item, Token], None]]:
        """Word that begins a modifier -> what reads it, from that word on."""
        after: dict[Callable[[Item, Token], None], tuple[str, ...]] = {
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

    def unexpected(self) -> Exception:
        """Return the error for a word that has no meaning where it stands."""
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
