"""Measures the source: sizes of files and functions, complexity, names that say nothing, comments of numerics.

How to run it, on this tree and on an earlier one::

    python scripts/house_metrics.py
    git worktree add /tmp/before COMMIT && python scripts/house_metrics.py /tmp/before . --markdown

With several trees each has a column. ``--longest N`` and ``--names`` list what the table counts.
"""

from __future__ import annotations

import argparse
import ast
import io
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

MEANT = frozenset({"unknown_word", "leave_one_out", "type_one_error", "one_arm", "ONE"})
"""Names in which such a piece means what it says: what a user typed, terms of the field, the number."""
VAGUE = frozenset({"found", "known", "one", "part", "word", "wanted", "told", "own"})
"""Pieces of names that do not say what is held."""
NUMERICS = {
    "lowering to straight-line programs": ("engine/tape.py", "engine/codegen/tape.py"),
    "running of batches": ("engine/batch.py", "engine/native/batch.py"),
    "generation of C": (
        "engine/codegen*.py",
        *(f"engine/codegen/c/{name}.py" for name in ("generate", "sensitivities", "step")),
    ),
}
"""Numerics whose comments are counted: files below the package, where they lay before and where they lie."""
BRANCHES = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.IfExp, ast.Assert, ast.match_case)
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Source:
    """One file: its path below the package, and its text."""

    path: str
    text: str

    @cached_property
    def lines(self) -> int:
        """Number of lines."""
        return len(self.text.splitlines())

    @cached_property
    def tokens(self) -> list[tokenize.TokenInfo]:
        """Tokens of the file."""
        return list(tokenize.generate_tokens(io.StringIO(self.text).readline))

    def functions(self) -> Iterator[Function]:
        """Every function and method, nested ones included."""
        return (n for n in ast.walk(ast.parse(self.text)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))

    def vague_names(self) -> Counter[str]:
        """Uses of identifiers of which a whole piece, between underscores, is one of `VAGUE`."""
        names = (token.string for token in self.tokens if token.type == tokenize.NAME)
        return Counter(name for name in names if name not in MEANT and VAGUE & set(name.lower().split("_")))

    def comments(self) -> int:
        """Lines with a comment, those for tools left out."""
        for_tools = ("# type:", "# noqa", "# fmt:", "#!")
        return sum(t.type == tokenize.COMMENT and not t.string.startswith(for_tools) for t in self.tokens)

    def code(self) -> int:
        """Lines that hold code: neither blank nor comment nor docstring."""
        docstrings: set[int] = set()
        for node in ast.walk(ast.parse(self.text)):
            if (
                isinstance(node, ast.Expr)
                and isinstance(node.value, ast.Constant)
                and isinstance(node.value.value, str)
            ):
                docstrings.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        blank = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
        lines = {n for t in self.tokens if t.type not in blank for n in range(t.start[0], t.end[0] + 1)}
        return len(lines - docstrings)


