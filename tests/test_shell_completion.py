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


def test_trials_and_mechanisms_of_an_ablation_are_completed() -> None:
    assert "keynote-024" in completions("ablate", "--trials", "keynote-02")
    assert completions("simulate", "--trial", "keynote-02") == ["keynote-024"]


def test_a_list_of_trials_and_mechanisms_off_together_are_completed(tmp_path, monkeypatch) -> None:
    from immunescape.cli import completion
    from immunescape.evaluation.ablation import ablatable

    assert "oak,keynote-024" in completion.trial_list("oak,keynote-02")
    assert not completion.trial_list("oak,oak")
    assert completion.ablatable_list("adenosine+pge") == ["adenosine+pge2"]
    assert completion.ablatable_list("lipids,adenosine+pge") == ["lipids,adenosine+pge2"]
    assert completion.ablatable_list("adenosine+adenosi") == []
    assert completion.ablatable_list("") == sorted(ablatable()), "only what the command accepts is offered"
    assert completion.regions("east") == ["east_asian"]


def test_files_of_trials_are_completed_beside_the_included_trials(tmp_path, monkeypatch) -> None:
    from immunescape.cli import completion

    (tmp_path / "mine.yaml").touch()
    (tmp_path / "mine.csv").touch()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "later.yml").touch()
    (tmp_path / ".mine.yaml").touch()
    monkeypatch.chdir(tmp_path)
    assert completion.trial_files("mi") == ["mine.yaml", "mine/"]
    assert completion.trial_files("mine/") == ["mine/later.yml"]
    assert completion.trial_files(f"{tmp_path}/mine.") == [f"{tmp_path}/mine.yaml"]
    assert completion.trial_files("nowhere/x") == []
    assert "keynote-024" in completion.trial_files("keynote-02")
