"""Tokens of the small languages of a trial file (regimens, visit schedules), and errors that point at one of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from immunescape.errors import InputError, unknown_word

__all__ = ["Cursor", "Token", "number_text", "pointing"]

_TOKEN = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<number>\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\d.]))"
    r"|(?P<word>auc(?=\d)|[a-zµμ][a-z0-9µμ²_]*(?:-[a-z0-9]+)*)"
    r"|(?P<sign>[-–+,;/^()&×])",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Token:
    """One token: its kind (``number``, ``word``, ``sign``, ``end``), its text and where it starts and ends."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def key(self) -> str:
        """The text as compared with words of the language."""
        return self.text.casefold().replace("–", "-")


def number_text(value: float) -> str:
    """Shortest text of a number that reads back as the same number (``5``, not ``5.0``)."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else repr(float(value))


def pointing(
    message: str, text: str, start: int, end: int, *, where: str | None = None, hint: str | None = None
) -> InputError:
    """Build an error that shows the text and a line of carets under ``text[start:end]``."""
    flat = re.sub(r"\s", " ", text)
    low = max(0, start - 60)
    high = min(len(flat), max(end, start + 1) + 40)
    before, after = ("… " if low else ""), (" …" if high < len(flat) else "")
    carets = " " * (len(before) + start - low) + "^" * max(1, min(end, high) - start)
    lines = [before + flat[low:high] + after, carets]
    if hint:
        lines.append(hint)
    return InputError(message, where=where, hint="\n  ".join(lines))


_DIGITS = {
    spelled: number
    for number, spelled in enumerate(
        ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"), start=1
    )
}
"""Numbers written as words, which are advised to be written in digits."""


class Cursor:
    """A position in a tokenised text, with the few moves that a recursive-descent parser needs."""

    def __init__(self, text: str, where: str | None = None) -> None:
        self.text = text
        self.where = where
        self.tokens = self._tokenise()
        self.index = 0

    def _tokenise(self) -> list[Token]:
        tokens: list[Token] = []
        place = 0
        while place < len(self.text):
            match = _TOKEN.match(self.text, place)
            if match is None:
                raise pointing(
                    f"'{self.text[place]}' has no meaning here", self.text, place, place + 1, where=self.where
                )
            if match.lastgroup != "space":
                tokens.append(Token(str(match.lastgroup), match.group(), match.start(), match.end()))
            place = match.end()
        tokens.append(Token("end", "", len(self.text), len(self.text)))
        return tokens

    @property
    def now(self) -> Token:
        """The token at the cursor."""
        return self.tokens[self.index]

    def peek(self, ahead: int = 1) -> Token:
        """The token `ahead` places after the cursor (the end where there is none)."""
        return self.tokens[min(self.index + ahead, len(self.tokens) - 1)]

    def next(self) -> Token:
        """Return the token at the cursor and step over it."""
        token = self.now
        if token.kind != "end":
            self.index += 1
        return token

    def at(self, *keys: str) -> bool:
        """Whether the token at the cursor is one of these words or signs."""
        return self.now.kind in ("word", "sign") and self.now.key in keys

    def accept(self, *keys: str) -> bool:
        """Step over the token at the cursor if it is one of these words or signs."""
        if self.at(*keys):
            self.index += 1
            return True
        return False

    def error(
        self, message: str, *, token: Token | None = None, last: Token | None = None, hint: str | None = None
    ) -> InputError:
        """Build an error that points at `token` (default: the one at the cursor), up to `last`."""
        first = token or self.now
        return pointing(message, self.text, first.start, (last or first).end, where=self.where, hint=hint)

    def unknown(self, kind: str, candidates: Iterable[str], *, token: Token | None = None) -> InputError:
        """Build the error for a misspelt word, with the nearest valid ones."""
        token = token or self.now
        if token.kind == "end":
            return self.error(f"the text ends where a {kind} is expected", token=token)
        if token.key in _DIGITS:
            return self.error(
                f"'{token.text}' is a number", token=token, hint=f"Write numbers in digits: '{_DIGITS[token.key]}'."
            )
        plain = unknown_word(kind, token.text, candidates)
        return self.error(plain.message, token=token, hint=plain.hint)

    def expect(self, kind: str, *words: str) -> Token:
        """Step over one of `words`, or refuse what stands there."""
        if not self.at(*words):
            raise self.unknown(kind, words)
        return self.next()

    def number(self, what: str) -> float:
        """Step over a number."""
        token = self.now
        if token.kind != "number":
            hint = f"Write numbers in digits: '{_DIGITS[token.key]}'." if token.key in _DIGITS else None
            raise self.error(f"a number is expected: {what}", hint=hint)
        if self.peek().key == "," and self.peek().start == token.end and self.peek(2).start == token.end + 1:
            follower = self.peek(2)
            if follower.kind == "number":
                raise self.error(
                    "a comma inside a number", token=token, last=follower, hint="Write decimals with a point."
                )
        self.index += 1
        return float(token.text)

    def refuse_range(self, what: str, *, first: Token | None = None, prefix: str = "", hint: str = "") -> None:
        """Refuse ``5-6``, ``5 to 6``, ``5 or 6`` and ``5/6`` after a number: protocols leave a choice, a run cannot.

        Parameters
        ----------
        what
            What the numbers are: ``doses``, ``intervals``, ``cycles``.
        first
            Token at which the range begins, by default the number before the cursor.
        prefix
            What stands before each number, such as ``AUC``.
        hint
            What to write instead; by default a choice of regimens.
        """
        if not (self.at("-", "–", "to", "or", "/") and self.peek().kind == "number"):
            return
        start = self.peek(-1)
        low, high = f"{prefix}{start.text}", f"{prefix}{self.peek().text}"
        raise self.error(
            f"'{low}-{high.removeprefix(prefix)}' is a range of {what}",
            token=first or start,
            last=self.peek(),
            hint=hint
            or f"Write one of them ('{low}'), or let patients differ: a 'choice:' of regimens with '{low}' and '{high}'"
            " and their weights.",
        )

    def whole(self, what: str, low: int = 1, high: int = 10_000) -> int:
        """Step over a whole number within ``low..high``."""
        token = self.now
        value = self.number(what)
        if value != int(value) or not low <= value <= high:
            raise self.error(f"{what} must be a whole number from {low} to {high}", token=token)
        return int(value)
