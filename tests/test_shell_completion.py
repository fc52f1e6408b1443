"""Completion as the shell asks for it: the program is called with the words typed so far."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


def completions(*words: str) -> list[str]:
    """What bash would offer for the last word."""
    environment = {
        **os.environ,
        "_IMMUNESCAPE_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(["immunescape", *words]),
        "COMP_CWORD": str(len(words)),
    }
    code = "import sys; sys.argv = ['immunescape']; from immunescape.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120, check=False
    )
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("trial", "keynote-02"), "keynote-024"),
        (("design", "pdl1"), "pdl1-enrichment"),
        (("show", "pembro"), "pembrolizumab"),
        (("claims", "--only", "antigen-ex"), "antigen-exhausts"),
    ],
)
def test_the_shell_completes_trials_designs_drugs_and_claims(words, offered) -> None:
    assert offered in completions(*words)


def test_lists_parameters_and_covariates_are_completed() -> None:
    from immunescape.cli import completion

    assert completion.mechanism_list("adenosine,exhau") == ["adenosine,exhaustion"]
    assert "adenosine,adenosine" not in completion.mechanism_list("adenosine,aden")
    assert completion.drug_list("pembroliz") == ["pembrolizumab"]
    assert completion.parameters("k_kil") == ["k_kill=", "k_kill_atr="] or "k_kill=" in completion.parameters("k_kil")
    assert completion.covariates("pdl1") == ["pdl1_tps="]
    assert "exhaustion" in completion.things("exhaus")
