import json
from pathlib import Path

import pytest

from devstack.processes import last_words

TRACEBACK = "Traceback (most recent call last):\n  File x\nKeyError: the key is lost"
FAILED = "Application startup failed. Exiting."


def lines(*told: str) -> str:
    return "".join(json.dumps({"event": each, "level": "error"}) + "\n" for each in told)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        (lines("starting", TRACEBACK, FAILED), "KeyError: the key is lost"),
        (lines(FAILED), FAILED),
        ("plain words\nFATAL: no such role\nbye\n", "FATAL: no such role"),
        ('{"no": "event", "error": 1}\n', '{"no": "event", "error": 1}'),
        ("only this\n", "only this"),
        ("", "it said nothing"),
    ],
)
def test_the_cause_is_taken_from_the_log(tmp_path: Path, written: str, why: str) -> None:
    """The error itself: not its JSON, and not what the web server makes of it."""
    log = tmp_path / "issuer.log"
    log.write_text(written)
    assert last_words(log) == f"{why} (all of it: {log})"


def test_a_full_disk_is_the_cause_wherever_it_stands(tmp_path: Path) -> None:
    """What fails after it fails because of it."""
    log = tmp_path / "postgres.log"
    log.write_text("FATAL: could not write: No space left on device\nFATAL: startup ended\n")
    assert last_words(log).startswith("no space left on the disk")
