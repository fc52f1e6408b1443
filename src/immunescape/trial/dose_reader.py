"""What a regimen text gives, how much of it and how: drug, dose and unit, route, infusion, limits, target."""

from __future__ import annotations

from immunescape.trial.absent import absent_drug
from immunescape.trial.dosing import dose_problem
from immunescape.trial.field import TARGETS
from immunescape.trial.fractions import ten_to_the
from immunescape.trial.item_reader import ItemReader
from immunescape.trial.regimen import INACTIVE, UNITS
from immunescape.trial.rules import Item
from immunescape.trial.tokens import Token
from immunescape.trial.words import MODIFIERS, PER_WORDS, QXW, UNIT_WORDS, family, folded

__all__ = ["DoseReader"]


class DoseReader(ItemReader):
    """Reads drugs, doses, and modifiers that say how; each method reads from the word that begins it."""

    def drug(self) -> Item:
        """Read the name or a synonym of a drug, of up to three words."""
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
                    return Item(name, token)
        absent = absent_drug(token.text, set(self.names.values()))
        if absent is not None:
            raise cursor.error(f"{token.text} is {absent[0]} that this product does not have", hint=absent[1])
        raise cursor.unknown("drug", {*(name.replace("_", "-") for name in self.names.values()), *INACTIVE})

    def dose(self, item: Item) -> tuple[float, str]:
        """Read the amount and the unit of a dose that the drug is given in."""
        cursor = self.cursor
        accepted = tuple(getattr(self.records[item.drug], "dose_units", ()) or UNITS)
        example = " or ".join(accepted[:3])
        first = cursor.now
        if cursor.accept("auc"):
            amount, unit = cursor.number("the target AUC"), "AUC"
            cursor.refuse_range("doses", first=first, prefix="AUC ")
        elif first.kind == "number":
            amount = self.amount(item)
            cursor.refuse_range("doses", first=first)
            unit = self.unit(item, example)
        else:
            raise cursor.error(
                f"the dose of {item.drug} is missing",
                token=item.token,
                last=cursor.peek(-1),
                hint=f"Give it in {example}.",
            )
        last = cursor.peek(-1)
        if family(unit) not in {family(u) for u in accepted}:
            raise cursor.error(
                f"{item.drug} is not dosed in {unit}", token=first, last=last, hint=f"Give it in {example}."
            )
        problem = dose_problem(item.drug, amount, unit)
        if problem is not None:
            raise cursor.error(problem, token=first, last=last)
        return amount, unit

    def amount(self, item: Item) -> float:
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
            self.put(item, "count", int(amount), token)
            amount = cursor.number("the dose")
        return amount

    def unit(self, item: Item, example: str) -> str:
        """Read the unit of a dose, ``mg/m2`` or ``mg per m2``."""
        cursor = self.cursor
        token = cursor.now
        if token.kind == "word" and token.key == "auc":
            raise cursor.error("'AUC' stands before its number", token=token, hint="Write 'AUC 5'.")
        if token.kind != "word" or token.key in MODIFIERS or QXW.fullmatch(token.key):
            raise cursor.error(
                f"the dose of {item.drug} has no unit", token=cursor.peek(-1), hint=f"Give it in {example}."
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
        """Return the error for a unit of several words that there is none of."""
        text = self.cursor.text[first.start : last.end]
        whole = Token("word", text, first.start, last.end)
        return self.cursor.unknown("unit", UNITS, token=whole)

    def loading(self, item: Item, token: Token) -> None:
        """``with loading dose 400 mg/m2`` (second in the text), or ``400 mg/m2 loading dose, then 250 mg/m2``."""
        cursor = self.cursor
        forward = cursor.next().key == "with"
        if forward:
            cursor.accept("a")
            cursor.expect("word", "loading")
        cursor.accept("dose")
        first = cursor.index
        if forward:
            amount, unit = self.dose(item)
            load = amount
        else:
            cursor.accept(",")
            cursor.expect("word", "then")
            first = cursor.index
            load = item.amount
            amount, unit = self.dose(item)
        if unit != item.unit:
            raise cursor.error(
                f"the loading dose and the dose of {item.drug} differ in unit",
                token=cursor.tokens[first],
                last=cursor.peek(-1),
            )
        if not forward:
            item.amount = amount
        self.put(item, "loading", load, token)

    def largest_dose(self, item: Item, token: Token) -> None:
        """``max 2 mg``, ``capped at 2 mg``."""
        cursor = self.cursor
        cursor.next()
        if token.key == "capped":
            cursor.expect("word", "at")
        value = cursor.number("the largest dose")
        cursor.expect("unit", "mg")
        self.put(item, "max_mg", value, token)

    def duration(self, item: Item, token: Token) -> None:
        """``over 30 minutes``."""
        cursor = self.cursor
        cursor.next()
        value = cursor.number("the duration of the infusion")
        unit = cursor.expect("unit of time", "minutes", "minute", "min", "hours", "hour", "h").key
        self.put(item, "infusion_hours", value / 60 if unit.startswith("m") else value, token)

    def lesions(self, item: Item, token: Token) -> None:
        """``to the thorax``, ``to all lesions``."""
        self.cursor.next()
        self.put(item, "target", self.target(), token)

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
