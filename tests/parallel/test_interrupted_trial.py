"""A trial at the command line, its worker killed, itself terminated, or on a cluster: the same patients."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="finds workers in /proc")]
PATIENTS = "30"


def command(out: Path, *more: str) -> list[str]:
    code = "from immunescape.cli import main; main()"
    return [sys.executable, "-c", code, "trial", "keynote-024", "-n", PATIENTS, "-s", "2", "-o", str(out), *more]


def below(parents: list[int], mark: bytes) -> list[int]:
    """Processes that some processes started, with a mark in their command line."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            started_by = int(stat.read_text().rpartition(")")[2].split()[1])
            if started_by in parents and mark in (stat.parent / "cmdline").read_bytes():
                found.append(int(stat.parent.name))
        except (OSError, ValueError, IndexError):
            pass
    return found


def servers(parent: int) -> list[int]:
    """The process that the workers of a process are forked from."""
    return below([parent], b"forkserver")


def workers_of(parent: int) -> list[int]:
    """Worker processes of a process."""
    return below(servers(parent), b"forkserver")


def wait_for_block(out: Path, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + 300
    while not list((out / ".blocks").rglob("*.json")):
        assert process.poll() is None, "it ended before a block was there"
        assert time.monotonic() < end
        time.sleep(0.02)


def gone(numbers: list[int]) -> bool:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if not any(Path(f"/proc/{n}").exists() for n in numbers):
            return True
        time.sleep(0.05)
    return False


def figures(out: Path) -> tuple[bytes, Any]:
    result = json.loads((out / "result.json").read_text())
    del result["wall_s"], result["provenance"]["date"], result["provenance"]["command"]
    return (out / "patients.parquet").read_bytes(), result


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Any]:
    out = tmp_path_factory.mktemp("plain")
    subprocess.run(command(out, "-w", "1"), check=True, capture_output=True, timeout=600)
    return figures(out)


def test_a_worker_that_is_killed_is_told_of_and_changes_nothing(tmp_path: Path, undisturbed: Any) -> None:
    process = subprocess.Popen(command(tmp_path, "-w", "2"), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    wait_for_block(tmp_path, process)
    workers = workers_of(process.pid)
    for worker in workers:  # one of them may have nothing to do at the end
        os.kill(worker, signal.SIGKILL)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    assert len(workers) == 2
    assert "Warning: a worker process was killed (SIGKILL) while it made block" in errors
    assert "Traceback" not in errors
    assert figures(tmp_path) == undisturbed


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGTERM, 143, "Terminated."), (signal.SIGINT, 130, "Interrupted.")]
)
def test_a_trial_that_is_ended_says_so_leaves_no_worker_and_resumes(
    tmp_path: Path, undisturbed: Any, number: signal.Signals, code: int, word: str
) -> None:
    process = subprocess.Popen(command(tmp_path, "-w", "2"), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    wait_for_block(tmp_path, process)
    workers = [*servers(process.pid), *workers_of(process.pid)]
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == code, errors
    assert f"{word} Finished patients are kept in {tmp_path}; the same command resumes." in errors
    assert "Traceback" not in errors
    assert len(workers) == 3
    assert gone(workers)
    subprocess.run(command(tmp_path, "-w", "2"), check=True, capture_output=True, timeout=600)
    assert figures(tmp_path) == undisturbed


def test_a_cluster_gives_the_same_patients_with_a_worker_killed_that_held_blocks(
    tmp_path: Path, undisturbed: Any
) -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            local_directory=str(tmp_path / "dask"),
            host="127.0.0.1",
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        out = tmp_path / "out"
        address = cluster.scheduler_address
        process = subprocess.Popen(
            command(out, "--cluster", address), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        held: tuple[Any, ...] = ()
        victim = ""
        end = time.monotonic() + 300
        while not held and time.monotonic() < end:
            assert process.poll() is None, process.stderr and process.stderr.read()
            for worker, blocks in client.processing().items():
                if blocks:
                    victim, held = worker, tuple(blocks)
                    break
            time.sleep(0.02)
        name = next(k for k, w in cluster.workers.items() if w.worker_address == victim)
        cluster.workers[name].process.process._process.kill()
        _, errors = process.communicate(timeout=600)
        assert process.returncode == 0, errors
        assert held
        assert figures(out) == undisturbed


def test_an_address_without_scheduler_is_an_error_and_not_a_wait(tmp_path: Path) -> None:
    done = subprocess.run(
        command(tmp_path, "--cluster", "127.0.0.1:9"), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 2
    assert "no dask scheduler answers at '127.0.0.1:9'" in done.stderr
