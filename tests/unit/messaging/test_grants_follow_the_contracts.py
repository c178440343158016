import subprocess
import sys

import pytest

from messaging.acls import RESOURCE_SERVER, SERVICES, grants
from revocast_contracts.topics import DEAD_LETTER, REVOCATIONS, TOPICS


@pytest.mark.parametrize("service", [*SERVICES, RESOURCE_SERVER])
def test_only_its_writer_writes_a_topic(service: str) -> None:
    """Dead letters apart, which any consumer may have to write."""
    written = {grant.name for grant in grants(service) if grant.operation == "Write"}
    own = {topic.name for topic in TOPICS if topic.writer == service}
    assert written - {DEAD_LETTER.name} == own


def test_a_resource_server_reads_revocations_and_nothing_else() -> None:
    """It needs no group and sees no other topic."""
    assert [(one.operation, one.name) for one in grants(RESOURCE_SERVER)] == [
        ("Read", REVOCATIONS.name)
    ]


def test_the_command_prints_what_kafkas_tool_takes() -> None:
    """`python -m messaging acls`: one grant a line, for the principal that it is told."""
    asked = subprocess.run(
        [sys.executable, "-m", "messaging", "acls", "audit", "--principal", "User:CN=audit"],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = asked.stdout.splitlines()
    assert len(lines) == len(grants("audit"))
    assert "--add --allow-principal User:CN=audit --operation Read --group audit" in lines
