"""What ``import immunescape`` offers."""

from __future__ import annotations

import subprocess
import sys

import pytest


def test_trial_stays_callable_after_the_package_of_that_name_is_imported():
    import immunescape
    import immunescape.trial.spec

    assert immunescape.trial("keynote-024").name == "keynote-024"
    assert immunescape.trial("oak").spec.arms[0].name
    assert immunescape.trial.spec.list_trials()


def test_unknown_attribute():
    import immunescape

    with pytest.raises(AttributeError, match="trails"):
        _ = immunescape.trails


@pytest.mark.slow
def test_a_script_without_a_main_guard_may_use_several_workers(tmp_path):
    script = tmp_path / "three_lines.py"
    script.write_text(
        "import immunescape\n"
        "result = immunescape.trial('keynote-024').run(patients=4, seed=1, workers=2)\n"
        "print('patients', len(result.patients))\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=540, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("patients 8") == 1


def test_version():
    import immunescape

    assert immunescape.__version__.count(".") >= 1
