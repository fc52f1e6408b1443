"""What all readers of regimen text share: a place in the text, and what was read of an item so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from immunescape.trial.rules import Item
from immunescape.trial.tokens import Cursor, Token
from immunescape.trial.words import MEANING, SPANS, folded

__all__ = ["ItemReader"]


class ItemReader:
    """A cursor in a text, and the drugs that may be named in it, by name and synonym."""

    def __init__(self, text: str, drugs: Mapping[str, Any] | Iterable[str], where: str | None) -> None:
        self.cursor = Cursor(text, where)
        records: dict[str, Any] = dict(drugs) if isinstance(drugs, Mapping) else dict.fromkeys(drugs)
        self.records = records
        self.names = {folded(name): name for name in records}
        for name, record in records.items():
            for synonym in getattr(record, "synonyms", ()):
                self.names.setdefault(folded(synonym), name)

    def put(self, item: Item, name: str, value: Any, token: Token) -> None:
        """Keep what was read of an item, once."""
        if name in item.values:
            raise self.cursor.error(
                f"{MEANING.get(name, name)} of {item.drug} is given twice", token=token, last=self.cursor.peek(-1)
            )
        item.values[name] = value
        item.tokens[name] = token

    def interval(self, item: Item, token: Token, days: int) -> None:
        """Keep the days from one dose, or cycle, to the next."""
        if not 1 <= days <= 3650:
            raise self.cursor.error(
                "an interval must be from 1 day to 10 years", token=token, last=self.cursor.peek(-1)
            )
        self.put(item, "interval_days", days, token)

    def span_days(self, what: str) -> int:
        """Read ``3 weeks``, ``21 days`` or ``week`` as days."""
        cursor = self.cursor
        count = cursor.whole(what) if cursor.now.kind == "number" else 1
        cursor.refuse_range("intervals")
        unit = SPANS[cursor.expect("unit of time", "days", "weeks", "day", "week").key]
        return count * (7 if unit == "week" else 1)

    def width(self, number: Token) -> str:
        """The unit of time that follows a number."""
        return self.cursor.tokens[self.cursor.tokens.index(number) + 1].key
