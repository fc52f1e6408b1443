"""What ``import immunescape`` offers."""

from __future__ import annotations

import subprocess
import sys

import pytest

from immunescape.design.loading import load_design
from immunescape.errors import InputError
from immunescape.trial.loading import load_trial


def test_functions_load_a_trial_and_a_design_beside_the_packages_of_these_names():
    import immunescape
    import immunescape.trial.loading

    assert immunescape.load_trial("keynote-024").name == "keynote-024"
    assert immunescape.load_trial("oak").spec.arms[0].name
    assert immunescape.load_design("pdl1-enrichment").name == "pdl1-enrichment"
    assert immunescape.trial.loading.list_trials()


@pytest.mark.parametrize(
    ("package", "function"), [("trial", "load_trial"), ("design", "load_design"), ("profile", "profile_study")]
)
def test_a_package_that_is_called_names_the_function(package, function):
    import immunescape

    with pytest.raises(TypeError, match=rf"use immunescape\.{function}\("):
        getattr(immunescape, package)("keynote-024")
    assert callable(getattr(immunescape, function))


def test_unknown_attribute():
    import immunescape

    with pytest.raises(AttributeError, match="trails"):
        _ = immunescape.trails


@pytest.mark.slow
def test_a_script_without_a_main_guard_may_use_several_workers(tmp_path):
    script = tmp_path / "three_lines.py"
    script.write_text(
        "import immunescape\n"
        "result = immunescape.load_trial('keynote-024').run(patients=4, seed=1, workers=2)\n"
        "print('patients', len(result.patients))\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=540, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("patients 8") == 1


def test_version():
    import immunescape

    assert immunescape.__version__.count(".") >= 1


@pytest.mark.parametrize("wrong", [None, 3, ["keynote-024"]])
@pytest.mark.parametrize(("load", "noun"), [(load_trial, "trial"), (load_design, "design")])
def test_what_is_no_name_and_no_path_is_refused(load, noun, wrong):
    with pytest.raises(InputError, match=f"a {noun} is loaded by its name or the path"):
        load(wrong)
