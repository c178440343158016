import json
import logging
import subprocess
import sys
from typing import Any

import asyncpg
import pytest

from servicekit import tracebacks

SAID = """
import logging, structlog, warnings
from servicekit import logs
from servicekit.correlation import bind
logs.configure("example", "INFO")
log = structlog.get_logger()
log.debug("too quiet")
with bind("here"):
    log.info("ours", number=1, text="two\\nlines")
    logging.getLogger("uvicorn.error").warning("theirs %s", "x", extra={"color_message": "y"})
warnings.warn("old", stacklevel=1)
logging.getLogger("aiokafka").info("chatter")
for _ in range(3):
    logging.getLogger("aiokafka.conn").error("node %s is away", 1)
logging.getLogger("aiokafka.conn").error("node %s is away", 2)
try:
    int("hunter2")
except ValueError:
    log.exception("broke")
"""


def lines() -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-c", SAID], capture_output=True, text=True, check=True, timeout=60
    )
    assert "hunter2" not in done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_line_is_json_with_time_level_and_service() -> None:
    """Ours and the libraries' lines have one shape; quiet ones are left out; no value is quoted."""
    told = lines()
    told = [each for each in told if "away" not in each["event"]]
    assert [each["level"] for each in told] == ["info", "warning", "warning", "error"]
    assert {each["service"] for each in told} == {"example"}
    assert all(each["time"].endswith("Z") for each in told)
    ours, theirs, warned, broke = told
    assert (ours["event"], ours["number"], ours["text"]) == ("ours", 1, "two\nlines")
    assert (ours["correlation_id"], theirs["correlation_id"]) == ("here", "here")
    assert theirs["event"] == "theirs x"
    assert "color_message" not in theirs
    assert "old" in warned["event"]
    assert "builtins.ValueError" in broke["exception"]


def test_what_a_library_says_again_and_again_is_told_once() -> None:
    """The same words of the Kafka client are left out for a while, other ones are not."""
    away = [each["event"] for each in lines() if "away" in each["event"]]
    assert away == ["node 1 is away", "node 2 is away"]


def test_levels_are_pythons() -> None:
    """An unknown level is a mistake in the settings, told at once."""
    assert {"DEBUG", "INFO", "WARNING", "ERROR"} <= set(logging.getLevelNamesMapping())


def caught(error: Exception) -> str:
    try:
        raise error
    except Exception as raised:  # noqa: BLE001 - any kind is rendered
        return tracebacks.render(raised)


@pytest.mark.parametrize(
    "error", [ValueError("hunter2"), KeyError("hunter2"), asyncpg.UniqueViolationError("hunter2")]
)
def test_messages_that_quote_values_are_withheld(error: Exception) -> None:
    """Of errors that repeat what was wrong, only kind and place are told."""
    told = caught(error)
    assert "hunter2" not in told
    assert type(error).__name__ in told
    assert "test_logs.py" in told


def test_other_messages_causes_and_groups_are_told() -> None:
    """What came of what stands in one text; an error of Postgres has its SQLSTATE."""
    inner = RuntimeError("the topic is gone")
    inner.__cause__ = asyncpg.UniqueViolationError("hunter2")
    told = caught(ExceptionGroup("several", [inner]))
    assert "the topic is gone" in told
    assert "SQLSTATE 23505" in told


def test_an_exception_that_caused_itself_ends() -> None:
    """A circle of causes is walked once."""
    one, other = RuntimeError("one"), RuntimeError("other")
    one.__cause__, other.__cause__ = other, one
    assert caught(one).count("RuntimeError: one") == 1
