"""Advice in error messages of readers: only options of the format, and the format that the file resembles."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from immunescape.errors import InputError
from immunescape.profile.readers._recognise import recognise

__all__ = ["GENERAL", "OPTION_NAMES", "answerable", "options_in", "recognised"]

GENERAL = {
    "columns": "columns: {name that the format expects: column of the file}",
    "values": "values: {column: {term in the file: term of the format}}",
}
"""Options of every format that is a table."""
OPTION_NAMES = frozenset(
    "columns values constants units analytes keep where unit patient sample tumour_sample duplicates layer types "
    "selection sample_column day patients skip max_copy_number max_p".split()
)
"""Options mentioned in hints."""


def options_in(hint: str) -> list[str]:
    """Return the options mentioned in a hint (``units: {…}``, ``set patient: …``)."""
    bare = re.sub(r"\{[^{}]*\}", "{}", re.sub(r"\{[^{}]*\}", "{}", hint))
    return [w for w in re.findall(r"(?<![\w-])([a-z_]+):(?=\s|$|\.)", bare) if w in OPTION_NAMES]


def answerable(error: InputError, name: str, accepted: Collection[str]) -> InputError:
    """Return an error whose hint mentions only options of the format."""
    if not error.hint or all(w in accepted for w in options_in(error.hint)):
        return error
    sentences = re.split(r"(?<=[.;])\s+(?=[A-Z])", error.hint)
    kept = [s for s in sentences if all(w in accepted for w in options_in(s))]
    kept.append(f"Correct the file: the format '{name}' has no option for it.")
    return type(error)(error.message, where=error.where, hint=" ".join(kept))


def recognised(error: InputError, name: str, path: Path) -> InputError:
    """Return an error that states which other format the file resembles, if any; every error gives advice."""
    signature = recognise(path)
    if signature is not None and signature.format != name:
        hint = f"{signature.sentence} {error.hint or ''}".strip() if signature.format else signature.sentence
        return type(error)(error.message, where=error.where, hint=hint)
    if error.hint:
        return error
    advice = signature.advice if signature is not None and signature.advice else ""
    hint = (
        advice
        or f"Correct the file or, if its format is not '{name}', the format: immunescape profile --template lists all."
    )
    return type(error)(error.message, where=error.where, hint=hint)
