import signal
import subprocess
import sys
from pathlib import Path

import pytest

from devstack.processes import Child, Command, end_leftover, leftover
from tests.support.deadlines import until

PARENT = """
import sys, time
from pathlib import Path
from devstack.{module} import {name}
server = {name}(Path(sys.argv[1]))
server.start()
print(server.pid, flush=True)
time.sleep(3600)
"""

CHILD = """
import sys, time
from pathlib import Path
from devstack.processes import Child, Command
place = Path(sys.argv[1])
sleep = ["/bin/sleep", "3600"]
command = Command(name="sleep", arguments=sleep, log=place / "log", pid_file=place / "pid")
print(Child(command, kernel_ties=sys.argv[2] == "kernel").pid, flush=True)
time.sleep(3600)
"""


def started(program: str, *arguments: str) -> tuple["subprocess.Popen[str]", int]:
    """A parent process and the process id that it told."""
    parent = subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    told = int(parent.stdout.readline())
    parent.stdout.close()
    return parent, told


def runs(pid: int) -> bool:
    """Whether the process is there and not just waiting to be buried."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(("module", "name"), [("postgres", "Postgres"), ("kafka", "Kafka")])
async def test_a_server_ends_with_its_killed_parent(
    directory: Path, module: str, name: str
) -> None:
    """SIGKILL of the process that started a server ends the server."""
    parent, server = started(PARENT.format(module=module, name=name), str(directory / module))
    assert runs(server)
    parent.kill()
    parent.wait()
    await until(lambda: not runs(server), seconds=40)


@pytest.mark.parametrize("tie", ["kernel", "pipe"])
async def test_both_ties_hold(directory: Path, tie: str) -> None:
    """The kernel's tie (Linux) and the pipe (elsewhere) both end the child of a killed parent."""
    parent, child = started(CHILD, str(directory), tie)
    assert runs(child)
    parent.kill()
    parent.wait()
    await until(lambda: not runs(child))


@pytest.mark.parametrize("kernel_ties", [True, False])
def test_a_child_can_be_stopped(directory: Path, *, kernel_ties: bool) -> None:
    """A stop reaches the command itself, whichever way it is tied."""
    child = Child(sleeping(directory), kernel_ties=kernel_ties)
    assert child.exit_status() is None
    child.stop(patience=10)
    assert child.exit_status() is not None
    assert not (directory / "pid").exists()


def test_a_leftover_is_ended(directory: Path) -> None:
    """What a killed run left behind is recognised by its pid file and ended."""
    child = Child(sleeping(directory))
    assert leftover(directory / "pid") == child.pid
    assert end_leftover(directory / "pid", stop=signal.SIGTERM)
    assert not runs(child.pid)
    child.kill()


def test_a_stranger_with_the_same_id_is_left_alone(directory: Path) -> None:
    """A pid file whose start time is not that of the process names nobody."""
    child = Child(sleeping(directory))
    (directory / "pid").write_text(f"{child.pid} 1")
    assert not end_leftover(directory / "pid", stop=signal.SIGTERM)
    assert child.exit_status() is None
    child.kill()


def sleeping(directory: Path) -> Command:
    """A command that does nothing for an hour."""
    return Command(
        name="sleep",
        arguments=["/bin/sleep", "3600"],
        log=directory / "log",
        pid_file=directory / "pid",
    )
