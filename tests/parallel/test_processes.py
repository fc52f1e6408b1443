"""Worker processes: a dead one costs its task a second try, none outlives its parent, no interruption is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from immunescape.errors import InputError
from immunescape.parallel import ProcessTeam, Terminated, WorkerLost, deferred_interrupts

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


def double(x: int) -> int:
    return 2 * x


def die_once(mark: str, x: int) -> int:
    if not os.path.exists(mark):
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return 2 * x


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def refuse(x: int) -> None:
    raise InputError(f"no {x}", hint="Another.")


def gather(team: ProcessTeam, results: dict[Any, Any]) -> None:
    while team.under_way:
        team.take(results.__setitem__)


def eventually(condition: Callable[[], bool], seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def alive(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{number}/stat")
    try:  # a process that nobody has asked about yet is dead all the same
        return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@posix
def test_a_killed_worker_costs_its_task_a_second_try_and_the_other_worker_goes_on(tmp_path: Path) -> None:
    team, results = ProcessTeam(2), {}
    try:
        team.submit("first", "the first", double, 1)
        team.submit("killed", "block 7 of docetaxel", die_once, str(tmp_path / "mark"), 2)
        before = set(team.processes)
        with pytest.warns(
            UserWarning, match=r"was killed \(SIGKILL\) while it made block 7 of docetaxel.*attempt 2 of 3"
        ):
            gather(team, results)
        assert results == {"first": 2, "killed": 4}
        assert len(before & set(team.processes)) == 1
    finally:
        team.close()


@posix
@pytest.mark.filterwarnings("ignore:a worker process")
def test_a_task_that_kills_every_worker_is_named_and_the_rest_is_kept() -> None:
    team, results = ProcessTeam(1), {}
    try:
        team.submit("bad", "block 3 of pembrolizumab", die)
        team.submit("good", "another", double, 4)
        with pytest.raises(WorkerLost, match="block 3 of pembrolizumab ended its worker process 3 times"):
            gather(team, results)
        gather(team, results)
        assert results == {"good": 8}
    finally:
        team.close()


def test_an_error_of_a_task_arrives_as_it_was_raised() -> None:
    team = ProcessTeam(1)
    try:
        team.submit(0, "a task", refuse, 5)
        with pytest.raises(InputError, match=r"no 5\n  Another\."):
            team.take(lambda key, value: None)
    finally:
        team.close()


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_something_is_stored_waits_and_is_not_lost(number: signal.Signals) -> None:
    def handler(got: int, frame: Any) -> None:
        raise Terminated

    def store() -> None:
        with deferred_interrupts():
            os.kill(os.getpid(), number)
            time.sleep(0.01)
            stored.append(1)

    stored: list[int] = []
    before = signal.signal(number, handler)
    try:
        with pytest.raises(Terminated):
            store()
        assert stored == [1]
        assert signal.getsignal(number) is handler
    finally:
        signal.signal(number, before)


def environment(name: str) -> str | None:
    return os.environ.get(name)


def test_workers_have_the_environment_of_the_moment_when_they_start(monkeypatch: pytest.MonkeyPatch) -> None:
    # and not that of an earlier one, in which a server began that they are forked from
    results: dict[Any, Any] = {}
    for value in ("first", "second", None):
        if value is None:
            monkeypatch.delenv("IMMUNESCAPE_OF_THIS_TEST")
        else:
            monkeypatch.setenv("IMMUNESCAPE_OF_THIS_TEST", value)
        team = ProcessTeam(1)
        team.submit(value, "a look", environment, "IMMUNESCAPE_OF_THIS_TEST")
        gather(team, results)
        team.close()
    assert results == {"first": "first", "second": "second", None: None}


SERVER = """
    import sys
    from immunescape.parallel import ProcessTeam, start_server
    start_server(["fractions", "no_module_of_this_name"])
    team = ProcessTeam(2, imports=["fractions"])
    for k in range(2):
        team.submit(k, "a look", eval, "'fractions' in __import__('sys').modules")
    answers = []
    while team.under_way:
        team.take(lambda key, answer: answers.append(answer))
    team.close()
    print(answers, 'fractions' in sys.modules)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each worker starts from nothing")
def test_a_server_imports_once_for_all_workers_and_not_in_their_parent() -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SERVER)], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.split("\n")[0] == "[True, True] False", done.stderr


@posix
def test_workers_start_where_the_temporary_folder_has_no_room_for_the_name_of_a_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("folder" * 20)
    deep.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SERVER)],
        env={**os.environ, "TMPDIR": str(deep)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[0].startswith("[")
    assert "Traceback" not in done.stderr


PARENT = """
    import time, sys
    sys.path.insert(0, {tests!r})
    from immunescape.parallel import ProcessTeam
    team = ProcessTeam(2)
    for k in range(2):
        team.submit(k, "a pause", time.sleep, 600)
    print(*team.processes, flush=True)
    team.take(print)
"""


@posix
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_worker_outlives_its_parent(number: signal.Signals) -> None:
    code = textwrap.dedent(PARENT.format(tests=str(Path(__file__).parent)))
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        workers = [int(word) for word in parent.stdout.readline().split()]
        assert len(workers) == 2
        assert all(alive(w) for w in workers)
        parent.send_signal(number)
        parent.wait(60)
        assert eventually(lambda: not any(alive(w) for w in workers))
    finally:
        parent.kill()
        parent.wait()


SUBMITTER = """
    import os, signal, threading, time
    from immunescape.parallel import ProcessTeam
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started the tests with it ignored
    team = ProcessTeam(1)
    start = team._start
    def interrupted_start():
        os.kill(os.getpid(), signal.SIGINT)
        return start()
    team._start = interrupted_start
    try:
        team.submit(0, "a pause", time.sleep, 0)
        print("lost")
    except KeyboardInterrupt:
        print("interrupted")
    finally:
        team.close()
"""


@posix
def test_ctrl_c_while_a_task_is_submitted_is_not_lost() -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SUBMITTER)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout == "interrupted\n", done.stderr
