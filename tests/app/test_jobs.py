"""Computations run in processes of their own: reported, cancelled, bounded, and gone with who started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from immunescape.app.jobs import AppJob, Jobs
from immunescape.app.trial_text import library_text
from immunescape.errors import InputError

pytestmark = pytest.mark.slow  # each starts a process, which imports the package


def until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"did not happen within {seconds:g} s")


def ended(job: AppJob) -> Any:
    return until(lambda: job.poll() if job.poll().status != "running" else None)


def trial(patients: int = 50) -> dict[str, Any]:
    return {"text": library_text("keynote-024"), "patients": patients, "seed": 1}


def test_a_fault_in_the_request_comes_back_in_the_package_s_words_without_the_folder(tmp_path: Path) -> None:
    job = AppJob("trial", {"text": "name: t\nnonsense: 1\n", "patients": 5, "seed": 1}, tmp_path, 100)
    state = ended(job)
    assert state.status == "failed"
    assert "nonsense" in state.text
    assert str(tmp_path) not in state.text


def test_a_finished_job_makes_room_at_once_though_its_process_is_still_on_its_way_out(tmp_path: Path) -> None:
    jobs = Jobs(1, 100)
    first = jobs.start("trial", {"text": "", "patients": 5, "seed": 1}, tmp_path)
    assert ended(first).status == "failed"
    jobs.start("trial", {"text": "", "patients": 5, "seed": 1}, tmp_path)
    jobs.close()


def test_a_cancelled_job_and_what_it_started_are_gone_and_a_place_is_free(tmp_path: Path) -> None:
    jobs = Jobs(1, 100)
    job = jobs.start("trial", trial(), tmp_path)
    with pytest.raises(InputError, match="computations are running"):
        jobs.start("trial", trial(), tmp_path)
    until(lambda: os.getpgid(job._process.pid) == job._process.pid)
    job.cancel()
    assert job.poll().status == "cancelled"
    assert not job.alive
    again = jobs.start("trial", trial(), tmp_path)
    jobs.close()
    assert not again.alive


def test_a_job_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    job = AppJob("trial", trial(), tmp_path, 0.2)
    state = ended(job)
    assert state.status == "failed"
    assert "limit" in state.text
    assert not job.alive


def test_a_process_that_dies_is_said_to_have(tmp_path: Path) -> None:
    job = AppJob("trial", trial(), tmp_path, 100)
    assert job._process.pid
    os.kill(job._process.pid, signal.SIGKILL)
    assert "ended unexpectedly" in ended(job).text


@pytest.mark.skipif(os.name != "posix", reason="process groups")
def test_jobs_end_with_the_app_however_it_ends(tmp_path: Path) -> None:
    script = tmp_path / "app.py"
    script.write_text(
        "import sys, time\nfrom pathlib import Path\nfrom immunescape.app.jobs import AppJob\n"
        "from immunescape.app.trial_text import library_text\n"
        "if __name__ == '__main__':\n"
        "    job = AppJob('trial', {'text': library_text('oak'), 'patients': 50, 'seed': 1}, Path(sys.argv[1]), 100)\n"
        "    print(job._process.pid, flush=True)\n    time.sleep(100)\n"
    )
    parent = subprocess.Popen([sys.executable, str(script), str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    time.sleep(0.5)
    parent.kill()
    parent.wait()

    def gone() -> bool:
        try:
            state = Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            return True
        return state == "Z"

    until(gone, 30)
