"""Splits one long straight-line function into short ones, which a C compiler gets through many times faster.

A compiler's allocation of registers grows faster than the length of a function. The order of the operations, and so
every bit of the result, stays as it was: values that a later piece needs are handed over in two arrays.
"""

from __future__ import annotations

from collections.abc import Sequence

from immunescape.engine.codegen.tape import Tape

__all__ = ["LONGEST_PIECE", "POINT", "c_function", "function_in_files", "function_in_pieces"]

POINT = "const V *restrict x, const V *restrict z, const V *restrict c, const V t"
"""First arguments of functions that are evaluated at a point: states, fixed values, what follows from them, time."""

LONGEST_PIECE = 400
"""Statements of one C function."""


def function_in_pieces(tape: Tape, name: str, arguments: str, targets: Sequence[tuple[str, int]], kind: str) -> str:
    """C functions that compute nodes of a tape and assign them, as one text; see `function_in_files`."""
    return "\n".join(_functions(tape, name, arguments, targets, kind, "static NOINLINE"))


def function_in_files(
    tape: Tape, name: str, arguments: str, targets: Sequence[tuple[str, int]], files: int
) -> tuple[str, list[str]]:
    """C functions that compute nodes of a tape and assign them, for several files that are compiled side by side.

    Returns
    -------
    The declaration of the function, and up to `files` texts of about the same length.
    """
    functions = _functions(tape, name, arguments, targets, "HIDDEN", "HIDDEN NOINLINE")
    pieces, whole = functions[:-1], functions[-1]
    heads = "\n".join(piece[: piece.index("\n{")] + ";" for piece in pieces)
    each = max(-(-len(pieces) // files), 1)
    texts = ["\n".join(pieces[at : at + each]) for at in range(0, len(pieces), each)] or [""]
    texts[-1] += f"\n{heads}\n{whole}"
    return f"HIDDEN void {name}({arguments});\n", texts


def _functions(
    tape: Tape, name: str, arguments: str, targets: Sequence[tuple[str, int]], kind: str, of_pieces: str
) -> list[str]:
    """C functions that compute nodes of a tape and assign them.

    Parameters
    ----------
    tape
        The program, shared already.
    name, arguments
        Of the function, as in C.
    targets
        Pairs (C variable, node), in order.
    kind, of_pieces
        What stands before the types of the function and of its pieces, such as ``static NOINLINE``.

    Returns
    -------
    The function, last; before it the functions that it calls where it is longer than `LONGEST_PIECE`.
    """
    tape.join([root for _, root in targets])
    items = _statements(tape, targets)
    if len(items) <= LONGEST_PIECE:
        return [c_function(f"{kind} void {name}({arguments})", [text for text, _, _ in items])]
    pieces = [items[at : at + LONGEST_PIECE] for at in range(0, len(items), LONGEST_PIECE)]
    made_in = {made: k for k, piece in enumerate(pieces) for _, made, _ in piece if made is not None}
    foreign: list[list[int]] = []
    for k, piece in enumerate(pieces):
        foreign.append(list(dict.fromkeys(i for _, _, used in piece for i in used if made_in[i] != k)))
    place = _places(tape, [i for needed in foreign for i in needed])
    parts = []
    for k, (piece, needed) in enumerate(zip(pieces, foreign, strict=True)):
        lines, read = [], set(needed)
        for text, made, used in piece:
            for i in used:
                if i in read:
                    read.discard(i)
                    lines.append(f"    const {'I' if tape.is_mask(i) else 'V'} v{i} = {place[i]};")
            lines.append(text)
            if made in place:
                lines.append(f"    {place[made]} = v{made};")
        parts.append(c_function(f"{of_pieces} void {name}_{k}({arguments}, V *restrict w, I *restrict masks)", lines))
    numbers = [sum(p.startswith(letter) for p in place.values()) for letter in ("w", "masks")]
    given = ", ".join(argument.split()[-1].lstrip("*") for argument in arguments.split(","))
    body = [f"    V w[{max(numbers[0], 1)}];", f"    I masks[{max(numbers[1], 1)}];"]
    body += [f"    {name}_{k}({given}, w, masks);" for k in range(len(pieces))]
    return [*parts, c_function(f"{kind} void {name}({arguments})", body)]


def _statements(tape: Tape, targets: Sequence[tuple[str, int]]) -> list[tuple[str, int | None, tuple[int, ...]]]:
    """Each line, the node that it computes (None for an assignment), and the nodes that it reads."""
    items: list[tuple[str, int | None, tuple[int, ...]]] = []
    seen: set[int] = set()
    for target, root in targets:
        for i in tape.order([root], seen):
            statement = tape.statement(i)
            if statement:
                items.append((statement, i, tuple([c for c in tape.children(i) if tape.is_computed(c)])))
        items.append((f"    {target} = {tape.text(root)};", None, (root,) if tape.is_computed(root) else ()))
    return items


def _places(tape: Tape, handed_over: Sequence[int]) -> dict[int, str]:
    """Where values that several pieces use are kept."""
    place: dict[int, str] = {}
    counts = {"w": 0, "masks": 0}
    for i in handed_over:
        if i not in place:
            array = "masks" if tape.is_mask(i) else "w"
            place[i] = f"{array}[{counts[array]}]"
            counts[array] += 1
    return place


def c_function(head: str, lines: Sequence[str]) -> str:
    """A C function from its head and the lines of its body."""
    return "\n".join([head, "{", *lines, "}", ""])
