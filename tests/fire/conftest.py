"""One short run with a fixed seed, shared by the tests of all promises."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fire.run import Outcome, Plan, run

SEED = 7
MINUTES = 0.75
KILLS = 25


@pytest.fixture(scope="session")
def fire() -> Iterator[Outcome]:
    """What became of it: history, evidence, violations."""
    with tempfile.TemporaryDirectory(prefix="revocast-fire-") as name:
        plan = Plan(seed=SEED, minutes=MINUTES, kills=KILLS, directory=Path(name))
        yield run(plan)