def length(function: Function) -> int:
    """Lines from ``def`` to the end."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def complexity(function: Function) -> int:
    """Cyclomatic complexity after McCabe: one, and one for each branch; functions inside count apart."""
    count, open_nodes = 1, list(ast.iter_child_nodes(function))
    while open_nodes:
        node = open_nodes.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        count += isinstance(node, BRANCHES)
        count += len(node.values) - 1 if isinstance(node, ast.BoolOp) else 0
        count += 1 + len(node.ifs) if isinstance(node, ast.comprehension) else 0
        open_nodes += ast.iter_child_nodes(node)
    return count


@dataclass(frozen=True)
class Tree:
    """The package's sources in one checkout."""

    root: Path
    sources: tuple[Source, ...]

    @classmethod
    def read(cls, root: Path) -> Tree:
        """Read ``src/immunescape`` below `root`."""
        package = root / "src" / "immunescape"
        if not package.is_dir():
            raise SystemExit(f"{root}: no src/immunescape; name the top of a checkout")
        files = sorted(package.rglob("*.py"))
        return cls(root, tuple(Source(f.relative_to(package).as_posix(), f.read_text(encoding="utf-8")) for f in files))

    @cached_property
    def functions(self) -> list[tuple[int, int, str]]:
        """Length, complexity and place of every function, longest first."""
        every = ((length(f), complexity(f), f"{s.path}:{f.name}") for s in self.sources for f in s.functions())
        return sorted(every, reverse=True)

    def vague_names(self) -> Counter[str]:
        """Uses by identifier."""
        return sum((s.vague_names() for s in self.sources), Counter())

    def comments_per_100_lines(self, patterns: Sequence[str]) -> str:
        """Comments over lines of code in the files of these patterns."""
        files = [s for s in self.sources if any(Path(s.path).match(pattern) for pattern in patterns)]
        code = sum(s.code() for s in files)
        return f"{100 * sum(s.comments() for s in files) / code:.1f}" if code else "–"

    def figures(self) -> dict[str, str]:
        """Rows of the table."""
        sizes = sorted(s.lines for s in self.sources)
        lengths = [n for n, _, _ in self.functions]
        app = [n for n, _, place in self.functions if n > 100 and not place.startswith("app/")]
        return {
            "Files": str(len(sizes)),
            "Lines": f"{sum(sizes):,}",
            "Lines of a file: median, longest": f"{sizes[len(sizes) // 2]}, {sizes[-1]}",
            "Files over 600 lines": str(sum(n > 600 for n in sizes)),
            "Functions": f"{len(lengths):,}",
            "Lines of the longest function": str(max(lengths)),
            "Functions over 100 lines, those of the app aside": str(len(app)),
            "Functions over 80 lines": str(sum(n > 80 for n in lengths)),
            "Functions with a complexity over 15": str(sum(c > 15 for _, c, _ in self.functions)),
            "Highest complexity of a function": str(max(c for _, c, _ in self.functions)),
            f"Uses of vague names ({', '.join(sorted(VAGUE))})": f"{self.vague_names().total():,}",
            "Formatter switched off": str(sum(s.text.count("# fmt: ") for s in self.sources)),
            **{
                f"Comments per 100 lines of code, {title}": self.comments_per_100_lines(patterns)
                for title, patterns in NUMERICS.items()
            },
        }


def table(columns: dict[str, Tree], *, markdown: bool) -> str:
    """Lay the figures of several trees side by side."""
    figures = {title: tree.figures() for title, tree in columns.items()}
    rows = [["", *figures]] + [[key, *(f[key] for f in figures.values())] for key in next(iter(figures.values()))]
    if markdown:
        rows.insert(1, ["---", *("---:" for _ in figures)])
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("trees", nargs="*", type=Path, default=[Path(__file__).parents[1]])
    parser.add_argument("--titles", nargs="*", help="titles of the columns; by default the paths")
    parser.add_argument("--markdown", action="store_true")
    parser.add_argument("--longest", type=int, default=0, help="list the longest functions of the last tree")
    parser.add_argument("--names", action="store_true", help="list the vague names of the last tree by file")
    options = parser.parse_args(arguments)
    trees = [Tree.read(path) for path in options.trees]
    titles = options.titles or [str(path) for path in options.trees]
    if len(titles) != len(trees):
        parser.error(f"{len(trees)} trees have {len(titles)} titles")
    print(table(dict(zip(titles, trees, strict=True)), markdown=options.markdown))
    last = trees[-1]
    for lines, branches, place in last.functions[: options.longest]:
        print(f"{lines:4} lines, complexity {branches:2}  {place}")
    if options.names:
        counts = {s.path: s.vague_names() for s in last.sources}
        for path, names in sorted(counts.items(), key=lambda item: -item[1].total()):
            if names:
                print(f"{names.total():4}  {path}: {', '.join(f'{n} {c}' for n, c in names.most_common())}")


if __name__ == "__main__":
    main(sys.argv[1:])
