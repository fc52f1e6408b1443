"""Rules as a page: python scripts/mechanism_rules_page.py > docs/mechanism-rules.md."""

from __future__ import annotations

import argparse

from immunescape.knowledge.mechanism_rules import load_rules
from immunescape.profile.calls.caller import rule_text

_ORIGIN = {"tumour_intrinsic": "Tumour cells", "tumour_extrinsic": "Microenvironment", "host": "Host"}


def page() -> str:
    """Return the page as Markdown."""
    rules = load_rules()
    lines = [
        "# Mechanism rules",
        "",
        f"Version {rules.version} of the rules, generated from `knowledge/data/mechanism_rules.yaml`. See "
        "[profiling](profile.md).",
    ]
    for origin, title in _ORIGIN.items():
        lines += ["", f"## {title}"]
        for name, rule in rules.mechanisms.items():
            if rule.origin != origin:
                continue
            lines += ["", f"### {rule.title}", "", f"`{name}` {rule.summary}", ""]
            lines += [f"* {tree.replace('_', ' ')}: {rule_text(node)}" for tree, node in rule.trees.items()]
            lines += [f"* {text}" for text in (rule.never_assessable,) if text]
            lines += [f"* required to call it absent: {text}" for text in (rule.absent_needs,) if text]
            lines += [f"* references: {', '.join(f'{{cite}}`{k}`' for k in rule.citation)}"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    print(page(), end="")
